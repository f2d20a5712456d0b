//! What somebody who can write beside a pack may put there, and what a signed envelope may hold.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::{Bench, statement};
use crate::common::write;

/// Signs a payload with openssl, as another tool would.
fn signed(bench: &Bench, key: &str, payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut message = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    message.extend_from_slice(payload);
    write(&bench.path("message"), message);
    let args = [
        "pkeyutl",
        "-sign",
        "-rawin",
        "-inkey",
        key,
        "-in",
        "message",
        "-out",
        "signature",
    ];
    bench.run("openssl", &args).ok();
    let signature = STANDARD.encode(fs::read(bench.path("signature")).unwrap());
    let envelope = json!({
        "payloadType": payload_type,
        "payload": STANDARD.encode(payload),
        "signatures": [{"sig": signature}],
    });
    format!("{envelope:#}").into_bytes()
}

fn signed_statement(bench: &Bench, payload: &Value) -> Vec<u8> {
    signed(
        bench,
        "one.pem",
        "application/vnd.in-toto+json",
        payload.to_string().as_bytes(),
    )
}

/// Gain: a pack passes for attested by an attestation of something else.
#[test]
fn only_what_the_key_said_of_this_pack_counts() {
    let bench = Bench::new();
    let file = bench.attest(&bench.ed25519("one"), &["--members"]);
    let good = statement(&file);
    let bytes = fs::read(&file).unwrap();
    fs::remove_file(&file).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut changed = good.clone();
        *changed.pointer_mut(pointer).unwrap() = value;
        signed_statement(&bench, &changed)
    };
    let other = "0".repeat(64);
    let text = good.to_string();
    let twice = text.replacen('{', r#"{"subject":[],"#, 1);
    let in_toto = "application/vnd.in-toto+json";
    let mut unsigned: Value = serde_json::from_slice(&bytes).unwrap();
    unsigned["signatures"] = json!([]);
    let mut swapped: Value = serde_json::from_slice(&bytes).unwrap();
    let signature = swapped["signatures"][0]["sig"].as_str().unwrap().to_owned();
    swapped["signatures"][0]["sig"] = json!(format!("AAAA{}", &signature[4..]));
    let forgeries = [
        ("another pack", with("/subject/0/digest/sha256", json!(other))),
        ("no digest", with("/subject/0/digest", json!({}))),
        ("another digest", with("/subject/0/digest", json!({ "sha512": other }))),
        ("a member", with("/subject/1/digest/sha256", json!(other))),
        ("no subjects", with("/subject", json!([]))),
        (
            "another statement",
            with("/_type", json!("https://in-toto.io/Statement/v2")),
        ),
        ("no type", with("/predicateType", json!(""))),
        ("a duplicate key", signed(&bench, "one.pem", in_toto, twice.as_bytes())),
        (
            "another payload type",
            signed(&bench, "one.pem", "application/json", text.as_bytes()),
        ),
        ("bytes", signed(&bench, "one.pem", in_toto, &[0xff; 40])),
        ("no signatures", unsigned.to_string().into_bytes()),
        ("a wrong signature", swapped.to_string().into_bytes()),
        ("two lines", [&bytes[..], &bytes[..]].concat()),
        ("a cut line", bytes[..bytes.len() - 2].to_vec()),
        ("nothing", Vec::new()),
    ];
    for (what, forged) in forgeries {
        bench.beside(1, forged);
        let (code, codes, report) = bench.verified(&["one.pub.pem"]);
        assert_eq!(code, 1, "{what}: {report}");
        assert_eq!(
            codes,
            ["ATTESTATION_INVALID", "ATTESTATION_MISSING"],
            "{what}: {report}"
        );
        // Most are recognised without a key too.
        let (code, codes, _) = bench.verified(&[]);
        let needs_key = what == "a wrong signature";
        assert_eq!(
            (code == 0, codes.contains(&"ATTESTATION_INVALID".into())),
            (needs_key, !needs_key),
            "{what}"
        );
        bench.pack(&["inspect", "pack"]).ok();
        bench.pack(&["inspect", "pack", "--json"]).ok();
    }
    // A second attestation that is good does not cover for a forged one.
    bench.beside(2, &bytes);
    let (code, codes, _) = bench.verified(&["one.pub.pem"]);
    assert_eq!((code, codes), (1, vec!["ATTESTATION_INVALID".to_owned()]));
    bench.beside(1, signed_statement(&bench, &good));
    assert_eq!(bench.verified(&["one.pub.pem"]).0, 0);
}

