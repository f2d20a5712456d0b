//! Evidence packs with content that was published by accident.

use std::fs;
use std::path::Path;

use crate::attack::known::gzip;
use crate::common;
use crate::common::packs::{codes, sample, standing};
use crate::common::{Place, Repo, noise, write};

/// Files that are refused in every pack: private keys under any name, and files that only have the
/// name of a seal.
fn refused() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        ("id_ed25519", sample("private-key/openssh_ed25519")),
        ("notes.txt", sample("private-key/age_identity")),
        ("key.vec", sample("private-key/pem_rsa")),
        ("_PACK_RUN/key", sample("private-key/pem_rsa")),
        ("key.gz", sample("layers/gzip/private-key/key.gz")),
        ("report.age", b"not sealed at all\n".to_vec()),
        ("id.AGE", sample("private-key/pem_rsa")),
        ("cut.age", b"age-encryption.org/v1\n-> X25519 x\n".to_vec()),
    ]
}

fn seal(place: &Place, directory: &Path, args: &[&str]) -> common::Done {
    place.pack_in(directory, &[&["seal"], args].concat())
}

/// Gain: a pack publishes a private key in the clear.
#[test]
fn no_pack_holds_a_key_or_a_fake_seal_unless_it_is_named() {
    for (name, content) in refused() {
        let bare = Place::new();
        let unconfigured = Repo::empty();
        for (place, root) in [(&bare, bare.path()), (&unconfigured.place, unconfigured.root.as_path())] {
            write(&root.join("e").join(name), &content);
            write(&root.join("e/readme"), "evidence\n");
            let before = standing(root);
            let value = seal(place, root, &["e", "-o", "out"]).refused("E_PLAINTEXT_LEAK");
            assert_eq!(value["refusal"]["detail"]["path"], format!("e/{name}"), "{value}");
            assert_eq!(standing(root), before, "{name}");

            // A file can be named by its path on disk, by a longer spelling of that path, or by its path in the pack.
            let on_disk = format!("e/{name}");
            let longer = format!("./e/../e/{name}");
            for (at, path) in [on_disk.as_str(), longer.as_str()].iter().enumerate() {
                let output = format!("out-{at}");
                let done = seal(place, root, &["e", "--plaintext", path, "-o", &output]).ok();
                assert!(!done.stderr.contains("note"), "{}", done.stderr);
                let pack = root.join(&output);
                assert_eq!(fs::read(pack.join("e").join(name)).unwrap(), content);
                assert_eq!(codes(&pack), []);
                assert!(!pack.join("meta").exists());
            }
        }
    }
}

/// Gain: a misspelt name releases another file than the user meant.
#[test]
fn a_name_that_is_not_in_the_pack_is_refused() {
    let place = Place::new();
    write(&place.path().join("a"), "a");
    write(&place.path().join("b"), "b");
    for path in ["c", "b", "", ".", "a/"] {
        seal(&place, place.path(), &["a", "--plaintext", path, "-o", "out"]).refused("E_USAGE");
    }
    let repo = Repo::set_up();
    for path in ["none", "_PACK_RUN/x", "../repo/none"] {
        repo.pack(&["seal", "--plaintext", path]).refused("E_USAGE");
    }
    assert!(!repo.path("_PACK_RUN").exists());
}

/// Gain: releasing one key also releases other protected files, or makes a pack that does not verify.
#[test]
fn what_is_named_is_all_that_is_released() {
    let repo = Repo::set_up();
    let key = sample("private-key/pem_rsa");
    repo.write("e/id", &key);
    repo.write("e/second", sample("private-key/age_identity"));
    repo.write("e/a.vec", "secret");
    let (_, sealed) = repo.seal(&["e", "-o", "../sealed"]);
    assert!(!sealed.join("e").exists());
    let (_, pack) = repo.seal(&["e", "--plaintext", "e/id", "-o", "../pack"]);
    assert_eq!(fs::read(pack.join("e/id")).unwrap(), key);
    assert!(pack.join("sealed/e/second.age").exists() && pack.join("sealed/e/a.vec.age").exists());
    assert_eq!(codes(&pack), []);
    // Only a rule can release a file that a rule protects.
    repo.pack(&["seal", "e", "--plaintext", "e/a.vec", "-o", "../no"])
        .refused("E_USAGE");
}

