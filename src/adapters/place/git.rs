//! Packs at a git remote: each is a tree without a commit, to which a ref below `refs/gitpack/packs/` leads.
//!
//! git itself negotiates what the remote has already, checks what it receives, and changes the refs of a pack and of what is
//! attached to it in one step.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::adapters::git::blobs::{Contents, reading};
use crate::adapters::git::budget::Side;
use crate::adapters::git::pack_tree::not_a_file;
use crate::adapters::git::remote_refs::PushedRefs;
use crate::adapters::git::{PassingObjects, Repository, Surroundings};
use crate::adapters::place::git_attached::{AttachedRefs, StoredAttached};
use crate::adapters::place::{Outgoing, OutgoingMember, PackAtPlace, PackPlace, Progress, Sent, SentWithFiles};
use crate::adapters::published::{PublishedPack, TakeEachMember, TakeMember, not_listed};
use crate::adapters::store::{Store, Take, checked};
use crate::adapters::workers;
use crate::format::attachment::{Attached, AttachedCounts, Attachment};
use crate::format::destination::Which;
use crate::format::digest::Digest;
use crate::format::manifest::{MAX_BYTES, ManifestDocument};
use crate::format::member_path::MANIFEST;
use crate::format::object_id::ObjectId;
use crate::format::pack_refs::{PACKS, PackRefs, pack_ref};
use crate::refusal::transport::TransportFault;
use crate::refusal::{Refusal, Result, io_reason};

/// How many packs are fetched by one git. Its arguments must fit into what the system allows.
const AT_ONCE: usize = 500;

/// A remote of a repository, or any other repository at a URL.
pub struct GitPlace {
    directory: PathBuf,
    surroundings: Surroundings,
    remote: String,
    shown: String,
    attached: Arc<AttachedRefs>,
    /// The trees of the packs there. They are listed once.
    trees: Mutex<Option<Arc<BTreeMap<Digest, ObjectId>>>>,
    /// Whether all packs were asked for. Then they are fetched together, once.
    wanted: Mutex<bool>,
    /// The contents of the packs there, as far as packs were searched.
    searched: Mutex<Searched>,
}

#[derive(Default)]
struct Searched {
    packs: Vec<Arc<GitPack>>,
    /// For each content, a pack and a blob in it.
    contents: HashMap<Digest, (usize, ObjectId)>,
    /// The packs that were not searched yet.
    left: Option<Vec<Digest>>,
}

impl GitPlace {
    /// Returns a remote, by its name or URL, for the repository at `directory`, which keeps what is pushed, and what is
    /// fetched unless `keeps_nothing` is set. Nothing is asked yet.
    pub fn of(directory: &Path, surroundings: &Surroundings, remote: &str, keeps_nothing: bool) -> Result<Self> {
        let shown = format!("git:{remote}");
        let passing = match keeps_nothing {
            true => Some(PassingObjects::new()?),
            false => None,
        };
        let mut surroundings = surroundings.clone();
        if let Some(passing) = &passing {
            surroundings.objects = passing.beside(&surroundings.objects);
        }
        let place = Self {
            directory: directory.to_owned(),
            surroundings: surroundings.clone(),
            remote: remote.to_owned(),
            attached: Arc::new(AttachedRefs {
                directory: directory.to_owned(),
                surroundings,
                remote: remote.to_owned(),
                shown: shown.clone(),
                listed: Mutex::default(),
                _passing: passing,
            }),
            shown,
            trees: Mutex::default(),
            wanted: Mutex::default(),
            searched: Mutex::default(),
        };
        place.repository().map(|_| place)
    }

    /// Opens the repository. One that was opened earlier may not know the packs that git fetched since.
    fn repository(&self) -> Result<Repository> {
        let repo = Repository::discover(&self.directory, &self.surroundings)?;
        // The configuration says which programs git starts.
        repo.ensure_ours()?;
        Ok(repo)
    }

    fn refused(&self, fault: TransportFault) -> Refusal {
        Refusal::Transport {
            place: self.shown.clone(),
            fault,
        }
    }

    /// Lists the trees of the packs at the remote.
    fn trees(&self) -> Result<Arc<BTreeMap<Digest, ObjectId>>> {
        let mut trees = lock(&self.trees);
        if let Some(trees) = &*trees {
            return Ok(Arc::clone(trees));
        }
        let refs = self.repository()?.remote_refs(&self.remote, &format!("{PACKS}*"));
        let refs = PackRefs::of(refs.map_err(|fault| self.refused(fault))?);
        let found = Arc::new(refs.packs().clone());
        *trees = Some(Arc::clone(&found));
        Ok(found)
    }

