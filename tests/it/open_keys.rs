//! `git pack open` and `verify --identity`: which keys serve, and what happens with sealed, forged and damaged content.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::common;
use crate::common::packs::{assert_same, codes, copy_tree, redeclare, redeclare_as_found, standing};
use crate::common::{Done, GIT_PACK, Repo, age, age_keygen, noise};
use gitpack::format::padding::Padded;
use gitpack::format::sealed::sealed_path;
use serde_json::Value;

const PASSPHRASE: &str = "open, sesame";
/// A text that occurs only in opened artifacts.
const PLAIN: &[u8] = b"the plaintext of a vector\n";

/// A repository with keys beside it.
struct Bench(Repo);

impl Bench {
    fn new() -> Self {
        let repo = Repo::set_up();
        repo.write("s.vec", PLAIN);
        Self(repo)
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.0.place.path().join(name)
    }

    fn private(&self, name: &str, content: &str) -> String {
        let path = self.beside(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// Runs git-pack without a terminal.
    fn pack(&self, args: &[&str]) -> Done {
        let whole = [&["-w", GIT_PACK], args].concat();
        self.0.place.run(&self.0.root, "setsid", &whole)
    }

    /// Seals `s.vec` for a recipient as `../pack`.
    fn sealed_for(&self, recipient: &str) -> PathBuf {
        let args = ["--attach", "s.vec", "-r", recipient, "-o", "../pack", "--replace"];
        self.0.seal(&args).1
    }

    /// Seals `s.vec` for the owner, as `../pack`.
    fn sealed(&self, flags: &[&str]) -> PathBuf {
        let args = ["--attach", "s.vec", "-o", "../pack", "--replace"];
        self.0.seal(&[&args, flags].concat()).1
    }

    /// Returns the recipient that `init` configured.
    fn own(&self) -> String {
        self.0.pack(&["recipients", "list"]).ok().out().trim().to_owned()
    }

    /// Encrypts with the `age` command, for the owner.
    fn by_age(&self, plain: &[u8], target: &Path) {
        let source = self.beside("to-encrypt");
        // The target may be a hard link to a file of the clone, so it is removed first.
        drop(fs::remove_file(target));
        fs::write(&source, plain).unwrap();
        let args = [
            "-r",
            &self.own(),
            "-o",
            target.to_str().unwrap(),
            source.to_str().unwrap(),
        ];
        self.0.place.run(&self.0.root, &age(), &args).ok();
        fs::remove_file(source).unwrap();
    }

    /// Asserts that `open` and `verify` succeed with these flags.
    #[track_caller]
    fn serve(&self, flags: &[&str]) {
        let done = self
            .pack(&[&["open", "../pack", "s.vec", "--stdout"], flags].concat())
            .ok();
        assert_eq!(done.stdout, PLAIN);
        self.pack(&[&["open", "../pack", "-o", "../opened"], flags].concat())
            .ok();
        assert_eq!(fs::read(self.beside("opened/s.vec")).unwrap(), PLAIN);
        fs::remove_dir_all(self.beside("opened")).unwrap();
        self.pack(&[&["verify", "../pack"], flags].concat()).ok();
    }

    /// Asserts that both commands refuse with these flags for this reason, and leave and tell nothing.
    #[track_caller]
    fn do_not_serve(&self, flags: &[&str], reason: &str) {
        let before = standing(self.0.place.path());
        for args in [
            &["open", "../pack", "-o", "../new/opened"][..],
            &["open", "../pack", "--stdout"],
        ] {
            let done = self.pack(&[args, flags].concat());
            assert!(!done.out().contains("the plaintext") && !done.stderr.contains(PASSPHRASE));
            let value = done.refused("E_NO_IDENTITY");
            let said = value.to_string();
            assert!(said.contains(reason), "{said}");
        }
        assert_same(&before, &standing(self.0.place.path()), reason);
    }
}

fn keygen(bench: &Bench, name: &str) -> (String, String) {
    let path = bench.beside(name);
    let path = path.to_str().unwrap().to_owned();
    bench.0.place.run(&bench.0.root, &age_keygen(), &["-o", &path]).ok();
    let public = bench.0.place.run(&bench.0.root, &age_keygen(), &["-y", &path]).ok();
    (path, public.out().trim().to_owned())
}

fn ssh(bench: &Bench, kind: &str, passphrase: &str) -> (String, String) {
    let path = bench.beside(&format!("ssh-{kind}-{}", passphrase.len()));
    let path = path.to_str().unwrap().to_owned();
    let args = ["-q", "-t", kind, "-C", "who@where", "-N", passphrase, "-f", &path];
    bench.0.place.run(&bench.0.root, "ssh-keygen", &args).ok();
    let public = fs::read_to_string(format!("{path}.pub")).unwrap();
    (path, public.trim().to_owned())
}

/// Asserts that `verify` with these flags reaches no verdict.
#[track_caller]
fn does_not_verify(bench: &Bench, flags: &[&str]) {
    let done = bench.pack(&[&["verify", "../pack", "--json"], flags].concat());
    let report: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.code, &report["outcome"]), (2, &"REFUSAL".into()));
    assert_eq!(report["refusal"]["code"], "E_NO_IDENTITY");
}

