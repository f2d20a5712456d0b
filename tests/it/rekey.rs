//! `git pack rekey` end to end, with the real git, and with the `age` command to open the result.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::{Done, Repo, age, age_keygen, noise, snapshot};
use gitpack::format::digest::Digest;
use serde_json::Value;

/// A repository with an untracked vector, and the key of another person.
struct Bench {
    repo: Repo,
    secret: Vec<u8>,
    other: Key,
}

/// An identity file made by `age-keygen`, and its recipient.
struct Key {
    file: PathBuf,
    recipient: String,
}

impl Key {
    fn new(repo: &Repo, name: &str) -> Self {
        let file = repo.place.path().join(name);
        let text = file.to_str().unwrap();
        repo.place.run(&repo.root, &age_keygen(), &["-o", text]).ok();
        let recipient = repo.place.run(&repo.root, &age_keygen(), &["-y", text]).ok().out();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        Self {
            recipient: recipient.trim().to_owned(),
            file,
        }
    }

    fn text(&self) -> &str {
        self.file.to_str().unwrap()
    }
}

impl Bench {
    fn new() -> Self {
        let repo = Repo::set_up();
        let secret = noise(7, 200_000);
        repo.write("embeddings/index.vec", &secret);
        repo.write("notes.vec", "short");
        let other = Key::new(&repo, "other.txt");
        Self { repo, secret, other }
    }

    fn seal(&self, args: &[&str]) -> PathBuf {
        let attach = ["--attach", "embeddings/index.vec", "--attach", "notes.vec"];
        self.repo.seal(&[&attach[..], args].concat()).1
    }

    fn rekey(&self, what: &Path, output: &str, args: &[&str]) -> Done {
        let base = [
            "rekey",
            what.to_str().unwrap(),
            "-o",
            output,
            "-r",
            &self.other.recipient,
        ];
        self.repo.pack(&[&base[..], args].concat())
    }

    fn out(&self, name: &str) -> PathBuf {
        self.repo.place.path().join(name)
    }

    fn age(&self, identity: &Path, sealed: &Path) -> Done {
        let args = ["-d", "-i", identity.to_str().unwrap(), sealed.to_str().unwrap()];
        self.repo.place.run(&self.repo.root, &age(), &args)
    }

    /// Snapshots everything in and beside the repository except git's own files and the ledger: path, mode, and hash.
    fn surroundings(&self) -> Vec<(PathBuf, u32, String)> {
        let all = snapshot(self.repo.place.path()).into_iter();
        all.filter(|(path, _, _)| !path.starts_with("repo/.git"))
            .map(|(path, mode, bytes)| (path, mode, Digest::of(&bytes).hex()[..12].to_owned()))
            .collect()
    }
}

fn document(pack: &Path) -> Value {
    serde_json::from_slice(&fs::read(pack.join("SEALED_ARTIFACTS.json")).unwrap()).unwrap()
}

fn manifest(pack: &Path) -> Value {
    serde_json::from_slice(&fs::read(pack.join("manifest.json")).unwrap()).unwrap()
}

/// Returns the header of an age file without its MAC, and everything after the header.
fn parts(file: &Path) -> (String, Vec<u8>) {
    let bytes = fs::read(file).unwrap();
    let mac = bytes.windows(5).position(|at| at == b"\n--- ").unwrap() + 1;
    let end = mac + bytes[mac..].iter().position(|byte| *byte == b'\n').unwrap() + 1;
    (String::from_utf8(bytes[..end].to_vec()).unwrap(), bytes[end..].to_vec())
}

