//! Keys of every kind at the command line, both ways, against the real `age`, `ssh-keygen` and a plugin of our own.

#![allow(clippy::print_stderr, reason = "the test names the tools that are missing")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::{Done, GIT_PACK, Repo, age, age_keygen};

const PLAIN: &[u8] = b"the plaintext of a vector\n";
const PASSPHRASE: &str = "open, sesame";
/// Recipients of the kinds that hardware keeps; their keys are not available here.
const TAGGED: &str = "age1tag1qt8lw0ual6avlwmwatk888yqnmdamm7xfd0wak53ut6elz5c4swx2yqdj4e";
const TAGGED_PQ: &str = include_str!("../../fixtures/tagpq-recipient.txt");

/// An age plugin that wraps the file key by swapping its halves. That suffices to see which plugin was asked.
const PLUGIN: &str = r#"#!/bin/sh
say() { printf '%s\n' "$@"; }
heard() { read -r _; read -r _; }
case $1 in
--age-plugin=recipient-v1)
    while read -r mark command _; do
        case "$mark $command" in
        '-> wrap-file-key') read -r key ;;
        '-> done') read -r _; break ;;
        esac
    done
    say '-> recipient-stanza 0 toy' "$(say "$key" | sed -E 's/^(.{10})(.{11})(.)$/\2\1\3/')"
    heard ;;
--age-plugin=identity-v1)
    while read -r mark command _ kind _; do
        case "$mark $command $kind" in
        '-> recipient-stanza toy') read -r key ;;
        '-> done '*) read -r _; break ;;
        esac
    done
    if [ -n "$key" ]; then
        say '-> file-key 0' "$(say "$key" | sed -E 's/^(.{11})(.{10})(.)$/\2\1\3/')"
        heard
    fi ;;
esac
say '-> done' ''
"#;

/// A repository, with a directory for keys beside it.
struct Bench {
    repo: Repo,
}

impl Bench {
    fn new() -> Self {
        Self { repo: Repo::set_up() }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.repo.place.path().join(name)
    }

