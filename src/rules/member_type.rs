//! What a member is, decided from its content by a bounded read.

use serde::Deserialize;

use crate::format::manifest::MemberType;

/// The largest artifact that is looked into; a larger one is `other`. Part of the format: the type is in the pack id.
pub const MAX_BYTES: usize = 16 << 20;

/// Returns the type of `content` and, where it names a known one, its version.
///
/// `content` is the whole artifact, or none of it where it is larger than [`MAX_BYTES`].
pub fn detect(content: Option<&[u8]>) -> (MemberType, Option<String>) {
    #[derive(Deserialize)]
    struct Versioned {
        version: String,
    }
    content
        .filter(|bytes| bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{'))
        .and_then(|bytes| serde_json::from_slice::<Versioned>(bytes).ok())
        .and_then(|document| {
            let kind = MemberType::of_version(&document.version)?;
            Some((kind, Some(document.version)))
        })
        .unwrap_or((MemberType::Other, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_versions_map_to_their_types() {
        for (version, kind) in [
            ("lock.v0", MemberType::Lockfile),
            ("rvl.v0", MemberType::Report),
            ("shape.v0", MemberType::Report),
            ("verify.v0", MemberType::Report),
            ("compare.v0", MemberType::Report),
            ("canon.v0", MemberType::Artifact),
            ("assess.v0", MemberType::Artifact),
            ("verify.rules.v0", MemberType::Rules),
            ("pack.v0", MemberType::Pack),
        ] {
            let json = format!(" {{\"a\":[1],\"version\":\"{version}\"}}\n");
            assert_eq!(detect(Some(json.as_bytes())), (kind, Some(version.into())));
        }
        for text in [
            "{\"version\":\"x.v9\"}",
            "{\"version\":1}",
            "[]",
            "{\"version\":\"lock.v0\"",
            "",
            "\0",
        ] {
            assert_eq!(detect(Some(text.as_bytes())), (MemberType::Other, None), "{text}");
        }
        assert_eq!(detect(None), (MemberType::Other, None));
    }
}
