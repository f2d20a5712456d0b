//! The programs of `examples/`, on a repository. They are compiled in, since they have no binary where only this one is built.

use std::path::Path;

use gitpack::{Context, Timestamp};

use crate::common::Repo;

#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../../examples/scan_a_range.rs"]
mod scan_a_range;
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../../examples/seal_and_open.rs"]
mod seal_and_open;
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../../examples/state_of_a_commit.rs"]
mod state_of_a_commit;
#[allow(dead_code, reason = "its main function is not called here")]
#[path = "../../examples/verify_a_pack.rs"]
mod verify_a_pack;

fn context(repo: &Repo) -> Context {
    Context::new(&repo.root, Timestamp::from_seconds(0).unwrap())
}

/// The tests of this crate see everything, so that the compiler would not say it.
#[test]
fn the_examples_use_only_what_other_programs_may_use() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let sources = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let mut seen = 0;
    for source in sources.filter(|path| path.extension().is_some_and(|end| end == "rs")) {
        let text = std::fs::read_to_string(&source).unwrap();
        for (at, _) in text.match_indices("gitpack::") {
            let named = text[at..].split(';').next().unwrap();
            let inside = named["gitpack::".len()..].contains("::");
            assert!(!inside, "{}: {named}", source.display());
            seen += 1;
        }
    }
    assert!(seen > 3, "{seen}");
}

#[test]
fn the_state_is_the_one_that_the_program_prints() {
    let repo = Repo::set_up();
    let digest = state_of_a_commit::digest_of(&context(&repo), None).unwrap();
    assert_eq!(format!("{digest}\n"), repo.pack(&["state"]).ok().out());
    assert!(state_of_a_commit::digest_of(&context(&repo), Some("absent".into())).is_err());
}

#[test]
fn a_pack_has_no_findings_until_a_member_changes() {
    let repo = Repo::set_up();
    let (_, pack) = repo.seal(&[]);
    let findings = || verify_a_pack::findings(&context(&repo), pack.clone()).unwrap();
    assert_eq!(findings(), [] as [&str; 0]);
    std::fs::write(pack.join("repo/README.md"), "changed").unwrap();
    assert!(
        findings().contains(&"HASH_MISMATCH repo/README.md".to_owned()),
        "{:?}",
        findings()
    );
}

#[test]
fn a_leak_is_found_after_it_was_deleted() {
    let repo = Repo::set_up();
    let leaks = || scan_a_range::leaks(&context(&repo), "HEAD~2..HEAD".into()).unwrap();
    repo.write("a.vec", "secret");
    repo.git(&["add", "-f", "a.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
    repo.git(&["rm", "-q", "a.vec"]).ok();
    repo.git(&["commit", "-q", "--no-verify", "-m", "no leak"]).ok();
    assert_eq!(leaks(), ["PLAINTEXT_PROTECTED a.vec: **/*.vec"]);
}

#[test]
fn what_is_sealed_for_a_recipient_is_opened_by_its_identity() {
    let repo = Repo::set_up();
    repo.write("a.vec", "secret");
    let recipient = repo.pack(&["key", "public"]).ok().out();
    let [pack, opened, again] = ["pack", "opened", "again"].map(|name| repo.place.path().join(name));
    let ctx = context(&repo);
    let id = seal_and_open::seal_for(&ctx, &repo.path("a.vec"), recipient.trim(), &pack).unwrap();
    assert!(repo.pack(&["verify", pack.to_str().unwrap()]).ok().out().contains(&id));
    assert!(!pack.join("a.vec").exists());
    assert_eq!(
        seal_and_open::open_with(&ctx, &pack, &repo.identity(), &opened).unwrap(),
        1
    );
    assert_eq!(std::fs::read(opened.join("a.vec")).unwrap(), b"secret");
    let other = repo.place.path().join("other.txt");
    repo.pack(&["key", "generate", "--output", other.to_str().unwrap()])
        .ok();
    assert!(seal_and_open::open_with(&ctx, &pack, &other, &again).is_err());
    assert!(!again.exists());
}
