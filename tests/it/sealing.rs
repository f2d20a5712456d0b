//! Which files of a repository are sealed and which stay in the clear: by name, by content, by mode, by configuration.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::common;
use crate::common::packs::{codes, declared, declared_paths, document, opened, sample};
use crate::common::{Place, Repo, noise};

/// Files with innocent names: path, content, class and rule.
const BY_CONTENT: [(&str, &str, &str, &str); 5] = [
    ("assets/logo.png", "faiss/flat_ip", "vector", "content: faiss"),
    (
        "data/archive.zip",
        "layers/zip/faiss/deflated.zip",
        "vector",
        "content: faiss",
    ),
    ("data/table.dat", "hnsw/l2", "vector", "content: hnsw"),
    (
        "docs/notes.txt",
        "private-key/openssh_ed25519",
        "key",
        "content: private-key",
    ),
    (
        "weights.bin",
        "safetensors/two_tensors",
        "weights",
        "content: safetensors",
    ),
];

fn with_content(repo: &Repo) {
    for (path, content, ..) in BY_CONTENT {
        repo.write(path, sample(content));
    }
}

/// Commits everything without the hooks, which would refuse.
fn commit_all(repo: &Repo) {
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "all"]).ok();
}

fn configure(repo: &Repo, more: &str) {
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", format!("{config}\n{more}"));
    repo.git(&["commit", "-q", "--no-verify", "-m", "configured", "--", ".gitpack.toml"])
        .ok();
}

/// Asserts that a pack verifies, alone and against a commit.
#[track_caller]
fn verifies(repo: &Repo, pack: &Path, rev: &str) {
    assert_eq!(codes(pack), []);
    repo.pack(&["verify", pack.to_str().unwrap(), "--rev", rev]).ok();
}

fn base(path: &str) -> &str {
    Path::new(path).file_name().unwrap().to_str().unwrap()
}

#[test]
fn what_content_makes_protected_is_sealed_whatever_its_name_is() {
    let repo = Repo::set_up();
    with_content(&repo);
    repo.write("assets/picture.png", noise(3, 2000));
    commit_all(&repo);
    let (_, pack) = repo.seal(&[]);
    let expected: Vec<[String; 4]> = BY_CONTENT
        .map(|(path, _, class, rule)| [path, class, "never", rule].map(str::to_owned))
        .to_vec();
    assert_eq!(declared(&pack), expected);
    for (path, content, ..) in BY_CONTENT {
        assert!(!pack.join("repo").join(path).exists(), "{path}");
        assert_eq!(opened(&repo, &pack.join(format!("sealed/{path}.age"))), sample(content));
    }
    assert!(pack.join("repo/assets/picture.png").exists());
    verifies(&repo, &pack, "HEAD");
    // The state of the public mode leaves out the same files, and no others.
    let digest = repo.pack(&["state", "--mode", "public"]).ok().out();
    let state = fs::read(pack.join("meta/REPO_STATE.json")).unwrap();
    let state: gitpack::format::repo_state::RepoState = serde_json::from_slice(&state).unwrap();
    assert_eq!(state.digest().to_string(), digest.trim());
    let listed = repo.pack(&["state", "--mode", "public", "--files"]).ok().out();
    for (path, ..) in BY_CONTENT {
        assert!(!listed.contains(path), "{path}");
        assert!(repo.pack(&["state", "--files"]).ok().out().contains(path));
    }
    assert!(listed.contains("assets/picture.png"));
    // Another clone reaches the same verdicts.
    let url = format!("file://{}", repo.root.display());
    let parent = repo.place.path();
    repo.place.run(parent, "git", &["clone", "-q", &url, "clone"]).ok();
    let clone = parent.join("clone");
    repo.place.pack_in(&clone, &["seal", "-o", "../of-clone"]).ok();
    assert_eq!(declared(&parent.join("of-clone")), expected);
}

#[test]
fn untracked_content_is_sealed_when_it_is_attached() {
    let repo = Repo::set_up();
    with_content(&repo);
    let attach: Vec<&str> = BY_CONTENT.iter().flat_map(|(path, ..)| ["--attach", *path]).collect();
    let (_, pack) = repo.seal(&attach);
    let expected: Vec<[String; 4]> = BY_CONTENT
        .map(|(path, _, class, rule)| [path, class, "never", rule].map(str::to_owned))
        .to_vec();
    assert_eq!(declared(&pack), expected);
    verifies(&repo, &pack, "HEAD");
}

