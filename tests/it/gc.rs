//! Collection keeps what is needed and removes the rest; neither a kill nor a seal at the same time changes that.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};

use crate::common;
use crate::common::packs::document;
use crate::common::{Done, GIT_PACK, Repo, noise, snapshot};
use gitpack::format::digest::Digest;

const DAY: i64 = 24 * 60 * 60;

fn own(repo: &Repo) -> PathBuf {
    repo.path(".git/gitpack")
}

fn place_of(repo: &Repo, hash: &Digest) -> PathBuf {
    own(repo).join("cas").join(&hash.hex()[..2]).join(&hash.hex()[2..])
}

/// Sets a file's time to `seconds` ago, or into the future if negative.
fn age(path: &PathBuf, seconds: i64) {
    let by = Duration::from_secs(seconds.unsigned_abs());
    let now = SystemTime::now();
    let written = if seconds < 0 { now + by } else { now - by };
    File::open(path).unwrap().set_modified(written).unwrap();
}

/// Puts an object into the store that no run needs.
fn put(repo: &Repo, content: &[u8], seconds_ago: i64) -> Digest {
    let hash = Digest::of(content);
    let path = place_of(repo, &hash);
    common::write(&path, content);
    age(&path, seconds_ago);
    hash
}

fn stored(repo: &Repo) -> BTreeSet<Digest> {
    let names = |path: PathBuf| -> Vec<String> {
        let entries = fs::read_dir(path).into_iter().flatten();
        entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect()
    };
    let cas = own(repo).join("cas");
    let leads = names(cas.clone()).into_iter();
    let hex = leads.flat_map(|lead| {
        let rest = names(cas.join(&lead));
        rest.into_iter().map(move |rest| format!("{lead}{rest}"))
    });
    hex.filter_map(|hex| Digest::parse_hex(&hex)).collect()
}

fn age_all(repo: &Repo, seconds: i64) {
    stored(repo).iter().for_each(|hash| age(&place_of(repo, hash), seconds));
}

fn run_directory(repo: &Repo, run: &str) -> PathBuf {
    own(repo).join("runs").join(run)
}

fn last(repo: &Repo) -> String {
    let last = fs::read_to_string(own(repo).join("runs/last")).unwrap();
    last.trim().to_owned()
}

fn roots(repo: &Repo, run: &str) -> BTreeSet<Digest> {
    let bytes = fs::read(run_directory(repo, run).join("RUN_ROOTS.json")).unwrap();
    let hashes: Vec<String> = serde_json::from_slice(&bytes).unwrap();
    hashes.iter().map(|hash| Digest::parse_hex(hash).unwrap()).collect()
}

fn refs(repo: &Repo) -> BTreeSet<String> {
    let done = repo.git(&["for-each-ref", "--format=%(refname:lstrip=3)", "refs/gitpack/runs"]);
    done.ok().out().lines().map(str::to_owned).collect()
}

#[track_caller]
fn passes(repo: &Repo) {
    repo.pack(&["audit"]).ok();
}

/// Collects, asserts that the audit then passes, and returns the last line on stdout.
#[track_caller]
fn gc(repo: &Repo, args: &[&str]) -> String {
    let done = repo.pack(&[&["gc"], args].concat()).ok();
    passes(repo);
    done.out().lines().last().unwrap().to_owned()
}

/// Makes two runs of two commits, and returns their names.
fn two_runs() -> (Repo, [String; 2]) {
    let repo = Repo::set_up();
    repo.write(".git/info/exclude", "*.vec\n");
    repo.write("a.vec", noise(1, 3000));
    repo.seal(&["--attach", "a.vec", "-o", "../one"]);
    let one = last(&repo);
    repo.write("README.md", "changed\n");
    repo.commit("second");
    repo.seal(&["--attach", "a.vec", "-o", "../two"]);
    let two = last(&repo);
    assert_ne!(one, two);
    (repo, [one, two])
}

fn rooted(repo: &Repo, runs: &[String]) -> BTreeSet<Digest> {
    let roots = runs.iter().flat_map(|run| roots(repo, run));
    roots.filter(|hash| place_of(repo, hash).exists()).collect()
}

