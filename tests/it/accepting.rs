//! `scan --write-allow` and `scan --baseline`: a repository with a history accepts what is known, and only new findings
//! fail.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

use crate::common::{Done, Repo};

/// A repository with a history from before the guard, without `.gitpack.toml` of its own rules.
fn with_history(files: &[(&str, &str)]) -> Repo {
    let repo = Repo::set_up();
    for (path, content) in files {
        repo.write(path, content);
    }
    leak(&repo, "before the guard");
    repo
}

fn leak(repo: &Repo, message: &str) {
    repo.git(&["add", "-A", "-f", "."]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", message]).ok();
}

fn says(done: &Done, words: &[&str]) {
    for word in words {
        assert!(done.stderr.contains(word), "no {word:?} in\n{}", done.stderr);
    }
}

fn read(repo: &Repo, path: &str) -> String {
    fs::read_to_string(repo.path(path)).unwrap()
}

#[test]
fn five_hundred_findings_become_one_readable_file() {
    let files: Vec<(String, String)> = (0..496)
        .map(|n| (format!("d{}/f{n:03}.vec", n % 20), format!("vector {n}")))
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let repo = with_history(&files);
    for version in 0..4 {
        repo.write("model.gguf", format!("version {version}"));
        leak(&repo, "model");
    }
    repo.write("copy of.vec", "vector 7");
    repo.write("key", fs::read(repo.identity()).unwrap());
    repo.write("_PACK_RUN/x", "output");
    leak(&repo, "what no list releases");
    repo.git(&["rm", "-q", "--cached", "key", "_PACK_RUN/x"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "gone"]).ok();
    repo.write("key", "");
    fs::create_dir(repo.path("sub")).unwrap();

    let done = repo
        .place
        .pack_in(&repo.path("sub"), &["scan", "--all", "--write-allow", "../known.toml"]);
    assert_eq!(done.code, 1);
    says(
        &done,
        &[
            "added 500 [[allow]] entries to known.toml",
            "named known.toml in .gitpack.toml, as allow_file",
            "/known.toml && git commit -m 'Release blobs' -- ",
            "added no entry for 1 private key",
            "added no entry for 1 run output",
        ],
    );
    let text = read(&repo, "known.toml");
    let comments: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("# ") && line.contains("; "))
        .collect();
    // A comment for each directory and class.
    assert_eq!(comments.len(), 22);
    assert_eq!(
        comments[0],
        "# copy of.vec: vector, 1 blob (PLAINTEXT_PROTECTED; found in all history)"
    );
    assert_eq!(
        comments[1],
        "# model.gguf: weights, 4 blobs (PLAINTEXT_PROTECTED; found in all history)"
    );
    assert_eq!(
        comments[2],
        "# d0/: vector, 25 blobs (PLAINTEXT_PROTECTED; found in all history)"
    );
    let directories: Vec<&str> = comments[2..]
        .iter()
        .map(|line| line.split(": ").next().unwrap())
        .collect();
    assert!(directories.is_sorted(), "{directories:?}");
    assert!(text.contains("accepted after a scan: d0/f020.vec in "), "{text}");
    let blobs: Vec<&str> = text.lines().filter(|line| line.starts_with("blob")).collect();
    assert_eq!(blobs.iter().collect::<BTreeSet<_>>().len(), blobs.len());
    assert_eq!(blobs.len(), 500);
    assert!(!text.contains(repo.git(&["rev-parse", "HEAD~1:key"]).ok().out().trim()));

    // Nothing is left but what no list releases, and a second run changes nothing.
    let config = read(&repo, ".gitpack.toml");
    for args in [
        &["scan", "--all", "--write-allow"][..],
        &["scan", "--all", "--write-allow=known.toml"],
    ] {
        let again = repo.pack(args);
        assert_eq!(again.code, 1);
        says(
            &again,
            &["added nothing to known.toml", "1 private key", "1 run output"],
        );
    }
    // The committed configuration does not have the entries yet, so this scan finds the files.
    let again = repo.pack(&["scan", "--rev", "HEAD", "--write-allow"]);
    says(&again, &["added nothing to known.toml: 497 blobs are allowed already"]);
    assert_eq!(
        (read(&repo, "known.toml"), read(&repo, ".gitpack.toml")),
        (text, config)
    );

    repo.git(&["add", ".gitpack.toml", "known.toml"]).ok();
    let commit = repo.git(&["commit", "-q", "-m", "accepted"]).ok();
    says(
        &commit,
        &[
            "POLICY_WEAKENED   500 [[allow]] entries are new, for the blobs ",
            " and 497 more",
        ],
    );
    assert_eq!(commit.stderr.matches("POLICY_WEAKENED").count(), 1);
    repo.pack(&["scan", "--rev", "HEAD"]).ok();
    repo.write("d1/f001.vec", "vector 1, changed");
    repo.git(&["add", "-f", "d1"]).ok();
    assert_eq!(repo.git(&["commit", "-q", "-m", "changed"]).code, 1);
}

