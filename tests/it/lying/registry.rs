//! Registries, honest and lying.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{World, oci, registry};
use crate::common::registry::FakeRegistry;
use crate::common::server::{Asked, Reply, Server};

const LIES: &[&str] = &["E_TRANSPORT", "E_BAD_PACK"];

/// The size from which the tests take a blob for the large member.
const LARGE: usize = 1 << 20;

fn is_blob(asked: &Asked) -> bool {
    asked.method == "GET" && asked.path.contains("/blobs/sha256:")
}

/// The honest answer, if it is about the large member.
fn large(asked: &Asked, held: &FakeRegistry) -> Option<Reply> {
    let largest = held.0.lock().unwrap().blobs.values().map(Vec::len).max()?;
    (largest >= LARGE && is_blob(asked) && asked.path.ends_with(&held.largest())).then(|| held.answer(asked))
}

#[test]
fn a_pack_goes_to_a_registry_and_comes_back() {
    let (_, server) = registry(|_, _| None);
    let world = World::new();
    world.push(&oci(&server)).ok();
    let uploads = server.count("POST");
    world.push(&oci(&server)).ok();
    assert_eq!(server.count("POST"), uploads);
    world.arrived(world.pull(&oci(&server)));
}

#[test]
fn content_that_is_not_what_it_should_be_is_refused() {
    type Lie = fn(Vec<u8>) -> Reply;
    let lies: [(&str, Lie); 5] = [
        ("wrong bytes", |mut blob| {
            blob[70_000] ^= 1;
            Reply::new(200).body(blob)
        }),
        ("a short blob", |blob| Reply::new(200).body(&blob[..blob.len() - 1])),
        ("a long blob", |blob| Reply::new(200).body([&blob[..], b"x"].concat())),
        ("an endless blob", |blob| {
            Reply::new(200).body(blob).announcing(1 << 60).endless()
        }),
        ("endless chunks", |_| {
            let reply = Reply::new(200).with("Transfer-Encoding", "chunked");
            reply.body("5\r\nhello\r\n").endless()
        }),
    ];
    for (case, lie) in lies {
        let (_, server) = registry(move |asked, held| {
            let blob = held
                .0
                .lock()
                .unwrap()
                .blobs
                .values()
                .find(|blob| blob.len() > LARGE)
                .cloned();
            (is_blob(asked) && asked.path.ends_with(&held.largest())).then(|| lie(blob.unwrap()))
        });
        let world = World::new();
        world.push(&oci(&server)).ok();
        world.refused(world.pull(&oci(&server)), LIES, case);
    }
}

#[test]
fn an_image_that_misleads_is_refused() {
    let (held, server) = registry(|_, _| None);
    let world = World::new();
    world.push(&oci(&server)).ok();
    let honest = held.0.lock().unwrap().manifests.clone();
    let title = |to: &'static str| {
        move |image: &mut Value| {
            let layers = image["layers"].as_array_mut().unwrap();
            layers.last_mut().unwrap()["annotations"]["org.opencontainers.image.title"] = to.into();
        }
    };
    type Change = Box<dyn Fn(&mut Value)>;
    let changes: Vec<(&str, Change)> = vec![
        ("a path that leads out", Box::new(title("../r.json"))),
        ("an absolute path", Box::new(title("/tmp/r.json"))),
        ("a path with NUL", Box::new(title("r\0json"))),
        ("a path of another member", Box::new(title("big.bin"))),
        ("a path of the manifest", Box::new(title("manifest.json"))),
        (
            "a member that is missing",
            Box::new(|image| drop(image["layers"].as_array_mut().unwrap().pop())),
        ),
        ("no layers", Box::new(|image| image["layers"] = serde_json::json!([]))),
        (
            "another kind",
            Box::new(|image| image["artifactType"] = "application/x".into()),
        ),
        (
            "a huge size",
            Box::new(|image| image["layers"][1]["size"] = (1u64 << 60).into()),
        ),
        (
            "a huge manifest",
            Box::new(|image| image["layers"][0]["size"] = (1u64 << 60).into()),
        ),
        (
            "a negative size",
            Box::new(|image| image["layers"][1]["size"] = (-1).into()),
        ),
        ("no digest", Box::new(|image| image["layers"][1]["digest"] = "x".into())),
        (
            "a digest that leads out",
            Box::new(|image| image["layers"][1]["digest"] = "../../x".into()),
        ),
        ("another document", Box::new(|image| *image = Value::Null)),
    ];
    for (case, change) in changes {
        held.0.lock().unwrap().manifests = honest.clone();
        held.change_images(change);
        world.refused(world.pull(&oci(&server)), LIES, case);
    }
    // The image of another pack under the tag of this one.
    held.0.lock().unwrap().manifests.clear();
    let other = World::new();
    super::write(&other.place.path().join("r.json"), "{\"version\":\"shape.v0\"}\n");
    let args = ["seal", "r.json", "--output", "test-p2"];
    other.place.pack_in(other.place.path(), &args).ok();
    super::within(other.command(&["push", "test-p2", &oci(&server)]), super::DEADLINE).ok();
    let mut manifests = honest.clone();
    let foreign = held.0.lock().unwrap().manifests.values().next().unwrap().clone();
    manifests.values_mut().for_each(|image| *image = foreign.clone());
    held.0.lock().unwrap().manifests = manifests;
    world.refused(world.pull(&oci(&server)), &["E_BAD_PACK"], "another pack");
    held.0.lock().unwrap().manifests = honest;
    world.arrived(world.pull(&oci(&server)));
}

