//! A server with its own guard: pre-receive stops what the clients let through.

use crate::guard::bytes;
use crate::guard::table::{At::Receive, Expected, Row, blocked, passes, passes_saying, refused, row};

fn x_vec() -> Expected {
    blocked(Receive, &["data/x.vec", "vector"])
}

pub fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    let simple: [(&str, &str, &[&str]); 13] = [
        ("push --no-verify", "", &["push", "--no-verify", "origin", "main"]),
        (
            "a client without hooks",
            "rm -r .git/hooks",
            &["push", "origin", "main"],
        ),
        ("send-pack", "", &["send-pack", "../remote.git", "main"]),
        ("a new branch", "", &["push", "--no-verify", "origin", "main:new"]),
        (
            "a lightweight tag",
            "git tag t",
            &["push", "--no-verify", "origin", "t"],
        ),
        (
            "an annotated tag",
            "git tag -a t -m t",
            &["push", "--no-verify", "origin", "t"],
        ),
        (
            "a tag of a tag",
            "git tag -a t -m t; git tag -a tt -m tt t",
            &["push", "--no-verify", "origin", "tt"],
        ),
        (
            "the second of several refs",
            "git branch clean HEAD~2",
            &["push", "--no-verify", "origin", "clean:a", "main:b"],
        ),
        (
            "a deletion beside it",
            "git push -q origin HEAD~2:refs/heads/old",
            &["push", "--no-verify", "origin", ":old", "main"],
        ),
        (
            "a forced rewrite",
            "git commit -q --amend -m gone",
            &["push", "--no-verify", "-f"],
        ),
        (
            "another ref",
            "",
            &["push", "--no-verify", "origin", "main:refs/review/1"],
        ),
        (
            "the parent",
            "",
            &["push", "--no-verify", "origin", "HEAD~1:refs/heads/new"],
        ),
        (
            "many objects, as a pack",
            "for n in 1 2 3 4 5; do put many/$n $n; done; git add .; git commit -q -m many
            git -C ../remote.git config receive.unpackLimit 1",
            &["push", "--no-verify", "origin", "main"],
        ),
    ];
    for (name, script, act) in simple {
        rows.push(row(name, x_vec(), move |w| {
            w.server();
            w.sh(&format!("leak data/x.vec; drop data/x.vec; {script}"));
            w.act(act)
        }));
    }
    rows.extend([
        row(
            "content, loose in quarantine",
            blocked(Receive, &["logo.bin", "faiss"]),
            |w| {
                w.server();
                w.smuggle("logo.bin", bytes::faiss(4));
                w.act(&["push", "--no-verify", "origin", "main"])
            },
        ),
        row(
            "content, packed in quarantine",
            blocked(Receive, &["logo.bin", "faiss"]),
            |w| {
                w.server();
                w.sh("git -C ../remote.git config receive.unpackLimit 1");
                w.smuggle("logo.bin", bytes::faiss(4));
                w.act(&["push", "--no-verify", "origin", "main"])
            },
        ),
        row("a private key", blocked(Receive, &["notes.txt", "key"]), |w| {
            w.server();
            w.smuggle("notes.txt", w.identity());
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row(
            "the first push into an empty server",
            blocked(Receive, &["a.vec"]),
            |w| {
                w.sh("git init -q --bare -b main ../fresh.git; cd ../fresh.git; git pack init --server");
                w.sh("leak a.vec");
                w.act(&["push", "--no-verify", "../fresh.git", "main"])
            },
        ),
        row("a rule weakened in the same push", blocked(Receive, &["a.vec"]), |w| {
            w.server();
            w.smuggle(
                ".gitpack.toml",
                "version = 1\n[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n",
            );
            w.sh("leak a.vec");
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row(
            "a rule weakened on a new branch",
            blocked(Receive, &["books/1.csv", "ledger"]),
            |w| {
                w.rules("[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n");
                w.server();
                w.sh("git checkout -q --orphan new; git rm -qrf .; leak books/1.csv");
                w.act(&["push", "--no-verify", "origin", "new"])
            },
        ),
        row(
            "a server whose HEAD names no branch",
            blocked(Receive, &["books/1.csv", "ledger"]),
            |w| {
                w.rules("[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n");
                w.server();
                w.sh("git -C ../remote.git symbolic-ref HEAD refs/heads/none
                    git checkout -q --orphan new; git rm -qrf .; leak books/1.csv");
                w.act(&["push", "--no-verify", "origin", "new"])
            },
        ),
        row(
            "a rule of the server's branch that the client never had",
            blocked(Receive, &["books/1.csv"]),
            |w| {
                w.sh("git branch old");
                w.rules("[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n");
                w.server();
                w.sh("git checkout -q old; leak books/1.csv");
                w.act(&["push", "--no-verify", "origin", "old"])
            },
        ),
        row(
            "a rule dropped, nothing else",
            passes_saying(&["pre-receive"], &["weakened"]),
            |w| {
                w.rules("[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n");
                w.server();
                w.smuggle(".gitpack.toml", "version = 1\n");
                w.act(&["push", "--no-verify", "origin", "main"])
            },
        ),
        row("a broken configuration", refused(Receive, &[".gitpack.toml"]), |w| {
            w.server();
            w.smuggle(".gitpack.toml", "version = 2\n");
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row("a harmless blob without a commit", passes(&["pre-receive"]), |w| {
            w.server();
            w.sh("git tag t $(echo harmless | git hash-object -w --stdin)");
            w.act(&["push", "--no-verify", "origin", "t"])
        }),
        row("a key as a blob without a commit", blocked(Receive, &["key"]), |w| {
            w.server();
            w.write("../key", w.identity());
            w.sh("git tag t $(git hash-object -w ../key)");
            w.act(&["push", "--no-verify", "origin", "t"])
        }),
        row("a tag of a harmless tree", passes(&["pre-receive"]), |w| {
            w.server();
            w.sh("git tag t HEAD^{tree}");
            w.act(&["push", "--no-verify", "origin", "t"])
        }),
        row(
            "a tag of a tree that releases itself",
            blocked(Receive, &["a.vec"]),
            |w| {
                w.server();
                w.rules("");
                let release = "[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n";
                w.stage(".gitpack.toml", format!("version = 1\n{release}"));
                w.sh("put a.vec; git add -A; git tag t $(git write-tree)");
                w.act(&["push", "--no-verify", "origin", "t"])
            },
        ),
        row("a fake seal", blocked(Receive, &["a.vec.age"]), |w| {
            w.server();
            w.smuggle("a.vec.age", "secret\n");
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row("the server has lost its rules", refused(Receive, &[]), |w| {
            w.rules("");
            w.server();
            w.sh("id=$(git rev-parse HEAD:.gitpack.toml); clean a
                 rm -f ../remote.git/objects/$(echo $id | cut -c1-2)/$(echo $id | cut -c3-)
                 not git -C ../remote.git cat-file -e $id");
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row("SHA-256", x_vec(), |w| {
            w.server();
            w.sh("leak data/x.vec; drop data/x.vec");
            w.act(&["push", "--no-verify", "origin", "main"])
        })
        .sha256(),
        row("a bare PATH", x_vec(), |w| {
            w.server();
            w.sh("leak data/x.vec");
            w.deed("git", &["push", "--no-verify", "origin", "main"])
                .bare_path()
                .go()
        }),
        row("the judge is gone", refused(Receive, &["git-pack is missing"]), |w| {
            let binary = w.beside("elsewhere/git-pack");
            w.sh("mkdir ../elsewhere");
            w.repo.place.copy_binary(&binary);
            w.sh("cd ../remote.git; ../elsewhere/git-pack init --server; rm ../elsewhere/git-pack");
            w.sh("clean a");
            w.deed("git", &["push", "--no-verify", "origin", "main"])
                .bare_path()
                .go()
        }),
        row("clean, new branch", passes(&["pre-receive"]), |w| {
            w.server();
            w.sh("clean a");
            w.act(&["push", "--no-verify", "origin", "main:new"])
        }),
        row("clean, many refs and tags", passes(&["pre-push", "pre-receive"]), |w| {
            w.server();
            w.sh("clean a; git tag -a v1 -m v1; git tag v2; git branch b; clean c");
            w.act(&["push", "origin", "--all", "--follow-tags"])
        }),
        row(
            "clean, the first push into an empty server",
            passes(&["pre-receive"]),
            |w| {
                w.sh("git init -q --bare -b main ../fresh.git; cd ../fresh.git; git pack init --server");
                w.sh("clean a");
                w.act(&["push", "../fresh.git", "main"])
            },
        ),
        row("a branch deleted", passes(&["pre-receive"]), |w| {
            w.sh("git push -q origin main:old");
            w.server();
            w.act(&["push", "origin", ":old"])
        }),
        row("what the server has already", passes(&["pre-receive"]), |w| {
            w.sh("leak a.vec; drop a.vec; git push -q --no-verify");
            w.server();
            w.sh("clean b");
            w.act(&["push", "origin", "main", "HEAD~2:refs/heads/old"])
        }),
        row("a released file whose rule came first", passes(&["pre-receive"]), |w| {
            w.rules("[[protect]]\nclass = \"v\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n");
            w.server();
            w.stage("a.vec", "open");
            w.sh("git commit -q -m open");
            w.push()
        }),
    ]);
    rows
}
