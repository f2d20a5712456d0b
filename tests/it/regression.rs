//! Bugs that a tester found with only the binary and its promises. Each test is named after what the program did.

use std::fs;

use crate::common;
use crate::common::packs::{codes, copy_tree, document, recompute, redeclare_as_found, sample};
use crate::common::{Place, Repo, age, noise, snapshot};

fn recipient(repo: &Repo) -> String {
    repo.pack(&["key", "public"]).ok().out().trim().to_owned()
}

/// Makes a repository with a tracked protected file, and its pack at `../pack`.
fn tracked(flags: &[&str]) -> Repo {
    let repo = Repo::set_up();
    repo.write("src/big.vec", noise(1, 3000));
    repo.write("src/other.vec", noise(2, 3000));
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    repo.seal(&[&["-o", "../pack"], flags].concat());
    repo
}

#[test]
fn saying_how_to_seal_where_nothing_is_sealed_left_the_plaintext_in_the_clear() {
    let place = Place::new();
    common::write(&place.path().join("secret.vec"), noise(1, 500));
    for flags in [
        &["-r", "age1tqvdva9nkd3yhnvq8pner6rqxrpl3cacals3teugqvh926d0hvsshrzsa0"][..],
        &["--pad"],
        &["--opaque-names"],
        &["--mode", "internal"],
        &["--fresh"],
    ] {
        let args = [&["seal", "secret.vec", "-o", "out"], flags].concat();
        place.pack_in(place.path(), &args).refused("E_USAGE");
        assert!(!place.path().join("out").exists(), "{flags:?}");
    }
}

#[test]
fn an_artifact_of_a_governed_repository_was_copied_from_outside_of_it() {
    let repo = Repo::set_up();
    repo.write("secret.vec", noise(1, 500));
    let value = repo
        .place
        .pack_in(repo.place.path(), &["seal", "repo/secret.vec", "-o", "out"])
        .refused("E_USAGE");
    assert!(
        value["refusal"]["message"]
            .as_str()
            .unwrap()
            .contains("repo/secret.vec")
    );
    assert!(!repo.place.path().join("out").exists());
}

#[test]
fn a_tree_pack_cut_down_to_its_state_passed_as_evidence_of_the_commit() {
    let repo = tracked(&[]);
    let (pack, cut) = (repo.place.path().join("pack"), repo.place.path().join("cut"));
    fs::create_dir_all(cut.join("meta")).unwrap();
    fs::copy(pack.join("meta/REPO_STATE.json"), cut.join("meta/REPO_STATE.json")).unwrap();
    fs::copy(pack.join("manifest.json"), cut.join("manifest.json")).unwrap();
    common::write(&cut.join("src/big.vec"), "my secret vectors");
    recompute(&cut);
    let missing: Vec<String> = codes(&cut).into_iter().map(|(path, _)| path).collect();
    assert_eq!(missing, ["SEALED_ARTIFACTS.json", "meta/PROTECTED.json"]);
    assert_eq!(repo.pack(&["verify", "../cut", "--rev", "HEAD"]).code, 1);
}

/// In a pack without names, the seal of an attached artifact must not make up for the missing seal of a tracked one.
#[test]
fn seals_dropped_from_a_pack_without_names_were_made_up_for_by_attached_ones() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, 300));
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    repo.write("loose.txt", "attached, and of no class");
    repo.seal(&["--attach", "loose.txt", "--opaque-names", "-o", "../pack"]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
    let pack = repo.place.path().join("pack");
    let declared = document(&pack, "SEALED_ARTIFACTS.json");
    let vector = declared["artifacts"].as_array().unwrap().iter();
    let vector = vector.clone().find(|artifact| artifact["class"] == "vector").unwrap();
    fs::remove_file(pack.join(vector["sealed_path"].as_str().unwrap())).unwrap();
    redeclare_as_found(&pack);
    recompute(&pack);
    assert_eq!(codes(&pack), []);
    let done = repo.pack(&["verify", "../pack", "--rev", "HEAD"]);
    assert_eq!(done.code, 1, "{}", done.out());
    assert!(done.out().contains("SEAL_MISSING"), "{}", done.out());
}

