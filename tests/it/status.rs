//! `git pack status`: what it says, when its exit status is 1, and the document for machines.

use std::fs;

use serde_json::Value;

use crate::common::{Repo, noise};

fn report(repo: &Repo) -> (i32, Value) {
    let done = repo.pack(&["status", "--json"]).shown();
    (done.code, serde_json::from_slice(&done.stdout).unwrap())
}

/// Asserts what is wrong, in the text, the document and the exit status.
#[track_caller]
fn assert_wrong(repo: &Repo, troubles: &[&str]) -> String {
    let (code, document) = report(repo);
    let found: Vec<&str> = document["troubles"]
        .as_array()
        .unwrap()
        .iter()
        .map(|t| t.as_str().unwrap())
        .collect();
    let text = repo.pack(&["status"]).shown();
    assert_eq!(found, troubles, "{}", text.out());
    assert_eq!((code, text.code), (i32::from(!troubles.is_empty()), code));
    let outcome = if troubles.is_empty() { "OK" } else { "WRONG" };
    assert_eq!(document["outcome"], outcome);
    let is_fine = text.out().contains("nothing is wrong by name");
    assert_eq!(is_fine, troubles.is_empty(), "{}", text.out());
    text.out()
}

#[test]
fn a_guarded_repository_needs_nothing() {
    let repo = Repo::set_up();
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("protected    no files, by their names"), "{text}");
    assert!(text.contains("git pack scan --worktree"), "{text}");
    // What was not looked at is not called fine.
    let unseen = "nothing is wrong by name; contents were not scanned\n               → git pack scan --all\n";
    assert!(text.contains(unseen), "{text}");
    assert!(text.contains("(you)"), "{text}");
    assert!(!text.contains("not committed"), "{text}");
    let (_, document) = report(&repo);
    assert_eq!(document["configuration"], "committed");
    assert_eq!(document["recipients"][0]["you"], true);
    // Neither an untracked file nor one that is only to be sealed is wrong.
    repo.write("a.vec", noise(1, 100));
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("a.vec   untracked, not sealed"), "{text}");
}

#[test]
fn each_fault_is_named_with_the_command_against_it() {
    let repo = Repo::set_up();
    fs::remove_file(repo.path(".git/hooks/pre-push")).unwrap();
    let text = assert_wrong(&repo, &["NOT_GUARDED"]);
    assert!(text.contains("next         git pack install\n"), "{text}");
    repo.pack(&["install"]).ok();
    repo.write("a.vec", noise(1, 100));
    repo.git(&["add", "-f", "a.vec"]).ok();
    let text = assert_wrong(&repo, &["TRACKED_PLAINTEXT"]);
    assert!(text.contains("next         git pack protect a.vec\n"), "{text}");
    repo.pack(&["protect", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("a.vec   sealed as a.vec.age, up to date"), "{text}");
    repo.write("a.vec", noise(2, 100));
    let text = assert_wrong(&repo, &["DRIFTED"]);
    assert!(text.contains("plaintext is newer"), "{text}");
}

#[test]
fn a_hook_that_lets_a_canary_pass_is_wrong() {
    let repo = Repo::set_up();
    let proven = repo.pack(&["status", "--doctor", "--json"]).ok();
    let document: Value = serde_json::from_slice(&proven.stdout).unwrap();
    assert!(
        document["hooks"]
            .as_array()
            .unwrap()
            .iter()
            .all(|hook| hook["canary"] == "blocked"),
        "{document}"
    );
    repo.write(".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n");
    let done = repo.pack(&["status", "--doctor"]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(done.out().contains("NOT GUARDED (let a canary pass)"), "{}", done.out());
}

#[test]
fn an_exception_releases_a_file_here_too() {
    let repo = Repo::set_up();
    repo.write("demo.vec", noise(3, 100));
    repo.git(&["add", "-f", "demo.vec"]).ok();
    let blob = repo.git(&["hash-object", "demo.vec"]).ok().out();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let allow = format!("\n[[allow]]\nblob = \"{}\"\nreason = \"a demo\"\n", blob.trim());
    repo.write(".gitpack.toml", config + &allow);
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("1 file by name: 1 released by an exception"), "{text}");
    assert!(text.contains(".gitpack.toml is not committed"), "{text}");
    // Untracked files are known by their content as well.
    repo.git(&["rm", "-q", "--cached", "demo.vec"]).ok();
    assert!(assert_wrong(&repo, &[]).contains("1 released by an exception"));
    repo.write("demo.vec", noise(4, 100));
    assert!(assert_wrong(&repo, &[]).contains("demo.vec   untracked, not sealed"));
}

#[test]
fn packs_are_told_with_what_is_known_of_them() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(5, 100));
    let (id, _) = repo.seal(&["--attach", "a.vec"]);
    let text = assert_wrong(&repo, &[]);
    assert!(
        text.contains("sealed from HEAD   not signed\n") || text.contains("sealed from HEAD\n"),
        "{text}"
    );
    assert!(
        text.contains("untracked, sealed in _PACK_RUN/") && !text.contains("not sealed"),
        "{text}"
    );
    let (_, document) = report(&repo);
    let pack = &document["packs"][0];
    assert_eq!(
        (pack["pack_id"].as_str(), pack["is_of_head"].as_bool()),
        (Some(id.as_str()), Some(true))
    );
    assert_eq!(document["plaintext"][0]["sealed_in"], pack["path"]);
    let server = repo.place.path().join("server.git");
    repo.git(&["init", "-q", "--bare", server.to_str().unwrap()]).ok();
    repo.git(&["remote", "add", "origin", server.to_str().unwrap()]).ok();
    let (_, plain) = repo.seal(&["-o", "_PACK_RUN/plain"]);
    repo.pack(&["push", plain.to_str().unwrap(), "git:origin"]).ok();
    let (_, document) = report(&repo);
    let packs = document["packs"].as_array().unwrap();
    let pushed = packs.iter().find(|pack| pack["path"] == "_PACK_RUN/plain").unwrap();
    assert_eq!(pushed["published"][0], "git:origin", "{document}");
    repo.write("README.md", "more\n");
    repo.commit_only("README.md");
    assert!(repo.pack(&["status"]).shown().out().contains(", not HEAD"));
}

