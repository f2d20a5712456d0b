//! The refs that keep the commits of runs: `refs/gitpack/runs/<id>`.

use std::path::PathBuf;

use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};

use crate::adapters::files;
use crate::adapters::git::{Repository, explain, from_gix, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::run_record::RunId;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Prefix of the names of these refs.
const PREFIX: &str = "refs/gitpack/runs/";

impl Repository {
    /// Points the ref of a run to its commit.
    pub fn keep_commit(&self, run: &RunId, commit: &ObjectId) -> Result<()> {
        let change = Change::Update {
            log: LogChange::default(),
            expected: PreviousValue::Any,
            new: Target::Object(to_gix(commit)),
        };
        self.edit(vec![edit(run, change)])
            .map_err(|said| Refusal::Unsupported(Unsupported::RunReferenceUnwritable { prefix: PREFIX, said }))?;
        // Sync the ref: if a power cut removed it, git could collect the commit.
        let path = self.common_dir().join(name(run));
        match files::exists(&path) {
            true => files::sync(&path),
            false => Ok(()),
        }
    }

    /// Removes the refs of these runs, either all or none.
    pub fn release_commits(&self, runs: &[RunId]) -> Result<()> {
        let delete = |run| {
            let change = Change::Delete {
                expected: PreviousValue::Any,
                log: RefLog::AndReference,
            };
            edit(run, change)
        };
        self.edit(runs.iter().map(delete).collect())
            .map_err(|said| Refusal::Unsupported(Unsupported::RunReferencesUnremovable { prefix: PREFIX, said }))
    }

    /// Returns the lock files of run refs. If no process is changing such refs now, killed processes left them.
    pub fn locks_of_run_refs(&self) -> Result<Vec<PathBuf>> {
        let directory = self.common_dir().join(PREFIX);
        let names = files::names_in(&directory)?.into_iter();
        let is_lock = |name: &str| name.strip_suffix(".lock").and_then(RunId::parse).is_some();
        let locks = names.filter(|name| name.to_str().is_some_and(is_lock));
        Ok(locks.map(|name| directory.join(name)).collect())
    }

    /// Returns the commit that the ref of a run points to. `None` if the run has no ref.
    pub fn kept_commit(&self, run: &RunId) -> Result<Option<ObjectId>> {
        let repo = self.local();
        let found = repo.try_find_reference(name(run).as_str());
        let found = found.map_err(|e| unreadable(&explain(&e)))?;
        Ok(found.and_then(|found| found.try_id().map(|id| from_gix(&id))))
    }

    /// Returns the runs that have a ref, sorted.
    pub fn runs_with_refs(&self) -> Result<Vec<RunId>> {
        let repo = self.local();
        let refs = repo.references().map_err(|e| unreadable(&explain(&e)))?;
        let refs = refs.prefixed(PREFIX).map_err(|e| unreadable(&explain(&e)))?;
        let mut runs = Vec::new();
        for found in refs {
            let found = found.map_err(|e| unreadable(&e.to_string()))?;
            let name = found.name().as_bstr().to_string();
            runs.extend(name.strip_prefix(PREFIX).and_then(RunId::parse));
        }
        runs.sort_unstable();
        Ok(runs)
    }

    fn edit(&self, edits: Vec<RefEdit>) -> Result<(), String> {
        // If the configuration requires a reflog for every ref, git needs an author for the entry.
        let author = gix::actor::SignatureRef {
            name: "git-pack".into(),
            email: "".into(),
            time: "0 +0000",
        };
        let edited = self.local().edit_references_as(edits, Some(author));
        edited.map(drop).map_err(|e| explain(&e))
    }
}

fn edit(run: &RunId, change: Change) -> RefEdit {
    RefEdit {
        change,
        name: FullName::try_from(name(run)).expect("hex digits make a valid name"),
        deref: false,
    }
}

fn name(run: &RunId) -> String {
    format!("{PREFIX}{run}")
}

fn unreadable(why: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::RunReferences { said: why.to_owned() })
}