#[test]
fn keys_of_every_kind_serve_open_and_verify() {
    let bench = Bench::new();
    let passphrase = bench.private("passphrase", &format!("{PASSPHRASE}\n"));
    let locked = ["--passphrase-file", &passphrase];
    let (identity, recipient) = keygen(&bench, "x25519");
    bench.sealed_for(&recipient);
    bench.serve(&["-i", &identity]);
    for kind in ["ed25519", "rsa"] {
        let (private, public) = ssh(&bench, kind, "");
        bench.sealed_for(&public);
        bench.serve(&["-i", &private]);
    }
    let (private, public) = ssh(&bench, "ed25519", PASSPHRASE);
    bench.sealed_for(&public);
    bench.serve(&[&["-i", &private], &locked[..]].concat());
    let made = bench.beside("locked.txt");
    let made = made.to_str().unwrap();
    let recipient = bench
        .pack(&[&["key", "generate", "-o", made], &locked[..]].concat())
        .ok()
        .out();
    // The key also opens sealed names, and is found among several.
    let opaque = [
        "--attach",
        "s.vec",
        "-r",
        recipient.trim(),
        "--opaque-names",
        "-o",
        "../pack",
        "--replace",
    ];
    bench.0.seal(&opaque);
    let flags = [&["-i", &identity, "-i", made], &locked[..]].concat();
    bench.serve(&flags);
    let reversed = [
        &["open", "../pack", "s.vec", "--stdout", "-i", made, "-i", &identity],
        &locked[..],
    ]
    .concat();
    assert_eq!(bench.pack(&reversed).ok().stdout, PLAIN);
}

#[test]
fn keys_that_cannot_serve_are_refused_by_what_is_wrong_with_them() {
    let bench = Bench::new();
    let (wrong, _) = keygen(&bench, "wrong");
    let (right, recipient) = keygen(&bench, "right");
    let (_, ssh_recipient) = ssh(&bench, "ed25519", "");
    let (ssh_wrong, _) = ssh(&bench, "rsa", "");
    for opaque in [&[][..], &["--opaque-names"]] {
        let both = ["-r", &recipient, "-r", &ssh_recipient];
        bench.sealed(&[&both[..], opaque].concat());
        // The refusal names the kinds of key that would fit and the files that were tried.
        for (key, kind) in [(&wrong, "X25519"), (&ssh_wrong, "ssh-rsa")] {
            let value = bench.pack(&["open", "../pack", "-i", key]).refused("E_NO_IDENTITY");
            let detail = &value["refusal"]["detail"];
            assert_eq!(detail["stanzas"], serde_json::json!(["X25519", "ssh-ed25519"]));
            let tried = detail["tried"][0].as_str().unwrap();
            assert!(tried.contains(key.as_str()) && tried.contains(kind), "{tried}");
            bench.do_not_serve(&["-i", key], "X25519");
        }
        let done = bench.pack(&["verify", "../pack", "-i", &wrong]);
        assert_eq!(done.code, 1, "{}", done.out());
        assert!(done.out().contains("SEAL_UNOPENABLE"), "{}", done.out());
    }
    bench.do_not_serve(&["-i", "../absent"], "the file does not exist");
    fs::create_dir(bench.beside("directory")).unwrap();
    bench.do_not_serve(&["-i", "../directory"], "directory");
    for mode in [0o640, 0o604, 0o660] {
        fs::set_permissions(&right, fs::Permissions::from_mode(mode)).unwrap();
        bench.do_not_serve(&["-i", &right], "chmod 600");
        // A usable key does not excuse a badly protected one.
        bench.do_not_serve(&["-i", &wrong, "-i", &right], "chmod 600");
        does_not_verify(&bench, &["-i", &right]);
    }
    bench.private("not-a-key", "hello\n");
    bench.do_not_serve(&["-i", "../not-a-key"], "not-a-key");
    // The default identity is judged in the same way.
    let default = bench.0.identity();
    fs::rename(&default, default.with_extension("away")).unwrap();
    bench.do_not_serve(&[], "the file does not exist");
    bench.0.git(&["config", "gitpack.identity", &wrong]).ok();
    bench.do_not_serve(&[], "X25519");
}

