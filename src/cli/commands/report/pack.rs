//! The page about a pack.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use maud::{Markup, html};

use super::checking;
use super::page::{Banner, Section, whole};
use super::sizes::{self, Content, Sized};
use super::tables::{Column, ROWS, canon, copied, facts, left_out, name, scope, sentence, share, table, text, word};
use super::vouched;
use crate::cli::commands::verify::words::detail;
use crate::cli::output::in_part::examined_in_part;
use crate::cli::output::words::{count, size};
use crate::format::object_id::ObjectId;
use crate::format::repo_state::Mode;
use crate::format::sealed::{MEMBER, SealedArtifact, SealedArtifacts, is_grease};
use crate::format::tree_meta::DOCUMENTS;
use crate::ops::pack::diff::DiffReport;
use crate::ops::pack::inspect::{InspectReport, InspectedMember};
use crate::ops::pack::report::ReportedPack;
use crate::rules::pack::findings::{Check, Finding, Notice, NoticeKind};

/// The most members that get a row each.
const MEMBERS: usize = 1000;

/// The most types of members that get a row each.
const TYPES: usize = 40;

/// Returns the page.
pub(super) fn page(report: &ReportedPack) -> Vec<u8> {
    let verdict = &report.verified.verdict;
    let found = verdict.findings.len();
    let members = count(verdict.members as u64, "member");
    let banner = match found {
        0 => Banner {
            class: "good",
            word: "OK".to_owned(),
            sentence: format!("The pack is intact: all of its {members} are what the manifest says."),
        },
        _ => Banner {
            class: "bad",
            word: "INVALID".to_owned(),
            sentence: format!(
                "Do not rely on this pack: {} in a pack of {members}.",
                count(found as u64, "finding")
            ),
        },
    };
    let mut sections = vec![Section::new("identity", "Identity", identity(report))];
    if found > 0 {
        sections.push(Section::new("findings", "Findings", findings(report)));
    }
    sections.push(Section::new("checks", "Checks", checks(report)));
    sections.push(Section::new(
        "vouched",
        "Signatures and attestations",
        vouched::section(&report.verified),
    ));
    sections.push(Section::new("sealed", "Sealed files", sealed(report)));
    if let Some(difference) = &report.difference {
        sections.push(Section::new("changes", "Changes", changes(difference)));
    }
    sections.push(Section::new("sizes", "Sizes", sizes_of(report)));
    sections.push(Section::new("members", "Members", members_of(report)));
    sections.push(Section::new("checking", "Check it yourself", checking::of_pack(report)));
    let id = text(verdict.pack_id.as_bytes());
    let short: String = id.chars().take("sha256:".len() + 12).collect();
    whole(
        &format!("Pack report: {}, {short}", banner.word),
        "Pack report",
        &banner,
        &sections,
    )
}

fn identity(report: &ReportedPack) -> Markup {
    let (declared, verdict) = (&report.declared, &report.verified.verdict);
    let mut rows = vec![("Pack id", copied(&verdict.pack_id))];
    if let Some(info) = &declared.info {
        let commit = match ObjectId::parse(&info.commit) {
            Some(commit) => copied(&commit.hex()),
            None => name(info.commit.as_bytes()),
        };
        rows.push(("Commit", commit));
        rows.push(("Scope", scope(&info.scope, &info.title)));
    }
    if let Some(state) = &verdict.state {
        rows.push(("State digest", copied(&state.digest.to_string())));
        rows.extend(canon(&state.canon_version));
    }
    rows.push(("Manifest", copied(&verdict.manifest_hash.to_string())));
    rows.push((
        "Made",
        html! { (name(declared.created.as_bytes())) " by git-pack " (name(declared.tool_version.as_bytes())) },
    ));
    if let Some(note) = &declared.note {
        rows.push(("Note", html! { bdi { (sentence(note)) } }));
    }
    html! {
        (facts(rows))
        p {
            "The pack id covers every byte of the pack, so that equal ids mean equal packs. What a pack says of itself, such as its \
             time, its commit and its note, is what its maker wrote."
        }
    }
}

