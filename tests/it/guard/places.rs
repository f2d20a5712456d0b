//! Commits from unusual places: other work trees, directories, environments and settings.

use crate::common;
use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, row,
};

pub fn rows() -> Vec<Row> {
    let vec = || blocked(Commit, &["a.vec", "**/*.vec"]);
    let mut rows = vec![
        row("a linked work tree", vec(), |w| {
            w.sh("git worktree add -q ../linked -b side; cd ../linked; put a.vec; git add .");
            w.act_in(&w.beside("linked"), &["commit", "-m", "x"])
        }),
        row("a linked work tree's push", blocked(Push, &["a.vec"]), |w| {
            w.sh("git worktree add -q ../linked -b side; cd ../linked; leak a.vec");
            w.act_in(&w.beside("linked"), &["push", "origin", "side"])
        }),
        row("a linked work tree with a configuration of its own", vec(), |w| {
            w.sh("git config extensions.worktreeConfig true; git worktree add -q ../linked -b side; cd ../linked");
            w.sh("cd ../linked; git config --worktree core.quotePath false; put a.vec; git add .");
            w.act_in(&w.beside("linked"), &["commit", "-m", "x"])
        }),
        row("commit -a in a linked work tree", vec(), |w| {
            w.sh("git worktree add -q ../linked -b side; cd ../linked; put a.vec; git add -N a.vec");
            w.act_in(&w.beside("linked"), &["commit", "-am", "x"])
        }),
        row("a subdirectory", blocked(Commit, &["sub/dir/a.vec"]), |w| {
            w.sh("put sub/dir/a.vec; cd sub/dir; git add .");
            w.act_in(&w.path("sub/dir"), &["commit", "-m", "x"])
        }),
        row(
            "commit <path> in a subdirectory",
            blocked(Commit, &["sub/a.vec"]),
            |w| {
                w.sh("put sub/a.vec; git add -N .");
                w.act_in(&w.path("sub"), &["commit", "-m", "x", "a.vec"])
            },
        ),
        row("-C from elsewhere", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.act_in(&w.beside("home"), &["-C", "../repo", "commit", "-m", "x"])
        }),
        row("inside .git", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.act_in(&w.path(".git"), &["--work-tree=..", "commit", "-m", "x"])
        }),
        row("GIT_DIR and GIT_WORK_TREE", vec(), |w| {
            w.sh("put a.vec; git add .");
            let deed = w.deed("git", &["commit", "-m", "x"]).at(&w.beside("home"));
            deed.env("GIT_DIR", w.path(".git"))
                .env("GIT_WORK_TREE", w.path(""))
                .go()
        }),
        row("relative GIT_DIR and GIT_WORK_TREE", vec(), |w| {
            w.sh("put a.vec; git add .");
            let deed = w.deed("git", &["commit", "-m", "x"]).at(&w.beside("home"));
            deed.env("GIT_DIR", "../repo/.git").env("GIT_WORK_TREE", "../repo").go()
        }),
        row("a bare repository over a home directory", vec(), |w| {
            w.sh(
                "cd ..; git init -q --bare dots; export GIT_DIR=$PWD/dots GIT_WORK_TREE=$PWD/home
                 git config core.bare false; cd home; git pack install; put a.vec; git add a.vec",
            );
            let args = ["--git-dir=../dots", "--work-tree=.", "commit", "-m", "x"];
            w.act_in(&w.beside("home"), &args)
        }),
        row("push with GIT_DIR set", blocked(Push, &["a.vec"]), |w| {
            w.sh("leak a.vec");
            let deed = w.deed("git", &["push", "../remote.git", "main"]).at(&w.beside("home"));
            deed.env("GIT_DIR", w.path(".git")).go()
        }),
        row("a git directory elsewhere", vec(), |w| {
            w.sh("git init -q --separate-git-dir ../elsewhere; put a.vec; git add .");
            w.commit()
        }),
        row("GIT_INDEX_FILE, absolute", vec(), |w| {
            let index = w.beside("index");
            w.sh("export GIT_INDEX_FILE=$PWD/../index; git read-tree HEAD; put a.vec; git add a.vec; rm a.vec");
            w.deed("git", &["commit", "-m", "x"]).env("GIT_INDEX_FILE", index).go()
        }),
        row("GIT_INDEX_FILE, relative", vec(), |w| {
            w.sh("export GIT_INDEX_FILE=.git/other; git read-tree HEAD; put a.vec; git add a.vec; rm a.vec");
            let deed = w.deed("git", &["commit", "-m", "x"]);
            deed.env("GIT_INDEX_FILE", ".git/other").go()
        }),
        row(
            "GIT_OBJECT_DIRECTORY, and only the content tells",
            blocked(Commit, &["logo.bin", "faiss"]),
            |w| {
                w.write("logo.bin", bytes::faiss(4));
                let objects = w.beside("objects");
                let old = w.path(".git/objects");
                w.sh("mkdir ../objects; export GIT_OBJECT_DIRECTORY=$PWD/../objects
                     export GIT_ALTERNATE_OBJECT_DIRECTORIES=$PWD/.git/objects; git add logo.bin");
                let deed = w.deed("git", &["commit", "-m", "x"]);
                deed.env("GIT_OBJECT_DIRECTORY", objects)
                    .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", old)
                    .go()
            },
        ),
        row("literal pathspecs", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.deed("git", &["commit", "-m", "x"])
                .env("GIT_LITERAL_PATHSPECS", "1")
                .go()
        }),
        row("a trace on standard error", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.deed("git", &["commit", "-m", "x"]).env("GIT_TRACE", "1").go()
        }),
        row("a bare PATH", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.deed("git", &["commit", "-m", "x"]).bare_path().go()
        }),
        row("a bare PATH, pushing", blocked(Push, &["a.vec"]), |w| {
            w.sh("leak a.vec");
            w.deed("git", &["push", "origin", "main"]).bare_path().go()
        }),
        row("no home", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.deed("git", &["commit", "-m", "x"])
                .env("HOME", "/nonexistent")
                .bare_path()
                .go()
        }),
        row("core.hooksPath, relative", vec(), |w| {
            w.sh("rm -r .git/hooks; git config core.hooksPath .hooks; git pack install; put a.vec; git add .");
            w.commit()
        }),
        row(
            "core.hooksPath, relative, in a subdirectory",
            blocked(Commit, &["sub/a.vec"]),
            |w| {
                w.sh("rm -r .git/hooks; mkdir sub; git config core.hooksPath .hooks; cd sub; git pack install");
                w.sh("put sub/a.vec; git add .");
                w.act_in(&w.path("sub"), &["commit", "-m", "x"])
            },
        ),
        row("core.hooksPath, absolute", vec(), |w| {
            w.sh("rm -r .git/hooks; git config core.hooksPath \"$PWD/../my hooks\"; git pack install");
            w.sh("test -x '../my hooks/pre-commit'; put a.vec; git add a.vec");
            w.commit()
        }),
        row("core.hooksPath, pushing", blocked(Push, &["a.vec"]), |w| {
            w.sh("rm -r .git/hooks; git config core.hooksPath .hooks; git pack install; leak a.vec");
            w.push()
        }),
        row("a submodule's own repository", vec(), |w| {
            w.sh("git clone -q --bare . ../lib.git; git -c protocol.file.allow=always submodule add -q ../lib.git sub");
            w.sh("cd sub; git pack install; put a.vec; git add .");
            w.act_in(&w.path("sub"), &["commit", "-m", "x"])
        }),
        row(
            "a submodule in run outputs",
            blocked(Commit, &["_PACK_RUN/s", "pack-run"]),
            |w| {
                w.sh("git clone -q --bare . ../lib.git");
                w.sh("git -c protocol.file.allow=always submodule add -q -f ../lib.git _PACK_RUN/s");
                w.commit()
            },
        ),
        row("a submodule that is pushed along", blocked(Push, &["a.vec"]), |w| {
            w.sh("git clone -q --bare . ../lib.git; git -c protocol.file.allow=always submodule add -q ../lib.git sub");
            w.sh("git commit -q -m sub; git push -q; cd sub; git pack install; leak a.vec");
            w.sh("git add sub; git commit -q -m bump");
            w.act(&["push", "--recurse-submodules=on-demand", "origin", "main"])
        }),
        row(
            "sparse checkout, inside the cone",
            blocked(Commit, &["in/a.vec"]),
            |w| {
                w.sh("clean in/x; clean out/x; git sparse-checkout set in; put in/a.vec; git add .");
                w.commit()
            },
        ),
        row(
            "sparse checkout, outside the cone",
            blocked(Commit, &["out/a.vec"]),
            |w| {
                w.sh("clean in/x; leak out/a.vec; git sparse-checkout set in; test ! -e out; put in/y; git add .");
                w.commit()
            },
        ),
        row("add --sparse", blocked(Commit, &["out/a.vec"]), |w| {
            w.sh("clean in/x; clean out/x; git sparse-checkout set in; put out/a.vec; git add --sparse out/a.vec");
            w.commit()
        }),
        row(
            "sparse checkout by patterns",
            blocked(Commit, &["deep/er/a.vec"]),
            |w| {
                w.sh(
                    "clean x; leak deep/er/a.vec; git sparse-checkout set --no-cone '/*' '!/deep/er'; put y; git add y",
                );
                w.commit()
            },
        ),
        row("sparse index, inside the cone", blocked(Commit, &["in/a.vec"]), |w| {
            w.sh("clean in/x; clean out/x; git sparse-checkout set --sparse-index in; put in/a.vec; git add .");
            w.sh("git ls-files --sparse | grep -qx out/");
            w.commit()
        }),
        row(
            "sparse index, outside the cone",
            blocked(Commit, &["out/deep/a.vec"]),
            |w| {
                w.sh("clean in/x; leak out/deep/a.vec; git sparse-checkout set --sparse-index in; put in/y; git add .");
                w.sh("git ls-files --sparse | grep -qx out/");
                w.commit()
            },
        ),
        row(
            "update-index --cacheinfo outside the cone",
            blocked(Commit, &["out/new/a.vec"]),
            |w| {
                w.sh("clean in/x; clean out/x; git sparse-checkout set --sparse-index in");
                w.sh("id=$(echo secret | git hash-object -w --stdin)
                     git update-index --add --cacheinfo 100644,$id,out/new/a.vec");
                w.commit()
            },
        ),
        row(
            "a sparse directory that differs from HEAD, and only the content tells",
            blocked(Commit, &["out/deep/logo.bin", "faiss"]),
            |w| {
                w.sh("clean in/x; clean out/x");
                w.smuggle("out/deep/logo.bin", bytes::faiss(4));
                w.sh("git sparse-checkout set --sparse-index in; git reset -q --soft HEAD~1");
                w.sh("git ls-files --sparse | grep -qx out/");
                w.commit()
            },
        ),
        row("a sparse checkout's push", blocked(Push, &["out/a.vec"]), |w| {
            w.sh("clean in/x; leak out/a.vec; git sparse-checkout set --sparse-index in");
            w.push()
        }),
        row("SHA-256", vec(), |w| {
            w.sh("put a.vec; git add .");
            w.commit()
        })
        .sha256(),
        row("SHA-256, pushing", blocked(Push, &["a.vec"]), |w| {
            w.sh("leak a.vec; drop a.vec");
            w.push()
        })
        .sha256(),
        row("SHA-256, a new branch", blocked(Push, &["a.vec"]), |w| {
            w.sh("git checkout -qb new; leak a.vec");
            w.push()
        })
        .sha256(),
        row(
            "SHA-256, and only the content tells",
            blocked(Commit, &["logo.bin", "faiss"]),
            |w| {
                w.stage("logo.bin", bytes::faiss(4));
                w.commit()
            },
        )
        .sha256(),
    ];
    let others: [(&str, &str, &[&str], &[&str]); 3] = [
        (
            "a repository of someone else",
            "put a.vec; git add .",
            &["commit", "-m", "x"],
            &["a.vec"],
        ),
        (
            "a repository of someone else, pushing",
            "leak a.vec; drop a.vec",
            &["push", "origin", "main"],
            &["a.vec"],
        ),
        (
            "20 MiB in a repository of someone else, a key at the end",
            "yes 'nothing to see here' | head -c 20971520 >log.txt
            cat ../home/.config/git-pack/identity.txt >>log.txt; git -c core.compression=1 add .",
            &["commit", "-m", "x"],
            &["log.txt", "key"],
        ),
    ];
    for (name, script, act, names) in others {
        let at = if act[0] == "push" { Push } else { Commit };
        rows.push(row(name, blocked(at, names), move |w| {
            if !common::is_root() {
                return w.skip("only root can give files away");
            }
            w.sh(script);
            w.sh("chown -R 12345:12345 .; printf '[safe]\\n\\tdirectory = *\\n' >../trusted");
            w.deed("git", act).env("GIT_CONFIG_GLOBAL", w.beside("trusted")).go()
        }));
    }
    rows
}
