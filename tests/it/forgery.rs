//! Forged seals: every forgery is found, however much of the pack is made to agree with it, and none is opened.

use std::fs;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{assert_same, codes, copy_tree, recompute, redeclare_as_found, sample};
use crate::common::{Repo, noise, snapshot, write};
use gitpack::ops::pack::verify::verify_directory;

const CHUNK: usize = (64 << 10) + 16;

/// How much of the pack the forger recomputes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Care {
    /// No documents.
    None,
    /// The manifest, the file list and the tree.
    Manifest,
    /// The declarations of the seals as well.
    Seals,
}

/// Who can detect a forgery.
enum Told {
    /// Anybody, by one of these codes.
    Keyless(&'static [&'static str]),
    /// Only the holder of a key, by opening the seals.
    WithKey,
    /// Verification cannot detect it, or there is nothing to recompute.
    Nothing,
}

use Told::{Keyless, Nothing, WithKey};

type Forge = fn(&Kit, &Path);

struct Forgery {
    what: &'static str,
    forge: Forge,
    /// Indexed by [`Care`].
    told: [Told; 3],
}

/// A sealed pack, either a tree pack or evidence.
struct Kit {
    repo: Repo,
    pack: PathBuf,
    /// The directory of plain files in the pack.
    plain: &'static str,
    /// Its seals: a large one of several chunks, and a small one.
    big: &'static str,
    small: &'static str,
}

impl Kit {
    fn tree() -> Self {
        let repo = scene();
        let (_, pack) = repo.seal(&["--attach", "big.vec", "--attach", "small.vec", "-o", "../pack"]);
        Self::of(repo, pack, "repo/")
    }

    fn evidence() -> Self {
        let repo = scene();
        let (_, pack) = repo.seal(&["big.vec", "small.vec", "README.md", "-o", "../pack"]);
        Self::of(repo, pack, "")
    }

    fn of(repo: Repo, pack: PathBuf, plain: &'static str) -> Self {
        Self {
            repo,
            pack,
            plain,
            big: "sealed/big.vec.age",
            small: "sealed/small.vec.age",
        }
    }

    fn copy(&self, name: &str) -> PathBuf {
        let copy = self.repo.place.path().join("forged").join(name);
        drop(fs::remove_dir_all(&copy));
        copy_tree(&self.pack, &copy);
        copy
    }
}

/// Three chunks and a little more.
fn big() -> Vec<u8> {
    noise(7, 200_000)
}

fn scene() -> Repo {
    let repo = Repo::set_up();
    repo.write("big.vec", big());
    repo.write("small.vec", noise(8, 500));
    repo
}

