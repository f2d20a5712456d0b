//! `git pack protect` and `reveal`: their effect on disk and index, what they refuse, and that nothing stays half-made.

use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use crate::common;
use crate::common::{GIT_PACK, Repo, snapshot};

fn status(repo: &Repo) -> String {
    repo.git(&["status", "--porcelain", "-uall"]).ok().out()
}

#[test]
fn a_file_goes_and_comes_back() {
    let repo = Repo::set_up();
    repo.write("emb/a b.vec", "secret");
    repo.git(&["add", "-f", "."]).ok();
    repo.pack(&["protect", "emb/a b.vec"]).ok();
    assert_eq!(
        status(&repo),
        "A  .gitattributes\nM  .gitignore\nA  \"emb/a b.vec.age\"\n"
    );
    assert_eq!(fs::read(repo.path("emb/a b.vec")).unwrap(), b"secret");
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    // Sealing again changes nothing.
    let before = snapshot(&repo.root);
    repo.pack(&["protect", "emb/a b.vec"]).ok();
    let changed = |(path, _, _): &&(std::path::PathBuf, u32, Vec<u8>)| !path.starts_with(".git");
    assert_eq!(
        snapshot(&repo.root).iter().filter(changed).collect::<Vec<_>>(),
        before.iter().filter(changed).collect::<Vec<_>>()
    );
    fs::remove_file(repo.path("emb/a b.vec")).unwrap();
    repo.place.pack_in(&repo.path("emb"), &["reveal"]).ok();
    assert_eq!(fs::read(repo.path("emb/a b.vec")).unwrap(), b"secret");
}

/// A notice about other changes, in a repository where only `init` changed the file, told people nothing.
#[test]
fn lines_of_init_are_staged_and_those_of_others_are_named() {
    let repo = Repo::empty();
    repo.pack(&["init"]).ok();
    for name in ["a.vec", "b.vec"] {
        repo.write(name, name);
        let done = repo.pack(&["protect", name]).ok();
        assert!(!done.stderr.contains("other changes"), "{name}: {}", done.stderr);
    }
    assert_eq!(
        repo.git(&["show", ":.gitignore"]).ok().out(),
        "_PACK_RUN/\n/a.vec\n/b.vec\n"
    );
    let changed = fs::read_to_string(repo.path(".gitignore")).unwrap() + "*.log\n";
    repo.write(".gitignore", &changed);
    repo.write("c.vec", "c");
    let done = repo.pack(&["protect", "c.vec"]).ok();
    assert!(done.stderr.contains(".gitignore has other changes"), "{}", done.stderr);
    assert!(!repo.git(&["show", ":.gitignore"]).ok().out().contains("*.log"));
    // What ignores a file already needs no line, so there is nothing to say.
    let done = repo.pack(&["protect", "c.vec"]).ok();
    assert!(!done.stderr.contains("other changes"), "{}", done.stderr);
}

/// Gain: a merge of `.gitignore` that nobody decided must not count as settled.
#[test]
fn an_unmerged_gitignore_is_not_staged() {
    let repo = Repo::set_up();
    repo.git(&["branch", "other"]).ok();
    for branch in ["main", "other"] {
        repo.git(&["checkout", "-q", branch]).ok();
        repo.write(".gitignore", format!("_PACK_RUN/\n{branch}\n"));
        repo.git(&["commit", "-q", "-am", branch]).ok();
    }
    assert_eq!(repo.git(&["merge", "main"]).code, 1);
    repo.write(".gitignore", "_PACK_RUN/\n");
    repo.write("a.vec", "a");
    repo.pack(&["protect", "a.vec"]).ok();
    assert!(repo.git(&["ls-files", "-u"]).ok().out().contains(".gitignore"));
}

