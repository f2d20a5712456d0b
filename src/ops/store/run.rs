//! Runs: the task and its outputs are recorded, rooted and audited before success is reported.

use std::path::PathBuf;

use crate::adapters::clone::runs::{RUN_REFS, RUN_ROOTS, Runs};
use crate::adapters::files;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::store::Store;
use crate::format::canonical_json::{Document, to_document};
use crate::format::digest::Digest;
use crate::format::run_record::{
    AuditVerdict, OutputHashes, RUN_REFS_VERSION, RunId, RunRefs, RunState, STATUS_VERSION, Status, TaskSpec,
    parse_record, snapshot_hash, write_roots,
};
use crate::ops::store::audit::run::{AuditMemory, Depth, Places, RunFiles, audit_run};
use crate::refusal::{Refusal, Result};
use crate::rules::audit::{AuditFinding, AuditFindings, FindingCode};

/// Content that a run needs and that git does not have.
#[derive(Clone, Debug)]
pub struct RunOutput {
    /// Its hash.
    pub hash: Digest,
    /// Size in bytes.
    pub size: u64,
    /// Where the content is until the store has it.
    pub source: OutputSource,
}

/// Where content is until the store has it.
#[derive(Clone, Debug)]
pub enum OutputSource {
    /// In a file.
    File(PathBuf),
    /// In memory.
    Bytes(Vec<u8>),
    /// Nowhere: it is the list of the hashes of all outputs, which is generated.
    Hashes,
}

impl RunOutput {
    /// Makes an output of bytes.
    pub fn of(bytes: Vec<u8>) -> Self {
        Self {
            hash: Digest::of(&bytes),
            size: bytes.len() as u64,
            source: OutputSource::Bytes(bytes),
        }
    }
}

/// The outputs of a run, except its manifest.
#[derive(Default)]
pub struct RunOutputs {
    /// Contents that git keeps: hash and size in bytes.
    pub committed: Vec<(Digest, u64)>,
    /// Contents that the store must keep.
    pub own: Vec<RunOutput>,
}

/// The records of a run and everything that it needs.
pub struct Records {
    /// The run.
    pub id: RunId,
    /// The refs of its records for a run that passes its audit.
    pub refs: RunRefs,
    status: Status,
    /// The hashes of all outputs.
    hashes: OutputHashes,
    /// Contents for the store, including the other records.
    own: Vec<RunOutput>,
}

impl Records {
    /// Makes the records of a task with these outputs.
    pub fn new(task: &TaskSpec, manifest: RunOutput, outputs: RunOutputs) -> Self {
        let RunOutputs { committed, mut own } = outputs;
        let manifest_ref = manifest.hash;
        own.push(manifest);
        let mut sizes = committed;
        sizes.reserve_exact(own.len());
        sizes.extend(own.iter().map(|output| (output.hash, output.size)));
        sizes.sort_unstable();
        sizes.dedup_by_key(|output| output.0);
        let hashes = OutputHashes::new(sizes.iter().map(|output| output.0).collect());
        let (hash, size) = hashes.hashed();
        let outputs = RunOutput {
            hash,
            size,
            source: OutputSource::Hashes,
        };
        let task = RunOutput::of(to_document(task));
        let status = Status {
            cas_snapshot_hash: snapshot_hash(sizes.iter().map(|(hash, size)| (hash, *size))),
            manifest_ref,
            output_hashes_ref: outputs.hash,
            state: RunState::Completed,
            task_spec_ref: task.hash,
            verdict: AuditVerdict::Pass,
            version: STATUS_VERSION.into(),
        };
        own.extend([task, outputs]);
        Self {
            id: RunId::of(&status.task_spec_ref),
            refs: refs_of(&status),
            status,
            hashes,
            own,
        }
    }

    /// Returns everything that the run needs, sorted.
    fn roots(&self) -> Vec<Digest> {
        let records = self.refs.records();
        let mut roots = Vec::with_capacity(records.len() + self.hashes.hashes.len());
        roots.extend_from_slice(&self.hashes.hashes);
        for (_, hash) in records {
            if let Err(at) = roots.binary_search(&hash) {
                roots.insert(at, hash);
            }
        }
        roots
    }
}

