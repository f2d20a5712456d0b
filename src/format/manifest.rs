//! `manifest.json` (`pack.v0`): the members of a pack, and the id that covers every byte of it.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::format::canonical_json::{JsonError, parse_strict, to_canonical, to_document};
use crate::format::digest::Digest;
use crate::format::member_path::MemberPath;
use crate::format::timestamp::Timestamp;

/// The version that every manifest of this format names.
pub const VERSION: &str = "pack.v0";

/// The most bytes a manifest may have; a longer one is refused unread.
pub const MAX_BYTES: u64 = 64 << 20;

/// What a member is, by its content.
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
    /// Files of a materialised registry.
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

    /// Returns the type that a JSON document's `version` stands for, if it is a known one.
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

/// One member as it is sealed.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// Where it lies below the pack's root.
    pub path: MemberPath,
    /// SHA-256 of its bytes.
    pub bytes_hash: Digest,
    /// What it is.
    #[serde(rename = "type")]
    pub kind: MemberType,
    /// Its `version`, where the type is known by one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_version: Option<String>,
}

/// A manifest to be written.
#[derive(Debug)]
pub struct Manifest {
    /// When the pack was made.
    pub created: Timestamp,
    /// What somebody wanted to say about it.
    pub note: Option<String>,
    /// The release that made it.
    pub tool_version: String,
    /// The members, in any order.
    pub members: Vec<Member>,
}

impl Manifest {
    /// Returns the pack id and the bytes of `manifest.json`: members sorted bytewise by path, canonical, one newline.
    pub fn into_document(mut self) -> (Digest, Vec<u8>) {
        self.members.sort_by(|a, b| a.path.cmp(&b.path));
        let mut document = serde_json::json!({
            "version": VERSION,
            "pack_id": "",
            "created": self.created.to_string(),
            "tool_version": self.tool_version,
            "member_count": self.members.len(),
            "members": self.members,
        });
        if let Some(note) = self.note {
            document["note"] = note.into();
        }
        let id = pack_id(&mut document);
        document["pack_id"] = id.to_string().into();
        (id, to_document(&document))
    }
}

/// Returns the SHA-256 of the canonical form of `document` with its `pack_id` set to the empty string.
///
/// Leaves that empty string in `document`.
fn pack_id(document: &mut Value) -> Digest {
    document["pack_id"] = "".into();
    Digest::of(&to_canonical(document))
}

/// A member as a manifest declares it, not yet believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The path as written; [`MemberPath::parse`] says whether it is safe.
    pub path: String,
    /// The hash as written.
    pub bytes_hash: String,
    /// The type as written.
    pub kind: String,
    /// The artifact version as written.
    pub artifact_version: Option<String>,
}

/// A manifest as it was read: what it says, what its id should be, and where it departs from the schema.
#[derive(Debug)]
pub struct ManifestDocument {
    /// SHA-256 of the file.
    pub file_hash: Digest,
    /// Its bytes.
    pub file_bytes: u64,
    /// The declared id.
    pub pack_id: String,
    /// The id that the document has by its content.
    pub computed_id: Digest,
    /// The declared number of members.
    pub member_count: u64,
    /// The declared members, in the order written.
    pub members: Vec<Declared>,
    /// The declared time.
    pub created: String,
    /// The declared note.
    pub note: Option<String>,
    /// The declared release.
    pub tool_version: String,
    /// What is wrong without making the document unreadable: where, and what.
    pub violations: Vec<(String, String)>,
}

/// Why a manifest cannot be judged at all.
#[derive(Debug)]
pub enum Malformed {
    /// Not strict JSON.
    Json(JsonError),
    /// JSON of another shape.
    Shape(String),
}

impl std::fmt::Display for Malformed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(e) => write!(f, "it is not strict JSON: {e}"),
            Self::Shape(what) => write!(f, "it is not a {VERSION} manifest: {what}"),
        }
    }
}

