//! Judges a run: are all contents that it needs rooted and present, and are its records valid?

use std::collections::BTreeMap;

use crate::format::digest::Digest;
use crate::format::lite::PackManifest;
use crate::format::run_record::{
    AuditVerdict, OUTPUT_HASHES_VERSION, OutputHashes, RUN_REFS_VERSION, RunId, RunRefs, RunState, STATUS_VERSION,
    Status, TASK_SPEC_VERSION, TaskSpec,
};
use crate::format::sealed::MEMBER as SEALED_ARTIFACTS;
use crate::rules::audited_entries::SeenEntries;

/// A finding of an audit.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AuditFinding {
    /// The run. `None` for pins and the digest cache.
    pub run: Option<RunId>,
    /// What is wrong.
    pub code: FindingCode,
    /// What it is about: a content ref, or the name of a file or ref.
    pub subject: String,
    /// The path or record that has this content, if it is known.
    pub name: Option<String>,
    /// Further explanation.
    pub detail: String,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingCode {
    /// A list of roots cannot be read or is malformed.
    RootsInvalid,
    /// The list of pins cannot be read or is malformed.
    PinsInvalid,
    /// A record of a run is invalid.
    RecordInvalid,
    /// A content that a run needs is not among its roots.
    NotRooted,
    /// The ref that keeps a run's commit is missing or points elsewhere.
    RefMissing,
    /// A rooted content is missing.
    ObjectMissing,
    /// A rooted content does not match its hash or cannot be read.
    ObjectCorrupt,
    /// The audit at the end of the run had failed.
    RunFailed,
    /// The digest cache disagrees with a blob.
    CacheWrong,
}

impl FindingCode {
    /// All codes.
    #[cfg(feature = "internals")]
    pub const ALL: [Self; 9] = [
        Self::RootsInvalid,
        Self::PinsInvalid,
        Self::RecordInvalid,
        Self::NotRooted,
        Self::RefMissing,
        Self::ObjectMissing,
        Self::ObjectCorrupt,
        Self::RunFailed,
        Self::CacheWrong,
    ];

    /// Returns the code as it is printed.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RootsInvalid => "ROOTS_INVALID",
            Self::PinsInvalid => "PINS_INVALID",
            Self::RecordInvalid => "RECORD_INVALID",
            Self::NotRooted => "NOT_ROOTED",
            Self::RefMissing => "REF_MISSING",
            Self::ObjectMissing => "OBJECT_MISSING",
            Self::ObjectCorrupt => "OBJECT_CORRUPT",
            Self::RunFailed => "RUN_FAILED",
            Self::CacheWrong => "CACHE_WRONG",
        }
    }
}

/// What was read of a run: each record, or why it is invalid.
///
/// A missing record is `None` here; the check of the roots reports it.
#[derive(Default)]
pub struct ObservedRun {
    /// The refs of the run's records.
    pub refs: Option<RunRefs>,
    /// The task.
    pub task: Option<Result<TaskSpec, String>>,
    /// The outputs.
    pub outputs: Option<Result<OutputHashes, String>>,
    /// The status.
    pub status: Option<Result<Status, String>>,
    /// The commit that the run's ref points to, in hex.
    pub kept: Option<String>,
}

impl ObservedRun {
    /// Returns the hashes of its outputs. None if they are not known.
    pub fn listed(&self) -> &[Digest] {
        sound(&self.outputs).map_or(&[], |outputs| &outputs.hashes)
    }
}

/// The result of looking for a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It exists and, if it was read, matches its hash.
    Here(StoredIn),
    /// It exists nowhere.
    Missing,
    /// It exists, but does not match its hash or cannot be read.
    Corrupt(Box<str>),
}

/// Where a content is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoredIn {
    /// In git's object database.
    Git,
    /// In a file of the store.
    Disk,
}

/// The findings of one run.
pub struct AuditFindings<'a> {
    run: &'a RunId,
    found: Vec<AuditFinding>,
}

