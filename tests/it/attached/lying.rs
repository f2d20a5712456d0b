//! Registries that list referrers, honest and lying, and what a kill leaves.

use std::fs;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gitpack::format::digest::Digest;
use serde_json::{Value, json};

use super::{Signed, contents, names};
use crate::common::GIT_PACK;
use crate::common::packs::copy_tree;
use crate::common::registry::FakeRegistry;
use crate::common::server::{Asked, Reply, Server};

/// A registry that lists referrers, and answers as `lie` says where that says something.
fn registry(
    lie: impl Fn(&Asked, &FakeRegistry) -> Option<Reply> + Send + Sync + 'static,
) -> (Arc<FakeRegistry>, Server, String) {
    let held = Arc::new(FakeRegistry::default());
    held.0.lock().unwrap().lists_referrers = true;
    let own = Arc::clone(&held);
    let server = Server::start(move |asked| lie(asked, &own).unwrap_or_else(|| own.answer(asked)));
    let at = format!("oci://127.0.0.1:{}/r", server.port);
    (held, server, at)
}

fn is_list(asked: &Asked) -> bool {
    asked.path.contains("/referrers/")
}

/// Returns a list of referrers with these descriptors.
fn index(manifests: &[Value]) -> Reply {
    let index = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": manifests,
    });
    Reply::new(200).body(index.to_string())
}

fn descriptor(digest: &str) -> Value {
    json!({
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "digest": digest,
        "size": 100,
        "artifactType": "application/vnd.gitpack.signature.v0+sshsig",
    })
}

#[test]
fn a_registry_that_lists_referrers_needs_no_tag() {
    let (held, server, at) = registry(|_, _| None);
    let signed = Signed::with_three();
    signed.run(&["push", "pack", &at]).ok();
    signed.three_come_from(&at, "back");
    assert_eq!(signed.listed(&at), (2.into(), 1.into()));
    let tags: Vec<String> = held.0.lock().unwrap().manifests.keys().cloned().collect();
    assert!(tags.iter().all(|tag| !tag.starts_with("sha256-")), "{tags:?}");
    let puts = server.count("PUT");
    let done = signed.run(&["push", "pack", &at]).ok();
    assert!(done.stderr.contains("3 files attached, 0 sent"), "{}", done.stderr);
    assert_eq!(server.count("PUT"), puts);
}

/// Two clients change the index at the tag. One of them reads it before the other one has written it.
#[test]
fn a_signer_who_reads_an_old_index_undoes_nothing() {
    let (held, _server, at) = registry(|_, _| None);
    held.0.lock().unwrap().lists_referrers = false;
    let signed = Signed::new();
    signed.attach("pack", ".sig", "one");
    signed.run(&["push", "pack", &at]).ok();
    let own = Arc::clone(&held);
    let old_answers = AtomicUsize::new(2);
    let behind = Server::start(move |asked| {
        let is_index = asked.method == "GET" && asked.path.contains("/manifests/sha256-") && !asked.path.contains('.');
        let is_old = |left: usize| left.checked_sub(1);
        match is_index
            && old_answers
                .fetch_update(Ordering::SeqCst, Ordering::SeqCst, is_old)
                .is_ok()
        {
            true => Reply::new(404),
            false => own.answer(asked),
        }
    });
    copy_tree(&signed.path("pack"), &signed.path("other"));
    signed.attach("other", ".sig", "two");
    signed
        .run(&["push", "other", &format!("oci://127.0.0.1:{}/r", behind.port)])
        .ok();
    assert_eq!(signed.pulled(&at, "back").len(), 2);
}

