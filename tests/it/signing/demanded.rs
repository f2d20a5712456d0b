//! `[verify]` and `[guard] packs = "signed"` in `.gitpack.toml`: signatures that a commit demands.

use std::fs;

use crate::common::{Done, Repo};

const DEMAND: &str = "\n[verify]\nsignatures = 1\nsigners = \"allowed_signers\"\n\n[guard]\npacks = \"signed\"\n";

/// A repository with a key `alice` beside it, whose last commit demands signatures of hers.
pub(super) fn demanding() -> Repo {
    let repo = Repo::set_up();
    for name in ["alice", "mallory"] {
        let key = repo.place.path().join(name);
        repo.place
            .run(
                repo.place.path(),
                "ssh-keygen",
                &["-q", "-t", "ed25519", "-N", "", "-C", name, "-f", key.to_str().unwrap()],
            )
            .ok();
    }
    let public = fs::read_to_string(repo.place.path().join("alice.pub")).unwrap();
    repo.write("allowed_signers", format!("alice {public}"));
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config + DEMAND);
    repo.commit("demand signatures");
    repo
}

/// A server with the rules of the repository, which judges what it receives.
pub(super) fn server(repo: &Repo) {
    let bare = repo.place.path().join("server.git");
    repo.place
        .run(
            repo.place.path(),
            "git",
            &["clone", "-q", "--bare", repo.root.to_str().unwrap(), "server.git"],
        )
        .ok();
    repo.place.pack_in(&bare, &["init", "--server"]).ok();
    repo.git(&["remote", "add", "origin", "../server.git"]).ok();
    repo.git(&["fetch", "-q", "origin"]).ok();
}

/// Pushes without the hook of the clone, or with it.
fn pushes(repo: &Repo) -> [Done; 2] {
    [
        repo.git(&["push", "--no-verify", "origin", "HEAD:refs/heads/main"]),
        repo.git(&["push", "origin", "HEAD:refs/heads/main"]),
    ]
}

fn sealed_beside(repo: &Repo) -> String {
    repo.seal(&["README.md", "-o", "packs/run"]);
    "packs/run".into()
}

#[test]
fn a_commit_demands_signatures_of_its_packs() {
    let repo = demanding();
    let (_, pack) = repo.seal(&[]);
    let pack = pack.to_str().unwrap().to_owned();
    let verify = |rev: &str| repo.pack(&["verify", &pack, "--rev", rev]);
    let missing = verify("HEAD");
    assert_eq!(missing.code, 1, "{}", missing.stderr);
    assert!(missing.out().contains("SIGNATURE_MISSING"), "{}", missing.out());
    repo.pack(&["sign", &pack, "--key", "../mallory"]).ok();
    let unknown = verify("HEAD");
    assert!(unknown.out().contains("SIGNER_UNKNOWN"), "{}", unknown.out());
    repo.pack(&["sign", &pack, "--key", "../alice"]).ok();
    let done = verify("HEAD").ok();
    assert!(done.out().contains("signed by alice"), "{}", done.out());
    // What is in the work tree does not count.
    repo.write("allowed_signers", "");
    verify("HEAD").ok();
}

#[test]
fn only_signed_packs_are_pushed_and_received() {
    let repo = demanding();
    server(&repo);
    let pack = sealed_beside(&repo);
    repo.commit("an unsigned pack");
    for push in pushes(&repo) {
        assert_ne!(push.code, 0);
        assert!(push.stderr.contains("SIGNATURE_MISSING"), "{}", push.stderr);
    }
    // The push itself does not say whom to trust.
    let mallory = fs::read_to_string(repo.place.path().join("mallory.pub")).unwrap();
    repo.write("allowed_signers", format!("alice {mallory}"));
    repo.pack(&["sign", &pack, "--key", "../mallory"]).ok();
    repo.commit("signed by somebody else");
    for push in pushes(&repo) {
        assert_ne!(push.code, 0);
        assert!(push.stderr.contains("SIGNER_UNKNOWN"), "{}", push.stderr);
    }
    // It does not release itself from the demand either.
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config.replace("\"signed\"", "\"verified\""));
    repo.commit("no demand");
    for push in pushes(&repo) {
        assert_ne!(push.code, 0);
        assert!(push.stderr.contains("[guard] packs"), "{}", push.stderr);
    }
    repo.git(&["reset", "-q", "--hard", "HEAD~2"]).ok();
    repo.pack(&["sign", &pack, "--key", "../alice"]).ok();
    repo.commit("signed");
    let [push, _] = pushes(&repo);
    push.ok();
    // A signature does not go unnoticed.
    repo.git(&["rm", "-rq", "packs/run.attestations"]).ok();
    repo.git(&["commit", "-qm", "without the signature"]).ok();
    for push in pushes(&repo) {
        assert_ne!(push.code, 0);
        assert!(push.stderr.contains("SIGNATURE_MISSING"), "{}", push.stderr);
    }
}

