//! A push or a pull that is killed leaves a place that shows no half pack, and the next one finishes the work.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::{DEADLINE, World, oci, registry, within};
use crate::common::number;

/// How often each command is killed: `GITPACK_KILLS`, else 10.
fn kills() -> u64 {
    number("GITPACK_KILLS", 10)
}

/// Starts a command, and kills it after so many milliseconds.
fn kill_after(world: &World, args: &[&str], milliseconds: u64) {
    let mut child = world
        .command(args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(Duration::from_millis(milliseconds));
    drop(child.kill());
    child.wait().unwrap();
}

/// Each answer takes a while, so that a kill falls into the middle of a transfer.
fn slowly<T>() -> Option<T> {
    std::thread::sleep(Duration::from_millis(8));
    None
}

#[test]
fn a_killed_push_shows_nothing_and_is_finished_by_the_next() {
    let world = World::new();
    let mut whole = 0;
    for at in 0..kills() {
        let (held, server) = registry(|_, _| slowly());
        let place = oci(&server);
        kill_after(&world, &["push", "p", &place], 20 + at * 37 % 200);
        std::thread::sleep(Duration::from_millis(50));
        let shown = !held.0.lock().unwrap().manifests.is_empty();
        let done = world.pull(&place);
        match shown {
            true => {
                whole += 1;
                world.arrived(done);
            }
            false => drop(world.refused(done, &["E_TRANSPORT"], "half a pack")),
        }
        let there: Vec<String> = held.0.lock().unwrap().blobs.keys().cloned().collect();
        let before = server.asked().len();
        world.push(&place).ok();
        // What is there is not sent again.
        let again = &server.asked()[before..];
        let sent_again = |digest: &String| {
            let name = digest.replace(':', "%3A");
            again
                .iter()
                .any(|asked| asked.method == "PUT" && asked.path.contains(&name))
        };
        // The empty configuration of an image has two bytes, and is sent without a question.
        let empty = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let twice: Vec<&String> = there.iter().filter(|d| !d.ends_with(empty) && sent_again(d)).collect();
        assert!(twice.is_empty(), "{twice:?}");
        world.arrived(world.pull(&place));
    }
    println!("{whole} of {} killed pushes were whole", kills());
}

#[test]
fn a_killed_pull_leaves_nothing_at_its_output_and_is_finished_by_the_next() {
    let world = World::new();
    let (_, server) = registry(|asked, held| {
        std::thread::sleep(Duration::from_millis(8));
        // The large member comes in parts, so that a kill falls between two of them.
        (asked.method == "GET").then(|| held.answer(asked).cut(128 << 10))
    });
    let place = oci(&server);
    world.push(&place).ok();
    let output = world.place.path().join("q");
    for at in 0..kills() {
        let args = ["pull", &world.id, "--from", &place, "--output", "q"];
        kill_after(&world, &args, 40 + at * 37 % 700);
        if output.exists() {
            within(world.command(&["verify", "q"]), DEADLINE).ok();
            std::fs::remove_dir_all(&output).unwrap();
        }
        if at % 2 == 1 {
            world.arrived(world.pull(&place));
        }
    }
    world.arrived(world.pull(&place));
}

#[test]
fn a_pull_goes_on_with_the_members_that_a_killed_one_has() {
    let world = World::new();
    let (held, server) = registry(|asked, held| {
        let is_large = asked.path.ends_with(&held.largest()) && asked.method == "GET";
        // At 200 bytes a second, the first pull waits here until it is killed.
        (is_large && asked.range().is_none()).then(|| held.answer(asked).drip(Duration::from_millis(5)))
    });
    world.push(&oci(&server)).ok();
    let small = held
        .0
        .lock()
        .unwrap()
        .blobs
        .iter()
        .find(|(_, blob)| blob.starts_with(b"{\"version\":\"rvl"))
        .unwrap()
        .0
        .clone();
    let place = oci(&server);
    let mut command = world.command(&["pull", &world.id, "--from", &place, "--output", "q"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let has_small = || {
        let entries = std::fs::read_dir(world.place.path()).unwrap().flatten();
        let mut staged = entries.map(|entry| entry.path().join("pack/r.json"));
        staged.any(|path| super::read(&path).ends_with('\n'))
    };
    let began = Instant::now();
    while !has_small() {
        assert!(began.elapsed() < DEADLINE);
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let fetched = |server: &crate::common::server::Server| {
        server
            .asked()
            .iter()
            .filter(|asked| asked.method == "GET" && asked.path.ends_with(&small))
            .count()
    };
    assert_eq!(fetched(&server), 1);
    let (again, honest) = registry(|_, _| None);
    let was = std::mem::take(&mut *held.0.lock().unwrap());
    *again.0.lock().unwrap() = was;
    world.arrived(world.pull(&oci(&honest)));
    assert_eq!(fetched(&honest), 0);
}
