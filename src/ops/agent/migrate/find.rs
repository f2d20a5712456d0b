//! Finds the directories of agents in which private files are.

use std::convert::Infallible;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::adapters::agent_store::private::refused;
use crate::adapters::files::{self, Met, descend, kind_name};
use crate::format::agent::private::{AGENTS, PrivateKind};
use crate::format::path_bytes::path_below;
use crate::refusal::private_file::{LeftReason, PrivateFault};
use crate::refusal::{Refusal, Result};

/// Something that the search found.
pub(super) enum FoundPlace {
    /// A directory in which private files are.
    Information(PathBuf),
    /// Something that may hide such files.
    Unfit(PathBuf, LeftReason),
}

/// Returns the directory to search, without links: the agents of a store, or `directory` itself if it is below them or is the
/// directory of an agent.
pub(super) fn root_of(directory: &Path) -> Result<PathBuf> {
    files::ensure_stays_in_tree(directory)?;
    let canonical = files::canonical(directory)?;
    if !files::is_directory(&canonical) {
        return Err(refused(directory, PrivateFault::NotAStore));
    }
    let agents = canonical.join(AGENTS);
    files::ensure_is_no_link(&agents)?;
    if files::is_directory(&agents) {
        return Ok(agents);
    }
    let is_below = canonical.components().any(|part| part.as_os_str() == AGENTS);
    let is_agent = || {
        PrivateKind::ALL
            .iter()
            .any(|kind| files::exists(&canonical.join(kind.directory())))
    };
    match is_below || is_agent() {
        true => Ok(canonical),
        false => Err(refused(directory, PrivateFault::NotAStore)),
    }
}

/// Searches a directory, which is not a link. Returns what it finds sorted by path.
pub(super) fn places(root: &Path) -> Result<Vec<FoundPlace>> {
    let mut found = Vec::new();
    if is_information(root.file_name()) {
        return Ok(vec![FoundPlace::Information(root.to_owned())]);
    }
    let Ok(()) = descend::<Infallible>(root, |below, met| {
        let path = root.join(path_below(below));
        let is_named = is_information(path.file_name());
        let is_git = path.file_name() == Some(OsStr::new(".git"));
        match met {
            Met::Directory if is_named => found.push(FoundPlace::Information(path)),
            Met::Directory => return Ok(!is_git),
            Met::Other(kind) if is_named => {
                found.push(FoundPlace::Unfit(path, LeftReason::NotRegular(kind_name(kind))))
            }
            Met::Other(kind) if kind.is_symlink() && leads_out(&path, root) => {
                found.push(FoundPlace::Unfit(path, LeftReason::LeadsOut));
            }
            Met::Other(_) => {}
            Met::UnreadableDirectory(e) | Met::Unreadable(e) => {
                let said = Refusal::io("listing", &path)(e).to_string();
                found.push(FoundPlace::Unfit(path, LeftReason::Said(said)));
            }
        }
        Ok(false)
    });
    found.sort_by(|a, b| a.path().cmp(b.path()));
    Ok(found)
}

fn is_information(name: Option<&OsStr>) -> bool {
    name.and_then(OsStr::to_str)
        .and_then(PrivateKind::of_directory)
        .is_some()
}

/// Returns whether a link leads to a directory that the search does not reach.
fn leads_out(link: &Path, root: &Path) -> bool {
    files::canonical(link).is_ok_and(|target| files::is_directory(&target) && !target.starts_with(root))
}

impl FoundPlace {
    fn path(&self) -> &Path {
        match self {
            Self::Information(path) | Self::Unfit(path, _) => path,
        }
    }
}