#[test]
fn three_hundred_findings_fit_on_a_screen() {
    let mut files: Vec<(String, String)> = (0..300)
        .map(|n| (format!("data/vectors/f{n:03}.vec"), format!("vector {n}")))
        .collect();
    files.push(("m.gguf".into(), "model".into()));
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_str()))
        .collect();
    let repo = with_history(&files);
    repo.write("key", fs::read(repo.identity()).unwrap());
    leak(&repo, "key");
    let done = repo.pack(&["scan", "--rev", "HEAD"]);
    let text = done.out();
    let lines: Vec<Vec<&str>> = text
        .lines()
        .map(|line| line.split("   ").map(str::trim).collect())
        .collect();
    assert!(lines.len() < 8, "{text}");
    for words in [
        "m.gguf",
        "key, never in plaintext",
        "f000.vec, f001.vec, f002.vec and 297 more\n",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    let group = text.lines().find(|line| line.contains("data/vectors/")).unwrap();
    for words in ["300 files", "vector, never in plaintext", "rule **/*.vec   (built in)"] {
        assert!(group.contains(words), "{words}: {text}");
    }
    says(&done, &["each finding on its own   --json"]);
    // Documents are complete.
    assert_eq!(
        paths(&repo.pack(&["scan", "--rev", "HEAD", "--json"]), "findings").len(),
        302
    );
    // All history: files of two commits, and some that are deleted again.
    repo.git(&["rm", "-q", "data/vectors/f000.vec", "data/vectors/f001.vec"])
        .ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "gone"]).ok();
    let text = repo.pack(&["scan", "--all"]).out();
    assert!(
        text.contains("2 of them deleted again, but history still holds it"),
        "{text}"
    );
    // A hook groups them as well.
    repo.git(&["reset", "-q", "--soft", "HEAD~2"]).ok();
    repo.git(&["update-ref", "-d", "HEAD"]).ok();
    let blocked = repo.git(&["commit", "-m", "all"]);
    assert_eq!(blocked.code, 1);
    says(
        &blocked,
        &[
            "data/vectors/",
            "298 files",
            "f002.vec, f003.vec, f004.vec and 295 more",
        ],
    );
}

#[test]
fn entries_that_stand_there_keep_their_comments() {
    let repo = with_history(&[("a.vec", "a"), ("b.vec", "b"), ("c.vec", "c")]);
    let blob = |path: &str| repo.git(&["hash-object", path]).ok().out().trim().to_owned();
    let [a, b] = ["a.vec", "b.vec"].map(|path| format!("blob = '{}'", blob(path)));
    let in_file = format!("# a file of ours\n[[allow]] # looked at\n{a}\nreason = 'ours'");
    repo.write("known.toml", &in_file);
    let config = format!("version = 1\n\n# why\n[[allow]]\n{b}\nreason = 'mine'\n");
    repo.write(".gitpack.toml", &config);
    let done = repo.pack(&["scan", "--rev", "HEAD", "--write-allow", "known.toml"]);
    says(&done, &["added 1 [[allow]] entry to known.toml"]);
    let text = read(&repo, "known.toml");
    assert!(text.starts_with(&in_file), "{text}");
    assert_eq!(text.matches("blob = ").count(), 2);
    assert_eq!(
        read(&repo, ".gitpack.toml").replace("allow_file = \"known.toml\"\n", ""),
        config
    );
    // Another file beside it would not count.
    let other = repo.pack(&["scan", "--rev", "HEAD", "--write-allow", "other.toml"]);
    assert_eq!(other.code, 2);
    says(&other, &["--write-allow other.toml", "names known.toml"]);
    assert!(!repo.path("other.toml").exists());
}

