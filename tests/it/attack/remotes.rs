//! Mistakes about a remote: tracking refs that belong to another place, a public place taken for a private one, and an
//! old branch that lacks the rules.

use crate::common;
use crate::guard::table::{
    At::{Push, Receive},
    Expected, blocked, passes, row, run,
};
use crate::guard::world::World;

const NOTES: &str = "[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n";

fn x_vec() -> Expected {
    blocked(Push, &["data/x.vec", "vector"])
}

/// Makes a leak that `origin/main` has and that is deleted again. The rest of the row pushes it to another place.
const AT_ORIGIN: &str = "leak data/x.vec; drop data/x.vec; git push -q --no-verify; clean more;";

/// Pushes a branch name that no remote has, so that git's ref list says nothing about what the remote has.
fn new_branch(w: &World, script: &str) -> crate::guard::world::Outcome {
    w.sh(script);
    w.act(&["push", "origin", "HEAD:refs/heads/new"])
}

/// Gain: content that the first place has is published at a second place without a check, because the tracking refs of
/// the first place count for the second.
#[test]
fn tracking_refs_of_another_place_do_not_count() {
    let elsewhere = "git init -q --bare ../public.git;";
    let simple: [(&str, &str); 14] = [
        ("after set-url", "git remote set-url origin ../public.git"),
        (
            "after set-url, installed again",
            "git remote set-url origin ../public.git; git pack install",
        ),
        (
            "after set-url, fetched before and installed again",
            "git fetch -q; git remote set-url origin ../public.git; git pack install",
        ),
        (
            "after set-url, at the second try",
            "git remote set-url origin ../public.git; not git push -q origin HEAD:refs/heads/try 2>/dev/null",
        ),
        (
            "after set-url, pushed something clean before",
            "git remote set-url origin ../public.git; git push -q origin HEAD~3:refs/heads/try",
        ),
        ("after set-url --push", "git remote set-url --push origin ../public.git"),
        (
            "after a push to a second URL",
            "git remote set-url --push origin ../public.git; git remote set-url --add --push origin ../remote.git",
        ),
        (
            "of two URLs, the second",
            "git remote set-url --add origin ../public.git",
        ),
        (
            "where only .git differs",
            "cp -r ../public.git ../remote; git remote set-url origin ../remote",
        ),
        (
            "where only a slash differs",
            "git remote set-url origin ../remote.git/; rm -rf ../remote.git; mv ../public.git ../remote.git",
        ),
        (
            "where only the scheme differs",
            "mv ../remote.git ../old.git; mv ../public.git ../remote.git; git remote set-url origin \"file://$(cd ../remote.git; pwd -P)\"",
        ),
        ("by insteadOf", "git config url.../public.git.insteadOf ../remote.git"),
        (
            "by pushInsteadOf",
            "git config url.../public.git.pushInsteadOf ../remote.git",
        ),
        (
            "renamed to a name that is used again",
            "git remote rename origin old; git remote add origin ../public.git; git config remote.origin.fetch +refs/heads/*:refs/remotes/old/*",
        ),
    ];
    let mut rows = Vec::new();
    for (name, script) in simple {
        rows.push(row(name, x_vec(), move |w| {
            new_branch(w, &format!("{AT_ORIGIN} {elsewhere} {script}"))
        }));
    }
    rows.extend([
        row("a name that begins like another one", x_vec(), |w| {
            w.sh("git init -q --bare ../corp.git; git init -q --bare ../private.git
                git remote add corp ../corp.git; git remote add corp/private ../private.git");
            w.sh("git push -q corp main; leak data/x.vec; drop data/x.vec; git push -q --no-verify corp/private main");
            w.act(&["push", "corp", "HEAD:refs/heads/new"])
        }),
        row("fetched into refs of another remote", x_vec(), |w| {
            w.sh("git init -q --bare ../b.git; leak data/x.vec; drop data/x.vec; git push -q --no-verify ../b.git main:b");
            w.sh("git fetch -q ../b.git +refs/heads/*:refs/remotes/origin/*");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("fetched from another place in between", x_vec(), |w| {
            w.sh("git init -q --bare ../b.git; leak data/x.vec; drop data/x.vec; git push -q --no-verify ../b.git main:b");
            w.sh("git remote set-url origin ../b.git; git fetch -q; git remote set-url origin ../remote.git");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("fetched from a place that looks the same in FETCH_HEAD", x_vec(), |w| {
            w.sh("git init -q --bare ../other.git; leak data/x.vec; drop data/x.vec
                git push -q --no-verify ../other.git main:b; mv ../other.git ../remote
                git remote set-url origin ../remote; git fetch -q; git push -q --dry-run origin main~2:refs/heads/y");
            w.sh("git remote set-url origin ../remote.git");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("written by hand", x_vec(), |w| {
            w.sh("leak data/x.vec; drop data/x.vec; git update-ref refs/remotes/origin/main HEAD");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("a symbolic one to a branch here", x_vec(), |w| {
            w.sh("git symbolic-ref refs/remotes/origin/x refs/heads/main; leak data/x.vec; drop data/x.vec");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("refspecs that fill local branches", x_vec(), |w| {
            w.sh("git config remote.origin.fetch '+refs/heads/*:refs/heads/*'; git pack install
                leak data/x.vec; drop data/x.vec");
            w.act(&["push", "origin", "HEAD:refs/heads/new"])
        }),
        row("a branch that a negative refspec leaves out", x_vec(), |w| {
            w.sh("leak data/x.vec; drop data/x.vec; git push -q --no-verify origin main:side; git reset -q --hard HEAD~2
                git config --add remote.origin.fetch '^refs/heads/side'; git -C ../remote.git branch -D side");
            w.act(&["push", "origin", "origin/side:refs/heads/new"])
        }),
        row("a clone whose URL was changed", x_vec(), |w| {
            w.sh("leak data/x.vec; drop data/x.vec; git push -q --no-verify
                git clone -q \"$(cd ../remote.git; pwd -P)\" ../clone; git init -q --bare ../public.git");
            w.sh("cd ../clone; git remote set-url origin \"$(cd ../public.git; pwd -P)\"; git pack install; clean m");
            w.act_in(&w.beside("clone"), &["push", "origin", "HEAD:refs/heads/new"])
        }),
    ]);
    run("attack: tracking refs", rows);
}

/// Gain: the owners of a server removed a leak from its history, and a clone that still has it publishes it again.
#[test]
fn a_rewritten_history_is_not_what_was_tracked() {
    // The server drops the leak. A user still has it on a branch named `keep`.
    let purge = "leak data/x.vec; drop data/x.vec; git push -q --no-verify; git fetch -q; git branch keep
        git -C ../remote.git update-ref refs/heads/main $(git rev-parse HEAD~2);";
    let mut rows = Vec::new();
    for (name, script, refspec) in [
        ("with the branch itself", "", "main"),
        (
            "a new branch, after the old one was refused",
            "not git push -q origin +main 2>/dev/null;",
            "keep",
        ),
        (
            "a new branch, after the new history was fetched",
            "git fetch -q;",
            "keep",
        ),
        (
            "a new branch, fetched in a way that leaves no trace",
            "git fetch -q --no-write-fetch-head;",
            "keep",
        ),
        ("beside the branch", "clean m;", "+main keep"),
    ] {
        rows.push(row(name, x_vec(), move |w| {
            w.sh(&format!("{purge} {script}"));
            let args: Vec<&str> = ["push", "origin"].into_iter().chain(refspec.split(' ')).collect();
            w.act(&args)
        }));
    }
    rows.push(row("a server that was made anew", x_vec(), |w| {
        w.sh(
            "leak data/x.vec; drop data/x.vec; git push -q --no-verify; rm -rf ../remote.git
            git init -q --bare -b main ../remote.git",
        );
        w.act(&["push", "origin", "main"])
    }));
    run("attack: rewritten history", rows);
}

/// No gain: content that a place already has is not blocked again there; users who are blocked for it would switch the
/// guard off. The refs that git reports for the place count as evidence.
#[test]
fn what_a_place_has_is_not_blocked_there() {
    let leak = "leak data/x.vec; drop data/x.vec; git push -q --no-verify;";
    let pushes = || passes(&["pre-push"]);
    let new: &[&str] = &["push", "-q", "origin", "HEAD:refs/heads/new"];
    run(
        "attack: none",
        vec![
            row("a clone by path", pushes(), move |w| {
                w.sh(&format!(
                    "{leak} git clone -q \"$(cd ../remote.git; pwd -P)\" ../clone; cd ../clone"
                ));
                w.sh("cd ../clone; cp ../repo/.git/hooks/pre-push .git/hooks/; clean m");
                w.act_in(&w.beside("clone"), new)
            }),
            row("a clone by file URL, then pulled", pushes(), move |w| {
                w.sh("git clone -q \"file://$(cd ../remote.git; pwd -P)\" ../clone; cd ../clone; git pack install");
                w.sh(&format!("{leak} cd ../clone; git pull -q; clean m"));
                w.act_in(&w.beside("clone"), new)
            }),
            row("fetched", pushes(), move |w| {
                w.sh("git clone -q ../remote.git ../other; cd ../other; leak data/x.vec; git push -q");
                w.sh("git pull -q; drop data/x.vec");
                w.act(new)
            }),
            row("fetched, and another place after it", pushes(), move |w| {
                w.sh("git init -q --bare ../b.git; git remote add b ../b.git; git push -q b main");
                w.sh(&format!("{leak} git fetch -q --all; clean m"));
                w.act(new)
            }),
            row("pushed without the hook", pushes(), move |w| {
                w.sh(&format!("{leak} clean m"));
                w.act(new)
            }),
            row("pushed to a remote that was added later", pushes(), move |w| {
                w.sh("git init -q --bare ../b.git; git remote add origin2 ../b.git; git push -q origin2 main; leak data/x.vec
                git push -q --no-verify origin2 main; drop data/x.vec");
                w.act(&["push", "-q", "origin2", "HEAD:refs/heads/new"])
            }),
        ],
    );
}

/// Gain: internal files become public by a push to a place whose URL resembles a private one, or that has its name.
#[test]
fn no_public_place_passes_for_a_private_one() {
    let internal = || blocked(Push, &["a.notes", "not on a public remote", "counts as public"]);
    let setups = [
        ("set-url", "git remote set-url origin \"$public\"", "origin"),
        (
            "set-url --push",
            "git remote set-url --push origin \"$public\"",
            "origin",
        ),
        (
            "a second push URL",
            "git remote set-url --add --push origin \"$private\"; git remote set-url --add --push origin \"$public\"",
            "origin",
        ),
        (
            "insteadOf",
            "git config url.\"$public\".insteadOf \"$private\"",
            "origin",
        ),
        (
            "pushInsteadOf",
            "git config url.\"$public\".pushInsteadOf \"$private\"",
            "origin",
        ),
        (
            "a step out of the private place",
            "git remote set-url origin \"$private/../public.git\"",
            "origin",
        ),
        (
            "another scheme",
            "git remote set-url origin \"file://$private\"",
            "origin",
        ),
    ];
    let mut rows = Vec::new();
    for (name, script, remote) in setups {
        rows.push(row(name, internal(), move |w| {
            w.rules(&format!("{}{NOTES}", w.private()));
            let remote = w.sh(&format!(
                "git init -q --bare ../public.git; public=$(cd ../public.git; pwd -P)
                 private=$(cd ../remote.git; pwd -P); quietly a.notes; {script}; echo \"{remote}\""
            ));
            // With several URLs git goes on after one refusal, so this is a dry run.
            w.act(&["push", "--dry-run", &remote, "main"])
        }));
    }
    rows.push(row("a clone of a fork", internal(), |w| {
        w.rules(&format!("{}{NOTES}", w.private()));
        w.sh(
            "git clone -q --bare . ../fork.git; git clone -q ../fork.git ../clone; cd ../clone; git pack install
            quietly a.notes",
        );
        w.act_in(&w.beside("clone"), &["push", "origin", "main"])
    }));
    rows.push(row("called private in the same push", internal(), |w| {
        let private = w.private();
        w.rules(NOTES);
        w.smuggle(".gitpack.toml", format!("version = 1\n{private}{NOTES}"));
        w.sh("quietly a.notes");
        w.push()
    }));
    rows.push(row("a password is not told", internal(), |w| {
        w.rules(&format!("{}{NOTES}", w.private()));
        w.sh("quietly a.notes; git config url.../remote.git.insteadOf x:");
        let url = "https://me:hunter2@git.example.org/x";
        let id = w.sh("git rev-parse HEAD");
        let line = format!("refs/heads/main {id} refs/heads/main {}\n", "0".repeat(40));
        let mut outcome = w
            .deed(common::GIT_PACK, &["hook", "pre-push", url, url])
            .stdin(&line)
            .go();
        outcome.hooks.push(("pre-push".into(), outcome.done.code));
        assert!(!outcome.done.stderr.contains("hunter2"), "{}", outcome.done.stderr);
        assert!(
            outcome
                .done
                .stderr
                .contains("private_remotes = [\"https://git.example.org/x\"]")
        );
        outcome
    }));
    run("attack: private places", rows);
}

/// Gain: a branch from before the rules carries protected files to an empty remote, which has no rules.
#[test]
fn the_first_push_judges_every_branch_by_the_rules_of_all() {
    const LEDGER: &str = "version = 1\n[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";
    // `old` holds a ledger and no rules; `main` has rules and never held the ledger.
    let world = |w: &World, rules: &str| {
        w.sh(
            "git init -q --bare -b main ../empty.git; git init -q -b main ../fresh; cd ../fresh; put README.md
            git add .; git commit -q -m first; git checkout -qb old; leak books/1.csv; git checkout -q main",
        );
        std::fs::write(w.beside("fresh/.gitpack.toml"), rules).unwrap();
        w.sh("cd ../fresh; git add .; git commit -q -m rules; git pack install; git remote add origin ../empty.git");
    };
    let ledger = |at| blocked(at, &["books/1.csv", "ledger"]);
    let mut rows = Vec::new();
    let pushes: [(&str, &str, &[&str]); 6] = [
        ("all branches", "", &["push", "--all", "origin"]),
        ("both by name", "", &["push", "origin", "main", "old"]),
        ("the old one alone", "", &["push", "origin", "old"]),
        (
            "the old one alone, standing on it",
            "git checkout -q old;",
            &["push", "origin", "old"],
        ),
        (
            "beside a tag that has the rules",
            "git tag v1; git checkout -q old; git branch -D main;",
            &["push", "origin", "old", "v1"],
        ),
        (
            "to a remote that has another branch without rules",
            "git push -q origin main~1:refs/heads/pages;",
            &["push", "origin", "main", "old"],
        ),
    ];
    for (name, script, args) in pushes {
        rows.push(row(name, ledger(Push), move |w| {
            world(w, LEDGER);
            w.sh(&format!("cd ../fresh; {script}"));
            w.act_in(&w.beside("fresh"), args)
        }));
    }
    rows.push(row("a server receives both", ledger(Receive), move |w| {
        world(w, LEDGER);
        w.sh("cd ../empty.git; git pack init --server");
        w.act_in(&w.beside("fresh"), &["push", "--no-verify", "--all", "origin"])
    }));
    rows.push(row("whoever keeps the lines to himself", ledger(Push), move |w| {
        world(w, LEDGER);
        let args = ["hook", "pre-push", "origin", "../empty.git"];
        let mut outcome = w.deed(common::GIT_PACK, &args).at(&w.beside("fresh")).go();
        outcome.hooks.push(("pre-push".into(), outcome.done.code));
        outcome
    }));
    const RELEASE: &str = "version = 1\n[[protect]]\nclass = \"vector\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n";
    rows.push(row(
        "a release in one branch does not release in another",
        blocked(Push, &["a.vec"]),
        move |w| {
            world(w, RELEASE);
            w.sh("cd ../fresh; git checkout -q old; git rm -q books/1.csv; git commit -q -m gone; leak a.vec");
            w.act_in(&w.beside("fresh"), &["push", "--all", "origin"])
        },
    ));
    rows.push(row(
        "an older version of the rules takes no release back",
        passes(&["pre-push"]),
        move |w| {
            world(w, LEDGER);
            w.sh("cd ../fresh; git branch -D old; git checkout -qb topic; quietly t; git checkout -q main");
            std::fs::write(w.beside("fresh/.gitpack.toml"), RELEASE).unwrap();
            w.sh("cd ../fresh; git commit -q -am release; clean a.vec");
            w.act_in(&w.beside("fresh"), &["push", "-q", "--all", "origin"])
        },
    ));
    run("attack: first pushes", rows);
}

/// Gain: `scan --remote` calls a push clean because it ignores one of the URLs to which git would push.
#[test]
fn every_url_that_git_pushes_to_is_looked_at() {
    let repo = common::Repo::set_up();
    repo.git(&["remote", "add", "o", "x"]).ok();
    for setup in [
        "remote.o.url hub:a",
        "remote.o.url hub:a;remote.o.url ../b",
        "remote.o.url hub:a;remote.o.pushurl ../c",
        "remote.o.url hub:a;remote.o.pushurl hub:c;remote.o.pushurl push:d",
        "remote.o.url push:a;remote.o.url ../b",
        "remote.o.url hub:deep/a;remote.o.url push:a",
        "remote.o.url both:a",
        "remote.o.url both:a;remote.o.pushurl both:b",
    ] {
        for key in ["remote.o.url", "remote.o.pushurl"] {
            repo.git(&["config", "--unset-all", key]);
        }
        for (by, key, what) in [
            ("/srv/", "insteadOf", "hub:"),
            ("/srv/longer/", "insteadOf", "hub:deep/"),
            ("ssh://git@host/", "pushInsteadOf", "push:"),
            ("https://me:hunter2@host/", "insteadOf", "both:"),
            ("ssh://both@host/", "pushInsteadOf", "both:"),
        ] {
            repo.git(&["config", &format!("url.{by}.{key}"), what]).ok();
        }
        for line in setup.split(';') {
            let (key, value) = line.split_once(' ').unwrap();
            repo.git(&["config", "--add", key, value]).ok();
        }
        let git = repo.git(&["remote", "get-url", "--push", "--all", "o"]).ok().out();
        let ours = repo.pack(&["status"]).shown().out();
        let ours: Vec<&str> = ours
            .lines()
            .filter_map(|line| line.split_once("o, ")?.1.split_once(": public"))
            .map(|(url, _)| url)
            .collect();
        // The URLs are equal except for the password, which must not be shown.
        let git = git.replace("me:hunter2@", "");
        assert_eq!(ours, git.lines().collect::<Vec<_>>(), "{setup}");
    }
}

/// Gain: a public URL beside a private one receives internal files. `status` also says why tracking refs do not count.
#[test]
fn a_remote_is_as_public_as_the_most_public_of_its_urls() {
    let repo = common::Repo::set_up();
    let private = repo.place.path().join("private.git");
    let private = private.to_str().unwrap();
    repo.git(&["init", "-q", "--bare", "-b", "main", private]).ok();
    repo.git(&["remote", "add", "o", private]).ok();
    repo.write(
        ".gitpack.toml",
        format!("version = 1\nprivate_remotes = [\"{private}\"]\n{NOTES}"),
    );
    repo.write("a.notes", "x");
    repo.commit("notes");
    repo.pack(&["scan", "--rev", "HEAD", "--remote", "o"]).ok();
    repo.git(&["push", "-q", "o", "main"]).ok();
    let status = repo.pack(&["status"]).shown().out();
    assert!(
        status.contains(&format!("o, {private}: private, 1 tracking ref trusted")),
        "{status}"
    );
    repo.git(&["remote", "set-url", "--add", "o", "../public.git"]).ok();
    assert_eq!(repo.pack(&["scan", "--rev", "HEAD", "--remote", "o"]).code, 1);
    repo.git(&["config", "--replace-all", "remote.o.url", "../public.git"])
        .ok();
    let status = repo.pack(&["status"]).shown().out();
    let why = "o, ../public.git: public, 0 of 1 tracking ref trusted, its tracking refs were recorded for another URL";
    assert!(status.contains(why), "{status}");
}

/// Gain: the author of a prepared clone overwrites a file of its user, or makes a push hang forever.
#[test]
fn notes_are_not_written_through_a_link() {
    let repo = common::Repo::set_up();
    repo.git(&["init", "-q", "--bare", "-b", "main", "../o.git"]).ok();
    repo.git(&["remote", "add", "o", "../o.git"]).ok();
    let (victim, notes) = (repo.place.path().join("victim"), repo.path(".git/gitpack/remotes"));
    std::fs::write(&victim, "mine").unwrap();
    std::fs::create_dir_all(notes.parent().unwrap()).unwrap();
    drop(std::fs::remove_file(&notes));
    std::os::unix::fs::symlink(&victim, &notes).unwrap();
    // A planted link is refused, not ignored.
    assert_ne!(repo.git(&["push", "-q", "o", "main"]).code, 0);
    assert_eq!(repo.pack(&["install"]).code, 2);
    assert_eq!(std::fs::read(&victim).unwrap(), b"mine");
    std::fs::remove_file(&notes).unwrap();
    repo.place.run(&repo.root, "mkfifo", &[notes.to_str().unwrap()]).ok();
    assert_ne!(repo.git(&["push", "-q", "o", "main:again"]).code, 0);
}
