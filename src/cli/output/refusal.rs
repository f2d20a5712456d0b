//! Refusals as machines and people read them: the one place that maps a reason to message, detail, hint and exit status.

use serde_json::{Value, json};

use crate::cli::output::words::{BLOCKS, TYPE, paint, quoted};
use crate::cli::output::{Output, json};
use crate::cli::{REFUSED, Style, env};
use crate::format::canonical_json::to_document;
use crate::refusal::shown::{harmless, shown};
use crate::refusal::{Code, Exceeded, Refusal, io_reason};

/// Tells of a refusal and returns the exit status.
pub(crate) fn print(output: &mut Output, refusal: &Refusal, style: Style) -> u8 {
    if let Refusal::Io { source, .. } = refusal
        && source.kind() == std::io::ErrorKind::BrokenPipe
    {
        // Whoever read our output has gone; git says nothing then, and neither do we.
        return REFUSED;
    }
    match style {
        Style::Human | Style::Hook => {}
        Style::Envelope => output.out(&envelope(refusal)),
        Style::Verify => output.line(&format!("pack verify: {}", paint(BLOCKS, "REFUSAL"))),
        Style::VerifyJson => output.out(&json::verify_refused(body(refusal))),
    }
    let text = explain(refusal);
    let mut human = format!("git-pack: {}\n", harmless(&text.message));
    for line in &text.more {
        human.push_str(&format!("  {}\n", harmless(line)));
    }
    for line in &text.pasted {
        human.push_str(&format!("{}\n", paint(TYPE, line)));
    }
    if style == Style::Hook {
        human.push_str("  this could not be judged, so git does not go on\n");
    }
    if let Some(hint) = text.hint.as_ref().or(text.next.as_ref()) {
        human.push_str(&format!("  try        {}\n", paint(TYPE, hint)));
    }
    output.err(&human);
    REFUSED
}

/// Returns what a refusal says, without its remedy.
pub(crate) fn one_line(refusal: &Refusal) -> String {
    explain(refusal).message
}

/// Returns the refusal envelope as one document.
pub(crate) fn envelope(refusal: &Refusal) -> Vec<u8> {
    to_document(&json!({
        "version": "pack.v0",
        "outcome": "REFUSAL",
        "refusal": body(refusal),
    }))
}

/// Returns the code of a reason.
fn code(refusal: &Refusal) -> Code {
    match refusal {
        Refusal::Io { .. } | Refusal::NotRegular { .. } | Refusal::ChangedWhileRead { .. } => Code::Io,
        Refusal::Planted { .. } => Code::Io,
        Refusal::NotYours { .. } => Code::Unsupported,
        Refusal::OutputExists { .. } | Refusal::UnsafePath { .. } | Refusal::TwinDiffers { .. } => Code::Io,
        Refusal::ThroughLink { .. } => Code::Io,
        Refusal::Duplicate { .. } | Refusal::Collision { .. } | Refusal::ReservedPath { .. } => Code::Duplicate,
        Refusal::Empty => Code::Empty,
        Refusal::BadPack { .. } | Refusal::BadManifest { .. } | Refusal::NotSound { .. } => Code::BadPack,
        Refusal::Usage { .. } | Refusal::NoWorkTree { .. } | Refusal::Armoured { .. } => Code::Usage,
        Refusal::NotARepository { .. } => Code::NotARepository,
        Refusal::NoCommit | Refusal::BadRevision { .. } => Code::BadRevision,
        Refusal::BadConfig { .. } => Code::BadConfig,
        Refusal::MissingObject { .. } | Refusal::CutHistory { .. } => Code::MissingObject,
        Refusal::MissingContent { .. } | Refusal::NoManifest { .. } => Code::MissingObject,
        Refusal::NoRecipients { .. } => Code::NoRecipients,
        Refusal::NoIdentity { .. } | Refusal::NoneOpens { .. } | Refusal::Locked { .. } => Code::NoIdentity,
        Refusal::Crypto { .. } => Code::Crypto,
        Refusal::PlaintextLeak { .. } => Code::PlaintextLeak,
        Refusal::Limit { .. } | Refusal::TooLong { .. } | Refusal::Budget { .. } => Code::Limit,
        Refusal::Corrupt { .. } => Code::Corrupt,
        Refusal::Audit { .. } => Code::Audit,
        Refusal::Unsupported { .. } | Refusal::HookManager { .. } => Code::Unsupported,
    }
}

