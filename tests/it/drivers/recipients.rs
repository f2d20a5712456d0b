//! For whom the merge driver seals. Nobody gains or loses access by a merge that says nothing.

use std::fs;

use super::{branches, conflicted, opened, sealed, text};
use crate::common::{Done, Repo};

/// Makes another key, and returns its recipient.
fn stranger(repo: &Repo, name: &str) -> String {
    let file = repo.place.path().join(name);
    let file = file.to_str().unwrap();
    repo.pack(&["key", "generate", "--output", file]).ok();
    repo.pack(&["key", "public", file]).ok().out().trim().to_owned()
}

/// A repository in which both sides changed other lines of `a.txt`, and theirs, the branch `other`, has one recipient less and
/// one more in its configuration. Their twin is sealed before that, so its header tells nothing.
fn exchanged() -> (Repo, String) {
    let repo = Repo::set_up();
    let (old, new) = (stranger(&repo, "old"), stranger(&repo, "new"));
    repo.pack(&["recipients", "add", &old]).ok();
    repo.commit("two recipients");
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    sealed(&repo, &text(&[(8, "theirs")]));
    repo.pack(&["recipients", "remove", &old]).ok();
    repo.pack(&["recipients", "add", &new]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "--amend", "-m", "exchanged"]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, &text(&[(1, "ours")]));
    (repo, new)
}

fn ends(recipient: &str) -> String {
    format!("{}…{}", &recipient[..7], &recipient[recipient.len() - 4..])
}

#[track_caller]
fn left_for(repo: &Repo, done: &Done, words: &[&str]) {
    conflicted(repo, done);
    for word in words {
        assert!(done.stderr.contains(word), "{word}: {}", done.stderr);
    }
}

/// Gain: a branch exchanges a recipient for one of the same kind, so that no header tells, and the merged twin is sealed for
/// somebody whom the person who merges has not seen.
#[test]
fn an_exchanged_recipient_is_left_to_a_person() {
    for way in [
        &["merge", "other"][..],
        &["rebase", "other"],
        &["rebase", "--apply", "other"],
        &["cherry-pick", "other"],
    ] {
        let (repo, new) = exchanged();
        let done = repo.git(way);
        let said = "side names other recipients than the .gitpack.toml on disk";
        left_for(
            &repo,
            &done,
            &[said, &ends(&new), "git pack recipients list", "reveal --merge"],
        );
        let (add, lack) = match way[0] {
            // Upstream is on disk, and the commit that is rebased lacks the new one.
            "rebase" => ("it adds age1", "it lacks"),
            _ => ("it adds age1", "it lacks age1"),
        };
        assert!(
            done.stderr.contains(add) && done.stderr.contains(lack),
            "{}",
            done.stderr
        );
        // A person goes on.
        repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        assert_eq!(opened(&repo, ":a.txt.age"), text(&[(1, "ours"), (8, "theirs")]));
    }
}

#[test]
fn a_recipients_file_counts_like_the_configuration() {
    let repo = Repo::set_up();
    let stranger = stranger(&repo, "stranger");
    let own = repo.pack(&["recipients", "list"]).ok().out();
    repo.write("team.txt", own.as_str());
    repo.pack(&["recipients", "remove", own.trim()]).ok();
    let config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
    let config = match config.contains("[seal]\n") {
        true => config.replace("[seal]\n", "[seal]\nrecipients_file = \"team.txt\"\n"),
        false => format!("{config}\n[seal]\nrecipients_file = \"team.txt\"\n"),
    };
    repo.write(".gitpack.toml", config);
    repo.commit("a team");
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    sealed(&repo, &text(&[(8, "theirs")]));
    repo.write("team.txt", stranger.clone() + "\n");
    repo.commit("another team");
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, &text(&[(1, "ours")]));
    let done = repo.git(&["merge", "other"]);
    left_for(&repo, &done, &["their side names other recipients", &ends(&stranger)]);
}

