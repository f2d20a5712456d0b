//! A verified pack with seals, for the holder of a key.

use std::path::{Path, PathBuf};

use crate::adapters::cipher::Identities;
use crate::format::sealed::SealedArtifacts;
use crate::ops::keys::identity;
use crate::ops::pack::source::Source;
use crate::ops::pack::unseal::{NamedSeal, Unopened, named};
use crate::ops::pack::verify::verify_source;
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::findings::Check;
use crate::rules::pack::verdict::Verdict;

/// A verified pack, and the declaration of its seals.
pub struct SealedPack<'a> {
    /// Where it is.
    pub source: &'a Source<'a>,
    /// The path that the user gave.
    pub name: PathBuf,
    /// The outcome of its verification.
    pub verdict: Verdict,
    /// The declaration of its seals.
    pub document: SealedArtifacts,
}

/// Refuses a pack that does not verify.
pub fn ensure_sound(verdict: &Verdict, name: &Path) -> Result<()> {
    match verdict.findings.iter().next() {
        None => Ok(()),
        Some(first) => Err(Refusal::NotSound {
            has_leak: !verdict.findings.passes(Check::PlaintextLeak),
            path: name.to_owned(),
            first: format!("{} {}", first.kind.code(), first.path).trim_end().to_owned(),
            more: verdict.findings.len() - 1,
        }),
    }
}

impl<'a> SealedPack<'a> {
    /// Verifies a pack. Refuses one that is not sound, or declares no seals.
    pub fn verified(source: &'a Source<'a>, name: &Path) -> Result<Self> {
        let mut verdict = verify_source(source)?;
        ensure_sound(&verdict, name)?;
        let document = verdict.sealed.take().filter(|document| !document.artifacts.is_empty());
        let Some(document) = document else {
            return Err(Refusal::Usage(Misuse::NothingSealed { pack: name.to_owned() }));
        };
        Ok(Self {
            source,
            name: name.to_owned(),
            verdict,
            document,
        })
    }

    /// Returns the artifacts, sorted by path. If names are sealed, opens the index for them.
    pub fn named(&self, identities: &Identities) -> Result<Vec<NamedSeal>> {
        named(self.source, &self.document, identities).map_err(|why| match why {
            Unopened::Cipher(why) => identity::not_opened(why, "the names of its artifacts", identities),
            Unopened::Seal(fault) => Refusal::BadPack {
                path: self.name.clone(),
                fault: PackFault::Seal { path: None, fault },
            },
        })
    }
}