/// Returns the length of the header and nonce of an age file.
fn head(bytes: &[u8]) -> usize {
    gitpack::adapters::cipher::header(bytes).unwrap().bytes as usize
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Edits the text of a header.
fn edit_header(path: &Path, change: impl FnOnce(String) -> String) {
    edit(path, |bytes| {
        let nonce = head(bytes) - 16;
        let text = String::from_utf8(bytes[..nonce].to_vec()).unwrap();
        *bytes = [change(text).as_bytes(), &bytes[nonce..]].concat();
    });
}

/// A stanza of the same kind from another age file.
const STANZA: &str = "-> X25519 S7rQ0wR2TnrR1bPeq9rAAvkhZoTG8q1ExoHrC9QCDhY\n\
                      GLU1jFt9CqS6bVMTF2LkK1SmGQT9cEB0dP/vKcmvmBo\n";

const TAMPERED: &[&str] = &["SEAL_TAMPERED"];
const HASHES: &[&str] = &["HASH_MISMATCH"];

fn forgeries() -> Vec<Forgery> {
    let forgery = |what, told, forge: Forge| Forgery { what, forge, told };
    vec![
        forgery(
            "plaintext under its own path",
            [
                Keyless(&["EXTRA_MEMBER"]),
                Keyless(&["PLAINTEXT_LEAK"]),
                Keyless(&["PLAINTEXT_LEAK"]),
            ],
            |kit, pack| write(&pack.join(format!("{}big.vec", kit.plain)), big()),
        ),
        forgery(
            "plaintext under a protected path of its own",
            [
                Keyless(&["EXTRA_MEMBER"]),
                Keyless(&["PLAINTEXT_LEAK"]),
                Keyless(&["PLAINTEXT_LEAK"]),
            ],
            |kit, pack| write(&pack.join(format!("{}other.vec", kit.plain)), "another"),
        ),
        forgery(
            "plaintext that content betrays",
            [
                Keyless(&["EXTRA_MEMBER"]),
                Keyless(&["PLAINTEXT_LEAK"]),
                Keyless(&["PLAINTEXT_LEAK"]),
            ],
            |kit, pack| write(&pack.join(format!("{}logo.png", kit.plain)), sample("faiss/flat_ip")),
        ),
        forgery(
            "plaintext in the place of a copy",
            [
                Keyless(HASHES),
                Keyless(&["PLAINTEXT_LEAK"]),
                Keyless(&["PLAINTEXT_LEAK"]),
            ],
            |kit, pack| {
                write(
                    &pack.join(format!("{}README.md", kit.plain)),
                    sample("private-key/pem_rsa"),
                );
            },
        ),
        forgery(
            "a byte of the payload flipped",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes[100_000] ^= 1),
        ),
        forgery(
            "the last byte flipped",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| edit(&pack.join(kit.big), |bytes| *bytes.last_mut().unwrap() ^= 1),
        ),
        forgery(
            "the nonce changed",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit(&pack.join(kit.small), |bytes| {
                    let at = head(bytes) - 3;
                    bytes[at] ^= 1;
                });
            },
        ),
        forgery(
            "a seal left out",
            // If the declaration is gone as well, the pack does not show that a seal is missing. Another test compares
            // with the commit.
            [
                Keyless(&["SEAL_MISSING", "MISSING_MEMBER"]),
                Keyless(&["SEAL_MISSING"]),
                Nothing,
            ],
            |kit, pack| fs::remove_file(pack.join(kit.small)).unwrap(),
        ),
        forgery(
            "the document left out",
            [Keyless(&["MISSING_MEMBER"]), Keyless(&["SEAL_UNDECLARED"]), Nothing],
            |_, pack| fs::remove_file(pack.join("SEALED_ARTIFACTS.json")).unwrap(),
        ),
        forgery(
            "the seals left out together with their document",
            [Keyless(&["MISSING_MEMBER"]), Keyless(&["SCHEMA_VIOLATION"]), Nothing],
            |_, pack| {
                fs::remove_file(pack.join("SEALED_ARTIFACTS.json")).unwrap();
                fs::remove_dir_all(pack.join("sealed")).unwrap();
            },
        ),
        forgery(
            "a seal added",
            [
                Keyless(&["EXTRA_MEMBER"]),
                Keyless(&["SEAL_UNDECLARED"]),
                Keyless(&["SEAL_UNDECLARED"]),
            ],
            |kit, pack| {
                fs::copy(pack.join(kit.small), pack.join("sealed/more.vec.age")).unwrap();
            },
        ),
        forgery(
            // Each seal opens to a sealed artifact, but under the name of the other. No key can detect that.
            "the seals swapped",
            [Keyless(TAMPERED), Keyless(TAMPERED), Nothing],
            |kit, pack| {
                let one = fs::read(pack.join(kit.big)).unwrap();
                fs::copy(pack.join(kit.small), pack.join(kit.big)).unwrap();
                fs::write(pack.join(kit.small), one).unwrap();
            },
        ),
        forgery(
            "the payload cut short within a chunk",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes.truncate(head(bytes) + CHUNK + 1000)),
        ),
        forgery(
            "the payload cut short between two chunks",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes.truncate(head(bytes) + 2 * CHUNK)),
        ),
        forgery(
            "the payload cut short to a length that none has",
            [Keyless(TAMPERED), Keyless(TAMPERED), Keyless(TAMPERED)],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes.truncate(head(bytes) + CHUNK + 7)),
        ),
        forgery(
            "the payload cut off",
            [Keyless(TAMPERED), Keyless(TAMPERED), Keyless(TAMPERED)],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes.truncate(head(bytes))),
        ),
        forgery(
            "a byte appended",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| edit(&pack.join(kit.big), |bytes| bytes.push(0)),
        ),
        forgery(
            "a chunk appended",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit(&pack.join(kit.big), |bytes| {
                    let head = head(bytes);
                    bytes.truncate(head + 3 * CHUNK);
                    bytes.extend_from_within(head..head + CHUNK);
                });
            },
        ),
        forgery(
            "the chunks in another order",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit(&pack.join(kit.big), |bytes| {
                    let head = head(bytes);
                    bytes[head..head + 2 * CHUNK].rotate_left(CHUNK);
                });
            },
        ),
        forgery(
            "a fake of the same length",
            [Keyless(TAMPERED), Keyless(TAMPERED), Keyless(TAMPERED)],
            |kit, pack| {
                edit(&pack.join(kit.small), |bytes| *bytes = noise(1, bytes.len()));
            },
        ),
        forgery(
            "an armoured seal",
            [Keyless(TAMPERED), Keyless(TAMPERED), Keyless(TAMPERED)],
            |kit, pack| fs::write(pack.join(kit.small), sample("age/armored")).unwrap(),
        ),
        forgery(
            // A complete seal that is made for another recipient.
            "another's seal",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| fs::write(pack.join(kit.small), sample("age/binary")).unwrap(),
        ),
        forgery(
            "a stanza added",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit_header(&pack.join(kit.small), |text| {
                    text.replacen("-> ", &format!("{STANZA}-> "), 1)
                })
            },
        ),
        forgery(
            "a stanza removed",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit_header(&pack.join(kit.small), |text| {
                    // Leaves only the grease, or puts another stanza in place of the right one.
                    let from = text.find("-> X25519").unwrap();
                    let rest = &text[from + 3..];
                    let to = rest.find("\n-> ").or(rest.find("\n---")).unwrap();
                    format!("{}{STANZA}{}", &text[..from], &rest[to + 1..])
                });
            },
        ),
        forgery(
            "sealed for nobody",
            [Keyless(TAMPERED), Keyless(TAMPERED), Keyless(TAMPERED)],
            |kit, pack| {
                edit_header(&pack.join(kit.small), |text| {
                    let mac = &text[text.find("---").unwrap()..];
                    format!("age-encryption.org/v1\n{mac}")
                });
            },
        ),
        forgery(
            "the MAC of the header changed",
            [Keyless(TAMPERED), Keyless(TAMPERED), WithKey],
            |kit, pack| {
                edit_header(&pack.join(kit.small), |text| {
                    let at = text.find("--- ").unwrap() + 4;
                    let other = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
                    format!("{}{other}{}", &text[..at], &text[at + 1..])
                });
            },
        ),
    ]
}