#[test]
fn what_nothing_needs_goes_once_it_is_old_enough() {
    let (repo, runs) = two_runs();
    let needed = rooted(&repo, &runs);
    assert_eq!(stored(&repo), needed, "sealing stored something that no run needs");
    age_all(&repo, 1000 * DAY);
    let old = put(&repo, b"old", 14 * DAY + 1);
    let young = put(&repo, b"young", 14 * DAY - 600);
    let future = put(&repo, b"of the future", -DAY);
    assert_eq!(gc(&repo, &[]), "COLLECTED 1 object, 3 bytes");
    let mut left = needed.clone();
    left.extend([young, future]);
    assert_eq!(stored(&repo), left);
    assert!(!left.contains(&old));
    assert_eq!(gc(&repo, &[]), "NOTHING TO COLLECT");
    assert_eq!(gc(&repo, &["--grace", "2w"]), "NOTHING TO COLLECT");
    assert_eq!(gc(&repo, &["--grace", "300h"]), "COLLECTED 1 object, 5 bytes");
    // A time in the future comes from a wrong clock, so the object is kept.
    assert_eq!(gc(&repo, &["--grace", "0"]), "NOTHING TO COLLECT");
    age(&place_of(&repo, &future), 0);
    let done = repo.pack(&["gc", "--grace", "0"]).ok();
    assert_eq!(done.out(), "COLLECTED 1 object, 13 bytes\n");
    assert_eq!(done.stderr, format!("  kept {} needed by runs\n", needed.len()));
    assert_eq!(stored(&repo), needed);
    for pack in ["../one", "../two"] {
        repo.pack(&["verify", pack]).ok();
    }
}

#[test]
fn what_is_pinned_stays_until_it_is_not() {
    let (repo, runs) = two_runs();
    let needed = rooted(&repo, &runs);
    let pinned = put(&repo, b"pinned", 100 * DAY);
    repo.pack(&["audit", "--pin", &pinned.to_string()]).ok();
    put(&repo, b"not pinned", 100 * DAY);
    let done = repo.pack(&["gc"]).ok();
    assert_eq!(done.out(), "COLLECTED 1 object, 10 bytes\n");
    assert_eq!(
        done.stderr,
        format!("  kept {} needed by runs, 1 pinned\n", needed.len())
    );
    assert!(stored(&repo).contains(&pinned));
    passes(&repo);
    repo.pack(&["audit", "--unpin", &pinned.to_string()]).ok();
    assert_eq!(gc(&repo, &[]), "COLLECTED 1 object, 6 bytes");
    assert_eq!(stored(&repo), needed);
}

#[test]
fn a_dry_run_changes_nothing() {
    let (repo, runs) = two_runs();
    fs::remove_dir_all(run_directory(&repo, &runs[0])).unwrap();
    put(&repo, b"old", 100 * DAY);
    common::write(&own(&repo).join("cas/ab/.git-pack-left"), "half");
    let before = snapshot(&repo.root);
    let done = repo.pack(&["gc", "--dry-run"]).ok();
    assert_eq!(done.out(), "would collect 1 object, 3 bytes\n");
    assert!(
        done.stderr.ends_with(
            " younger than 14d\n  would release 1 commit of a deleted run\n  \
             would clear 1 file left by killed processes\n  dry run: nothing was changed\n"
        ),
        "{}",
        done.stderr
    );
    repo.pack(&["gc", "--dry-run", "--why", "--grace", "0"]).ok();
    assert_eq!(snapshot(&repo.root), before);
    // It does not create a missing lock either.
    fs::remove_file(own(&repo).join("cas/lock")).unwrap();
    let before = snapshot(&repo.root);
    repo.pack(&["gc", "--dry-run"]).ok();
    assert_eq!(snapshot(&repo.root), before);
}

#[test]
fn where_there_is_no_store_nothing_is_done() {
    let repo = Repo::set_up();
    let before = snapshot(&repo.root);
    repo.pack(&["gc", "--dry-run"]).ok();
    assert_eq!(snapshot(&repo.root), before);
    for args in [&["gc"][..], &["gc", "--grace", "0", "--why"]] {
        let done = repo.pack(args).ok();
        assert_eq!(
            (done.out().as_str(), done.stderr.as_str()),
            ("NOTHING TO COLLECT\n", "")
        );
    }
    assert_eq!(snapshot(&repo.root), before);
    let place = common::Place::new();
    place.pack_in(place.path(), &["gc"]).refused("E_NOT_A_REPOSITORY");
}

