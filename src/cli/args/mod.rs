//! The command tree.

mod store;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::cli::Style;
use crate::format::repo_state::Mode;
use crate::ops::guard::scan::surfaces::Surface;
pub(in crate::cli) use store::{Audit, Gc, Restore};

/// Publish a repository, or a pack of it, without giving away what it must not.
#[derive(Parser)]
#[command(
    name = "git-pack",
    display_name = "pack",
    bin_name = "git pack",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    disable_help_subcommand = true,
    after_help = "Exit status: 0 yes (created, OK, clean, same), 1 a sound no (INVALID, a leak, another state), 2 refused (it could not be judged or done)."
)]
pub(in crate::cli) struct Arguments {
    /// Keep no record in the witness ledger
    #[arg(long, global = true)]
    pub(in crate::cli) no_witness: bool,
    /// Print what this tool can do, as JSON (operator.v0)
    #[arg(long, global = true)]
    describe: bool,
    /// Print the JSON Schema of pack.v0 and of every report
    #[arg(long, global = true)]
    schema: bool,
    #[command(subcommand)]
    pub(in crate::cli) command: Command,
}

#[derive(Subcommand)]
pub(in crate::cli) enum Command {
    /// Set up this repository: configuration, ignored outputs, identity, hooks
    Init(Init),
    /// Look for leaks: in what is staged, the work tree, a commit, a range, everything
    Scan(Scan),
    /// Show what is protected here, who can open it, and which hooks guard it
    Status(Status),
    /// Seal tracked files beside themselves, and track the sealed twin instead
    Protect(Protect),
    /// Open sealed twins beside themselves
    Reveal(Reveal),
    /// Print the digest of a commit's tree
    State(State),
    /// Seal artifacts into an evidence pack or, with none, a commit into a tree pack
    Seal(Seal),
    /// Verify a pack: integrity, closed set, seals, leaks
    Verify(Verify),
    /// Open what is sealed in a pack
    Open(Open),
    /// Rebuild the files of a commit from a pack, or from a manifest in the content store
    Restore(Restore),
    /// Prove that everything that sealed trees need is kept, and is what it should be
    Audit(Audit),
    /// Remove what no sealed tree needs and nobody pinned from the content store
    Gc(Gc),
    /// Change who can open a sealed pack or file, without encrypting it anew
    Rekey(Rekey),
    /// Compare two packs
    Diff(Diff),
    /// Show what is in a pack
    Inspect(Inspect),
    /// Query the ledger of what was done
    Witness(Witness),
    /// List, add or remove those who can open what is sealed here
    Recipients(Recipients),
    /// Make a key that opens, or show those that there are
    Key(Key),
    /// Install the hooks that guard commit and push
    Install(Install),
    /// Remove them, and put back what was there before
    Uninstall,
    /// What the installed hooks call
    #[command(hide = true)]
    Hook(Hook),
}

#[derive(Args)]
pub(in crate::cli) struct Init {
    /// Only guard this bare repository against what is pushed to it (pre-receive)
    #[arg(long)]
    pub(in crate::cli) server: bool,
    /// Also judge every change of a ref (reference-transaction), so that --no-verify and plumbing do not slip by
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Chain hooks even if a hook manager owns them
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Status {
    /// Print the protected registry in force
    #[arg(long, conflicts_with = "doctor")]
    pub(in crate::cli) registry: bool,
    /// Prove each hook: give it a canary, as git would, and see whether it is blocked
    #[arg(long)]
    pub(in crate::cli) doctor: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Protect {
    /// The files
    #[arg(value_name = "FILE", required_unless_present = "check")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Say which pairs have drifted; exit with 1 if any has
    #[arg(long, conflicts_with_all = ["files", "force"])]
    pub(in crate::cli) check: bool,
    /// Seal over a twin that holds something else
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) keys: IdentityFlags,
}

/// The keys that open.
#[derive(Args)]
pub(in crate::cli) struct IdentityFlags {
    /// Open with this age identity file or SSH private key [default: GIT_PACK_IDENTITY, gitpack.identity, your own]
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(in crate::cli) identities: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) passphrase: PassphraseFlag,
}

