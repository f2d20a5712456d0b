//! Reads a manifest that is spelled as git-pack writes it, without building JSON values.
//!
//! Such a manifest is strict JSON in canonical form by its shape alone: its keys are those that git-pack writes, in their
//! order, and no string needs an escape. Every other manifest is left to the general reader, which judges it.

use crate::format::digest::Hasher;
use crate::format::manifest::VERSION;
use crate::format::manifest::document::{Fields, ManifestDocument};
use crate::format::manifest::members::MemberList;

/// The largest count that is read here. Every JSON parser reads it exactly.
const MAX_COUNT: u64 = 1 << 53;

/// Reads a manifest. `None` if it is spelled in another way.
pub(super) fn read(bytes: &[u8]) -> Option<ManifestDocument> {
    let mut rest = Rest(std::str::from_utf8(bytes).ok()?);
    rest.skip(r#"{"created":"#)?;
    let created = rest.text()?;
    rest.skip(r#","member_count":"#)?;
    let member_count = rest.count()?;
    rest.skip(r#","members":["#)?;
    let list = members(&mut rest)?;
    rest.skip("]")?;
    let note = match rest.skip(r#","note":"#) {
        Some(()) => Some(rest.text()?),
        None => None,
    };
    rest.skip(r#","pack_id":"#)?;
    let before_id = bytes.len() - rest.0.len() + 1;
    let pack_id = rest.text()?;
    let behind_id = bytes.len() - rest.0.len() - 1;
    rest.skip(r#","tool_version":"#)?;
    let tool_version = rest.text()?;
    rest.skip(r#","version":"#)?;
    if rest.text()? != VERSION || rest.0 != "}\n" {
        return None;
    }
    let mut blank = Hasher::default();
    blank.update(&bytes[..before_id]);
    let mut whole = blank.clone();
    whole.update(&bytes[before_id..]);
    blank.update(&bytes[behind_id..bytes.len() - 1]);
    let fields = Fields {
        pack_id: pack_id.to_owned(),
        member_count,
        created: created.to_owned(),
        note: note.map(str::to_owned),
        tool_version: tool_version.to_owned(),
    };
    Some(ManifestDocument::of_fields(
        fields,
        list,
        (whole.finish(), bytes.len() as u64),
        blank.finish(),
    ))
}

fn members(rest: &mut Rest<'_>) -> Option<MemberList> {
    let mut list = MemberList::default();
    let mut begin = r#"{"#;
    while rest.skip(begin).is_some() {
        let artifact_version = match rest.skip(r#""artifact_version":"#) {
            Some(()) => {
                let version = rest.text()?;
                rest.skip(",")?;
                Some(version)
            }
            None => None,
        };
        rest.skip(r#""bytes_hash":"#)?;
        let bytes_hash = rest.text()?;
        rest.skip(r#","path":"#)?;
        let path = rest.text()?;
        rest.skip(r#","type":"#)?;
        let kind = rest.text()?;
        rest.skip("}")?;
        list.push(path, bytes_hash, kind, artifact_version).ok()?;
        begin = r#",{"#;
    }
    Some(list)
}

/// What is left to read.
struct Rest<'a>(&'a str);

impl<'a> Rest<'a> {
    /// Reads what git-pack writes at this place.
    fn skip(&mut self, literal: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(literal)?;
        Some(())
    }

    /// Reads a string without escapes. The characters that need one are quotes, backslashes and those below the space.
    fn text(&mut self) -> Option<&'a str> {
        let rest = self.0.strip_prefix('"')?;
        let end = rest.bytes().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        let (text, behind) = rest.split_at(end);
        self.0 = behind.strip_prefix('"')?;
        Some(text)
    }

    /// Reads a whole number.
    fn count(&mut self) -> Option<u64> {
        let end = self.0.bytes().position(|byte| !byte.is_ascii_digit())?;
        let (digits, behind) = self.0.split_at(end);
        let count = digits.parse().ok().filter(|count| *count <= MAX_COUNT)?;
        self.0 = behind;
        (digits == "0" || !digits.starts_with('0')).then_some(count)
    }
}
