//! Refusals for machines and people: the one place that maps a reason to message, detail, hint and exit status.

mod detail;
pub(crate) mod keys;
mod outside;
mod remedy;
pub(crate) mod usage;
mod words;

use serde_json::{Value, json};

use crate::cli::env;
use crate::cli::exit::Exit;
use crate::cli::output::Output;
use crate::cli::output::names::relative_to;
use crate::cli::output::words::{BLOCKS, TYPE, paint};
use crate::cli::style::Style;
use crate::format::canonical_json::to_document;
use crate::refusal::Refusal;
use crate::refusal::shown::{harmless, shown, without_private_keys};
use detail::detail;
use remedy::remedy;

/// Prints a refusal and returns the exit status.
pub(crate) fn print(output: &mut Output, refusal: &Refusal, style: Style) -> Exit {
    if let Refusal::Io { source, .. } = refusal
        && source.kind() == std::io::ErrorKind::BrokenPipe
    {
        // The reader of our output is gone. git prints nothing then, and neither do we.
        return Exit::Refused;
    }
    match style {
        Style::Human | Style::Hook => {}
        Style::Unasked if output.is_terminal() => {}
        Style::Envelope | Style::Unasked => output.out(&envelope(refusal)),
        Style::Outcome(command) => output.line(&format!("{command}: {}", paint(BLOCKS, "REFUSAL"))),
        Style::Document(around) => output.out(&around(body(refusal))),
    }
    let text = explain(refusal);
    let mut human = format!("git-pack: {}\n", harmless(&text.message));
    for line in &text.more {
        human.push_str(&format!("  {}\n", harmless(line)));
    }
    for line in &text.pasted {
        human.push_str(&format!("{}\n", paint(TYPE, line)));
    }
    if matches!(style, Style::Hook) {
        human.push_str("  this could not be checked, so git stops here\n");
    }
    if let Some(hint) = text.hint.as_ref().or(text.next.as_ref()) {
        human.push_str(&format!("  try        {}\n", paint(TYPE, hint)));
    }
    output.alarm(&relative_to(&env::directory(), &human));
    Exit::Refused
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

/// Returns the code, message, detail and next command of a refusal.
pub(crate) fn body(refusal: &Refusal) -> Value {
    let text = explain(refusal);
    json!({
        "code": refusal.code().as_str(),
        "message": text.message,
        "detail": text.detail,
        "next_command": text.next,
    })
}

/// The texts of a refusal.
struct Text {
    /// What, where and why, on one line.
    message: String,
    /// The parts of it, for machines.
    detail: Value,
    /// Further lines for people.
    more: Vec<String>,
    /// Lines to be pasted, printed verbatim.
    pasted: Vec<&'static str>,
    /// The command that would fix it.
    next: Option<String>,
    /// What to do where no single command would.
    hint: Option<String>,
}

fn explain(refusal: &Refusal) -> Text {
    let (next, hint) = remedy(refusal);
    let more = match refusal {
        Refusal::HookManager { manager, .. } => vec![format!("{}:", words::adding(*manager))],
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
                true => "found no identity to try".into(),
                false => format!("tried {}", shown(tried.join(", ").as_bytes())),
            };
            vec![format!(
                "it is sealed for other keys ({}); {tried}",
                shown(stanzas.join(", ").as_bytes())
            )]
        }
        _ => Vec::new(),
    };
    let pasted = match refusal {
        Refusal::HookManager { manager, .. } => manager.lines(),
        _ => Vec::new(),
    };
    // Whoever mistakes a key for the name of its file must not find it in a log.
    let clean = |text: String| without_private_keys(&text);
    let mut detail = detail(refusal);
    clean_texts(&mut detail);
    Text {
        message: clean(words::message(refusal)),
        detail,
        more: more.into_iter().map(clean).collect(),
        pasted,
        next: next.map(clean),
        hint: hint.map(clean),
    }
}

/// Removes private keys from all texts of a document.
pub(crate) fn clean_texts(value: &mut Value) {
    match value {
        Value::String(text) => *text = without_private_keys(text),
        Value::Array(items) => items.iter_mut().for_each(clean_texts),
        Value::Object(fields) => fields.values_mut().for_each(clean_texts),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}
