//! The guard verifies packs in a push, and run outputs sealed from it.

use std::fs;
use std::path::Path;

use crate::guard::bytes;
use crate::guard::table::{
    At::{Commit, Push, Receive},
    Row, blocked, passes, row,
};
use crate::guard::world::World;

/// Seals an evidence pack into `evidence/one` and commits it.
fn tracked(w: &World) {
    w.write("reports/a.json", "{\"a\":1}\n");
    w.write("reports/b.txt", "hello\n");
    w.sh("git pack seal reports/a.json reports/b.txt -o evidence/one; git add evidence; git commit -q -m evidence");
}

/// Changes the tracked pack and commits the change without the hook.
fn tamper(w: &World, change: impl FnOnce(&Path)) {
    tracked(w);
    change(&w.path("evidence/one"));
    w.sh("git add -A; git commit -q --no-verify -m tampered");
}

/// Changes a member's bytes.
fn falsify(pack: &Path) {
    let member = find(pack, "b.txt");
    fs::write(member, "jello\n").unwrap();
}

fn find(directory: &Path, name: &str) -> std::path::PathBuf {
    fn walk(directory: &Path, name: &str) -> Option<std::path::PathBuf> {
        fs::read_dir(directory).unwrap().find_map(|entry| {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, name),
                false => path.ends_with(name).then_some(path),
            }
        })
    }
    walk(directory, name).unwrap()
}

