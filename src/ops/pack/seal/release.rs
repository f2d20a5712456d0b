//! The files that `--plaintext` releases: private keys, files that only claim to be sealed, and files with content that
//! is protected under another name.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::path_bytes::bytes_of_path;
use crate::format::repo_state::TreeEntry;
use crate::ops::Context;
use crate::ops::contents::{ContentAt, blob_of_file};
use crate::ops::pack::seal::SealRequest;
use crate::ops::pack::seal::candidates::NamedArtifact;
use crate::ops::pack::seal::judged::JudgedArtifact;
use crate::ops::protection::PackJudge;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::Registry;
use crate::rules::scan::{Leak, LeakCode};

/// Returns the indices of the artifacts that the request names. Refuses a name that fits none.
pub(super) fn named(
    ctx: &Context,
    request: &SealRequest,
    candidates: &[(MemberPath, NamedArtifact)],
) -> Result<BTreeSet<usize>> {
    let mut all = BTreeSet::new();
    for path in &request.plaintext {
        let bare = &*bare(path);
        let on_disk = files::canonical(&ctx.cwd.join(path)).ok();
        let is_there = |(_, candidate): &(MemberPath, NamedArtifact)| match &candidate.source {
            ContentAt::File(file) => on_disk.is_some() && files::canonical(file).ok() == on_disk,
            ContentAt::Blob(_) => candidate.place.as_deref() == Some(bare),
        };
        let is_called = |(member, _): &(MemberPath, NamedArtifact)| member.as_str().as_bytes() == bare;
        let all_that = |is_it: &dyn Fn(&(MemberPath, NamedArtifact)) -> bool| -> Vec<usize> {
            (0..candidates.len()).filter(|at| is_it(&candidates[*at])).collect()
        };
        // A path may be where one artifact is on disk, and also the name of another in the pack. Only the first is
        // meant.
        let found = match all_that(&is_there) {
            found if found.is_empty() => all_that(&is_called),
            found => found,
        };
        if found.is_empty() {
            return Err(not_there(path));
        }
        all.extend(found);
    }
    Ok(all)
}

/// Adds an exception to the registry for each named artifact's blob, so that the pack verifies with it in the clear.
///
/// Only a rule can release what a rule protects, except keys.
pub(super) fn release(
    repo: &Repository,
    registry: &mut Registry,
    named: &BTreeSet<usize>,
    judged: &mut [JudgedArtifact],
    candidates: &[(MemberPath, NamedArtifact)],
) -> Result<()> {
    let mut blobs = Vec::new();
    for at in named {
        let (item, (member, candidate)) = (&mut judged[*at], &candidates[*at]);
        let Some(leak) = &item.leak else { continue };
        ensure_may_be_named(leak, member.as_str())?;
        let blob = match &candidate.source {
            ContentAt::Blob(id) => *id,
            ContentAt::File(file) => blob_of_file(file, &repo.zero_id())?,
        };
        item.seen.blob = Some(blob);
        item.leak = None;
        blobs.push(blob);
    }
    registry.allow(&blobs);
    Ok(())
}

/// Does the same for entries of a commit's tree; returns the paths that are in the clear only because of that.
pub(super) fn release_in_tree(
    ctx: &Context,
    request: &SealRequest,
    root: Option<&Path>,
    registry: &mut Registry,
    (entries, judge): (&[TreeEntry], &PackJudge),
) -> Result<Vec<String>> {
    let mut blobs: Vec<ObjectId> = Vec::new();
    let mut released = Vec::new();
    for path in &request.plaintext {
        let below = root.and_then(|root| below(root, &ctx.cwd, path));
        let is_it = |entry: &&TreeEntry| {
            let full = entry.path.as_bytes();
            full == &*bare(path) || below.as_ref().is_some_and(|below| &*bytes_of_path(below) == full)
        };
        let entry = entries.iter().find(is_it).ok_or_else(|| not_there(path))?;
        if let Some(leak) = judge.judge(registry, entry).1 {
            ensure_may_be_named(&leak, &entry.path.to_string())?;
            blobs.push(entry.id);
            released.push(entry.path.to_string());
        }
    }
    registry.allow(&blobs);
    Ok(released)
}

fn ensure_may_be_named(leak: &Leak, path: &str) -> Result<()> {
    match leak.code {
        LeakCode::PrivateKey | LeakCode::FakeSeal | LeakCode::KnownPlaintext => Ok(()),
        _ => Err(Refusal::Usage(Misuse::NotReleasable {
            path: path.to_owned(),
            cause: leak.cause.to_string(),
            class: leak.class.clone(),
        })),
    }
}

fn not_there(path: &Path) -> Refusal {
    Refusal::Usage(Misuse::NotInPack { path: path.to_owned() })
}

fn bare(path: &Path) -> Cow<'_, [u8]> {
    bytes_of_path(path.strip_prefix(".").unwrap_or(path))
}

/// Returns the position below `root` of a path on the command line, whether or not a file is there.
fn below(root: &Path, cwd: &Path, path: &Path) -> Option<PathBuf> {
    let mut place = PathBuf::new();
    let cwd = files::canonical(cwd).ok()?;
    for part in cwd.join(path).components() {
        match part {
            Component::ParentDir => drop(place.pop()),
            Component::CurDir => {}
            part => place.push(part),
        }
    }
    place.strip_prefix(root).ok().map(Path::to_owned)
}
