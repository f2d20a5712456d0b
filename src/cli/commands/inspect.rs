//! `git pack inspect`: shows what is in a pack.

use std::path::PathBuf;

use clap::Parser;
use serde_json::json;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::attached_name;
use crate::cli::output::table::columns;
use crate::cli::output::words::{count, size};
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::ops::Context;
use crate::ops::pack::inspect::{InspectReport, inspect};
use crate::refusal::shown::{harmless, shown};

/// Show what is in a pack
#[derive(Parser)]
#[command(name = "inspect")]
pub(super) struct Inspect {
    /// The directory of the pack, its archive, or its address at a place
    pack: PathBuf,
    /// Print one JSON document (pack.inspect.v0)
    #[arg(long)]
    json: bool,
}

impl Run for Inspect {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "SHOWN",
            no: None,
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let report = inspect(ctx, &self.pack)?;
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, &report),
        }
        Ok(Exit::Yes)
    }
}

fn human(output: &mut Output, report: &InspectReport) {
    let mut facts = vec![
        ("pack_id", shown(report.pack_id.as_bytes())),
        ("created", shown(report.created.as_bytes())),
    ];
    if let Some(note) = &report.note {
        facts.push(("note", shown(note.as_bytes())));
    }
    facts.push(("made by", format!("git-pack {}", shown(report.tool_version.as_bytes()))));
    if let Some(info) = &report.info {
        let commit = shown(info.commit.get(..12).unwrap_or(&info.commit).as_bytes());
        let title = shown(info.title.as_bytes());
        facts.push((
            "commit",
            match info.title == info.scope {
                true => format!("{commit}, scope {title}"),
                false => format!("{commit}, scope {} ({title})", shown(info.scope.as_bytes())),
            },
        ));
    }
    if let Some(state) = &report.state {
        facts.push(("state", state.to_string()));
    }
    for (label, fact) in facts {
        output.line(&format!("{label:<9}  {fact}"));
    }
    for signature in &report.signatures {
        let key = signature.key_type.as_deref().unwrap_or("not a signature");
        let (key, name) = (shown(key.as_bytes()), shown(signature.name.as_bytes()));
        output.line(&format!("{:<9}  {key}, not checked here ({name})", "signature"));
    }
    let total: u64 = report.members.iter().filter_map(|member| member.size).sum();
    output.line(&format!("{:<9}  {}, {}", "members", report.members.len(), size(total)));
    let rows: Vec<[String; 4]> = report
        .members
        .iter()
        .map(|member| {
            let unknown = if report.sizes_are_known {
                "missing"
            } else {
                "size unknown"
            };
            let bytes = member.size.map_or_else(|| unknown.to_owned(), size);
            let share = match (member.size, total) {
                (Some(bytes), 1..) => format!("{:.1} %", bytes as f64 * 100.0 / total as f64),
                _ => String::new(),
            };
            let kind = match (member.sealed, &member.artifact_version) {
                (true, _) => "sealed".to_owned(),
                (false, Some(version)) => shown(format!("{} ({version})", member.kind).as_bytes()),
                (false, None) => shown(member.kind.as_bytes()),
            };
            [shown(member.path.as_bytes()), kind, bytes, share]
        })
        .collect();
    columns(output, &rows, "  ");
    attestations(output, report);
    output.err("  this is what the pack says of itself; git pack verify checks its content\n");
}

/// Prints what stands beside the pack. Whoever can write there can also write it, so nothing of it is proven.
fn attestations(output: &mut Output, report: &InspectReport) {
    if report.attestations.is_empty() {
        return;
    }
    output.line(&format!(
        "{:<9}  {}, not checked",
        "attested",
        report.attestations.len()
    ));
    let rows: Vec<[String; 4]> = report
        .attestations
        .iter()
        .map(|each| {
            let name = attached_name(&each.name);
            match &each.content {
                Ok(content) => [
                    name,
                    harmless(&content.statement.predicate_type),
                    count(content.statement.subjects.len() as u64, "subject"),
                    keys(&content.key_ids),
                ],
                Err(why) => [name, harmless(why), String::new(), String::new()],
            }
        })
        .collect();
    columns(output, &rows, "  ");
}

/// Returns the beginning of each key id.
fn keys(ids: &[String]) -> String {
    let short = |id: &String| match id.char_indices().nth(16) {
        Some((end, _)) => format!("{}…", harmless(&id[..end])),
        None => harmless(id),
    };
    let ids: Vec<String> = ids.iter().map(short).collect();
    match ids.is_empty() {
        true => "no key id".to_owned(),
        false => format!("key {}", ids.join(", ")),
    }
}

/// Returns the `pack.inspect.v0` document.
fn document(report: &InspectReport) -> Vec<u8> {
    let members = report.members.iter().map(|member| {
        let mut value = json!({
            "path": member.path,
            "type": member.kind,
            "bytes_hash": member.bytes_hash,
            "bytes": member.size,
            "sealed": member.sealed,
        });
        if let Some(version) = &member.artifact_version {
            value["artifact_version"] = json!(version);
        }
        value
    });
    let mut document = json!({
        "version": "pack.inspect.v0",
        "pack_id": report.pack_id,
        "created": report.created,
        "tool_version": report.tool_version,
        "members": members.collect::<Vec<_>>(),
    });
    if let Some(note) = &report.note {
        document["note"] = json!(note);
    }
    if let Some(info) = &report.info {
        document["pack_info"] = json!(info);
    }
    if let Some(state) = &report.state {
        document["state"] = json!(state);
    }
    if !report.signatures.is_empty() {
        let signatures = report.signatures.iter();
        document["signatures"] = signatures
            .map(|signature| json!({ "name": signature.name, "key_type": signature.key_type }))
            .collect();
    }
    if !report.attestations.is_empty() {
        let attestations = report.attestations.iter().map(|each| match &each.content {
            Ok(content) => json!({
                "name": each.name,
                "predicate_type": content.statement.predicate_type,
                "subjects": content.statement.subjects.len(),
                "key_ids": content.key_ids,
            }),
            Err(why) => json!({ "name": each.name, "fault": why }),
        });
        document["attestations"] = attestations.collect();
    }
    to_document(&document)
}