#[test]
fn why_tells_of_each_object_whether_it_stays_and_why() {
    let (repo, runs) = two_runs();
    let pinned = put(&repo, b"pinned", 100 * DAY);
    repo.pack(&["audit", "--pin", &pinned.to_string()]).ok();
    let (old, young) = (put(&repo, b"old", 15 * DAY), put(&repo, b"young", 5 * DAY));
    let all = stored(&repo);
    let mut sorted = runs.clone();
    sorted.sort();
    let expected = |hash: &Digest| {
        let users: Vec<&String> = sorted.iter().filter(|run| roots(&repo, run).contains(hash)).collect();
        match users[..] {
            [run] => format!("keep    needed by run {run}"),
            [run, _] => format!("keep    needed by run {run} and 1 more"),
            _ if *hash == pinned => "keep    pinned".to_owned(),
            _ if *hash == old => "remove  no run and no pin names it".to_owned(),
            _ => {
                assert_eq!(*hash, young);
                "keep    younger than 14d".to_owned()
            }
        }
    };
    let lines: Vec<String> = all.iter().map(|hash| format!("{hash}  {}", expected(hash))).collect();
    assert!(lines.iter().any(|line| line.ends_with(" and 1 more")));
    for (args, end) in [
        (&["gc", "--why", "--dry-run"][..], "would collect 1 object, 3 bytes"),
        (&["gc", "--why"], "COLLECTED 1 object, 3 bytes"),
    ] {
        let out = repo.pack(args).ok().out();
        assert_eq!(out, format!("{}\n{end}\n", lines.join("\n")));
    }
    passes(&repo);
}

#[test]
fn a_run_that_is_removed_takes_along_what_it_alone_needs() {
    let (repo, [one, two]) = two_runs();
    let needed = rooted(&repo, std::slice::from_ref(&two));
    let shared = needed.intersection(&roots(&repo, &one)).count();
    assert!(shared > 0 && needed != stored(&repo));
    fs::remove_dir_all(run_directory(&repo, &one)).unwrap();
    assert_eq!(refs(&repo), BTreeSet::from([one.clone(), two.clone()]));
    // The ref of the commit goes at once, because only the run needed it. The objects are too young.
    assert_eq!(gc(&repo, &[]), "COLLECTED 0 objects, 0 bytes");
    assert_eq!(refs(&repo), BTreeSet::from([two.clone()]));
    let goes = stored(&repo).len() - needed.len();
    age_all(&repo, 20 * DAY);
    let line = gc(&repo, &[]);
    assert!(line.starts_with(&format!("COLLECTED {goes} objects, ")), "{line}");
    assert_eq!(stored(&repo), needed);
    assert_eq!(refs(&repo), BTreeSet::from([two]));
    // Sealing again restores the run.
    repo.seal(&["--rev", "HEAD^", "--attach", "a.vec", "-o", "../again"]);
    assert_eq!(last(&repo), one);
    assert_eq!(gc(&repo, &["--grace", "0"]), "NOTHING TO COLLECT");
    assert_eq!(refs(&repo).len(), 2);
}

#[test]
fn a_packed_ref_of_a_run_that_is_gone_goes_too() {
    let (repo, [one, two]) = two_runs();
    repo.git(&["pack-refs", "--all"]).ok();
    fs::remove_dir_all(run_directory(&repo, &one)).unwrap();
    gc(&repo, &[]);
    assert_eq!(refs(&repo), BTreeSet::from([two]));
}

#[test]
fn objects_without_any_root_are_not_taken_for_garbage() {
    let (repo, runs) = two_runs();
    let away = repo.place.path().join("away");
    fs::rename(own(&repo).join("runs"), &away).unwrap();
    assert_eq!(
        gc(&repo, &[]),
        "NOTHING TO COLLECT",
        "the objects are young, and nothing is released"
    );
    assert_eq!(refs(&repo).len(), 2);
    age_all(&repo, 20 * DAY);
    let before = snapshot(&repo.path(".git"));
    for args in [
        &["gc"][..],
        &["gc", "--grace", "0"],
        &["gc", "--dry-run"],
        &["gc", "--why"],
    ] {
        let done = repo.pack(args);
        assert!(done.stderr.contains("objects but no roots"), "{}", done.stderr);
        done.refused("E_CORRUPT");
        assert_eq!(snapshot(&repo.path(".git")), before);
    }
    fs::rename(&away, own(&repo).join("runs")).unwrap();
    assert_eq!(gc(&repo, &["--grace", "0"]), "NOTHING TO COLLECT");
    assert_eq!(refs(&repo), runs.into_iter().collect());
}

