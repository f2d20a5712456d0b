//! Divides the texts of a pack among files of at most so many tokens each.
//!
//! The plan adds up the tokens of single texts. Then each file is counted as it will be, and if one has too many, the plan
//! is made again with that file cut short.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::adapters::staging::Staging;
use crate::adapters::workers;
use crate::format::dump::cut::cut;
use crate::format::dump::text::TextWatch;
use crate::format::dump::write::{Heading, Kinds, Top, Writer, wrapping};
use crate::format::dump::{TextPart, TextsSubject};
use crate::format::tokens::count_text;
use crate::ops::pack::seal::texts::Text;
use crate::refusal::{Exceeded, Refusal, Result};

/// A file of a split by tokens.
pub struct Chunk {
    /// Its texts, and parts of texts.
    pub pieces: Vec<Piece>,
    /// Number of tokens of the whole file.
    pub tokens: u64,
}

/// A text, or a part of one, in a file.
#[derive(Clone)]
pub struct Piece {
    /// Its heading.
    pub heading: Heading,
    /// Number of tokens of it by itself.
    pub tokens: u64,
    /// Place of the text in the list of all texts.
    text: usize,
    /// The bytes of the text that it has.
    bytes: Range<usize>,
}

/// The texts to divide, sorted, each with its number of tokens by itself.
pub struct Chunker<'a> {
    /// The most tokens of a file.
    pub budget: u64,
    /// The commit and scope of the texts.
    pub subject: &'a TextsSubject,
    /// Where the texts are staged.
    pub staging: &'a Staging,
    /// The texts.
    pub texts: &'a [Text],
    /// The number of tokens of each text.
    pub tokens: &'a [u64],
}

/// What earlier plans got wrong.
#[derive(Default)]
struct Corrections {
    /// Texts that begin a file.
    breaks: BTreeSet<usize>,
    /// Texts that are cut, each with the tokens that a part may have.
    cuts: BTreeMap<usize, u64>,
}

