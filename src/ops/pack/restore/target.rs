//! Where restored files are written: into staging until all are complete, or nowhere.

use std::io::{self, Write};
use std::path::PathBuf;

use crate::adapters::staging::{Access, Publish, Staging};
use crate::format::member_path::MemberPath;
use crate::ops::pack::output::OutputPlace;
use crate::refusal::Result;

/// The place for restored files.
pub(super) enum Target {
    /// A staging directory beside the output.
    Staged(Staging, PathBuf),
    /// Nowhere: the files are only checked.
    Nowhere,
}

impl Target {
    /// Makes the place for an output, or [`Target::Nowhere`] if nothing is to be written.
    pub(super) fn of(output: Option<&OutputPlace>, dry_run: bool, access: Access) -> Result<Self> {
        match output {
            Some(output) if !dry_run => Ok(Self::Staged(
                Staging::beside(&output.path, access)?.with_original_names(),
                output.path.clone(),
            )),
            _ => Ok(Self::Nowhere),
        }
    }

    /// Returns a writer for a file, and the path that its errors name.
    pub(super) fn create(&self, path: &MemberPath) -> Result<(Box<dyn Write + Send>, PathBuf)> {
        match self {
            Self::Staged(staging, _) => Ok((Box::new(staging.create(path)?), staging.member(path))),
            Self::Nowhere => Ok((Box::new(io::sink()), PathBuf::from(path.as_str()))),
        }
    }

    /// Makes a file executable for everybody who may read it.
    pub(super) fn make_executable(&self, path: &MemberPath) -> Result<()> {
        match self {
            Self::Staged(staging, _) => staging.make_executable(path),
            Self::Nowhere => Ok(()),
        }
    }

    /// Moves all files to their output at once; returns its path.
    pub(super) fn publish(self) -> Result<Option<PathBuf>> {
        match self {
            Self::Staged(staging, output) => {
                staging.publish(&output, Publish::New)?;
                Ok(Some(output))
            }
            Self::Nowhere => Ok(None),
        }
    }
}
