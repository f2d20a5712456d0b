//! Reads a manifest, and lists where it violates the schema.

use std::io::{self, BufWriter, Read, Write};
use std::mem;

use serde_json::{Map, Value};

use crate::format::canonical_json::{Listing, ListingError, around_list, parse_within, to_canonical, write_item};
use crate::format::digest::{Digest, Hasher, Hashing};
use crate::format::line_ends::LineEnds;
use crate::format::manifest::document::{Fields, ManifestDocument};
use crate::format::manifest::fields::{Departure, Malformed, null_departure, optional_text, shape, text};
use crate::format::manifest::members::MemberList;
use crate::format::manifest::{BUFFER, MEMBERS, PACK_ID, VERSION, spelled};

/// The keys that a manifest may have.
const KEYS: [&str; 7] = [
    "version",
    PACK_ID,
    "created",
    "note",
    "tool_version",
    MEMBERS,
    "member_count",
];

impl ManifestDocument {
    /// Parses the bytes of a `manifest.json`.
    ///
    /// A missing or mistyped required field is [`Malformed`]. An unknown field, an invalid value and members out of
    /// order are violations, so that everything else is still judged. A spelling other than git-pack's is a departure.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        spelled::read(bytes).map_or_else(|| Self::parse_any(bytes), Ok)
    }

    /// Parses a manifest that may be spelled in any way.
    fn parse_any(bytes: &[u8]) -> Result<Self, Malformed> {
        let read = Self::read(&mut || Ok(bytes));
        read.unwrap_or_else(|e| Err(shape(&e.to_string())))
    }

    /// Reads a `manifest.json` member by member, and parses it as [`Self::parse`] does. `open` opens it at its start, a second
    /// time only if its spelling is not git-pack's.
    pub fn read<R: Read>(open: &mut dyn FnMut() -> io::Result<R>) -> io::Result<Result<Self, Malformed>> {
        let mut list = MemberList::default();
        let mut file = Hashing::new(open()?);
        let parts = match Parts::read(&mut file, &mut list) {
            Ok(parts) => parts,
            Err(ListingError::Io(e)) => return Err(e),
            Err(ListingError::Json(why)) => return Ok(Err(Malformed::Json(why))),
        };
        let (_, file_hash, file_bytes) = file.finish();
        let mut hull = match parse_within(&parts.hull) {
            Ok(hull) => hull,
            Err(why) => return Ok(Err(Malformed::Json(why))),
        };
        let mut document = match Self::of_parts(&hull, list) {
            Ok(document) => document,
            Err(why) => return Ok(Err(why)),
        };
        (document.file_hash, document.file_bytes) = (file_hash, file_bytes);
        let [before, behind] = around_list(&hull, MEMBERS);
        let is_canonical = parts.is_canonical && parts.hull == [&before[..], &behind, b"\n"].concat();
        hull[PACK_ID] = "".into();
        let [_, blank] = around_list(&hull, MEMBERS);
        document.computed_id = match is_canonical {
            true => {
                let mut hasher = parts.members;
                hasher.update(&blank);
                hasher.finish()
            }
            false => {
                let mut again = Hashing::new(open()?);
                let id = canonical_id(&mut again, [&before, &blank])?;
                if again.finish().1 != file_hash {
                    return Err(io::Error::other("it changed while it was read"));
                }
                id
            }
        };
        document
            .departures
            .extend((!is_canonical).then(|| not_canonical(&parts.hull)));
        Ok(Ok(document))
    }

    /// Takes what a manifest declares. Its id and its file are left to the caller.
    fn of_parts(hull: &Value, mut list: MemberList) -> Result<Self, Malformed> {
        let Value::Object(fields) = hull else {
            return Err(shape("expected an object"));
        };
        ensure_version(fields)?;
        let pack_id = text(PACK_ID, fields.get(PACK_ID).cloned())?;
        let created = text("created", fields.get("created").cloned())?;
        let tool_version = text("tool_version", fields.get("tool_version").cloned())?;
        let null_note = null_departure("note", fields.get("note"));
        let note = optional_text("note", fields.get("note").cloned())?;
        let member_count = fields.get("member_count").and_then(Value::as_u64);
        let member_count = member_count.ok_or_else(|| shape("member_count is not a whole number"))?;
        let unknown = fields.keys().filter(|key| !KEYS.contains(&key.as_str()));
        let unknown: Vec<_> = unknown.map(|key| (key.clone(), "unknown field".to_owned())).collect();
        let Some(Value::Array(_)) = fields.get(MEMBERS) else {
            return Err(shape("members is not an array"));
        };
        if let Some(why) = list.malformed.take() {
            return Err(why);
        }
        let fields = Fields {
            pack_id,
            member_count,
            created,
            note,
            tool_version,
        };
        let nothing = Digest::of(&[]);
        let mut read = Self::of_fields(fields, list, (nothing, 0), nothing);
        read.violations.extend(unknown);
        read.departures.extend(null_note);
        Ok(read)
    }
}

/// The parts of a manifest that was read.
struct Parts {
    /// The document without its members.
    hull: Vec<u8>,
    /// Whether the members are written in canonical form.
    is_canonical: bool,
    /// The hash of everything up to the last member.
    members: Hasher,
}

impl Parts {
    fn read(from: &mut dyn Read, list: &mut MemberList) -> Result<Self, ListingError> {
        let mut listing = Listing::begin(from, MEMBERS)?;
        let mut members = Hasher::default();
        members.update(listing.head());
        let (mut is_canonical, mut first) = (true, true);
        while let Some(text) = listing.next_item()? {
            if !mem::replace(&mut first, false) {
                members.update(b",");
            }
            members.update(text);
            let value = parse_within(text);
            is_canonical &= value.as_ref().is_ok_and(|value| to_canonical(value) == text);
            match value {
                Ok(value) => list.read(value),
                Err(why) => return Err(listing.fault(&why.to_string())),
            }
        }
        let (hull, is_tight) = listing.finish()?;
        Ok(Self {
            hull,
            is_canonical: is_canonical && is_tight,
            members,
        })
    }
}

