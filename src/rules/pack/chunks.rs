//! The files of a split by tokens: which parts make a text that was cut, and whether each byte of a text is in one file.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::dump::TextEntry;
use crate::format::dump::layout::{Bucket, bucket_number, chunk_member, prefix_of_index};
use crate::format::encoding::Encoding;
use crate::rules::pack::observed::{JoinedText, SeenTexts, TextsRead};

/// A text that was cut, with the places of its parts.
#[derive(Debug, PartialEq, Eq)]
pub struct CutText {
    /// Its path in the tree.
    pub path: String,
    /// The encoding that it was converted from.
    pub encoding: Option<Encoding>,
    /// Its parts, in order; at least two.
    pub pieces: Vec<TextPiece>,
}

/// The place of a part of a text.
#[derive(Debug, PartialEq, Eq)]
pub struct TextPiece {
    /// The member.
    pub member: String,
    /// The byte of the member at which the part begins.
    pub at: u64,
    /// Size of the part in bytes.
    pub size: u64,
}

/// Returns the texts whose parts follow one another from the first to the last, each in the next file.
pub fn cut_texts(members: &BTreeMap<String, SeenTexts>) -> Vec<CutText> {
    let Some(prefix) = members.keys().find_map(|path| prefix_of_index(path)) else {
        return Vec::new();
    };
    let mut files: Vec<(usize, &String, &TextsRead)> = Vec::new();
    for (path, seen) in members {
        if let (Some(number), SeenTexts::Texts(Ok(read))) = (number_of(prefix, path), seen) {
            files.push((number, path, read));
        }
    }
    files.sort_by_key(|(number, ..)| *number);
    let mut found = Vec::new();
    let mut open: Option<(CutText, &TextEntry)> = None;
    for (_, member, read) in files {
        for (text, seen) in read.document.texts.iter().zip(&read.seen) {
            let Some(part) = text.part else { continue };
            let piece = TextPiece {
                member: member.clone(),
                at: seen.at,
                size: text.shown,
            };
            let going_on = open.take().filter(|(_, before)| follows(before, text));
            let mut cut = match going_on {
                Some((cut, _)) => cut,
                None if part.number == 1 => CutText {
                    path: text.path.clone(),
                    encoding: text.encoding,
                    pieces: Vec::new(),
                },
                None => continue,
            };
            cut.pieces.push(piece);
            match part.number == part.of {
                true => found.push(cut),
                false => open = Some((cut, text)),
            }
        }
    }
    found
}

/// Returns the number in the name of a file of a split by tokens. `None` if that is not its name.
pub(super) fn number_of(prefix: &str, path: &str) -> Option<usize> {
    bucket_number(prefix, path).filter(|number| chunk_member(prefix, *number) == path)
}

/// Returns whether `next` is the part behind `text`.
fn follows(text: &TextEntry, next: &TextEntry) -> bool {
    let parts = text.part.zip(next.part);
    let same = |text: &TextEntry| (text.path.clone(), text.size, text.executable, text.encoding);
    parts.is_some_and(|(part, behind)| part.is_before(text.shown, &behind)) && same(text) == same(next)
}

