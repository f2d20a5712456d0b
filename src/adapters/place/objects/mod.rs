//! Packs in an object store: S3, Google Cloud Storage, Azure, or a directory that several machines share.

mod attached;
mod aws;
mod cloud;
mod connector;
pub mod credentials;
mod directory;
mod fault;
mod renewed;

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::adapters::files::Over;
use crate::adapters::place::{Outgoing, OutgoingMember, PackAtPlace, PackPlace, Progress, TRANSFERS, Told};
use crate::adapters::published::{PublishedPack, TakeMember, not_listed};
use crate::adapters::store::{Store, Take, checked};
use crate::adapters::workers;
use crate::format::attachment::{Attached, AttachedCounts, Attachment};
use crate::format::destination::Which;
use crate::format::digest::Digest;
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::format::member_path::MANIFEST;
use crate::format::object_layout::Key;
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result};
use cloud::Cloud;
use credentials::CloudSettings;
use directory::SharedDirectory;

/// The largest content that is sent in one request, in bytes.
const SMALL: u64 = 4 << 20;

/// How often an object is written that is neither there nor can be created, because another process writes it.
const ATTEMPTS: u32 = 5;

/// How long is waited between two such attempts.
const BETWEEN: Duration = Duration::from_millis(200);

/// The content of an object, and its size in bytes.
type Opened<'a> = (Box<dyn Read + Send + 'a>, u64);

/// A place that keeps objects by their keys. An object appears whole, or not at all.
trait Bucket: Send + Sync {
    /// Returns the size of an object in bytes. `None` if there is none.
    fn size(&self, key: &Key) -> Result<Option<u64>>;

    /// Opens an object. `None` if there is none.
    fn open(&self, key: &Key) -> Result<Option<Opened<'_>>>;

    /// Writes an object. With [`Over::Nothing`], returns false if there is one already.
    fn put(&self, key: &Key, bytes: &[u8], over: Over) -> Result<bool>;

    /// Writes a content of `size` bytes, over whatever is there. Refuses one that does not match its hash, and writes
    /// nothing then.
    fn put_large(&self, hash: &Digest, content: &mut dyn Read, size: u64) -> Result<()>;

    /// Returns the ids of all packs.
    fn packs(&self) -> Result<Vec<Digest>>;

    /// Returns the names of the objects right below a path, at most `max`, and whether there are more.
    fn names(&self, below: &str, max: usize) -> Result<(Vec<String>, bool)>;
}

/// An object store, or a part of one.
#[derive(Clone)]
pub struct Objects {
    bucket: Arc<dyn Bucket>,
    shown: String,
}

/// How an object store is reached.
#[derive(Clone, Debug, Default)]
pub struct ObjectReach {
    /// Where credentials are.
    pub cloud: CloudSettings,
    /// Whether plain HTTP to other machines is allowed.
    pub insecure: bool,
}

impl Objects {
    /// Opens the store of a URL, as `PlaceAddress::Objects` has it. Nothing is sent yet.
    pub fn of(url: &str, reach: &ObjectReach) -> Result<Self> {
        let bucket: Arc<dyn Bucket> = match url.strip_prefix("file://") {
            Some(path) => Arc::new(SharedDirectory::at(Path::new(path), url)?),
            None => Arc::new(Cloud::of(url, reach)?),
        };
        Ok(Self {
            bucket,
            shown: url.to_owned(),
        })
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    /// Returns the bytes of a pack's manifest. `None` if the place does not have the pack.
    fn manifest(&self, id: &Digest) -> Result<Option<Vec<u8>>> {
        let key = Key::Manifest(*id);
        let Some((content, size)) = self.bucket.open(&key)? else {
            return Ok(None);
        };
        if size > MAX_BYTES {
            return Err(self.refused(TransportFault::TooLong { allowed: MAX_BYTES }));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        let read = content.take(MAX_BYTES + 1).read_to_end(&mut bytes);
        read.map_err(|e| self.refused(TransportFault::Connection { said: e.to_string() }))?;
        Ok(Some(bytes))
    }

    /// Stores a content of known size. What is there already counts if it has the same size.
    fn store(&self, hash: &Digest, size: u64, content: &mut dyn Read) -> Result<()> {
        if size > SMALL {
            return self.bucket.put_large(hash, content, size);
        }
        let changed = || Refusal::ChangedWhileRead {
            path: hash.to_string().into(),
        };
        let mut bytes = Vec::with_capacity(size as usize);
        let read = content.take(size + 1).read_to_end(&mut bytes);
        read.map_err(Refusal::io("reading", hash.to_string().as_ref()))?;
        if Digest::of(&bytes) != *hash {
            return Err(changed());
        }
        let key = Key::Blob(*hash);
        for _ in 0..ATTEMPTS {
            if self.bucket.put(&key, &bytes, Over::Nothing)? {
                return Ok(());
            }
            match self.bucket.size(&key)? {
                Some(there) if there == size => return Ok(()),
                // A client that follows the layout does not write such an object.
                Some(_) => return self.bucket.put(&key, &bytes, Over::Anything).map(drop),
                None => std::thread::sleep(BETWEEN),
            }
        }
        Err(self.refused(TransportFault::Conflict { name: key.path() }))
    }
}

impl Store for Objects {
    fn name(&self) -> &'static str {
        "the object store"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.bucket.size(&Key::Blob(*hash))?.is_some())
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some((mut content, _)) = self.bucket.open(&Key::Blob(*hash))? else {
            return Ok(false);
        };
        checked(self.name(), hash, &mut content, take).map(|()| true)
    }
}

