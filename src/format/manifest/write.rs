//! Writes a manifest, and computes the pack's id on the way.

use std::io::{self, BufWriter, Write};

use serde::Serialize;

use crate::format::canonical_json::{around_list, write_item};
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{BUFFER, MEMBERS, MemberType, PACK_ID, VERSION};
use crate::format::member_path::MemberPath;
use crate::format::timestamp::Timestamp;

/// A member to be written into a manifest.
#[derive(Clone, Debug, Serialize)]
pub struct Member {
    /// The `version` of its content, if the type is recognised by it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub artifact_version: Option<String>,
    /// SHA-256 of the member.
    pub bytes_hash: Digest,
    /// Path of the member, relative to the pack's root.
    pub path: MemberPath,
    /// Type of the member.
    #[serde(rename = "type")]
    pub kind: MemberType,
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::format::manifest) fn sample() -> Manifest {
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

    pub(in crate::format::manifest) fn written(manifest: Manifest) -> (Digest, Vec<u8>) {
        let mut bytes = Vec::new();
        let id = manifest.write(&mut bytes).unwrap();
        (id, bytes)
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
}
