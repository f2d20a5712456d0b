//! Ways to get a protected file to a remote.

use crate::guard::bytes;
use crate::guard::table::{At::Push, Expected, Row, blocked, passes, row};

/// The leak of most rows: a commit adds it, and the next one deletes it.
const DELETED: &str = "leak data/x.vec; drop data/x.vec;";

fn x_vec() -> Expected {
    blocked(Push, &["data/x.vec", "vector", "**/*.vec"])
}

/// Rows about refs and remotes.
pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    // Each row starts with the leak and its deletion on `main`.
    let simple: [(&str, &str, &[&str]); 32] = [
        ("the upstream branch", "", &["push"]),
        ("by name", "", &["push", "origin", "main"]),
        ("a new branch", "", &["push", "origin", "HEAD:refs/heads/new"]),
        (
            "-u of a new branch",
            "git checkout -qb new",
            &["push", "-u", "origin", "new"],
        ),
        ("the parent only", "", &["push", "origin", "HEAD~1:refs/heads/new"]),
        ("the parent, onto the branch", "", &["push", "origin", "HEAD~1:main"]),
        (
            "the second of several refs",
            "git branch clean HEAD~2",
            &["push", "origin", "clean", "main"],
        ),
        (
            "the first of several refs",
            "git branch clean HEAD~2",
            &["push", "origin", "main", "clean:other"],
        ),
        (
            "a deletion beside it",
            "git push -q origin HEAD~2:refs/heads/old",
            &["push", "origin", ":old", "main"],
        ),
        ("--all", "git branch clean HEAD~2", &["push", "--all", "origin"]),
        ("--mirror", "", &["push", "--mirror", "../remote.git"]),
        (
            "--prune with a pattern",
            "",
            &["push", "--prune", "origin", "refs/heads/*:refs/heads/*"],
        ),
        (
            "--follow-tags",
            "git tag -a v1 -m v1",
            &["push", "--follow-tags", "origin", "main"],
        ),
        (
            "--tags beside a branch",
            "git tag v1",
            &["push", "--tags", "origin", "main"],
        ),
        (
            "--atomic",
            "git branch clean HEAD~2",
            &["push", "--atomic", "origin", "clean", "main"],
        ),
        ("--dry-run", "", &["push", "--dry-run"]),
        (
            "--thin --quiet --progress",
            "",
            &["push", "--thin", "-q", "--progress", "origin", "main"],
        ),
        (
            "--force after an amended deletion",
            "git commit -q --amend -m gone",
            &["push", "--force"],
        ),
        (
            "--force-with-lease",
            "git commit -q --amend -m gone",
            &["push", "--force-with-lease"],
        ),
        ("a plus in the refspec", "", &["push", "origin", "+main:main"]),
        (
            "HEAD on a detached HEAD",
            "git checkout -q --detach",
            &["push", "origin", "HEAD:refs/heads/new"],
        ),
        ("a lightweight tag", "git tag t", &["push", "origin", "t"]),
        ("an annotated tag", "git tag -a t -m t", &["push", "origin", "t"]),
        (
            "a tag onto a branch",
            "git tag -a t -m t",
            &["push", "origin", "t^{}:refs/heads/new"],
        ),
        (
            "a ref outside heads and tags",
            "",
            &["push", "origin", "main:refs/review/1"],
        ),
        (
            "a revision from the reflog",
            "",
            &["push", "origin", "HEAD@{1}:refs/heads/new"],
        ),
        (
            "a fork, by path",
            "git init -q --bare ../fork.git",
            &["push", "../fork.git", "main"],
        ),
        (
            "a fork, by absolute URL",
            "git init -q --bare ../fork.git; git remote add f \"file://$PWD/../fork.git\"",
            &["push", "f", "main"],
        ),
        (
            "a second remote",
            "git init -q --bare ../fork.git; git remote add fork ../fork.git",
            &["push", "fork", "main"],
        ),
        (
            "a push URL",
            "git init -q --bare ../fork.git; git remote set-url --push origin ../fork.git",
            &["push"],
        ),
        (
            "two push URLs",
            "git init -q --bare ../fork.git; git remote set-url --add --push origin ../remote.git
                git remote set-url --add --push origin ../fork.git",
            &["push"],
        ),
        (
            "insteadOf",
            "git config url.../remote.git.insteadOf hub:; git remote add hub hub:",
            &["push", "hub", "main"],
        ),
    ];
    for (name, script, act) in simple {
        rows.push(row(name, x_vec(), move |w| {
            w.sh(&format!("{DELETED} {script}"));
            w.act(act)
        }));
    }
    rows.extend([
        row("by object id", x_vec(), |w| {
            let id = w.sh(&format!("{DELETED} git rev-parse HEAD"));
            w.act(&["push", "origin", &format!("{id}:refs/heads/new")])
        }),
        row("settings that push everything", x_vec(), |w| {
            w.sh("git checkout -qb side; leak data/x.vec; git checkout -q main; clean m");
            w.sh("git config remote.origin.push '+refs/*:refs/*'");
            w.act(&["push", "origin"])
        }),
        row("a fork, by a URL with a user and a password", x_vec(), |w| {
            // Nothing listens at that URL. The guard answers before git connects.
            w.sh(DELETED);
            w.sh("git init -q --bare ../fork.git; git config url.../fork.git.pushInsteadOf https://u:p@fork.test/");
            let outcome = w.act(&["push", "https://u:p@fork.test/", "main"]);
            assert!(!outcome.done.stderr.contains("u:p@"), "{}", outcome.done.stderr);
            outcome
        }),
        row("only in a lightweight tag", x_vec(), |w| {
            w.sh("git checkout -q --detach; leak data/x.vec; git tag t; git checkout -q main");
            w.act(&["push", "origin", "t"])
        }),
        row("only in an annotated tag", x_vec(), |w| {
            w.sh("git checkout -q --detach; leak data/x.vec; git tag -a t -m t; git checkout -q main");
            w.act(&["push", "origin", "refs/tags/t"])
        }),
        row("only in a tag of a tag", x_vec(), |w| {
            w.sh(
                "git checkout -q --detach; leak data/x.vec; git tag -a t -m t; git tag -a tt -m tt t
                git checkout -q main",
            );
            w.act(&["push", "origin", "tt"])
        }),
        row("only in a tag, --tags", x_vec(), |w| {
            w.sh("git checkout -q --detach; leak data/x.vec; git tag -a t -m t; git checkout -q main");
            w.act(&["push", "--tags", "origin"])
        }),
        row("only in a tag that --follow-tags takes along", x_vec(), |w| {
            w.sh("clean a; leak data/x.vec; git tag -a t -m t; drop data/x.vec; clean b");
            w.act(&["push", "--follow-tags"])
        }),
        row("only in a ref of one's own, --mirror", x_vec(), |w| {
            w.sh("git checkout -q --detach; leak data/x.vec; git update-ref refs/wip/1 HEAD; git checkout -q main");
            w.act(&["push", "--mirror", "../remote.git"])
        }),
        row("the stash itself", blocked(Push, &["s.vec"]), |w| {
            w.sh("put s.vec; git add s.vec; git stash -q");
            w.act(&["push", "origin", "refs/stash:refs/heads/wip"])
        }),
        row("untracked files in the stash", blocked(Push, &["s.vec"]), |w| {
            w.sh("put README.md; put s.vec; git stash -q -u");
            w.act(&["push", "origin", "refs/stash:refs/heads/wip"])
        }),
        row("notes", blocked(Push, &["key"]), |w| {
            w.write("../key", w.identity());
            w.sh("git notes add -F ../key HEAD");
            w.act(&["push", "origin", "refs/notes/commits"])
        }),
        row("a harmless blob without a commit", passes(&["pre-push"]), |w| {
            w.sh("git tag t $(echo harmless | git hash-object -w --stdin)");
            w.act(&["push", "origin", "t"])
        }),
        row(
            "a tag of a blob beside new commits",
            blocked(
                Push,
                &["1 leak in 1 new commit and 1 ref that leads to a tree or a blob"],
            ),
            |w| {
                w.write("../key", w.identity());
                w.sh("clean a; git tag t $(git hash-object -w ../key)");
                w.act(&["push", "origin", "main", "t"])
            },
        ),
        row("a key as a blob without a commit", blocked(Push, &["key"]), |w| {
            w.write("../key", w.identity());
            w.sh("git tag -a t -m t $(git hash-object -w ../key)");
            w.act(&["push", "origin", "t"])
        }),
        row(
            "a tag of a blob with a protected path",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("put a.vec; git add a.vec; git commit -q --no-verify -m leak; git tag t HEAD:a.vec");
                w.act(&["push", "origin", "t"])
            },
        ),
        row("a tag of a harmless tree", passes(&["pre-push"]), |w| {
            w.sh("git tag -a t -m t HEAD^{tree}");
            w.act(&["push", "origin", "t"])
        }),
        row(
            "a tag of a tree",
            blocked(Push, &["a.vec", "1 leak in 1 ref that leads to a tree"]),
            |w| {
                w.sh("put a.vec; git add a.vec; git tag -a t -m t $(git write-tree)");
                w.act(&["push", "origin", "t"])
            },
        ),
        row(
            "a ref of a tree with protected content",
            blocked(Push, &["sub/logo.bin", "faiss"]),
            |w| {
                w.write("sub/logo.bin", bytes::faiss(4));
                w.sh("git add sub; git update-ref refs/x/t $(git write-tree)");
                w.act(&["push", "origin", "refs/x/t"])
            },
        ),
        row("a tree that releases itself", blocked(Push, &["a.vec"]), |w| {
            w.rules("");
            let release = "[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n";
            w.stage(".gitpack.toml", format!("version = 1\n{release}"));
            w.sh("put a.vec; git add -A; git tag t $(git write-tree)");
            w.act(&["push", "origin", "t"])
        }),
        row(
            "a tree with the plaintext of a twin in it",
            blocked(Push, &["notes.txt"]),
            |w| {
                w.write("notes.txt", "the text of a twin\n");
                w.repo.pack(&["protect", "notes.txt"]).ok();
                w.sh("git add -f notes.txt; git tag t $(git write-tree)");
                w.act(&["push", "origin", "t"])
            },
        ),
        row("a remote that is another one now", x_vec(), |w| {
            w.sh(&format!(
                "{DELETED} git push -q --no-verify; git init -q --bare ../public.git"
            ));
            w.sh("git remote set-url origin ../public.git");
            w.act(&["push", "origin", "main"])
        }),
        row("a remote that somebody else has pushed to", x_vec(), |w| {
            w.sh("git clone -q ../remote.git ../other; cd ../other; clean theirs; git push -q origin main:theirs");
            w.sh(DELETED);
            w.act(&["push", "--force", "origin", "main:theirs"])
        }),
        row("a force push onto what is not here", x_vec(), |w| {
            w.sh("git clone -q ../remote.git ../other; cd ../other; clean theirs; git push -q origin main");
            w.sh(DELETED);
            w.act(&["push", "--force", "origin", "main"])
        }),
        row("a remote without tracking refs", x_vec(), |w| {
            w.sh(&format!(
                "{DELETED} git config --unset remote.origin.fetch
                git update-ref -d refs/remotes/origin/main"
            ));
            w.act(&["push", "origin", "main"])
        }),
        row("tracking refs that are packed", x_vec(), |w| {
            w.sh(&format!("{DELETED} git pack-refs --all; git gc -q"));
            w.push()
        }),
        row("the first push into an empty remote", x_vec(), |w| {
            w.sh(
                "git init -q --bare ../empty.git; git init -q ../fresh; cd ../fresh; git pack install
                 leak data/x.vec; drop data/x.vec; git remote add origin ../empty.git",
            );
            w.act_in(&w.beside("fresh"), &["push", "origin", "HEAD"])
        }),
        row(
            "a leak in the very first commit",
            blocked(Push, &["data/x.vec", "git update-ref -d HEAD"]),
            |w| {
                w.sh(
                    "git init -q --bare ../empty.git; git init -q ../fresh; cd ../fresh; git pack install
                 leak data/x.vec; git remote add origin ../empty.git",
                );
                w.act_in(&w.beside("fresh"), &["push", "origin", "HEAD"])
            },
        ),
        row(
            "known to be clean under an innocent name",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("clean a.txt; git push -q; git mv a.txt a.vec; git commit -q --no-verify -m renamed");
                w.push()
            },
        ),
        row(
            "an innocent name for the same blob comes first",
            blocked(Push, &["b.vec"]),
            |w| {
                w.sh("put a.txt; cp a.txt b.vec; cp a.txt c.txt; git add .; git commit -q --no-verify -m x");
                w.push()
            },
        ),
        row(
            "judged clean before the rule was there",
            blocked(Push, &["books/1.csv", "ledger"]),
            |w| {
                w.sh("clean books/1.csv; git push -q --dry-run");
                let rule = "version = 1\n[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";
                w.smuggle(".gitpack.toml", rule);
                w.push()
            },
        ),
        row("judged clean for another remote", blocked(Push, &["a.notes"]), |w| {
            let rule = "[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n";
            w.rules(&format!("{}{rule}", w.private()));
            w.sh("clean a.notes; git push -q --dry-run; git init -q --bare ../fork.git
                git remote add fork ../fork.git");
            w.act(&["push", "fork", "main"])
        }),
        row(
            "a leak, after another was blocked",
            blocked(Push, &["data/x.vec", "y.vec"]),
            |w| {
                w.sh(DELETED);
                assert_ne!(w.repo.git(&["push"]).code, 0);
                w.sh("leak y.vec");
                w.push()
            },
        ),
        row("the same again", x_vec(), |w| {
            w.sh(DELETED);
            assert_ne!(w.repo.git(&["push"]).code, 0);
            w.push()
        }),
    ]);
    rows
}

