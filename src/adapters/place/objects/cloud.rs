//! Object stores of clouds, by the library `object_store`. Its futures run on a runtime of their own.

use std::future::Future;
use std::io::{self, Read};
use std::sync::Arc;

use object_store::list::PaginatedListOptions;
use object_store::path::Path;
use object_store::{
    Error, GetOptions, GetRange, MultipartUpload, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
};
use tokio::runtime::Runtime;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::aws::aws;
use super::credentials::{CloudStore, azure, google};
use super::fault::fault_of;
use super::{Bucket, ObjectReach, Opened};
use crate::adapters::files::Over;
use crate::format::digest::{Digest, Hashing};
use crate::format::object_layout::{Key, PACKS, pack_of};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};

/// How much of an object is asked for in one request, in bytes. What fails is asked for again.
const PART: u64 = 4 << 20;

/// The size of a part of a large content on its way there, in bytes. S3 takes parts from 5 MiB on.
const SENT_PART: u64 = 8 << 20;

/// How many parts of large contents are in memory at once, of all uploads together.
const PARTS: usize = 5;

/// Most parts of one upload. The clouds take 10,000.
const MAX_PARTS: u64 = 9_000;

/// Most pages of a list that are read.
const MAX_PAGES: usize = 10_000;

/// Opens a bucket.
fn store(scheme: &str, bucket: &str, reach: &ObjectReach) -> Result<Arc<dyn CloudStore>, TransportFault> {
    match scheme {
        "s3" => aws(bucket, reach),
        "gs" => google(bucket, reach),
        _ => azure(bucket, reach),
    }
}

/// A bucket of a cloud, below a prefix.
pub(super) struct Cloud {
    store: Arc<dyn CloudStore>,
    prefix: Path,
    runtime: Runtime,
    memory: Arc<Semaphore>,
    shown: String,
}

impl Cloud {
    /// Opens the bucket of a URL.
    pub(super) fn of(url: &str, reach: &ObjectReach) -> Result<Self> {
        let refused = |fault| Refusal::Transport {
            place: url.to_owned(),
            fault,
        };
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        let prefix = Path::parse(prefix).map_err(|e| {
            refused(TransportFault::Malformed {
                what: "the address",
                said: e.to_string(),
            })
        })?;
        let store = store(scheme, bucket, reach).map_err(refused)?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .build()
            .map_err(Refusal::io("starting", "a runtime".as_ref()))?;
        Ok(Self {
            store,
            prefix,
            runtime,
            memory: Arc::new(Semaphore::new(PARTS)),
            shown: url.to_owned(),
        })
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    fn run<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T> {
        self.run_told(work).map_err(|fault| self.refused(fault))
    }

    fn run_told<T>(&self, work: impl Future<Output = Result<T, Error>>) -> Result<T, TransportFault> {
        self.runtime.block_on(work).map_err(|e| fault_of(&e))
    }

    fn location(&self, key: &Key) -> Path {
        self.below(&key.path())
    }

    fn below(&self, path: &str) -> Path {
        let whole = match self.prefix.as_ref() {
            "" => path.to_owned(),
            prefix => format!("{prefix}/{path}"),
        };
        Path::from(whole)
    }

    /// Returns up to [`PART`] bytes of an object from byte `at`, and its whole size. `None` if there is no object.
    fn part(&self, location: &Path, at: u64) -> Result<Option<(impl AsRef<[u8]> + use<>, u64)>, TransportFault> {
        let options = GetOptions {
            range: Some(GetRange::Bounded(at..at + PART)),
            ..GetOptions::default()
        };
        let get = async {
            match self.store.get_opts(location, options).await {
                Ok(found) => {
                    let size = found.meta.size;
                    Ok(Some((found.bytes().await?, size)))
                }
                Err(Error::NotFound { .. }) => Ok(None),
                Err(e) => Err(e),
            }
        };
        self.run_told(get)
    }

    fn size_of(&self, location: &Path) -> Result<Option<u64>> {
        let options = GetOptions {
            head: true,
            ..GetOptions::default()
        };
        self.run(async {
            match self.store.get_opts(location, options).await {
                Ok(found) => Ok(Some(found.meta.size)),
                Err(Error::NotFound { .. }) => Ok(None),
                Err(e) => Err(e),
            }
        })
    }

    /// Sends everything that `content` has as parts of `part` bytes, several at once.
    fn send_parts(&self, upload: &mut dyn MultipartUpload, content: &mut dyn Read, part: u64) -> Result<()> {
        let reading = |e| Refusal::io("reading", "the content".as_ref())(e);
        let sent = |done: Result<Result<(), Error>, _>| match done {
            Ok(done) => done.map_err(|e| self.refused(fault_of(&e))),
            Err(_) => Err(self.refused(TransportFault::Short)),
        };
        let mut sending = JoinSet::new();
        loop {
            let permit = self.runtime.block_on(async {
                let permit = self.memory.clone().acquire_owned().await;
                // Without this, parts wait to be sent while others are read.
                tokio::task::yield_now().await;
                permit.expect("it is never closed")
            });
            let mut bytes = Vec::with_capacity(part as usize);
            (&mut *content).take(part).read_to_end(&mut bytes).map_err(reading)?;
            if bytes.is_empty() {
                break;
            }
            let send = upload.put_part(PutPayload::from(bytes));
            let send = async move {
                let sent = send.await;
                drop(permit);
                sent
            };
            sending.spawn_on(send, self.runtime.handle());
            while let Some(done) = sending.try_join_next() {
                sent(done)?;
            }
        }
        while let Some(done) = self.runtime.block_on(sending.join_next()) {
            sent(done)?;
        }
        Ok(())
    }
}

impl Bucket for Cloud {
    fn size(&self, key: &Key) -> Result<Option<u64>> {
        self.size_of(&self.location(key))
    }