/// A file counts as encrypted only if its header has a recipient and its payload holds no readable key. Otherwise the
/// guard lets it pass and packs hold it in the clear.
#[test]
fn a_header_for_nobody_and_a_key_behind_a_real_seal_passed_for_encrypted() {
    let repo = Repo::set_up();
    let key = sample("private-key/age_identity");
    let header = format!("age-encryption.org/v1\n-> X-grease AAA\n\n--- {}\n", "A".repeat(43));
    let for_nobody = [header.as_bytes(), &[b'x'; 16], &noise(1, 200)].concat();
    repo.write("plain", "x");
    let to = recipient(&repo);
    let (sealed, plain) = (repo.path("sealed"), repo.path("plain"));
    let args = ["-r", &to, "-o", sealed.to_str().unwrap(), plain.to_str().unwrap()];
    repo.place.run(&repo.root, &age(), &args).ok();
    let with_key = [fs::read(&sealed).unwrap(), key].concat();
    for (name, content) in [("weights.gguf", for_nobody), ("app.age", with_key)] {
        repo.write(name, &content);
        repo.git(&["add", "-f", name]).ok();
        let done = repo.pack(&["scan"]);
        assert_eq!(done.code, 1, "{name}: {}", done.out());
        repo.git(&["commit", "-q", "--no-verify", "-m", name]).ok();
        repo.seal(&["--replace", "-o", "../pack"]);
        let sealed = document(&repo.place.path().join("pack"), "SEALED_ARTIFACTS.json");
        let paths = sealed["artifacts"].as_array().unwrap().iter();
        assert!(
            paths.map(|artifact| &artifact["path"]).any(|path| path == name),
            "{name}"
        );
    }
}

/// The third pack must be sealed anew: the ciphertext of the reused pack cannot be opened with the new key, although
/// its recipients are of the same kinds.
#[test]
fn a_reused_seal_was_recorded_for_recipients_that_it_is_not_for() {
    let repo = Repo::set_up();
    repo.write("a.vec", noise(1, 500));
    let key = |name: &str| {
        let file = repo.place.path().join(name);
        let made = repo.pack(&["key", "generate", "-o", file.to_str().unwrap()]).ok();
        (file, made.out().trim().to_owned())
    };
    let ((_, old), (new_file, new)) = (key("old.txt"), key("new.txt"));
    let me = recipient(&repo);
    repo.seal(&["a.vec", "-r", &old, "-r", &me, "-o", "../one"]);
    fs::remove_dir_all(repo.path(".git/gitpack/seals")).unwrap();
    repo.seal(&["a.vec", "-r", &new, "-r", &me, "--reuse", "../one", "-o", "../two"]);
    repo.seal(&["a.vec", "-r", &new, "-r", &me, "-o", "../three"]);
    repo.pack(&["open", "../three", "-i", new_file.to_str().unwrap(), "-o", "../opened"])
        .ok();
}

/// Rekeying copies the payload without encrypting it again, so it must check that the payload is complete.
#[test]
fn rekeying_passed_on_a_damaged_payload_under_a_new_name() {
    let repo = Repo::set_up();
    repo.write("plain", noise(1, 100_000));
    let (to, plain, sealed) = (recipient(&repo), repo.path("plain"), repo.path("x.age"));
    let args = ["-r", &to, "-o", sealed.to_str().unwrap(), plain.to_str().unwrap()];
    repo.place.run(&repo.root, &age(), &args).ok();
    let whole = fs::read(&sealed).unwrap();
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    for damaged in [flipped, whole[..whole.len() - 40_000].to_vec()] {
        fs::write(&sealed, damaged).unwrap();
        repo.pack(&["rekey", "x.age", "-r", &to, "-o", "y.age"])
            .refused("E_CRYPTO");
        assert!(!repo.path("y.age").exists());
    }
}

/// The plaintext would be part of the pack, and the pack would no longer verify.
#[test]
fn a_pack_was_opened_into_itself() {
    let repo = tracked(&[]);
    repo.pack(&["open", "../pack", "-o", "../pack/inner"])
        .refused("E_USAGE");
    repo.pack(&["verify", "../pack"]).ok();
}

#[test]
fn an_artifact_below_a_tracked_one_made_a_pack_that_could_not_be_opened() {
    let repo = Repo::set_up();
    repo.write("t.vec", noise(1, 300));
    repo.git(&["add", "-A"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "tracked"]).ok();
    fs::remove_file(repo.path("t.vec")).unwrap();
    repo.write("t.vec/q", "below");
    repo.pack(&["seal", "--attach", "t.vec/q", "-o", "../pack"])
        .refused("E_DUPLICATE");
}

/// Both seals verify without a key, but one of the artifacts is lost.
#[test]
fn one_ciphertext_stood_for_two_artifacts() {
    let repo = tracked(&[]);
    let (pack, forged) = (repo.place.path().join("pack"), repo.place.path().join("forged"));
    copy_tree(&pack, &forged);
    fs::copy(
        forged.join("sealed/src/big.vec.age"),
        forged.join("sealed/src/other.vec.age"),
    )
    .unwrap();
    redeclare_as_found(&forged);
    recompute(&forged);
    assert!(codes(&forged).iter().any(|(_, code)| *code == "SEAL_TAMPERED"));
}

