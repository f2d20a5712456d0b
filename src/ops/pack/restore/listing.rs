//! The list of what to restore: the manifest of contents of a pack, or one in the content store.

use std::collections::HashMap;
use std::io::{self, Read};
use std::path::Path;

use serde::de::DeserializeOwned;

use crate::adapters::clone::runs::RUN_REFS;
use crate::adapters::store::bytes;
use crate::adapters::store::pack::PackStore;
use crate::format::canonical_json::{ListingError, parse_strict_into};
use crate::format::digest::{Digest, Hashing};
use crate::format::lite::{PackManifest, sealed_entries};
use crate::format::manifest::ManifestDocument;
use crate::format::repo_state::{EntryKind, RepoState};
use crate::format::run_record::{MAX_BYTES, RunRefs, TaskSpec, parse_record};
use crate::format::sealed::SealedArtifacts;
use crate::format::tree_meta::{PACK_INFO, PackInfo, REPO_STATE};
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::restore::canon;
use crate::ops::pack::restore::here::Here;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_source;
use crate::refusal::manifest::ManifestFault;
use crate::refusal::pack::PackFault;
use crate::refusal::shown::brief;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::restore::{Unfit, check};

/// A manifest of contents, with further facts about its entries.
pub(super) struct ContentListing<'a> {
    /// Its name in messages.
    pub(super) name: String,
    /// The manifest, which is that of a tree.
    pub(super) manifest: PackManifest,
    /// The id of its pack; none if the manifest is given by its ref.
    pub(super) pack_id: Option<String>,
    /// SHA-256 of the pack's manifest, or of this one.
    pub(super) input_hash: Digest,
    /// Size of that in bytes.
    pub(super) input_bytes: u64,
    /// The members of the pack.
    pub(super) pack: Option<PackStore<'a>>,
    /// The state digest that the pack names.
    pub(super) state: Option<Digest>,
    /// The kinds of entries that are not plain files; none if they are not known.
    pub(super) kinds: Option<HashMap<String, EntryKind>>,
    /// The declaration of its ciphertexts, if it is needed.
    pub(super) sealed: Option<SealedArtifacts>,
}

impl<'a> ContentListing<'a> {
    /// Reads the manifest of a pack, which must verify. If the pack has none, builds it from the pack's documents.
    pub(super) fn of_pack(ctx: &Context, pack: &'a GivenPack, name: &Path) -> Result<Self> {
        let source = pack.source();
        let mut verdict = verify_source(&source)?;
        ensure_sound(&verdict, name)?;
        canon::ensure_same(ctx, name, verdict.state.as_ref())?;
        let manifest = source.manifest()?;
        if manifest.file_hash != verdict.manifest_hash {
            return Err(Refusal::ChangedWhileRead { path: name.to_owned() });
        }
        let state = verdict.state.as_ref().filter(|state| state.commit.is_some());
        let (Some(state), Some(sealed)) = (state, verdict.sealed.take()) else {
            return Err(Refusal::Usage(Misuse::NotOfCommit { pack: name.to_owned() }));
        };
        let digest = state.digest;
        let documents = Documents {
            name,
            source: &source,
            manifest: &manifest,
        };
        let state = documents.state()?;
        let info: PackInfo = documents.parse(PACK_INFO)?;
        let kinds = kinds(state.files.iter().map(|file| (&*file.path, file.kind())));
        // A manifest under LITE/ lists the same, or the pack would not have verified.
        let contents = PackManifest::of_documents(state, &info, &sealed);
        let listing = Self {
            name: name.display().to_string(),
            pack_id: Some(verdict.pack_id),
            input_hash: verdict.manifest_hash,
            input_bytes: verdict.manifest_bytes,
            pack: source.store(manifest.members),
            state: Some(digest),
            kinds: Some(kinds),
            sealed: Some(sealed),
            manifest: contents,
        };
        check(&listing.manifest).map_err(|why| listing.refusal(why))?;
        Ok(listing)
    }

    /// Reads the manifest with this hash from the content store; with `opening`, also the declaration of its
    /// ciphertexts.
    pub(super) fn of_ref(here: &Here, hash: &Digest, opening: bool) -> Result<Self> {
        let Some(document) = bytes(&here.disk, hash, MAX_BYTES)? else {
            return Err(Refusal::NoManifest {
                manifest: hash.to_string(),
            });
        };
        let bad = |said: String| Refusal::BadManifest {
            name: hash.to_string(),
            fault: ManifestFault::Invalid { said: brief(&said) },
        };
        let manifest: PackManifest = parse_record(&document).map_err(bad)?;
        let mut listing = Self {
            name: hash.to_string(),
            pack_id: None,
            input_hash: *hash,
            input_bytes: document.len() as u64,
            pack: None,
            state: None,
            kinds: None,
            sealed: None,
            manifest,
        };
        drop(document);
        check(&listing.manifest).map_err(|why| listing.refusal(why))?;
        if let Some(tree) = here.tree_of(&listing.name, &listing.manifest.repo_state)? {
            let named: Vec<_> = tree.iter().map(|entry| (entry.path.text(), entry.kind)).collect();
            listing.kinds = Some(kinds(named.iter().map(|(path, kind)| (&**path, *kind))));
        }
        if opening && listing.manifest.sealed().next().is_some() {
            listing.sealed = Some(declared(here, hash, &listing.manifest)?);
        }
        Ok(listing)
    }

