//! The section that says how to check a pack or a commit oneself. Its commands work as they stand there.

use maud::{Markup, html};

use super::tables::step;
use crate::cli::output::words::quoted;
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;
use crate::ops::pack::report::{ReportedCommit, ReportedPack};

/// Returns the section of a pack. What the pack says of itself gets into a command only if it has the right form.
pub(super) fn of_pack(report: &ReportedPack) -> Markup {
    let verdict = &report.verified.verdict;
    let commit = report
        .declared
        .info
        .as_ref()
        .and_then(|info| ObjectId::parse(&info.commit));
    let has_seals = verdict
        .sealed
        .as_ref()
        .is_some_and(|sealed| !sealed.artifacts.is_empty());
    html! {
        p {
            "In these commands, " code { "PACK" } " stands for the directory, the archive or the address of the pack, and "
            code { "FILE" } " for a file of yours."
        }
        ol.steps {
            (step("Verify the pack. This needs no key and no network:", "git pack verify PACK"))
            @if Digest::parse_ref(&verdict.pack_id).is_some() {
                (step(
                    "Compare the id that it prints with the one that you were told another way. The id is the hash of the \
                     manifest with an empty id, so other tools print it too:",
                    "jq -jcS '.pack_id=\"\"' PACK/manifest.json | sha256sum",
                ))
            }
            (step(
                "Compare each member of a directory with the manifest, without git-pack:",
                "cd PACK && jq -r '.members[] | .bytes_hash[7:] + \"  \" + .path' manifest.json | sha256sum --check --quiet",
            ))
            @if !report.verified.signatures.checked.is_empty() {
                (step(
                    "Check who signed. The file names the signers that you trust:",
                    "git pack verify PACK --allowed-signers FILE --require-signatures 1",
                ))
            }
            @if !report.verified.attestations.is_empty() {
                (step("Check an attestation with the public key of who made it:", "git pack verify PACK --attestation-key FILE"))
            }
            @if let Some(commit) = commit {
                (step(
                    "In a clone of the repository, compare the pack with the commit:",
                    &format!("git pack verify PACK --rev {}", commit.hex()),
                ))
            }
            @if has_seals {
                (step("With a key, also open each sealed file, and discard what comes out:", "git pack verify PACK --identity FILE"))
            }
            @if report.difference.is_some() {
                (step("Compare the pack with an older one:", "git pack diff OLDER PACK"))
            }
        }
    }
}

/// Returns the section of a commit.
pub(super) fn of_commit(report: &ReportedCommit) -> Markup {
    let state = &report.state;
    let scope = quoted(state.scope.as_bytes());
    let commit = state.commit.hex();
    html! {
        ol.steps {
            (step(
                "In any clone, compute the digest of the commit again. The exit status is 0 if it is the same:",
                &format!("git pack state {commit} --scope {scope} --check {}", state.digest),
            ))
            (step(
                "Print the lines that the digest covers, and hash them with another tool:",
                &format!("git pack state {commit} --scope {scope} --files | sha256sum"),
            ))
            (step("Look for leaks in the commit:", &format!("git pack scan --rev {commit}")))
            (step("Make the pack:", &format!("git pack seal --rev {commit} --scope {scope}")))
        }
    }
}