/// Gain: a tree pack that holds a key in the clear passes for the pack that its commit's rules give.
#[test]
fn a_tree_pack_with_a_named_key_says_that_it_is_not_that_of_its_commit() {
    let repo = Repo::set_up();
    let key = sample("private-key/pem_rsa");
    repo.write("tests/id", &key);
    repo.write("tests/fake.age", "none");
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "key"]).ok();
    let value = repo.pack(&["seal", "-o", "../pack"]).refused("E_PLAINTEXT_LEAK");
    assert_eq!(value["refusal"]["detail"]["path"], "tests/fake.age", "{value}");
    let (_, pack) = repo.seal(&["--plaintext", "tests/fake.age", "-o", "../pack"]);
    assert!(pack.join("sealed/tests/id.age").exists() && pack.join("repo/tests/fake.age").exists());
    assert_eq!(codes(&pack), []);
    let both = [
        "seal",
        "--plaintext",
        "id",
        "--plaintext",
        "fake.age",
        "-o",
        "../../both",
    ];
    let done = repo.place.pack_in(&repo.path("tests"), &both).ok();
    assert!(done.stderr.contains("tests/id is in plaintext"), "{}", done.stderr);
    let pack = repo.place.path().join("both");
    assert_eq!(fs::read(pack.join("repo/tests/id")).unwrap(), key);
    assert_eq!(codes(&pack), []);
    let against = repo.pack(&["verify", "../both", "--rev", "HEAD"]);
    assert_eq!(against.code, 1, "{}", against.out());
    assert!(against.out().contains("meta/PROTECTED.json"), "{}", against.out());
}

