//! Examines the members of a pack while they are hashed.

use std::collections::BTreeMap;
use std::io::{self, Read};

use crate::adapters::workers::MemoryBudget;
use crate::adapters::{cipher, pack_dir};
use crate::format::agent::HEADER;
use crate::format::dump::text::TextWatch;
use crate::format::lite;
use crate::format::manifest::{Declared, MemberType};
use crate::format::sealed::{self, SealHeader};
use crate::format::tree_meta::{DOCUMENTS, PROTECTED, REPO};
use crate::ops::contents::examine_file;
use crate::ops::pack::texts;
use crate::rules::content::{KeyWatch, Look, UnpackBudget};
use crate::rules::member_type::MAX_BYTES;
use crate::rules::pack::conformity::{Conformity, conforms, genome_version};
use crate::rules::pack::documents::ReadDocument;
use crate::rules::pack::observed::{Observed, SeenTexts};
use crate::rules::pack::places::{in_directory, in_sealed, is_of_texts};
use crate::rules::pack::schemas::is_typed;
use crate::rules::scan::Traits;

/// The observations of a member.
pub(super) enum Seen {
    /// The member is not examined.
    Nothing,
    /// A document of the pack.
    Document(Box<ReadDocument>),
    /// A sealed member: its header, or why it has none.
    Header(Box<Result<SealHeader, String>>),
    /// A member in the clear.
    Plain {
        /// The traits of its content. `None` if it is plain.
        traits: Option<Box<Traits>>,
        /// The result of its schema check, if it is typed.
        conformity: Option<Box<Conformity>>,
        /// Whether it is text, if that is needed.
        is_text: Option<bool>,
        /// Its first bytes, if it is declared as a pack of cycles.
        genome: Option<Box<[u8]>>,
    },
    /// A member that holds texts.
    Texts(Box<SeenTexts>),
}

/// Maximum number of bytes of typed members in memory at once: two of the largest size.
const MAX_HELD: u64 = 2 * MAX_BYTES as u64;

/// Examines members as far as the checks need it.
pub(super) struct Looker<'a> {
    /// The budget for unpacking, shared by all members.
    budget: &'a UnpackBudget,
    /// Whether to examine the content of members in the clear.
    by_content: bool,
    /// Whether the pack is a tree pack.
    tree_pack: bool,
    /// Whether any members hold texts.
    has_texts: bool,
    /// The typed members, by path.
    typed: BTreeMap<&'a str, Declared<'a>>,
    /// The memory budget for typed members, which are held whole.
    held: MemoryBudget,
}

impl<'a> Looker<'a> {
    /// Creates a looker for the members of the observed manifest.
    pub(super) fn of(observed: &'a Observed, budget: &'a UnpackBudget) -> Self {
        let members = &observed.manifest.members;
        let typed = members.iter().filter(|member| is_typed(member));
        Self {
            budget,
            by_content: members.iter().any(|member| member.path == PROTECTED),
            tree_pack: observed.tree_pack,
            has_texts: observed.tree_pack && members.iter().any(|member| is_of_texts(member.path)),
            typed: typed.map(|member| (member.path, member)).collect(),
            held: MemoryBudget::of(MAX_HELD),
        }
    }

    /// Examines one member.
    pub(super) fn look(&self, path: &str, member: &mut dyn Read, size: u64) -> io::Result<Seen> {
        if DOCUMENTS.contains(&path) || path == sealed::MEMBER || (self.tree_pack && lite::MEMBERS.contains(&path)) {
            return ReadDocument::read(path, member, size, pack_dir::MAX_DOCUMENT)
                .map(|read| Seen::Document(Box::new(read)));
        }
        if in_sealed(path) {
            let mut watched = KeyWatch::new(member, Look::default());
            let header = cipher::header(&mut watched);
            return Ok(Seen::Header(Box::new(match watched.finish()? {
                true => Err("it holds a readable private key".into()),
                false => header.map_err(|fault| fault.to_string()),
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
        if declared.kind == MemberType::Genome.as_str() {
            return self.genome(path, declared, member, size);
        }
        let conforms = |content: Option<&[u8]>| conforms(declared.kind, declared.artifact_version, content);
        if size > MAX_BYTES as u64 {
            let conformity = Some(conforms(None));
            return self.plain(path, member, size).map(|seen| seen.conforming(conformity));
        }
        // The limit holds for any number of cores.
        let _share = self.held.take(size);
        let mut bytes = Vec::with_capacity(size as usize);
        member.take(MAX_BYTES as u64).read_to_end(&mut bytes)?;
        let seen = self.plain(path, &mut &bytes[..], bytes.len() as u64)?;
        Ok(seen.conforming(Some(conforms(Some(&bytes)))))
    }

    /// Examines a pack of cycles. Its header and its size are enough to judge it, however large it is.
    fn genome(&self, path: &str, declared: &Declared<'_>, member: &mut dyn Read, size: u64) -> io::Result<Seen> {
        let mut start = Vec::with_capacity(HEADER);
        (&mut *member).take(HEADER as u64).read_to_end(&mut start)?;
        let mut seen = self.plain(path, &mut start.as_slice().chain(member), size)?;
        let version = genome_version(declared.artifact_version);
        if let Seen::Plain { genome, .. } = &mut seen
            && version != Conformity::Unknown
        {
            *genome = Some(start.into_boxed_slice());
        }
        Ok(seen.conforming(Some(version)))
    }

    fn plain(&self, path: &str, member: &mut dyn Read, size: u64) -> io::Result<Seen> {
        let mut watched = Watching {
            member,
            watch: (self.has_texts && in_directory(path, REPO)).then(TextWatch::default),
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
            genome: None,
        })
    }
}

/// A reader that notes whether its content is text.
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
