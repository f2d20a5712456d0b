//! `git pack reveal`: opens sealed twins, `FILE.age`, as `FILE`.

use std::path::PathBuf;

use clap::Parser;

use super::Run;
use super::flags::IdentityFlags;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::commands::protect::{not_ignored, twin_name};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::words::{TYPE, argument, count, paint, unchanged};
use crate::ops::Context;
use crate::ops::guard::twins::PairReport;
use crate::ops::guard::twins::both_sides::{BothSides, BothSidesRequest, reveal_both};
use crate::ops::guard::twins::ignoring::Ignoring;
use crate::ops::guard::twins::reveal::{RevealRequest, reveal};
use crate::ops::guard::twins::sides::{SideRequest, reveal_side};
use crate::refusal::shown::visible;
use crate::rules::twins::{MergeSide, Standing};

/// Open each sealed twin FILE.age as FILE
#[derive(Parser)]
#[command(name = "reveal")]
pub(super) struct Reveal {
    /// Files, or their sealed twins [default: all tracked twins; with --merge, --ours and --theirs the only unmerged one]
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Merge both sides of a merge conflict, as git checkout --merge does
    #[arg(long, conflicts_with_all = ["ours", "theirs"])]
    merge: bool,
    /// Open our side of a merge conflict, as git checkout --ours does
    #[arg(long, conflicts_with = "theirs")]
    ours: bool,
    /// Open their side of a merge conflict, as git checkout --theirs does
    #[arg(long)]
    theirs: bool,
    /// Overwrite plaintext whose content differs
    #[arg(long)]
    force: bool,
    /// Only open the twins, keep nothing, and print what would be done
    #[arg(long, short = 'n', conflicts_with_all = ["merge", "ours", "theirs"])]
    dry_run: bool,
    #[command(flatten)]
    keys: IdentityFlags,
}

impl Run for Reveal {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Status,
            yes: "DONE",
            no: None,
        })
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        let ctx = &self.keys.passphrase.answering(ctx)?;
        if self.merge {
            let request = BothSidesRequest {
                files: self.files,
                force: self.force,
                identities: self.keys.identities,
            };
            let (merged, ignoring) = reveal_both(ctx, &request)?;
            both_sides(output, &merged);
            ignored(output, &ignoring);
            return Ok(Exit::Yes);
        }
        let side = match (self.ours, self.theirs) {
            (true, _) => Some(MergeSide::Ours),
            (_, true) => Some(MergeSide::Theirs),
            _ => None,
        };
        if let Some(side) = side {
            let request = SideRequest {
                files: self.files,
                side,
                force: self.force,
                identities: self.keys.identities,
            };
            let report = reveal_side(ctx, &request)?;
            one_side(output, side, &report.files);
            ignored(output, &report.ignoring);
            return Ok(Exit::Yes);
        }
        let request = RevealRequest {
            files: self.files,
            force: self.force,
            identities: self.keys.identities,
            dry_run: self.dry_run,
        };
        let report = reveal(ctx, &request)?;
        if self.dry_run {
            planned(output, &report.files);
            return Ok(Exit::Yes);
        }
        human(output, &report.files);
        ignored(output, &report.ignoring);
        for path in &report.left {
            let name = visible(path.as_bytes());
            output.err(&format!(
                "  {name} is still on disk, and {} does not stand beside it any more   {}\n",
                twin_name(path),
                paint(TYPE, &format!("rm {}", argument(path.as_bytes())))
            ));
        }
        Ok(Exit::Yes)
    }
}

fn one_side(output: &mut Output, side: MergeSide, pairs: &[PairReport]) {
    let side = match side {
        MergeSide::Ours => "ours",
        MergeSide::Theirs => "theirs",
    };
    for pair in pairs {
        let (path, twin) = (visible(pair.path.as_bytes()), twin_name(&pair.path));
        output.line(&format!("{:<10} {path} from {twin}, {side}", "revealed"));
        let settle = format!("git pack protect --resolved {}", argument(pair.path.as_bytes()));
        output.err(&format!(
            "  {twin} is still unmerged; when {path} is right   {}\n",
            paint(TYPE, &settle)
        ));
    }
}

fn both_sides(output: &mut Output, merged: &[BothSides]) {
    for BothSides { path, conflicts } in merged {
        let (plain, twin) = (visible(path.as_bytes()), twin_name(path));
        output.line(&format!("{:<10} {plain} from both sides of {twin}", "merged"));
        let settle = format!("git pack protect --resolved {}", argument(path.as_bytes()));
        let settle = paint(TYPE, &settle);
        match conflicts {
            0 => output.err(&format!(
                "  {twin} is still unmerged; when {plain} is right   {settle}\n"
            )),
            n => output.err(&format!(
                "  {plain} has {}, between <<<<<<< and >>>>>>>; edit it, then   {settle}\n",
                count(u64::from(*n), "conflict")
            )),
        }
    }
}

/// Prints what became of plaintexts that git did not ignore.
fn ignored(output: &mut Output, ignoring: &Ignoring) {
    for path in &ignoring.added {
        output.err(&format!(
            "  {} was not ignored; .gitignore has a line for it now   {}\n",
            visible(path.as_bytes()),
            paint(TYPE, "git add .gitignore")
        ));
    }
    not_ignored(output, &ignoring.not_ignored);
}

/// Prints what would be revealed.
fn planned(output: &mut Output, pairs: &[PairReport]) {
    for pair in pairs {
        let path = visible(pair.path.as_bytes());
        let what = match pair.standing {
            Standing::UpToDate => "is up to date with",
            _ => "would be revealed from",
        };
        output.line(&format!("{path} {what} {}", twin_name(&pair.path)));
    }
    unchanged(output);
}

fn human(output: &mut Output, pairs: &[PairReport]) {
    for pair in pairs {
        let path = visible(pair.path.as_bytes());
        match pair.standing {
            Standing::UpToDate => output.line(&format!("{:<10} {path}", "up to date")),
            _ => output.line(&format!("{:<10} {path} from {}", "revealed", twin_name(&pair.path))),
        }
    }
    if pairs.is_empty() {
        output.err("  no sealed twin is tracked here\n");
    }
}