#[test]
fn whatever_cannot_be_read_as_roots_stops_the_collection() {
    let (repo, [one, two]) = two_runs();
    put(&repo, b"old", 100 * DAY);
    let first = stored(&repo).pop_first().unwrap();
    repo.pack(&["audit", "--pin", &first.to_string()]).ok();
    let stands = || snapshot(&own(&repo));
    let refused = |what: &str, code: &str, named: &str| {
        let before = stands();
        for args in [&["gc"][..], &["gc", "--grace", "0", "--dry-run"]] {
            let value = repo.pack(args).refused(code);
            let message = value["refusal"]["message"].as_str().unwrap();
            assert!(message.contains(named), "{what}: {message}");
            assert_eq!(stands(), before, "{what}");
        }
    };
    let roots = run_directory(&repo, &one).join("RUN_ROOTS.json");
    let pins = own(&repo).join("GC_PINS.json");
    for path in [&roots, &pins] {
        let whole = fs::read(path).unwrap();
        let name = path.to_str().unwrap();
        let upper = String::from_utf8(whole.clone()).unwrap().to_uppercase().into_bytes();
        let prefixed = format!("[\"{first}\"]\n").into_bytes();
        for bad in [
            &b""[..],
            b"{}\n",
            b"[]",
            b"[null]\n",
            &whole[..whole.len() - 3],
            &[&whole[..], b"\n"].concat(),
            &upper,
            &prefixed,
            &noise(1, 500),
        ] {
            fs::write(path, bad).unwrap();
            refused(&format!("{}", String::from_utf8_lossy(bad)), "E_CORRUPT", name);
        }
        fs::remove_file(path).unwrap();
        symlink("/dev/null", path).unwrap();
        refused("a link", "E_IO", name);
        fs::remove_file(path).unwrap();
        if *path == roots {
            refused("nothing", "E_CORRUPT", name);
        }
        fs::write(path, &whole).unwrap();
    }
    // Any file with the name of a run counts as one.
    let (directory, away) = (run_directory(&repo, &one), repo.place.path().join("away"));
    fs::rename(&directory, &away).unwrap();
    fs::write(&directory, "").unwrap();
    refused("a file", "E_IO", directory.to_str().unwrap());
    fs::remove_file(&directory).unwrap();
    symlink(repo.place.path().join("nowhere"), &directory).unwrap();
    refused("a link to nowhere", "E_IO", directory.to_str().unwrap());
    fs::remove_file(&directory).unwrap();
    // A link may be planted, so it is not followed.
    symlink(&away, &directory).unwrap();
    refused("a link", "E_IO", directory.to_str().unwrap());
    fs::remove_file(&directory).unwrap();
    fs::rename(&away, &directory).unwrap();
    // The same for the directory of all runs.
    let runs = own(&repo).join("runs");
    fs::rename(&runs, &away).unwrap();
    fs::write(&runs, "").unwrap();
    refused("a file", "E_IO", runs.to_str().unwrap());
    fs::remove_file(&runs).unwrap();
    symlink(repo.place.path().join("nowhere"), &runs).unwrap();
    refused("a link to nowhere", "E_IO", runs.to_str().unwrap());
    fs::remove_file(&runs).unwrap();
    fs::rename(&away, &runs).unwrap();
    if !common::is_root() {
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o000)).unwrap();
        refused("unreadable", "E_IO", roots.to_str().unwrap());
        fs::set_permissions(&roots, fs::Permissions::from_mode(0o600)).unwrap();
    }
    assert_eq!(gc(&repo, &[]), "COLLECTED 1 object, 3 bytes");
    assert_eq!(refs(&repo), BTreeSet::from([one, two]));
}

