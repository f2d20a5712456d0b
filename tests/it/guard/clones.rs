//! Clones that lack objects, share them, or have damaged ones: the guard never calls unreadable content clean.

use std::fs;

use crate::common;
use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push},
    Row, blocked, passes, refused, row,
};
use crate::guard::world::{Outcome, World};

/// Gives the remote three versions of a file, and makes `../shallow`: a guarded clone of the last commit only.
const SHALLOW: &str = "for n in 1 2 3; do put v $n; git add v; git commit -q -m $n; done; git push -q
    git clone -q --depth=1 \"file://$PWD/../remote.git\" ../shallow; cd ../shallow; git pack install;";

/// Makes `../partial`: a guarded clone that holds only the newest versions. `$first` is a blob that it lacks.
const PARTIAL: &str = "for n in 1 2 3; do put v $n; git add v; git commit -q -m $n; done; git push -q
    first=$(git rev-parse HEAD~2:v); git -C ../remote.git config uploadpack.allowFilter true
    git clone -q --filter=blob:none \"file://$PWD/../remote.git\" ../partial; cd ../partial; git pack install
    not env GIT_NO_LAZY_FETCH=1 git cat-file -e $first 2>/dev/null;";

/// Asserts that a refusal for a missing object did not fetch that object.
fn still_partial(w: &World, outcome: Outcome) -> Outcome {
    if outcome.done.code != 0 {
        let first = w.sh("git rev-parse HEAD~2:v");
        let lacks = format!("not env GIT_NO_LAZY_FETCH=1 git cat-file -e {first} 2>/dev/null");
        w.sh_in(&w.beside("partial"), &lacks);
    }
    outcome
}

