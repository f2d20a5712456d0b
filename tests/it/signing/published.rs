//! `[guard] packs = "signed"`, and packs at the refs of a git remote: what `git pack push` publishes there, and what others push.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use gitpack::format::digest::Digest;

use super::demanded::{demanding, denied, server};
use crate::common::{Done, Repo};

const PACKS: &str = "refs/gitpack/packs/";
const ATTACHED: &str = "refs/gitpack/attestations/";

/// A repository that demands signatures, its server, and packs beside both.
struct World {
    repo: Repo,
}

impl World {
    fn new() -> Self {
        let repo = demanding();
        server(&repo);
        Self { repo }
    }

    /// Seals a pack at `../<name>`. Returns its id in hex digits.
    fn seal(&self, name: &str) -> String {
        self.repo.write("file", format!("{name}\n"));
        let (id, _) = self.repo.seal(&["file", "-o", &format!("../{name}")]);
        id.strip_prefix("sha256:").unwrap().to_owned()
    }

    fn sign(&self, name: &str, key: &str) {
        self.repo
            .pack(&["sign", &format!("../{name}"), "--key", &format!("../{key}")])
            .ok();
    }

    fn push(&self, name: &str) -> Done {
        self.repo.pack(&["push", &format!("../{name}"), "git:origin"])
    }

    /// The bytes of the first signature beside a pack.
    fn signature(&self, name: &str, hex: &str) -> Vec<u8> {
        let path = format!("{name}.attestations/{hex}.sig");
        fs::read(self.repo.place.path().join(path)).unwrap()
    }

    /// Stores bytes as a blob of the clone.
    fn blob(&self, bytes: &[u8]) -> String {
        let path = self.repo.place.path().join("bytes");
        fs::write(&path, bytes).unwrap();
        let hashed = self.repo.git(&["hash-object", "-w", path.to_str().unwrap()]).ok();
        hashed.out().trim().to_owned()
    }

    /// Stores a pack as a tree of the clone, as `git pack push` does.
    fn tree(&self, name: &str) -> String {
        drop(fs::remove_file(self.repo.place.path().join("index")));
        let git = format!("GIT_INDEX_FILE=../index git --work-tree=../{name}");
        let script = format!("{git} add -A -f . && {git} write-tree");
        let written = self.repo.place.run(&self.repo.root, "sh", &["-c", &script]).ok();
        written.out().trim().to_owned()
    }

    fn server(&self, args: &[&str]) -> Done {
        self.repo
            .place
            .run(&self.repo.place.path().join("server.git"), "git", args)
    }

    /// The refs of packs and of attached files at the server.
    fn refs(&self) -> Vec<String> {
        let listed = self.server(&["for-each-ref", "--format=%(refname) %(objectname)", "refs/gitpack/"]);
        listed.ok().out().lines().map(str::to_owned).collect()
    }

    /// Pushes with git alone, past the hook of the clone.
    fn by_hand(&self, refs: &[&str]) -> Done {
        self.repo.git(&[&["push", "--no-verify", "origin"], refs].concat())
    }

    /// Asserts that the hook of the clone and that of the server deny a push, and nothing changes.
    #[track_caller]
    fn both_deny(&self, refs: &[&str], words: &str) {
        let before = self.refs();
        denied(self.repo.git(&[&["push", "origin"], refs].concat()), words);
        denied(self.by_hand(refs), words);
        assert_eq!(self.refs(), before, "{refs:?}");
    }

    #[track_caller]
    fn server_denies(&self, refs: &[&str], words: &str) {
        let before = self.refs();
        denied(self.by_hand(refs), words);
        assert_eq!(self.refs(), before, "{refs:?}");
    }

