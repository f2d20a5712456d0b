//! Judges artifacts: whether they may be in the clear, and why not.

use std::io::Read;
use std::path::Path;

use crate::adapters::files::{self, Stamp};
use crate::format::member_path::MemberPath;
use crate::format::protected::Policy;
use crate::format::repo_state::{EntryKind, Mode};
use crate::format::sealed::ATTACHED;
use crate::ops::contents::blob_of_file;
use crate::ops::pack::seal::guarded::{self, Guarded};
use crate::ops::pack::seal::plan::{ArtifactSource, EvidenceMember, ProtectedArtifact};
use crate::refusal::leak::Giveaway;
use crate::refusal::{Refusal, Result};
use crate::rules::content::claims_age;
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode, Traits};

/// The length of the beginning of a file that shows whether it claims to be an age file.
const HEAD: u64 = 4096;

/// An artifact, and why it may not be in the clear.
pub(super) struct JudgedArtifact {
    pub(super) source: ArtifactSource,
    pub(super) seen: PlainMember,
    pub(super) leak: Option<Leak>,
}

impl JudgedArtifact {
    pub(super) fn plain(self, path: MemberPath) -> EvidenceMember {
        EvidenceMember {
            path,
            source: self.source,
            seen: self.seen,
        }
    }
}

/// A file on disk after its judgement.
pub(super) struct JudgedFile {
    pub(super) seen: PlainMember,
    /// The file's state at its judgement. It must be the same when it is read later.
    pub(super) stamp: Stamp,
    /// Why it may not be in the clear.
    pub(super) leak: Option<Leak>,
}

/// When the content of a file is examined.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Only if its name does not decide already.
    AsNeeded,
    /// Always.
    Always,
}

/// Judges files on disk.
pub(super) struct FileJudge<'a> {
    pub(super) registry: &'a Registry,
    pub(super) guarded: &'a Guarded,
    pub(super) mode: Mode,
    pub(super) look: Inside,
}

impl FileJudge<'_> {
    /// Examines a file and judges it under every one of `names`. The strictest verdict applies.
    ///
    /// Computes the blob's id only if an exception may release it. Examines the content only if that can change the
    /// verdict, unless `look` demands it.
    pub(super) fn judge(&self, path: &Path, names: &[&[u8]]) -> Result<JudgedFile> {
        let opened = files::open_regular(path)?;
        let reading = |e| Refusal::io("reading", path)(e);
        let mut head = Vec::new();
        (&opened.file).take(HEAD).read_to_end(&mut head).map_err(reading)?;
        let forbidden = self.look == Inside::AsNeeded && names.iter().any(|name| self.registry.forbids_path(name));
        let traits = match forbidden && !claims_age(&head) {
            // The content changes nothing, so a second read would be wasted.
            true => Traits::default(),
            false => {
                let traits = self.guarded.look_into(&mut head.chain(&opened.file), opened.size);
                traits.map_err(reading)?
            }
        };
        let mut seen = PlainMember {
            kind: EntryKind::Regular,
            traits,
            blob: None,
        };
        let judge = |seen: &PlainMember| {
            let leaks = names
                .iter()
                .filter_map(|name| judge_at(self.registry, name, seen, self.mode));
            // Of equally strict ones the first, which is by the path in the pack: `verify` knows no other path.
            leaks.rev().max_by_key(|leak| leak.policy)
        };
        let mut leak = judge(&seen);
        if leak.is_some()
            && let Some(like) = self.registry.exceptions().next()
        {
            seen.blob = Some(blob_of_file(path, &like)?);
            leak = judge(&seen);
        }
        opened.ensure_unchanged()?;
        Ok(JudgedFile {
            seen,
            stamp: opened.stamp(),
            leak,
        })
    }
}

/// Makes the artifact that a leak requires to be sealed.
pub(super) fn protected_by(leak: Leak, path: MemberPath, source: ArtifactSource) -> ProtectedArtifact {
    let formats = match &leak.cause {
        Cause::Content(format) => vec![*format],
        _ => Vec::new(),
    };
    ProtectedArtifact {
        path,
        source,
        class: leak.class,
        policy: leak.policy,
        rule: leak.cause.to_string(),
        formats,
        attached: false,
    }
}

/// Makes an artifact that no rule protects, and that `rule` attached.
pub(super) fn attached_by(rule: &str, path: MemberPath, source: ArtifactSource) -> ProtectedArtifact {
    ProtectedArtifact {
        path,
        source,
        class: ATTACHED.into(),
        policy: Policy::Never,
        rule: rule.to_owned(),
        formats: Vec::new(),
        attached: true,
    }
}

/// Refuses files that must not become sealed artifacts: those that only claim to be sealed, and those that hold part of
/// a file that is protected under another name. `is_entry` says whether a glob can leave the file out.
pub(super) fn ensure_is_artifact(leak: &Leak, is_entry: bool) -> Result<()> {
    let giveaway = match leak.code {
        LeakCode::FakeSeal => Some(Giveaway::FakeSeal {
            fault: leak.detail.as_deref().unwrap_or("it is not an age file").to_owned(),
        }),
        LeakCode::KnownPlaintext => guarded::why(leak),
        _ => None,
    };
    match giveaway {
        Some(giveaway) => Err(Refusal::PlaintextLeak {
            plain: leak.entry.path.to_string(),
            giveaway,
            may_be_named: true,
            entry: String::from_utf8(leak.entry.path.as_bytes().to_vec())
                .ok()
                .filter(|_| is_entry),
        }),
        None => Ok(()),
    }
}