#[test]
fn a_tree_pack_is_for_the_new_recipient_alone_and_keeps_its_payloads() {
    let bench = Bench::new();
    bench.repo.write("lock.json", "{\"version\":\"lock.v0\"}");
    bench.repo.commit_only("lock.json");
    let old = bench.seal(&["--note", "a note"]);
    let before = snapshot(&old);
    let done = bench.rekey(&old, "../new", &[]).ok();
    assert_eq!(done.out(), "REKEYED 2\n../new/\n");
    assert_eq!(snapshot(&old), before);
    let new = bench.out("new");
    let text = new.to_str().unwrap();
    bench.repo.pack(&["verify", text, "--rev", "HEAD"]).ok();
    let verified = bench.repo.pack(&["verify", text, "-i", bench.other.text()]).ok().out();
    assert!(verified.contains("2 sealed, all could be opened"), "{verified}");

    let (was, is) = (document(&old), document(&new));
    for (was, is) in was["artifacts"]
        .as_array()
        .unwrap()
        .iter()
        .zip(is["artifacts"].as_array().unwrap())
    {
        for same in ["path", "class", "policy", "rule", "plain_bytes", "sealed_path", "nonce"] {
            assert_eq!(was[same], is[same], "{same}");
        }
        assert_ne!(was["sealed_hash"], is["sealed_hash"]);
        let member = is["sealed_path"].as_str().unwrap();
        let ((old_header, old_payload), (header, payload)) = (parts(&old.join(member)), parts(&new.join(member)));
        assert!(old_payload == payload, "{member}");
        // The new header has none of the old stanzas.
        for line in old_header.lines().filter(|line| line.starts_with("-> ")) {
            assert!(!header.contains(line), "{line}");
        }
        assert_ne!(bench.age(&bench.repo.identity(), &new.join(member)).code, 0, "{member}");
    }
    assert_eq!(was["registry_hash"], is["registry_hash"]);
    let opened = bench
        .age(&bench.other.file, &new.join("sealed/embeddings/index.vec.age"))
        .ok();
    assert!(opened.stdout == bench.secret);
    bench
        .repo
        .pack(&["open", text, "-o", "../mine"])
        .refused("E_NO_IDENTITY");
    bench
        .repo
        .pack(&["open", text, "-i", bench.other.text(), "-o", "../theirs"])
        .ok();
    assert!(fs::read(bench.out("theirs/embeddings/index.vec")).unwrap() == bench.secret);

    let (was, is) = (manifest(&old), manifest(&new));
    for same in ["created", "note", "member_count"] {
        assert_eq!(was[same], is[same], "{same}");
    }
    assert_ne!(was["pack_id"], is["pack_id"]);
    let changed: Vec<&str> = is["members"]
        .as_array()
        .unwrap()
        .iter()
        .zip(was["members"].as_array().unwrap())
        .filter(|(is, was)| is != was)
        .map(|(is, _)| is["path"].as_str().unwrap())
        .collect();
    let expected = [
        "SEALED_ARTIFACTS.json",
        "meta/FILE_INDEX.json",
        "sealed/embeddings/index.vec.age",
        "sealed/notes.vec.age",
    ];
    assert_eq!(changed, expected);
    let kinds: Vec<&Value> = is["members"]
        .as_array()
        .unwrap()
        .iter()
        .map(|member| &member["type"])
        .collect();
    assert!(kinds.contains(&&Value::from("lockfile")), "{kinds:?}");
}

#[test]
fn what_cannot_be_rekeyed_is_refused_and_leaves_nothing() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    let before = bench.surroundings();
    let refused = |args: &[&str], code: &str| {
        let done = bench.repo.pack(&[&["rekey"], args].concat()).refused(code);
        assert_eq!(bench.surroundings(), before, "{args:?}");
        done
    };
    let pack = pack.to_str().unwrap();
    let to_other = ["-r", bench.other.recipient.as_str()];
    let wrong_key = ["-i", bench.other.text(), "-o", "../new"];
    refused(&[&[pack][..], &to_other, &wrong_key].concat(), "E_NO_IDENTITY");
    refused(
        &[&[pack, "--reencrypt"][..], &to_other, &wrong_key].concat(),
        "E_NO_IDENTITY",
    );
    refused(&[pack, "-r", "age1x", "-o", "../new"], "E_USAGE");
    refused(&[&[pack, "-o", "."][..], &to_other].concat(), "E_IO");
    refused(&[&[pack, "-o", ".", "--replace"][..], &to_other].concat(), "E_IO");
    let value = refused(&[&[pack, "-o", pack][..], &to_other].concat(), "E_IO");
    let next = value["refusal"]["next_command"].as_str().unwrap();
    assert!(next.ends_with("--replace"), "{next}");
    let inside = format!("{pack}/inside");
    let value = refused(&[&[pack, "-o", &inside][..], &to_other].concat(), "E_USAGE");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("inside the pack itself"),
        "{value}"
    );
    refused(&[&["absent", "-o", "../new"][..], &to_other].concat(), "E_IO");
    // Without an output nothing is done, and the message names the flag.
    let done = bench.repo.pack(&[&["rekey", pack][..], &to_other].concat());
    assert_eq!(done.code, 2);
    assert!(done.stderr.contains("--output"), "{}", done.stderr);
    assert_eq!(bench.surroundings(), before);
}

#[test]
fn encrypting_anew_changes_every_payload() {
    let bench = Bench::new();
    let old = bench.seal(&[]);
    let done = bench.rekey(&old, "../new", &["--reencrypt"]).ok();
    assert!(done.stderr.contains("under new file keys"), "{}", done.stderr);
    let new = bench.out("new");
    for member in ["sealed/embeddings/index.vec.age", "sealed/notes.vec.age"] {
        let ((_, was), (_, is)) = (parts(&old.join(member)), parts(&new.join(member)));
        assert_eq!(was.len(), is.len());
        assert_ne!(was[..16], is[..16], "the nonce of {member}");
        assert_ne!(was[16..], is[16..], "the payload of {member}");
        assert_ne!(bench.age(&bench.repo.identity(), &new.join(member)).code, 0);
    }
    let opened = bench.age(&bench.other.file, &new.join("sealed/embeddings/index.vec.age"));
    assert!(opened.ok().stdout == bench.secret);
    let text = new.to_str().unwrap();
    bench
        .repo
        .pack(&["verify", text, "--rev", "HEAD", "-i", bench.other.text()])
        .ok();
}

