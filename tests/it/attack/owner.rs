//! A victim runs git-pack in a repository that belongs to another user.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use crate::common;
use crate::common::{Done, Place, Repo, is_root, snapshot, write};

/// A user id other than that of the tests.
const STRANGER: &str = "54321";

/// The commands to try. `PACK` stands for a pack in the repository, `OUT` for a directory outside of it.
const COMMANDS: &[&[&str]] = &[
    &["complete", "--", "state", ""],
    &["complete", "--", "verify", ""],
    &["completions", "bash"],
    &["init"],
    &["init", "--server"],
    &["status"],
    &["status", "--doctor"],
    &["scan"],
    &["scan", "--worktree"],
    &["scan", "--rev", "HEAD"],
    &["scan", "--all"],
    &["scan", "--all", "--write-allow"],
    &["scan", "--all", "--write-allow", "known.toml"],
    &["install"],
    &["install", "--strict"],
    &["uninstall"],
    &["protect", "secret.vec"],
    &["protect", "--check"],
    &["reveal"],
    &["state"],
    &["state", "--no-cache"],
    &["seal"],
    &["seal", "sub/report.json"],
    &["seal", "--output", "OUT/pack"],
    &["seal", "sub/report.json", "--output", "OUT/pack"],
    &["open", "PACK"],
    &["open", "PACK", "--output", "opened"],
    &["verify", "PACK"],
    &["verify", "PACK", "--rev", "HEAD"],
    &["diff", "PACK", "PACK"],
    &["inspect", "PACK"],
    &["report", "PACK", "--output", "page.html"],
    &["report", "--rev", "HEAD", "--output", "page.html"],
    &["push", "PACK"],
    &["push", "PACK", "git:origin"],
    &["pull", "git:origin", "--output", "OUT/pulled"],
    &["sign", "PACK"],
    &["sign", "PACK", "--key", "OUT/../key"],
    &["archive", "PACK", "--output", "archived.tar.zst"],
    &["attest", "PACK", "--key", "OUT.pem"],
    &["restore", "PACK", "--output", "restored"],
    &["restore", "PACK", "--dry-run"],
    &["audit"],
    &["gc", "--grace", "0s"],
    &["rekey", "PACK", "--output", "rekeyed"],
    &["key", "list"],
    &["key", "public"],
    &["recipients", "list"],
    &[
        "recipients",
        "add",
        "age1yubikey1q2w7u3vpya839jxxuq8g0sedh3d740d4xvn639sqhr95ejj8vu3hyfumptt",
    ],
    &["agent", "info"],
    &["agent", "append", "00", "README.md"],
    &["agent", "append", "00", "/dev/null"],
    &["agent", "cat"],
    &["hook", "pre-commit"],
    &["driver", "diff", "README.md"],
    &[
        "driver",
        "merge",
        "README.md",
        "README.md",
        "README.md",
        "7",
        "README.md",
    ],
];

