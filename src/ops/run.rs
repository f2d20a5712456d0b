//! A run: what was asked and what came of it is recorded, rooted and audited, before anybody hears of success.

use std::path::PathBuf;

use crate::adapters::files;
use crate::adapters::git::digest_cache::DigestCache;
use crate::adapters::git::{Commit, Repository};
use crate::adapters::runs::Runs;
use crate::adapters::store::Store;
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::lite::PackManifest;
use crate::format::refusal::{Refusal, Result};
use crate::format::repo_state::TreeEntry;
use crate::format::run_record::{
    OutputHashes, RUN_REFS_VERSION, RunId, RunRefs, RunState, STATUS_VERSION, Status, TaskSpec, Verdict, parse_record,
    parse_roots, snapshot_hash, write_roots,
};
use crate::ops::audit::run::{Depth, Memory, Places, RunFiles, audit_run};
use crate::rules::audit::{Finding, FindingCode};

/// Content that a run needs.
#[derive(Clone, Debug)]
pub struct Output {
    /// Its hash.
    pub hash: Digest,
    /// Its bytes.
    pub size: u64,
    /// Where it is before the store has it.
    pub held: Held,
}

/// Where content is before the store has it.
#[derive(Clone, Debug)]
pub enum Held {
    /// In the commit; git keeps it.
    Git,
    /// In this file.
    File(PathBuf),
    /// Here.
    Bytes(Vec<u8>),
}

/// The records of a run, and everything that it needs.
pub struct Records {
    /// The run.
    pub id: RunId,
    /// The refs of its records, where its audit says that all is well.
    pub refs: RunRefs,
    status: Status,
    outputs: Vec<Output>,
    /// Task, outputs and manifest.
    documents: [Vec<u8>; 3],
}

impl Records {
    /// Makes the records of a task that came to these outputs, the manifest not among them.
    pub fn new(task: &TaskSpec, manifest: &PackManifest, mut outputs: Vec<Output>) -> Self {
        let task = to_document(task);
        let manifest = to_document(manifest);
        let manifest_ref = Digest::of(&manifest);
        outputs.push(Output {
            hash: manifest_ref,
            size: manifest.len() as u64,
            held: Held::Bytes(Vec::new()),
        });
        outputs.sort_by_key(|output| output.hash);
        outputs.dedup_by_key(|output| output.hash);
        let hashes = to_document(&OutputHashes::new(outputs.iter().map(|output| output.hash).collect()));
        let status = Status {
            cas_snapshot_hash: snapshot_hash(outputs.iter().map(|output| (&output.hash, output.size))),
            manifest_ref,
            output_hashes_ref: Digest::of(&hashes),
            state: RunState::Completed,
            task_spec_ref: Digest::of(&task),
            verdict: Verdict::Pass,
            version: STATUS_VERSION.into(),
        };
        outputs.retain(|output| output.hash != manifest_ref);
        Self {
            id: RunId::of(&status.task_spec_ref),
            refs: refs_of(&status),
            status,
            outputs,
            documents: [task, hashes, manifest],
        }
    }

    /// Returns the bytes of the manifest.
    pub fn manifest(&self) -> &[u8] {
        &self.documents[2]
    }

    fn roots(&self) -> Vec<Digest> {
        let records = self.refs.records().map(|(_, hash)| hash);
        records
            .into_iter()
            .chain(self.outputs.iter().map(|output| output.hash))
            .collect()
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

/// Where a run is recorded.
pub struct Recorder<'a> {
    /// The repository.
    pub repo: &'a Repository,
    /// Its runs.
    pub runs: &'a Runs,
    /// Its content store, which somebody holds.
    pub store: &'a dyn Store,
    /// The commit, and its entries.
    pub commit: Commit,
    /// The entries of its tree, if they were listed already.
    pub entries: Vec<TreeEntry>,
}

impl Recorder<'_> {
    /// Stores and roots what a run needs, audits it (mode B), and records that all is well; or that it is not, which is
    /// `E_AUDIT`.
    ///
    /// A run that stands is not put right in silence: it is audited before anything is added.
    pub fn record(mut self, records: &Records) -> Result<()> {
        let mut memory = Memory::default();
        memory.trees.insert(self.commit.tree, std::mem::take(&mut self.entries));
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
            roots: Some(write_roots(records.roots())),
            refs: Some(to_document(&records.refs)),
        };
        if standing.is_none() {
            self.audit(records, &new, Some(records.refs.status_ref), &mut memory)?;
        }
        self.put(&to_document(&records.status))?;
        let is_same = standing.is_some_and(|standing| standing.refs == new.refs);
        if let RunFiles {
            roots: Some(roots),
            refs: Some(refs),
        } = &new
            && !is_same
        {
            self.runs.publish(&records.id, roots, refs)?;
        }
        self.runs.note_last(&records.id)
    }

    fn store_all(&self, records: &Records) -> Result<()> {
        for output in &records.outputs {
            match &output.held {
                Held::Git => {}
                Held::File(path) => self.store.put(&output.hash, &mut files::open_regular(path)?.file)?,
                Held::Bytes(bytes) => self.store.put(&output.hash, &mut &bytes[..])?,
            }
        }
        records.documents.iter().try_for_each(|document| self.put(document))
    }

    fn put(&self, document: &[u8]) -> Result<()> {
        self.store.put(&Digest::of(document), &mut &document[..])
    }

    fn audit(&self, records: &Records, files: &RunFiles, pending: Option<Digest>, memory: &mut Memory) -> Result<()> {
        let cache = DigestCache::load(&self.repo.common_dir());
        let places = Places {
            repo: self.repo,
            runs: self.runs,
            store: self.store,
            cache: &cache,
        };
        let audited = audit_run(&places, &records.id, files, Depth::Presence, pending, memory)?;
        let mut findings = audited.findings;
        // That an earlier audit failed does not matter where this one finds nothing.
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
            findings.extend(others.map(|(said, now)| Finding {
                run: Some(records.id.clone()),
                code: FindingCode::RecordInvalid,
                subject: said.1.to_string(),
                name: Some(said.0.to_owned()),
                detail: format!("sealing came to {} now", now.1),
            }));
        }
        match findings.first() {
            None => Ok(()),
            Some(first) => {
                let refusal = Refusal::Audit {
                    run: records.id.to_string(),
                    first: [
                        first.code.as_str(),
                        &first.subject,
                        first.name.as_deref().unwrap_or_default(),
                    ]
                    .join(" ")
                    .trim_end()
                    .to_owned(),
                    more: findings.len() - 1,
                    directory: self.runs.directory(&records.id),
                };
                self.note_failure(records, files)?;
                Err(refusal)
            }
        }
    }

    /// Records that a run failed its audit, beside whatever it has for roots.
    fn note_failure(&self, records: &Records, files: &RunFiles) -> Result<()> {
        let failed = Status {
            state: RunState::Failed,
            verdict: Verdict::Fail,
            ..records.status.clone()
        };
        self.put(&to_document(&failed))?;
        let refs = refs_of(&failed);
        let Some(mut roots) = files.roots.as_deref().and_then(|roots| parse_roots(roots).ok()) else {
            return Ok(());
        };
        roots.push(refs.status_ref);
        self.runs.publish(&records.id, &write_roots(roots), &to_document(&refs))
    }
}
