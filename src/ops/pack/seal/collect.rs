//! What goes into a pack, from where, and in which form: decided before anything is written.

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher, RandomState};
use std::io::Read;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;

use crate::adapters::cipher::Recipients;
use crate::adapters::files::{self, Stamp, Walked};
use crate::adapters::git::{Commit, Repository};
use crate::format::dump::layout::Layout;
use crate::format::member_path::{MemberPath, Unsafe};
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Policy};
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::sealed::ATTACHED;
use crate::format::tree_meta::{Part, REPO};
use crate::ops::Context;
use crate::ops::configuration::Loaded;
use crate::ops::contents::blob_of_file;
use crate::ops::keys::recipients;
use crate::ops::pack::seal::guarded::{self, Guarded};
use crate::ops::pack::seal::{Notice, Privacy, SealRequest};
use crate::refusal::shown::shown;
use crate::refusal::{Refusal, Result};
use crate::rules::content::claims_age;
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::protect::{Cause, Registry};
use crate::rules::scan::{Leak, LeakCode, Traits};

/// Everything that will be staged.
pub struct Plan {
    /// The repository, where there is one.
    pub repo: Option<Repository>,
    /// What makes it a tree pack.
    pub tree: Option<TreePlan>,
    /// What stays in the clear.
    pub mode: Mode,
    /// The registry in force, where there is one.
    pub registry: Option<Registry>,
    /// The state of the commit that an evidence pack is bound to.
    pub binding: Option<RepoState>,
    /// Copied as they are.
    pub plain: Vec<Plain>,
    /// Sealed.
    pub protected: Vec<Protected>,
    /// How much the seals tell of what they hold.
    pub privacy: Privacy,
    /// Whether everything is encrypted anew.
    pub fresh: bool,
    /// For whom; none where nothing is sealed.
    pub recipients: Option<Recipients>,
    /// Where packs go that have no output of their own.
    pub default_directory: Option<PathBuf>,
    /// What somebody should know.
    pub notices: Vec<Notice>,
}

/// What a tree pack knows of its commit.
pub struct TreePlan {
    /// The commit.
    pub commit: Commit,
    /// The branch, if the commit is that of `HEAD`.
    pub branch: Option<String>,
    /// The scope's key.
    pub scope: String,
    /// The scope's title.
    pub title: String,
    /// The canon version in the commit.
    pub canon_version: String,
    /// What the pack is made of, sorted.
    pub emit: Vec<Part>,
    /// How its texts are laid out.
    pub layout: Layout,
    /// The globs of the scope: what is in it, and what is left out.
    pub globs: [Vec<String>; 2],
}

impl TreePlan {
    /// Returns whether entries are copied, be it only to be read again.
    pub fn needs_copies(&self) -> bool {
        self.emit.iter().any(|part| *part != Part::Lite)
    }
}

/// Where bytes come from.
#[derive(Clone, Debug)]
pub enum Source {
    /// A file on disk, and what it was when it was judged.
    File(PathBuf, Box<Stamp>),
    /// A blob of the repository.
    Blob(ObjectId),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A member in the clear.
pub struct Plain {
    /// Its member path.
    pub path: MemberPath,
    /// Its bytes.
    pub source: Source,
    /// What it copies, in a tree pack.
    pub entry: Option<Entry>,
    /// By what it was judged; none of an entry whose content there is nothing to be said of.
    pub seen: Option<Box<PlainMember>>,
}

/// What there is to know of a tree's entry, other than its path.
#[derive(Clone, Copy)]
pub struct Entry {
    /// What it is.
    pub kind: EntryKind,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
}

impl Plain {
    /// Returns the entry that it copies, with its path in the tree.
    pub fn tracked(&self) -> Option<(&str, Entry)> {
        let path = self.path.as_str().strip_prefix(REPO)?.strip_prefix('/')?;
        Some((path, self.entry?))
    }