#[test]
fn evidence_is_judged_by_content_on_disk_and_in_a_commit() {
    let repo = Repo::set_up();
    with_content(&repo);
    repo.write("data/plain.txt", "nothing");
    commit_all(&repo);
    let sealed = |pack: &Path| {
        let artifacts = declared(pack).into_iter();
        artifacts
            .map(|[path, class, _, rule]| (path, class, rule))
            .collect::<Vec<_>>()
    };
    let mut expected: Vec<(String, String, String)> = BY_CONTENT
        .map(|(path, _, class, rule)| {
            let path = if path.starts_with("data/") { path } else { base(path) };
            (path.into(), class.into(), rule.into())
        })
        .to_vec();
    expected.sort();
    let named = ["assets/logo.png", "data", "docs/notes.txt", "weights.bin"];
    for (rev, output) in [(&[][..], "../disk"), (&["--rev", "HEAD"], "../commit")] {
        let (_, pack) = repo.seal(&[rev, &named, &["-o", output]].concat());
        assert_eq!(sealed(&pack), expected, "{output}");
        assert_eq!(fs::read(pack.join("data/plain.txt")).unwrap(), b"nothing");
        for (path, content, ..) in BY_CONTENT {
            let path = if path.starts_with("data/") { path } else { base(path) };
            assert!(!pack.join(path).exists(), "{path}");
            assert_eq!(opened(&repo, &pack.join(format!("sealed/{path}.age"))), sample(content));
        }
        assert_eq!(codes(&pack), []);
        if !rev.is_empty() {
            verifies(&repo, &pack, "HEAD");
        }
    }
}

#[test]
fn an_allowed_blob_stays_in_the_clear_and_the_same_format_elsewhere_does_not() {
    let repo = Repo::set_up();
    with_content(&repo);
    repo.write("released.vec", sample("faiss/flat_l2"));
    commit_all(&repo);
    let blob = |path: &str| repo.rev(&format!("HEAD:{path}"));
    let allow = |path: &str| format!("[[allow]]\nblob = \"{}\"\nreason = \"a sample\"\n", blob(path));
    configure(
        &repo,
        &[allow("assets/logo.png"), allow("docs/notes.txt"), allow("released.vec")].concat(),
    );
    let (_, pack) = repo.seal(&[]);
    assert_eq!(
        declared_paths(&pack),
        ["data/archive.zip", "data/table.dat", "weights.bin"]
    );
    assert_eq!(
        fs::read(pack.join("repo/assets/logo.png")).unwrap(),
        sample("faiss/flat_ip")
    );
    assert!(pack.join("repo/docs/notes.txt").exists() && pack.join("repo/released.vec").exists());
    verifies(&repo, &pack, "HEAD");
    let files = ["assets/logo.png", "released.vec", "data/table.dat"];
    for (rev, output) in [(&[][..], "../disk"), (&["--rev", "HEAD"], "../commit")] {
        let (_, pack) = repo.seal(&[rev, &files, &["-o", output]].concat());
        assert!(
            pack.join("logo.png").exists() && pack.join("released.vec").exists(),
            "{output}"
        );
        assert_eq!(declared_paths(&pack), ["table.dat"]);
        assert_eq!(codes(&pack), []);
    }
    // An exception releases the blob, not the name.
    repo.write("assets/logo.png", sample("faiss/flat_l2"));
    let (_, pack) = repo.seal(&["assets/logo.png", "released.vec", "-o", "../another"]);
    assert!(
        pack.join("logo.png").exists(),
        "the same blob under another name is allowed too"
    );
    repo.write("assets/logo.png", sample("faiss/pq"));
    let (_, pack) = repo.seal(&["assets/logo.png", "released.vec", "-o", "../changed"]);
    assert_eq!(declared_paths(&pack), ["logo.png"]);
}

