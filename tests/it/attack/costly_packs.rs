//! Small pushes with packs that are expensive to verify.

use std::fs;

use serde_json::{Value, json};

use crate::attack::forge::{Answer, Id, Kind, Pack, Server};
use crate::common::packs::sample;
use crate::common::{Place, write};

const MAIN: &str = "refs/heads/main";

const NO_HASH: &str = "sha256:0000000000000000000000000000000000000000000000000000000000000000";

/// Builds a manifest of these members, unchanged, with the right id and a final newline.
fn manifest(members: &[Value]) -> Vec<u8> {
    use gitpack::format::canonical_json::to_document;
    use gitpack::format::digest::Digest;
    let mut manifest = json!({
        "version": "pack.v0", "created": "2026-01-15T10:30:00Z", "tool_version": "0.1.0",
        "member_count": members.len(), "members": members, "pack_id": "",
    });
    let mut canonical = to_document(&manifest);
    canonical.pop();
    manifest["pack_id"] = Digest::of(&canonical).to_string().into();
    to_document(&manifest)
}

fn member(path: &str, content: &[u8], kind: &str) -> Value {
    let hash = gitpack::format::digest::Digest::of(content).to_string();
    let mut member = json!({"path": path, "bytes_hash": hash, "type": kind});
    if kind == "profile" {
        member["artifact_version"] = "1".into();
    }
    member
}

/// Adds a tree of these files. A path has at most one slash.
fn tree(pack: &mut Pack, files: &[(&str, &[u8])]) -> Id {
    let mut below: Vec<(String, Vec<(String, Id)>)> = Vec::new();
    let mut top = Vec::new();
    for (path, content) in files {
        let id = pack.blob(content);
        match path.split_once('/') {
            None => top.push((path.to_string(), "100644", id)),
            Some((directory, name)) => {
                if below.last().is_none_or(|(last, _)| last != directory) {
                    below.push((directory.into(), Vec::new()));
                }
                below.last_mut().unwrap().1.push((name.into(), id));
            }
        }
    }
    for (directory, files) in below {
        let entries: Vec<_> = files.iter().map(|(name, id)| ("100644", name.as_str(), *id)).collect();
        top.push((directory, "40000", pack.tree(&entries)));
    }
    top.sort();
    let entries: Vec<_> = top.iter().map(|(name, mode, id)| (*mode, name.as_str(), *id)).collect();
    pack.tree(&entries)
}

/// Pushes a pack of these files to a server that is configured with these bounds.
fn push(bounds: &[(&str, &str)], files: &[(&str, &[u8])]) -> Answer {
    let server = Server::new();
    for (key, value) in bounds {
        server.configure(key, value);
    }
    let mut pack = Pack::default();
    let root = tree(&mut pack, files);
    let above = pack.tree(&[("40000", "p", root)]);
    let commit = pack.commit(above, &[], "pack");
    assert!(pack.bytes().len() < 1_000_000, "{}", pack.bytes().len());
    server.push(&pack, &[(None, commit, MAIN)])
}

/// Gain: a push of 31 KB costs 2.4 GB and a minute, because the verifier compiles every rule that a pack carries.
#[test]
fn rules_of_a_pack_that_explode() {
    let set = |n: usize| {
        let globs = (0..30).map(|at| format!("*{n}_{at}{}", "*a".repeat(1900)));
        json!({"rules": [{"class": "c", "origin": "config", "policy": "never", "paths": globs.collect::<Vec<_>>()}]})
    };
    let sets: Vec<Value> = (0..100).map(set).collect();
    let rules = format!("{}\n", json!({"version": "pack.protected.v0", "rule_sets": sets}));
    let path = "meta/PROTECTED.json";
    let manifest = manifest(&[member(path, rules.as_bytes(), "other")]);
    let files = [("manifest.json", &manifest[..]), (path, rules.as_bytes())];
    push(&[], &files).blocked("PACK_INVALID");
}

/// Gain: one deep path, of a member that need not exist, costs memory that grows with the square of its depth.
#[test]
fn one_deep_member_drawn_as_a_tree() {
    let deep = json!({"path": "a/".repeat(60_000) + "x", "bytes_hash": NO_HASH, "type": "other"});
    let path = "meta/FILE_TREE.txt";
    let manifest = manifest(&[deep, member(path, b"./\n", "other")]);
    push(&[], &[("manifest.json", &manifest), (path, b"./\n")]).blocked("PACK_INVALID");
}

