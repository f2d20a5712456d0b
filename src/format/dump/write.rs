//! Writes the texts of `FULL/`, or of one bucket of `SPLIT/`.

use std::io::{self, Read, Write};

use crate::format::dump::layout::Bucket;
use crate::format::dump::lines::{self, HOW, HOW_CONVERTED, HOW_CUT, NOT_TEXT, READ_FIRST};
use crate::format::dump::text::TextShape;
use crate::format::dump::{FULL_VERSION, OtherEntry, SPLIT_VERSION, TextsSubject};
use crate::format::tokens::count_text;

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
    /// Which texts need an explanation.
    pub kinds: Kinds,
}

/// Which kinds of texts that need an explanation are in a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds {
    /// Whether any text was converted.
    pub converted: bool,
    /// Whether any text was cut.
    pub cut: bool,
}

impl Kinds {
    /// Returns the kinds among these texts.
    pub fn of<'a>(headings: impl Iterator<Item = &'a Heading>) -> Self {
        headings.fold(Self::default(), |kinds, heading| Self {
            converted: kinds.converted || heading.conversion.is_some(),
            cut: kinds.cut || heading.part.is_some(),
        })
    }
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

impl Top<'_> {
    /// Returns everything before the first text.
    pub fn text(&self) -> String {
        top(self)
    }
}

/// Returns the most tokens of everything around a text in a fence of this length: the heading of its bucket, its own
/// heading, and the fence.
pub fn wrapping(heading: &Heading, fence: usize) -> u64 {
    let bucket = lines::bucket(&Bucket::of(&heading.path));
    let opening = format!("\n{bucket}\n\n{}\n\n{}\n", heading.line(), heading.fence(fence));
    count_text(&opening) + count_text(&format!("\n{}\n", "`".repeat(fence)))
}

fn top(top: &Top<'_>) -> String {
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
    let more = [(top.kinds.converted, HOW_CONVERTED), (top.kinds.cut, HOW_CUT)];
    let more = more.into_iter().filter(|(any, _)| *any).map(|(_, how)| how);
    [HOW].into_iter().chain(more).flat_map(str::lines).for_each(&mut push);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::digest::Digest;
    use crate::format::dump::read::{ReadError, read};
    use crate::format::dump::text::TextWatch;
    use crate::format::dump::{Conversion, TextEntry, TextPart};
    use crate::format::encoding::Encoding;
    use crate::format::repo_state::Mode;
    use crate::refusal::Refusal;

    /// Writes a file of a split with one text.
    fn split(heading: &Heading, text: &str) -> Vec<u8> {
        let subject = TextsSubject {
            title: "title".into(),
            scope: "repo".into(),
            only: None,
            mode: Mode::Public,
            commit: "1".repeat(40),
            tree: "2".repeat(40),
            state: Digest::of(b""),
        };
        let top = Top {
            subject: &subject,
            texts: (1, heading.size),
            whole: None,
            kinds: Kinds::of([heading].into_iter()),
        };
        let mut watch = TextWatch::default();
        watch.see(text.as_bytes());
        let mut writer = Writer::begin(Vec::new(), &top).unwrap();
        writer
            .text(heading, &watch.shape().unwrap(), &mut text.as_bytes())
            .unwrap();
        writer.finish().unwrap()
    }

    fn read_split(bytes: &[u8]) -> Result<(Vec<u8>, u64, TextEntry), ReadError> {
        let (mut original, mut at) = (Vec::new(), 0);
        let document = read(bytes, false, &mut |_, content| {
            content
                .original
                .read_to_end(&mut original)
                .map_err(Refusal::io("reading", "".as_ref()))?;
            at = content.at;
            Ok(())
        })?;
        Ok((original, at, document.texts[0].clone()))
    }

    #[test]
    fn a_converted_part_comes_back_and_names_what_it_is() {
        let encoding = Encoding::parse("Shift_JIS").unwrap();
        let text = "日本語の\nテキスト\n";
        let original = encoding.encode(text).unwrap();
        let part = TextPart {
            number: 2,
            of: 3,
            from: 9,
            whole: 99,
        };
        let heading = |conversion, part| Heading {
            path: "a/b.txt".into(),
            size: text.len() as u64,
            executable: false,
            conversion,
            part,
        };
        let whole = Conversion {
            encoding,
            size: original.len() as u64,
        };
        let longer = Conversion { encoding, size: 70 };
        for heading in [
            heading(Some(whole), None),
            heading(Some(longer), Some(part)),
            heading(None, Some(part)),
        ] {
            let bytes = split(&heading, text);
            let (back, at, entry) = read_split(&bytes).unwrap();
            let expected = if heading.conversion.is_some() {
                &original[..]
            } else {
                text.as_bytes()
            };
            assert_eq!((&back[..], entry.hash), (expected, Digest::of(expected)));
            assert_eq!((entry.part, entry.shown), (heading.part, heading.size));
            assert_eq!(&bytes[at as usize..][..text.len()], text.as_bytes());
            // Only a file of a split has parts, and a whole text has its whole size.
            assert!(heading.part.is_none() || read(&bytes[..], true, &mut |_, _| Ok(())).is_err());
        }
        for wrong in [
            heading(Some(longer), None),
            heading(None, Some(TextPart { number: 1, ..part })),
            heading(None, Some(TextPart { from: 98, ..part })),
            heading(None, Some(TextPart { from: u64::MAX, ..part })),
            heading(None, Some(TextPart { of: 2, ..part })),
            heading(
                Some(Conversion {
                    size: u64::MAX,
                    ..whole
                }),
                Some(part),
            ),
        ] {
            assert!(read_split(&split(&wrong, text)).is_err(), "{wrong:?}");
        }
        // What is UTF-8 as it is needs no conversion.
        let ascii = Conversion { encoding, size: 3 };
        let plain = Heading {
            size: 3,
            ..heading(Some(ascii), None)
        };
        assert!(read_split(&split(&plain, "abc")).is_err());
    }
}
