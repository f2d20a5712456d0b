//! What a person at a terminal sees, and what an interruption leaves there and on the disk.

#![allow(clippy::print_stderr, reason = "the test names the tool that is missing")]

use std::fs;

use crate::common::Repo;

/// Returns whether script(1) of util-linux is here, which makes terminals.
fn has_terminals(repo: &Repo) -> bool {
    let has = repo.place.run(&repo.root, "script", &["--version"]).code == 0;
    // Debian and all that comes from it have it.
    assert!(has || cfg!(not(target_os = "linux")), "no script(1)");
    if !has {
        eprintln!("no script(1): nothing was tried at a terminal");
    }
    has
}

/// Runs lines of a shell at a terminal, which is open until they end. Returns what the terminal shows.
fn at_terminal(repo: &Repo, lines: &str) -> String {
    let mut command = repo.place.command("script", &repo.root);
    command.args(["-qec", lines, "/dev/null"]).env("SHELL", "/bin/sh");
    command
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped());
    let mut child = command.spawn().unwrap();
    let held = child.stdin.take();
    let output = child.wait_with_output().unwrap();
    drop(held);
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn an_interruption_while_signing_leaves_no_files() {
    use std::os::unix::process::ExitStatusExt;
    let repo = Repo::set_up();
    repo.seal(&["-o", "../pack"]);
    let bin = repo.place.path().join("bin");
    let temporary = repo.place.path().join("temporary");
    fs::create_dir_all(&bin).unwrap();
    fs::create_dir_all(&temporary).unwrap();
    let program = "#!/bin/sh\n: >\"$HOME/began\"\nexec sleep 100\n";
    let write = "printf %s \"$1\" >waiting && chmod +x waiting";
    repo.place.run(&bin, "sh", &["-c", write, "sh", program]).ok();
    // The configuration of a repository names no programs.
    let config = repo.place.path().join("config");
    fs::write(
        &config,
        format!("[gpg \"ssh\"]\n\tprogram = {}\n", bin.join("waiting").display()),
    )
    .unwrap();
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ0FC2w9QZ2q8V7bJ0sYI3Yl6v1q3Zt6mDqWm1oMDd2b x";
    for (signal, number) in [("INT", 2), ("TERM", 15)] {
        let mut command = repo.place.command(crate::common::GIT_PACK, &repo.root);
        command
            .args(["sign", "../pack", "--agent", key])
            .env("TMPDIR", &temporary)
            .env("GIT_CONFIG_GLOBAL", &config);
        command.stderr(std::process::Stdio::null());
        let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
        let began = repo.place.home().join("began");
        while !began.exists() {
            assert!(child.try_wait().unwrap().is_none(), "nothing was to be signed");
            std::thread::yield_now();
        }
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 1);
        let kill = format!("kill -{signal} {}", child.id());
        repo.place.run(&repo.root, "sh", &["-c", &kill]).ok();
        assert_eq!(child.wait().unwrap().signal(), Some(number));
        assert_eq!(fs::read_dir(&temporary).unwrap().count(), 0, "{signal}");
        fs::remove_file(&began).unwrap();
    }
}

#[test]
fn an_interruption_at_a_prompt_makes_the_terminal_echo_again() {
    let repo = Repo::set_up();
    if !has_terminals(&repo) {
        return;
    }
    let shown = at_terminal(
        &repo,
        "stty echo; git-pack key generate --passphrase -o ../key.txt & \
         until stty -a </dev/tty | grep -q -- ' -echo '; do kill -0 $! || exit; done; \
         kill -TERM $!; wait $!; echo \"status $?\"; stty -a </dev/tty | tr ' ' '\\n' | grep -x -- '-*echo'",
    );
    let lines: Vec<&str> = shown.lines().map(str::trim_end).collect();
    assert!(lines.contains(&"status 143") && lines.contains(&"echo"), "{shown}");
    assert!(!lines.contains(&"-echo"), "{shown}");
}

#[test]
fn a_person_at_a_terminal_gets_json_only_on_demand() {
    let repo = Repo::set_up();
    if !has_terminals(&repo) {
        return;
    }
    let manifest = repo
        .place
        .run(&repo.root, crate::common::GIT_PACK, &["--describe"])
        .ok();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest.stdout).unwrap();
    let commands = manifest["subcommands"].as_array().or(manifest["commands"].as_array());
    let names: Vec<&str> = commands
        .unwrap()
        .iter()
        .map(|each| each["name"].as_str().unwrap())
        .collect();
    assert!(names.len() > 20, "{names:?}");
    let lines: Vec<String> = names.iter().map(|name| format!("git-pack {name} --bogus")).collect();
    let refused = [
        "git-pack open absent",
        "git-pack restore absent -o out",
        "git-pack push absent git:origin",
        "git-pack seal absent",
        "git-pack verify absent",
        "git-pack nonsense",
    ];
    let all = format!("{}; {}", lines.join("; "), refused.join("; "));
    let shown = at_terminal(&repo, &all);
    assert!(!shown.contains("{\""), "{shown}");
    assert!(shown.matches("git-pack: ").count() >= names.len(), "{shown}");
    // On demand, and in a pipe, it is there.
    let shown = at_terminal(&repo, "git-pack state --rev absent --json; git-pack seal absent | cat");
    assert_eq!(shown.matches("{\"outcome\":\"REFUSAL\"").count(), 2, "{shown}");
}
