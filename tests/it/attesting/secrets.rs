//! A private key stands nowhere but in its file.

use std::fs;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::Bench;
use crate::common::{Done, GIT_PACK, snapshot};

/// The forms in which a key could show: each line of its file, the bytes, and those in hex and in base64.
fn forms(pem: &str) -> Vec<Vec<u8>> {
    let lines: Vec<&str> = pem.lines().filter(|line| !line.starts_with("-----")).collect();
    let bytes = STANDARD.decode(lines.concat()).unwrap();
    // The last bytes of PKCS#8 of Ed25519 are the seed, and nothing in the file is as long in the others.
    let secret = bytes[bytes.len() - 32..].to_vec();
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![hex.to_uppercase().into_bytes(), hex.into_bytes()];
    forms.push(STANDARD.encode(&secret).as_bytes()[..40].to_vec());
    forms.extend(lines.iter().map(|line| line.as_bytes().to_vec()));
    forms.push(secret);
    forms
}

#[test]
fn a_private_key_stands_in_no_output_ledger_or_temporary_file() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    let pem = fs::read_to_string(bench.path(&key)).unwrap();
    let forms = forms(&pem);
    // Damaged in several ways, so that parsers complain.
    bench.private("short.pem", pem.replacen("MC4CAQAw", "MC4CAQ", 1));
    bench.private("oid.pem", pem.replacen("MC4CAQAwBQYDK2Vw", "MC4CAQAwBQYDK2Vx", 1));
    bench.private("label.pem", pem.replace("PRIVATE KEY", "EC PRIVATE KEY"));
    bench.private("ssh.pem", pem.replace("PRIVATE KEY", "OPENSSH PRIVATE KEY"));
    bench.private("public.pem", pem.replace("PRIVATE KEY", "PUBLIC KEY"));
    let temporary = bench.path("tmp");
    fs::create_dir(&temporary).unwrap();
    let mut seen: Vec<Vec<u8>> = Vec::new();
    for args in [
        &["attest", "pack", "--key", "one.pem", "--members"][..],
        &["attest", "pack", "--key", "short.pem"],
        &["attest", "pack", "--key", "oid.pem"],
        &["attest", "pack", "--key", "label.pem"],
        &["attest", "pack", "--key", "ssh.pem"],
        &["attest", "pack", "--key", "public.pem"],
        &["attest", "pack.attestations", "--key", "one.pem"],
        &["attest", "pack", "--key", "one.pem", "--predicate", "one.pem"],
        &["verify", "pack", "--attestation-key", "one.pem"],
        &["verify", "pack", "--json", "--attestation-key", "public.pem"],
        &["verify", "pack", "--attestation-key", "one.pub.pem"],
        &["inspect", "pack", "--json"],
    ] {
        let mut command = bench.place.command(GIT_PACK, bench.place.path());
        let output = command.args(args).env("TMPDIR", &temporary).output().unwrap();
        let done = Done::from(output);
        assert!(!done.stderr.contains("panicked"), "{args:?}: {}", done.stderr);
        seen.push(done.stdout);
        seen.push(done.stderr.into_bytes());
    }
    let ledger = fs::read(bench.place.home().join(".epistemic/witness.jsonl")).unwrap();
    assert!(ledger.windows(8).any(|part| part == b"\"attest\""));
    seen.push(ledger);
    for directory in ["tmp", "pack", "pack.attestations", "home"] {
        seen.extend(snapshot(&bench.path(directory)).into_iter().map(|(_, _, bytes)| bytes));
    }
    for bytes in seen {
        for form in &forms {
            let text = String::from_utf8_lossy(&bytes);
            assert!(!bytes.windows(form.len()).any(|part| part == form), "{text}");
        }
    }
}

#[test]
fn a_private_key_is_not_attested() {
    let bench = Bench::new();
    let key = bench.ed25519("one");
    let pem = fs::read_to_string(bench.path(&key)).unwrap();
    fs::write(
        bench.path("told.json"),
        serde_json::to_vec(&serde_json::json!({ "builder": pem })).unwrap(),
    )
    .unwrap();
    fs::write(bench.path("fine.json"), "{\"builder\":\"me\"}").unwrap();
    let secret = format!("urn:AGE-SECRET-KEY-1{}", "Q".repeat(58));
    for (kind, file, flag) in [
        ("urn:x", "told.json", "--predicate: "),
        (&secret, "fine.json", "--type: "),
    ] {
        let args = ["attest", "pack", "--key", &key, "--type", kind, "--predicate", file];
        let value = bench.pack(&args).refused("E_PLAINTEXT_LEAK");
        let message = value["refusal"]["message"].as_str().unwrap();
        assert!(message.starts_with(flag), "{message}");
        assert!(!value.to_string().contains("QQQQ"), "{value}");
    }
    assert!(!bench.path("pack.attestations").exists());
    bench.attest(&key, &["--type", "urn:x", "--predicate", "fine.json"]);
}