#[test]
fn whichever_side_moved_on_is_not_written_over() {
    let repo = Repo::set_up();
    for name in ["a.vec", "b.vec"] {
        repo.write(name, "one");
        repo.pack(&["protect", name]).ok();
    }
    assert_eq!(
        status(&repo),
        "A  .gitattributes\nM  .gitignore\nA  a.vec.age\nA  b.vec.age\n"
    );
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo.write("a.vec", "two");
    let done = repo.pack(&["protect", "--check"]);
    assert_eq!(done.code, 1);
    assert!(done.out().contains("plaintext is newer"), "{}", done.out());
    let value = repo.pack(&["reveal"]).refused("E_IO");
    assert_eq!(value["refusal"]["next_command"], "git pack protect a.vec");
    assert_eq!(fs::read(repo.path("a.vec")).unwrap(), b"two");
    let sealed = fs::read(repo.path("a.vec.age")).unwrap();
    repo.pack(&["protect", "a.vec"]).ok();
    assert_ne!(fs::read(repo.path("a.vec.age")).unwrap(), sealed);
    // The twin holds new content, because another clone sealed it.
    fs::write(repo.path("a.vec.age"), fs::read(repo.path("b.vec.age")).unwrap()).unwrap();
    let value = repo.pack(&["protect", "a.vec"]).refused("E_IO");
    assert_eq!(value["refusal"]["next_command"], "git pack reveal a.vec");
    repo.pack(&["reveal", "a.vec"]).ok();
    assert_eq!(fs::read(repo.path("a.vec")).unwrap(), b"one");
    // A damaged twin, or one for other recipients, writes nothing.
    let mut bytes = fs::read(repo.path("a.vec.age")).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(repo.path("a.vec.age"), bytes).unwrap();
    fs::remove_file(repo.path("a.vec")).unwrap();
    repo.pack(&["reveal", "a.vec"]).refused("E_CRYPTO");
    assert!(!repo.path("a.vec").exists());
    fs::remove_file(repo.identity()).unwrap();
    repo.pack(&["init"]).ok();
    fs::remove_file(repo.path("b.vec")).unwrap();
    repo.pack(&["reveal", "b.vec.age"]).refused("E_NO_IDENTITY");
}

#[test]
fn what_is_refused_changes_nothing() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    repo.write("target", "x");
    symlink("target", repo.path("link.vec")).unwrap();
    let other = repo.place.path().join("other");
    repo.place.run(repo.place.path(), "git", &["init", "-q", "other"]).ok();
    common::write(&other.join("z"), "z");
    repo.place.run(&other, "git", &["add", "."]).ok();
    repo.place.run(&other, "git", &["commit", "-q", "-m", "z"]).ok();
    repo.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        "../other",
        "m",
    ])
    .ok();
    repo.git(&["commit", "-q", "-m", "sub"]).ok();
    repo.write("m/z.vec", "secret");
    repo.write("line\nbreak.vec", "secret");
    let before = snapshot(&repo.root);
    for (path, code) in [
        ("line\nbreak.vec", "E_IO"),
        ("link.vec", "E_IO"),
        ("absent", "E_IO"),
        (".git/config", "E_USAGE"),
        (".gitpack.toml", "E_USAGE"),
        (".gitignore", "E_USAGE"),
        ("m/z.vec", "E_USAGE"),
        ("../other/z", "E_USAGE"),
    ] {
        repo.pack(&["protect", "a.vec", path]).refused(code);
        assert_eq!(snapshot(&repo.root), before, "{path}");
    }
    let refused = repo.pack(&["protect", "line\nbreak.vec"]).refused("E_IO");
    assert_eq!(
        refused["refusal"]["message"],
        "\"line\\nbreak.vec\" cannot be protected: it has a line break, which a .gitignore cannot name"
    );
    // Git cannot write the index, so the seal that was written before is removed again.
    repo.write(".git/index.lock", "");
    let before = snapshot(&repo.path("."));
    repo.pack(&["protect", "a.vec"]).refused("E_UNSUPPORTED");
    let visible = |all: Vec<(std::path::PathBuf, u32, Vec<u8>)>| -> Vec<_> {
        all.into_iter()
            .filter(|(path, _, _)| !path.starts_with(".git"))
            .collect()
    };
    assert_eq!(visible(snapshot(&repo.path("."))), visible(before));
}

#[test]
fn protect_says_what_is_not_ignored_all_the_same() {
    let repo = Repo::set_up();
    repo.write("a/.gitignore", "!*\n");
    repo.write("a/k.vec", "plain");
    repo.write("b.vec", "plain");
    let done = repo.pack(&["protect", "a/k.vec", "b.vec"]).ok();
    assert!(done.stderr.contains("a/k.vec is not ignored"), "{}", done.stderr);
    assert!(!done.stderr.contains("b.vec is not"), "{}", done.stderr);
    assert!(!done.stderr.contains("disk, is ignored"), "{}", done.stderr);
}

