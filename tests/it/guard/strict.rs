//! `git pack install --strict`: no ref takes a leak, whatever command moves it; ordinary maintenance passes.

use crate::guard::bytes;
use crate::guard::table::{At::RefTransaction, Row, blocked, passes, row};

const HOOK: &[&str] = &["reference-transaction"];

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    // The commands that run before the strict hook is installed; then the one under test.
    let leaks: [(&str, &str, &[&str]); 13] = [
        (
            "commit --no-verify",
            "put a.vec; git add a.vec",
            &["commit", "--no-verify", "-m", "x"],
        ),
        ("commit -n -a", "put a.vec; git add -N a.vec", &["commit", "-nam", "x"]),
        (
            "amend --no-verify",
            "put a.vec; git add a.vec",
            &["commit", "--no-verify", "--amend", "--no-edit"],
        ),
        (
            "commit --no-verify on a detached HEAD",
            "git checkout -q --detach; put a.vec; git add a.vec",
            &["commit", "--no-verify", "-m", "x"],
        ),
        (
            "commit --no-verify on an orphan branch",
            "git checkout -q --orphan new; put a.vec; git add a.vec",
            &["commit", "--no-verify", "-m", "x"],
        ),
        (
            "a branch from the stash",
            "put a.vec; git add a.vec; git stash -q",
            &["branch", "leak", "stash@{0}"],
        ),
        (
            "cherry-pick",
            "git checkout -qb side; leak a.vec; git checkout -q main; clean m",
            &["cherry-pick", "side"],
        ),
        (
            "revert of a deletion",
            "leak a.vec; drop a.vec",
            &["revert", "--no-edit", "HEAD"],
        ),
        (
            "an evil merge",
            "git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side 2>&1
            put a.vec; git add a.vec",
            &["commit", "--no-verify", "-m", "x"],
        ),
        (
            "am",
            "git checkout -qb side; leak a.vec; git format-patch -q -1 -o ..; git checkout -q main; clean m",
            &["am", "../0001-leak-a.vec.patch"],
        ),
        (
            "a commit in a linked work tree",
            "git worktree add -q ../linked -b side; cd ../linked; put a.vec; git add a.vec",
            &["-C", "../linked", "commit", "--no-verify", "-m", "x"],
        ),
        (
            "in a subdirectory",
            "put sub/a.vec; git add .",
            &["-C", "sub", "commit", "--no-verify", "-m", "x"],
        ),
        (
            "the first commit of all",
            "git init -q ../fresh; cd ../fresh; put a.vec; git add .; git pack install --strict",
            &["-C", "../fresh", "commit", "--no-verify", "-m", "x"],
        ),
    ];
    for (name, script, act) in leaks {
        rows.push(row(name, blocked(RefTransaction, &["a.vec"]), move |w| {
            w.sh(&format!("({script}\n:)\ngit pack install --strict"));
            w.act(act)
        }));
    }
    // Each row makes a commit that no ref holds, then runs a command that gives it a ref.
    let plumbing: [(&str, &[&str]); 6] = [
        ("update-ref", &["update-ref", "refs/heads/new", "{}"]),
        ("update-ref of HEAD", &["update-ref", "HEAD", "{}"]),
        ("branch", &["branch", "new", "{}"]),
        ("tag", &["tag", "t", "{}"]),
        ("annotated tag", &["tag", "-a", "-m", "t", "t", "{}"]),
        ("reset", &["reset", "--soft", "{}"]),
    ];
    for (name, act) in plumbing {
        rows.push(row(name, blocked(RefTransaction, &["a.vec"]), move |w| {
            w.sh("git pack install --strict");
            let id = w.sh(
                "id=$(echo secret | git hash-object -w --stdin); export GIT_INDEX_FILE=../index; git read-tree HEAD
                 git update-index --add --cacheinfo 100644,$id,a.vec; git commit-tree -p HEAD -m x $(git write-tree)",
            );
            let act: Vec<String> = act.iter().map(|word| word.replace("{}", &id)).collect();
            w.act(&act.iter().map(String::as_str).collect::<Vec<_>>())
        }));
    }
    rows.extend([
        row("rebase", blocked(RefTransaction, &["a.vec"]), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; clean m; git checkout -q side
                 git pack install --strict");
            w.act(&["rebase", "main"])
        })
        .detaches(),
        row("content", blocked(RefTransaction, &["logo.bin", "faiss"]), |w| {
            w.sh("git pack install --strict");
            w.stage("logo.bin", bytes::faiss(4));
            w.act(&["commit", "--no-verify", "-m", "x"])
        }),
        row("a rule weakened in the same commit", blocked(RefTransaction, &["a.vec"]), |w| {
            w.sh("git pack install --strict; put a.vec");
            let release = "[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n";
            w.stage(".gitpack.toml", format!("version = 1\n{release}"));
            w.sh("git add a.vec");
            w.act(&["commit", "--no-verify", "-m", "x"])
        }),
        row("fast-import", blocked(RefTransaction, &["a.vec"]), |w| {
            w.sh("git pack install --strict");
            let stream = "commit refs/heads/new\ncommitter C <c@example.org> 0 +0000\ndata 1\nx\n\
                          from refs/heads/main^0\nM 644 inline a.vec\ndata 6\nsecret\n";
            w.deed("git", &["fast-import", "--quiet"]).stdin(stream).go()
        }),
        row("a symbolic ref is no way around", blocked(RefTransaction, &["a.vec"]), |w| {
            w.sh("git pack install --strict; git symbolic-ref refs/heads/alias refs/heads/main; git checkout -q alias
                 put a.vec; git add a.vec");
            w.act(&["commit", "--no-verify", "-m", "x"])
        }),
    ]);
    let innocent: [(&str, &str, &[&str], &[&str]); 23] = [
        ("a commit", "put b; git add b", &["commit", "-m", "x"], HOOK),
        (
            "a commit --no-verify",
            "put b; git add b",
            &["commit", "--no-verify", "-m", "x"],
            HOOK,
        ),
        ("an empty commit", "", &["commit", "--allow-empty", "-m", "x"], HOOK),
        ("a branch", "", &["branch", "new"], HOOK),
        ("a checkout", "git branch side", &["checkout", "-q", "side"], &[]),
        ("a new branch checked out", "", &["checkout", "-q", "-b", "side"], &[]),
        ("an annotated tag", "", &["tag", "-a", "-m", "v1", "v1"], HOOK),
        ("a branch deleted", "git branch side", &["branch", "-D", "side"], HOOK),
        (
            "a branch renamed",
            "git branch side",
            &["branch", "-m", "side", "other"],
            HOOK,
        ),
        (
            "a rebase",
            "git checkout -qb side; clean s; git checkout -q main; clean m; git checkout -q side",
            &["rebase", "-q", "main"],
            HOOK,
        ),
        (
            "an interactive rebase",
            "clean a; clean b",
            &["-c", "sequence.editor=true", "rebase", "-q", "-i", "HEAD~2"],
            &[],
        ),
        (
            "a merge",
            "git checkout -qb side; clean s; git checkout -q main; clean m",
            &["merge", "-q", "--no-edit", "side"],
            HOOK,
        ),
        ("a stash", "clean a; put a changed", &["stash", "-q"], HOOK),
        (
            "a stash dropped",
            "clean a; put a changed; git stash -q",
            &["stash", "drop", "-q"],
            HOOK,
        ),
        (
            "a stash popped",
            "clean a; put a changed; git stash -q",
            &["stash", "pop", "-q"],
            HOOK,
        ),
        (
            "a reset",
            "clean a; clean b",
            &["reset", "-q", "--hard", "HEAD~1"],
            HOOK,
        ),
        ("gc", "clean a; git branch b; git tag -a t -m t", &["gc", "-q"], &[]),
        (
            "pack-refs",
            "clean a; git branch b; git tag -a t -m t",
            &["pack-refs", "--all", "--prune"],
            HOOK,
        ),
        (
            "gc where history has a leak",
            "leak a.vec; drop a.vec; git branch b HEAD~1",
            &["gc", "-q", "--prune=now"],
            &[],
        ),
        (
            "pack-refs where history has a leak",
            "leak a.vec; git branch b",
            &["pack-refs", "--all", "--prune"],
            HOOK,
        ),
        (
            "a deletion of the leak that was there before",
            "leak a.vec; git rm -q a.vec",
            &["commit", "-m", "gone"],
            HOOK,
        ),
        (
            "a fetch",
            "git clone -q ../remote.git ../other; cd ../other; clean o; git tag -a v1 -m v1; git push -q --follow-tags",
            &["fetch", "-q"],
            HOOK,
        ),
        ("a push", "clean a", &["push", "-q", "origin", "main"], &["pre-push"]),
    ];
    let is_in_table = std::env::var_os("GIT_DEFAULT_REF_FORMAT").is_some_and(|format| format == "reftable");
    for (name, script, act, ran) in innocent {
        // In a reftable, git runs no hook for a change that brings no new object.
        let ran = match act {
            ["pack-refs", ..] | ["branch", "-m", ..] if is_in_table => &[],
            _ => ran,
        };
        rows.push(row(format!("passes: {name}"), passes(ran), move |w| {
            w.sh(&format!("({script}\n:)\ngit pack install --strict"));
            w.act(act)
        }));
    }
    rows.extend([
        row("passes: a fetch --prune", passes(HOOK), |w| {
            w.sh("git push -q origin main:old; git fetch -q; git pack install --strict
                git -C ../remote.git branch -q -D old");
            w.act(&["fetch", "-q", "--prune"])
        }),
        row("passes: a pull that fast-forwards", passes(HOOK), |w| {
            w.sh("git clone -q ../remote.git ../other; cd ../other; clean o; git push -q");
            w.sh("git pack install --strict");
            w.act(&["pull", "-q", "--ff-only"])
        }),
        row("passes: the first commit of all", passes(HOOK), |w| {
            w.sh("git init -q ../fresh; cd ../fresh; git pack install --strict; put a; git add .");
            w.act(&["-C", "../fresh", "commit", "-q", "-m", "x"])
        }),
        row("passes: a linked work tree", passes(&[]), |w| {
            w.sh("git pack install --strict");
            w.act(&["worktree", "add", "-q", "../linked", "-b", "side"])
        }),
        row("passes: SHA-256", passes(HOOK), |w| {
            w.sh("git pack install --strict; put b; git add b");
            w.commit()
        })
        .sha256(),
    ]);
    rows
}
