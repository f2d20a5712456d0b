//! Known plaintext of a clone: a file `gitpack/known-<key>` for each user's key, read one bucket at a time and written whole.
//!
//! What another key authenticates counts as nothing. Overwriting it would make the clone forget for everybody else, such as for the
//! same person with another home directory.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use crate::adapters::clone::Memory;
use crate::adapters::files::platform::{FileExt, change_print};
use crate::adapters::files::{self, Durability, create_private_dir, write_own};
use crate::adapters::random;
use crate::format::known::{self, COMMON, HEAD, KnownChunk, Original, SALT, TableIndex};
use crate::format::mac::{FastMacKey, LENGTH, MacHasher, MacKey};
use crate::format::object_id::ObjectId;
use crate::refusal::{Refusal, Result};

/// The purpose from which the file's authentication key is derived.
const PURPOSE: &str = "known plaintext";

/// What the name of each table begins with.
pub(super) const PREFIX: &str = "known-";

/// The largest list of originals to read, in bytes. It is the largest part of the file that is read at once.
const MAX_ABOUT: usize = 256 << 20;

/// Most buckets held in memory. When there are more, all are dropped and read again on demand.
const MAX_HELD: usize = 4096;

/// The table of known plaintext, as it was when it was opened.
pub struct Known {
    own: PathBuf,
    memory: Memory,
    table: Option<Table>,
}

struct Table {
    file: File,
    index: TableIndex,
    key: MacKey,
    generation: String,
    originals: OnceLock<Vec<Original>>,
    held: Mutex<HashMap<usize, Arc<[KnownChunk]>>>,
}

/// Computes the keyed hashes of one clone. Without the clone's salt and the user's key, a hash does not reveal its
/// content.
#[derive(Clone)]
pub struct Tags {
    chunk: FastMacKey,
    whole: MacKey,
    blob: MacKey,
    look: MacKey,
}

impl Known {
    /// Opens the table of a clone. A table that is damaged, or not authenticated by the user's key, counts as empty.
    pub(super) fn open(own: &Path, memory: Memory) -> Self {
        let key = memory.to_read(PURPOSE);
        Self {
            table: key.and_then(|key| Table::read(&file_of(own, &key), key)),
            own: own.to_owned(),
            memory,
        }
    }

    /// Returns whether there is a table of another key, and none of the user's.
    pub fn is_of_others(&self) -> bool {
        let is_table = |name: &OsString| {
            name.to_str()
                .is_some_and(|name| name.starts_with(PREFIX) && !name.ends_with("lock"))
        };
        let names = || files::names_in(&self.own).unwrap_or_default();
        self.table.is_none() && files::exists(&self.own) && names().iter().any(is_table)
    }

    /// Returns whether the table is empty.
    pub fn is_empty(&self) -> bool {
        self.table.as_ref().is_none_or(|table| table.index.entries() == 0)
    }

    /// Returns whether some original was cut into fine chunks.
    pub fn has_fine_chunks(&self) -> bool {
        self.table.as_ref().is_some_and(|table| table.index.has_fine_chunks)
    }

    /// Returns an id of this state of the table, which changes with its content. `None` if the table is empty.
    pub fn generation(&self) -> Option<&str> {
        let table = self.table.as_ref().filter(|table| table.index.entries() > 0)?;
        Some(&table.generation)
    }

    /// Returns the keyed hashes to look up with. `None` if there is no table.
    pub fn tags(&self) -> Option<Tags> {
        let table = self.table.as_ref()?;
        Some(Tags::of(&table.key, &table.index.salt))
    }

    /// Returns the entries of originals with this tag. Leaves out entries that the user's key does not authenticate.
    pub fn find(&self, tag: u64) -> Vec<KnownChunk> {
        let Some(table) = &self.table else { return Vec::new() };
        let entries = table.bucket(table.index.bucket_of(tag));
        let from = entries.partition_point(|entry| entry.tag < tag);
        let same = entries[from..].iter().take_while(|entry| entry.tag == tag);
        same.filter(|entry| entry.original != COMMON).copied().collect()
    }

    /// Returns the originals. An entry refers to an original by its index in this list.
    pub fn originals(&self) -> &[Original] {
        let Some(table) = &self.table else { return &[] };
        table
            .originals
            .get_or_init(|| table.read_originals().unwrap_or_default())
    }

    /// Returns the number of known chunks and the size of the table in bytes.
    pub fn size(&self) -> (usize, u64) {
        match &self.table {
            Some(table) => (
                table.index.entries(),
                table.file.metadata().map_or(0, |meta| meta.len()),
            ),
            None => (0, 0),
        }
    }

