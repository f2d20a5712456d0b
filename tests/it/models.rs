//! Texts for language models: files of a token budget, other encodings, filters for one run, and a pipe.

use std::fs;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common::packs::{codes, copy_tree, document, recompute, sample};
use crate::common::{GIT_PACK, Repo, noise, snapshot};
use gitpack::format::canonical_json::to_document;
use gitpack::format::encoding::Encoding;
use gitpack::format::tokens::count_text;
use serde_json::{Value, json};

const BUDGET: u64 = 1500;

/// Makes a repository with texts that fill several files: small ones, one with lines, and one of a single long line.
fn large() -> Repo {
    let repo = Repo::empty();
    for n in 0..40 {
        repo.write(
            &format!("src/m{n:02}.rs"),
            format!("// module {n}\nfn f{n}() {{}}\n").repeat(5),
        );
    }
    let lines = |n: usize| format!("line {n} of a file that is larger than one budget\n");
    repo.write("big.txt", (0..400).map(lines).collect::<String>());
    repo.write("long.js", format!("var x=\"{}\";", "abc 日本 ".repeat(900)));
    repo.write("z/last", "no newline");
    repo.write("z/bin", b"\0\x01");
    repo.commit("texts");
    repo
}

fn encoded(name: &str, text: &str) -> Vec<u8> {
    Encoding::parse(name).unwrap().encode(text).unwrap()
}

const JAPANESE: &str = "設定ファイルを読み込みます。\r\nこのファイルは日本語で書かれています。\r\n";

/// Makes a repository with a text in each of some encodings.
fn encodings() -> Repo {
    let repo = Repo::empty();
    repo.write("a/sjis.txt", encoded("Shift_JIS", JAPANESE));
    repo.write("a/euc.txt", encoded("EUC-JP", JAPANESE));
    repo.write("a/latin1.txt", b"caf\xe9, gr\xf6\xdfer\n");
    repo.write("a/le.txt", encoded("UTF-16LE", "\u{feff}größer 日本\r\n"));
    repo.write("a/be.rc", encoded("UTF-16BE", "\u{feff}ID ```\n"));
    repo.write("a/le_bare.txt", encoded("UTF-16LE", "plain words only\r\n"));
    repo.write("a/utf8.txt", "größer 日本\n");
    repo.write("logo.png", b"\x89PNG\r\n\x1a\n\0\0");
    repo.write("key.bin", noise(7, 64));
    repo.commit("encodings");
    repo
}

fn chunks(pack: &Path) -> Vec<(PathBuf, String)> {
    let mut paths: Vec<PathBuf> = fs::read_dir(pack.join("SPLIT"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect();
    paths.sort();
    let texts = paths
        .into_iter()
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()));
    texts
        .filter(|(path, _)| path.to_str().unwrap().ends_with("_PART.md"))
        .collect()
}

fn state(repo: &Repo, args: &[&str]) -> String {
    repo.pack(&[&["state"], args].concat()).ok().out().trim().to_owned()
}

/// Restores texts to a new directory, and returns the state that the notes on stderr name.
fn restored(repo: &Repo, args: &[&str], to: &str) -> String {
    let done = repo.pack(&[&["restore"], args, &["-o", to]].concat()).ok();
    let mut words = done
        .stderr
        .split_whitespace()
        .filter(|word| word.starts_with("sha256:"));
    words.next_back().unwrap().to_owned()
}