#[test]
fn sealed_names_and_padding_stay() {
    let bench = Bench::new();
    let old = bench.seal(&["--opaque-names", "--pad"]);
    for (output, flags) in [("wrapped", &[][..]), ("encrypted", &["--reencrypt"])] {
        bench.rekey(&old, &format!("../{output}"), flags).ok();
        let new = bench.out(output);
        let text = new.to_str().unwrap();
        let verified = bench
            .repo
            .pack(&["verify", text, "--rev", "HEAD", "-i", bench.other.text()])
            .ok();
        assert!(
            verified.out().contains("2 sealed, all could be opened"),
            "{}",
            verified.out()
        );
        let (was, is) = (document(&old), document(&new));
        let of = |document: &Value, key: &str| -> Vec<String> {
            let artifacts = document["artifacts"].as_array().unwrap().iter();
            let mut all: Vec<String> = artifacts.map(|artifact| artifact[key].to_string()).collect();
            all.sort();
            all
        };
        for same in ["plain_bytes", "padded", "class", "policy", "path", "rule"] {
            assert_eq!(of(&was, same), of(&is, same), "{same}");
        }
        assert_eq!(of(&is, "padded"), ["true", "true"]);
        assert_eq!(of(&is, "path"), ["null", "null"]);
        assert!(
            of(&was, "sealed_path")
                .iter()
                .all(|path| !of(&is, "sealed_path").contains(path))
        );
        let nonces_stay = of(&was, "nonce") == of(&is, "nonce");
        assert_eq!(nonces_stay, flags.is_empty(), "{output}");
        // The sealed list of names gets a new key in any case, because it names other seals now.
        let index = "sealed/INDEX.age";
        assert_ne!(parts(&old.join(index)).1[..16], parts(&new.join(index)).1[..16]);
        assert_eq!(was["index"]["plain_bytes"], is["index"]["plain_bytes"]);
        assert_ne!(bench.age(&bench.repo.identity(), &new.join(index)).code, 0);
        bench
            .repo
            .pack(&["open", text, "-o", "../mine"])
            .refused("E_NO_IDENTITY");
        let opened = format!("../{output}-opened");
        bench
            .repo
            .pack(&["open", text, "-i", bench.other.text(), "-o", &opened])
            .ok();
        assert!(fs::read(bench.repo.path(&opened).join("embeddings/index.vec")).unwrap() == bench.secret);
        assert_eq!(fs::read(bench.repo.path(&opened).join("notes.vec")).unwrap(), b"short");
        // Rekeys back to the first owner, with the key that can open it now.
        let back = format!("../{output}-back");
        bench
            .repo
            .pack(&["rekey", text, "-i", bench.other.text(), "-o", &back])
            .ok();
        bench
            .repo
            .pack(&["open", &back, "notes.vec", "-o", &format!("{back}-opened")])
            .ok();
    }
}

#[test]
fn an_evidence_pack_keeps_its_types_and_has_no_listing() {
    let bench = Bench::new();
    bench.repo.write("nov.lock.json", "{\"version\":\"lock.v0\"}");
    let (_, old) = bench
        .repo
        .seal(&["notes.vec", "nov.lock.json", "README.md", "-o", "../evidence"]);
    bench.rekey(&old, "../new", &[]).ok();
    let new = bench.out("new");
    bench
        .repo
        .pack(&["verify", new.to_str().unwrap(), "-i", bench.other.text()])
        .ok();
    assert!(!new.join("meta/FILE_INDEX.json").exists());
    let typed = |pack: &Path| -> Vec<(String, String, String)> {
        let manifest = manifest(pack);
        let members = manifest["members"].as_array().unwrap().iter();
        let word = |member: &Value, key: &str| member[key].to_string();
        members
            .map(|member| {
                (
                    word(member, "path"),
                    word(member, "type"),
                    word(member, "artifact_version"),
                )
            })
            .collect()
    };
    assert_eq!(typed(&old), typed(&new));
    assert!(
        typed(&new)
            .iter()
            .any(|(_, kind, version)| kind == "\"lockfile\"" && version == "\"lock.v0\"")
    );
    let opened = bench.age(&bench.other.file, &new.join("sealed/notes.vec.age")).ok();
    assert_eq!(opened.stdout, b"short");
}