/// What answers where a passphrase is asked for.
#[derive(Args)]
pub(in crate::cli) struct PassphraseFlag {
    /// Take the passphrase from the first line of this file [default: ask at the terminal]
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) passphrase_file: Option<PathBuf>,
}

#[derive(Args)]
pub(in crate::cli) struct Reveal {
    /// The files, or their sealed twins [default: every twin that is tracked]
    #[arg(value_name = "FILE")]
    pub(in crate::cli) files: Vec<PathBuf>,
    /// Write over a plaintext that holds something else
    #[arg(long)]
    pub(in crate::cli) force: bool,
    #[command(flatten)]
    pub(in crate::cli) keys: IdentityFlags,
}

#[derive(Args)]
pub(in crate::cli) struct Install {
    /// Also judge every change of a ref (reference-transaction), so that --no-verify and plumbing do not slip by
    #[arg(long)]
    pub(in crate::cli) strict: bool,
    /// Chain hooks even if a hook manager owns them
    #[arg(long)]
    pub(in crate::cli) force: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Scan {
    /// Look at what is staged [default]
    #[arg(long, group = "surface")]
    staged: bool,
    /// Look at the files on disk, tracked or not, but for those that git ignores
    #[arg(long, group = "surface")]
    worktree: bool,
    /// Look at the tree of a commit
    #[arg(long, group = "surface", value_name = "REV")]
    rev: Option<String>,
    /// Look at what every commit of a range introduces, also if a later one deletes it
    #[arg(long, group = "surface", value_name = "A..B")]
    range: Option<String>,
    /// Look at what every commit of every ref introduces
    #[arg(long, group = "surface")]
    all: bool,
    /// With --worktree: look at what git ignores too
    #[arg(long, requires = "worktree")]
    no_ignore: bool,
    /// In a shallow clone: what is here will do
    #[arg(long)]
    pub(in crate::cli) shallow: bool,
    /// Judge as for a push to this remote [default: what may be tracked here]
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) remote: Option<String>,
    /// Print one JSON document (pack.scan.v0), as --format json does
    #[arg(long, conflicts_with = "format")]
    json: bool,
    /// How to print the findings
    #[arg(long)]
    format: Option<ScanFormat>,
    /// Print nothing but the paths of the findings, each ended by NUL
    #[arg(short = 'z', conflicts_with_all = ["json", "format"])]
    nul: bool,
    /// Release what was found, blob by blob: add an [[allow]] entry to .gitpack.toml for each
    #[arg(long)]
    pub(in crate::cli) write_allow: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum ScanFormat {
    /// For people
    Human,
    /// One document, pack.scan.v0
    Json,
    /// One document, SARIF 2.1.0
    Sarif,
    /// Paths, each ended by NUL
    #[value(skip)]
    Paths,
}

impl Scan {
    /// Returns the surface that was asked for.
    pub(in crate::cli) fn surface(&self) -> Surface {
        match (&self.rev, &self.range) {
            (Some(rev), _) => Surface::Revision(rev.clone()),
            (_, Some(range)) => Surface::Range(range.clone()),
            _ if self.all => Surface::All,
            _ if self.worktree => Surface::WorkTree {
                no_ignore: self.no_ignore,
            },
            _ => Surface::Staged,
        }
    }