#[test]
fn names_are_shown_so_that_they_can_be_told_apart() {
    let repo = Repo::set_up();
    repo.write_bytes(b"caf\xe9.vec", b"latin one");
    let done = crate::common::Done::from(
        repo.place
            .command(crate::common::GIT_PACK, &repo.root)
            .arg("protect")
            .arg(std::ffi::OsStr::from_bytes(b"caf\xe9.vec"))
            .output()
            .unwrap(),
    )
    .ok();
    let said = "\"caf\\351.vec\" as \"caf\\351.vec.age\"";
    assert!(done.out().contains(said), "{}", done.out());
    repo.commit("twin");
    // The two ways in which Unicode spells an é.
    for name in ["\u{e9}.vec", "e\u{301}.vec"] {
        repo.write(name, name);
        repo.git(&["add", "-f", name]).ok();
    }
    let done = repo.git(&["commit", "-q", "-m", "two"]);
    assert!(
        done.code == 1 && done.stderr.contains("two of these paths look the same"),
        "{}",
        done.stderr
    );
}

/// A call that ended before it staged anything: the next one said that all is up to date, and staged only the twin.
#[test]
fn the_next_call_stages_what_an_interrupted_one_left() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    repo.pack(&["protect", "a.vec"]).ok();
    let whole = status(&repo);
    repo.git(&["reset", "-q"]).ok();
    assert_ne!(status(&repo), whole);
    let done = repo.pack(&["protect", "a.vec"]).ok();
    assert!(done.out().starts_with("up to date"), "{}", done.out());
    assert_eq!(status(&repo), whole);
    // What somebody else wrote there is not staged.
    repo.git(&["reset", "-q"]).ok();
    let changed = fs::read_to_string(repo.path(".gitignore")).unwrap() + "*.log\n";
    repo.write(".gitignore", changed);
    repo.pack(&["protect", "a.vec"]).ok();
    assert!(status(&repo).contains(" M .gitignore\n"), "{}", status(&repo));
}

#[test]
fn a_key_that_does_not_open_a_twin_is_told_although_nothing_is_to_be_done() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    repo.pack(&["protect", "a.vec"]).ok();
    let other = repo.place.path().join("other.txt");
    repo.place
        .run(&repo.root, &common::age_keygen(), &["-o", other.to_str().unwrap()])
        .ok();
    let key = other.to_str().unwrap();
    for args in [&["reveal", "-i", key][..], &["reveal", "-n", "-i", key, "a.vec"]] {
        repo.pack(args).refused("E_NO_IDENTITY");
    }
    let own = repo.identity();
    repo.pack(&["reveal", "-n", "-i", own.to_str().unwrap()]).ok();
    repo.pack(&["reveal"]).ok();
}

