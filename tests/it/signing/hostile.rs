//! Signatures, files of signers and clones that somebody prepared.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gitpack::format::timestamp::Timestamp;
use gitpack::ops::Context;
use gitpack::ops::pack::signatures::SignerRequest;
use gitpack::ops::pack::verify::{VerifyRequest, verify};

use super::World;
use crate::common::{Done, GIT_PACK};

#[test]
fn what_is_not_a_signature_over_this_pack_is_invalid() {
    let world = World::new();
    let alice = world.ed25519("alice");
    world.key("weak", &["-t", "rsa", "-b", "1024"]);
    let weak = fs::read_to_string(world.path("weak.pub")).unwrap();
    world.write("signers", format!("alice {alice}\nweak {weak}\n"));
    world.write("other/b", "b\n");
    world.pack(&["seal", "other", "-o", "second"]).ok();
    let mut manifest = fs::read(world.path("pack/manifest.json")).unwrap();
    manifest.push(b'\n');
    let good = world.signed_by_ssh_keygen("pack", "alice", "git-pack");
    for (what, signature) in [
        (
            "of another pack",
            world.signed_by_ssh_keygen("second", "alice", "git-pack"),
        ),
        (
            "in another namespace",
            world.signed_by_ssh_keygen("pack", "alice", "git"),
        ),
        (
            "over other bytes of the same manifest",
            world.signed(&manifest, "alice", "git-pack"),
        ),
        ("by a weak key", world.signed_by_ssh_keygen("pack", "weak", "git-pack")),
        ("cut", good[..good.len() - 40].to_vec()),
        ("twice in one file", [&good[..], &good[..]].concat()),
        ("empty", Vec::new()),
        ("a key", alice.clone().into_bytes()),
        ("noise", vec![0xff; 1000]),
    ] {
        world.attach("pack", &[&signature]);
        assert_eq!(world.verify(&[]), (1, vec!["SIGNATURE_INVALID".into()]), "{what}");
        world.finds(
            &["SIGNATURE_MISSING", "SIGNATURE_INVALID"],
            &["--allowed-signers", "signers", "--require-signatures", "1"],
        );
    }
    world.attach("pack", &[&good, &good, &good]);
    world.accepts(&["--allowed-signers", "signers", "--require-signatures", "1"]);
    world.finds(
        &["SIGNATURE_MISSING"],
        &["--allowed-signers", "signers", "--require-signatures", "2"],
    );
}

#[test]
fn a_signature_over_bytes_that_are_not_canonical_proves_nothing() {
    let world = World::new();
    let alice = world.ed25519("alice");
    world.write("signers", format!("alice {alice}\n"));
    let manifest = fs::read(world.path("pack/manifest.json")).unwrap();
    let mut spaced = manifest.clone();
    spaced.insert(1, b' ');
    world.write("pack/manifest.json", &spaced);
    let demand = ["--allowed-signers", "signers", "--signed-by", "alice"];
    world.attach("pack", &[&world.signed(&spaced, "alice", "git-pack")]);
    world.finds(&["SIGNATURE_MISSING", "SIGNATURE_INVALID"], &demand);
    world.attach("pack", &[&world.signed(&manifest, "alice", "git-pack")]);
    world.accepts(&demand);
    world.attach("pack", &[]);
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    world.accepts(&demand);
}

#[test]
fn another_key_of_the_same_name_is_unknown() {
    let world = World::new();
    world.ed25519("alice");
    let rsa = world.key("alice-rsa", &["-t", "rsa", "-b", "2048"]);
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let demand = ["--allowed-signers", "signers", "--signed-by", "alice"];
    for signers in [format!("alice {rsa}\n"), String::new(), "# nobody\n".to_owned()] {
        world.write("signers", signers);
        world.finds(&["SIGNATURE_MISSING", "SIGNER_UNKNOWN"], &demand);
    }
    // It may sign other things.
    let public = fs::read_to_string(world.path("alice.pub")).unwrap();
    world.write("signers", format!("alice namespaces=\"git\" {public}"));
    world.finds(&["SIGNATURE_MISSING", "SIGNER_UNKNOWN"], &demand);
}