#[test]
fn only_findings_that_the_baseline_lacks_fail() {
    let repo = with_history(&[("a.vec", "a"), ("b.vec", "b"), ("c.vec", "c")]);
    let old = repo.pack(&["scan", "--rev", "HEAD", "--json"]);
    let old_json = repo.place.path().join("old.json");
    fs::write(&old_json, &old.stdout).unwrap();
    let old_json = old_json.to_str().unwrap();
    let scan = |args: &[&str]| repo.pack(&[&["scan", "--baseline", old_json], args].concat());

    let done = scan(&["--rev", "HEAD"]).ok();
    says(&done, &["3 known findings are in the baseline"]);
    assert!(done.out().contains("CLEAN"));
    // All history has commits, and the baseline has none: the findings are the same.
    assert_eq!(scan(&["--all"]).code, 0);

    repo.write("a.vec", "a, changed");
    fs::rename(repo.path("b.vec"), repo.path("moved.vec")).unwrap();
    leak(&repo, "new");
    let done = scan(&["--rev", "HEAD", "--json"]);
    assert_eq!(done.code, 1);
    assert_eq!(
        (paths(&done, "findings"), paths(&done, "known")),
        (vec!["a.vec".into(), "moved.vec".into()], vec!["c.vec".into()])
    );
    assert_eq!(
        states(&scan(&["--rev", "HEAD", "--format", "sarif"])),
        ["new", "new", "unchanged"]
    );
    let names = scan(&["--rev", "HEAD", "-z"]);
    assert_eq!(names.out(), "a.vec\0moved.vec\0");

    // What a scan with a baseline prints is a baseline, too.
    let newer = repo.place.path().join("newer.json");
    fs::write(&newer, &done.stdout).unwrap();
    repo.pack(&["scan", "--rev", "HEAD", "--baseline", newer.to_str().unwrap()])
        .ok();

    // Exceptions are written for what the baseline lists, and for nothing else.
    let done = repo.pack(&["scan", "--all", "--baseline", old_json, "--write-allow", "known.toml"]);
    assert_eq!(done.code, 1);
    says(&done, &["added 3 [[allow]] entries to known.toml"]);
    let done = repo.pack(&["scan", "--rev", "HEAD", "--json"]);
    assert_eq!(paths(&done, "findings").len(), 3);
}

/// Gain: whoever commits a key and a baseline that lists it gets a CLEAN for both.
#[test]
fn a_baseline_accepts_neither_keys_nor_run_outputs() {
    let repo = with_history(&[("a.vec", "a"), ("_PACK_RUN/x", "output")]);
    repo.write("id.txt", fs::read(repo.identity()).unwrap());
    leak(&repo, "a key");
    let old = repo.pack(&["scan", "--all", "--json"]);
    assert_eq!(paths(&old, "findings").len(), 3);
    let file = repo.place.path().join("old.json");
    fs::write(&file, &old.stdout).unwrap();
    let scan = |args: &[&str]| {
        let done = repo.pack(&[&["scan", "--all", "--baseline", file.to_str().unwrap()], args].concat());
        assert_eq!(done.code, 1, "{args:?}");
        says(
            &done,
            &[
                "1 known finding is in the baseline",
                "no baseline accepts private keys or run outputs; this one lists 1 private key and 1 run output",
            ],
        );
        done
    };
    let done = scan(&[]);
    for words in ["id.txt", "key, never in plaintext", "_PACK_RUN/x", "LEAK"] {
        assert!(done.out().contains(words), "{words}: {}", done.out());
    }
    let done = scan(&["--json"]);
    let mut found = paths(&done, "findings");
    found.sort();
    assert_eq!(
        (found, paths(&done, "known")),
        (vec!["_PACK_RUN/x".into(), "id.txt".into()], vec!["a.vec".into()])
    );
    assert_eq!(states(&scan(&["--format", "sarif"])), ["new", "new", "unchanged"]);
    // The exceptions leave out the same findings.
    says(
        &scan(&["--write-allow", "known.toml"]),
        &["added 1 [[allow]] entry to known.toml"],
    );
}