/// Gain: files beside a pack that are never looked at, or that lead elsewhere.
#[test]
fn the_directory_of_attestations_holds_nothing_else() {
    let bench = Bench::new();
    let file = bench.attest(&bench.ed25519("one"), &[]);
    let directory = bench.path("pack.attestations");
    let hex = bench.id.strip_prefix("sha256:").unwrap();
    let strange = |make: &dyn Fn(&Path)| {
        let planted = directory.join(format!("{hex}.7.intoto.jsonl"));
        make(&planted);
        let (code, codes, report) = bench.verified(&["one.pub.pem"]);
        assert_eq!((code, codes), (1, vec!["ATTESTATION_INVALID".to_owned()]), "{report}");
        drop(fs::remove_file(&planted).or_else(|_| fs::remove_dir(&planted)));
    };
    strange(&|path| symlink(&file, path).unwrap());
    strange(&|path| fs::create_dir(path).unwrap());
    strange(&|path| drop(bench.run("mkfifo", &[path.to_str().unwrap()])));
    strange(&|path| fs::write(path, vec![b' '; (1 << 20) + 1]).unwrap());
    for name in [
        "key.pem".to_owned(),
        format!("{}.1.intoto.jsonl", "0".repeat(64)),
        "\u{1b}[31m".to_owned(),
    ] {
        fs::write(directory.join(&name), "x").unwrap();
        let done = bench.pack(&["verify", "pack", "--attestation-key", "one.pub.pem"]);
        assert_eq!(done.code, 1, "{name:?}");
        assert!(!done.out().contains('\u{1b}'), "{}", done.out());
        fs::remove_file(directory.join(&name)).unwrap();
    }
    assert_eq!(bench.verified(&["one.pub.pem"]).0, 0);
}

/// Gain: a report that a terminal shows as another one.
#[test]
fn what_an_attestation_says_cannot_draw_on_the_terminal() {
    let bench = Bench::new();
    let file = bench.attest(&bench.ed25519("one"), &[]);
    let mut said = statement(&file);
    said["predicateType"] = json!("urn:\u{1b}[2K\rpack verify: OK");
    let forged = signed_statement(&bench, &said);
    let mut envelope: Value = serde_json::from_slice(&forged).unwrap();
    envelope["signatures"][0]["keyid"] = json!("\u{1b}[1A\u{202e}");
    bench.beside(1, envelope.to_string());
    for args in [
        &["verify", "pack"][..],
        &["verify", "pack", "--attestation-key", "one.pub.pem"],
        &["inspect", "pack"],
    ] {
        let done = bench.pack(args).ok();
        let text = format!("{}{}", done.out(), done.stderr);
        assert!(!text.contains(['\u{1b}', '\r', '\u{202e}']), "{text:?}");
    }
}

/// Gain: a small file that costs a verifier a day.
#[test]
fn many_signatures_and_many_subjects_end_soon() {
    let bench = Bench::new();
    let file = bench.attest(&bench.ed25519("one"), &[]);
    let mut envelope: Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    let signature = envelope["signatures"][0].clone();
    envelope["signatures"] = json!(vec![signature; 4000]);
    bench.beside(2, envelope.to_string());
    let subject = json!({"digest": {"a": ""}});
    let many =
        json!({"_type": "https://in-toto.io/Statement/v1", "predicateType": "t", "subject": vec![subject; 30_000]});
    bench.beside(3, signed_statement(&bench, &many));
    bench.beside(4, "[".repeat(1 << 20));
    let started = std::time::Instant::now();
    let (code, codes, _) = bench.verified(&["one.pub.pem"]);
    assert_eq!((code, codes), (1, vec!["ATTESTATION_INVALID".to_owned(); 3]));
    assert!(started.elapsed().as_secs() < 20, "{:?}", started.elapsed());
}
