//! Reports as people read them.

use std::path::Path;
use std::time::Duration;

use crate::cli::env;
use crate::cli::output::Output;
use crate::cli::output::guard::in_part_notice;
use crate::cli::output::refusal::usage::flag;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{BLOCKS, LOOK, PROVEN, TYPE, count, duration, paint, size, without_password};
use crate::format::digest::Digest;
use crate::format::repo_state::Mode;
use crate::ops::Context;
use crate::ops::guard::init::InitReport;
use crate::ops::guard::install::{ALL_HOOKS, HooksReport};
use crate::ops::keys::key::{Generated, KeyPlace, Origin};
use crate::ops::pack::diff::DiffReport;
use crate::ops::pack::inspect::InspectReport;
use crate::ops::pack::open::OpenReport;
use crate::ops::pack::seal::{Notice, SealReport};
use crate::ops::pack::verify::VerifyReport;
use crate::ops::state::State;
use crate::refusal::shown::{harmless, shown};

pub(crate) fn init(output: &mut Output, ctx: &Context, report: &InitReport) {
    let mut row = |label: &str, what: &str, about: &str| {
        output.line(format!("{label:<10} {what:<24} {about}").trim_end());
    };
    match report.config_written {
        true => row("wrote", ".gitpack.toml", "what is protected here, and who can open it"),
        false => row("kept", ".gitpack.toml", "it was there"),
    }
    match report.ignore_written {
        true => row("ignored", "_PACK_RUN/", "in .gitignore"),
        false => row("kept", ".gitignore", "it ignores _PACK_RUN/ already"),
    }
    let identity = tilde(&report.identity);
    match report.identity_made {
        true => row(
            "identity",
            &identity,
            "(new, keep it safe: without it sealed artifacts cannot be opened)",
        ),
        false => row("identity", &identity, "(it was there)"),
    }
    match (report.recipient_listed, report.config_written) {
        (true, true) => row("recipient", &short_key(&report.recipient), "added to .gitpack.toml"),
        (true, false) => row("recipient", &short_key(&report.recipient), "in .gitpack.toml already"),
        (false, _) => row("recipient", &short_key(&report.recipient), "not in .gitpack.toml"),
    }
    hooks(output, ctx, &report.hooks);
    let mut next = Vec::new();
    if !report.recipient_listed {
        next.push(format!("git pack recipients add {}", report.recipient));
    }
    if report.config_written || report.ignore_written {
        next.push("git add .gitpack.toml .gitignore && git commit".into());
    }
    for command in next {
        output.line(&format!("{:<10} {}", "next", paint(TYPE, &command)));
    }
}

fn hooks(output: &mut Output, ctx: &Context, report: &HooksReport) {
    let mut names: Vec<_> = report.changed.iter().chain(&report.unchanged).copied().collect();
    names.sort_by_key(|name| ALL_HOOKS.iter().position(|hook| hook == name));
    let about = if report.changed.is_empty() {
        " (they were there)"
    } else {
        ""
    };
    let directory = path_from(&ctx.cwd, &report.directory);
    output.line(&format!("{:<10} {} in {directory}{about}", "hooks", names.join(", ")));
    for hook in &report.chained {
        output.line(&format!(
            "{:<10} {hook}: the hook that was there runs first, as {hook}.chained",
            "chained"
        ));
    }
    for hook in &report.configured {
        output.line(&format!(
            "{:<10} {hook}: in git's configuration, beside the hook that is there",
            "configured"
        ));
    }
    if !report.configured.is_empty() {
        let force = paint(TYPE, "git pack install --force");
        output.line(&format!(
            "{:<10} a git before 2.54, such as an editor may bring along, passes over these      → {force} chains instead",
            ""
        ));
    }
}

pub(crate) fn installed(output: &mut Output, ctx: &Context, report: &HooksReport) {
    hooks(output, ctx, report);
}

pub(crate) fn uninstalled(output: &mut Output, ctx: &Context, report: &HooksReport) {
    let directory = path_from(&ctx.cwd, &report.directory);
    match report.changed.is_empty() {
        true => output.line(&format!("removed    nothing: no hook of git-pack is in {directory}")),
        false => {
            let files: Vec<&str> = report
                .changed
                .iter()
                .copied()
                .filter(|hook| !report.configured.contains(hook))
                .collect();
            if !files.is_empty() {
                output.line(&format!("removed    {} from {directory}", files.join(", ")));
            }
            if !report.configured.is_empty() {
                output.line(&format!(
                    "removed    {} from git's configuration",
                    report.configured.join(", ")
                ));
            }
        }
    }
}

