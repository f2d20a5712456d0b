//! Reads texts back: strictly, so that only what [`super::write`] writes is accepted, and with bounded memory for each
//! text.

use std::collections::BTreeSet;
use std::io::{self, BufRead, Read};

use crate::format::digest::{Digest, Hasher};
use crate::format::dump::layout::Bucket;
use crate::format::dump::lines::{self, HEAD_LINES, HOW, HOW_CONVERTED, HOW_CUT, NOT_TEXT, READ_FIRST};
use crate::format::dump::text::{TextShape, TextWatch};
use crate::format::dump::write::Kinds;
use crate::format::dump::{Conversion, FULL_VERSION, OtherEntry, SPLIT_VERSION, TextEntry, TextsSubject};
use crate::format::encoding;
use crate::format::member_path::MemberPath;
use crate::format::repo_state::{RepoState, StateFile};
use crate::format::tree_name;
use crate::refusal::Refusal;
use crate::refusal::path::PathFault;

pub use crate::format::dump::lines::Heading;

/// The longest line outside of a text, in bytes.
const MAX_LINE: u64 = 8 << 20;

/// A parsed file, without the content of its texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParsedTexts {
    /// The commit and scope of the texts.
    pub subject: TextsSubject,
    /// The texts, in the order of the file.
    pub texts: Vec<TextEntry>,
    /// The paths to read first, and the entries that are not texts. Only a file with all texts has them.
    pub whole: Option<(Vec<String>, Vec<OtherEntry>)>,
}

/// Why a file could not be read.
#[derive(Debug)]
pub enum ReadError {
    /// The file could not be read.
    Io(io::Error),
    /// The receiver of a text refused it.
    Refused(Refusal),
    /// The file is malformed: the line, and what is wrong there.
    Bad(u64, String),
}

impl From<io::Error> for ReadError {
    fn from(e: io::Error) -> Self {
        Self::Io(e)
    }
}

/// The content of a text.
pub struct TextContent<'a> {
    /// The bytes of the file, or of the part of it that stands here.
    pub original: &'a mut dyn Read,
    /// The text as it stands here, if it was converted.
    pub converted: Option<&'a str>,
    /// The byte of this file at which the text begins.
    pub at: u64,
}

/// Receives the heading and the content of a text. It need not read all of the content.
pub type TakeText<'a> = &'a mut dyn FnMut(&Heading, &mut TextContent<'_>) -> Result<(), Refusal>;

/// Reads a file under `FULL/`, or one with texts under `SPLIT/`, and passes each text to `take`.
///
/// A path that leads out of a directory, or occurs twice, is refused before its text is passed on.
pub fn read(from: impl BufRead, whole: bool, take: TakeText<'_>) -> Result<ParsedTexts, ReadError> {
    let mut reader = Reader {
        from,
        line: 0,
        at: 0,
        unread: Vec::new(),
    };
    let is_whole = whole;
    let (subject, counts, kinds, whole) = reader.top(whole)?;
    let mut found = Kinds::default();
    let others = whole.iter().flat_map(|(_, others)| others);
    let mut known: BTreeSet<String> = others.map(|entry| entry.path.clone()).collect();
    let mut texts: Vec<TextEntry> = Vec::new();
    let mut buckets: BTreeSet<Bucket> = BTreeSet::new();
    let mut section: Option<Bucket> = None;
    while let Some(blank) = reader.line()? {
        reader.ensure(blank.is_empty(), "expected an empty line before a heading")?;
        let mut line = reader.some_line()?;
        if let Some(bucket) = lines::parse_bucket(&line) {
            reader.ensure(buckets.insert(bucket.clone()), "this section occurs twice")?;
            section = Some(bucket);
            reader.blank()?;
            line = reader.some_line()?;
        }
        let Some(heading) = Heading::parse(&line) else {
            return Err(reader.bad("expected the heading of a file"));
        };
        let path = &heading.path;
        reader.ensure_safe(path)?;
        let in_section = section == Some(Bucket::of(path));
        reader.ensure(in_section, "this file does not belong to its section")?;
        let before = texts.last().filter(|last| Bucket::of(&last.path) == Bucket::of(path));
        let sorted = before.is_none_or(|last| last.path.as_bytes() < path.as_bytes());
        reader.ensure(
            sorted && known.insert(path.clone()),
            "this file occurs twice, or is out of order",
        )?;
        reader.ensure_part(&heading, is_whole, texts.last())?;
        found.converted |= heading.conversion.is_some();
        found.cut |= heading.part.is_some();
        reader.blank()?;
        texts.push(reader.text(heading, take)?);
    }
    reader.ensure(found == kinds, "the explanation at the top does not fit the texts")?;
    let bytes = texts.iter().try_fold(0u64, |sum, text| sum.checked_add(text.shown));
    let counted = (texts.len() as u64, bytes.unwrap_or(u64::MAX));
    reader.ensure(
        counted == counts,
        "the number or size of the texts differs from the head",
    )?;
    let document = ParsedTexts { subject, texts, whole };
    document.ensure_whole().map_err(|why| reader.bad(why))?;
    Ok(document)
}

impl ParsedTexts {
    /// In a file with all texts, checks that the anchors are among the texts, and that the state digest is the stated
    /// one.
    fn ensure_whole(&self) -> Result<(), &'static str> {
        let Some((anchors, others)) = &self.whole else {
            return Ok(());
        };
        let texts: BTreeSet<&str> = self.texts.iter().map(|text| text.path.as_str()).collect();
        let distinct: BTreeSet<&str> = anchors.iter().map(String::as_str).collect();
        if distinct.len() != anchors.len() || !distinct.is_subset(&texts) {
            return Err("an anchor is not among the texts, or occurs twice");
        }
        let texts = self.texts.iter().map(TextEntry::in_state);
        if digest(texts.chain(others.iter().map(OtherEntry::in_state))) != self.subject.state {
            return Err("the state digest of the entries differs from the head");
        }
        Ok(())
    }

    /// Returns the state digest of the texts alone.
    pub fn texts_digest(&self) -> Digest {
        digest(self.texts.iter().map(TextEntry::in_state))
    }
}