#[test]
fn mistakes_in_the_demand_are_refused() {
    let repo = demanding();
    let (_, pack) = repo.seal(&[]);
    let pack = pack.to_str().unwrap();
    for (from, to) in [
        ("signers = \"allowed_signers\"", "signers = \"../allowed_signers\""),
        ("signatures = 1", "signatures = -1"),
        ("\"signed\"", "\"sealed\""),
        ("signers = \"allowed_signers\"", "signer = \"allowed_signers\""),
    ] {
        let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
        repo.write(".gitpack.toml", config.replace(from, to));
        let refused = repo.pack(&["status"]);
        assert!(
            refused.code == 2 && refused.stderr.contains(".gitpack.toml, line"),
            "{}",
            refused.stderr
        );
        repo.write(".gitpack.toml", config);
    }
    repo.git(&["rm", "-q", "allowed_signers"]).ok();
    repo.git(&["commit", "-qm", "no signers"]).ok();
    let refused = repo.pack(&["verify", pack, "--rev", "HEAD"]);
    assert_eq!(refused.code, 2, "{}", refused.stderr);
    assert!(
        refused.stderr.contains("allowed_signers") || refused.stderr.contains(".gitpack.toml"),
        "{}",
        refused.stderr
    );
}

pub(super) fn denied(push: Done, words: &str) {
    assert_ne!(push.code, 0, "{}", push.stderr);
    assert!(push.stderr.contains(words), "{words}: {}", push.stderr);
}

/// Pushes past the hook of the clone.
fn push(repo: &Repo, what: &str) -> Done {
    repo.git(&["push", "-f", "--no-verify", "origin", what])
}

/// Gain: a branch gets a pack that nobody signed, by commits that the server has already.
#[test]
fn a_pack_that_came_with_other_commits_is_judged_where_it_arrives() {
    let repo = demanding();
    server(&repo);
    sealed_beside(&repo);
    repo.commit("an unsigned pack");
    let unsigned = repo.rev("HEAD");
    repo.git(&["rm", "-rq", "packs"]).ok();
    repo.git(&["commit", "-qm", "without it"]).ok();
    // The tip has no pack.
    push(&repo, "HEAD:refs/heads/side").ok();
    for to in ["main", "side", "late"] {
        denied(push(&repo, &format!("{unsigned}:refs/heads/{to}")), "SIGNATURE_MISSING");
    }
    denied(push(&repo, &format!("{unsigned}:refs/tags/late")), "SIGNATURE_MISSING");
    // Through a merge.
    repo.git(&["checkout", "-q", "-b", "merging", "HEAD~2"]).ok();
    repo.git(&["merge", "-q", "--no-ff", "--no-verify", "-m", "merge", &unsigned])
        .ok();
    denied(push(&repo, "HEAD:refs/heads/main"), "SIGNATURE_MISSING");
}

/// Gain: a branch with weaker rules takes the pack first, and the main branch takes it from there.
#[test]
fn a_branch_with_weaker_rules_brings_nothing_into_the_main_branch() {
    let repo = demanding();
    server(&repo);
    repo.git(&["checkout", "-q", "-b", "side"]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    repo.write(".gitpack.toml", config.replace(DEMAND, ""));
    repo.commit("no demand");
    push(&repo, "side").ok();
    sealed_beside(&repo);
    repo.commit("an unsigned pack");
    push(&repo, "side").ok();
    // The whole branch, whose tip the server knows.
    denied(push(&repo, "side:refs/heads/main"), "SIGNATURE_MISSING");
    // The pack alone, with the rules of the main branch.
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.git(&["merge", "-q", "--no-ff", "--no-commit", "side"]).ok();
    repo.git(&["checkout", "-q", "HEAD", "--", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "merge"]).ok();
    denied(push(&repo, "main"), "SIGNATURE_MISSING");
}

/// Gain: a revoked key signs for a branch that is older than its revocation.
#[test]
fn a_revocation_holds_on_old_branches_too() {
    let repo = demanding();
    server(&repo);
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let revoking = DEMAND.replace("[verify]\n", "[verify]\nrevoked = \"revoked\"\n");
    repo.write(".gitpack.toml", config.replace(DEMAND, &revoking));
    repo.write("revoked", fs::read(repo.place.path().join("alice.pub")).unwrap());
    repo.commit("revoke");
    push(&repo, "main").ok();
    repo.git(&["checkout", "-q", "-b", "old", "HEAD~1"]).ok();
    push(&repo, "old").ok();
    let pack = sealed_beside(&repo);
    repo.pack(&["sign", &pack, "--key", "../alice"]).ok();
    repo.commit("signed by a revoked key");
    denied(push(&repo, "old"), "SIGNER_REVOKED");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.git(&["merge", "-q", "--no-verify", "-m", "merge", "old"]).ok();
    denied(push(&repo, "main"), "SIGNER_REVOKED");
}
