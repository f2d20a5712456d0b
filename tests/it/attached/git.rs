//! Attached files at git remotes.

use std::fs;

use super::{Signed, contents};
use crate::common::packs::copy_tree;

/// Makes a repository `repo` and a bare one `server.git` beside it, its remote `origin`.
fn remote(signed: &Signed) {
    let git = |args: &[&str]| signed.place.run(signed.place.path(), "git", args).ok();
    git(&["init", "-q", "-b", "main", "repo"]);
    git(&["init", "-q", "--bare", "-b", "main", "server.git"]);
    git(&["-C", "repo", "remote", "add", "origin", "../server.git"]);
}

fn in_repo(signed: &Signed, args: &[&str]) -> crate::common::Done {
    signed.place.pack_in(&signed.path("repo"), args)
}

fn refs(signed: &Signed) -> Vec<String> {
    let args = ["-C", "server.git", "for-each-ref", "--format=%(objecttype) %(refname)"];
    let done = signed.place.run(signed.place.path(), "git", &args).ok();
    done.out().lines().map(str::to_owned).collect()
}

#[test]
fn a_git_remote_has_a_ref_for_each_attached_file() {
    let signed = Signed::with_three();
    remote(&signed);
    let done = in_repo(&signed, &["push", "../pack", "git:origin"]).ok();
    assert!(done.stderr.contains("3 files attached, 3 sent"), "{}", done.stderr);
    let above = format!("blob refs/gitpack/attestations/{}/", signed.hex());
    assert_eq!(refs(&signed).iter().filter(|name| name.starts_with(&above)).count(), 3);
    let done = in_repo(&signed, &["push", "../pack", "git:origin"]).ok();
    assert!(done.stderr.contains("3 files attached, 0 sent"), "{}", done.stderr);
    // A clone that has nothing of it yet.
    let git = |args: &[&str]| signed.place.run(signed.place.path(), "git", args).ok();
    git(&["init", "-q", "other"]);
    let other = signed.path("other");
    let url = format!("git:{}", signed.path("server.git").display());
    signed
        .place
        .pack_in(&other, &["pull", &signed.id, "--from", &url, "-o", "../back"])
        .ok();
    assert_eq!(contents(&signed.beside("back")), contents(&signed.beside("pack")));
    let list = signed.place.pack_in(&other, &["list", &url]).ok().out();
    assert!(list.contains("2 signatures, 1 attestation"), "{list}");
}

#[test]
fn only_the_files_of_the_wanted_pack_are_fetched_from_a_git_remote() {
    let signed = Signed::with_three();
    remote(&signed);
    in_repo(&signed, &["push", "../pack", "git:origin"]).ok();
    let git = |args: &[&str]| signed.place.run(signed.place.path(), "git", args).ok();
    // Beside it: a file of another pack, a name that is not one of ours, another content, and a tree.
    let server = |args: &[&str]| git(&[&["-C", "server.git"], args].concat()).out().trim().to_owned();
    fs::write(signed.path("foreign"), "a file of another pack").unwrap();
    let foreign = server(&["hash-object", "-w", "../foreign"]);
    let own = format!("refs/gitpack/attestations/{}", signed.hex());
    let other = format!("refs/gitpack/attestations/{}", "ab".repeat(32));
    let tree = server(&["rev-parse", &format!("refs/gitpack/packs/{}", signed.hex())]);
    for (name, object) in [
        (format!("{other}/{}.sig", "cd".repeat(32)), &foreign),
        (format!("{own}/README"), &foreign),
        (format!("{own}/{}.sig", "cd".repeat(32)), &foreign),
        (format!("{own}/{}.sig", "ef".repeat(32)), &tree),
    ] {
        server(&["update-ref", &name, object]);
    }
    fs::write(signed.path("only"), "not fetched").unwrap();
    let unwanted = server(&["hash-object", "-w", "../only"]);
    server(&["update-ref", &format!("{other}/{}.sig", "00".repeat(32)), &unwanted]);
    git(&["init", "-q", "clone"]);
    let clone = signed.path("clone");
    let url = format!("git:{}", signed.path("server.git").display());
    let done = signed
        .place
        .pack_in(&clone, &["pull", &signed.id, "--from", &url, "-o", "../back"])
        .ok();
    assert_eq!(done.stderr.matches("not fetched: ").count(), 2, "{}", done.stderr);
    assert_eq!(contents(&signed.beside("back")), contents(&signed.beside("pack")));
    let has = signed.place.run(&clone, "git", &["cat-file", "-e", &unwanted]);
    assert_ne!(has.code, 0);
}

#[test]
fn many_signers_at_once_all_arrive() {
    let signed = Signed::new();
    remote(&signed);
    in_repo(&signed, &["push", "../pack", "git:origin"]).ok();
    for n in 0..16 {
        let pack = format!("pack-{n}");
        copy_tree(&signed.path("pack"), &signed.path(&pack));
        // Two of them sign alike.
        signed.attach(&pack, ".sig", &format!("signer {}", n.max(1)));
    }
    std::thread::scope(|scope| {
        for n in 0..16 {
            let signed = &signed;
            scope.spawn(move || {
                in_repo(signed, &["push", &format!("../pack-{n}"), "git:origin"]).ok();
            });
        }
    });
    let above = format!("blob refs/gitpack/attestations/{}/", signed.hex());
    assert_eq!(refs(&signed).iter().filter(|name| name.starts_with(&above)).count(), 15);
}

/// Gain: plaintext reaches a server under the name of a signature.
#[test]
fn the_guards_of_both_sides_judge_what_is_attached() {
    let repo = crate::sharing_git::world("sha1");
    let place = repo.place.path();
    repo.place
        .pack_in(&place.join("server.git"), &["init", "--server"])
        .ok();
    let (id, _) = repo.seal(&["-o", "../pack"]);
    let hex = id.strip_prefix("sha256:").unwrap();
    let signature = place.join(format!("pack.attestations/{hex}.sig"));
    let key = place.join("key");
    let key = key.to_str().unwrap();
    repo.place
        .run(place, "ssh-keygen", &["-q", "-t", "ed25519", "-N", "", "-f", key])
        .ok();
    repo.pack(&["sign", "../pack", "--key", key]).ok();
    repo.pack(&["push", "../pack", "git:origin"]).ok();
    let refs = || {
        let args = ["for-each-ref", "--format=%(refname)"];
        repo.place.run(&place.join("server.git"), "git", &args).ok().out()
    };
    let before = refs();
    assert_eq!(before.lines().count(), 2, "{before}");
    crate::common::write(&signature, crate::guard::bytes::gguf());
    let done = repo.pack(&["push", "../pack", "git:origin"]).ok();
    assert!(done.stderr.contains("not sent: "), "{}", done.stderr);
    assert_eq!(refs(), before);
    let blob = repo.git(&["hash-object", "-w", signature.to_str().unwrap()]).ok().out();
    let leak = format!(
        "{}:refs/gitpack/attestations/{hex}/{}.sig",
        blob.trim(),
        "ab".repeat(32)
    );
    let pushed = repo.git(&["push", "--no-verify", "origin", &leak]);
    assert_eq!(pushed.code, 1, "{}", pushed.stderr);
    assert_eq!(refs(), before);
}