/// Returns the state digest of entries in any order.
pub fn digest(files: impl Iterator<Item = StateFile>) -> Digest {
    let state = RepoState {
        canon_version: String::new(),
        grammar_version: String::new(),
        scope: String::new(),
        files: files.collect(),
    };
    state.digest()
}

struct Reader<R> {
    from: R,
    line: u64,
    /// Number of bytes read.
    at: u64,
    /// Lines that were read ahead and put back, in reverse order.
    unread: Vec<String>,
}

type TopRead = (TextsSubject, (u64, u64), Kinds, Option<(Vec<String>, Vec<OtherEntry>)>);

impl<R: BufRead> Reader<R> {
    fn bad(&self, problem: &str) -> ReadError {
        ReadError::Bad(self.line, problem.to_owned())
    }

    fn ensure(&self, holds: bool, problem: &str) -> Result<(), ReadError> {
        if holds { Ok(()) } else { Err(self.bad(problem)) }
    }

    fn ensure_safe(&self, path: &str) -> Result<(), ReadError> {
        match MemberPath::parse(path) {
            Ok(_) if tree_name::is_text(path) => Ok(()),
            Ok(_) => Err(self.bad(&format!("the path is unsafe: {}", PathFault::Escape))),
            Err(why) => Err(self.bad(&format!("the path is unsafe: {why}"))),
        }
    }

    /// Reads a line without its newline. `None` at the end.
    fn line(&mut self) -> Result<Option<String>, ReadError> {
        self.line += 1;
        if let Some(line) = self.unread.pop() {
            return Ok(Some(line));
        }
        let mut bytes = Vec::new();
        (&mut self.from).take(MAX_LINE).read_until(b'\n', &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        self.at += bytes.len() as u64;
        self.ensure(bytes.pop() == Some(b'\n'), "expected a newline at the end of the line")?;
        String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| self.bad("expected UTF-8"))
    }

    fn unread(&mut self, line: Option<String>) {
        self.line -= 1;
        self.unread.extend(line);
    }

    fn some_line(&mut self) -> Result<String, ReadError> {
        match self.line()? {
            Some(line) => Ok(line),
            None => Err(self.bad("unexpected end of file")),
        }
    }

    fn blank(&mut self) -> Result<(), ReadError> {
        let line = self.some_line()?;
        self.ensure(line.is_empty(), "expected an empty line")
    }

