//! `git pack state` against a digest that is computed by other means, in clones of every kind.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::common;
use crate::common::{Repo, noise, reference};

/// Makes a repository with everything that a tree can hold.
fn zoo(format: &str) -> Repo {
    let repo = Repo::with_format(format);
    repo.write("plain.txt", "text\n");
    repo.write("empty", "");
    repo.write("run.sh", "#!/bin/sh\n");
    fs::set_permissions(repo.path("run.sh"), fs::Permissions::from_mode(0o755)).unwrap();
    repo.write("with space/and more.txt", "x");
    repo.write("ünïcödé/日本.txt", "y");
    repo.write("line\nbreak/a\nb", "z");
    repo.write("tab\tquote\"back\\slash", "q");
    repo.write("-rf", "dash");
    repo.write("a.b/c", "1");
    repo.write("a/c", "2");
    repo.write("a-b", "3");
    repo.write("crlf.txt", "one\r\ntwo\r\n");
    repo.write(".gitattributes", "*.txt text eol=crlf\nsecret export-ignore\n");
    repo.write("secret", "export-ignored but tracked\n");
    repo.write("big.bin", noise(1, 3_000_000));
    symlink("plain.txt", repo.path("link")).unwrap();
    symlink("nowhere/at all", repo.path("dangling")).unwrap();
    repo.git(&["add", "-A"]).ok();
    let oid = if format == "sha256" {
        "a".repeat(64)
    } else {
        "a".repeat(40)
    };
    repo.git(&[
        "update-index",
        "--add",
        "--cacheinfo",
        &format!("160000,{oid},sub/module"),
    ])
    .ok();
    repo.git(&["commit", "-q", "-m", "zoo"]).ok();
    repo
}

#[test]
fn equals_the_reference_on_everything_a_tree_can_hold() {
    for format in ["sha1", "sha256"] {
        let repo = zoo(format);
        let expected = reference::state(&repo.place, &repo.root, "HEAD");
        for args in [&["state"][..], &["state"], &["state", "--no-cache"], &["state", "main"]] {
            assert_eq!(repo.pack(args).ok().out().trim(), expected, "{format} {args:?}");
        }
        // Packed objects are read by another code path than loose ones.
        repo.git(&["gc", "-q", "--aggressive", "--prune=now"]).ok();
        assert_eq!(
            repo.pack(&["state", "--no-cache"]).ok().out().trim(),
            expected,
            "{format}, packed"
        );
    }
}

#[test]
fn names_that_are_not_utf8_are_hashed_as_bytes() {
    let repo = Repo::empty();
    repo.write_bytes(b"caf\xe9", b"latin one");
    repo.commit("bytes");
    let expected = reference::state(&repo.place, &repo.root, "HEAD");
    assert_eq!(repo.pack(&["state"]).ok().out().trim(), expected);
}

#[test]
fn files_are_the_lines_under_the_digest() {
    let repo = zoo("sha1");
    let digest = repo.pack(&["state"]).ok().out();
    let files = repo.pack(&["state", "--files"]).ok().stdout;
    let sum = gitpack::format::digest::Digest::of(&files);
    assert_eq!(sum.to_string(), digest.trim());

    let nul = repo.pack(&["state", "--files", "-z"]).ok().stdout;
    let paths: Vec<_> = nul
        .split(|b| *b == 0)
        .filter(|line| !line.is_empty())
        .map(|line| String::from_utf8_lossy(line).splitn(3, ' ').nth(2).unwrap().to_owned())
        .collect();
    assert!(paths.contains(&"line\nbreak/a\nb".to_owned()));
    let mut sorted = paths.clone();
    sorted.sort_by(|a, b| a.as_bytes().cmp(b.as_bytes()));
    assert_eq!(paths, sorted);
}