/// Asserts that `open` refuses and leaves nothing. If only a key detects the forgery, also tries each artifact alone.
#[track_caller]
fn does_not_open(repo: &Repo, pack: &Path, what: &str, with_key: bool) {
    let before = snapshot(repo.place.path());
    let named = pack.to_str().unwrap();
    let done = repo.pack(&["open", named, "-o", "../opened"]);
    assert_eq!(done.code, 2, "{what}: {}", done.out());
    assert!(done.out().contains("\"outcome\":\"REFUSAL\""), "{what}: {}", done.out());
    // An untouched artifact may be opened from a pack in which another was forged.
    for (path, plain) in [("small.vec", noise(8, 500)), ("big.vec", big())] {
        if with_key {
            let done = repo.pack(&["open", named, path, "--stdout"]);
            assert!(done.code == 2 || done.stdout == plain, "{what}: {path}");
        }
    }
    assert_same(&before, &snapshot(repo.place.path()), what);
}

fn none_passes(kit: &Kit) {
    let identity = kit.repo.identity();
    assert_eq!(codes(&kit.pack), []);
    for (at, forgery) in forgeries().into_iter().enumerate() {
        for (care, told) in [Care::None, Care::Manifest, Care::Seals].into_iter().zip(forgery.told) {
            if matches!(told, Nothing) {
                continue;
            }
            let what = format!("{} ({care:?})", forgery.what);
            let pack = kit.copy(&at.to_string());
            (forgery.forge)(kit, &pack);
            match care {
                Care::None => {}
                Care::Manifest => recompute(&pack),
                Care::Seals => redeclare_as_found(&pack),
            }
            let found = codes(&pack);
            let envelope = ["HASH_MISMATCH", "PACK_ID_MISMATCH", "MEMBER_COUNT_MISMATCH"];
            let agrees = |(_, code): &(String, &str)| !envelope.contains(code);
            assert!(care == Care::None || found.iter().all(agrees), "{what}: {found:?}");
            let arguments = [
                "verify",
                pack.to_str().unwrap(),
                "--identity",
                identity.to_str().unwrap(),
            ];
            let with_key = kit.repo.pack(&arguments);
            assert_eq!(with_key.code, 1, "{what}: {}", with_key.out());
            match told {
                Keyless(expected) => {
                    for code in expected {
                        assert!(
                            found.iter().any(|(_, found)| found == code),
                            "{what}: no {code} in {found:?}"
                        );
                    }
                }
                WithKey => {
                    assert_eq!(found, [], "{what}: it was detected without a key");
                    kit.repo.pack(&arguments[..2]).ok();
                    assert!(with_key.out().contains("SEAL_UNOPENABLE"), "{what}: {}", with_key.out());
                }
                Nothing => {}
            }
            does_not_open(&kit.repo, &pack, &what, matches!(told, WithKey));
            fs::remove_dir_all(&pack).unwrap();
        }
    }
}

