//! Secrets appear nowhere: no part of a protected plaintext, and no hash of one, outside of the clone's receipts.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Instant;

use crate::common;
use crate::common::{GIT_PACK, Repo, noise, snapshot};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use gitpack::format::digest::Digest;
use gitpack::format::object_id::{ObjectHasher, ObjectId};

/// The 16-byte blocks of a plaintext at multiples of 16. Any 32 consecutive bytes contain one of them whole.
struct Runs {
    blocks: HashSet<[u8; 16]>,
    /// Indexed by the first eight bytes of a block: whether any block begins so. Quick to ask, so it is asked first.
    likely: Vec<bool>,
}

fn index(block: &[u8]) -> usize {
    let start = u64::from_le_bytes(block[..8].try_into().unwrap());
    (start.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 42) as usize
}

impl Runs {
    fn of(plaintexts: &[&[u8]]) -> Self {
        let blocks: HashSet<[u8; 16]> = plaintexts
            .iter()
            .flat_map(|plain| plain.chunks_exact(16))
            .map(|block| block.try_into().unwrap())
            .collect();
        let mut likely = vec![false; 1 << 22];
        for block in &blocks {
            likely[index(block)] = true;
        }
        Self { blocks, likely }
    }

    fn are_in(&self, bytes: &[u8]) -> bool {
        bytes
            .windows(16)
            .any(|window| self.likely[index(window)] && self.blocks.contains(window))
    }
}

/// Returns every hash of a plaintext, in every form in which it might be stored.
fn hashes(plain: &[u8]) -> Vec<Vec<u8>> {
    let sha256 = Digest::of(plain);
    let like = ObjectId::from_bytes(&[0; 20]).unwrap();
    let mut hasher = ObjectHasher::new(&like, "blob", plain.len() as u64);
    hasher.update(plain);
    let blob = hasher.finish();
    let blake3 = gitpack::format::witness::Blake3::of(plain);
    let mut forms = vec![
        sha256.hex().into_bytes(),
        sha256.as_bytes().to_vec(),
        STANDARD_NO_PAD.encode(sha256.as_bytes()).into_bytes(),
        blob.hex().into_bytes(),
        blob.as_bytes().to_vec(),
    ];
    forms.push(blake3.strip_prefix("blake3:").unwrap().as_bytes().to_vec());
    forms
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    memchr::memmem::find(bytes, needle).is_some()
}

/// Reads every file of the place except the plaintexts.
fn everything(place: &Path, plaintexts: &[PathBuf]) -> Vec<(PathBuf, Vec<u8>)> {
    let mut found: Vec<(PathBuf, Vec<u8>)> = snapshot(place)
        .into_iter()
        .map(|(path, _, bytes)| (path, bytes))
        .collect();
    // `snapshot` skips the ledger, which matters here.
    let ledger = place.join("home/.epistemic");
    let lines = if ledger.exists() { snapshot(&ledger) } else { Vec::new() };
    for (path, _, bytes) in lines {
        found.push((Path::new("home/.epistemic").join(path), bytes));
    }
    found.retain(|(path, _)| !plaintexts.contains(&place.join(path)));
    found
}

struct Scene {
    repo: Repo,
    plaintexts: Vec<PathBuf>,
    runs: Runs,
    hashes: Vec<Vec<u8>>,
}

/// Makes a repository with untracked artifacts: protected by name, by content, of several chunks, and text.
fn scene(size: usize) -> Scene {
    let repo = Repo::set_up();
    fs::create_dir(repo.place.path().join("tmp")).unwrap();
    let mut faiss = fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/content/faiss/flat_ip")).unwrap();
    faiss.extend(noise(9, 4000));
    let notes: String = (0..2000)
        .map(|n| format!("a line that nobody else has written: {n:07}\n"))
        .collect();
    let plaintexts = vec![
        (repo.path("embeddings/index.vec"), noise(7, size)),
        (repo.path("assets/logo.bin"), faiss),
        (repo.path("proofs/PROOF_BUNDLE.json"), notes.into_bytes()),
    ];
    for (path, bytes) in &plaintexts {
        common::write(path, bytes);
    }
    let bytes: Vec<&[u8]> = plaintexts.iter().map(|(_, bytes)| bytes.as_slice()).collect();
    Scene {
        repo,
        runs: Runs::of(&bytes),
        hashes: bytes.iter().flat_map(|plain| hashes(plain)).collect(),
        plaintexts: plaintexts.into_iter().map(|(path, _)| path).collect(),
    }
}

const SEAL: [&str; 9] = [
    "seal",
    "--attach",
    "embeddings",
    "--attach",
    "assets/logo.bin",
    "--attach",
    "proofs",
    "-o",
    "../pack",
];

impl Scene {
    fn command(&self, args: &[&str]) -> std::process::Command {
        let mut command = self.repo.place.command(GIT_PACK, &self.repo.root);
        command.env("TMPDIR", self.repo.place.path().join("tmp")).args(args);
        command
    }

