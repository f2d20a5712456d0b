//! Unusual repositories: `state`, `seal` and `verify --rev` give the same answer as git, or refuse.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crate::common;
use crate::common::packs::{codes, document};
use crate::common::{Done, GIT_PACK, Place, Repo, noise, reference, snapshot};
use gitpack::format::object_id::ObjectId;
use serde_json::Value;

/// Every part of a tree pack.
const PARTS: &str = "full,lite,repo,split";

/// Seals a commit with every part, compares the pack with the commit and the digest with the reference script, and
/// returns the pack's id and directory.
#[track_caller]
fn sealed(place: &Place, root: &Path, rev: &str, output: &str) -> (String, PathBuf) {
    let expected = reference::state(place, root, rev);
    let state = place.pack_in(root, &["state", "--no-cache", rev]).ok().out();
    assert_eq!(state.trim(), expected, "state");
    let done = place
        .pack_in(root, &["seal", "--rev", rev, "--emit", PARTS, "-o", output])
        .ok();
    let out = done.out();
    let id = out.lines().next().unwrap().strip_prefix("PACK_CREATED ").unwrap();
    let pack = root.join(output);
    assert_eq!(codes(&pack), []);
    let report = place.pack_in(root, &["verify", output, "--rev", rev, "--json"]).ok();
    let report: Value = serde_json::from_slice(&report.stdout).unwrap();
    assert_eq!(report["repo_state"]["digest"], expected, "verify");
    assert_eq!(report["repo_state"]["matches"], true);
    (id.to_owned(), pack)
}

/// Asserts that `seal` and `verify --rev` refuse a commit and change nothing; returns the refusal of `seal`.
#[track_caller]
fn refused(place: &Place, root: &Path, rev: &str, code: &str) -> Value {
    let pack = any_pack(place);
    let before = snapshot(place.path());
    let refusal = place
        .pack_in(root, &["seal", "--rev", rev, "--emit", PARTS, "-o", "../no"])
        .refused(code);
    let verify = ["verify", pack.to_str().unwrap(), "--rev", rev, "--json"];
    let report = place.pack_in(root, &verify).refused(code);
    assert_eq!(report["version"], "pack.verify.v0");
    assert_eq!(snapshot(place.path()), before, "something was left behind, or changed");
    refusal
}

/// Makes a pack of another repository, to compare commits with.
fn any_pack(place: &Place) -> PathBuf {
    let pack = place.path().join("any-pack");
    if !pack.exists() {
        let other = Repo::empty();
        other.write("a", "x");
        other.commit("other");
        other.seal(&["-o", pack.to_str().unwrap()]);
    }
    pack
}