impl PackPlace for Objects {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn packs(&self) -> Result<Vec<PackAtPlace>> {
        let mut ids = self.bucket.packs()?;
        ids.sort_unstable();
        ids.dedup();
        let each = ids.into_iter();
        Ok(each
            .map(|pack_id| PackAtPlace {
                pack_id,
                names: Vec::new(),
            })
            .collect())
    }

    fn find(&self, which: &Which) -> Result<Option<Box<dyn PublishedPack>>> {
        let Which::Id(id) = which else {
            return Err(self.refused(TransportFault::Impossible {
                what: "an object store has no tags: name a pack by its id",
            }));
        };
        let Some(manifest) = self.manifest(id)? else {
            return Ok(None);
        };
        Ok(Some(Box::new(ObjectPack::of(self, id, manifest))))
    }

    fn has(&self, member: &OutgoingMember) -> Result<bool> {
        // The manifest is written when everything else is there.
        if member.path == MANIFEST {
            return Ok(true);
        }
        // An object of another size cannot be this content.
        Ok(self.bucket.size(&Key::Blob(member.hash))? == Some(member.size))
    }

    fn has_pack(&self, pack: &Outgoing<'_>) -> Result<bool> {
        if self.manifest(&pack.pack_id)?.as_deref() != Some(pack.manifest) {
            return Ok(false);
        }
        let there = workers::map_on(TRANSFERS, &pack.members, || Ok(()), |(), member| self.has(member))?;
        Ok(there.into_iter().all(|there| there))
    }

    fn send(&self, member: &OutgoingMember, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<()> {
        let content = (pack.open)(&member.path)?;
        self.store(&member.hash, member.size, &mut Told { content, told })
    }

    fn announce(&self, pack: &Outgoing<'_>) -> Result<()> {
        let key = Key::Manifest(pack.pack_id);
        for _ in 0..ATTEMPTS {
            if self.bucket.put(&key, pack.manifest, Over::Nothing)? {
                return Ok(());
            }
            match self.manifest(&pack.pack_id)? {
                Some(there) if there == pack.manifest => return Ok(()),
                Some(_) => break,
                None => std::thread::sleep(BETWEEN),
            }
        }
        Err(self.refused(TransportFault::Conflict { name: key.path() }))
    }

    fn attach(&self, pack: &Outgoing<'_>, files: &[Attachment]) -> Result<Option<u64>> {
        attached::send(&*self.bucket, &pack.pack_id, files).map(Some)
    }
}

/// A pack in an object store.
struct ObjectPack {
    objects: Objects,
    /// The id that was asked for.
    id: Digest,
    name: String,
    manifest: Vec<u8>,
    hashes: BTreeMap<String, Option<Digest>>,
    listed: BTreeMap<String, Option<u64>>,
    sizes: OnceLock<BTreeMap<Digest, u64>>,
}

impl ObjectPack {
    /// Returns the pack of a manifest. If it cannot be parsed, the list is empty, and the reader of the manifest refuses it.
    fn of(objects: &Objects, id: &Digest, manifest: Vec<u8>) -> Self {
        let document = ManifestDocument::parse(&manifest);
        let members = document.map(|document| document.members).unwrap_or_default();
        let hashes: BTreeMap<_, _> = members
            .iter()
            .map(|member| (member.path.to_owned(), member.bytes_hash.digest()))
            .collect();
        Self {
            objects: objects.clone(),
            id: *id,
            name: Which::Id(*id).at(&objects.shown),
            manifest,
            listed: hashes.keys().map(|path| (path.clone(), None)).collect(),
            hashes,
            sizes: OnceLock::new(),
        }
    }

    /// Asks for the sizes of all contents at once. A content whose size is not told is left out.
    fn sizes(&self) -> BTreeMap<Digest, u64> {
        let distinct: BTreeSet<Digest> = self.hashes.values().filter_map(|hash| *hash).collect();
        let distinct: Vec<Digest> = distinct.into_iter().collect();
        let size = |hash: &Digest| self.objects.bucket.size(&Key::Blob(*hash)).ok().flatten();
        let asked = workers::map_on(
            TRANSFERS,
            &distinct,
            || Ok::<_, std::convert::Infallible>(()),
            |(), hash| Ok(size(hash)),
        );
        let Ok(sizes) = asked;
        let told = distinct.into_iter().zip(sizes);
        told.filter_map(|(hash, size)| Some((hash, size?))).collect()
    }
}

impl PublishedPack for ObjectPack {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    fn listed(&self) -> &BTreeMap<String, Option<u64>> {
        &self.listed
    }

    fn size(&self, path: &str) -> Option<u64> {
        let hash = self.hashes.get(path)?.as_ref()?;
        self.sizes.get_or_init(|| self.sizes()).get(hash).copied()
    }

    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        let Some(hash) = self.hashes.get(path) else {
            return Err(not_listed(self, path));
        };
        let Some(hash) = hash else { return Ok(()) };
        // A content that is not there is a member that the pack lacks.
        let Some((mut content, size)) = self.objects.bucket.open(&Key::Blob(*hash))? else {
            return Ok(());
        };
        take(&mut content, size).map_err(Refusal::io("reading", path.as_ref()))
    }

    fn attached(&self) -> Result<Attached> {
        attached::read(&*self.objects.bucket, &self.id)
    }

    fn attached_counts(&self) -> Result<AttachedCounts> {
        attached::count(&*self.objects.bucket, &self.id)
    }
}
