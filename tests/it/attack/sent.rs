//! What a push really sends: more objects than the commits name, other objects than the clone shows, or objects that no
//! ref reaches.

use std::collections::BTreeSet;

use crate::attack::forge::{Id, Kind, Pack, Server, hex};
use crate::common;
use crate::common::Repo;

const MAIN: &str = "refs/heads/main";

/// A private key that was made for these tests and protects nothing.
const KEY: &str = include_str!("../../../fixtures/content/private-key/pkcs8_encrypted");

/// Sets up a repository with one commit, which its bare remote has, too.
fn with_remote() -> Repo {
    let repo = Repo::set_up();
    let script = "git init -q --bare -b main ../remote.git; git remote add origin ../remote.git
        git config gc.auto 0; git push -q -u origin main";
    sh(&repo, script);
    repo
}

#[track_caller]
fn sh(repo: &Repo, script: &str) -> String {
    let done = repo.place.run(&repo.root, "sh", &["-euc", script]).ok();
    done.out().trim().to_owned()
}

/// Lists every object that the remote has.
fn objects(repo: &Repo) -> BTreeSet<String> {
    let listed = "git -C ../remote.git cat-file --batch-all-objects --batch-check='%(objectname)'";
    sh(repo, listed).lines().map(str::to_owned).collect()
}

