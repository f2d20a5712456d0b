//! The file that `allow_file` names is part of the configuration: it counts as of the commit or the index, it releases
//! nothing in the change that brings it, and the guard refuses a broken one.

use crate::guard::table::{
    At::{Commit, Push, Receive},
    Row, blocked, passes, passes_saying, refused, row,
};
use crate::guard::world::World;

const NAMED: &str = "version = 1\nallow_file = \"known/accepted.toml\"\n";
const FILE: &str = "known/accepted.toml";
const LEDGER: &str = "[[protect]]\nclass = \"ledger\"\npaths = [\"books/**\"]\n";

/// Returns an entry for the blob of this content.
fn entry(w: &World, content: &str) -> String {
    w.write("../content", content);
    let id = w.sh("git hash-object ../content");
    format!("[[allow]]\nblob = \"{id}\"\nreason = \"published on purpose\"\n")
}

/// Commits and pushes a configuration that names the file, and the file.
fn publish(w: &World, file: &str) {
    w.stage(".gitpack.toml", NAMED);
    w.stage(FILE, file);
    w.sh("git commit -q --no-verify -m rules; git push -q --no-verify");
}

/// Stages an entry for a file together with that file.
fn release_in_one(w: &World) {
    publish(w, "");
    w.stage(FILE, entry(w, "secret"));
    w.stage("a.vec", "secret");
}