fn body(refusal: &Refusal) -> Value {
    let text = explain(refusal);
    json!({
        "code": code(refusal).as_str(),
        "message": text.message,
        "detail": text.detail,
        "next_command": text.next,
    })
}

/// What there is to say about a refusal.
struct Text {
    /// What, where and why, on one line.
    message: String,
    /// The parts of it, for machines.
    detail: Value,
    /// Further lines for people.
    more: Vec<String>,
    /// Lines to be pasted, so that they must stand as they are.
    pasted: Vec<&'static str>,
    /// The command that would fix it.
    next: Option<String>,
    /// What to do where no single command would.
    hint: Option<String>,
}

fn explain(refusal: &Refusal) -> Text {
    let (message, detail) = message(refusal);
    let (next, hint) = remedy(refusal);
    let more = match refusal {
        Refusal::HookManager { deed, .. } => vec![format!("{deed}:")],
        Refusal::Duplicate { sources, .. } | Refusal::Collision { sources, .. } => {
            sources.iter().map(|s| format!("from       {s}")).collect()
        }
        Refusal::Limit { largest, .. } => largest
            .iter()
            .map(|(path, bytes)| format!("{bytes:>12} B  {path}"))
            .collect(),
        Refusal::NoRecipients { artifacts, .. } => {
            let mut lines: Vec<_> = artifacts.iter().take(10).cloned().collect();
            if artifacts.len() > lines.len() {
                lines.push(format!("and {} more", artifacts.len() - lines.len()));
            }
            lines
        }
        Refusal::NoneOpens { stanzas, tried, .. } => {
            let tried = match tried.is_empty() {
                true => "there is no identity to try".into(),
                false => format!("tried {}", shown(tried.join(", ").as_bytes())),
            };
            vec![format!(
                "it is sealed for {}; {tried}",
                shown(stanzas.join(", ").as_bytes())
            )]
        }
        _ => Vec::new(),
    };
    let pasted = match refusal {
        Refusal::HookManager { lines, .. } => lines.clone(),
        _ => Vec::new(),
    };
    Text {
        message,
        detail,
        more,
        pasted,
        next,
        hint,
    }
}