#[test]
fn artifacts_that_mislead_are_named_and_not_taken() {
    let (held, _server, at) = registry(|_, _| None);
    let signed = Signed::with_three();
    signed.run(&["push", "pack", &at]).ok();
    let honest = held.0.lock().unwrap().manifests.clone();
    let artifact = honest.iter().find(|(_, (_, bytes))| {
        let image: Value = serde_json::from_slice(bytes).unwrap();
        image["artifactType"] == "application/vnd.gitpack.signature.v0+sshsig"
    });
    let (digest, (kind, bytes)) = artifact.unwrap();
    type Change = fn(&mut Value);
    // An image that is stored under its own digest, so that only what it says is wrong.
    let changes: [(&str, Change); 4] = [
        ("a content of another size", |image| {
            image["layers"][0]["size"] = json!(1)
        }),
        ("a content that is too large", |image| {
            image["layers"][0]["size"] = json!(2 << 20)
        }),
        ("a content that is not there", |image| {
            image["layers"][0]["digest"] = json!(Digest::of(b"nothing").to_string());
        }),
        ("two layers", |image| {
            let layer = image["layers"][0].clone();
            image["layers"].as_array_mut().unwrap().push(layer);
        }),
    ];
    for (case, change) in changes {
        let mut image: Value = serde_json::from_slice(bytes).unwrap();
        change(&mut image);
        let changed = image.to_string().into_bytes();
        let mut manifests = honest.clone();
        manifests.remove(digest);
        manifests.insert(Digest::of(&changed).to_string(), (kind.clone(), changed));
        held.0.lock().unwrap().manifests = manifests;
        let done = signed.run(&["pull", &signed.id, "--from", &at, "-o", "back"]).ok();
        assert_eq!(
            done.stderr.matches("not fetched: ").count(),
            1,
            "{case}: {}",
            done.stderr
        );
        assert_eq!(signed.beside("back").len(), 2, "{case}");
        fs::remove_dir_all(signed.path("back")).unwrap();
        fs::remove_dir_all(signed.path("back.attestations")).unwrap();
    }
}

/// Gain: a list that sends a reader for documents that are not there, or that belong to another pack.
#[test]
fn a_list_that_lies_is_not_believed() {
    let other = Signed::new();
    let signed = Signed::with_three();
    type Lie = fn(&Asked, &FakeRegistry) -> Reply;
    let lies: [(&str, Lie, usize); 5] = [
        (
            "a digest that is not there",
            |_, _| index(&[descriptor(&format!("sha256:{}", "ab".repeat(32)))]),
            1,
        ),
        (
            "the pack itself",
            |asked, _| index(&[descriptor(asked.path.rsplit('/').next().unwrap())]),
            1,
        ),
        (
            "foreign artifacts",
            |asked, _| {
                let mut foreign = descriptor(asked.path.rsplit('/').next().unwrap());
                foreign["artifactType"] = json!("application/spdx+json");
                index(&[foreign])
            },
            0,
        ),
        (
            "very many",
            |_, _| {
                let many: Vec<Value> = (0..2000)
                    .map(|n| descriptor(&Digest::of(format!("{n}").as_bytes()).to_string()))
                    .collect();
                index(&many)
            },
            257,
        ),
        (
            "an endless list",
            |asked, _| index(&[]).with("Link", format!("<{}>; rel=\"next\"", asked.path)),
            1,
        ),
    ];
    for (case, lie, strange) in lies {
        let (_held, server, at) = registry(move |asked, held| is_list(asked).then(|| lie(asked, held)));
        // The push asks for the list as well, and is not stopped by it.
        signed.run(&["push", "pack", &at]).ok();
        let before = server.asked().len();
        let done = signed.run(&["pull", &signed.id, "--from", &at, "-o", "back"]).ok();
        assert_eq!(
            done.stderr.matches("not fetched: ").count(),
            strange,
            "{case}: {}",
            done.stderr
        );
        assert!(server.asked().len() - before < 400, "{case}");
        assert!(names(&signed.path("back.attestations")).is_empty(), "{case}");
        fs::remove_dir_all(signed.path("back")).unwrap();
    }
    // A signature of another pack, under the subject of this one.
    let (held, _server, at) = registry(|_, _| None);
    other.attach("pack", ".sig", "of another pack");
    fs::write(other.path("a.txt"), "other").unwrap();
    other.run(&["seal", "a.txt", "-o", "second"]).ok();
    other.run(&["sign", "second", "--key", "keys/of-another-pack"]).ok();
    other.run(&["push", "second", &at]).ok();
    let digest = held
        .0
        .lock()
        .unwrap()
        .manifests
        .keys()
        .find(|key| key.contains(':'))
        .unwrap()
        .clone();
    let own = Arc::clone(&held);
    let lying = Server::start(move |asked| match is_list(asked) {
        true => index(&[descriptor(&digest)]),
        false => own.answer(asked),
    });
    let at = format!("oci://127.0.0.1:{}/r", lying.port);
    signed.run(&["push", "pack", &at]).ok();
    let done = signed.run(&["pull", &signed.id, "--from", &at, "-o", "back"]).ok();
    assert!(done.stderr.contains("attached to something else"), "{}", done.stderr);
    assert!(!signed.path("back.attestations").exists());
}

