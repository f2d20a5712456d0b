//! Puts the parts of texts that were cut together again, to hash and examine each text as the file that it was.

use std::collections::BTreeMap;
use std::io::{self, Cursor, Read};

use crate::adapters::git::blobs::Contents;
use crate::format::digest::Hasher;
use crate::format::dump::text::TextWatch;
use crate::format::object_id::{ObjectHasher, ObjectId};
use crate::ops::contents::examine;
use crate::ops::pack::source::Source;
use crate::ops::pack::texts::add;
use crate::refusal::{Refusal, Result};
use crate::rules::content::{Look, UnpackBudget};
use crate::rules::pack::chunks::{CutText, cut_texts};
use crate::rules::pack::observed::{JoinedText, SeenText, TextMembers};

/// Joins the texts whose parts follow one another.
pub(super) fn join(
    source: &Source<'_>,
    texts: &TextMembers,
    budget: &UnpackBudget,
) -> Result<BTreeMap<String, JoinedText>> {
    let mut joined = BTreeMap::new();
    for text in cut_texts(&texts.members) {
        let found = join_one(source, &text, budget)?;
        joined.insert(text.path, found);
    }
    Ok(joined)
}

fn join_one(source: &Source<'_>, text: &CutText, budget: &UnpackBudget) -> Result<JoinedText> {
    let reading = |e| Refusal::io("reading", text.pieces[0].member.as_ref())(e);
    let (mut hasher, mut watch, mut size) = (Hasher::default(), TextWatch::default(), 0);
    each(&mut text.original(source), |bytes| {
        hasher.update(bytes);
        watch.see(bytes);
        size += bytes.len() as u64;
    })
    .map_err(reading)?;
    let like = [ObjectId::from_bytes(&[0; 20]), ObjectId::from_bytes(&[0; 32])];
    let like = like.iter().flatten();
    let mut blobs: Vec<ObjectHasher> = like.map(|like| ObjectHasher::new(like, "blob", size)).collect();
    let mut hashed = Teed {
        from: &mut text.original(source),
        blobs: &mut blobs,
    };
    let look = || Look::within(budget);
    let (mut traits, _) = examine(Contents::Stream(&mut hashed, size), look()).map_err(reading)?;
    io::copy(&mut hashed, &mut io::sink()).map_err(reading)?;
    if text.encoding.is_some() {
        let shown = text.pieces.iter().map(|piece| piece.size).sum();
        let (more, _) = examine(Contents::Stream(&mut text.shown(source), shown), look()).map_err(reading)?;
        add(&mut traits, more);
    }
    Ok(JoinedText {
        member: text.pieces[0].member.clone(),
        hash: hasher.finish(),
        size,
        is_text: watch.shape().is_some(),
        seen: SeenText {
            traits,
            blobs: blobs.into_iter().map(ObjectHasher::finish).collect(),
            tokens: 0,
            at: 0,
        },
    })
}

impl CutText {
    /// Returns a reader of the text as it stands in the pack.
    fn shown<'a>(&'a self, source: &'a Source<'_>) -> impl Read + 'a {
        Parts {
            source,
            text: self,
            next: 0,
            open: Box::new(io::empty()),
            original: false,
        }
    }

    /// Returns a reader of the file, in its own encoding.
    fn original<'a>(&'a self, source: &'a Source<'_>) -> impl Read + 'a {
        Parts {
            source,
            text: self,
            next: 0,
            open: Box::new(io::empty()),
            original: true,
        }
    }
}

/// Reads parts one after the other.
struct Parts<'a, 's> {
    source: &'a Source<'s>,
    text: &'a CutText,
    next: usize,
    open: Box<dyn Read>,
    original: bool,
}

impl Read for Parts<'_, '_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.open.read(buf)?;
            let Some(piece) = self.text.pieces.get(self.next).filter(|_| n == 0 && !buf.is_empty()) else {
                return Ok(n);
            };
            self.next += 1;
            let refused = |e: Refusal| io::Error::other(e.to_string());
            let mut part = self
                .source
                .range(&piece.member, piece.at, piece.size)
                .map_err(refused)?;
            self.open = match self.text.encoding.filter(|_| self.original) {
                None => part,
                Some(encoding) => {
                    let mut text = String::new();
                    part.read_to_string(&mut text)?;
                    let changed = || io::Error::other("it changed while it was read");
                    Box::new(Cursor::new(encoding.encode(&text).ok_or_else(changed)?))
                }
            };
        }
    }
}

/// Passes everything that is read to hashers of git ids.
struct Teed<'a, R> {
    from: &'a mut R,
    blobs: &'a mut Vec<ObjectHasher>,
}

impl<R: Read> Read for Teed<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buf)?;
        self.blobs.iter_mut().for_each(|hasher| hasher.update(&buf[..n]));
        Ok(n)
    }
}

fn each(from: &mut dyn Read, mut take: impl FnMut(&[u8])) -> io::Result<()> {
    let mut buffer = vec![0; 128 << 10];
    loop {
        match from.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(n) => take(&buffer[..n]),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
}
