//! Examines the members of a pack while they are hashed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::adapters::workers::MemoryBudget;
use crate::adapters::{cipher, pack_dir};
use crate::format::dump::text::TextWatch;
use crate::format::lite;
use crate::format::manifest::Declared;
use crate::format::repo_state::{EntryKind, Mode, RepoState};
use crate::format::sealed::{self, SealHeader};
use crate::format::tree_meta::{self, DOCUMENTS};
use crate::ops::contents::examine_file;
use crate::ops::pack::texts;
use crate::ops::pack::verify::Source;
use crate::refusal::Result;
use crate::rules::content::{KeyWatch, Look, UnpackBudget};
use crate::rules::member_type::{Conformity, MAX_BYTES, conforms};
use crate::rules::pack::observed::SeenTexts;
use crate::rules::pack::places::{copied, in_directory, in_sealed, is_of_texts};
use crate::rules::pack::plain::{PlainMember, PlainMembers, judge_member};
use crate::rules::pack::seals;
use crate::rules::scan::Traits;

/// The longest target of a link. The id of a submodule's commit is shorter.
const MAX_TARGET: u64 = 4096;

/// The result for a member.
pub(super) enum Seen {
    /// A member that is not examined.
    Nothing,
    /// A document of the pack; none if it is too large to be one.
    Document(Option<Vec<u8>>),
    /// A sealed member: its header, or why it has none.
    Header(Box<Result<SealHeader, String>>),
    /// A member in the clear.
    Plain {
        /// The findings in its content, if any.
        traits: Option<Box<Traits>>,
        conformity: Option<Box<Conformity>>,
        /// Whether it is text, if that matters.
        is_text: Option<bool>,
    },
    /// A member of texts.
    Texts(Box<SeenTexts>),
}

/// Examines members as far as the checks require.
pub(super) struct Looker<'a> {
    /// The budget for unpacking all members together.
    pub(super) budget: &'a UnpackBudget,
    /// Whether members in the clear are judged by their content.
    pub(super) by_content: bool,
    /// Whether it is a tree pack.
    pub(super) tree_pack: bool,
    /// Whether there are members of texts.
    pub(super) has_texts: bool,
    /// The members with a type or a version.
    pub(super) typed: BTreeMap<&'a str, &'a Declared>,
    /// The memory that is left for typed members, which are read whole.
    pub(super) held: MemoryBudget,
}

/// The most bytes of typed members held at a time: two of the largest.
pub(super) const MAX_HELD: u64 = 2 * MAX_BYTES as u64;

impl Looker<'_> {
    /// Examines a member.
    pub(super) fn look(&self, path: &str, member: &mut dyn Read, size: u64) -> io::Result<Seen> {
        if DOCUMENTS.contains(&path) || path == sealed::MEMBER || (self.tree_pack && lite::MEMBERS.contains(&path)) {
            return Ok(Seen::Document(match size <= pack_dir::MAX_DOCUMENT {
                true => {
                    let mut bytes = Vec::with_capacity(size as usize);
                    member.take(pack_dir::MAX_DOCUMENT).read_to_end(&mut bytes)?;
                    Some(bytes)
                }
                false => None,
            }));
        }
        if in_sealed(path) {
            let mut watched = KeyWatch::new(member, Look::default());
            let header = cipher::header(&mut watched);
            return Ok(Seen::Header(Box::new(match watched.finish()? {
                true => Err("a private key can be read in it".into()),
                false => header,
            })));
        }
        let Some(declared) = self.typed.get(path) else {
            if self.has_texts && is_of_texts(path) {
                return texts::look(path, member, size, self.budget).map(|texts| Seen::Texts(Box::new(texts)));
            }
            if !self.by_content {
                return Ok(Seen::Nothing);
            }
            return self.plain(path, member, size);
        };
        let conforms = |content: Option<&[u8]>| conforms(&declared.kind, declared.artifact_version.as_deref(), content);
        if size > MAX_BYTES as u64 {
            let conformity = Some(conforms(None));
            return self.plain(path, member, size).map(|seen| seen.conforming(conformity));
        }
        // Limits what is read and parsed at a time, however many cores there are.
        let _share = self.held.take(size);
        let mut bytes = Vec::with_capacity(size as usize);
        member.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
        let seen = self.plain(path, &mut &bytes[..], bytes.len() as u64)?;
        Ok(seen.conforming(Some(conforms(Some(&bytes)))))
    }

    fn plain(&self, path: &str, member: &mut dyn Read, size: u64) -> io::Result<Seen> {
        let mut watched = Watching {
            member,
            watch: (self.has_texts && in_directory(path, tree_meta::REPO)).then(TextWatch::default),
        };
        let traits = match self.by_content {
            true => examine_file(&mut watched, size, Look::within(self.budget))?,
            false => Traits::default(),
        };
        io::copy(&mut watched, &mut io::sink())?;
        Ok(Seen::Plain {
            traits: (!traits.is_plain()).then(|| Box::new(traits)),
            conformity: None,
            is_text: watched.watch.map(|watch| watch.shape().is_some()),
        })
    }
}

/// A member that is read, and checked for being text.
struct Watching<'a> {
    member: &'a mut dyn Read,
    watch: Option<TextWatch>,
}

impl Read for Watching<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.member.read(buf)?;
        if let Some(watch) = &mut self.watch {
            watch.see(&buf[..n]);
        }
        Ok(n)
    }
}

impl Seen {
    fn conforming(mut self, what: Option<Conformity>) -> Self {
        if let Self::Plain { conformity, .. } = &mut self {
            *conformity = what.map(Box::new);
        }
        self
    }
}

/// A member in the clear, with the findings in it and its size in bytes.
pub(super) type SeenPlain = (String, Option<Box<Traits>>, u64);

/// Adds to each member, sorted by path, the entry that it copies and, if exceptions name blobs, its blob.
pub(super) fn plain_members(
    source: &Source<'_>,
    tree_pack: bool,
    seen: Vec<SeenPlain>,
    state: Option<&RepoState>,
    registry: Option<&[u8]>,
) -> Result<PlainMembers> {
    let files = state.into_iter().flat_map(|state| &state.files);
    let special = files.filter(|file| tree_pack && file.kind() != EntryKind::Regular);
    let kinds: BTreeMap<&str, EntryKind> = special.map(|file| (file.path.as_str(), file.kind())).collect();
    let registry = registry.and_then(|bytes| seals::parse_registry(bytes).ok());
    let exceptions = registry.as_ref().and_then(|registry| {
        let like = registry.exceptions().next()?;
        Some((registry, like))
    });
    let mut members = Vec::with_capacity(seen.len());
    for (path, traits, size) in seen {
        let mut kind = EntryKind::Regular;
        if let Some(entry_kind) = copied(&path).and_then(|entry| kinds.get(entry))
            // A document may call a member a link only if the member is short enough for one.
            && size <= MAX_TARGET
        {
            kind = *entry_kind;
        }
        let is_plain = traits.is_none() && kind == EntryKind::Regular;
        let mut member = PlainMember {
            kind,
            traits: traits.map(|traits| *traits).unwrap_or_default(),
            blob: None,
        };
        if let Some((registry, like)) = &exceptions
            && judge_member(registry, &path, Some(&member), tree_pack, Mode::Public).is_some()
        {
            member.blob = source.blob_of(&path, like)?;
        }
        let is_plain = is_plain && member.blob.is_none();
        members.push((path, (!is_plain).then(|| Box::new(member))));
    }
    Ok(PlainMembers(members))
}
