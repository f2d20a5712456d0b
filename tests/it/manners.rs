//! How the commands treat the person who types them: warnings, advice, dry runs, and what is left behind.

use std::fs;

use crate::common::{Done, GIT_PACK, Place, Repo, noise, snapshot};

/// Everything in the repository, its git directory included.
fn everything(repo: &Repo) -> Vec<(std::path::PathBuf, u32, Vec<u8>)> {
    snapshot(&repo.root)
}

#[test]
fn removing_your_own_key_is_told() {
    let repo = Repo::set_up();
    let own = repo.pack(&["recipients", "list"]).ok().out().trim().to_owned();
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    repo.pack(&["recipients", "add", other]).ok();
    let removed = repo.pack(&["recipients", "remove", other]).ok();
    assert!(!removed.stderr.contains("your own key"), "{}", removed.stderr);
    let removed = repo.pack(&["recipients", "remove", &own]).ok();
    assert!(removed.stderr.contains("this is your own key"), "{}", removed.stderr);
}

#[test]
fn a_missing_identity_is_asked_for_by_its_flag() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, 100));
    let (_, pack) = repo.seal(&["--attach", "a.vec"]);
    fs::remove_file(repo.identity()).unwrap();
    let refused = repo.pack(&["open", pack.to_str().unwrap()]);
    assert!(refused.stderr.contains("-i FILE"), "{}", refused.stderr);
    refused.refused("E_NO_IDENTITY");
    let places = repo.pack(&["key", "list"]).ok().out();
    assert!(!places.contains("in use"), "{places}");
}

#[test]
fn a_blocked_key_is_not_released_by_a_rule() {
    let repo = Repo::set_up();
    let key = repo.place.path().join("key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(&repo.root, "ssh-keygen", &args).ok();
    fs::copy(&key, repo.path("deploy")).unwrap();
    repo.git(&["add", "deploy"]).ok();
    let blocked = repo.git(&["commit", "-q", "-m", "key"]);
    assert_eq!(blocked.code, 1);
    assert!(
        blocked.stderr.contains("no [[protect]] rule releases a key"),
        "{}",
        blocked.stderr
    );
    assert!(!blocked.stderr.contains("or change the rules"), "{}", blocked.stderr);
}

#[test]
fn what_is_no_pack_is_not_to_be_sealed_again() {
    let repo = Repo::set_up();
    for name in ["nope", "README.md/", "."] {
        let refused = repo.pack(&["verify", name]);
        assert_eq!(refused.code, 2, "{name}");
        assert!(!refused.stderr.contains("seal it again"), "{name}: {}", refused.stderr);
    }
    let refused = repo.pack(&["verify", "nope"]);
    assert!(refused.stderr.contains("git pack list"), "{}", refused.stderr);
}

#[test]
fn the_same_pack_at_a_named_output_is_no_mistake() {
    let repo = Repo::set_up();
    let first = repo.pack(&["seal", "-o", "../pack"]).ok();
    let again = repo.pack(&["seal", "-o", "../pack"]).ok();
    assert_eq!(first.out(), again.out());
    assert!(again.stderr.contains("already existed"), "{}", again.stderr);
    repo.write("README.md", "other\n");
    repo.commit("other");
    let before = snapshot(&repo.path("../pack"));
    repo.pack(&["seal", "-o", "../pack"]).refused("E_IO");
    assert_eq!(snapshot(&repo.path("../pack")), before);
    let names = fs::read_dir(repo.place.path()).unwrap().count();
    assert_eq!(names, 3, "home, repo and pack");
}

#[test]
fn uninstall_says_what_remains_and_purge_removes_the_clones_part() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(2, 100));
    repo.seal(&["--emit", "lite", "--attach", "a.vec"]);
    repo.git(&["config", "gitpack.maxRefs", "1000"]).ok();
    let told = repo.pack(&["uninstall", "-n"]).ok().out();
    assert!(
        !told.contains("twin in git") && !told.contains(".gitattributes") && !told.contains("pushed"),
        "{told}"
    );
    repo.write("b.vec", noise(3, 100));
    repo.pack(&["protect", "b.vec"]).ok();
    repo.place
        .run(repo.place.path(), "git", &["init", "-q", "--bare", "o.git"])
        .ok();
    repo.git(&["remote", "add", "origin", "../o.git"]).ok();
    repo.seal(&["-o", "../sent"]);
    repo.pack(&["push", "../sent", "git:origin"]).ok();
    let told = repo.pack(&["uninstall"]).ok();
    for what in [
        "lines of git-pack in .gitignore and .gitattributes",
        "1 sealed twin in git",
        "packs at the places to which they were pushed",
        "memory.key",
        ".git/gitpack/",
        "refs/gitpack/runs/",
        "gitpack.maxrefs",
        ".gitpack.toml",
        "_PACK_RUN",
        "identity.txt",
    ] {
        assert!(told.out().contains(what), "{what}: {}", told.out());
    }
    assert!(told.stderr.contains("git pack uninstall --purge"), "{}", told.stderr);
    assert!(repo.path(".git/gitpack/cas").exists());
    // An identity in the directory stays, and so does what others put there.
    let hidden = repo.path(".git/gitpack/my-key.txt");
    fs::copy(repo.identity(), &hidden).unwrap();
    repo.git(&["config", "gitpack.identity", hidden.to_str().unwrap()]).ok();
    repo.pack(&["uninstall", "--purge"]).ok();
    let left: Vec<_> = fs::read_dir(repo.path(".git/gitpack"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left, ["my-key.txt"]);
    assert_eq!(repo.git(&["for-each-ref", "refs/gitpack"]).ok().out(), "");
    assert_eq!(repo.git(&["config", "--get-regexp", "^gitpack"]).out(), "");
    assert!(repo.identity().exists() && repo.path(".gitpack.toml").exists());
    fs::remove_file(&hidden).unwrap();
    let again = repo.pack(&["uninstall", "--purge"]).ok();
    assert!(!repo.path(".git/gitpack").exists() || fs::read_dir(repo.path(".git/gitpack")).unwrap().count() == 0);
    assert!(!again.out().contains("refs/gitpack"), "{}", again.out());
}

