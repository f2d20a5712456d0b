//! Reads a document that is mostly one list from a stream, and holds one item of the list at a time.

use std::io::{self, Read};

use serde_json::Value;

use crate::format::canonical_json::{JsonError, parse_within, to_canonical};

/// Most bytes of one item of a list.
pub const MAX_ITEM: usize = 1 << 20;

/// Most bytes of a document beside its list.
pub const MAX_HULL: usize = 64 << 20;

/// Most objects and arrays in one another within an item. The list and its document are two more.
const MAX_DEPTH: usize = 125;

const BUFFER: usize = 64 << 10;

/// Why a list could not be read to its end.
#[derive(Debug)]
pub enum ListingError {
    /// The stream failed.
    Io(io::Error),
    /// The document is not strict JSON, or a part of it is too long.
    Json(JsonError),
}

/// A reader of the list under one key of the outermost object.
pub struct Listing<'a, R> {
    from: R,
    key: &'a str,
    buffer: Vec<u8>,
    /// The part of the buffer that was not looked at yet.
    rest: (usize, usize),
    /// The document without the items.
    hull: Vec<u8>,
    /// Where the list begins in it, behind its bracket.
    list: Option<usize>,
    item: Vec<u8>,
    items: u64,
    place: Place,
    /// Whether nothing but commas is between the items.
    tight: bool,
}

/// What the next byte belongs to.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Hull,
    Items,
    /// Behind the list.
    Tail,
}

/// A position within JSON text: the strings, and how deep it is.
#[derive(Default)]
struct Depth {
    depth: usize,
    in_string: bool,
    escaped: bool,
}

impl Depth {
    /// Takes the next byte. Returns whether it stands outside of strings.
    fn step(&mut self, byte: u8) -> bool {
        if self.in_string {
            match byte {
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.in_string = false,
                _ => {}
            }
            return false;
        }
        match byte {
            b'"' => self.in_string = true,
            b'{' | b'[' => self.depth += 1,
            b'}' | b']' => self.depth = self.depth.saturating_sub(1),
            _ => {}
        }
        byte != b'"'
    }
}

impl<'a, R: Read> Listing<'a, R> {
    /// Reads up to the list under `key`, or to the end of a document without it.
    pub fn begin(from: R, key: &'a str) -> Result<Self, ListingError> {
        let mut listing = Self {
            from,
            key,
            buffer: vec![0; BUFFER],
            rest: (0, 0),
            hull: Vec::new(),
            list: None,
            item: Vec::new(),
            items: 0,
            place: Place::Hull,
            tight: true,
        };
        listing.seek()?;
        Ok(listing)
    }

    /// Returns the bytes before the first item.
    pub fn head(&self) -> &[u8] {
        &self.hull[..self.list.unwrap_or(self.hull.len())]
    }

    /// Returns the text of the next item. `None` behind the last one.
    pub fn next_item(&mut self) -> Result<Option<&[u8]>, ListingError> {
        if self.place != Place::Items {
            return Ok(None);
        }
        self.item.clear();
        let mut at = Depth::default();
        loop {
            let Some(chunk) = self.fill()? else {
                // The document ends within the list, and what is left of it is no document.
                self.place = Place::Tail;
                return Ok(None);
            };
            let mut end = None;
            for (byte, index) in chunk.iter().zip(0..) {
                if at.depth == 0 && !at.in_string && matches!(byte, b',' | b']') {
                    end = Some((index, *byte));
                    break;
                }
                at.step(*byte);
                if at.depth > MAX_DEPTH {
                    return Err(self.fault("recursion limit exceeded"));
                }
            }
            let length = end.map_or(chunk.len(), |(index, _)| index);
            let start = self.rest.0;
            if self.item.len() + length > MAX_ITEM {
                return Err(self.fault(&format!("it has more than {MAX_ITEM} bytes")));
            }
            self.item.extend_from_slice(&self.buffer[start..start + length]);
            self.rest.0 += length + usize::from(end.is_some());
            match end {
                None => {}
                Some((_, b']')) => {
                    self.place = Place::Tail;
                    self.hull.push(b']');
                    let is_blank = self.item.iter().all(u8::is_ascii_whitespace);
                    if self.items == 0 && is_blank {
                        self.tight &= self.item.is_empty();
                        return Ok(None);
                    }
                    break;
                }
                Some(_) => break,
            }
        }
        self.items += 1;
        let is_blank = |byte: Option<&u8>| byte.is_none_or(u8::is_ascii_whitespace);
        self.tight &= !is_blank(self.item.first()) && !is_blank(self.item.last());
        Ok(Some(&self.item))
    }

