//! Counts the private files of a store by what protects them. Reads no more than their headers.

use std::path::Path;

use super::look::look_at_file;
use crate::adapters::files;
use crate::format::agent::genome::Shard;
use crate::format::agent::old;
use crate::format::agent::private::{AGENTS, PrivateKind, SUFFIX, VERSION, header_of};
use crate::refusal::Result;

/// How many private files there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PrivateCounts {
    /// Encrypted ones, of version 3.
    pub encrypted: u64,
    /// Those of version 2, which anyone can read.
    pub version_2: u64,
    /// Those in plaintext.
    pub plaintext: u64,
    /// Files in the places of private files that are something else or cannot be read.
    pub unknown: u64,
}

/// Counts the private files below `top`. No link is followed.
pub fn count_private(top: &Path) -> Result<PrivateCounts> {
    let mut counts = PrivateCounts::default();
    let root = top.join(AGENTS);
    for shard in directories(&root)? {
        if shard.to_str().and_then(Shard::of_directory).is_none() {
            continue;
        }
        for agent in directories(&root.join(&shard))? {
            let agent = root.join(&shard).join(agent);
            for kind in PrivateKind::ALL {
                let directory = agent.join(kind.directory());
                if files::is_directory(&directory) {
                    counts.plaintext += u64::from(files::exists(&directory.join(kind.plain_name())));
                    let sealed = directory.join(format!("{}{SUFFIX}", kind.plain_name()));
                    if files::exists(&sealed) {
                        *counts.of(&sealed) += 1;
                    }
                }
            }
        }
    }
    Ok(counts)
}

impl PrivateCounts {
    /// Returns the count to which a file belongs.
    fn of(&mut self, file: &Path) -> &mut u64 {
        let seen = look_at_file(file, String::new()).ok();
        let header = seen.and_then(|seen| header_of(&seen.start_of_file));
        match header.map(|(_, header)| header.version) {
            Some(VERSION) => &mut self.encrypted,
            Some(old::VERSION) => &mut self.version_2,
            _ => &mut self.unknown,
        }
    }
}

/// Returns the names of the directories in a directory. One that does not exist has none.
fn directories(path: &Path) -> Result<Vec<std::ffi::OsString>> {
    if !files::is_directory(path) {
        return Ok(Vec::new());
    }
    let entries = files::kinds_in(path)?.into_iter();
    Ok(entries
        .filter(|(_, kind)| kind.is_dir())
        .map(|(name, _)| name)
        .collect())
}
