//! Writes the files that a manifest lists, each once, and checks each against its hash in the same pass.

use std::collections::BTreeSet;
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::adapters::cipher::Identities;
use crate::adapters::place::PackPlace;
use crate::adapters::staging::Access;
use crate::adapters::store::{Store, bytes, unreadable};
use crate::format::digest::{Digest, Hashing};
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{EntryKind, digest_lines};
use crate::format::sealed::{Seal, SealedArtifacts};
use crate::ops::keys::identity;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::restore::here::Here;
use crate::ops::pack::restore::listing::ContentListing;
use crate::ops::pack::restore::sources::{Supply, locate};
use crate::ops::pack::restore::target::Target;
use crate::ops::pack::restore::{RestoreReport, RestoreRequest, Restored, RestoredEntries};
use crate::ops::pack::unseal::{MAX_INDEX, Unopened, named_by, unseal_from};
use crate::refusal::manifest::ManifestFault;
use crate::refusal::shown::brief;
use crate::refusal::{CommitHere, Refusal, Result};
use crate::rules::restore::{Form, Item, items};

/// How an age file begins.
const AGE: &[u8] = b"age-encryption.org/v1\n";

/// The most bytes of a file that are held at a time.
const BUFFER: u64 = 128 << 10;

/// Writes the files of a manifest, or only reads and checks them.
pub(super) fn restore(
    request: &RestoreRequest,
    mut listing: ContentListing<'_>,
    (here, place): (Option<&Here>, Option<&dyn PackPlace>),
    identities: Option<&Identities>,
    output: Option<&OutputPlace>,
) -> Result<RestoreReport> {
    let opened = match identities {
        Some(identities) => Some(names(&listing, here, identities)?),
        None => None,
    };
    let items = items(&mut listing.manifest, opened).map_err(|why| listing.refusal(why))?;
    let listing = &listing;
    let sources = locate(listing, here, place, &items)?;
    let access = match identities {
        Some(_) => Access::Private,
        None => Access::Shared,
    };
    let target = Target::of(output, request.dry_run, access)?;
    let writer = Writer {
        listing,
        items: &items,
        identities,
        target: &target,
        written: Mutex::new(vec![None; items.len()]),
        twins: Mutex::default(),
        refused: Mutex::new(None),
    };
    let (written, twins) = writer.all(&sources)?;
    let what = entries(listing, &items, &written, twins);
    for item in items.iter().filter(|item| item.form == Form::File) {
        let kinds = listing.kinds.as_ref();
        if kinds.and_then(|kinds| kinds.get(item.path.as_str())) == Some(&EntryKind::Executable) {
            target.make_executable(&item.path)?;
        }
    }
    Ok(RestoreReport {
        pack_id: listing.pack_id.clone(),
        input_hash: listing.input_hash,
        input_bytes: listing.input_bytes,
        files: items.len() as u64,
        bytes: written.iter().map(|(_, size)| size).sum(),
        digest: digest(items.iter().zip(&written)),
        commit: listing.manifest.repo_state.commit.clone(),
        what: Restored::Entries(what),
        output: target.publish()?,
    })
}

fn digest<'a>(files: impl Iterator<Item = (&'a Item, &'a Written)> + Clone) -> Digest {
    if files.clone().map(|(item, _)| item.path.original()).is_sorted() {
        return digest_lines(files.map(|(item, (hash, size))| (hash, *size, item.path.original())));
    }
    let lines = files.map(|(item, (hash, size))| (item.path.original(), hash, *size));
    let mut lines: Vec<_> = lines.collect();
    lines.sort_by(|(a, ..), (b, ..)| a.cmp(b));
    digest_lines(lines.iter().map(|(path, hash, size)| (*hash, *size, &**path)))
}

fn entries(listing: &ContentListing<'_>, items: &[Item], written: &[Written], twins: Vec<String>) -> RestoredEntries {
    let plain = || items.iter().zip(written).filter(|(item, _)| item.form == Form::File);
    let count = |what: &dyn Fn(&Item) -> bool| items.iter().filter(|item| what(item)).count() as u64;
    let kinds = listing.kinds.as_ref();
    let of_kind = |kind: EntryKind| {
        count(&|item| item.form == Form::File && kinds.and_then(|kinds| kinds.get(item.path.as_str())) == Some(&kind))
    };
    RestoredEntries {
        state: listing.state,
        plain: digest(plain()),
        ciphertexts: count(&|item| item.form == Form::Ciphertext),
        opened: count(&|item| matches!(item.form, Form::Opened(_))),
        twins,
        links: of_kind(EntryKind::Symlink),
        submodules: of_kind(EntryKind::Submodule),
        kinds_known: kinds.is_some(),
    }
}