/// Writes an object without checks, and returns its id.
fn object(repo: &Repo, kind: &str, content: &[u8]) -> String {
    let mut git = repo.place.command("git", &repo.root);
    git.args(["hash-object", "-t", kind, "-w", "--literally", "--stdin"]);
    let mut child = git.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(content).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Writes a tree of modes, names and ids in the order given, even if git would reject it.
fn tree(repo: &Repo, entries: &[(&str, &[u8], &str)]) -> String {
    let mut content = Vec::new();
    for (mode, name, id) in entries {
        content.extend_from_slice(mode.as_bytes());
        content.push(b' ');
        content.extend_from_slice(name);
        content.push(0);
        content.extend_from_slice(ObjectId::parse(id).unwrap().as_bytes());
    }
    object(repo, "tree", &content)
}

fn commit_of(repo: &Repo, tree: &str) -> String {
    let done = repo.git(&["commit-tree", "-m", "by hand", tree]).ok();
    done.out().trim().to_owned()
}

#[test]
fn a_branch_without_a_commit_is_refused() {
    let repo = Repo::empty();
    repo.pack(&["state", "--json"]).refused("E_BAD_REVISION");
    let value = refused(&repo.place, &repo.root, "HEAD", "E_BAD_REVISION");
    assert_eq!(value["refusal"]["message"], "there is no commit yet");
    repo.pack(&["seal", "--emit", PARTS]).refused("E_BAD_REVISION");
    assert_eq!(repo.git(&["status", "--porcelain", "--ignored"]).ok().out(), "");
}

#[test]
fn a_commit_of_no_files_is_a_pack_of_no_files() {
    let nothing = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    for format in ["sha1", "sha256"] {
        let repo = Repo::with_format(format);
        repo.commit("nothing");
        let (_, pack) = sealed(&repo.place, &repo.root, "HEAD", "../nothing");
        assert!(!pack.join("repo").exists());
        let state = document(&pack, "meta/REPO_STATE.json");
        assert_eq!(state["files"], serde_json::json!([]));
        assert_eq!(repo.pack(&["state"]).ok().out().trim(), nothing);
        repo.seal(&["-o", "../copies"]);
        repo.pack(&["verify", "../copies", "--rev", "HEAD"]).ok();
        let done = repo
            .pack(&["restore", "../nothing", "--from-full", "-o", "../restored"])
            .ok();
        assert!(done.out().starts_with("RESTORED 0\n"), "{}", done.out());

        // Git knows the empty tree without storing it: at the top, and as a directory.
        let other = Repo::with_format(format);
        let empty = other.git(&["hash-object", "-t", "tree", "/dev/null"]).ok().out();
        let empty = empty.trim();
        let inner = tree(&other, &[("40000", b"directory", empty)]);
        for (at, tree) in [empty, &inner].into_iter().enumerate() {
            let commit = commit_of(&other, tree);
            assert!(
                !other
                    .path(&format!(".git/objects/{}/{}", &empty[..2], &empty[2..]))
                    .exists()
            );
            sealed(&other.place, &other.root, &commit, &format!("../{at}"));
        }
    }
}

#[test]
fn a_submodule_is_the_id_of_its_commit() {
    for (format, digits) in [("sha1", 40), ("sha256", 64)] {
        let repo = Repo::with_format(format);
        let point = |digit: &str| {
            let id = digit.repeat(digits);
            repo.git(&[
                "update-index",
                "--add",
                "--cacheinfo",
                &format!("160000,{id},sub/module"),
            ])
            .ok();
            repo.git(&["commit", "-q", "-m", "module"]).ok();
            id
        };
        repo.write(
            ".gitmodules",
            "[submodule \"m\"]\n\tpath = sub/module\n\turl = ../gone\n",
        );
        repo.git(&["add", ".gitmodules"]).ok();
        let id = point("a");
        let (_, pack) = sealed(&repo.place, &repo.root, "HEAD", "../pack");
        assert_eq!(fs::read_to_string(pack.join("repo/sub/module")).unwrap(), id);
        // The submodule need not be checked out, and files in its place change nothing.
        repo.write("sub/module/file", "x");
        assert_eq!(
            sealed(&repo.place, &repo.root, "HEAD", "../again").0,
            document(&pack, "manifest.json")["pack_id"]
        );
        point("b");
        let done = repo.pack(&["verify", "../pack", "--rev", "HEAD"]);
        assert_eq!(done.code, 1);
        let row = done
            .out()
            .lines()
            .find(|row| row.contains("sub/module"))
            .unwrap()
            .to_owned();
        assert!(row.contains("REPO_STATE_MISMATCH") && row.contains("changed"), "{row}");
    }
}

#[test]
fn links_are_their_targets_and_never_followed() {
    let repo = Repo::empty();
    let secret = repo.place.path().join("secret");
    fs::write(&secret, "outside of the repository").unwrap();
    let targets = [
        ("nowhere", "not/there at all"),
        ("absolute", secret.to_str().unwrap()),
        ("outside", "../secret"),
        ("itself", "itself"),
        ("directory", "."),
        ("newline", "a\nb\t"),
        (".gitpack.toml.link", ".gitpack.toml"),
    ];
    for (name, target) in targets {
        symlink(target, repo.path(name)).unwrap();
    }
    repo.git(&["add", "-A"]).ok();
    for (name, target) in [("bytes", &b"x\xff"[..]), ("empty", b""), ("long", &[b'x'; 10_000])] {
        let id = object(&repo, "blob", target);
        repo.git(&["update-index", "--add", "--cacheinfo", &format!("120000,{id},{name}")])
            .ok();
    }
    repo.git(&["commit", "-q", "-m", "links"]).ok();
    let (_, pack) = sealed(&repo.place, &repo.root, "HEAD", "../pack");
    for (name, target) in targets {
        let copy = pack.join("repo").join(name);
        assert!(fs::symlink_metadata(&copy).unwrap().is_file());
        assert_eq!(fs::read_to_string(copy).unwrap(), target);
    }
    assert_eq!(fs::read(pack.join("repo/bytes")).unwrap(), b"x\xff");
    for (path, _, bytes) in snapshot(&pack) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("outside of the repository"), "{}", path.display());
    }
    // A link in place of the configuration is refused.
    repo.git(&["mv", ".gitpack.toml.link", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "configuration"]).ok();
    let value = refused(&repo.place, &repo.root, "HEAD", "E_BAD_CONFIG");
    assert!(value.to_string().contains("found a symbolic link"), "{value}");
}

