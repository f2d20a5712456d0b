//! Plaintext that this clone protected and that returns under another name, in part, or wrapped.

use std::fs;
use std::io::Write;
use std::path::PathBuf;

use crate::common::{Done, GIT_PACK, Repo, noise};

/// Sets up a repository whose `secrets/data.txt` has this content, is protected and committed.
fn protecting(content: &[u8]) -> Repo {
    let repo = Repo::set_up();
    repo.write("secrets/data.txt", content);
    repo.pack(&["protect", "secrets/data.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    repo
}

fn stage(repo: &Repo, path: &str, content: impl AsRef<[u8]>) -> Done {
    repo.write(path, content);
    repo.git(&["add", "-f", "--", path]).ok();
    let done = repo.pack(&["scan"]);
    repo.git(&["rm", "-q", "--cached", "--", path]).ok();
    done
}

#[track_caller]
fn found(repo: &Repo, path: &str, content: impl AsRef<[u8]>) -> u64 {
    let done = stage(repo, path, content);
    let said = format!("{}{}", done.out(), done.stderr);
    assert_eq!(done.code, 1, "{path} passed: {said}");
    assert!(said.contains("% of secrets/data.txt"), "{path}: {said}");
    let before = said.split(" % of secrets/data.txt").next().unwrap();
    before
        .rsplit(|c: char| !c.is_ascii_digit())
        .next()
        .unwrap()
        .parse()
        .unwrap()
}

#[track_caller]
fn passes(repo: &Repo, path: &str, content: impl AsRef<[u8]>) {
    let done = stage(repo, path, content);
    assert_eq!(done.code, 0, "{path}: {}{}", done.out(), done.stderr);
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Makes an archive of one file with the real `tar`.
fn tar(repo: &Repo, name: &str, content: &[u8], flags: &str) -> Vec<u8> {
    let directory = repo.place.path().join("tar");
    fs::create_dir_all(&directory).unwrap();
    fs::write(directory.join(name), content).unwrap();
    repo.place.run(&directory, "tar", &[flags, "../made.tar", name]).ok();
    fs::read(repo.place.path().join("made.tar")).unwrap()
}

/// Returns text whose lines all differ, so that no chunk occurs twice.
fn text(seed: u64, lines: usize) -> Vec<u8> {
    let mut text = Vec::new();
    for (at, bytes) in noise(seed, lines * 4).chunks(4).enumerate() {
        text.extend(format!("line {at}: {bytes:?} and some words after it\n").into_bytes());
    }
    text
}

/// Gain: the plaintext passes under another name, in part, among other bytes, or compressed.
#[test]
fn a_copy_a_part_and_a_wrapped_copy_are_found() {
    let content = noise(7, 600_000);
    let repo = protecting(&content);
    assert_eq!(found(&repo, "copy.bin", &content), 100);
    assert_eq!(found(&repo, "else/where.txt", &content), 100);
    let middle = &content[120_000..480_000];
    let part = found(
        &repo,
        "middle.bin",
        [&noise(8, 333_333), middle, &noise(9, 1_000_001)].concat(),
    );
    assert!((50..=61).contains(&part), "{part} % of the middle 60");
    assert_eq!(found(&repo, "copy.gz", gzip(&content)), 100);
    let archive = tar(&repo, "x", &content, "-cf");
    assert!(found(&repo, "copy.tar", &archive) >= 95);
    assert!(found(&repo, "copy.tar.gz", gzip(&archive)) >= 95);
    let mut changed = content.clone();
    changed[..300_000].iter_mut().step_by(1000).for_each(|byte| *byte ^= 1);
    let part = found(&repo, "changed.bin", &changed);
    assert!((40..=50).contains(&part), "{part} % of the unchanged half");
}

/// Gain: the same for text, and for a file of only a few chunks.
#[test]
fn text_and_small_files_are_known_too() {
    let content = text(1, 2000);
    let repo = protecting(&content);
    assert_eq!(found(&repo, "notes.md", &content), 100);
    let part = found(&repo, "notes.md", &content[content.len() / 5..content.len() * 4 / 5]);
    assert!(part >= 45, "{part} %");
    let small = protecting(b"user = somebody, password = correct horse battery staple\n");
    assert_eq!(
        found(
            &small,
            "notes.md",
            "user = somebody, password = correct horse battery staple\n"
        ),
        100
    );
}

/// Gain: most of a small file passes, because it has too few chunks to be recognised.
#[test]
fn a_part_of_a_small_file_is_found() {
    for (seed, lines) in [(1, 130), (2, 200), (3, 500), (4, 900)] {
        let content = text(seed, lines);
        let repo = protecting(&content);
        let ends = [content.clone(), b"\n".to_vec()].concat();
        assert!(found(&repo, "notes.md", &ends) >= 60, "{lines} lines, and one behind");
        let starts = [b"# notes\n".to_vec(), content.clone()].concat();
        assert!(found(&repo, "notes.md", &starts) >= 60, "{lines} lines, and one before");
        for tenths in [(0, 6), (1, 7), (2, 8), (3, 9), (4, 10)] {
            let (from, to) = (content.len() * tenths.0 / 10, content.len() * tenths.1 / 10);
            let part = found(&repo, "notes.md", &content[from..to]);
            assert!(part >= 33, "{lines} lines, {tenths:?}: {part} %");
        }
    }
}

/// Gain: a copy that the commit hook did not see passes the push and the scan of history.
#[test]
fn it_is_found_at_the_commit_at_the_push_and_in_history() {
    let content = noise(7, 100_000);
    let repo = protecting(&content);
    repo.place
        .run(&repo.root, "git", &["init", "-q", "--bare", "../remote.git"])
        .ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    repo.git(&["push", "-q", "origin", "main"]).ok();
    repo.write("copy.bin", &content);
    repo.git(&["add", "copy.bin"]).ok();
    let commit = repo.git(&["commit", "-q", "-m", "copy"]);
    assert_eq!(commit.code, 1);
    assert!(commit.stderr.contains("100 % of secrets/data.txt"), "{}", commit.stderr);
    repo.git(&["commit", "-q", "--no-verify", "-m", "copy"]).ok();
    assert_eq!(repo.git(&["push", "-q", "origin", "main"]).code, 1);
    for args in [
        &["scan", "--all"][..],
        &["scan", "--rev", "HEAD"],
        &["scan", "--worktree"],
    ] {
        let done = repo.pack(args);
        assert_eq!(done.code, 1, "{args:?}");
        assert!(done.out().contains("copy.bin"), "{args:?}: {}", done.out());
    }
    let report: serde_json::Value =
        serde_json::from_slice(&repo.pack(&["scan", "--rev", "HEAD", "--json"]).stdout).unwrap();
    assert_eq!(report["findings"][0]["code"], "KNOWN_PLAINTEXT");
    assert_eq!(report["findings"][0]["rule"], "100 % of secrets/data.txt");
}

/// Gain: the clone does not know a plaintext that was attached to a pack, met by a scan, or blocked at a commit, and it
/// passes under another name.
#[test]
fn seals_scans_hooks_and_status_feed_it() {
    let content = noise(11, 50_000);
    let feed = |args: &[&str]| {
        let repo = Repo::set_up();
        repo.write("attached.data", &content);
        repo.write("index.vec", &content);
        repo.pack(args);
        repo
    };
    for args in [
        &["seal", "--attach", "attached.data"][..],
        &["seal", "--attach", "index.vec"],
        &["seal", "index.vec"],
        &["scan", "--worktree"],
        &["status"],
    ] {
        let repo = feed(args);
        let done = stage(&repo, "copy.bin", &content);
        assert_eq!(done.code, 1, "{args:?}: {}{}", done.out(), done.stderr);
        let status = repo.pack(&["status"]).shown().out();
        assert!(status.contains("by content"), "{status}");
    }
    let repo = Repo::set_up();
    repo.write("index.vec", &content);
    repo.git(&["add", "-f", "index.vec"]).ok();
    assert_eq!(repo.git(&["commit", "-q", "-m", "oops"]).code, 1);
    repo.git(&["mv", "index.vec", "index.dat"]).ok();
    assert_eq!(repo.git(&["commit", "-q", "-m", "renamed"]).code, 1);
}

/// No gain: content that many files share does not make a file a copy of a protected one.
#[test]
fn what_is_common_is_not_found() {
    let licence = text(2, 300);
    let header = noise(3, 20_000);
    let template = noise(4, 30_000);
    let public = text(5, 1000);
    let repo = Repo::set_up();
    repo.write("LICENSE", &licence);
    repo.write("docs/public.txt", &public);
    repo.commit("public");
    let zeros = vec![0; 200_000];
    let content = [&header[..], &licence, &zeros, &public, &template, &noise(6, 500_000)].concat();
    repo.write("secrets/data.txt", &content);
    repo.pack(&["protect", "secrets/data.txt"]).ok();
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    passes(&repo, "zeros.bin", &zeros);
    passes(&repo, "more/LICENSE", &licence);
    passes(&repo, "header.bin", [&header[..], &noise(12, 100_000)].concat());
    passes(&repo, "template.bin", &template);
    passes(&repo, "again.txt", &public);
    passes(&repo, "empty", "");
    passes(&repo, "small", "{}\n");
    passes(&repo, "other.bin", noise(13, 600_000));
    // A real copy is still found, so the test can fail.
    found(&repo, "copy.bin", &content);
}

/// No gain: two files from one template are not parts of each other once both are known.
#[test]
fn what_two_unrelated_files_share_is_evidence_of_neither() {
    let template = noise(4, 90_000);
    let repo = Repo::set_up();
    for (at, name) in ["a.vec", "b.vec"].into_iter().enumerate() {
        repo.write(name, [&template[..], &noise(20 + at as u64, 400_000)].concat());
        repo.pack(&["protect", name]).ok();
    }
    repo.git(&["commit", "-q", "-m", "sealed"]).ok();
    passes(&repo, "empty.bin", &template);
    assert_eq!(stage(&repo, "copy.bin", fs::read(repo.path("a.vec")).unwrap()).code, 1);
}

/// No gain: a rule or an exception that releases the original also releases its copies.
#[test]
fn a_release_of_the_original_releases_its_copies() {
    let content = noise(7, 100_000);
    let repo = Repo::set_up();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let rule = |policy: &str| {
        let rule = format!("\n[[protect]]\nclass = \"data\"\npaths = [\"data/**\"]\npolicy = \"{policy}\"\n");
        repo.write(".gitpack.toml", format!("{config}{rule}"));
        repo.git(&["add", ".gitpack.toml"]).ok();
        repo.git(&["commit", "-q", "-m", "rule"]).ok();
    };
    rule("never");
    repo.write("data/big", &content);
    assert_eq!(repo.pack(&["scan", "--worktree"]).code, 1);
    assert_eq!(stage(&repo, "copy", &content).code, 1);
    rule("allowed");
    assert_eq!(stage(&repo, "copy", &content).code, 0);
    rule("never");
    assert_eq!(stage(&repo, "copy", &content).code, 1);
    // An exception for the blob applies under every name.
    let blob = repo.git(&["hash-object", "copy"]).ok().out();
    let allow = format!("{config}\n[[allow]]\nblob = \"{}\"\nreason = \"public\"\n", blob.trim());
    repo.write(".gitpack.toml", allow);
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "allowed"]).ok();
    assert_eq!(stage(&repo, "copy", &content).code, 0);
}

/// Gain: a reader of the table of known content uses it to confirm a guess at a protected file.
#[test]
fn what_is_known_says_nothing_to_others_and_is_believed_from_nobody_else() {
    let content = b"user = somebody, password = correct horse battery staple\n".repeat(40);
    let repo = protecting(&content);
    let place = tables(&repo).pop().unwrap();
    let table = fs::read(&place).unwrap();
    let has = |needle: &[u8]| table.windows(needle.len()).any(|window| window == needle);
    let blob = repo.git(&["hash-object", "secrets/data.txt"]).ok().out();
    let sha256 = gitpack::format::digest::Digest::of(&content);
    assert!(!has(blob.trim().as_bytes()) && !has(&sha256.as_bytes()[..8]) && !has(b"password"));
    // Tables of two clones that know the same content share no record.
    let other = protecting(&content);
    let theirs = fs::read(tables(&other).pop().unwrap()).unwrap();
    let common = table[64..]
        .windows(8)
        .filter(|window| theirs[64..].windows(8).any(|other| other == *window));
    // The text about the originals is alike, with a byte or two of a code at each end. A record is random.
    let is_random = |window: &&[u8]| window.iter().filter(|byte| !byte.is_ascii()).count() > 2;
    assert!(common.filter(is_random).all(|w| w.contains(&0)));
    // A table of another clone is ignored, and the rules apply as before.
    fs::write(&place, theirs).unwrap();
    fs::remove_file(repo.path("secrets/data.txt")).unwrap();
    assert_eq!(stage(&repo, "copy.txt", &content).code, 0);
    assert_eq!(stage(&repo, "x.vec", &content).code, 1);
}

/// The tables of known content of a clone.
fn tables(repo: &Repo) -> Vec<PathBuf> {
    let own = fs::read_dir(repo.path(".git/gitpack"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let is_table = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.starts_with("known-") && !name.ends_with(".lock")
    };
    own.filter(is_table).collect()
}

/// Gain: a command under another home directory, such as that of a cron job, makes the clone forget, and a copy passes.
#[test]
fn another_home_does_not_make_a_clone_forget() {
    let content = noise(7, 100_000);
    let repo = protecting(&content);
    repo.write("gone.txt", noise(8, 100_000));
    repo.pack(&["protect", "gone.txt"]).ok();
    fs::remove_file(repo.path("gone.txt")).unwrap();
    repo.git(&["commit", "-q", "-m", "two"]).ok();
    let elsewhere = repo.place.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let there = |program: &str, args: &[&str]| {
        let mut command = repo.place.command(program, &repo.root);
        command.env("HOME", &elsewhere).args(args);
        Done::from(command.output().unwrap())
    };
    let at_home = fs::read(&tables(&repo)[0]).unwrap();
    repo.write("copy.bin", &content);
    repo.git(&["add", "copy.bin"]).ok();
    // What is on disk is learned there, before anything passes.
    let blocked = there("git", &["commit", "-q", "-m", "copy"]);
    assert_eq!(blocked.code, 1, "{}", blocked.stderr);
    assert!(blocked.stderr.contains("% of secrets/data.txt"), "{}", blocked.stderr);
    assert!(blocked.stderr.contains("another user or HOME"), "{}", blocked.stderr);
    for args in [
        &["status"][..],
        &["scan", "--worktree"],
        &["gc"],
        &["status", "--doctor"],
    ] {
        there(GIT_PACK, args);
    }
    // The memory of home is untouched.
    assert!(tables(&repo).iter().any(|table| fs::read(table).unwrap() == at_home));
    for (path, seed) in [("copy.bin", 7), ("other.bin", 8)] {
        assert_eq!(stage(&repo, path, noise(seed, 100_000)).code, 1, "{path}");
    }
    // Without a home there is no memory, and that is said.
    let mut command = repo.place.command(GIT_PACK, &repo.root);
    let done = Done::from(command.env_remove("HOME").arg("scan").output().unwrap());
    assert!(done.stderr.contains("another user or HOME"), "{}", done.stderr);
}

/// No gain: `gc` forgets exactly the content that nothing protects any more.
#[test]
fn what_nothing_protects_is_forgotten() {
    let content = noise(7, 100_000);
    let repo = protecting(&content);
    repo.pack(&["gc"]).ok();
    assert_eq!(stage(&repo, "copy", &content).code, 1);
    repo.git(&["rm", "-q", "secrets/data.txt.age"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
    let done = repo.pack(&["gc"]).ok();
    assert!(done.stderr.contains("forgot 1 file"), "{}{}", done.out(), done.stderr);
    assert_eq!(stage(&repo, "copy", &content).code, 0);
    assert!(!repo.pack(&["status"]).shown().out().contains("by content"));
}

/// Gain: plaintext passes behind the header of an age file.
#[test]
fn the_header_of_an_age_file_hides_nothing() {
    let content = noise(7, 300_000);
    let repo = protecting(&content);
    let sealed = fs::read(repo.path("secrets/data.txt.age")).unwrap();
    let end = b"\n--- ";
    let mac = sealed.windows(end.len()).position(|at| at == end).unwrap();
    let line = sealed[mac + 1..].iter().position(|byte| *byte == b'\n').unwrap();
    let header = &sealed[..mac + 2 + line];
    let dressed = [header, &noise(1, 16), &content].concat();
    assert!(found(&repo, "notes.age", &dressed) > 90);
    assert!(found(&repo, "notes.bin", &dressed) > 90);
}

/// Gain: a clone that checks out an old branch forgets what other branches protect.
#[test]
fn what_another_branch_protects_is_remembered() {
    let content = noise(7, 100_000);
    let repo = protecting(&content);
    repo.git(&["branch", "protected"]).ok();
    repo.git(&["rm", "-q", "secrets/data.txt.age"]).ok();
    repo.git(&["commit", "-q", "-m", "gone"]).ok();
    repo.pack(&["gc"]).ok();
    repo.git(&["checkout", "-q", "protected"]).ok();
    assert_eq!(found(&repo, "copy", &content), 100);
}

/// Gain: the plaintext counts as public because a commit holds it that was never pushed.
#[test]
fn what_only_a_local_branch_has_is_not_public() {
    let content = noise(7, 300_000);
    let repo = Repo::set_up();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    repo.write("notes.bin", &content);
    repo.commit("not pushed");
    repo.write("secrets/data.txt", &content);
    repo.pack(&["protect", "secrets/data.txt"]).ok();
    assert_eq!(found(&repo, "copy.bin", &content), 100);
}