impl<'a> AuditFindings<'a> {
    /// Starts without findings.
    pub fn of(run: &'a RunId) -> Self {
        Self { run, found: Vec::new() }
    }

    /// Adds a finding.
    pub fn add(
        &mut self,
        code: FindingCode,
        subject: impl Into<String>,
        name: Option<&str>,
        detail: impl Into<String>,
    ) {
        self.found.push(AuditFinding {
            run: Some(self.run.clone()),
            code,
            subject: subject.into(),
            name: name.map(str::to_owned),
            detail: detail.into(),
        });
    }

    /// Returns the findings, sorted and without duplicates.
    pub fn finish(mut self) -> Vec<AuditFinding> {
        self.found.sort_unstable();
        self.found.dedup();
        self.found
    }

    /// Judges the records of a run, and checks that everything it needs is among its roots, which are sorted.
    pub fn records(&mut self, roots: &[Digest], observed: &ObservedRun) {
        let rooted = |hash: &Digest| roots.binary_search(hash).is_ok();
        let Some(refs) = &observed.refs else { return };
        for (name, hash) in refs.records() {
            if !rooted(&hash) {
                self.add(
                    FindingCode::NotRooted,
                    hash.to_string(),
                    Some(name),
                    "a record of the run",
                );
            }
        }
        self.versions(refs, observed);
        // The id of a run comes from its task's hash. Under another id, the records belong to another run.
        if !self.run.is_of(&refs.task_spec_ref) {
            self.invalid(refs.task_spec_ref, "TASK_SPEC", "the id of the run does not match it");
        }
        self.task(refs, observed);
        self.outputs(refs, observed, rooted);
        match &observed.status {
            Some(Ok(status)) => self.status(refs, status),
            Some(Err(why)) => self.invalid(refs.status_ref, "STATUS", why),
            None => {}
        }
    }

    fn versions(&mut self, refs: &RunRefs, observed: &ObservedRun) {
        let versions = [
            (refs.status_ref, "RUN_REFS.json", Some(&refs.version), RUN_REFS_VERSION),
            (
                refs.task_spec_ref,
                "TASK_SPEC",
                sound(&observed.task).map(|r| &r.version),
                TASK_SPEC_VERSION,
            ),
            (
                refs.output_hashes_ref,
                "OUTPUT_HASHES",
                sound(&observed.outputs).map(|r| &r.version),
                OUTPUT_HASHES_VERSION,
            ),
            (
                refs.status_ref,
                "STATUS",
                sound(&observed.status).map(|r| &r.version),
                STATUS_VERSION,
            ),
        ];
        for (hash, name, found, expected) in versions {
            if found.is_some_and(|found| found != expected) {
                self.invalid(hash, name, &format!("version: expected {expected}"));
            }
        }
    }

    fn task(&mut self, refs: &RunRefs, observed: &ObservedRun) {
        match &observed.task {
            Some(Ok(task)) => match &observed.kept {
                Some(kept) if *kept == task.repo_state.commit => {}
                Some(kept) => self.unkept(task, &format!("it points to {kept}")),
                None => self.unkept(task, "it is missing"),
            },
            Some(Err(why)) => self.invalid(refs.task_spec_ref, "TASK_SPEC", why),
            None => {}
        }
    }

    fn outputs(&mut self, refs: &RunRefs, observed: &ObservedRun, rooted: impl Fn(&Digest) -> bool) {
        match &observed.outputs {
            Some(Ok(outputs)) => {
                let unrooted = outputs
                    .hashes
                    .iter()
                    .filter(|hash| !rooted(hash) && **hash != refs.manifest_ref);
                for hash in unrooted {
                    self.add(FindingCode::NotRooted, hash.to_string(), None, "an output of the run");
                }
                if outputs.hashes.binary_search(&refs.manifest_ref).is_err() {
                    self.invalid(refs.output_hashes_ref, "OUTPUT_HASHES", "it does not list the manifest");
                }
            }
            Some(Err(why)) => self.invalid(refs.output_hashes_ref, "OUTPUT_HASHES", why),
            None => {}
        }
    }