#[test]
fn an_image_without_an_end_is_refused() {
    type Lie = fn() -> Reply;
    let lies: [(&str, Lie); 4] = [
        ("an endless image", || {
            Reply::new(200).body("[".repeat(64 << 10)).announcing(1 << 60).endless()
        }),
        ("a huge image", || Reply::new(200).body(vec![b' '; 17 << 20])),
        ("compressed", || {
            Reply::new(200)
                .with("Content-Encoding", "gzip")
                .body([0x1f, 0x8b, 8, 0])
        }),
        ("huge headers", || Reply::new(200).with("X", "x".repeat(4 << 20))),
    ];
    let refused = |(case, lie): (&str, Lie)| {
        let (_, server) = registry(move |asked, _| asked.path.contains("/manifests/").then(lie));
        let world = World::new();
        world.refused(world.pull(&oci(&server)), LIES, case);
        if case != "compressed" {
            world.refused(world.push(&oci(&server)), LIES, case);
        }
    };
    // Most of the time is spent in waits before other attempts.
    std::thread::scope(|scope| lies.into_iter().for_each(|lie| drop(scope.spawn(move || refused(lie)))));
}

#[test]
fn a_redirect_goes_only_where_it_may() {
    let world = World::new();
    let elsewhere = Server::start(|_| Reply::new(200));
    let targets = [
        "file:///etc/passwd".to_owned(),
        "http://169.254.169.254/latest/meta-data/".into(),
        "http://10.0.0.1/x".into(),
        "http://192.168.1.1/".into(),
        "ftp://127.0.0.1/".into(),
        format!("http://user:pass@127.0.0.1:{}/", elsewhere.port),
        "gopher://127.0.0.1/".into(),
        "//".into(),
    ];
    for target in targets {
        let location = target.clone();
        let (_, server) = registry(move |asked, _| is_blob(asked).then(|| Reply::new(307).with("Location", &location)));
        world.push(&oci(&server)).ok();
        world.refused(world.pull(&oci(&server)), LIES, &target);
    }
    assert_eq!(elsewhere.asked().len(), 0);
    let (_, server) = registry(|asked, _| is_blob(asked).then(|| Reply::new(302).with("Location", &asked.path)));
    world.push(&oci(&server)).ok();
    world.refused(world.pull(&oci(&server)), LIES, "a loop");
}

#[test]
fn a_download_may_break_off_now_and_then() {
    let (_, server) = registry(|asked, held| large(asked, held).map(|reply| reply.cut(64 << 10)));
    let world = World::new();
    world.push(&oci(&server)).ok();
    world.arrived(world.pull(&oci(&server)));
    assert!(server.asked().iter().filter(|asked| asked.range().is_some()).count() > 15);
}

#[test]
fn a_download_that_always_breaks_off_is_given_up() {
    let (_, server) = registry(|asked, held| large(asked, held).map(|reply| reply.cut(0)));
    let world = World::new();
    world.push(&oci(&server)).ok();
    let began = Instant::now();
    world.refused(world.pull(&oci(&server)), &["E_TRANSPORT"], "no byte comes");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
}

#[test]
fn an_upload_may_break_off_now_and_then() {
    let (_, server) = registry(|_, _| None);
    server.cut_uploads(64 << 10);
    let world = World::new();
    world.push(&oci(&server)).ok();
    assert!(server.count("PATCH") > 15);
    world.arrived(world.pull(&oci(&server)));
}

#[test]
fn an_upload_that_always_breaks_off_is_given_up() {
    let (held, server) = registry(|_, _| None);
    server.cut_uploads(0);
    let world = World::new();
    world.refused(world.push(&oci(&server)), &["E_TRANSPORT"], "no byte is taken");
    assert!(held.0.lock().unwrap().manifests.is_empty());
}

#[test]
fn a_busy_registry_is_asked_again_but_not_for_ever() {
    let (count, seen) = (AtomicUsize::new(0), Mutex::new(BTreeSet::new()));
    let (_, server) = registry(move |asked, _| {
        // The number of an upload says nothing about what is uploaded.
        let path = asked.path.split("uploads/").next().unwrap();
        let is_first = seen.lock().unwrap().insert(format!("{} {path}", asked.method));
        let status = [500, 429, 503, 502, 504][count.fetch_add(1, Ordering::Relaxed) % 5];
        is_first.then(|| Reply::new(status).with("Retry-After", "0"))
    });
    let world = World::new();
    world.push(&oci(&server)).ok();
    world.arrived(world.pull(&oci(&server)));
    let (_, server) = registry(|_, _| Some(Reply::new(503).with("Retry-After", "100000")));
    world.refused(world.push(&oci(&server)), &["E_TRANSPORT"], "a long wait");
    assert_eq!(server.asked().len(), 1);
    let (_, server) = registry(|_, _| Some(Reply::new(500)));
    world.refused(world.pull(&oci(&server)), &["E_TRANSPORT"], "always an error");
    assert!(server.asked().len() < 10);
}