pub(crate) fn recipient_added(output: &mut Output, recipient: &str, added: bool) {
    let about = if added {
        "added to .gitpack.toml"
    } else {
        "in .gitpack.toml already"
    };
    output.line(&format!("{:<10} {} {about}", "recipient", short_key(recipient)));
}

pub(crate) fn key_generated(output: &mut Output, made: &Generated) {
    output.line(&made.recipient);
    let locked = if made.locked { ", locked by its passphrase" } else { "" };
    output.err(&format!(
        "  identity   {} (new{locked}; keep it safe: without it what is sealed for it cannot be opened)\n",
        tilde(&made.path)
    ));
}

pub(crate) fn key_places(output: &mut Output, places: &[KeyPlace]) {
    output.line("--identity           of the command line, before all others");
    for place in places {
        let label = match place.origin {
            Origin::Environment => "GIT_PACK_IDENTITY",
            Origin::GitConfig => "gitpack.identity",
            Origin::Default => "default",
        };
        let path = place.path.as_deref().map_or_else(|| "not set".to_owned(), tilde);
        let force = if place.in_force { "  (in force)" } else { "" };
        output.line(&format!("{label:<20} {path}{force}"));
        match &place.keys {
            Ok(None) if place.path.is_some() => output.line("                       not there"),
            Ok(None) => {}
            Ok(Some(keys)) => {
                for key in keys {
                    let recipient = key.recipient.as_deref().unwrap_or("");
                    output.line(format!("                       {:<12} {recipient}", key.kind).trim_end());
                }
            }
            Err(why) => output.line(&format!(
                "                       cannot be used: {}",
                shown(why.as_bytes())
            )),
        }
    }
}

pub(crate) fn recipient_removed(output: &mut Output, recipient: &str) {
    output.line(&format!(
        "{:<10} {} removed from .gitpack.toml",
        "recipient",
        short_key(recipient)
    ));
    output.err("  whoever has its identity can still open what was sealed before\n");
}

pub(crate) fn other_state(output: &mut Output, state: &State, expected: &Digest) {
    output.err(&format!(
        "git-pack: the state of {} is another one\n  expected   {expected}\n  found      {}\n",
        state.commit.id.short(),
        state.digest(),
    ));
}

pub(crate) fn sealed(output: &mut Output, ctx: &Context, report: &SealReport, time: Duration) {
    output.line(&format!("PACK_CREATED {}", report.pack_id));
    output.line(&format!("{}/", path_from(&ctx.cwd, &report.output)));
    let mut parts = Vec::new();
    if let Some((commit, branch)) = &report.commit {
        let branch = branch
            .as_ref()
            .map(|name| format!(" {}", shown(name.as_bytes())))
            .unwrap_or_default();
        parts.push(format!("commit {}{branch}", commit.id.short()));
    }
    parts.push(format!(
        "{}, {}",
        count(report.plain_files, "file"),
        size(report.plain_bytes)
    ));
    if report.sealed > 0 {
        let reused = match report.reused {
            0 => String::new(),
            n if report.taken_over > 0 => {
                format!(
                    " ({n} reused, {} of another pack, for whoever can open them there)",
                    report.taken_over
                )
            }
            n => format!(" ({n} reused)"),
        };
        let recipients = count(report.recipients as u64, "recipient");
        parts.push(format!("{} sealed for {recipients}{reused}", report.sealed));
    }
    if report.existed {
        parts.push("it stood there already, whole".into());
    }
    parts.push(duration(time));
    output.err(&format!("  {}\n", parts.join(" · ")));
    for notice in &report.notices {
        output.err(&format!("  {} {}\n", paint(LOOK, "note"), self::notice(notice)));
    }
}

