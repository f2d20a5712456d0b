//! The refs that keep the commits of runs: `refs/gitpack/runs/<id>`.

use gix::refs::transaction::{Change, LogChange, PreviousValue, RefEdit, RefLog};
use gix::refs::{FullName, Target};

use crate::adapters::files;
use crate::adapters::git::{Repository, explain, from_gix, to_gix};
use crate::format::object_id::ObjectId;
use crate::format::refusal::{Refusal, Result};
use crate::format::run_record::RunId;

/// What the names of these refs begin with.
const PREFIX: &str = "refs/gitpack/runs/";

impl Repository {
    /// Lets the ref of a run point to its commit.
    pub fn keep_commit(&self, run: &RunId, commit: &ObjectId) -> Result<()> {
        self.edit(
            run,
            Change::Update {
                log: LogChange::default(),
                expected: PreviousValue::Any,
                new: Target::Object(to_gix(commit)),
            },
        )?;
        // A ref that a power cut takes away is a commit that may be collected.
        let path = self.common_dir().join(name(run));
        match files::exists(&path) {
            true => files::sync(&path),
            false => Ok(()),
        }
    }

    /// Removes the ref of a run, if there is one.
    pub fn release_commit(&self, run: &RunId) -> Result<()> {
        self.edit(
            run,
            Change::Delete {
                expected: PreviousValue::Any,
                log: RefLog::AndReference,
            },
        )
    }

    /// Returns what the ref of a run points to.
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

    fn edit(&self, run: &RunId, change: Change) -> Result<()> {
        let edit = RefEdit {
            change,
            name: FullName::try_from(name(run)).expect("hex digits make a valid name"),
            deref: false,
        };
        // Where the configuration wants a log of every ref, somebody must have written it.
        let author = gix::actor::SignatureRef {
            name: "git-pack".into(),
            email: "".into(),
            time: "0 +0000",
        };
        let edited = self.local().edit_references_as([edit], Some(author));
        edited.map(drop).map_err(|e| Refusal::Unsupported {
            what: format!("{} cannot be written: {}", name(run), explain(&e)),
            remedy: "git update-ref    (git itself may say more)".into(),
        })
    }
}

fn name(run: &RunId) -> String {
    format!("{PREFIX}{run}")
}

fn unreadable(why: &str) -> Refusal {
    Refusal::Unsupported {
        what: format!("the references of this repository cannot be read: {why}"),
        remedy: "git refs verify".into(),
    }
}
