//! `git pack agent seal`: encrypt a private file of an agent.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use zeroize::Zeroizing;

use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::names::path_from;
use crate::cli::output::words::{LOOK, count, paint, size, unchanged};
use crate::cli::style::Style;
use crate::format::agent::private::{MAX_CONTENT, PrivateKind};
use crate::ops::Context;
use crate::ops::agent::private::NamedRecipients;
use crate::ops::agent::seal::{SealPrivateReport, SealPrivateRequest, seal_private};
use crate::refusal::Refusal;

#[derive(Args)]
pub(super) struct SealPrivate {
    /// The plaintext, a JSON file, or - for standard input
    file: PathBuf,
    /// Write the encrypted file here [default: FILE.enc]
    #[arg(long, short = 'o', value_name = "FILE", required_if_eq("file", "-"))]
    output: Option<PathBuf>,
    /// What the file holds [default: what its name or its directory says]
    #[arg(long, required_if_eq("file", "-"))]
    kind: Option<KindArgument>,
    #[command(flatten)]
    recipients: RecipientFlags,
    /// Replace an existing encrypted file
    #[arg(long)]
    replace: bool,
    /// Encrypt and check it, but keep no file
    #[arg(long, short = 'n')]
    dry_run: bool,
}

/// What a private file holds.
#[derive(Clone, Copy, ValueEnum)]
enum KindArgument {
    /// The agent's format (GYR3)
    Format,
    /// A curriculum (GYR4)
    Curriculum,
    /// The session (GYR5)
    Session,
}

impl From<KindArgument> for PrivateKind {
    fn from(kind: KindArgument) -> Self {
        match kind {
            KindArgument::Format => Self::Format,
            KindArgument::Curriculum => Self::Curriculum,
            KindArgument::Session => Self::Session,
        }
    }
}

/// Who can open what is encrypted.
#[derive(Args)]
pub(super) struct RecipientFlags {
    /// Encrypt to this recipient (age1…, ssh-ed25519 …, ssh-rsa …) instead of the configured ones
    #[arg(long, short = 'r')]
    recipient: Vec<String>,
    /// Encrypt to the recipients in this file, one per line, instead of the configured ones
    #[arg(long, short = 'R', value_name = "FILE", hide_short_help = true)]
    recipients_file: Vec<PathBuf>,
}

impl RecipientFlags {
    /// Returns the recipients that the flags name.
    pub(super) fn named(self) -> NamedRecipients {
        NamedRecipients {
            recipients: self.recipient,
            files: self.recipients_file,
        }
    }
}

impl SealPrivate {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::Human
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        let given = match self.file == Path::new("-") {
            true => Some(standard_input()?),
            false => None,
        };
        let request = SealPrivateRequest {
            given,
            file: self.file.clone(),
            output: self.output,
            kind: self.kind.map(PrivateKind::from),
            recipients: self.recipients.named(),
            replace: self.replace,
            dry_run: self.dry_run,
        };
        human(output, ctx, &self.file, &seal_private(ctx, request)?, self.dry_run);
        Ok(Exit::Yes)
    }
}

/// Reads one byte more than a content may have.
fn standard_input() -> Result<Zeroizing<Vec<u8>>, Refusal> {
    let mut content = Zeroizing::new(Vec::new());
    let mut input = std::io::stdin().lock().take(MAX_CONTENT + 1);
    let mut buffer = Zeroizing::new(vec![0; 1 << 20]);
    loop {
        let n = match input.read(&mut buffer) {
            Ok(0) => return Ok(content),
            Ok(n) => n,
            Err(e) if e.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(e) => return Err(Refusal::io("reading", Path::new("standard input"))(e)),
        };
        if content.capacity() - content.len() < n {
            // A vector that grows by itself leaves copies behind that are not wiped.
            let mut larger = Zeroizing::new(Vec::with_capacity(2 * content.capacity() + n));
            larger.extend_from_slice(&content);
            content = larger;
        }
        content.extend_from_slice(&buffer[..n]);
    }
}

fn human(output: &mut Output, ctx: &Context, file: &Path, report: &SealPrivateReport, dry_run: bool) {
    let deed = if dry_run { "would encrypt to" } else { "encrypted" };
    output.line(&format!("{deed:<10} {}", path_from(&ctx.cwd, &report.output)));
    let recipients = count(report.recipients as u64, "recipient");
    output.err(&format!(
        "  {}, {} for {recipients}\n",
        report.kind.as_str(),
        size(report.bytes)
    ));
    if dry_run {
        unchanged(output);
        return;
    }
    if report.is_plaintext_left {
        let file = path_from(&ctx.cwd, &ctx.cwd.join(file));
        output.err(&format!(
            "  {} {file} is still there in plaintext\n",
            paint(LOOK, "note")
        ));
    }
}
