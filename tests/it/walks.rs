//! The commands of README and of the recipes, run as they stand there, and their output compared with what stands there.
//!
//! With GITPACK_WRITE_DOCS=1, the output is written into the page instead, so that the ids in it agree.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use crate::common::{Place, Repo};
use crate::sharing::server::RegistryServer;

/// What stands in the pages for the home directory, and for the registry.
const HOME: &str = "/home/ann";
const REGISTRY: &str = "localhost:5000";

/// A command of a page, and the lines of the page that show its output.
struct Shown {
    command: String,
    output: std::ops::Range<usize>,
}

/// Returns the commands of a page: lines that begin with a prompt, in blocks without a language.
fn commands(lines: &[String]) -> Vec<Shown> {
    let mut found: Vec<Shown> = Vec::new();
    let mut in_block = false;
    let mut of_shell = false;
    for (at, line) in lines.iter().enumerate() {
        if line.starts_with("```") {
            in_block = !in_block;
            of_shell = in_block && line == "```" && lines.get(at + 1).is_some_and(|next| next.starts_with("$ "));
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| of_shell && in_block) {
            found.push(Shown {
                command: command.to_owned(),
                output: at + 1..at + 1,
            });
        } else if of_shell && in_block {
            found.last_mut().unwrap().output.end = at + 1;
        }
    }
    found
}

/// Returns a line without what differs from machine to machine: ids, keys, times, sizes, and the width of columns.
fn settled(line: &str) -> String {
    let mut words: Vec<String> = line.split_whitespace().map(without_ids).collect();
    for at in 1..words.len() {
        let unit = words[at].trim_end_matches([',', ')', ';', '.']).to_owned();
        let is_unit = matches!(unit.as_str(), "ms" | "s" | "byte" | "bytes" | "KiB" | "MiB" | "%");
        let number = words[at - 1].trim_start_matches('(');
        if is_unit && number.parse::<f64>().is_ok() {
            words[at - 1] = "N".to_owned();
            words[at] = words[at].replace(&unit, "unit");
        }
    }
    words.join(" ")
}

/// Returns a word with `#` for each id in it, and for each key of age.
fn without_ids(word: &str) -> String {
    let mut settled = String::new();
    let mut rest = word;
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        let (run, behind) = rest.split_at(end);
        rest = behind;
        if run.starts_with("age1") {
            settled.push_str("age1#");
            // A key that is shortened has an ellipsis and its end.
            if let Some(end) = rest.strip_prefix('…') {
                rest = end.trim_start_matches(|c: char| c.is_ascii_alphanumeric());
            }
        } else if run.len() >= 7 && run.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()) {
            settled.push('#');
        } else {
            settled.push_str(run);
        }
        let other = rest.find(|c: char| c.is_ascii_alphanumeric()).unwrap_or(rest.len());
        settled.push_str(&rest[..other]);
        rest = &rest[other..];
    }
    settled
}

/// Runs the commands in one shell, and returns what each wrote.
fn run(place: &Place, commands: &[Shown], registry: &str) -> Vec<Vec<String>> {
    let mut script = String::from("exec 2>&1\n");
    for (at, shown) in commands.iter().enumerate() {
        let command = shown.command.replace(REGISTRY, registry);
        writeln!(script, "printf '\\036%s\\n' {at}\n{command}").unwrap();
    }
    let file = place.path().join("script");
    fs::write(&file, script).unwrap();
    let config = place.home().join(".gitconfig");
    fs::write(
        &config,
        "[user]\nname = Ann\nemail = ann@example.org\n[init]\ndefaultBranch = main\n",
    )
    .unwrap();
    let mut shell = place.command("bash", &place.home());
    for variable in [
        "AUTHOR_NAME",
        "AUTHOR_EMAIL",
        "AUTHOR_DATE",
        "COMMITTER_NAME",
        "COMMITTER_EMAIL",
        "COMMITTER_DATE",
    ] {
        shell.env_remove(format!("GIT_{variable}"));
    }
    let output = shell.arg(&file).env("GIT_CONFIG_GLOBAL", &config).output().unwrap();
    let home = place.home().canonicalize().unwrap().to_str().unwrap().to_owned();
    let text = String::from_utf8(output.stdout).unwrap();
    let text = text.replace(&home, HOME).replace(registry, REGISTRY);
    let mut answers = vec![Vec::new(); commands.len()];
    for part in text.split('\u{1e}').skip(1) {
        let mut lines = part.lines();
        let at: usize = lines.next().unwrap().parse().unwrap();
        answers[at] = lines.map(str::to_owned).collect();
    }
    answers
}

/// Returns the ids in a text, by the digits that a short one has.
fn ids_of(text: &str) -> impl Iterator<Item = &str> {
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric());
    let is_id = |run: &&str| run.len() >= 7 && run.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase());
    runs.filter(is_id).map(|run| &run[..7])
}

