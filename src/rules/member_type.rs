//! Decides the type of a member from its content, by a bounded read.

use std::collections::BTreeSet;

use serde::Deserialize;

use crate::format::foreign::profile_version;
use crate::format::manifest::{ManifestDocument, MemberType, VERSION};

/// The largest artifact to examine, in bytes. A larger one is `other`. This is part of the format, since the pack id
/// covers the type.
pub const MAX_BYTES: usize = 16 << 20;

/// Name of the file that makes a directory a materialised registry.
const REGISTRY: &str = "registry.json";

/// Returns the type of `content` and the version that it states, if any.
///
/// `content` is the whole artifact, or `None` if it is larger than [`MAX_BYTES`].
pub fn detect(content: Option<&[u8]>) -> (MemberType, Option<String>) {
    let Some(bytes) = content else {
        return (MemberType::Other, None);
    };
    if may_be_json(bytes) {
        let version = json_version(bytes).filter(|version| has_schema_of(version, bytes).is_ok());
        return match version.and_then(|version| Some((MemberType::of_version(&version)?, version))) {
            Some((kind, version)) => (kind, Some(version)),
            None => (MemberType::Other, None),
        };
    }
    match profile_version(bytes) {
        Some(version) => (MemberType::Profile, Some(version)),
        None => (MemberType::Other, None),
    }
}

/// Returns whether `bytes` can be the start of a type that [`detect`] knows.
pub fn is_hopeful(bytes: &[u8]) -> bool {
    // YAML has no signature at its start, but binary data is not YAML.
    may_be_json(bytes) || !bytes.contains(&0)
}

fn may_be_json(bytes: &[u8]) -> bool {
    bytes.iter().find(|b| !b.is_ascii_whitespace()) == Some(&b'{')
}

fn json_version(bytes: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    struct Versioned {
        version: String,
    }
    serde_json::from_slice::<Versioned>(bytes)
        .ok()
        .map(|document| document.version)
}

/// Returns those of `paths` that lie in a materialised registry: each `registry.json`, and the files beside and below
/// it.
pub fn registry_files<'a>(paths: impl Iterator<Item = &'a str> + Clone) -> BTreeSet<&'a str> {
    let roots: BTreeSet<&str> = paths
        .clone()
        .filter_map(|path| match path.rsplit_once('/') {
            Some((directory, REGISTRY)) => Some(directory),
            None if path == REGISTRY => Some(""),
            _ => None,
        })
        .collect();
    paths
        .filter(|path| {
            let above = path.match_indices('/').map(|(at, _)| &path[..at]);
            // In the root of a pack, only the `registry.json` itself counts, because every member lies below the root.
            *path == REGISTRY || above.into_iter().any(|directory| roots.contains(directory))
        })
        .collect()
}

/// Checks what the schema of a version requires beyond the version itself. A document that fails has no known type.
pub(super) fn has_schema_of(version: &str, bytes: &[u8]) -> Result<(), String> {
    match version {
        "verify.rules.v0" => {
            #[derive(Deserialize)]
            struct Rules {
                #[allow(dead_code, reason = "only its being an array is checked")]
                rules: Vec<serde::de::IgnoredAny>,
            }
            let rules = serde_json::from_slice::<Rules>(bytes);
            rules.map(drop).map_err(|_| "it has no array `rules`".into())
        }
        VERSION => ManifestDocument::parse(bytes).map(drop).map_err(|why| why.to_string()),
        _ => Ok(()),
    }
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

    #[test]
    fn what_nests_without_end_ends() {
        for part in ["[", "{a: ", "- ", "? ", "[&a [*a, ", "!!a "] {
            let text = format!("schema_version: 1\nprofile_id: p\nrules: {}", part.repeat(200_000));
            drop(profile_version(text.as_bytes()));
            let text = format!("{}\nschema_version: 1\nprofile_id: p\n", part.repeat(200_000));
            drop(profile_version(text.as_bytes()));
        }
    }

    #[test]
    fn profiles_are_yaml_mappings_with_both_keys_at_the_top() {
        for text in [
            "schema_version: 1\nprofile_id: p\n",
            "# c\n---\nprofile_id: 'x'\nrules: [a, {b: c}]\nschema_version: \"1\"\n",
            "? [complex, key]\n: {nested: schema_version}\nprofile_id: p\nschema_version: 1\n",
        ] {
            assert_eq!(
                detect(Some(text.as_bytes())),
                (MemberType::Profile, Some("1".into())),
                "{text}"
            );
        }
        for text in [
            "schema_version: 1\nprofile: p\n",
            "a:\n  schema_version: 1\n  profile_id: p\n",
            "- schema_version: 1\n- profile_id: p\n",
            "schema_version profile_id",
            "schema_version: [1]\nprofile_id: p\n",
            "schema_version: 1\nprofile_id: p\n  bad: [\n",
        ] {
            assert_eq!(detect(Some(text.as_bytes())), (MemberType::Other, None), "{text}");
        }
        // Aliases are not expanded, so a bomb of nested aliases is harmless.
        let mut bomb = String::from("a0: &a0 x\nschema_version: 1\nprofile_id: p\n");
        for n in 1..60 {
            let list = vec![format!("*a{}", n - 1); 10].join(",");
            bomb.push_str(&format!("a{n}: &a{n} [{list}]\n"));
        }
        assert_eq!(detect(Some(bomb.as_bytes())).0, MemberType::Profile);
    }

    #[test]
    fn a_registry_is_a_directory_with_its_file() {
        let paths = [
            "a/registry.json",
            "a/t/x.csv",
            "ab/x",
            "b.csv",
            "c/d/registry.json",
            "c/x",
            "registry.json",
        ];
        let found: Vec<_> = registry_files(paths.into_iter()).into_iter().collect();
        assert_eq!(
            found,
            ["a/registry.json", "a/t/x.csv", "c/d/registry.json", "registry.json"]
        );
    }
}
