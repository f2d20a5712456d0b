//! The parts of a tree pack: FULL and SPLIT, their limits, their proof, and the way back to files.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{codes, copy_tree, document, recompute, sample};
use crate::common::{Repo, noise, snapshot};
use gitpack::format::canonical_json::to_document;
use gitpack::format::digest::Digest;
use gitpack::format::repo_state::RepoState;
use serde_json::Value;

const CONFIG: &str = "version = 1\n[pack]\nemit = [\"split\", \"repo\", \"full\"]\n[scope.repo]\ntitle = \"A title\"\n\
                      prefix = \"PRE\"\nbuckets = [\"z\", \"none\"]\nanchors = [\"z/first.md\", \"gone.md\", \"README.md\"]\n";

/// Makes every kind of entry, and texts that are hard to represent.
fn texts() -> Repo {
    let repo = Repo::empty();
    repo.write(".gitpack.toml", CONFIG);
    repo.write("README.md", "# Title\n\n```sh\n# no heading\n```\n");
    repo.write("z/first.md", "first\n");
    repo.write("z/ticks", "`````` and ~~~\n### `x` · 1 B");
    repo.write("a/crlf.txt", "a\r\nb\r\n");
    repo.write("a/empty", "");
    repo.write("a/open.rs", "no newline");
    repo.write("a/many", "\n\n\n\n");
    repo.write("a/bom", "\u{feff}x\u{1b}[31m\n");
    repo.write("a b/ü `c`\nd", "odd name\n");
    repo.write("bin/data", b"\0\x01\xff");
    repo.write("bin/odd", b"caf\xe9\x01");
    repo.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    symlink("README.md", repo.path("link")).unwrap();
    repo.git(&["add", "-A"]).ok();
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{},sub", "1".repeat(40)),
    ])
    .ok();
    repo.git(&["commit", "-q", "-m", "texts"]).ok();
    repo
}

fn full_of(pack: &Path) -> PathBuf {
    let stamp = document(pack, "meta/PACK_INFO.json")["stamp"]
        .as_str()
        .unwrap()
        .to_owned();
    pack.join(format!("FULL/PRE-FULL-{stamp}.md"))
}

fn names(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn text(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path).unwrap()
}

/// Returns the position of each needle in a text, in the order given.
fn places(text: &str, needles: &[&str]) -> Vec<usize> {
    needles
        .iter()
        .map(|needle| text.find(needle).unwrap_or_else(|| panic!("no {needle} in {text}")))
        .collect()
}

#[test]
fn full_and_split_hold_every_text_in_the_order_of_the_configuration() {
    let repo = texts();
    let done = repo.pack(&["seal", "-o", "../pack"]).ok();
    assert!(
        done.stderr.contains("anchors: gone.md is not a text file in this pack"),
        "{}",
        done.stderr
    );
    let pack = repo.place.path().join("pack");
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    assert_eq!(
        document(&pack, "meta/PACK_INFO.json")["emit"],
        serde_json::json!(["full", "repo", "split"])
    );
    assert_eq!(names(&pack.join("FULL")).len(), 1);
    assert_eq!(
        names(&pack.join("SPLIT")),
        [
            "PRE-00_INDEX.md",
            "PRE-01_Z.md",
            "PRE-02_ROOT.md",
            "PRE-03_A.md",
            "PRE-04_A_B.md"
        ]
    );
    let full = text(full_of(&pack));
    assert!(full.starts_with("# A title\n\n- format: pack.full.v0\n- scope: repo\n- mode: public\n- commit: "));
    assert!(full.contains("## Read first\n\n- `z/first.md`\n- `README.md`\n\n## Not text\n"));
    let order = places(
        &full,
        &[
            "- `bin/data` · 3 B · binary · ",
            "- `bin/odd` · 5 B · binary · ",
            "- `link` · 9 B · link · ",
            "- `sub` · 40 B · submodule · ",
            "\n## `z/`\n\n### `z/first.md` · 6 B\n\n```md\nfirst\n```\n",
            "\n### `z/ticks` · 29 B\n\n```````\n`````` and",
            "\n## ROOT\n\n### `.gitpack.toml` · ",
            "\n### `README.md` · 32 B\n\n````md\n# Title",
            "\n### `run.sh` · 10 B · executable\n\n```sh\n",
            "\n## `a/`\n",
            "\n### `a/empty` · 0 B\n\n```\n```\n",
            "\n### `a/open.rs` · 10 B\n\n```rs\nno newline\n```\n",
            "\n## `a b/`\n\n### ``\"a b/ü `c`\\nd\"`` · 9 B\n",
        ],
    );
    assert!(order.is_sorted(), "{order:?}");
    let index = text(pack.join("SPLIT/PRE-00_INDEX.md"));
    assert!(index.contains("of the vocabulary o200k_base, counted by bpe-openai\n"));
    assert!(
        index.contains(
            "## Read first\n\n- `z/first.md` in PRE-01_Z.md · 6 B · 2 tokens\n- `README.md` in PRE-02_ROOT.md"
        )
    );
    assert!(index.contains("## PRE-03_A.md · `a/` · 5 of "));
    assert!(index.contains("- `a/empty` · 0 B · 0 tokens\n"));
    // Every member is listed, and sealing again gives the same pack.
    let listed = text(pack.join("meta/FILE_TREE.txt"));
    assert!(listed.contains("PRE-04_A_B.md") && listed.contains("PRE-FULL-"));
    repo.seal(&["-o", "../again"]);
    assert_eq!(snapshot(&pack), snapshot(&repo.place.path().join("again")));
}

