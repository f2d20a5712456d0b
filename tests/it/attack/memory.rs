//! Records of a clone, written by an attacker who has write access but not the user's key.

use std::fs;

use gitpack::format::digest::Digest;
use gitpack::format::digest_table::DigestTable;
use gitpack::format::mac::MacKey;
use gitpack::format::object_id::ObjectId;
use gitpack::format::verdict_log::VerdictLog;

use crate::common::Repo;

/// Reads the user's key from the place where the program keeps it.
fn key(repo: &Repo) -> MacKey {
    let bytes = fs::read(repo.place.home().join(".local/state/git-pack/memory.key")).unwrap();
    MacKey::from_bytes(bytes.try_into().unwrap())
}

/// Builds a table that gives every blob of the repository a wrong digest.
fn forged(repo: &Repo, key: &MacKey) -> Vec<u8> {
    let listed = repo.git(&["ls-tree", "-r", "HEAD"]).ok().out();
    let records: Vec<(ObjectId, Digest, u64)> = listed
        .lines()
        .map(|line| {
            let id = line.split_whitespace().nth(2).unwrap();
            (ObjectId::parse(id).unwrap(), Digest::of(b"forged"), 6)
        })
        .collect();
    DigestTable::empty().with(&records, key)
}

/// Gain: `verify --rev` calls a pack equal to a commit that it does not hold.
#[test]
fn a_digest_table_of_somebody_else_proves_nothing() {
    let repo = Repo::set_up();
    repo.write("data", "true content\n");
    repo.commit("data");
    let honest = repo.pack(&["state", "--json"]).ok().out();
    let place = repo.path(".git/gitpack/digests");
    fs::write(&place, forged(&repo, &MacKey::from_bytes([1; 32]).derive("digests"))).unwrap();
    assert_eq!(repo.pack(&["state", "--json"]).ok().out(), honest);
    // Under the user's own key the same table is believed, so the test can fail.
    fs::write(&place, forged(&repo, &key(&repo).derive("digests"))).unwrap();
    assert_ne!(repo.pack(&["state", "--json"]).ok().out(), honest);
}

/// Gain: the same with the honest table changed in one byte, and every checksum without a key recomputed.
#[test]
fn no_byte_of_the_digest_table_can_be_changed() {
    let repo = Repo::set_up();
    repo.write("data", "true content\n");
    repo.commit("data");
    let honest = repo.pack(&["state", "--json"]).ok().out();
    let place = repo.path(".git/gitpack/digests");
    let table = fs::read(&place).unwrap();
    for at in (0..table.len()).step_by(5) {
        let mut changed = table.clone();
        changed[at] ^= 0x40;
        fs::write(&place, changed).unwrap();
        assert_eq!(repo.pack(&["state", "--json"]).ok().out(), honest, "byte {at}");
    }
}

/// Gain: a forged log calls a commit clean, and `scan --all` and the hooks skip a leak in history.
#[test]
fn a_verdict_log_of_somebody_else_clears_nothing() {
    let repo = Repo::set_up();
    for at in 0..70 {
        repo.write("text", format!("{at}\n"));
        repo.commit("more");
    }
    repo.write("leak.bin", "x");
    repo.pack(&["scan", "--all"]).ok();
    // The name of the log depends on the rules in force. The attacker overwrites the log that is there.
    repo.git(&["rm", "-q", "--cached", "leak.bin"]);
    repo.write("leak.vec", "leak\n");
    repo.git(&["add", "-f", "leak.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    let ids = |args: &[&str]| -> Vec<ObjectId> {
        let listed = repo.git(args).ok().out();
        listed.lines().map(|id| ObjectId::parse(id).unwrap()).collect()
    };
    let commits = ids(&["rev-list", "--all"]);
    let directory = repo.path(".git/gitpack/verdicts");
    let mut logs = 0;
    for entry in fs::read_dir(&directory).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none() {
            let purpose = format!("verdicts sha256:{}", path.file_name().unwrap().to_str().unwrap());
            let own = MacKey::from_bytes([1; 32]).derive(&purpose);
            fs::write(&path, VerdictLog::chunk(&own, &commits, &[])).unwrap();
            logs += 1;
        }
    }
    assert!(logs > 0);
    assert_eq!(repo.pack(&["scan", "--all"]).code, 1);
}

/// Gain: a sealed pack with exchanged files is published, because a forged note says that it was verified.
#[test]
fn a_note_that_a_pack_was_verified_counts_for_its_writer_only() {
    let repo = Repo::set_up();
    repo.place
        .run(&repo.root, "git", &["init", "-q", "--bare", "../remote.git"])
        .ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    let pack = repo.seal(&[]).1;
    repo.git(&["push", "-q", "--dry-run", "origin", "main"]).ok();
    let notes = repo.path(".git/gitpack/verified");
    let note = fs::read_dir(&notes).unwrap().next().unwrap().unwrap().path();
    let honest = fs::read(&note).unwrap();
    fs::write(pack.join("repo/README.md"), "forged\n").unwrap();
    assert_eq!(repo.git(&["push", "-q", "--dry-run", "origin", "main"]).code, 1);
    for forged in [honest, vec![0; 32], Vec::new()] {
        fs::write(&note, forged).unwrap();
        assert_eq!(repo.git(&["push", "-q", "--dry-run", "origin", "main"]).code, 1);
    }
}
