//! Arguments, environment, terminal and exit codes: the only place that talks to a person.

mod account;
mod args;
mod ask;
mod env;
mod hook;
mod output;
mod witness;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use clap::Parser;

use crate::format::digest::Digest;
use crate::format::timestamp::{Period, Timestamp};
use crate::format::tree_meta::Part;
use crate::ops::guard::install::InstallRequest;
use crate::ops::guard::scan::surfaces::{scan, write_allow};
use crate::ops::guard::status::{self, Proof};
use crate::ops::guard::twins;
use crate::ops::guard::twins::protect::{ProtectRequest, protect};
use crate::ops::guard::twins::reveal::{RevealRequest, reveal};
use crate::ops::guard::{init, install};
use crate::ops::keys::key::{self, Lock};
use crate::ops::keys::{identity, recipients};
use crate::ops::pack::open::OpenRequest;
use crate::ops::pack::rekey::RekeyRequest;
use crate::ops::pack::restore::{self, RestoreRequest};
use crate::ops::pack::seal::{Privacy, SealRequest};
use crate::ops::pack::verify::VerifyRequest;
use crate::ops::pack::{diff, inspect, open, rekey, seal, verify};
use crate::ops::state::StateRequest;
use crate::ops::store::audit::{self, AuditRequest};
use crate::ops::store::gc::{self, GcRequest};
use crate::ops::{Context, state};
use crate::refusal::Result;
use account::Account;
use args::{Arguments, Command, KeyCommand, PassphraseFlag, RecipientsCommand, ScanFormat};
use output::refusal::usage::{misused, misused_for};
use output::{
    Output, guard, guard::Told, human, json, notices, refusal, rekey as rekey_output, restore as restore_output, sarif,
    status as status_output, store as store_output,
};

/// The answer is yes: created, OK, clean, same.
const YES: u8 = 0;
/// The answer is a sound no: INVALID, LEAK, another state.
const NO: u8 = 1;
/// No answer: something could not be judged or done.
const REFUSED: u8 = 2;

/// What `--describe` prints: the operator manifest.
const OPERATOR: &str = include_str!("../../operator.json");
/// What `--schema` prints: the JSON Schema of `pack.v0`, with those of the reports under `$defs`.
const SCHEMA: &str = include_str!("../../schema.json");

/// Returns the command tree, for those who document or test it.
pub fn command_tree() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// Runs the program on the process's own arguments.
///
/// Nothing that goes wrong inside may look like a yes: a panic is a refusal too.
pub fn run() -> ExitCode {
    std::panic::set_hook(Box::new(|panic| {
        let mut stderr = anstream::stderr();
        // There is nobody left to tell if this cannot be written.
        drop(writeln!(
            stderr,
            "git-pack: internal error, so nothing was judged: {panic}"
        ));
    }));
    let mut output = Output::new();
    ExitCode::from(unless_it_panics(|| dispatch(&mut output)))
}

/// Returns the status that `judge` comes to; of a bug, a refusal.
fn unless_it_panics(judge: impl FnOnce() -> u8) -> u8 {
    catch_unwind(AssertUnwindSafe(judge)).unwrap_or(REFUSED)
}

fn dispatch(output: &mut Output) -> u8 {
    // Self-description comes before everything that could be wrong with the other arguments.
    if let Some(description) = env::asked_for_description() {
        output.out(description.as_bytes());
        return match output.flush() {
            Ok(()) => YES,
            Err(refused) => refusal::print(output, &refused, Style::Human),
        };
    }
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(e) => return usage(output, &e),
    };
    let command = arguments.command;
    let style = command.style();
    let ctx = match env::context() {
        Ok(ctx) => ctx,
        Err(refused) => return refusal::print(output, &refused, style),
    };
    let mut account = Account::of(&command).filter(|_| !arguments.no_witness);
    let code = match answer(&ctx, command, output, &mut account) {
        Ok(code) => match output.flush() {
            Ok(()) => code,
            Err(refused) => refusal::print(output, &refused, Style::Human),
        },
        Err(refused) => refusal::print(output, &refused, style),
    };
    if let Some(account) = account {
        account.close(&ctx, code, output);
    }
    code
}

/// How a command tells of a refusal.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    /// On stderr alone.
    Human,
    /// On stderr, to somebody who called git.
    Hook,
    /// The envelope on stdout as well.
    Envelope,
    /// The human form of `verify`.
    Verify,
    /// The document of `verify --json`.
    VerifyJson,
}

impl Style {
    fn with_json(json: bool) -> Self {
        if json { Self::Envelope } else { Self::Human }
    }
}

