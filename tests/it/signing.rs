//! `git pack sign`, and `git pack verify` with signers: what `ssh-keygen` makes and checks, and what is not accepted.

mod demanded;
mod hostile;
mod published;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

use crate::common::packs::recompute;
use crate::common::{Done, Place, Repo, noise, write};

/// A pack in `pack`, keys beside it, and files of allowed signers.
pub struct World {
    pub place: Place,
}

impl World {
    pub fn new() -> Self {
        let place = Place::new();
        write(&place.path().join("files/a"), "a\n");
        let world = Self { place };
        world
            .pack(&["seal", "files", "-o", "pack", "--created", "2026-06-15T12:00:00Z"])
            .ok();
        world
    }

    pub fn path(&self, below: &str) -> PathBuf {
        self.place.path().join(below)
    }

    pub fn pack(&self, args: &[&str]) -> Done {
        self.place.pack_in(self.place.path(), args)
    }

    /// Makes a key, such as `key("alice", &["-t", "ed25519"])`. Returns its public half.
    pub fn key(&self, name: &str, args: &[&str]) -> String {
        let all = [&["-q", "-N", "", "-C", name, "-f", name], args].concat();
        self.ssh_keygen(&all).ok();
        fs::read_to_string(self.path(&format!("{name}.pub")))
            .unwrap()
            .trim()
            .to_owned()
    }

    pub fn ed25519(&self, name: &str) -> String {
        self.key(name, &["-t", "ed25519"])
    }

    pub fn ssh_keygen(&self, args: &[&str]) -> Done {
        self.place.run(self.place.path(), "ssh-keygen", args)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        write(&self.path(name), content);
    }

    /// Signs the manifest of `pack` with `ssh-keygen` alone.
    pub fn signed_by_ssh_keygen(&self, pack: &str, key: &str, namespace: &str) -> Vec<u8> {
        let manifest = self.path(pack).join("manifest.json");
        self.signed(&fs::read(manifest).unwrap(), key, namespace)
    }

    pub fn signed(&self, content: &[u8], key: &str, namespace: &str) -> Vec<u8> {
        self.write("content", content);
        drop(fs::remove_file(self.path("content.sig")));
        self.ssh_keygen(&["-q", "-Y", "sign", "-n", namespace, "-f", key, "content"])
            .ok();
        fs::read(self.path("content.sig")).unwrap()
    }

    /// Puts a signature beside `pack` in place of all others.
    pub fn attach(&self, pack: &str, signatures: &[&[u8]]) {
        let directory = self.path(&format!("{pack}.attestations"));
        drop(fs::remove_dir_all(&directory));
        fs::create_dir(&directory).unwrap();
        for (at, signature) in signatures.iter().enumerate() {
            let number = if at == 0 { String::new() } else { format!(".{}", at + 1) };
            fs::write(directory.join(format!("{}{number}.sig", self.hex(pack))), signature).unwrap();
        }
    }

    /// The id of a pack in hex digits.
    pub fn hex(&self, pack: &str) -> String {
        let manifest: Value =
            serde_json::from_slice(&fs::read(self.path(pack).join("manifest.json")).unwrap()).unwrap();
        manifest["pack_id"]
            .as_str()
            .unwrap()
            .strip_prefix("sha256:")
            .unwrap()
            .to_owned()
    }

    /// Verifies `pack`. Returns the exit status and the codes of the findings.
    pub fn verify(&self, args: &[&str]) -> (i32, Vec<String>) {
        let done = self.pack(&[&["verify", "pack", "--json"], args].concat());
        let document: Value = serde_json::from_slice(&done.stdout).unwrap();
        let findings = document["invalid"].as_array().unwrap();
        let codes = findings
            .iter()
            .map(|finding| finding["code"].as_str().unwrap().to_owned());
        (done.code, codes.collect())
    }

    #[track_caller]
    pub fn accepts(&self, args: &[&str]) {
        assert_eq!(self.verify(args), (0, vec![]), "{args:?}");
    }

    #[track_caller]
    pub fn finds(&self, codes: &[&str], args: &[&str]) {
        let codes = codes.iter().map(|code| (*code).to_owned()).collect();
        assert_eq!(self.verify(args), (1, codes), "{args:?}");
    }
}

/// An `ssh-agent` with one key, which ends with the value.
struct Agent {
    child: Child,
    socket: PathBuf,
}

