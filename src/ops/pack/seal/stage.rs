//! Staging: reads each source once, and copies or encrypts it into the pack.

use crate::adapters::staging::Staging;
use crate::ops::pack::seal::copy::{copy_all, hash_all};
use crate::ops::pack::seal::encrypt::Sealer;
use crate::ops::pack::seal::plan::{Material, SealPlan};
use crate::ops::pack::seal::reuse::Reusable;
use crate::ops::pack::seal::staged::StagedPack;
use crate::refusal::Result;

/// Writes every member of the plan.
pub fn stage(staging: &Staging, plan: &SealPlan, reusable: Option<&Reusable>) -> Result<StagedPack> {
    // Artifacts are sealed first. If that fails, no plain member was copied in vain.
    let (sealed, index) = match plan.sealing() {
        Some((ruled, sealing)) => Sealer::of(staging, &ruled.repo, sealing, reusable).all()?,
        None => (Vec::new(), None),
    };
    let plain = match &plan.material {
        Material::Tree(tree) if tree.needs_copies() => copy_all(staging, Some(&tree.ruled.repo), &tree.members)?,
        Material::Tree(tree) => hash_all(tree)?,
        Material::Evidence(evidence) => {
            let rules = evidence.rules.as_ref();
            copy_all(staging, rules.map(|rules| &rules.ruled.repo), &evidence.members)?
        }
    };
    Ok(StagedPack {
        plain,
        sealed,
        index,
        withheld: Vec::new(),
    })
}