/// Help and version are answers; every other word of clap's is a usage error, exit 2.
fn usage(output: &mut Output, error: &clap::Error) -> u8 {
    if !error.use_stderr() {
        drop(error.print());
        return YES;
    }
    let text = error.render().to_string();
    let text = match text.strip_prefix("error: ") {
        Some(problem) => format!("git-pack: {problem}"),
        // Called with nothing at all: the help says what there is.
        None => text,
    };
    output.err(&text);
    if env::wants_envelope() {
        let problem: Vec<&str> = text
            .lines()
            .take_while(|line| !line.is_empty())
            .map(str::trim)
            .collect();
        let problem = problem.join(" ");
        let refused = misused(problem.strip_prefix("git-pack: ").unwrap_or(&problem));
        output.out(&refusal::envelope(&refused));
    }
    REFUSED
}

fn answer(ctx: &Context, command: Command, output: &mut Output, account: &mut Option<Account>) -> Result<u8> {
    match command {
        Command::Init(args) => {
            let request = InstallRequest {
                server: args.server,
                strict: args.strict,
                force: args.force,
            };
            match args.server {
                true => human::installed(output, ctx, &install::apply(install::plan_install(ctx, request)?)?),
                false => human::init(output, ctx, &init::init(ctx, request)?),
            }
        }
        Command::Status(args) => return answer_status(ctx, &args, output),
        Command::Protect(args) if args.check => {
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let pairs = twins::check(ctx, &args.keys.identities)?;
            status_output::pairs(output, &pairs);
            let drifted = pairs.iter().any(status_output::has_drifted);
            return Ok(if drifted { NO } else { YES });
        }
        Command::Protect(args) => {
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let request = ProtectRequest {
                files: args.files,
                force: args.force,
                identities: args.keys.identities,
            };
            status_output::protect(output, &protect(ctx, &request)?);
        }
        Command::Reveal(args) => {
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let request = RevealRequest {
                files: args.files,
                force: args.force,
                identities: args.keys.identities,
            };
            status_output::revealed(output, &reveal(ctx, &request)?);
        }
        Command::Scan(args) => return answer_scan(ctx, &args, output),
        Command::Install(args) => {
            let request = InstallRequest {
                server: false,
                strict: args.strict,
                force: args.force,
            };
            human::installed(output, ctx, &install::apply(install::plan_install(ctx, request)?)?);
        }
        Command::Uninstall => {
            let plan = install::plan_uninstall(ctx)?;
            human::uninstalled(output, ctx, &install::apply(plan)?);
        }
        Command::State(args) => return answer_state(ctx, args, output),
        Command::Seal(args) => {
            let started = env::Stopwatch::start();
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let request = SealRequest {
                artifacts: args.artifacts,
                rev: args.rev,
                scope: args.scope,
                plaintext: args.plaintext,
                attach: args.attach,
                recipients: args.recipient,
                emit: parse_emit(&args.emit)?,
                mode: args.mode.into(),
                privacy: Privacy {
                    opaque_names: args.opaque_names,
                    pad: args.pad,
                },
                fresh: args.fresh,
                reuse: args.reuse,
                identities: args.keys.identities,
                recipients_files: args.recipients_file,
                output: args.output,
                replace: args.replace,
                note: args.note,
                created: args.created.as_deref().map(parse_created).transpose()?,
            };
            let report = seal::seal(ctx, &request)?;
            human::sealed(output, ctx, &report, started.elapsed());
            if let Some(account) = account {
                account.sealed(&report);
            }
        }
        Command::Verify(args) => {
            let ctx = &answering(ctx, &args.passphrase)?;
            let request = VerifyRequest {
                pack: args.pack,
                rev: args.rev,
                identities: args.identities,
            };
            let report = verify::verify(ctx, &request)?;
            match args.json {
                true => output.out(&json::verify(&report)),
                false => human::verified(output, &report),
            }
            notices::of_pack(output, &report);
            if let Some(account) = account {
                account.verified(&report);
            }
            return Ok(if report.verdict.findings.is_empty() { YES } else { NO });
        }
        Command::Open(args) => {
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let request = OpenRequest {
                pack: args.pack,
                paths: args.paths,
                output: args.output,
                identities: args.keys.identities,
            };
            let report = match args.stdout {
                true => open::open_to(ctx, &request, output.unrecorded())?,
                false => open::open(ctx, &request)?,
            };
            human::opened(output, ctx, &report);
            if let Some(account) = account {
                account.opened(&report);
            }
        }
        Command::Restore(args) => {
            let ctx = &answering(ctx, &args.passphrase)?;
            let request = RestoreRequest {
                from: args.from,
                from_full: args.from_full,
                output: args.output,
                dry_run: args.dry_run,
                identities: args.identities,
            };
            let report = restore::restore(ctx, &request)?;
            restore_output::restored(output, ctx, &report)?;
            if let Some(account) = account {
                account.restored(&report);
            }
        }
        Command::Audit(args) => return answer_audit(ctx, &args, output),
        Command::Gc(args) => {
            let request = GcRequest {
                grace: parse_grace(&args.grace)?,
                dry_run: args.dry_run,
            };
            store_output::collected(output, &gc::gc(ctx, request)?, args.why);
        }
        Command::Rekey(args) => {
            let ctx = &answering(ctx, &args.keys.passphrase)?;
            let request = RekeyRequest {
                what: args.what,
                output: args.output,
                replace: args.replace,
                reencrypt: args.reencrypt,
                recipients: args.recipient,
                recipients_files: args.recipients_file,
                identities: args.keys.identities,
            };
            let report = rekey::rekey(ctx, &request)?;
            rekey_output::rekeyed(output, ctx, &report);
            if let Some(account) = account {
                account.rekeyed(&report);
            }
        }
        Command::Diff(args) => {
            let report = diff::diff(ctx, &args.a, &args.b)?;
            match args.json {
                true => output.out(&json::diff(&report)),
                false => human::compared(output, &report),
            }
            let same = report.difference.is_empty();
            if let Some(account) = account {
                account.compared(same);
            }
            return Ok(if same { YES } else { NO });
        }
        Command::Inspect(args) => {
            let report = inspect::inspect(ctx, &args.pack)?;
            match args.json {
                true => output.out(&json::inspect(&report)),
                false => human::inspected(output, &report),
            }
        }
        Command::Witness(args) => return witness::answer(ctx, args.command, output),
        Command::Recipients(command) => match command.command {
            RecipientsCommand::List => {
                for recipient in recipients::list(ctx)? {
                    output.line(&recipient);
                }
            }
            RecipientsCommand::Add { recipient } => {
                let added = recipients::add(ctx, &recipient)?;
                human::recipient_added(output, &recipient, added);
            }
            RecipientsCommand::Remove { recipient } => {
                recipients::remove(ctx, &recipient)?;
                human::recipient_removed(output, &recipient);
            }
        },
        Command::Key(args) => answer_key(ctx, args.command, output)?,
        Command::Hook(args) => return hook::answer(ctx, &args, output),
    }
    Ok(YES)
}

