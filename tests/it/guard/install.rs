//! Our hooks beside hooks of other tools, and hooks whose program is gone.

use std::fs;

use crate::common;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, objected, passes, refused, row,
};
use crate::guard::world::World;

/// Replaces our hook with a foreign one, and installs ours again beside it.
fn beside(w: &World, hook: &str, script: &str) {
    w.sh("git pack uninstall");
    w.script(&w.path(".git/hooks").join(hook), &format!("#!/bin/sh\n{script}\n"));
    w.sh("git pack install");
}

/// Installs the hooks from a copy of the binary, and removes that copy.
fn without_binary(w: &World) {
    let binary = w.beside("elsewhere/git-pack");
    w.sh("mkdir ../elsewhere");
    w.repo.place.copy_binary(&binary);
    w.sh("../elsewhere/git-pack install; rm ../elsewhere/git-pack");
}

fn read(w: &World, path: &str) -> String {
    fs::read_to_string(w.beside(path)).unwrap_or_default()
}

pub fn rows() -> Vec<Row> {
    vec![
        row(
            "another pre-commit is content, and so are we",
            passes(&["pre-commit"]),
            |w| {
                beside(w, "pre-commit", "echo ran >>../ran");
                w.sh("put a; git add a");
                let outcome = w.commit();
                assert_eq!(read(w, "ran"), "ran\n");
                outcome
            },
        ),
        row(
            "another pre-commit is content, and we are not",
            blocked(Commit, &["a.vec"]),
            |w| {
                beside(w, "pre-commit", "exit 0");
                w.sh("put a.vec; git add a.vec");
                w.commit()
            },
        ),
        row(
            "another pre-commit objects",
            objected("pre-commit", &["not today"]),
            |w| {
                beside(w, "pre-commit", "echo not today >&2; exit 3");
                w.sh("put a; git add a");
                w.commit()
            },
        ),
        row(
            "another pre-commit stages a leak",
            blocked(Commit, &["made.vec"]),
            |w| {
                beside(w, "pre-commit", "echo x >made.vec; git add made.vec");
                w.sh("put a; git add a");
                w.commit()
            },
        ),
        row(
            "another pre-commit in the user's directory and environment",
            passes(&["pre-commit"]),
            |w| {
                beside(w, "pre-commit", "pwd >../ran; echo \"$GIT_INDEX_FILE\" >>../ran");
                w.sh("put sub/a; git add -N .");
                let outcome = w.act_in(&w.path("sub"), &["commit", "-m", "x", "a"]);
                let ran = read(w, "ran");
                assert!(ran.contains("/repo\n") && ran.contains("next-index-"), "{ran}");
                outcome
            },
        ),
        row(
            "another pre-merge-commit objects",
            objected("pre-merge-commit", &["no merge"]),
            |w| {
                beside(w, "pre-merge-commit", "echo no merge >&2; exit 1");
                w.sh("git checkout -qb side; clean s; git checkout -q main; clean m");
                w.act(&["merge", "--no-edit", "side"])
            },
        ),
        row(
            "another pre-push reads everything, and so do we",
            blocked(Push, &["a.vec"]),
            |w| {
                beside(w, "pre-push", "cat >../lines");
                w.sh("leak a.vec; git tag t");
                let outcome = w.act(&["push", "origin", "main", "t"]);
                assert_eq!(read(w, "lines").lines().count(), 2);
                outcome
            },
        ),
        row(
            "another pre-push gets the arguments and all lines",
            passes(&["pre-push"]),
            |w| {
                beside(w, "pre-push", "echo \"$0 $*\" >../arguments; cat >../lines");
                w.sh("clean a; git tag t");
                let outcome = w.act(&["push", "origin", "main", "t"]);
                assert!(
                    read(w, "arguments").ends_with(" origin ../remote.git\n"),
                    "{}",
                    read(w, "arguments")
                );
                let id = w.sh("git rev-parse main");
                assert!(read(w, "lines").contains(&format!("refs/tags/t {id} refs/tags/t ")));
                assert!(read(w, "lines").contains(&format!("refs/heads/main {id} refs/heads/main ")));
                outcome
            },
        ),
        row(
            "another pre-push reads nothing of a thousand lines",
            passes(&["pre-push"]),
            |w| {
                beside(w, "pre-push", "exit 0");
                w.sh("clean a; for n in $(seq 1000)
                    do echo create refs/tags/a-rather-long-name-of-a-tag/number-$n main; done |
                 git update-ref --stdin");
                w.act(&["push", "-q", "origin", "main", "--tags"])
            },
        ),
        row(
            "another pre-push objects",
            objected("pre-push", &["no push on Fridays"]),
            |w| {
                beside(w, "pre-push", "echo no push on Fridays >&2; exit 1");
                w.sh("clean a");
                w.push()
            },
        ),
        row("another hook in a language of its own", passes(&["pre-commit"]), |w| {
            w.sh("git pack uninstall");
            w.script(
                &w.path(".git/hooks/pre-commit"),
                "#!/usr/bin/env -S awk -f\nBEGIN { print \"ran\" >\"../ran\" }\n",
            );
            w.sh("git pack install; put a; git add a");
            let outcome = w.commit();
            assert_eq!(read(w, "ran"), "ran\n");
            outcome
        }),
        row("another hook that is a link", blocked(Commit, &["a.vec"]), |w| {
            w.sh("git pack uninstall");
            w.script(&w.beside("hooks/check"), "#!/bin/sh\necho ran >>../ran\n");
            w.sh("ln -s ../../../hooks/check .git/hooks/pre-commit; git pack install; put a.vec; git add a.vec");
            let outcome = w.commit();
            assert_eq!(read(w, "ran"), "ran\n");
            assert_eq!(read(w, "hooks/check"), "#!/bin/sh\necho ran >>../ran\n");
            outcome
        }),
        row(
            "installed twice, another hook runs once",
            passes(&["pre-commit"]),
            |w| {
                beside(w, "pre-commit", "echo ran >>../ran");
                w.sh("git pack install; git pack init; put a; git add a");
                let outcome = w.commit();
                assert_eq!(read(w, "ran"), "ran\n");
                outcome
            },
        ),
        row(
            "uninstalled, another hook is what it was",
            objected("pre-commit", &["mine"]),
            |w| {
                beside(w, "pre-commit", "echo mine >&2; exit 1");
                w.sh("git pack uninstall; put a.vec; git add a.vec");
                let hook = fs::read_to_string(w.path(".git/hooks/pre-commit")).unwrap();
                assert_eq!(hook, "#!/bin/sh\necho mine >&2; exit 1\n");
                w.commit()
            },
        ),
        row("another hook calls ours", blocked(Commit, &["mine", "a.vec"]), |w| {
            w.sh("git pack uninstall");
            let script = "#!/bin/sh\necho mine >&2\ngit pack hook pre-commit \"$@\" || exit\n";
            w.script(&w.path(".git/hooks/pre-commit"), script);
            w.sh("git pack install; put a.vec; git add a.vec");
            w.commit()
        }),
        row("an older shim is upgraded", blocked(Commit, &["a.vec"]), |w| {
            w.script(
                &w.path(".git/hooks/pre-commit"),
                "#!/bin/sh\n# git-pack guard, shim 0\nexit 0\n",
            );
            w.sh("git pack install; put a.vec; git add a.vec");
            w.commit()
        }),
        row(
            "the program is gone, at commit",
            refused(Commit, &["git-pack is missing", "install it again"]),
            |w| {
                without_binary(w);
                w.sh("put a; git add a");
                w.deed("git", &["commit", "-m", "x"]).bare_path().go()
            },
        ),
        row(
            "the program is gone, at push",
            refused(Push, &["git-pack is missing"]),
            |w| {
                w.sh("clean a");
                without_binary(w);
                w.deed("git", &["push", "origin", "main"]).bare_path().go()
            },
        ),
        row(
            "the program is gone, another hook was content",
            refused(Commit, &["git-pack is missing"]),
            |w| {
                beside(w, "pre-commit", "exit 0");
                without_binary(w);
                w.sh("put a; git add a");
                w.deed("git", &["commit", "-m", "x"]).bare_path().go()
            },
        ),
        row(
            "the program has moved and is on PATH",
            blocked(Commit, &["a.vec"]),
            |w| {
                without_binary(w);
                w.sh("put a.vec; git add a.vec");
                w.commit()
            },
        ),
        row("the program lies at a strange path", blocked(Commit, &["a.vec"]), |w| {
            let directory = w.beside("it's \"a\" $HOME `place`");
            fs::create_dir(&directory).unwrap();
            w.repo.place.copy_binary(&directory.join("git-pack"));
            let program = directory.join("git-pack");
            w.repo
                .place
                .run(&w.repo.root, program.to_str().unwrap(), &["install"])
                .ok();
            w.sh("put a.vec; git add a.vec");
            w.deed("git", &["commit", "-m", "x"]).bare_path().go()
        }),
        row("a configuration that git cannot read", refused(Commit, &[]), |w| {
            // Git fails before it runs the hook, so the row runs the hook itself.
            w.sh("put a.vec; git add a.vec; echo '[core' >>.git/config");
            let mut outcome = w.deed(common::GIT_PACK, &["hook", "pre-commit"]).go();
            outcome.hooks.push(("pre-commit".into(), outcome.done.code));
            outcome
        })
        .direct(),
        row(
            "nonsense on standard input",
            refused(Push, &["cannot read the line"]),
            |w| {
                let deed = w.deed(common::GIT_PACK, &["hook", "pre-push", "origin", "x"]);
                let mut outcome = deed.stdin("what is this\n").go();
                outcome.hooks.push(("pre-push".into(), outcome.done.code));
                outcome
            },
        )
        .direct(),
        row("a hook that does not exist", refused(Push, &[]), |w| {
            let deed = w.deed(common::GIT_PACK, &["hook", "pre-lunch"]);
            let mut outcome = deed.go();
            outcome.hooks.push(("pre-push".into(), outcome.done.code));
            outcome
        })
        .direct(),
        row("outside of any repository", refused(Commit, &[]), |w| {
            let mut outcome = w
                .deed(common::GIT_PACK, &["hook", "pre-commit"])
                .at(&w.beside("home"))
                .go();
            outcome.hooks.push(("pre-commit".into(), outcome.done.code));
            outcome
        })
        .direct(),
    ]
}