/// An interruption in the middle of a seal: a plugin of age waits, while the output is staged.
#[test]
fn an_interruption_leaves_nothing_and_is_told() {
    use std::os::unix::process::ExitStatusExt;
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let repo = Repo::set_up();
        let bin = repo.place.path().join("bin");
        fs::create_dir_all(&bin).unwrap();
        // Another process writes the plugin, because the kernel does not execute a file that is open for writing.
        let plugin = "#!/bin/sh\n: >\"$HOME/began\"\nread -r line\nwhile read -r line; do :; done\n";
        let write = "printf %s \"$1\" >age-plugin-waiting && chmod +x age-plugin-waiting";
        repo.place.run(&bin, "sh", &["-c", write, "sh", plugin]).ok();
        let hrp = bech32::Hrp::parse("age1waiting").unwrap();
        let recipient = bech32::encode::<bech32::Bech32>(hrp, &[1, 2, 3]).unwrap();
        repo.write("a.vec", noise(9, 100));
        let before = snapshot(repo.place.path());
        let mut command = repo.place.command(crate::common::GIT_PACK, &repo.root);
        command.args(["seal", "--attach", "a.vec", "-o", "../deep/pack", "-r", &recipient]);
        command
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped());
        let mut child = command.spawn().unwrap();
        let began = repo.place.home().join("began");
        while !began.exists() {
            assert!(
                child.try_wait().unwrap().is_none(),
                "the seal ended before its plugin was asked"
            );
            std::thread::yield_now();
        }
        assert!(repo.place.path().join("deep").exists(), "nothing is staged yet");
        let kill = format!("kill -{signal} {}", child.id());
        repo.place.run(&repo.root, "sh", &["-c", &kill]).ok();
        let output = child.wait_with_output().unwrap();
        assert_eq!(output.status.signal(), Some(number), "it must die by the signal");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            said.contains("interrupted; no output was made, and what was staged is removed"),
            "{said}"
        );
        fs::remove_file(&began).unwrap();
        let kept = |(path, ..): &(std::path::PathBuf, u32, Vec<u8>)| {
            !path.starts_with("repo/.git/gitpack") && !path.starts_with("home")
        };
        let [before, after] =
            [before, snapshot(repo.place.path())].map(|found| found.into_iter().filter(kept).collect::<Vec<_>>());
        assert!(after == before, "something is left");
    }
}

