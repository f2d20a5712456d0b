//! The findings of a scan as SARIF 2.1.0 (OASIS), for tools that show them beside the code.

use serde_json::{Value, json};
use serde_sarif::sarif::{
    ArtifactLocation, Invocation, Location, Message, MultiformatMessageString, Notification, PhysicalLocation,
    PropertyBag, ReportingDescriptor, Result as Finding, ResultLevel, Run, Sarif, Tool, ToolComponent, Version,
};

use super::leaks::about;
use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::refusal::shown::shown;
use crate::rules::protect::Cause;
use crate::rules::scan::LeakCode;

/// The schema that the document names.
const SCHEMA: &str = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

/// Returns the SARIF document of a scan that was refused: a run that failed, without results.
pub(super) fn refused(body: Value) -> Vec<u8> {
    let said = |key: &str| body[key].as_str().unwrap_or_default().to_owned();
    let text = format!("{}: {}", said("code"), said("message"));
    let notification = Notification::builder()
        .level("error")
        .message(Message::builder().text(text).build())
        .build();
    let invocation = Invocation::builder()
        .execution_successful(false)
        .tool_execution_notifications(vec![notification])
        .build();
    let run = Run::builder().tool(tool()).invocations(vec![invocation]).build();
    whole(run)
}

/// Returns the SARIF document of a scan; with a baseline, also what that lists.
pub(super) fn document(report: &ScanReport, has_baseline: bool) -> Vec<u8> {
    let new = report.leaks.iter().map(|found| {
        let mut finding = finding(found);
        finding.baseline_state = has_baseline.then(|| "new".into());
        finding
    });
    let known = report.known.iter().map(|found| {
        let mut finding = finding(found);
        finding.baseline_state = Some("unchanged".into());
        finding
    });
    let results: Vec<Finding> = new.chain(known).collect();
    whole(Run::builder().tool(tool()).results(results).build())
}

/// Returns what every document says of the program.
fn tool() -> Tool {
    let rules: Vec<ReportingDescriptor> = LeakCode::ALL
        .iter()
        .map(|code| {
            ReportingDescriptor::builder()
                .id(code.as_str())
                .short_description(MultiformatMessageString::builder().text(about(*code)).build())
                .build()
        })
        .collect();
    let driver = ToolComponent::builder()
        .name("git-pack")
        .version(env!("CARGO_PKG_VERSION"))
        .rules(rules)
        .build();
    Tool::builder().driver(driver).build()
}

fn whole(run: Run) -> Vec<u8> {
    to_document(
        &Sarif::builder()
            .schema(SCHEMA)
            .version(Version::V2_1_0.to_string())
            .runs(vec![run])
            .build(),
    )
}

fn finding(found: &FoundLeak) -> Finding {
    let leak = &found.leak;
    let path = leak.entry.path.as_bytes();
    let cause = match &leak.cause {
        Cause::Glob(glob) => format!("rule {glob}"),
        Cause::Content(_) | Cause::Twin(_) | Cause::Known { .. } => leak.cause.to_string(),
        Cause::InPart => leak.detail.clone().unwrap_or_default(),
    };
    let place = match leak.entry.commit {
        Some(commit) => format!(" in commit {}", commit.short()),
        None => String::new(),
    };
    let text = format!("{}{place}: {} ({}, {cause})", shown(path), about(leak.code), leak.class);
    let location = ArtifactLocation::builder().uri(uri(path)).build();
    let location = PhysicalLocation::builder().artifact_location(location).build();
    let properties = json!({
        "blob": leak.entry.id.hex(),
        "class": leak.class,
        "commit": leak.entry.commit.map(|id| id.hex()),
        "policy": leak.policy,
    });
    let properties = properties.as_object().cloned().unwrap_or_default();
    // The same blob under the same path is the same finding, whichever run found it.
    let print = [
        leak.code.as_str().as_bytes(),
        b"\0",
        path,
        b"\0",
        leak.entry.id.as_bytes(),
    ]
    .concat();
    Finding::builder()
        .rule_id(leak.code.as_str())
        .level(ResultLevel::Error)
        .message(Message::builder().text(text).build())
        .locations(vec![Location::builder().physical_location(location).build()])
        .partial_fingerprints(
            [("gitPack/v1".to_owned(), Digest::of(&print).hex())]
                .into_iter()
                .collect::<std::collections::BTreeMap<_, _>>(),
        )
        .properties(
            PropertyBag::builder()
                .additional_properties(properties.into_iter().collect::<std::collections::BTreeMap<_, _>>())
                .build(),
        )
        .build()
}

/// Returns a path as a relative URI reference (RFC 3986).
fn uri(path: &[u8]) -> String {
    let mut uri = String::new();
    for byte in path {
        match byte {
            b if b.is_ascii_alphanumeric() || b"-._~/".contains(b) => uri.push(char::from(*b)),
            b => uri.push_str(&format!("%{b:02X}")),
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri(b"a b/\xffc:\n.vec"), "a%20b/%FFc%3A%0A.vec");
    }
}
