//! What stands at the output of a seal, and whether it may be replaced.

use std::path::Path;

use crate::adapters::git::Repository;
use crate::adapters::staging::{Publish, Staging};
use crate::adapters::{files, pack_dir};
use crate::format::digest::Digest;
use crate::format::manifest::MemberIndex;
use crate::format::member_path::MANIFEST;
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_path::RepoPath;
use crate::ops::pack::seal::SealNotice;
use crate::ops::pack::verify;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::places::in_sealed;

/// Refuses early what [`publish`] would refuse after all the work.
pub fn check_output(output: &Path, replace: bool) -> Result<()> {
    if !files::exists(output) || files::is_empty_directory(output) {
        return Ok(());
    }
    let replaceable = is_replaceable(output);
    match replace && replaceable {
        true => Ok(()),
        false => Err(Refusal::OutputExists {
            path: output.to_owned(),
            replaceable: replaceable && !replace,
        }),
    }
}

/// Moves a finished pack to its output, which is free, or holds another pack to replace.
pub fn publish(staging: Staging, output: &Path, replace: bool) -> Result<()> {
    check_output(output, replace)?;
    let how = match files::exists(output) && !files::is_empty_directory(output) {
        true => Publish::Replace,
        false => Publish::New,
    };
    staging.publish(output, how)
}

/// Returns whether the output may be replaced: only a pack, and only without undeclared files, which may be somebody's
/// work.
pub(super) fn is_replaceable(output: &Path) -> bool {
    let Some(manifest) = pack_dir::manifest(output).ok().filter(|_| files::is_directory(output)) else {
        return false;
    };
    let declared = MemberIndex::of(&manifest.members);
    let mut found = files::walk(output, |_| true).into_iter().map(|(path, _)| path);
    found.all(|path| path == MANIFEST.as_bytes() || declared.has(&path))
}

/// Returns whether a pack with this id stands whole at the output.
pub(super) fn stands_whole(output: &Path, pack_id: &Digest) -> bool {
    files::is_directory(output)
        && verify::verify_directory(output)
            .is_ok_and(|verdict| verdict.findings.is_empty() && verdict.pack_id == pack_id.to_string())
}

/// Refuses if the pack at the output holds seals that the staged one lacks. Whoever replaces it should know that these are lost.
pub(super) fn ensure_keeps_seals(output: &Path, staged: &Path) -> Result<()> {
    if !is_replaceable(output) {
        return Ok(());
    }
    let (standing, new) = (pack_dir::manifest(output)?, pack_dir::manifest(staged)?);
    let new = MemberIndex::of(&new.members);
    let only_there = |path: &&str| in_sealed(path) && !new.has(path.as_bytes());
    let mut lost = standing.members.iter().map(|member| member.path).filter(only_there);
    match lost.next() {
        None => Ok(()),
        Some(first) => Err(Refusal::HasOtherSeals {
            path: output.to_owned(),
            first: first.to_owned(),
            more: lost.count(),
        }),
    }
}

/// Returns a notice if the output is in the work tree and git does not ignore it.
pub(super) fn note_if_tracked(repo: &Repository, output: &Path) -> Result<Option<SealNotice>> {
    let Some(root) = repo.work_tree() else { return Ok(None) };
    let Ok(below) = output.strip_prefix(&root) else {
        return Ok(None);
    };
    let inside = RepoPath::new(&bytes_of_path(&below.join(MANIFEST)));
    Ok((!repo.is_ignored(&inside)?).then_some(SealNotice::NotIgnored))
}