/// Computes the id: the SHA-256 of the manifest's canonical form with an empty `pack_id`. `around` is that form before and
/// behind the members.
fn canonical_id(from: &mut dyn Read, [before, behind]: [&[u8]; 2]) -> io::Result<Digest> {
    let unread = |e| match e {
        ListingError::Io(e) => e,
        ListingError::Json(why) => io::Error::other(why.to_string()),
    };
    let mut out = BufWriter::with_capacity(BUFFER, Hashing::new(io::sink()));
    out.write_all(before)?;
    let mut listing = Listing::begin(from, MEMBERS).map_err(unread)?;
    let mut first = true;
    while let Some((member, _)) = listing.next_value().map_err(unread)? {
        write_item(&mut out, &mut first, &member)?;
    }
    listing.finish().map_err(unread)?;
    out.write_all(behind)?;
    out.flush()?;
    Ok(out.into_inner().map_err(io::IntoInnerError::into_error)?.finish().1)
}

fn ensure_version(fields: &Map<String, Value>) -> Result<(), Malformed> {
    match fields.get("version") {
        Some(Value::String(version)) if version == VERSION => Ok(()),
        Some(other) => Err(shape(&format!("version is {other}"))),
        None => Err(shape("version is missing")),
    }
}

fn not_canonical(bytes: &[u8]) -> Departure {
    // Canonical JSON has no line end but the last.
    let why = match bytes.ends_with(b"\r\n") {
        true => format!("; {}", LineEnds::Crlf.converted()),
        false => String::new(),
    };
    Departure {
        place: String::new(),
        what: format!("not in canonical form (RFC 8785 and one newline){why}"),
        is_usual: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::{parse_strict, to_canonical, to_document};
    use crate::format::manifest::write::tests::{sample, written};

    #[test]
    fn the_id_proves_itself_and_members_are_sorted() {
        let (id, bytes) = written(sample());
        let read = ManifestDocument::parse(&bytes).unwrap();
        assert_eq!(read.pack_id, id.to_string());
        assert_eq!(read.computed_id, id);
        assert_eq!(read.violations, []);
        assert_eq!(read.departures, []);
        let whole = parse_strict(&bytes).unwrap();
        assert_eq!(to_document(&whole), bytes);
        let blank = String::from_utf8(to_canonical(&whole))
            .unwrap()
            .replace(&id.to_string(), "");
        assert_eq!(id, Digest::of(blank.as_bytes()));
        let paths: Vec<_> = read.members.iter().map(|m| m.path).collect();
        assert_eq!(paths, ["B", "a/z", "b"]);
    }

    #[test]
    fn the_short_way_reads_what_the_general_one_does() {
        let mut plain = sample();
        plain.note = None;
        plain.members[1].artifact_version = Some("rvl.v0".into());
        for (_, bytes) in [written(sample()), written(plain)] {
            let short = spelled::read(&bytes).unwrap();
            assert_eq!(short, ManifestDocument::parse_any(&bytes).unwrap());
            let mut read = 0;
            for at in 0..=bytes.len() {
                for byte in [&b""[..], b"\"", b"\\", b"\n", "é".as_bytes()] {
                    for over in 0..=1 {
                        let behind = bytes.get(at + over..).unwrap_or_default();
                        let changed = [&bytes[..at], byte, behind].concat();
                        if let Some(short) = spelled::read(&changed) {
                            assert_eq!(Some(short), ManifestDocument::parse_any(&changed).ok(), "byte {at}");
                            read += 1;
                        }
                    }
                }
            }
            assert!(read > bytes.len() / 2, "{read}");
        }
        for (old, new) in [
            ("\"member_count\":3", "\"member_count\":03"),
            ("pack.v0", "pack.v1"),
            ("\"n\"", "null"),
        ] {
            let (_, bytes) = written(sample());
            let other = String::from_utf8(bytes).unwrap().replace(old, new);
            assert!(spelled::read(other.as_bytes()).is_none(), "{new}");
        }
    }

    #[test]
    fn every_flipped_byte_of_a_manifest_shows() {
        // A space instead of the final newline changes no value. The id stays the same, and a departure is reported.
        let (id, bytes) = written(sample());
        for at in 0..bytes.len() {
            for mask in 1..=255u8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                if let Ok(read) = ManifestDocument::parse(&flipped) {
                    let shows = read.pack_id != read.computed_id.to_string() || !read.violations.is_empty();
                    let is_end = at == bytes.len() - 1;
                    assert!(shows != is_end, "byte {at} of {id} flipped by {mask:#x}");
                    assert!(shows || read.departures.len() == 1, "byte {at} flipped by {mask:#x}");
                }
            }
        }
    }

    #[test]
    fn what_is_not_a_manifest_is_malformed() {
        for text in [
            "[]",
            "{}",
            r#"{"version":"pack.v1"}"#,
            r#"{"version":"pack.v0","pack_id":"","created":"","tool_version":"","member_count":0}"#,
            r#"{"version":"pack.v0","pack_id":"","created":"","tool_version":"","member_count":-1,"members":[]}"#,
            r#"{"version":"pack.v0","pack_id":"","created":"","tool_version":"","member_count":1,"members":[1]}"#,
            r#"{"version":"pack.v0","pack_id":1,"created":"","tool_version":"","member_count":0,"members":[]}"#,
        ] {
            assert!(ManifestDocument::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