    /// Writes a file that only its owner can read.
    fn private(&self, name: &str, content: &str) -> PathBuf {
        let path = self.file(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    fn passphrase(&self) -> PathBuf {
        self.private("passphrase", &format!("{PASSPHRASE}\nnot this line\n"))
    }

    /// Runs git-pack without a terminal, and asserts that it prints no secret.
    fn pack(&self, args: &[&str]) -> Done {
        let setsid = |args: &[&str]| self.repo.place.command("setsid", &self.repo.root).args(args).output();
        let done = match setsid(&["-w", "true"]).is_ok_and(|output| output.status.success()) {
            true => self
                .repo
                .place
                .run(&self.repo.root, "setsid", &[&["-w", GIT_PACK], args].concat()),
            false => self.repo.pack(args),
        };
        keeps_secrets(&done);
        done
    }

    fn sh(&self, script: &str) -> Done {
        self.repo.place.run(&self.repo.root, "sh", &["-c", script])
    }

    fn age(&self, args: &[&str]) -> Done {
        self.repo.place.run(&self.repo.root, &age(), args)
    }

    /// Runs a command at a terminal and types `lines`; returns none if there is no script(1) to make a terminal.
    fn typing(&self, lines: &[&str], command: &str) -> Option<Done> {
        // Only the script(1) of util-linux takes these flags.
        if self.sh("script --version").code != 0 {
            return None;
        }
        let typed: Vec<String> = lines.iter().map(|line| format!("sleep 1; echo '{line}'")).collect();
        let typed = typed.join("; ");
        Some(self.sh(&format!("({typed}; sleep 3) | script -qec \"{command}\" /dev/null")))
    }

    /// Makes an SSH key pair; returns the path of the private key, and the public key.
    fn ssh(&self, kind: &str, passphrase: &str) -> (String, String) {
        let path = self.file(&format!("ssh-{kind}-{}", passphrase.len()));
        let path = path.to_str().unwrap();
        let args = ["-q", "-t", kind, "-C", "who@where", "-N", passphrase, "-f", path];
        self.repo.place.run(&self.repo.root, "ssh-keygen", &args).ok();
        let public = fs::read_to_string(format!("{path}.pub")).unwrap();
        (path.to_owned(), public.trim().to_owned())
    }

    /// Seals `s.vec` for a recipient, and returns the sealed file.
    fn sealed_for(&self, recipient: &str) -> PathBuf {
        self.repo.write("s.vec", PLAIN);
        drop(fs::remove_dir_all(self.file("pack")));
        self.pack(&["seal", "s.vec", "-r", recipient, "-o", "../pack"]).ok();
        fs::remove_file(self.repo.path("s.vec")).unwrap();
        let sealed = self.file("pack/sealed/s.vec.age");
        fs::copy(&sealed, self.repo.path("s.vec.age")).unwrap();
        sealed
    }

    /// Opens `s.vec.age`, and removes the plaintext.
    fn revealed(&self, args: &[&str]) -> Done {
        let done = self.pack(&[&["reveal", "s.vec"], args].concat());
        if done.code == 0 {
            assert_eq!(fs::read(self.repo.path("s.vec")).unwrap(), PLAIN);
            fs::remove_file(self.repo.path("s.vec")).unwrap();
        } else {
            assert!(!self.repo.path("s.vec").exists());
        }
        done
    }

    /// Asserts that `age` opens our seal, that we open a seal by `age`, and that we open our own.
    fn both_ways(&self, recipient: &str, identity: &str, flags: &[&str], age_can_ask: bool) {
        let sealed = self.sealed_for(recipient);
        let flags = [&["-i", identity][..], flags].concat();
        self.revealed(&flags).ok();
        if age_can_ask {
            let opened = self.age(&["-d", "-i", identity, sealed.to_str().unwrap()]).ok();
            assert_eq!(opened.stdout, PLAIN);
        }
        let plain = self.private("plain", std::str::from_utf8(PLAIN).unwrap());
        for armour in [&[][..], &["-a"]] {
            let target = self.repo.path("s.vec.age");
            let args = ["-r", recipient, "-o", target.to_str().unwrap(), plain.to_str().unwrap()];
            self.age(&[armour, &args].concat()).ok();
            self.revealed(&flags).ok();
        }
    }
}

fn keeps_secrets(done: &Done) {
    // Followed by an ellipsis, it is the name of a kind of key and no secret.
    let mut said = format!("{}{}", done.out(), done.stderr);
    for kind in ["AGE-SECRET-KEY-1…", "AGE-PLUGIN-…"] {
        said = said.replace(kind, "");
    }
    for secret in ["AGE-SECRET-KEY-1", "AGE-PLUGIN-", "PRIVATE KEY-----", PASSPHRASE] {
        assert!(!said.contains(secret), "{said}");
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn a_generated_identity_works_both_ways_and_is_never_written_over() {
    let bench = Bench::new();
    let identity = bench.file("keys/mine.txt");
    let made = bench.pack(&["key", "generate", "-o", text(&identity)]).ok();
    let recipient = made.out().trim().to_owned();
    assert!(recipient.starts_with("age1") && recipient.lines().count() == 1);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&identity), mode(identity.parent().unwrap())), (0o600, 0o700));
    let public = bench
        .repo
        .place
        .run(&bench.repo.root, &age_keygen(), &["-y", text(&identity)]);
    assert_eq!(public.ok().out().trim(), recipient);
    let before = fs::read(&identity).unwrap();
    bench.pack(&["key", "generate", "-o", text(&identity)]).refused("E_IO");
    bench.pack(&["key", "generate"]).refused("E_IO");
    assert_eq!(fs::read(&identity).unwrap(), before);
    assert_eq!(
        bench.pack(&["key", "public", text(&identity)]).ok().out().trim(),
        recipient
    );
    bench.both_ways(&recipient, text(&identity), &[], true);
    // A link to an identity is followed, and a pipe is read.
    let link = bench.file("link");
    symlink(&identity, &link).unwrap();
    bench.sealed_for(&recipient);
    bench.revealed(&["-i", text(&link)]).ok();
    let piped = format!("cat {} | {GIT_PACK} reveal s.vec -i /dev/fd/0", text(&identity));
    bench.sh(&piped).ok();
    assert_eq!(fs::read(bench.repo.path("s.vec")).unwrap(), PLAIN);
    // The same outside of a repository, with the identities in the order in which they are looked up.
    let outside = bench.repo.place.home();
    let run = |args: &[&str]| bench.repo.place.pack_in(&outside, args);
    assert_eq!(run(&["key", "public", text(&identity)]).ok().out().trim(), recipient);
    assert!(run(&["key", "list"]).ok().out().contains("X25519"));
    bench.repo.git(&["config", "gitpack.identity", text(&identity)]).ok();
    let listed = bench.pack(&["key", "list"]).ok().out();
    let at = |what: &str| listed.find(what).unwrap_or_else(|| panic!("{what}: {listed}"));
    assert!(
        at("(in use)") > at("gitpack.identity") && at("(in use)") < at("default"),
        "{listed}"
    );
    assert!(at(&recipient) > at("(in use)"), "{listed}");
    assert_eq!(bench.pack(&["key", "public"]).ok().out().trim(), recipient);
}

#[test]
fn an_identity_locked_by_a_passphrase_opens_with_it_alone() {
    let bench = Bench::new();
    let (identity, passphrase) = (bench.file("locked.txt"), bench.passphrase());
    let flags = ["--passphrase-file", text(&passphrase)];
    let made = bench
        .pack(&[&["key", "generate", "-o", text(&identity)], &flags[..]].concat())
        .ok();
    let recipient = made.out().trim().to_owned();
    assert!(
        fs::read_to_string(&identity)
            .unwrap()
            .starts_with("-----BEGIN AGE ENCRYPTED FILE-----")
    );
    bench.both_ways(&recipient, text(&identity), &flags, false);
    let public = bench
        .pack(&[&["key", "public", text(&identity)], &flags[..]].concat())
        .ok();
    assert_eq!(public.out().trim(), recipient);
    let value = bench.pack(&["key", "public", text(&identity)]).refused("E_NO_IDENTITY");
    assert!(
        value["refusal"]["detail"]["reason"]
            .as_str()
            .unwrap()
            .starts_with("it needs a passphrase"),
        "{value}"
    );
    // The passphrase may come through a pipe.
    bench.sealed_for(&recipient);
    let by_pipe = format!(
        "echo '{PASSPHRASE}' | {GIT_PACK} reveal s.vec -i {} --passphrase-file /dev/fd/0",
        text(&identity)
    );
    bench.sh(&by_pipe).ok();
    fs::remove_file(bench.repo.path("s.vec")).unwrap();
    // The `age` command reads our protected identity, and we read one that it made.
    let opened = bench.file("opened");
    let by_age = format!("{} -d -i {} -o {} s.vec.age", age(), text(&identity), text(&opened));
    // The way in which rage asks depends on other programs that are installed.
    let asks_plainly = !age().ends_with("rage");
    let type_to_age = |lines: &[&str], command: &str| match asks_plainly {
        true => bench.typing(lines, command),
        false => None,
    };
    match type_to_age(&[PASSPHRASE], &by_age) {
        Some(_) => assert_eq!(fs::read(&opened).unwrap(), PLAIN),
        None => eprintln!("no script(1), or rage: a passphrase was not typed"),
    }
    let own = recipient;
    let (plain, theirs) = (bench.file("plain.txt"), bench.file("theirs.txt"));
    bench.pack(&["key", "generate", "-o", text(&plain)]).ok();
    let recipient = bench
        .pack(&["key", "public", text(&plain)])
        .ok()
        .out()
        .trim()
        .to_owned();
    let by_age = format!("{} -p -o {} {}", age(), text(&theirs), text(&plain));
    if type_to_age(&[PASSPHRASE, PASSPHRASE], &by_age).is_some() {
        fs::set_permissions(&theirs, fs::Permissions::from_mode(0o600)).unwrap();
        bench.sealed_for(&recipient);
        bench.revealed(&[&["-i", text(&theirs)], &flags[..]].concat()).ok();
    }
    // At a terminal, git-pack asks for the passphrase.
    let (locked, sealed_to) = match theirs.exists() {
        true => (&theirs, &recipient),
        false => (&identity, &own),
    };
    bench.sealed_for(sealed_to);
    let by_us = format!("{GIT_PACK} reveal s.vec -i {}", text(locked));
    if bench.typing(&[PASSPHRASE], &by_us).is_some() {
        assert_eq!(fs::read(bench.repo.path("s.vec")).unwrap(), PLAIN);
        fs::remove_file(bench.repo.path("s.vec")).unwrap();
    }
    // Without a passphrase, and with a wrong one.
    let value = bench.revealed(&["-i", text(&identity)]).refused("E_NO_IDENTITY");
    let message = value["refusal"]["message"].as_str().unwrap();
    assert!(
        message.contains("no terminal") && message.contains("--passphrase-file"),
        "{message}"
    );
    let wrong = bench.private("wrong", "not it\n");
    let value = bench
        .revealed(&["-i", text(&identity), "--passphrase-file", text(&wrong)])
        .refused("E_NO_IDENTITY");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("the passphrase is wrong")
    );
    fs::set_permissions(&wrong, fs::Permissions::from_mode(0o644)).unwrap();
    let value = bench
        .revealed(&["-i", text(&identity), "--passphrase-file", text(&wrong)])
        .refused("E_USAGE");
    assert!(value["refusal"]["message"].as_str().unwrap().contains("chmod 600"));
    bench
        .pack(&["key", "generate", "-o", "x", "--passphrase"])
        .refused("E_USAGE");
    bench.pack(&["status"]).shown();
}