fn message(refusal: &Refusal) -> (String, Value) {
    use std::os::unix::ffi::OsStrExt;
    let show = |path: &std::path::Path| shown(path.as_os_str().as_bytes());
    match refusal {
        Refusal::Io { deed, path, source } => (
            format!("{deed} {}: {}", show(path), io_reason(source)),
            json!({ "deed": deed, "path": show(path), "reason": io_reason(source) }),
        ),
        Refusal::NotRegular { path, kind } => (
            format!("{} is {kind}, and only regular files can be read here", show(path)),
            json!({ "path": show(path), "kind": kind }),
        ),
        Refusal::ChangedWhileRead { path } => (
            format!("{} changed while it was read", show(path)),
            json!({ "path": show(path) }),
        ),
        Refusal::ThroughLink { path, link, target } => (
            match path == link {
                true => format!(
                    "{} is a link to {}, and is not written through",
                    show(link),
                    show(target)
                ),
                false => format!(
                    "{} is not written: {} is a link to {}",
                    show(path),
                    show(link),
                    show(target)
                ),
            },
            json!({ "path": show(path), "link": show(link), "target": show(target) }),
        ),
        Refusal::OutputExists { path, .. } => (
            format!("{} exists and is not an empty directory", show(path)),
            json!({ "path": show(path) }),
        ),
        Refusal::TwinDiffers { path, why, .. } => (
            format!("{} would be written over, and {why}", show(path)),
            json!({ "path": show(path), "reason": why }),
        ),
        Refusal::UnsafePath { path, reason } => (
            format!("{path} cannot be a member of a pack: {reason}"),
            json!({ "path": path, "reason": reason }),
        ),
        Refusal::Duplicate { path, sources } => (
            format!("two sources for the member {}", shown(path.as_bytes())),
            json!({ "path": path, "sources": sources }),
        ),
        Refusal::Collision { path, sources, .. } => (
            format!("two entries would be restored to {}", shown(path.as_bytes())),
            json!({ "path": path, "sources": sources }),
        ),
        Refusal::ReservedPath { path, source } => (
            format!("{source} cannot be sealed as {path}: the pack itself uses that name"),
            json!({ "path": path, "sources": [source] }),
        ),
        Refusal::Empty => ("there is nothing to seal".into(), json!({})),
        Refusal::BadPack { path, reason } => (
            format!("{} is not a pack that can be judged: {reason}", show(path)),
            json!({ "path": show(path), "reason": reason }),
        ),
        Refusal::BadManifest { name, reason } => (
            format!(
                "{} is no manifest that can be restored: {reason}",
                shown(name.as_bytes())
            ),
            json!({ "path": name, "reason": reason }),
        ),
        Refusal::Audit { run, first, more, .. } => {
            let others = match more {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            (
                format!("the audit of run {run} failed: {}{others}", shown(first.as_bytes())),
                json!({ "run": run, "first": first, "more": more }),
            )
        }
        Refusal::NotSound { path, first, more } => {
            let others = match more {
                0 => String::new(),
                more => format!(", and {more} more"),
            };
            (
                format!("{} does not verify: {}{others}", show(path), shown(first.as_bytes())),
                json!({ "path": show(path), "first": first, "more": more }),
            )
        }
        Refusal::Usage { problem, .. } => (problem.clone(), json!({ "problem": problem })),
        Refusal::NotARepository { path } => (
            format!("there is no git repository at {} or above", show(path)),
            json!({ "path": show(path) }),
        ),
        Refusal::NotYours { path, owner } => (
            format!(
                "the repository at {} belongs to another user (number {owner}), so nothing in it is believed, run or written",
                show(path)
            ),
            json!({ "path": show(path), "owner": owner }),
        ),
        Refusal::Planted { path, kind } => (
            format!(
                "{} is {kind}; only directories and files may stand there, or another file would be read or overwritten",
                show(path)
            ),
            json!({ "path": show(path), "kind": kind }),
        ),
        Refusal::NoWorkTree { what } => (
            format!("{what} needs a work tree, and this repository is bare"),
            json!({ "what": what }),
        ),
        Refusal::NoCommit => ("there is no commit yet".into(), json!({ "rev": "HEAD" })),
        Refusal::BadRevision { rev, reason } => (
            format!("{} does not name a commit: {reason}", shown(rev.as_bytes())),
            json!({ "rev": rev, "reason": reason }),
        ),
        Refusal::BadConfig { origin, line, problem } => {
            let place = match line {
                Some(line) => format!("{origin}, line {line}"),
                None => origin.clone(),
            };
            (
                format!("{place}: {problem}"),
                json!({ "file": origin, "line": line, "problem": problem }),
            )
        }
        Refusal::MissingObject { count, example } => (
            match count {
                1 => format!("an object is not in this clone: {example}"),
                _ => format!("{count} objects are not in this clone, {example} among them"),
            },
            json!({ "count": count, "example": example }),
        ),
        Refusal::MissingContent {
            count,
            sealed,
            example,
            content,
            ..
        } => {
            let all = match (count, sealed) {
                (1, 1) => "a ciphertext is".into(),
                (1, _) => "the content of an entry is".into(),
                (_, 0) => format!("the contents of {count} entries are"),
                (_, sealed) if sealed == count => format!("{count} ciphertexts are"),
                (_, 1) => format!("the contents of {count} entries are, a ciphertext among them,"),
                (_, sealed) => format!("the contents of {count} entries are, {sealed} ciphertexts among them,"),
            };
            let example_is = if *count == 1 { "that of" } else { "one is of" };
            (
                format!("{all} nowhere here: {example_is} {}", shown(example.as_bytes())),
                json!({ "count": count, "sealed": sealed, "example": example, "content": content }),
            )
        }
        Refusal::NoManifest { manifest } => (
            format!("the content store of this clone has no manifest {manifest}"),
            json!({ "count": 1, "example": manifest }),
        ),
        Refusal::CutHistory { commit } => (
            format!("the history of this clone is cut off at {commit}, and the range goes on below it"),
            json!({ "commit": commit }),
        ),
        Refusal::NoRecipients { artifacts, uncommitted } => {
            let noun = if artifacts.len() == 1 {
                "artifact is"
            } else {
                "artifacts are"
            };
            let why = match uncommitted {
                true => "the .gitpack.toml that names recipients is not in that commit",
                false => "there is nobody to seal to",
            };
            (
                format!("{} {noun} protected, and {why}", artifacts.len()),
                json!({ "artifacts": artifacts }),
            )
        }
        Refusal::NoIdentity { path, reason } => (
            format!("the identity {} cannot be used: {reason}", show(path)),
            json!({ "path": show(path), "reason": reason }),
        ),
        Refusal::NoneOpens {
            subject,
            stanzas,
            tried,
        } => (
            format!("no identity here opens {}", shown(subject.as_bytes())),
            json!({ "subject": subject, "stanzas": stanzas, "tried": tried }),
        ),
        Refusal::Locked { subject, reason } => (
            format!("{} was not opened: {reason}", shown(subject.as_bytes())),
            json!({ "subject": subject, "reason": reason }),
        ),
        Refusal::Armoured { path } => (
            format!(
                "{} is armoured: a new header would not leave the text behind it as it is",
                show(path)
            ),
            json!({ "path": show(path) }),
        ),
        Refusal::Crypto { deed, subject, reason } => (
            format!("{deed} {subject}: {reason}"),
            json!({ "deed": deed, "subject": subject, "reason": reason }),
        ),
        Refusal::PlaintextLeak { plain, protected, .. } => (
            format!("{} would stand in the clear, and {protected}", shown(plain.as_bytes())),
            json!({ "path": plain, "protected": protected }),
        ),
        Refusal::Limit {
            scope,
            exceeded,
            largest,
        } => {
            let Exceeded { limit, allowed, found } = *exceeded;
            let largest: Vec<Value> = largest
                .iter()
                .map(|(path, bytes)| json!({ "path": path, "bytes": bytes }))
                .collect();
            (
                format!(
                    "the scope {scope} has {}, {} more than {limit} allows",
                    match limit {
                        "max_entries" => format!("{found} entries"),
                        "max_entry_bytes" => format!("an entry of {found} bytes"),
                        _ => format!("{found} bytes"),
                    },
                    found - allowed
                ),
                json!({ "scope": scope, "limit": limit, "allowed": allowed, "found": found, "largest": largest }),
            )
        }
        Refusal::TooLong { what, allowed, found } => (
            format!(
                "{what} would have {found} bytes, {} more than a pack may have there",
                found - allowed
            ),
            json!({ "limit": what, "allowed": allowed, "found": found }),
        ),
        Refusal::Budget { bound, allowed } => {
            let measure = bound.measure();
            (
                match allowed {
                    Some(allowed) => format!("judging this takes more than {allowed} {measure} that are allowed here"),
                    None => format!("judging this takes more {measure} than are allowed here"),
                },
                json!({ "limit": bound.key(), "allowed": allowed }),
            )
        }
        Refusal::Corrupt { what, .. } => (what.clone(), json!({ "what": what })),
        Refusal::Unsupported { what, .. } => (what.clone(), json!({ "what": what })),
        Refusal::HookManager {
            manager,
            directory,
            lines,
            ..
        } => (
            format!(
                "{} belongs to {manager}, which would write over other hooks",
                show(directory)
            ),
            json!({ "manager": manager, "directory": show(directory), "lines": lines }),
        ),
    }
}

/// Returns the command that would fix it, or else what to do.
fn remedy(refusal: &Refusal) -> (Option<String>, Option<String>) {
    use std::os::unix::ffi::OsStrExt;
    let next = |command: &str| (Some(command.to_owned()), None);
    let hint = |text: &str| (None, Some(text.to_owned()));
    match refusal {
        Refusal::TwinDiffers { instead, .. } => match instead {
            Some(command) => next(command),
            None => (
                None,
                Some(format!(
                    "set one of them aside, or, if it may go, {}",
                    env::invocation_with("--force")
                )),
            ),
        },
        Refusal::ThroughLink { link, .. } => (
            None,
            Some(format!(
                "rm {}    (a repository must not say where else files are written), or name the place that it leads to",
                quoted(link.as_os_str().as_bytes())
            )),
        ),
        Refusal::Armoured { .. } => (Some(env::invocation_with("--reencrypt")), None),
        Refusal::OutputExists { replaceable: true, .. } => (Some(env::invocation_with("--replace")), None),
        Refusal::OutputExists { replaceable: false, .. } => hint("--output <another path>"),
        Refusal::Empty => hint("git pack seal <file or directory>…, or run it in a repository to seal its commit"),
        Refusal::Usage { next, .. } => (next.clone(), None),
        Refusal::NotARepository { .. } => hint("run it inside a repository, or make one with git init"),
        Refusal::NotYours { path, .. } => hint(&format!(
            "if you trust whoever can write there: git config --global --add safe.directory {}",
            quoted(path.as_os_str().as_encoded_bytes())
        )),
        Refusal::Planted { path, .. } => next(&format!("rm {}", quoted(path.as_os_str().as_encoded_bytes()))),
        Refusal::NoCommit => hint("git commit"),
        Refusal::BadRevision { .. } => hint("git log --oneline --all"),
        Refusal::CutHistory { .. } => (
            Some("git fetch --unshallow".into()),
            Some("git fetch --unshallow, or, where what is here will do, --shallow".into()),
        ),
        Refusal::MissingObject { .. } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent { sealed: 1.., .. } => {
            hint("a pack that has them: ciphertexts are in packs, and in the clone that sealed them, never in git")
        }
        Refusal::MissingContent { has_commit: true, .. } => next("git fetch --refetch --no-filter"),
        Refusal::MissingContent { .. } => hint("in a clone that has the commit, or fetch it: git fetch"),
        Refusal::Collision {
            as_ciphertext: true, ..
        } => hint("--identity FILE opens what is sealed, so that it comes to its own path"),
        Refusal::Collision { .. } => hint("without --identity, what is sealed is restored as ciphertext beside it"),
        Refusal::NoManifest { .. } => {
            hint("restore from a pack, or in the clone that sealed one: LITE/RUN_REFS.json names it as manifest_ref")
        }
        Refusal::BadManifest { .. } => hint("another pack or manifest of the commit: git pack seal --emit lite"),
        Refusal::NoRecipients { uncommitted: true, .. } => {
            next("git add .gitpack.toml && git commit -m 'Add .gitpack.toml'")
        }
        Refusal::NoRecipients { .. } => (
            Some("git pack init".into()),
            Some("git pack init, or git pack recipients add age1…, or --recipient age1…".into()),
        ),
        Refusal::NoneOpens { .. } => hint("--identity names another identity file, or an SSH key"),
        Refusal::PlaintextLeak {
            plain,
            may_be_named: true,
            ..
        } => (
            None,
            Some(format!(
                "leave it out, or, if everybody may have it, add --plaintext {}",
                quoted(plain.as_bytes())
            )),
        ),
        Refusal::PlaintextLeak { .. } => hint("leave it out, or protect it with a [[protect]] rule in .gitpack.toml"),
        Refusal::ChangedWhileRead { .. } => hint("run it again when nothing writes to the file"),
        Refusal::Limit { scope, .. } => (
            None,
            Some(format!(
                "leave entries out with exclude, or raise the limit, in [scope.{scope}] of .gitpack.toml, and commit it"
            )),
        ),
        Refusal::TooLong { .. } => hint("seal less at once: a smaller scope, or fewer artifacts"),
        Refusal::Budget { bound, allowed } => {
            let more = allowed.map_or("1g".into(), |allowed| allowed.saturating_mul(10).to_string());
            let key = bound.key();
            hint(&format!(
                "if it is meant to be so large, where it is judged: git config {key} {more}"
            ))
        }
        Refusal::Corrupt { remedy, .. } | Refusal::Unsupported { remedy, .. } => hint(remedy),
        Refusal::HookManager { .. } => (
            Some("git pack install --force".into()),
            Some("or chain them all the same: git pack install --force".into()),
        ),
        Refusal::Audit { run, directory, .. } => (
            Some(format!("git pack audit --run {run}")),
            Some(format!(
                "git pack audit --run {run}; then, to have the run recorded anew: rm -r {}",
                quoted(directory.as_os_str().as_bytes())
            )),
        ),
        Refusal::NotSound { path, .. } => (
            Some(format!("git pack verify {}", quoted(path.as_os_str().as_bytes()))),
            None,
        ),
        Refusal::BadPack { .. } => hint("seal it again, or fetch it again from where it came"),
        Refusal::Duplicate { .. } | Refusal::ReservedPath { .. } => {
            hint("rename one of them, or seal them in two packs")
        }
        Refusal::UnsafePath { .. } => hint("rename it, or leave it out"),
        Refusal::NoWorkTree { .. }
        | Refusal::Io { .. }
        | Refusal::NotRegular { .. }
        | Refusal::BadConfig { .. }
        | Refusal::NoIdentity { .. }
        | Refusal::Locked { .. }
        | Refusal::Crypto { .. } => (None, None),
    }
}