/// Returns the context with the passphrase that a flag names as the answer to whoever asks for one.
fn answering(ctx: &Context, flag: &PassphraseFlag) -> Result<Context> {
    let mut ctx = ctx.clone();
    if let Some(file) = &flag.passphrase_file {
        ctx.ask = ask::knowing(identity::passphrase(&ctx, file)?);
    }
    Ok(ctx)
}

fn answer_key(ctx: &Context, command: KeyCommand, output: &mut Output) -> Result<()> {
    match command {
        KeyCommand::Generate {
            output: path,
            passphrase,
            passphrase_file,
        } => {
            let lock = match passphrase_file {
                Some(file) => Lock::Passphrase(identity::passphrase(ctx, &file)?),
                None if passphrase => Lock::Ask,
                None => Lock::None,
            };
            human::key_generated(output, &key::generate(ctx, path.as_deref(), lock)?);
        }
        KeyCommand::List => human::key_places(output, &key::list(ctx)?),
        KeyCommand::Public { file, passphrase } => {
            let ctx = &answering(ctx, &passphrase)?;
            for recipient in key::public(ctx, file.as_deref())? {
                output.line(&recipient);
            }
        }
    }
    Ok(())
}

fn answer_state(ctx: &Context, args: args::State, output: &mut Output) -> Result<u8> {
    let expected = args.check.as_deref().map(parse_digest).transpose()?;
    let request = StateRequest {
        rev: args.rev,
        scope: args.scope,
        mode: args.mode.map(Into::into),
        no_cache: args.no_cache,
    };
    let state = state::state(ctx, &request)?;
    let digest = state.digest();
    if args.files {
        let end = if args.nul { 0 } else { b'\n' };
        let mut lines = Vec::new();
        for entry in &state.entries {
            entry.push_line(&mut lines, end);
        }
        output.out(&lines);
    } else if args.json {
        output.out(&json::state(&state));
    } else {
        output.line(&digest.to_string());
    }
    match expected {
        Some(expected) if expected != digest => {
            human::other_state(output, &state, &expected);
            Ok(NO)
        }
        _ => Ok(YES),
    }
}