/// Sets up a repository that protected `secrets/data.txt`; the plaintext is on disk and ignored. Returns its content,
/// too.
fn protecting() -> (Repo, Vec<u8>) {
    let repo = Repo::set_up();
    let content = noise(7, 200_000);
    repo.write("secrets/data.txt", &content);
    repo.pack(&["protect", "secrets/data.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    (repo, content)
}

/// Returns whether a file below `directory` holds the middle of `content`.
fn gives_away(directory: &Path, content: &[u8]) -> bool {
    let middle = &content[content.len() / 2..][..64];
    standing(directory)
        .iter()
        .any(|(_, _, bytes)| bytes.windows(middle.len()).any(|window| window == middle))
}

/// Gain: a plaintext with a sealed twin goes into a pack in the clear, because no rule names it.
#[test]
fn the_plaintext_of_a_twin_is_sealed_in_evidence() {
    let (repo, content) = protecting();
    for (at, artifact) in ["secrets/data.txt", "secrets"].iter().enumerate() {
        let output = format!("../out-{at}");
        repo.pack(&["seal", artifact, "-o", &output]).ok();
        let pack = repo.path(&output);
        assert_eq!(codes(&pack), [], "{artifact}");
        assert!(!gives_away(&pack, &content), "{artifact}");
        let opened = format!("../opened-{at}");
        repo.pack(&["open", &output, "-o", &opened]).ok();
        assert!(gives_away(&repo.path(&opened), &content), "{artifact}");
    }
    repo.pack(&[
        "seal",
        "secrets/data.txt",
        "--plaintext",
        "secrets/data.txt",
        "-o",
        "../out",
    ])
    .refused("E_USAGE");
    // The same for a commit from before the protection.
    let other = Repo::set_up();
    other.write("notes.txt", &content);
    other.commit("plain notes");
    other.pack(&["protect", "notes.txt"]).ok();
    other.git(&["commit", "-q", "-m", "sealed"]).ok();
    other
        .pack(&["seal", "--rev", "HEAD~1", "notes.txt", "-o", "../out"])
        .ok();
    assert!(!gives_away(&other.path("../out"), &content));
}

/// A file that a rule protects by its place in the repository and another one, as strict, by its name in the pack.
#[test]
fn evidence_that_two_rules_protect_is_valid() {
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let rule = "[[protect]]\nclass = \"place\"\npaths = [\"embeddings/**\"]\n";
    repo.write(".gitpack.toml", format!("{config}\n{rule}"));
    repo.write("embeddings/x.vec", noise(7, 5000));
    repo.pack(&["seal", "embeddings/x.vec", "-o", "../out"]).ok();
    assert_eq!(codes(&repo.path("../out")), []);
}

/// Gain: the same after the configuration was removed.
#[test]
fn the_plaintext_of_a_twin_is_refused_without_rules() {
    let (repo, content) = protecting();
    repo.git(&["rm", "-q", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "no rules"]).ok();
    repo.write("copy.bin", &content);
    for artifact in ["secrets", "copy.bin"] {
        let value = repo
            .pack(&["seal", artifact, "-o", "../out"])
            .refused("E_PLAINTEXT_LEAK");
        assert!(value.to_string().contains("secrets/data.txt"), "{value}");
        assert!(!repo.path("../out").exists());
    }
    repo.pack(&["seal", "copy.bin", "--plaintext", "copy.bin", "-o", "../out"])
        .ok();
}

/// Gain: a copy of a protected plaintext goes into a pack in the clear, under another name, in part or compressed.
#[test]
fn known_plaintext_goes_into_no_pack_unless_it_is_named() {
    let (repo, content) = protecting();
    repo.write("e/copy.bin", &content);
    repo.write(
        "e/half.bin",
        [b"before".as_slice(), &content[..100_000], b"behind"].concat(),
    );
    repo.write("e/packed.bin", gzip(&content));
    repo.write("e/other.bin", noise(8, 40_000));
    for name in ["copy.bin", "half.bin", "packed.bin"] {
        let path = format!("e/{name}");
        let value = repo.pack(&["seal", &path, "-o", "../out"]).refused("E_PLAINTEXT_LEAK");
        assert!(value.to_string().contains("% of secrets/data.txt"), "{value}");
        assert!(!repo.path("../out").exists(), "{name}");
    }
    repo.pack(&["seal", "e/other.bin", "-o", "../other"]).ok();
    let done = repo
        .pack(&["seal", "e/copy.bin", "--plaintext", "e/copy.bin", "-o", "../named"])
        .ok();
    assert!(done.out().contains("PACK_CREATED"), "{}", done.out());
    assert_eq!(codes(&repo.path("../named")), []);

    repo.git(&["add", "e"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "copies"]).ok();
    for args in [
        &["seal", "-o", "../tree"][..],
        &["seal", "--rev", "HEAD", "e/half.bin", "-o", "../tree"],
    ] {
        let value = repo.pack(args).refused("E_PLAINTEXT_LEAK");
        assert!(value.to_string().contains("% of secrets/data.txt"), "{value}");
        assert!(!repo.path("../tree").exists());
    }
    let all = ["e/copy.bin", "e/half.bin", "e/packed.bin"];
    let named = all.iter().flat_map(|path| ["--plaintext", path]);
    let args: Vec<&str> = ["seal", "-o", "../tree"].into_iter().chain(named).collect();
    repo.pack(&args).ok();
    assert_eq!(codes(&repo.path("../tree")), []);

    // When the user no longer protects the original, its copies may be published.
    repo.git(&["rm", "-q", "secrets/data.txt.age"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "no twin"]).ok();
    repo.pack(&["seal", "-o", "../released"]).ok();
    repo.pack(&["seal", "e/copy.bin", "-o", "../released-copy"]).ok();
}

/// Gain: a commit from before the protection is checked out, and its plaintext goes into a pack.
#[test]
fn an_old_checkout_forgets_no_protection() {
    let repo = Repo::set_up();
    let content = noise(7, 200_000);
    repo.write("notes.txt", &content);
    repo.commit("plain notes");
    repo.pack(&["protect", "notes.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    fs::rename(repo.path("notes.txt"), repo.path("../kept")).unwrap();
    repo.git(&["checkout", "-q", "HEAD~1"]).ok();
    repo.pack(&["seal", "-o", "../tree"]).refused("E_PLAINTEXT_LEAK");
    repo.pack(&["seal", "../kept", "-o", "../copy"])
        .refused("E_PLAINTEXT_LEAK");
    repo.pack(&["seal", "notes.txt", "-o", "../out"]).ok();
    assert!(!gives_away(&repo.path("../out"), &content));
    repo.pack(&["seal", "--rev", "HEAD", "notes.txt", "-o", "../rev"]).ok();
    assert!(!gives_away(&repo.path("../rev"), &content));
}

/// Gain: releasing one copy releases another, whose path in the pack equals the first one's path on disk.
#[test]
fn one_path_names_one_artifact() {
    let (repo, content) = protecting();
    repo.write("x/c", &content);
    repo.write("d/x/c", &content[..150_000]);
    let value = repo
        .pack(&["seal", "d/x", "x/c", "--plaintext", "x/c", "-o", "../out"])
        .refused("E_PLAINTEXT_LEAK");
    assert!(
        value["refusal"]["detail"]["path"].as_str().unwrap().ends_with("x/c"),
        "{value}"
    );
    assert!(!repo.path("../out").exists());
    repo.pack(&[
        "seal",
        "d/x",
        "x/c",
        "--plaintext",
        "x/c",
        "--plaintext",
        "d/x/c",
        "-o",
        "../out",
    ])
    .ok();
}

/// Gain: a clone that revealed a plaintext but never sealed publishes a copy of it.
#[test]
fn what_a_clone_reveals_is_known_there() {
    let (repo, content) = protecting();
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "repo", "clone"])
        .ok();
    let clone = repo.place.path().join("clone");
    repo.place.pack_in(&clone, &["reveal"]).ok();
    write(&clone.join("copy.bin"), &content);
    repo.place
        .pack_in(&clone, &["seal", "copy.bin", "-o", "../out"])
        .refused("E_PLAINTEXT_LEAK");
}