#[test]
fn replacing_swaps_packs_and_nothing_else() {
    let bench = Bench::new();
    let pack = bench.seal(&["-o", "../pack"]);
    let before = document(&pack);
    let done = bench.rekey(&pack, "../pack", &["--replace"]).ok();
    assert!(!done.stderr.contains("source"), "{}", done.stderr);
    assert_ne!(before, document(&pack));
    bench
        .repo
        .pack(&["verify", "../pack", "--rev", "HEAD", "-i", bench.other.text()])
        .ok();
    let mut names: Vec<_> = fs::read_dir(bench.repo.place.path())
        .unwrap()
        .map(|e| e.unwrap().file_name())
        .collect();
    names.sort();
    assert_eq!(names, ["home", "other.txt", "pack", "repo"]);
    // The output may replace another pack or an empty directory, but not a directory with other files.
    let text = pack.to_str().unwrap();
    let own = ["-i", bench.other.text()];
    bench.repo.seal(&["README.md", "-o", "../readme"]);
    fs::create_dir(bench.out("empty")).unwrap();
    for output in ["../readme", "../empty"] {
        bench
            .repo
            .pack(&[&["rekey", text, "-o", output, "--replace"], &own[..]].concat())
            .ok();
        bench.repo.pack(&["verify", output, "--rev", "HEAD"]).ok();
    }
    fs::write(bench.out("readme/mine"), "mine").unwrap();
    bench
        .repo
        .pack(&[&["rekey", text, "-o", "../readme", "--replace"], &own[..]].concat())
        .refused("E_IO");
    assert_eq!(fs::read(bench.out("readme/mine")).unwrap(), b"mine");
}

#[test]
fn the_recipients_are_those_of_the_flags_or_else_the_configured_ones() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    let text = pack.to_str().unwrap();
    let stanzas = |output: &str| document(&bench.repo.path(output))["artifacts"][0]["stanzas"].to_string();
    let third = Key::new(&bench.repo, "third.txt");
    let added = bench.repo.pack(&["recipients", "add", &bench.other.recipient]).ok();
    assert!(
        added.stderr.contains("git add .gitpack.toml && git commit"),
        "{}",
        added.stderr
    );
    // A pack goes by what is committed, as in a seal.
    let before = bench.repo.pack(&["rekey", text, "-o", "../before"]).ok();
    assert!(
        before.stderr.contains("the one in the work tree differs"),
        "{}",
        before.stderr
    );
    assert_eq!(stanzas("../before").matches("X25519").count(), 1);
    bench.repo.commit_only(".gitpack.toml");
    let done = bench.repo.pack(&["rekey", text, "-o", "../configured"]).ok();
    assert!(!done.stderr.contains("differs"), "{}", done.stderr);
    for key in [bench.repo.identity(), bench.other.file.clone()] {
        bench.age(&key, &bench.out("configured/sealed/notes.vec.age")).ok();
    }
    assert_ne!(
        bench
            .age(&third.file, &bench.out("configured/sealed/notes.vec.age"))
            .code,
        0
    );
    assert_eq!(stanzas("../configured").matches("X25519").count(), 2);
    fs::write(bench.out("list"), format!("# who\n{}\n", third.recipient)).unwrap();
    bench
        .repo
        .pack(&["rekey", text, "-o", "../listed", "-R", "../list"])
        .ok();
    bench.age(&third.file, &bench.out("listed/sealed/notes.vec.age")).ok();
    let listed = bench
        .repo
        .pack(&["rekey", text, "-o", "../again", "-R", "../list"])
        .ok();
    assert!(
        listed.stderr.contains("your own key is not among the recipients"),
        "{}",
        listed.stderr
    );
    assert_eq!(stanzas("../listed").matches("X25519").count(), 1);

    // Without a recipient nothing is done.
    let config = fs::read_to_string(bench.repo.path(".gitpack.toml")).unwrap();
    let without: String = config
        .lines()
        .filter(|line| !line.contains("age1"))
        .map(|line| format!("{line}\n"))
        .collect();
    bench.repo.write(
        ".gitpack.toml",
        without
            .replace("recipients = [", "recipients = []")
            .replace("\n]\n", "\n"),
    );
    bench.repo.pack(&["recipients", "list"]).ok();
    bench.repo.commit_only(".gitpack.toml");
    let before = bench.surroundings();
    let value = bench
        .repo
        .pack(&["rekey", text, "-o", "../new"])
        .refused("E_NO_RECIPIENTS");
    let artifacts = &value["refusal"]["detail"]["artifacts"];
    assert_eq!(artifacts, &serde_json::json!(["embeddings/index.vec", "notes.vec"]));
    let sealed = pack.join("sealed/notes.vec.age");
    let args = ["rekey", sealed.to_str().unwrap(), "-o", "../x.age"];
    bench.repo.pack(&args).refused("E_NO_RECIPIENTS");
    let home = bench.repo.place.path();
    bench
        .repo
        .place
        .pack_in(home, &["rekey", text, "-o", "new"])
        .refused("E_NO_RECIPIENTS");
    assert_eq!(bench.surroundings(), before);
}

