//! What became of a rekeying, as people read it.

use std::path::Path;

use crate::cli::output::Output;
use crate::cli::output::human::{path_from, remote_name};
use crate::cli::output::refusal::one_line;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{LOOK, TYPE, count, paint, quoted};
use crate::ops::Context;
use crate::ops::pack::rekey::{RekeyReport, Remaining};
use crate::refusal::shown::{harmless, shown};

/// So many refs are named in one place.
const NAMED: usize = 8;

pub(crate) fn rekeyed(output: &mut Output, ctx: &Context, report: &RekeyReport) {
    output.line(&format!("REKEYED {}", report.artifacts));
    let slash = if report.pack_id.is_some() { "/" } else { "" };
    output.line(&format!("{}{slash}", path_from(&ctx.cwd, &report.output)));
    let recipients = count(report.recipients as u64, "recipient");
    let keys = match report.reencrypted {
        true => "encrypted anew, under new file keys",
        false => "file keys and payloads are unchanged",
    };
    output.err(&format!(
        "  {} for {recipients} · {keys}\n",
        count(report.artifacts, "artifact")
    ));
    let note = paint(LOOK, "note");
    output.err(&match report.reencrypted {
        true => format!(
            "  {note} whoever could open the old ciphertexts still can, wherever they remain: nothing takes back\n       \
             what was published already, and only new content is out of their reach\n"
        ),
        false => format!(
            "  {note} whoever could open the old ciphertexts still can: the file keys are unchanged, so that an old\n       \
             header, if kept, opens what stands here now, too; --reencrypt makes new file keys, but not even that\n       \
             takes back what was published already: only new content is out of their reach\n"
        ),
    });
    remains(output, &ctx.cwd, report);
    if report.is_twin {
        let path = std::os::unix::ffi::OsStrExt::as_bytes(path_of(&ctx.cwd, &report.output).as_os_str());
        let command = format!("git add {}", quoted(path));
        output.err(&format!("  {:<10} {}\n", "next", paint(TYPE, &command)));
    }
}

fn path_of<'a>(from: &Path, path: &'a Path) -> &'a Path {
    path.strip_prefix(from).unwrap_or(path)
}

fn remains(output: &mut Output, cwd: &Path, report: &RekeyReport) {
    let remains = &report.remains;
    match remains.places.is_empty() {
        true => output.err("  no old ciphertext was found from here; copies elsewhere are not known\n"),
        false => output.err("  old ciphertexts remain, as far as can be seen from here:\n"),
    }
    let slash = if report.pack_id.is_some() { "/" } else { "" };
    let rows: Vec<[String; 3]> = remains.places.iter().map(|place| row(cwd, place, slash)).collect();
    output.err(&aligned(&rows, "    "));
    for (what, why) in &remains.unseen {
        let why = harmless(&one_line(why));
        output.err(&format!("  {} {what}: {why}\n", paint(LOOK, "note")));
    }
}

fn row(cwd: &Path, place: &Remaining, slash: &str) -> [String; 3] {
    let ciphertexts = |n: &usize| count(*n as u64, "ciphertext");
    let [what, place, about] = match place {
        Remaining::Source(path) => [
            "what was rekeyed".into(),
            format!("{}{slash}", path_from(cwd, path)),
            String::new(),
        ],
        Remaining::Pack(path, n) => ["pack".into(), format!("{}/", path_from(cwd, path)), ciphertexts(n)],
        Remaining::Store(path, n) => [
            "seal store".into(),
            format!("{}/", path_from(cwd, path)),
            ciphertexts(n),
        ],
        Remaining::Refs(names) => ["history".into(), listed(names), String::new()],
        Remaining::Remote(name, branches) => {
            let about = "when last fetched or pushed".to_owned();
            [format!("remote {}", remote_name(name)), listed(branches), about]
        }
        Remaining::Objects => [
            "git".into(),
            "its object database".into(),
            "no branch or tag leads there".into(),
        ],
    };
    [what, place, about]
}

/// Names refs: branches by their bare name, tags as such.
fn listed(names: &[String]) -> String {
    let name = |name: &String| {
        let said = match (name.strip_prefix("heads/"), name.strip_prefix("tags/")) {
            (Some(branch), _) => branch.to_owned(),
            (_, Some(tag)) => format!("tag {tag}"),
            _ => name.clone(),
        };
        shown(said.as_bytes())
    };
    let mut all: Vec<String> = names.iter().take(NAMED).map(name).collect();
    if names.len() > all.len() {
        all.push(format!("and {} more", names.len() - all.len()));
    }
    all.join(", ")
}