/// Returns whether an id of the page always stands for the same id of the output. Adds what is new to `ids`.
fn agree(ids: &mut BTreeMap<String, String>, page: &str, output: &str) -> bool {
    ids_of(page)
        .zip(ids_of(output))
        .all(|(shown, printed)| ids.entry(shown.to_owned()).or_insert_with(|| printed.to_owned()) == printed)
}

/// Runs the commands of a page, and fails where it shows other output.
fn walk(page: &str) {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join(page);
    let text = fs::read_to_string(&path).unwrap();
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let commands = commands(&lines);
    assert!(commands.len() > 20, "{page} has {} commands", commands.len());
    let place = Place::new();
    let registry = commands
        .iter()
        .any(|shown| shown.command.contains(REGISTRY))
        .then(RegistryServer::start);
    let host = registry.as_ref().map_or(REGISTRY.to_owned(), RegistryServer::host);
    let answers = run(&place, &commands, &host);
    let write = std::env::var_os("GITPACK_WRITE_DOCS").is_some();
    let (mut differences, mut ids) = (String::new(), BTreeMap::new());
    for (shown, answer) in commands.iter().zip(&answers).rev() {
        let printed: Vec<String> = lines[shown.output.clone()].to_vec();
        let settle = |lines: &[String]| lines.iter().map(|line| settled(line)).collect::<Vec<_>>();
        // Another implementation of age may have other words.
        if shown.command.starts_with("age ") {
            continue;
        }
        let same = settle(&printed) == settle(answer) && agree(&mut ids, &printed.join("\n"), &answer.join("\n"));
        if same && !write {
            continue;
        }
        differences = format!(
            "$ {}\n--- {page} shows\n{}\n--- it prints\n{}\n\n{differences}",
            shown.command,
            printed.join("\n"),
            answer.join("\n")
        );
        lines.splice(shown.output.clone(), answer.clone());
    }
    if write {
        fs::write(&path, lines.join("\n") + "\n").unwrap();
    } else {
        assert!(
            differences.is_empty(),
            "\n{differences}GITPACK_WRITE_DOCS=1 writes this into {page}"
        );
    }
}

#[test]
fn the_walk_of_the_readme_prints_what_stands_there() {
    walk("README.md");
}

#[test]
fn the_recipes_print_what_stands_there() {
    walk("docs/recipes.md");
}

/// README seals a pack of git-pack itself. That was refused, because keys that the tests recognise had no exception.
#[test]
fn a_pack_of_git_pack_itself_can_be_sealed() {
    let repo = Repo::empty();
    for entry in fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap() {
        let entry = entry.unwrap();
        let made = [".git", "target", "_PACK_RUN", "pack"];
        if made.iter().any(|made| entry.file_name() == *made) {
            continue;
        }
        let from = entry.path();
        let to = repo.root.join(entry.file_name());
        repo.place
            .run(&repo.root, "cp", &["-R", from.to_str().unwrap(), to.to_str().unwrap()])
            .ok();
    }
    repo.commit("all");
    let sealed = repo.pack(&["seal"]).ok().out();
    assert!(sealed.starts_with("PACK_CREATED sha256:"), "{sealed}");
    let pack = sealed.lines().nth(1).unwrap();
    repo.pack(&["verify", pack, "--rev", "HEAD"]).ok();
}

#[test]
fn lines_are_compared_without_what_differs_from_machine_to_machine() {
    assert_eq!(
        settled("  examined 2 commits, 1 blob, 4.0 KiB in 0.26 s"),
        settled("  examined 2 commits, 1 blob, 4.1 KiB in 47 ms")
    );
    assert_eq!(
        settled("recipient  age1cz2…q3nm added"),
        settled("recipient age1abc…wxyz added")
    );
    assert_eq!(
        settled("PACK_CREATED sha256:53e529766599"),
        settled("PACK_CREATED sha256:00e529766591")
    );
    assert_eq!(
        settled("_PACK_RUN/llm-pack-repo-a4d0173dbddf/"),
        "_PACK_RUN/llm-pack-repo-#/"
    );
    let mut ids = BTreeMap::new();
    assert!(agree(&mut ids, "0123456789ab of fedcba9", "1111111111ab of 2222222"));
    assert!(agree(&mut ids, "0123456", "1111111111ab"));
    assert!(!agree(&mut ids, "0123456", "2222222"));
    assert_ne!(settled("1 leak in 2 new commits"), settled("2 leaks in 2 new commits"));
    assert_ne!(settled("pack verify: OK"), settled("pack verify: INVALID"));
    assert_ne!(settled("14 members"), settled("15 members"));
}
