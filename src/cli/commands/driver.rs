//! `git pack driver diff` and `merge`: what git calls to compare and to merge sealed twins.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use clap::{Parser, Subcommand};

use super::Run;
use super::operator::Operator;
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::short_key;
use crate::cli::output::words::{argument, count};
use crate::cli::style::{Envelope, Style};
use crate::ops::Context;
use crate::ops::guard::twins::agreed::OtherNames;
use crate::ops::guard::twins::driver_diff::{Compared, DiffRequest, NotShown, compared};
use crate::ops::guard::twins::driver_merge::{MergeOutcome, MergeRequest, WhyLeft, merge_files};
use crate::ops::guard::twins::opened::WhySealed;
use crate::refusal::Refusal;
use crate::refusal::shown::visible;
use crate::rules::twins::MergeSide;

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
        /// git's label of our side
        our_label: Option<OsString>,
        /// git's label of their side
        their_label: Option<OsString>,
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
                our_label,
                their_label,
            } => {
                let label = |label: Option<OsString>| label.map(|label| label.to_string_lossy().into_owned());
                let request = MergeRequest {
                    base,
                    ours,
                    theirs,
                    marker,
                    path,
                    labels: [label(our_label), label(their_label)],
                    placeholder: PLACEHOLDER,
                };
                match merge_files(ctx, &request)? {
                    MergeOutcome::Merged => return Ok(Exit::Yes),
                    MergeOutcome::Sealed { recipients, compared } => {
                        sealed(output, &request.path, &recipients, compared);
                        return Ok(Exit::Yes);
                    }
                    MergeOutcome::Marked => {}
                    MergeOutcome::Left(why) => left(output, &request.path, &why),
                }
                Ok(Exit::No)
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

/// Prints for whom a merged twin is sealed.
fn sealed(output: &mut Output, sealed: &str, recipients: &[String], compared: bool) {
    let names: Vec<String> = recipients.iter().map(|recipient| short_key(recipient)).collect();
    let doubt = match compared {
        true => "",
        false => "; git does not say whether both sides name the same recipients",
    };
    output.err(&format!(
        "git-pack: {} is merged, and sealed for {}: {}{doubt}\n",
        visible(sealed.as_bytes()),
        count(names.len() as u64, "recipient"),
        names.join(", ")
    ));
}

/// Returns how the recipients of a side differ from those in the work tree.
fn other_names(names: &OtherNames) -> String {
    let side = match names.side {
        MergeSide::Ours => "our side",
        MergeSide::Theirs => "their side",
    };
    let list = |verb: &str, names: &[String]| {
        let names: Vec<String> = names.iter().map(|name| short_key(name)).collect();
        (!names.is_empty()).then(|| format!("{verb} {}", names.join(", ")))
    };
    let changes = [list("it adds", &names.only_there), list("it lacks", &names.only_here)];
    let changes: Vec<String> = changes.into_iter().flatten().collect();
    format!(
        "{side} names other recipients than the .gitpack.toml on disk: {}",
        changes.join(", ")
    )
}

/// Prints why a twin is left unmerged, and what to do.
fn left(output: &mut Output, sealed: &str, why: &WhyLeft) {
    let others;
    let reason = match why {
        WhyLeft::OtherNames(names) => {
            others = other_names(names);
            &others
        }
        WhyLeft::Overlap => "both sides changed the same lines",
        WhyLeft::NotText => "its sides are not texts that can be merged",
        WhyLeft::OtherRecipients => "its sides are sealed for different recipients",
        WhyLeft::NoRecipients => ".gitpack.toml names no recipients",
        WhyLeft::SealedInPart => "only some of its versions are sealed",
        WhyLeft::Sealed(why) => why_sealed(*why),
    };
    let plain = sealed.strip_suffix(".age").unwrap_or(sealed);
    let word = argument(plain.as_bytes());
    let merge = format!("git pack reveal --merge {word}");
    let one = format!("git pack reveal --ours {word}, or --theirs");
    let next = match why {
        WhyLeft::NotText | WhyLeft::SealedInPart | WhyLeft::Sealed(WhySealed::LineEnds | WhySealed::Damaged) => one,
        WhyLeft::Sealed(WhySealed::NoIdentity) => format!("{merge} -i FILE, with an identity that opens it"),
        WhyLeft::OtherNames(_) => {
            format!(
                "git pack recipients list shows for whom the next steps seal; edit .gitpack.toml if these are wrong\n  {merge}"
            )
        }
        _ => merge,
    };
    output.err(&format!(
        "git-pack: {} is not merged: {reason}\n  {next}\n  then git pack protect --resolved {word}\n",
        visible(sealed.as_bytes())
    ));
}