#[test]
fn no_forged_tree_pack_passes_or_opens() {
    none_passes(&Kit::tree());
}

#[test]
fn no_forged_evidence_pack_passes_or_opens() {
    none_passes(&Kit::evidence());
}

#[test]
fn seals_that_are_dropped_and_not_declared_any_more_are_missed_by_the_commit() {
    let repo = Repo::set_up();
    for path in ["small.vec", "data/logo.png"] {
        repo.write(path, sample("faiss/flat_ip"));
    }
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    for (flags, dropped) in [(&[][..], "sealed/small.vec.age"), (&["--opaque-names"], "")] {
        let (_, pack) = repo.seal(&[flags, &["-o", "../pack", "--replace"]].concat());
        repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
        let dropped = match dropped {
            "" => {
                // The seal of an artifact, not that of the names; which sorts first depends on the ciphertexts.
                let mut names = common::packs::ciphertexts(&pack).into_keys();
                pack.join("sealed")
                    .join(names.find(|name| !name.ends_with("INDEX.age")).unwrap())
            }
            path => pack.join(path),
        };
        fs::remove_file(dropped).unwrap();
        redeclare_as_found(&pack);
        assert_eq!(codes(&pack), [], "without the commit the pack agrees with itself");
        let done = repo.pack(&["verify", "../pack", "--rev", "HEAD"]);
        assert_eq!(done.code, 1);
        assert!(done.out().contains("SEAL_MISSING"), "{}", done.out());
        recompute(&pack);
    }
}

#[test]
fn a_copy_of_an_artifact_under_another_name_is_refused_when_it_is_sealed() {
    let repo = scene();
    repo.write("docs/figure.dat", big());
    repo.write("twin/figure.dat", noise(8, 500));
    repo.commit_only("docs");
    let before = common::packs::standing(repo.place.path());
    for args in [
        &["seal", "--attach", "big.vec", "-o", "../pack"][..],
        &[
            "seal",
            "--attach",
            "big.vec",
            "--pad",
            "--opaque-names",
            "-o",
            "../pack",
        ],
        &["seal", "--attach", "big.vec", "--mode", "internal", "-o", "../pack"],
        &["seal", "big.vec", "docs", "-o", "../pack"],
        &["seal", "small.vec", "twin", "--pad", "-o", "../pack"],
    ] {
        let value = repo.pack(args).refused("E_PLAINTEXT_LEAK");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("figure.dat") && message.contains(".vec"), "{message}");
        assert_same(&before, &common::packs::standing(repo.place.path()), "refused");
    }
}

/// The same as `any_flipped_byte_of_any_file_is_caught`, for a pack that hides names and sizes.
#[test]
fn any_flipped_byte_of_an_opaque_and_padded_pack_is_caught() {
    let repo = Repo::set_up();
    repo.write("s.vec", "tiny secret");
    // Evidence has the fewest members, and each is read once for every byte.
    let (_, pack) = repo.seal(&["s.vec", "--opaque-names", "--pad", "-o", "../pack"]);
    for (path, mode, bytes) in snapshot(&pack) {
        if mode & 0o170000 == 0o040000 {
            continue;
        }
        let file = pack.join(&path);
        for at in 0..bytes.len() {
            let mut flipped = bytes.clone();
            flipped[at] ^= 1 << (at % 8);
            fs::write(&file, &flipped).unwrap();
            match verify_directory(&pack) {
                Ok(report) => assert!(!report.findings.is_empty(), "{} byte {at}", path.display()),
                // A manifest that no longer parses cannot be judged.
                Err(_) => assert_eq!(path, Path::new("manifest.json")),
            }
        }
        fs::write(&file, &bytes).unwrap();
    }
    assert_eq!(codes(&pack), []);
}
