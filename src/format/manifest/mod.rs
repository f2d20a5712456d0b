//! `manifest.json` (`pack.v0`): the members of a pack, and the id that covers every byte of the pack.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufWriter, Write};

use serde::Serialize;
use serde_json::Value;

use crate::format::canonical_json::{JsonError, Same, around_list, parse_listing, write_item};
use crate::format::digest::{Digest, Hashing};
use crate::format::member_path::MemberPath;
use crate::format::timestamp::Timestamp;

/// Version of this format, which every manifest states.
pub const VERSION: &str = "pack.v0";

/// Most bytes of a manifest. A longer one is refused unread.
pub const MAX_BYTES: u64 = 64 << 20;

/// The type of a member, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MemberType {
    /// `lock.v0`.
    Lockfile,
    /// `rvl.v0`, `shape.v0`, `verify.v0`, `compare.v0`.
    Report,
    /// `canon.v0`, `assess.v0`.
    Artifact,
    /// `verify.rules.v0`.
    Rules,
    /// `pack.v0`.
    Pack,
    /// YAML with `schema_version` and `profile_id`.
    Profile,
    /// A file of a materialised registry.
    Registry,
    /// Everything else.
    Other,
}

impl MemberType {
    const NAMES: [&str; 8] = [
        "lockfile", "report", "artifact", "rules", "pack", "profile", "registry", "other",
    ];

    /// Returns the word that manifests use.
    pub fn as_str(self) -> &'static str {
        Self::NAMES[self as usize]
    }

    /// Parses the word that manifests use.
    pub fn parse(word: &str) -> Option<Self> {
        use MemberType::{Artifact, Lockfile, Other, Pack, Profile, Registry, Report, Rules};
        let all = [Lockfile, Report, Artifact, Rules, Pack, Profile, Registry, Other];
        all.into_iter().find(|kind| kind.as_str() == word)
    }

    /// Returns the type of a JSON document with this `version`. `None` if the version is unknown.
    pub fn of_version(version: &str) -> Option<Self> {
        Some(match version {
            "lock.v0" => Self::Lockfile,
            "rvl.v0" | "shape.v0" | "verify.v0" | "compare.v0" => Self::Report,
            "canon.v0" | "assess.v0" => Self::Artifact,
            "verify.rules.v0" => Self::Rules,
            VERSION => Self::Pack,
            _ => return None,
        })
    }
}

/// A member to be written into a manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Path of the member, relative to the pack's root.
    pub path: MemberPath,
    /// SHA-256 of the member.
    pub bytes_hash: Digest,
    /// Type of the member.
    #[serde(rename = "type")]
    pub kind: MemberType,
    /// The `version` of its content, if the type is recognised by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_version: Option<String>,
}

/// A manifest to be written.
#[derive(Debug)]
pub struct Manifest {
    /// Time at which the pack was made.
    pub created: Timestamp,
    /// A note by the user.
    pub note: Option<String>,
    /// The release of git-pack that made the pack.
    pub tool_version: String,
    /// The members, in any order.
    pub members: Vec<Member>,
}

impl Manifest {
    /// Writes `manifest.json` in canonical form, with members sorted bytewise by path and one newline at the end.
    /// Returns the pack's id.
    pub fn write(mut self, out: &mut dyn Write) -> io::Result<Digest> {
        self.members.sort_by(|a, b| a.path.cmp(&b.path));
        let mut hull = serde_json::json!({
            "version": VERSION,
            "pack_id": "",
            "created": self.created.to_string(),
            "tool_version": self.tool_version,
            "member_count": self.members.len(),
        });
        if let Some(note) = self.note {
            hull["note"] = note.into();
        }
        let [before, blank] = around_list(&hull, MEMBERS);
        let mut out = BufWriter::with_capacity(BUFFER, Hashing::new(out));
        out.write_all(&before)?;
        let mut first = true;
        for member in &self.members {
            write_item(&mut out, &mut first, member)?;
        }
        out.flush()?;
        // The id comes after the members, so it can be computed before it is written.
        let id = out.get_ref().digest_with(&blank);
        hull[PACK_ID] = id.to_string().into();
        let [_, behind] = around_list(&hull, MEMBERS);
        out.write_all(&behind)?;
        out.write_all(b"\n")?;
        out.flush()?;
        Ok(id)
    }
}

const MEMBERS: &str = "members";
const PACK_ID: &str = "pack_id";

const BUFFER: usize = 64 << 10;

/// A member as a manifest declares it, before any check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The path as written. [`MemberPath::parse`] decides whether it is safe.
    pub path: String,
    /// The hash as written.
    pub bytes_hash: DeclaredRef,
    /// The type as written.
    pub kind: Cow<'static, str>,
    /// The artifact version as written.
    pub artifact_version: Option<String>,
}

/// A declared content ref, which may be malformed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DeclaredRef {
    /// A valid content ref.
    Digest(Digest),
    /// Any other text.
    Other(String),
}

impl DeclaredRef {
    fn of(text: String) -> Self {
        Digest::parse_ref(&text).map_or(Self::Other(text), Self::Digest)
    }

