//! The document by which a data fabric takes and gives a pack: one JSON object, written and read as a stream.
//!
//! `{"pack_id", "manifest", "members": [{"path", "bytes_hash", "bytes_b64"}]}`. The manifest is a JSON value, so only a
//! canonical one comes back as the same bytes.

use std::io::{self, BufReader, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use struson::reader::{JsonReader, JsonStreamReader, ReaderSettings, ValueType};
use struson::writer::{JsonStreamWriter, JsonWriter};

use crate::format::canonical_json::{around_list, parse_listing, to_canonical, write_item};
use crate::format::digest::Digest;

/// What follows the content of a member.
pub const AFTER: &[u8] = b"\"}";

/// What follows the last member.
pub const END: &[u8] = b"]}\n";

/// The list of members, here and in the manifest.
const MEMBERS: &str = "members";

/// Most bytes of a path, an id or a key, with everything around it.
const MAX_TEXT: u64 = 256 << 10;

/// Most bytes of a value under a key that is not known.
const MAX_UNKNOWN: u64 = 1 << 20;

/// How much of a document is read at a time, in bytes.
const BUFFER: usize = 128 << 10;

/// The deepest nesting. A manifest has three levels, and is in one.
const MAX_DEPTH: u32 = 32;

/// Returns the beginning of a document, up to its first member.
pub fn head(pack_id: &Digest, manifest: &[u8]) -> Vec<u8> {
    let manifest = manifest.strip_suffix(b"\n").unwrap_or(manifest);
    let mut head = format!("{{\"pack_id\":\"{pack_id}\",\"manifest\":").into_bytes();
    head.extend_from_slice(manifest);
    head.extend_from_slice(b",\"members\":[");
    head
}

/// Returns what precedes the content of a member.
pub fn before(is_first: bool, path: &str, hash: &Digest) -> Vec<u8> {
    let mut text = if is_first { Vec::new() } else { b",".to_vec() };
    text.extend_from_slice(b"{\"path\":");
    text.extend(to_canonical(&path));
    text.extend(format!(",\"bytes_hash\":\"{hash}\",\"bytes_b64\":\"").into_bytes());
    text
}

/// Appends the Base64 form of a content, or of a part of it that is a multiple of three bytes long.
pub fn encode(content: &[u8], out: &mut String) {
    BASE64_STANDARD.encode_string(content, out);
}

/// Returns the size in bytes of the Base64 form of `size` bytes.
pub fn encoded_size(size: u64) -> u64 {
    size.div_ceil(3).saturating_mul(4)
}

/// Returns the canonical form of a manifest, in the memory of a few copies of its text.
pub fn canonical(manifest: &[u8]) -> Result<Vec<u8>, String> {
    let (mut items, mut first, mut written) = (Vec::new(), true, Ok(()));
    let hull = parse_listing(manifest, MEMBERS, &mut |item| {
        if written.is_ok() {
            written = write_item(&mut items, &mut first, &item);
        }
    })
    .map_err(|e| e.to_string())?;
    written.map_err(|e| e.to_string())?;
    if !hull.get(MEMBERS).is_some_and(serde_json::Value::is_array) {
        return Err("it has no list of members".into());
    }
    let [mut whole, behind] = around_list(&hull, MEMBERS);
    whole.append(&mut items);
    whole.extend(behind);
    whole.push(b'\n');
    Ok(whole)
}

/// Why a document could not be read on.
#[derive(Debug)]
pub enum DocumentFault {
    /// It is not such a document, or its source broke.
    Read(String),
    /// The content of a member could not be kept.
    Keep(io::Error),
}

/// What a document says of a member.
#[derive(Debug, PartialEq, Eq)]
pub struct FabricMember {
    /// Its path.
    pub path: String,
    /// The hash that it should have.
    pub hash: Digest,
}

/// A document that is read member by member. Its keys may have any order, but the manifest precedes the members.
pub struct FabricReader<R: Read> {
    json: JsonStreamReader<Metered<BufReader<R>>>,
    allowed: Arc<AtomicU64>,
    pack_id: Option<String>,
    manifest: Vec<u8>,
    is_at_end: bool,
}

impl<R: Read> FabricReader<R> {
    /// Reads up to the first member. Refuses a manifest of more than `max` bytes.
    pub fn begin(source: R, max: u64) -> Result<Self, DocumentFault> {
        let allowed = Arc::new(AtomicU64::new(0));
        let metered = Metered {
            // The parser asks for one KiB at a time.
            source: BufReader::with_capacity(BUFFER, source),
            allowed: Arc::clone(&allowed),
        };
        let settings = ReaderSettings {
            max_nesting_depth: Some(MAX_DEPTH),
            track_path: false,
            ..ReaderSettings::default()
        };
        let mut reading = Self {
            json: JsonStreamReader::new_custom(metered, settings),
            allowed,
            pack_id: None,
            manifest: Vec::new(),
            is_at_end: false,
        };
        reading.allow(MAX_TEXT);
        reading.json.begin_object().map_err(|e| wrong(&e))?;
        while let Some(key) = reading.key()? {
            match key.as_str() {
                MEMBERS if reading.manifest.is_empty() => return Err(said("its members precede its manifest")),
                MEMBERS => {
                    reading.json.begin_array().map_err(|e| wrong(&e))?;
                    return Ok(reading);
                }
                "manifest" if !reading.manifest.is_empty() => return Err(twice(&key)),
                "manifest" => reading.manifest = reading.manifest(max)?,
                _ => reading.other(&key)?,
            }
        }
        Err(said("it has no members"))
    }

    /// Returns the bytes of the manifest, in canonical form.
    pub fn manifest_bytes(&self) -> &[u8] {
        &self.manifest
    }

    /// Returns the id that the document states. It may come only after the members.
    pub fn pack_id(&self) -> Option<&str> {
        self.pack_id.as_deref()
    }

    /// Reads the next member, and writes its content to `kept`. `None` at the end of the document.
    pub fn next(&mut self, kept: &mut dyn Write) -> Result<Option<FabricMember>, DocumentFault> {
        if self.is_at_end {
            return Ok(None);
        }
        self.allow(MAX_TEXT);
        if !self.json.has_next().map_err(|e| wrong(&e))? {
            self.end()?;
            return Ok(None);
        }
        let (mut path, mut hash, mut has_content) = (None, None, false);
        self.json.begin_object().map_err(|e| wrong(&e))?;
        while let Some(key) = self.key()? {
            match key.as_str() {
                "path" if path.is_some() => return Err(twice(&key)),
                "bytes_hash" if hash.is_some() => return Err(twice(&key)),
                "bytes_b64" if has_content => return Err(twice(&key)),
                "path" => path = Some(self.text()?),
                "bytes_hash" => {
                    let text = self.text()?;
                    hash = Some(Digest::parse_ref(&text).ok_or_else(|| said("a bytes_hash is not a hash"))?);
                }
                "bytes_b64" => {
                    self.content(kept)?;
                    has_content = true;
                }
                _ => self.skip()?,
            }
        }
        self.json.end_object().map_err(|e| wrong(&e))?;
        match (path, hash, has_content) {
            (Some(path), Some(hash), true) => Ok(Some(FabricMember { path, hash })),
            _ => Err(said("a member lacks path, bytes_hash or bytes_b64")),
        }
    }

    /// Refuses what follows the document. Call it when there is no further member.
    pub fn finish(self) -> Result<(), DocumentFault> {
        self.allow(MAX_TEXT);
        self.json.consume_trailing_whitespace().map_err(|e| wrong(&e))
    }

    fn end(&mut self) -> Result<(), DocumentFault> {
        self.json.end_array().map_err(|e| wrong(&e))?;
        while let Some(key) = self.key()? {
            match key.as_str() {
                MEMBERS | "manifest" => return Err(twice(&key)),
                _ => self.other(&key)?,
            }
        }
        self.json.end_object().map_err(|e| wrong(&e))?;
        if self.pack_id.is_none() {
            return Err(said("it has no pack_id"));
        }
        self.is_at_end = true;
        Ok(())
    }

    fn other(&mut self, key: &str) -> Result<(), DocumentFault> {
        match (key, &self.pack_id) {
            ("pack_id", Some(_)) => Err(twice(key)),
            ("pack_id", None) => {
                self.pack_id = Some(self.text()?);
                Ok(())
            }
            _ => self.skip(),
        }
    }

    fn allow(&self, bytes: u64) {
        self.allowed.store(bytes, Ordering::Relaxed);
    }

    /// Returns the next key of an object. `None` at its end.
    fn key(&mut self) -> Result<Option<String>, DocumentFault> {
        self.allow(MAX_TEXT);
        match self.json.has_next().map_err(|e| wrong(&e))? {
            true => self.json.next_name_owned().map(Some).map_err(|e| wrong(&e)),
            false => Ok(None),
        }
    }

    fn text(&mut self) -> Result<String, DocumentFault> {
        self.allow(MAX_TEXT);
        self.json.next_string().map_err(|e| wrong(&e))
    }

    fn skip(&mut self) -> Result<(), DocumentFault> {
        self.allow(MAX_UNKNOWN);
        self.json.skip_value().map_err(|e| wrong(&e))
    }

    fn manifest(&mut self, max: u64) -> Result<Vec<u8>, DocumentFault> {
        // In another form, a manifest may be longer than in the canonical one.
        self.allow(max.saturating_mul(2) + MAX_TEXT);
        if self.json.peek().map_err(|e| wrong(&e))? != ValueType::Object {
            return Err(said("its manifest is not an object"));
        }
        let mut bytes = Vec::new();
        let mut writer = JsonStreamWriter::new(&mut bytes);
        self.json.transfer_to(&mut writer).map_err(|e| said(&e.to_string()))?;
        writer.finish_document().map_err(|e| said(&e.to_string()))?;
        let manifest = canonical(&bytes).map_err(|why| said(&format!("its manifest: {why}")))?;
        match manifest.len() as u64 > max {
            true => Err(said(&format!("its manifest has more than {max} bytes"))),
            false => Ok(manifest),
        }
    }

    fn content(&mut self, kept: &mut dyn Write) -> Result<(), DocumentFault> {
        self.allow(u64::MAX);
        let text = self.json.next_string_reader().map_err(|e| wrong(&e))?;
        let mut content = base64::read::DecoderReader::new(text, &BASE64_STANDARD);
        let mut buffer = vec![0; 48 << 10];
        loop {
            match content.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(n) => kept.write_all(&buffer[..n]).map_err(DocumentFault::Keep)?,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(said(&format!("a bytes_b64: {e}"))),
            }
        }
    }
}

