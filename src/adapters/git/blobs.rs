//! The contents of blobs, read in parallel and in the order in which they lie in the packs.

use std::io::Read;
use std::process::Stdio;
use std::sync::Mutex;

use gix::objs::Find as _;

use crate::adapters::git::pack_order::Job;
use crate::adapters::git::{Repository, corrupt_object, ensure_intact, from_gix, object_error, to_gix};
use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::refusal::{Refusal, Result};

/// A blob larger than this is streamed through `git cat-file`: the library holds a blob whole.
const MAX_IN_MEMORY: u64 = 16 << 20;

/// The content of a blob, to be read to its end.
pub enum Contents<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// A stream of this many bytes.
    Stream(&'a mut dyn Read, u64),
}

impl Read for Contents<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Whole(bytes) => bytes.read(buf),
            Self::Stream(stream, _) => stream.read(buf),
        }
    }
}

impl Repository {
    /// Gives each blob to `each`, with its index in `ids`; results stand in that order.
    ///
    /// `each` reads its blob to the end. Blobs that are not in this clone are counted, and refused together.
    pub fn with_blobs<R: Send>(
        &self,
        ids: &[ObjectId],
        each: impl Fn(usize, Contents<'_>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        self.with_blobs_held_against(Proof::Id, ids, each)
    }

    /// Like [`Self::with_blobs`], with a choice of what the contents are held against.
    pub fn with_blobs_held_against<R: Send>(
        &self,
        proof: Proof,
        ids: &[ObjectId],
        each: impl Fn(usize, Contents<'_>) -> Result<R> + Sync,
    ) -> Result<Vec<R>> {
        let order = self.pack_order(ids);
        let missing = Mutex::new(Vec::new());
        let done = workers::map(
            &order,
            || Ok((self.worker(), Vec::new())),
            |(repo, buffer), job| {
                let id = to_gix(&ids[job.index]);
                match self.read_blob(repo, buffer, id, job, proof, |blob| each(job.index, blob))? {
                    Some(result) => Ok(Some((job.index, result))),
                    None => {
                        lock(&missing).push(id);
                        Ok(None)
                    }
                }
            },
        )?;
        let missing = lock(&missing);
        if let Some(first) = missing.iter().min() {
            return Err(Refusal::MissingObject {
                count: missing.len() as u64,
                example: first.to_string(),
            });
        }
        let mut results = Vec::with_capacity(done.len());
        results.extend(done.into_iter().flatten());
        results.sort_unstable_by_key(|(index, _)| *index);
        Ok(results.into_iter().map(|(_, result)| result).collect())
    }

    /// Returns the bytes of one small blob.
    pub fn blob(&self, id: &ObjectId) -> Result<Vec<u8>> {
        let mut contents = self.with_blobs(std::slice::from_ref(id), |_, mut blob| {
            let mut bytes = Vec::new();
            blob.read_to_end(&mut bytes).map_err(|e| reading(id, &e))?;
            Ok(bytes)
        })?;
        Ok(contents.pop().expect("one id gives one content or a refusal"))
    }

    /// Returns SHA-256 and size of each blob, in the order of `ids`.
    pub fn hash_blobs(&self, ids: &[ObjectId]) -> Result<Vec<(Digest, u64)>> {
        self.with_blobs(ids, |index, mut blob| {
            let mut hashing = Hashing::new(std::io::sink());
            std::io::copy(&mut blob, &mut hashing).map_err(|e| reading(&ids[index], &e))?;
            let (_, hash, size) = hashing.finish();
            Ok((hash, size))
        })
    }

    /// Returns those of `ids` that are not in this clone, or cannot be read as much as to see what they are; sorted.
    pub fn absent(&self, ids: &[ObjectId]) -> Result<Vec<ObjectId>> {
        let order = self.pack_order(ids);
        // What lies in a pack is in its index; a loose object may be a file with nothing in it.
        let loose: Vec<&Job> = order.iter().filter(|job| job.is_loose()).collect();
        let found = workers::map(
            &loose,
            || Ok::<_, Refusal>(self.worker()),
            |repo, job| Ok(matches!(repo.try_find_header(to_gix(&ids[job.index])), Ok(Some(_)))),
        )?;
        let absent = loose.iter().zip(found).filter(|(_, found)| !found);
        let mut absent: Vec<ObjectId> = absent.map(|(job, _)| ids[job.index]).collect();
        absent.sort_unstable();
        Ok(absent)
    }

    fn read_blob<R>(
        &self,
        repo: &gix::Repository,
        buffer: &mut Vec<u8>,
        id: gix::ObjectId,
        job: &Job,
        proof: Proof,
        each: impl FnOnce(Contents<'_>) -> Result<R>,
    ) -> Result<Option<R>> {
        match repo.try_find_header(id) {
            Ok(None) => return Ok(None),
            Ok(Some(header)) if header.size() > MAX_IN_MEMORY => {
                return self.stream_blob(id, header.size(), each).map(Some);
            }
            Ok(Some(_)) => {}
            Err(e) => return Err(object_error(id, &e)),
        }
        let data = match repo.objects.try_find(&id, buffer) {
            Ok(Some(data)) => data,
            Ok(None) => return Ok(None),
            Err(e) => return Err(object_error(id, &e)),
        };
        if data.kind != gix::object::Kind::Blob {
            return Err(corrupt_object(id, "it is not a blob"));
        }
        if job.needs_its_id(proof) {
            ensure_intact(id, "blob", data.data)?;
        }
        each(Contents::Whole(data.data)).map(Some)
    }

    fn stream_blob<R>(&self, id: gix::ObjectId, size: u64, each: impl FnOnce(Contents<'_>) -> Result<R>) -> Result<R> {
        let failed = |why: &str| corrupt_object(id, &format!("git cat-file: {why}"));
        let mut child = self
            .git()
            // Below this size, git would hold it whole.
            .args(["-c", &format!("core.bigFileThreshold={MAX_IN_MEMORY}")])
            .args(["cat-file", "blob", &id.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| failed(&e.to_string()))?;
        let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
        let mut checked = Checked {
            inner: stdout,
            hasher: ObjectHasher::new(&from_gix(&id), "blob", size),
        };
        let result = each(Contents::Stream(&mut checked, size));
        let Checked { inner: stdout, hasher } = checked;
        // A reader that gave up half-way must not leave git waiting for it.
        drop(stdout);
        let status = child.wait().map_err(|e| failed(&e.to_string()))?;
        let result = result?;
        if !status.success() {
            return Err(failed(&status.to_string()));
        }
        if hasher.finish() != from_gix(&id) {
            return Err(corrupt_object(id, "its content does not hash to its id"));
        }
        Ok(result)
    }
}

/// What the content of an object is held against when it is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Its id, so that nothing forged is taken over into what others will trust.
    Id,
    /// Its id if it lies loose; the checksums of its pack if it lies in one, which git itself has held against the ids
    /// when it came. That finds damage, and takes a quarter of the time.
    Checksum,
}

/// Hashes what is read as git hashes a blob.
struct Checked<R> {
    inner: R,
    hasher: ObjectHasher,
}

impl<R: Read> Read for Checked<R> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        Ok(n)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Refuses for a blob whose stream broke off.
pub fn reading(id: &ObjectId, error: &std::io::Error) -> Refusal {
    corrupt_object(to_gix(id), &error.to_string())
}