#[test]
fn ssh_keys_work_both_ways_locked_or_not() {
    let bench = Bench::new();
    let passphrase = bench.passphrase();
    let flags = ["--passphrase-file", text(&passphrase)];
    for kind in ["ed25519", "rsa"] {
        let (private, public) = bench.ssh(kind, "");
        bench.both_ways(&public, &private, &[], true);
        let bare: Vec<&str> = public.split(' ').take(2).collect();
        assert_eq!(
            bench.pack(&["key", "public", &private]).ok().out().trim(),
            bare.join(" ")
        );
        let (private, public) = bench.ssh(kind, PASSPHRASE);
        bench.both_ways(&public, &private, &flags, false);
        bench.sealed_for(&public);
        bench.revealed(&["-i", &private]).refused("E_NO_IDENTITY");
        let bare: Vec<&str> = public.split(' ').take(2).collect();
        assert_eq!(
            bench.pack(&["key", "public", &private]).ok().out().trim(),
            bare.join(" ")
        );
    }
}

#[test]
fn a_plugin_works_both_ways_and_is_named_where_it_is_missing() {
    let bench = Bench::new();
    let bin = bench.file("bin");
    fs::create_dir_all(&bin).unwrap();
    // Another process writes the plugin, because the kernel does not execute a file that is open for writing.
    let mut written = bench.repo.place.command("sh", &bin);
    written.args([
        "-c",
        "printf %s \"$1\" >age-plugin-toy && chmod +x age-plugin-toy",
        "sh",
        PLUGIN,
    ]);
    assert!(written.status().unwrap().success());
    let encoded = |hrp: &str| bech32::encode::<bech32::Bech32>(bech32::Hrp::parse(hrp).unwrap(), &[7; 8]).unwrap();
    let recipient = encoded("age1toy");
    let identity = bench.private("toy.txt", &format!("{}\n", encoded("age-plugin-toy-").to_uppercase()));
    bench.both_ways(&recipient, text(&identity), &[], true);
    let sealed = bench.sealed_for(&recipient);
    let document = fs::read_to_string(sealed.parent().unwrap().join("../SEALED_ARTIFACTS.json")).unwrap();
    assert!(document.contains("\"toy\""), "{document}");
    bench.pack(&["key", "public", text(&identity)]).refused("E_NO_IDENTITY");
    assert!(bench.pack(&["key", "list"]).ok().out().contains("X25519"));
    fs::remove_file(bin.join("age-plugin-toy")).unwrap();
    let value = bench.revealed(&["-i", text(&identity)]).refused("E_NO_IDENTITY");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("age-plugin-toy is not on PATH")
    );
    bench.repo.write("s.vec", PLAIN);
    let value = bench.pack(&["seal", "s.vec", "-r", &recipient]).refused("E_CRYPTO");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("age-plugin-toy is not on PATH")
    );
}

