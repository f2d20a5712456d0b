//! The plan of a pack: its content, the sources, and the form of each member. It is complete before anything is
//! written.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::adapters::cipher::Recipients;
use crate::adapters::files::Stamp;
use crate::adapters::git::{Commit, Repository};
use crate::format::dump::layout::Layout;
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::only::Only;
use crate::format::protected::{Format, Policy};
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::tree_meta::{Part, REPO};
use crate::format::tree_name;
use crate::ops::pack::seal::guarded::Guarded;
use crate::ops::pack::seal::remembered::Remembered;
use crate::ops::pack::seal::{Privacy, SealNotice};
use crate::rules::pack::plain::PlainMember;
use crate::rules::protect::Registry;
use crate::rules::scan::Traits;

/// Everything that will be staged.
pub struct SealPlan {
    /// The material of the pack.
    pub material: Material,
    /// Which protected files stay in the clear.
    pub mode: Mode,
    /// The directory of packs without an output of their own.
    pub default_directory: Option<PathBuf>,
    /// Notices for the user.
    pub notices: Vec<SealNotice>,
}

/// The material of a pack.
pub enum Material {
    /// A commit's tree.
    Tree(Box<TreePlan>),
    /// Named artifacts.
    Evidence(Box<EvidencePlan>),
}

/// The material of a tree pack.
pub struct TreePlan {
    /// The rules of the commit, and what they seal.
    pub ruled: Ruled,
    /// The entries in the clear.
    pub members: Vec<TreeMember>,
    /// The protected artifacts that are left out and not sealed. Only a text for a stream has any.
    pub withheld: Vec<ProtectedArtifact>,
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
    /// The parts of the pack, sorted.
    pub emit: Vec<Part>,
    /// How its texts are laid out.
    pub layout: Layout,
    /// The entries that it is made of, if they are not the whole scope.
    pub only: Option<Only>,
    /// What must not be published, also not converted to UTF-8.
    pub guarded: Guarded,
    /// What was remembered of a tree that was judged in the same way. `None` if the request itself releases entries.
    pub remembered: Option<Remembered>,
    /// The globs of the scope: included and excluded.
    pub globs: [Vec<String>; 2],
}

/// The material of an evidence pack.
pub struct EvidencePlan {
    /// The artifacts in the clear.
    pub members: Vec<EvidenceMember>,
    /// The rules that judged them; none if no configuration applies, so that nothing is sealed.
    pub rules: Option<EvidenceRules>,
}

/// The rules of an evidence pack.
pub struct EvidenceRules {
    /// The rules, and what they seal.
    pub ruled: Ruled,
    /// The state of the commit that the pack is bound to, if its artifacts come from a commit.
    pub binding: Option<RepoState>,
}

/// A repository whose rules apply to a pack, and what they seal.
pub struct Ruled {
    /// The repository.
    pub repo: Repository,
    /// The registry in force.
    pub registry: Registry,
    /// What is sealed; none if nothing is.
    pub sealing: Option<Sealing>,
}

/// The artifacts to seal, and how.
pub struct Sealing {
    /// The artifacts; at least one.
    pub artifacts: Vec<ProtectedArtifact>,
    /// The recipients.
    pub recipients: Recipients,
    /// How much the seals reveal.
    pub privacy: Privacy,
    /// Whether to encrypt everything again.
    pub fresh: bool,
}

/// Where the bytes of an artifact come from.
#[derive(Clone, Debug)]
pub enum ArtifactSource {
    /// A file on disk, and its state at its judgement.
    File(PathBuf, Box<Stamp>),
    /// A blob of the repository.
    Blob(ObjectId),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A member in the clear that is a copy.
pub trait CopiedMember: Sync {
    /// Returns its member path.
    fn path(&self) -> &MemberPath;

    /// Returns the source of its bytes.
    fn source(&self) -> Cow<'_, ArtifactSource>;

    /// Returns the findings that it was judged by.
    fn seen(&self) -> Cow<'_, PlainMember>;

    /// Returns whether an earlier pack judged it by the same rules, and held it in the clear.
    fn was_judged(&self) -> bool {
        false
    }

