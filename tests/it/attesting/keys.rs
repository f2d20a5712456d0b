//! The keys that attest: which are taken, and which are refused by name.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Bench;

const PASSPHRASE: &str = "open, sesame";

impl Bench {
    /// Makes an SSH key pair: `name` and `name.pub`.
    fn ssh(&self, name: &str, options: &[&str]) {
        let args = [&["-q", "-C", "who@where", "-f", name], options].concat();
        self.run("ssh-keygen", &args).ok();
    }
}

#[test]
fn keys_of_openssl_and_openssh_attest() {
    let bench = Bench::new();
    bench.p256("pkcs8");
    let traditional = ["ec", "-in", "pkcs8.pem", "-out", "sec1.pem"];
    bench.run("openssl", &traditional).ok();
    bench.close("sec1.pem");
    let named = ["ecparam", "-name", "prime256v1", "-genkey", "-out", "parameters.pem"];
    bench.run("openssl", &named).ok();
    bench.close("parameters.pem");
    let public = ["pkey", "-in", "parameters.pem", "-pubout", "-out", "parameters.pub.pem"];
    bench.run("openssl", &public).ok();
    let both = fs::read_to_string(bench.path("parameters.pem")).unwrap();
    assert!(both.contains("EC PARAMETERS"), "{both}");
    bench.ssh("plain", &["-t", "ed25519", "-N", ""]);
    bench.ssh("locked", &["-t", "ed25519", "-N", PASSPHRASE]);
    bench.private("passphrase", format!("{PASSPHRASE}\n"));
    bench.private("wrong", "abracadabra\n");
    for (key, public, more) in [
        ("pkcs8.pem", "pkcs8.pub.pem", &[][..]),
        ("sec1.pem", "pkcs8.pub.pem", &[]),
        ("parameters.pem", "parameters.pub.pem", &[]),
        ("plain", "plain.pub", &[]),
        ("locked", "locked.pub", &["--passphrase-file", "passphrase"]),
    ] {
        bench.attest(key, more);
        let (code, _, report) = bench.verified(&[public]);
        assert_eq!(code, 0, "{key}: {report}");
        assert_eq!(report["attestations"][0]["signature"], "valid", "{key}: {report}");
        // The id of a key is the hash of its encoding, so other tools can compute it.
        if public.ends_with(".pem") {
            let script = format!("openssl pkey -pubin -in {public} -outform DER | openssl dgst -sha256 -r");
            let out = bench.run("sh", &["-c", &script]).ok().out();
            assert_eq!(report["attestations"][0]["key_ids"][0], out[..64], "{key}");
        }
        fs::remove_dir_all(bench.path("pack.attestations")).unwrap();
    }
    for (more, says) in [
        (&[][..], "passphrase"),
        (&["--passphrase-file", "wrong"], "passphrase is wrong"),
    ] {
        let args = [
            &["-w", crate::common::GIT_PACK, "attest", "pack", "--key", "locked"],
            more,
        ]
        .concat();
        let value = bench.run("setsid", &args).refused("E_SIGNATURE");
        assert!(value.to_string().contains(says), "{value}");
    }
    assert!(!bench.path("pack.attestations").exists());
}

