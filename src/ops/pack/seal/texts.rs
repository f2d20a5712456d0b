//! The texts of a tree pack among its staged copies, and their conversion to UTF-8.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor, Read};
use std::ops::Range;

use crate::adapters::staging::Staging;
use crate::adapters::{files, workers};
use crate::format::digest::Digest;
use crate::format::dump::text::{TextShape, TextWatch};
use crate::format::dump::write::Heading;
use crate::format::dump::{Conversion, Other, OtherEntry};
use crate::format::encoding::{self, MAX_BYTES};
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{EntryKind, Mode};
use crate::ops::pack::seal::plan::{CopiedMember, TreeMember, TreePlan};
use crate::ops::pack::seal::staged::{StagedMember, StagedPack};
use crate::refusal::leak::Giveaway;
use crate::refusal::{Refusal, Result};
use crate::rules::pack::plain::{PlainMember, judge_at};

const BUFFER: usize = 128 << 10;

/// A text among the staged copies.
pub struct Text {
    /// Its heading, as a whole text.
    pub heading: Heading,
    /// Its shape in UTF-8.
    pub shape: TextShape,
    copy: MemberPath,
}

impl Text {
    /// Opens the text, in UTF-8.
    pub fn open(&self, staging: &Staging) -> Result<Box<dyn Read>> {
        let Some(conversion) = self.heading.conversion else {
            return Ok(Box::new(BufReader::with_capacity(BUFFER, staging.open(&self.copy)?)));
        };
        let place = staging.member(&self.copy);
        let bytes = files::read(&place, MAX_BYTES)?;
        match conversion.encoding.decode(&bytes) {
            Some(text) => Ok(Box::new(Cursor::new(text.into_bytes()))),
            None => Err(Refusal::ChangedWhileRead { path: place }),
        }
    }

    /// Reads a part of the text, in UTF-8.
    pub fn part(&self, staging: &Staging, bytes: &Range<usize>) -> Result<Vec<u8>> {
        let place = staging.member(&self.copy);
        let mut part = Vec::new();
        let mut from = match self.heading.conversion {
            None => files::open_range(&place, bytes.start as u64, bytes.len() as u64)?,
            Some(_) => {
                let text = self.read(staging)?;
                let bytes = text.as_bytes().get(bytes.clone()).unwrap_or_default();
                Box::new(Cursor::new(bytes.to_vec()))
            }
        };
        from.read_to_end(&mut part).map_err(Refusal::io("reading", &place))?;
        Ok(part)
    }

    /// Reads the text whole, in UTF-8.
    pub fn read(&self, staging: &Staging) -> Result<String> {
        let mut text = String::new();
        let place = staging.member(&self.copy);
        let read = self.open(staging)?.read_to_string(&mut text);
        read.map_err(Refusal::io("reading", &place))?;
        Ok(text)
    }
}

/// Sorts the staged entries into texts, and entries that are only listed. Refuses a text whose conversion would publish
/// what must not be in plaintext.
pub fn sorted_out(
    staging: &Staging,
    mode: Mode,
    tree: &TreePlan,
    staged: &StagedPack,
) -> Result<(Vec<Text>, Vec<OtherEntry>)> {
    let judging = Judging {
        staging,
        mode,
        tree,
        secrets: staged.secrets(),
    };
    let pairs: Vec<(&TreeMember, &StagedMember)> = tree.members.iter().zip(&staged.plain).collect();
    let found = workers::map(&pairs, || Ok(()), |(), (member, copy)| judging.text(member, copy))?;
    let (mut texts, mut others) = (Vec::new(), Vec::new());
    for ((member, copy), text) in pairs.into_iter().zip(found) {
        match text {
            Some(text) => texts.push(text),
            None => others.push(OtherEntry {
                path: member.path_in_tree().to_owned(),
                size: copy.size,
                kind: Other::of(member.kind),
                hash: copy.hash,
            }),
        }
    }
    others.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    Ok((texts, others))
}

struct Judging<'a> {
    staging: &'a Staging,
    mode: Mode,
    tree: &'a TreePlan,
    /// The hashes of the contents that must not be in the clear, with their paths.
    secrets: BTreeMap<Digest, &'a str>,
}

impl Judging<'_> {
    fn text(&self, member: &TreeMember, copy: &StagedMember) -> Result<Option<Text>> {
        if !matches!(member.kind, EntryKind::Regular | EntryKind::Executable) {
            return Ok(None);
        }
        let text = |size, shape, conversion| Text {
            heading: Heading {
                path: member.path_in_tree().to_owned(),
                size,
                executable: member.kind == EntryKind::Executable,
                conversion,
                part: None,
            },
            shape,
            copy: member.copy.clone(),
        };
        if let Some(shape) = copy.text {
            return Ok(Some(text(copy.size, shape, None)));
        }
        if copy.size > MAX_BYTES {
            return Ok(None);
        }
        let bytes = files::read(&self.staging.member(&member.copy), MAX_BYTES)?;
        let Some((encoding, converted)) = encoding::detect(&bytes) else {
            return Ok(None);
        };
        let mut watch = TextWatch::default();
        watch.see(converted.as_bytes());
        let Some(shape) = watch.shape() else { return Ok(None) };
        self.ensure_no_leak(member, &converted)?;
        let conversion = Conversion {
            encoding,
            size: copy.size,
        };
        Ok(Some(text(converted.len() as u64, shape, Some(conversion))))
    }

    /// Refuses a conversion with the content of a sealed artifact, or with what the rules forbid in plaintext. Its
    /// original was judged before, but a rule need not see through an encoding.
    fn ensure_no_leak(&self, member: &TreeMember, converted: &str) -> Result<()> {
        let path = member.path_in_tree();
        let refused = |giveaway| Refusal::PlaintextLeak {
            plain: path.to_owned(),
            giveaway,
            may_be_named: false,
            entry: member.entry(),
        };
        if let Some(artifact) = self.secrets.get(&Digest::of(converted.as_bytes())) {
            return Err(refused(Giveaway::SameContent {
                artifact: (*artifact).to_owned(),
            }));
        }
        let place = self.staging.member(&member.copy);
        let traits = self
            .tree
            .guarded
            .look_into(&mut converted.as_bytes(), converted.len() as u64)
            .map_err(Refusal::io("reading", &place))?;
        let seen = PlainMember {
            kind: member.kind,
            traits,
            blob: Some(member.id),
        };
        match judge_at(&self.tree.ruled.registry, &member.original(), &seen, self.mode) {
            None => Ok(()),
            Some(leak) => Err(refused(Giveaway::Rule {
                cause: leak.cause.to_string(),
                class: leak.class,
            })),
        }
    }
}