#[test]
fn a_report_that_cannot_be_written_is_told_apart_from_a_failure() {
    let repo = Repo::set_up();
    let run = |line: &str| repo.place.run(&repo.root, "sh", &["-c", line]);
    let done = run("git-pack seal -o ../pack >/dev/full");
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("writing standard output"), "{}", done.stderr);
    assert!(
        done.stderr.contains("the command itself ended, with exit status 0"),
        "{}",
        done.stderr
    );
    repo.pack(&["verify", "../pack"]).ok();
    let failed = run("git-pack verify ../absent >/dev/full");
    assert!(!failed.stderr.contains("the command itself ended"), "{}", failed.stderr);
    // Nobody reads any more, as behind head -1: that is no fault, and the answer is the same.
    for (command, code) in [("seal -o ../pack", 0), ("verify ../pack", 0), ("verify ../other", 1)] {
        run("cp -R ../pack ../other; echo x >>../other/repo/README.md");
        let line = format!("(sleep 0.3; git-pack {command}; echo $? >&2) | exec 0<&-");
        let closed = run(&line);
        assert_eq!(
            closed.stderr.lines().last(),
            Some(code.to_string().as_str()),
            "{command}: {}",
            closed.stderr
        );
        assert!(!closed.stderr.contains("standard output"), "{}", closed.stderr);
    }
}

#[test]
fn quiet_leaves_results_and_refusals() {
    let repo = Repo::set_up();
    let loud = repo.pack(&["seal", "-o", "../pack"]).ok();
    assert!(!loud.stderr.is_empty());
    let quiet = repo.pack(&["seal", "-o", "../pack", "--quiet"]).ok();
    assert_eq!((quiet.out(), quiet.stderr.as_str()), (loud.out(), ""));
    let refused = repo.pack(&["-q", "verify", "absent"]);
    assert_eq!(refused.code, 2);
    assert!(refused.stderr.starts_with("git-pack: "), "{}", refused.stderr);
}

#[test]
fn a_dry_run_changes_nothing() {
    let repo = Repo::empty();
    repo.write("README.md", "hello\n");
    let other = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";
    let unchanged = |args: &[&str]| {
        let (before, home) = (everything(&repo), snapshot(&repo.place.home()));
        let done = repo.pack(args).ok();
        assert!(
            everything(&repo) == before && snapshot(&repo.place.home()) == home,
            "{args:?}"
        );
        let said = format!("{}{}", done.out(), done.stderr);
        assert!(
            said.contains("would be") || said.contains("dry run: nothing was changed"),
            "{args:?}: {said}"
        );
    };
    unchanged(&["init", "--dry-run"]);
    unchanged(&["install", "--dry-run"]);
    repo.pack(&["init"]).ok();
    repo.commit("first");
    let own = repo.pack(&["recipients", "list"]).ok().out();
    unchanged(&["init", "-n"]);
    unchanged(&["recipients", "add", other, "--dry-run"]);
    unchanged(&["recipients", "remove", own.trim(), "--dry-run"]);
    unchanged(&["uninstall", "--dry-run"]);
    repo.write("notes.txt", "secret");
    repo.write("index.vec", noise(7, 100));
    unchanged(&["protect", "notes.txt", "--dry-run"]);
    unchanged(&["seal", "--dry-run"]);
    unchanged(&["seal", "--attach", "index.vec", "-n"]);
    unchanged(&["seal", "README.md", "-n", "-o", "../evidence"]);
    repo.pack(&["protect", "notes.txt"]).ok();
    let (_, pack) = repo.seal(&["--attach", "index.vec", "-o", "../pack"]);
    unchanged(&["protect", "notes.txt", "-n"]);
    unchanged(&["reveal", "-n"]);
    fs::remove_file(repo.path("notes.txt")).unwrap();
    unchanged(&["reveal", "--dry-run"]);
    unchanged(&["open", pack.to_str().unwrap(), "--dry-run", "-o", "../opened"]);
    unchanged(&["open", pack.to_str().unwrap(), "--dry-run"]);
    // What would be refused is refused.
    repo.pack(&["open", pack.to_str().unwrap(), "--dry-run", "-o", "../pack"])
        .refused("E_IO");
    repo.pack(&["protect", "absent", "--dry-run"]).refused("E_IO");
    unchanged(&["uninstall", "--purge", "--dry-run"]);
    let page = repo.place.path().join("report.html");
    let page = page.to_str().unwrap();
    for what in [&["report", pack.to_str().unwrap()][..], &["report", "--rev", "HEAD"]] {
        unchanged(&[what, &["-n", "-o", page]].concat());
        repo.pack(&[what, &["-n", "-o", "README.md"]].concat()).refused("E_IO");
    }
    unchanged(&["scan", "--rev", "HEAD", "--write-allow", "-n"]);
    unchanged(&["scan", "--rev", "HEAD", "--write-allow=allowed.toml", "-n"]);
    assert_eq!(repo.pack(&["scan", "-n"]).code, 2);
    let before = everything(&repo);
    let would = repo.pack(&["scan", "--worktree", "--write-allow", "-n"]);
    assert_eq!(would.code, 1, "{}", would.stderr);
    assert!(
        would.stderr.contains("would add 1 [[allow]] entry to .gitpack.toml"),
        "{}",
        would.stderr
    );
    assert!(everything(&repo) == before);
    unchanged(&["key", "generate", "-n", "-o", "../another.txt"]);
    repo.pack(&["key", "generate", "-n", "-o", page]).ok();
    repo.pack(&["key", "generate", "-n"]).refused("E_IO");
    let manual = repo.place.path().join("man");
    let manual = manual.to_str().unwrap();
    unchanged(&["man", "-n", &format!("--install={manual}")]);
    repo.pack(&["man", &format!("--install={manual}")]).ok();
    unchanged(&["man", "-n", &format!("--uninstall={manual}")]);
    assert!(std::path::Path::new(manual).join("man1/git-pack.1").is_file());
}

