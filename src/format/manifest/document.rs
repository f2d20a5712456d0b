//! A manifest that was read, and the judgement of its values.

use crate::format::digest::Digest;
use crate::format::manifest::PACK_ID;
use crate::format::manifest::fields::Departure;
use crate::format::manifest::members::{DeclaredMembers, MemberList};
use crate::format::timestamp::Timestamp;

/// A manifest that was read: its declarations, its computed id, and where it violates the schema.
#[derive(Debug, PartialEq, Eq)]
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
    pub members: DeclaredMembers,
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

/// The fields of a manifest beside its members.
pub(super) struct Fields {
    pub(super) pack_id: String,
    pub(super) member_count: u64,
    pub(super) created: String,
    pub(super) note: Option<String>,
    pub(super) tool_version: String,
}

impl ManifestDocument {
    /// Judges the values of a manifest. `file` is the hash and the size of its bytes.
    pub(super) fn of_fields(fields: Fields, list: MemberList, file: (Digest, u64), computed_id: Digest) -> Self {
        let (mut violations, mut departures) = (Vec::new(), Vec::new());
        if Digest::parse_ref(&fields.pack_id).is_none() {
            violations.push((PACK_ID.to_owned(), format!("not a content ref: {:?}", fields.pack_id)));
        }
        match judge_created(&fields.created) {
            Spelling::Wrong(what) => violations.push(("created".to_owned(), what)),
            Spelling::Unusual(departure) => departures.push(departure),
            Spelling::Ours => {}
        }
        violations.extend(list.violations);
        departures.extend(list.departure);
        Self {
            file_hash: file.0,
            file_bytes: file.1,
            pack_id: fields.pack_id,
            computed_id,
            member_count: fields.member_count,
            members: list.members,
            created: fields.created,
            note: fields.note,
            tool_version: fields.tool_version,
            violations,
            departures,
        }
    }
}

/// How a value is spelled.
enum Spelling {
    /// As git-pack spells it.
    Ours,
    /// In another way that means the same.
    Unusual(Departure),
    /// Without a meaning, for this reason.
    Wrong(String),
}

fn judge_created(created: &str) -> Spelling {
    let what = || format!("expected RFC 3339 in whole seconds with Z, found {created:?}");
    match Timestamp::parse_utc(created) {
        None => Spelling::Wrong(what()),
        Some(time) if time.to_string() != created => Spelling::Unusual(Departure {
            place: "created".into(),
            what: what(),
            is_usual: false,
        }),
        Some(_) => Spelling::Ours,
    }
}
