//! `git pack driver diff` and `merge`: what git calls to compare and to merge sealed twins.

use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::Run;
use super::operator::Operator;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::words::{argument, count};
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::guard::twins::driver_diff::{Compared, DiffRequest, NotShown, compared};
use crate::ops::guard::twins::driver_merge::{MergeOutcome, MergeRequest, WhyLeft, merge_files};
use crate::ops::guard::twins::opened::WhySealed;
use crate::refusal::Refusal;
use crate::refusal::shown::visible;

/// Digits of a digest that tell one content from another on the screen.
const DIGITS: usize = 12;

/// Compare or merge sealed twins; git calls this
#[derive(Parser)]
#[command(name = "driver", hide = true)]
pub(super) struct Driver {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Print what git compares instead of a file
    Diff {
        /// The process of git that compares
        #[arg(long, value_name = "PID")]
        git: Option<u32>,
        file: PathBuf,
    },
    /// Merge three files into the second one
    Merge {
        base: PathBuf,
        ours: PathBuf,
        theirs: PathBuf,
        /// The length of conflict markers
        marker: u32,
        /// The path in the repository
        path: String,
    },
}

impl Run for Driver {
    /// git calls it, not people.
    fn operator() -> Option<Operator> {
        None
    }

    fn envelope() -> Envelope {
        Envelope::Never
    }

    fn style(&self) -> Style {
        Style::Hook
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        match self.what {
            What::Diff { git, file } => {
                print(output, compared(ctx, &DiffRequest { file, git })?)?;
                Ok(Exit::Yes)
            }
            What::Merge {
                base,
                ours,
                theirs,
                marker,
                path,
            } => {
                let request = MergeRequest {
                    base,
                    ours,
                    theirs,
                    marker,
                    path,
                    placeholder: PLACEHOLDER,
                };
                let outcome = merge_files(ctx, &request)?;
                if let MergeOutcome::Left(why) = outcome {
                    left(output, &request.path, why);
                }
                Ok(Exit::yes_if(outcome == MergeOutcome::Merged))
            }
        }
    }
}

/// What stands in the place of a twin until its conflict is settled. `hooks/merge-driver` has the same.
const PLACEHOLDER: &str = "This sealed file is not merged, and this text stands in its place.\n\
    The index of git has both sides: git pack reveal --merge FILE, or --ours, or --theirs,\n\
    then git pack protect --resolved FILE\n";

fn print(output: &mut Output, compared: Compared) -> Result<(), Refusal> {
    let writing = Refusal::io("writing", Path::new("standard output"));
    let line = match compared {
        Compared::File(mut opened) => {
            return io::copy(&mut opened.file, output.unrecorded())
                .map(drop)
                .map_err(writing);
        }
        Compared::Text(text) => return output.unrecorded().write_all(&text).map_err(writing),
        Compared::NotText { is_binary, bytes, mark } => {
            let kind = if is_binary { "binary" } else { "too long to be shown" };
            let mark = mark
                .get(..DIGITS)
                .map_or(String::new(), |mark| format!(", content {mark}"));
            format!("sealed, {kind}, {}{mark}", count(bytes, "byte"))
        }
        Compared::Sealed { sealed, why } => format!("sealed, sha256:{}: {}", &sealed.hex()[..DIGITS], not_shown(why)),
    };
    writeln!(output.unrecorded(), "{line}").map_err(writing)
}

fn not_shown(why: NotShown) -> &'static str {
    match why {
        NotShown::Sealed(why) => why_sealed(why),
        NotShown::Cached => "not shown, because diff.gitpack.cachetextconv would keep the plaintext in .git",
        NotShown::IntoGit => "not shown, because git writes this into a file in .git",
        NotShown::PerhapsIntoGit => "not shown, because git may write this into a file in .git",
    }
}

fn why_sealed(why: WhySealed) -> &'static str {
    match why {
        WhySealed::NoIdentity => "no identity here opens it",
        WhySealed::LockedIdentity => "the identity needs a passphrase or a plugin",
        WhySealed::LineEnds => "its line ends were converted",
        WhySealed::Damaged => "it is damaged",
    }
}

/// Prints why a twin is left unmerged, and what to do.
fn left(output: &mut Output, sealed: &str, why: WhyLeft) {
    let reason = match why {
        WhyLeft::Overlap => "both sides changed the same lines",
        WhyLeft::NotText => "its sides are not texts that can be merged",
        WhyLeft::OtherRecipients => "its sides are sealed for different recipients",
        WhyLeft::NoRecipients => ".gitpack.toml names no recipients",
        WhyLeft::SealedInPart => "only some of its versions are sealed",
        WhyLeft::Sealed(why) => why_sealed(why),
    };
    let plain = sealed.strip_suffix(".age").unwrap_or(sealed);
    let word = argument(plain.as_bytes());
    let merge = format!("git pack reveal --merge {word}");
    let one = format!("git pack reveal --ours {word}, or --theirs");
    let next = match why {
        WhyLeft::NotText | WhyLeft::SealedInPart | WhyLeft::Sealed(WhySealed::LineEnds | WhySealed::Damaged) => one,
        WhyLeft::Sealed(WhySealed::NoIdentity) => format!("{merge} -i FILE, with an identity that opens it"),
        _ => merge,
    };
    output.err(&format!(
        "git-pack: {} is not merged: {reason}\n  {next}\n  then git pack protect --resolved {word}\n",
        visible(sealed.as_bytes())
    ));
}