    fn assert_nothing_is_told(&self, when: &str) {
        for (path, bytes) in everything(self.repo.place.path(), &self.plaintexts) {
            assert!(!self.runs.are_in(&bytes), "{when}: plaintext in {}", path.display());
            let receipts = ["repo/.git/gitpack/seals", "repo/.git/gitpack/twins"];
            if receipts.iter().any(|receipts| path.starts_with(receipts)) {
                continue;
            }
            for hash in &self.hashes {
                assert!(
                    !holds(&bytes, hash),
                    "{when}: a hash of plaintext in {}",
                    path.display()
                );
            }
        }
    }
}

#[test]
fn a_hash_and_a_run_would_be_found() {
    let plain = noise(1, 100);
    let runs = Runs::of(&[&plain]);
    for at in 0..68 {
        assert!(runs.are_in(&[&[0; 5], &plain[at..at + 32]].concat()), "{at}");
    }
    assert!(!runs.are_in(&noise(2, 5000)));
    assert!(
        hashes(&plain)
            .iter()
            .all(|hash| holds(&[b"x", hash.as_slice()].concat(), hash))
    );
}

#[test]
fn no_plaintext_and_no_hash_of_one_is_told_by_anything_that_is_written() {
    let scene = scene(300_000);
    for extra in [
        &["--note", "n"][..],
        &["--replace", "--opaque-names", "--pad"],
        &["--replace", "--fresh"],
    ] {
        let done = scene.command(&[&SEAL[..], extra].concat()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let printed = [done.stdout, done.stderr].concat();
        fs::write(scene.repo.place.path().join("printed"), printed).unwrap();
        scene.assert_nothing_is_told(&format!("{extra:?}"));
    }
    let identity = scene.repo.identity();
    let identity = identity.to_str().unwrap();
    for args in [
        &["verify", "../pack", "--identity", identity][..],
        &["inspect", "../pack"],
        &["report", "../pack", "-o", "../page.html"],
        &["report", "--rev", "HEAD", "-o", "../commit.html"],
        &["status"],
        &["scan", "--worktree"],
        &["open", "../pack", "--output", "../opened"],
        &["open", "../pack", "proofs/PROOF_BUNDLE.json", "--stdout"],
        &["seal", "embeddings", "proofs/PROOF_BUNDLE.json", "-o", "../evidence"],
        // A refusal must not tell a secret either.
        &["open", "../pack", "--output", "../opened"],
        &["seal", "--attach", "assets", "-o", "../pack"],
    ] {
        let done = scene.command(args).output().unwrap();
        if args[0] == "open" {
            drop(fs::remove_dir_all(scene.repo.place.path().join("opened")));
        } else {
            fs::write(
                scene.repo.place.path().join("printed"),
                [done.stdout, done.stderr].concat(),
            )
            .unwrap();
        }
        scene.assert_nothing_is_told(&format!("{args:?}"));
    }
}

/// Kills seals at moments that are spread over the time that a whole one takes.
#[test]
fn a_kill_in_the_middle_of_sealing_tells_nothing() {
    const BYTES: usize = 4_000_000;
    let whole = {
        let elsewhere = scene(BYTES);
        let begun = Instant::now();
        elsewhere.repo.pack(&SEAL).ok();
        begun.elapsed()
    };
    let scene = scene(BYTES);
    let moments = if std::env::var_os("GITPACK_SOAK").is_some() {
        400
    } else {
        20
    };
    let mut killed = 0;
    for moment in 1..moments {
        let mut child = scene
            .command(&SEAL)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(whole * moment / moments);
        if child.try_wait().unwrap().is_none() {
            child.kill().unwrap();
            child.wait().unwrap();
            killed += 1;
        }
        scene.assert_nothing_is_told(&format!("killed at {moment} of {moments}"));
        drop(fs::remove_dir_all(scene.repo.place.path().join("pack")));
    }
    assert!(killed > 1, "nothing was killed in the middle");
    drop(fs::remove_dir_all(scene.repo.place.path().join("pack")));
    scene.repo.pack(&SEAL).ok();
    scene.assert_nothing_is_told("after all");
    let left: Vec<_> = fs::read_dir(scene.repo.place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".git-pack"))
        .collect();
    assert_eq!(left, [] as [&str; 0]);
}

#[test]
fn the_hash_of_a_tracked_protected_file_is_kept_with_the_receipts_alone() {
    let repo = Repo::set_up();
    let secret = noise(3, 5000);
    repo.write("old.vec", &secret);
    repo.git(&["add", "-f", "old.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "before the guard"])
        .ok();
    let hash = Digest::of(&secret);
    for _ in 0..2 {
        repo.pack(&["state"]).ok();
        repo.seal(&["--replace", "-o", "../pack"]);
        for (path, _, bytes) in snapshot(&repo.path(".git/gitpack")) {
            let told = holds(&bytes, hash.as_bytes()) || holds(&bytes, hash.hex().as_bytes());
            assert!(!told || path.starts_with("seals"), "{}", path.display());
        }
    }
    // The receipts hold the hash, so that the artifact need not be read each time.
    let kept = fs::read(repo.path(".git/gitpack/seals/digests")).unwrap();
    assert!(holds(&kept, hash.as_bytes()));
}
