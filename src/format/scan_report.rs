//! `pack.scan.v0` as it is read back: the findings of an earlier scan.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::format::canonical_json::parse_strict_into;
use crate::format::object_id::ObjectId;
use crate::refusal::shown::told;

/// The version of the document.
pub const VERSION: &str = "pack.scan.v0";

/// The longest document that is read back, in bytes.
pub const MAX_BYTES: u64 = 32 << 20;

/// What makes two findings the same: the kind of leak, its place, its class and its content.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListedFinding {
    /// Id of the blob.
    pub blob: ObjectId,
    /// The path, as it is shown.
    pub path: String,
    /// The class of the rule.
    pub class: String,
    /// The code of the finding.
    pub code: String,
}

#[derive(Deserialize)]
struct RawReport {
    version: String,
    findings: Vec<RawFinding>,
    #[serde(default)]
    known: Vec<RawFinding>,
}

#[derive(Deserialize)]
struct RawFinding {
    blob: String,
    path: String,
    class: String,
    code: String,
    /// Other fields do not count. With them, the parser takes objects only, and no lists of values.
    #[serde(flatten)]
    _others: BTreeMap<String, IgnoredAny>,
}

/// Parses the document of an earlier scan into its findings, those included that were known at that time.
pub fn parse(bytes: &[u8]) -> Result<BTreeSet<ListedFinding>, String> {
    let raw: RawReport = parse_strict_into(bytes).map_err(|e| e.to_string())?;
    if raw.version != VERSION {
        return Err(format!("version: expected {VERSION:?}, found {:?}", told(&raw.version)));
    }
    let listed = raw.findings.into_iter().chain(raw.known).map(|raw| {
        let blob = ObjectId::parse(&raw.blob)
            .ok_or_else(|| format!("blob: expected 40 or 64 hex digits, found {:?}", told(&raw.blob)))?;
        Ok(ListedFinding {
            blob,
            path: raw.path,
            class: raw.class,
            code: raw.code,
        })
    });
    listed.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FINDING: &str = r#"{"blob":"3b18e512dba79e4c8300dd08aeb37f8e728b8dad","class":"vector","code":"PLAINTEXT_PROTECTED","path":"a.vec","rule":"**/*.vec"}"#;

    #[test]
    fn findings_are_read_once_each() {
        let text = format!(r#"{{"findings":[{FINDING},{FINDING}],"known":[{FINDING}],"version":"pack.scan.v0"}}"#);
        let read = parse(text.as_bytes()).unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read.first().unwrap().path, "a.vec");
        let known = format!(r#"{{"findings":[],"known":[{FINDING}],"version":"pack.scan.v0"}}"#);
        assert_eq!(parse(known.as_bytes()).unwrap(), read);
    }

    #[test]
    fn other_documents_are_refused() {
        let deep = format!(r#"{{"version":"pack.scan.v0","findings":{}"#, "[".repeat(100_000));
        for (text, expected) in [
            ("", "EOF"),
            ("\0", "expected value"),
            ("[]", "expected struct"),
            ("{}", "missing field"),
            (deep.as_str(), "recursion limit"),
            (
                r#"{"version":"pack.scan.v1","findings":[]}"#,
                "expected \"pack.scan.v0\"",
            ),
            (
                r#"{"version":"pack.v0","outcome":"REFUSAL","refusal":{}}"#,
                "missing field `findings`",
            ),
            (r#"{"version":"pack.scan.v0","findings":[1]}"#, "invalid type: integer"),
            (
                r#"{"version":"pack.scan.v0","findings":[["3b18e512dba79e4c8300dd08aeb37f8e728b8dad","a","b","c"]]}"#,
                "invalid type: sequence",
            ),
            (r#"{"version":"pack.scan.v0","findings":{}}"#, "expected a sequence"),
            (r#"{"version":"pack.scan.v0","findings":[],"findings":[]}"#, "findings"),
            (r#"{"version":"pack.scan.v0","findings":[]} x"#, "trailing"),
            (
                r#"{"version":"pack.scan.v0","findings":[{"blob":"main","class":"","code":"","path":""}]}"#,
                "40 or 64 hex digits",
            ),
            (
                r#"{"version":"pack.scan.v0","findings":[{"blob":null,"class":"","code":"","path":""}]}"#,
                "invalid type: null",
            ),
        ] {
            let said = parse(text.as_bytes()).unwrap_err();
            assert!(said.contains(expected), "{expected}: {said}");
        }
    }
}
