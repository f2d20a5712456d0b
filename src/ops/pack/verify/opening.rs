//! Opens the seals of a pack to check them, and discards their contents.

use crate::adapters::cipher::{DecryptError, Identities};
use crate::adapters::workers;
use crate::format::sealed::INDEX;
use crate::ops::keys::identity;
use crate::ops::pack::source::Source;
use crate::ops::pack::unseal::{Unopened, named, unseal};
use crate::refusal::Result;
use crate::rules::pack::opening::{OpenedSeal, judge_opened, to_open};
use crate::rules::pack::verdict::Verdict;

/// Opens the seals that are worth opening, and adds the failures to the verdict.
pub(super) fn open_seals(source: &Source<'_>, identities: &Identities, verdict: &mut Verdict) -> Result<()> {
    let Some(wanted) = to_open(verdict) else { return Ok(()) };
    let mut opened = workers::map(
        &wanted.seals,
        || Ok(()),
        |(), seal| {
            let came = unseal(source, seal, identities, std::io::sink());
            outcome(came.map(drop), &seal.sealed_path, identities)
        },
    )?;
    if wanted.index {
        let came = named(source, wanted.document, identities);
        opened.push(outcome(came.map(drop), INDEX, identities)?);
    }
    judge_opened(verdict, opened);
    Ok(())
}

/// Returns the result of opening a seal. A key that could not be tried is an error: it says nothing about the seal.
fn outcome(came: Result<(), Unopened>, path: &str, identities: &Identities) -> Result<OpenedSeal> {
    let fault = match came {
        Ok(()) => None,
        Err(Unopened::Seal(fault)) => Some(fault.to_string()),
        Err(Unopened::Cipher(why @ (DecryptError::Locked { .. } | DecryptError::Reading(_)))) => {
            return Err(identity::not_opened(why, path, identities));
        }
        Err(Unopened::Cipher(why)) => Some(why.to_string()),
    };
    Ok(OpenedSeal {
        path: path.to_owned(),
        fault,
    })
}