#[test]
fn a_pack_that_does_not_verify_is_not_rekeyed() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    for member in ["sealed/notes.vec.age", "repo/README.md", "SEALED_ARTIFACTS.json"] {
        let bytes = fs::read(pack.join(member)).unwrap();
        let mut tampered = bytes.clone();
        *tampered.last_mut().unwrap() ^= 1;
        fs::write(pack.join(member), tampered).unwrap();
        let before = bench.surroundings();
        for flags in [&[][..], &["--reencrypt"], &["--replace"]] {
            bench.rekey(&pack, "../new", flags).refused("E_BAD_PACK");
        }
        assert_eq!(bench.surroundings(), before, "{member}");
        fs::write(pack.join(member), bytes).unwrap();
    }
    bench.repo.seal(&["README.md", "-o", "../plain"]);
    bench.rekey(&bench.out("plain"), "../new", &[]).refused("E_USAGE");
}

#[test]
fn a_file_gets_another_header_and_a_twin_stays_up_to_date() {
    let bench = Bench::new();
    let repo = &bench.repo;
    repo.pack(&["protect", "embeddings/index.vec", "notes.vec"]).ok();
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    let twin = repo.path("embeddings/index.vec.age");
    let before = fs::read(&twin).unwrap();
    let done = bench.rekey(&twin, "../copy.age", &[]).ok();
    assert_eq!(done.out(), "REKEYED 1\n../copy.age\n");
    assert!(!done.stderr.contains("git add"), "{}", done.stderr);
    assert_eq!(fs::read(&twin).unwrap(), before);
    let ((was, payload), (is, moved)) = (parts(&twin), parts(&bench.out("copy.age")));
    assert!(payload == moved);
    assert!(
        was.lines()
            .filter(|line| line.starts_with("-> "))
            .all(|line| !is.contains(line))
    );
    assert!(bench.age(&bench.other.file, &bench.out("copy.age")).ok().stdout == bench.secret);
    assert_ne!(bench.age(&repo.identity(), &bench.out("copy.age")).code, 0);

    // An existing output is kept, unless it is an age file and `--replace` is given.
    let value = bench.rekey(&twin, "../copy.age", &[]).refused("E_IO");
    assert!(
        value["refusal"]["next_command"]
            .as_str()
            .unwrap()
            .ends_with("--replace"),
        "{value}"
    );
    fs::write(bench.out("plain"), "the only copy").unwrap();
    for output in ["../plain", "embeddings/index.vec", "embeddings"] {
        let value = bench.rekey(&twin, output, &["--replace"]).refused("E_IO");
        assert_eq!(value["refusal"]["next_command"], Value::Null, "{output}");
    }
    assert_eq!(fs::read(bench.out("plain")).unwrap(), b"the only copy");
    assert!(fs::read(repo.path("embeddings/index.vec")).unwrap() == bench.secret);

    fs::set_permissions(&twin, fs::Permissions::from_mode(0o640)).unwrap();
    let done = bench.rekey(&twin, "embeddings/index.vec.age", &["--replace"]).ok();
    assert!(
        done.stderr.contains("git add -- embeddings/index.vec.age"),
        "{}",
        done.stderr
    );
    assert!(!done.stderr.contains("source"), "{}", done.stderr);
    assert_ne!(fs::read(&twin).unwrap(), before);
    assert_eq!(fs::metadata(&twin).unwrap().permissions().mode() & 0o777, 0o640);
    let check = repo.pack(&["protect", "--check"]).ok().out();
    assert_eq!(check.matches("up to date").count(), 2, "{check}");
    assert!(bench.age(&bench.other.file, &twin).ok().stdout == bench.secret);
    // Rekeying must not hide that the twin was changed meanwhile.
    fs::write(bench.out("plain"), "longer").unwrap();
    let own = repo.pack(&["recipients", "list"]).ok().out();
    let args = ["-r", own.trim(), "-o", "notes.vec.age", "../plain"];
    repo.place.run(&repo.root, &age(), &args).ok();
    let done = bench
        .rekey(&repo.path("notes.vec.age"), "notes.vec.age", &["--replace"])
        .ok();
    assert!(!done.stderr.contains("git add"), "{}", done.stderr);
    let check = repo.pack(&["protect", "--check"]);
    assert!(check.out().contains("twin is newer"), "{}", check.out());
}