#[test]
fn the_report_counts_what_is_covered() {
    let repo = zoo("sha1");
    let json: serde_json::Value = serde_json::from_slice(&repo.pack(&["state", "--json"]).ok().stdout).unwrap();
    assert_eq!(json["version"], "pack.state.v0");
    assert_eq!(json["digest"], repo.pack(&["state"]).ok().out().trim());
    assert_eq!(json["commit"], repo.rev("HEAD"));
    assert_eq!(json["tree"], repo.rev("HEAD^{tree}"));
    assert_eq!(json["scope"], "repo");
    assert_eq!(json["canon_version"], "unknown");
    assert_eq!(json["grammar_version"], "1.0");
    assert_eq!(json["counts"]["symlink"], 2);
    assert_eq!(json["counts"]["executable"], 1);
    assert_eq!(json["counts"]["submodule"], 1);
    let entries = repo.git(&["ls-tree", "-r", "-z", "HEAD"]).ok().stdout;
    assert_eq!(json["entries"], entries.split(|b| *b == 0).count() - 1);
}

#[test]
fn check_answers_yes_no_or_refuses() {
    let repo = zoo("sha1");
    let digest = repo.pack(&["state"]).ok().out().trim().to_owned();
    assert_eq!(repo.pack(&["state", "--check", &digest]).code, 0);
    assert_eq!(
        repo.pack(&["state", "--check", digest.strip_prefix("sha256:").unwrap()])
            .code,
        0
    );
    let other = format!("sha256:{}", "0".repeat(64));
    let no = repo.pack(&["state", "--check", &other]);
    assert_eq!(no.code, 1);
    assert!(
        no.stderr.contains(&other) && no.stderr.contains(&digest),
        "{}",
        no.stderr
    );
    assert_eq!(repo.pack(&["state", "--check", "sha256:12"]).code, 2);
}

#[test]
fn the_same_from_every_kind_of_clone() {
    let repo = zoo("sha1");
    // Replacement refs are local to a clone, and `state` reads neither the work tree nor the index.
    repo.write("second", "commit");
    repo.commit("second");
    let expected = repo.pack(&["state"]).ok().out();
    let url = format!("file://{}", repo.root.display());
    let place = &repo.place;
    let clone = |args: &[&str], name: &str| {
        let args = [&["clone", "-q"], args, &[&url, name]].concat();
        place.run(place.path(), "git", &args).ok();
        place.path().join(name)
    };
    let full = clone(&[], "full");
    let shallow = clone(&["--depth=1"], "shallow");
    let bare = clone(&["--bare"], "bare");
    for root in [&full, &shallow, &bare] {
        assert_eq!(
            place.pack_in(root, &["state"]).ok().out(),
            expected,
            "{}",
            root.display()
        );
    }
    repo.git(&["worktree", "add", "-q", "--detach", "../linked"]).ok();
    assert_eq!(
        place.pack_in(&place.path().join("linked"), &["state"]).ok().out(),
        expected
    );
    assert_eq!(place.pack_in(&repo.path("with space"), &["state"]).ok().out(), expected);

    repo.write("plain.txt", "dirty");
    repo.write("untracked", "x");
    repo.git(&["rm", "-q", "--cached", "empty"]).ok();
    assert_eq!(repo.pack(&["state"]).ok().out(), expected);

    let elsewhere = place
        .command(common::GIT_PACK, place.path())
        .arg("state")
        .env("GIT_DIR", repo.path(".git"))
        .env("TZ", "Asia/Kolkata")
        .env("LC_ALL", "C")
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&elsewhere.stdout), expected);
}

#[test]
fn replacement_objects_are_not_looked_at() {
    let repo = Repo::empty();
    repo.write("a", "real");
    repo.commit("one");
    let expected = repo.pack(&["state"]).ok().out();
    repo.write("a", "fake");
    repo.commit("two");
    let (real, fake) = (repo.rev("HEAD~1:a"), repo.rev("HEAD:a"));
    repo.git(&["replace", &real, &fake]).ok();
    repo.git(&["replace", &repo.rev("HEAD~1"), &repo.rev("HEAD")]).ok();
    assert_eq!(repo.pack(&["state", "--no-cache", "HEAD~1"]).ok().out(), expected);
}

