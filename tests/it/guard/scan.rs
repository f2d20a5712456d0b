//! `git pack scan` on every surface: its exit status, and the code and path of each finding in its report.

use std::fs;

use crate::guard::bytes;
use crate::guard::table::{Row, row, scan};
use crate::guard::world::{Outcome, World};

const PLAINTEXT: &str = "PLAINTEXT_PROTECTED";

fn report(w: &World, args: &[&str]) -> Outcome {
    w.deed("git", &[&["pack", "scan", "--json"], args].concat()).go()
}

pub fn rows() -> Vec<Row> {
    let clean = || scan(0, &[]);
    vec![
        row("staged", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("put a.vec; git add .");
            report(w, &[])
        }),
        row("staged, told by content", scan(1, &[(PLAINTEXT, "logo.bin")]), |w| {
            w.stage("logo.bin", bytes::faiss(4));
            report(w, &[])
        }),
        row(
            "staged, a run output",
            scan(1, &[("TRACKED_RUN_OUTPUT", "_PACK_RUN/x")]),
            |w| {
                w.stage("_PACK_RUN/x", "x");
                report(w, &[])
            },
        ),
        row("staged, a private key", scan(1, &[("PRIVATE_KEY", "notes.txt")]), |w| {
            w.stage("notes.txt", w.identity());
            report(w, &[])
        }),
        row("staged, a fake seal", scan(1, &[("FAKE_SEAL", "a.vec.age")]), |w| {
            w.stage("a.vec.age", "secret");
            report(w, &[])
        }),
        row(
            "staged, an LFS pointer",
            scan(1, &[("LFS_POINTER", "model.safetensors")]),
            |w| {
                w.stage("model.safetensors", bytes::lfs_pointer());
                report(w, &[])
            },
        ),
        row(
            "staged, all of them",
            scan(
                1,
                &[(PLAINTEXT, "a.vec"), ("FAKE_SEAL", "b.age"), ("PRIVATE_KEY", "sub/c")],
            ),
            |w| {
                w.stage("a.vec", "x");
                w.stage("b.age", "x");
                w.stage("sub/c", w.identity());
                report(w, &[])
            },
        ),
        row("staged, tracked already", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("leak a.vec");
            report(w, &[])
        }),
        row("staged, a weakened rule", scan(0, &[("POLICY_WEAKENED", "")]), |w| {
            w.rules("[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n");
            w.stage(".gitpack.toml", "version = 1\n");
            report(w, &[])
        }),
        row("staged, by another index", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("export GIT_INDEX_FILE=../index; git read-tree HEAD; put a.vec; git add a.vec");
            let deed = w.deed("git", &["pack", "scan", "--json"]);
            deed.env("GIT_INDEX_FILE", "../index").go()
        }),
        row("nothing staged", clean(), |w| report(w, &[])),
        row("not staged", clean(), |w| {
            w.sh("put a.vec");
            report(w, &[])
        }),
        row("in a subdirectory", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("put a.vec; put sub/b; git add .");
            w.deed("git", &["pack", "scan", "--json"]).at(&w.path("sub")).go()
        }),
        row(
            "work tree, untracked",
            scan(1, &[(PLAINTEXT, "a.vec"), (PLAINTEXT, "logo.bin")]),
            |w| {
                w.sh("put a.vec");
                w.write("logo.bin", bytes::faiss(4));
                report(w, &["--worktree"])
            },
        ),
        row(
            "work tree, changed since it was staged",
            scan(1, &[(PLAINTEXT, "logo.bin")]),
            |w| {
                w.stage("logo.bin", "harmless");
                w.write("logo.bin", bytes::faiss(4));
                report(w, &["--worktree"])
            },
        ),
        row("work tree, ignored", clean(), |w| {
            w.sh("echo '*.vec' >.gitignore; put a.vec; put _PACK_RUN/x");
            report(w, &["--worktree"])
        }),
        row(
            "work tree, ignored but tracked",
            scan(1, &[(PLAINTEXT, "a.vec")]),
            |w| {
                w.sh("leak a.vec; echo '*.vec' >.gitignore");
                report(w, &["--worktree"])
            },
        ),
        row("work tree, --no-ignore", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("echo '*.vec' >.gitignore; put a.vec");
            report(w, &["--worktree", "--no-ignore"])
        }),
        row("work tree, behind a link", clean(), |w| {
            w.sh("mkdir ../outside; put ../outside/a.vec; ln -s ../outside link; ln -s ../outside/a.vec file");
            report(w, &["--worktree"])
        }),
        row("work tree, staged and gone", clean(), |w| {
            w.sh("put a.vec; git add a.vec; rm a.vec");
            report(w, &["--worktree"])
        }),
        row("a revision", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("leak a.vec; drop a.vec");
            report(w, &["--rev", "HEAD~1"])
        }),
        row("a revision after the deletion", clean(), |w| {
            w.sh("leak a.vec; drop a.vec");
            report(w, &["--rev", "HEAD"])
        }),
        row("a tag", scan(1, &[(PLAINTEXT, "logo.bin")]), |w| {
            w.smuggle("logo.bin", bytes::faiss(4));
            w.sh("git tag -a t -m t; git rm -q logo.bin; git commit -q -m gone");
            report(w, &["--rev", "t"])
        }),
        row("a revision that is none", scan(2, &[("E_BAD_REVISION", "")]), |w| {
            report(w, &["--rev", "nonsense"])
        }),
        row("a range", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("leak a.vec; drop a.vec");
            report(w, &["--range", "origin/main..HEAD"])
        }),
        row("a range beside the leak", clean(), |w| {
            w.sh("leak a.vec; drop a.vec; clean b");
            report(w, &["--range", "HEAD~1..HEAD"])
        }),
        row("a range without a commit", clean(), |w| {
            report(w, &["--range", "HEAD..HEAD"])
        }),
        row("all, in history", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("leak a.vec; drop a.vec; git push -q --no-verify");
            report(w, &["--all"])
        }),
        row("all, only in a tag", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("git checkout -q --detach; leak a.vec; git tag -a t -m t; git checkout -q main");
            report(w, &["--all"])
        }),
        row("all, only in the stash", scan(1, &[(PLAINTEXT, "s.vec")]), |w| {
            w.sh("put s.vec; git add s.vec; git stash -q");
            report(w, &["--all"])
        }),
        row("all, an evil merge", scan(1, &[("PRIVATE_KEY", "notes.txt")]), |w| {
            w.sh("git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side");
            w.smuggle("notes.txt", w.identity());
            w.sh("drop notes.txt");
            report(w, &["--all"])
        }),
        row("all, clean", clean(), |w| {
            w.sh("clean a; git tag -a t -m t");
            report(w, &["--all"])
        }),
        row("all, bare", scan(1, &[(PLAINTEXT, "a.vec")]), |w| {
            w.sh("leak a.vec; drop a.vec; git push -q --no-verify");
            w.deed("git", &["pack", "scan", "--json", "--all"])
                .at(&w.beside("remote.git"))
                .go()
        }),
        row("all, shallow", scan(2, &[("E_MISSING_OBJECT", "")]), |w| {
            w.sh("leak a.vec; drop a.vec; clean b; git push -q --no-verify
                 git clone -q --depth=1 \"file://$PWD/../remote.git\" ../shallow");
            w.deed("git", &["pack", "scan", "--json", "--all"])
                .at(&w.beside("shallow"))
                .go()
        }),
        row("all, shallow, and what is here will do", clean(), |w| {
            w.sh("leak a.vec; drop a.vec; clean b; git push -q --no-verify
                 git clone -q --depth=1 \"file://$PWD/../remote.git\" ../shallow");
            w.deed("git", &["pack", "scan", "--json", "--all", "--shallow"])
                .at(&w.beside("shallow"))
                .go()
        }),
        row("all, partial", scan(2, &[("E_MISSING_OBJECT", "")]), |w| {
            w.sh("clean a; put a changed; git commit -q -am changed; git push -q
                 git -C ../remote.git config uploadpack.allowFilter true
                 git clone -q --filter=blob:none \"file://$PWD/../remote.git\" ../partial");
            w.deed("git", &["pack", "scan", "--json", "--all"])
                .at(&w.beside("partial"))
                .go()
        }),
        row("all, a missing blob", scan(2, &[("E_MISSING_OBJECT", "")]), |w| {
            let id = w.sh("clean data.bin; git rev-parse HEAD:data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            report(w, &["--all"])
        }),
        row("a damaged blob", scan(2, &[("E_CORRUPT", "")]), |w| {
            let id = w.sh("clean data.bin; git rev-parse HEAD:data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::write(w.loose(&id), "this is no zlib stream").unwrap();
            report(w, &["--rev", "HEAD"])
        }),
        row("an exception by blob", clean(), |w| {
            let id = w.sh("put a.vec; git hash-object a.vec");
            w.rules(&format!(
                "[[allow]]\nblob = \"{id}\"\nreason = \"published on purpose\"\n"
            ));
            w.sh("leak a.vec");
            report(w, &["--rev", "HEAD"])
        }),
        row("after --write-allow nothing is left", clean(), |w| {
            w.sh("leak a.vec; drop a.vec; leak b.index; drop b.index");
            let written = w.repo.pack(&["scan", "--all", "--write-allow"]);
            assert!(written.code <= 1, "{}", written.stderr);
            w.sh("git add .gitpack.toml; git commit -q --no-verify -m allow");
            report(w, &["--all"])
        }),
        row(
            "outside of any repository",
            scan(2, &[("E_NOT_A_REPOSITORY", "")]),
            |w| w.deed("git", &["pack", "scan", "--json"]).at(&w.beside("home")).go(),
        ),
        row(
            "for people: path, class, rule, blob, commit, and what was examined",
            scan(1, &[]),
            |w| {
                w.sh("leak data/a.vec; drop data/a.vec");
                let mut outcome = w.act(&["pack", "scan", "--range", "origin/main..HEAD"]);
                let text = format!("{}{}", outcome.done.out(), outcome.done.stderr);
                let blob = w.sh("git rev-parse HEAD~1:data/a.vec")[..7].to_owned();
                let commit = w.sh("git rev-parse HEAD~1")[..7].to_owned();
                for word in [
                    "data/a.vec",
                    "vector",
                    "never",
                    "**/*.vec",
                    &blob,
                    &commit,
                    "examined 2 commits",
                ] {
                    assert!(text.contains(word), "no {word} in {text}");
                }
                outcome.done.stdout = b"{}".to_vec();
                outcome
            },
        ),
        row("-z leaves names as they are", scan(1, &[]), |w| {
            w.stage("line\nbreak.vec", "x");
            let mut outcome = w.act(&["pack", "scan", "-z"]);
            let stdout = outcome.done.out();
            assert!(
                stdout.contains("line\nbreak.vec") && stdout.ends_with('\0'),
                "{stdout:?}"
            );
            outcome.done.stdout = b"{}".to_vec();
            outcome
        }),
    ]
}
