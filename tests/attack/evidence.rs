//! Evidence that nobody meant to publish.

use std::fs;
use std::path::Path;

use crate::common::packs::{codes, sample, standing};
use crate::common::{Place, Repo, write};

/// Files that are refused wherever they are sealed: private keys, whatever they are called, and seals that are none.
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

fn seal(place: &Place, directory: &Path, args: &[&str]) -> crate::common::Done {
    place.pack_in(directory, &[&["seal"], args].concat())
}

/// Gain: a private key goes into a pack in the clear, and whoever gets the pack has it.
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

            // Named by its path on disk, by a longer spelling of it, or by its path in the pack.
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

/// Gain: a misspelt name lets something else pass than was meant.
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

/// Gain: with one key released, everything else that is protected goes along, or the pack does not verify.
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
    // What a rule protects is for a rule to release.
    repo.pack(&["seal", "e", "--plaintext", "e/a.vec", "-o", "../no"])
        .refused("E_USAGE");
}

/// Gain: a tree pack passes for what its commit's rules make of it, with a key in the clear.
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
    assert!(done.stderr.contains("tests/id stands in the clear"), "{}", done.stderr);
    let pack = repo.place.path().join("both");
    assert_eq!(fs::read(pack.join("repo/tests/id")).unwrap(), key);
    assert_eq!(codes(&pack), []);
    let against = repo.pack(&["verify", "../both", "--rev", "HEAD"]);
    assert_eq!(against.code, 1, "{}", against.out());
    assert!(against.out().contains("meta/PROTECTED.json"), "{}", against.out());
}