#[test]
fn names_that_other_systems_do_not_like_are_kept_as_they_are() {
    let repo = Repo::empty();
    let names = [
        "new\nline",
        "tab\tx",
        "quo\"te",
        "it's",
        "trail ",
        "dot.",
        "dir /f",
        "dir./f",
        " lead",
        "-rf",
        "...",
        "~",
        "#c",
        "$HOME",
        "cr\r",
        "del\u{7f}",
        "esc\u{1b}[31m",
        "\u{202e}turned",
        "a*b?",
        "<x>|",
        "back\\slash",
        ".gitfoo",
        "x.git",
        "aux",
        "con.txt",
        "nul",
        "COM1",
        "CON/f",
        "conin$",
        "e\u{301}",
        "ab:stream",
        "README",
        "readme",
        "日本/ü",
    ];
    for name in names {
        repo.write(name, format!("{name}\n"));
    }
    repo.commit("names");
    let (_, pack) = sealed(&repo.place, &repo.root, "HEAD", "../pack");
    for name in names {
        assert_eq!(
            fs::read_to_string(pack.join("repo").join(name)).unwrap(),
            format!("{name}\n")
        );
    }
    // `--from-full` restores these names, and messages show them without control characters.
    repo.pack(&["restore", "../pack", "--from-full", "-o", "../texts"]).ok();
    for name in names {
        assert_eq!(
            fs::read(repo.place.path().join("texts").join(name)).unwrap(),
            format!("{name}\n").as_bytes()
        );
    }
    for name in names {
        fs::remove_file(pack.join("repo").join(name)).unwrap();
    }
    let done = repo.pack(&["verify", "../pack"]);
    assert_eq!(done.code, 1);
    for character in ['\r', '\t', '\u{7f}', '\u{1b}', '\u{202e}'] {
        assert!(!done.out().contains(character), "{character:?}");
    }
    assert_eq!(done.out().matches("MISSING_MEMBER").count(), names.len());
}

#[test]
fn names_that_are_not_utf8_are_judged_by_their_bytes() {
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let rule = "[[protect]]\nclass = \"d\"\npaths = [\"caf?.dat\"]\n";
    repo.write(".gitpack.toml", format!("{config}\n{rule}"));
    repo.write_bytes(b"caf\xe9.dat", b"protected");
    repo.write_bytes(b"foo\xe9.txt", b"taken");
    repo.git(&["add", "-f", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "bytes"]).ok();
    repo.seal(&["-o", "../whole"]);
    repo.pack(&["verify", "../whole"]).ok();
    repo.seal(&["--include", "foo?.txt", "-o", "../part"]);
    repo.pack(&["verify", "../part"]).ok();
}

#[test]
fn names_that_are_not_utf8_are_sealed_under_an_escaped_path() {
    let repo = Repo::set_up();
    repo.write("src/a", "x");
    // The bytes and the texts of these sort differently.
    for name in [&b"caf\xe9\n.txt"[..], b"\xe9", b"%raw-%E9", b"z/\xe9/a", b"z/\xc3\xa9"] {
        repo.write_bytes(name, &[b"named ", name].concat());
    }
    repo.commit("bytes");
    repo.write_bytes(b"index \xe9.vec", &noise(5, 3000));
    repo.git(&["add", "-f", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "protected"]).ok();
    let state = repo.pack(&["state", "--mode", "public"]).ok().out();
    let listed = repo.pack(&["state", "--mode", "public", "--files"]).ok().stdout;
    assert!(listed.windows(4).any(|part| part == b"caf\xe9"));

    let (_, pack) = repo.seal(&["--emit", PARTS, "-o", "../pack"]);
    let info = document(&pack, "meta/PACK_INFO.json");
    assert_eq!(
        &info["stamp"].as_str().unwrap(),
        &state.trim().strip_prefix("sha256:").unwrap().get(..12).unwrap()
    );
    let names: Vec<&str> = [
        "%raw-%25raw-%25E9",
        "%raw-%E9",
        "%raw-caf%E9\n.txt",
        ".gitignore",
        ".gitpack.toml",
    ]
    .into_iter()
    .chain(["README.md", "src/a", "z/%raw-%E9/a", "z/é"])
    .collect();
    let files = document(&pack, "meta/REPO_STATE.json");
    let files = files["files"].as_array().unwrap().iter();
    let files: Vec<&str> = files.map(|file| file["path"].as_str().unwrap()).collect();
    assert_eq!(files, names);
    assert_eq!(fs::read(pack.join("repo/%raw-%E9")).unwrap(), b"named \xe9");
    assert!(pack.join("sealed/%raw-index %E9.vec.age").exists());
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();

    let plain = OsStr::from_bytes(b"index \xe9.vec");
    repo.pack(&["open", "../pack", "-o", "../opened"]).ok();
    assert_eq!(fs::read(repo.path("../opened").join(plain)).unwrap(), noise(5, 3000));
    repo.pack(&[
        "restore",
        "../pack",
        "-o",
        "../restored",
        "--identity",
        repo.identity().to_str().unwrap(),
    ])
    .ok();
    for name in [plain, OsStr::from_bytes(b"z/\xe9/a"), OsStr::new("%raw-%E9")] {
        assert_eq!(
            fs::read(repo.path("../restored").join(name)).unwrap(),
            fs::read(repo.path("").join(name)).unwrap()
        );
    }

    // A commit that lacks the file, or has another, differs from the pack.
    repo.git(&["rm", "-q", "--cached", "--", ":(literal)%raw-%E9"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "less"]).ok();
    let done = repo.pack(&["verify", "../pack", "--rev", "HEAD"]);
    assert!(
        done.code == 1 && done.out().contains("%raw-%25raw-%25E9"),
        "{}",
        done.out()
    );
}

