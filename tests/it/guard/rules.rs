//! Which rules apply: those before and those after a change, both; never the change's own rules alone.

use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, passes, passes_saying, refused, row,
};
use crate::guard::world::World;

const LEDGER: &str = "[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";
const RELEASE: &str = "[[protect]]\nclass = \"vector\"\npaths = [\"*.vec\"]\npolicy = \"allowed\"\n";
const FIXTURES: &str = "[[protect]]\nclass = \"vector\"\npaths = [\"*.vec\"]\nallow_in = [\"tests/**\"]\n";
const NOTES: &str = "[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n";
const NUMPY: &str = "[[protect]]\nclass = \"dataset\"\nformats = [\"numpy\", \"parquet\"]\n";

fn config(rules: &str) -> String {
    format!("version = 1\n{rules}")
}

/// Returns an `[[allow]]` entry for the blob of this content.
fn allow(w: &World, content: &[u8]) -> String {
    w.write("../content", content);
    let id = w.sh("git hash-object ../content");
    format!("[[allow]]\nblob = \"{id}\"\nreason = \"published on purpose\"\n")
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        row(
            "a rule of one's own",
            blocked(Commit, &["books/1.csv", "ledger", "(.gitpack.toml)"]),
            |w| {
                w.rules(LEDGER);
                w.stage("books/1.csv", "secret");
                w.commit()
            },
        ),
        row(
            "a rule of one's own, pushed",
            blocked(Push, &["books/1.csv", "ledger"]),
            |w| {
                w.rules(LEDGER);
                w.sh("leak books/1.csv; drop books/1.csv");
                w.push()
            },
        ),
        row("a rule that is only staged", blocked(Commit, &["books/1.csv"]), |w| {
            w.stage(".gitpack.toml", config(LEDGER));
            w.stage("books/1.csv", "secret");
            w.commit()
        }),
        row("a rule that is only on disk", passes(&["pre-commit"]), |w| {
            w.write(".gitpack.toml", config(LEDGER));
            w.stage("books/1.csv", "secret");
            w.commit()
        }),
        row("a rule removed on disk only", blocked(Commit, &["books/1.csv"]), |w| {
            w.rules(LEDGER);
            w.write(".gitpack.toml", config(""));
            w.stage("books/1.csv", "secret");
            w.commit()
        }),
        row(
            "a later rule for what earlier commits of the push hold",
            blocked(Push, &["books/1.csv"]),
            |w| {
                w.sh("clean books/1.csv; git rm -q books/1.csv; git commit -q -m gone");
                w.stage(".gitpack.toml", config(LEDGER));
                w.sh("git commit -q -m rule");
                w.push()
            },
        ),
        row("a rule for everything", blocked(Commit, &["x.txt", "all"]), |w| {
            w.smuggle(
                ".gitpack.toml",
                config("[[protect]]\nclass = \"all\"\npaths = [\"**\"]\nallow_in = [\".git*\", \"README.md\"]\n"),
            );
            w.stage("x.txt", "x");
            w.commit()
        }),
        row(
            "nothing releases run outputs",
            blocked(Commit, &["_PACK_RUN/x", "pack-run"]),
            |w| {
                let release = "[[protect]]\nclass = \"x\"\npaths = [\"**\", \"_PACK_RUN/**\"]\n";
                w.rules(&format!("{release}policy = \"allowed\"\nallow_in = [\"**\"]\n"));
                w.stage("_PACK_RUN/x", "secret");
                w.commit()
            },
        ),
        row(
            "not even an exception releases run outputs",
            blocked(Commit, &["_PACK_RUN/x", "pack-run"]),
            |w| {
                w.rules(&allow(w, b"secret"));
                w.stage("_PACK_RUN/x", "secret");
                w.commit()
            },
        ),
        row("an exception for another blob", blocked(Commit, &["a.vec"]), |w| {
            w.rules(&allow(w, b"public"));
            w.stage("a.vec", "secret");
            w.commit()
        }),
        row(
            "an exception for a blob that has changed since",
            blocked(Commit, &["a.vec"]),
            |w| {
                w.rules(&allow(w, b"public"));
                w.stage("a.vec", "public");
                w.sh("git commit -q -m fine");
                w.stage("a.vec", "public no more");
                w.commit()
            },
        ),
        row(
            "an exception by abbreviated id is no exception",
            refused(Commit, &[".gitpack.toml", "blob"]),
            |w| {
                w.stage(
                    ".gitpack.toml",
                    config("[[allow]]\nblob = \"3b18e5\"\nreason = \"x\"\n"),
                );
                w.commit()
            },
        ),
        row(
            "an exception without a reason",
            refused(Commit, &[".gitpack.toml", "reason"]),
            |w| {
                w.stage(
                    ".gitpack.toml",
                    config("[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\n"),
                );
                w.commit()
            },
        ),
        row(
            "a format of one's own rule",
            blocked(Commit, &["m.bin", "dataset", "numpy"]),
            |w| {
                w.rules(NUMPY);
                w.stage("m.bin", bytes::npy());
                w.commit()
            },
        ),
        row(
            "a table of one's own rule",
            blocked(Commit, &["t.bin", "dataset", "parquet"]),
            |w| {
                w.rules(NUMPY);
                w.stage("t.bin", bytes::parquet());
                w.commit()
            },
        ),
        row(
            "arrays in an archive, by one's own rule",
            blocked(Commit, &["m.bin", "dataset"]),
            |w| {
                w.rules(NUMPY);
                w.stage("m.bin", bytes::zip(&[("a.npy", &bytes::npy())]));
                w.commit()
            },
        ),
        row("a format outside allow_in", blocked(Commit, &["src/x.bin"]), |w| {
            w.rules("[[protect]]\nclass = \"vector\"\nformats = [\"faiss\"]\nallow_in = [\"tests/**\"]\n");
            w.stage("src/x.bin", bytes::faiss(4));
            w.commit()
        }),
        row(
            "a format that does not exist",
            refused(Commit, &[".gitpack.toml", "fiass"]),
            |w| {
                w.stage(
                    ".gitpack.toml",
                    config("[[protect]]\nclass = \"v\"\nformats = [\"fiass\"]\n"),
                );
                w.commit()
            },
        ),
        row(
            "a broken configuration, committed",
            refused(Commit, &[".gitpack.toml in the index, line 3"]),
            |w| {
                w.stage(".gitpack.toml", config("\n[[protect]\n"));
                w.commit()
            },
        ),
        row("a misspelt key", refused(Commit, &[".gitpack.toml", "polcy"]), |w| {
            w.stage(
                ".gitpack.toml",
                config("[[protect]]\nclass = \"v\"\npaths = [\"*\"]\npolcy = \"never\"\n"),
            );
            w.commit()
        }),
        row(
            "a broken configuration, pushed",
            refused(Push, &[".gitpack.toml"]),
            |w| {
                w.smuggle(".gitpack.toml", "version = 2\n");
                w.push()
            },
        ),
        row(
            "a broken configuration does not hide a leak that follows",
            refused(Commit, &[".gitpack.toml"]),
            |w| {
                w.stage(".gitpack.toml", "version = 2\n");
                w.stage("a.vec", "secret");
                w.commit()
            },
        ),
        row(
            "dropped, nothing else",
            passes_saying(&["pre-commit"], &["weakened"]),
            |w| {
                w.rules(LEDGER);
                w.stage(".gitpack.toml", config(""));
                w.commit()
            },
        ),
        row(
            "dropped, nothing else, pushed",
            passes_saying(&["pre-push"], &["weakened"]),
            |w| {
                w.rules(LEDGER);
                w.smuggle(".gitpack.toml", config(""));
                w.push()
            },
        ),
        row(
            "the whole file dropped, nothing else",
            passes_saying(&["pre-commit"], &["weakened"]),
            |w| {
                w.rules(LEDGER);
                w.sh("git rm -q .gitpack.toml");
                w.commit()
            },
        ),
        row("strengthened is not weakened", passes(&["pre-commit"]), |w| {
            w.rules(LEDGER);
            w.stage(".gitpack.toml", config(&format!("{LEDGER}{NOTES}")));
            w.commit()
        }),
        row(
            "released in one commit, taken back in the next",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("cp .gitpack.toml ../before");
                w.smuggle(".gitpack.toml", config(RELEASE));
                w.sh("leak a.vec; drop a.vec; cp ../before .gitpack.toml; git commit -q --no-verify -am back");
                w.push()
            },
        ),
        row(
            "released on the branch that is merged",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("git checkout -qb side");
                w.smuggle(".gitpack.toml", config(RELEASE));
                w.sh("leak a.vec; git checkout -q main; clean m; git merge -q --no-verify --no-edit side");
                w.push()
            },
        ),
        row(
            "released, first for everybody to see, then used",
            passes(&["pre-push"]),
            |w| {
                w.rules(RELEASE);
                w.stage("a.vec", "open");
                w.sh("git commit -q -m open");
                w.push()
            },
        ),
        row("released before, committed", passes(&["pre-commit"]), |w| {
            w.rules(RELEASE);
            w.stage("a.vec", "open");
            w.commit()
        }),
        row(
            "released by an orphan branch's own rules",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("git checkout -q --orphan fresh; git rm -qrf .
                    printf 'version = 1\\n[[protect]]\\nclass = \"v\"\\npaths = [\"*.vec\"]\\npolicy = \"allowed\"\\n' >.gitpack.toml
                    put a.vec; git add -f .; git commit -q --no-verify -m x");
                w.act(&["push", "origin", "fresh"])
            },
        ),
        row(
            "released by an orphan that replaces what was never fetched",
            blocked(Push, &["a.vec"]),
            |w| {
                w.sh("git clone -q ../remote.git ../other; (cd ../other; put q; git add q; git commit -q -m q; git push -q)
                    git checkout -q --orphan fresh; git rm -qrf .
                    printf 'version = 1\\n[[protect]]\\nclass = \"v\"\\npaths = [\"*.vec\"]\\npolicy = \"allowed\"\\n' >.gitpack.toml
                    put a.vec; git add -f .; git commit -q --no-verify -m x");
                w.act(&["push", "-f", "origin", "fresh:main"])
            },
        ),
        row("a new place to push to", blocked(Push, &["a.vec"]), |w| {
            w.sh(
                "leak a.vec; git push -q --no-verify; drop a.vec; git push -q --no-verify
                git init -q --bare ../public.git; git remote set-url --push origin ../public.git",
            );
            w.act(&["push", "origin", "HEAD:feature"])
        }),
        row("a glob that can match nothing", refused(Commit, &["segment"]), |w| {
            w.sh("printf 'version = 1\\n[[protect]]\\nclass = \"v\"\\npaths = [\"./secret/**\"]\\n' >.gitpack.toml; git add .");
            w.commit()
        }),
        row("released before, on a new branch", passes(&["pre-push"]), |w| {
            w.rules(RELEASE);
            w.stage("a.vec", "open");
            w.sh("git checkout -qb new; git commit -q -m open");
            w.push()
        }),
        row("allow_in before", passes(&["pre-commit"]), |w| {
            w.rules(FIXTURES);
            w.stage("tests/fixtures/a.vec", "open");
            w.commit()
        }),
        row(
            "allow_in is heeded to the letter",
            blocked(Commit, &["Tests/a.vec"]),
            |w| {
                w.rules(FIXTURES);
                w.stage("Tests/a.vec", "secret");
                w.commit()
            },
        ),
        row("outside allow_in", blocked(Commit, &["src/tests/a.vec"]), |w| {
            w.rules(FIXTURES);
            w.stage("src/tests/a.vec", "secret");
            w.commit()
        }),
        row("allow_in before, by content", passes(&["pre-commit"]), |w| {
            w.rules("[[protect]]\nclass = \"vector\"\nformats = [\"faiss\"]\nallow_in = [\"tests/**\"]\n");
            w.stage("tests/x.bin", bytes::faiss(4));
            w.commit()
        }),
        row(
            "a directory released before, by content",
            passes(&["pre-commit"]),
            |w| {
                w.rules("[[protect]]\nclass = \"fixture\"\npaths = [\"tests/**\"]\npolicy = \"allowed\"\n");
                w.stage("tests/x.bin", bytes::faiss(4));
                w.commit()
            },
        ),
        row("an exception before, committed", passes(&["pre-commit"]), |w| {
            w.rules(&allow(w, b"open"));
            w.stage("a.vec", "open");
            w.commit()
        }),
        row("an exception before, pushed", passes(&["pre-push"]), |w| {
            w.rules(&allow(w, b"open"));
            w.stage("a.vec", "open");
            w.sh("git commit -q -m open");
            w.push()
        }),
        row("an exception before, by content", passes(&["pre-commit"]), |w| {
            w.rules(&allow(w, &bytes::faiss(4)));
            w.stage("logo.bin", bytes::faiss(4));
            w.commit()
        }),
        row(
            "an exception for a key that a test needs",
            passes(&["pre-commit"]),
            |w| {
                w.rules(&allow(w, w.identity().as_bytes()));
                w.stage("tests/key.txt", w.identity());
                w.commit()
            },
        ),
        row("released from the first commit on", passes(&["pre-commit"]), |w| {
            w.sh("git init -q ../fresh; cd ../fresh; git pack install");
            w.write("../fresh/.gitpack.toml", config(RELEASE));
            w.sh("cd ../fresh; put a.vec; git add .");
            w.act_in(&w.beside("fresh"), &["commit", "-m", "x"])
        }),
        row("released from the first push on", passes(&["pre-push"]), |w| {
            w.sh("git init -q --bare ../empty.git; git init -q ../fresh; cd ../fresh; git pack install");
            w.write("../fresh/.gitpack.toml", config(RELEASE));
            w.sh("cd ../fresh; put a.vec; git add .; git commit -q -m x");
            w.act_in(&w.beside("fresh"), &["push", "../empty.git", "HEAD:refs/heads/main"])
        }),
        row("internal, committed", passes(&["pre-commit"]), |w| {
            w.rules(NOTES);
            w.stage("a.notes", "x");
            w.commit()
        }),
        row(
            "internal, to a public remote",
            blocked(Push, &["a.notes", "not on a public remote"]),
            |w| {
                w.rules(NOTES);
                w.sh("clean a.notes");
                w.push()
            },
        ),
        row("internal, to a private remote", passes(&["pre-push"]), |w| {
            w.rules(&format!("{}{NOTES}", w.private()));
            w.sh("clean a.notes");
            w.push()
        }),
        row("internal, to a private remote by its URL", passes(&["pre-push"]), |w| {
            w.rules(&format!("{}{NOTES}", w.private()));
            w.sh("clean a.notes; git push -q");
            let url = w.sh("cd ../remote.git; pwd -P");
            w.act(&["push", &url, "main:elsewhere"])
        }),
        row(
            "internal, by a relative path",
            blocked(Push, &["a.notes", "absolute URL"]),
            |w| {
                w.rules(&format!("{}{NOTES}", w.private()));
                w.sh("clean a.notes; git push -q");
                w.act(&["push", "../remote.git", "main:elsewhere"])
            },
        ),
        row(
            "internal, from a private remote to a public fork",
            blocked(Push, &["a.notes"]),
            |w| {
                w.rules(&format!("{}{NOTES}", w.private()));
                w.sh("clean a.notes; git push -q; git init -q --bare ../fork.git; git remote add fork ../fork.git");
                w.act(&["push", "fork", "main"])
            },
        ),
        row(
            "internal, from a private remote to a fork by URL",
            blocked(Push, &["a.notes"]),
            |w| {
                w.rules(&format!("{}{NOTES}", w.private()));
                w.sh("clean a.notes; git push -q; git init -q --bare ../fork.git");
                w.act(&["push", "../fork.git", "main"])
            },
        ),
        row("private in the same push", blocked(Push, &["a.notes"]), |w| {
            w.rules(NOTES);
            w.stage(".gitpack.toml", config(&format!("{}{NOTES}", w.private())));
            w.stage("a.notes", "x");
            w.sh("git commit -q -m x");
            w.push()
        }),
        row("never, to a private remote", blocked(Push, &["a.vec"]), |w| {
            w.rules(&w.private());
            w.sh("leak a.vec");
            w.push()
        }),
        row("sealed, to a public remote", passes(&["pre-push"]), |w| {
            w.rules(NOTES);
            let sealed = w.age(&[], b"x");
            w.stage("a.notes.age", sealed);
            w.sh("git commit -q -m x");
            w.push()
        }),
    ];
    // What a change must not allow itself: the rules before, the rules after, the path of the leak, and its content.
    type Weakening = (
        &'static str,
        &'static str,
        fn(&World) -> String,
        &'static str,
        &'static [u8],
    );
    let weakenings: [Weakening; 8] = [
        ("a rule removed", LEDGER, |_| String::new(), "books/1.csv", b"secret"),
        (
            "a rule made internal",
            LEDGER,
            |_| format!("{LEDGER}policy = \"internal\"\n"),
            "books/1.csv",
            b"secret",
        ),
        (
            "a rule's glob narrowed",
            LEDGER,
            |_| LEDGER.replace("books/**", "books/2*/**"),
            "books/1.csv",
            b"secret",
        ),
        ("a built-in rule released", "", |_| RELEASE.into(), "a.vec", b"secret"),
        ("allow_in added", "", |_| FIXTURES.into(), "tests/a.vec", b"secret"),
        ("an exception added", "", |w| allow(w, b"secret"), "a.vec", b"secret"),
        (
            "a format dropped",
            NUMPY,
            |_| NUMPY.replace("\"numpy\", ", ""),
            "m.bin",
            b"npy",
        ),
        (
            "everything released",
            "",
            |_| "[[protect]]\nclass = \"x\"\npaths = [\"**\"]\npolicy = \"allowed\"\n".into(),
            "a.vec",
            b"secret",
        ),
    ];
    for (what, before, after, path, content) in weakenings {
        let change = move |w: &World| {
            if !before.is_empty() {
                w.rules(before);
            }
            let content = if content == b"npy" {
                bytes::npy()
            } else {
                content.to_vec()
            };
            w.stage(".gitpack.toml", config(&after(w)));
            w.stage(path, content);
        };
        rows.push(row(
            format!("{what} in the same commit"),
            blocked(Commit, &[path]),
            move |w| {
                change(w);
                w.commit()
            },
        ));
        rows.push(row(
            format!("{what} in the pushed commit"),
            blocked(Push, &[path]),
            move |w| {
                change(w);
                w.sh("git commit -q --no-verify -m x");
                w.push()
            },
        ));
        rows.push(row(
            format!("{what} in a commit before, pushed together"),
            blocked(Push, &[path]),
            move |w| {
                change(w);
                w.sh("git commit -q --no-verify -m rules .gitpack.toml; git commit -q --no-verify -m file");
                w.push()
            },
        ));
        rows.push(row(
            format!("{what} on a new branch"),
            blocked(Push, &[path]),
            move |w| {
                w.sh("git checkout -qb new");
                if !before.is_empty() {
                    w.sh("git checkout -q main");
                    w.rules(before);
                    w.sh("git checkout -q -B new");
                }
                w.stage(".gitpack.toml", config(&after(w)));
                let content = if content == b"npy" {
                    bytes::npy()
                } else {
                    content.to_vec()
                };
                w.stage(path, content);
                w.sh("git commit -q --no-verify -m x");
                w.push()
            },
        ));
    }
    rows
}
