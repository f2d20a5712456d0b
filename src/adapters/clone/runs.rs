//! Runs on disk: `gitpack/runs/<id>/` with the list of what each run needs, and `gitpack/GC_PINS.json`.

use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::adapters::staging::{Access, Publish, Staging};
use crate::format::run_record::{MAX_BYTES, RunId};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// Name of the file that lists the contents a run needs.
pub const RUN_ROOTS: &str = "RUN_ROOTS.json";
/// Name of the file that lists the refs of a run's records.
pub const RUN_REFS: &str = "RUN_REFS.json";
/// Name of the file that lists the contents a person has pinned.
pub const GC_PINS: &str = "GC_PINS.json";

/// Name of the file that holds the id of the run that ended last.
const LAST: &str = "last";

/// The runs of one clone, shared by its worktrees.
pub struct Runs {
    own: PathBuf,
}

impl Runs {
    /// Names the directory. It is created by the first publish.
    pub(super) fn of(own: &Path) -> Self {
        Self { own: own.to_owned() }
    }

    /// Returns the ids of all runs, sorted. Every name that is a run id counts, even of a file: reading it shows
    /// whether it is a run.
    pub fn ids(&self) -> Result<Vec<RunId>> {
        let names = files::names_in(&self.own.join("runs"))?;
        Ok(names.iter().filter_map(|name| RunId::parse(name.to_str()?)).collect())
    }

    /// Returns the directory of a run.
    pub fn directory(&self, run: &RunId) -> PathBuf {
        self.own.join("runs").join(run.as_str())
    }

    /// Returns whether the run exists.
    pub fn has(&self, run: &RunId) -> bool {
        files::is_directory(&self.directory(run))
    }

    /// Returns the bytes of a file of a run. `None` if the file does not exist.
    pub fn read(&self, run: &RunId, name: &str) -> Result<Option<Vec<u8>>> {
        files::read_optional(&self.directory(run).join(name), MAX_BYTES)
    }

    /// Publishes the files of a run in one rename. Replaces an earlier version of the run.
    pub fn publish(&self, run: &RunId, roots: &[u8], refs: &[u8]) -> Result<()> {
        let target = self.directory(run);
        create_private_dir(files::parent(&target))?;
        let staging = Staging::beside(&target, Access::Private)?;
        for (name, bytes) in [(RUN_ROOTS, roots), (RUN_REFS, refs)] {
            staging.stream(name, |out| out.write_all(bytes))?;
        }
        let how = match files::exists(&target) {
            true => Publish::Replace,
            false => Publish::New,
        };
        staging.publish(&target, how)
    }

    /// Returns the run that ended last.
    pub fn last(&self) -> Result<Option<RunId>> {
        let bytes = files::read_optional(&self.own.join("runs").join(LAST), 64)?;
        let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
        Ok(text.and_then(|text| RunId::parse(text.trim_end())))
    }

    /// Records the run that ended last.
    pub fn note_last(&self, run: &RunId) -> Result<()> {
        let path = self.own.join("runs").join(LAST);
        write_own(&path, &mut format!("{run}\n").as_bytes(), Durability::Durable)
    }

    /// Returns the bytes of the pins. `None` if there is no such file.
    pub fn pins(&self) -> Result<Option<Vec<u8>>> {
        files::read_optional(&self.own.join(GC_PINS), MAX_BYTES)
    }

    /// Writes the pins.
    pub fn write_pins(&self, pins: &[u8]) -> Result<()> {
        create_private_dir(&self.own)?;
        write_own(&self.own.join(GC_PINS), &mut &pins[..], Durability::Durable)
    }

    /// Returns the path of the pins.
    pub fn pins_path(&self) -> PathBuf {
        self.own.join(GC_PINS)
    }

    /// Returns the temporary files among the runs. If no process is writing there now, killed processes left them.
    pub fn unfinished(&self) -> Result<Vec<PathBuf>> {
        let directory = self.own.join("runs");
        let names = files::names_in(&directory)?.into_iter();
        let unfinished = names.filter(|name| name.as_encoded_bytes().starts_with(files::TEMPORARY.as_bytes()));
        Ok(unfinished.map(|name| directory.join(name)).collect())
    }
}

/// Returns the refusal for a run that does not exist.
pub fn no_such_run(name: &str) -> Refusal {
    Refusal::Usage(Misuse::UnknownRun { run: name.to_owned() })
}