#[test]
fn texts_are_split_by_tokens_and_come_back() {
    let repo = large();
    let budget = BUDGET.to_string();
    let (id, pack) = repo.seal(&["--emit", "split", "--max-tokens", &budget, "-o", "../pack"]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let info = document(&pack, "meta/PACK_INFO.json");
    assert_eq!(info["max_tokens"], BUDGET);
    let index = fs::read_to_string(pack.join("SPLIT/REPO-00_INDEX.md")).unwrap();
    assert!(
        index.contains(&format!("\n- budget: {BUDGET} tokens for each file\n")),
        "{index}"
    );
    assert!(
        index.contains("\n- texts: 43 of ") && index.contains("\n- not text: 1\n"),
        "{index}"
    );
    let chunks = chunks(&pack);
    assert!(chunks.len() > 5, "{index}");
    let mut used = Vec::new();
    for (path, text) in &chunks {
        let tokens = count_text(text);
        assert!(tokens <= BUDGET, "{} has {tokens}", path.display());
        let name = path.file_name().unwrap().to_str().unwrap();
        let headings = text.lines().filter(|line| line.starts_with("### ")).count();
        let line = index
            .lines()
            .find(|line| line.starts_with(&format!("## {name} · {headings} of ")));
        assert!(line.unwrap().ends_with(&format!(" B · {tokens} tokens")), "{line:?}");
        used.push(tokens);
    }
    // All but the last are well filled.
    let low = used[..used.len() - 1]
        .iter()
        .filter(|tokens| **tokens < BUDGET / 2)
        .count();
    assert!(low <= 2, "{used:?}");
    // Small files are whole. The large one is cut at line ends, the long line between characters.
    assert!(
        !index.contains(".rs` · 5 B · part") && index.contains("- `big.txt` · ") && index.contains("- `long.js` · ")
    );
    for (_, text) in &chunks {
        for line in text.lines().filter(|line| line.starts_with("### `src/")) {
            assert!(!line.contains("part"), "{line}");
        }
        if text.contains("### `big.txt`") {
            assert!(!text.contains("budget\n\n```"), "{text}");
        }
    }
    assert_eq!(
        restored(&repo, &["../pack", "--from-split"], "../out"),
        state(&repo, &["--mode", "public"])
    );
    for path in ["big.txt", "long.js", "src/m07.rs", "z/last"] {
        let back = fs::read(repo.place.path().join("out").join(path)).unwrap();
        assert_eq!(back, fs::read(repo.path(path)).unwrap(), "{path}");
    }
    assert!(!repo.place.path().join("out/z/bin").exists());
    // The same commit, configuration and options give the same pack.
    let (again, _) = repo.seal(&["--emit", "split", "--max-tokens", &budget, "-o", "../again"]);
    assert_eq!(again, id);
}

#[test]
fn the_budget_of_the_scope_holds_unless_one_is_given() {
    let repo = large();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[pack]\nemit = [\"split\"]\n[scope.repo]\nsplit = { max_tokens = 2000 }\n",
    );
    repo.commit("configuration");
    let (_, pack) = repo.seal(&["-o", "../configured"]);
    assert_eq!(document(&pack, "meta/PACK_INFO.json")["max_tokens"], 2000);
    let (_, pack) = repo.seal(&["-o", "../given", "--max-tokens", "5000"]);
    assert_eq!(document(&pack, "meta/PACK_INFO.json")["max_tokens"], 5000);
    repo.pack(&["verify", "../given", "--rev", "HEAD"]).ok();
    let (_, pack) = repo.seal(&["-o", "../copies", "--emit", "repo"]);
    assert_eq!(document(&pack, "meta/PACK_INFO.json").get("max_tokens"), None);
    for (args, expected) in [
        (&["--emit", "full", "--max-tokens", "5000"][..], "add --emit split"),
        (
            &["--max-tokens", "999"],
            "expected a number of tokens from 1000 to 10000000, found 999",
        ),
        (
            &["--max-tokens", "5000", "big.txt"],
            "--max-tokens applies to tree packs",
        ),
        (&["--include", "*", "big.txt"], "--include applies to tree packs"),
    ] {
        let refused = repo.pack(&[&["seal", "-o", "../no"], args].concat()).refused("E_USAGE");
        let message = refused["refusal"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
    // A path and a title that leave no room beside the headings.
    let title = "word ".repeat(1200);
    repo.write(
        ".gitpack.toml",
        format!("version = 1\n[scope.repo]\ntitle = \"{title}\"\nsplit = {{ max_tokens = 1000 }}\n"),
    );
    repo.commit("a long title");
    let refused = repo
        .pack(&["seal", "--emit", "split", "-o", "../no"])
        .refused("E_LIMIT");
    assert_eq!(refused["refusal"]["detail"]["limit"], "split.max_tokens");
    assert!(!repo.place.path().join("no").exists());
}

#[test]
fn a_text_of_backticks_and_one_of_blanks_keep_to_the_budget() {
    let repo = Repo::empty();
    repo.write("ticks", "`".repeat(9000));
    repo.write("blanks", " ".repeat(300_000));
    repo.write("lines", "\n".repeat(50_000));
    repo.commit("odd texts");
    let (_, pack) = repo.seal(&["--emit", "split", "--max-tokens", "1000", "-o", "../pack"]);
    assert_eq!(codes(&pack), []);
    assert!(chunks(&pack).iter().all(|(_, text)| count_text(text) <= 1000));
    assert_eq!(
        restored(&repo, &["../pack", "--from-split"], "../out"),
        state(&repo, &[])
    );
}

#[test]
fn texts_in_other_encodings_are_converted_and_proven() {
    let repo = encodings();
    let (_, pack) = repo.seal(&["--emit", "full,split", "--max-tokens", "1000", "-o", "../pack"]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let full = fs::read_dir(pack.join("FULL")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&full).unwrap();
    for (path, encoding) in [
        ("a/sjis.txt", "Shift_JIS"),
        ("a/euc.txt", "EUC-JP"),
        ("a/latin1.txt", "windows-1252"),
        ("a/le.txt", "UTF-16LE"),
        ("a/be.rc", "UTF-16BE"),
        ("a/le_bare.txt", "UTF-16LE"),
    ] {
        let size = fs::metadata(repo.path(path)).unwrap().len();
        let heading = text
            .lines()
            .find(|line| line.starts_with(&format!("### `{path}` · ")))
            .unwrap();
        assert!(
            heading.ends_with(&format!(" B · converted from {encoding}, {size} B")),
            "{heading}"
        );
    }
    assert!(
        text.contains("設定ファイル")
            && text.contains("café, größer\n")
            && text.contains("\n````rc\n\u{feff}ID ```\n````\n")
    );
    assert!(text.contains("### `a/utf8.txt` · 16 B\n"), "{text}");
    assert!(text.contains("- `key.bin` · 64 B · binary") && text.contains("- `logo.png` · 10 B · binary"));
    let whole = state(&repo, &["--mode", "public"]);
    assert_eq!(restored(&repo, &["../pack", "--from-full"], "../full"), whole);
    assert_eq!(restored(&repo, &["../pack", "--from-split"], "../split"), whole);
    // The file alone proves its texts, too.
    assert_eq!(
        restored(&repo, &[full.to_str().unwrap(), "--from-full"], "../alone"),
        whole
    );
    for out in ["full", "split", "alone"] {
        for path in [
            "a/sjis.txt",
            "a/euc.txt",
            "a/latin1.txt",
            "a/le.txt",
            "a/be.rc",
            "a/le_bare.txt",
        ] {
            let back = fs::read(repo.place.path().join(out).join(path)).unwrap();
            assert_eq!(back, fs::read(repo.path(path)).unwrap(), "{out}/{path}");
        }
    }
}

#[test]
fn a_converted_text_that_was_cut_comes_back() {
    let repo = Repo::empty();
    repo.write("long.txt", encoded("Shift_JIS", &JAPANESE.repeat(300)));
    repo.write(
        "wide.txt",
        encoded("UTF-16LE", &format!("\u{feff}{}", "größer 日本 😀 ".repeat(600))),
    );
    repo.commit("long texts");
    let (_, pack) = repo.seal(&["--emit", "split", "--max-tokens", "1200", "-o", "../pack"]);
    assert_eq!(codes(&pack), []);
    let index = fs::read_to_string(pack.join("SPLIT/REPO-00_INDEX.md")).unwrap();
    assert!(
        index.contains(" · converted from Shift_JIS, 21000 B · part 2 of "),
        "{index}"
    );
    assert_eq!(
        restored(&repo, &["../pack", "--from-split"], "../out"),
        state(&repo, &[])
    );
    for path in ["long.txt", "wide.txt"] {
        let back = fs::read(repo.place.path().join("out").join(path)).unwrap();
        assert_eq!(back, fs::read(repo.path(path)).unwrap());
    }
}

#[test]
fn a_conversion_that_would_publish_protected_content_is_refused() {
    let repo = Repo::set_up();
    let secret = "a protected text, and long enough to be known again by any of its many lines\n".repeat(30);
    repo.write("data/secret.vec", &secret);
    repo.write(
        "notes.txt",
        encoded("UTF-16LE", &format!("\u{feff}{secret}")).split_off(2),
    );
    repo.git(&["add", "-Af"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
    for args in [&["--emit", "full", "-o", "../no"][..], &["--emit", "full", "--stdout"]] {
        let done = repo.pack(&[&["seal"], args].concat());
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            done.stderr.contains("notes.txt would be in plaintext"),
            "{}",
            done.stderr
        );
        assert!(!done.out().contains("a protected text"));
    }
    assert!(!repo.place.path().join("no").exists());
}

#[test]
fn a_copy_of_what_a_filter_leaves_out_is_refused() {
    let repo = Repo::set_up();
    let secret = "a protected text, and long enough to be known again by any of its many lines\n".repeat(30);
    repo.write("data/secret.vec", &secret);
    repo.write("notes.txt", &secret);
    repo.write("plain.txt", "plain\n");
    repo.git(&["add", "-Af"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
    for args in [
        &["--exclude", "*.vec", "-o", "../no"][..],
        &["--include", "*.txt", "-o", "../no"],
        &["--include", "*.txt", "--emit", "full", "--stdout"],
        &["--emit", "full", "--stdout"],
    ] {
        let done = repo.pack(&[&["seal"], args].concat());
        assert_eq!(done.code, 2, "{args:?} {}", done.stderr);
        assert!(
            done.stderr.contains("notes.txt would be in plaintext"),
            "{}",
            done.stderr
        );
    }
    repo.seal(&["--include", "plain.txt", "-o", "../pack"]);
}

#[test]
fn a_filter_is_for_one_pack_and_recorded_in_it() {
    let repo = Repo::set_up();
    repo.write("src/a.rs", "a\n");
    repo.write("src/old/b.rs", "b\n");
    repo.write("src/x.vec", noise(1, 200));
    repo.write("docs/c.md", "c\n");
    repo.git(&["add", "-Af"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
    let before = state(&repo, &[]);
    let filter = ["--include", "src/**", "--exclude", "src/old/"];
    let (id, pack) = repo.seal(&[&filter[..], &["--emit", "repo,full,lite,split", "-o", "../pack"]].concat());
    let only = json!({"include": ["src/**"], "exclude": ["src/old/"]});
    assert_eq!(document(&pack, "meta/PACK_INFO.json")["only"], only);
    let files = document(&pack, "meta/REPO_STATE.json")["files"]
        .as_array()
        .unwrap()
        .len();
    assert_eq!(files, 1);
    assert_eq!(document(&pack, "SEALED_ARTIFACTS.json")["artifact_count"], 1);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let full = fs::read_dir(pack.join("FULL")).unwrap().next().unwrap().unwrap().path();
    let text = fs::read_to_string(&full).unwrap();
    assert!(
        text.contains("- scope: repo\n- include: `src/**`\n- exclude: `src/old/`\n- mode: public\n"),
        "{text}"
    );
    let narrowed = state(&repo, &[&filter[..], &["--mode", "public"]].concat());
    assert!(text.contains(&format!("- state: {narrowed}\n")));
    assert_eq!(restored(&repo, &["../pack", "--from-full"], "../out"), narrowed);
    let report: Value = serde_json::from_str(&state(&repo, &[&filter[..], &["--json"]].concat())).unwrap();
    assert_eq!(report["only"], only);
    // Nothing else has changed, and another filter is another run.
    assert_eq!(state(&repo, &[]), before);
    let (other, _) = repo.seal(&["--include", "src/a.rs", "-o", "../other"]);
    assert_ne!(other, id);
    repo.pack(&["audit"]).ok();
    for (args, expected) in [
        (&["--include", "none/**"][..], "no file of the scope repo is included"),
        (&["--exclude", "**"], "no file of the scope repo is included"),
        (&["--include", "../x"], "--include, --exclude: "),
        (&["--exclude", "a["], "is not a glob"),
    ] {
        let refused = repo.pack(&[&["seal", "-o", "../no"], args].concat()).refused("E_USAGE");
        let message = refused["refusal"]["message"].as_str().unwrap();
        assert!(message.contains(expected), "{message}");
    }
}

#[test]
fn the_text_goes_to_a_pipe_and_leaves_nothing_on_the_disk() {
    let repo = encodings();
    let (_, pack) = repo.seal(&["--emit", "full", "-o", "../pack"]);
    let full = fs::read_dir(pack.join("FULL")).unwrap().next().unwrap().unwrap().path();
    let before = snapshot(&repo.root);
    let done = repo.pack(&["seal", "--emit", "full", "--stdout"]).ok();
    assert_eq!(done.out(), fs::read_to_string(full).unwrap());
    assert!(
        done.stderr.contains("9 files") && !done.stderr.contains("PACK_CREATED"),
        "{}",
        done.stderr
    );
    let names =
        |found: &[(PathBuf, u32, Vec<u8>)]| -> Vec<PathBuf> { found.iter().map(|(path, ..)| path.clone()).collect() };
    let after = snapshot(&repo.root);
    assert_eq!(names(&before), names(&after));
    for (args, expected) in [
        (&["--stdout"][..], "use it with --emit full"),
        (&["--stdout", "--emit", "full,split"], "use it with --emit full"),
        (&["--stdout", "--emit", "full", "-o", "../no"], "--output"),
        (&["--stdout", "--emit", "full", "--max-tokens", "2000"], "--max-tokens"),
        (&["--stdout", "--emit", "full", "logo.png"], "cannot be used"),
        (&["--stdout", "--emit", "full", "--replace"], "--replace"),
    ] {
        let done = repo.pack(&[&["seal"], args].concat());
        assert_eq!(
            (done.code, done.stderr.contains(expected)),
            (2, true),
            "{args:?} {}",
            done.stderr
        );
        assert!(!done.out().contains("pack.full.v0"));
    }
}

#[test]
fn a_pipe_works_in_a_bare_repository_and_without_recipients() {
    let repo = Repo::empty();
    repo.write("plain.txt", "plain\n");
    repo.write("keys/id", sample("private-key/openssh_ed25519"));
    repo.commit("all");
    let done = repo.pack(&["seal", "--emit", "full", "--stdout"]).ok();
    assert!(done.out().contains("### `plain.txt`") && !done.out().contains("keys/id"));
    assert!(done.stderr.contains("1 protected file left out"), "{}", done.stderr);
    let bare = repo.place.path().join("bare");
    repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]).ok();
    let same = repo.place.pack_in(&bare, &["seal", "--emit", "full", "--stdout"]).ok();
    assert_eq!(same.out(), done.out());
}

#[test]
fn a_closed_pipe_ends_it_without_a_word() {
    let repo = Repo::empty();
    repo.write("big.txt", "many words in a line of text\n".repeat(20_000));
    repo.commit("big");
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    command.args(["seal", "--emit", "full", "--stdout"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 10];
    let mut stdout = child.stdout.take().unwrap();
    stdout.read_exact(&mut first).unwrap();
    drop(stdout);
    let done = child.wait_with_output().unwrap();
    assert_eq!(
        (done.status.code(), String::from_utf8(done.stderr).unwrap()),
        (Some(2), String::new())
    );
    assert!(!repo.path("_PACK_RUN").exists());
}

/// Changes a copy of a pack, makes everything else consistent again, and returns the findings.
fn forged(pack: &Path, change: impl FnOnce(&Path)) -> Vec<(String, &'static str)> {
    let copy = pack.with_file_name("forged");
    if copy.exists() {
        fs::remove_dir_all(&copy).unwrap();
    }
    copy_tree(pack, &copy);
    change(&copy);
    recompute(&copy);
    codes(&copy)
}

fn edit(path: PathBuf, change: impl FnOnce(String) -> String) {
    let before = fs::read_to_string(&path).unwrap();
    let after = change(before.clone());
    assert_ne!(before, after, "{}", path.display());
    fs::File::create(path).unwrap().write_all(after.as_bytes()).unwrap();
}

#[test]
fn a_forged_split_is_found() {
    let repo = large();
    let (_, pack) = repo.seal(&["--emit", "split", "--max-tokens", "1500", "-o", "../pack"]);
    let part = |number: usize| format!("SPLIT/REPO-{number:02}_PART.md");
    let number = chunks(&pack).len();
    let index = "SPLIT/REPO-00_INDEX.md";
    let violation = |path: &str| (path.to_owned(), "SCHEMA_VIOLATION");
    let found = |change: &dyn Fn(&Path)| forged(&pack, change);
    assert_eq!(found(&|_| ()), []);
    // The index: another count, another budget, another place.
    for (from, to) in [
        (" tokens\n\n- `", "0 tokens\n\n- `"),
        ("- budget: 1500", "- budget: 1501"),
        ("part 1 of", "part 2 of"),
    ] {
        let codes = found(&|copy| edit(copy.join(index), |text| text.replacen(from, to, 1)));
        assert_eq!(codes, [violation(index)], "{to}");
    }
    // A budget that the files exceed.
    let codes = found(&|copy| {
        let mut info = document(copy, "meta/PACK_INFO.json");
        info["max_tokens"] = 1000.into();
        fs::write(copy.join("meta/PACK_INFO.json"), to_document(&info)).unwrap();
        edit(copy.join(index), |text| {
            text.replace("- budget: 1500", "- budget: 1000")
        });
    });
    assert!(codes.contains(&violation(&part(1))), "{codes:?}");
    for budget in [json!(999), json!(null), json!(-1), json!(1e300)] {
        let codes = found(&|copy| {
            let mut info = document(copy, "meta/PACK_INFO.json");
            info["max_tokens"] = budget.clone();
            let text = serde_json::to_string(&info).unwrap();
            fs::write(copy.join("meta/PACK_INFO.json"), format!("{text}\n")).unwrap();
        });
        assert!(!codes.is_empty(), "{budget}");
    }
    // A part is missing, twice, or swapped; a file is missing.
    let last = part(number);
    for change in [
        &(|copy: &Path| fs::remove_file(copy.join(part(2))).unwrap()) as &dyn Fn(&Path),
        &|copy| fs::remove_file(copy.join(&last)).unwrap(),
        &|copy| {
            fs::copy(copy.join(part(2)), copy.join(part(number + 1))).unwrap();
        },
        &|copy| {
            fs::rename(copy.join(part(2)), copy.join("x")).unwrap();
            fs::rename(copy.join(part(3)), copy.join(part(2))).unwrap();
            fs::rename(copy.join("x"), copy.join(part(3))).unwrap();
        },
        &|copy| fs::rename(copy.join(part(1)), copy.join("SPLIT/REPO-01_SRC.md")).unwrap(),
    ] {
        let codes = found(change);
        assert!(codes.iter().any(|(path, _)| path.starts_with("SPLIT/")), "{codes:?}");
    }
    // The heading of a part lies about its place, or its path is unsafe.
    for (from, to) in [
        ("part 1 of", "part 9 of"),
        ("from byte 0 of", "from byte 1 of"),
        ("from byte 0 of ", "from byte 0 of 9"),
        ("from byte 0 of ", "from byte 0 of 18446744073709551615"),
        ("### `big.txt`", "### `../big.txt`"),
        ("line 7 of", "line 8 of"),
    ] {
        let codes = found(&|copy| edit(copy.join(part(1)), |text| text.replacen(from, to, 1)));
        assert!(
            codes.iter().any(|(path, _)| path.starts_with("SPLIT/")),
            "{to}: {codes:?}"
        );
    }
    repo.pack(&["restore", "../forged", "--from-split", "-o", "../no"])
        .refused("E_BAD_PACK");
    assert!(!repo.place.path().join("no").exists());
}

#[test]
fn a_forged_conversion_is_found() {
    let repo = encodings();
    let (_, pack) = repo.seal(&["--emit", "full", "-o", "../pack"]);
    let full = fs::read_dir(pack.join("FULL")).unwrap().next().unwrap().unwrap();
    let member = format!("FULL/{}", full.file_name().to_str().unwrap());
    for (from, to) in [
        ("from Shift_JIS, ", "from EUC-JP, "),
        ("from Shift_JIS, ", "from ISO-2022-JP, "),
        ("from windows-1252, ", "from windows-1253, "),
        ("from UTF-16LE, ", "from UTF-16BE, "),
        ("café, ", "caf日, "),
        ("café, ", "cafë, "),
        (" · converted from windows-1252, 13 B", ""),
        ("from windows-1252, 13 B", "from windows-1252, 14 B"),
        ("from windows-1252, 13 B", "from windows-1252, 99999999999 B"),
        (
            "### `a/utf8.txt` · 16 B",
            "### `a/utf8.txt` · 16 B · converted from UTF-16LE, 20 B",
        ),
        (
            "Where a heading says \"converted from\"",
            "Where a heading said \"converted from\"",
        ),
    ] {
        let codes = forged(&pack, |copy| {
            edit(copy.join(&member), |text| text.replacen(from, to, 1));
        });
        assert!(codes.iter().any(|(path, _)| *path == member), "{to}: {codes:?}");
    }
}

#[test]
fn a_key_across_two_parts_is_a_leak() {
    let repo = Repo::empty();
    let lines = |n: usize| format!("line {n} of a file that is larger than one budget\n");
    let text: String = (0..200).map(lines).collect();
    repo.write("big.txt", &text);
    repo.commit("big");
    let (_, pack) = repo.seal(&["--emit", "split", "--max-tokens", "1500", "-o", "../pack"]);
    assert_eq!(codes(&pack), []);
    // The forger puts the halves of a key where two parts meet, and keeps all sizes.
    let key = String::from_utf8(sample("private-key/openssh_ed25519")).unwrap();
    let chunks = chunks(&pack);
    let content = |text: &str| {
        text.split("\n```txt\n")
            .nth(1)
            .unwrap()
            .strip_suffix("```\n")
            .unwrap()
            .to_owned()
    };
    let (one, two) = (content(&chunks[0].1), content(&chunks[1].1));
    let at = key.len() / 2;
    let (left, right) = key.split_at(at);
    let ends = |text: &str| format!("{}{left}", &text[..text.len() - left.len()]);
    let begins = |text: &str| format!("{right}{}", &text[right.len()..]);
    let codes = forged(&pack, |copy| {
        for ((path, text), (old, new)) in chunks.iter().zip([(&one, ends(&one)), (&two, begins(&two))]) {
            let name = path.file_name().unwrap();
            let new = if old.ends_with('\n') && !new.ends_with('\n') {
                format!("{}\n", &new[..new.len() - 1])
            } else {
                new
            };
            fs::write(copy.join("SPLIT").join(name), text.replace(old.as_str(), &new)).unwrap();
        }
    });
    assert!(codes.iter().any(|(_, code)| *code == "PLAINTEXT_LEAK"), "{codes:?}");
}