impl Agent {
    fn with(world: &World, key: &str) -> Self {
        let socket = world.path("agent");
        let mut command = world.place.command("ssh-agent", world.place.path());
        let child = command
            .arg("-D")
            .arg("-a")
            .arg(&socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let agent = Self { child, socket };
        for _ in 0..500 {
            let mut add = world.place.command("ssh-add", world.place.path());
            if agent
                .told_to(&mut add)
                .args(["-q", key])
                .output()
                .unwrap()
                .status
                .success()
            {
                return agent;
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        panic!("the agent does not take {key}");
    }

    fn told_to<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SSH_AUTH_SOCK", &self.socket)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
fn each_side_accepts_what_the_other_one_signed() {
    let world = World::new();
    for (name, args) in [
        ("alice", &["-t", "ed25519"][..]),
        ("bert", &["-t", "ecdsa", "-b", "256"]),
        ("carol", &["-t", "ecdsa", "-b", "521"]),
        ("dora", &["-t", "rsa", "-b", "2048"]),
    ] {
        let public = world.key(name, args);
        world.write("signers", format!("{name} namespaces=\"git-pack\" {public}\n"));
        world.attach("pack", &[]);
        let done = world.pack(&["sign", "pack", "--key", name]).ok();
        let path = format!("pack.attestations/{}.sig", world.hex("pack"));
        assert_eq!(done.out(), format!("SIGNED sha256:{}\n{path}\n", world.hex("pack")));
        let manifest = fs::File::open(world.path("pack/manifest.json")).unwrap();
        let mut check = world.place.command("ssh-keygen", world.place.path());
        check.args([
            "-Y", "verify", "-n", "git-pack", "-f", "signers", "-I", name, "-s", &path,
        ]);
        Done::from(check.stdin(manifest).output().unwrap()).ok();
        world.accepts(&[
            "--allowed-signers",
            "signers",
            "--signed-by",
            name,
            "--require-signatures",
            "1",
        ]);
        world.attach("pack", &[&world.signed_by_ssh_keygen("pack", name, "git-pack")]);
        world.accepts(&[
            "--allowed-signers",
            "signers",
            "--signed-by",
            name,
            "--require-signatures",
            "1",
        ]);
    }
}

#[test]
fn a_key_signs_a_pack_once() {
    let world = World::new();
    // Such a signature has other bytes each time.
    world.key("alice", &["-t", "ecdsa"]);
    let first = world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let again = world.pack(&["sign", "pack", "--key", "alice"]).ok();
    assert_eq!(first.stdout, again.stdout);
    assert!(again.stderr.contains("had signed the pack before"), "{}", again.stderr);
    world.ed25519("bert");
    let second = world.pack(&["sign", "pack", "--key", "bert"]).ok();
    assert!(second.out().contains(".2.sig"), "{}", second.out());
    assert_eq!(fs::read_dir(world.path("pack.attestations")).unwrap().count(), 2);
}

#[test]
fn who_signs_commits_with_ssh_signs_packs_without_more() {
    let world = World::new();
    let public = world.ed25519("alice");
    world.write("signers", format!("alice {public}\n"));
    world.place.run(world.place.path(), "git", &["init", "-q"]).ok();
    let config = |key: &str, value: &str| {
        world.place.run(world.place.path(), "git", &["config", key, value]).ok();
    };
    // Without gpg.format, this is the id of another kind of key.
    config("user.signingKey", world.path("alice").to_str().unwrap());
    world.pack(&["sign", "pack"]).refused("E_SIGNATURE");
    config("gpg.format", "ssh");
    config("gpg.ssh.allowedSignersFile", world.path("signers").to_str().unwrap());
    world.pack(&["sign", "pack"]).ok();
    world.accepts(&["--signed-by", "alice"]);
    // git takes a public key as well, if an agent has its private key.
    let agent = Agent::with(&world, "alice");
    fs::remove_file(world.path("alice")).unwrap();
    for (key, value) in [
        ("user.signingKey", format!("key::{public}")),
        ("user.signingKey", public.clone()),
    ] {
        config(key, &value);
        world.attach("pack", &[]);
        let mut sign = world.place.command(crate::common::GIT_PACK, world.place.path());
        Done::from(agent.told_to(sign.args(["sign", "pack"])).output().unwrap()).ok();
        world.accepts(&["--signed-by", "alice"]);
    }
    // A key for packs alone comes first.
    world.ed25519("bert");
    config("gitpack.signingKey", "bert");
    world.attach("pack", &[]);
    world.pack(&["sign", "pack"]).ok();
    world.finds(&["SIGNATURE_MISSING", "SIGNER_UNKNOWN"], &["--signed-by", "alice"]);
}

#[test]
fn an_agent_signs() {
    let world = World::new();
    let public = world.ed25519("alice");
    world.write("signers", format!("alice {public}\n"));
    let agent = Agent::with(&world, "alice");
    fs::remove_file(world.path("alice")).unwrap();
    for key in ["alice.pub", &public] {
        world.attach("pack", &[]);
        let mut sign = world.place.command(crate::common::GIT_PACK, world.place.path());
        Done::from(
            agent
                .told_to(sign.args(["sign", "pack", "--agent", key]))
                .output()
                .unwrap(),
        )
        .ok();
        world.accepts(&["--allowed-signers", "signers", "--signed-by", "alice"]);
    }
    world.ed25519("bert");
    world.attach("pack", &[]);
    let mut sign = world.place.command(crate::common::GIT_PACK, world.place.path());
    let refused = agent
        .told_to(sign.args(["sign", "pack", "--agent", "bert.pub"]))
        .output()
        .unwrap();
    Done::from(refused).refused("E_SIGNATURE");
    assert_eq!(fs::read_dir(world.path("pack.attestations")).unwrap().count(), 0);
}

#[test]
fn a_certificate_is_trusted_through_its_authority() {
    let world = World::new();
    let authority = world.ed25519("authority");
    world.ed25519("alice");
    let certify = [
        "-q",
        "-s",
        "authority",
        "-I",
        "x",
        "-n",
        "alice",
        "-V",
        "20260101Z:20270101Z",
        "alice.pub",
    ];
    world.ssh_keygen(&certify).ok();
    world.write("signers", format!("alice cert-authority {authority}\n"));
    world.pack(&["sign", "pack", "--key", "alice-cert.pub"]).ok();
    world.accepts(&[
        "--allowed-signers",
        "signers",
        "--signed-by",
        "alice",
        "--require-signatures",
        "1",
    ]);
    world.finds(
        &["SIGNATURE_MISSING"],
        &["--allowed-signers", "signers", "--signed-by", "bert"],
    );
    // The certificate was not valid when this pack was made.
    world
        .pack(&[
            "seal",
            "files",
            "-o",
            "pack",
            "--replace",
            "--created",
            "2025-06-15T12:00:00Z",
        ])
        .ok();
    world.attach("pack", &[]);
    world.pack(&["sign", "pack", "--key", "alice-cert.pub"]).ok();
    world.finds(
        &["SIGNATURE_MISSING", "SIGNER_NOT_VALID_THEN"],
        &["--allowed-signers", "signers", "--signed-by", "alice"],
    );
}

#[test]
fn a_signer_counts_only_while_valid_and_not_revoked() {
    let world = World::new();
    let public = world.ed25519("alice");
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let demand = ["--allowed-signers", "signers", "--signed-by", "alice"];
    for (options, is_valid) in [
        ("valid-after=\"20260615115959Z\"", true),
        ("valid-after=\"20260615120001Z\"", false),
        ("valid-before=\"20260615120001Z\"", true),
        ("valid-before=\"20260615115959Z\"", false),
        // Without a zone, a time is in UTC.
        ("valid-before=\"20260615120001\"", true),
        ("valid-after=\"202701\"", false),
    ] {
        world.write("signers", format!("alice {options} {public}\n"));
        match is_valid {
            true => world.accepts(&demand),
            false if options.contains("202701") => world.finds(&["SIGNATURE_MISSING", "SIGNER_UNKNOWN"], &demand),
            false => world.finds(&["SIGNATURE_MISSING", "SIGNER_NOT_VALID_THEN"], &demand),
        }
    }
    world.write("signers", format!("alice {public}\n"));
    world.ssh_keygen(&["-q", "-k", "-f", "krl", "alice.pub"]).ok();
    for list in ["krl", "alice.pub"] {
        world.finds(
            &["SIGNATURE_MISSING", "SIGNER_REVOKED"],
            &[&demand[..], &["--revoked", list]].concat(),
        );
        let told = world
            .pack(&["verify", "pack", "--allowed-signers", "signers", "--revoked", list])
            .ok();
        assert!(told.stderr.contains("revoked"), "{}", told.stderr);
    }
    world.ed25519("bert");
    world.accepts(&[&demand[..], &["--revoked", "bert.pub"]].concat());
}

#[test]
fn a_threshold_counts_people() {
    let world = World::new();
    let (alice, bert) = (world.ed25519("alice"), world.ed25519("bert"));
    let other = world.ed25519("alice-too");
    world.write("signers", format!("alice {alice}\nalice {other}\nbert {bert}\n"));
    let two = ["--allowed-signers", "signers", "--require-signatures", "2"];
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    world.finds(&["SIGNATURE_MISSING"], &two);
    world.pack(&["sign", "pack", "--key", "alice-too"]).ok();
    world.finds(&["SIGNATURE_MISSING"], &two);
    world.pack(&["sign", "pack", "--key", "bert"]).ok();
    world.accepts(&two);
    world.accepts(&[
        "--allowed-signers",
        "signers",
        "--signed-by",
        "alice",
        "--signed-by",
        "bert",
    ]);
    world.finds(
        &["SIGNATURE_MISSING"],
        &["--allowed-signers", "signers", "--require-signatures", "3"],
    );
}

#[test]
fn a_pack_that_is_not_sound_is_not_signed() {
    let world = World::new();
    world.ed25519("alice");
    fs::write(world.path("pack/files/a"), "b\n").unwrap();
    world.pack(&["sign", "pack", "--key", "alice"]).refused("E_BAD_PACK");
    fs::remove_file(world.path("pack/manifest.json")).unwrap();
    world.pack(&["sign", "pack", "--key", "alice"]).refused("E_BAD_PACK");
    assert!(!world.path("pack.attestations").exists());
}

#[test]
fn a_pack_with_a_leak_is_not_signed() {
    let repo = Repo::set_up();
    let key = repo.place.path().join("alice");
    let key = key.to_str().unwrap();
    repo.place
        .run(
            repo.place.path(),
            "ssh-keygen",
            &["-q", "-N", "", "-t", "ed25519", "-f", key],
        )
        .ok();
    let (_, pack) = repo.seal(&["-o", "../pack"]);
    // The maker of the pack left a protected file in the clear.
    write(&pack.join("repo/data/x.vec"), noise(1, 100));
    recompute(&pack);
    let done = repo.pack(&["verify", "../pack"]);
    assert!(done.out().contains("PLAINTEXT_LEAK"), "{}", done.out());
    repo.pack(&["sign", "../pack", "--key", key])
        .refused("E_PLAINTEXT_LEAK");
    assert!(!repo.place.path().join("pack.attestations").exists());
}

#[test]
fn a_pack_that_changes_while_it_is_signed_is_not_signed() {
    let world = World::new();
    world.ed25519("alice");
    // A program in place of ssh-keygen changes the manifest, and then signs.
    let script = format!(
        "#!/bin/sh\nif [ \"$2\" = sign ]; then printf ' ' >> '{}'; fi\nexec ssh-keygen \"$@\"\n",
        world.path("pack/manifest.json").display()
    );
    world.write("signs", script);
    fs::set_permissions(world.path("signs"), fs::Permissions::from_mode(0o755)).unwrap();
    let mut sign = world.place.command(crate::common::GIT_PACK, world.place.path());
    sign.args(["sign", "pack", "--key", "alice"])
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "gpg.ssh.program")
        .env("GIT_CONFIG_VALUE_0", world.path("signs"));
    Done::from(sign.output().unwrap()).refused("E_IO");
    assert!(!world.path("pack.attestations").exists());
}

#[test]
fn a_key_is_never_shown_and_must_be_private() {
    let world = World::new();
    world.ed25519("alice");
    let private = fs::read_to_string(world.path("alice")).unwrap();
    let secret: Vec<&str> = private.lines().filter(|line| line.len() > 60).collect();
    assert!(!secret.is_empty());
    let done = world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let mut told = vec![done.out(), done.stderr];
    fs::set_permissions(world.path("alice"), fs::Permissions::from_mode(0o644)).unwrap();
    let refused = world.pack(&["sign", "pack", "--key", "alice"]);
    told.extend([refused.out(), refused.stderr.clone()]);
    refused.refused("E_SIGNATURE");
    for refused in [
        &["--key", "nowhere"][..],
        &["--key", "files"],
        &["--agent", "nowhere.pub"],
        &[],
    ] {
        let refused = world.pack(&[&["sign", "pack"], refused].concat());
        told.extend([refused.out(), refused.stderr.clone()]);
        refused.refused("E_SIGNATURE");
    }
    for name in all_files(world.place.path()) {
        if !name.ends_with("alice") {
            told.push(String::from_utf8_lossy(&fs::read(&name).unwrap()).into_owned());
        }
    }
    for line in secret {
        assert!(!told.iter().any(|told| told.contains(line)));
    }
}

fn all_files(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).unwrap() {
        let entry = entry.unwrap();
        match entry.file_type().unwrap() {
            kind if kind.is_dir() => found.extend(all_files(&entry.path())),
            kind if kind.is_file() => found.push(entry.path()),
            _ => {}
        }
    }
    found
}