/// Another clone has rekeyed the twin. The new ciphertext holds the same plaintext.
#[test]
fn a_twin_that_was_rekeyed_elsewhere_is_not_newer() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    repo.pack(&["protect", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo.git(&["clone", "-q", ".", "../clone"]).ok();
    let clone = repo.place.path().join("clone");
    let rekey = ["rekey", "a.vec.age", "-o", "a.vec.age", "--replace", "--reencrypt"];
    repo.place.pack_in(&clone, &rekey).ok();
    repo.place
        .run(&clone, "git", &["commit", "-q", "-a", "-m", "rekeyed"])
        .ok();
    repo.git(&["pull", "-q", "../clone", "main"]).ok();
    let done = repo.pack(&["protect", "--check"]).ok();
    assert!(done.out().contains("up to date"), "{}", done.out());
    // Another plaintext is newer still.
    repo.place.pack_in(&clone, &["reveal"]).ok();
    common::write(&clone.join("a.vec"), "more");
    repo.place.pack_in(&clone, &["protect", "a.vec"]).ok();
    repo.place
        .run(&clone, "git", &["commit", "-q", "-a", "-m", "more"])
        .ok();
    repo.git(&["pull", "-q", "../clone", "main"]).ok();
    let done = repo.pack(&["protect", "--check"]);
    assert!(done.code == 1 && done.out().contains("twin is newer"), "{}", done.out());
}

/// The advice kept the file key, which the removed recipient may know.
#[test]
fn whoever_is_removed_is_shut_out_by_what_is_advised() {
    let repo = Repo::set_up();
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    repo.pack(&["recipients", "add", other]).ok();
    repo.write("a.vec", "secret");
    repo.pack(&["protect", "a.vec"]).ok();
    repo.commit("sealed");
    let removed = repo.pack(&["recipients", "remove", other]).ok();
    assert!(removed.stderr.contains("--replace --reencrypt"), "{}", removed.stderr);
    repo.commit("removed");
    let done = repo.pack(&["protect", "--check"]);
    let out = done.out();
    let command = &out[out.find("git pack rekey").unwrap()..];
    assert!(command.contains("--reencrypt"), "{out}");
    repo.place.run(&repo.root, "sh", &["-c", command.trim_end()]).ok();
    repo.git(&["add", "a.vec.age"]).ok();
    repo.pack(&["protect", "--check"]).ok();
}

#[test]
fn a_directory_or_a_glob_is_refused_with_what_seals_its_files() {
    let repo = Repo::set_up();
    repo.write("a b/one.vec", "one");
    repo.write("a b/two.vec", "two");
    let done = repo.pack(&["protect", "a b/"]);
    let said = done.stderr.clone();
    done.refused("E_IO");
    assert!(
        said.contains("is a directory; expected files") && said.contains("git pack protect 'a b'/*, or "),
        "{said}"
    );
    let done = repo.pack(&["protect", "a b/*.vec"]);
    assert!(
        done.stderr.contains("only a shell expands globs here"),
        "{}",
        done.stderr
    );
    done.refused("E_IO");
    assert!(!repo.path(".gitattributes").exists());
    repo.place
        .run(&repo.root, "sh", &["-c", "git pack protect 'a b'/*"])
        .ok();
    assert!(repo.path("a b/one.vec.age").exists() && repo.path("a b/two.vec.age").exists());

    // Several twins: the refusal has the command that rekeys each.
    let refused = repo
        .pack(&["rekey", "a b/one.vec.age", "a b/two.vec.age"])
        .refused("E_USAGE");
    let next = refused["refusal"]["next_command"].as_str().unwrap();
    let before = fs::read(repo.path("a b/two.vec.age")).unwrap();
    let done = repo.place.run(&repo.root, "sh", &["-c", next]).ok();
    assert_eq!(done.out().matches("REKEYED 1").count(), 2, "{}", done.out());
    assert_ne!(fs::read(repo.path("a b/two.vec.age")).unwrap(), before);
    assert_eq!(repo.pack(&["rekey", "a b/one.vec.age"]).code, 2);
}

#[test]
fn the_advice_takes_a_protection_back() {
    for content in ["hello\n".to_owned(), "a line of a longer text\n".repeat(4000)] {
        let repo = Repo::set_up();
        let run = |script: &str| repo.place.run(&repo.root, "sh", &["-c", script]);
        repo.write("f", &content);
        repo.pack(&["protect", "f"]).ok();
        repo.git(&["commit", "-q", "-m", "sealed"]).ok();
        run("git init -q --bare ../o.git; git remote add origin ../o.git; git push -q origin main").ok();
        run("git rm -q f.age; sed -i /^.f$/d .gitignore; git add f .gitignore").ok();
        let commit = repo.git(&["commit", "-q", "-m", "back"]);
        assert_eq!(commit.code, 1);
        // Nothing about rules: the twin protects the file.
        assert!(!commit.stderr.contains(".gitpack.toml"), "{}", commit.stderr);
        let advice = commit
            .stderr
            .lines()
            .find_map(|line| line.trim().strip_prefix("or take the protection back"));
        let command = advice.and_then(|advice| advice.trim().strip_suffix(", then commit the rest"));
        run(command.unwrap_or_else(|| panic!("{}", commit.stderr))).ok();
        repo.git(&["commit", "-q", "-m", "rest"]).ok();
        if content.len() > 100 {
            continue;
        }
        assert!(
            commit
                .stderr
                .contains("also removes the sealed twins that protect them"),
            "{}",
            commit.stderr
        );
        let push = repo.git(&["push", "-q", "origin", "main"]);
        let said = &push.stderr;
        assert!(
            said.contains("removes the sealed twins that protect them") && !said.contains(".gitpack.toml"),
            "{said}"
        );
        run("git push -q origin HEAD~1:main && git push -q origin main").ok();
    }
}

/// `protect --check` said "up to date" of a twin beside a configuration that cannot be parsed.
#[test]
fn a_check_needs_a_configuration_that_can_be_read() {
    let repo = Repo::set_up();
    repo.write("notes.txt", "secret");
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.pack(&["protect", "--check"]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", format!("{config}\nzz = ["));
    assert_eq!(repo.pack(&["protect", "--check"]).code, 2);
}

/// Without recipients in the configuration, the advice was `git pack init`, which changes nothing there.
#[test]
fn advice_without_recipients_leads_to_a_seal() {
    let repo = Repo::empty();
    repo.write("README.md", "hello\n");
    repo.write(".gitpack.toml", "version = 1\n");
    repo.commit("one");
    repo.write("notes.txt", "secret");
    repo.pack(&["key", "generate"]).ok();
    let refused = repo.pack(&["protect", "notes.txt"]).refused("E_NO_RECIPIENTS");
    let next = refused["refusal"]["next_command"].as_str().unwrap().to_owned();
    repo.place.run(&repo.root, "sh", &["-c", &next]).ok();
    repo.pack(&["protect", "notes.txt"]).ok();
}

/// Several calls at once wrote over each other's lines, and a recipient who was removed came back.
#[test]
fn edits_at_the_same_time_are_all_kept() {
    let repo = Repo::set_up();
    let keys: Vec<String> = (0..6)
        .map(|n| {
            let file = format!("../key-{n}.txt");
            repo.pack(&["key", "generate", "-o", &file])
                .ok()
                .out()
                .trim()
                .to_owned()
        })
        .collect();
    repo.pack(&["recipients", "add", &keys[0]]).ok();
    for n in 0..4 {
        repo.write(&format!("v{n}.txt"), format!("secret {n}"));
    }
    let start = |args: &[&str]| repo.place.command(GIT_PACK, &repo.root).args(args).spawn().unwrap();
    let mut running = vec![start(&["recipients", "remove", &keys[0]])];
    running.extend(keys[1..].iter().map(|key| start(&["recipients", "add", key])));
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    let listed = repo.pack(&["recipients", "list"]).ok().out();
    assert!(!listed.contains(&keys[0]), "{listed}");
    assert!(keys[1..].iter().all(|key| listed.contains(key)), "{listed}");
    let names: Vec<String> = (0..4).map(|n| format!("v{n}.txt")).collect();
    let running: Vec<_> = names.iter().map(|name| start(&["protect", name])).collect();
    for mut child in running {
        assert!(child.wait().unwrap().success());
    }
    for name in &names {
        repo.git(&["check-ignore", "-q", name]).ok();
        let staged = repo.git(&["ls-files", "--cached", &format!("{name}.age")]).ok().out();
        assert_eq!(staged.trim(), format!("{name}.age"));
    }
}

/// Whoever is no recipient was told to overwrite the plaintext by force, which cannot work.
#[test]
fn whoever_cannot_open_a_twin_is_told_so_first() {
    let repo = Repo::set_up();
    repo.write("notes.txt", "secret");
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    let other = repo.place.path().join("other");
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["clone", "-q", repo.root.to_str().unwrap(), "other"],
        )
        .ok();
    fs::write(other.join("notes.txt"), "older secret").unwrap();
    repo.pack(&["key", "generate", "-o", "../stranger.txt"]).ok();
    let refused = repo.place.pack_in(&other, &["reveal", "-i", "../stranger.txt"]);
    assert!(refused.stderr.contains("git pack key public"), "{}", refused.stderr);
    refused.refused("E_NO_IDENTITY");
    // Advice names paths that can be typed in the directory where it is given.
    fs::create_dir(other.join("sub")).unwrap();
    let refused = repo.place.pack_in(&other.join("sub"), &["reveal"]);
    assert!(
        !refused.stderr.contains("git pack protect notes.txt"),
        "{}",
        refused.stderr
    );
}