    /// Returns the digest. `None` if the ref is malformed.
    pub fn digest(&self) -> Option<Digest> {
        match self {
            Self::Digest(digest) => Some(*digest),
            Self::Other(_) => None,
        }
    }
}

impl fmt::Display for DeclaredRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Digest(digest) => digest.fmt(f),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// A manifest that was read: its declarations, its computed id, and where it violates the schema.
#[derive(Debug)]
pub struct ManifestDocument {
    /// SHA-256 of the manifest's file.
    pub file_hash: Digest,
    /// Size of the file in bytes.
    pub file_bytes: u64,
    /// The declared id.
    pub pack_id: String,
    /// The id computed from the content.
    pub computed_id: Digest,
    /// The declared number of members.
    pub member_count: u64,
    /// The declared members, in the order of the file.
    pub members: Vec<Declared>,
    /// The declared time.
    pub created: String,
    /// The declared note.
    pub note: Option<String>,
    /// The declared release of the tool.
    pub tool_version: String,
    /// Violations of the schema that leave the document readable, each as a place and a description.
    pub violations: Vec<(String, String)>,
    /// Valid content that git-pack would spell in another way.
    pub departures: Vec<Departure>,
}

/// A place where a manifest is spelled in another way than git-pack spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The place. Empty for the whole document.
    pub place: String,
    /// The difference.
    pub what: String,
    /// Whether the contract allows both spellings, so that no notice is needed.
    pub is_usual: bool,
}

/// Most violations listed for one manifest. A short manifest could have very many.
const MAX_VIOLATIONS: usize = 1000;

/// Why a manifest cannot be judged at all.
#[derive(Debug)]
pub enum Malformed {
    /// The file is not strict JSON.
    Json(JsonError),
    /// The JSON has another structure.
    Shape(String),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(e) => write!(f, "it is not strict JSON: {e}"),
            Self::Shape(what) => write!(f, "it is not a {VERSION} manifest: {what}"),
        }
    }
}

impl ManifestDocument {
    /// Parses the bytes of a `manifest.json`.
    ///
    /// A missing or mistyped required field is [`Malformed`]. An unknown field, an invalid value and members out of
    /// order are violations, so that everything else is still judged. A spelling other than git-pack's is a departure.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut list = MemberList::default();
        let mut hull = parse_listing(bytes, MEMBERS, &mut |item| list.read(item)).map_err(Malformed::Json)?;
        let Value::Object(fields) = &hull else {
            return Err(shape("expected an object"));
        };
        match fields.get("version") {
            Some(Value::String(version)) if version == VERSION => {}
            Some(other) => return Err(shape(&format!("version is {other}"))),
            None => return Err(shape("version is missing")),
        }
        let (mut violations, mut departures) = (Vec::new(), Vec::new());
        let mut violate = |place: &str, what: String| violations.push((place.to_owned(), what));
        let pack_id = text(PACK_ID, fields.get(PACK_ID).cloned())?;
        if Digest::parse_ref(&pack_id).is_none() {
            violate(PACK_ID, format!("not a content ref: {pack_id:?}"));
        }
        let created = text("created", fields.get("created").cloned())?;
        let tool_version = text("tool_version", fields.get("tool_version").cloned())?;
        let in_seconds = || format!("expected RFC 3339 in whole seconds with Z, found {created:?}");
        match Timestamp::parse_utc(&created) {
            None => violate("created", in_seconds()),
            Some(time) if time.to_string() != created => departures.push(Departure {
                place: "created".into(),
                what: in_seconds(),
                is_usual: false,
            }),
            Some(_) => {}
        }
        departures.extend(null_departure("note", fields.get("note")));
        let note = optional_text("note", fields.get("note").cloned())?;
        let member_count = fields
            .get("member_count")
            .and_then(Value::as_u64)
            .ok_or_else(|| shape("member_count is not a whole number"))?;
        for key in fields.keys() {
            let known = [
                "version",
                PACK_ID,
                "created",
                "note",
                "tool_version",
                MEMBERS,
                "member_count",
            ];
            if !known.contains(&key.as_str()) {
                violate(key, "unknown field".into());
            }
        }
        let Some(Value::Array(_)) = fields.get(MEMBERS) else {
            return Err(shape("members is not an array"));
        };
        if let Some(why) = list.malformed {
            return Err(why);
        }
        violations.extend(list.violations);
        departures.extend(list.departure);
        let (computed_id, canonical) = computed_id(&mut hull, bytes);
        if !canonical {
            departures.push(Departure {
                place: String::new(),
                what: "not in canonical form (RFC 8785 and one newline)".into(),
                is_usual: false,
            });
        }
        Ok(Self {
            file_hash: Digest::of(bytes),
            file_bytes: bytes.len() as u64,
            pack_id,
            computed_id,
            member_count,
            members: list.members,
            created,
            note,
            tool_version,
            violations,
            departures,
        })
    }
}

/// Collects the members of a manifest one by one.
#[derive(Default)]
struct MemberList {
    members: Vec<Declared>,
    violations: Vec<(String, String)>,
    /// The first departure.
    departure: Option<Departure>,
    /// The fault at which collecting stopped.
    malformed: Option<Malformed>,
    seen: usize,
}

