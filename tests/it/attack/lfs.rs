//! Git LFS pointers under innocent names. A push of a pointer publishes its object.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use sha2::{Digest, Sha256};

use crate::attack::layers::samples;
use crate::common::{Place, Repo, write};

fn content(name: &str) -> Vec<u8> {
    let path = samples(name.split_once('/').unwrap().0)
        .into_iter()
        .find(|path| path.ends_with(name));
    fs::read(path.unwrap()).unwrap()
}

fn hash(content: &[u8]) -> String {
    Sha256::digest(content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Commits a pointer to `content` under an innocent name, and returns the path at which its object belongs.
fn point(repo: &Repo, content: &[u8]) -> PathBuf {
    let oid = hash(content);
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {}\n",
        content.len()
    );
    repo.write("assets/logo.png", pointer);
    repo.git(&["add", "-f", "assets"]).ok();
    repo.path(&format!(".git/lfs/objects/{}/{}/{oid}", &oid[..2], &oid[2..4]))
}

/// Scans the index; returns the exit status, the codes of findings and notices, and the detail of the first finding.
fn scan(repo: &Repo) -> (i32, Vec<String>, String) {
    let done = repo.pack(&["scan", "--json"]);
    let report: serde_json::Value = serde_json::from_slice(&done.stdout).unwrap();
    let list = |name: &str| report[name].as_array().unwrap().clone();
    let codes = [list("findings"), list("notices")].concat();
    let codes = codes.iter().map(|found| found["code"].as_str().unwrap().to_owned());
    let detail = report["findings"][0]["detail"].as_str().unwrap_or_default().to_owned();
    (done.code, codes.collect(), detail)
}

/// Gain: weights go to the LFS server under the name of a picture.
#[test]
fn the_object_of_a_pointer_is_judged() {
    let repo = Repo::set_up();
    let weights = content("safetensors/two_tensors");
    write(&point(&repo, &weights), &weights);
    let expected = |detail: &str| (1, vec!["LFS_POINTER".to_owned()], detail.to_owned());
    assert_eq!(scan(&repo), expected("in its Git LFS object"));
    let commit = repo.git(&["commit", "-q", "-m", "x"]);
    assert!(
        commit.code == 1 && commit.stderr.contains("LFS would publish the plaintext"),
        "{}",
        commit.stderr
    );
    // The object may be compressed, may be a key, and counts for a scan of the work tree, too.
    let packed = content("layers/gzip/faiss/index.gz");
    write(&point(&repo, &packed), &packed);
    assert_eq!(scan(&repo), expected("in its Git LFS object, in a gzip"));
    let key = content("private-key/pem_rsa");
    write(&point(&repo, &key), &key);
    assert_eq!(scan(&repo), expected("in its Git LFS object"));
    assert_eq!(repo.pack(&["scan", "--worktree"]).code, 1);
    // An ordinary object passes without a notice.
    write(&point(&repo, b"a picture"), b"a picture");
    assert_eq!(scan(&repo), (0, Vec::new(), String::new()));
}

/// Gain: a pointer whose object is absent or replaced counts as examined.
#[test]
fn a_pointer_whose_object_cannot_be_judged_is_told() {
    let repo = Repo::set_up();
    let weights = content("safetensors/two_tensors");
    let in_part = || (0, vec!["EXAMINED_IN_PART".to_owned()], String::new());
    let object = point(&repo, &weights);
    assert_eq!(scan(&repo), in_part());
    // The path of the object may hold other content, a link, a pipe or a directory. None of these is the object, and
    // the guard must not wait for a writer of the pipe.
    write(&object, b"something else");
    assert_eq!(scan(&repo), in_part());
    fs::remove_file(&object).unwrap();
    repo.write("outside", &weights);
    symlink(repo.path("outside"), &object).unwrap();
    assert_eq!(scan(&repo), in_part());
    fs::remove_file(&object).unwrap();
    repo.place.run(&repo.root, "mkfifo", &[object.to_str().unwrap()]).ok();
    assert_eq!(scan(&repo), in_part());
    fs::remove_file(&object).unwrap();
    fs::create_dir(&object).unwrap();
    assert_eq!(scan(&repo), in_part());
    // Links in place of parent directories are not followed either.
    fs::remove_dir(&object).unwrap();
    let directory = object.parent().unwrap();
    fs::remove_dir(directory).unwrap();
    let elsewhere = Place::new();
    write(&elsewhere.path().join(object.file_name().unwrap()), &weights);
    symlink(elsewhere.path(), directory).unwrap();
    assert_eq!(scan(&repo), in_part());
}

/// Gain: objects in a configured storage directory are published without a check.
#[test]
fn objects_are_found_where_the_configuration_keeps_them() {
    let repo = Repo::set_up();
    let weights = content("safetensors/two_tensors");
    let object = point(&repo, &weights);
    let below = object.strip_prefix(repo.path(".git/lfs")).unwrap().to_owned();
    for (storage, place) in [
        ("elsewhere", repo.path(".git/elsewhere")),
        ("~/lfs", repo.place.home().join("lfs")),
    ] {
        repo.git(&["config", "lfs.storage", storage]).ok();
        assert_eq!(scan(&repo).0, 0);
        write(&place.join(&below), &weights);
        assert_eq!(scan(&repo).1, ["LFS_POINTER"], "{storage}");
    }
}

/// Gain: a pointer that Git LFS accepts in an unusual spelling publishes its object without a check.
#[test]
fn a_pointer_may_be_written_as_git_lfs_reads_it() {
    let repo = Repo::set_up();
    let weights = content("safetensors/two_tensors");
    write(&point(&repo, &weights), &weights);
    let (oid, size) = (hash(&weights), weights.len());
    let version = "version https://git-lfs.github.com/spec/v1";
    for pointer in [
        format!("\n \n{version}\noid sha256:{oid}\nsize {size}\n"),
        format!("{version}\n\noid sha256:{oid}\n\nsize {size}\n\n"),
        format!("{version}\noid sha256:{oid}\nsize +{size}\n"),
    ] {
        repo.write("assets/logo.png", &pointer);
        repo.git(&["add", "-f", "assets"]).ok();
        let (code, codes, _) = scan(&repo);
        assert_eq!((code, codes), (1, vec!["LFS_POINTER".to_owned()]), "{pointer}");
    }
}
