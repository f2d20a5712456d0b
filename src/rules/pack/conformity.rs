//! Checks that a member has the type and the version that the manifest declares.

use crate::format::agent::genome::VERSION;
use crate::format::foreign::profile_version;
use crate::format::manifest::MemberType;
use crate::rules::member_type::{detect, has_schema_of};
use crate::rules::pack::findings::NoticeKind;

/// The result of checking a member against the schema of its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conformity {
    /// It conforms to its declared type and version.
    Conforms,
    /// It conforms, but it lacks the `artifact_version` that git-pack would write.
    Departs(NoticeKind),
    /// It does not conform, for this reason.
    Violates(String),
    /// No schema for its type and version is known.
    Unknown,
    /// Its type has no schema, so there is nothing to check.
    NoSchema,
    /// Its type has no schema, but it has an `artifact_version`.
    NoSchemaFor(NoticeKind),
    /// It is larger than [`crate::rules::member_type::MAX_BYTES`].
    TooLarge,
}

/// Checks the content of a member against its declared type and version. `None` as content means that it is too large.
///
/// The built-in schemas require little: an object (or YAML mapping) with the declared version; for rules, an array
/// `rules`; for a pack, a well-formed manifest.
pub fn conforms(kind: &str, version: Option<&str>, content: Option<&[u8]>) -> Conformity {
    if kind == MemberType::Other.as_str() || kind == MemberType::Registry.as_str() {
        return match version.map(|version| (version, MemberType::of_version(version))) {
            None => Conformity::NoSchema,
            Some((version, Some(expected))) if kind == MemberType::Other.as_str() => {
                Conformity::Violates(format!("{version} is a {}, not a {kind}", expected.as_str()))
            }
            Some((version, _)) => Conformity::NoSchemaFor(NoticeKind::VersionExtra(format!(
                "{version:?}: git-pack gives a {kind} no artifact_version"
            ))),
        };
    }
    match version.and_then(MemberType::of_version) {
        Some(expected) if expected.as_str() != kind => {
            return Conformity::Violates(format!(
                "{} is a {}, not a {kind}",
                version.unwrap_or_default(),
                expected.as_str()
            ));
        }
        None if version.is_some() && kind != MemberType::Profile.as_str() => return Conformity::Unknown,
        _ => {}
    }
    let Some(bytes) = content else {
        return Conformity::TooLarge;
    };
    if let Some(version) = version
        && let Err(why) = has_schema_of(version, bytes)
    {
        return Conformity::Violates(why);
    }
    let found = match kind == MemberType::Profile.as_str() {
        // JSON is valid YAML, so other makers may write a profile as JSON.
        true => profile_version(bytes),
        false => detect(content)
            .1
            .filter(|found| MemberType::of_version(found).is_some_and(|of| of.as_str() == kind)),
    };
    match (found, version) {
        (Some(found), Some(version)) if found == version => Conformity::Conforms,
        (Some(found), None) => Conformity::Departs(NoticeKind::VersionMissing(format!(
            "its content names the version {found:?}, but the manifest leaves it out"
        ))),
        (_, Some(version)) => Conformity::Violates(format!("its content is not a {kind} with version {version}")),
        (None, None) => Conformity::Violates(format!("its content is not a {kind}")),
    }
}

/// Checks the declared version of a pack of cycles. Its header is judged with those beside it.
pub fn genome_version(version: Option<&str>) -> Conformity {
    match version {
        Some(version) if version == VERSION.to_string() => Conformity::Conforms,
        Some(_) => Conformity::Unknown,
        None => Conformity::Departs(NoticeKind::VersionMissing(format!(
            "it is a pack of cycles of version {VERSION}, but the manifest leaves its version out"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_held_to_what_they_are_declared_as() {
        let check =
            |kind: &str, version: Option<&str>, content: &str| conforms(kind, version, Some(content.as_bytes()));
        assert_eq!(check("other", None, "x"), Conformity::NoSchema);
        assert_eq!(check("registry", None, "x"), Conformity::NoSchema);
        assert_eq!(
            check("report", Some("rvl.v0"), "{\"version\":\"rvl.v0\"}"),
            Conformity::Conforms
        );
        assert_eq!(
            check(
                "rules",
                Some("verify.rules.v0"),
                "{\"version\":\"verify.rules.v0\",\"rules\":[]}"
            ),
            Conformity::Conforms
        );
        assert_eq!(check("report", Some("rvl.v7"), "{}"), Conformity::Unknown);
        assert_eq!(
            check("profile", Some("1"), r#"{"schema_version":1,"profile_id":"p"}"#),
            Conformity::Conforms
        );
        for (kind, content) in [
            ("report", "{\"version\":\"rvl.v0\"}"),
            ("profile", "schema_version: 1\nprofile_id: p\n"),
        ] {
            let departs = |found| matches!(found, Conformity::Departs(NoticeKind::VersionMissing(_)));
            assert!(departs(check(kind, None, content)), "{kind}");
        }
        for kind in ["other", "registry"] {
            let extra = |found| matches!(found, Conformity::NoSchemaFor(NoticeKind::VersionExtra(_)));
            assert!(
                extra(check(kind, Some("notes.v3"), "{\"version\":\"notes.v3\"}")),
                "{kind}"
            );
        }
        assert_eq!(conforms("report", Some("rvl.v0"), None), Conformity::TooLarge);
        assert_eq!(conforms("report", None, None), Conformity::TooLarge);
        for (kind, version, content) in [
            ("report", Some("rvl.v0"), "{\"version\":\"shape.v0\"}"),
            ("report", Some("lock.v0"), "{\"version\":\"lock.v0\"}"),
            ("report", None, "{\"version\":\"lock.v0\"}"),
            ("report", None, "{}"),
            ("profile", None, "profile_id: p\n"),
            ("other", Some("lock.v0"), "{\"version\":\"lock.v0\"}"),
            ("rules", Some("verify.rules.v0"), "{\"version\":\"verify.rules.v0\"}"),
            (
                "rules",
                Some("verify.rules.v0"),
                "{\"version\":\"verify.rules.v0\",\"rules\":{}}",
            ),
            ("pack", Some("pack.v0"), "{\"version\":\"pack.v0\"}"),
            ("profile", Some("1"), "schema_version: 2\nprofile_id: p\n"),
        ] {
            assert!(
                matches!(check(kind, version, content), Conformity::Violates(_)),
                "{kind} {content}"
            );
        }
    }
}
