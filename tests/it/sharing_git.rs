//! Packs at a git remote: a bare repository by its path, and one behind the real `git daemon`.

use std::collections::BTreeSet;
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::common::{Done, GIT_PACK, Repo, noise, snapshot};

const PACKS: &str = "refs/gitpack/packs/";

/// A repository with a protected file, and an empty bare repository beside it, its remote `origin`.
pub fn world(format: &str) -> Repo {
    let repo = Repo::with_format(format);
    repo.write("README.md", "hello\n");
    repo.pack(&["init"]).ok();
    repo.write("lines", "one\ntwo\r\nthree\n");
    repo.write("large.bin", noise(7, 200_000));
    repo.write("a/deep/file", "deep\n");
    repo.write("data/x.vec", "secret plaintext\n");
    repo.pack(&["protect", "data/x.vec"]).ok();
    repo.commit("one");
    let option = format!("--object-format={format}");
    let place = repo.place.path();
    repo.place
        .run(
            place,
            "git",
            &["init", "-q", "--bare", "-b", "main", &option, "server.git"],
        )
        .ok();
    repo.git(&["remote", "add", "origin", "../server.git"]).ok();
    repo
}

fn server(repo: &Repo, args: &[&str]) -> Done {
    repo.place.run(&repo.place.path().join("server.git"), "git", args)
}

/// Returns the refs of the server, each with the type of its object.
fn refs(repo: &Repo) -> Vec<String> {
    let listed = server(repo, &["for-each-ref", "--format=%(objecttype) %(refname)"]).ok();
    listed.out().lines().map(str::to_owned).collect()
}

fn objects(repo: &Repo) -> u64 {
    let counted = server(repo, &["count-objects", "-v"]).ok().out();
    let number = |key: &str| -> u64 {
        let line = counted.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap().trim().parse().unwrap()
    };
    number("count:") + number("in-pack:")
}

fn same(one: &Path, other: &Path) {
    let files = |root: &Path| -> Vec<(PathBuf, Vec<u8>)> {
        let all = snapshot(root).into_iter();
        all.map(|(path, _, bytes)| (path, bytes)).collect()
    };
    assert!(files(one) == files(other), "{} {}", one.display(), other.display());
}

fn ref_of(id: &str) -> String {
    format!("{PACKS}{}", id.strip_prefix("sha256:").unwrap())
}

/// The real `git daemon` on loopback, which also accepts pushes. It ends when it is dropped.
struct Daemon {
    child: Child,
    port: u16,
}

impl Daemon {
    fn of(repo: &Repo) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let place = repo.place.path();
        let programs = repo.git(&["--exec-path"]).ok().out();
        let mut daemon = repo.place.command(Path::new(programs.trim()).join("git-daemon"), place);
        daemon
            .args([
                "--reuseaddr",
                "--export-all",
                "--enable=receive-pack",
                "--listen=127.0.0.1",
            ])
            .arg(format!("--port={port}"))
            .arg(format!("--base-path={}", place.display()))
            .stderr(Stdio::null());
        let child = daemon.spawn().unwrap();
        let daemon = Self { child, port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return daemon;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        panic!("git daemon does not listen");
    }