fn notice(notice: &Notice) -> String {
    match notice {
        Notice::ConfigDiffers { commit } => {
            format!("the .gitpack.toml of {commit} was used; the one in the work tree differs")
        }
        Notice::Unprotected { path, class } => format!(
            "{} stands in the clear: no .gitpack.toml applies here, else it would be protected as {class}",
            shown(path.as_bytes())
        ),
        Notice::Released { path } => format!(
            "{} stands in the clear by --plaintext; the rules of the commit seal it, and verify --rev will say so",
            shown(path.as_bytes())
        ),
        Notice::NothingSealed { option } => {
            let flag = flag(*option);
            format!("{flag} was given, and nothing of what was named is protected: it stands in the clear")
        }
        Notice::AttachTracked { path } => {
            format!("--attach {path}: the commit tracks it, so the pack has it already")
        }
        Notice::NowhereToAttach => {
            "attach of .gitpack.toml is passed over: a bare repository has no files beside its commits".into()
        }
        Notice::NoAnchor { path } => {
            format!(
                "anchors: {} is no text in this pack, so nobody is told to read it first",
                shown(path.as_bytes())
            )
        }
        Notice::SameButForCase { paths: [one, other] } => format!(
            "{} and {} are one file where case or Unicode form do not count",
            shown(one.as_bytes()),
            shown(other.as_bytes())
        ),
    }
}

pub(crate) fn opened(output: &mut Output, ctx: &Context, report: &OpenReport) {
    let Some(directory) = &report.output else { return };
    output.line(&format!("OPENED {}", report.artifacts));
    output.line(&format!("{}/", path_from(&ctx.cwd, directory)));
    let artifacts = count(report.artifacts, "artifact");
    output.err(&format!(
        "  {artifacts}, {} · for your eyes only (mode 700)\n",
        size(report.bytes)
    ));
}

pub(crate) fn verified(output: &mut Output, report: &VerifyReport) {
    let verdict = &report.verdict;
    let outcome = match verdict.findings.is_empty() {
        true => paint(PROVEN, "OK"),
        false => paint(BLOCKS, "INVALID"),
    };
    output.line(&format!("pack verify: {outcome}"));
    output.line(&format!("  pack_id: {}", shown(verdict.pack_id.as_bytes())));
    let rows: Vec<[String; 3]> = verdict
        .findings
        .iter()
        .map(|finding| {
            let what = match (finding.kind.mismatch(), finding.kind.detail()) {
                (Some(mismatch), detail) => {
                    let detail = detail.map(|detail| format!("; {detail}")).unwrap_or_default();
                    format!(
                        "expected {}, found {}{detail}",
                        short(&mismatch.expected.to_string()),
                        short(&mismatch.actual.to_string())
                    )
                }
                (None, detail) => detail.map(harmless).unwrap_or_default(),
            };
            let path = match finding.path.as_str() {
                "" => "manifest.json".into(),
                path => harmless(path),
            };
            [path, finding.kind.code().to_owned(), what]
        })
        .collect();
    columns(output, &rows);
    for (path, why) in &verdict.in_part {
        output.err(&in_part_notice(path, why));
    }
    let members = count(verdict.members as u64, "member");
    if verdict.findings.is_empty() {
        let mut facts = vec![format!("{members} intact")];
        if let Some(sealed) = verdict.sealed.as_ref().filter(|sealed| !sealed.artifacts.is_empty()) {
            let opened = if report.opened { ", all of them open" } else { "" };
            facts.push(format!("{} sealed{opened}", sealed.artifacts.len()));
        }
        if verdict
            .sealed
            .as_ref()
            .is_some_and(|sealed| sealed.mode == Mode::Internal)
        {
            facts.push("internal: not for everybody".into());
        }
        if let Some(state) = &verdict.state {
            let commit = match (&report.compared_with, &state.commit) {
                (Some(id), _) => format!("state equals that of {}", id.short()),
                (None, Some(id)) => format!(
                    "state {} of commit {}",
                    short(&state.digest.to_string()),
                    shown(id.get(..7).unwrap_or(id).as_bytes())
                ),
                (None, None) => format!("state {}", short(&state.digest.to_string())),
            };
            facts.push(commit);
        }
        output.line(&format!("  {}", facts.join(" · ")));
    } else {
        output.line(&format!(
            "  {} in a pack of {members}",
            count(verdict.findings.len() as u64, "finding")
        ));
    }
}