pub fn rows() -> Vec<Row> {
    let one = || blocked(Push, &["evidence/one"]);
    vec![
        row("a sound pack", passes(&["pre-push"]), |w| {
            tracked(w);
            w.push()
        }),
        row("a member changed", one(), |w| {
            tamper(w, falsify);
            w.push()
        }),
        row("a member gone", one(), |w| {
            tamper(w, |pack| fs::remove_file(find(pack, "b.txt")).unwrap());
            w.push()
        }),
        row("a member too many", one(), |w| {
            tamper(w, |pack| fs::write(pack.join("debug.txt"), "x").unwrap());
            w.push()
        }),
        row("a member that became a link", one(), |w| {
            tamper(w, |pack| {
                let member = find(pack, "b.txt");
                fs::remove_file(&member).unwrap();
                std::os::unix::fs::symlink("a.json", member).unwrap();
            });
            w.push()
        }),
        row("a manifest that promises another digest", one(), |w| {
            tamper(w, |pack| {
                let manifest = fs::read_to_string(pack.join("manifest.json")).unwrap();
                let at = manifest.rfind("sha256:").unwrap() + "sha256:".len();
                let other = if manifest.as_bytes()[at] == b'0' { "1" } else { "0" };
                let forged = format!("{}{other}{}", &manifest[..at], &manifest[at + 1..]);
                fs::write(pack.join("manifest.json"), forged).unwrap();
            });
            w.push()
        }),
        row("another program's manifest", passes(&["pre-push"]), |w| {
            w.sh(
                "put extension/manifest.json '{\"manifest_version\": 3}'; put manifest.json '{}'; git add .
                 git commit -q -m manifests",
            );
            w.push()
        }),
        row("tampered in the object database, sound on disk", one(), |w| {
            tracked(w);
            w.sh(
                "id=$(echo jello | git hash-object -w --stdin); path=$(git ls-files evidence | grep b.txt)
                 git update-index --cacheinfo 100644,$id,$path; git commit -q --no-verify -m tampered",
            );
            w.push()
        }),
        row("tampered on disk only", passes(&["pre-push"]), |w| {
            tracked(w);
            falsify(&w.path("evidence/one"));
            w.push()
        }),
        row("tampered, and pushed as a tag", one(), |w| {
            tamper(w, falsify);
            w.sh("git tag -a t -m t");
            w.act(&["push", "origin", "t"])
        }),
        row("tampered, and pushed as the second ref", one(), |w| {
            w.sh("git branch clean");
            tamper(w, falsify);
            w.act(&["push", "origin", "clean:new", "main"])
        }),
        row(
            "tampered in a commit that a later one mends",
            passes(&["pre-push"]),
            |w| {
                // The guard verifies the packs of the pushed tips only.
                tamper(w, falsify);
                w.sh("git revert --no-edit HEAD >/dev/null");
                w.push()
            },
        ),
        row("one of two packs", blocked(Push, &["evidence/two"]), |w| {
            tracked(w);
            w.sh("cp -r evidence/one evidence/two; rm $(find evidence/two -name b.txt)
                 git add -A; git commit -q --no-verify -m two");
            w.push()
        }),
        row("line ends changed on the way into the index", one(), |w| {
            w.write("reports/b.txt", "hello\r\n");
            w.sh(
                "git pack seal reports/b.txt -o evidence/one; echo '* text' >.gitattributes; git add .
                 git commit -q --no-verify -m evidence",
            );
            w.push()
        }),
        row("a sound run output of the pushed commit", passes(&["pre-push"]), |w| {
            w.sh("clean a; git pack seal");
            w.push()
        }),
        row(
            "a run output of the pushed commit, a member changed",
            blocked(Push, &["_PACK_RUN/llm-pack-"]),
            |w| {
                w.sh("clean a.txt; git pack seal");
                fs::write(find(&w.path("_PACK_RUN"), "a.txt"), "b\n").unwrap();
                w.push()
            },
        ),
        row(
            "a run output of the pushed commit, verified before",
            blocked(Push, &["_PACK_RUN/llm-pack-"]),
            |w| {
                w.sh("clean a.txt; git pack seal; git push -q --dry-run");
                fs::write(find(&w.path("_PACK_RUN"), "a.txt"), "b.txt\n").unwrap();
                w.push()
            },
        ),
        row(
            "a run output of a commit that is not pushed",
            passes(&["pre-push"]),
            |w| {
                w.sh("clean a.txt; git pack seal; git checkout -q -b new HEAD~1; clean b");
                fs::write(find(&w.path("_PACK_RUN"), "a.txt"), "b\n").unwrap();
                w.push()
            },
        ),
        row("what is no pack in run outputs", passes(&["pre-push"]), |w| {
            w.sh("clean a; put _PACK_RUN/log/run.txt; put _PACK_RUN/manifest.json '{}'");
            w.push()
        }),
        row("tampered, at the server", blocked(Receive, &["evidence/one"]), |w| {
            w.server();
            tamper(w, falsify);
            w.act(&["push", "--no-verify", "origin", "main"])
        }),
        row("sound, at the server", passes(&["pre-push", "pre-receive"]), |w| {
            w.server();
            tracked(w);
            w.push()
        }),
    ]
    .into_iter()
    .chain(attached())
    .collect()
}

/// Writes a file beside the tracked pack, under the name of a signature of that pack.
fn beside(w: &World, content: impl AsRef<[u8]>) -> String {
    tracked(w);
    let manifest = fs::read_to_string(w.path("evidence/one/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let id = manifest["pack_id"].as_str().unwrap().replace("sha256:", "");
    let path = format!("evidence/one.attestations/{id}.sig");
    w.write(&path, content);
    w.sh("git add -A");
    path
}

/// What is attached to a tracked pack is judged like any other file.
fn attached() -> Vec<Row> {
    const SIGNATURE: &str = "-----BEGIN SSH SIGNATURE-----\nU1NIU0lHAAAAAQ==\n-----END SSH SIGNATURE-----\n";
    vec![
        row("a signature beside a pack", passes(&["pre-commit"]), |w| {
            beside(w, SIGNATURE);
            w.commit()
        }),
        row(
            "a signature beside a pack, at the server",
            passes(&["pre-push", "pre-receive"]),
            |w| {
                w.server();
                beside(w, SIGNATURE);
                w.sh("git commit -q -m signed");
                w.push()
            },
        ),
        row("weights as a signature", blocked(Commit, &[".sig", "weights"]), |w| {
            beside(w, bytes::gguf());
            w.commit()
        }),
        row(
            "weights as a signature, at the server",
            blocked(Receive, &[".sig", "weights"]),
            |w| {
                w.server();
                beside(w, bytes::gguf());
                w.sh("git commit -q --no-verify -m hidden");
                w.act(&["push", "--no-verify", "origin", "main"])
            },
        ),
        row(
            "a signature in run outputs",
            blocked(Commit, &["_PACK_RUN", "pack-run"]),
            |w| {
                let path = beside(w, SIGNATURE);
                let moved = path.replace("evidence/", "_PACK_RUN/");
                w.sh(&format!("git reset -q; mv evidence _PACK_RUN; git add -f {moved}"));
                w.commit()
            },
        ),
        row(
            "a signature for a pack that does not verify",
            blocked(Push, &["evidence/one"]),
            |w| {
                tamper(w, falsify);
                w.sh("git push -q --no-verify");
                let manifest = w.path("evidence/one/manifest.json");
                assert!(manifest.exists());
                w.sh("put evidence/one.attestations/x.sig x; git add -A; git commit -q -m signed");
                w.push()
            },
        ),
    ]
}