#[test]
fn long_lists_are_cut_and_hostile_names_are_escaped() {
    let repo = Repo::set_up();
    for n in 0..24 {
        repo.write(&format!("many/{n:02}.vec"), [n; 40]);
    }
    repo.write_bytes(b"a\x1b[2J\n.vec", b"x");
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("and 15 more"), "{text}");
    assert!(text.contains(r#""a\033[2J\n.vec""#), "{text}");
    assert!(!text.contains('\u{1b}'), "{text:?}");
    let (_, document) = report(&repo);
    assert_eq!(document["plaintext"].as_array().unwrap().len(), 25);
}

#[test]
fn a_key_that_is_not_listed_is_told() {
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let own = repo.pack(&["recipients", "list"]).ok().out().trim().to_owned();
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    repo.write(".gitpack.toml", config.replace(&own, other));
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("your own key is not among them"), "{text}");
    assert!(!text.contains("contents were not scanned"), "{text}");
    repo.write(".gitpack.toml", config);
    fs::remove_file(repo.identity()).unwrap();
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains("you cannot open what is sealed here"), "{text}");
}

/// Before `init`, the advice was `install`, which sets less up.
#[test]
fn before_init_everything_leads_to_init() {
    let repo = Repo::empty();
    let text = assert_wrong(&repo, &["NOT_GUARDED"]);
    assert!(!text.contains("git pack install"), "{text}");
    assert_eq!(text.matches("git pack init").count(), 4, "{text}");
}

#[test]
fn the_state_of_the_work_tree_says_no_more_than_it_knows() {
    let repo = Repo::set_up();
    assert!(assert_wrong(&repo, &[]).contains(", clean\n"));
    repo.write("a.vec", noise(1, 100));
    let text = assert_wrong(&repo, &[]);
    assert!(text.contains(", no tracked file changed\n"), "{text}");
    // All that is wrong has its command beside it.
    repo.pack(&["protect", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo.write("a.vec", noise(2, 100));
    let text = assert_wrong(&repo, &["DRIFTED"]);
    assert!(text.contains("next         do what the arrows above say"), "{text}");
}

#[test]
fn the_rules_fit_a_terminal() {
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let rule = "\n[[protect]]\nclass = \"mine\"\npaths = [\"mine/**\"]\nallow_in = [\"mine/open/**\"]\n";
    repo.write(".gitpack.toml", config + rule);
    let text = repo.pack(&["status", "--registry"]).ok().out();
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(
        text.contains("built in\n  paths      **/*.vec **/*.faiss **/*.hnsw\n  content    faiss hnsw\n"),
        "{text}"
    );
    assert!(
        text.contains(".gitpack.toml\n  paths      mine/**\n  but not in mine/open/**\n"),
        "{text}"
    );
}

/// The advice must not be to commit that the configuration goes.
#[test]
fn a_deleted_configuration_is_to_be_restored() {
    let repo = Repo::set_up();
    fs::remove_file(repo.path(".gitpack.toml")).unwrap();
    let text = repo.pack(&["status"]).out();
    assert!(text.contains("git restore .gitpack.toml"), "{text}");
    assert!(
        !text.contains("git add .gitpack.toml") && !text.contains("git pack init"),
        "{text}"
    );
    repo.git(&["restore", ".gitpack.toml"]).ok();
    assert!(!repo.pack(&["status"]).out().contains("restore"));
}

/// What is advised in a directory below the top can be typed there.
#[test]
fn advice_works_below_the_top() {
    let repo = Repo::set_up();
    let below = repo.path("a b/c");
    fs::create_dir_all(&below).unwrap();
    repo.write("a b/c/x.vec", noise(5, 100));
    repo.write("y.vec", noise(6, 100));
    repo.git(&["add", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "plaintext"]).ok();
    let advised = |args: &[&str], beginning: &str| {
        let done = repo.place.pack_in(&below, args);
        let text = format!("{}{}", done.out(), done.stderr);
        let command = text.lines().find_map(|line| {
            let command = &line[line.find(beginning)?..];
            Some(command.split("  ").next().unwrap_or(command).to_owned())
        });
        command.unwrap_or_else(|| panic!("no {beginning:?}: {text}"))
    };
    let type_it = |command: &str| repo.place.run(&below, "sh", &["-c", command]).ok();
    for _ in 0..2 {
        type_it(&advised(&["status"], "git -C ../.. pack protect"));
    }
    repo.write("a b/c/x.vec", noise(7, 100));
    type_it(&advised(&["protect", "--check"], "git -C ../.. pack protect"));
    repo.pack(&["protect", "--check"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    repo.pack(&["recipients", "remove", own.trim()]).ok();
    let add = advised(&["status"], "git -C ../.. add .gitpack.toml");
    type_it(&format!("{add} -q -m 'No recipients'"));
    assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "");
}