#[test]
fn a_damaged_or_armoured_file_is_refused() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    let sealed = fs::read(pack.join("sealed/notes.vec.age")).unwrap();
    let mac = sealed.windows(4).position(|at| at == b"--- ").unwrap() + 6;
    let mut forged = sealed.clone();
    forged[mac] = if forged[mac] == b'A' { b'B' } else { b'A' };
    fs::write(bench.out("forged.age"), forged).unwrap();
    fs::write(bench.out("cut.age"), &sealed[..sealed.len() - 20]).unwrap();
    let mut flipped = sealed.clone();
    *flipped.last_mut().unwrap() ^= 1;
    fs::write(bench.out("flipped.age"), flipped).unwrap();
    fs::write(bench.out("none.age"), "no age file").unwrap();
    symlink(pack.join("sealed/notes.vec.age"), bench.out("link.age")).unwrap();
    let text = bench.out("armoured.age");
    fs::write(bench.out("plain"), "in armour").unwrap();
    let own = bench.repo.pack(&["recipients", "list"]).ok().out();
    let args = ["-a", "-r", own.trim(), "-o", text.to_str().unwrap(), "../plain"];
    bench.repo.place.run(&bench.repo.root, &age(), &args).ok();
    let before = bench.surroundings();
    let refused = |name: &str, flags: &[&str], code: &str| {
        let value = bench.rekey(&bench.out(name), "../new.age", flags).refused(code);
        assert_eq!(bench.surroundings(), before, "{name}");
        value
    };
    for name in ["forged.age", "cut.age", "none.age"] {
        refused(name, &[], "E_CRYPTO");
    }
    for name in ["forged.age", "cut.age", "flipped.age", "none.age"] {
        refused(name, &["--reencrypt"], "E_CRYPTO");
    }
    refused("absent.age", &[], "E_IO");
    refused("link.age", &[], "E_IO");
    let value = refused("armoured.age", &[], "E_USAGE");
    let next = value["refusal"]["next_command"].as_str().unwrap();
    assert!(
        next.starts_with("git pack rekey ") && next.ends_with("--reencrypt"),
        "{next}"
    );
    bench.rekey(&text, "../new.age", &["--reencrypt"]).ok();
    assert_eq!(
        bench.age(&bench.other.file, &bench.out("new.age")).ok().stdout,
        b"in armour"
    );
    assert!(
        fs::read(bench.out("new.age"))
            .unwrap()
            .starts_with(b"age-encryption.org/v1\n")
    );
}

