//! Writes the texts of `FULL/`, or of one bucket of `SPLIT/`.

use std::io::{self, Read, Write};

use crate::format::dump::layout::Bucket;
use crate::format::dump::lines::{self, HOW, NOT_TEXT, READ_FIRST};
use crate::format::dump::text::TextShape;
use crate::format::dump::{FULL_VERSION, OtherEntry, SPLIT_VERSION, TextsSubject};

pub use crate::format::dump::lines::Heading;

/// The description before the texts.
#[derive(Clone, Copy)]
pub struct Top<'a> {
    /// The commit and scope of the texts.
    pub subject: &'a TextsSubject,
    /// Number of texts in this file, and their total size in bytes.
    pub texts: (u64, u64),
    /// The additional lists of a file with all texts. `None` for a bucket.
    pub whole: Option<Whole<'a>>,
}

/// The additional lists of a file with all texts.
#[derive(Clone, Copy)]
pub struct Whole<'a> {
    /// Paths of the texts to be read first.
    pub anchors: &'a [String],
    /// The entries that are not texts, sorted by path.
    pub others: &'a [OtherEntry],
}

/// Writes texts one after the other.
pub struct Writer<W> {
    out: W,
    bucket: Option<Bucket>,
}

impl<W: Write> Writer<W> {
    /// Starts a file with its top.
    pub fn begin(mut out: W, top: &Top<'_>) -> io::Result<Self> {
        out.write_all(self::top(top).as_bytes())?;
        Ok(Self { out, bucket: None })
    }

    /// Writes a text. The caller passes the texts of one bucket consecutively.
    ///
    /// Content of another size than stated is an error, since the file could not be read back.
    pub fn text(&mut self, heading: &Heading, shape: &TextShape, content: &mut dyn Read) -> io::Result<()> {
        let bucket = Bucket::of(&heading.path);
        if self.bucket.as_ref() != Some(&bucket) {
            write!(self.out, "\n{}\n", lines::bucket(&bucket))?;
            self.bucket = Some(bucket);
        }
        let fence = shape.fence();
        write!(self.out, "\n{}\n\n{}\n", heading.line(), heading.fence(fence))?;
        if io::copy(content, &mut self.out)? != heading.size {
            return Err(io::Error::other("it changed while it was read"));
        }
        if !shape.is_closed {
            self.out.write_all(b"\n")?;
        }
        writeln!(self.out, "{}", "`".repeat(fence))
    }

    /// Ends the file.
    pub fn finish(mut self) -> io::Result<W> {
        self.out.flush()?;
        Ok(self.out)
    }
}

/// Returns everything before the first text.
pub(super) fn top(top: &Top<'_>) -> String {
    let version = match top.whole {
        Some(_) => FULL_VERSION,
        None => SPLIT_VERSION,
    };
    let mut text = lines::head(top.subject, version);
    let mut push = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    push(&lines::texts(top.texts.0, top.texts.1));
    if let Some(whole) = &top.whole {
        push(&lines::others(whole.others.len() as u64));
    }
    push("");
    HOW.lines().for_each(&mut push);
    if let Some(whole) = &top.whole {
        section(
            READ_FIRST,
            whole.anchors.iter().map(|path| format!("- {}", lines::span(path))),
            &mut push,
        );
        section(NOT_TEXT, whole.others.iter().map(lines::other), &mut push);
    }
    text
}

/// Writes a list under a heading, or nothing if the list is empty.
pub(super) fn section(heading: &str, list: impl Iterator<Item = String>, push: &mut impl FnMut(&str)) {
    for (at, line) in list.enumerate() {
        if at == 0 {
            ["", heading, ""].into_iter().for_each(&mut *push);
        }
        push(&line);
    }
}