#[test]
fn what_only_claims_to_be_sealed_is_refused_and_what_is_sealed_stays_as_it_is() {
    let repo = Repo::set_up();
    repo.write("sealed-already.vec.age", sample("age/binary"));
    repo.write("armoured.age", sample("age/armored"));
    commit_all(&repo);
    for (pack, place) in [
        (repo.seal(&[]).1, "repo"),
        (
            repo.seal(&["sealed-already.vec.age", "armoured.age", "-o", "../evidence"])
                .1,
            "",
        ),
    ] {
        assert_eq!(declared_or_none(&pack), [] as [&str; 0]);
        for (path, content) in [
            ("sealed-already.vec.age", "age/binary"),
            ("armoured.age", "age/armored"),
        ] {
            assert_eq!(fs::read(pack.join(place).join(path)).unwrap(), sample(content));
        }
        assert_eq!(codes(&pack), []);
    }
    for content in [sample("age/fake"), noise(4, 3000), sample("age/binary")[..190].to_vec()] {
        repo.write("data/fake.age", content);
        commit_all(&repo);
        fs::remove_dir_all(repo.path("_PACK_RUN")).unwrap_or_default();
        for args in [
            &["seal"][..],
            &["seal", "data", "-o", "../fake"],
            &["seal", "data/fake.age", "-o", "../fake"],
            &["seal", "--rev", "HEAD", "data", "-o", "../fake"],
        ] {
            for mode in ["public", "internal"] {
                let value = repo
                    .pack(&[args, &["--mode", mode]].concat())
                    .refused("E_PLAINTEXT_LEAK");
                let message = value["refusal"]["message"].as_str().unwrap();
                assert!(message.contains("fake.age"), "{message}");
            }
        }
        assert!(!repo.path("_PACK_RUN").exists() && !repo.place.path().join("fake").exists());
    }
}

fn declared_or_none(pack: &Path) -> Vec<String> {
    match pack.join("SEALED_ARTIFACTS.json").exists() {
        true => declared_paths(pack),
        false => Vec::new(),
    }
}

const NOTES: &str = "[[protect]]\nclass = \"notes\"\npaths = [\"*.notes\"]\npolicy = \"internal\"\n";

