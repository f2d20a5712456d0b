//! Data fabrics, honest and lying.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::{DEADLINE, World, fabric, within};
use crate::common::server::{Reply, Server};

const LIES: &[&str] = &["E_TRANSPORT", "E_BAD_PACK"];

#[test]
fn a_pack_goes_to_a_data_fabric_and_comes_back() {
    let (held, server) = fabric(|_, _| None);
    let world = World::new();
    let base = format!("{}/base", server.url());
    let with = |args: &[&str]| {
        let mut command = world.command(args);
        command.env("PACK_DATA_FABRIC_BASE_URL", &base);
        within(command, DEADLINE)
    };
    let done = with(&["push", "p"]).ok();
    assert_eq!(done.out(), format!("PUBLISHED {}\n", world.id));
    let path = format!("/base/packs/{}", world.id);
    let document: Value = serde_json::from_slice(&held.0.lock().unwrap()[&path]).unwrap();
    let keys: Vec<&String> = document.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["manifest", "members", "pack_id"]);
    assert_eq!(document["pack_id"], world.id.as_str());
    assert_eq!(document["manifest"]["pack_id"], world.id.as_str());
    assert_eq!(document["members"][1]["path"], "r.json");
    assert_eq!(document["members"][1]["bytes_b64"], "eyJ2ZXJzaW9uIjoicnZsLnYwIn0K");
    assert!(
        document["members"][1]["bytes_hash"]
            .as_str()
            .unwrap()
            .starts_with("sha256:")
    );
    with(&["push", "p"]).ok();
    assert_eq!(server.count("PUT"), 1);
    world.arrived(with(&["pull", &world.id, "--out", "q"]));
    with(&["verify", &format!("{base}#{}", world.id)]).ok();
    // The document does not tell sizes.
    let shown = with(&["inspect", &format!("{base}#{}", world.id)]).ok().out();
    assert!(shown.contains("size unknown") && !shown.contains("missing"), "{shown}");
    // Another server may write the same document in another way.
    held.change(|text| serde_json::to_string_pretty(&serde_json::from_str::<Value>(&text).unwrap()).unwrap());
    world.arrived(with(&["pull", &world.id, "--out", "q"]));
    let ledger = super::read(&world.place.home().join(".epistemic/witness.jsonl"));
    for outcome in ["\"PUBLISHED\"", "\"FETCHED\""] {
        assert!(ledger.contains(outcome), "{ledger}");
    }
}

/// Gain: a pack counts as published where nothing was stored.
#[test]
fn a_server_that_says_yes_to_everything_does_not_have_the_pack() {
    for page in ["", "<html>log in</html>", "{}"] {
        let server = Server::start(move |_| Reply::new(200).body(page));
        let world = World::new();
        let done = world.push(&server.url());
        assert!(!done.out().contains("PUBLISHED"), "{}", done.out());
        done.refused("E_BAD_PACK");
        assert_eq!(server.count("PUT"), 1);
    }
}

#[test]
fn one_part_of_a_pack_is_fetched_in_one_request() {
    let (_, server) = fabric(|_, _| None);
    let world = World::new();
    world.push(&server.url()).ok();
    let gets = server.count("GET");
    let args = [
        "pull",
        &world.id,
        "--from",
        &server.url(),
        "-o",
        "test-q",
        "--only",
        "*.json",
    ];
    within(world.command(&args), DEADLINE).ok();
    assert!(!world.place.path().join("test-q/big.bin").exists());
    assert_eq!(server.count("GET"), gets + 1);
}

#[test]
fn without_a_place_push_and_pull_are_refused() {
    let world = World::new();
    let id = world.id.clone();
    for args in [&["push", "p"][..], &["pull", &id, "--out", "q"]] {
        let value = within(world.command(args), DEADLINE).refused("E_IO");
        assert_eq!(value["version"], "pack.v0");
        assert!(value["refusal"]["next_command"].is_null(), "{value}");
        let done = within(world.command(args), DEADLINE);
        assert!(done.stderr.contains("PACK_DATA_FABRIC_BASE_URL"), "{}", done.stderr);
        world.nothing_left();
    }
    let operator = world.command(&["--describe"]).output().unwrap();
    let operator: Value = serde_json::from_slice(&operator.stdout).unwrap();
    for (name, outcome) in [("push", "PUBLISHED"), ("pull", "FETCHED")] {
        let text = operator.to_string();
        assert!(
            text.contains(&format!("\"{name}\"")) && text.contains(outcome),
            "{text}"
        );
    }
}