#[test]
fn every_flipped_byte_of_a_signature_is_caught() {
    let world = World::new();
    let alice = world.ed25519("alice");
    world.write("signers", format!("alice {alice}\n"));
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let path = world.path(&format!("pack.attestations/{}.sig", world.hex("pack")));
    let good = fs::read(&path).unwrap();
    let ctx = Context::new(world.place.path(), Timestamp::EPOCH);
    let request = VerifyRequest {
        pack: "pack".into(),
        signers: SignerRequest {
            signed_by: vec!["alice".into()],
            allowed_signers: Some("signers".into()),
            ..SignerRequest::default()
        },
        ..VerifyRequest::default()
    };
    assert_eq!(verify(&ctx, &request).unwrap().outcome(), "OK");
    for at in 0..good.len() {
        let mut flipped = good.clone();
        flipped[at] ^= 1 << (at % 7);
        fs::write(&path, &flipped).unwrap();
        let report = verify(&ctx, &request).unwrap();
        let codes: Vec<_> = report
            .verdict
            .findings
            .iter()
            .map(|finding| finding.kind.code())
            .collect();
        assert_eq!(codes, ["SIGNATURE_MISSING", "SIGNATURE_INVALID"], "byte {at}");
    }
}

#[test]
fn hostile_files_of_signers_are_refused_in_bounded_time() {
    let world = World::new();
    let alice = world.ed25519("alice");
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    let line = format!("alice {alice}\n");
    let demand = ["verify", "pack", "--allowed-signers", "signers", "--signed-by", "alice"];
    for (content, code) in [
        (line.repeat((10 << 20) / line.len()).into_bytes(), "E_IO"),
        (vec![b'a'; 10 << 20], "E_IO"),
        ([line.as_bytes(), b"\0\0"].concat(), "E_SIGNATURE"),
        (b"SSHKRL\n\0 and more".to_vec(), "INVALID"),
        (vec![b'a'; 900 << 10], "INVALID"),
        ([&vec![b'*'; 900 << 10][..], b" ", alice.as_bytes()].concat(), "INVALID"),
    ] {
        world.write("signers", &content);
        let done = world.pack(&demand);
        match code {
            "INVALID" => assert_eq!(done.code, 1, "{}", done.stderr),
            code => assert!(done.code == 2 && done.stderr.len() < 1000, "{code}: {}", done.stderr),
        }
    }
    fs::remove_file(world.path("signers")).unwrap();
    assert_eq!(world.pack(&demand).code, 2);
    // A signature without a demand does not need it.
    assert_eq!(world.pack(&["verify", "pack"]).code, 0);
}

#[test]
fn a_pack_does_not_say_whom_to_trust() {
    let world = World::new();
    let mallory = world.ed25519("mallory");
    let signers = format!("alice {mallory}\n");
    world.write("files/allowed_signers", &signers);
    world.write(
        "files/.gitpack.toml",
        "version = 1\n[verify]\nsigners = \"allowed_signers\"\n",
    );
    world.pack(&["seal", "files", "-o", "pack", "--replace"]).ok();
    world.pack(&["sign", "pack", "--key", "mallory"]).ok();
    assert_eq!(world.pack(&["verify", "pack", "--signed-by", "alice"]).code, 2);
    world.accepts(&[]);
    // Beside the pack it is a stranger.
    world.write("pack.attestations/allowed_signers", &signers);
    world.finds(&["ATTESTATION_INVALID"], &[]);
}

#[test]
fn a_prepared_clone_names_no_program() {
    let world = World::new();
    world.ed25519("alice");
    world.place.run(world.place.path(), "git", &["init", "-q"]).ok();
    world.write(
        "evil",
        format!("#!/bin/sh\ntouch '{}'\nexit 0\n", world.path("ran").display()),
    );
    fs::set_permissions(world.path("evil"), fs::Permissions::from_mode(0o755)).unwrap();
    let evil = world.path("evil");
    for (key, value) in [
        ("gpg.format", "ssh"),
        ("gpg.ssh.program", evil.to_str().unwrap()),
        ("gpg.ssh.defaultKeyCommand", evil.to_str().unwrap()),
    ] {
        world.place.run(world.place.path(), "git", &["config", key, value]).ok();
    }
    world.pack(&["sign", "pack"]).refused("E_SIGNATURE");
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    world.accepts(&[]);
    assert!(!world.path("ran").exists());
}