    /// Makes a hook of the server, which runs once for each ref.
    fn update_hook(&self, script: &str) {
        let hook = self.repo.place.path().join("server.git/hooks/update");
        fs::write(&hook, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
    }
}

/// The name of the ref of a signature.
fn ref_of(hex: &str, signature: &[u8]) -> String {
    format!("{ATTACHED}{hex}/{}.sig", Digest::of(signature).hex())
}

#[test]
fn only_a_signed_pack_is_published() {
    let world = World::new();
    let hex = world.seal("pack");
    let refused = world.push("pack").refused("E_TRANSPORT");
    assert!(refused.to_string().contains("SIGNATURE_MISSING"), "{refused}");
    let to = format!("{}:{PACKS}{hex}", world.tree("pack"));
    world.both_deny(&[&to], "SIGNATURE_MISSING");
    // Somebody whom the default branch does not name.
    world.sign("pack", "mallory");
    let refused = world.push("pack").refused("E_TRANSPORT");
    assert!(refused.to_string().contains("SIGNER_UNKNOWN"), "{refused}");
    // Without the hook of the clone, the reason comes from the server.
    let hook = world.repo.path(".git/hooks/pre-push");
    fs::rename(&hook, hook.with_extension("off")).unwrap();
    let refused = world.push("pack").refused("E_TRANSPORT");
    assert!(refused.to_string().contains("SIGNER_UNKNOWN"), "{refused}");
    fs::rename(hook.with_extension("off"), &hook).unwrap();
    assert!(world.refs().is_empty());
    world.sign("pack", "alice");
    let done = world.push("pack").ok();
    assert!(done.stderr.contains("2 files attached, 2 sent"), "{}", done.stderr);
    assert_eq!(world.refs().len(), 3);
    let verify = [
        "verify",
        &format!("git:origin#sha256:{hex}"),
        "--allowed-signers",
        "allowed_signers",
        "--signed-by",
        "alice",
    ];
    world.repo.pack(&verify).ok();
    let again = world.push("pack").ok();
    assert!(again.stderr.contains("2 files attached, 0 sent"), "{}", again.stderr);
}

/// Gain: a pack passes as signed by what is no signature of it, or by one that is not published.
#[test]
fn what_is_no_signature_of_the_pack_does_not_sign_it() {
    let world = World::new();
    let (hex, other) = (world.seal("pack"), world.seal("other"));
    world.sign("pack", "alice");
    world.sign("other", "alice");
    let good = world.signature("pack", &hex);
    let foreign = world.signature("other", &other);
    let pack = format!("{}:{PACKS}{hex}", world.tree("pack"));
    let with = |object: &str, name: &str| format!("{object}:{name}");
    let large = vec![b'\n'; (1 << 20) + 1];
    for bytes in [&b""[..], b"-----BEGIN SSH SIGNATURE-----\n", &foreign, &large] {
        let attached = with(&world.blob(bytes), &ref_of(&hex, bytes));
        world.both_deny(&[&pack, &attached], "SIGNATURE_INVALID");
        // Beside a good one, so that no reader gets it with the pack.
        let signed = with(&world.blob(&good), &ref_of(&hex, &good));
        world.both_deny(&[&pack, &attached, &signed], "SIGNATURE_INVALID");
    }
    let (good_blob, foreign_blob) = (world.blob(&good), world.blob(&foreign));
    for (object, name, words) in [
        // Attached to another pack, or under a name that no reader takes for one.
        (&good_blob, ref_of(&other, &good), "SIGNATURE_MISSING"),
        (&foreign_blob, ref_of(&other, &foreign), "SIGNATURE_MISSING"),
        (&good_blob, format!("{ATTACHED}{hex}/x.sig"), "SIGNATURE_MISSING"),
        (&good_blob, format!("refs/tags/{hex}.sig"), "SIGNATURE_MISSING"),
        // Not what the name says, and no file.
        (&good_blob, ref_of(&hex, b"other bytes"), "SIGNATURE_INVALID"),
        (&world.repo.rev("HEAD^{tree}"), ref_of(&hex, &good), "SIGNATURE_INVALID"),
    ] {
        world.both_deny(&[&pack, &with(object, &name)], words);
    }
    // A signature that is there already counts, unless the same push removes it.
    let signature = ref_of(&hex, &good);
    world.by_hand(&[&with(&good_blob, &signature)]).ok();
    world.server_denies(&[&pack, &format!(":{signature}")], "SIGNATURE_MISSING");
    world.server_denies(&[&pack, &format!("+{foreign_blob}:{signature}")], "SIGNATURE_INVALID");
    world.by_hand(&[&pack]).ok();
}

/// Gain: somebody who can push takes the signatures of a published pack away, or spoils it for those who verify it.
#[test]
fn a_published_pack_keeps_its_signatures() {
    let world = World::new();
    let hex = world.seal("pack");
    world.sign("pack", "alice");
    world.push("pack").ok();
    let alice = ref_of(&hex, &world.signature("pack", &hex));
    let before = world.refs();
    let garbage = world.blob(b"garbage");
    world.server_denies(&[&format!(":{alice}")], "SIGNATURE_MISSING");
    world.server_denies(&[&format!("+{garbage}:{alice}")], "SIGNATURE_INVALID");
    let added = format!("{garbage}:{}", ref_of(&hex, b"garbage"));
    world.server_denies(&[&added], "SIGNATURE_INVALID");
    // With a new rule that demands nothing, in the same push.
    let config = fs::read_to_string(world.repo.path(".gitpack.toml")).unwrap();
    world
        .repo
        .write(".gitpack.toml", config.replace("\"signed\"", "\"verified\""));
    world.repo.commit("no demand");
    world.server_denies(&["HEAD:refs/heads/main", &format!(":{alice}")], "SIGNATURE_MISSING");
    assert_eq!(world.refs(), before);
    // More signatures and attestations come later, whoever made them.
    world.sign("pack", "mallory");
    let attest = [
        "attest",
        "../pack",
        "--key",
        "../mallory",
        "--created",
        "2026-01-01T00:00:00Z",
    ];
    world.repo.pack(&attest).ok();
    let done = world.push("pack").ok();
    assert!(done.stderr.contains("3 files attached, 2 sent"), "{}", done.stderr);
    let after = world.refs();
    let name = |line: &String| line.split(' ').next().unwrap().to_owned();
    let new: Vec<String> = after.iter().filter(|line| !before.contains(line)).map(name).collect();
    assert_eq!(new.len(), 2);
    // These are not needed, and the last one goes with the pack.
    for name in &new {
        world.by_hand(&[&format!(":{name}")]).ok();
    }
    assert_eq!(world.refs(), before);
    world.by_hand(&[&format!(":{alice}"), &format!(":{PACKS}{hex}")]).ok();
    assert!(world.refs().is_empty());
}

#[test]
fn a_pack_that_was_published_before_the_demand_can_be_signed_later() {
    let world = World::new();
    let hex = world.seal("pack");
    let main = world.repo.rev("HEAD");
    world
        .server(&["update-ref", "refs/heads/main", &format!("{main}~1")])
        .ok();
    world.by_hand(&[&format!("{}:{PACKS}{hex}", world.tree("pack"))]).ok();
    world.server(&["update-ref", "refs/heads/main", &main]).ok();
    let garbage = format!("{}:{}", world.blob(b"garbage"), ref_of(&hex, b"garbage"));
    world.server_denies(&[&garbage], "SIGNATURE_INVALID");
    world.repo.pack(&["attest", "../pack", "--key", "../mallory"]).ok();
    let done = world.push("pack").ok();
    assert!(done.stderr.contains("1 file attached, 1 sent"), "{}", done.stderr);
    world.sign("pack", "alice");
    let done = world.push("pack").ok();
    assert!(done.stderr.contains("2 files attached, 1 sent"), "{}", done.stderr);
    let alice = ref_of(&hex, &world.signature("pack", &hex));
    world.server_denies(&[&format!(":{alice}")], "SIGNATURE_MISSING");
}

#[test]
fn a_push_that_ends_early_leaves_no_pack_without_its_signatures() {
    // A server that changes refs together, and one that changes one after the other.
    for atomic in ["true", "false"] {
        let world = World::new();
        world.server(&["config", "receive.advertiseAtomic", atomic]).ok();
        let hex = world.seal("pack");
        let refused = world.push("pack").refused("E_TRANSPORT");
        assert!(refused.to_string().contains("SIGNATURE_MISSING"), "{refused}");
        world.sign("pack", "alice");
        world.repo.pack(&["attest", "../pack", "--key", "../alice"]).ok();
        for script in ["exit 1", "kill -9 $PPID"] {
            world.update_hook(&format!("case $1 in {PACKS}*) {script} ;; esac"));
            world.push("pack").refused("E_TRANSPORT");
            let left = world.refs();
            assert!(
                !left.iter().any(|line| line.starts_with(PACKS)),
                "{atomic} {script}: {left:?}"
            );
            assert_eq!(left.is_empty(), atomic == "true", "{atomic} {script}: {left:?}");
        }
        if atomic == "true" {
            world.update_hook("case $1 in *.sig) exit 1 ;; esac");
            world.push("pack").refused("E_TRANSPORT");
            assert!(world.refs().is_empty());
        }
        fs::remove_file(world.repo.place.path().join("server.git/hooks/update")).unwrap();
        // What came already is not pushed again, and counts for the hook of the clone.
        world.push("pack").ok();
        assert_eq!(world.refs().len(), 3, "{atomic}");
        let source = format!("git:origin#sha256:{hex}");
        let demand = ["--allowed-signers", "allowed_signers", "--signed-by", "alice"];
        world.repo.pack(&[&["verify", &source], &demand[..]].concat()).ok();
    }
}

/// Gain: an unsigned pack is published whose manifest names its format in another spelling, which readers accept.
#[test]
fn a_pack_is_one_in_every_spelling_of_its_format() {
    let world = World::new();
    let hex = world.seal("pack");
    let manifest = world.repo.place.path().join("pack/manifest.json");
    let text = fs::read_to_string(&manifest).unwrap();
    let spelled = text.replace("\"pack.v0\"", "\"\\u0070ack\\u002ev0\"");
    assert_ne!(text, spelled);
    fs::write(&manifest, spelled).unwrap();
    world.repo.pack(&["verify", "../pack"]).ok();
    world.both_deny(&[&format!("{}:{PACKS}{hex}", world.tree("pack"))], "SIGNATURE_MISSING");
    world
        .repo
        .place
        .run(world.repo.place.path(), "cp", &["-r", "pack", "repo/pack"])
        .ok();
    world.repo.commit("the same in a commit");
    denied(world.by_hand(&["HEAD:refs/heads/side"]), "SIGNATURE_MISSING");
}