    /// Checks that a manifest belongs to the run, and that everything it names is among the outputs. It comes without its
    /// entries.
    pub fn manifest(&mut self, manifest: &PackManifest, entries: SeenEntries<'_>, observed: &ObservedRun) {
        let (Some(refs), Some(outputs)) = (&observed.refs, sound(&observed.outputs)) else {
            return;
        };
        let task = sound(&observed.task);
        let is_of_task = task.is_none_or(|task| {
            (&manifest.scope, &manifest.repo_state, &manifest.version)
                == (&task.scope.key, &task.repo_state, &task.manifest_version)
        });
        if !is_of_task || !entries.are_in_order(&manifest.buckets) {
            self.invalid(refs.manifest_ref, "PACK_MANIFEST", "it does not match the run's task");
        }
        let sealed = task.map(|task| (task.sealed, SEALED_ARTIFACTS.to_owned()));
        let sealed = sealed.filter(|(hash, _)| outputs.hashes.binary_search(hash).is_err());
        for (hash, name) in entries.unlisted.into_iter().chain(sealed) {
            let what = "the run needs it, but does not list it as an output";
            self.add(FindingCode::NotRooted, hash.to_string(), Some(&name), what);
        }
    }

    fn status(&mut self, refs: &RunRefs, status: &Status) {
        let names = [
            (status.task_spec_ref, refs.task_spec_ref),
            (status.output_hashes_ref, refs.output_hashes_ref),
            (status.manifest_ref, refs.manifest_ref),
        ];
        if names.iter().any(|(said, is)| said != is) {
            self.invalid(refs.status_ref, "STATUS", "it belongs to another run");
        }
        if (status.state, status.verdict) != (RunState::Completed, AuditVerdict::Pass) {
            self.add(
                FindingCode::RunFailed,
                refs.status_ref.to_string(),
                Some("STATUS"),
                "its audit failed when it was sealed",
            );
        }
    }

    fn invalid(&mut self, hash: Digest, name: &str, why: &str) {
        self.add(FindingCode::RecordInvalid, hash.to_string(), Some(name), why);
    }

    fn unkept(&mut self, task: &TaskSpec, why: &str) {
        let what = format!("{why}; commit {} is not kept for this run", task.repo_state.commit);
        let name = format!("refs/gitpack/runs/{}", self.run);
        self.add(FindingCode::RefMissing, name, None, what);
    }

    /// Returns whether there are no findings.
    pub fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// Adds the names of contents to findings that have none, from `names`.
    pub fn name(&mut self, names: &BTreeMap<Digest, String>) {
        for finding in self.found.iter_mut().filter(|finding| finding.name.is_none()) {
            finding.name = Digest::parse_ref(&finding.subject).and_then(|hash| names.get(&hash).cloned());
        }
    }

    /// Adds findings for roots of a run that are missing or corrupt.
    pub fn objects(&mut self, roots: &[Digest], found: &[Presence]) {
        for (hash, presence) in roots.iter().zip(found) {
            match presence {
                Presence::Here(_) => {}
                Presence::Missing => {
                    let what = "neither in the content store nor in a commit that the run keeps";
                    self.add(FindingCode::ObjectMissing, hash.to_string(), None, what);
                }
                Presence::Corrupt(why) => {
                    self.add(FindingCode::ObjectCorrupt, hash.to_string(), None, &**why);
                }
            }
        }
    }
}