pub(crate) fn compared(output: &mut Output, report: &DiffReport) {
    let difference = &report.difference;
    let outcome = match difference.is_empty() {
        true => paint(PROVEN, "NO_CHANGES"),
        false => paint(LOOK, "CHANGES"),
    };
    output.line(&format!("pack diff: {outcome}"));
    let mut rows = Vec::new();
    rows.extend(
        difference
            .added
            .iter()
            .map(|path| ["added".to_owned(), shown(path.as_bytes()), String::new()]),
    );
    rows.extend(
        difference
            .removed
            .iter()
            .map(|path| ["removed".to_owned(), shown(path.as_bytes()), String::new()]),
    );
    for changed in &difference.changed {
        let shift = report.shifts.iter().find(|shift| shift.path == changed.path);
        let what = match shift {
            Some(shift) => shown(format!("{}: {} -> {}", shift.tool, shift.before, shift.after).as_bytes()),
            None => format!("{} -> {}", short(&changed.before), short(&changed.after)),
        };
        rows.push(["changed".to_owned(), shown(changed.path.as_bytes()), what]);
    }
    columns(output, &rows);
    output.line(&format!(
        "  {} added, {} removed, {} changed, {} unchanged",
        difference.added.len(),
        difference.removed.len(),
        difference.changed.len(),
        difference.unchanged
    ));
}

pub(crate) fn inspected(output: &mut Output, report: &InspectReport) {
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
            format!("{commit}, scope {} ({title})", shown(info.scope.as_bytes())),
        ));
    }
    if let Some(state) = &report.state {
        facts.push(("state", state.to_string()));
    }
    for (label, fact) in facts {
        output.line(&format!("{label:<9}  {fact}"));
    }
    let total: u64 = report.members.iter().filter_map(|member| member.size).sum();
    output.line(&format!("{:<9}  {}, {}", "members", report.members.len(), size(total)));
    let rows: Vec<[String; 4]> = report
        .members
        .iter()
        .map(|member| {
            let bytes = member.size.map_or_else(|| "missing".to_owned(), size);
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
    columns(output, &rows);
}

fn columns<const N: usize>(output: &mut Output, rows: &[[String; N]]) {
    for line in aligned(rows, "  ").lines() {
        output.line(line);
    }
}

pub(super) fn advise(advice: &[(&str, String)]) -> String {
    let rows: Vec<[String; 2]> = advice
        .iter()
        .map(|(what, command)| [(*what).to_owned(), paint(TYPE, command)])
        .collect();
    aligned(&rows, "  ")
}

/// Shortens a content ref to what is needed to recognise it.
fn short(text: &str) -> String {
    match Digest::parse_ref(text) {
        Some(_) => format!("{}…", &text[.."sha256:".len() + 12]),
        None => shown(text.as_bytes()),
    }
}

/// Shortens a recipient to its two ends.
pub(super) fn short_key(recipient: &str) -> String {
    let mut words = recipient.split_ascii_whitespace();
    if let (Some(kind), Some(key)) = (words.next(), words.next()) {
        let end = words
            .next()
            .unwrap_or_else(|| key.get(key.len().saturating_sub(4)..).unwrap_or(key));
        return shown(format!("{kind} …{end}").as_bytes());
    }
    match recipient.is_ascii() && recipient.len() > 20 {
        true => format!("{}…{}", &recipient[..7], &recipient[recipient.len() - 4..]),
        false => shown(recipient.as_bytes()),
    }
}

/// Returns a remote's name; of a URL, without a password that may be in it.
pub(super) fn remote_name(remote: &str) -> String {
    if remote.is_empty() {
        return "the remote".into();
    }
    shown(without_password(remote).as_bytes())
}

/// Returns `path` as it is written from `from`, where it lies below that, else whole.
pub(super) fn path_from(from: &Path, path: &Path) -> String {
    let path = match path.strip_prefix(from) {
        Ok(below) if !below.as_os_str().is_empty() => below,
        _ => path,
    };
    shown(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

pub(super) fn tilde(path: &Path) -> String {
    match env::home().and_then(|home| path.strip_prefix(home).ok().map(Path::to_owned)) {
        Some(below) => format!("~/{}", below.display()),
        None => path.display().to_string(),
    }
}