/// Gain: a push of 20 KB costs 1.5 GB, because a parser keeps each of five million levels of a profile.
#[test]
fn profiles_that_nest_without_end() {
    let profile = format!("schema_version: 1\nprofile_id: x\n{}", "? ".repeat(5_000_000)).into_bytes();
    let members = ["a.yaml", "b.yaml"].map(|path| member(path, &profile, "profile"));
    let manifest = manifest(&members);
    let files = [
        ("a.yaml", &profile[..]),
        ("b.yaml", &profile),
        ("manifest.json", &manifest),
    ];
    push(&[], &files).blocked("PACK_INVALID");
}

/// Gain: a push takes unlimited time or memory in a way that no counter measures. So the process limits itself, and
/// ends when it reaches a limit.
#[test]
fn what_takes_too_long_or_too_much_is_ended() {
    let keys: Vec<String> = (0..4000).map(|n| format!("\"{n:x}\":0")).collect();
    let member = format!(
        r#"{{"path":"a","bytes_hash":"{NO_HASH}","type":"other","x":{{{}}}}}"#,
        keys.join(",")
    );
    let slow = format!(
        r#"{{"version":"pack.v0","pack_id":"{NO_HASH}","created":"2026-01-15T10:30:00Z","tool_version":"0.1.0","member_count":1,"members":[{}]}}"#,
        vec![member; 1500].join(",")
    );
    let large = format!(
        r#"{{"version":"pack.v0","pack_id":"{NO_HASH}","created":"2026-01-15T10:30:00Z","tool_version":"0.1.0","note":"{}","member_count":0,"members":[]}}"#,
        "\\u0001".repeat(3_000_000)
    );
    for (key, value, document, words) in [
        ("gitpack.maxSeconds", "0", &slow, "0 seconds of processor time"),
        ("gitpack.maxMemory", "30m", &large, "31457280 bytes of memory"),
    ] {
        let answer = push(&[(key, value)], &[("manifest.json", document.as_bytes())]);
        answer.refused(words);
        let said = &answer.done.stderr;
        assert!(said.contains("could not be checked, so git stops here"), "{said}");
        assert!(said.contains(&format!("git config {key}")), "{said}");
    }
}

/// Gain: a push of 27 KB costs minutes, because the decoder builds its tables for each of a million empty streams.
#[test]
fn empty_streams_of_bzip2() {
    let place = Place::new();
    let empty = place
        .run(place.path(), "sh", &["-c", "bzip2 -c </dev/null"])
        .ok()
        .stdout;
    let server = Server::new();
    let mut pack = Pack::default();
    let blob = pack.add(Kind::Blob, &empty.repeat(1_000_000));
    let tree = pack.tree(&[("100644", "x", blob)]);
    let commit = pack.commit(tree, &[], "streams");
    let answer = server.push(&pack, &[(None, commit, MAIN)]);
    answer.passed();
    let said = &answer.done.stderr;
    assert!(said.contains("EXAMINED_IN_PART"), "{said}");
}

/// Gain: a key goes public in a zip member whose local header says that it is empty; other readers use the central
/// directory, which has the real size.
#[test]
fn a_member_whose_header_says_that_it_is_empty() {
    let place = Place::new();
    let script = "import zipfile, io
out = io.BytesIO()
with zipfile.ZipFile(out, 'w', zipfile.ZIP_DEFLATED) as z: z.writestr('k', open('key').read())
made = bytearray(out.getvalue())
made[18:26] = bytes(8)
assert zipfile.ZipFile(io.BytesIO(bytes(made))).read('k')
open('made.zip', 'wb').write(made)
";
    let key = sample("private-key/openssh_ed25519");
    write(&place.path().join("key"), key);
    place.run(place.path(), "python3", &["-c", script]).ok();
    let server = Server::new();
    let mut pack = Pack::default();
    let blob = pack.blob(&fs::read(place.path().join("made.zip")).unwrap());
    let tree = pack.tree(&[("100644", "x.zip", blob)]);
    let commit = pack.commit(tree, &[], "zip");
    server.push(&pack, &[(None, commit, MAIN)]).blocked("in a zip member k");
}