pub fn rows() -> Vec<Row> {
    let mut rows = vec![
        row("an exception in the file, committed", passes(&["pre-commit"]), |w| {
            publish(w, &entry(w, "open"));
            w.stage("a.vec", "open");
            w.commit()
        }),
        row("an exception in the file, pushed", passes(&["pre-push"]), |w| {
            publish(w, &entry(w, "open"));
            w.stage("a.vec", "open");
            w.sh("git commit -q -m open");
            w.push()
        }),
        row("an exception in the file, received", passes(&["pre-receive"]), |w| {
            publish(w, &entry(w, "open"));
            w.server();
            w.stage("a.vec", "open");
            w.sh("git commit -q -m open");
            w.act(&["push", "--no-verify", "origin", "HEAD"])
        }),
        row("an exception for another blob", blocked(Commit, &["a.vec"]), |w| {
            publish(w, &entry(w, "open"));
            w.stage("a.vec", "secret");
            w.commit()
        }),
        row(
            "an exception in the same commit",
            blocked(Commit, &["a.vec", "POLICY_WEAKENED"]),
            |w| {
                release_in_one(w);
                w.commit()
            },
        ),
        row(
            "an exception in the pushed commit",
            blocked(Push, &["a.vec", "POLICY_WEAKENED"]),
            |w| {
                release_in_one(w);
                w.sh("git commit -q --no-verify -m x");
                w.push()
            },
        ),
        row(
            "an exception in a commit before, pushed together",
            blocked(Push, &["a.vec"]),
            |w| {
                release_in_one(w);
                w.sh("git commit -q --no-verify -m rules known; git commit -q --no-verify -m file");
                w.push()
            },
        ),
        row("an exception on a new branch", blocked(Push, &["a.vec"]), |w| {
            w.sh("git checkout -qb new");
            w.stage(".gitpack.toml", NAMED);
            w.stage(FILE, entry(w, "secret"));
            w.stage("a.vec", "secret");
            w.sh("git commit -q --no-verify -m x");
            w.push()
        }),
        row(
            "an exception of an orphan branch with the same configuration",
            blocked(Push, &["a.vec"]),
            |w| {
                publish(w, "");
                w.sh("git checkout -q --orphan fresh");
                w.stage(FILE, entry(w, "secret"));
                w.stage("a.vec", "secret");
                w.sh("git commit -q --no-verify -m x");
                w.act(&["push", "origin", "fresh"])
            },
        ),
        row(
            "an exception that is taken back in the next commit",
            blocked(Push, &["a.vec"]),
            |w| {
                release_in_one(w);
                w.sh("git commit -q --no-verify -m x; drop a.vec");
                w.smuggle(FILE, "");
                w.push()
            },
        ),
        row(
            "an exception in the same push, received",
            blocked(Receive, &["a.vec"]),
            |w| {
                release_in_one(w);
                w.server();
                w.sh("git commit -q --no-verify -m x");
                w.act(&["push", "--no-verify", "origin", "HEAD"])
            },
        ),
        row(
            "an exception of another branch in the same push, received",
            blocked(Receive, &["a.vec"]),
            |w| {
                publish(w, "");
                w.server();
                w.sh("git checkout -qb accepts");
                w.smuggle(FILE, entry(w, "secret"));
                w.sh("git checkout -q main; git checkout -qb leaks; leak a.vec");
                w.act(&["push", "--no-verify", "origin", "accepts", "leaks"])
            },
        ),
        row("an exception that is only on disk", blocked(Commit, &["a.vec"]), |w| {
            publish(w, "");
            w.write(FILE, entry(w, "secret"));
            w.stage("a.vec", "secret");
            w.commit()
        }),
        row(
            "an exception that is only on disk, pushed",
            blocked(Push, &["a.vec"]),
            |w| {
                publish(w, "");
                w.sh("leak a.vec");
                w.write(FILE, entry(w, "secret\n"));
                w.push()
            },
        ),
        row(
            "another file with exceptions",
            blocked(Commit, &["a.vec", "POLICY_WEAKENED"]),
            |w| {
                publish(w, "");
                w.stage(".gitpack.toml", NAMED.replace("accepted", "more"));
                w.stage("known/more.toml", entry(w, "secret"));
                w.stage("a.vec", "secret");
                w.commit()
            },
        ),
        row("entries that move to the file", passes(&["pre-commit"]), |w| {
            w.rules(&entry(w, "open"));
            w.stage(".gitpack.toml", NAMED);
            w.stage(FILE, entry(w, "open"));
            w.commit()
        }),
        row("run outputs", blocked(Commit, &["_PACK_RUN/x", "pack-run"]), |w| {
            publish(w, &entry(w, "secret"));
            w.stage("_PACK_RUN/x", "secret");
            w.commit()
        }),
        row(
            "a configuration whose file is removed",
            refused(Commit, &[".gitpack.toml in the index, line 2", FILE, "does not exist"]),
            |w| {
                publish(w, &entry(w, "secret"));
                w.sh("git rm -q known/accepted.toml");
                w.commit()
            },
        ),
        row(
            "a file that is ignored and only on disk",
            refused(Commit, &[FILE, "does not exist"]),
            |w| {
                w.write(FILE, entry(w, "secret"));
                w.stage(".gitpack.toml", NAMED);
                w.commit()
            },
        ),
        row(
            "a missing file, pushed",
            refused(Push, &[".gitpack.toml in ", "line 2", FILE, "does not exist"]),
            |w| {
                w.smuggle(".gitpack.toml", NAMED);
                w.push()
            },
        ),
        row(
            "a missing file, received",
            refused(Receive, &[FILE, "does not exist"]),
            |w| {
                w.server();
                w.smuggle(".gitpack.toml", NAMED);
                w.act(&["push", "--no-verify", "origin", "HEAD"])
            },
        ),
        row("a path below a link", refused(Commit, &[FILE, "does not exist"]), |w| {
            w.stage(".gitpack.toml", NAMED);
            w.stage("other/accepted.toml", "");
            w.sh("ln -s other known; git add known");
            w.commit()
        }),
        row(
            "a file that is broken at HEAD, repaired",
            passes(&["pre-commit"]),
            |w| {
                publish(w, "[[allow]]\n");
                w.stage(FILE, "");
                w.commit()
            },
        ),
        row(
            "a file that is missing at HEAD, repaired and pushed",
            passes(&["pre-push"]),
            |w| {
                publish(w, "");
                w.sh("git rm -q known/accepted.toml; git commit -q --no-verify -m gone; git push -q --no-verify");
                w.smuggle(FILE, "");
                w.push()
            },
        ),
        row(
            "rules beside a file that is broken at HEAD",
            blocked(Commit, &["books/1.csv", "POLICY_WEAKENED"]),
            |w| {
                w.stage(".gitpack.toml", format!("{NAMED}{LEDGER}"));
                w.stage(FILE, "broken");
                w.sh("git commit -q --no-verify -m rules");
                w.stage(".gitpack.toml", NAMED);
                w.stage(FILE, "");
                w.stage("books/1.csv", "secret");
                w.commit()
            },
        ),
        row(
            "rules beside a file that is broken on the remote",
            blocked(Push, &["books/1.csv"]),
            |w| {
                w.stage(".gitpack.toml", format!("{NAMED}{LEDGER}"));
                w.stage(FILE, "broken");
                w.sh("git commit -q --no-verify -m rules; git push -q --no-verify");
                w.stage(".gitpack.toml", NAMED);
                w.stage(FILE, "");
                w.stage("books/1.csv", "secret");
                w.sh("git commit -q --no-verify -m x");
                w.push()
            },
        ),
    ];
    // Branches with one configuration and different files: neither decides for the other, whatever their order is.
    for [accepts, leaks] in [["a", "b"], ["b", "a"]] {
        rows.push(row(
            format!("a first push of {accepts}, which accepts, and {leaks}, which leaks"),
            blocked(Push, &["a.vec"]),
            move |w| {
                w.sh("git init -q --bare ../empty.git; git init -q ../fresh; cd ../fresh; git pack install; put x");
                w.write("../fresh/.gitpack.toml", NAMED);
                w.write("../fresh/known/accepted.toml", "");
                w.sh(&format!(
                    "cd ../fresh; git checkout -q -b {leaks}; git add .; leak a.vec"
                ));
                w.write("../fresh/known/accepted.toml", entry(w, "secret\n"));
                w.sh(&format!(
                    "cd ../fresh; git checkout -q --orphan {accepts}; git rm -qf a.vec; git add .
                    git commit -q --no-verify -m accepts"
                ));
                w.act_in(&w.beside("fresh"), &["push", "../empty.git", "a", "b"])
            },
        ));
    }
    rows.push(row(
        "an exception on a branch of one that is not the main one",
        blocked(Push, &["books/1.csv"]),
        |w| {
            w.sh("git rm -q .gitpack.toml; git commit -q --no-verify -m none; git push -q --no-verify; git checkout -qb dev");
            w.stage(".gitpack.toml", format!("{NAMED}{LEDGER}"));
            w.stage(FILE, "");
            w.sh("git commit -q --no-verify -m rules; git push -q --no-verify origin dev; git checkout -qb feature");
            w.stage(FILE, entry(w, "secret"));
            w.stage("books/1.csv", "secret");
            w.sh("git commit -q --no-verify -m x");
            w.act(&["push", "origin", "feature"])
        },
    ));
    rows.push(row(
        "an exception of an orphan that has the configuration of the main branch, to an empty remote",
        blocked(Push, &["books/1.csv"]),
        |w| {
            w.stage(".gitpack.toml", format!("{NAMED}{LEDGER}"));
            w.stage(FILE, "# nothing yet\n");
            w.sh("git commit -q --no-verify -m rules; git init -q --bare ../empty.git; git checkout -q --orphan fresh");
            w.stage(FILE, entry(w, "secret"));
            w.stage("books/1.csv", "secret");
            w.sh("git commit -q --no-verify -m x");
            w.act(&["push", "../empty.git", "fresh"])
        },
    ));
    type Broken = (&'static str, &'static str, &'static str, &'static str);
    let broken: [Broken; 7] = [
        (
            "not TOML",
            "",
            "\n\n[[allow]\n",
            "known/accepted.toml in the index, line 3",
        ),
        (
            "an abbreviated id",
            "",
            "[[allow]]\nblob = \"3b18e5\"\nreason = \"x\"\n",
            "line 2: blob",
        ),
        (
            "no reason",
            "",
            "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\n",
            "reason",
        ),
        (
            "rules",
            "",
            "[[protect]]\nclass = \"v\"\npaths = [\"**\"]\npolicy = \"allowed\"\n",
            "unknown field `protect`",
        ),
        (
            "private remotes",
            "",
            "private_remotes = [\"https://a.example/**\"]\n",
            "unknown field",
        ),
        (
            "a path outside",
            "allow_file = \"../accepted.toml\"\n",
            "",
            "line 2: allow_file",
        ),
        (
            "a path in .git",
            "allow_file = \".GIT/accepted.toml\"\n",
            "",
            "line 2: allow_file",
        ),
    ];
    for (what, named, file, says) in broken {
        rows.push(row(format!("a file with {what}"), refused(Commit, &[says]), move |w| {
            let named = match named {
                "" => NAMED.to_owned(),
                named => format!("version = 1\n{named}"),
            };
            w.stage(".gitpack.toml", named);
            w.stage(FILE, file);
            w.commit()
        }));
    }
    let places: [(&str, &str, &str); 4] = [
        (
            "a link",
            "mkdir known; ln -s ../README.md known/accepted.toml",
            "found a symbolic link",
        ),
        ("a directory", "put known/accepted.toml/x", "found a directory"),
        (
            "another repository",
            "git init -q known/accepted.toml; git -C known/accepted.toml commit -q --allow-empty --no-verify -m x",
            "found a submodule",
        ),
        (
            "more than 1 MiB",
            "mkdir known; head -c 1048577 /dev/zero | tr '\\0' '#' >known/accepted.toml",
            "expected at most 1048576 bytes",
        ),
    ];
    for (what, make, says) in places {
        rows.push(row(
            format!("{what} instead of a file"),
            refused(Commit, &[FILE, says]),
            move |w| {
                w.stage(".gitpack.toml", NAMED);
                w.sh(&format!("{make}; git add known"));
                w.commit()
            },
        ));
    }
    rows.push(row(
        "many exceptions at once are counted",
        passes_saying(&["pre-commit"], &["policy_weakened", "and 497 more"]),
        |w| {
            w.stage(".gitpack.toml", NAMED);
            let entries = (0..500).map(|n| format!("[[allow]]\nblob = \"{n:040x}\"\nreason = \"x\"\n"));
            w.stage(FILE, entries.collect::<String>());
            w.commit()
        },
    ));
    rows
}