fn findings(report: &ReportedPack) -> Markup {
    let verdict = &report.verified.verdict;
    html! {
        (table(
            "finding-rows",
            "What is wrong with the pack",
            [Column::Text("Where"), Column::Text("Code"), Column::Text("What")],
            verdict.findings.iter().take(ROWS).map(finding),
        ))
        (left_out(verdict.findings.len(), ROWS, "git pack verify prints all."))
    }
}

fn finding(finding: &Finding) -> [Markup; 3] {
    let path = match finding.path.as_str() {
        "" => html! { "the pack" },
        path => name(path.as_bytes()),
    };
    let what = html! {
        @if let Some(mismatch) = finding.kind.mismatch() {
            div { "expected " (name(mismatch.expected.to_string().as_bytes())) }
            div { "found " (name(mismatch.actual.to_string().as_bytes())) }
        }
        @if let Some(detail) = detail(&finding.kind) { (sentence(detail)) }
    };
    [path, html! { code.fixed { (finding.kind.code()) } }, what]
}

fn checks(report: &ReportedPack) -> Markup {
    let verdict = &report.verified.verdict;
    let result = |is_passed| if is_passed { "passed" } else { "failed" };
    let by = |check| result(verdict.findings.passes(check));
    let mut rows = vec![
        ("The pack id is the one of the content", by(Check::PackId)),
        (
            "All members are there, with the hashes in the manifest",
            by(Check::MemberHashes),
        ),
        ("There are no other files", by(Check::ExtraMembers)),
        ("The number of members is right", by(Check::MemberCount)),
        ("The paths of members are safe", by(Check::MemberPaths)),
        (
            "Documents and typed members follow their schemas",
            match verdict.schema_validation() {
                "pass" => "passed",
                "fail" => "failed",
                _ => "not all could be checked",
            },
        ),
    ];
    if verdict.state.is_some() {
        rows.push((
            "The state of the repository is the one of the members",
            by(Check::RepoState),
        ));
    }
    if verdict.sealed.is_some() {
        rows.push(("Each seal is declared and unchanged", by(Check::SealsIntact)));
        rows.push(("No protected file is in the clear", by(Check::PlaintextLeak)));
    }
    rows.push((
        "Signatures that are there are valid, and demanded ones are there",
        by(Check::Signatures),
    ));
    rows.push((
        "Attestations that are there are about this pack, and demanded ones are there",
        by(Check::Attestations),
    ));
    html! {
        (table(
            "check-rows",
            "What was checked",
            [Column::Text("Check"), Column::Text("Result")],
            rows.into_iter().map(|(what, result)| [html! { (what) }, html! { span.(result_class(result)) { (result) } }]),
        ))
        (notices(report))
    }
}

fn result_class(result: &str) -> &'static str {
    match result {
        "passed" => "good",
        "failed" => "bad",
        _ => "look",
    }
}

/// Returns what a reader should know and is no fault.
fn notices(report: &ReportedPack) -> Markup {
    let verdict = &report.verified.verdict;
    // The table of attestations says which were not checked.
    let notices: Vec<&Notice> = verdict
        .findings
        .notices()
        .filter(|notice| !matches!(notice.kind, NoticeKind::AttestationNotChecked(_)))
        .collect();
    let in_part = &verdict.in_part;
    html! {
        @if !notices.is_empty() {
            h3 { "Notices" }
            ul {
                @for notice in notices.iter().take(ROWS) {
                    li { (name(notice.path.as_bytes())) ": " (sentence(notice.kind.detail())) }
                }
            }
            (left_out(notices.len(), ROWS, ""))
        }
        @if !in_part.is_empty() {
            h3 { "Members that were examined only in part" }
            ul { @for (path, why) in in_part.iter().take(ROWS) { li { (sentence(&examined_in_part(path, why))) } } }
            (left_out(in_part.len(), ROWS, ""))
        }
    }
}