#[test]
fn a_list_that_cannot_be_read_is_a_refusal_and_leaves_nothing() {
    let signed = Signed::with_three();
    type Lie = Box<dyn Fn() -> Reply + Send + Sync>;
    let lies: Vec<(&str, Lie)> = vec![
        ("a refusal", Box::new(|| Reply::new(403))),
        ("not JSON", Box::new(|| Reply::new(200).body("<html>"))),
        (
            "too long",
            Box::new(|| Reply::new(200).body("x").announcing(1 << 40).endless()),
        ),
        (
            "a metadata address",
            Box::new(|| Reply::new(302).with("Location", "http://169.254.169.254/latest")),
        ),
        (
            "a file",
            Box::new(|| Reply::new(302).with("Location", "file:///etc/passwd")),
        ),
    ];
    let (held, _server, at) = registry(|_, _| None);
    signed.run(&["push", "pack", &at]).ok();
    for (case, lie) in lies {
        let own = Arc::clone(&held);
        let server = Server::start(move |asked| match is_list(asked) {
            true => lie(),
            false => own.answer(asked),
        });
        let at = format!("oci://127.0.0.1:{}/r", server.port);
        let before = names(signed.place.path());
        let done = signed.run(&["pull", &signed.id, "--from", &at, "-o", "back"]);
        assert_eq!(done.code, 2, "{case}: {}", done.stderr);
        assert_eq!(names(signed.place.path()), before, "{case}");
    }
}

#[test]
fn a_push_that_ends_between_the_pack_and_its_files_is_finished_by_the_next() {
    let (held, server, at) = registry(|_, _| None);
    let own = Arc::clone(&held);
    // The pack goes through its tag, attached files by their digests.
    let cutting =
        Server::start(
            move |asked| match asked.method == "PUT" && asked.path.contains("/manifests/sha256:") {
                true => Reply::new(403),
                false => own.answer(asked),
            },
        );
    let signed = Signed::with_three();
    let done = signed.run(&["push", "pack", &format!("oci://127.0.0.1:{}/r", cutting.port)]);
    assert_eq!(done.code, 2, "{}", done.stderr);
    assert!(signed.pulled(&at, "without").is_empty());
    let done = signed.run(&["push", "pack", &at]).ok();
    assert!(done.stderr.contains("everything was there already"), "{}", done.stderr);
    signed.three_come_from(&at, "with");
    drop(server);
}

#[test]
fn a_killed_pull_shows_a_pack_only_with_its_attached_files() {
    let signed = Signed::with_three();
    let (_held, _server, at) = registry(|_, _| {
        std::thread::sleep(Duration::from_millis(8));
        None
    });
    signed.run(&["push", "pack", &at]).ok();
    let kills: u64 = std::env::var("GITPACK_KILLS")
        .ok()
        .and_then(|text| text.parse().ok())
        .unwrap_or(10);
    for n in 0..kills {
        let mut pull = signed.place.command(GIT_PACK, signed.place.path());
        pull.args(["pull", &signed.id, "--from", &at, "-o", "back"]);
        let mut child = pull.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(60 + n * 37 % 250));
        drop(child.kill());
        child.wait().unwrap();
        if !signed.path("back").exists() {
            signed.run(&["pull", &signed.id, "--from", &at, "-o", "back"]).ok();
        }
        assert_eq!(contents(&signed.beside("back")), contents(&signed.beside("pack")));
        fs::remove_dir_all(signed.path("back")).unwrap();
        fs::remove_dir_all(signed.path("back.attestations")).unwrap();
    }
}