    /// Returns whether the pack holds every content.
    pub(super) fn is_whole(&self) -> bool {
        let pack = self.pack.as_ref();
        pack.is_some_and(|pack| self.manifest.entries.iter().all(|entry| pack.has(&entry.content)))
    }

    /// Makes the refusal for a manifest that cannot be restored.
    pub(super) fn refusal(&self, why: Unfit) -> Refusal {
        match why {
            Unfit::Bad(fault) => Refusal::BadManifest {
                name: self.name.clone(),
                fault,
            },
            Unfit::Collision {
                path,
                sources,
                as_ciphertext,
            } => Refusal::Collision {
                path,
                sources,
                as_ciphertext,
            },
        }
    }
}

fn kinds<'a>(entries: impl Iterator<Item = (&'a str, EntryKind)>) -> HashMap<String, EntryKind> {
    let special = entries.filter(|(_, kind)| *kind != EntryKind::Regular);
    special.map(|(path, kind)| (path.to_owned(), kind)).collect()
}

/// Finds the declaration of a manifest's ciphertexts, in the records of a run with this manifest.
fn declared(here: &Here, hash: &Digest, manifest: &PackManifest) -> Result<SealedArtifacts> {
    for run in here.runs.ids()? {
        let refs = here.runs.read(&run, RUN_REFS)?;
        let Some(refs) = refs.and_then(|refs| parse_record::<RunRefs>(&refs).ok()) else {
            continue;
        };
        if refs.manifest_ref != *hash {
            continue;
        }
        let Some(task) = bytes(&here.disk, &refs.task_spec_ref, MAX_BYTES)? else {
            continue;
        };
        let Ok(task) = parse_record::<TaskSpec>(&task) else {
            continue;
        };
        let Some(document) = bytes(&here.disk, &task.sealed, MAX_BYTES)? else {
            continue;
        };
        let Ok(document) = parse_strict_into::<SealedArtifacts>(&document) else {
            continue;
        };
        let mut entries: Vec<_> = sealed_entries(&document).collect();
        entries.sort_unstable_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
        if manifest.sealed().eq(&entries) {
            return Ok(document);
        }
    }
    Err(Refusal::Usage(Misuse::UnknownRunOfManifest))
}

/// The documents of a pack. Each is checked against its hash in the pack's manifest.
struct Documents<'a> {
    /// The path that the user gave.
    name: &'a Path,
    source: &'a Source<'a>,
    manifest: &'a ManifestDocument,
}

impl Documents<'_> {
    fn hash_of(&self, path: &str) -> Option<Digest> {
        let member = self.manifest.members.iter().find(|member| member.path == path)?;
        member.bytes_hash.digest()
    }

    fn parse<T: DeserializeOwned>(&self, path: &'static str) -> Result<T> {
        parse_strict_into(&self.read(path)?).map_err(|e| self.invalid(path, e.to_string()))
    }

    /// Reads the repository state file by file, because it may have very many.
    fn state(&self) -> Result<RepoState> {
        let mut read = None;
        self.source.member(REPO_STATE, &mut |content, _| {
            let mut hashing = Hashing::new(content);
            let state = match RepoState::read(&mut hashing) {
                Ok((state, _)) => Ok(state),
                Err(ListingError::Json(why)) => Err(why.to_string()),
                Err(ListingError::Io(e)) => return Err(e),
            };
            io::copy(&mut hashing, &mut io::sink())?;
            read = Some((state, hashing.finish().1));
            Ok(())
        })?;
        match read {
            Some((state, hash)) if self.hash_of(REPO_STATE) == Some(hash) => {
                state.map_err(|said| self.invalid(REPO_STATE, said))
            }
            _ => Err(self.changed(REPO_STATE)),
        }
    }

    fn invalid(&self, document: &'static str, said: String) -> Refusal {
        Refusal::BadPack {
            path: self.name.to_owned(),
            fault: PackFault::Invalid { document, said },
        }
    }

    fn changed(&self, path: &str) -> Refusal {
        Refusal::ChangedWhileRead {
            path: self.name.join(path),
        }
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.source.member(path, &mut |content, _| {
            bytes.clear();
            content.take(MAX_BYTES + 1).read_to_end(&mut bytes).map(drop)
        })?;
        match self.hash_of(path) == Some(Digest::of(&bytes)) {
            true => Ok(bytes),
            false => Err(self.changed(path)),
        }
    }
}
