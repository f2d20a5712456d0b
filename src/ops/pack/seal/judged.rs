//! Artifacts that were judged: whether they may stand in the clear, and why not.

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
use crate::refusal::{Refusal, Result};
use crate::rules::content::claims_age;
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode, Traits};

/// Enough of a file to see whether it claims to be an age file.
const HEAD: u64 = 4096;

/// An artifact, and why it may not stand in the clear.
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

/// A file on disk that was judged.
pub(super) struct JudgedFile {
    pub(super) seen: PlainMember,
    /// What it was then: what is read later must be the same.
    pub(super) stamp: Stamp,
    /// Why it may not stand in the clear.
    pub(super) leak: Option<Leak>,
}

/// When a file's content is looked into.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Inside {
    /// Where its name does not decide already.
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
    /// Looks into a file and judges it under every one of `names`; the strictest verdict holds.
    ///
    /// Which blob it is is found out only where that may release it; what its content is, only where that can change
    /// something, unless `look` says so.
    pub(super) fn judge(&self, path: &Path, names: &[&[u8]]) -> Result<JudgedFile> {
        let opened = files::open_regular(path)?;
        let reading = |e| Refusal::io("reading", path)(e);
        let mut head = Vec::new();
        (&opened.file).take(HEAD).read_to_end(&mut head).map_err(reading)?;
        let forbidden = self.look == Inside::AsNeeded && names.iter().any(|name| self.registry.forbids_path(name));
        let traits = match forbidden && !claims_age(&head) {
            // What it is changes nothing, and reading it twice would take its time.
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
            leaks.max_by_key(|leak| leak.policy)
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

/// Has an artifact sealed because of a leak.
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

/// Has an artifact sealed that no rule protects, because somebody attached it by `rule`.
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

/// Refuses what is no artifact to be sealed: what only claims to be sealed, and what holds a part of something that is
/// protected under another name.
pub(super) fn ensure_is_artifact(leak: &Leak) -> Result<()> {
    let protected = match leak.code {
        LeakCode::FakeSeal => Some(format!(
            "its name says that it is sealed, but {}",
            leak.detail.as_deref().unwrap_or("it is no age file")
        )),
        LeakCode::KnownPlaintext => guarded::why(leak),
        _ => None,
    };
    match protected {
        Some(protected) => Err(Refusal::PlaintextLeak {
            plain: leak.entry.path.to_string(),
            protected,
            may_be_named: true,
        }),
        None => Ok(()),
    }
}
