//! Writes `FULL/` and `SPLIT/`: the texts among the staged copies, for readers who want all of them in a few files.

use std::collections::BTreeSet;
use std::io::{BufReader, BufWriter, Read};

use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::format::dump::index::{self, IndexedText};
use crate::format::dump::layout::{Bucket, bucket_member, full_member, index_member};
use crate::format::dump::text::TextShape;
use crate::format::dump::write::{Heading, Top, Whole, Writer};
use crate::format::dump::{Other, OtherEntry, TextsSubject};
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{EntryKind, Mode};
use crate::format::tokens::TokenCounter;
use crate::format::tree_meta::{Part, REPO};
use crate::ops::pack::documents::DocumentWriter;
use crate::ops::pack::seal::plan::TreePlan;
use crate::ops::pack::seal::staged::StagedPack;
use crate::refusal::{Refusal, Result};

/// A text among the staged copies.
struct Text {
    heading: Heading,
    shape: TextShape,
    copy: MemberPath,
}

/// Writes the parts that the plan emits besides the plain copies, and removes the copies if the plan does not emit
/// them.
///
/// Returns the anchors that are not texts in this pack.
pub fn emit(
    documents: &mut DocumentWriter<'_>,
    mode: Mode,
    tree: &TreePlan,
    staged: &StagedPack,
    state: Digest,
) -> Result<Vec<String>> {
    if !tree.emit.contains(&Part::Full) && !tree.emit.contains(&Part::Split) {
        return Ok(Vec::new());
    }
    let (mut texts, others) = sorted_out(tree, staged);
    tree.layout.sort(&mut texts, |text| &text.heading.path);
    let known: BTreeSet<&str> = texts.iter().map(|text| text.heading.path.as_str()).collect();
    let is_text = |path: &&String| known.contains(path.as_str());
    let (anchors, missed): (Vec<_>, Vec<_>) = tree.layout.anchors.iter().partition(is_text);
    let anchors: Vec<String> = anchors.into_iter().cloned().collect();
    let subject = TextsSubject {
        title: tree.title.clone(),
        scope: tree.scope.clone(),
        mode,
        commit: tree.commit.id.hex(),
        tree: tree.commit.tree.hex(),
        state,
    };
    let writing = Writing {
        staging: documents.staging(),
        subject: &subject,
    };
    let prefix = &tree.layout.prefix;
    if tree.emit.contains(&Part::Full) {
        let whole = Whole {
            anchors: &anchors,
            others: &others,
        };
        let path = full_member(prefix, &state.hex()[..12]);
        writing.file(documents, &path, &texts, Some(whole))?;
    }
    if tree.emit.contains(&Part::Split) {
        let tokens = workers::map(&texts, || Ok(()), |(), text| writing.tokens(text))?;
        let mut parts = Vec::new();
        let mut counted = texts.iter().zip(tokens);
        for (at, bucket) in texts
            .chunk_by(|a, b| Bucket::of(&a.heading.path) == Bucket::of(&b.heading.path))
            .enumerate()
        {
            let path = bucket_member(prefix, at + 1, &Bucket::of(&bucket[0].heading.path));
            writing.file(documents, &path, bucket, None)?;
            let listed = counted.by_ref().take(bucket.len()).map(|(text, tokens)| IndexedText {
                path: text.heading.path.clone(),
                size: text.heading.size,
                tokens,
            });
            parts.push(index::SplitFile {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                texts: listed.collect(),
            });
        }
        let list = index::write(&subject, &parts, &anchors, &others);
        documents.add(&index_member(prefix), list.as_bytes())?;
    }
    if !tree.emit.contains(&Part::Repo) {
        documents.staging().discard(REPO)?;
    }
    Ok(missed.into_iter().cloned().collect())
}

/// Sorts the staged entries into texts, and entries that are only listed.
fn sorted_out(tree: &TreePlan, staged: &StagedPack) -> (Vec<Text>, Vec<OtherEntry>) {
    let (mut texts, mut others) = (Vec::new(), Vec::new());
    for (member, copy) in tree.members.iter().zip(&staged.plain) {
        let path = member.path_in_tree();
        let is_file = matches!(member.kind, EntryKind::Regular | EntryKind::Executable);
        match copy.text.filter(|_| is_file) {
            Some(shape) => texts.push(Text {
                heading: Heading {
                    path: path.to_owned(),
                    size: copy.size,
                    executable: member.kind == EntryKind::Executable,
                },
                shape,
                copy: member.copy.clone(),
            }),
            None => others.push(OtherEntry {
                path: path.to_owned(),
                size: copy.size,
                kind: Other::of(member.kind),
                hash: copy.hash,
            }),
        }
    }
    others.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    (texts, others)
}

struct Writing<'a> {
    staging: &'a Staging,
    subject: &'a TextsSubject,
}

impl Writing<'_> {
    fn file(
        &self,
        documents: &mut DocumentWriter<'_>,
        path: &str,
        texts: &[Text],
        whole: Option<Whole<'_>>,
    ) -> Result<()> {
        let path = MemberPath::parse(path).expect("prefixes and the names of buckets are plain words");
        let target = self.staging.member(&path);
        let writing = |e| Refusal::io("writing", &target)(e);
        let top = Top {
            subject: self.subject,
            texts: (texts.len() as u64, texts.iter().map(|text| text.heading.size).sum()),
            whole,
        };
        let out = Hashing::new(BufWriter::with_capacity(BUFFER, self.staging.create(&path)?));
        let mut writer = Writer::begin(out, &top).map_err(writing)?;
        for text in texts {
            let mut copy = self.open(text)?;
            writer.text(&text.heading, &text.shape, &mut copy).map_err(writing)?;
        }
        let (_, bytes_hash, size) = writer.finish().map_err(writing)?.finish();
        let member = Member {
            path,
            bytes_hash,
            kind: MemberType::Other,
            artifact_version: None,
        };
        documents.count(member, size);
        Ok(())
    }

    fn open(&self, text: &Text) -> Result<impl Read> {
        Ok(BufReader::with_capacity(BUFFER, self.staging.open(&text.copy)?))
    }

    fn tokens(&self, text: &Text) -> Result<u64> {
        let mut copy = self.open(text)?;
        let mut counter = TokenCounter::default();
        let mut buffer = vec![0; BUFFER];
        loop {
            match copy.read(&mut buffer) {
                Ok(0) => return Ok(counter.finish()),
                Ok(n) => counter.see(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Refusal::io("reading", &self.staging.member(&text.copy))(e)),
            }
        }
    }
}

const BUFFER: usize = 128 << 10;