#[test]
fn a_passphrase_that_is_wrong_or_cannot_be_asked_for_opens_nothing() {
    let bench = Bench::new();
    let right = bench.private("passphrase", &format!("{PASSPHRASE}\n"));
    let wrong = bench.private("wrong", "close, sesame\n");
    let made = bench.beside("locked.txt");
    let made = made.to_str().unwrap();
    let recipient = bench
        .pack(&["key", "generate", "-o", made, "--passphrase-file", &right])
        .ok()
        .out();
    let (ssh_private, ssh_public) = ssh(&bench, "ed25519", PASSPHRASE);
    for (key, recipient) in [(made, recipient.trim()), (&ssh_private, &ssh_public)] {
        bench.sealed_for(recipient);
        bench.do_not_serve(&["-i", key], "no terminal");
        bench.do_not_serve(&["-i", key, "--passphrase-file", &wrong], "the passphrase is wrong");
        for flags in [&["-i", key][..], &["-i", key, "--passphrase-file", &wrong]] {
            // A key that could not be tried says nothing about the seal.
            does_not_verify(&bench, flags);
        }
        let absent = ["open", "../pack", "-i", key, "--passphrase-file", "../absent"];
        bench.pack(&absent).refused("E_USAGE");
    }
}

#[test]
fn what_age_sealed_for_us_opens_in_a_pack_made_by_hand() {
    let bench = Bench::new();
    for (flags, content) in [
        (&[][..], noise(5, 65_536)),
        (&[], Vec::new()),
        (&[], noise(6, 200_000)),
        (&["--mode", "internal"], PLAIN.to_vec()),
    ] {
        let pack = bench.sealed(flags);
        bench.by_age(&content, &pack.join("sealed/s.vec.age"));
        redeclare_as_found(&pack);
        assert_eq!(codes(&pack), []);
        let identity = bench.0.identity();
        bench
            .pack(&["verify", "../pack", "-i", identity.to_str().unwrap()])
            .ok();
        let done = bench.pack(&["open", "../pack", "s.vec", "--stdout"]).ok();
        assert!(done.stdout == content);
        bench.pack(&["open", "../pack", "-o", "../opened"]).ok();
        assert!(fs::read(bench.beside("opened/s.vec")).unwrap() == content);
        fs::remove_dir_all(bench.beside("opened")).unwrap();
    }
    // With wrong padding it does not open, although `age` would open it.
    let pack = bench.sealed(&["--pad"]);
    bench.by_age(&[1; 64], &pack.join("sealed/s.vec.age"));
    redeclare_as_found(&pack);
    assert_eq!(codes(&pack), []);
    let identity = bench.0.identity();
    let done = bench.pack(&["verify", "../pack", "-i", identity.to_str().unwrap()]);
    assert!(
        done.code == 1 && done.out().contains("SEAL_UNOPENABLE"),
        "{}",
        done.out()
    );
    refused_whole(&bench, "no padding");
}