    /// Changes the table under a lock: `change` edits the originals and the entries, and returns whether to write them.
    ///
    /// `change` also gets the keyed hashes of the table. Returns false if the user's key is not available, so that
    /// nothing can be stored.
    pub fn change(
        &self,
        change: impl FnOnce(&Tags, &mut Vec<Original>, &mut Vec<KnownChunk>) -> Result<bool>,
    ) -> Result<bool> {
        let Some(key) = self.memory.to_write(PURPOSE) else {
            return Ok(false);
        };
        create_private_dir(&self.own)?;
        let path = file_of(&self.own, &key);
        let lock = path.with_extension("lock");
        let held = files::open_own(&lock)?;
        held.lock().map_err(Refusal::io("locking", &lock))?;
        // Another process may have written since this was opened.
        let table = Table::read(&path, key.clone());
        let (salt, mut originals, mut entries) = match &table {
            Some(table) => (
                table.index.salt,
                table.read_originals().unwrap_or_default(),
                table.all(),
            ),
            None => (new_salt(&path)?, Vec::new(), Vec::new()),
        };
        let tags = Tags::of(&key, &salt);
        if change(&tags, &mut originals, &mut entries)? {
            let bytes = known::encode(originals, entries, &salt, &key);
            write_own(&path, &mut &bytes[..], Durability::Disposable)?;
        }
        Ok(true)
    }
}

/// Returns the file for what a key authenticates.
fn file_of(own: &Path, key: &MacKey) -> PathBuf {
    own.join(format!("{PREFIX}{}", hex(&key.of(b"the name of the table")[..8])))
}

fn new_salt(path: &Path) -> Result<[u8; SALT]> {
    let mut salt = [0; SALT];
    random::fill(&mut salt).map_err(Refusal::io("writing", path))?;
    Ok(salt)
}

impl Table {
    fn read(path: &Path, key: MacKey) -> Option<Self> {
        let file = files::open_regular(path).ok()?.file;
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, 0).ok()?;
        let mut bytes = vec![0; TableIndex::length(&head)?];
        file.read_exact_at(&mut bytes, 0).ok()?;
        let index = TableIndex::parse(&bytes, &key)?;
        let code = &bytes[bytes.len() - LENGTH..];
        Some(Self {
            generation: code.iter().map(|byte| format!("{byte:02x}")).collect(),
            index,
            file,
            key,
            originals: OnceLock::new(),
            held: Mutex::default(),
        })
    }

    fn read_originals(&self) -> Option<Vec<Original>> {
        let (at, length) = self.index.place_of_originals();
        let mut bytes = vec![0; Some(length).filter(|length| *length <= MAX_ABOUT)?];
        self.file.read_exact_at(&mut bytes, at).ok()?;
        known::parse_originals(&bytes, &self.key)
    }

    fn bucket(&self, number: usize) -> Arc<[KnownChunk]> {
        let held = || self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entries) = held().get(&number) {
            return entries.clone();
        }
        let entries: Arc<[KnownChunk]> = self.read_bucket(number).unwrap_or_default().into();
        let mut held = held();
        if held.len() >= MAX_HELD {
            held.clear();
        }
        held.insert(number, entries.clone());
        entries
    }

    fn read_bucket(&self, number: usize) -> Option<Vec<KnownChunk>> {
        let (at, length) = self.index.place_of(number);
        let mut bytes = vec![0; length];
        self.file.read_exact_at(&mut bytes, at).ok()?;
        self.index.entries_of(number, &bytes, &self.key)
    }

    fn all(&self) -> Vec<KnownChunk> {
        let buckets = 0..self.index.buckets();
        buckets
            .flat_map(|number| self.read_bucket(number).unwrap_or_default())
            .collect()
    }
}

impl Tags {
    fn of(key: &MacKey, salt: &[u8; SALT]) -> Self {
        let salt: String = salt.iter().map(|byte| format!("{byte:02x}")).collect();
        let derive = |what: &str| key.derive(&format!("{what} {salt}"));
        Self {
            chunk: derive("chunk").fast(),
            whole: derive("whole"),
            blob: derive("blob"),
            look: derive("look"),
        }
    }

    /// Returns the whole keyed hash of a chunk; its first eight bytes are its tag.
    pub fn chunk(&self, bytes: &[u8]) -> [u8; LENGTH] {
        self.chunk.of(bytes)
    }

    /// Returns the tag of a keyed hash: its first eight bytes.
    pub fn tag(code: &[u8; LENGTH]) -> u64 {
        u64::from_le_bytes(code[..8].try_into().expect("a code has 32 bytes"))
    }

    /// Returns a hasher for the tag of a whole content. Its input is the keyed hashes of the chunks and the size.
    pub fn whole(&self) -> MacHasher {
        self.whole.hasher()
    }

    /// Returns the keyed hash of a git blob.
    pub fn blob(&self, id: &ObjectId) -> String {
        hex(&self.blob.of(id.as_bytes())[..16])
    }

    /// Returns the keyed hash of a file's metadata (device, inode, size, times), which shows a change without reading
    /// the file. `None` if the metadata cannot be read or does not show every change.
    pub fn look(&self, path: &Path) -> Option<String> {
        let meta = std::fs::symlink_metadata(path).ok()?;
        let mut seen = Vec::new();
        for number in change_print(&meta)? {
            seen.extend(number.to_le_bytes());
        }
        Some(hex(&self.look.of(&seen)[..16]))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