#[test]
fn the_same_commit_gives_the_same_pack_from_a_fresh_clone() {
    let repo = texts();
    let (id, _) = repo.seal(&["-o", "../pack", "--emit", "full,split"]);
    let clone = repo.place.path().join("clone");
    let from = repo.root.to_str().unwrap();
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["clone", "-q", "--bare", from, clone.to_str().unwrap()],
        )
        .ok();
    let done = repo
        .place
        .pack_in(&clone, &["seal", "-o", "../pack2", "--emit", "split,full"])
        .ok();
    assert!(done.out().contains(&id), "{}", done.out());
}

#[test]
fn what_is_not_named_is_not_emitted() {
    let repo = texts();
    let top = |pack: &str| names(&repo.place.path().join(pack));
    for (emit, expected) in [
        ("repo", &["SEALED_ARTIFACTS.json", "manifest.json", "meta", "repo"][..]),
        ("lite", &["LITE", "SEALED_ARTIFACTS.json", "manifest.json", "meta"]),
        ("full", &["FULL", "SEALED_ARTIFACTS.json", "manifest.json", "meta"]),
        ("split", &["SEALED_ARTIFACTS.json", "SPLIT", "manifest.json", "meta"]),
    ] {
        let pack = format!("only-{emit}");
        let output = format!("../{pack}");
        repo.seal(&["-o", &output, "--emit", emit]);
        assert_eq!(top(&pack), expected);
        repo.pack(&["verify", &output, "--rev", "HEAD"]).ok();
    }
    // The default parts are not written down, so a pack of them stays the same as before parts existed.
    let info = document(&repo.place.path().join("only-repo"), "meta/PACK_INFO.json");
    assert_eq!(info.get("emit"), None);
    for (args, expected) in [
        (&["--emit", "ful"][..], "expected one of repo, lite, full and split"),
        (&["--emit", "full,full"], "\"full\" occurs twice"),
        (&["--emit", "full", "README.md"], "applies to tree packs"),
    ] {
        let refused = repo.pack(&[&["seal", "-o", "../no"], args].concat()).refused("E_USAGE");
        assert!(
            refused["refusal"]["message"].as_str().unwrap().contains(expected),
            "{refused}"
        );
    }
}

#[test]
fn limits_hold_before_anything_is_written() {
    let repo = Repo::empty();
    repo.write("big", noise(1, 3000));
    repo.write("small", "x");
    let limited = |limits: &str| {
        repo.write(
            ".gitpack.toml",
            format!("version = 1\n[scope.repo]\nlimits = {{ {limits} }}\n"),
        );
        repo.commit("limits");
        repo.pack(&["seal", "-o", "../out/pack"])
    };
    for (limits, limit, allowed, largest) in [
        ("max_entries = 2", "max_entries", 2, None),
        ("max_entry_bytes = 2999", "max_entry_bytes", 2999, Some(1)),
        ("max_entry_bytes = \"2.9KiB\"", "max_entry_bytes", 2969, Some(1)),
        ("max_total_bytes = \"3 kB\"", "max_total_bytes", 3000, Some(3)),
    ] {
        let refused = limited(limits).refused("E_LIMIT");
        let detail = &refused["refusal"]["detail"];
        assert_eq!((&detail["limit"], &detail["allowed"]), (&limit.into(), &allowed.into()));
        assert!(detail["found"].as_u64().unwrap() > allowed);
        assert_eq!(detail["largest"].as_array().unwrap().len(), largest.unwrap_or(0));
        if largest.is_some() {
            assert_eq!(detail["largest"][0], serde_json::json!({"path": "big", "bytes": 3000}));
        }
        assert!(!repo.place.path().join("out").exists());
    }
    limited("max_entries = 3, max_entry_bytes = 3000, max_total_bytes = \"1MiB\"").ok();
    // Limits apply to tree packs only, not to a state or to evidence.
    fs::remove_dir_all(repo.place.path().join("out")).unwrap();
    limited("max_entries = 0").refused("E_LIMIT");
    repo.pack(&["state"]).ok();
    repo.pack(&["seal", "small", "-o", "../evidence"]).ok();
}