impl Chunker<'_> {
    /// Divides the texts.
    pub fn chunks(&self) -> Result<Vec<Chunk>> {
        let mut corrections = Corrections::default();
        loop {
            let planned = self.plan(&corrections)?;
            let counted = workers::map(
                &planned,
                || Ok(()),
                |(), pieces| Ok(count_text(&String::from_utf8_lossy(&self.render(pieces)?))),
            )?;
            let mut fits = true;
            let mut cut: BTreeMap<usize, (u64, &Heading)> = BTreeMap::new();
            for (pieces, tokens) in planned.iter().zip(&counted) {
                let Some(last) = pieces.last().filter(|_| *tokens > self.budget) else {
                    continue;
                };
                fits = false;
                if pieces.len() > 1 {
                    corrections.breaks.insert(last.text);
                    continue;
                }
                let (most, _) = cut.entry(last.text).or_insert((0, &last.heading));
                *most = (*most).max(*tokens);
            }
            for (text, (tokens, heading)) in cut {
                let room = corrections.cuts.get(&text).copied();
                let room = room.unwrap_or_else(|| self.room(heading));
                let less = u128::from(room) * u128::from(self.budget) * 9 / (u128::from(tokens) * 10);
                corrections.cuts.insert(text, less as u64);
            }
            if fits {
                let chunks = planned.into_iter().zip(counted);
                return Ok(chunks.map(|(pieces, tokens)| Chunk { pieces, tokens }).collect());
            }
        }
    }

    /// Returns the content of a file with these pieces.
    pub fn render(&self, pieces: &[Piece]) -> Result<Vec<u8>> {
        let rendering = |e| Refusal::io("writing", "a part of the texts".as_ref())(e);
        let top = Top {
            subject: self.subject,
            texts: (pieces.len() as u64, pieces.iter().map(|piece| piece.heading.size).sum()),
            whole: None,
            kinds: Kinds::of(pieces.iter().map(|piece| &piece.heading)),
        };
        let mut writer = Writer::begin(Vec::new(), &top).map_err(rendering)?;
        for piece in pieces {
            let text = &self.texts[piece.text];
            let bytes = text.part(self.staging, &piece.bytes)?;
            let shape = match piece.heading.part {
                None => text.shape,
                Some(_) => {
                    let mut watch = TextWatch::default();
                    watch.see(&bytes);
                    watch.shape().expect("a text is cut between characters")
                }
            };
            writer
                .text(&piece.heading, &shape, &mut &bytes[..])
                .map_err(rendering)?;
        }
        writer.finish().map_err(rendering)
    }

    fn plan(&self, corrections: &Corrections) -> Result<Vec<Vec<Piece>>> {
        let head = self.head();
        let mut chunks = Vec::new();
        let (mut open, mut used): (Vec<Piece>, u64) = (Vec::new(), head);
        for (at, text) in self.texts.iter().enumerate() {
            let cost = wrapping(&text.heading, text.shape.fence()) + self.tokens[at];
            if head + cost > self.budget || corrections.cuts.contains_key(&at) {
                let mut parts = self.cut(at, corrections.cuts.get(&at).copied())?;
                let last = parts.pop();
                chunks
                    .extend(std::iter::once(std::mem::take(&mut open)).chain(parts.into_iter().map(|part| vec![part])));
                used = head;
                if let Some(last) = last {
                    used += wrapping(&last.heading, text.shape.fence()) + last.tokens;
                    open.push(last);
                }
                continue;
            }
            if used + cost > self.budget || corrections.breaks.contains(&at) {
                chunks.push(std::mem::take(&mut open));
                used = head;
            }
            used += cost;
            open.push(Piece {
                heading: text.heading.clone(),
                tokens: self.tokens[at],
                text: at,
                bytes: 0..text.heading.size as usize,
            });
        }
        chunks.push(open);
        chunks.retain(|pieces| !pieces.is_empty());
        Ok(chunks)
    }

    /// Returns the most tokens that the beginning of a file has.
    fn head(&self) -> u64 {
        let top = Top {
            subject: self.subject,
            texts: (self.texts.len() as u64, u64::MAX),
            whole: None,
            kinds: Kinds {
                converted: true,
                cut: true,
            },
        };
        count_text(&top.text())
    }

    /// Returns the tokens that are left for a text beside the beginning of a file and its heading.
    fn room(&self, heading: &Heading) -> u64 {
        let size = heading.size;
        let part = TextPart {
            number: size,
            of: size,
            from: size,
            whole: size,
        };
        let heading = Heading {
            part: Some(part),
            ..heading.clone()
        };
        self.budget.saturating_sub(self.head() + wrapping(&heading, 3))
    }

    /// Cuts a text into at least two parts.
    fn cut(&self, at: usize, room: Option<u64>) -> Result<Vec<Piece>> {
        let text = &self.texts[at];
        let whole = text.read(self.staging)?;
        let mut room = room.unwrap_or_else(|| self.room(&text.heading));
        let ranges = loop {
            let ranges = cut(&whole, room).ok_or_else(|| self.too_small(text))?;
            match ranges.len() {
                0 => return Err(self.too_small(text)),
                // The text fits by its tokens, but not with its fences.
                1 => room = room * 9 / 10,
                _ => break ranges,
            }
        };
        let of = ranges.len() as u64;
        let pieces = ranges.into_iter().zip(1..).map(|(bytes, number)| {
            let mut heading = text.heading.clone();
            heading.size = bytes.len() as u64;
            heading.part = Some(TextPart {
                number,
                of,
                from: bytes.start as u64,
                whole: whole.len() as u64,
            });
            Piece {
                tokens: count_text(&whole[bytes.clone()]),
                heading,
                text: at,
                bytes,
            }
        });
        Ok(pieces.collect())
    }

    fn too_small(&self, text: &Text) -> Refusal {
        let heading = &text.heading;
        let least = self.head() + wrapping(heading, text.shape.fence());
        Refusal::Limit {
            scope: self.subject.scope.clone(),
            exceeded: Exceeded {
                limit: "split.max_tokens",
                allowed: self.budget,
                found: least.max(self.budget + 1),
            },
            largest: vec![(heading.path.clone(), heading.size)],
        }
    }
}