#[test]
fn it_is_said_where_old_ciphertexts_remain() {
    let bench = Bench::new();
    let repo = &bench.repo;
    let place = repo.place.path();
    repo.place
        .run(place, "git", &["init", "-q", "--bare", "remote.git"])
        .ok();
    repo.git(&["remote", "add", "team/origin", "../remote.git"]).ok();
    repo.git(&["push", "-q", "team/origin", "main:before"]).ok();
    repo.git(&["branch", "before"]).ok();
    repo.pack(&["protect", "notes.vec", "embeddings/index.vec"]).ok();
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo.git(&["tag", "-a", "-m", "v1", "v1"]).ok();
    repo.git(&["push", "-q", "team/origin", "main"]).ok();
    // Another branch adds the same twin independently, and deletes it again.
    repo.git(&["checkout", "-q", "-b", "side", "before"]).ok();
    repo.git(&["checkout", "main", "--", "notes.vec.age"]).ok();
    repo.git(&["commit", "-q", "-m", "the same"]).ok();
    repo.git(&["rm", "-q", "--cached", "notes.vec.age"]).ok();
    repo.git(&["commit", "-q", "-m", "not any more"]).ok();
    repo.git(&["checkout", "-q", "-f", "main"]).ok();

    let done = bench
        .rekey(&repo.path("notes.vec.age"), "notes.vec.age", &["--replace"])
        .ok();
    let said = done.stderr;
    let row = |label: &str| -> String {
        let line = said.lines().find(|line| line.trim_start().starts_with(label));
        line.unwrap_or_else(|| panic!("{label}: {said}"))
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert!(
        said.contains("anyone who could open the old ciphertexts still can: the file keys are unchanged"),
        "{said}"
    );
    assert!(said.contains("--reencrypt makes new file keys"), "{said}");
    assert_eq!(row("history"), "history main, side, tag v1");
    assert_eq!(row("remote"), "remote team/origin main as of the last fetch or push");

    // The current file is not in history. A pack, a second pack and the store hold the ciphertexts of the pack.
    repo.write("data.vec", "new");
    let old = repo.seal(&["--attach", "data.vec"]).1;
    repo.seal(&["--attach", "data.vec", "--note", "other", "-o", "_PACK_RUN/other"]);
    repo.seal(&["--attach", "notes.vec", "-o", "_PACK_RUN/stranger"]);
    let said = bench.rekey(&old, "_PACK_RUN/new", &[]).ok().stderr;
    let expected = format!(
        "source   {}/\n    pack               _PACK_RUN/other/        1 ciphertext\n    \
         seal store         .git/gitpack/seals/     1 ciphertext\n",
        old.strip_prefix(&repo.root).unwrap().display()
    );
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(squeezed(&said).contains(&squeezed(&expected)), "{said}");
    assert!(
        !said.contains("history") && !said.contains("stranger") && !said.contains("remote"),
        "{said}"
    );

    // A file that is only staged is in git's database.
    repo.git(&["add", "-f", "_PACK_RUN/new"]).ok();
    let again = [
        "rekey",
        "_PACK_RUN/new",
        "-i",
        bench.other.text(),
        "-o",
        "../out",
        "--reencrypt",
    ];
    let said = repo.pack(&again).ok().stderr;
    assert!(
        said.contains("object database") && said.contains("not reachable from any branch or tag"),
        "{said}"
    );
    assert!(!said.contains("file keys are unchanged"), "{said}");

    // Outside of a repository only the rekeyed pack itself is known.
    let identity = repo.identity();
    let args = ["rekey", "out", "-o", "out2", "-r", &bench.other.recipient];
    let own = ["-i", identity.to_str().unwrap()];
    let said = repo.place.pack_in(place, &[&args[..], &own].concat()).ok().stderr;
    assert!(
        said.ends_with("old ciphertexts remain in these places, and perhaps in others:\n    source   out/\n"),
        "{said}"
    );
}

#[test]
fn what_can_be_neither_written_nor_kept_leaves_nothing() {
    let bench = Bench::new();
    bench.repo.write("big.vec", noise(1, 3_000_000));
    let pack = bench.seal(&["--attach", "big.vec"]);
    let sealed = pack.join("sealed/big.vec.age");
    fs::copy(&sealed, bench.out("big.age")).unwrap();
    let before = bench.surroundings();
    // `ulimit -f` stands in for a full disk. The signal is ignored, so that the write fails instead.
    for flags in ["", "--reencrypt"] {
        for (what, output) in [
            (&pack, "../new"),
            (&bench.out("big.age"), "../new.age"),
            (&pack, "../deep/er/new"),
        ] {
            let script = format!(
                "trap '' XFSZ; ulimit -f 1000; exec git-pack rekey {} -o {output} -r {} {flags}",
                what.display(),
                bench.other.recipient
            );
            let value = bench
                .repo
                .place
                .run(&bench.repo.root, "sh", &["-c", &script])
                .refused("E_IO");
            let message = value["refusal"]["message"].as_str().unwrap().to_owned();
            assert!(message.starts_with("writing "), "{message}");
            assert_eq!(bench.surroundings(), before, "{script}");
        }
        let script = format!(
            "trap '' XFSZ; ulimit -f 1000; exec git-pack rekey ../big.age -o ../big.age --replace -r {} {flags}",
            bench.other.recipient
        );
        bench
            .repo
            .place
            .run(&bench.repo.root, "sh", &["-c", &script])
            .refused("E_IO");
        assert_eq!(bench.surroundings(), before, "{script}");
    }
    for what in [&pack, &bench.out("big.age")] {
        bench.rekey(what, "README.md/new", &[]).refused("E_IO");
    }
    assert_eq!(bench.surroundings(), before);
}

#[test]
fn the_ledger_tells_of_it_without_a_hash_of_a_plaintext() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    bench.rekey(&pack, "../new", &["--reencrypt"]).ok();
    let sealed = pack.join("sealed/notes.vec.age");
    bench.rekey(&sealed, "../new.age", &[]).ok();
    let ledger = fs::read_to_string(bench.repo.place.home().join(".epistemic/witness.jsonl")).unwrap();
    let records: Vec<Value> = ledger.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let [.., packed, filed] = records.as_slice() else {
        panic!("{ledger}")
    };
    for record in [packed, filed] {
        assert_eq!(record["command"], "rekey");
        assert_eq!(record["outcome"], "REKEYED");
    }
    assert_eq!(packed["pack_id"], manifest(&bench.out("new"))["pack_id"]);
    assert_eq!(
        packed["params"],
        serde_json::json!({"artifact_count": 2, "output": "../new"})
    );
    assert_eq!(filed["pack_id"], Value::Null);
    let hash = Digest::of;
    assert_eq!(
        filed["inputs"][0]["hash"],
        hash(&fs::read(&sealed).unwrap()).to_string()
    );
    for plain in [&bench.secret[..], b"short"] {
        assert!(!ledger.contains(&hash(plain).hex()));
    }
    for (path, _, bytes) in snapshot(&bench.out("new")) {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains(&hash(&bench.secret).hex()), "{}", path.display());
    }
}

/// An age plugin that wraps for any recipient, and first appends a byte to a target file.
const SPOILER: &str = r#"#!/bin/sh
printf x >>TARGET
say() { printf '%s\n' "$@"; }
while read -r mark command _; do
    case "$mark $command" in
    '-> wrap-file-key') read -r key ;;
    '-> done') read -r _; break ;;
    esac
done
say '-> recipient-stanza 0 spoiler' "$key"
read -r _
read -r _
say '-> done' ''
"#;