/// Pushes once without hooks, to see what git sends, restores the remote, and pushes again with hooks. Returns whether
/// the blob was sent, and whether the guard let the push pass.
fn sends_and_passes(repo: &Repo, env: &[(&str, &str)], blob: &str) -> (bool, bool) {
    sh(repo, "cp -a ../remote.git ../kept.git");
    let push = |args: &[&str]| {
        let mut command = repo.place.command("git", &repo.root);
        command
            .args(["-c", "push.default=current", "push"])
            .args(args)
            .envs(env.iter().copied());
        command.output().unwrap()
    };
    push(&["-q", "--no-verify", "origin", "HEAD:refs/heads/new"]);
    let sent = objects(repo).contains(blob);
    sh(repo, "rm -rf ../remote.git; mv ../kept.git ../remote.git");
    let output = push(&["origin", "HEAD:refs/heads/new"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let stopped = said.contains("git-pack:");
    if stopped {
        assert!(!objects(repo).contains(blob), "{said}");
    }
    (sent, !stopped)
}

/// Gain: with a graft, git sends commits that no pushed commit names, and the guard examines only what the commits
/// name.
#[test]
fn grafts_do_not_hide_what_is_sent() {
    for by_variable in [false, true] {
        let repo = with_remote();
        let leak = sh(
            &repo,
            "git checkout -q --orphan side; echo secret >a.vec; git add -f a.vec
            git commit -q --no-verify -m leak; git rev-parse HEAD; git checkout -q main",
        );
        let blob = repo.rev(&format!("{leak}:a.vec"));
        sh(&repo, "echo x >clean; git add clean; git commit -q -m clean");
        let graft = format!("{} {} {leak}\n", repo.rev("HEAD"), repo.rev("HEAD~1"));
        let file = match by_variable {
            true => repo.place.path().join("my-grafts"),
            false => repo.path(".git/info/grafts"),
        };
        common::write(&file, graft);
        let env = [("GIT_GRAFT_FILE", file.to_str().unwrap())];
        let env = if by_variable { &env[..] } else { &[] };
        let (sent, passes) = sends_and_passes(&repo, env, &blob);
        assert!(sent, "git did not send the grafted commits, so the test proves nothing");
        assert!(!passes, "by_variable: {by_variable}");
    }
}

/// Gain: a graft that removes parents hides the commits that added a leak.
#[test]
fn grafts_that_cut_history_do_not_hide_it() {
    let repo = with_remote();
    sh(
        &repo,
        "echo secret >a.vec; git add -f a.vec; git commit -q --no-verify -m leak; git rm -q a.vec
        git commit -q --no-verify -m drop; echo x >clean; git add clean; git commit -q -m clean",
    );
    let blob = repo.rev("HEAD~2:a.vec");
    let graft = format!("{} {}\n", repo.rev("HEAD"), repo.rev("origin/main"));
    common::write(&repo.path(".git/info/grafts"), graft);
    let (_, passes) = sends_and_passes(&repo, &[], &blob);
    assert!(!passes);
}

/// Gain: a hand-written list of shallow commits hides them in the same way.
#[test]
fn a_planted_list_of_shallow_commits_does_not_hide_history() {
    for at in ["HEAD", "HEAD~1", "origin/main"] {
        let repo = with_remote();
        sh(
            &repo,
            "echo secret >a.vec; git add -f a.vec; git commit -q --no-verify -m leak; git rm -q a.vec
            git commit -q --no-verify -m drop; git -C ../remote.git config receive.shallowUpdate true",
        );
        let blob = repo.rev("HEAD~1:a.vec");
        let shallow = format!("{}\n", repo.rev(at));
        common::write(&repo.path(".git/shallow"), shallow);
        let (_, passes) = sends_and_passes(&repo, &[], &blob);
        assert!(!passes, "{at}");
    }
}

/// Gain: a replacement object shows the guard a clean commit instead of the one that git sends.
#[test]
fn replacements_do_not_hide_what_is_sent() {
    let repo = with_remote();
    sh(
        &repo,
        "echo secret >a.vec; git add -f a.vec; git commit -q --no-verify -m leak",
    );
    let blob = repo.rev("HEAD:a.vec");
    sh(&repo, "git replace HEAD HEAD~1");
    let (sent, passes) = sends_and_passes(&repo, &[], &blob);
    assert!(sent && !passes);
}

/// Gain: a commit-graph file tells the guard of wrong parents. Git itself ignores that file where there are grafts.
#[test]
fn a_commit_graph_does_not_hide_history() {
    let repo = with_remote();
    sh(
        &repo,
        "echo secret >a.vec; git add -f a.vec; git commit -q --no-verify -m leak; git rm -q a.vec
        git commit -q --no-verify -m drop; git commit-graph write --reachable",
    );
    let blob = repo.rev("HEAD~1:a.vec");
    // Changes the first parent of the last commit to its grandparent. The file stores a parent as its index in the
    // sorted table of commits.
    let file = repo.path(".git/objects/info/commit-graph");
    let mut graph = std::fs::read(&file).unwrap();
    let order: Vec<String> = {
        let mut ids = vec![repo.rev("HEAD"), repo.rev("HEAD~1"), repo.rev("HEAD~2")];
        ids.sort();
        ids
    };
    let place = |rev: &str| order.iter().position(|id| *id == repo.rev(rev)).unwrap() as u32;
    let chunk = |name: &[u8]| {
        let at = graph.windows(4).position(|window| window == name).unwrap();
        u64::from_be_bytes(graph[at + 4..at + 12].try_into().unwrap()) as usize
    };
    let parent = chunk(b"CDAT") + place("HEAD") as usize * 36 + 20;
    assert_eq!(graph[parent..parent + 4], place("HEAD~1").to_be_bytes());
    graph[parent..parent + 4].copy_from_slice(&place("HEAD~2").to_be_bytes());
    sh(&repo, "chmod u+w .git/objects/info/commit-graph");
    std::fs::write(&file, graph).unwrap();
    sh(&repo, "git config core.commitGraph false");
    let (sent, passes) = sends_and_passes(&repo, &[("GIT_GRAFT_FILE", "/dev/null")], &blob);
    assert!(sent && !passes);
    sh(&repo, "git config core.commitGraph true");
    let (_, passes) = sends_and_passes(&repo, &[], &blob);
    assert!(!passes);
}

/// Gain: content whose tree entry has a mode that git skips reaches the server, where anybody can fetch it by its id.
#[test]
fn entries_of_odd_modes_are_judged_as_content() {
    for mode in [
        "644", "0100664", "100664", "0", "10644", "140000", "170000", "100755", "0120000",
    ] {
        for strict in ["false", "true"] {
            let server = Server::new();
            server.configure("transfer.fsckObjects", strict);
            let mut pack = Pack::default();
            let key = pack.blob(KEY.as_bytes());
            let tree = pack.tree(&[(mode, "notes.txt", key)]);
            let commit = pack.commit(tree, &[], "odd");
            let answer = server.push(&pack, &[(None, commit, MAIN)]);
            // With fsckObjects, git itself refuses most of these modes.
            answer.kept_out();
            assert!(
                strict == "true" || answer.hook == Some(1),
                "{mode}: {}",
                answer.done.stderr
            );
        }
    }
    // Versions of git disagree about these modes.
    for mode in ["1040000", "1100644", "200000", "9", "100 644"] {
        let server = Server::new();
        let mut pack = Pack::default();
        let key = pack.blob(KEY.as_bytes());
        let tree = pack.tree(&[(mode, "notes.txt", key)]);
        let commit = pack.commit(tree, &[], "odd");
        server.push(&pack, &[(None, commit, MAIN)]).kept_out();
        let server = Server::new();
        server.judge(&pack, &[(None, commit, MAIN)]).kept_out();
    }
}

/// Gain: content that no ref reaches gets onto the server, and uploadpack.allowAnySHA1InWant hands it out.
#[test]
fn objects_to_which_nothing_leads_are_judged() {
    for limit in ["1", "1000"] {
        for (name, gitlink) in [("nothing leads to it", false), ("a submodule names it", true)] {
            let server = Server::new();
            server.configure("receive.unpackLimit", limit);
            let mut pack = Pack::default();
            let key = pack.blob(KEY.as_bytes());
            let clean = pack.blob(b"x\n");
            let mut entries = vec![("100644", "a", clean)];
            if gitlink {
                entries.push(("160000", "sub", key));
            }
            let tree = pack.tree(&entries);
            let commit = pack.commit(tree, &[], "clean");
            let answer = server.push(&pack, &[(None, commit, MAIN)]);
            answer.blocked("private-key");
            assert!(
                answer.done.stderr.contains(&hex(&key)[..7]),
                "{name}: {}",
                answer.done.stderr
            );
            assert_ne!(server.git(&["cat-file", "-e", &hex(&key)]).code, 0, "{name}");
        }
    }
    // An unreachable blob without a finding passes, and the server keeps it.
    let server = Server::new();
    let mut pack = Pack::default();
    let plain = pack.blob(b"nothing to be said of this\n");
    let clean = pack.blob(b"x\n");
    let tree = pack.tree(&[("100644", "a", clean)]);
    let commit = pack.commit(tree, &[], "clean");
    server.push(&pack, &[(None, commit, MAIN)]).passed();
    assert_eq!(server.git(&["cat-file", "-e", &hex(&plain)]).code, 0);
}

/// No gain: an honest push passes although its thin pack repeats content that the server already had.
#[test]
fn what_the_server_had_before_is_not_judged_again() {
    let server = Server::new();
    server.configure("receive.unpackLimit", "1");
    let root = server.root.clone();
    let place = &server.place;
    let script = format!(
        "mv '{0}/hooks' '{0}/no-hooks'; git init -q -b main work; cd work
         head -c 20000 /dev/zero | tr '\\0' 'k' >notes; echo \"$1\" >>notes; git add notes; git commit -q -m one
         git push -q '{0}' main; mv '{0}/no-hooks' '{0}/hooks'
         echo more >>other; git rm -q notes; git add other; git commit -q -m two; git push -q '{0}' main",
        root.display()
    );
    place.run(place.path(), "sh", &["-euc", &script, "sh", KEY]).ok();
}

/// Gain: git and the guard read one tree differently, and the guard does not see the key in it.
#[test]
fn trees_that_can_be_read_in_two_ways() {
    let key_at = |entries: &[(&str, &str)], inner: bool| -> (Pack, Id) {
        let mut pack = Pack::default();
        let (key, clean) = (pack.blob(KEY.as_bytes()), pack.blob(b"x\n"));
        let mut found: Vec<_> = entries.iter().map(|(mode, name)| (*mode, *name, clean)).collect();
        found.last_mut().unwrap().2 = key;
        let mut tree = pack.tree(&found);
        if inner {
            tree = pack.tree(&[("40000", "", tree)]);
        }
        let commit = pack.commit(tree, &[], "odd");
        (pack, commit)
    };
    for (entries, inner) in [
        (&[("100644", "a"), ("100644", "a")][..], false),
        (&[("100644", "z"), ("100644", "a")], false),
        (&[("100644", "a"), ("100644", "d/e")], false),
        (&[("100644", "a"), ("100644", "")], false),
        (&[("100644", "a"), ("100644", ".git")], false),
        (&[("100644", "a"), ("100644", "..")], false),
        (&[("100644", "a")], true),
    ] {
        let (pack, commit) = key_at(entries, inner);
        let server = Server::new();
        server.push(&pack, &[(None, commit, MAIN)]).kept_out();
        let server = Server::new();
        server.judge(&pack, &[(None, commit, MAIN)]).blocked("private-key");
    }
    // The parent has only the first of two entries with one name. The guard must treat the second one as new.
    let server = Server::new();
    let mut pack = Pack::default();
    let (key, clean) = (pack.blob(KEY.as_bytes()), pack.blob(b"x\n"));
    let before = pack.tree(&[("100644", "a", clean)]);
    let after = pack.tree(&[("100644", "a", clean), ("100644", "a", key)]);
    let first = pack.commit(before, &[], "one");
    let second = pack.commit(after, &[first], "two");
    server.judge(&pack, &[(None, second, MAIN)]).blocked("private-key");
}

/// Gain: a tag of a tag of a blob, or of a tree, brings content to the server without a commit.
#[test]
fn tags_of_blobs_and_trees() {
    for kind in [Kind::Blob, Kind::Tree] {
        let server = Server::new();
        let mut pack = Pack::default();
        let key = pack.blob(KEY.as_bytes());
        let tree = pack.tree(&[("100644", "a", key)]);
        let target = if let Kind::Blob = kind { key } else { tree };
        let tag = pack.tag(kind, target, "t");
        let tag = pack.tag(Kind::Tag, tag, "tt");
        let answer = server.push(&pack, &[(None, tag, "refs/tags/t")]);
        answer.kept_out();
        assert!(answer.done.stderr.contains("private-key"), "{}", answer.done.stderr);
        assert_ne!(server.git(&["cat-file", "-e", &hex(&key)]).code, 0);
    }
}
