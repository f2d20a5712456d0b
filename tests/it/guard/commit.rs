//! Ways to get a protected file into a commit.

use std::fs;

use crate::guard::table::{At::Commit, Row, blocked, row};

pub fn rows() -> Vec<Row> {
    let vec = || {
        blocked(
            Commit,
            &["a.vec", "vector", "never in plaintext", "**/*.vec", "(built in)"],
        )
    };
    vec![
        row("plain add", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.commit()
        }),
        row("forced add of an ignored file", vec(), |w| {
            w.sh("clean .gitignore; echo '*.vec' >.gitignore; put a.vec; git add -f a.vec .gitignore");
            w.commit()
        }),
        row(
            "one among many",
            blocked(Commit, &["d7/a.vec", "1 protected file"]),
            |w| {
                w.sh("for n in 1 2 3 4 5 6 7 8 9; do put d$n/a.txt; done; put d7/a.vec; git add .");
                w.commit()
            },
        ),
        row(
            "several at once",
            blocked(
                Commit,
                &["a.vec", "b.index", "c/PROOF_BUNDLE.json", "3 protected files"],
            ),
            |w| {
                w.sh("put a.vec; put b.index; put c/PROOF_BUNDLE.json; git add .");
                w.commit()
            },
        ),
        row(
            "run output",
            blocked(Commit, &["_PACK_RUN/x/out.json", "pack-run"]),
            |w| {
                w.sh("put _PACK_RUN/x/out.json; git add -f _PACK_RUN");
                w.commit()
            },
        ),
        row(
            "sealed, but a run output",
            blocked(Commit, &["_PACK_RUN/x/a.vec.age", "pack-run"]),
            |w| {
                let sealed = w.age(&[], b"secret");
                w.stage("_PACK_RUN/x/a.vec.age", sealed);
                w.commit()
            },
        ),
        row("commit -a after add -N", vec(), |w| {
            w.sh("put a.vec; git add -N a.vec");
            w.act(&["commit", "-am", "x"])
        }),
        row("commit <path> after add -N", vec(), |w| {
            w.sh("put a.vec; git add -N a.vec");
            w.act(&["commit", "-m", "x", "a.vec"])
        }),
        row("commit <path> of one of two", blocked(Commit, &["b.vec"]), |w| {
            w.sh("put a; put b.vec; git add .");
            w.act(&["commit", "-m", "x", "b.vec"])
        }),
        row("commit --include", vec(), |w| {
            w.sh("put a.vec; git add -N a.vec; put README.md; git add README.md");
            w.act(&["commit", "-m", "x", "--include", "a.vec"])
        }),
        row("commit --pathspec-from-file", vec(), |w| {
            w.sh("put a.vec; git add -N a.vec; echo a.vec >../list");
            w.act(&["commit", "-m", "x", "--pathspec-from-file=../list"])
        }),
        row("commit --fixup", vec(), |w| {
            w.sh("put a.vec; git add a.vec");
            w.act(&["commit", "--fixup", "HEAD"])
        }),
        row("amend", vec(), |w| {
            w.sh("put a.vec; git add a.vec");
            w.act(&["commit", "--amend", "--no-edit"])
        }),
        row("staged, then deleted on disk", vec(), |w| {
            w.sh("put a.vec; git add a.vec; rm a.vec");
            w.commit()
        }),
        row("staged, then replaced on disk by something harmless", vec(), |w| {
            w.sh("put a.vec; git add a.vec; : >a.vec");
            w.commit()
        }),
        row("staged, then a directory on disk", vec(), |w| {
            w.sh("put a.vec; git add a.vec; rm a.vec; put a.vec/readme");
            w.commit()
        }),
        row("an empty protected file", vec(), |w| {
            w.sh(": >a.vec; git add a.vec");
            w.commit()
        }),
        row("apply --cached", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git diff --cached >../patch; git rm -qf a.vec");
            w.sh("git apply --cached ../patch; test ! -e a.vec");
            w.commit()
        }),
        row("apply --index", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git diff --cached >../patch; git rm -qf a.vec; git apply --index ../patch");
            w.commit()
        }),
        row("restored from another branch", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; git checkout side -- a.vec");
            w.commit()
        }),
        row("read-tree of another branch", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; git read-tree side");
            w.commit()
        }),
        row("stash pop", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git stash -q; git stash pop -q --index");
            w.commit()
        }),
        row("cherry-pick --no-commit, then commit", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; git cherry-pick --no-commit side");
            w.commit()
        }),
        row("revert --no-commit of a deletion, then commit", vec(), |w| {
            w.sh("leak a.vec; drop a.vec; git revert --no-commit HEAD");
            w.commit()
        }),
        row("update-index --cacheinfo", vec(), |w| {
            w.sh("id=$(echo secret | git hash-object -w --stdin); git update-index --add --cacheinfo 100644,$id,a.vec");
            w.commit()
        }),
        row("assumed unchanged", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git update-index --assume-unchanged a.vec; rm a.vec");
            w.commit()
        }),
        row("marked to be skipped in the work tree", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git update-index --skip-worktree a.vec; rm a.vec");
            w.commit()
        }),
        row("an executable", vec(), |w| {
            w.sh("put a.vec; chmod +x a.vec; git add a.vec");
            w.commit()
        }),
        row("a symbolic link of a protected name", vec(), |w| {
            w.sh("ln -s README.md a.vec; git add a.vec");
            w.commit()
        }),
        row(
            "a link to a directory, named as run outputs",
            blocked(Commit, &["_PACK_RUN", "pack-run"]),
            |w| {
                w.sh("put out/x; ln -s out _PACK_RUN; git add -f _PACK_RUN");
                w.commit()
            },
        ),
        row("a link replaced by the file it led to", vec(), |w| {
            w.sh("put data; ln -s data a.vec; mv -f data a.vec; git add a.vec");
            w.commit()
        }),
        row(
            "git mv to a protected name",
            blocked(Commit, &["README.index", "index"]),
            |w| {
                w.sh("git mv README.md README.index");
                w.commit()
            },
        ),
        row(
            "git mv into run outputs",
            blocked(Commit, &["_PACK_RUN/README.md"]),
            |w| {
                w.sh("mkdir _PACK_RUN; git mv README.md _PACK_RUN/README.md");
                w.commit()
            },
        ),
        row("a bytewise copy of an innocent file", vec(), |w| {
            w.sh("clean a.txt; cp a.txt a.vec; git add a.vec");
            w.commit()
        }),
        row("tracked already, and something else changes", vec(), |w| {
            w.sh("leak a.vec; put b; git add b");
            w.commit()
        }),
        row("tracked already, and nothing changes", vec(), |w| {
            w.sh("leak a.vec");
            w.act(&["commit", "--allow-empty", "-m", "x"])
        }),
        row("a merge", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; clean m");
            w.act(&["merge", "-m", "m", "side"])
        }),
        row("a merge --no-ff", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main");
            w.act(&["merge", "--no-ff", "-m", "m", "side"])
        }),
        row("an octopus", blocked(Commit, &["b.vec"]), |w| {
            w.sh(
                "git checkout -qb one; clean one; git checkout -qb two main; leak b.vec; git checkout -q main; clean m",
            );
            w.act(&["merge", "-m", "m", "one", "two"])
        }),
        row("merge --no-commit, then commit", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; clean m; git merge -q --no-commit side");
            w.commit()
        }),
        row("an evil merge, then commit", vec(), |w| {
            w.sh("git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side");
            w.sh("put a.vec; git add a.vec");
            w.commit()
        }),
        row("a resolved conflict", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; put c one; git add c; git commit -q --no-verify -m s");
            w.sh("git checkout -q main; put c two; git add c; git commit -q -m m");
            w.sh("git merge -q side || put c three; git add c");
            w.commit()
        }),
        row("merge --squash, then commit", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; git merge -q --squash side");
            w.commit()
        }),
        row("a merge with ours", vec(), |w| {
            w.sh("git checkout -qb side; clean s; git checkout -q main; leak a.vec");
            w.act(&["merge", "-s", "ours", "-m", "m", "side"])
        }),
        row("git pull that merges", vec(), |w| {
            w.sh("git clone -q ../remote.git ../other; cd ../other; leak a.vec; git push -q");
            w.sh("clean m; git fetch -q");
            w.act(&["pull", "-q", "--no-rebase", "--no-edit"])
        }),
        row("on a detached HEAD", vec(), |w| {
            w.sh("git checkout -q --detach; put a.vec; git add a.vec");
            w.commit()
        }),
        row("on an orphan branch", vec(), |w| {
            w.sh("git checkout -q --orphan fresh; put a.vec; git add a.vec");
            w.commit()
        }),
        row(
            "the first commit of all",
            blocked(Commit, &["a.vec", "git rm --cached"]),
            |w| {
                w.sh("git init -q ../fresh; cd ../fresh; git pack init; put a.vec; git add .");
                w.act_in(&w.beside("fresh"), &["commit", "-m", "x"])
            },
        ),
        row("without .gitpack.toml", vec(), |w| {
            w.sh("git init -q ../fresh; cd ../fresh; git pack install; clean b; put a.vec; git add .");
            w.act_in(&w.beside("fresh"), &["commit", "-m", "x"])
        }),
        row("a clean filter that changes nothing of the name", vec(), |w| {
            w.sh("echo '*.vec filter=zip' >.gitattributes; git config filter.zip.clean 'tr a-z n-za-m'");
            w.sh("put a.vec; git add .");
            w.commit()
        }),
        row("commit with a message from a hook's template", vec(), |w| {
            w.sh("put a.vec; git add a.vec; echo wip >../message");
            w.act(&[
                "commit",
                "-F",
                "../message",
                "--cleanup=verbatim",
                "--allow-empty-message",
            ])
        }),
        row("commit --dry-run is not asked, the commit is", vec(), |w| {
            w.sh("put a.vec; git add a.vec");
            w.repo.git(&["commit", "--dry-run"]).ok();
            w.commit()
        }),
        row("git add -i, update", vec(), |w| {
            w.sh("put a.vec; printf '4\\n*\\n\\n7\\n' | git add -i >/dev/null; git ls-files --error-unmatch a.vec");
            w.commit()
        }),
        row("the file is gone, the repository is packed", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git gc -q");
            fs::remove_file(w.path("a.vec")).unwrap();
            w.commit()
        }),
        row("index version 4", vec(), |w| {
            w.sh("put a/b/c.txt; put a/b/a.vec; git add .; git update-index --index-version 4");
            w.commit()
        }),
        row("a split index", vec(), |w| {
            w.sh("git config core.splitIndex true; clean b; put a.vec; git add a.vec; git update-index --split-index");
            w.commit()
        }),
        row("an index without a checksum", vec(), |w| {
            w.sh("git config index.skipHash true; put a.vec; git add a.vec");
            w.commit()
        }),
        row("untracked cache and file-system monitor off", vec(), |w| {
            w.sh("git config core.untrackedCache true; git config feature.manyFiles true; put a.vec; git add a.vec");
            w.commit()
        }),
    ]
}
