//! The seals of a pack, opened to nowhere with the keys given.

use std::path::Path;

use crate::adapters::cipher::{DecryptError, Identities};
use crate::adapters::workers;
use crate::format::sealed::INDEX;
use crate::ops::keys::identity;
use crate::ops::pack::unseal::{Unopened, named, unseal};
use crate::refusal::Result;
use crate::rules::pack::opening::{Opened, judge_opened, to_open};
use crate::rules::pack::verdict::Verdict;

/// Opens every seal that is to be opened, to nowhere, and adds to the verdict what came of it.
pub(super) fn open_seals(root: &Path, identities: &Identities, verdict: &mut Verdict) -> Result<()> {
    let Some(wanted) = to_open(verdict) else { return Ok(()) };
    let mut opened = workers::map(
        &wanted.seals,
        || Ok(()),
        |(), seal| {
            let came = unseal(root, seal, identities, std::io::sink());
            outcome(came.map(drop), &seal.sealed_path, identities)
        },
    )?;
    if wanted.index {
        let came = named(root, wanted.document, identities);
        opened.push(outcome(came.map(drop), INDEX, identities)?);
    }
    judge_opened(verdict, opened);
    Ok(())
}

/// Returns what came of opening a seal. That a key could not be tried says nothing about the seal.
fn outcome(came: Result<(), Unopened>, path: &str, identities: &Identities) -> Result<Opened> {
    let fault = match came {
        Ok(()) => None,
        Err(Unopened::Other(why)) => Some(why),
        Err(Unopened::Cipher(why @ (DecryptError::Locked(_) | DecryptError::Reading(_)))) => {
            return Err(identity::not_opened(why, path, identities));
        }
        Err(Unopened::Cipher(why)) => Some(why.to_string()),
    };
    Ok(Opened {
        path: path.to_owned(),
        fault,
    })
}