fn said(what: &str) -> DocumentFault {
    DocumentFault::Read(what.to_owned())
}

fn twice(key: &str) -> DocumentFault {
    said(&format!("it has {key:?} twice"))
}

fn wrong(error: &struson::reader::ReaderError) -> DocumentFault {
    said(&error.to_string())
}

/// A source from which only so much is read until more is allowed: the parser holds keys and texts in memory.
struct Metered<R> {
    source: R,
    allowed: Arc<AtomicU64>,
}

impl<R: Read> Read for Metered<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let allowed = self.allowed.load(Ordering::Relaxed);
        if allowed == 0 && !buf.is_empty() {
            return Err(io::Error::other("a part of it is longer than any that is valid"));
        }
        let most = buf.len().min(usize::try_from(allowed).unwrap_or(usize::MAX));
        let n = self.source.read(&mut buf[..most])?;
        self.allowed.store(allowed - n as u64, Ordering::Relaxed);
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &[u8] =
        b"{\"member_count\":2,\"members\":[{\"path\":\"a\"},{\"path\":\"b\"}],\"note\":\"/\\u0001\\u20ac\"}\n";

    fn id() -> Digest {
        Digest::of(b"x")
    }

    fn written(contents: &[(&str, &[u8])]) -> Vec<u8> {
        let manifest = canonical(MANIFEST).unwrap();
        let mut document = head(&id(), &manifest);
        for (at, (path, content)) in contents.iter().enumerate() {
            document.extend(before(at == 0, path, &Digest::of(content)));
            let mut text = String::new();
            encode(content, &mut text);
            assert_eq!(text.len() as u64, encoded_size(content.len() as u64));
            document.extend(text.into_bytes());
            document.extend(AFTER);
        }
        document.extend(END);
        document
    }

    type Found = (Vec<u8>, Vec<(String, Vec<u8>)>);

    fn read(source: impl Read) -> Result<Found, String> {
        let text = |fault| match fault {
            DocumentFault::Read(why) => why,
            DocumentFault::Keep(e) => e.to_string(),
        };
        let mut reading = FabricReader::begin(source, 1 << 20).map_err(text)?;
        let mut found = Vec::new();
        loop {
            let mut content = Vec::new();
            match reading.next(&mut content).map_err(text)? {
                Some(member) => found.push((member.path, content)),
                None => break,
            }
        }
        assert_eq!(reading.pack_id(), Some(id().to_string().as_str()));
        let manifest = reading.manifest_bytes().to_vec();
        reading.finish().map_err(text)?;
        Ok((manifest, found))
    }

    #[test]
    fn a_document_comes_back_as_it_was_written() {
        let long = vec![7; 200_000];
        let contents: [(&str, &[u8]); 4] = [("a", b""), ("b/\"ä\\", b"x"), ("c", b"xy"), ("d", &long)];
        let document = written(&contents);
        assert!(serde_json::from_slice::<serde_json::Value>(&document).is_ok());
        let (manifest, found) = read(&document[..]).unwrap();
        assert_eq!(manifest, canonical(MANIFEST).unwrap());
        for ((path, content), (expected_path, expected)) in found.iter().zip(contents) {
            assert_eq!((path.as_str(), &content[..]), (expected_path, expected));
        }
        assert_eq!(found.len(), contents.len());
    }

    #[test]
    fn another_server_may_write_it_in_another_way() {
        let document = written(&[("a", b"\xff\xff\xff"), ("b", b"")]);
        let value: serde_json::Value = serde_json::from_slice(&document).unwrap();
        let sorted = serde_json::to_string_pretty(&value).unwrap().replace('/', "\\/");
        let more = sorted.replacen('{', "{\"etag\": [1, {\"x\": null}],", 1);
        for text in [sorted, more] {
            assert_eq!(read(text.as_bytes()).unwrap(), read(&document[..]).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_is_not_such_a_document_is_refused() {
        let good = String::from_utf8(written(&[("a", b"abc"), ("b", b"d")])).unwrap();
        for (from, to) in [
            ("\"pack_id\"", "\"pack\""),
            ("{\"pack_id\"", "{\"members\":[],\"pack_id\""),
            ("{\"pack_id\"", "{\"manifest\":{\"members\":[]},\"pack_id\""),
            ("{\"pack_id\"", "{\"pack_id\":\"x\",\"pack_id\""),
            ("\"manifest\":{", "\"manifest\":[{"),
            ("\"note\"", "\"members\""),
            ("\"path\":\"a\",", ""),
            ("\"bytes_hash\":\"sha256", "\"bytes_hash\":\"sha512"),
            ("\"bytes_b64\":\"YWJj\"", "\"bytes_b64\":\"YWJ\""),
            ("\"bytes_b64\":\"YWJj\"", "\"bytes_b64\":\"YW Jj\""),
            ("\"bytes_b64\":\"YWJj\"", "\"bytes_b64\":null"),
            ("\"bytes_b64\":\"YWJj\"", "\"bytes_b64\":\"\",\"bytes_b64\":\"YWJj\""),
            ("\"bytes_b64\":\"ZA==\"", "\"bytes_b64\":\"ZB==\""),
            ("]}\n", "]}{}"),
            ("]}\n", "],\"members\":[]}"),
            ("]}\n", "]"),
        ] {
            let text = good.replacen(from, to, if from == "\"path\":\"a\"," { 2 } else { 1 });
            assert_ne!(text, good, "{from}");
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
        for end in 0..good.len() - 2 {
            assert!(read(&good.as_bytes()[..end]).is_err(), "{end}");
        }
    }

    #[test]
    fn nothing_without_an_end_is_held_in_memory() {
        for (start, repeated) in [
            ("", " "),
            ("{\"", "a"),
            ("{\"pack_id\":\"", "a"),
            ("{\"x\":", "1"),
            ("{\"x\":", "["),
            ("{\"x\":\"", "a"),
            ("{\"manifest\":{\"members\":[", "1,"),
            ("{\"manifest\":{\"members\":[]},\"members\":[{\"path\":\"", "a"),
            ("{\"manifest\":{\"members\":[]},\"members\":[", "\n"),
        ] {
            struct Endless(Vec<u8>, usize, u64);
            impl Read for Endless {
                fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
                    self.2 += buf.len() as u64;
                    assert!(self.2 < 8 << 20, "it reads on");
                    for byte in buf.iter_mut() {
                        *byte = self.0[self.1];
                        self.1 = (self.1 + 1) % self.0.len();
                    }
                    Ok(buf.len())
                }
            }
            let source = start.as_bytes().chain(Endless(repeated.into(), 0, 0));
            assert!(read(source).is_err(), "{start}");
        }
    }
}