    /// Returns the format that was asked for.
    pub(in crate::cli) fn format(&self) -> ScanFormat {
        match self.format {
            Some(format) => format,
            None if self.json => ScanFormat::Json,
            None if self.nul => ScanFormat::Paths,
            None => ScanFormat::Human,
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct State {
    /// The commit [default: HEAD]
    pub(in crate::cli) rev: Option<String>,
    /// Print one JSON document (pack.state.v0)
    #[arg(long, conflicts_with = "files")]
    pub(in crate::cli) json: bool,
    /// Print the lines under the digest: <hash> <size> <path>
    #[arg(long)]
    pub(in crate::cli) files: bool,
    /// End each line with NUL instead of a newline
    #[arg(short = 'z', requires = "files")]
    pub(in crate::cli) nul: bool,
    /// Exit with 0 if the state has this digest, with 1 if it has another
    #[arg(long, value_name = "DIGEST")]
    pub(in crate::cli) check: Option<String>,
    /// A scope of .gitpack.toml [default: its default scope, else everything]
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) scope: Option<String>,
    /// Leave out what a pack of this mode seals
    #[arg(long)]
    pub(in crate::cli) mode: Option<ModeArgument>,
    /// Hash every blob anew; neither read nor write the digest cache
    #[arg(long)]
    pub(in crate::cli) no_cache: bool,
}

#[derive(Clone, Copy, ValueEnum)]
pub(in crate::cli) enum ModeArgument {
    /// For everybody
    Public,
    /// For insiders
    Internal,
}

impl From<ModeArgument> for Mode {
    fn from(mode: ModeArgument) -> Self {
        match mode {
            ModeArgument::Public => Self::Public,
            ModeArgument::Internal => Self::Internal,
        }
    }
}

#[derive(Args)]
pub(in crate::cli) struct Seal {
    /// Files and directories to seal as evidence
    #[arg(value_name = "ARTIFACT")]
    pub(in crate::cli) artifacts: Vec<PathBuf>,
    /// The commit of a tree pack [default: HEAD]; with artifacts, take them from its tree
    #[arg(long)]
    pub(in crate::cli) rev: Option<String>,
    /// A scope of .gitpack.toml [default: its default scope, else everything]
    #[arg(long, value_name = "KEY")]
    pub(in crate::cli) scope: Option<String>,
    /// What a tree pack is made of, of repo, lite, full and split [default: emit of .gitpack.toml, else repo]
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(in crate::cli) emit: Vec<String>,
    /// Seal these untracked files into the tree pack as well: a file, a directory or a quoted glob
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) attach: Vec<PathBuf>,
    /// Let this file stand in the clear although it holds a private key or a copy of something protected, or is called .age and is no age file
    #[arg(long, value_name = "PATH")]
    pub(in crate::cli) plaintext: Vec<PathBuf>,
    /// Seal to this recipient (age1…, ssh-ed25519 …, ssh-rsa …) instead of the configured ones
    #[arg(long, short = 'r')]
    pub(in crate::cli) recipient: Vec<String>,
    /// What stays in the clear: public seals all that is protected, internal only what is so everywhere
    #[arg(long, value_name = "MODE", default_value = "public")]
    pub(in crate::cli) mode: ModeArgument,
    /// Seal names too: the pack tells how many artifacts there are, but neither their paths nor their rules
    #[arg(long)]
    pub(in crate::cli) opaque_names: bool,
    /// Round sizes up, by at most 12 %, so that they tell less
    #[arg(long)]
    pub(in crate::cli) pad: bool,
    /// Encrypt everything anew instead of keeping earlier ciphertexts
    #[arg(long)]
    pub(in crate::cli) fresh: bool,
    /// Keep the ciphertexts of this pack for what has not changed, once they were opened and hold the same
    #[arg(long, value_name = "PACK", conflicts_with = "fresh")]
    pub(in crate::cli) reuse: Option<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) keys: IdentityFlags,
    /// Seal to the recipients in this file, one a line, instead of the configured ones
    #[arg(long, short = 'R', value_name = "FILE")]
    pub(in crate::cli) recipients_file: Vec<PathBuf>,
    /// The pack's directory [default: pack/<id> or _PACK_RUN/llm-pack-<scope>-<digest>]
    #[arg(long, short = 'o', value_name = "DIR")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Swap out another pack that stands at the output
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// A note for the manifest
    #[arg(long, value_name = "TEXT")]
    pub(in crate::cli) note: Option<String>,
    /// The time for the manifest [default: SOURCE_DATE_EPOCH, else the commit's date or now]
    #[arg(long, value_name = "RFC3339")]
    pub(in crate::cli) created: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct Verify {
    /// The pack's directory
    pub(in crate::cli) pack: PathBuf,
    /// Compare also with this commit of the repository here
    #[arg(long)]
    pub(in crate::cli) rev: Option<String>,
    /// Print one JSON document (pack.verify.v0)
    #[arg(long)]
    pub(in crate::cli) json: bool,
    /// Open every seal as well, to nowhere, with this age identity file or SSH private key
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(in crate::cli) identities: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) passphrase: PassphraseFlag,
}

#[derive(Args)]
pub(in crate::cli) struct Open {
    /// The pack's directory
    pub(in crate::cli) pack: PathBuf,
    /// Artifacts to open, or directories of them [default: all]
    #[arg(value_name = "PATH")]
    pub(in crate::cli) paths: Vec<String>,
    /// A new directory for them [default: _PACK_RUN/open/<first 12 digits of the pack id>]
    #[arg(long, short = 'o', value_name = "DIR", conflicts_with = "stdout")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Write the one artifact that is named to standard output, and nothing else
    #[arg(long)]
    pub(in crate::cli) stdout: bool,
    #[command(flatten)]
    pub(in crate::cli) keys: IdentityFlags,
}

#[derive(Args)]
pub(in crate::cli) struct Rekey {
    /// The pack's directory, or an age file
    #[arg(value_name = "PACK|FILE.age")]
    pub(in crate::cli) what: PathBuf,
    /// Where the rekeyed pack or file goes
    #[arg(long, short = 'o', value_name = "DIR|FILE")]
    pub(in crate::cli) output: PathBuf,
    /// Swap out another pack, or another age file, that stands at the output; it may be the one that is rekeyed
    #[arg(long)]
    pub(in crate::cli) replace: bool,
    /// Encrypt anew, under new file keys, instead of keeping the payloads
    #[arg(long)]
    pub(in crate::cli) reencrypt: bool,
    /// Seal to this recipient (age1…, ssh-ed25519 …, ssh-rsa …) instead of the configured ones
    #[arg(long, short = 'r')]
    pub(in crate::cli) recipient: Vec<String>,
    /// Seal to the recipients in this file, one a line, instead of the configured ones
    #[arg(long, short = 'R', value_name = "FILE")]
    pub(in crate::cli) recipients_file: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) keys: IdentityFlags,
}