    /// Returns the value of the next item, and whether it is written in canonical form.
    pub fn next_value(&mut self) -> Result<Option<(Value, bool)>, ListingError> {
        let Some(text) = self.next_item()? else { return Ok(None) };
        match parse_within(text) {
            Ok(value) => {
                let is_canonical = to_canonical(&value) == text;
                Ok(Some((value, is_canonical)))
            }
            Err(JsonError(why)) => Err(self.fault(&why)),
        }
    }

    /// Reads the rest of the document, with any items that were not read yet. Returns the document without the items, and whether only
    /// commas are between these.
    pub fn finish(mut self) -> Result<(Vec<u8>, bool), ListingError> {
        while self.next_item()?.is_some() {}
        while let Some(chunk) = self.fill()? {
            let length = chunk.len();
            self.extend_hull(length)?;
        }
        Ok((self.hull, self.tight))
    }

    /// Returns an error that names the current item.
    pub fn fault(&self, why: &str) -> ListingError {
        ListingError::Json(JsonError(format!("{why}, in item {} of {}", self.items, self.key)))
    }

    /// Reads the document up to the list.
    fn seek(&mut self) -> Result<(), ListingError> {
        let mut at = Depth::default();
        // Where the last string of the outermost object begins and ends, and whether a colon follows it.
        let (mut begin, mut text, mut is_key) = (0, 0..0, false);
        while let Some(byte) = self.fill()?.map(|chunk| chunk[0]) {
            let (place, was_in_string) = (self.hull.len(), at.in_string);
            self.extend_hull(1)?;
            let outside = at.step(byte);
            match byte {
                b'"' if at.depth == 1 && !was_in_string => begin = place,
                b'"' if at.depth == 1 && !at.in_string => (text, is_key) = (begin..place + 1, false),
                b':' if outside && at.depth == 1 => is_key = true,
                b'[' if outside && at.depth == 2 && is_key => {
                    let name = serde_json::from_slice::<String>(&self.hull[text.clone()]);
                    let first = self.hull.iter().find(|byte| !byte.is_ascii_whitespace());
                    if first == Some(&b'{') && name.is_ok_and(|name| name == self.key) {
                        self.list = Some(self.hull.len());
                        self.place = Place::Items;
                        return Ok(());
                    }
                    is_key = false;
                }
                _ if outside && at.depth <= 1 && !byte.is_ascii_whitespace() => is_key = false,
                _ => {}
            }
        }
        self.place = Place::Tail;
        Ok(())
    }

    /// Returns what was read and not looked at yet. `None` at the end.
    fn fill(&mut self) -> Result<Option<&[u8]>, ListingError> {
        while self.rest.0 == self.rest.1 {
            match self.from.read(&mut self.buffer) {
                Ok(0) => return Ok(None),
                Ok(n) => self.rest = (0, n),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(ListingError::Io(e)),
            }
        }
        Ok(Some(&self.buffer[self.rest.0..self.rest.1]))
    }