impl MemberList {
    fn read(&mut self, item: Value) {
        if self.malformed.is_none()
            && let Err(why) = self.add(item)
        {
            self.malformed = Some(why);
        }
        self.seen += 1;
    }

    fn add(&mut self, item: Value) -> Result<(), Malformed> {
        let Value::Object(mut item) = item else {
            return Err(shape(&format!("members[{}] is not an object", self.seen)));
        };
        let path = text("path", item.remove("path"))?;
        let bytes_hash = DeclaredRef::of(text("bytes_hash", item.remove("bytes_hash"))?);
        let kind = text("type", item.remove("type"))?;
        let artifact_version = item.remove("artifact_version");
        if let Some(departure) = null_departure(&path, artifact_version.as_ref()) {
            self.departure.get_or_insert(departure);
        }
        let artifact_version = optional_text("artifact_version", artifact_version)?;
        let mut violate = |what: String| match self.violations.len() {
            MAX_VIOLATIONS.. => {}
            _ => self.violations.push((path.clone(), what)),
        };
        for key in item.keys() {
            violate(format!("unknown field {key:?}"));
        }
        if let DeclaredRef::Other(text) = &bytes_hash {
            violate(format!("bytes_hash is not a content ref: {text:?}"));
        }
        let known = MemberType::NAMES.into_iter().find(|name| *name == kind);
        if known.is_none() {
            violate(format!("unknown type {kind:?}"));
        }
        if self.members.last().is_some_and(|last| last.path > path) {
            violate("members are not sorted bytewise by path".into());
        }
        self.members.push(Declared {
            path,
            bytes_hash,
            kind: known.map_or(Cow::Owned(kind), Cow::Borrowed),
            artifact_version,
        });
        Ok(())
    }
}

/// Computes the id: the SHA-256 of the manifest's canonical form with an empty `pack_id`. Also returns whether `bytes`
/// are canonical.
///
/// Leaves the empty `pack_id` in `hull`. Reads the members again instead of keeping a copy of them.
fn computed_id(hull: &mut Value, bytes: &[u8]) -> (Digest, bool) {
    let [before, behind] = around_list(hull, MEMBERS);
    hull[PACK_ID] = "".into();
    let [_, blank] = around_list(hull, MEMBERS);
    let mut out = BufWriter::with_capacity(BUFFER, Hashing::new(Same::of(bytes)));
    let mut first = true;
    let mut written = out.write_all(&before);
    let read = parse_listing(bytes, MEMBERS, &mut |item| {
        if written.is_ok() {
            written = write_item(&mut out, &mut first, &item);
        }
    });
    read.expect("it could be read before");
    written
        .and_then(|()| out.flush())
        .expect("nothing is written to a disk");
    let id = out.get_ref().digest_with(&blank);
    let mut ended = out.write_all(&behind);
    ended = ended.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
    ended.expect("nothing is written to a disk");
    (id, out.get_ref().get_ref().is_same())
}

/// Returns the departure for an optional field that is null. The contract allows null for an absent field; git-pack
/// omits the field.
fn null_departure(place: &str, value: Option<&Value>) -> Option<Departure> {
    value.is_some_and(Value::is_null).then(|| Departure {
        place: place.to_owned(),
        what: "an optional field is null, and not left out".into(),
        is_usual: true,
    })
}

fn shape(what: &str) -> Malformed {
    Malformed::Shape(what.to_owned())
}

fn text(key: &str, value: Option<Value>) -> Result<String, Malformed> {
    optional_text(key, value)?.ok_or_else(|| shape(&format!("{key} is missing")))
}

fn optional_text(key: &str, value: Option<Value>) -> Result<Option<String>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(shape(&format!("{key} is not a string: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::canonical_json::{parse_strict, to_canonical, to_document};

    fn sample() -> Manifest {
        let member = |path: &str| Member {
            path: MemberPath::parse(path).unwrap(),
            bytes_hash: Digest::of(path.as_bytes()),
            kind: MemberType::Other,
            artifact_version: None,
        };
        Manifest {
            created: Timestamp::from_seconds(1_768_473_000).unwrap(),
            note: Some("n".into()),
            tool_version: "0.1.0".into(),
            members: vec![member("b"), member("a/z"), member("B")],
        }
    }

    fn written(manifest: Manifest) -> (Digest, Vec<u8>) {
        let mut bytes = Vec::new();
        let id = manifest.write(&mut bytes).unwrap();
        (id, bytes)
    }

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
        let paths: Vec<_> = read.members.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(paths, ["B", "a/z", "b"]);
    }

    #[test]
    fn every_field_is_covered_by_the_id() {
        let (id, _) = written(sample());
        let changed: [fn(&mut Manifest); 5] = [
            |m| m.note = None,
            |m| m.created = Timestamp::from_seconds(0).unwrap(),
            |m| m.tool_version = "0.1.1".into(),
            |m| m.members[0].kind = MemberType::Report,
            |m| m.members.truncate(2),
        ];
        for change in changed {
            let mut manifest = sample();
            change(&mut manifest);
            assert_ne!(written(manifest).0, id);
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
