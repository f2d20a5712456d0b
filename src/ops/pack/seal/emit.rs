//! Writes `FULL/` and `SPLIT/`: the texts among the staged copies, for readers who want all of them in a few files.

use std::collections::BTreeSet;
use std::io::{BufWriter, Read};

use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::digest::{Digest, Hashing};
use crate::format::dump::TextsSubject;
use crate::format::dump::index::{self, IndexedText, SplitFile};
use crate::format::dump::layout::{Bucket, bucket_member, chunk_member, full_member, index_member};
use crate::format::dump::write::{Heading, Kinds, Top, Whole, Writer};
use crate::format::manifest::{Member, MemberType};
use crate::format::member_path::MemberPath;
use crate::format::repo_state::Mode;
use crate::format::tokens::{self, TokenCounter};
use crate::format::tree_meta::{Part, REPO};
use crate::ops::pack::documents::DocumentWriter;
use crate::ops::pack::seal::chunks::Chunker;
use crate::ops::pack::seal::plan::TreePlan;
use crate::ops::pack::seal::staged::StagedPack;
use crate::ops::pack::seal::texts::{Text, sorted_out};
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

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
    if !tokens::IS_HERE {
        return Err(Refusal::Unsupported(Unsupported::Tokens));
    }
    let (mut texts, others) = sorted_out(documents.staging(), mode, tree, staged)?;
    tree.layout.sort(&mut texts, |text| &text.heading.path);
    let known: BTreeSet<&str> = texts.iter().map(|text| text.heading.path.as_str()).collect();
    let is_text = |path: &&String| known.contains(path.as_str());
    let (anchors, missed): (Vec<_>, Vec<_>) = tree.layout.anchors.iter().partition(is_text);
    let anchors: Vec<String> = anchors.into_iter().cloned().collect();
    let subject = TextsSubject {
        title: tree.title.clone(),
        scope: tree.scope.clone(),
        only: tree.only.clone(),
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
        let budget = tree.max_tokens();
        let parts = match budget {
            Some(budget) => {
                let chunker = Chunker {
                    budget,
                    subject: &subject,
                    staging: writing.staging,
                    texts: &texts,
                    tokens: &tokens,
                };
                by_tokens(documents, prefix, &chunker)?
            }
            None => writing.by_directory(documents, prefix, &texts, &tokens)?,
        };
        let list = index::write(&subject, &parts, &anchors, &others, budget);
        documents.add(&index_member(prefix), list.as_bytes())?;
    }
    if !tree.emit.contains(&Part::Repo) {
        documents.staging().discard(REPO)?;
    }
    Ok(missed.into_iter().cloned().collect())
}

/// Writes the files of a split by tokens.
fn by_tokens(documents: &mut DocumentWriter<'_>, prefix: &str, chunker: &Chunker<'_>) -> Result<Vec<SplitFile>> {
    let mut parts = Vec::new();
    for (chunk, number) in chunker.chunks()?.into_iter().zip(1..) {
        let path = chunk_member(prefix, number);
        documents.add(&path, &chunker.render(&chunk.pieces)?)?;
        let texts = chunk
            .pieces
            .into_iter()
            .map(|piece| listed(piece.heading, piece.tokens));
        parts.push(SplitFile {
            name: file_name(&path),
            texts: texts.collect(),
            tokens: chunk.tokens,
        });
    }
    Ok(parts)
}

fn listed(heading: Heading, tokens: u64) -> IndexedText {
    IndexedText {
        path: heading.path,
        size: heading.size,
        tokens,
        conversion: heading.conversion,
        part: heading.part,
    }
}

fn file_name(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

struct Writing<'a> {
    staging: &'a Staging,
    subject: &'a TextsSubject,
}

impl Writing<'_> {
    /// Writes a file for each bucket.
    fn by_directory(
        &self,
        documents: &mut DocumentWriter<'_>,
        prefix: &str,
        texts: &[Text],
        tokens: &[u64],
    ) -> Result<Vec<SplitFile>> {
        let mut parts = Vec::new();
        let mut counted = texts.iter().zip(tokens);
        for (at, bucket) in texts
            .chunk_by(|a, b| Bucket::of(&a.heading.path) == Bucket::of(&b.heading.path))
            .enumerate()
        {
            let path = bucket_member(prefix, at + 1, &Bucket::of(&bucket[0].heading.path));
            self.file(documents, &path, bucket, None)?;
            let of_bucket = counted.by_ref().take(bucket.len());
            parts.push(SplitFile {
                name: file_name(&path),
                texts: of_bucket
                    .map(|(text, tokens)| listed(text.heading.clone(), *tokens))
                    .collect(),
                tokens: 0,
            });
        }
        Ok(parts)
    }

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
            kinds: Kinds::of(texts.iter().map(|text| &text.heading)),
        };
        let out = Hashing::new(BufWriter::with_capacity(BUFFER, self.staging.create(&path)?));
        let mut writer = Writer::begin(out, &top).map_err(writing)?;
        for text in texts {
            let mut copy = text.open(self.staging)?;
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

    fn tokens(&self, text: &Text) -> Result<u64> {
        let mut copy = text.open(self.staging)?;
        let mut counter = TokenCounter::default();
        let mut buffer = vec![0; BUFFER];
        loop {
            match copy.read(&mut buffer) {
                Ok(0) => return Ok(counter.finish()),
                Ok(n) => counter.see(&buffer[..n]),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Err(Refusal::io("reading", text.heading.path.as_ref())(e)),
            }
        }
    }
}

const BUFFER: usize = 128 << 10;