fn sealed(report: &ReportedPack) -> Markup {
    let before = match report.age_files.len() as u64 {
        0 => None,
        1 => Some("1 file was sealed before, and is in the pack as the age file that it was.".to_owned()),
        n => Some(format!(
            "{n} files were sealed before, and are in the pack as the age files that they were."
        )),
    };
    let artifacts = report.verified.verdict.sealed.as_ref();
    let artifacts = artifacts.filter(|sealed| !sealed.artifacts.is_empty());
    html! {
        @match (artifacts, &before) {
            (Some(artifacts), _) => { (sealed_here(artifacts)) },
            (None, Some(_)) => {},
            (None, None) => { p { "No file is sealed." } },
        }
        @if let Some(before) = before { p { (before) } }
    }
}

/// Returns what was sealed when the pack was made.
fn sealed_here(sealed: &SealedArtifacts) -> Markup {
    let recipients = sealed.artifacts.iter().map(recipients);
    let (least, most) = (recipients.clone().min().unwrap_or(0), recipients.max().unwrap_or(0));
    let files = count(sealed.artifacts.len() as u64, "file");
    let (are, each) = if sealed.artifacts.len() == 1 {
        ("is", "")
    } else {
        ("are", " each")
    };
    html! {
        p {
            (files) " " (are) " sealed, for "
            @if least == most { (count(most, "recipient")) } @else { (least) " to " (most) " recipients" }
            (each) ". Only a key of a recipient opens them. "
            @match sealed.index {
                Some(_) => "Their names are sealed too.",
                None => "Their names, classes and sizes are public.",
            }
            @if sealed.mode == Mode::Internal {
                " This is an internal pack: it holds files in the clear that only insiders may read."
            }
        }
        (table(
            "seals",
            "Each sealed file",
            [
                Column::Text("File"), Column::Text("Class"), Column::Text("Sealed by"), Column::Number("Size"),
                Column::Number("Recipients"),
            ],
            sealed.artifacts.iter().take(ROWS).map(|artifact| [
                name(artifact.path.as_ref().unwrap_or(&artifact.seal.sealed_path).as_bytes()),
                name(artifact.class.as_bytes()),
                html! { @if let Some(rule) = &artifact.rule { (name(rule.as_bytes())) } @else { "sealed too" } },
                html! { (size(artifact.seal.plain_bytes)) @if artifact.seal.padded { ", padded" } },
                html! { (recipients_of(artifact)) },
            ]),
        ))
        (left_out(sealed.artifacts.len(), ROWS, "SEALED_ARTIFACTS.json in the pack lists all."))
    }
}

/// Returns for how many recipients an artifact is sealed.
fn recipients(artifact: &SealedArtifact) -> u64 {
    let real = artifact.seal.stanzas.iter().filter(|kind| !is_grease(kind));
    real.count() as u64
}

/// Returns the types of the recipients, each with its number.
fn recipients_of(artifact: &SealedArtifact) -> String {
    let mut kinds: BTreeMap<&str, usize> = BTreeMap::new();
    for kind in artifact.seal.stanzas.iter().filter(|kind| !is_grease(kind)) {
        *kinds.entry(kind).or_default() += 1;
    }
    let kinds = kinds.iter().map(|(kind, number)| format!("{number} {kind}"));
    text(kinds.collect::<Vec<_>>().join(", ").as_bytes())
}

fn changes(difference: &DiffReport) -> Markup {
    let members = &difference.difference;
    let [older, newer] = &difference.pack_ids;
    let outcome = match members.is_empty() {
        true => "Both packs have the same members.",
        false => "The packs differ.",
    };
    let one = |what: &'static str| move |path: &String| [name(path.as_bytes()), html! { (what) }, html! {}];
    let changed = members.changed.iter().map(|changed| {
        let shift = difference.shifts.iter().find(|shift| shift.path == changed.path);
        let what = html! {
            @match shift {
                Some(shift) => { (name(shift.tool.as_bytes())) ": " (name(shift.before.as_bytes())) " → " (name(shift.after.as_bytes())) },
                None => { "other content" },
            }
        };
        [name(changed.path.as_bytes()), html! { "changed" }, what]
    });
    let rows = members.added.iter().map(one("added"));
    let rows = rows.chain(members.removed.iter().map(one("removed"))).chain(changed);
    let all = members.added.len() + members.removed.len() + members.changed.len();
    html! {
        (facts(vec![("Older pack", copied(older)), ("This pack", copied(newer))]))
        p {
            (outcome) " " (members.added.len()) " added, " (members.removed.len()) " removed, " (members.changed.len()) " changed, "
            (members.unchanged) " unchanged. The manifests were compared; the older pack was not verified."
        }
        @if all > 0 {
            (table(
                "change-rows",
                "Members that differ",
                [Column::Text("Member"), Column::Text("Change"), Column::Text("What")],
                rows.take(ROWS),
            ))
            (left_out(all, ROWS, "git pack diff prints all."))
        }
    }
}