#[test]
fn a_fabric_that_lies_is_refused() {
    let (held, server) = fabric(|_, _| None);
    let world = World::new();
    world.push(&server.url()).ok();
    let honest = held.0.lock().unwrap().clone();
    let other = World::new();
    super::write(&other.place.path().join("r.json"), "{\"version\":\"shape.v0\"}\n");
    let args = ["seal", "r.json", "--output", "test-p2"];
    other.place.pack_in(other.place.path(), &args).ok();
    within(other.command(&["push", "test-p2", &server.url()]), DEADLINE).ok();
    let all = held.0.lock().unwrap().clone();
    let foreign = all.iter().find(|(key, _)| !honest.contains_key(*key)).unwrap();
    let foreign = String::from_utf8(foreign.1.clone()).unwrap();
    let id = world.id.clone();
    type Lie<'a> = Box<dyn Fn(String) -> String + 'a>;
    let swap = |from: &'static str, to: &'static str| -> Lie<'static> { Box::new(move |text| text.replace(from, to)) };
    let lies: Vec<(&str, Lie<'_>)> = vec![
        (
            "wrong bytes",
            swap("eyJ2ZXJzaW9uIjoicnZsLnYwIn0K", "eyJ2ZXJzaW9uIjoicnZsLnYxIn0K"),
        ),
        ("fewer bytes", swap("eyJ2ZXJzaW9uIjoicnZsLnYwIn0K", "eyJ2")),
        ("not base64", swap("eyJ2ZXJzaW9uIjoicnZsLnYwIn0K", "%%%%")),
        ("another pack", Box::new(|_| foreign.clone())),
        (
            "another id",
            Box::new(|text| text.replacen(&id[10..], &"0".repeat(id.len() - 10), 1)),
        ),
        ("a path that leads out", swap("\"r.json\"", "\"../r.json\"")),
        ("an absolute path", swap("\"r.json\"", "\"/r.json\"")),
        ("a path with NUL", swap("\"r.json\"", "\"r\\u0000json\"")),
        (
            "one member twice",
            Box::new(|text| {
                let last = text.rfind("{\"path\"").unwrap();
                let member = text[last..].strip_suffix("]}\n").unwrap().to_owned();
                text.replace("]}\n", &format!(",{member}]}}\n"))
            }),
        ),
        (
            "a member too many",
            swap(
                "\"}]}\n",
                "\"},{\"path\":\"x\",\"bytes_hash\":\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\",\"bytes_b64\":\"\"}]}\n",
            ),
        ),
        (
            "a member too few",
            Box::new(|text| format!("{}]}}", &text[..text.rfind(",{\"path\"").unwrap()])),
        ),
        ("an end too early", Box::new(|text| text[..text.len() - 40].to_owned())),
        ("something behind it", Box::new(|text| text + "{}")),
        ("a page", Box::new(|_| "<html>".to_owned())),
        ("nothing", Box::new(|_| String::new())),
        ("a deep array", Box::new(|_| "[".repeat(100_000))),
    ];
    for (case, lie) in lies {
        *held.0.lock().unwrap() = honest.clone();
        held.change(&lie);
        let done = world.pull(&server.url());
        world.refused(done, LIES, case);
    }
    *held.0.lock().unwrap() = honest;
    world.arrived(world.pull(&server.url()));
}

