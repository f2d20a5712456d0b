//! The parts of collecting that tree packs and evidence packs share.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::path::Path;

use unicode_normalization::UnicodeNormalization;

use crate::adapters::files::Walked;
use crate::adapters::git::Repository;
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded};
use crate::ops::keys::recipients;
use crate::ops::pack::seal::plan::{ProtectedArtifact, Sealing};
use crate::ops::pack::seal::{SealNotice, SealRequest};
use crate::refusal::keys::RecipientsElsewhere;
use crate::refusal::shown::shown;
use crate::refusal::{Refusal, Result};

pub(super) fn member_path(path: &[u8]) -> Result<MemberPath> {
    MemberPath::of(path).map_err(|fault| Refusal::UnsafePath {
        path: shown(path),
        fault,
    })
}

/// Returns how protected artifacts are sealed; none if there are none. Refuses if there are artifacts but no
/// recipients.
pub(super) fn sealing_of(
    ctx: &Context,
    protected: Vec<ProtectedArtifact>,
    request: &SealRequest,
    loaded: &Loaded,
    elsewhere: impl FnOnce() -> RecipientsElsewhere,
) -> Result<Option<Sealing>> {
    let recipients = recipients::of_flags_or_config(ctx, &request.recipients, &request.recipients_files, loaded)?;
    if protected.is_empty() {
        return Ok(None);
    }
    if recipients.names().is_empty() {
        return Err(Refusal::NoRecipients {
            artifacts: protected.iter().map(|p| shown(p.path.as_str().as_bytes())).collect(),
            elsewhere: elsewhere(),
        });
    }
    Ok(Some(Sealing {
        artifacts: protected,
        recipients,
        privacy: request.privacy,
        fresh: request.fresh,
    }))
}

/// Returns where recipients are named that do not count for a commit with this tree.
pub(super) fn named_elsewhere(repo: &Repository, tree: ObjectId) -> RecipientsElsewhere {
    let root = repo.work_tree();
    let on_disk = root.and_then(|root| configuration::on_disk(&root).ok());
    let is_head = || repo.commit("HEAD").is_ok_and(|head| head.tree == tree);
    match on_disk {
        Some(disk) if disk.names_recipients() && is_head() => RecipientsElsewhere::Uncommitted,
        Some(disk) if disk.names_recipients() => RecipientsElsewhere::OtherCommit,
        Some(disk) if disk.is_present() => RecipientsElsewhere::Unnamed,
        _ => RecipientsElsewhere::Nowhere,
    }
}

/// Returns a notice for each pair of paths that a file system without case treats as one.
pub(super) fn same_but_for_case<'a>(paths: impl Iterator<Item = &'a MemberPath> + Clone) -> Vec<SealNotice> {
    let fold = |path: &MemberPath| match path.as_str() {
        text if text.is_ascii() => text.to_ascii_lowercase(),
        text => text.nfc().collect::<String>().to_lowercase(),
    };
    // Nearly all paths differ, and their hashes take less memory than their names.
    let hasher = RandomState::new();
    let mut hashes: Vec<u64> = paths.clone().map(|path| hasher.hash_one(fold(path))).collect();
    let all = hashes.clone();
    hashes.sort_unstable();
    let twice: BTreeSet<u64> = hashes
        .windows(2)
        .filter(|pair| pair[0] == pair[1])
        .map(|pair| pair[0])
        .collect();
    let mut folded: BTreeMap<String, &MemberPath> = BTreeMap::new();
    let suspects = paths.zip(all).filter(|(_, hash)| twice.contains(hash));
    suspects
        .filter_map(|(path, _)| {
            let other = folded.insert(fold(path), path)?;
            let paths = [other.to_string(), path.to_string()];
            Some(SealNotice::SameButForCase { paths })
        })
        .collect()
}

/// Returns whether a walked entry is a file to seal. Refuses everything else except an empty directory.
pub(super) fn is_artifact(path: &Path, walked: Walked) -> Result<bool> {
    match walked {
        Walked::File => Ok(true),
        Walked::EmptyDirectory => Ok(false),
        Walked::NotRegular(kind) => Err(Refusal::NotRegular {
            path: path.to_owned(),
            kind,
        }),
        Walked::UnreadableDirectory(e) => Err(Refusal::io("listing", path)(e)),
        Walked::Unreadable(e) => Err(Refusal::io("reading", path)(e)),
    }
}