/// Puts the texts of the files in order together: each whole text once, and of one that was cut all parts. The error
/// names the file that does not go on as it must.
pub(super) fn put_together<'a>(
    files: &[(&'a str, &'a TextsRead)],
    joined: &BTreeMap<String, JoinedText>,
) -> Result<Vec<TextEntry>, (&'a str, String)> {
    let mut texts: Vec<TextEntry> = Vec::new();
    let mut known = BTreeSet::new();
    let mut buckets = BTreeSet::new();
    let mut open: Option<&TextEntry> = None;
    for (member, read) in files {
        let wrong = |what: String| (*member, what);
        for text in &read.document.texts {
            let path = &text.path;
            let goes_on = open.is_some_and(|before| follows(before, text));
            if let Some(before) = open.filter(|_| !goes_on) {
                let path = &before.path;
                let (number, from) = before
                    .part
                    .map_or((0, 0), |part| (part.number + 1, part.from + before.shown));
                return Err(wrong(format!(
                    "expected part {number} of {path}, from byte {from}, before {}",
                    text.path
                )));
            }
            open = text.part.filter(|part| part.number < part.of).map(|_| text);
            if !goes_on {
                if text.part.is_some_and(|part| part.number != 1) {
                    return Err(wrong(format!("the part of {path} before this one is missing")));
                }
                let bucket = Bucket::of(path);
                let before = texts.last().map(|last| (Bucket::of(&last.path), &last.path));
                let sorted = match before {
                    Some((same, last)) if same == bucket => last.as_bytes() < path.as_bytes(),
                    _ => buckets.insert(bucket),
                };
                if !sorted || !known.insert(path.clone()) {
                    return Err(wrong(format!("{path} occurs twice, or is out of order")));
                }
                texts.push(TextEntry {
                    shown: text.part.map_or(text.shown, |part| part.whole),
                    part: None,
                    ..text.clone()
                });
            }
            let ends = text.part.is_some_and(|part| part.number == part.of);
            if let Some(last) = texts.last_mut().filter(|_| ends) {
                let whole = joined.get(path).filter(|whole| whole.size == text.size);
                let Some(whole) = whole.filter(|whole| whole.is_text == text.encoding.is_none()) else {
                    return Err(wrong(format!("the parts of {path} are not the whole of it")));
                };
                last.hash = whole.hash;
            }
        }
    }
    match (open, files.last()) {
        (Some(text), Some((member, _))) => Err((member, format!("the last part of {} is missing", text.path))),
        _ => Ok(texts),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::digest::Digest;
    use crate::format::dump::read::ParsedTexts;
    use crate::format::dump::{TextPart, TextsSubject};
    use crate::format::repo_state::Mode;
    use crate::rules::pack::observed::SeenText;
    use crate::rules::scan::Traits;

    fn whole(path: &str) -> TextEntry {
        TextEntry {
            path: path.into(),
            size: 30,
            executable: false,
            hash: Digest::of(path.as_bytes()),
            shown: 30,
            encoding: None,
            part: None,
        }
    }

    fn part(path: &str, number: u64, of: u64) -> TextEntry {
        let size = 30 / of;
        TextEntry {
            shown: size,
            part: Some(TextPart {
                number,
                of,
                from: (number - 1) * size,
                whole: 30,
            }),
            ..whole(path)
        }
    }

    fn file(texts: Vec<TextEntry>) -> TextsRead {
        let seen = |(_, at): (&TextEntry, u64)| SeenText {
            traits: Traits::default(),
            blobs: Vec::new(),
            tokens: 1,
            at: 100 + at,
        };
        TextsRead {
            seen: texts.iter().zip(0..).map(seen).collect(),
            document: ParsedTexts {
                subject: TextsSubject {
                    title: "t".into(),
                    scope: "repo".into(),
                    only: None,
                    mode: Mode::Public,
                    commit: String::new(),
                    tree: String::new(),
                    state: Digest::of(b""),
                },
                texts,
                whole: None,
            },
            tokens: 5,
        }
    }

    fn judged(files: Vec<Vec<TextEntry>>) -> Result<Vec<String>, String> {
        let names: Vec<String> = (1..=files.len()).map(|number| chunk_member("R", number)).collect();
        let read: Vec<TextsRead> = files.iter().cloned().map(file).collect();
        let mut members: BTreeMap<String, SeenTexts> = BTreeMap::new();
        members.insert("SPLIT/R-00_INDEX.md".into(), SeenTexts::List(None));
        for (name, texts) in names.iter().zip(files) {
            members.insert(name.clone(), SeenTexts::Texts(Ok(Box::new(file(texts)))));
        }
        let joined = cut_texts(&members).into_iter().map(|cut| {
            let seen = SeenText {
                traits: Traits::default(),
                blobs: Vec::new(),
                tokens: 0,
                at: 0,
            };
            let whole = JoinedText {
                member: cut.pieces[0].member.clone(),
                hash: Digest::of(b"joined"),
                size: cut.pieces.iter().map(|piece| piece.size).sum(),
                is_text: true,
                seen,
            };
            (cut.path, whole)
        });
        let files: Vec<(&str, &TextsRead)> = names.iter().map(String::as_str).zip(&read).collect();
        let texts = put_together(&files, &joined.collect()).map_err(|(member, what)| format!("{member}: {what}"))?;
        assert!(texts.iter().all(|text| text.part.is_none() && text.shown == 30));
        Ok(texts.into_iter().map(|text| text.path).collect())
    }

    #[test]
    fn each_text_is_whole_and_there_once() {
        let sound = vec![
            vec![whole("z/a"), whole("z/b"), whole("a")],
            vec![part("b", 1, 3)],
            vec![part("b", 2, 3)],
            vec![part("b", 3, 3), whole("c/a")],
        ];
        assert_eq!(judged(sound.clone()).unwrap(), ["z/a", "z/b", "a", "b", "c/a"]);
        let with = |change: &dyn Fn(&mut Vec<Vec<TextEntry>>)| {
            let mut files = sound.clone();
            change(&mut files);
            judged(files).unwrap_err()
        };
        for (fault, expected) in [
            (
                with(&|files| drop(files.remove(2))),
                "SPLIT/R-03_PART.md: expected part",
            ),
            (
                with(&|files| drop(files.remove(1))),
                "SPLIT/R-02_PART.md: the part of b before",
            ),
            (
                with(&|files| files.truncate(3)),
                "SPLIT/R-03_PART.md: the last part of b",
            ),
            (
                with(&|files| files.insert(2, vec![part("b", 1, 3)])),
                "SPLIT/R-03_PART.md: expected part",
            ),
            (
                with(&|files| files[2][0].part.as_mut().unwrap().from = 9),
                "SPLIT/R-03_PART.md: expected part",
            ),
            (
                with(&|files| files[2][0].executable = true),
                "SPLIT/R-03_PART.md: expected part",
            ),
            (
                with(&|files| files[2][0].path = "bb".into()),
                "SPLIT/R-03_PART.md: expected part",
            ),
            (
                with(&|files| files[3].push(whole("a"))),
                "SPLIT/R-04_PART.md: a occurs twice",
            ),
            (
                with(&|files| files[0].swap(0, 1)),
                "SPLIT/R-01_PART.md: z/a occurs twice, or is out of order",
            ),
            (
                with(&|files| files[3].push(whole("z/c"))),
                "SPLIT/R-04_PART.md: z/c occurs twice",
            ),
            (
                with(&|files| files[1].insert(0, whole("b"))),
                "SPLIT/R-02_PART.md: b occurs twice",
            ),
        ] {
            assert!(fault.starts_with(expected), "{fault}");
        }
    }
}
