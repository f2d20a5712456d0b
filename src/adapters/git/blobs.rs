//! Reads the contents of blobs, in parallel and in the order in which they lie in git's packs.

use std::io::Read;
use std::process::Stdio;
use std::sync::{Condvar, Mutex};

use gix::objs::Find as _;

use crate::adapters::git::pack_order::PlacedObject;
use crate::adapters::git::{Repository, corrupt_object, ensure_intact, from_gix, object_error, to_gix};
use crate::adapters::meter::passed;
use crate::adapters::workers;
use crate::format::budget::Bound;
use crate::format::derived::SignSearch;
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::refusal::config::ConfigFault;
use crate::refusal::{Refusal, Result};

/// A blob of more bytes than this is streamed through `git cat-file`, because the library holds a whole blob in memory.
const MAX_IN_MEMORY: u64 = 16 << 20;

/// Most bytes of blobs that all threads together hold at one time.
const MAX_HELD: u64 = 64 << 20;

/// Number of streamed bytes after which the processor time is checked again.
const ASK_EACH: usize = 8 << 20;

/// The content of a blob. Its receiver reads it to the end.
pub enum Contents<'a> {
    /// The whole content, and where to search it for signs of keys, if something is known of that.
    Whole(&'a [u8], Option<&'a SignSearch<'a>>),
    /// A stream of the content, and its size in bytes.
    Stream(&'a mut dyn Read, u64),
}

impl Contents<'_> {
    /// Returns its size in bytes.
    pub fn size(&self) -> u64 {
        match self {
            Self::Whole(bytes, _) => bytes.len() as u64,
            Self::Stream(_, size) => *size,
        }
    }
}

impl Read for Contents<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Whole(bytes, _) => bytes.read(buf),
            Self::Stream(stream, _) => stream.read(buf),
        }
    }
}