#[test]
fn tagged_recipients_are_sealed_to_and_post_quantum_ones_stand_alone() {
    let bench = Bench::new();
    for (recipient, kind) in [(TAGGED, "p256tag"), (TAGGED_PQ.trim(), "mlkem768p256tag")] {
        let sealed = bench.sealed_for(recipient);
        let document = fs::read_to_string(sealed.parent().unwrap().join("../SEALED_ARTIFACTS.json")).unwrap();
        assert!(document.contains(&format!("\"{kind}\"")), "{document}");
        bench.pack(&["verify", "../pack"]).ok();
        let value = bench.revealed(&[]).refused("E_NO_IDENTITY");
        assert_eq!(value["refusal"]["detail"]["stanzas"], serde_json::json!([kind]));
    }
    bench.repo.write("s.vec", PLAIN);
    let mine = bench.pack(&["key", "public"]).ok().out().trim().to_owned();
    let args = ["seal", "s.vec", "-r", TAGGED_PQ.trim(), "-r", &mine, "-o", "../mixed"];
    let value = bench.pack(&args).refused("E_CRYPTO");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("cannot be mixed")
    );
    assert!(!bench.file("mixed").exists());
}

#[test]
fn identities_that_cannot_serve_are_refused_by_name() {
    let bench = Bench::new();
    let mine = bench.pack(&["key", "public"]).ok().out().trim().to_owned();
    bench.sealed_for(&mine);
    let other = bench.file("other.txt");
    bench.pack(&["key", "generate", "-o", text(&other)]).ok();
    let done = bench.revealed(&["-i", text(&other)]);
    assert!(
        done.stderr.contains("no identity here opens s.vec.age"),
        "{}",
        done.stderr
    );
    assert!(done.stderr.contains("other.txt (X25519)"), "{}", done.stderr);
    done.refused("E_NO_IDENTITY");
    // Of several identities, one that fits is enough.
    let fitting = bench.repo.identity();
    bench.revealed(&["-i", text(&other), "-i", text(&fitting)]).ok();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o640)).unwrap();
    let reason = |identity: &str| {
        let value = bench.revealed(&["-i", identity]).refused("E_NO_IDENTITY");
        value["refusal"]["detail"]["reason"].as_str().unwrap().to_owned()
    };
    assert!(reason(text(&other)).contains("chmod 600"));
    assert!(reason(text(bench.repo.place.path())).contains("it is a directory"));
    assert!(reason("absent").contains("the file does not exist"));
    let key = fs::read_to_string(&fitting).unwrap();
    let damaged = bench.private("damaged", &key.replace("AGE-SECRET-KEY-1", "AGE-SECRET-KEY-1QQ"));
    assert!(reason(text(&damaged)).contains("line 3"));
    let none = bench.private("none", "hello\n");
    assert!(reason(text(&none)).contains("line 1: expected an identity"));
    let hybrid = bench.private("hybrid", "AGE-SECRET-KEY-PQ-1QQ\n");
    assert!(reason(text(&hybrid)).contains("not supported"));
    // An identity in the work tree is accepted from a flag, but not from the configuration.
    bench.repo.write("in-tree.txt", &key);
    fs::set_permissions(bench.repo.path("in-tree.txt"), fs::Permissions::from_mode(0o600)).unwrap();
    bench.revealed(&["-i", "in-tree.txt"]).ok();
    bench.repo.git(&["config", "gitpack.identity", "in-tree.txt"]).ok();
    bench.revealed(&[]).refused("E_NO_IDENTITY");
}