    /// Moves bytes to the hull.
    fn extend_hull(&mut self, length: usize) -> Result<(), ListingError> {
        if self.hull.len() + length > MAX_HULL {
            let why = format!("it has more than {MAX_HULL} bytes beside its list");
            return Err(ListingError::Json(JsonError(why)));
        }
        let start = self.rest.0;
        self.hull.extend_from_slice(&self.buffer[start..start + length]);
        self.rest.0 += length;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::canonical_json::{parse_strict, to_document};

    /// Reads everything, a byte at a time if `slow`; returns the hull, the items, and whether it is canonical.
    fn read(text: &[u8], slow: bool) -> Option<(Value, Vec<Value>, bool)> {
        struct Slow<'a>(&'a [u8]);
        impl Read for Slow<'_> {
            fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                let length = 1.min(buf.len());
                self.0.read(&mut buf[..length])
            }
        }
        let from: Box<dyn Read> = match slow {
            true => Box::new(Slow(text)),
            false => Box::new(text),
        };
        let mut listing = Listing::begin(from, "m").ok()?;
        let (mut items, mut canonical) = (Vec::new(), true);
        while let Some((item, is_canonical)) = listing.next_value().ok()? {
            items.push(item);
            canonical &= is_canonical;
        }
        let (hull, tight) = listing.finish().ok()?;
        let value = parse_strict(&hull).ok()?;
        canonical &= tight && to_document(&value) == hull;
        Some((value, items, canonical))
    }

    fn joined(hull: &Value, items: Vec<Value>) -> Value {
        let mut whole = hull.clone();
        if !items.is_empty() {
            whole["m"] = items.into();
        }
        whole
    }

    #[test]
    fn a_document_is_read_as_a_parser_reads_it_whole() {
        let deep = |depth: usize| format!("{{\"m\":[{}{}]}}", "[".repeat(depth), "]".repeat(depth));
        for text in [
            r#"{"m":[]}"#,
            r#"{"m":[ ]}"#,
            r#"{"m":[1,{"m":["]"]},"a\"],"]}"#,
            r#"{"a":{"m":[1]},"m":[2]}"#,
            r#"{"a":[[1],"m",[2]],"m":[3] , "z":[4]}"#,
            r#"{"\u006d":[1,2]}"#,
            r#"{"m":5}"#,
            r#"{"m":{"m":[1]}}"#,
            r#"["m",["m"]]"#,
            r#"["m":[1]]"#,
            r#"{"m":[1],"m":[2]}"#,
            r#"{"a":"m":[1]}"#,
            r#"{"m":"a"[1]}"#,
            r#"{"a":1 "m":[1]}"#,
            r#"{"m":[1,]}"#,
            r#"{"m":[,1]}"#,
            r#"{"m":[,]}"#,
            r#"{"m":[1 2]}"#,
            r#"{"m":[1}}"#,
            r#"{"m":[1]]}"#,
            r#"{"m":[1"#,
            r#"{"m":["#,
            r#"{"m":[1]"#,
            r#"{"m":["a]}"#,
            r#"{"m":[{"a":1,"a":2}]}"#,
            r#"{"m":[9007199254740993]}"#,
            r#"{"m":[1]}x"#,
            r#""m":[1]"#,
            "",
            &deep(125),
            &deep(126),
        ] {
            let expected = parse_strict(text.as_bytes()).ok();
            for slow in [false, true] {
                let found = read(text.as_bytes(), slow).map(|(hull, items, _)| joined(&hull, items));
                assert_eq!(found, expected, "{text}");
            }
        }
    }

    #[test]
    fn only_the_canonical_form_counts_as_such() {
        let whole = "{\"a\":1,\"m\":[{\"a\":1,\"b\":2},3],\"z\":[]}\n";
        assert!(read(whole.as_bytes(), false).unwrap().2);
        for (from, to) in [
            (",3", ", 3"),
            ("3]", "3 ]"),
            ("[{", "[ {"),
            ("\"b\":2", "\"b\":2.0"),
            ("\n", ""),
            ("\"a\":1,\"m", "\"a\": 1,\"m"),
        ] {
            assert!(!read(whole.replace(from, to).as_bytes(), false).unwrap().2, "{from}");
        }
        assert!(!read(b"{\"m\":[ ]}\n", false).unwrap().2);
        assert!(read(b"{\"m\":[]}\n", false).unwrap().2);
    }

    #[test]
    fn what_would_have_to_be_held_is_bounded() {
        let text =
            |item: usize, hull: usize| format!("{{\"m\":[\"{}\"],\"n\":\"{}\"}}", "x".repeat(item), "x".repeat(hull));
        assert!(read(text(MAX_ITEM - 2, 0).as_bytes(), false).is_some());
        assert!(read(text(MAX_ITEM - 1, 0).as_bytes(), false).is_none());
        let around = text(0, 0).len() - 2;
        assert!(read(text(0, MAX_HULL - around).as_bytes(), false).is_some());
        assert!(read(text(0, MAX_HULL - around + 1).as_bytes(), false).is_none());
        assert!(read(format!("{}{{}}", " ".repeat(MAX_HULL)).as_bytes(), false).is_none());
    }

    proptest! {
        #[test]
        fn any_text_is_read_as_a_parser_reads_it_whole(text in "[{}\\[\\],:m\"\\\\1 ]{0,24}", list in "[{}\\[\\],:m\"\\\\1 ]{0,12}") {
            for text in [text, format!("{{\"m\":[{list}]}}")] {
                let expected = parse_strict(text.as_bytes()).ok();
                let found = read(text.as_bytes(), false).map(|(hull, items, _)| joined(&hull, items));
                prop_assert_eq!(found, expected);
            }
        }
    }
}