/// Returns the path and seal of each artifact. If names are sealed, opens the index for them.
fn names(
    listing: &ContentListing<'_>,
    here: Option<&Here>,
    identities: &Identities,
) -> Result<Vec<(MemberPath, Seal)>> {
    let Some(document) = &listing.sealed else {
        return Ok(Vec::new());
    };
    let index = index(listing, here, document)?;
    let opened = named_by(document, |seal, names| {
        unseal_from(&index[..], seal, identities, names).map(drop)
    });
    let named = opened.map_err(|why| match why {
        Unopened::Cipher(why) => identity::not_opened(why, "the names of its artifacts", identities),
        Unopened::Seal(fault) => Refusal::BadManifest {
            name: listing.name.clone(),
            fault: ManifestFault::Seal(fault),
        },
    })?;
    Ok(named.into_iter().map(|named| (named.path, named.seal)).collect())
}

/// Returns the ciphertext of the index; empty if there is none.
fn index(listing: &ContentListing<'_>, here: Option<&Here>, document: &SealedArtifacts) -> Result<Vec<u8>> {
    let Some(seal) = &document.index else {
        return Ok(Vec::new());
    };
    let pack = listing.pack.as_ref().map(|pack| pack as &dyn Store);
    let disk = here.map(|here| &here.disk as &dyn Store);
    for store in pack.into_iter().chain(disk) {
        // Header and tags make a ciphertext less than twice as long as its largest content.
        if let Some(bytes) = bytes(store, &seal.sealed_hash, 2 * MAX_INDEX)? {
            return Ok(bytes);
        }
    }
    Err(Refusal::MissingContent {
        count: 1,
        sealed: 1,
        example: seal.sealed_path.clone(),
        content: seal.sealed_hash.to_string(),
        here: CommitHere::Whole,
    })
}

/// Hash and size of a file that was written.
type Written = (Digest, u64);

struct Writer<'a> {
    listing: &'a ContentListing<'a>,
    items: &'a [Item],
    identities: Option<&'a Identities>,
    target: &'a Target,
    written: Mutex<Vec<Option<Written>>>,
    /// The paths of plain files that are age files.
    twins: Mutex<BTreeSet<String>>,
    /// Why a content was not restored. If the content is damaged, its store reports that instead, after reading all of
    /// it.
    refused: Mutex<Option<Refusal>>,
}

impl Writer<'_> {
    /// Writes everything. Returns what was written, and the paths of the plain files that are age files.
    fn all(self, sources: &[Supply<'_>]) -> Result<(Vec<Written>, Vec<String>)> {
        for Supply { store, items } in sources {
            let hashes: Vec<Digest> = items.iter().map(|at| self.items[*at].content).collect();
            let found = store.get_each(&hashes, &|at, content| self.write(items[at], content))?;
            if let Some(refused) = lock(&self.refused).take() {
                return Err(refused);
            }
            if let Some(at) = found.iter().position(|found| !found) {
                return Err(Refusal::MissingObject {
                    count: 1,
                    example: hashes[at].to_string(),
                });
            }
        }
        let written = self.written.into_inner().unwrap_or_else(PoisonError::into_inner);
        let written: Option<Vec<Written>> = written.into_iter().collect();
        let written = written.expect("every item is in one source, and every source wrote its items");
        let twins = self.twins.into_inner().unwrap_or_else(PoisonError::into_inner);
        Ok((written, twins.into_iter().collect()))
    }

    fn write(&self, at: usize, content: &mut dyn Read) -> Result<()> {
        let item = &self.items[at];
        if lock(&self.refused).is_some() {
            return Ok(());
        }
        let (file, place) = self.target.create(&item.path)?;
        let mut file = Hashing::new(file);
        let done = match (&item.form, self.identities) {
            (Form::Opened(seal), Some(identities)) => unseal_from(content, seal, identities, &mut file)
                .map(drop)
                .map_err(|why| why.refusal(item.path.as_str(), &place, identities)),
            _ => self.copy(item, content, &mut file, &place)?,
        };
        match done {
            Ok(()) => {
                let (_, hash, size) = file.finish();
                lock(&self.written)[at] = Some((hash, size));
            }
            Err(refused) => drop(lock(&self.refused).get_or_insert(refused)),
        }
        Ok(())
    }

    /// Copies a content. The inner refusal is about its size.
    fn copy(&self, item: &Item, content: &mut dyn Read, to: &mut dyn Write, place: &Path) -> Result<Result<()>> {
        let mut head = Vec::new();
        let begun = (&mut *content).take(AGE.len() as u64).read_to_end(&mut head);
        begun.map_err(|e| unreadable(&item.content, &e))?;
        if item.form == Form::File && head == AGE {
            lock(&self.twins).insert(item.path.as_str().to_owned());
        }
        let mut content = head.as_slice().chain(content);
        let mut buffer = vec![0; item.bytes.clamp(1, BUFFER) as usize];
        let mut size = 0;
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => {
                    size += n as u64;
                    if size > item.bytes {
                        break;
                    }
                    to.write_all(&buffer[..n]).map_err(Refusal::io("writing", place))?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(unreadable(&item.content, &e)),
            }
        }
        Ok(match size == item.bytes {
            true => Ok(()),
            false => Err(Refusal::BadManifest {
                name: self.listing.name.clone(),
                fault: ManifestFault::Size {
                    path: brief(item.path.as_str()),
                    listed: item.bytes,
                    found: (size < item.bytes).then_some(size),
                },
            }),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
