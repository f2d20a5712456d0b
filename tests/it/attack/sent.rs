//! What is really sent: more than the commits name, other than what the clone shows, or hidden among objects to which
//! nothing leads.

use std::collections::BTreeSet;

use crate::attack::forge::{Id, Kind, Pack, Server, hex};
use crate::common;
use crate::common::Repo;

const MAIN: &str = "refs/heads/main";

/// A private key that was made for this and is used for nothing.
const KEY: &str = include_str!("../../../fixtures/content/private-key/pkcs8_encrypted");

/// A clone that is set up, with a commit that its bare remote has.
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

/// Every object that the remote has.
fn objects(repo: &Repo) -> BTreeSet<String> {
    let listed = "git -C ../remote.git cat-file --batch-all-objects --batch-check='%(objectname)'";
    sh(repo, listed).lines().map(str::to_owned).collect()
}

/// Pushes without hooks to see what git sends, takes that back, and pushes with them; returns whether a blob was sent,
/// and whether the guard let the push go on.
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

/// Gains: a graft has git send commits that nothing names, and the guard looks at what the commits name.
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
        assert!(
            sent,
            "git does not send what grafts name; then there is nothing to be hidden"
        );
        assert!(!passes, "by_variable: {by_variable}");
    }
}

/// Gains: a graft that takes parents away hides the commits that brought a leak.
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

/// Gains: the same by a list of shallow commits that somebody wrote by hand.
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

/// Gains: a replacement shows the guard a clean commit in place of the one that is sent.
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

/// Gains: a commit-graph file, which git does not look at where there are grafts, tells the guard of other parents.
#[test]
fn a_commit_graph_does_not_hide_history() {
    let repo = with_remote();
    sh(
        &repo,
        "echo secret >a.vec; git add -f a.vec; git commit -q --no-verify -m leak; git rm -q a.vec
        git commit -q --no-verify -m drop; git commit-graph write --reachable",
    );
    let blob = repo.rev("HEAD~1:a.vec");
    // The first parent of the last commit becomes the one before: its place in the table of commits is a number.
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

/// Gains: content behind a mode that git passes over lies on the server, for whoever asks for it by its id.
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
            // With fsckObjects git refuses most of them by itself.
            answer.kept_out();
            assert!(
                strict == "true" || answer.hook == Some(1),
                "{mode}: {}",
                answer.done.stderr
            );
        }
    }
    // What git reads one way in one version, and another way in the next.
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

/// Gains: content to which nothing leads lies on the server, and uploadpack.allowAnySHA1InWant gives it out.
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
    // A bare deletion of content from the tree does not help: its commit is not pushed, its blob is.
    let server = Server::new();
    let mut pack = Pack::default();
    let plain = pack.blob(b"nothing to be said of this\n");
    let clean = pack.blob(b"x\n");
    let tree = pack.tree(&[("100644", "a", clean)]);
    let commit = pack.commit(tree, &[], "clean");
    server.push(&pack, &[(None, commit, MAIN)]).passed();
    assert_eq!(server.git(&["cat-file", "-e", &hex(&plain)]).code, 0);
}

/// Gains: an honest push is refused for what the server had before, as a thin pack brings it along.
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

/// Gains: a tree that two readers read differently, one of which is the guard.
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
    // The first parent has the first of two entries of one name: the second one is new.
    let server = Server::new();
    let mut pack = Pack::default();
    let (key, clean) = (pack.blob(KEY.as_bytes()), pack.blob(b"x\n"));
    let before = pack.tree(&[("100644", "a", clean)]);
    let after = pack.tree(&[("100644", "a", clean), ("100644", "a", key)]);
    let first = pack.commit(before, &[], "one");
    let second = pack.commit(after, &[first], "two");
    server.judge(&pack, &[(None, second, MAIN)]).blocked("private-key");
}

/// Gains: a tag of a tag of a blob, or of a tree, brings content without a commit.
#[test]
fn tags_of_blobs_and_trees() {
    for (kind, words) in [(Kind::Blob, "private-key"), (Kind::Tree, "without a commit")] {
        let server = Server::new();
        let mut pack = Pack::default();
        let key = pack.blob(KEY.as_bytes());
        let tree = pack.tree(&[("100644", "a", key)]);
        let target = if let Kind::Blob = kind { key } else { tree };
        let tag = pack.tag(kind, target, "t");
        let tag = pack.tag(Kind::Tag, tag, "tt");
        let answer = server.push(&pack, &[(None, tag, "refs/tags/t")]);
        answer.kept_out();
        assert!(answer.done.stderr.contains(words), "{}", answer.done.stderr);
        assert_ne!(server.git(&["cat-file", "-e", &hex(&key)]).code, 0);
    }
}