#[test]
fn nothing_protected_is_in_the_texts() {
    let repo = Repo::set_up();
    let secret = "a secret that is text, and long enough to be found again, in any of its many lines\n".repeat(40);
    repo.write("embeddings/secret.vec", &secret);
    repo.write("keys/id", sample("private-key/openssh_ed25519"));
    repo.write("plain.txt", "plain\n");
    repo.git(&["add", "-Af"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
    for privacy in [&[][..], &["--opaque-names"]] {
        let out = format!("../pack{}", privacy.len());
        let (_, pack) = repo.seal(&[&["--emit", "full,split,repo", "-o", &out], privacy].concat());
        repo.pack(&["verify", &out, "--rev", "HEAD"]).ok();
        let key = String::from_utf8(sample("private-key/openssh_ed25519")).unwrap();
        for (path, _, bytes) in snapshot(&pack) {
            let text = String::from_utf8_lossy(&bytes);
            for run in secret.as_bytes()[..200].windows(32) {
                assert!(!bytes.windows(32).any(|w| w == run), "{}", path.display());
            }
            assert!(
                key.lines()
                    .filter(|line| line.len() > 32)
                    .all(|line| !text.contains(line))
            );
            if path.starts_with("FULL") || path.starts_with("SPLIT") {
                assert!(
                    !text.contains("secret.vec") && !text.contains("keys/id"),
                    "{}",
                    path.display()
                );
            }
        }
    }
}

/// Changes the text of a pack that has only FULL, and recomputes everything that depends on it, as a clever forger
/// would.
fn forge(pack: &Path, path: [&str; 2], content: [&str; 2]) {
    let old = names(&pack.join("FULL")).remove(0);
    let old = pack.join("FULL").join(old);
    let full = text(&old);
    let mut state: RepoState = serde_json::from_value(document(pack, "meta/REPO_STATE.json")).unwrap();
    let before = state.digest();
    let file = state.files.iter_mut().find(|file| *file.path == *path[0]).unwrap();
    file.path = path[1].into();
    file.hash = Digest::of(content[1].as_bytes());
    let sizes = [file.size, content[1].len() as u64];
    file.size = sizes[1];
    state.files.sort_by(|a, b| a.path.cmp(&b.path));
    let total = |state: &RepoState| state.files.iter().map(|file| file.size).sum::<u64>();
    let (after, bytes) = (state.digest(), total(&state));
    let full = full
        .replace(&before.to_string(), &after.to_string())
        .replace(
            &format!("of {} B\n", bytes + sizes[0] - sizes[1]),
            &format!("of {bytes} B\n"),
        )
        .replace(
            &format!(
                "### `{}` · {} B\n\n```{}\n{}",
                path[0],
                sizes[0],
                ending(path[0]),
                content[0]
            ),
            &format!(
                "### `{}` · {} B\n\n```{}\n{}",
                path[1],
                sizes[1],
                ending(path[1]),
                content[1]
            ),
        );
    fs::remove_file(&old).unwrap();
    let stamp = &after.hex()[..12];
    fs::write(pack.join(format!("FULL/REPO-FULL-{stamp}.md")), full).unwrap();
    fs::write(pack.join("meta/REPO_STATE.json"), to_document(&state)).unwrap();
    let mut info = document(pack, "meta/PACK_INFO.json");
    info["stamp"] = stamp.into();
    fs::write(pack.join("meta/PACK_INFO.json"), to_document(&info)).unwrap();
    recompute(pack);
}

fn ending(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, ending)| ending)
}