/// Returns what a member is, by its place or, if it has the name of an age file, by its content.
fn content(report: &ReportedPack, member: &InspectedMember) -> Content {
    match member.sealed || report.age_files.contains(&member.path) {
        true => Content::Sealed,
        false if member.path == MEMBER || DOCUMENTS.contains(&member.path.as_str()) => Content::About,
        false => Content::Clear,
    }
}

fn sizes_of(report: &ReportedPack) -> Markup {
    let declared = &report.declared;
    let missing = declared.members.iter().filter(|member| member.size.is_none()).count();
    let files = declared.members.iter().map(|member| Sized {
        path: member.path.as_bytes(),
        bytes: member.size.unwrap_or(0),
        content: content(report, member),
    });
    html! {
        @if missing > 0 {
            p.note {
                "The size of " (count(missing as u64, "member")) " is not known"
                @if declared.sizes_are_known { ": such a member is missing, or is not a file" }
                ". It counts as 0."
            }
        }
        (sizes::section(files.collect(), "pack"))
    }
}

fn members_of(report: &ReportedPack) -> Markup {
    let declared = &report.declared;
    let total = declared
        .members
        .iter()
        .filter_map(|member| member.size)
        .fold(0, u64::saturating_add);
    let mut listed: Vec<&InspectedMember> = declared.members.iter().collect();
    let all = listed.len();
    if all > MEMBERS {
        listed.sort_by(|a, b| b.size.cmp(&a.size).then_with(|| a.path.cmp(&b.path)));
        listed.truncate(MEMBERS);
    }
    let caption = match all > MEMBERS {
        true => format!("The {MEMBERS} largest of {all} members, each with the hash in the manifest"),
        false => "All members, each with the hash in the manifest".to_owned(),
    };
    html! {
        (types(declared, total))
        (table(
            "member-rows",
            &caption,
            [Column::Text("Member"), Column::Text("Type"), Column::Text("Content"), Column::Number("Size"), Column::Number("Share")],
            listed.into_iter().map(|member| [
                html! { (name(member.path.as_bytes())) " " span.hash { (name(member.bytes_hash.as_bytes())) } },
                html! { (word(&kind_of(member))) },
                html! { (content(report, member).words()) },
                html! { @if let Some(bytes) = member.size { (size(bytes)) } @else { "not known" } },
                html! { (share(member.size.unwrap_or(0), total)) },
            ]),
        ))
        @if all > MEMBERS {
            p.note { "git pack inspect PACK lists all members." }
        }
    }
}

fn kind_of(member: &InspectedMember) -> String {
    match &member.artifact_version {
        Some(version) => format!("{} ({version})", member.kind),
        None => member.kind.clone(),
    }
}

/// Returns the table of the types of members.
fn types(declared: &InspectReport, total: u64) -> Markup {
    let mut types: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for member in &declared.members {
        let (number, bytes) = types.entry(&member.kind).or_default();
        *number += 1;
        *bytes = bytes.saturating_add(member.size.unwrap_or(0));
    }
    let mut rows: Vec<(&str, (u64, u64))> = types.into_iter().collect();
    rows.sort_by_key(|(kind, (_, bytes))| (Reverse(*bytes), *kind));
    let all = rows.len();
    html! {
        (table(
            "types",
            "Members by type",
            [Column::Text("Type"), Column::Number("Members"), Column::Number("Size"), Column::Number("Share")],
            rows.into_iter().take(TYPES).map(|(kind, (number, bytes))| [
                name(kind.as_bytes()),
                html! { (number) },
                html! { (size(bytes)) },
                html! { (share(bytes, total)) },
            ]),
        ))
        (left_out(all, TYPES, ""))
    }
}
