//! What a seal would make: the plan of the pack, without the pack.

use std::path::PathBuf;

use crate::adapters::git::Commit;
use crate::format::tree_meta::Part;
use crate::ops::Context;
use crate::ops::pack::output::outside_of_git;
use crate::ops::pack::seal::leaks::ensure_none_would_leak;
use crate::ops::pack::seal::plan::Material;
use crate::ops::pack::seal::{SealNotice, SealRequest, check_output, planned};
use crate::refusal::Result;

/// What would be sealed.
#[derive(Debug)]
pub struct SealPreview {
    /// The commit of a tree pack, and its branch.
    pub commit: Option<(Commit, Option<String>)>,
    /// Number of files that are not sealed.
    pub plain_files: u64,
    /// Whether the pack would hold them, and not only their hashes.
    pub holds_files: bool,
    /// The paths of the artifacts that would be sealed, each with its class.
    pub artifacts: Vec<(String, String)>,
    /// Number of their recipients.
    pub recipients: usize,
    /// The output or, if the name depends on the content, the directory for it.
    pub output: Option<PathBuf>,
    /// Notices for the user.
    pub notices: Vec<SealNotice>,
}

/// Plans a seal, and refuses what a seal refuses before it writes. Encrypts nothing, and makes no pack.
pub fn preview(ctx: &Context, request: &SealRequest) -> Result<SealPreview> {
    if let Some(output) = &request.output {
        check_output(&ctx.cwd.join(output), request.replace)?;
        outside_of_git(ctx, output)?;
    }
    let plan = planned(ctx, request)?;
    ensure_none_would_leak(&plan)?;
    let sealing = plan.sealing().map(|(_, sealing)| sealing);
    let artifacts = sealing.iter().flat_map(|sealing| &sealing.artifacts);
    Ok(SealPreview {
        artifacts: artifacts
            .map(|artifact| (artifact.path.as_str().to_owned(), artifact.class.clone()))
            .collect(),
        recipients: sealing.map_or(0, |sealing| sealing.recipients.names().len()),
        output: match &request.output {
            Some(output) => Some(ctx.cwd.join(output)),
            None => plan.default_directory.clone(),
        },
        plain_files: match &plan.material {
            Material::Tree(tree) => tree.members.len() as u64,
            Material::Evidence(evidence) => evidence.members.len() as u64,
        },
        holds_files: match &plan.material {
            Material::Tree(tree) => tree.emit.iter().any(|part| *part != Part::Lite),
            Material::Evidence(_) => true,
        },
        commit: match &plan.material {
            Material::Tree(tree) => Some((tree.commit, tree.branch.clone())),
            Material::Evidence(_) => None,
        },
        notices: plan.notices,
    })
}