    /// Returns by what it was judged.
    pub fn seen(&self) -> PlainMember {
        match &self.seen {
            Some(seen) => (**seen).clone(),
            None => PlainMember {
                kind: self.entry.as_ref().map_or(EntryKind::Regular, |entry| entry.kind),
                traits: Traits::default(),
                blob: self.entry.as_ref().map(|entry| entry.id),
            },
        }
    }
}

/// An artifact to be sealed.
pub struct Protected {
    /// Where it would lie in plaintext.
    pub path: MemberPath,
    /// Its bytes.
    pub source: Source,
    /// Its class.
    pub class: String,
    /// Its policy.
    pub policy: Policy,
    /// The glob that matched, or what else sealed it.
    pub rule: String,
    /// What its content was recognised as, if that is why.
    pub formats: Vec<Format>,
    /// Whether no rule matched: somebody attached it.
    pub attached: bool,
}

pub(super) fn protect(path: MemberPath, source: Source, leak: Option<Leak>, otherwise: &str) -> Protected {
    let attached = leak.is_none();
    let formats = match leak.as_ref().map(|leak| &leak.cause) {
        Some(Cause::Content(format)) => vec![*format],
        _ => Vec::new(),
    };
    let (class, policy, rule) = match leak {
        Some(leak) => (leak.class, leak.policy, leak.cause.to_string()),
        None => (ATTACHED.into(), Policy::Never, otherwise.into()),
    };
    Protected {
        path,
        source,
        class,
        policy,
        rule,
        formats,
        attached,
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

/// Enough of a file to see whether it claims to be an age file.
const HEAD: u64 = 4096;

/// A file on disk that was judged.
pub(super) struct Judged {
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

/// Looks into a file on disk and judges it under every one of `names`; the strictest verdict holds.
///
/// Which blob it is is found out only where that may release it; what its content is, only where that can change something,
/// unless `look` says so.
pub(super) fn judge_file(
    path: &Path,
    registry: &Registry,
    names: &[&[u8]],
    mode: Mode,
    (look, guarded): (Inside, &Guarded),
) -> Result<Judged> {
    let opened = files::open_regular(path)?;
    let reading = |e| Refusal::io("reading", path)(e);
    let mut head = Vec::new();
    (&opened.file).take(HEAD).read_to_end(&mut head).map_err(reading)?;
    let forbidden = look == Inside::AsNeeded && names.iter().any(|name| registry.forbids_path(name));
    let traits = match forbidden && !claims_age(&head) {
        // What it is changes nothing, and reading it twice would take its time.
        true => Traits::default(),
        false => {
            let traits = guarded.look_into(&mut head.chain(&opened.file), opened.size);
            traits.map_err(reading)?
        }
    };
    let mut seen = PlainMember {
        kind: EntryKind::Regular,
        traits,
        blob: None,
    };
    let judge = |seen: &PlainMember| {
        let leaks = names.iter().filter_map(|name| judge_at(registry, name, seen, mode));
        leaks.max_by_key(|leak| leak.policy)
    };
    let mut leak = judge(&seen);
    if leak.is_some()
        && let Some(like) = registry.exceptions().next()
    {
        seen.blob = Some(blob_of_file(path, &like)?);
        leak = judge(&seen);
    }
    opened.ensure_unchanged()?;
    Ok(Judged {
        seen,
        stamp: opened.stamp(),
        leak,
    })
}

pub(super) fn member_path(path: &[u8]) -> Result<MemberPath> {
    MemberPath::parse_bytes(path).map_err(|why: Unsafe| Refusal::UnsafePath {
        path: shown(path),
        reason: why.to_string(),
    })
}

pub(super) fn recipients_for(
    ctx: &Context,
    protected: &[Protected],
    request: &SealRequest,
    loaded: &Loaded,
    uncommitted: impl FnOnce() -> bool,
) -> Result<Option<Recipients>> {
    let recipients = recipients::of_flags_or_config(ctx, &request.recipients, &request.recipients_files, loaded)?;
    if protected.is_empty() {
        return Ok(None);
    }
    if recipients.names().is_empty() {
        return Err(Refusal::NoRecipients {
            artifacts: protected.iter().map(|p| shown(p.path.as_str().as_bytes())).collect(),
            uncommitted: uncommitted(),
        });
    }
    Ok(Some(recipients))
}

/// Returns a notice for each path that is another one, once more, on a file system that folds case.
pub(super) fn same_but_for_case<'a>(paths: impl Iterator<Item = &'a MemberPath> + Clone) -> Vec<Notice> {
    let fold = |path: &MemberPath| match path.as_str() {
        text if text.is_ascii() => text.to_ascii_lowercase(),
        text => text.nfc().collect::<String>().to_lowercase(),
    };
    // Nearly all are different, and their hashes take less memory than their names.
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
            Some(Notice::SameButForCase { paths })
        })
        .collect()
}

/// Returns whether a walked entry is a file to be sealed; what is neither that nor an empty directory is refused.
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