#[test]
fn a_text_that_the_registry_protects_is_a_leak_wherever_it_stands() {
    let repo = Repo::empty();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[[protect]]\nclass = \"notes\"\npaths = [\"*.md\"]\n",
    );
    repo.write("b.txt", "text\n");
    repo.commit("one");
    // The pack chooses the names of its files, so a rule for *.md does not apply to them, only to entries.
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "full"]);
    assert_eq!(codes(&pack), []);
    let key = String::from_utf8(sample("private-key/openssh_ed25519")).unwrap();
    for (name, path, content, leak) in [
        ("same", "c.txt", "other\n", false),
        ("path", "c.vec", "text\n", true),
        ("rule", "c.md", "text\n", true),
        ("content", "c.txt", key.as_str(), true),
    ] {
        let forged = repo.place.path().join(name);
        copy_tree(&pack, &forged);
        forge(&forged, ["b.txt", path], ["text\n", content]);
        let found = codes(&forged);
        assert_eq!(
            found.iter().map(|(_, code)| *code).collect::<Vec<_>>(),
            vec!["PLAINTEXT_LEAK"; leak.into()],
            "{found:?}"
        );
        assert!(found.iter().all(|(path, _)| path.starts_with("FULL/")));
    }
}

#[test]
fn an_internal_pack_has_the_texts_that_only_insiders_get() {
    let repo = Repo::set_up();
    let config = text(repo.path(".gitpack.toml"));
    let rule = format!("{config}\n[[protect]]\nclass = \"notes\"\npaths = [\"notes/\"]\npolicy = \"internal\"\n");
    repo.write(".gitpack.toml", rule);
    repo.write("notes/a.txt", "for us\n");
    repo.commit("notes");
    for (mode, has) in [("public", false), ("internal", true)] {
        let output = format!("../{mode}");
        let (_, pack) = repo.seal(&["--emit", "full,split", "--mode", mode, "-o", &output]);
        assert_eq!(codes(&pack), []);
        repo.pack(&["verify", &output, "--rev", "HEAD"]).ok();
        let full = pack.join("FULL").join(names(&pack.join("FULL")).remove(0));
        assert_eq!(text(full).contains("for us"), has, "{mode}");
        assert_eq!(pack.join("SPLIT/REPO-02_NOTES.md").exists(), has);
    }
}

#[test]
fn an_allowed_link_under_a_protected_name_made_the_list_of_a_full_text_a_leak() {
    let repo = Repo::set_up();
    std::os::unix::fs::symlink("target", repo.path("link.vec")).unwrap();
    repo.git(&["add", "--force", "link.vec"]).ok();
    let blob = repo.git(&["rev-parse", ":link.vec"]).ok().out();
    let config = text(repo.path(".gitpack.toml"));
    let allow = format!(
        "{config}\n[[allow]]\nblob = \"{}\"\nreason = \"a sample\"\n",
        blob.trim()
    );
    repo.write(".gitpack.toml", allow);
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "a link"]).ok();
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "full"]);
    let full = pack.join("FULL").join(names(&pack.join("FULL")).remove(0));
    assert!(text(full).contains("- `link.vec` · 6 B · link"));
    assert_eq!(codes(&pack), []);
}

#[test]
fn a_blob_that_may_stand_in_plaintext_may_stand_in_the_texts() {
    let repo = Repo::set_up();
    repo.write("fixtures/id", sample("private-key/openssh_ed25519"));
    let blob = repo.git(&["hash-object", "-w", "fixtures/id"]).ok().out();
    let config = text(repo.path(".gitpack.toml"));
    let allow = format!(
        "{config}\n[[allow]]\nblob = \"{}\"\nreason = \"a sample\"\n",
        blob.trim()
    );
    repo.write(".gitpack.toml", allow);
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "a sample"]).ok();
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "full,split"]);
    assert_eq!(codes(&pack), []);
}

/// Changes a copy of the pack, recomputes what a forger would, and returns the findings.
fn with(repo: &Repo, pack: &Path, change: impl FnOnce(&Path)) -> Vec<(String, &'static str)> {
    let forged = repo.place.path().join("forged");
    drop(fs::remove_dir_all(&forged));
    copy_tree(pack, &forged);
    change(&forged);
    recompute(&forged);
    let mut found = codes(&forged);
    found.dedup();
    found
}