#[test]
fn a_damaged_cache_is_dropped_and_rebuilt() {
    let repo = zoo("sha1");
    let expected = repo.pack(&["state"]).ok().out();
    let cache = repo.path(".git/gitpack/digests");
    let whole = fs::read(&cache).unwrap();
    let damages: [(&str, Vec<u8>); 5] = [
        ("empty", Vec::new()),
        ("cut", whole[..whole.len() / 2].to_vec()),
        ("flipped", {
            let mut bytes = whole.clone();
            let at = bytes.len() / 2;
            bytes[at] ^= 1;
            bytes
        }),
        ("foreign", noise(3, 5_000)),
        ("extended", [whole.clone(), vec![0; 60]].concat()),
    ];
    for (what, bytes) in damages {
        fs::write(&cache, bytes).unwrap();
        // The digest of the whole is remembered elsewhere.
        drop(fs::remove_dir_all(repo.path(".git/gitpack/seals/states")));
        assert_eq!(repo.pack(&["state"]).ok().out(), expected, "{what}");
        assert_eq!(fs::read(&cache).unwrap(), whole, "{what}: rebuilt");
    }
    fs::remove_file(&cache).unwrap();
    repo.pack(&["state", "--no-cache"]).ok();
    assert!(!cache.exists());
}

#[test]
fn scopes_select_and_modes_leave_out() {
    let repo = Repo::empty();
    repo.write("docs/a.md", "canon_version: 3.1.4\n");
    repo.write("docs/b.tmp", "b");
    repo.write("src/c.rs", "c");
    repo.write("x.vec", "secret");
    repo.write(
        ".gitpack.toml",
        "version = 1\n[pack]\ncanon_version_file = \"docs/a.md\"\n[scope.docs]\ninclude = [\"docs/**\"]\nexclude = [\"*.tmp\"]\n",
    );
    repo.commit("one");
    let paths = |args: &[&str]| -> Vec<String> {
        let files = repo.pack(&[&["state", "--files"], args].concat()).ok().out();
        files
            .lines()
            .map(|line| line.splitn(3, ' ').nth(2).unwrap().to_owned())
            .collect()
    };
    assert_eq!(paths(&["--scope", "docs"]), ["docs/a.md"]);
    assert_eq!(
        paths(&["--scope", "repo"]),
        [".gitpack.toml", "docs/a.md", "docs/b.tmp", "src/c.rs", "x.vec"]
    );
    assert_eq!(
        paths(&["--mode", "public"]),
        [".gitpack.toml", "docs/a.md", "docs/b.tmp", "src/c.rs"]
    );
    let json = repo.pack(&["state", "--json"]).ok().out();
    assert!(json.contains("\"canon_version\":\"3.1.4\""), "{json}");
    repo.pack(&["state", "--json", "--scope", "nope"]).refused("E_USAGE");
}

#[test]
fn what_cannot_be_judged_is_refused() {
    let place = common::Place::new();
    place
        .pack_in(place.path(), &["state", "--json"])
        .refused("E_NOT_A_REPOSITORY");

    let repo = Repo::empty();
    repo.pack(&["state", "--json"]).refused("E_BAD_REVISION");
    repo.write("a", "x");
    repo.commit("one");
    for rev in ["nope", "HEAD~5", "HEAD:a", "HEAD^{tree}", "--", "0000000"] {
        let args = ["state", "--json", "--", rev];
        repo.pack(&args).refused("E_BAD_REVISION");
    }
    repo.write(".gitpack.toml", "version = 1\n\n[scope.x]\ninclud = []\n");
    repo.commit("two");
    let value = repo.pack(&["state", "--json"]).refused("E_BAD_CONFIG");
    assert_eq!(value["refusal"]["detail"]["line"], 4);
    assert!(
        value["refusal"]["detail"]["file"]
            .as_str()
            .unwrap()
            .starts_with(".gitpack.toml")
    );
    assert!(value["refusal"]["message"].as_str().unwrap().contains("expected"));
}

#[test]
fn missing_objects_are_counted_and_never_skipped() {
    let repo = Repo::empty();
    for name in ["a", "b", "c"] {
        repo.write(name, name);
    }
    repo.commit("one");
    for name in ["a", "b"] {
        let id = repo.rev(&format!("HEAD:{name}"));
        fs::remove_file(repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]))).unwrap();
    }
    let value = repo.pack(&["state", "--json"]).refused("E_MISSING_OBJECT");
    assert_eq!(value["refusal"]["detail"]["count"], 2);

    // A partial clone must not fetch without a message either.
    let repo = zoo("sha1");
    repo.git(&["config", "uploadpack.allowFilter", "true"]).ok();
    let url = format!("file://{}", repo.root.display());
    let args = ["clone", "-q", "--no-checkout", "--filter=blob:none", &url, "partial"];
    repo.place.run(repo.place.path(), "git", &args).ok();
    let partial = repo.place.path().join("partial");
    repo.place
        .pack_in(&partial, &["state", "--json"])
        .refused("E_MISSING_OBJECT");
}