#[test]
fn names_that_git_or_a_pack_forbids_are_refused() {
    let repo = Repo::empty();
    let blob = object(&repo, "blob", b"x");
    let commit = |name: &str| {
        repo.git(&["read-tree", "--empty"]).ok();
        let entry = format!("100644,{blob},{name}");
        let add = [
            "-c",
            "core.protectNTFS=false",
            "-c",
            "core.protectHFS=false",
            "update-index",
        ];
        repo.git(&[&add[..], &["--add", "--cacheinfo", &entry]].concat()).ok();
        commit_of(&repo, repo.git(&["write-tree"]).ok().out().trim())
    };
    for name in [
        "git~1",
        "GIT~1/x",
        ".git ",
        ".git.",
        ".git::$INDEX_ALLOCATION",
        ".g\u{200c}it/x",
        "a\\.git\\x",
        "c:x",
        "C:/x",
        "\\\\server\\share",
    ] {
        let commit = commit(name);
        let state = repo.pack(&["state", &commit]).ok().out();
        assert_eq!(
            state.trim(),
            reference::state(&repo.place, &repo.root, &commit),
            "{name:?}"
        );
        let seal = ["seal", "--rev", &commit, "--emit", PARTS, "-o", "../no"];
        let value = repo.pack(&seal).refused("E_IO");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("cannot be a member of a pack"), "{message}");
        assert!(!repo.place.path().join("no").exists());
        // No pack can match such a commit, and `verify` says so.
        let pack = any_pack(&repo.place);
        let done = repo.pack(&["verify", pack.to_str().unwrap(), "--rev", &commit]);
        assert_eq!(done.code, 1, "{}", done.stderr);
        assert!(done.out().contains("missing: the commit has it, the pack does not"));
    }
    for name in [".gitmodules", ".gitattributes", "git~2", "gitx/.github"] {
        sealed(
            &repo.place,
            &repo.root,
            &commit(name),
            &format!("../{}", name.replace('/', "-")),
        );
    }
}