#[test]
fn internal_leaves_in_the_clear_what_is_internal_and_public_seals_both() {
    let repo = Repo::set_up();
    configure(&repo, NOTES);
    repo.write("plan.notes", "for insiders");
    repo.write("index.vec", noise(5, 3000));
    repo.write("data/logo.png", sample("faiss/flat_ip"));
    commit_all(&repo);
    let artifacts = ["plan.notes", "index.vec", "data"];
    for (mode, sealed) in [
        ("public", &["data/logo.png", "index.vec", "plan.notes"][..]),
        ("internal", &["data/logo.png", "index.vec"]),
    ] {
        let flag = ["--mode", mode];
        let tree = repo.seal(&[&flag[..], &["-o", &format!("../tree-{mode}")]].concat()).1;
        assert_eq!(document(&tree, "meta/PACK_INFO.json")["mode"], mode);
        let digest = repo.pack(&["state", "--mode", mode]).ok().out();
        let stamp = document(&tree, "meta/PACK_INFO.json")["stamp"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(digest.starts_with(&format!("sha256:{stamp}")), "{mode}");
        let disk = repo
            .seal(&[&artifacts[..], &flag, &["-o", &format!("../disk-{mode}")]].concat())
            .1;
        let commit = ["--rev", "HEAD", "-o", &format!("../commit-{mode}")];
        let commit = repo.seal(&[&artifacts[..], &flag, &commit].concat()).1;
        for (pack, place) in [(&tree, "repo"), (&disk, ""), (&commit, "")] {
            assert_eq!(document(pack, "SEALED_ARTIFACTS.json")["mode"], mode);
            let mut paths = declared_paths(pack);
            paths.sort();
            assert_eq!(paths, sealed, "{mode} {}", pack.display());
            assert_eq!(pack.join(place).join("plan.notes").exists(), mode == "internal");
            assert!(!pack.join(place).join("index.vec").exists());
            assert_eq!(codes(pack), [], "{mode} {}", pack.display());
        }
        verifies(&repo, &tree, "HEAD");
        verifies(&repo, &commit, "HEAD");
        let state = fs::read_to_string(commit.join("meta/REPO_STATE.json")).unwrap();
        assert_eq!(state.contains("plan.notes"), mode == "internal");
        assert!(!state.contains("index.vec"));
    }
    // The same if nothing in the pack had to be sealed.
    let only = ["plan.notes", "--rev", "HEAD", "--mode", "internal", "-o", "../only"];
    let (_, pack) = repo.seal(&only);
    assert_eq!(document(&pack, "SEALED_ARTIFACTS.json")["mode"], "internal");
    verifies(&repo, &pack, "HEAD");
    // An internal pack that calls itself public contains a leak.
    let pack = repo.place.path().join("disk-internal");
    common::packs::redeclare(&pack, |sealed| sealed.mode = gitpack::format::repo_state::Mode::Public);
    assert_eq!(codes(&pack), [("plan.notes".to_owned(), "PLAINTEXT_LEAK")]);
}

#[test]
fn what_is_attached_is_sealed_in_both_modes() {
    let repo = Repo::set_up();
    configure(
        &repo,
        &format!("[pack]\nattach = [\"run/*.notes\", \"run/*.txt\"]\n{NOTES}"),
    );
    repo.write("run/plan.notes", "internal");
    repo.write("run/free.txt", "of no class");
    repo.write("run/other.txt", "of no class either");
    repo.write("by/hand.notes", "internal");
    repo.write("by/hand.txt", "of no class");
    repo.write("by/fake.age", "only named so");
    for mode in ["public", "internal"] {
        let output = format!("../{mode}");
        let (_, pack) = repo.seal(&[
            "--mode",
            mode,
            "--attach",
            "by",
            "--attach",
            "run/free.txt",
            "-o",
            &output,
        ]);
        let expected = [
            ["by/fake.age", "attached", "never", "--attach"],
            ["by/hand.notes", "notes", "internal", "*.notes"],
            ["by/hand.txt", "attached", "never", "--attach"],
            ["run/free.txt", "attached", "never", "--attach"],
            ["run/other.txt", "attached", "never", "run/*.txt"],
            ["run/plan.notes", "notes", "internal", "*.notes"],
        ];
        assert_eq!(declared(&pack), expected, "{mode}");
        assert_eq!(opened(&repo, &pack.join("sealed/by/fake.age.age")), b"only named so");
        verifies(&repo, &pack, "HEAD");
    }
}

#[test]
fn where_nothing_governs_artifacts_are_copied_and_a_warning_names_each_that_would_be_protected() {
    let place = Place::new();
    let root = place.path().join("work");
    for (path, content, ..) in BY_CONTENT {
        common::write(&root.join(path), sample(content));
    }
    common::write(&root.join("index.vec"), "by name");
    common::write(&root.join("plain.txt"), "plain");
    common::write(&root.join("fake.age"), "no age file");
    let warned = |root: &Path, output: &str| {
        let inputs = ["assets", "data", "docs", "weights.bin", "index.vec", "plain.txt"];
        let done = place
            .pack_in(
                root,
                &[&["seal"][..], &inputs, &["-o", output, "--plaintext", "docs/notes.txt"]].concat(),
            )
            .ok();
        let pack = root.join(output);
        for (path, content, ..) in BY_CONTENT {
            assert_eq!(fs::read(pack.join(path)).unwrap(), sample(content));
            let line = done.stderr.lines().find(|line| line.contains(path));
            // The user named the key, so there is no warning about it.
            assert!(
                line.is_some_and(|line| line.contains("in plaintext")) != content.starts_with("private-key"),
                "{path}: {}",
                done.stderr
            );
        }
        let line = done.stderr.lines().find(|line| line.contains("index.vec")).unwrap();
        assert!(line.contains("in plaintext") && line.contains("vector"), "{line}");
        assert!(!done.stderr.contains("plain.txt"), "{}", done.stderr);
        assert!(!pack.join("sealed").exists() && !pack.join("SEALED_ARTIFACTS.json").exists());
        assert_eq!(codes(&pack), []);
    };
    warned(&root, "../outside");
    // A repository without a configuration has no rules for it either.
    place.run(&root, "git", &["init", "-q"]).ok();
    warned(&root, "../ungoverned");
    place.run(&root, "git", &["add", "index.vec"]).ok();
    place.run(&root, "git", &["commit", "-q", "-m", "tracked"]).ok();
    warned(&root, "../committed");
}

#[test]
fn a_commit_without_a_configuration_still_has_the_built_in_rules() {
    let repo = Repo::empty();
    repo.write("index.vec", noise(5, 300));
    repo.write("logo.png", sample("faiss/flat_ip"));
    commit_all(&repo);
    let value = repo.pack(&["seal"]).refused("E_NO_RECIPIENTS");
    assert_eq!(
        value["refusal"]["detail"]["artifacts"],
        serde_json::json!(["index.vec", "logo.png"])
    );
    let recipient = "age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z";
    let (_, pack) = repo.seal(&["-r", recipient]);
    assert_eq!(declared_paths(&pack), ["index.vec", "logo.png"]);
    verifies(&repo, &pack, "HEAD");
}

#[test]
fn files_directories_and_globs_are_attached_alike() {
    let repo = Repo::set_up();
    for path in ["e/a.bin", "e/b.bin", "e/f/c.bin", "e/f/d.txt", "g/a.bin", "odd[1].bin"] {
        repo.write(path, path);
    }
    repo.write("tracked.bin", "tracked");
    repo.write("e/tracked.bin", "tracked too");
    repo.git(&["add", "tracked.bin", "e/tracked.bin"]).ok();
    repo.git(&["commit", "-q", "-m", "tracked"]).ok();
    let seal = |directory: &str, attach: &[&str]| {
        let flags: Vec<&str> = attach.iter().flat_map(|path| ["--attach", path]).collect();
        let output = repo.place.path().join("attached");
        drop(fs::remove_dir_all(&output));
        let args = [&["seal", "-o", output.to_str().unwrap()], &flags[..]].concat();
        (repo.place.pack_in(&repo.path(directory), &args), output)
    };
    let cases: [(&str, &[&str], &[&str]); 14] = [
        (".", &["e/a.bin"], &["e/a.bin"]),
        (".", &["e"], &["e/a.bin", "e/b.bin", "e/f/c.bin", "e/f/d.txt"]),
        (".", &["e/"], &["e/a.bin", "e/b.bin", "e/f/c.bin", "e/f/d.txt"]),
        (".", &["e/*.bin"], &["e/a.bin", "e/b.bin"]),
        (".", &["./e/[ab].bin", "g"], &["e/a.bin", "e/b.bin", "g/a.bin"]),
        (".", &["e/**/*.bin"], &["e/a.bin", "e/b.bin", "e/f/c.bin"]),
        (".", &["*/f"], &["e/f/c.bin", "e/f/d.txt"]),
        (".", &["*.txt"], &["e/f/d.txt"]),
        (".", &["odd[1].bin"], &["odd[1].bin"]),
        ("e", &["*.bin"], &["e/a.bin", "e/b.bin", "e/f/c.bin"]),
        ("e", &["./*.bin"], &["e/a.bin", "e/b.bin"]),
        ("e/f", &["../*.bin", "c.bin"], &["e/a.bin", "e/b.bin", "e/f/c.bin"]),
        ("e/f", &["../../g/*"], &["g/a.bin"]),
        // Files that the commit tracks are in the pack already, so `--attach` leaves them out.
        (
            ".",
            &["tracked.bin", "*.bin"],
            &["e/a.bin", "e/b.bin", "e/f/c.bin", "g/a.bin", "odd[1].bin"],
        ),
    ];
    for (directory, attach, expected) in cases {
        let (done, pack) = seal(directory, attach);
        let done = done.ok();
        assert_eq!(declared_paths(&pack), expected, "{directory} {attach:?}");
        let told = done.stderr.contains("the commit tracks it");
        assert_eq!(told, attach.contains(&"tracked.bin"), "{}", done.stderr);
        assert!(pack.join("repo/tracked.bin").exists());
    }
    for (directory, attach) in [
        (".", "*.none"),
        (".", "none/*"),
        ("e", "g/*"),
        ("e", "../../*"),
        (".", "e/f/g*/*"),
    ] {
        let (done, pack) = seal(directory, &[attach]);
        done.refused("E_USAGE");
        assert!(!pack.exists(), "{directory} {attach}");
    }
    // If the shell expands the glob, all files but the first become another argument.
    let done = repo.pack(&["seal", "--attach", "e/a.bin", "e/b.bin"]);
    assert!(done.stderr.contains("quote"), "{}", done.stderr);
    done.refused("E_USAGE");

    configure(
        &repo,
        "[pack]\nattach = [\"e/f\", \"/g/\", \"odd*\", \"tracked.bin\"]\n",
    );
    let (done, pack) = seal("e/f", &[]);
    done.ok();
    assert_eq!(
        declared_paths(&pack),
        ["e/f/c.bin", "e/f/d.txt", "g/a.bin", "odd[1].bin"]
    );
    fs::remove_dir_all(repo.path("g")).unwrap();
    seal(".", &[]).0.refused("E_BAD_CONFIG");
}

#[test]
fn what_a_pack_does_not_keep_is_said_or_refused() {
    let repo = Repo::set_up();
    let executable = |path: &str| {
        repo.write(path, format!("#!/bin/sh\n: {path}\n"));
        fs::set_permissions(repo.path(path), fs::Permissions::from_mode(0o755)).unwrap();
    };
    for path in ["out/bin/a", "out/bin/b", "out/bin/c", "out/bin/d"] {
        executable(path);
    }
    repo.write("out/plain", "x");
    fs::create_dir_all(repo.path("out/none/at/all")).unwrap();
    let sealed = |args: &[&str]| {
        let done = repo.pack(&[&["seal", "--replace", "-o", "../pack"], args].concat());
        (done.code, done.stderr)
    };
    let (code, said) = sealed(&["out"]);
    assert!(
        code == 0
            && said.contains("executable bit of 4 files: out/bin/a, out/bin/b, out/bin/c and 1 more\n")
            && said.contains("an empty directory: out/none/at/all\n"),
        "{said}"
    );
    let (code, said) = sealed(&["out/bin/a"]);
    assert!(code == 0 && said.contains("executable bit of 1 file: a\n"), "{said}");
    let (code, said) = sealed(&["out/plain", "--strict"]);
    assert!(code == 0 && !said.contains("does not keep"), "{said}");

    // In a commit, and attached to a tree pack.
    repo.write(".gitignore", "*.tool\n");
    executable("x.tool");
    repo.git(&["add", "out", ".gitignore"]).ok();
    repo.commit("tools");
    let (code, said) = sealed(&["--rev", "HEAD", "out/bin"]);
    assert!(
        code == 0 && said.contains("executable bit of 4 files: bin/a, bin/b"),
        "{said}"
    );
    let (code, said) = sealed(&["--attach", "x.tool"]);
    assert!(
        code == 0 && said.contains("executable bit of 1 file: x.tool\n"),
        "{said}"
    );
    // What a commit tracks keeps its mode in the state of a tree pack.
    assert_eq!(sealed(&["--strict"]).0, 0);

    fs::remove_dir_all(repo.path("../pack")).unwrap();
    for args in [
        &["out"][..],
        &["out/none/at", "out/plain"],
        &["--rev", "HEAD", "out/bin"],
        &["--attach", "x.tool"],
    ] {
        let args = [&["seal", "--strict", "-o", "../pack"], args].concat();
        repo.pack(&args).refused("E_UNSUPPORTED");
        assert!(!repo.path("../pack").exists(), "{args:?}");
    }
}

#[test]
fn a_dry_run_refuses_the_copies_that_a_seal_refuses_and_the_advice_leaves_them_out() {
    let repo = Repo::set_up();
    repo.write("a b/copy[1].txt", "secret");
    repo.write("empty.txt", "");
    repo.commit("copy");
    repo.write("out/x.bin", "secret");
    repo.write("out/empty", "");
    let attach = ["seal", "--attach", "out"];
    let advised = r"--exclude '/a b/copy\[1\].txt'";
    for more in [&["-n"][..], &[]] {
        let done = repo.pack(&[&attach[..], more].concat());
        assert!(done.stderr.contains(advised), "{}", done.stderr);
        let value = done.refused("E_PLAINTEXT_LEAK");
        let said = "repo/a b/copy[1].txt would be in plaintext, but it has the content of out/x.bin";
        assert_eq!(value["refusal"]["message"], said);
    }
    assert!(!repo.path("_PACK_RUN").exists());
    for more in [&["-n"][..], &[]] {
        let script = format!("git-pack {} {advised} {}", attach.join(" "), more.join(" "));
        repo.place.run(&repo.root, "sh", &["-c", &script]).ok();
    }

    // The same for named artifacts, which no glob leaves out.
    let repo = Repo::set_up();
    repo.write("a.vec", "other");
    repo.write("b.txt", "other");
    repo.write("c.txt", "third");
    for more in [&["-n"][..], &[]] {
        let done = repo.pack(&[&["seal", "a.vec", "b.txt", "c.txt", "-o", "../named"], more].concat());
        assert!(!done.stderr.contains("--exclude"), "{}", done.stderr);
        done.refused("E_PLAINTEXT_LEAK");
    }
    repo.pack(&["seal", "-n", "a.vec", "c.txt", "-o", "../named"]).ok();

    // A file that holds what this clone protects is refused only if the pack would have it.
    let repo = Repo::set_up();
    let known = noise(7, 60_000);
    repo.write("known.vec", &known);
    repo.pack(&["protect", "known.vec"]).ok();
    repo.write("data/renamed", &known);
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "renamed"]).ok();
    for more in [&["-n"][..], &[]] {
        let done = repo.pack(&[&["seal"], more].concat());
        assert!(done.stderr.contains("--exclude /data/renamed"), "{}", done.stderr);
        done.refused("E_PLAINTEXT_LEAK");
        let left_out = ["seal", "--exclude", "/data/renamed", "-o", "../less"];
        repo.pack(&[&left_out, more].concat()).ok();
    }
}