/// Sets up a repository with rules, a pack, and traps in its configuration, and gives it to a stranger.
fn trapped() -> (Repo, String) {
    let repo = Repo::set_up();
    repo.write("secret.vec", "protected\n");
    repo.write("sub/report.json", "{}\n");
    repo.git(&["add", "sub"]).ok();
    repo.git(&["commit", "-q", "-m", "report"]).ok();
    let pack = repo.seal(&[]).1;
    let trap = repo.place.path().join("trap");
    let sprung = repo.place.path().join("sprung");
    write(&trap, format!("#!/bin/sh\necho \"$0 $*\" >>'{}'\n", sprung.display()));
    fs::set_permissions(&trap, fs::Permissions::from_mode(0o755)).unwrap();
    let trap = trap.to_str().unwrap();
    for key in [
        "core.fsmonitor",
        "core.pager",
        "core.sshCommand",
        "diff.external",
        "filter.trap.clean",
        "gpg.program",
        "gpg.ssh.program",
        "gpg.ssh.defaultKeyCommand",
    ] {
        repo.git(&["config", key, trap]).ok();
    }
    repo.git(&["config", "gpg.format", "ssh"]).ok();
    let key = repo.place.path().join("key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(&repo.root, "ssh-keygen", &args).ok();
    repo.write(".gitattributes", "* filter=trap diff=trap\n");
    for hook in [
        "pre-commit",
        "post-index-change",
        "reference-transaction",
        "post-checkout",
    ] {
        fs::copy(trap, repo.path(".git/hooks").join(hook)).unwrap();
    }
    let own = |path: &Path| {
        let status = Command::new("chown").args(["-R", STRANGER]).arg(path).status();
        assert!(status.unwrap().success());
    };
    own(&repo.root);
    let pack = pack.strip_prefix(&repo.root).unwrap().to_str().unwrap().to_owned();
    (repo, pack)
}

fn run_in(place: &Place, directory: &Path, args: &[&str]) -> Done {
    place.pack_in(directory, args)
}

/// Gain: the attacker's code runs as the victim, files of the victim are written, or seals can be opened by the
/// attacker.
#[test]
fn in_somebody_elses_repository_every_command_refuses_or_changes_and_starts_nothing() {
    if !is_root() {
        eprintln!("only root can give a repository to somebody else");
        return;
    }
    let (repo, pack) = trapped();
    let place = &repo.place;
    let out = place.path().join("out");
    fs::create_dir(&out).unwrap();
    // The victim's own key is fit, so it is the repository that is refused.
    let key = ["genpkey", "-algorithm", "ed25519", "-out", "out.pem"];
    place.run(place.path(), "openssl", &key).ok();
    fs::set_permissions(place.path().join("out.pem"), fs::Permissions::from_mode(0o600)).unwrap();
    let mut commands: Vec<Vec<&str>> = COMMANDS.iter().map(|args| args.to_vec()).collect();
    // A command that is not in the table is tried by itself. If it needs arguments, that would try nothing.
    let tree = gitpack::cli::command_tree();
    for name in tree.get_subcommands().map(|command| command.get_name()) {
        // `tour` works in a repository of its own.
        if !["witness", "help", "tour"].contains(&name) && !COMMANDS.iter().any(|args| args[0] == name) {
            let done = run_in(place, &repo.root, &[name]);
            assert!(
                !done.stderr.contains("Usage:"),
                "{name} is not tried with its arguments"
            );
            commands.push(vec![name]);
        }
    }
    let before = snapshot(&repo.root);
    let reading = [
        "state",
        "verify",
        "inspect",
        "diff",
        "key",
        "complete",
        "completions",
        "man",
    ];
    for args in &commands {
        for directory in [repo.root.clone(), repo.path("sub")] {
            let up = if directory == repo.root { "" } else { "../" };
            let args: Vec<String> = args
                .iter()
                .map(|arg| match *arg {
                    "PACK" => format!("{up}{pack}"),
                    arg => arg.replace("OUT", out.to_str().unwrap()),
                })
                .collect();
            let args: Vec<&str> = args.iter().map(String::as_str).collect();
            let done = run_in(place, &directory, &args);
            let reads = reading.contains(&args[0]) || args.contains(&"--dry-run") || args.contains(&"info");
            assert!(
                done.code == 2 || (reads && done.code == 0),
                "{args:?}: {}\n{}{}",
                done.code,
                done.out(),
                done.stderr
            );
            assert!(
                !place.path().join("sprung").exists(),
                "{args:?} ran a command that the repository names"
            );
            assert!(snapshot(&repo.root) == before, "{args:?} changed the repository");
            assert!(fs::read_dir(&out).unwrap().next().is_none(), "{args:?} wrote a pack");
        }
    }
}

/// Gain: a victim seals an artifact in a subdirectory of the attacker's repository, and it is encrypted to the
/// attacker.
#[test]
fn nothing_is_sealed_for_recipients_that_somebody_else_names() {
    if !is_root() {
        eprintln!("only root can give a repository to somebody else");
        return;
    }
    let (repo, _) = trapped();
    let mine = repo.path("mine");
    write(&mine.join("secret.vec"), "mine\n");
    let refused = run_in(&repo.place, &mine, &["seal", "secret.vec"]).refused("E_UNSUPPORTED");
    let next = refused.to_string();
    assert!(next.contains("another user"), "{next}");
}

/// No gain: a victim who trusts a repository can say so by git's own setting.
#[test]
fn a_repository_that_safe_directory_names_is_ours() {
    if !is_root() {
        eprintln!("only root can give a repository to somebody else");
        return;
    }
    let repo = Repo::set_up();
    let chown = Command::new("chown").args(["-R", STRANGER]).arg(&repo.root).status();
    assert!(chown.unwrap().success());
    assert_eq!(repo.pack(&["status"]).code, 2);
    let config = repo.place.home().join("gitconfig");
    fs::write(&config, format!("[safe]\n\tdirectory = {}\n", repo.root.display())).unwrap();
    let status = |configuration: &Path| {
        let mut command = repo.place.command(common::GIT_PACK, &repo.root);
        command.arg("status").env("GIT_CONFIG_GLOBAL", configuration);
        command.status().unwrap().code()
    };
    assert_eq!(status(&config), Some(0));
    // The repository's own configuration cannot declare trust.
    let own = fs::read_to_string(repo.path(".git/config")).unwrap();
    fs::write(repo.path(".git/config"), format!("{own}[safe]\n\tdirectory = *\n")).unwrap();
    assert_eq!(status(Path::new("/dev/null")), Some(2));
}