#[test]
fn corrupt_objects_are_refused() {
    let repo = Repo::empty();
    repo.write("a", noise(5, 5_000));
    repo.commit("one");
    let id = repo.rev("HEAD:a");
    let path = repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    let mut bytes = fs::read(&path).unwrap();
    bytes.truncate(bytes.len() / 2);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(&path, bytes).unwrap();
    repo.pack(&["state", "--json"]).refused("E_CORRUPT");
}

#[test]
fn a_blob_beyond_memory_is_streamed() {
    let repo = Repo::empty();
    repo.write("large.bin", noise(9, 20_000_000));
    repo.write("zeros.bin", vec![0; 40_000_000]);
    repo.commit("large");
    let expected = reference::state(&repo.place, &repo.root, "HEAD");
    assert_eq!(repo.pack(&["state", "--no-cache"]).ok().out().trim(), expected);
    repo.git(&["gc", "-q"]).ok();
    assert_eq!(repo.pack(&["state", "--no-cache"]).ok().out().trim(), expected);
}

#[test]
fn an_object_that_is_another_than_its_id_says_is_refused_and_not_remembered() {
    let repo = Repo::empty();
    repo.write("a", "real content");
    repo.write("large.bin", noise(2, 17 << 20));
    repo.commit("one");
    let expected = repo.pack(&["state", "--no-cache"]).ok().out();
    repo.write("other", "other content");
    repo.write("other.bin", noise(3, 17 << 20));
    let object = |id: &str| repo.path(&format!(".git/objects/{}/{}", &id[..2], &id[2..]));
    for (path, other) in [("a", "other"), ("large.bin", "other.bin")] {
        let (real, other) = (
            object(&repo.rev(&format!("HEAD:{path}"))),
            repo.git(&["hash-object", "-w", other]).ok().out(),
        );
        let good = fs::read(&real).unwrap();
        fs::set_permissions(&real, fs::Permissions::from_mode(0o644)).unwrap();
        fs::copy(object(other.trim()), &real).unwrap();
        repo.pack(&["state", "--json"]).refused("E_CORRUPT");
        fs::write(&real, good).unwrap();
    }
    assert_eq!(repo.pack(&["state"]).ok().out(), expected);
}

/// Asserts that what is remembered gives the digest that reading everything gives, at once and again.
#[track_caller]
fn remembers_well(repo: &Repo, args: &[&str]) {
    let expected = repo.pack(&[&["state", "--no-cache"], args].concat()).ok().out();
    for _ in 0..2 {
        assert_eq!(repo.pack(&[&["state"], args].concat()).ok().out(), expected, "{args:?}");
    }
}