#[test]
fn recipients_files_are_read_from_flags_and_from_the_commit() {
    let bench = Bench::new();
    let (private, public) = bench.ssh("ed25519", "");
    let (_, other) = bench.ssh("rsa", "");
    let list = bench.file("list.txt");
    fs::write(&list, format!("# us\n\n{public}\n")).unwrap();
    bench.repo.write("s.vec", PLAIN);
    bench.pack(&["seal", "s.vec", "-R", text(&list), "-o", "../pack"]).ok();
    let opened = bench
        .age(&["-d", "-i", &private, text(&bench.file("pack/sealed/s.vec.age"))])
        .ok();
    assert_eq!(opened.stdout, PLAIN);
    let piped = format!("echo '{public}' | {GIT_PACK} seal s.vec -R /dev/fd/0 -o ../piped");
    bench.sh(&piped).ok();
    for (content, line) in [
        ("# nobody\n", None),
        ("age1x\n", Some(1)),
        ("# a\nAGE-SECRET-KEY-1QQQ\n", Some(2)),
    ] {
        fs::write(&list, content).unwrap();
        let value = bench
            .pack(&["seal", "s.vec", "-R", text(&list), "-o", "../no"])
            .refused("E_BAD_CONFIG");
        assert_eq!(value["refusal"]["detail"]["line"].as_u64(), line, "{value}");
    }
    bench
        .pack(&["seal", "s.vec", "-R", "../absent", "-o", "../no"])
        .refused("E_IO");
    bench
        .pack(&["seal", "s.vec", "-r", "AGE-SECRET-KEY-1QQQ", "-o", "../no"])
        .refused("E_USAGE");

    // Recipients from the configuration: evidence takes the one on disk, tree packs that of the commit.
    let config = fs::read_to_string(bench.repo.path(".gitpack.toml")).unwrap();
    let named = config.replace("[seal]\n", "[seal]\nrecipients_file = \"keys/list.txt\"\n");
    assert_ne!(named, config);
    bench.repo.write(".gitpack.toml", &named);
    bench.pack(&["seal", "s.vec", "-o", "../no"]).refused("E_BAD_CONFIG");
    bench.repo.write("keys/list.txt", format!("{public}\n"));
    bench.pack(&["seal", "s.vec", "-o", "../configured"]).ok();
    let opened = bench
        .age(&["-d", "-i", &private, text(&bench.file("configured/sealed/s.vec.age"))])
        .ok();
    assert_eq!(opened.stdout, PLAIN);
    assert!(bench.pack(&["recipients", "list"]).ok().out().contains(&public));
    assert!(bench.pack(&["status"]).shown().out().contains("ssh-ed25519 …who@where"));
    bench.repo.git(&["add", ".gitpack.toml", "keys"]).ok();
    bench.repo.git(&["commit", "-q", "-m", "keys"]).ok();
    // The file on disk does not affect a pack of the commit.
    bench.repo.write("keys/list.txt", format!("{other}\n"));
    bench.pack(&["seal", "--attach", "s.vec", "-o", "../tree"]).ok();
    let opened = bench
        .age(&["-d", "-i", &private, text(&bench.file("tree/sealed/s.vec.age"))])
        .ok();
    assert_eq!(opened.stdout, PLAIN);
    bench.repo.git(&["rm", "-q", "--cached", "keys/list.txt"]).ok();
    bench.repo.git(&["commit", "-q", "-m", "no keys"]).ok();
    let value = bench
        .pack(&["seal", "--attach", "s.vec", "-o", "../no"])
        .refused("E_BAD_CONFIG");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("keys/list.txt in "),
        "{value}"
    );
    assert!(!bench.file("no").exists());
}

