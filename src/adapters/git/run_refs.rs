//! The refs that keep the commits of runs: `refs/gitpack/runs/<id>`.

use std::path::PathBuf;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::refs::{Change, Ref, RefFault};
use crate::format::object_id::ObjectId;
use crate::format::run_record::RunId;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// Prefix of the names of these refs.
const PREFIX: &str = "refs/gitpack/runs/";

impl Repository {
    /// Points the ref of a run to its commit.
    pub fn keep_commit(&self, run: &RunId, commit: &ObjectId) -> Result<()> {
        let change = Change {
            name: name(run),
            id: Some(*commit),
        };
        self.change_refs(&[change])
            .map_err(|fault| fault.refuse(|said| Unsupported::RunReferenceUnwritable { prefix: PREFIX, said }))?;
        // Sync the ref: if a power cut removed it, git could collect the commit.
        let path = self.common_dir().join(name(run));
        match files::exists(&path) {
            true => files::sync(&path),
            false => Ok(()),
        }
    }

    /// Removes the refs of these runs, either all or none.
    pub fn release_commits(&self, runs: &[RunId]) -> Result<()> {
        let delete = |run| Change {
            name: name(run),
            id: None,
        };
        let changes: Vec<Change> = runs.iter().map(delete).collect();
        self.change_refs(&changes)
            .map_err(|fault| fault.refuse(|said| Unsupported::RunReferencesUnremovable { prefix: PREFIX, said }))
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
        let found = self.refs_named(&[name(run)]).map_err(unreadable)?;
        Ok(found
            .into_iter()
            .filter(|found| found.symbolic.is_none())
            .find_map(|found| found.id))
    }

    /// Returns the runs that have a ref, sorted.
    pub fn runs_with_refs(&self) -> Result<Vec<RunId>> {
        let found = self.refs_below(PREFIX).map_err(unreadable)?;
        let run = |found: &Ref| RunId::parse(found.name.to_string().strip_prefix(PREFIX)?);
        let mut runs: Vec<RunId> = found.iter().filter_map(run).collect();
        runs.sort_unstable();
        Ok(runs)
    }
}

fn name(run: &RunId) -> String {
    format!("{PREFIX}{run}")
}

fn unreadable(fault: RefFault) -> Refusal {
    fault.refuse(|said| Unsupported::RunReferences { said })
}