#[test]
fn what_changes_after_it_was_verified_is_not_taken_over() {
    let bench = Bench::new();
    let pack = bench.seal(&[]);
    let bin = bench.out("bin");
    fs::create_dir(&bin).unwrap();
    let recipient = bech32::encode::<bech32::Bech32>(bech32::Hrp::parse("age1spoiler").unwrap(), &[7; 8]).unwrap();
    let rekey = |what: &Path, target: &Path| {
        // Another process writes the plugin, because the kernel does not execute a file that is open for writing.
        let script = SPOILER.replace("TARGET", target.to_str().unwrap());
        let mut written = bench.repo.place.command("sh", &bin);
        let write = "printf %s \"$1\" >age-plugin-spoiler && chmod +x age-plugin-spoiler";
        assert!(written.args(["-c", write, "sh", &script]).status().unwrap().success());
        bench
            .repo
            .pack(&["rekey", what.to_str().unwrap(), "-o", "../new", "-r", &recipient])
    };
    for member in ["repo/README.md", "meta/PROTECTED.json"] {
        let target = pack.join(member);
        let bytes = fs::read(&target).unwrap();
        let value = rekey(&pack, &target).refused("E_BAD_PACK");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(
            message.contains(&format!("{member} changed since it was verified")),
            "{message}"
        );
        assert!(!bench.out("new").exists());
        fs::write(&target, bytes).unwrap();
    }
    // A ciphertext that changes while it is read, or right after, is noticed.
    let target = pack.join("sealed/embeddings/index.vec.age");
    let bytes = fs::read(&target).unwrap();
    let done = rekey(&pack, &target);
    assert_eq!(done.code, 2, "{}", done.stderr);
    let noticed = ["changed", "decrypt"].iter().any(|word| done.stderr.contains(word));
    assert!(noticed, "{}", done.stderr);
    assert!(!bench.out("new").exists());
    fs::write(&target, bytes).unwrap();
    // So is a changed single file; a file that appears at the output meanwhile is kept.
    let file = bench.out("file.age");
    fs::copy(&target, &file).unwrap();
    rekey(&file, &file).refused("E_IO");
    assert!(!bench.out("new").exists());
    fs::copy(&target, &file).unwrap();
    rekey(&file, &bench.out("new")).refused("E_IO");
    assert_eq!(fs::read(bench.out("new")).unwrap()[..1], *b"x");
    fs::remove_file(bench.out("new")).unwrap();
    // If the plugin changes nothing of ours, its recipients are accepted.
    rekey(&pack, &bench.out("nothing")).ok();
    bench.repo.pack(&["verify", "../new", "--rev", "HEAD"]).ok();
    assert!(
        document(&bench.out("new"))["artifacts"][0]["stanzas"]
            .to_string()
            .contains("spoiler")
    );
}

#[test]
fn long_cut_and_partial_histories_are_searched_as_far_as_they_go() {
    let bench = Bench::new();
    let repo = &bench.repo;
    repo.pack(&["protect", "notes.vec", "embeddings/index.vec"]).ok();
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    fs::copy(repo.path("notes.vec.age"), bench.out("old.age")).unwrap();
    repo.git(&["rm", "-q", "notes.vec.age"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
    // More commits than are compared one by one.
    let grow = "c=$(git rev-parse HEAD) && for i in $(seq 600); do c=$(git commit-tree -p $c -m $i HEAD^{tree}); done && \
                git update-ref refs/heads/main $c && git update-ref refs/heads/early HEAD~601~1 && \
                git config uploadpack.allowFilter true";
    repo.place.run(&repo.root, "sh", &["-c", grow]).ok();
    let identity = repo.identity();
    let rekey = |directory: &Path, output: &str| {
        let old = bench.out("old.age");
        let args = [
            "rekey",
            old.to_str().unwrap(),
            "-o",
            output,
            "-r",
            &bench.other.recipient,
        ];
        let own = ["-i", identity.to_str().unwrap()];
        repo.place.pack_in(directory, &[&args[..], &own].concat()).ok().stderr
    };
    let said = rekey(&repo.root, "../1.age");
    assert!(said.contains("history   main\n"), "{said}");

    let place = repo.place.path();
    let url = format!("file://{}", repo.root.display());
    for (name, flags) in [("shallow", ["--depth=3"]), ("partial", ["--filter=blob:none"])] {
        let args = [
            &["clone", "-q", "--no-checkout", "-b", "main"],
            &flags[..],
            &[&url, name],
        ]
        .concat();
        repo.place.run(place, "git", &args).ok();
    }
    let said = rekey(&bench.out("partial"), "../2.age");
    assert!(
        said.contains("remote origin") && said.contains("history         main\n"),
        "{said}"
    );
    let said = rekey(&bench.out("shallow"), "../3.age");
    assert!(!said.contains("remote origin"), "{said}");
    assert!(said.contains("older history was not searched"), "{said}");
}