#[test]
fn what_killed_processes_left_is_cleared_and_nothing_else() {
    let (repo, [one, _]) = two_runs();
    let left = [
        "cas/ab/.git-pack-x1y2z3",
        "runs/.git-pack-x1y2z3",
        "runs/.git-pack-staging-x1y2z3/pack/RUN_ROOTS.json",
        "seals/ab/.git-pack-x1y2z3",
    ];
    let kept = ["cas/ab/notes", "cas/README", "runs/notes/x", ".git-pack-x1y2z3"];
    for path in left.iter().chain(&kept).chain(&["seals/lock"]) {
        common::write(&own(&repo).join(path), "x");
    }
    let locks = [&one, "0123456789ab"].map(|run| repo.path(&format!(".git/refs/gitpack/runs/{run}.lock")));
    for lock in &locks {
        common::write(lock, "");
    }
    let done = repo.pack(&["gc"]).ok();
    assert_eq!(done.out(), "COLLECTED 0 objects, 0 bytes\n");
    assert!(
        done.stderr.ends_with("\n  cleared 6 files left by killed processes\n"),
        "{}",
        done.stderr
    );
    passes(&repo);
    for path in left {
        assert!(!own(&repo).join(path).exists(), "{path}");
    }
    assert!(!own(&repo).join("runs/.git-pack-staging-x1y2z3").exists());
    assert!(kept.iter().all(|path| own(&repo).join(path).exists()));
    assert!(locks.iter().all(|lock| !lock.exists()));
    assert_eq!(refs(&repo).len(), 2);
    assert_eq!(gc(&repo, &[]), "NOTHING TO COLLECT");
}

#[test]
fn a_lock_that_a_killed_seal_left_is_removed_by_the_next_seal() {
    let repo = Repo::set_up_in_files();
    repo.seal(&["-o", "../one"]);
    let run = last(&repo);
    fs::remove_dir_all(own(&repo)).unwrap();
    let locks = [&run, "0123456789ab"].map(|run| repo.path(&format!(".git/refs/gitpack/runs/{run}.lock")));
    for lock in &locks {
        common::write(lock, "");
    }
    repo.seal(&["-o", "../two"]);
    assert!(locks.iter().all(|lock| !lock.exists()));
    passes(&repo);
}

#[test]
fn a_lock_that_a_seal_may_hold_now_stays_until_it_ended() {
    let repo = Repo::set_up_in_files();
    repo.seal(&["-o", "../one"]);
    let lock = repo.path(".git/refs/gitpack/runs/0123456789ab.lock");
    common::write(&lock, "");
    let seals = fs::File::open(own(&repo).join("cas/lock")).unwrap();
    seals.lock_shared().unwrap();
    let mut next = spawn(&repo, &["seal", "-o", "../two"]);
    std::thread::sleep(std::time::Duration::from_millis(700));
    assert!(next.try_wait().unwrap().is_none());
    assert!(lock.exists());
    drop(seals);
    assert!(next.wait().unwrap().success());
    assert!(!lock.exists());
}

#[test]
fn a_grace_that_is_no_time_is_refused() {
    let (repo, _) = two_runs();
    for bad in ["14", "fortnight", "1y", "1mo", "", "14 d x"] {
        let refused = repo.pack(&["gc", "--grace", bad]).refused("E_USAGE");
        let message = refused["refusal"]["message"].as_str().unwrap();
        assert!(message.contains("expected a time span such as 14d"), "{message}");
    }
    repo.pack(&["gc", "--grace", "-1d"]).refused("E_USAGE");
    repo.pack(&["gc", "--grace=-1d"]).refused("E_USAGE");
}

#[test]
fn worktrees_have_one_store() {
    let (repo, runs) = two_runs();
    repo.git(&["worktree", "add", "-q", "../other"]).ok();
    let old = put(&repo, b"old", 100 * DAY);
    let done = repo.place.pack_in(&repo.place.path().join("other"), &["gc"]).ok();
    assert_eq!(done.out(), "COLLECTED 1 object, 3 bytes\n");
    assert!(!stored(&repo).contains(&old));
    assert_eq!(stored(&repo), rooted(&repo, &runs));
    passes(&repo);
}

fn spawn(repo: &Repo, args: &[&str]) -> Child {
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.spawn().unwrap()
}

fn soaking() -> bool {
    std::env::var_os("GITPACK_SOAK").is_some()
}

/// Kills a process at varying moments; returns whether it had ended before.
///
/// The run time depends on the load of the machine, so the delays adapt to the last outcomes.
struct Killer {
    longest: Duration,
    fractions: std::vec::IntoIter<u8>,
}

impl Killer {
    fn new(longest: Duration) -> Self {
        let fractions = noise(5, 1000).into_iter();
        Self { longest, fractions }
    }

