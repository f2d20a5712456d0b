//! Reads the files under `FULL/` and `SPLIT/` of a pack: each of their texts, with its hash and its number of tokens.

use std::io::{self, BufReader, Read};

use crate::adapters::git::blobs::Contents;
use crate::adapters::pack_dir;
use crate::format::dump::layout::{is_chunk, prefix_of_index};
use crate::format::dump::read::{ParsedTexts, ReadError, TakeText, read};
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::format::tokens::{TokenCounter, count_text};
use crate::format::tree_meta::FULL;
use crate::ops::contents::{examine, examine_file};
use crate::refusal::Refusal;
use crate::rules::content::{Look, UnpackBudget};
use crate::rules::pack::observed::{SeenText, SeenTexts, TextsRead};
use crate::rules::pack::places::in_directory;
use crate::rules::scan::Traits;

const BUFFER: usize = 128 << 10;

/// Examines a member under `FULL/` or `SPLIT/`.
pub fn look(path: &str, member: &mut dyn Read, size: u64, budget: &UnpackBudget) -> io::Result<SeenTexts> {
    if prefix_of_index(path).is_some() {
        if size > pack_dir::MAX_DOCUMENT {
            return Ok(SeenTexts::List(None));
        }
        let mut bytes = Vec::with_capacity(size as usize);
        member.take(pack_dir::MAX_DOCUMENT).read_to_end(&mut bytes)?;
        return Ok(SeenTexts::List(Some(bytes)));
    }
    let whole = in_directory(path, FULL);
    let mut seen = Vec::new();
    let mut counted = Counted {
        from: member,
        tokens: is_chunk(path).then(TokenCounter::default),
    };
    let document = texts(&mut counted, whole, &mut |heading, content| {
        let reading = |e| Refusal::io("reading", path.as_ref())(e);
        let tokens = content.converted.filter(|_| !whole).map(count_text);
        let size = heading.conversion.map_or(heading.size, |conversion| conversion.size);
        let mut watched = Watched::of(content.original, size, !whole && tokens.is_none());
        let mut traits = Traits::default();
        // The parts of a text that was cut are examined together.
        if heading.part.is_none() {
            traits = examine_file(&mut watched, size, Look::within(budget)).map_err(reading)?;
            if let Some(converted) = content.converted {
                let more =
                    examine(Contents::Whole(converted.as_bytes(), None), Look::within(budget)).map_err(reading)?;
                add(&mut traits, more.0);
            }
        }
        io::copy(&mut watched, &mut io::sink()).map_err(reading)?;
        seen.push(SeenText {
            traits,
            blobs: watched.blobs.into_iter().map(ObjectHasher::finish).collect(),
            tokens: tokens.or(watched.tokens.map(TokenCounter::finish)).unwrap_or(0),
            at: content.at,
        });
        Ok(())
    });
    let tokens = counted.tokens.map_or(0, TokenCounter::finish);
    match document {
        Ok(document) => Ok(SeenTexts::Texts(Ok(Box::new(TextsRead { document, seen, tokens })))),
        Err(ReadError::Bad(line, why)) => Ok(SeenTexts::Texts(Err(format!("line {line}: {why}")))),
        Err(ReadError::Io(e)) => Err(e),
        Err(ReadError::Refused(Refusal::Io { source, .. })) => Err(source),
        Err(ReadError::Refused(_)) => Err(io::Error::other("a text in it could not be judged")),
    }
}

/// Adds what was found in the conversion of a text to what was found in its original.
pub fn add(traits: &mut Traits, more: Traits) {
    traits.formats.extend(more.formats);
    traits.in_part.extend(more.in_part);
}

/// Counts the tokens of what is read.
struct Counted<'a> {
    from: &'a mut dyn Read,
    tokens: Option<TokenCounter>,
}

impl Read for Counted<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        if let Some(tokens) = &mut self.tokens {
            tokens.see(&buf[..n]);
        }
        Ok(n)
    }
}

/// Reads a file of texts, and passes each text to `take`.
pub fn texts(from: &mut dyn Read, whole: bool, take: TakeText<'_>) -> Result<ParsedTexts, ReadError> {
    read(BufReader::with_capacity(BUFFER, from), whole, take)
}

/// Passes a text through, computes its git hash, and counts its tokens.
struct Watched<'a> {
    content: &'a mut dyn Read,
    blobs: Vec<ObjectHasher>,
    tokens: Option<TokenCounter>,
}

impl<'a> Watched<'a> {
    fn of(content: &'a mut dyn Read, size: u64, count: bool) -> Self {
        let like = [ObjectId::from_bytes(&[0; 20]), ObjectId::from_bytes(&[0; 32])];
        let blobs = like.iter().flatten();
        Self {
            content,
            blobs: blobs.map(|like| ObjectHasher::new(like, "blob", size)).collect(),
            tokens: count.then(TokenCounter::default),
        }
    }
}

impl Read for Watched<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.content.read(buf)?;
        self.blobs.iter_mut().for_each(|hasher| hasher.update(&buf[..n]));
        if let Some(tokens) = &mut self.tokens {
            tokens.see(&buf[..n]);
        }
        Ok(n)
    }
}