#[test]
fn recipients_of_every_kind_are_added_and_removed() {
    let bench = Bench::new();
    let (_, public) = bench.ssh("ed25519", "");
    for recipient in [public.as_str(), TAGGED] {
        bench.pack(&["recipients", "add", recipient]).ok();
        assert!(bench.pack(&["recipients", "list"]).ok().out().contains(recipient));
    }
    let again = bench
        .pack(&["recipients", "add", &public.replace("who@where", "elsewhere")])
        .ok();
    assert!(again.out().contains("already"), "{}", again.out());
    let bare: Vec<&str> = public.split(' ').take(2).collect();
    bench.pack(&["recipients", "remove", &bare.join(" ")]).ok();
    assert!(!bench.pack(&["recipients", "list"]).ok().out().contains("ssh-ed25519"));
    for wrong in [
        "ssh-dss AAAAB3NzaC1kc3M= x",
        "age1pq1qqqqq",
        "AGE-SECRET-KEY-1QQQ",
        "one\ntwo",
    ] {
        bench.pack(&["recipients", "add", wrong]).refused("E_USAGE");
    }
    bench
        .pack(&["recipients", "remove", "AGE-SECRET-KEY-1QQQ"])
        .refused("E_USAGE");
}

#[test]
fn a_key_in_the_place_of_its_name_is_never_repeated_or_recorded() {
    let repo = Repo::set_up();
    repo.write("x", "x");
    let identity = fs::read_to_string(repo.identity()).unwrap();
    let age = identity
        .lines()
        .find(|line| line.starts_with("AGE-SECRET-KEY-"))
        .unwrap();
    // A parser of arguments cuts a key at its first "=", and names it more than once.
    let ssh =
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEAAAA=\nAAEbm9uZQ\n-----END OPENSSH PRIVATE KEY-----\n";
    for (key, secret) in [(age, &age[20..]), (ssh, "b3Blbn")] {
        for line in [
            "recipients add KEY",
            "recipients add -- KEY",
            "recipients remove KEY",
            "seal -r KEY x",
            "seal x --rev KEY",
            "seal KEY",
            "open p -i KEY",
            "open -- KEY",
            "verify KEY",
            "verify -- KEY",
            "verify --json -- KEY",
            "inspect -- KEY",
            "archive -o q -- KEY",
            "report -o q -- KEY",
            "restore -o q -- KEY",
            "key public -- KEY",
            "key list",
            "status",
            "status --json",
            "protect -- KEY",
            "scan --rev KEY",
            "push p -- KEY",
            "KEY",
        ] {
            let args: Vec<&str> = line
                .split(' ')
                .map(|word| if word == "KEY" { key } else { word })
                .collect();
            let mut command = repo.place.command(GIT_PACK, &repo.root);
            let done = Done::from(command.env("GIT_PACK_IDENTITY", key).args(&args).output().unwrap());
            for told in [&done.out(), &done.stderr] {
                assert!(!told.contains(secret), "{line}: {told}");
            }
        }
        let ledger = fs::read_to_string(repo.place.home().join(".epistemic/witness.jsonl")).unwrap();
        assert!(!ledger.contains(secret), "{ledger}");
        assert!(ledger.contains("(a private key)"), "{ledger}");
    }
}