#[test]
fn a_program_that_approves_of_everything_must_at_least_be_the_users_own() {
    let world = World::new();
    let alice = world.ed25519("alice");
    world.write("signers", format!("alice {alice}\n"));
    world.pack(&["sign", "pack", "--key", "alice"]).ok();
    // Whoever has no ssh-keygen is told so, and refused where a signature is demanded.
    let bin = world.path("bin");
    fs::create_dir(&bin).unwrap();
    let git = world
        .place
        .run(world.place.path(), "sh", &["-c", "command -v git"])
        .ok()
        .out();
    std::os::unix::fs::symlink(git.trim(), bin.join("git")).unwrap();
    let alone = |args: &[&str]| {
        let mut command = world.place.command(GIT_PACK, world.place.path());
        Done::from(command.args(args).env("PATH", &bin).output().unwrap())
    };
    let told = alone(&["verify", "pack"]).ok();
    assert!(
        told.stderr.contains("1 signature not checked: ssh-keygen"),
        "{}",
        told.stderr
    );
    let demand = [
        "verify",
        "pack",
        "--json",
        "--allowed-signers",
        "signers",
        "--require-signatures",
        "1",
    ];
    let refused = alone(&demand);
    assert_eq!(refused.code, 2);
    assert!(refused.out().contains("E_SIGNATURE"), "{}", refused.out());
    alone(&["sign", "pack", "--key", "alice"]).refused("E_SIGNATURE");
}

#[test]
fn a_key_in_a_certificate_counts_once() {
    let world = World::new();
    let authority = world.ed25519("authority");
    let public = world.ed25519("alice");
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
    world.write("signers", format!("alice cert-authority {authority}\nbert {public}\n"));
    let good = [
        world.signed_by_ssh_keygen("pack", "alice-cert.pub", "git-pack"),
        world.signed_by_ssh_keygen("pack", "alice", "git-pack"),
    ];
    world.attach("pack", &[&good[0], &good[1]]);
    fn demand<'a>(args: &[&'a str]) -> Vec<&'a str> {
        [&["--allowed-signers", "signers"], args].concat()
    }
    world.accepts(&demand(&["--signed-by", "alice"]));
    world.accepts(&demand(&["--signed-by", "bert"]));
    world.finds(&["SIGNATURE_MISSING"], &demand(&["--require-signatures", "2"]));
    world.finds(
        &["SIGNATURE_MISSING"],
        &demand(&["--signed-by", "alice", "--signed-by", "bert"]),
    );
}

#[test]
fn a_key_that_is_given_as_the_name_of_its_file_is_not_repeated() {
    let world = World::new();
    world.ed25519("alice");
    world.place.run(world.place.path(), "git", &["init", "-q"]).ok();
    world
        .place
        .run(world.place.path(), "git", &["config", "gpg.format", "ssh"])
        .ok();
    let key = fs::read_to_string(world.path("alice")).unwrap();
    let lines: Vec<&str> = key.lines().filter(|line| !line.starts_with("-----")).collect();
    let joined = format!("--key={key}");
    let mut told = Vec::new();
    for args in [
        &["sign", "pack", joined.as_str()][..],
        &["sign", "pack", "--key", &key],
        &["sign", "pack", "--agent", &key],
        &["sign", &key],
        &["attest", "pack", &joined],
        &["verify", "pack", "--signed-by", &key],
        &["verify", "pack", "--allowed-signers", &key],
        &["verify", "pack", "--json", &format!("--revoked={key}")],
        &["verify", "pack", &format!("--attestation-key={key}")],
        &["open", "pack", &format!("--identity={key}")],
    ] {
        let done = world.pack(args);
        assert_ne!(done.code, 0, "{args:?}");
        told.extend([done.out(), done.stderr]);
    }
    world
        .place
        .run(world.place.path(), "git", &["config", "user.signingKey", &key])
        .ok();
    let done = world.pack(&["sign", "pack"]);
    told.extend([done.out(), done.stderr]);
    for line in lines {
        for told in &told {
            assert!(!told.contains(line), "{told}");
        }
    }
}