fn refs_of(status: &Status) -> RunRefs {
    RunRefs {
        manifest_ref: status.manifest_ref,
        output_hashes_ref: status.output_hashes_ref,
        status_ref: Digest::of(&to_document(status)),
        task_spec_ref: status.task_spec_ref,
        version: RUN_REFS_VERSION.into(),
    }
}

/// The places that a run is recorded in.
pub struct Recorder<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// Its runs.
    pub runs: &'a Runs,
    /// Its content store, whose lock the caller holds.
    pub store: &'a dyn Store,
    /// The commit.
    pub commit: Commit,
}

impl Recorder<'_> {
    /// Stores and roots what a run needs, audits it (mode B), and records the result. A failed audit is `E_AUDIT`.
    ///
    /// An existing run is audited before anything is added, so that its damage is reported and not silently repaired.
    pub fn record(self, records: &Records) -> Result<()> {
        let mut memory = AuditMemory::default();
        let standing = match self.runs.has(&records.id) {
            true => Some(RunFiles::read(self.runs, &records.id)?),
            false => None,
        };
        if let Some(standing) = &standing {
            self.audit(records, standing, None, &mut memory)?;
        }
        self.store_all(records)?;
        if standing.is_none() {
            self.repo.keep_commit(&records.id, &self.commit.id)?;
        }
        let new = RunFiles {
            roots: Ok(records.roots()),
            refs: Some(to_document(&records.refs)),
        };
        if standing.is_none() {
            self.audit(records, &new, Some(records.refs.status_ref), &mut memory)?;
        }
        self.put(&to_document(&records.status))?;
        self.ensure_recorded(records, &new)?;
        let is_same = standing.is_some_and(|standing| standing.refs == new.refs);
        if let RunFiles {
            roots: Ok(roots),
            refs: Some(refs),
        } = new
            && !is_same
        {
            let roots = write_roots(roots);
            match self.runs.publish(&records.id, &roots, &refs) {
                // Another process recorded the same run first.
                Err(Refusal::OutputExists { .. })
                    if self.runs.read(&records.id, RUN_ROOTS)? == Some(roots)
                        && self.runs.read(&records.id, RUN_REFS)? == Some(refs) => {}
                other => other?,
            }
        }
        self.runs.note_last(&records.id)
    }

    fn store_all(&self, records: &Records) -> Result<()> {
        for output in &records.own {
            match &output.source {
                OutputSource::File(path) => self.store.put(&output.hash, &mut files::open_regular(path)?.file)?,
                OutputSource::Bytes(bytes) => self.store.put(&output.hash, &mut &bytes[..])?,
                OutputSource::Hashes => self.store.put(&output.hash, &mut &to_document(&records.hashes)[..])?,
            }
        }
        Ok(())
    }

    fn put(&self, document: &[u8]) -> Result<()> {
        self.store.put(&Digest::of(document), &mut &document[..])
    }

    /// Reads the records back before a run refers to them.
    fn ensure_recorded(&self, records: &Records, files: &RunFiles) -> Result<()> {
        for (name, hash) in records.refs.records() {
            let code = match self.store.check(&[hash]).pop() {
                Some(Ok(true)) => continue,
                Some(Ok(false)) | None => FindingCode::ObjectMissing,
                Some(Err(_)) => FindingCode::ObjectCorrupt,
            };
            let mut found = AuditFindings::of(&records.id);
            found.add(code, hash.to_string(), Some(name), "it was stored a moment ago");
            return self.fail(records, files, &found.finish());
        }
        Ok(())
    }

    fn audit(
        &self,
        records: &Records,
        files: &RunFiles,
        pending: Option<Digest>,
        memory: &mut AuditMemory,
    ) -> Result<()> {
        let places = Places {
            repo: self.repo,
            runs: self.runs,
            store: self.store,
            cache: self.repo.private().digests(),
        };
        // The content of a new run was written just now, so its presence suffices. That of an existing run is read,
        // because it may have changed.
        let depth = match pending {
            Some(_) => Depth::Presence,
            None => Depth::Content,
        };
        let audited = audit_run(&places, &records.id, files, depth, pending, memory)?;
        let mut findings = audited.findings;
        // A failure of an earlier audit does not count if this audit finds nothing.
        findings.retain(|finding| finding.code != FindingCode::RunFailed);
        if let Some(refs) = files
            .refs
            .as_deref()
            .and_then(|refs| parse_record::<RunRefs>(refs).ok())
        {
            let (said, now) = (refs.records(), records.refs.records());
            let others = said
                .iter()
                .zip(&now)
                .filter(|(said, now)| said.1 != now.1 && said.0 != "STATUS");
            findings.extend(others.map(|(said, now)| AuditFinding {
                run: Some(records.id.clone()),
                code: FindingCode::RecordInvalid,
                subject: said.1.to_string(),
                name: Some(said.0.to_owned()),
                detail: format!("sealing now gives {}", now.1),
            }));
        }
        match findings.is_empty() {
            true => Ok(()),
            false => self.fail(records, files, &findings),
        }
    }

    /// Refuses because of an audit's findings, and marks the run as failed.
    fn fail(&self, records: &Records, files: &RunFiles, findings: &[AuditFinding]) -> Result<()> {
        let Some(first) = findings.first() else { return Ok(()) };
        let name = first.name.as_deref().unwrap_or_default();
        let first = [first.code.as_str(), &first.subject, name].join(" ");
        self.note_failure(records, files)?;
        Err(Refusal::Audit {
            run: records.id.to_string(),
            first: first.trim_end().to_owned(),
            more: findings.len() - 1,
            directory: self.runs.directory(&records.id),
        })
    }

    /// Marks a run as failed, and leaves its roots as they are.
    fn note_failure(&self, records: &Records, files: &RunFiles) -> Result<()> {
        let failed = Status {
            state: RunState::Failed,
            verdict: AuditVerdict::Fail,
            ..records.status.clone()
        };
        self.put(&to_document(&failed))?;
        let refs = refs_of(&failed);
        let Ok(mut roots) = files.roots.clone() else {
            return Ok(());
        };
        roots.push(refs.status_ref);
        self.runs.publish(&records.id, &write_roots(roots), &to_document(&refs))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::process::Command;

    use super::*;
    use crate::adapters::clone::digests::DigestCache;
    use crate::adapters::git::Surroundings;
    use crate::adapters::store::faulty::{Fault, Faulty};
    use crate::format::dump::layout::Layout;
    use crate::format::lite::{Kind, MANIFEST_VERSION, ManifestEntry, PackManifest};
    use crate::format::repo_state::{GRAMMAR_VERSION, Mode};
    use crate::format::run_record::{CommitRef, ScopeSpec, TASK_SPEC_VERSION};
    use crate::format::tree_meta::Part;
    use crate::ops::store::audit::run::RunAudit;

    fn git(directory: &Path, args: &[&str]) {
        let mut command = Command::new("git");
        command
            .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
            .args(args);
        assert!(command.current_dir(directory).status().unwrap().success());
    }

    fn repository() -> (tempfile::TempDir, Repository) {
        let temp = tempfile::tempdir().unwrap();
        git(temp.path(), &["init", "-q"]);
        std::fs::write(temp.path().join("tracked"), "tracked content").unwrap();
        git(temp.path(), &["add", "."]);
        git(temp.path(), &["commit", "-q", "-m", "one"]);
        let repo = Repository::discover(temp.path(), &Surroundings::default()).unwrap();
        (temp, repo)
    }

    fn records(commit: &Commit) -> Records {
        let repo_state = CommitRef {
            commit: commit.id.hex(),
            tree: commit.tree.hex(),
        };
        let tracked = (Digest::of(b"tracked content"), 15);
        let own = RunOutput::of(b"own content".to_vec());
        let task = TaskSpec {
            canon_version: "unknown".into(),
            grammar_version: GRAMMAR_VERSION.into(),
            manifest_version: MANIFEST_VERSION.into(),
            max_tokens: None,
            mode: Mode::Public,
            only: None,
            packer_version: "0".into(),
            parts: vec![Part::Lite],
            repo_state: repo_state.clone(),
            scope: ScopeSpec {
                anchors: Vec::new(),
                buckets: Vec::new(),
                exclude: Vec::new(),
                include: Vec::new(),
                key: "repo".into(),
                prefix: "REPO".into(),
                title: "repo".into(),
            },
            sealed: own.hash,
            version: TASK_SPEC_VERSION.into(),
        };
        let entry = ManifestEntry::new("tracked", tracked.0, tracked.1, Kind::File);
        let manifest = PackManifest::new("repo", repo_state, &Layout::of_scope("repo"), vec![entry]);
        let outputs = RunOutputs {
            committed: vec![tracked],
            own: vec![own],
        };
        Records::new(&task, RunOutput::of(to_document(&manifest)), outputs)
    }

    fn record(repo: &Repository, store: &dyn Store, runs: &Runs) -> (RunId, Result<()>) {
        let commit = repo.commit("HEAD").unwrap();
        let records = records(&commit);
        let recorder = Recorder {
            repo,
            runs,
            store,
            commit,
        };
        (records.id.clone(), recorder.record(&records))
    }

    fn audited(repo: &Repository, store: &dyn Store, runs: &Runs, run: &RunId) -> (RunAudit, usize) {
        let places = Places {
            repo,
            runs,
            store,
            cache: &DigestCache::off(),
        };
        let files = RunFiles::read(runs, run).unwrap();
        let audit = audit_run(&places, run, &files, Depth::Content, None, &mut AuditMemory::default()).unwrap();
        (audit, files.roots.unwrap_or_default().len())
    }

    #[test]
    fn what_is_recorded_is_rooted_and_there() {
        let (_temp, repo) = repository();
        let (runs, store) = (repo.private().runs(), repo.private().store());
        for _ in 0..2 {
            let (run, done) = record(&repo, &store, &runs);
            done.unwrap();
            assert_eq!(runs.last().unwrap(), Some(run.clone()));
            let (audited, roots) = audited(&repo, &store, &runs, &run);
            assert_eq!((audited.findings.len(), roots, audited.in_git), (0, 6, 1));
        }
    }

    #[test]
    fn no_run_claims_success_over_a_store_that_fails() {
        let names = 5;
        for fault in [Fault::Err, Fault::Short, Fault::Flip, Fault::Forget] {
            for which in 0..names {
                let (_temp, repo) = repository();
                let (runs, inner) = (repo.private().runs(), repo.private().store());
                let refs = records(&repo.commit("HEAD").unwrap()).refs.records();
                let hash = refs.get(which).map_or(Digest::of(b"own content"), |record| record.1);
                let store = Faulty { inner, fault, hash };
                let (run, done) = record(&repo, &store, &runs);
                match done {
                    Err(Refusal::Audit { .. } | Refusal::Corrupt(_) | Refusal::Io { .. }) => {}
                    Err(other) => panic!("{other:?}"),
                    // Sealing does not read content that is present, so only an audit finds the damage.
                    Ok(()) => {
                        assert!(which == names - 1 && matches!(fault, Fault::Short | Fault::Flip));
                        assert_eq!(
                            audited(&repo, &store, &runs, &run).0.findings[0].code,
                            FindingCode::ObjectCorrupt
                        );
                        continue;
                    }
                }
                assert_eq!(runs.last().unwrap(), None);
                if runs.has(&run) {
                    let found = audited(&repo, &store.inner, &runs, &run).0.findings;
                    assert!(
                        found.iter().any(|finding| finding.code == FindingCode::RunFailed),
                        "{found:?}"
                    );
                }
            }
        }
    }
}