    fn kill(&mut self, mut child: Child) -> bool {
        let fraction = (f64::from(self.fractions.next().unwrap()) + 1.0) / 256.0;
        std::thread::sleep(self.longest.mul_f64(fraction));
        child.kill().unwrap();
        let ended = child.wait().unwrap().success();
        self.longest = self.longest.mul_f64(if ended { 0.9 } else { 1.03 });
        ended
    }
}

#[test]
fn a_kill_at_any_moment_leaves_a_store_that_audits_clean() {
    let (repo, runs) = two_runs();
    let mut needed = rooted(&repo, &runs);
    let pinned = put(&repo, b"pinned", 100 * DAY);
    repo.pack(&["audit", "--pin", &pinned.to_string()]).ok();
    needed.insert(pinned);
    let garbage: Vec<Vec<u8>> = (0..300).map(|n| noise(n, 200)).collect();
    let refill = || {
        for content in &garbage {
            let hash = Digest::of(content);
            if !place_of(&repo, &hash).exists() {
                put(&repo, content, 100 * DAY);
            }
        }
        let refs: Vec<String> = (0..20)
            .map(|n| format!("update refs/gitpack/runs/{n:012} HEAD\n"))
            .collect();
        let args = ["-c", "printf %s \"$1\" | git update-ref --stdin", "sh", &refs.concat()];
        let done = repo.place.run(&repo.root, "sh", &args);
        // A leftover lock of a ref blocks until the next collection.
        assert!(done.code == 0 || done.stderr.contains(".lock"), "{}", done.stderr);
    };
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        refill();
        let started = Instant::now();
        repo.pack(&["gc"]).ok();
        longest = longest.max(started.elapsed());
    }
    passes(&repo);
    assert_eq!(stored(&repo), needed);
    let (mut middle, mut ended, mut locks) = (0, 0, 0);
    let mut killer = Killer::new(longest);
    for _ in 0..if soaking() { 200 } else { 30 } {
        refill();
        let was_over = killer.kill(spawn(&repo, &["gc"]));
        let left = stored(&repo);
        assert!(left.is_superset(&needed));
        passes(&repo);
        match (left.len() - needed.len(), refs(&repo).len() - runs.len()) {
            _ if was_over => ended += 1,
            (left, refs) if (left, refs) != (garbage.len(), 20) => middle += 1,
            _ => {}
        }
        // In a reftable, no ref has a file.
        let names = fs::read_dir(repo.path(".git/refs/gitpack/runs")).into_iter().flatten();
        locks += names
            .filter(|name| name.as_ref().unwrap().path().extension().is_some())
            .count();
    }
    eprintln!("longest {longest:?}, in the middle {middle}, ended before {ended}, locks left {locks}");
    assert!(middle > 0, "nothing was killed in the middle");
    gc(&repo, &[]);
    assert_eq!(stored(&repo), needed);
    assert_eq!(refs(&repo), runs.into_iter().collect());
}

#[test]
fn what_a_killed_seal_stored_goes_and_what_others_need_stays() {
    let (repo, runs) = two_runs();
    let needed = rooted(&repo, &runs);
    for n in 0..30 {
        repo.write(&format!("many/{n}"), noise(n, 2000));
    }
    repo.commit("third");
    let seal = ["seal", "--attach", "a.vec", "-o", "../three"];
    let started = Instant::now();
    repo.pack(&seal).ok();
    let longest = started.elapsed();
    let (mut unrooted, mut recorded) = (0, 0);
    let mut killer = Killer::new(longest);
    for _ in 0..if soaking() { 200 } else { 15 } {
        for name in fs::read_dir(own(&repo).join("runs")).unwrap() {
            let name = name.unwrap().file_name().into_string().unwrap();
            if name.len() == 12 && !runs.contains(&name) {
                fs::remove_dir_all(run_directory(&repo, &name)).unwrap();
            }
        }
        drop(fs::remove_dir_all(repo.place.path().join("three")));
        gc(&repo, &["--grace", "0"]);
        assert_eq!(stored(&repo), needed);
        killer.kill(spawn(&repo, &seal));
        passes(&repo);
        let published = fs::read_dir(own(&repo).join("runs")).unwrap().count() > 3;
        unrooted += usize::from(stored(&repo) != needed && !published);
        recorded += usize::from(published);
    }
    eprintln!("longest {longest:?}, stored and not recorded {unrooted}, recorded {recorded}");
    gc(&repo, &["--grace", "0"]);
    repo.pack(&["seal", "--attach", "a.vec", "-o", "../three", "--replace"])
        .ok();
    passes(&repo);
}