#[test]
fn an_answer_without_an_end_is_refused() {
    let world = World::new();
    type Lie = fn() -> Reply;
    let lies: [(&str, Lie); 7] = [
        ("an endless body", || {
            Reply::new(200).body(" ").announcing(1 << 60).endless()
        }),
        ("an endless key", || {
            Reply::new(200).body("{\"aaaaaaa").announcing(1 << 60).endless()
        }),
        ("endless chunks", || {
            Reply::new(200)
                .with("Transfer-Encoding", "chunked")
                .body("5\r\nhello\r\n")
                .endless()
        }),
        ("no size", || {
            Reply::new(200).with("Transfer-Encoding", "chunked").body("0\r\n\r\n")
        }),
        ("compressed", || {
            Reply::new(200).with("Content-Encoding", "gzip").body("x")
        }),
        ("huge headers", || {
            Reply::new(200).with("X", "x".repeat(4 << 20)).body("{}")
        }),
        ("more than announced", || {
            Reply::new(200)
                .body("{\"pack_id\":\"x\"}")
                .really("{\"pack_id\":\"x\"}more")
        }),
    ];
    for (case, lie) in lies {
        let (_, server) = fabric(move |_, _| Some(lie()));
        let done = world.pull(&server.url());
        world.refused(done, LIES, case);
    }
}

#[test]
fn a_fabric_may_break_off_now_and_then() {
    let (held, server) = fabric(|asked, held| (asked.method == "GET").then(|| held.answer(asked).cut(64 << 10)));
    let world = World::new();
    world.push(&server.url()).ok();
    world.arrived(world.pull(&server.url()));
    assert!(server.count("GET") > 20);
    // Without ranges, the server sends everything again.
    let (count, document) = (
        AtomicUsize::new(0),
        held.0.lock().unwrap().values().next().unwrap().clone(),
    );
    let (_, server) = fabric(move |_, _| {
        let reply = Reply::new(200).body(document.clone());
        Some(match count.fetch_add(1, Ordering::Relaxed) {
            0 => reply.cut(300_000),
            _ => reply,
        })
    });
    world.arrived(world.pull(&server.url()));
}

#[test]
fn a_busy_fabric_is_asked_again_but_not_for_ever() {
    let world = World::new();
    let count = AtomicUsize::new(0);
    let (_, server) = fabric(move |asked, _| {
        let busy = ["500", "502", "429", "503"];
        let at = count.fetch_add(1, Ordering::Relaxed);
        (asked.method == "PUT" && at < 5).then(|| Reply::new(busy[at % 4].parse().unwrap()).with("Retry-After", "1"))
    });
    world.push(&server.url()).ok();
    world.arrived(world.pull(&server.url()));
    let began = Instant::now();
    let (_, server) = fabric(|_, _| Some(Reply::new(429).with("Retry-After", "100000")));
    world.refused(world.push(&server.url()), LIES, "a long wait");
    assert_eq!(server.asked().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10));
    let (_, server) = fabric(|asked, _| (asked.method == "PUT").then(|| Reply::new(409)));
    let said = world.refused(world.push(&server.url()), LIES, "a conflict");
    assert!(said.contains("something else"), "{said}");
}

#[test]
fn a_pack_follows_no_redirect() {
    let world = World::new();
    let elsewhere = Server::start(|_| Reply::new(200));
    let target = elsewhere.url();
    let (_, server) = fabric(move |asked, _| {
        (asked.method == "PUT").then(|| Reply::new(307).with("Location", format!("{target}/x")))
    });
    world.refused(world.push(&server.url()), LIES, "a redirect");
    assert_eq!(elsewhere.asked().len(), 0);
}

#[test]
fn a_manifest_in_another_form_goes_only_to_places_that_keep_its_bytes() {
    let (held, server) = fabric(|_, _| None);
    let place = crate::common::Place::new();
    // Another program wrote it, so its form is only worth a notice.
    let pack = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/vectors/other_maker_compact/pack");
    let refused = place.pack_in(place.path(), &["push", pack, &server.url()]);
    assert!(refused.stderr.contains("canonical form"), "{}", refused.stderr);
    refused.refused("E_TRANSPORT");
    assert!(held.0.lock().unwrap().is_empty() && server.asked().is_empty());
    std::fs::create_dir(place.path().join("store")).unwrap();
    let store = format!("file://{}/store", place.path().canonicalize().unwrap().display());
    place.pack_in(place.path(), &["push", pack, &store]).ok();
    place.pack_in(place.path(), &["pull", &store, "-o", "back"]).ok();
    let manifest = |pack: &std::path::Path| std::fs::read(pack.join("manifest.json")).unwrap();
    assert_eq!(manifest(&place.path().join("back")), manifest(pack.as_ref()));
}