/// `init` advised a commit that its own hook then blocked.
#[test]
fn init_tells_of_tracked_files_that_it_protects() {
    let repo = Repo::empty();
    repo.write("a b.vec", noise(3, 100));
    repo.commit("before");
    let planned = repo.pack(&["init", "-n"]).ok().out();
    assert!(
        planned.contains("to write   .gitpack.toml") && !planned.contains("wrote"),
        "{planned}"
    );
    assert!(!planned.contains("no identity here"), "{planned}");
    let done = repo.pack(&["init"]).ok().out();
    assert!(done.contains("a b.vec is tracked in plaintext"), "{done}");
    let next = done.lines().filter_map(|line| line.strip_prefix("next       "));
    for command in next {
        let command = command.replace("git commit", "git commit -q -m next");
        repo.place.run(&repo.root, "sh", &["-c", &command]).ok();
    }
    repo.pack(&["protect", "--check"]).ok();
    assert_eq!(repo.git(&["status", "--porcelain"]).ok().out(), "");
    let planned = repo.pack(&["uninstall", "-n"]).ok().out();
    assert!(
        planned.contains("to remove") && !planned.contains("removed"),
        "{planned}"
    );
    // Quiet advises nothing, and a bare repository is told how it is guarded.
    let other = Repo::empty();
    assert!(!other.pack(&["init", "-q"]).ok().out().contains("next"));
    let bare = other.place.path().join("bare.git");
    other.git(&["init", "-q", "--bare", bare.to_str().unwrap()]).ok();
    let refused = other.place.pack_in(&bare, &["init"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("git pack init --server"),
        "{}",
        refused.stderr
    );
}

#[test]
fn a_mistyped_command_is_told_with_the_one_that_was_meant() {
    let place = Place::new();
    let told = |args: &[&str]| place.pack_in(place.path(), args).stderr;
    assert!(told(&["stauts"]).contains("there is no command \"stauts\"; did you mean status?"));
    assert!(told(&["help", "gaurd"]).contains("did you mean guard?"));
    assert!(!told(&["help", "scoop"]).contains("completions"));
    for word in ["scope", "guard"] {
        place.pack_in(place.path(), &["help", word]).ok();
    }
}

/// A scan of nothing staged said CLEAN beside a configuration that cannot be read.
#[test]
fn a_scan_refuses_beside_a_broken_configuration() {
    let repo = Repo::set_up();
    repo.write(".gitpack.toml", "version = 1\nseal = 7\n");
    repo.pack(&["scan", "--json"]).refused("E_BAD_CONFIG");
    // A file for SARIF is not left empty.
    let refused = repo.pack(&["scan", "--format", "sarif"]);
    assert_eq!(refused.code, 2);
    let document: serde_json::Value = serde_json::from_slice(&refused.stdout).unwrap();
    let invocation = &document["runs"][0]["invocations"][0];
    assert_eq!(invocation["executionSuccessful"], false, "{document}");
    let said = invocation["toolExecutionNotifications"][0]["message"]["text"]
        .as_str()
        .unwrap();
    assert!(said.starts_with("E_BAD_CONFIG: "), "{said}");
}

/// A dry run of a command about packs: its arguments, and what it says that it would do.
const DRY_RUNS: &[(&[&str], &str)] = &[
    (&["seal"], "to _PACK_RUN"),
    (&["seal", "README.md", "-o", "../evidence"], "to ../evidence"),
    (&["open", "../pack", "-o", "../opened"], "would open a.vec"),
    (&["restore", "../pack"], "RESTORABLE"),
    (&["restore", "../pack", "-o", "../restored"], "RESTORABLE"),
    (&["gc"], "NOTHING TO COLLECT"),
    (
        &["archive", "../pack", "-o", "../pack.tar.zst"],
        "would archive sha256:",
    ),
    (&["push", "../pack", "STORE"], "would publish sha256:"),
    (&["pull", "../old.tar.zst", "-o", "../pulled"], "would fetch sha256:"),
    (&["pull", "STORE#OLD", "-o", "../pulled"], "would fetch sha256:"),
    (&["sign", "../pack", "--key", "../key"], "would sign sha256:"),
    (&["attest", "../pack", "--key", "../key"], "would attest sha256:"),
    (&["rekey", "../pack", "-r", OTHER, "-o", "../other"], "would rekey 1"),
    (
        &["rekey", "../pack", "-r", OTHER, "-o", "../pack", "--replace"],
        "would rekey 1",
    ),
    (
        &["rekey", "x.vec.age", "-r", OTHER, "-o", "x.vec.age", "--replace"],
        "would rekey 1",
    ),
    (
        &["agent", "append", "00", "cycles", "--store", "store"],
        "would append 1 cycle to shard 00: 0",
    ),
    (
        &["agent", "seal", "agents/x.json", "--kind", "session"],
        "would encrypt to agents/x.json.enc",
    ),
];

const OTHER: &str = "age1t7rxyev2z3rw82stdlrrepyc39nvn86l5078zqkf5uasdy86jp6svpy7pa";

#[test]
fn a_dry_run_about_packs_changes_nothing_and_is_not_recorded() {
    let repo = Repo::set_up();
    let key = ["-q", "-t", "ed25519", "-N", "", "-f", "../key"];
    repo.place.run(&repo.root, "ssh-keygen", &key).ok();
    repo.write("x.vec", noise(6, 100));
    repo.pack(&["protect", "x.vec"]).ok();
    repo.commit("twin");
    repo.write("a.vec", noise(5, 100));
    repo.write("cycles", [0; 24]);
    repo.write("agents/x.json", "{}");
    fs::create_dir_all(repo.path("store")).unwrap();
    let store = repo.place.path().join("packs");
    fs::create_dir(&store).unwrap();
    let store = format!("file://{}", store.display());
    let (old, _) = repo.seal(&["README.md", "-o", "../old"]);
    repo.pack(&["push", "../old", &store]).ok();
    repo.pack(&["archive", "../old", "-o", "../old.tar.zst"]).ok();
    repo.seal(&["--attach", "a.vec", "-o", "../pack"]);
    let before = snapshot(repo.place.path());
    let ledger = repo.place.home().join(".epistemic/witness.jsonl");
    let recorded = fs::read(&ledger).unwrap();
    let given = |args: &[&str]| -> Vec<String> {
        let each = args.iter();
        each.map(|word| word.replace("STORE", &store).replace("OLD", &old))
            .collect()
    };
    for (args, said) in DRY_RUNS {
        for flag in ["-n", "--dry-run"] {
            let mut args = given(args);
            args.push(flag.into());
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let done = repo.pack(&args).ok();
            let told = format!("{}{}", done.out(), done.stderr);
            assert!(told.contains(said), "{args:?}: {told}");
            assert!(told.contains("dry run: nothing was changed"), "{args:?}: {told}");
            assert!(snapshot(repo.place.path()) == before, "{args:?} changed something");
            assert!(fs::read(&ledger).unwrap() == recorded, "{args:?} was recorded");
        }
    }
    // What would be refused is refused.
    for (args, code) in [
        (&["archive", "../pack", "-o", "../old.tar.zst", "-n"][..], "E_IO"),
        (&["push", "../absent", "STORE", "-n"], "E_BAD_PACK"),
        (&["pull", "../old.tar.zst", "-o", "../old", "-n"], "E_IO"),
        (&["sign", "../pack", "--key", "../absent", "-n"], "E_SIGNATURE"),
        (&["attest", "../absent", "--key", "../key", "-n"], "E_BAD_PACK"),
        (&["rekey", "../pack", "-o", "../old", "-n"], "E_IO"),
        (&["rekey", "../old", "-o", "../other", "-n"], "E_USAGE"),
    ] {
        let args = given(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        repo.pack(&args).refused(code);
    }
    // The same without the flag does it, and is recorded.
    for (args, _) in DRY_RUNS
        .iter()
        .filter(|(args, _)| !args.contains(&"restore") || args.contains(&"-o"))
    {
        let args = given(args);
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        if args.contains(&"../pulled") && repo.path("../pulled").exists() {
            fs::remove_dir_all(repo.path("../pulled")).unwrap();
        }
        repo.pack(&args).ok();
    }
    assert!(snapshot(repo.place.path()) != before && fs::read(&ledger).unwrap() != recorded);
}

/// `protect` changes one file after the other: a plugin of age waits while the first one is sealed.
#[test]
fn an_interrupted_protect_tells_that_it_can_go_on() {
    use std::os::unix::process::ExitStatusExt;
    let repo = Repo::set_up();
    let bin = repo.place.path().join("bin");
    fs::create_dir_all(&bin).unwrap();
    let plugin = "#!/bin/sh\n: >\"$HOME/began\"\nread -r line\nwhile read -r line; do :; done\n";
    let write = "printf %s \"$1\" >age-plugin-waiting && chmod +x age-plugin-waiting";
    repo.place.run(&bin, "sh", &["-c", write, "sh", plugin]).ok();
    let hrp = bech32::Hrp::parse("age1waiting").unwrap();
    let recipient = bech32::encode::<bech32::Bech32>(hrp, &[1, 2, 3]).unwrap();
    repo.write(
        ".gitpack.toml",
        format!("version = 1\n[seal]\nrecipients = [\"{recipient}\"]\n"),
    );
    repo.write("a.vec", noise(9, 100));
    let mut command = repo.place.command(crate::common::GIT_PACK, &repo.root);
    command.args(["protect", "a.vec"]).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let began = repo.place.home().join("began");
    while !began.exists() {
        assert!(
            child.try_wait().unwrap().is_none(),
            "it ended before its plugin was asked"
        );
        std::thread::yield_now();
    }
    let kill = format!("kill -TERM {}", child.id());
    repo.place.run(&repo.root, "sh", &["-c", &kill]).ok();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.signal(), Some(15));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("the same command goes on with the others"), "{said}");
}

