//! The first push to a second remote, which has no rules: those of the remotes that the clone knows apply.

use crate::guard::table::{At::Push, Expected, blocked, passes, row, run};
use crate::guard::world::World;

const LEDGER: &str = "version = 1\n[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";
const LETTERS: &str = "version = 1\n[[protect]]\nclass = \"letters\"\npaths = [\"letters/**\"]\n";
const NOTHING: &str = "version = 1\n";

fn ledger() -> Expected {
    blocked(Push, &["books/1.csv", "ledger"])
}

/// Makes a clone with two empty remotes. Its branch `old` holds a ledger and no rules, its branch `rules` the rules of
/// the last commit of `script` and no ledger. Leaves only `old`, and no default branch of a remote.
fn world(w: &World, script: &str) {
    w.sh(
        "git init -q --bare -b main ../first.git; git init -q --bare -b main ../second.git
        git init -q -b rules ../fresh; cd ../fresh; put README.md; git add .; git commit -q -m first
        git checkout -qb old; leak books/1.csv; git checkout -q rules; git remote add origin ../first.git
        git remote add second ../second.git",
    );
    rules(w, LEDGER);
    w.sh(&format!(
        "cd ../fresh; git pack install; {script}
        git remote set-head origin -d 2>/dev/null || true; git checkout -q old; git branch -qD rules"
    ));
}

/// Commits this configuration on the current branch.
fn rules(w: &World, text: &str) {
    std::fs::write(w.beside("fresh/.gitpack.toml"), text).unwrap();
    w.sh("cd ../fresh; git add .gitpack.toml; git commit -q --no-verify -m rules");
}

/// Gain: a branch from before the rules carries a protected file to a new remote, because the clone does not know which
/// branch is the default one of its first remote.
#[test]
fn the_rules_of_the_first_remote_hold_for_the_second() {
    let known: [(&str, &str, &str, &[&str]); 9] = [
        ("main", "git push -q origin rules:main", "", &["second", "old"]),
        ("master", "git push -q origin rules:master", "", &["second", "old"]),
        (
            "under another name",
            "git push -q origin rules:main",
            "",
            &["second", "old:refs/heads/new"],
        ),
        (
            "what init.defaultBranch names",
            "git push -q origin rules:trunk rules~1:refs/heads/main; git config init.defaultBranch trunk",
            "",
            &["second", "old"],
        ),
        (
            "the branch of the same name",
            "git push -q origin rules~1:refs/heads/main rules:old",
            "",
            &["second", "old"],
        ),
        (
            "any branch, if those have no rules",
            "git push -q origin rules~1:refs/heads/main rules~1:refs/heads/old rules:trunk",
            "",
            &["second", "old"],
        ),
        (
            "a default branch that is gone",
            "git push -q origin rules:main",
            "git symbolic-ref refs/remotes/origin/HEAD refs/remotes/origin/gone",
            &["second", "old"],
        ),
        (
            "after set-url",
            "git push -q origin rules:main",
            "git remote set-url origin ../second.git",
            &["origin", "old"],
        ),
        (
            "a place without a name",
            "git push -q origin rules:main",
            "git remote remove second",
            &["../second.git", "old"],
        ),
    ];
    let mut rows = Vec::new();
    for (name, script, then, args) in known {
        rows.push(row(name, ledger(), move |w| {
            world(w, script);
            w.sh(&format!("cd ../fresh; {then}"));
            w.act_in(&w.beside("fresh"), &[&["push"], args].concat())
        }));
    }
    // No gain: the remote says which branch is the default one, and that has no rules.
    rows.push(row("a default branch without rules", passes(&["pre-push"]), |w| {
        world(w, "git push -q origin rules~1:refs/heads/main rules:topic");
        w.sh("cd ../fresh; git remote set-head origin main");
        w.act_in(&w.beside("fresh"), &["push", "second", "old"])
    }));
    // No gain: the rules of the main branch are other ones, and those of other branches are drafts.
    rows.push(row("other rules in the main branch", passes(&["pre-push"]), |w| {
        world(w, "git push -q origin rules:topic");
        w.sh("cd ../fresh; git checkout -qb letters old~1");
        rules(w, LETTERS);
        w.sh("cd ../fresh; git push -q origin letters:main; git checkout -q old; git branch -qD letters");
        w.act_in(&w.beside("fresh"), &["push", "second", "old"])
    }));
    run("attack: a second remote", rows);
}

/// Gain: one push to a new remote changes the rules and publishes what they protected, although the first remote still
/// has the old rules.
#[test]
fn a_change_of_rules_that_no_remote_has_releases_nothing() {
    /// Makes a branch that replaces the rules of `origin/main` and adds a ledger.
    fn released(w: &World) {
        world(w, "git push -q origin rules:main");
        w.sh("cd ../fresh; git checkout -qb work origin/main");
        rules(w, NOTHING);
        w.sh("cd ../fresh; leak books/2.csv");
    }
    let ledger = || blocked(Push, &["books/2.csv", "ledger", "POLICY_WEAKENED"]);
    let mut rows = Vec::new();
    rows.push(row("the release and the file", ledger(), |w| {
        released(w);
        w.act_in(&w.beside("fresh"), &["push", "second", "work"])
    }));
    rows.push(row("where the default branch is known", ledger(), |w| {
        released(w);
        w.sh("cd ../fresh; git remote set-head origin main");
        w.act_in(&w.beside("fresh"), &["push", "second", "work"])
    }));
    // No gain: the first remote has the new rules.
    for (name, script) in [
        (
            "after they were pushed to the main branch",
            "git push -q origin work~1:refs/heads/main",
        ),
        (
            "after they were pushed to a branch of that name",
            "git push -q origin work~1:refs/heads/work; git remote set-head origin main",
        ),
        (
            "after they were pushed to the second remote",
            "git push -q second work~1:refs/heads/work",
        ),
    ] {
        rows.push(row(name, passes(&["pre-push"]), move |w| {
            released(w);
            w.sh(&format!("cd ../fresh; {script}"));
            w.act_in(&w.beside("fresh"), &["push", "-q", "second", "work"])
        }));
    }
    run("attack: changed rules for a second remote", rows);
}