#[test]
fn a_merged_twin_says_for_whom_it_is_sealed() {
    let repo = branches(&text(&[]), &text(&[(1, "ours")]), &text(&[(8, "theirs")]));
    let done = repo.git(&["merge", "-q", "-m", "merged", "other"]).ok();
    let said = "git-pack: a.txt.age is merged, and sealed for 1 recipient: age1";
    assert!(done.stderr.contains(said), "{}", done.stderr);
    assert!(!done.stderr.contains("git does not say"), "{}", done.stderr);
    // A stash has no name of a commit in its label.
    repo.pack(&["reveal", "a.txt"]).ok();
    repo.write("a.txt", text(&[(1, "ours"), (4, "stashed"), (8, "theirs")]));
    repo.pack(&["protect", "a.txt"]).ok();
    repo.git(&["stash", "-q"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, &text(&[(1, "again"), (8, "theirs")]));
    let done = repo.git(&["stash", "pop"]).ok();
    assert!(done.stderr.contains("sealed for 1 recipient"), "{}", done.stderr);
    assert!(done.stderr.contains("git does not say"), "{}", done.stderr);
}

/// Gain: a tag that comes with a fetch is called like the commit that git merges, and its configuration names nobody new.
#[test]
fn a_name_that_means_another_commit_does_not_count() {
    let (repo, _) = exchanged();
    let other = repo.rev("other");
    // The same twin, with the configuration of our side.
    repo.git(&["checkout", "-q", "--detach", "other"]).ok();
    repo.git(&["checkout", "-q", "main", "--", ".gitpack.toml"]).ok();
    repo.git(&["commit", "-q", "-m", "harmless"]).ok();
    repo.git(&["tag", &other[..7]]).ok();
    repo.git(&["checkout", "-q", "main"]).ok();
    let done = repo.git(&["cherry-pick", &other]);
    let is_compared = done.stderr.contains("is merged") && !done.stderr.contains("git does not say");
    assert!(!is_compared, "{}", done.stderr);
}

/// Gain: theirs adds a recipient to the configuration, and the merge itself seals to it before anybody has seen that.
#[test]
fn a_recipient_that_theirs_adds_gets_nothing_from_the_merge() {
    let repo = Repo::set_up();
    sealed(&repo, &text(&[]));
    repo.git(&["checkout", "-q", "-b", "other"]).ok();
    repo.pack(&["recipients", "add", &stranger(&repo, "stranger")]).ok();
    repo.git(&["add", ".gitpack.toml"]).ok();
    // The old twin, for one recipient, gets a new plaintext for two.
    sealed(&repo, &text(&[(8, "theirs")]));
    repo.git(&["checkout", "-q", "main"]).ok();
    repo.pack(&["reveal", "a.txt"]).ok();
    sealed(&repo, &text(&[(1, "ours")]));
    let done = repo.git(&["merge", "other"]);
    conflicted(&repo, &done);
    assert!(
        done.stderr.contains("sealed for different recipients"),
        "{}",
        done.stderr
    );
    // A person who has seen it goes on, and then the merged configuration holds.
    repo.pack(&["reveal", "--merge", "a.txt"]).ok();
    repo.pack(&["protect", "--resolved", "a.txt"]).ok();
    let stanzas = read_stanzas(&fs::read(repo.path("a.txt.age")).unwrap());
    assert_eq!(stanzas, 2);
}
/// Returns the number of recipients in the header of a twin.
fn read_stanzas(twin: &[u8]) -> usize {
    memchr::memmem::find_iter(twin, b"\n-> X25519 ").count()
}

/// Gain: somebody has left and another one has come, and a branch from before brings a new text. Its twin is for those of before,
/// and looks like one for those of today.
#[test]
fn a_twin_for_somebody_who_has_left_is_not_taken() {
    for (start, way) in [
        ("main", &["merge", "other"][..]),
        ("other", &["merge", "main"]),
        ("main", &["rebase", "other"]),
    ] {
        for comes in [true, false] {
            let repo = Repo::set_up();
            let (old, new) = (stranger(&repo, "old"), stranger(&repo, "new"));
            repo.pack(&["recipients", "add", &old]).ok();
            repo.commit("two recipients");
            sealed(&repo, &text(&[]));
            repo.git(&["checkout", "-q", "-b", "other"]).ok();
            sealed(&repo, &text(&[(8, "new text")]));
            repo.git(&["checkout", "-q", "main"]).ok();
            repo.pack(&["reveal", "a.txt"]).ok();
            repo.pack(&["recipients", "remove", &old]).ok();
            if comes {
                repo.pack(&["recipients", "add", &new]).ok();
            }
            repo.pack(&["rekey", "a.txt.age", "-o", "a.txt.age", "--replace", "--reencrypt"])
                .ok();
            repo.git(&["add", "a.txt.age"]).ok();
            repo.commit("one leaves");
            repo.git(&["checkout", "-q", start]).ok();
            repo.pack(&["reveal", "a.txt"]).ok();
            let done = repo.git(way);
            conflicted(&repo, &done);
            repo.pack(&["reveal", "--merge", "a.txt"]).ok();
            repo.pack(&["protect", "--resolved", "a.txt"]).ok();
            assert_eq!(opened(&repo, ":a.txt.age"), text(&[(8, "new text")]));
            let opens = |name: &str| {
                let identity = repo.place.path().join(name);
                let arguments = ["-d", "-i", identity.to_str().unwrap(), "a.txt.age"];
                repo.place.run(&repo.root, &crate::common::age(), &arguments).code == 0
            };
            assert!(!opens("old"), "{way:?} from {start}");
            assert_eq!(opens("new"), comes, "{way:?} from {start}");
        }
    }
}
