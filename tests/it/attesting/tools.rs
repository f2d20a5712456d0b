//! Other tools check our attestations, and we check theirs: securesystemslib, in-toto-attestation, and a dozen lines of Python.

use std::fs;

use serde_json::Value;

use super::Bench;
use crate::common::write;

/// Checks each envelope with securesystemslib and its statement with in-toto-attestation.
const CHECK: &str = r#"
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from google.protobuf.json_format import ParseDict
from in_toto_attestation.predicates.provenance.v1.provenance_pb2 import Provenance
from in_toto_attestation.predicates.vsa.v1.vsa_pb2 import VerificationSummary
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementProto
from securesystemslib.dsse import Envelope
from securesystemslib.signer import SSlibKey

attestation, public = sys.argv[1:]
read = json.load(open(attestation))
keyid = read["signatures"][0]["keyid"]
envelope = Envelope.from_dict(read)
key = SSlibKey.from_crypto(load_pem_public_key(open(public, "rb").read()), keyid)
assert list(envelope.verify([key], 1)) == [keyid]
assert envelope.payload_type == "application/vnd.in-toto+json"
said = json.loads(envelope.payload)
Statement.copy_from_pb(ParseDict(said, StatementProto())).validate()
predicate = said["predicate"]
if said["predicateType"] == "https://slsa.dev/provenance/v1":
    ParseDict(predicate, Provenance())
else:
    # These bindings are older than the versions of tools, which came with SLSA 1.1, and they have one level for a list.
    assert predicate["verifier"].pop("version").keys() == {"git-pack"}
    [predicate["verifiedLevels"]] = predicate["verifiedLevels"]
    summary = ParseDict(predicate, VerificationSummary())
    assert summary.verification_result == "PASSED" and summary.verifier.id and summary.policy.uri
    assert summary.resource_uri and summary.verified_levels and summary.slsa_version == "1.1"
print(said["predicateType"])
"#;

/// Makes an envelope with securesystemslib, with its own ids of keys and its own spelling.
const MAKE: &str = r#"
import json, sys
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from google.protobuf.json_format import MessageToJson
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

pack_id, output = sys.argv[1:3]
subject = ResourceDescriptor(name="the pack", digest={"sha256": pack_id.removeprefix("sha256:")})
statement = Statement([subject.pb], "https://example.org/review/v1", {"by": "a reviewer", "score": 7})
statement.validate()
envelope = Envelope(MessageToJson(statement.pb).encode(), "application/vnd.in-toto+json", {})
for key in sys.argv[3:]:
    envelope.sign(CryptoSigner(load_pem_private_key(open(key, "rb").read(), None)))
json.dump(envelope.to_dict(), open(output, "w"), indent=1)
"#;

/// The Python of the virtual environment with the tools.
fn python() -> String {
    let tools = std::env::var("GITPACK_SHARING").expect("GITPACK_SHARING names the tools: tests/run installs them");
    format!("{tools}/bin/python3")
}

#[test]
fn securesystemslib_and_in_toto_accept_ours() {
    let bench = Bench::new();
    write(&bench.path("check.py"), CHECK);
    let provenance = r#"{"buildDefinition":{"buildType":"https://ci.example/t","externalParameters":{"a":1}},
        "runDetails":{"builder":{"id":"https://ci.example/1"}}}"#;
    write(&bench.path("provenance.json"), provenance);
    for (key, public) in [
        (bench.ed25519("one"), "one.pub.pem"),
        (bench.p256("two"), "two.pub.pem"),
    ] {
        for more in [
            &["--members"][..],
            &["--created", "2026-01-15T10:30:00Z"],
            &["--predicate", "provenance.json"],
        ] {
            let file = bench.attest(&key, more);
            let args = ["check.py", file.to_str().unwrap(), public];
            let out = bench.run(&python(), &args).ok().out();
            assert!(out.starts_with("https://slsa.dev/"), "{out}");
            // The check can fail.
            let text = fs::read_to_string(&file).unwrap();
            write(&bench.path("changed"), text.replacen("eyJ", "eyK", 1));
            assert_ne!(bench.run(&python(), &["check.py", "changed", public]).code, 0);
        }
    }
}

#[test]
fn we_accept_theirs() {
    let bench = Bench::new();
    bench.ed25519("one");
    bench.p256("two");
    bench.ed25519("three");
    write(&bench.path("make.py"), MAKE);
    let make = |id: &str, keys: &[&str]| {
        let args = [&["make.py", id, "made.json"], keys].concat();
        bench.run(&python(), &args).ok();
        bench.beside(1, fs::read(bench.path("made.json")).unwrap());
    };
    make(&bench.id, &["one.pem", "two.pem"]);
    let (code, codes, report) = bench.verified(&["one.pub.pem", "two.pub.pem"]);
    assert_eq!((code, codes.len()), (0, 0), "{report}");
    assert_eq!(
        report["attestations"][0]["predicate_type"],
        "https://example.org/review/v1"
    );
    assert_eq!(bench.verified(&["three.pub.pem"]).0, 1);
    let out = bench.pack(&["inspect", "pack"]).ok().out();
    assert!(
        out.contains("https://example.org/review/v1") && out.contains("1 subject"),
        "{out}"
    );
    make(&format!("sha256:{}", "0".repeat(64)), &["one.pem"]);
    let (code, codes, report) = bench.verified(&["one.pub.pem"]);
    assert_eq!((code, &*codes[0]), (1, "ATTESTATION_INVALID"), "{report}");
}

#[test]
fn the_python_of_the_documentation_checks_an_attestation() {
    let bench = Bench::new();
    let text = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/signing.md")).unwrap();
    let block = text
        .split("\n```python\n")
        .nth(1)
        .unwrap()
        .split("\n```\n")
        .next()
        .unwrap();
    write(&bench.path("check.py"), block);
    for (key, public) in [
        (bench.ed25519("one"), "one.pub.pem"),
        (bench.p256("two"), "two.pub.pem"),
    ] {
        let file = bench.attest(&key, &[]);
        let check = |file: &str, public: &str, id: &str| bench.run(&python(), &["check.py", file, public, id]);
        let (file, id) = (file.to_str().unwrap(), bench.id.as_str());
        let done = check(file, public, id).ok();
        assert_eq!(done.out(), "https://slsa.dev/verification_summary/v1 PASSED\n");
        let text = fs::read_to_string(file).unwrap();
        let mut other: Value = serde_json::from_str(&text).unwrap();
        other["payloadType"] = "text/plain".into();
        write(&bench.path("other"), other.to_string());
        write(&bench.path("changed"), text.replacen("eyJ", "eyK", 1));
        for (file, public, id) in [
            ("changed", public, id),
            ("other", public, id),
            (file, "three.pub.pem", id),
            (file, public, &format!("sha256:{}", "0".repeat(64))),
        ] {
            bench.ed25519("three");
            let done = check(file, public, id);
            assert!(
                done.code == 1 && done.out().is_empty(),
                "{file} {public} {id}: {}",
                done.stderr
            );
        }
    }
}