#[test]
fn what_is_remembered_of_a_tree_serves_the_next_one() {
    for format in ["sha1", "sha256"] {
        let repo = Repo::with_format(format);
        for number in 0..40 {
            repo.write(
                &format!("d{}/e{}/f{number}", number % 3, number % 5),
                format!("{number}"),
            );
        }
        repo.write("run.sh", "#!/bin/sh\n");
        repo.write(".gitpack.toml", "version = 1\n[scope.part]\ninclude = [\"d1/**\"]\n");
        repo.commit("first");
        let steps: &[(&str, &dyn Fn())] = &[
            ("nothing", &|| {}),
            ("a change", &|| repo.write("d1/e1/f1", "other")),
            ("a file at the start and at the end", &|| {
                repo.write("!", "x");
                repo.write("~", "x");
            }),
            ("a file becomes a directory", &|| {
                fs::remove_file(repo.path("d1/e1/f1")).unwrap();
                repo.write("d1/e1/f1/inside", "x");
            }),
            ("names that are prefixes of others", &|| {
                repo.write("d1.x", "x");
                repo.write("d1-x", "x");
                repo.write("d10/x", "x");
            }),
            ("a directory becomes a file", &|| {
                fs::remove_dir_all(repo.path("d2")).unwrap();
                repo.write("d2", "file");
            }),
            ("an executable becomes a link", &|| {
                fs::remove_file(repo.path("run.sh")).unwrap();
                symlink("d2", repo.path("run.sh")).unwrap();
            }),
            ("a directory becomes a submodule", &|| {
                fs::remove_dir_all(repo.path("d10")).unwrap();
                fs::create_dir(repo.path("d10")).unwrap();
                let inner = "git init -q --object-format=$0 . && git commit -q --allow-empty -m inner";
                repo.place.run(&repo.path("d10"), "sh", &["-c", inner, format]).ok();
            }),
            ("a submodule becomes a file", &|| {
                fs::remove_dir_all(repo.path("d10")).unwrap();
                repo.write("d10", "file");
            }),
            ("a name with a newline", &|| repo.write("d1/two\nlines", "x")),
            ("another scope", &|| {
                repo.write(".gitpack.toml", "version = 1\n[scope.part]\ninclude = [\"d0/**\"]\n");
            }),
            ("fewer files", &|| fs::remove_dir_all(repo.path("d1")).unwrap()),
        ];
        for (what, change) in steps {
            change();
            repo.git(&["add", "-A"]).ok();
            repo.git(&["commit", "-q", "--allow-empty", "-m", what]).ok();
            remembers_well(&repo, &[]);
            remembers_well(&repo, &["--scope", "part"]);
            remembers_well(&repo, &["--include", "d*/e1/**", "--exclude", "**/f6"]);
        }
        // Back and forth.
        remembers_well(&repo, &["HEAD~5"]);
        remembers_well(&repo, &["HEAD"]);
        let expected = reference::state(&repo.place, &repo.root, "HEAD");
        assert_eq!(repo.pack(&["state"]).ok().out().trim(), expected, "{format}");
    }
}

#[test]
fn a_forged_memory_of_states_is_not_believed() {
    let repo = Repo::empty();
    repo.write("a", "a");
    repo.write("b", "b");
    repo.commit("one");
    repo.pack(&["state"]).ok();
    repo.write("c", "c");
    repo.commit("two");
    let expected = repo.pack(&["state"]).ok().out();
    let states = repo.path(".git/gitpack/seals/states");
    let files: Vec<_> = fs::read_dir(&states)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert_eq!(files.len(), 2, "{files:?}");
    for file in files {
        let whole = fs::read(&file).unwrap();
        for at in [0, whole.len() / 2, whole.len() - 40, whole.len() - 1] {
            let mut bytes = whole.clone();
            bytes[at] ^= 1;
            fs::write(&file, bytes).unwrap();
            assert_eq!(repo.pack(&["state"]).ok().out(), expected, "{file:?} {at}");
            fs::write(&file, &whole).unwrap();
        }
    }
}

#[test]
fn a_tree_that_git_would_not_write_is_refused_also_after_a_good_one() {
    let repo = Repo::empty();
    repo.write("d/a", "a");
    repo.write("d/b", "b");
    repo.commit("one");
    repo.pack(&["state"]).ok();
    let blob = repo.rev("HEAD:d/a");
    let id: Vec<u8> = (0..20)
        .map(|at| u8::from_str_radix(&blob[2 * at..][..2], 16).unwrap())
        .collect();
    let raw = |names: &[&str]| {
        let entries = names
            .iter()
            .map(|name| [format!("100644 {name}\0").as_bytes(), &id].concat());
        repo.write("../tree", entries.collect::<Vec<_>>().concat());
        let args = ["hash-object", "-t", "tree", "-w", "--literally", "../tree"];
        repo.git(&args).ok().out().trim().to_owned()
    };
    for names in [&["b", "a"][..], &["a", "a"], &[".git"]] {
        let tree = raw(names);
        let top = format!("printf '040000 tree {tree}\\td\\n' | git mktree --missing");
        let top = repo.place.run(&repo.root, "sh", &["-c", &top]).ok().out();
        let commit = repo.git(&["commit-tree", "-m", "odd", top.trim()]).ok().out();
        for args in [&["state", commit.trim()][..], &["state", "--no-cache", commit.trim()]] {
            let done = repo.pack(args);
            assert_eq!(done.code, 2, "{names:?} {args:?}: {}", done.out());
            assert!(done.stderr.contains("its entry"), "{}", done.stderr);
        }
    }
}