/// Asserts that `../pack` is refused, and that no file appears anywhere.
#[track_caller]
fn refused_whole(bench: &Bench, when: &str) {
    let before = standing(bench.0.place.path());
    for args in [
        &["open", "../pack", "-o", "../out/opened"][..],
        &["open", "../pack", "s.vec", "-o", "../out/opened"],
        &["open", "../pack"],
    ] {
        let done = bench.pack(args);
        assert_eq!(done.code, 2, "{when}: {}", done.out());
        assert!(done.out().contains("\"REFUSAL\""), "{when}: {}", done.out());
        assert_same(&before, &standing(bench.0.place.path()), when);
    }
}

/// Paths that lead out of a directory, into git's directory, or nowhere.
const BAD: [&str; 14] = [
    "../x",
    "..",
    ".",
    "",
    "a/../../x",
    "/tmp/git-pack-test-x",
    "//x",
    "a//x",
    "a/",
    ".git/hooks/pre-commit",
    "a/.GIT/config",
    "C:/x",
    "a/./x",
    "git~1/config",
];

#[test]
fn a_path_that_leads_out_of_the_output_is_never_followed() {
    let bench = Bench::new();
    let pack = bench.sealed(&[]);
    let whole = bench.beside("whole");
    copy_tree(&pack, &whole);
    for bad in BAD {
        fs::remove_dir_all(&pack).unwrap();
        copy_tree(&whole, &pack);
        redeclare(&pack, |sealed| sealed.artifacts[0].path = Some(bad.into()));
        refused_whole(&bench, bad);
        // The same with a seal of that name, where a file can have it.
        let seal = format!("sealed/{bad}.age");
        let within = !bad.starts_with('/') && !["..", ".", ""].contains(&bad) && !bad.ends_with('/');
        if within {
            let target = pack.join(&seal);
            fs::create_dir_all(pack.join("sealed/a")).unwrap();
            fs::create_dir_all(target.parent().unwrap()).unwrap();
            fs::rename(pack.join("sealed/s.vec.age"), &target).unwrap();
            redeclare(&pack, |sealed| sealed.artifacts[0].seal.sealed_path = seal);
            refused_whole(&bench, bad);
        }
    }
}

/// Edits the sealed list of names in `../pack`, as anybody can who seals to the owner.
fn forge_index(bench: &Bench, change: impl FnOnce(&mut Value)) {
    let pack = bench.beside("pack");
    let path = pack.join("sealed/INDEX.age");
    let bytes = common::packs::opened(&bench.0, &path);
    let length = u64::from_be_bytes(bytes[bytes.len() - 8..].try_into().unwrap());
    let mut index: Value = serde_json::from_slice(&bytes[..length as usize]).unwrap();
    change(&mut index);
    let content = gitpack::format::canonical_json::to_document(&index);
    let mut padded = Vec::new();
    Padded::new(&content[..]).read_to_end(&mut padded).unwrap();
    bench.by_age(&padded, &path);
    redeclare_as_found(&pack);
    assert_eq!(codes(&pack), [], "without a key the pack agrees with itself");
}

#[test]
fn a_forged_list_of_names_is_not_believed() {
    let bench = Bench::new();
    bench.0.write("t.vec", "another");
    let pack = bench.sealed(&["--attach", "t.vec", "--opaque-names"]);
    let whole = bench.beside("whole");
    copy_tree(&pack, &whole);
    type Change = Box<dyn Fn(&mut Value)>;
    let path = |bad: &'static str| -> Change { Box::new(move |index| index["artifacts"][0]["path"] = bad.into()) };
    let mut cases: Vec<(String, Change)> = BAD.iter().map(|bad| ((*bad).to_owned(), path(bad))).collect();
    cases.push(("both of one path".into(), path("t.vec")));
    cases.push(("one below the other".into(), path("t.vec/x")));
    cases.push((
        "one artifact less".into(),
        Box::new(|index| drop(index["artifacts"].as_array_mut().unwrap().pop())),
    ));
    cases.push((
        "both of one seal".into(),
        Box::new(|index| index["artifacts"][0]["sealed_path"] = index["artifacts"][1]["sealed_path"].clone()),
    ));
    cases.push((
        "a seal that is none of the pack".into(),
        Box::new(|index| index["artifacts"][0]["sealed_path"] = "../whole/sealed/INDEX.age".into()),
    ));
    cases.push((
        "another version".into(),
        Box::new(|index| index["version"] = "pack.sealed-index.v1".into()),
    ));
    cases.push((
        "no list at all".into(),
        Box::new(|index| *index = Value::Array(Vec::new())),
    ));
    let identity = bench.0.identity();
    for (what, change) in cases {
        fs::remove_dir_all(&pack).unwrap();
        copy_tree(&whole, &pack);
        forge_index(&bench, change);
        refused_whole(&bench, &what);
        let done = bench.pack(&["verify", "../pack", "-i", identity.to_str().unwrap()]);
        assert_eq!(done.code, 1, "{what}: {}", done.out());
    }
    // With the original list the pack opens.
    fs::remove_dir_all(&pack).unwrap();
    copy_tree(&whole, &pack);
    forge_index(&bench, |_| {});
    bench.pack(&["open", "../pack", "-o", "../opened"]).ok();
    assert_eq!(fs::read(bench.beside("opened/t.vec")).unwrap(), b"another");
}