/// Returns the paths under a key of the report.
fn paths(done: &Done, key: &str) -> Vec<String> {
    let value: Value = serde_json::from_slice(&done.stdout).unwrap();
    let list = value[key].as_array().unwrap().iter();
    list.map(|found| found["path"].as_str().unwrap().to_owned()).collect()
}

/// Returns which findings of a SARIF document are new.
fn states(done: &Done) -> Vec<String> {
    let sarif: Value = serde_json::from_slice(&done.stdout).unwrap();
    let results = sarif["runs"][0]["results"].as_array().unwrap().iter();
    results
        .map(|result| result["baselineState"].as_str().unwrap().to_owned())
        .collect()
}

/// Gain: a CI job that takes a broken baseline for an empty one, or that runs out of memory, passes.
#[test]
fn a_baseline_that_is_not_one_is_refused() {
    let repo = with_history(&[("a.vec", "a")]);
    let place = repo.place.path();
    let finding = r#"{"blob":"x","class":"c","code":"C","path":"p"}"#;
    let cases: [(&str, Vec<u8>, &str); 9] = [
        ("empty", Vec::new(), "EOF"),
        ("nul", vec![0; 64], "expected value"),
        (
            "deep",
            "[".repeat(1 << 20).into_bytes(),
            "expected the JSON of an earlier scan",
        ),
        (
            "other",
            br#"{"version":"pack.diff.v0","findings":[]}"#.to_vec(),
            "pack.diff.v0",
        ),
        (
            "refusal",
            br#"{"outcome":"REFUSAL","version":"pack.v0"}"#.to_vec(),
            "missing field",
        ),
        (
            "twice",
            br#"{"version":"pack.scan.v0","findings":[],"findings":[]}"#.to_vec(),
            "findings",
        ),
        (
            "types",
            br#"{"version":"pack.scan.v0","findings":[["a.vec"]]}"#.to_vec(),
            "invalid type",
        ),
        (
            "blob",
            format!(r#"{{"version":"pack.scan.v0","findings":[{finding}]}}"#).into_bytes(),
            "40 or 64 hex digits",
        ),
        ("huge", vec![b' '; (32 << 20) + 1], "33554432"),
    ];
    for (name, bytes, expected) in cases {
        let file = place.join(name);
        fs::write(&file, bytes).unwrap();
        let done = repo.pack(&["scan", "--rev", "HEAD", "--baseline", file.to_str().unwrap()]);
        assert_eq!((done.code, done.out()), (2, String::new()), "{name}: {}", done.stderr);
        assert!(
            done.stderr.contains(expected) && done.stderr.contains(name),
            "{name}: {}",
            done.stderr
        );
    }
    let gone = repo.pack(&["scan", "--rev", "HEAD", "--baseline", "nowhere.json"]);
    assert_eq!(gone.code, 2);
    says(&gone, &["nowhere.json"]);
}

/// Gain: a pack of a commit carries exceptions that the commit does not have, or a checkout lends its own to old commits.
#[test]
fn a_pack_carries_the_exceptions_of_the_file_in_its_commit() {
    let repo = with_history(&[("open.gguf", "open"), ("README.md", "text\n")]);
    let blob = repo.rev("HEAD:open.gguf");
    let config = read(&repo, ".gitpack.toml");
    repo.write(
        ".gitpack.toml",
        config.replace("version = 1\n", "version = 1\nallow_file = \"known.toml\"\n"),
    );
    repo.write(
        "known.toml",
        format!("[[allow]]\nblob = \"{blob}\"\nreason = \"open\"\n"),
    );
    leak(&repo, "accepted");
    let with = repo.rev("HEAD");
    repo.write("known.toml", "");
    leak(&repo, "no more");
    for (rev, allows) in [(with.as_str(), true), ("HEAD", false)] {
        let pack = repo.place.path().join(format!("pack-{allows}"));
        let pack = pack.to_str().unwrap();
        repo.pack(&["seal", "--rev", rev, "-o", pack]).ok();
        let registry = fs::read_to_string(format!("{pack}/meta/PROTECTED.json")).unwrap();
        assert_eq!(registry.contains(&blob), allows, "{registry}");
        repo.pack(&["verify", pack, "--rev", rev]).ok();
        let other = if allows { "HEAD" } else { with.as_str() };
        assert_eq!(repo.pack(&["verify", pack, "--rev", other]).code, 1);
    }
    // An old checkout whose file is gone says so instead of using the file on disk.
    repo.git(&["rm", "-q", "--cached", "known.toml"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "gone"]).ok();
    let refused = repo.pack(&["seal", "-o", "../gone"]);
    assert_eq!(refused.code, 2);
    says(
        &refused,
        &[".gitpack.toml in ", "allow_file: known.toml: the file does not exist"],
    );
    assert_eq!(repo.pack(&["scan", "--rev", "HEAD"]).code, 2);
}

/// Returns the commands that the program advises as the next ones.
fn advised(done: &Done) -> String {
    let lines = done.stderr.lines().skip_while(|line| !line.starts_with("  next   "));
    let steps = lines.take_while(|line| line.starts_with("  next   ") || line.starts_with("         "));
    steps
        .map(|step| &step["  next   ".len()..])
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn the_advice_after_entries_were_written_passes_the_hooks() {
    let repo = Repo::set_up();
    let run = |script: &str| {
        let script = format!("set -e\nexport GIT_EDITOR='echo rest >'\n{script}");
        repo.place.run(&repo.root, "sh", &["-c", &script]).ok()
    };
    repo.place
        .run(repo.place.path(), "git", &["init", "-q", "--bare", "o.git"])
        .ok();
    run("git remote add origin ../o.git; git push -q origin main");

    // A file that is only staged: the entries come first, by themselves.
    repo.write("new.vec", "new");
    repo.git(&["add", "new.vec"]).ok();
    let done = repo.pack(&["scan", "--write-allow"]);
    let text = read(&repo, ".gitpack.toml");
    assert!(
        text.contains("\"accepted after a scan: new.vec\"") && !text.contains("before the guard"),
        "{text}"
    );
    run(&advised(&done));
    run("git commit -q -m rest; git push -q origin HEAD~1:main; git push -q origin main");

    // Commits that are not pushed yet: the entries come before them.
    for name in ["one", "two"] {
        repo.write(&format!("{name}.vec"), name);
        leak(&repo, name);
    }
    let done = repo.pack(&["scan", "--range", "origin/main..", "--write-allow"]);
    says(
        &done,
        &[
            "or allow all these blobs   git pack scan ",
            "the last 2 commits become one",
        ],
    );
    run(&advised(&done));
    run("git push -q origin HEAD~1:main; git push -q origin main");
    assert_eq!(repo.rev("origin/main"), repo.rev("HEAD"));
    repo.git(&["cat-file", "-e", "HEAD:two.vec"]).ok();

    repo.write("three.vec", "three");
    leak(&repo, "three");
    says(
        &repo.pack(&["scan", "--all"]),
        &["or allow this blob   git pack scan --all --write-allow"],
    );
    // No entry releases a key, so none is advised.
    fs::remove_file(repo.path("three.vec")).unwrap();
    run(
        "git rm -q --cached three.vec; git commit -q --amend --allow-empty --no-verify -m none; git reflog expire --expire=now --all",
    );
    repo.write("key", fs::read(repo.identity()).unwrap());
    leak(&repo, "key");
    let done = repo.pack(&["scan", "--range", "origin/main.."]);
    assert!(
        done.code == 1 && !done.stderr.contains("--write-allow"),
        "{}",
        done.stderr
    );
}
