//! The plan of a pack: what goes into it, from where, and in which form. It is made before anything is written.

use std::borrow::Cow;
use std::path::PathBuf;

use crate::adapters::cipher::Recipients;
use crate::adapters::files::Stamp;
use crate::adapters::git::{Commit, Repository};
use crate::format::dump::layout::Layout;
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::protected::{Format, Policy};
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::tree_meta::{Part, REPO};
use crate::ops::pack::seal::{Notice, Privacy};
use crate::rules::pack::plain::PlainMember;
use crate::rules::protect::Registry;
use crate::rules::scan::Traits;

/// Everything that will be staged.
pub struct SealPlan {
    /// What the pack is made of.
    pub material: Material,
    /// What stays in the clear.
    pub mode: Mode,
    /// Where packs go that have no output of their own.
    pub default_directory: Option<PathBuf>,
    /// What somebody should know.
    pub notices: Vec<Notice>,
}

/// What a pack is made of.
pub enum Material {
    /// A commit's tree.
    Tree(Box<TreePlan>),
    /// Artifacts that were named.
    Evidence(Box<EvidencePlan>),
}

/// What makes a tree pack.
pub struct TreePlan {
    /// The rules of its commit, and what they seal.
    pub ruled: Ruled,
    /// The entries that stand in the clear.
    pub members: Vec<TreeMember>,
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

/// What makes an evidence pack.
pub struct EvidencePlan {
    /// The artifacts that stand in the clear.
    pub members: Vec<EvidenceMember>,
    /// The rules that they were judged by; none where no configuration applies, so that nothing is sealed.
    pub rules: Option<EvidenceRules>,
}

/// The rules of an evidence pack.
pub struct EvidenceRules {
    /// The rules, and what they seal.
    pub ruled: Ruled,
    /// The state of the commit that the pack is bound to, if its artifacts are taken from one.
    pub binding: Option<RepoState>,
}

/// A repository whose rules apply to a pack, and what they seal of it.
pub struct Ruled {
    /// The repository.
    pub repo: Repository,
    /// The registry in force.
    pub registry: Registry,
    /// What is sealed, if anything is.
    pub sealing: Option<Sealing>,
}

/// What is sealed, and how.
pub struct Sealing {
    /// The artifacts, of which there is at least one.
    pub artifacts: Vec<ProtectedArtifact>,
    /// For whom.
    pub recipients: Recipients,
    /// How much the seals tell of what they hold.
    pub privacy: Privacy,
    /// Whether everything is encrypted anew.
    pub fresh: bool,
}

/// Where the bytes of an artifact come from.
#[derive(Clone, Debug)]
pub enum ArtifactSource {
    /// A file on disk, and what it was when it was judged.
    File(PathBuf, Box<Stamp>),
    /// A blob of the repository.
    Blob(ObjectId),
    /// These bytes.
    Bytes(Vec<u8>),
}

/// A member in the clear that is a copy of something.
pub trait CopiedMember: Sync {
    /// Returns its member path.
    fn path(&self) -> &MemberPath;

    /// Returns where its bytes come from.
    fn source(&self) -> Cow<'_, ArtifactSource>;

    /// Returns by what it was judged.
    fn seen(&self) -> Cow<'_, PlainMember>;
}

/// An entry of a tree that stands in the clear.
pub struct TreeMember {
    /// Its member path, which is below `REPO/`.
    pub copy: MemberPath,
    /// What it is.
    pub kind: EntryKind,
    /// The blob, or a submodule's commit.
    pub id: ObjectId,
    /// By what it was judged; none where there is nothing to be said of its content.
    pub seen: Option<Box<PlainMember>>,
}

impl TreeMember {
    /// Returns its path in the tree.
    pub fn path_in_tree(&self) -> &str {
        let below = self.copy.as_str().strip_prefix(REPO);
        let path = below.and_then(|path| path.strip_prefix('/'));
        path.expect("the copies of entries lie below REPO/")
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
}

/// Returns where the bytes of a tree's entry come from. A submodule stands for itself by the id of its commit.
pub fn source_of_entry(kind: EntryKind, id: ObjectId) -> ArtifactSource {
    match kind {
        EntryKind::Submodule => ArtifactSource::Bytes(id.hex().into_bytes()),
        EntryKind::Regular | EntryKind::Executable | EntryKind::Symlink => ArtifactSource::Blob(id),
    }
}

/// An artifact that stands in the clear.
pub struct EvidenceMember {
    /// Its member path.
    pub path: MemberPath,
    /// Its bytes.
    pub source: ArtifactSource,
    /// By what it was judged.
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

/// An artifact to be sealed.
pub struct ProtectedArtifact {
    /// Where it would lie in plaintext.
    pub path: MemberPath,
    /// Its bytes.
    pub source: ArtifactSource,
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

impl SealPlan {
    /// Returns the rules that apply and what they seal; none where no configuration applies.
    pub fn ruled(&self) -> Option<&Ruled> {
        match &self.material {
            Material::Tree(tree) => Some(&tree.ruled),
            Material::Evidence(evidence) => evidence.rules.as_ref().map(|rules| &rules.ruled),
        }
    }

    /// Returns what is sealed by these rules, if anything is.
    pub fn sealing(&self) -> Option<(&Ruled, &Sealing)> {
        let ruled = self.ruled()?;
        Some((ruled, ruled.sealing.as_ref()?))
    }
}

impl TreePlan {
    /// Returns whether entries are copied, be it only to be read again.
    pub fn needs_copies(&self) -> bool {
        self.emit.iter().any(|part| *part != Part::Lite)
    }
}