impl Repository {
    /// Passes each blob to `each`, with its index in `ids`. Returns the results in the order of `ids`.
    ///
    /// `each` reads its blob to the end. Blobs that are missing from this clone are counted and refused together.
    pub fn with_blobs<R: Send>(
        &self,
        ids: &[ObjectId],
        each: impl Fn(usize, Contents<'_>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        self.with_blobs_held_against(Proof::Id, ids, each)
    }

    /// Like [`Self::with_blobs`], but `proof` chooses what the contents are checked against.
    pub fn with_blobs_held_against<R: Send>(
        &self,
        proof: Proof,
        ids: &[ObjectId],
        each: impl Fn(usize, Contents<'_>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let order = self.pack_order(ids);
        let missing = Mutex::new(Vec::new());
        let done = self.by_families(
            &order,
            || {
                Ok(Reader {
                    repo: self.worker(),
                    buffer: Vec::new(),
                })
            },
            |reader, job, packed| {
                let id = to_gix(&ids[job.index()]);
                let needs_the_id = proof.needs_the_id(job);
                let each = |blob: Contents<'_>| each(job.index(), blob);
                let mut search = SignSearch::default();
                let result = match packed {
                    Some(object) => {
                        let is_free = object.base.is_some_and(|(_, has_no_sign)| *has_no_sign);
                        search.fresh = is_free.then_some(object.fresh);
                        self.spend(Bound::BlobBytes, object.bytes.len() as u64)?;
                        whole_blob(id, object.kind, object.bytes, needs_the_id, |bytes| {
                            each(Contents::Whole(bytes, Some(&search)))
                        })
                        .map(Some)
                    }
                    None => self.read_blob(reader, id, needs_the_id, each),
                }?;
                if result.is_none() {
                    lock(&missing).push(id);
                }
                Ok((result, search.has_none.get()))
            },
        )?;
        let missing = lock(&missing);
        if let Some(first) = missing.iter().min() {
            return Err(Refusal::MissingObject {
                count: missing.len() as u64,
                example: first.to_string(),
            });
        }
        Ok(done.into_iter().flatten().collect())
    }

    /// Returns the size of a blob in bytes, without reading it.
    pub fn blob_size(&self, id: &ObjectId) -> Result<u64> {
        let id = to_gix(id);
        let header = self.local().find_header(id).map_err(|e| object_error(id, &e))?;
        match header.kind() {
            gix::object::Kind::Blob => Ok(header.size()),
            _ => Err(corrupt_object(id, "it is not a blob")),
        }
    }

    /// Returns the content of a blob that is a document called `name`. Refuses one of more than `max` bytes without
    /// reading it.
    pub fn document(&self, id: &ObjectId, name: &str, max: u64) -> Result<Vec<u8>> {
        let size = self.blob_size(id)?;
        if size > max {
            return Err(Refusal::BadConfig {
                origin: name.to_owned(),
                line: None,
                fault: ConfigFault::DocumentTooLong {
                    allowed: max,
                    found: size,
                },
            });
        }
        let mut contents = self.with_blobs(std::slice::from_ref(id), |_, mut blob| {
            let mut bytes = Vec::new();
            blob.read_to_end(&mut bytes).map_err(|e| reading(id, &e))?;
            Ok(bytes)
        })?;
        Ok(contents.pop().expect("one id gives one content or a refusal"))
    }

    /// Returns the SHA-256 and the size in bytes of each blob, in the order of `ids`.
    pub fn hash_blobs(&self, ids: &[ObjectId]) -> Result<Vec<(Digest, u64)>> {
        self.with_blobs(ids, |index, mut blob| {
            let mut hashing = Hashing::new(std::io::sink());
            std::io::copy(&mut blob, &mut hashing).map_err(|e| reading(&ids[index], &e))?;
            let (_, hash, size) = hashing.finish();
            Ok((hash, size))
        })
    }

    /// Returns those of `ids` that are missing from this clone, or whose header cannot be read, sorted.
    pub fn absent(&self, ids: &[ObjectId]) -> Result<Vec<ObjectId>> {
        let order = self.pack_order(ids);
        // The index of a pack proves that an object exists. A loose object may be an empty file.
        let loose: Vec<&PlacedObject> = order.iter().filter(|job| job.is_loose()).collect();
        let found = workers::map(
            &loose,
            || Ok::<_, Refusal>(self.worker()),
            |repo, job| Ok(matches!(repo.try_find_header(to_gix(&ids[job.index()])), Ok(Some(_)))),
        )?;
        let absent = loose.iter().zip(found).filter(|(_, found)| !found);
        let mut absent: Vec<ObjectId> = absent.map(|(job, _)| ids[job.index()]).collect();
        absent.sort_unstable();
        Ok(absent)
    }

    fn read_blob<R>(
        &self,
        Reader { repo, buffer }: &mut Reader,
        id: gix::ObjectId,
        needs_the_id: bool,
        each: impl FnOnce(Contents<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        let header = match repo.try_find_header(id) {
            Ok(None) => return Ok(None),
            Ok(Some(header)) => header,
            Err(e) => return Err(object_error(id, &e)),
        };
        let size = header.size();
        self.spend(Bound::BlobBytes, size)?;
        if size > MAX_IN_MEMORY {
            if header.num_deltas().is_some_and(|deltas| deltas > 0) {
                // git streams an object that is stored whole, but holds one that is stored as a delta in memory.
                self.hold(Bound::ObjectBytes, size)?;
            }
            return self.stream_blob(id, size, each).map(Some);
        }
        // Several large blobs at once would take as much memory as one that is too large.
        let _held = self.room.hold(size);
        let data = match repo.objects.try_find(&id, buffer) {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(None),
            Err(e) => return Err(object_error(id, &e)),
        };
        let each = |bytes: &[u8]| each(Contents::Whole(bytes, None));
        whole_blob(id, data.kind, data.data, needs_the_id, each).map(Some)
    }

    fn stream_blob<R>(&self, id: gix::ObjectId, size: u64, each: impl FnOnce(Contents<'_>) -> Result<R>) -> Result<R> {
        let failed = |why: &str| corrupt_object(id, &format!("git cat-file: {why}"));
        let mut child = self
            .git()
            // git holds blobs below this size in memory whole.
            .args(["-c", &format!("core.bigFileThreshold={MAX_IN_MEMORY}")])
            .args(["cat-file", "blob", &id.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(&e.to_string()))?;
        let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
        let mut checked = Checked {
            repository: self,
            inner: stdout,
            hasher: ObjectHasher::new(&from_gix(&id), "blob", size),
            until_asked: ASK_EACH,
            refused: None,
        };
        let result = each(Contents::Stream(&mut checked, size));
        let Checked {
            inner: stdout,
            hasher,
            refused,
            ..
        } = checked;
        // If the reader stopped half-way, git would block on a full pipe.
        drop(stdout);
        let status = child.wait().map_err(|e| failed(&e.to_string()))?;
        if let Some(refused) = refused {
            return Err(refused);
        }
        let result = result?;
        if !status.success() {
            return Err(failed(&status.to_string()));
        }
        if hasher.finish() != from_gix(&id) {
            return Err(corrupt_object(id, "its content does not match its id"));
        }
        Ok(result)
    }
}

/// Passes an object to `each`, if it is the blob that was asked for.
fn whole_blob<R>(
    id: gix::ObjectId,
    kind: gix::object::Kind,
    bytes: &[u8],
    needs_the_id: bool,
    each: impl FnOnce(&[u8]) -> Result<R>,
) -> Result<R> {
    if kind != gix::object::Kind::Blob {
        return Err(corrupt_object(id, "it is not a blob"));
    }
    if needs_the_id {
        ensure_intact(id, "blob", bytes)?;
    }
    passed(bytes.len());
    each(bytes)
}

/// What one thread reads blobs with.
struct Reader {
    repo: gix::Repository,
    buffer: Vec<u8>,
}

/// Memory for blobs that are held whole, shared by all threads. A thread waits until there is room for its blob.
#[derive(Default)]
pub(super) struct Room {
    taken: Mutex<u64>,
    freed: Condvar,
}

/// A part of the room, returned when dropped.
struct Held<'a>(&'a Room, u64);

impl Room {
    fn hold(&self, bytes: u64) -> Held<'_> {
        let taken = lock(&self.taken);
        let is_full = |taken: &mut u64| *taken > 0 && *taken + bytes > MAX_HELD;
        let mut taken = match self.freed.wait_while(taken, is_full) {
            Ok(taken) => taken,
            Err(poisoned) => poisoned.into_inner(),
        };
        *taken += bytes;
        Held(self, bytes)
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        *lock(&self.0.taken) -= self.1;
        self.0.freed.notify_all();
    }
}

/// What the content of an object is checked against when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its id. For content that goes into something others will trust, so that nothing forged gets in.
    Id,
    /// Its id if it is loose; the checksums of its pack if it is packed. git checked packed objects against their ids
    /// when it received them. This detects damage in a quarter of the time.
    Checksum,
}

impl Proof {
    /// Returns whether the content of an object must be checked against its id.
    pub(super) fn needs_the_id(self, job: &PlacedObject) -> bool {
        self == Self::Id || job.is_loose()
    }
}

/// A reader that hashes its bytes as git hashes a blob, and stops when the time bound is exceeded.
struct Checked<'a, R> {
    repository: &'a Repository,
    inner: R,
    hasher: ObjectHasher,
    until_asked: usize,
    refused: Option<Refusal>,
}

impl<R: Read> Read for Checked<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        self.until_asked = self.until_asked.saturating_sub(n);
        if self.until_asked == 0 {
            self.until_asked = ASK_EACH;
            if let Err(refused) = self.repository.spend_time() {
                self.refused = Some(refused);
                return Err(std::io::Error::other("the time limit is exceeded"));
            }
        }
        Ok(n)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Returns the refusal for a blob that could not be read to its end.
pub fn reading(id: &ObjectId, error: &std::io::Error) -> Refusal {
    corrupt_object(to_gix(id), &error.to_string())
}