#[test]
fn what_is_not_made_of_the_state_is_found() {
    let repo = texts();
    let (_, all) = repo.seal(&["-o", "../all"]);
    let (_, only_full) = repo.seal(&["-o", "../full", "--emit", "full"]);
    let (_, only_split) = repo.seal(&["-o", "../split", "--emit", "split"]);
    let replace = |path: PathBuf, from: &str, to: &str| {
        let before = text(&path);
        assert!(before.contains(from), "{from} in {}", path.display());
        fs::write(&path, before.replacen(from, to, 1)).unwrap();
    };
    for pack in [&all, &only_full] {
        let name = format!("FULL/{}", full_of(pack).file_name().unwrap().to_str().unwrap());
        for (from, to, code) in [
            ("no newline", "NO newline", "SCHEMA_VIOLATION"),
            ("- commit: ", "- commit: 0", "REPO_STATE_MISMATCH"),
            ("# A title", "# Another", "REPO_STATE_MISMATCH"),
            ("### `a/empty`", "### `../empty`", "SCHEMA_VIOLATION"),
            ("### `a/many`", "### `a/empty`", "SCHEMA_VIOLATION"),
            ("```rs\n", "````rs\n", "SCHEMA_VIOLATION"),
            (" · executable", "", "REPO_STATE_MISMATCH"),
            ("· binary ·", "· binary, executable ·", "REPO_STATE_MISMATCH"),
        ] {
            let found = with(&repo, pack, |forged| replace(full_of(forged), from, to));
            assert_eq!(found[0], (name.clone(), code), "{to}: {found:?}");
        }
        let stamped = with(&repo, pack, |forged| {
            fs::rename(full_of(forged), forged.join("FULL/PRE-FULL-0123456789ab.md")).unwrap();
        });
        let renamed = ("FULL/PRE-FULL-0123456789ab.md".to_owned(), "REPO_STATE_MISMATCH");
        assert_eq!(stamped[0], renamed);
        assert_eq!(stamped[1], ("meta/PACK_INFO.json".to_owned(), "SCHEMA_VIOLATION"));
        let missing = with(&repo, pack, |forged| fs::remove_file(full_of(forged)).unwrap());
        assert!(
            missing.contains(&("meta/PACK_INFO.json".to_owned(), "SCHEMA_VIOLATION")),
            "{missing:?}"
        );
    }
    // Even without FULL to compare with, a forged scope cannot add a line to the head of the list.
    let scoped = with(&repo, &only_split, |forged| {
        for member in ["meta/PACK_INFO.json", "meta/REPO_STATE.json"] {
            let mut edited = document(forged, member);
            edited["scope"] = "repo\n- more: x".into();
            fs::write(forged.join(member), to_document(&edited)).unwrap();
        }
    });
    assert!(
        scoped.contains(&("meta/REPO_STATE.json".to_owned(), "SCHEMA_VIOLATION")),
        "{scoped:?}"
    );
    for pack in [&all, &only_split] {
        for (member, from, to, code) in [
            ("SPLIT/PRE-00_INDEX.md", "0 tokens", "1 tokens", "SCHEMA_VIOLATION"),
            (
                "SPLIT/PRE-00_INDEX.md",
                "- `z/first.md` in PRE-01_Z.md · 6 B · 2 tokens\n",
                "",
                "SCHEMA_VIOLATION",
            ),
            ("SPLIT/PRE-00_INDEX.md", "o200k_base", "cl100k_base", "SCHEMA_VIOLATION"),
            ("SPLIT/PRE-03_A.md", "no newline", "NO newline", "REPO_STATE_MISMATCH"),
            ("SPLIT/PRE-03_A.md", "pack.split.v0", "pack.full.v0", "SCHEMA_VIOLATION"),
        ] {
            let found = with(&repo, pack, |forged| replace(forged.join(member), from, to));
            let only_anchors = to.is_empty() && pack == &only_split;
            assert_eq!(
                found.iter().any(|(_, found)| *found == code),
                !only_anchors,
                "{member} {to}: {found:?}"
            );
        }
        let gone = with(&repo, pack, |forged| {
            fs::remove_file(forged.join("SPLIT/PRE-03_A.md")).unwrap()
        });
        assert!(gone.iter().any(|(path, _)| path == "SPLIT/PRE-00_INDEX.md"), "{gone:?}");
        let renamed = with(&repo, pack, |forged| {
            fs::rename(forged.join("SPLIT/PRE-03_A.md"), forged.join("SPLIT/PRE-09_A.md")).unwrap();
        });
        assert!(!renamed.is_empty());
    }
    // A part that the pack does not declare must be absent; copies are all there or none is.
    for (pack, member) in [
        (&only_full, "SPLIT/x.md"),
        (&only_split, "FULL/x.md"),
        (&only_full, "repo/README.md"),
    ] {
        let found = with(&repo, pack, |forged| common::write(&forged.join(member), "x"));
        assert!(!found.is_empty(), "{member}");
    }
    let one_copy = with(&repo, &all, |forged| {
        fs::remove_file(forged.join("repo/README.md")).unwrap()
    });
    assert_eq!(one_copy, [("README.md".to_owned(), "REPO_STATE_MISMATCH")]);
    for emit in [
        r#"["repo"]"#,
        r#"["split","full"]"#,
        "[]",
        r#"["full","full"]"#,
        r#"["light"]"#,
    ] {
        let found = with(&repo, &only_full, |forged| {
            let mut info = document(forged, "meta/PACK_INFO.json");
            info["emit"] = serde_json::from_str::<Value>(emit).unwrap();
            fs::write(forged.join("meta/PACK_INFO.json"), to_document(&info)).unwrap();
        });
        assert!(
            found.contains(&("meta/PACK_INFO.json".to_owned(), "SCHEMA_VIOLATION")),
            "{emit}: {found:?}"
        );
    }
}

