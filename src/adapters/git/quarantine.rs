//! The quarantine of a push (githooks(5)): the objects that were sent, including those that no ref leads to.

use std::path::Path;

use crate::adapters::git::{Repository, from_gix, object_error};
use crate::adapters::workers;
use crate::format::id_set::IdSet;
use crate::format::object_id::ObjectId;
use crate::refusal::corrupt::Corrupt;
use crate::refusal::{Refusal, Result};

/// Number of objects examined in one round of the threads.
const AT_ONCE: usize = 65536;

/// git unpacks small pushes with its fastest compression, so the loose objects may take this many times the bytes sent.
const LOOSENED: u64 = 8;

impl Repository {
    /// Returns the blobs that were sent, are new to this repository, and are not in `reached`. Empty if there is no
    /// quarantine.
    pub fn sent_besides(&self, reached: &IdSet) -> Result<Vec<ObjectId>> {
        let Some(joined) = &self.joined else {
            return Ok(Vec::new());
        };
        let Some(directory) = &joined.new else {
            return Ok(Vec::new());
        };
        let mut own = self.shared.clone();
        own.objects = std::sync::Arc::clone(&joined.own);
        let mut found = Vec::new();
        let mut part = Vec::new();
        let mut look = |part: &mut Vec<gix::ObjectId>| -> Result<()> {
            let blobs = workers::map(
                part,
                || Ok((self.worker(), own.to_thread_local())),
                |(repo, own), id| -> Result<bool> {
                    let header = repo.find_header(*id).map_err(|e| object_error(*id, &e))?;
                    Ok(header.kind() == gix::object::Kind::Blob && !own.has_object(*id))
                },
            )?;
            let blobs = part.iter().zip(blobs).filter(|(_, is_new)| *is_new);
            found.extend(blobs.map(|(id, _)| from_gix(id)));
            part.clear();
            Ok(())
        };
        // git keeps every object of an accepted push, even those that no ref leads to, so judge these too.
        self.objects_in(directory, &mut |id| {
            if !reached.contains(&from_gix(&id)) {
                part.push(id);
            }
            match part.len() < AT_ONCE {
                true => Ok(()),
                false => look(&mut part),
            }
        })?;
        look(&mut part)?;
        Ok(found)
    }

    /// Passes the id of every object in an object directory to `each`, packed or loose.
    fn objects_in(&self, directory: &Path, each: &mut dyn FnMut(gix::ObjectId) -> Result<()>) -> Result<()> {
        let hash = self.local().object_hash();
        let unreadable = |path: &Path, said: String| {
            Refusal::Corrupt(Corrupt::ObjectFile {
                path: path.to_owned(),
                said,
            })
        };
        for path in listed(&directory.join("pack"))? {
            if path.extension().is_some_and(|ending| ending == "idx") {
                let index =
                    gix::odb::pack::index::File::at(&path, hash).map_err(|e| unreadable(&path, e.to_string()))?;
                index.iter().try_for_each(|entry| each(entry.oid))?;
            }
        }
        let loose = gix::odb::loose::Store::at(directory, hash);
        for id in loose.iter() {
            each(id.map_err(|e| unreadable(directory, e.to_string()))?)?;
        }
        Ok(())
    }

    /// Returns the size in bytes by which the bounds grow: of the objects that were sent or, without a quarantine, of
    /// all stored objects.
    pub(super) fn weight(&self) -> u64 {
        match self.joined.as_ref().and_then(|joined| joined.new.as_ref()) {
            Some(sent) => packed_in(sent).saturating_add(loose_in(sent) / LOOSENED),
            None => self
                .directories()
                .iter()
                .map(|directory| packed_in(directory).saturating_add(loose_in(directory)))
                .sum(),
        }
    }

    /// Returns the size in bytes of all packs outside of the quarantine.
    pub(super) fn packed_bytes(&self) -> u64 {
        let sent = self.joined.as_ref().and_then(|joined| joined.new.as_ref());
        let directories = self
            .directories()
            .into_iter()
            .filter(|directory| Some(directory) != sent);
        directories.map(|directory| packed_in(&directory)).sum()
    }

    fn directories(&self) -> Vec<std::path::PathBuf> {
        let mut directories = vec![self.shared.objects.path().to_owned()];
        directories.extend(self.shared.objects.alternate_db_paths().unwrap_or_default());
        directories
    }
}

/// Returns the size in bytes of the packs in an object directory. A directory that cannot be listed counts as empty.
fn packed_in(directory: &Path) -> u64 {
    bytes_of(&directory.join("pack"))
}

/// Returns the size in bytes of the loose objects in an object directory.
fn loose_in(directory: &Path) -> u64 {
    let directories = (0..=255_u8).map(|first| directory.join(format!("{first:02x}")));
    directories.map(|directory| bytes_of(&directory)).sum()
}

fn bytes_of(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    let sizes = entries.filter_map(|entry| Some(entry.ok()?.metadata().ok()?.len()));
    sizes.sum()
}

fn listed(directory: &Path) -> Result<Vec<std::path::PathBuf>> {
    let reading = |e| Refusal::io("listing", directory)(e);
    match std::fs::read_dir(directory) {
        Ok(entries) => entries.map(|entry| Ok(entry.map_err(reading)?.path())).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(reading(e)),
    }
}