pub fn rows() -> Vec<Row> {
    let vec = || blocked(Push, &["a.vec"]);
    vec![
        row("a shallow clone", vec(), |w| {
            w.sh(&format!("{SHALLOW} leak a.vec; drop a.vec"));
            w.act_in(&w.beside("shallow"), &["push"])
        }),
        row("a shallow clone's new branch", vec(), |w| {
            w.sh(&format!("{SHALLOW} git checkout -qb new; leak a.vec; drop a.vec"));
            w.act_in(&w.beside("shallow"), &["push", "origin", "new"])
        }),
        row("a shallow clone's clean commit", passes(&["pre-push"]), |w| {
            w.sh(&format!("{SHALLOW} clean b"));
            w.act_in(&w.beside("shallow"), &["push"])
        }),
        row("a shallow clone's boundary has a leak", passes(&["pre-push"]), |w| {
            w.sh("leak old.vec; git push -q --no-verify; drop old.vec; git push -q --no-verify");
            w.sh(&format!("{SHALLOW} clean b"));
            w.act_in(&w.beside("shallow"), &["push"])
        }),
        row("a partial clone", vec(), |w| {
            w.sh(&format!("{PARTIAL} leak a.vec; drop a.vec"));
            w.act_in(&w.beside("partial"), &["push"])
        }),
        row(
            "a partial clone, and only the content tells",
            blocked(Push, &["logo.bin", "faiss"]),
            |w| {
                w.sh(PARTIAL);
                w.write("../partial/logo.bin", bytes::faiss(4));
                w.sh("cd ../partial; git add logo.bin; git commit -q --no-verify -m x");
                w.act_in(&w.beside("partial"), &["push"])
            },
        ),
        row("a partial clone's clean commit", passes(&["pre-push"]), |w| {
            w.sh(&format!("{PARTIAL} clean b"));
            w.act_in(&w.beside("partial"), &["push"])
        }),
        row("a treeless clone's clean commit", passes(&["pre-push"]), |w| {
            w.sh(
                "for n in 1 2 3; do put d$n/v $n; git add .; git commit -q -m $n; done; git push -q
                 git -C ../remote.git config uploadpack.allowFilter true
                 git clone -q --filter=tree:0 \"file://$PWD/../remote.git\" ../partial; cd ../partial
                 git pack install; clean b",
            );
            w.act_in(&w.beside("partial"), &["push"])
        }),
        row(
            "a partial clone stages what it does not have",
            refused(Commit, &["not in this clone"]),
            |w| {
                w.sh(&format!(
                    "{PARTIAL} git update-index --add --cacheinfo 100644,$first,other.bin"
                ));
                // `git commit` would fetch the blob before it runs the hook, so the row runs the hook alone.
                still_partial(w, w.act_in(&w.beside("partial"), &["hook", "run", "pre-commit"]))
            },
        ),
        row(
            "a partial clone pushes what it does not have",
            refused(Push, &["not in this clone"]),
            |w| {
                w.sh(&format!(
                    "{PARTIAL} git update-index --add --cacheinfo 100644,$first,other.bin
                 git update-ref HEAD $(git commit-tree -p HEAD -m x $(git write-tree --missing-ok))
                 not env GIT_NO_LAZY_FETCH=1 git cat-file -e $first 2>/dev/null"
                ));
                still_partial(w, w.act_in(&w.beside("partial"), &["push"]))
            },
        ),
        row("clone --shared", vec(), |w| {
            w.sh(
                "git clone -q --shared . ../shared; cd ../shared; git pack install; leak a.vec; drop a.vec
                 git remote add hub ../remote.git",
            );
            w.act_in(&w.beside("shared"), &["push", "hub", "main"])
        }),
        row(
            "the leak is in the other's objects",
            blocked(Push, &["logo.bin", "faiss"]),
            |w| {
                w.smuggle("logo.bin", bytes::faiss(4));
                w.sh("git clone -q --shared . ../shared; cd ../shared; git pack install
                     git remote add hub ../remote.git");
                w.act_in(&w.beside("shared"), &["push", "hub", "main"])
            },
        ),
        row("clone --reference", vec(), |w| {
            w.sh("git clone -q --reference . ../remote.git ../shared; cd ../shared; git pack install; leak a.vec");
            w.act_in(&w.beside("shared"), &["push"])
        }),
        row("an alternate that is gone", refused(Push, &[]), |w| {
            w.sh(
                "clean b; cp -r . ../origin-of-shared; git clone -q --shared ../origin-of-shared ../shared
                cd ../shared
                 git pack install; git remote add hub ../remote.git; mv ../origin-of-shared ../moved",
            );
            let id = w.sh("git rev-parse HEAD");
            let old = w.sh("git rev-parse HEAD~1");
            // Without these objects git fails before it runs the hook, so the row runs the hook itself.
            let line = format!("refs/heads/main {id} refs/heads/main {old}\n");
            let mut outcome = w
                .deed(common::GIT_PACK, &["hook", "pre-push", "hub", "../remote.git"])
                .at(&w.beside("shared"))
                .stdin(&line)
                .go();
            outcome.hooks.push(("pre-push".into(), outcome.done.code));
            outcome
        })
        .direct(),
        row("a missing blob, pushed", refused(Push, &["not in this clone"]), |w| {
            let id = w.sh("clean data.bin; git rev-parse HEAD:data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            w.push()
        }),
        row(
            "a missing blob of a commit in between",
            refused(Push, &["not in this clone"]),
            |w| {
                let id = w.sh("clean data.bin; drop data.bin; git rev-parse HEAD~1:data.bin");
                fs::remove_file(w.loose(&id)).unwrap();
                w.push()
            },
        ),
        row("a missing tree, pushed", refused(Push, &["not in this clone"]), |w| {
            let id = w.sh("clean a/b; clean c; git rev-parse HEAD:a");
            fs::remove_file(w.loose(&id)).unwrap();
            w.push()
        }),
        row("a missing blob, staged", refused(Commit, &["not in this clone"]), |w| {
            let id = w.sh("put data.bin; git add data.bin; git rev-parse :data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::remove_file(w.path("data.bin")).unwrap();
            w.commit()
        }),
        row(
            "an id that never was, staged",
            refused(Commit, &["not in this clone"]),
            |w| {
                w.sh("id=1234567890123456789012345678901234567890
                     git update-index --add --info-only --cacheinfo 100644,$id,x.bin");
                w.commit()
            },
        ),
        row("a missing blob that is unchanged", passes(&["pre-commit"]), |w| {
            let id = w.sh("clean old/data.bin; git push -q; put new; git add new; git rev-parse :old/data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            w.act(&["commit", "-m", "x"])
        }),
        row("a damaged blob, staged", refused(Commit, &[]), |w| {
            let id = w.sh("put data.bin; git add data.bin; git rev-parse :data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::write(w.loose(&id), "this is no zlib stream").unwrap();
            w.commit()
        }),
        row("a damaged blob, pushed", refused(Push, &[]), |w| {
            let id = w.sh("clean data.bin; git rev-parse HEAD:data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::write(w.loose(&id), "this is no zlib stream").unwrap();
            w.push()
        }),
        row("an empty object file", refused(Push, &[]), |w| {
            let id = w.sh("clean data.bin; git rev-parse HEAD:data.bin");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::write(w.loose(&id), "").unwrap();
            w.push()
        }),
        row("a blob with the bytes of another", refused(Push, &[]), |w| {
            w.smuggle("logo.bin", bytes::faiss(4));
            let leak = w.sh("git rev-parse HEAD:logo.bin");
            let clean = w.sh("echo harmless | git hash-object -w --stdin");
            fs::remove_file(w.loose(&leak)).unwrap();
            fs::copy(w.loose(&clean), w.loose(&leak)).unwrap();
            w.push()
        }),
        row("a damaged pack", refused(Push, &[]), |w| {
            w.write("data.bin", common::noise(7, 4096));
            w.sh(
                "git add data.bin; git commit -q -m x; git repack -adq; chmod u+w .git/objects/pack/*.pack
                 pack=$(ls .git/objects/pack/*.pack); size=$(wc -c <$pack)
                 at=$(git verify-pack -v $pack | awk -v id=$(git rev-parse HEAD:data.bin) '$1 == id { print $5 }')
                 printf XXXXXXXXXXXXXXXX | dd of=$pack bs=1 seek=$((at + 40)) conv=notrunc status=none",
            );
            w.push()
        }),
        row("a damaged commit", refused(Push, &[]), |w| {
            let id = w.sh("clean a; clean b; git rev-parse HEAD~1");
            fs::remove_file(w.loose(&id)).unwrap();
            fs::write(w.loose(&id), "this is no zlib stream").unwrap();
            let line = format!(
                "refs/heads/main {} refs/heads/main {}\n",
                w.sh("git rev-parse HEAD"),
                w.sh("git rev-parse origin/main")
            );
            // Git fails before it runs the hook, so the row runs the hook itself.
            let mut outcome = w
                .deed(common::GIT_PACK, &["hook", "pre-push", "origin", "../remote.git"])
                .stdin(&line)
                .go();
            outcome.hooks.push(("pre-push".into(), outcome.done.code));
            outcome
        })
        .direct(),
        row("a damaged index", refused(Commit, &[]), |w| {
            // Git fails before it runs the hook, so the row runs the hook itself.
            w.sh("put a.vec; git add a.vec");
            fs::write(w.path(".git/index"), "DIRC, but no more").unwrap();
            let mut outcome = w.deed(common::GIT_PACK, &["hook", "pre-commit"]).go();
            outcome.hooks.push(("pre-commit".into(), outcome.done.code));
            outcome
        })
        .direct(),
    ]
}