    fn top(&mut self, whole: bool) -> Result<TopRead, ReadError> {
        let version = if whole { FULL_VERSION } else { SPLIT_VERSION };
        let mut head = String::new();
        let [before, behind] = HEAD_LINES;
        let mut left = before + behind;
        while left > 0 {
            let line = self.some_line()?;
            if left != behind || !lines::is_glob(&line) {
                left -= 1;
            }
            head.push_str(&line);
            head.push('\n');
        }
        let Some(subject) = lines::parse_head(&head, version) else {
            return Err(self.bad(&format!(
                "expected the head of a {version}: title, format, scope, mode, commit, tree, state"
            )));
        };
        let Some(counts) = lines::parse_counts(&self.some_line()?) else {
            return Err(self.bad("expected the number of texts"));
        };
        let others = match whole {
            true => match lines::parse_others(&self.some_line()?) {
                Some(others) => others,
                None => return Err(self.bad("expected the number of entries that are not text")),
            },
            false => 0,
        };
        self.blank()?;
        for expected in HOW.lines() {
            let line = self.some_line()?;
            self.ensure(
                line == expected,
                "expected the fixed text about the layout of this file",
            )?;
        }
        let kinds = Kinds {
            converted: self.explanation(HOW_CONVERTED)?,
            cut: self.explanation(HOW_CUT)?,
        };
        if !whole {
            return Ok((subject, counts, kinds, None));
        }
        let anchors = self.section(READ_FIRST, |line| {
            let (path, rest) = lines::parse_span(line.strip_prefix("- ")?)?;
            rest.is_empty().then_some(path)
        })?;
        let listed = self.section(NOT_TEXT, lines::parse_other)?;
        self.ensure(
            listed.len() as u64 == others,
            "the number of entries that are not text differs from the head",
        )?;
        self.ensure(
            listed.is_sorted_by(|a, b| a.path.as_bytes() < b.path.as_bytes()),
            "the entries that are not text are not sorted, or one occurs twice",
        )?;
        for entry in &listed {
            self.ensure_safe(&entry.path)?;
        }
        Ok((subject, counts, kinds, Some((anchors, listed))))
    }

    /// Reads this line, if it comes next. Returns whether it did.
    fn explanation(&mut self, how: &str) -> Result<bool, ReadError> {
        let next = self.line()?;
        let found = next.as_deref() == Some(how.trim_end());
        if !found {
            self.unread(next);
        }
        Ok(found)
    }

    /// Checks the part that a heading names. Only a file of a split has parts. They do not share a file.
    fn ensure_part(&self, heading: &Heading, whole: bool, before: Option<&TextEntry>) -> Result<(), ReadError> {
        let goes_on = before
            .and_then(|before| before.part)
            .is_some_and(|part| part.number < part.of);
        self.ensure(!goes_on, "only the last part of a text may have texts behind it")?;
        let Some(part) = heading.part else {
            return Ok(());
        };
        self.ensure(
            !whole && part.is_possible(heading.size) && (part.number == 1 || before.is_none()),
            "a part of a text cannot have this number or place",
        )
    }

    /// Reads a list under `heading`, if that comes next. Otherwise returns an empty list.
    fn section<T>(&mut self, heading: &str, parse: impl Fn(&str) -> Option<T>) -> Result<Vec<T>, ReadError> {
        let (blank, next) = (self.line()?, self.line()?);
        if (blank.as_deref(), next.as_deref()) != (Some(""), Some(heading)) {
            self.unread(next);
            self.unread(blank);
            return Ok(Vec::new());
        }
        self.blank()?;
        let mut found = Vec::new();
        loop {
            match self.line()? {
                Some(line) if line.starts_with("- ") => {
                    found.push(parse(&line).ok_or_else(|| self.bad("expected an entry of the list"))?);
                }
                other => break self.unread(other),
            }
        }
        self.ensure(!found.is_empty(), "expected an entry of the list")?;
        Ok(found)
    }