/// Runs `verify --rev HEAD` and returns path, code and detail of each finding.
fn against_head(repo: &Repo, pack: &Path) -> Vec<[String; 3]> {
    let done = repo.pack(&["verify", pack.to_str().unwrap(), "--rev", "HEAD", "--json"]);
    let report: Value = serde_json::from_str(&done.out()).unwrap();
    let field = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    let findings = report["invalid"].as_array().unwrap().iter();
    findings
        .map(|finding| ["path", "code", "detail"].map(|key| field(finding, key)))
        .collect()
}

#[test]
fn another_layout_than_that_of_the_commit_is_found() {
    let repo = Repo::empty();
    let configure = |prefix: &str, buckets: &str, anchors: &str, title: &str| {
        let config = format!(
            "version = 1\n[scope.repo]\nexclude = [\".gitpack.toml\"]\nprefix = \"{prefix}\"\nbuckets = [{buckets}]\n\
             anchors = [{anchors}]\ntitle = \"{title}\"\n"
        );
        repo.write(".gitpack.toml", config);
        repo.commit("configuration");
    };
    repo.write("a/x", "a\n");
    repo.write("z/x", "z\n");
    repo.write("top", "top\n");
    configure("PRE", r#""z""#, r#""z/x", "gone", "top""#, "A title");
    let (_, full) = repo.seal(&["-o", "../full", "--emit", "full"]);
    let (_, split) = repo.seal(&["-o", "../split", "--emit", "split"]);
    let (_, copies) = repo.seal(&["-o", "../copies", "--emit", "repo"]);
    let full_file = format!("FULL/{}", full_of(&full).file_name().unwrap().to_str().unwrap());
    let full_file = full_file.as_str();
    let list = "SPLIT/PRE-00_INDEX.md";
    let (state, schema) = ("REPO_STATE_MISMATCH", "SCHEMA_VIOLATION");
    let first = |found: &str, expected: &str| {
        format!("anchor 2: found {found}, but the commit's configuration says {expected}")
    };
    let named = |name: &str| format!("by the commit's configuration, expected the name SPLIT/{name}");
    let prefix = "its name begins with PRE, but the commit's configuration says POST".to_owned();
    let title = "title is \"A title\", but the commit's configuration says \"Another\"".to_owned();
    let info = [("meta/PACK_INFO.json", schema, title)];
    type Expected<'a> = Vec<(&'a str, &'a str, String)>;
    let cases: Vec<([&str; 4], Expected<'_>, Expected<'_>, Expected<'_>)> = vec![
        // An anchor that is not a text changes nothing, and neither does a bucket without texts.
        (
            ["PRE", r#""none", "z""#, r#""z/x", "top""#, "A title"],
            vec![],
            vec![],
            vec![],
        ),
        (
            ["POST", r#""z""#, r#""z/x", "top""#, "A title"],
            vec![(full_file, state, prefix.clone())],
            vec![
                (list, state, prefix),
                ("SPLIT/PRE-01_Z.md", state, named("POST-01_Z.md")),
                ("SPLIT/PRE-02_ROOT.md", state, named("POST-02_ROOT.md")),
                ("SPLIT/PRE-03_A.md", state, named("POST-03_A.md")),
            ],
            vec![],
        ),
        (
            ["PRE", r#""z", "a""#, r#""z/x", "top""#, "A title"],
            vec![(
                full_file,
                state,
                "section 2: found ROOT, but the commit's configuration says a/".into(),
            )],
            vec![
                ("SPLIT/PRE-02_ROOT.md", state, named("PRE-03_ROOT.md")),
                ("SPLIT/PRE-03_A.md", state, named("PRE-02_A.md")),
            ],
            vec![],
        ),
        (
            ["PRE", r#""z""#, r#""z/x""#, "A title"],
            vec![(full_file, state, first("top", "nothing"))],
            vec![(list, state, first("top", "nothing"))],
            vec![],
        ),
        (
            ["PRE", r#""z""#, r#""z/x", "a/x", "top""#, "A title"],
            vec![(full_file, state, first("top", "a/x"))],
            vec![(list, state, first("top", "a/x"))],
            vec![],
        ),
        (
            ["PRE", r#""z""#, r#""z/x", "top""#, "Another"],
            info.to_vec(),
            info.to_vec(),
            info.to_vec(),
        ),
    ];
    for ([prefix, buckets, anchors, title], in_full, in_split, in_copies) in cases {
        configure(prefix, buckets, anchors, title);
        for (pack, expected) in [(&full, in_full), (&split, in_split), (&copies, in_copies)] {
            assert_eq!(codes(pack), []);
            let expected: Vec<_> = expected
                .into_iter()
                .map(|(path, code, detail)| [path.into(), code.into(), detail])
                .collect();
            assert_eq!(against_head(&repo, pack), expected, "{buckets} {anchors}");
        }
    }
}

#[test]
fn a_forged_list_of_what_to_read_first_is_found() {
    let repo = texts();
    let (_, pack) = repo.seal(&["-o", "../split", "--emit", "split"]);
    let list = "SPLIT/PRE-00_INDEX.md";
    let first = "- `z/first.md` in PRE-01_Z.md · 6 B · 2 tokens\n";
    let forged = |from: &str, to: &str| {
        let found = with(&repo, &pack, |forged| {
            let before = text(forged.join(list));
            assert!(before.contains(from));
            fs::write(forged.join(list), before.replacen(from, to, 1)).unwrap();
        });
        let forged = repo.place.path().join("forged");
        (found, against_head(&repo, &forged))
    };
    // Only the commit shows which list the configuration asks for.
    let (found, compared) = forged(first, "");
    assert_eq!(found, []);
    let what = "anchor 1: found README.md, but the commit's configuration says z/first.md";
    assert_eq!(compared, [[list, "REPO_STATE_MISMATCH", what].map(str::to_owned)]);
    // The pack itself shows that anchors are texts and that each occurs once.
    for to in [
        format!("{first}{first}"),
        first.replace("z/first.md", "bin/data"),
        first.replace("z/first.md", "z/none"),
    ] {
        let (found, compared) = forged(first, &to);
        assert_eq!(found, [(list.to_owned(), "SCHEMA_VIOLATION")], "{to}");
        let what = "an anchor is not among the texts, or occurs twice";
        assert!(compared.contains(&[list, "SCHEMA_VIOLATION", what].map(str::to_owned)));
    }
}

#[test]
fn the_texts_of_one_bucket_are_in_one_file() {
    let repo = Repo::empty();
    for path in ["a/x", "a/y"] {
        repo.write(path, format!("{path}\n"));
    }
    repo.write(
        ".gitpack.toml",
        "version = 1\n[scope.repo]\nexclude = [\".gitpack.toml\"]\n",
    );
    repo.commit("one");
    let (_, pack) = repo.seal(&["-o", "../split", "--emit", "split"]);
    let found = with(&repo, &pack, |forged| {
        let whole = text(forged.join("SPLIT/REPO-01_A.md"));
        let (x, y) = (whole.find("\n### `a/x`").unwrap(), whole.find("\n### `a/y`").unwrap());
        let top = whole[..x].replace("texts: 2 of 8 B", "texts: 1 of 4 B");
        fs::write(forged.join("SPLIT/REPO-01_A.md"), format!("{top}{}", &whole[x..y])).unwrap();
        fs::write(forged.join("SPLIT/REPO-02_A.md"), format!("{top}{}", &whole[y..])).unwrap();
        let list = text(forged.join("SPLIT/REPO-00_INDEX.md"));
        let tokens = list.rsplit(" · ").next().unwrap().trim_end();
        let at = list.find("\n## REPO-01_A.md").unwrap();
        let part = |number: u64, path: &str| {
            format!("\n## REPO-0{number}_A.md · `a/` · 1 of 4 B · {tokens}\n\n- `{path}` · 4 B · {tokens}\n")
        };
        let list = format!("{}{}{}", &list[..at], part(1, "a/x"), part(2, "a/y"));
        fs::write(forged.join("SPLIT/REPO-00_INDEX.md"), list).unwrap();
    });
    assert_eq!(found, [("SPLIT/REPO-00_INDEX.md".to_owned(), "SCHEMA_VIOLATION")]);
}

#[test]
fn the_texts_come_back_from_full_and_prove_that_they_are_the_commit() {
    let repo = texts();
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "full"]);
    let file = full_of(&pack);
    let state = repo.pack(&["state"]).ok().out();
    for (from, output) in [("../pack", "../one"), (file.to_str().unwrap(), "../two")] {
        let done = repo.pack(&["restore", from, "--from-full", "-o", output]).ok();
        let root = repo.place.path().join(&output[3..]);
        let out = done.out();
        let (count, digest) = out.trim_end().split_once('\n').unwrap();
        assert_eq!(count, "RESTORED 11");
        // The digest covers the lines of `state --files` without those of files that are not text.
        let lines = repo.pack(&["state", "--files", "-z"]).ok().stdout;
        let mut kept = Vec::new();
        for line in lines.split(|b| *b == 0).filter(|line| !line.is_empty()) {
            if !["bin/data", "bin/odd", "link", "sub"]
                .iter()
                .any(|path| line.ends_with(format!(" {path}").as_bytes()))
            {
                kept.extend_from_slice(line);
                kept.push(b'\n');
            }
        }
        assert_eq!(digest, Digest::of(&kept).to_string());
        assert!(
            done.stderr.contains("4 entries that are not text are left out"),
            "{}",
            done.stderr
        );
        assert!(
            done.stderr.contains(state.trim()) && done.stderr.contains("bin/odd"),
            "{}",
            done.stderr
        );
        let files = snapshot(&root)
            .into_iter()
            .filter(|(_, mode, _)| mode & 0o170000 == 0o100000);
        for (path, mode, bytes) in files {
            let original = repo.root.join(&path);
            assert_eq!(fs::read(&original).unwrap(), bytes, "{}", path.display());
            let executable = |mode: u32| mode & 0o100 != 0;
            assert_eq!(
                executable(mode),
                executable(fs::metadata(original).unwrap().permissions().mode())
            );
        }
    }
}

#[test]
fn what_cannot_be_restored_is_refused_and_leaves_nothing() {
    let repo = texts();
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "full"]);
    let (_, without) = repo.seal(&["-o", "../without", "--emit", "split"]);
    let restore =
        |from: &Path, output: &str| repo.pack(&["restore", from.to_str().unwrap(), "--from-full", "-o", output]);
    let refused = restore(&without, "../out").refused("E_USAGE");
    assert!(
        refused["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("no member under FULL/")
    );
    restore(&pack, "../pack/out").refused("E_USAGE");
    restore(Path::new("../absent"), "../out").refused("E_IO");
    restore(&repo.path("README.md"), "../out").refused("E_BAD_PACK");
    let file = full_of(&pack);
    for (from, to) in [
        ("### `a/open.rs`", "### `a/../../open.rs`"),
        ("no newline", "NO newline"),
        ("### `a/open.rs` · 10 B", "### `a/open.rs` · 9 B"),
    ] {
        let hostile = repo.place.path().join("hostile.md");
        fs::write(&hostile, text(&file).replacen(from, to, 1)).unwrap();
        restore(&hostile, "../out").refused("E_BAD_PACK");
        assert!(!repo.place.path().join("out").exists() && !repo.place.path().join("open.rs").exists());
    }
    fs::write(&file, format!("{}x", text(&file))).unwrap();
    let refused = restore(&pack, "../out").refused("E_BAD_PACK");
    assert!(
        refused["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("does not verify")
    );
    common::write(&repo.place.path().join("mine/file"), "mine");
    restore(&pack, "../mine").refused("E_IO");
    assert!(
        names(repo.place.path())
            .iter()
            .all(|name| !name.starts_with(".git-pack-staging"))
    );
}

/// Makes the repository of the example in docs/format.md.
fn example() -> Repo {
    let repo = Repo::empty();
    repo.write(
        ".gitpack.toml",
        "version = 1\n[scope.repo]\ntitle = \"My project\"\nexclude = [\".gitpack.toml\"]\nanchors = [\"README.md\"]\n",
    );
    repo.write("README.md", "# Title\n\n```sh\n# no heading\n```\n");
    repo.write("logo.png", b"\x89PNG\r\n\x1a\n\0");
    repo.write("src/main.rs", "fn main() { println!(\"x\") }");
    repo.write("src/run", "#!/bin/sh\n");
    fs::set_permissions(repo.path("src/run"), fs::Permissions::from_mode(0o755)).unwrap();
    repo.commit("example");
    repo
}

#[test]
fn the_examples_of_the_specification_are_real() {
    let repo = example();
    let (_, pack) = repo.seal(&["--emit", "full,split"]);
    let specification = text(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/format.md"));
    for (directory, fence) in [("FULL", "``````"), ("SPLIT", "```")] {
        let file = pack.join(directory).join(names(&pack.join(directory)).remove(0));
        let example = format!("\n{fence}\n{}{fence}\n", text(&file));
        assert!(
            specification.contains(&example),
            "docs/format.md does not have this example:\n{example}"
        );
    }
}