    fn url(&self) -> String {
        format!("git://127.0.0.1:{}/server.git", self.port)
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn the_same_bytes_and_id_come_back_and_nothing_is_sent_twice() {
    for format in ["sha1", "sha256"] {
        let repo = world(format);
        // Nothing of this may change a byte of a pack.
        repo.git(&["config", "core.autocrlf", "true"]).ok();
        repo.git(&["config", "core.eol", "crlf"]).ok();
        repo.write(".git/info/attributes", "* text eol=crlf ident filter=spoil\n");
        repo.git(&["config", "filter.spoil.clean", "tr a-z A-Z"]).ok();
        let (id, pack) = repo.seal(&["-o", "../pack"]);
        let daemon = Daemon::of(&repo);
        let own_refs = repo.git(&["for-each-ref"]).ok().out();
        for place in ["git:origin".to_owned(), format!("git:{}", daemon.url())] {
            let pushed = repo.pack(&["push", "../pack", &place]).ok();
            assert_eq!(pushed.out(), format!("PUBLISHED {id}\n"));
            assert!(!pushed.stderr.contains("there already"), "{}", pushed.stderr);
            assert_eq!(refs(&repo), [format!("tree {}", ref_of(&id))]);
            let held = objects(&repo);
            let again = repo.pack(&["push", "../pack", &place]).ok();
            assert!(
                again.stderr.contains("everything was there already"),
                "{}",
                again.stderr
            );
            assert_eq!(objects(&repo), held, "a second push sends nothing");
            let source = format!("{place}#{id}");
            let fetched = repo.pack(&["pull", &source, "-o", "../back"]).ok();
            assert!(
                fetched.out().starts_with(&format!("FETCHED {id}\n")),
                "{}",
                fetched.out()
            );
            same(&pack, &repo.place.path().join("back"));
            repo.pack(&["verify", &source]).ok();
            fs::remove_dir_all(repo.place.path().join("back")).unwrap();
            server(&repo, &["update-ref", "-d", &ref_of(&id)]).ok();
            server(&repo, &["prune", "--expire=now"]).ok();
        }
        assert_eq!(
            repo.git(&["for-each-ref"]).ok().out(),
            own_refs,
            "no ref of the clone changed"
        );
        assert!(!repo.path(".git/FETCH_HEAD").exists());
    }
}

#[test]
fn another_clone_fetches_a_pack_and_nothing_else() {
    let repo = world("sha1");
    let (id, pack) = repo.seal(&["-o", "../pack"]);
    repo.pack(&["push", "../pack", "git:origin"]).ok();
    repo.git(&["push", "-q", "origin", "main"]).ok();
    let place = repo.place.path();
    repo.place
        .run(place, "git", &["clone", "-q", "--no-local", "server.git", "other"])
        .ok();
    let other = Repo {
        root: place.join("other"),
        place: crate::common::Place::new(),
    };
    // A plain clone does not bring packs.
    let has = |object: &str| other.git(&["cat-file", "-e", object]).code == 0;
    let tree = server(&repo, &["rev-parse", &ref_of(&id)]).ok().out();
    assert!(!has(tree.trim()));
    // From a subdirectory, too: a relative URL starts at the top, as in git.
    let source = format!("git:origin#{id}");
    let pulled = other
        .place
        .pack_in(&other.path("a/deep"), &["pull", &source, "-o", "../../../back"]);
    pulled.ok();
    same(&pack, &place.join("back"));
    assert!(has(tree.trim()));
    assert_eq!(other.git(&["for-each-ref", PACKS]).ok().out(), "");
    // The configured place.
    other.git(&["config", "gitpack.remote", "git:origin"]).ok();
    other.pack(&["pull", &id, "-o", "../again"]).ok();
    same(&pack, &place.join("again"));
    // The only pack there needs no id.
    other.pack(&["verify", "git:origin"]).ok();
    let absent = format!("git:origin#sha256:{}", "a".repeat(64));
    let refused = other.pack(&["pull", &absent, "-o", "../absent"]).refused("E_TRANSPORT");
    assert!(refused.to_string().contains("does not have"), "{refused}");
}

#[test]
fn packs_that_share_files_share_blobs_on_the_server() {
    let repo = world("sha1");
    for n in 0..20 {
        repo.write(&format!("shared/{n}"), noise(n, 5000));
    }
    repo.commit("many");
    repo.seal(&["-o", "../one"]);
    repo.pack(&["push", "../one", "git:origin"]).ok();
    let before = objects(&repo);
    repo.write("README.md", "changed\n");
    repo.commit("two");
    repo.seal(&["-o", "../two"]);
    let pushed = repo.pack(&["push", "../two", "git:origin"]).ok();
    let more = objects(&repo) - before;
    assert!(more < 20, "{more} objects more: {}", pushed.stderr);
    assert_eq!(refs(&repo).len(), 2);
    for pack in ["../one", "../two"] {
        repo.pack(&["push", pack, "git:origin"]).ok();
    }
    assert_eq!(objects(&repo), before + more);
}

#[test]
fn sixteen_pushes_at_once_all_arrive() {
    let repo = world("sha1");
    let mut packs = Vec::new();
    for n in 0..16 {
        repo.write("own", format!("{n}\n"));
        repo.commit("next");
        let name = format!("../pack-{n}");
        packs.push((repo.seal(&["-o", &name]).0, name));
    }
    // The last two push the same pack.
    packs[15] = packs[14].clone();
    let daemon = Daemon::of(&repo);
    let place = format!("git:{}", daemon.url());
    std::thread::scope(|scope| {
        for (id, name) in &packs {
            let (repo, place) = (&repo, &place);
            scope.spawn(move || {
                let pushed = repo.pack(&["push", name, place]).ok();
                assert_eq!(pushed.out(), format!("PUBLISHED {id}\n"));
            });
        }
    });
    let expected: BTreeSet<_> = packs.iter().map(|(id, _)| format!("tree {}", ref_of(id))).collect();
    assert_eq!(refs(&repo).into_iter().collect::<BTreeSet<_>>(), expected);
    server(&repo, &["fsck", "--strict"]).ok();
    for (id, _) in &packs {
        repo.pack(&["verify", &format!("{place}#{id}")]).ok();
    }
}

#[test]
fn a_push_and_a_pull_that_are_killed_are_finished_by_the_next() {
    let repo = world("sha1");
    for n in 0..40 {
        repo.write(&format!("many/{n}"), noise(n, 30_000));
    }
    repo.commit("many");
    let (id, pack) = repo.seal(&["-o", "../pack"]);
    let daemon = Daemon::of(&repo);
    let place = format!("git:{}", daemon.url());
    let source = format!("{place}#{id}");
    for n in 0..10_u64 {
        let killed = |args: &[&str], after: u64| {
            let mut command = repo.place.command(GIT_PACK, &repo.root);
            command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
            let mut child = command.spawn().unwrap();
            std::thread::sleep(Duration::from_millis(after));
            child.kill().unwrap();
            child.wait().unwrap();
        };
        server(&repo, &["update-ref", "-d", &ref_of(&id)]).ok();
        killed(&["push", "../pack", &place], n * 37 % 400);
        // The pack is not there, or it is whole.
        if refs(&repo).iter().any(|name| name.ends_with(&ref_of(&id))) {
            repo.pack(&["verify", &source]).ok();
        }
        repo.pack(&["push", "../pack", &place]).ok();
        repo.pack(&["verify", &source]).ok();
        killed(&["pull", &source, "-o", "../back"], n * 29 % 300);
        let back = repo.place.path().join("back");
        if !back.exists() {
            repo.pack(&["pull", &source, "-o", "../back"]).ok();
        }
        same(&pack, &back);
        fs::remove_dir_all(back).unwrap();
    }
}

/// Makes a ref of a pack on the server lead to an object that a script makes there.
fn plant(repo: &Repo, id: &str, script: &str) {
    let name = ref_of(id);
    let blob = "blob=$(echo x | git hash-object -w --stdin)";
    let script = format!("set -eu; {blob}; git update-ref -d {name}; id=$( {script} ); git update-ref {name} $id");
    let place = repo.place.path().join("server.git");
    repo.place.run(&place, "sh", &["-c", &script]).ok();
}

#[test]
fn a_remote_that_lies_is_refused_and_leaves_nothing() {
    let repo = world("sha1");
    let (id, _) = repo.seal(&["-o", "../pack"]);
    repo.write("README.md", "other\n");
    repo.commit("two");
    let (other, _) = repo.seal(&["-o", "../other"]);
    for pack in ["../pack", "../other"] {
        repo.pack(&["push", pack, "git:origin"]).ok();
    }
    repo.git(&["push", "-q", "origin", "main"]).ok();
    let tree = server(&repo, &["rev-parse", &ref_of(&id)]).ok().out();
    let tree = tree.trim();
    // Another clone, which has none of the objects.
    let place = repo.place.path();
    repo.place
        .run(place, "git", &["init", "-q", "-b", "main", "reader"])
        .ok();
    let reader = |args: &[&str]| repo.place.pack_in(&place.join("reader"), args);
    let source = format!("git:../server.git#{id}");
    // `git mktree` sorts what it reads, and does not judge names.
    let with = |line: &str| format!("(git ls-tree {tree}; printf \"{line}\\n\") | git mktree --missing");
    let cases: Vec<(&str, String)> = vec![
        ("another pack", format!("git rev-parse {}", ref_of(&other))),
        ("a commit", "git rev-parse main".into()),
        ("a tag", "git tag -a -m t t main; git rev-parse t".into()),
        ("a blob", "echo x | git hash-object -w --stdin".into()),
        ("an empty tree", "git mktree </dev/null".into()),
        ("a link", with("120000 blob $blob\\tlink")),
        ("a submodule", with(&format!("160000 commit {}\\tsub", "1".repeat(40)))),
        ("more files", with("100644 blob $blob\\tmore")),
        ("a name in .git", with("100644 blob $blob\\t.git")),
        ("a parent", with("100644 blob $blob\\t..")),
        (
            "other bytes",
            format!("git ls-tree {tree} | sed \"s/^100644 blob [0-9a-f]*/100644 blob $blob/\" | git mktree"),
        ),
        (
            "no manifest",
            format!("git ls-tree {tree} | grep -v manifest.json | git mktree"),
        ),
    ];
    for (what, script) in cases {
        plant(&repo, &id, &script);
        let done = reader(&["pull", &source, "-o", "../back"]);
        assert_eq!(done.code, 2, "{what}: {}{}", done.out(), done.stderr);
        assert!(!place.join("back").exists(), "{what}");
        let verified = reader(&["verify", &source]);
        assert_ne!(verified.code, 0, "{what}: {}", verified.out());
        let left: Vec<_> = fs::read_dir(place)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        assert!(
            !left.iter().any(|name| name.to_string_lossy().contains("staging")),
            "{what}: {left:?}"
        );
    }
    // The sound pack is accepted after all of that.
    plant(&repo, &id, &format!("echo {tree}"));
    reader(&["pull", &source, "-o", "../back"]).ok();
}

#[test]
fn another_tree_under_the_name_of_a_pack_is_not_replaced() {
    let repo = world("sha1");
    let (id, _) = repo.seal(&["-o", "../pack"]);
    repo.pack(&["push", "../pack", "git:origin"]).ok();
    for script in ["git mktree </dev/null", "echo x | git hash-object -w --stdin"] {
        plant(&repo, &id, script);
        let before = server(&repo, &["for-each-ref"]).ok().out();
        let refused = repo.pack(&["push", "../pack", "git:origin"]).refused("E_TRANSPORT");
        assert!(refused.to_string().contains("holds something else"), "{refused}");
        assert_eq!(server(&repo, &["for-each-ref"]).ok().out(), before);
    }
}

#[test]
fn the_hooks_of_both_sides_judge_a_pack() {
    let repo = world("sha1");
    let place = repo.place.path();
    repo.pack(&["seal", "-o", "../pack"]).ok();
    repo.place
        .pack_in(&place.join("server.git"), &["init", "--server"])
        .ok();
    repo.pack(&["push", "../pack", "git:origin"]).ok();
    assert_eq!(refs(&repo).len(), 1);
    // What git pack push itself would refuse, a server refuses too: here with git alone, and without hooks.
    repo.write("leak/data/x.vec", "plaintext\n");
    let script =
        "git update-index --add --cacheinfo 100644,$(git hash-object -w leak/data/x.vec),data/y.vec && git write-tree";
    let tree = repo.place.run(&repo.root, "sh", &["-c", script]).ok().out();
    let leak = format!("{}:{PACKS}{}", tree.trim(), "a".repeat(64));
    let pushed = repo.git(&["push", "--no-verify", "origin", &leak]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    assert!(pushed.stderr.contains("data/y.vec"), "{}", pushed.stderr);
    let pushed = repo.git(&["push", "origin", &leak]);
    assert!(pushed.stderr.contains("push to origin blocked"), "{}", pushed.stderr);
    assert_eq!(refs(&repo).len(), 1);
    // A hook of the clone that fails stops a push, and is told.
    let hook = repo.path(".git/hooks/pre-push");
    fs::write(&hook, "#!/bin/sh\necho not today >&2\nexit 1\n").unwrap();
    fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("README.md", "next\n");
    repo.git(&["reset", "-q"]).ok();
    repo.commit_only("README.md");
    repo.pack(&["seal", "-o", "../next"]).ok();
    let refused = repo.pack(&["push", "../next", "git:origin"]).refused("E_TRANSPORT");
    assert!(refused.to_string().contains("not today"), "{refused}");
}

#[test]
fn listing_and_fetching_runs_no_hook_and_no_program_of_a_url() {
    let repo = world("sha1");
    let (id, _) = repo.seal(&["-o", "../pack"]);
    repo.pack(&["push", "../pack", "git:origin"]).ok();
    let place = repo.place.path();
    repo.place
        .run(place, "git", &["init", "-q", "-b", "main", "reader"])
        .ok();
    for hook in ["reference-transaction", "post-index-change", "pre-push", "pre-auto-gc"] {
        let hook = place.join("reader/.git/hooks").join(hook);
        fs::write(&hook, "#!/bin/sh\ntouch ../ran\n").unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let reader = |args: &[&str]| repo.place.pack_in(&place.join("reader"), args);
    reader(&["verify", &format!("git:../server.git#{id}")]).ok();
    let git = |args: &[&str]| repo.place.run(&place.join("reader"), "git", args).ok();
    git(&["remote", "add", "evil", "ext::sh -c touch% ../ran"]);
    let refused = reader(&["verify", "git:evil"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("not allowed"),
        "{}",
        refused.stderr
    );
    git(&["config", "url.ext::.insteadOf", "x:"]);
    let refused = reader(&["verify", "git:x:sh -c touch% ../ran"]);
    assert!(
        refused.code == 2 && refused.stderr.contains("not allowed"),
        "{}",
        refused.stderr
    );
    assert!(!place.join("ran").exists() && !place.join("reader/ran").exists());
}

#[test]
fn no_secret_of_a_url_is_shown() {
    let repo = world("sha1");
    repo.seal(&["-o", "../pack"]);
    let url = "http://user:hunter2@127.0.0.1:1/server.git";
    repo.git(&["remote", "add", "far", url]).ok();
    for args in [
        ["push", "../pack", "git:far"],
        ["pull", "git:far", "-o../x"],
        ["verify", "git:far", "--"],
    ] {
        let done = repo.pack(&args);
        assert_eq!(done.code, 2, "{}", done.stderr);
        assert!(
            !format!("{}{}", done.out(), done.stderr).contains("hunter2"),
            "{}",
            done.stderr
        );
    }
    let done = repo.pack(&["push", "../pack", &format!("git:{url}")]);
    assert_eq!(done.code, 2);
    assert!(
        !format!("{}{}", done.out(), done.stderr).contains("hunter2"),
        "{}",
        done.stderr
    );
    let ledger = fs::read_to_string(repo.place.home().join(".epistemic/witness.jsonl")).unwrap_or_default();
    assert!(!ledger.contains("hunter2"));
}