/// Rows about the place of the leak in history.
pub fn history() -> Vec<Row> {
    let vec = || blocked(Push, &["a.vec", "vector"]);
    vec![
        row(
            "deleted again in the next commit",
            blocked(Push, &["a.vec", "deleted again in", "git reset --soft"]),
            |w| {
                w.sh("leak a.vec; drop a.vec; clean b");
                w.push()
            },
        ),
        row("in the middle of forty commits", vec(), |w| {
            w.sh(
                "for n in 1 2 3 4 5 6 7 8 9; do git commit -q --no-verify --allow-empty -m $n; done; leak a.vec
                drop a.vec
                 for n in 1 2 3 4 5 6 7 8 9; do git commit -q --no-verify --allow-empty -m $n; done",
            );
            w.push()
        }),
        row("commit --no-verify", vec(), |w| {
            w.sh("leak a.vec");
            w.push()
        }),
        row("a cherry-pick", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; clean m; git cherry-pick side >/dev/null");
            w.push()
        }),
        row("a revert of a deletion that the remote has", vec(), |w| {
            w.sh("leak a.vec; drop a.vec; git push -q --no-verify; git revert --no-edit HEAD >/dev/null");
            w.push()
        }),
        row("a rebase", vec(), |w| {
            w.sh(
                "git checkout -qb side; leak a.vec; git checkout -q main; clean m; git push -q; git checkout -q side
                 git rebase -q main",
            );
            w.push()
        }),
        row("an interactive rebase that folds", vec(), |w| {
            w.sh(
                "clean b; leak a.vec; GIT_SEQUENCE_EDITOR='sed -i 2s/pick/fixup/' git rebase -qi HEAD~2
                git ls-files | grep -q a.vec",
            );
            w.push()
        }),
        row("git am", vec(), |w| {
            w.sh(
                "git checkout -qb side; leak a.vec; git format-patch -q -1 -o ..; git checkout -q main
                git am -q ../0001*",
            );
            w.push()
        }),
        row("git fast-import", vec(), |w| {
            let stream = "commit refs/heads/new\\ncommitter C <c@example.org> 0 +0000\\ndata 1\\nx\\n\
                          from refs/heads/main^0\\nM 644 inline a.vec\\ndata 6\\nsecret\\n";
            w.sh(&format!("printf '{stream}' | git fast-import --quiet"));
            w.act(&["push", "origin", "new"])
        }),
        row("plumbing", vec(), |w| {
            w.sh(
                "id=$(echo secret | git hash-object -w --stdin); export GIT_INDEX_FILE=../index; git read-tree HEAD
                 git update-index --add --cacheinfo 100644,$id,a.vec
                 commit=$(git commit-tree -p HEAD -m x $(git write-tree)); git update-ref refs/heads/new $commit",
            );
            w.act(&["push", "origin", "new"])
        }),
        row("plumbing without a ref", vec(), |w| {
            let id = w.sh("id=$(echo secret | git hash-object -w --stdin)
                 tree=$(printf '100644 blob %s\\ta.vec\\n' $id | git mktree); git commit-tree -m x $tree");
            w.act(&["push", "origin", &format!("{id}:refs/heads/new")])
        }),
        row("a merge that fast-forwards", vec(), |w| {
            w.sh("git checkout -qb side; leak a.vec; git checkout -q main; git merge -q --ff-only side");
            w.push()
        }),
        row("a side branch that the merge drops", vec(), |w| {
            w.sh(
                "git checkout -qb side; leak a.vec; drop a.vec; git checkout -q main; clean m
                git merge -q --no-edit side",
            );
            w.push()
        }),
        row("a merge that takes our side only", vec(), |w| {
            w.sh(
                "git checkout -qb side; leak a.vec; git checkout -q main; clean m; git merge -q -s ours --no-edit side",
            );
            w.push()
        }),
        row("an evil merge brings it in", vec(), |w| {
            w.sh(
                "git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side
                 put a.vec; git add a.vec; git commit -q --no-verify -m merge",
            );
            w.push()
        }),
        row("an evil merge brings it in, the next commit drops it", vec(), |w| {
            w.sh(
                "git checkout -qb side; clean s; git checkout -q main; clean m; git merge -q --no-commit side
                 put a.vec; git add a.vec; git commit -q --no-verify -m merge; drop a.vec",
            );
            w.push()
        }),
        row("an evil merge brings it in, an evil merge drops it", vec(), |w| {
            w.sh(
                "for n in 1 2; do git checkout -qb side$n; quietly s$n; git checkout -q main; quietly m$n
                   git merge -q --no-commit side$n
                   if test $n = 1; then put a.vec; git add a.vec; else git rm -qf a.vec; fi
                   git commit -q --no-verify -m merge$n; done; test ! -e a.vec",
            );
            w.push()
        }),
        row("an evil merge changes what both sides have", vec(), |w| {
            w.sh(
                "leak a.vec; git push -q --no-verify; git checkout -qb side; quietly s; git checkout -q main; quietly m
                 git merge -q --no-commit --no-verify side; put a.vec changed; git add a.vec
                 git commit -q --no-verify -m merge",
            );
            w.push()
        }),
        row("an octopus", vec(), |w| {
            w.sh(
                "git checkout -qb one; clean one; git checkout -qb two main; leak a.vec; git checkout -q main
                 git merge -q --no-verify -m m one two",
            );
            w.push()
        }),
        row("an unrelated history", vec(), |w| {
            w.sh(
                "git checkout -q --orphan other; git rm -qrf .; leak a.vec; git checkout -q main
                 git merge -q --no-verify --allow-unrelated-histories --no-edit other",
            );
            w.push()
        }),
        row("a subtree", blocked(Push, &["lib/a.vec"]), |w| {
            w.sh("git init -q ../lib; cd ../lib; leak a.vec");
            w.sh(
                "git fetch -q ../lib HEAD; git read-tree --prefix=lib/ -u FETCH_HEAD; git commit -q --no-verify -m lib",
            );
            w.push()
        }),
        row("renamed to a protected name and back", vec(), |w| {
            w.sh(
                "clean a.txt; git mv a.txt a.vec; git commit -q --no-verify -m there; git mv a.vec a.txt
                 git commit -q -m back",
            );
            w.push()
        }),
        row(
            "changed into another leak, both are named",
            blocked(Push, &["a.vec", "2 leaks"]),
            |w| {
                w.sh("leak a.vec; put a.vec other; git commit -q --no-verify -am other");
                w.push()
            },
        ),
        row("a commit with a strange encoding and signature", vec(), |w| {
            w.sh("put a.vec; git add a.vec; git -c i18n.commitEncoding=ISO-8859-1 commit -q --no-verify -m caf\u{e9}");
            w.push()
        }),
        row("a replaced commit", vec(), |w| {
            w.sh(
                "leak a.vec; bad=$(git rev-parse HEAD); git checkout -q --detach HEAD~1; clean a.txt
                 git replace $bad HEAD; git checkout -q main; git ls-tree HEAD | grep -q a.txt",
            );
            w.push()
        }),
        row("a replaced tree", vec(), |w| {
            w.sh("leak a.vec; git replace HEAD^{tree} HEAD~1^{tree}; test -z \"$(git ls-tree HEAD a.vec)\"");
            w.push()
        }),
        row("a replaced blob", blocked(Push, &["logo.bin", "faiss"]), |w| {
            w.smuggle("logo.bin", bytes::faiss(4));
            w.sh("git replace HEAD:logo.bin HEAD:README.md; git cat-file blob HEAD:logo.bin | grep -q hello");
            w.push()
        }),
        row("a graft that hides it", vec(), |w| {
            w.sh(
                "leak a.vec; drop a.vec; echo \"$(git rev-parse HEAD HEAD~2 | xargs)\" >.git/info/grafts
                 not sh -c 'git log --format=%s 2>/dev/null | grep -q leak'",
            );
            w.push()
        }),
        row("a replacement that hides it", vec(), |w| {
            w.sh("leak a.vec; drop a.vec; git replace --graft HEAD HEAD~2
                not sh -c 'git log --format=%s | grep -q leak'");
            w.push()
        }),
        row("a commit graph", vec(), |w| {
            w.sh("leak a.vec; drop a.vec; git commit-graph write --reachable --changed-paths; git gc -q");
            w.push()
        }),
        row("dates that run backwards", vec(), |w| {
            w.sh("export GIT_COMMITTER_DATE=1990-01-01T00:00:00Z; leak a.vec
                export GIT_COMMITTER_DATE=1980-01-01T00:00:00Z
                 drop a.vec; clean b");
            w.push()
        }),
        row("only the mode changes", vec(), |w| {
            w.sh(
                "leak a.vec; git push -q --no-verify; chmod +x a.vec; git commit -q --no-verify -am x; git rm -q a.vec
                 git commit -q -m gone; git revert --no-edit HEAD >/dev/null",
            );
            w.push()
        }),
    ]
}