/// A link of a repository led `man --install` out of it, and a dry run claimed that something was removed.
#[test]
fn manual_pages_do_not_go_through_a_link_of_a_repository() {
    let repo = Repo::set_up();
    fs::create_dir(repo.path("../outside")).unwrap();
    std::os::unix::fs::symlink("../outside", repo.path("man")).unwrap();
    for directory in ["man", "man/", "./man/sub"] {
        for deed in ["--install", "--uninstall"] {
            let done = repo.pack(&["man", &format!("{deed}={directory}")]);
            assert_eq!(done.code, 2, "{deed} {directory}: {}", done.out());
        }
    }
    assert!(fs::read_dir(repo.path("../outside")).unwrap().next().is_none());
    repo.pack(&["seal"]).ok();
    let told = repo.pack(&["uninstall", "--purge", "-n"]).ok().out();
    assert!(!told.contains("removed") && told.contains("to remove  "), "{told}");
}

/// A scan of nothing passed for a scan of a mirror, and a report needed a home.
#[test]
fn what_cannot_be_looked_at_is_refused_and_what_can_needs_no_home() {
    let repo = Repo::set_up();
    repo.place
        .run(&repo.root, "git", &["clone", "-q", "--bare", ".", "../bare.git"])
        .ok();
    let bare = repo.path("../bare.git");
    for args in [&["scan"][..], &["scan", "--worktree"]] {
        let refused = repo.place.pack_in(&bare, args);
        assert_eq!(refused.code, 2, "{}", refused.out());
    }
    repo.place.pack_in(&bare, &["scan", "--all"]).ok();
    for args in [&["status"][..], &["status", "--json"], &["protect", "--check"]] {
        let mut command = repo.place.command(GIT_PACK, &repo.root);
        let done = Done::from(command.env_remove("HOME").args(args).output().unwrap());
        assert_ne!(done.code, 2, "{args:?}: {}", done.stderr);
    }
}