#[test]
fn a_tree_that_is_none_is_refused_and_never_read_in_another_way() {
    let repo = Repo::empty();
    let [one, two] = [&b"one\n"[..], b"two\n"].map(|content| object(&repo, "blob", content));
    let (one, two) = (one.as_str(), two.as_str());
    let inner = tree(&repo, &[("100644", b"b", one)]);
    let inner = inner.as_str();
    type Entries<'a> = &'a [(&'a str, &'a [u8], &'a str)];
    let cases: [(&str, Entries); 20] = [
        ("occurs twice", &[("100644", b"a", one), ("100644", b"a", two)]),
        ("occurs twice", &[("100644", b"a", one), ("100644", b"a", one)]),
        ("occurs twice", &[("100644", b"a", one), ("100755", b"a", one)]),
        ("occurs twice", &[("40000", b"a", inner), ("40000", b"a", inner)]),
        ("occurs twice", &[("100644", b"a", one), ("40000", b"a", inner)]),
        ("occurs twice", &[("160000", b"a", one), ("40000", b"a", inner)]),
        (
            "occurs twice",
            &[
                ("100644", b"a", one),
                ("100644", b"a-b", two),
                ("100644", b"a-b-c", two),
                ("40000", b"a", inner),
            ],
        ),
        ("is out of order", &[("100644", b"b", one), ("100644", b"a", two)]),
        ("is out of order", &[("40000", b"a", inner), ("100644", b"a-b", two)]),
        ("is out of order", &[("40000", b"a", inner), ("100644", b"a", two)]),
        ("has an invalid name", &[("100644", b"..", one)]),
        ("has an invalid name", &[("40000", b"..", inner)]),
        ("has an invalid name", &[("100644", b".", one)]),
        ("has an invalid name", &[("100644", b".git", one)]),
        ("has an invalid name", &[("40000", b".GIT", inner)]),
        ("has an invalid name", &[("100644", b"a/b", one)]),
        ("has an invalid name", &[("100644", b"/b", one)]),
        ("has no name", &[("100644", b"", one)]),
        ("has an invalid mode", &[("0", b"a", one)]),
        ("has an invalid mode", &[("170000", b"a", one)]),
    ];
    for (why, entries) in cases {
        let bad = tree(&repo, entries);
        let below = tree(&repo, &[("100644", b"above", one), ("40000", b"directory", &bad)]);
        repo.pack(&["state", "--json", &commit_of(&repo, &bad)])
            .refused("E_CORRUPT");
        let value = refused(&repo.place, &repo.root, &commit_of(&repo, &below), "E_CORRUPT");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(
            message.contains(&bad) && message.contains(why),
            "{entries:?}: {message}"
        );
    }
    for (what, content) in [("no tree", &b"garbage"[..]), ("cut", b"100644 a\0short")] {
        let commit = commit_of(&repo, &object(&repo, "tree", content));
        let value = refused(&repo.place, &repo.root, &commit, "E_CORRUPT");
        assert!(value.to_string().contains("cannot be read"), "{what}: {value}");
    }
    for entry in [("40000", &b"a"[..], one), ("100644", b"a", inner)] {
        refused(
            &repo.place,
            &repo.root,
            &commit_of(&repo, &tree(&repo, &[entry])),
            "E_CORRUPT",
        );
    }
}

#[test]
fn a_tree_that_an_old_git_wrote_is_read_as_git_reads_it() {
    let repo = Repo::empty();
    let blob = object(&repo, "blob", b"x");
    let blob = blob.as_str();
    let inner = tree(&repo, &[("100664", b"b", blob), ("100777", b"c", blob)]);
    // Names that sort between a file and a directory with a common beginning, and obsolete modes.
    let entries: [(&str, &[u8], &str); 7] = [
        ("100600", b"a", blob),
        ("0100644", b"a-", blob),
        ("160000", b"a-b", &"1".repeat(40)),
        ("040000", b"a-b-c", &inner),
        ("40000", b"a.", &inner),
        ("40000", b"ab", &inner),
        ("100644", b"ab0", blob),
    ];
    let commit = commit_of(&repo, &tree(&repo, &entries));
    let (_, pack) = sealed(&repo.place, &repo.root, &commit, "../pack");
    let modes: Vec<_> = document(&pack, "meta/REPO_STATE.json")["files"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| file["mode"].as_str().unwrap_or("100644").to_owned())
        .collect();
    let listing = repo.git(&["ls-tree", "-r", &commit]).ok().out();
    let of_git: Vec<_> = listing
        .lines()
        .map(|line| line[..6].replace("100664", "100644"))
        .collect();
    assert_eq!(modes, of_git);
}

#[test]
fn a_sha256_repository_is_as_good_as_any() {
    let repo = Repo::with_format("sha256");
    repo.write("README.md", "hello\n");
    repo.write("src/deep/er/a.rs", "fn main() {}\n");
    repo.write("large.bin", vec![0; 17 << 20]);
    repo.commit("one");
    let (id, pack) = sealed(&repo.place, &repo.root, "HEAD", "../loose");
    assert_eq!(
        document(&pack, "meta/PACK_INFO.json")["commit"].as_str().unwrap().len(),
        64
    );
    repo.git(&["gc", "-q"]).ok();
    assert_eq!(sealed(&repo.place, &repo.root, "HEAD", "../packed").0, id);
}

#[test]
fn a_partial_clone_is_refused_and_nothing_is_fetched() {
    let repo = Repo::empty();
    repo.write("a", "one");
    repo.write("large.bin", vec![0; 2 << 10]);
    repo.commit("one");
    repo.git(&["config", "uploadpack.allowFilter", "true"]).ok();
    repo.git(&["config", "uploadpack.allowAnySHA1InWant", "true"]).ok();
    let place = &repo.place;
    let fetched = place.path().join("fetched");
    let spy = place.path().join("spy");
    let script = format!(
        "#!/bin/sh\ntouch '{}'\nexec git-upload-pack \"$@\"\n",
        fetched.display()
    );
    fs::write(&spy, script).unwrap();
    place.run(place.path(), "chmod", &["+x", "spy"]).ok();
    let url = format!("file://{}", repo.root.display());
    for filter in ["blob:none", "blob:limit=1k", "tree:0"] {
        let name = filter.replace([':', '='], "-");
        let filtered = format!("--filter={filter}");
        let clone = ["clone", "-q", "--no-checkout", &filtered, &url, &name];
        place.run(place.path(), "git", &clone).ok();
        let root = place.path().join(&name);
        place
            .run(
                &root,
                "git",
                &["config", "remote.origin.uploadpack", spy.to_str().unwrap()],
            )
            .ok();
        place.pack_in(&root, &["state", "--json"]).refused("E_MISSING_OBJECT");
        let value = refused(place, &root, "HEAD", "E_MISSING_OBJECT");
        assert_eq!(value["refusal"]["next_command"], "git fetch --refetch --no-filter");
        assert!(!fetched.exists(), "{filter}");
        // The suggested command helps, and the spy would notice a fetch. Maintenance is off, so that no repack runs
        // meanwhile.
        let fetch = [
            "-c",
            "maintenance.auto=false",
            "fetch",
            "-q",
            "--refetch",
            "--no-filter",
        ];
        place.run(&root, "git", &fetch).ok();
        sealed(place, &root, "HEAD", &format!("../of-{name}"));
        fs::remove_file(&fetched).unwrap();
    }
}

#[test]
fn a_sparse_checkout_and_a_sparse_index_give_the_pack_of_the_whole() {
    let repo = Repo::empty();
    for directory in ["in", "out", "out/deep"] {
        repo.write(&format!("{directory}/a"), directory);
    }
    repo.write("top", "top");
    repo.commit("one");
    let (id, _) = sealed(&repo.place, &repo.root, "HEAD", "../whole");
    let place = &repo.place;
    let url = format!("file://{}", repo.root.display());
    for (name, how) in [("sparse", &["--no-sparse-index"][..]), ("index", &["--sparse-index"])] {
        place.run(place.path(), "git", &["clone", "-q", &url, name]).ok();
        let root = place.path().join(name);
        place
            .run(&root, "git", &[&["sparse-checkout", "set"], how, &["in"]].concat())
            .ok();
        assert!(!root.join("out").exists());
        let listed = place.run(&root, "git", &["ls-files", "--sparse"]).ok().out();
        assert_eq!(listed.lines().any(|line| line == "out/"), name == "index", "{listed}");
        assert_eq!(sealed(place, &root, "HEAD", &format!("../of-{name}")).0, id, "{name}");
    }
}

#[test]
fn objects_in_alternates_are_as_good_as_own_ones() {
    let repo = Repo::empty();
    repo.write("a", "one");
    repo.commit("one");
    let (id, _) = sealed(&repo.place, &repo.root, "HEAD", "../own");
    let place = &repo.place;
    for packed in [false, true] {
        if packed {
            repo.git(&["gc", "-q"]).ok();
        }
        // One clone borrows from another, which itself borrows.
        let [first, second] = [("repo", "first"), ("first", "second")].map(|(from, to)| {
            let name = format!("{to}-{packed}");
            let from = if from == "repo" {
                from.to_owned()
            } else {
                format!("{from}-{packed}")
            };
            place
                .run(place.path(), "git", &["clone", "-q", "--shared", &from, &name])
                .ok();
            assert_eq!(
                place
                    .run(&place.path().join(&name), "git", &["count-objects"])
                    .ok()
                    .out(),
                "0 objects, 0 kilobytes\n"
            );
            place.path().join(name)
        });
        for root in [&first, &second] {
            let output = format!("../of-{}", root.file_name().unwrap().to_str().unwrap());
            assert_eq!(sealed(place, root, "HEAD", &output).0, id, "{}", root.display());
        }
        // Or the environment names the object directories.
        let name = format!("env-{packed}");
        place.run(place.path(), "git", &["init", "-q", &name]).ok();
        let output = place
            .command(GIT_PACK, &place.path().join(&name))
            .args([
                "seal",
                "--emit",
                PARTS,
                "-o",
                &format!("../of-{name}"),
                "--rev",
                &repo.rev("HEAD"),
            ])
            .env("GIT_ALTERNATE_OBJECT_DIRECTORIES", repo.path(".git/objects"))
            .output()
            .unwrap();
        assert!(String::from_utf8_lossy(&output.stdout).contains(&id), "{output:?}");
        // If they are gone, the refusal says so.
        fs::remove_file(first.join(".git/objects/info/alternates")).unwrap();
        refused(place, &first, "HEAD", "E_MISSING_OBJECT");
    }
}

#[test]
fn grafts_and_replaced_objects_change_nothing() {
    let repo = Repo::empty();
    repo.write("a", "real");
    repo.commit("one");
    let first = repo.rev("HEAD");
    let (id, _) = sealed(&repo.place, &repo.root, &first, "../before");
    repo.write("a", "fake");
    repo.commit("two");
    let (second, _) = sealed(&repo.place, &repo.root, "HEAD", "../second");
    // Git itself reads a blob that is too large for memory.
    repo.write("large.bin", vec![0; 17 << 20]);
    repo.commit("large");
    let large = repo.pack(&["state", "--no-cache"]).ok().out();
    repo.write("large.bin", vec![1; 17 << 20]);
    let fake = repo.git(&["hash-object", "-w", "large.bin"]).ok().out();
    repo.git(&["replace", &repo.rev("HEAD:large.bin"), fake.trim()]).ok();
    for path in [":a", "^{tree}", ""] {
        let [real, fake] = [first.as_str(), "HEAD~1"].map(|rev| repo.rev(&format!("{rev}{path}")));
        repo.git(&["replace", &real, &fake]).ok();
    }
    let second_id = repo.rev("HEAD~1");
    fs::write(repo.path(".git/info/grafts"), format!("{second_id}\n")).unwrap();
    // Git itself follows the replacement.
    assert_eq!(repo.git(&["show", &format!("{first}:a")]).ok().out(), "fake");
    let seal = |rev: &str, output: &str| {
        let (id, _) = repo.seal(&["--rev", rev, "--emit", PARTS, "-o", output]);
        repo.pack(&["verify", output, "--rev", rev]).ok();
        id
    };
    assert_eq!(seal(&first, "../after"), id);
    assert_eq!(seal(&second_id, "../second-after"), second);
    assert_eq!(repo.pack(&["state", "--no-cache"]).ok().out(), large);
}

/// Runs `git pack` with at most `kib` KiB of data memory.
fn confined(place: &Place, root: &Path, kib: u64, args: &[&str]) -> Done {
    let script = format!("ulimit -d {kib}; exec git-pack \"$@\"");
    place.run(root, "sh", &[&["-c", &script, "sh"], args].concat())
}

/// The bytes of memory that `state` may take for each file.
const OF_STATE: u64 = 200;

/// The bytes that sealing all parts may take for each file.
const OF_SEAL: u64 = 1000;

/// The bytes that verifying may take for each file; it holds the documents of a pack in memory.
const OF_VERIFY: u64 = 2300;

/// Returns the memory bound for so many files, in KiB.
fn bound(files: u64, each: u64) -> u64 {
    (64 << 10) + files * each / 1024
}

fn soak() -> bool {
    std::env::var_os("GITPACK_SOAK").is_some()
}

/// With GITPACK_SOAK=1 the blob has 3 GB.
#[test]
fn a_blob_larger_than_memory_goes_through_in_pieces() {
    let repo = Repo::empty();
    let size: u64 = if soak() { 3 << 30 } else { 80 << 20 };
    fs::File::create(repo.path("zeros")).unwrap().set_len(size).unwrap();
    // The pack stores the blob in pieces.
    repo.git(&["-c", "core.bigFileThreshold=1m", "add", "zeros"]).ok();
    repo.git(&["commit", "-q", "-m", "zeros"]).ok();
    assert!(repo.git(&["count-objects"]).ok().out().starts_with("2 objects"));
    for args in [
        &["state", "--no-cache"][..],
        &["seal", "--emit", PARTS, "-o", "../pack"],
        &["verify", "../pack", "--rev", "HEAD"],
    ] {
        confined(&repo.place, &repo.root, bound(1, OF_STATE), args).ok();
    }
    assert_eq!(
        fs::metadata(repo.place.path().join("pack/repo/zeros")).unwrap().len(),
        size
    );
    // A loose object is read by another code path.
    if !soak() {
        let digest = repo.pack(&["state"]).ok().out();
        fs::remove_dir_all(repo.path(".git/objects/pack")).unwrap();
        repo.git(&["hash-object", "-w", "zeros"]).ok();
        let loose = confined(&repo.place, &repo.root, bound(1, OF_STATE), &["state", "--no-cache"]).ok();
        assert_eq!(loose.out(), digest);
    }
}

/// With GITPACK_SOAK=1 there are 100,000 files.
#[test]
fn very_many_files_are_all_there_and_need_bounded_memory() {
    let repo = Repo::empty();
    let count: u64 = if soak() { 100_000 } else { 1500 };
    let mut stream = b"commit refs/heads/main\ncommitter C <c@example.org> 1768473000 +0000\ndata 0\n".to_vec();
    for n in 0..count {
        let content = format!("content of file {n}\n");
        let path = format!("d{}/e{}/file-{n}.txt", n % 37, n % 11);
        let entry = format!("M 100644 inline {path}\ndata {}\n{content}\n", content.len());
        stream.extend_from_slice(entry.as_bytes());
    }
    let mut git = repo.place.command("git", &repo.root);
    let mut child = git
        .args(["fast-import", "--quiet"])
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(&stream).unwrap();
    assert!(child.wait().unwrap().success());
    for (each, args) in [
        (OF_STATE, &["state", "--no-cache"][..]),
        (OF_SEAL, &["seal", "--emit", PARTS, "-o", "../pack"]),
        (OF_VERIFY, &["verify", "../pack", "--rev", "HEAD"]),
    ] {
        confined(&repo.place, &repo.root, bound(count, each), args).ok();
    }
    let state = document(&repo.place.path().join("pack"), "meta/REPO_STATE.json");
    assert_eq!(state["files"].as_array().unwrap().len() as u64, count);
    let listed = repo.pack(&["state", "--files"]).ok().stdout;
    let expected = repo.git(&["ls-tree", "-r", "--name-only", "HEAD"]).ok().stdout;
    let paths: Vec<&[u8]> = listed
        .split(|byte| *byte == b'\n')
        .filter_map(|line| line.splitn(3, |byte| *byte == b' ').nth(2))
        .collect();
    let expected: Vec<&[u8]> = expected
        .split(|byte| *byte == b'\n')
        .filter(|path| !path.is_empty())
        .collect();
    assert!(paths == expected, "{:?}", std::ffi::OsStr::from_bytes(paths[0]));
}

/// Files of the home directory are often kept in a repository. The default identity would lie in its work tree.
#[test]
fn a_home_directory_is_guarded_without_an_identity_in_it() {
    let place = Place::new();
    let home = place.home();
    place.run(&home, "git", &["init", "-q", "-b", "main"]).ok();
    for _ in 0..2 {
        let said = place.pack_in(&home, &["init"]).ok().out();
        assert!(
            said.contains("left out") && said.contains("GIT_PACK_IDENTITY"),
            "{said}"
        );
        assert!(!home.join(".config").exists());
    }
    let config = fs::read_to_string(home.join(".gitpack.toml")).unwrap();
    assert!(
        !config
            .lines()
            .any(|line| !line.starts_with('#') && line.contains("age1")),
        "{config}"
    );
    common::write(&home.join("a.vec"), "secret");
    place.run(&home, "git", &["add", "a.vec"]).ok();
    let blocked = place.run(&home, "git", &["commit", "-m", "x"]);
    assert!(
        blocked.code == 1 && blocked.stderr.contains("a.vec"),
        "{}",
        blocked.stderr
    );
    place.pack_in(&home, &["status"]).shown();

    let named = place.path().join("identity.txt");
    let mut init = place.command(GIT_PACK, &home);
    init.arg("init").env("GIT_PACK_IDENTITY", &named);
    let said = Done::from(init.output().unwrap()).ok().out();
    assert!(
        named.exists() && said.contains("git pack recipients add age1"),
        "{said}"
    );

    // A file that somebody named is refused there, as before.
    let mut init = place.command(GIT_PACK, &home);
    init.arg("init").env("GIT_PACK_IDENTITY", home.join("key.txt"));
    Done::from(init.output().unwrap()).refused("E_NO_IDENTITY");
}