    /// Returns its path in the tree, if it is an entry that a glob can leave out.
    fn entry(&self) -> Option<String> {
        None
    }
}

/// An entry of a tree in the clear.
pub struct TreeMember {
    /// Its member path, which is below `REPO/`.
    pub copy: MemberPath,
    /// The kind of the entry.
    pub kind: EntryKind,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
    /// The findings that it was judged by; none if its content has none.
    pub seen: Option<Box<PlainMember>>,
    /// Whether an earlier pack judged it by the same rules, and held it in the clear.
    pub was_judged: bool,
}

impl TreeMember {
    /// Returns its path in the tree.
    pub fn path_in_tree(&self) -> &str {
        let below = self.copy.as_str().strip_prefix(REPO);
        let path = below.and_then(|path| path.strip_prefix('/'));
        path.expect("the copies of entries lie below REPO/")
    }

    /// Returns the bytes of its path in the tree.
    pub fn original(&self) -> Cow<'_, [u8]> {
        tree_name::path_of(self.path_in_tree())
    }
}

impl CopiedMember for TreeMember {
    fn path(&self) -> &MemberPath {
        &self.copy
    }

    fn source(&self) -> Cow<'_, ArtifactSource> {
        Cow::Owned(source_of_entry(self.kind, self.id))
    }

    fn seen(&self) -> Cow<'_, PlainMember> {
        match &self.seen {
            Some(seen) => Cow::Borrowed(seen),
            None => Cow::Owned(PlainMember {
                kind: self.kind,
                traits: Traits::default(),
                blob: Some(self.id),
            }),
        }
    }

    fn was_judged(&self) -> bool {
        self.was_judged
    }

    fn entry(&self) -> Option<String> {
        String::from_utf8(self.original().into_owned()).ok()
    }
}

/// Returns the source of a tree entry's bytes. The content of a submodule is the id of its commit.
pub fn source_of_entry(kind: EntryKind, id: ObjectId) -> ArtifactSource {
    match kind {
        EntryKind::Submodule => ArtifactSource::Bytes(id.hex().into_bytes()),
        EntryKind::Regular | EntryKind::Executable | EntryKind::Symlink => ArtifactSource::Blob(id),
    }
}

/// An artifact in the clear.
pub struct EvidenceMember {
    /// Its member path.
    pub path: MemberPath,
    /// The source of its bytes.
    pub source: ArtifactSource,
    /// The findings that it was judged by.
    pub seen: PlainMember,
}

impl CopiedMember for EvidenceMember {
    fn path(&self) -> &MemberPath {
        &self.path
    }

    fn source(&self) -> Cow<'_, ArtifactSource> {
        Cow::Borrowed(&self.source)
    }

    fn seen(&self) -> Cow<'_, PlainMember> {
        Cow::Borrowed(&self.seen)
    }
}

/// An artifact to seal.
pub struct ProtectedArtifact {
    /// The path of the plaintext.
    pub path: MemberPath,
    /// The source of its bytes.
    pub source: ArtifactSource,
    /// Its class.
    pub class: String,
    /// Its policy.
    pub policy: Policy,
    /// The glob that matched, or another reason for sealing it.
    pub rule: String,
    /// The formats recognised in its content, if they are the reason.
    pub formats: Vec<Format>,
    /// Whether it was attached although no rule matched.
    pub attached: bool,
}

impl SealPlan {
    /// Returns the rules that apply, with what they seal; none if no configuration applies.
    pub fn ruled(&self) -> Option<&Ruled> {
        match &self.material {
            Material::Tree(tree) => Some(&tree.ruled),
            Material::Evidence(evidence) => evidence.rules.as_ref().map(|rules| &rules.ruled),
        }
    }

    /// Returns what these rules seal; none if nothing is sealed.
    pub fn sealing(&self) -> Option<(&Ruled, &Sealing)> {
        let ruled = self.ruled()?;
        Some((ruled, ruled.sealing.as_ref()?))
    }
}

impl TreePlan {
    /// Returns the most tokens of a file under `SPLIT/`, if the pack splits its texts by tokens.
    pub fn max_tokens(&self) -> Option<u64> {
        self.layout.max_tokens.filter(|_| self.emit.contains(&Part::Split))
    }

    /// Returns whether entries are copied, even if only to be read again.
    pub fn needs_copies(&self) -> bool {
        self.emit.iter().any(|part| *part != Part::Lite)
    }
}