fn answer_status(ctx: &Context, args: &args::Status, output: &mut Output) -> Result<u8> {
    if args.registry {
        status_output::registry(output, &status::registry(ctx)?);
        return Ok(YES);
    }
    let report = status::status(ctx)?;
    let proofs = match args.doctor {
        true => Some(status::doctor(ctx)?),
        false => None,
    };
    status_output::status(output, &report, proofs.as_deref());
    let unproven = proofs.iter().flatten().any(|(_, proof)| *proof != Proof::Blocked);
    Ok(if unproven { NO } else { YES })
}

fn answer_audit(ctx: &Context, args: &args::Audit, output: &mut Output) -> Result<u8> {
    let pinned = match (&args.pin, &args.unpin) {
        (Some(content), _) => Some((content, audit::pin(ctx, content)?)),
        (None, Some(content)) => Some((content, audit::unpin(ctx, content)?)),
        (None, None) => None,
    };
    if let Some((content, pinned)) = pinned {
        store_output::pinned(output, content, pinned);
        return Ok(YES);
    }
    let request = AuditRequest {
        run: args.run.clone(),
        deep: args.deep,
    };
    let report = audit::audit(ctx, &request)?;
    match args.json {
        true => output.out(&store_output::audit_document(&report)),
        false => store_output::audited(output, &report),
    }
    Ok(if report.findings.is_empty() { YES } else { NO })
}

fn answer_scan(ctx: &Context, args: &args::Scan, output: &mut Output) -> Result<u8> {
    let started = env::Stopwatch::start();
    let surface = args.surface();
    let report = scan(ctx, &surface, args.remote.as_deref(), args.shallow)?;
    let told = match args.format() {
        ScanFormat::Human => Told::Here,
        ScanFormat::Json | ScanFormat::Sarif | ScanFormat::Paths => Told::Beside,
    };
    match args.format() {
        ScanFormat::Human => {}
        ScanFormat::Json => output.out(&json::scan(&surface, &report)),
        ScanFormat::Sarif => output.out(&sarif::scan(&report)),
        ScanFormat::Paths => {
            for found in &report.leaks {
                output.out(found.leak.entry.path.as_bytes());
                output.out(b"\0");
            }
        }
    }
    guard::scan(output, &surface, &report, told, started.elapsed());
    if args.write_allow && !report.leaks.is_empty() {
        let added = write_allow(ctx, &report)?;
        guard::allowed(output, added);
    }
    Ok(if report.is_clean() { YES } else { NO })
}

fn parse_created(text: &str) -> Result<Timestamp> {
    Timestamp::parse(text).ok_or_else(|| {
        misused_for(
            format!("--created {text}: expected RFC 3339"),
            "git pack seal --created 2026-01-15T10:30:00Z",
        )
    })
}

fn parse_grace(text: &str) -> Result<Period> {
    Period::parse(text).ok_or_else(|| {
        misused_for(
            format!("--grace {text}: expected a time such as 14d, 12h or 90m, or 0"),
            "git pack gc --grace 14d",
        )
    })
}

fn parse_emit(words: &[String]) -> Result<Option<Vec<Part>>> {
    if words.is_empty() {
        return Ok(None);
    }
    let parts: std::result::Result<Vec<Part>, String> = words.iter().map(|word| Part::parse(word)).collect();
    let parts = parts.and_then(Part::set);
    parts.map(Some).map_err(|why| misused(format!("--emit: {why}")))
}

fn parse_digest(text: &str) -> Result<Digest> {
    Digest::parse_ref(text)
        .or_else(|| Digest::parse_hex(text))
        .ok_or_else(|| misused(format!("--check {text}: expected sha256: and 64 lowercase hex digits")))
}

#[cfg(test)]
mod tests {
    use super::{REFUSED, YES, unless_it_panics};
    use crate::adapters::workers;

    #[test]
    fn a_bug_is_never_a_yes() {
        assert_eq!(unless_it_panics(|| YES), YES);
        assert_eq!(unless_it_panics(|| panic!("a bug")), REFUSED);
        let in_a_thread = || {
            let items = [1, 2, 3, 4];
            let done = workers::map(
                &items,
                || Ok::<_, ()>(()),
                |(), n| if *n == 3 { panic!("a bug") } else { Ok(*n) },
            );
            u8::from(done.is_err())
        };
        assert_eq!(unless_it_panics(in_a_thread), REFUSED);
    }
}
