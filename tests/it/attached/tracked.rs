//! What is attached to a pack that a commit has.

use gitpack::adapters::git::pack_tree::PackTree;
use gitpack::adapters::git::{Repository, Surroundings};
use gitpack::format::digest::Digest;
use gitpack::ops::pack::source::Source;

use crate::common::Repo;

#[test]
fn the_directory_beside_a_tracked_pack_is_read_from_the_same_commit() {
    let repo = Repo::set_up();
    repo.write("r.json", "{}\n");
    repo.pack(&["seal", "r.json", "-o", "evidence/one"]).ok();
    let manifest = std::fs::read_to_string(repo.path("evidence/one/manifest.json")).unwrap();
    let manifest: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    let id = Digest::parse_ref(manifest["pack_id"].as_str().unwrap()).unwrap();
    let beside = |name: &str| format!("evidence/one.attestations/{name}");
    let signature = |n: u32| beside(&format!("{}.{n}.sig", id.hex()));
    repo.write(&beside(&format!("{}.sig", id.hex())), "one");
    repo.write(&signature(2), "two");
    repo.write(&signature(3), vec![b'x'; (1 << 20) + 1]);
    repo.write(&beside("README"), "x");
    repo.write(&beside(&format!("{}.sig", "ab".repeat(32))), "of another pack");
    std::os::unix::fs::symlink("/etc/passwd", repo.path(&signature(4))).unwrap();
    repo.commit("signed");
    // The work tree does not count.
    repo.write(&signature(5), "five");
    std::fs::remove_file(repo.path(&signature(2))).unwrap();
    let opened = Repository::discover(&repo.root, &Surroundings::default()).unwrap();
    let top = opened.commit("HEAD").unwrap().tree;
    let path = b"evidence/one";
    let (_, tree) = opened.directories_in_tree(&top, [&path[..]]).unwrap().remove(0);
    let source = |path: &[u8]| {
        let tree = PackTree::of(&opened, &tree).unwrap().at(top, path);
        Source::Tree(tree, "evidence/one".into())
    };
    let found = source(path).attached(&id).unwrap();
    let contents: Vec<&[u8]> = found.files.iter().map(|file| &file.bytes[..]).collect();
    assert_eq!(contents, [b"one", b"two"]);
    assert_eq!(found.strange.len(), 4, "{:?}", found.strange);
    for elsewhere in ["", "evidence", "evidence/two"] {
        let found = source(elsewhere.as_bytes()).attached(&id).unwrap();
        assert_eq!((found.files.len(), found.strange.len()), (0, 0), "{elsewhere}");
    }
}

/// The directory beside a pack of `_PACK_RUN` is not a pack and not a run.
#[test]
fn other_commands_pass_over_the_directory_beside_a_pack() {
    let repo = Repo::set_up();
    let (id, pack) = repo.seal(&[]);
    let hex = id.strip_prefix("sha256:").unwrap();
    let name = pack.file_name().unwrap().to_str().unwrap();
    let signature = pack
        .with_file_name(format!("{name}.attestations"))
        .join(format!("{hex}.sig"));
    let key = repo.place.path().join("key");
    let args = ["-q", "-t", "ed25519", "-N", "", "-f", key.to_str().unwrap()];
    repo.place.run(repo.place.path(), "ssh-keygen", &args).ok();
    repo.pack(&["sign", pack.to_str().unwrap(), "--key", key.to_str().unwrap()])
        .ok();
    let signed = std::fs::read(&signature).unwrap();
    for args in [
        &["verify", pack.to_str().unwrap(), "--rev", "HEAD"][..],
        &["status"],
        &["list"],
        &["gc"],
        &["scan", "--worktree"],
        &["witness", "query"],
        &["push", pack.to_str().unwrap(), "git:../server.git"],
    ] {
        if args[0] == "push" {
            let bare = ["init", "-q", "--bare", "../server.git"];
            repo.git(&bare).ok();
        }
        let done = repo.pack(args);
        assert_eq!(done.code, 0, "{args:?}: {}{}", done.out(), done.stderr);
        let lists = done.out().matches("llm-pack-").count();
        assert!(!done.out().contains(".attestations"), "{args:?}: {}", done.out());
        assert!(args[0] != "list" || lists == 1, "{}", done.out());
    }
    // The same state is sealed again, into the same directory.
    repo.write("other.txt", "other\n");
    repo.commit("second");
    repo.seal(&[]);
    assert_eq!(std::fs::read(&signature).unwrap(), signed);
    repo.git(&["push", "-q", "../server.git", "main"]).ok();
}