/// A shared ciphertext would reveal the name of an artifact in the opaque pack.
#[test]
fn opaque_packs_shared_ciphertexts_with_packs_that_tell_names() {
    let repo = tracked(&[]);
    repo.seal(&["--opaque-names", "-o", "../opaque"]);
    let hashes = |name: &str| -> Vec<String> {
        let declared = document(&repo.place.path().join(name), "SEALED_ARTIFACTS.json");
        let artifacts = declared["artifacts"].as_array().unwrap().iter();
        artifacts.map(|artifact| artifact["sealed_hash"].to_string()).collect()
    };
    let named = hashes("pack");
    assert!(hashes("opaque").iter().all(|hash| !named.contains(hash)));
}

#[test]
fn damaged_secret_keys_were_repeated_in_messages() {
    let repo = Repo::set_up();
    let identity = fs::read_to_string(repo.identity()).unwrap();
    let key = identity.lines().last().unwrap();
    let body = key.strip_prefix("AGE-SECRET-KEY-1").unwrap();
    repo.write("a.vec", "x");
    for damaged in [
        key[1..].to_owned(),
        body.to_owned(),
        key.replace('-', "_"),
        key.replace("SECRET-KEY", "SECRET KEY"),
    ] {
        let done = repo.pack(&["seal", "a.vec", "-r", &damaged, "-o", "../out"]);
        assert_eq!(done.code, 2);
        assert!(
            !done.stderr.contains(&body[..40]) && !done.out().contains(&body[..40]),
            "{}",
            done.stderr
        );
    }
}

#[test]
fn a_pack_with_texts_and_a_binary_age_file_did_not_verify() {
    let repo = Repo::set_up();
    let sealed = repo.pack(&["protect", "README.md"]);
    assert_eq!(sealed.code, 0, "{}", sealed.stderr);
    repo.commit("a twin, which is a binary age file");
    repo.seal(&["-o", "../pack", "--emit", "full,split,lite"]);
    repo.pack(&["verify", "../pack", "--rev", "HEAD"]).ok();
}

#[test]
fn a_seal_whose_output_was_taken_left_a_run() {
    let repo = Repo::set_up();
    repo.seal(&[]);
    let before = snapshot(&repo.path(".git/gitpack/runs"));
    // Its default output is that of the other pack of the same state.
    repo.pack(&["seal", "--emit", "lite"]).refused("E_IO");
    assert_eq!(snapshot(&repo.path(".git/gitpack/runs")), before);
    let refs = repo.git(&["for-each-ref", "refs/gitpack"]).ok().out();
    assert_eq!(refs.lines().count(), 1, "{refs}");
}

#[test]
fn of_several_seals_of_one_commit_at_once_all_but_one_were_refused() {
    for round in 0..3 {
        let repo = Repo::set_up();
        let seal = |n: usize| {
            let output = format!("../pack-{round}-{n}");
            let mut command = repo.place.command(common::GIT_PACK, &repo.root);
            command.args(["seal", "--emit", "lite", "-o", &output]);
            command.stdout(std::process::Stdio::null()).spawn().unwrap()
        };
        let children: Vec<_> = (0..6).map(seal).collect();
        for mut child in children {
            assert!(child.wait().unwrap().success());
        }
        repo.pack(&["audit"]).ok();
    }
}

#[test]
fn restore_took_a_pack_with_another_canon_version_than_its_commit() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&["-o", "../pack", "--emit", "repo,full"]);
    let mut state = common::packs::document(&pack, "meta/REPO_STATE.json");
    state["canon_version"] = "9.9.9".into();
    let state = gitpack::format::canonical_json::to_document(&state);
    std::fs::write(pack.join("meta/REPO_STATE.json"), state).unwrap();
    common::packs::recompute(&pack);
    for args in [
        &["restore", "../pack", "-o", "../out"][..],
        &["restore", "../pack", "--from-full", "-o", "../out"],
    ] {
        let refused = repo.pack(args).refused("E_BAD_PACK");
        assert!(refused.to_string().contains("CANON_VERSION_MISMATCH"), "{refused}");
        assert!(!repo.place.path().join("out").exists());
    }
}

#[test]
fn a_pack_could_be_sealed_into_gits_own_directory() {
    let repo = Repo::set_up();
    for output in [".git/x", ".git/refs/evil"] {
        repo.pack(&["seal", "-o", output]).refused("E_USAGE");
        assert!(!repo.path(output).exists());
    }
    repo.git(&["status"]).ok();
}
