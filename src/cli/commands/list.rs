//! `git pack list`: shows the packs in a directory or at a place.

use std::path::{Path, PathBuf};

use clap::Parser;
use serde_json::json;

use super::Run;
use super::flags::ReachFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::refusal::{body, one_line};
use crate::cli::output::table::columns;
use crate::cli::output::words::{count, size};
use crate::cli::style::{Envelope, Style};
use crate::format::canonical_json::to_document;
use crate::format::destination::PlaceAddress;
use crate::ops::Context;
use crate::ops::pack::inspect::InspectReport;
use crate::ops::pack::list::{HeldBy, ListReport, ListedPack, list};
use crate::ops::share::list::list_place;
use crate::refusal::shown::{harmless, shown, shown_path};

/// List the packs in a directory, or at a place such as a registry
///
/// Shows what each pack declares: its path, time, commit, id and size; at a place, its id, time, commit, state digest and size. To check a
/// pack, use git pack verify.
#[derive(Parser)]
#[command(name = "list")]
pub(super) struct List {
    /// The directory or place that holds the packs, by default _PACK_RUN at the top of the work tree
    #[arg(value_name = "DIRECTORY|DESTINATION")]
    holder: Option<PathBuf>,
    #[command(flatten)]
    reach: ReachFlags,
    /// Print one JSON document (pack.list.v0)
    #[arg(long)]
    json: bool,
}

impl Run for List {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "LISTED",
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
        let text = self.holder.as_deref().and_then(Path::to_str);
        let report = match text.filter(|text| PlaceAddress::is_address(text)) {
            Some(address) => list_place(ctx, address, &self.reach.request())?,
            None => list(ctx, self.holder.as_deref())?,
        };
        match self.json {
            true => output.out(&document(&report)),
            false => human(output, ctx, &report),
        }
        for refused in report.packs.iter().filter_map(|pack| pack.declared.as_ref().err()) {
            output.err(&format!("git-pack: {}\n", harmless(&one_line(refused))));
        }
        Ok(match report.packs.iter().any(|pack| pack.declared.is_err()) {
            true => Exit::Refused,
            false => Exit::Yes,
        })
    }
}

fn human(output: &mut Output, ctx: &Context, report: &ListReport) {
    let rows: Vec<_> = report
        .packs
        .iter()
        .filter_map(|pack| row(ctx, &report.held_by, pack))
        .collect();
    columns(output, &rows, "");
    if report.packs.is_empty() {
        let holder = match &report.held_by {
            HeldBy::Directory(directory) => shown_path(directory),
            HeldBy::Place(address) => shown(address.as_bytes()),
        };
        output.err(&format!("  {holder} holds no packs\n"));
    }
}

/// Returns the cells of a pack's row, of which the first is what other commands take. `None` if the pack cannot be read.
fn row(ctx: &Context, held_by: &HeldBy, pack: &ListedPack) -> Option<[String; 6]> {
    let declared = pack.declared.as_ref().ok()?;
    let short = |text: &str, length| shown(text.get(..length).unwrap_or(text).as_bytes());
    let commit = declared.info.as_ref().map(|info| short(&info.commit, 12));
    let (name, id) = match held_by {
        HeldBy::Directory(directory) => (
            path_from(&ctx.cwd, &directory.join(&pack.name)),
            Some(declared.pack_id.clone()),
        ),
        // A pack there is named by its id.
        HeldBy::Place(_) => (
            shown(pack.name.as_encoded_bytes()),
            declared.state.as_ref().map(ToString::to_string),
        ),
    };
    let id = id.map(|id| short(&id, 19));
    Some([
        name,
        shown(declared.created.as_bytes()),
        commit.unwrap_or_else(|| "-".to_owned()),
        id.unwrap_or_else(|| "-".to_owned()),
        match sizes(declared) {
            (bytes, 0) => size(bytes),
            (bytes, missing) => format!(
                "{}, {missing} of {} members missing",
                size(bytes),
                declared.members.len()
            ),
        },
        attached(pack),
    ])
}

/// Returns how many signatures and attestations a pack has.
fn attached(pack: &ListedPack) -> String {
    let counts = pack.attached.unwrap_or_default();
    let words = [(counts.signatures, "signature"), (counts.attestations, "attestation")];
    let words = words.into_iter().filter(|(number, _)| *number > 0);
    words
        .map(|(number, what)| count(number, what))
        .collect::<Vec<_>>()
        .join(", ")
}

/// Returns the total size of the members in bytes, and the number of members that are missing.
fn sizes(declared: &InspectReport) -> (u64, usize) {
    let sizes = declared.members.iter().map(|member| member.size);
    let missing = sizes.clone().filter(Option::is_none).count();
    (sizes.flatten().sum(), missing)
}

/// Returns the `pack.list.v0` document.
fn document(report: &ListReport) -> Vec<u8> {
    let packs = report.packs.iter().map(|pack| {
        let name = shown(pack.name.as_encoded_bytes());
        let declared = match &pack.declared {
            Ok(declared) => declared,
            Err(refused) => return json!({"name": name, "refusal": body(refused)}),
        };
        let (bytes, missing) = sizes(declared);
        let info = declared.info.as_ref();
        json!({
            "name": name,
            "pack_id": declared.pack_id,
            "created": declared.created,
            "members": declared.members.len(),
            "missing": missing,
            "bytes": bytes,
            "commit": info.map(|info| &info.commit),
            "scope": info.map(|info| &info.scope),
            "state": declared.state,
            "signatures": pack.attached.map(|counts| counts.signatures),
            "attestations": pack.attached.map(|counts| counts.attestations),
        })
    });
    let packs: Vec<_> = packs.collect();
    let place = match &report.held_by {
        HeldBy::Directory(_) => None,
        HeldBy::Place(address) => Some(shown(address.as_bytes())),
    };
    to_document(&json!({"version": "pack.list.v0", "place": place, "packs": packs}))
}