#[derive(Args)]
pub(in crate::cli) struct Diff {
    /// The pack before
    pub(in crate::cli) a: PathBuf,
    /// The pack after
    pub(in crate::cli) b: PathBuf,
    /// Print one JSON document (pack.diff.v0)
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Inspect {
    /// The pack's directory
    pub(in crate::cli) pack: PathBuf,
    /// Print one JSON document (pack.inspect.v0)
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Witness {
    #[command(subcommand)]
    pub(in crate::cli) command: WitnessCommand,
}

#[derive(Subcommand)]
pub(in crate::cli) enum WitnessCommand {
    /// Print the records that match, oldest first; exit with 1 if there are none
    Query {
        #[command(flatten)]
        filter: WitnessFilter,
        /// Print one JSON array
        #[arg(long)]
        json: bool,
    },
    /// Print the newest record of git-pack; exit with 1 if there is none
    Last {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print how many records match
    Count {
        #[command(flatten)]
        filter: WitnessFilter,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Check ids and chain of git-pack's records; exit with 1 at the first break
    Verify {
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub(in crate::cli) struct WitnessFilter {
    /// Records of this tool
    #[arg(long, default_value = "pack")]
    pub(in crate::cli) tool: String,
    /// Not before this time
    #[arg(long, value_name = "RFC3339")]
    pub(in crate::cli) since: Option<String>,
    /// Not after this time
    #[arg(long, value_name = "RFC3339")]
    pub(in crate::cli) until: Option<String>,
    /// With this outcome, such as OK or REFUSAL
    #[arg(long)]
    pub(in crate::cli) outcome: Option<String>,
    /// With an input of this hash
    #[arg(long, value_name = "HASH")]
    pub(in crate::cli) input_hash: Option<String>,
}

#[derive(Args)]
pub(in crate::cli) struct Recipients {
    #[command(subcommand)]
    pub(in crate::cli) command: RecipientsCommand,
}

#[derive(Subcommand)]
pub(in crate::cli) enum RecipientsCommand {
    /// Print the recipients in .gitpack.toml
    List,
    /// Add one
    Add {
        /// A recipient: age1…, ssh-ed25519 …, ssh-rsa …
        recipient: String,
    },
    /// Remove one; what was sealed for it before it can still open
    Remove {
        /// The recipient as it stands in .gitpack.toml
        recipient: String,
    },
}

#[derive(Args)]
pub(in crate::cli) struct Key {
    #[command(subcommand)]
    pub(in crate::cli) command: KeyCommand,
}

#[derive(Subcommand)]
pub(in crate::cli) enum KeyCommand {
    /// Make a new age identity, and print its recipient
    Generate {
        /// The identity file [default: the one that init would make]
        #[arg(long, short = 'o', value_name = "FILE")]
        output: Option<PathBuf>,
        /// Lock the file with a passphrase, asked for at the terminal
        #[arg(long, conflicts_with = "passphrase_file")]
        passphrase: bool,
        /// Lock the file with the passphrase in the first line of this file
        #[arg(long, value_name = "FILE")]
        passphrase_file: Option<PathBuf>,
    },
    /// Show where identities are looked for, and which keys are there
    List,
    /// Print the recipients of an identity file or SSH private key, one a line
    Public {
        /// The file [default: the one in force]
        file: Option<PathBuf>,
        #[command(flatten)]
        passphrase: PassphraseFlag,
    },
}

#[derive(Args)]
pub(in crate::cli) struct Hook {
    /// Somebody else's hook, which runs first
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) chained: Option<PathBuf>,
    /// It is git that runs this, so that an empty standard input says that there is nothing to be pushed
    #[arg(long)]
    pub(in crate::cli) by_git: bool,
    pub(in crate::cli) name: HookName,
    /// The arguments that git gives the hook
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    pub(in crate::cli) arguments: Vec<String>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(in crate::cli) enum HookName {
    #[value(name = "pre-commit", alias = "pre-merge-commit")]
    Commit,
    #[value(name = "pre-push")]
    Push,
    #[value(name = "pre-receive")]
    Receive,
    #[value(name = "reference-transaction")]
    Refs,
}

/// The commands whose results are for machines only with `--json`; all others print a refusal's envelope.
pub(in crate::cli) const WITH_JSON: [&str; 7] = ["state", "verify", "diff", "inspect", "witness", "scan", "audit"];

impl Command {
    /// Returns how this command tells of a refusal.
    pub(in crate::cli) fn style(&self) -> Style {
        match self {
            Self::Hook(_) => Style::Hook,
            Self::Status(_) => Style::Human,
            Self::Scan(args) => Style::with_json(args.format() == ScanFormat::Json),
            Self::Verify(args) if args.json => Style::VerifyJson,
            Self::Verify(_) => Style::Verify,
            Self::State(State { json, .. }) | Self::Diff(Diff { json, .. }) | Self::Inspect(Inspect { json, .. }) => {
                Style::with_json(*json)
            }
            Self::Audit(args) => Style::with_json(args.json),
            Self::Witness(args) => Style::with_json(match args.command {
                WitnessCommand::Query { json, .. }
                | WitnessCommand::Last { json }
                | WitnessCommand::Count { json, .. }
                | WitnessCommand::Verify { json } => json,
            }),
            _ => Style::Envelope,
        }
    }
}