#[test]
fn two_artifacts_of_which_one_is_a_directory_of_the_other_are_refused() {
    let bench = Bench::new();
    bench.0.write("t.vec", "another");
    let pack = bench.sealed(&["--attach", "t.vec"]);
    redeclare(&pack, |sealed| {
        let artifact = &mut sealed.artifacts[1];
        assert_eq!(artifact.path.as_deref(), Some("t.vec"));
        let path = gitpack::format::member_path::MemberPath::parse("s.vec/t.vec").unwrap();
        artifact.path = Some(path.to_string());
        artifact.seal.sealed_path = sealed_path(&path);
        fs::create_dir(pack.join("sealed/s.vec")).unwrap();
        fs::rename(pack.join("sealed/t.vec.age"), pack.join(&artifact.seal.sealed_path)).unwrap();
    });
    let before = standing(bench.0.place.path());
    for args in [&["open", "../pack", "-o", "../out/opened"][..], &["open", "../pack"]] {
        let done = bench.pack(args);
        assert_eq!(done.code, 2, "{}", done.out());
        assert_same(&before, &standing(bench.0.place.path()), "a file and a directory");
    }
}

#[test]
fn what_only_the_cipher_can_tell_is_told_before_anything_is_left() {
    let bench = Bench::new();
    let big = noise(3, 3_000_000);
    bench.0.write("big.vec", &big);
    let identity = bench.0.identity();
    for flags in [&[][..], &["--pad"]] {
        let pack = bench.sealed(&[&["--attach", "big.vec"], flags].concat());
        let sealed = pack.join("sealed/big.vec.age");
        let mut bytes = fs::read(&sealed).unwrap();
        // Damages the last chunk, after all others were good.
        let at = bytes.len() - 100;
        bytes[at] ^= 1;
        fs::remove_file(&sealed).unwrap();
        fs::write(&sealed, bytes).unwrap();
        redeclare_as_found(&pack);
        assert_eq!(codes(&pack), []);
        bench.pack(&["verify", "../pack"]).ok();
        let done = bench.pack(&["verify", "../pack", "-i", identity.to_str().unwrap()]);
        assert_eq!(done.code, 1);
        assert!(
            done.out().contains("SEAL_UNOPENABLE") && done.out().contains("big.vec"),
            "{}",
            done.out()
        );
        let before = standing(bench.0.place.path());
        for args in [
            &["open", "../pack", "-o", "../out/opened"][..],
            &["open", "../pack", "big.vec", "-o", "_PACK_RUN/opened"],
            &["open", "../pack", "big.vec", "--stdout"],
        ] {
            let done = bench.pack(args);
            assert!(done.stdout.len() < 1000, "plaintext was written before the refusal");
            done.refused("E_CRYPTO");
            assert_same(&before, &standing(bench.0.place.path()), "tampered");
        }
        // The other artifact was not changed.
        let done = bench.pack(&["open", "../pack", "s.vec", "--stdout"]).ok();
        assert_eq!(done.stdout, PLAIN);
    }
}