    /// Returns a pack at the remote, with all that it consists of.
    fn pack(&self, id: &Digest) -> Result<Option<GitPack>> {
        let Some(tree) = self.trees()?.get(id).copied() else {
            return Ok(None);
        };
        let name = Which::Id(*id).at(&self.shown);
        // What was fetched or pushed before need not be fetched again.
        if let Ok(pack) = self.read(id, &tree, name.clone()) {
            return Ok(Some(pack));
        }
        self.fetch_wanted()?;
        if let Ok(pack) = self.read(id, &tree, name.clone()) {
            return Ok(Some(pack));
        }
        self.fetch(std::slice::from_ref(id))?;
        self.read(id, &tree, name).map(Some)
    }

    /// Fetches all packs that the repository lacks, if all were asked for. One connection brings what they share once.
    /// If it brings less, each pack is fetched alone, which tells which of them cannot be.
    fn fetch_wanted(&self) -> Result<()> {
        let mut wanted = lock(&self.wanted);
        if !std::mem::take(&mut *wanted) {
            return Ok(());
        }
        let trees = self.trees()?;
        let lacking = |(id, tree): &(&Digest, &ObjectId)| self.read(id, tree, String::new()).is_err();
        let lacking: Vec<Digest> = trees.iter().filter(lacking).map(|(id, _)| *id).collect();
        for some in lacking.chunks(AT_ONCE) {
            match self.fetch(some) {
                Ok(()) | Err(Refusal::Transport { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn fetch(&self, ids: &[Digest]) -> Result<()> {
        let names: Vec<String> = ids.iter().map(pack_ref).collect();
        let fetched = self.repository()?.fetch_refs(&self.remote, &names);
        fetched.map_err(|fault| self.refused(fault))
    }

    /// Reads the entries of a pack's tree. Refuses a tree that lacks objects here.
    fn read(&self, id: &Digest, tree: &ObjectId, name: String) -> Result<GitPack> {
        let malformed = |what, said: String| self.refused(TransportFault::Malformed { what, said });
        let repo = self.repository()?.bounded(Side::Clone)?;
        match repo.kind_of(tree) {
            Some("a tree") => {}
            Some(kind) => return Err(malformed("the ref of the pack", format!("it leads to {kind}"))),
            None => return Err(missing(1, tree)),
        }
        let of_tree = |said: String| malformed("the tree of the pack", said);
        let mut files = BTreeMap::new();
        for entry in repo.tree_entries(tree)? {
            let path = String::from_utf8(entry.path.as_bytes().to_vec())
                .map_err(|_| of_tree(format!("{} is not UTF-8", entry.path.text())))?;
            if let Some(kind) = not_a_file(&entry) {
                return Err(of_tree(format!("{path} is {kind}")));
            }
            if files.insert(path.clone(), entry.id).is_some() {
                return Err(of_tree(format!("{path} is there twice")));
            }
        }
        let ids: Vec<ObjectId> = files.values().copied().collect();
        let absent = repo.absent(&ids)?;
        if let Some(first) = absent.first() {
            return Err(missing(absent.len(), first));
        }
        let manifest = files
            .remove(MANIFEST)
            .ok_or_else(|| of_tree(format!("it has no {MANIFEST}")))?;
        if repo.blob_size(&manifest)? > MAX_BYTES {
            return Err(self.refused(TransportFault::TooLong { allowed: MAX_BYTES }));
        }
        let ids: Vec<ObjectId> = files.values().copied().collect();
        let sizes = workers::map(&ids, || Ok(()), |(), id| repo.blob_size(id))?;
        let listed = files.keys().cloned().zip(sizes.into_iter().map(Some)).collect();
        Ok(GitPack {
            manifest: repo.document(&manifest, MANIFEST, MAX_BYTES)?,
            repo,
            id: *id,
            attached: Arc::clone(&self.attached),
            name,
            files,
            listed,
        })
    }

    /// Returns a pack that has a content, and its blob. Searches one pack after the other.
    fn holder(&self, hash: &Digest) -> Result<Option<(Arc<GitPack>, ObjectId)>> {
        let mut searched = lock(&self.searched);
        if searched.left.is_none() {
            searched.left = Some(self.trees()?.keys().rev().copied().collect());
        }
        loop {
            if let Some((pack, blob)) = searched.contents.get(hash) {
                return Ok(Some((Arc::clone(&searched.packs[*pack]), *blob)));
            }
            let Some(next) = searched.left.as_mut().and_then(Vec::pop) else {
                return Ok(None);
            };
            let pack = match self.pack(&next) {
                Ok(Some(pack)) => pack,
                // One pack that cannot be read does not hide the others.
                Ok(None) | Err(Refusal::Corrupt(_) | Refusal::MissingObject { .. }) => continue,
                Err(Refusal::Transport {
                    fault: TransportFault::Malformed { .. } | TransportFault::TooLong { .. },
                    ..
                }) => continue,
                Err(other) => return Err(other),
            };
            let at = searched.packs.len();
            // What the manifest declares is compared with the content when it is read.
            for (hash, blob) in pack.contents() {
                searched.contents.insert(hash, (at, blob));
            }
            searched.packs.push(Arc::new(pack));
        }
    }

    /// Stores the files of a pack in the repository's object database. Returns their tree.
    fn store(&self, repo: &Repository, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<ObjectId> {
        let blobs = workers::map(
            &pack.members,
            || Ok(()),
            |(), member| {
                let (blob, hash, size) = repo.store_blob(member.size, &|| (pack.open)(&member.path))?;
                told.advance(size);
                match hash == member.hash && size == member.size {
                    true => Ok(blob),
                    false => Err(Refusal::ChangedWhileRead {
                        path: (&member.path).into(),
                    }),
                }
            },
        )?;
        let paths = pack.members.iter().map(|member| member.path.as_str());
        repo.store_tree(&paths.zip(blobs).collect::<Vec<_>>())
    }
}

impl Store for GitPlace {
    fn name(&self) -> &'static str {
        "the remote"
    }

    fn contains(&self, hash: &Digest) -> Result<bool> {
        Ok(self.holder(hash)?.is_some())
    }

    fn get(&self, hash: &Digest, take: Take<'_>) -> Result<bool> {
        let Some((pack, blob)) = self.holder(hash)? else {
            return Ok(false);
        };
        let take = Mutex::new(take);
        pack.repo.with_blobs(&[blob], |_, mut content| {
            checked(self.name(), hash, &mut content, &mut **lock(&take))
        })?;
        Ok(true)
    }
}

impl PackPlace for GitPlace {
    fn shown(&self) -> String {
        self.shown.clone()
    }

    fn packs(&self) -> Result<Vec<PackAtPlace>> {
        let at_place = |pack_id: &Digest| PackAtPlace {
            pack_id: *pack_id,
            names: Vec::new(),
        };
        let trees = self.trees()?;
        *lock(&self.wanted) = trees.len() > 1;
        Ok(trees.keys().map(at_place).collect())
    }

    fn find(&self, which: &Which) -> Result<Option<Box<dyn PublishedPack>>> {
        let Which::Id(id) = which else {
            return Ok(None);
        };
        let found = self.pack(id)?;
        Ok(found.map(|pack| Box::new(pack) as Box<dyn PublishedPack>))
    }

    fn has_pack(&self, pack: &Outgoing<'_>) -> Result<bool> {
        let trees = self.trees()?;
        let Some(there) = trees.get(&pack.pack_id) else {
            return Ok(false);
        };
        Ok(*there == self.store(&self.repository()?, pack, &Unheard)?)
    }

    fn announce(&self, pack: &Outgoing<'_>) -> Result<()> {
        self.publish(pack, &Unheard).map(drop)
    }

    fn publish(&self, pack: &Outgoing<'_>, told: &dyn Progress) -> Result<Sent> {
        self.publish_with(pack, &[], told).map(|sent| sent.pack)
    }

    fn attach(&self, pack: &Outgoing<'_>, files: &[Attachment]) -> Result<Option<u64>> {
        self.publish_with(pack, files, &Unheard).map(|sent| sent.files)
    }

    /// Pushes the ref of a pack and those of what is attached to it in one push: hooks that demand signatures see both, and
    /// no reader sees one without the other.
    fn publish_with(&self, pack: &Outgoing<'_>, files: &[Attachment], told: &dyn Progress) -> Result<SentWithFiles> {
        let repo = self.repository()?;
        told.begin("storing", pack.members.iter().map(|member| member.size).sum());
        let tree = self.store(&repo, pack, told)?;
        told.end();
        // Where a remote cannot change refs together, the pack comes last.
        let StoredAttached {
            missing: mut refs,
            there,
        } = self.attached.store(&repo, &pack.pack_id, files)?;
        refs.push((tree, pack_ref(&pack.pack_id)));
        let pushed = repo.push_objects(&self.remote, &refs, &there);
        let (mut new, objects, bytes) = match pushed.map_err(|fault| self.refused(fault))? {
            PushedRefs::There { new, objects, bytes } => (new, objects, bytes),
            PushedRefs::Other(name) => return Err(self.refused(TransportFault::Conflict { name })),
        };
        *lock(&self.trees) = None;
        self.attached.forget();
        let is_pack_new = new.pop() == Some(true);
        let attached = new.into_iter().filter(|is_new| *is_new).count() as u64;
        let pack = match is_pack_new {
            false => Sent::default(),
            true => {
                // git does not tell how many of the objects are trees, and how many are attached.
                let others = directories(&pack.members) + attached;
                let contents = objects
                    .saturating_sub(others)
                    .clamp(objects.min(1), pack.members.len() as u64);
                Sent { contents, bytes }
            }
        };
        Ok(SentWithFiles {
            pack,
            files: Some(attached),
        })
    }
}

/// Returns the number of directories that files are in, the top included.
fn directories(files: &[OutgoingMember]) -> u64 {
    let parts = files
        .iter()
        .flat_map(|file| file.path.match_indices('/').map(|(at, _)| &file.path[..at]));
    parts.collect::<BTreeSet<_>>().len() as u64 + 1
}

/// A pack at a git remote, after it was fetched.
struct GitPack {
    repo: Repository,
    /// The id that its ref names.
    id: Digest,
    attached: Arc<AttachedRefs>,
    name: String,
    manifest: Vec<u8>,
    files: BTreeMap<String, ObjectId>,
    listed: BTreeMap<String, Option<u64>>,
}

impl GitPack {
    /// Returns the hashes that the manifest declares, each with the blob that should have that content.
    fn contents(&self) -> Vec<(Digest, ObjectId)> {
        let Ok(manifest) = ManifestDocument::parse(&self.manifest) else {
            return Vec::new();
        };
        let members = manifest.members.iter();
        members
            .filter_map(|member| Some((member.bytes_hash.digest()?, *self.files.get(member.path)?)))
            .collect()
    }
}

impl PublishedPack for GitPack {
    fn name(&self) -> &str {
        &self.name
    }

    fn manifest(&self) -> &[u8] {
        &self.manifest
    }

    fn listed(&self) -> &BTreeMap<String, Option<u64>> {
        &self.listed
    }

    fn member(&self, path: &str, take: TakeMember<'_>) -> Result<()> {
        let Some(blob) = self.files.get(path) else {
            return Err(not_listed(self, path));
        };
        let take = Mutex::new(take);
        let read = self.repo.with_blobs(&[*blob], |_, mut content| {
            let size = size_of(&content);
            let taken = (*lock(&take))(&mut content, size);
            io::copy(&mut content, &mut io::sink()).map_err(|e| reading(blob, &e))?;
            taken.map_err(Refusal::io("reading", path.as_ref()))
        });
        read.map(drop)
    }

    fn each_member(&self, paths: &[&str], take: TakeEachMember<'_>) -> Result<BTreeMap<String, String>> {
        let known = paths.iter().filter_map(|path| Some((*path, *self.files.get(*path)?)));
        let (paths, blobs): (Vec<&str>, Vec<ObjectId>) = known.unzip();
        let failed = Mutex::new(BTreeMap::new());
        self.repo.with_blobs(&blobs, |at, mut content| {
            let size = size_of(&content);
            if let Err(e) = take(paths[at], &mut content, size) {
                lock(&failed).insert(paths[at].to_owned(), io_reason(&e));
            }
            io::copy(&mut content, &mut io::sink()).map_err(|e| reading(&blobs[at], &e))
        })?;
        Ok(failed.into_inner().unwrap_or_else(PoisonError::into_inner))
    }

    fn attached(&self) -> Result<Attached> {
        self.attached.read(&self.id)
    }

    fn attached_counts(&self) -> Result<AttachedCounts> {
        self.attached.count(&self.id)
    }
}

fn size_of(content: &Contents<'_>) -> u64 {
    match content {
        Contents::Whole(bytes, _) => bytes.len() as u64,
        Contents::Stream(_, size) => *size,
    }
}

fn missing(count: usize, example: &ObjectId) -> Refusal {
    Refusal::MissingObject {
        count: count as u64,
        example: example.to_string(),
    }
}

/// A progress that is not shown.
struct Unheard;

impl Progress for Unheard {
    fn begin(&self, _: &'static str, _: u64) {}

    fn advance(&self, _: u64) {}

    fn end(&self) {}
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