/// Returns whether content is in the store or in the commit.
fn is_kept(repo: &Repo, reference: &str, commit: &str, path: &str) -> bool {
    let hash = Digest::parse_ref(reference).unwrap();
    if let Ok(bytes) = fs::read(place_of(repo, &hash)) {
        return Digest::of(&bytes) == hash;
    }
    let shown = repo.git(&["show", &format!("{commit}:{path}")]);
    shown.code == 0 && Digest::of(&shown.stdout) == hash
}

#[test]
fn seals_that_run_while_it_is_collected_again_and_again_lose_nothing() {
    let (repo, _) = two_runs();
    let rounds = if soaking() { 20 } else { 4 };
    let done = AtomicBool::new(false);
    let (packs, collections) = std::thread::scope(|scope| {
        let collecting = scope.spawn(|| {
            let mut outcomes = Vec::new();
            while !done.load(Ordering::Relaxed) {
                outcomes.push(repo.pack(&["gc", "--grace", "0"]));
            }
            outcomes
        });
        let mut packs = Vec::new();
        let mut failed = Vec::new();
        for round in 0..rounds {
            let mut seals = Vec::new();
            for n in 0..8 {
                // Four seals take an artifact, so they wait for each other. The other four need only git, and run at
                // the same time.
                repo.write("README.md", format!("round {round}, {n}\n"));
                repo.commit("another");
                let (rev, pack) = (repo.rev("HEAD"), format!("../packs/{round}-{n}"));
                let mut args = vec!["seal", "--emit", "lite,repo", "--rev", &rev, "-o", &pack];
                let attached = format!("attached/{round}-{n}.vec");
                if n % 2 == 0 {
                    repo.write(&attached, noise(round * 8 + n, 4000));
                    args.extend(["--attach", &attached]);
                }
                let args: Vec<String> = args.into_iter().map(str::to_owned).collect();
                seals.push((args, rev.clone(), pack.clone()));
            }
            put(&repo, format!("garbage of round {round}").as_bytes(), 0);
            let running: Vec<Child> = seals
                .iter()
                .map(|(args, ..)| spawn(&repo, &args.iter().map(String::as_str).collect::<Vec<_>>()))
                .collect();
            for (child, (_, rev, pack)) in running.into_iter().zip(seals) {
                let output = child.wait_with_output().unwrap();
                if !output.status.success() {
                    failed.push(String::from_utf8_lossy(&output.stderr).into_owned());
                }
                packs.push((rev, repo.path(&pack)));
            }
        }
        done.store(true, Ordering::Relaxed);
        let collections: Vec<Done> = collecting.join().unwrap();
        assert!(
            failed.is_empty(),
            "{} seals failed: {}",
            failed.len(),
            failed.join("\n")
        );
        (packs, collections)
    });
    eprintln!("{} seals, {} collections", packs.len(), collections.len());
    assert!(collections.len() > rounds as usize);
    collections.into_iter().for_each(|done| drop(done.ok()));
    passes(&repo);
    for (rev, pack) in &packs {
        repo.pack(&["verify", pack.to_str().unwrap(), "--rev", rev]).ok();
        let refs = document(pack, "LITE/RUN_REFS.json");
        for name in ["manifest_ref", "output_hashes_ref", "status_ref", "task_spec_ref"] {
            assert!(is_kept(&repo, refs[name].as_str().unwrap(), rev, ""), "{name}");
        }
        let manifest = document(pack, "LITE/PACK_MANIFEST.json");
        let entries = manifest["entries"].as_array().unwrap();
        assert!(!entries.is_empty());
        for entry in entries {
            let (reference, path) = (entry["ref"].as_str().unwrap(), entry["path"].as_str().unwrap());
            assert!(is_kept(&repo, reference, rev, path), "{entry}");
        }
    }
    gc(&repo, &["--grace", "0"]);
    let unneeded = repo.pack(&["gc", "--grace", "0", "--dry-run"]).ok();
    assert_eq!(unneeded.out(), "NOTHING TO COLLECT\n");
}