    fn text(&mut self, heading: Heading, take: TakeText<'_>) -> Result<TextEntry, ReadError> {
        let opening = self.some_line()?;
        let mut content = Content {
            from: &mut self.from,
            left: heading.size,
            hasher: Hasher::default(),
            watch: TextWatch::default(),
            newlines: 0,
            failed: false,
        };
        let at = self.at;
        let taken = match heading.conversion {
            None => {
                let taken = take(
                    &heading,
                    &mut TextContent {
                        original: &mut content,
                        converted: None,
                        at,
                    },
                );
                taken.map(|()| None).map_err(ReadError::Refused)
            }
            Some(conversion) => convert_back(conversion, &heading, &mut content).and_then(|(original, text)| {
                let mut bytes = &original[..];
                let taken = take(
                    &heading,
                    &mut TextContent {
                        original: &mut bytes,
                        converted: Some(&text),
                        at,
                    },
                );
                taken.map_err(ReadError::Refused)?;
                Ok(Some(Digest::of(&original)))
            }),
        };
        // Read what the receiver left, so that all of the content is hashed and the next line is found.
        if taken.is_ok() {
            io::copy(&mut content, &mut io::sink())?;
        }
        let (left, newlines, failed) = (content.left, content.newlines, content.failed);
        let (hash, shape) = (content.hasher.finish(), content.watch.shape());
        self.line += newlines;
        self.at += heading.size - left;
        if left > 0 && failed {
            return Err(self.bad("the file ends within a text"));
        }
        let original = taken.map_err(|why| match why {
            ReadError::Bad(_, problem) => self.bad(&problem),
            other => other,
        })?;
        let Some(shape) = shape else {
            return Err(self.bad("expected text"));
        };
        self.close(&heading, &opening, shape)?;
        Ok(TextEntry {
            size: match (heading.conversion, heading.part) {
                (Some(conversion), _) => conversion.size,
                (None, Some(part)) => part.whole,
                (None, None) => heading.size,
            },
            shown: heading.size,
            path: heading.path,
            executable: heading.executable,
            hash: original.unwrap_or(hash),
            encoding: heading.conversion.map(|conversion| conversion.encoding),
            part: heading.part,
        })
    }

    /// Checks the fences of a text, and reads up to behind the closing one.
    fn close(&mut self, heading: &Heading, opening: &str, shape: TextShape) -> Result<(), ReadError> {
        let fence = shape.fence();
        self.ensure(
            opening == heading.fence(fence),
            "the opening fence does not fit this text",
        )?;
        if !shape.is_closed {
            let end = self.some_line()?;
            self.ensure(end.is_empty(), "the text is longer than its heading says")?;
        }
        let closing = self.some_line()?;
        let closes = closing.len() == fence && closing.bytes().all(|b| b == b'`');
        self.ensure(
            closes,
            "expected the closing fence: the size of the text differs from its heading",
        )
    }
}

/// Reads a converted text. Returns its bytes in the encoding of the file, and the text.
fn convert_back(
    conversion: Conversion,
    heading: &Heading,
    content: &mut dyn Read,
) -> Result<(Vec<u8>, String), ReadError> {
    let bad = |problem: &str| ReadError::Bad(0, problem.to_owned());
    // A character has at most three bytes for each byte of its encoding.
    let most = 3 * encoding::MAX_BYTES;
    if conversion.size > encoding::MAX_BYTES || heading.size > most {
        return Err(bad("the file is too large to be a converted text"));
    }
    let mut bytes = Vec::new();
    content.take(most).read_to_end(&mut bytes)?;
    let text = String::from_utf8(bytes).map_err(|_| bad("expected text"))?;
    let Some(original) = conversion.encoding.encode(&text) else {
        return Err(bad("the text cannot be converted back to its encoding"));
    };
    let mut watch = TextWatch::default();
    watch.see(&original);
    let size = original.len() as u64;
    let fits = match heading.part {
        Some(_) => size <= conversion.size,
        None => size == conversion.size && watch.shape().is_none(),
    };
    match fits {
        true => Ok((original, text)),
        false => Err(bad(
            "the converted text has another size in its encoding, or needs no conversion",
        )),
    }
}

/// The content of one text, hashed and examined while it is read.
struct Content<'a, R> {
    from: &'a mut R,
    left: u64,
    hasher: Hasher,
    watch: TextWatch,
    newlines: u64,
    failed: bool,
}

impl<R: BufRead> Read for Content<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        if most == 0 {
            return Ok(0);
        }
        let n = self.from.read(&mut buf[..most])?;
        if n == 0 {
            self.failed = true;
            return Ok(0);
        }
        let bytes = &buf[..n];
        self.left -= n as u64;
        self.hasher.update(bytes);
        self.watch.see(bytes);
        self.newlines += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        Ok(n)
    }
}