    fn open(&self, key: &Key) -> Result<Option<Opened<'_>>> {
        let location = self.location(key);
        match self.part(&location, 0) {
            Ok(None) => Ok(None),
            Ok(Some((first, size))) => {
                let mut held = Vec::new();
                held.extend_from_slice(first.as_ref());
                let reading = Parts {
                    cloud: self,
                    location,
                    held,
                    at: 0,
                    begin: 0,
                    size,
                };
                Ok(Some((Box::new(reading), size)))
            }
            // An empty object has no range.
            Err(TransportFault::Status { code: 416, .. }) if self.size_of(&location)? == Some(0) => {
                Ok(Some((Box::new(io::empty()), 0)))
            }
            Err(fault) => Err(self.refused(fault)),
        }
    }

    fn put(&self, key: &Key, bytes: &[u8], over: Over) -> Result<bool> {
        let location = self.location(key);
        let put = |mode| {
            self.store
                .put_opts(&location, bytes.to_vec().into(), PutOptions::from(mode))
        };
        let mode = match over {
            Over::Nothing => PutMode::Create,
            Over::Anything => PutMode::Overwrite,
        };
        match self.runtime.block_on(put(mode)) {
            Ok(_) => Ok(true),
            Err(Error::AlreadyExists { .. }) => Ok(false),
            // The user's configuration says that the store has no conditional writes.
            Err(Error::NotImplemented { .. }) => match self.size_of(&location)? {
                Some(_) => Ok(false),
                None => self.run(put(PutMode::Overwrite)).map(|_| true),
            },
            Err(e) => Err(self.refused(fault_of(&e))),
        }
    }

    fn put_large(&self, hash: &Digest, content: &mut dyn Read, size: u64) -> Result<()> {
        let part = SENT_PART.max(size.div_ceil(MAX_PARTS));
        let location = self.location(&Key::Blob(*hash));
        let mut upload = self.run(self.store.put_multipart_opts(&location, PutMultipartOptions::default()))?;
        let mut hashing = Hashing::new(content);
        let sent = self.send_parts(&mut *upload, &mut hashing, part);
        let ended = sent.and_then(|()| match hashing.finish().1 == *hash {
            true => self.run(upload.complete()).map(drop),
            false => Err(Refusal::ChangedWhileRead {
                path: hash.to_string().into(),
            }),
        });
        if ended.is_err() {
            // What was sent costs its owner money until it is given up. The first error says more than this one.
            drop(self.runtime.block_on(upload.abort()));
        }
        ended
    }

    fn packs(&self) -> Result<Vec<Digest>> {
        let above = format!("{}/", self.below(PACKS));
        let (mut ids, mut token) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let options = PaginatedListOptions {
                delimiter: Some("/".into()),
                page_token: token.take(),
                ..PaginatedListOptions::default()
            };
            let page = self.run(self.store.list_paginated(Some(&above), options))?;
            let names = page.result.common_prefixes.iter().filter_map(|path| path.filename());
            ids.extend(names.filter_map(pack_of));
            token = page.page_token;
            if token.is_none() {
                return Ok(ids);
            }
        }
        Err(self.refused(TransportFault::Malformed {
            what: "the list of packs",
            said: "it does not end".into(),
        }))
    }

    fn names(&self, below: &str, max: usize) -> Result<(Vec<String>, bool)> {
        let above = format!("{}/", self.below(below));
        let options = PaginatedListOptions {
            delimiter: Some("/".into()),
            max_keys: Some(max),
            ..PaginatedListOptions::default()
        };
        let page = self.run(self.store.list_paginated(Some(&above), options))?;
        let is_cut = page.page_token.is_some() || page.result.objects.len() > max;
        let names = page
            .result
            .objects
            .iter()
            .filter_map(|object| object.location.filename());
        Ok((names.take(max).map(str::to_owned).collect(), is_cut))
    }
}

/// Reads an object part by part.
struct Parts<'a> {
    cloud: &'a Cloud,
    location: Path,
    held: Vec<u8>,
    /// What was read of the part in memory.
    at: usize,
    /// Where the part in memory begins.
    begin: u64,
    size: u64,
}

impl Read for Parts<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.at == self.held.len() {
            let next = self.begin + self.held.len() as u64;
            if next >= self.size {
                return Ok(0);
            }
            let part = self.cloud.part(&self.location, next).map_err(told)?;
            let (bytes, size) = part.ok_or_else(|| told(TransportFault::Short))?;
            // Another object has taken its place.
            if size != self.size || bytes.as_ref().is_empty() {
                return Err(told(TransportFault::Short));
            }
            (self.begin, self.at) = (next, 0);
            self.held.clear();
            self.held.extend_from_slice(bytes.as_ref());
        }
        let n = (&self.held[self.at..]).read(buf)?;
        self.at += n;
        Ok(n)
    }
}

/// Returns the error of a reader for a fault.
fn told(fault: TransportFault) -> io::Error {
    io::Error::other(fault.to_string())
}
