//! Ciphertexts of an earlier pack that can be reused for the same plaintexts in a new one.

use std::collections::HashMap;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::adapters::cipher::{Identities, Recipients};
use crate::adapters::files::open_regular;
use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::format::receipt::{Receipt, ReceiptSubject, VERSION};
use crate::format::sealed::{INDEX, Seal, is_grease};
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::ops::pack::sealed_pack::SealedPack;
use crate::ops::pack::source::Source;
use crate::ops::pack::unseal::{Unopened, unseal};
use crate::refusal::pack::PackFault;
use crate::refusal::{Refusal, Result};

/// The seals of a pack, by their content.
pub struct Reusable {
    root: PathBuf,
    /// By path, plaintext and padding.
    seals: HashMap<(String, Digest, bool), (Seal, u64)>,
}

impl Reusable {
    /// Opens every seal of the pack without keeping the plaintext, and keeps the seals for keys of the same kinds as
    /// `recipients`.
    ///
    /// The recipients of an age file cannot be seen, not even by those who can open it.
    pub fn of(ctx: &Context, pack: &Path, identities: &[PathBuf], recipients: &Recipients) -> Result<Self> {
        let root = ctx.cwd.join(pack);
        let source = Source::Directory(&root);
        let sealed = SealedPack::verified(&source, pack)?;
        let identities = identity::load(ctx, identities)?;
        let mut named: Vec<(String, Seal)> = sealed
            .named(&identities)?
            .into_iter()
            .map(|named| (named.path.to_string(), named.seal))
            .collect();
        named.extend(sealed.document.index.clone().map(|index| (INDEX.to_owned(), index)));
        if let Some(kinds) = recipients.stanza_kinds() {
            named.retain(|(_, seal)| kinds_of(seal) == kinds);
        }
        let opened = workers::map(
            &named,
            || Ok(()),
            |(), (path, seal)| {
                hash_of(&source, seal, &identities).map_err(|why| match why {
                    Unopened::Cipher(why) => identity::not_opened(why, path, &identities),
                    Unopened::Seal(fault) => Refusal::BadPack {
                        path: pack.to_owned(),
                        fault: PackFault::Seal {
                            path: Some(path.clone()),
                            fault,
                        },
                    },
                })
            },
        )?;
        let seals = named.into_iter().zip(opened);
        Ok(Self {
            root,
            seals: seals
                .map(|((path, seal), (hash, bytes))| ((path, hash, seal.padded), (seal, bytes)))
                .collect(),
        })
    }

    /// Returns the receipt that a ciphertext of this content would have.
    pub fn find(&self, subject: &ReceiptSubject) -> Option<Receipt> {
        let key = (subject.path.clone(), subject.plain_hash, subject.padded);
        let (seal, plain_bytes) = self.seals.get(&key)?;
        Some(Receipt {
            version: VERSION.into(),
            subject: subject.clone(),
            plain_bytes: *plain_bytes,
            sealed_hash: seal.sealed_hash,
            sealed_bytes: seal.sealed_bytes,
        })
    }

    /// Copies that ciphertext into `output`, and checks that it is still the one that was opened.
    pub fn copy_into(&self, receipt: &Receipt, output: impl Write, target: &Path) -> Result<()> {
        let subject = &receipt.subject;
        let key = (subject.path.clone(), subject.plain_hash, subject.padded);
        let (seal, _) = self.seals.get(&key).expect("`find` made the receipt from these seals");
        let source = self.root.join(&seal.sealed_path);
        let opened = open_regular(&source)?;
        let mut copy = Hashing::new(output);
        std::io::copy(&mut &opened.file, &mut copy).map_err(Refusal::io("writing", target))?;
        match copy.finish().1 == seal.sealed_hash {
            true => Ok(()),
            false => Err(Refusal::ChangedWhileRead { path: source }),
        }
    }
}

fn kinds_of(seal: &Seal) -> Vec<String> {
    let mut kinds: Vec<String> = seal.stanzas.iter().filter(|kind| !is_grease(kind)).cloned().collect();
    kinds.sort();
    kinds
}

fn hash_of(source: &Source<'_>, seal: &Seal, identities: &Identities) -> Result<(Digest, u64), Unopened> {
    let mut hashing = Hashing::new(std::io::sink());
    unseal(source, seal, identities, &mut hashing)?;
    let (_, hash, bytes) = hashing.finish();
    Ok((hash, bytes))
}