fn sound<T>(record: &Option<Result<T, String>>) -> Option<&T> {
    record.as_ref()?.as_ref().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::lite::MANIFEST_VERSION;
    use crate::format::repo_state::{GRAMMAR_VERSION, Mode};
    use crate::format::run_record::{CommitRef, ScopeSpec};
    use crate::format::tree_meta::Part;

    fn hash(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    struct Case {
        run: RunId,
        roots: Vec<Digest>,
        observed: ObservedRun,
    }

    fn sound() -> Case {
        let task = TaskSpec {
            canon_version: "unknown".into(),
            grammar_version: GRAMMAR_VERSION.into(),
            manifest_version: MANIFEST_VERSION.into(),
            max_tokens: None,
            mode: Mode::Public,
            only: None,
            packer_version: "0".into(),
            parts: vec![Part::Repo],
            repo_state: CommitRef {
                commit: "c".into(),
                tree: "t".into(),
            },
            scope: ScopeSpec {
                anchors: Vec::new(),
                buckets: Vec::new(),
                exclude: Vec::new(),
                include: Vec::new(),
                key: "repo".into(),
                prefix: "REPO".into(),
                title: "repo".into(),
            },
            sealed: hash("sealed"),
            version: TASK_SPEC_VERSION.into(),
        };
        let refs = RunRefs {
            manifest_ref: hash("manifest"),
            output_hashes_ref: hash("outputs"),
            status_ref: hash("status"),
            task_spec_ref: hash("task"),
            version: RUN_REFS_VERSION.into(),
        };
        let outputs = OutputHashes::new(vec![hash("manifest"), hash("a"), hash("b")]);
        let mut roots = outputs.hashes.clone();
        roots.extend(refs.records().map(|(_, hash)| hash));
        roots.sort_unstable();
        roots.dedup();
        Case {
            run: RunId::of(&hash("task")),
            observed: ObservedRun {
                status: Some(Ok(Status {
                    cas_snapshot_hash: hash(""),
                    manifest_ref: refs.manifest_ref,
                    output_hashes_ref: refs.output_hashes_ref,
                    state: RunState::Completed,
                    task_spec_ref: refs.task_spec_ref,
                    verdict: AuditVerdict::Pass,
                    version: STATUS_VERSION.into(),
                })),
                refs: Some(refs),
                task: Some(Ok(task)),
                outputs: Some(Ok(outputs)),
                kept: Some("c".into()),
            },
            roots,
        }
    }

    fn codes(case: &Case) -> Vec<(FindingCode, String)> {
        let mut findings = AuditFindings::of(&case.run);
        findings.records(&case.roots, &case.observed);
        let found = findings.finish().into_iter();
        found.map(|finding| (finding.code, finding.subject)).collect()
    }

    #[test]
    fn each_root_that_is_taken_away_is_missed() {
        let whole = sound();
        assert_eq!(codes(&whole), []);
        for at in 0..whole.roots.len() {
            let mut case = sound();
            let gone = case.roots.remove(at);
            assert_eq!(codes(&case), [(FindingCode::NotRooted, gone.to_string())]);
        }
    }

    #[test]
    fn each_record_that_is_another_is_found() {
        type Change = fn(&mut Case);
        let changes: [(FindingCode, Change); 7] = [
            (FindingCode::RecordInvalid, |c| c.run = RunId::of(&hash("other"))),
            (FindingCode::RefMissing, |c| c.observed.kept = None),
            (FindingCode::RefMissing, |c| c.observed.kept = Some("d".into())),
            (FindingCode::RecordInvalid, |c| c.observed.task = Some(Err("no".into()))),
            (FindingCode::RecordInvalid, |c| {
                c.observed.outputs = Some(Ok(OutputHashes::new(vec![hash("a")])));
            }),
            (FindingCode::RecordInvalid, |c| {
                if let Some(Ok(status)) = &mut c.observed.status {
                    status.manifest_ref = hash("a");
                }
            }),
            (FindingCode::RunFailed, |c| {
                if let Some(Ok(status)) = &mut c.observed.status {
                    status.verdict = AuditVerdict::Fail;
                }
            }),
        ];
        for (at, (code, change)) in changes.into_iter().enumerate() {
            let mut case = sound();
            change(&mut case);
            let found = codes(&case);
            assert_eq!(found.iter().map(|f| f.0).collect::<Vec<_>>(), [code], "change {at}");
        }
    }
}