#[test]
fn other_keys_are_refused_by_name() {
    let bench = Bench::new();
    let good = bench.ed25519("good");
    bench.openssl("rsa", &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"]);
    bench.openssl("p384", &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"]);
    bench.openssl("x25519", &["-algorithm", "x25519"]);
    bench.openssl("ed448", &["-algorithm", "ed448"]);
    for (name, from, more) in [
        ("rsa1.pem", "rsa.pem", &["-traditional"][..]),
        ("p384sec1.pem", "p384.pem", &["-traditional"]),
        ("encrypted.pem", "good.pem", &["-aes256", "-passout", "pass:x"]),
    ] {
        bench
            .run("openssl", &[&["pkey", "-in", from, "-out", name], more].concat())
            .ok();
        bench.close(name);
    }
    let ec = bench.p256("p256");
    let locked = ["ec", "-in", &ec, "-aes256", "-passout", "pass:x", "-out", "proc.pem"];
    bench.run("openssl", &locked).ok();
    bench.close("proc.pem");
    bench.ssh("ssh-rsa", &["-t", "rsa", "-N", ""]);
    bench.ssh("ssh-ecdsa", &["-t", "ecdsa", "-N", ""]);
    let pem = fs::read_to_string(bench.path(&good)).unwrap();
    bench.private("two.pem", format!("{pem}{pem}"));
    bench.private("cut.pem", &pem[..pem.len() - 40]);
    bench.private("changed.pem", pem.replacen("MC4", "MC5", 1));
    bench.private("empty.pem", "");
    bench.private("noise.pem", [0xff; 100]);
    bench.private("public.pem", fs::read(bench.path("good.pub.pem")).unwrap());
    bench.private(
        "cosign.pem",
        pem.replace("PRIVATE KEY", "ENCRYPTED SIGSTORE PRIVATE KEY"),
    );
    for (key, says) in [
        ("rsa.pem", "RSA"),
        ("rsa1.pem", "RSA"),
        ("p384.pem", "another curve than P-256"),
        ("p384sec1.pem", "another curve than P-256"),
        ("x25519.pem", "X25519"),
        ("ed448.pem", "Ed448"),
        ("encrypted.pem", "encrypted"),
        ("cosign.pem", "encrypted"),
        ("proc.pem", "encrypted"),
        ("ssh-rsa", "ssh-rsa"),
        ("ssh-ecdsa", "another kind than ssh-ed25519"),
        ("two.pem", "several keys"),
        ("cut.pem", "damaged"),
        ("changed.pem", "damaged"),
        ("empty.pem", "does not hold a key"),
        ("noise.pem", "does not hold a key"),
        ("public.pem", "the private key is needed"),
        ("absent.pem", "the key does not exist"),
        ("files", "directory"),
    ] {
        let value = bench.pack(&["attest", "pack", "--key", key]).refused("E_SIGNATURE");
        assert!(
            value["refusal"]["message"].as_str().unwrap().contains(says),
            "{key}: {value}"
        );
        assert!(!value.to_string().contains("MC4C"), "{value}");
    }
    for (key, says) in [
        ("rsa.pub.pem", "RSA"),
        ("p384.pub.pem", "another curve than P-256"),
        ("ssh-rsa.pub", "ssh-rsa"),
        ("ssh-ecdsa.pub", "ecdsa-sha2-nistp256"),
        ("good.pem", "the public key is needed"),
        ("ssh-rsa", "the public key is needed"),
        ("empty.pem", "does not hold a key"),
        ("noise.pem", "does not hold a key"),
    ] {
        let done = bench.pack(&["verify", "pack", "--attestation-key", key]);
        assert_eq!((done.code, done.out().contains("OK")), (2, false), "{key}");
        assert!(done.stderr.contains(says), "{key}: {}", done.stderr);
    }
    // A key of small order fits signatures that nobody made.
    let der = [&b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00\x01"[..], &[0; 31]].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(der)
    );
    fs::write(bench.path("weak.pem"), pem).unwrap();
    let done = bench.pack(&["verify", "pack", "--attestation-key", "weak.pem"]);
    assert!(
        done.code == 2 && done.stderr.contains("fits signatures"),
        "{}",
        done.stderr
    );
    assert!(!bench.path("pack.attestations").exists());
}

#[test]
fn a_key_that_others_can_read_is_refused() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    for mode in [0o644, 0o640, 0o604, 0o620, 0o602] {
        fs::set_permissions(bench.path(&key), fs::Permissions::from_mode(mode)).unwrap();
        let done = bench.pack(&["attest", "pack", "--key", &key]);
        assert!(done.stderr.contains("chmod 600"), "{}", done.stderr);
        let value = done.refused("E_SIGNATURE");
        assert!(value.to_string().contains("others can read it"), "{value}");
    }
    assert!(!bench.path("pack.attestations").exists());
    bench.close(&key);
    bench.attest(&key, &[]);
    // A pipe is nobody else's: `<(age -d …)`.
    let script = format!("{} attest pack --key <(cat one.pem)", crate::common::GIT_PACK);
    let done = bench.run("bash", &["-c", &script]).ok();
    assert!(done.stderr.contains("was there already"), "{}", done.stderr);
}
