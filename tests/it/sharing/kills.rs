//! A push or a pull that is killed at a random moment, at a real registry: it shows no pack that does not verify, and a
//! repeated command sends and fetches only what is missing.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::sealed;
use super::server::RegistryServer;
use crate::common::{Done, GIT_PACK, Place, noise, number, snapshot};

/// A pack with small and large members, of which the large ones take some time.
struct World {
    place: Place,
    server: RegistryServer,
    id: String,
    /// Number of members, without the manifest.
    members: usize,
    /// How long the command takes that is not killed.
    whole: Duration,
}

impl World {
    fn new() -> Self {
        let place = Place::new();
        let names: Vec<String> = (0..8).map(|n| format!("m{n}")).collect();
        // The last two are larger than what is sent in one request.
        let size = |n: usize| if n < 6 { 100 + n } else { n << 20 };
        let file = |(n, name)| (name, noise(n as u64, size(n)));
        let files: Vec<(&str, Vec<u8>)> = names.iter().map(String::as_str).enumerate().map(file).collect();
        let (id, _) = sealed(&place, "pack", &files);
        Self {
            place,
            server: RegistryServer::start(),
            id,
            members: files.len(),
            whole: Duration::ZERO,
        }
    }

    fn run(&self, args: &[&str]) -> Done {
        self.place.pack_in(self.place.path(), args)
    }

    /// Notes how long a command takes.
    fn time(&mut self, args: &[&str]) {
        let began = Instant::now();
        self.run(args).ok();
        self.whole = began.elapsed();
    }

    /// Starts a command, and kills it at a random moment of the time that it takes, or soon after.
    fn kill(&self, args: &[&str]) {
        let random = RandomState::new().build_hasher().finish() % 1100;
        let moment = self.whole * u32::try_from(random).unwrap() / 1000;
        let mut command = self.place.command(GIT_PACK, self.place.path());
        let quiet = command.args(args).stdout(Stdio::null()).stderr(Stdio::null());
        let mut child = quiet.spawn().unwrap();
        std::thread::sleep(moment);
        drop(child.kill());
        child.wait().unwrap();
    }

    /// Asserts that the pack is at `name` as it was sealed.
    #[track_caller]
    fn is_there(&self, name: &str) {
        let (pack, found) = (self.place.path().join("pack"), self.place.path().join(name));
        assert!(snapshot(&found) == snapshot(&pack), "{name}");
    }
}

/// Commands are killed `GITPACK_KILLS` times, else eight.
fn kills() -> u64 {
    number("GITPACK_KILLS", 8)
}

#[test]
fn a_push_killed_at_any_moment_shows_no_half_pack() {
    let mut world = World::new();
    let first = world.server.address("first");
    world.time(&["push", "pack", &first]);
    let (mut shown, mut partly) = (0, 0);
    for n in 0..kills() {
        // Every second push is one that goes on where another one was killed.
        let repository = format!("r{}", n / 2);
        let at = world.server.address(&repository);
        world.kill(&["push", "pack", &at]);
        // The server finishes what it was told.
        std::thread::sleep(Duration::from_millis(100));
        let listed: Value = serde_json::from_slice(&world.run(&["list", &at, "--json"]).ok().stdout).unwrap();
        let verified = world.run(&["verify", &format!("{at}#{}", world.id)]);
        match listed["packs"].as_array().unwrap().as_slice() {
            [] => assert_eq!(verified.code, 2, "{}", verified.stderr),
            [pack] => {
                shown += 1;
                assert_eq!(pack["pack_id"], *world.id);
                verified.ok();
            }
            more => panic!("{more:?}"),
        }
        if n % 2 == 0 {
            continue;
        }
        let (there, before) = (world.server.blobs(&repository), world.server.stored(&repository).len());
        partly += u64::from((1..=world.members).contains(&there.len()));
        world.run(&["push", "pack", &at]).ok();
        let sent = world.server.stored(&repository).split_off(before);
        assert!(sent.iter().all(|digest| !there.contains(digest)), "{sent:?}\n{there:?}");
        // The members, the manifest, and the empty configuration of an image.
        assert_eq!(world.server.blobs(&repository).len(), world.members + 2);
        world.run(&["pull", &at, "-o", "back"]).ok();
        world.is_there("back");
        fs::remove_dir_all(world.place.path().join("back")).unwrap();
    }
    println!(
        "of {} killed pushes, {shown} were shown, {partly} of {} were partly there",
        kills(),
        kills() / 2
    );
}

#[test]
fn a_pull_killed_at_any_moment_shows_no_half_pack() {
    let mut world = World::new();
    let at = world.server.address("p");
    world.run(&["push", "pack", &at]).ok();
    world.time(&["pull", &at, "-o", "first"]);
    let (output, pack) = (world.place.path().join("back"), world.place.path().join("pack"));
    let (mut shown, mut partly) = (0, 0);
    for n in 0..kills() {
        world.kill(&["pull", &at, "-o", "back"]);
        if output.exists() {
            shown += 1;
            world.is_there("back");
            fs::remove_dir_all(&output).unwrap();
            continue;
        }
        if n % 2 == 0 {
            continue;
        }
        let there = kept(&world, &pack);
        partly += u64::from((1..world.members).contains(&there));
        let before = settled(|| world.server.requests("GET", "/blobs/"));
        world.run(&["pull", &at, "-o", "back"]).ok();
        // The manifest, and the members that were missing.
        assert_eq!(
            world.server.requests("GET", "/blobs/") - before,
            1 + world.members - there
        );
        world.is_there("back");
        fs::remove_dir_all(&output).unwrap();
        assert_eq!(kept(&world, &pack), 0);
    }
    println!(
        "of {} killed pulls, {shown} were whole, {partly} were partly there",
        kills()
    );
}

/// Returns a count when it no longer grows. A server logs the requests of a killed process a little later.
fn settled(count: impl Fn() -> usize) -> usize {
    let mut last = count();
    loop {
        std::thread::sleep(Duration::from_millis(200));
        match count() {
            now if now == last => return now,
            now => last = now,
        }
    }
}

/// Counts the members that a killed pull has fetched whole.
fn kept(world: &World, pack: &std::path::Path) -> usize {
    let beside = fs::read_dir(world.place.path()).unwrap().map(|entry| entry.unwrap());
    let mut staged = beside.filter(|entry| entry.file_name().to_str().unwrap().starts_with(".git-pack-staging-"));
    let Some(staging) = staged.next() else { return 0 };
    assert!(staged.next().is_none());
    let whole = |path: &std::path::Path| {
        let name = path.file_name().unwrap();
        name != "manifest.json" && fs::read(path).unwrap() == fs::read(pack.join(name)).unwrap()
    };
    let members = fs::read_dir(staging.path().join("pack")).into_iter().flatten();
    members.filter(|member| whole(&member.as_ref().unwrap().path())).count()
}
