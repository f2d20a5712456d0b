//! Opens the seals of a pack without keeping the plaintext.

use std::collections::BTreeSet;
use std::path::Path;

use crate::adapters::cipher::{DecryptError, Identities};
use crate::adapters::workers;
use crate::format::sealed::{INDEX, Seal};
use crate::ops::keys::identity;
use crate::ops::pack::unseal::{Unopened, named, unseal};
use crate::ops::pack::verify::VerifyReport;
use crate::refusal::Result;
use crate::rules::pack::findings::FindingKind;

/// Opens every seal without keeping the plaintext. A seal with a finding of its own gets no second one.
pub(super) fn open_seals(root: &Path, identities: &Identities, report: &mut VerifyReport) -> Result<()> {
    report.opened = true;
    let Some(document) = &report.sealed else { return Ok(()) };
    let known: BTreeSet<&str> = report
        .findings
        .iter()
        .filter(|finding| matches!(finding.kind, FindingKind::SealMissing(_) | FindingKind::SealTampered(_)))
        .map(|finding| finding.path.as_str())
        .collect();
    let seals: Vec<&Seal> = document
        .artifacts
        .iter()
        .map(|artifact| &artifact.seal)
        .filter(|seal| !known.contains(seal.sealed_path.as_str()))
        .collect();
    let mut found: Vec<(String, String)> = Vec::new();
    let opened = workers::map(
        &seals,
        || Ok(()),
        |(), seal| {
            judged(
                unseal(root, seal, identities, std::io::sink()).map(drop),
                &seal.sealed_path,
                identities,
            )
        },
    )?;
    for (seal, why) in seals.iter().zip(opened) {
        found.extend(why.map(|why| (seal.sealed_path.clone(), why)));
    }
    if document.index.is_some() && !known.contains(INDEX) {
        let named = named(root, document, identities).map(drop);
        found.extend(judged(named, INDEX, identities)?.map(|why| (INDEX.to_owned(), why)));
    }
    for (path, why) in found {
        report.findings.add(path, FindingKind::SealUnopenable(why));
    }
    Ok(())
}

/// Returns what is wrong with a seal. A key that could not be tried says nothing about the seal.
fn judged(opened: Result<(), Unopened>, path: &str, identities: &Identities) -> Result<Option<String>> {
    match opened {
        Ok(()) => Ok(None),
        Err(Unopened::Other(why)) => Ok(Some(why)),
        Err(Unopened::Cipher(why @ (DecryptError::Locked(_) | DecryptError::Reading(_)))) => {
            Err(identity::not_opened(why, path, identities))
        }
        Err(Unopened::Cipher(why)) => Ok(Some(why.to_string())),
    }
}