impl ManifestDocument {
    /// Parses the bytes of a `manifest.json`.
    ///
    /// A missing or mistyped required field is [`Malformed`]; an unknown field, an ill-formed value, members out of order
    /// and a spelling that is not the canonical one are violations, so that everything else is still judged.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut value = parse_strict(bytes).map_err(Malformed::Json)?;
        let canonical = to_document(&value) == bytes;
        let Value::Object(fields) = &mut value else {
            return Err(shape("expected an object"));
        };
        match fields.get("version") {
            Some(Value::String(version)) if version == VERSION => {}
            Some(other) => return Err(shape(&format!("version is {other}"))),
            None => return Err(shape("version is missing")),
        }
        let mut violations = Vec::new();
        let mut violate = |place: &str, what: String| violations.push((place.to_owned(), what));
        if !canonical {
            violate("", "not in canonical form (RFC 8785 and one newline)".into());
        }
        let pack_id = text(fields, "pack_id")?;
        if Digest::parse_ref(&pack_id).is_none() {
            violate("pack_id", format!("not a content ref: {pack_id:?}"));
        }
        let created = text(fields, "created")?;
        let tool_version = text(fields, "tool_version")?;
        if Timestamp::parse(&created).is_none_or(|t| t.to_string() != created) {
            violate(
                "created",
                format!("expected RFC 3339 in whole seconds with Z, found {created:?}"),
            );
        }
        let note = optional_text(fields, "note")?;
        let member_count = fields
            .get("member_count")
            .and_then(Value::as_u64)
            .ok_or_else(|| shape("member_count is not a whole number"))?;
        for key in fields.keys() {
            let known = [
                "version",
                "pack_id",
                "created",
                "note",
                "tool_version",
                "members",
                "member_count",
            ];
            if !known.contains(&key.as_str()) {
                violate(key, "unknown field".into());
            }
        }
        let Some(Value::Array(items)) = fields.get("members") else {
            return Err(shape("members is not an array"));
        };
        let mut members: Vec<Declared> = Vec::with_capacity(items.len());
        for (index, item) in items.iter().enumerate() {
            let Value::Object(item) = item else {
                return Err(shape(&format!("members[{index}] is not an object")));
            };
            let member = Declared {
                path: text(item, "path")?,
                bytes_hash: text(item, "bytes_hash")?,
                kind: text(item, "type")?,
                artifact_version: optional_text(item, "artifact_version")?,
            };
            for key in item.keys() {
                if !["path", "bytes_hash", "type", "artifact_version"].contains(&key.as_str()) {
                    violate(&member.path, format!("unknown field {key:?}"));
                }
            }
            if Digest::parse_ref(&member.bytes_hash).is_none() {
                violate(
                    &member.path,
                    format!("bytes_hash is not a content ref: {:?}", member.bytes_hash),
                );
            }
            if !MemberType::NAMES.contains(&member.kind.as_str()) {
                violate(&member.path, format!("unknown type {:?}", member.kind));
            }
            if members.last().is_some_and(|last| last.path > member.path) {
                violate(&member.path, "members are not sorted bytewise by path".into());
            }
            members.push(member);
        }
        let computed_id = self::pack_id(&mut value);
        Ok(Self {
            file_hash: Digest::of(bytes),
            file_bytes: bytes.len() as u64,
            pack_id,
            computed_id,
            member_count,
            members,
            created,
            note,
            tool_version,
            violations,
        })
    }
}

fn shape(what: &str) -> Malformed {
    Malformed::Shape(what.to_owned())
}

fn text(fields: &Map<String, Value>, key: &str) -> Result<String, Malformed> {
    optional_text(fields, key)?.ok_or_else(|| shape(&format!("{key} is missing")))
}

fn optional_text(fields: &Map<String, Value>, key: &str) -> Result<Option<String>, Malformed> {
    match fields.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(other) => Err(shape(&format!("{key} is not a string: {other}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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

    #[test]
    fn the_id_proves_itself_and_members_are_sorted() {
        let (id, bytes) = sample().into_document();
        let read = ManifestDocument::parse(&bytes).unwrap();
        assert_eq!(read.pack_id, id.to_string());
        assert_eq!(read.computed_id, id);
        assert_eq!(read.violations, []);
        let paths: Vec<_> = read.members.iter().map(|m| m.path.as_str()).collect();
        assert_eq!(paths, ["B", "a/z", "b"]);
    }

    #[test]
    fn every_field_is_covered_by_the_id() {
        let (id, _) = sample().into_document();
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
            assert_ne!(manifest.into_document().0, id);
        }
    }

    #[test]
    fn every_flipped_byte_of_a_manifest_shows() {
        let (id, bytes) = sample().into_document();
        for at in 0..bytes.len() {
            for mask in 1..=255u8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= mask;
                if let Ok(read) = ManifestDocument::parse(&flipped) {
                    let shows = read.pack_id != read.computed_id.to_string() || !read.violations.is_empty();
                    assert!(shows, "byte {at} of {id} flipped by {mask:#x}");
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
