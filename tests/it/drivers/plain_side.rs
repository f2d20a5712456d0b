//! A branch from before a file was sealed still tracks its plaintext.

use super::{opened, sealed, text};
use crate::common::Repo;

/// Loss: git leaves the plaintext of the old branch on disk, and `protect --resolved` seals it over the twin, which has changes of
/// its own.
#[test]
fn an_old_branch_with_the_plaintext_is_merged_with_the_twin() {
    for (on, other) in [("main", "old"), ("old", "main")] {
        let repo = Repo::set_up();
        repo.write("a.txt", text(&[]));
        repo.commit("plaintext");
        repo.git(&["checkout", "-q", "-b", "old"]).ok();
        repo.write("a.txt", text(&[(8, "old")]));
        repo.commit("a change");
        repo.git(&["checkout", "-q", "main"]).ok();
        sealed(&repo, &text(&[]));
        sealed(&repo, &text(&[(1, "main")]));
        repo.git(&["checkout", "-q", on]).ok();
        assert_eq!(repo.git(&["merge", other]).code, 1, "on {on}");
        repo.write("a.txt", text(&[(8, "old")]));
        let refused = repo.pack(&["protect", "--resolved", "a.txt"]);
        assert_eq!(refused.code, 2, "on {on}");
        assert!(
            refused.stderr.contains("lacks what the other side changed")
                && refused.stderr.contains("reveal --merge a.txt"),
            "{}",
            refused.stderr
        );
        let said = repo.pack(&["reveal", "--merge", "a.txt"]).ok();
        assert!(!said.stderr.contains("conflict"), "{}", said.stderr);
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        repo.git(&["commit", "-q", "-m", "merged"]).ok();
        assert_eq!(
            opened(&repo, "HEAD:a.txt.age"),
            text(&[(1, "main"), (8, "old")]),
            "on {on}"
        );
        assert_eq!(repo.git(&["ls-files", "a.txt"]).ok().out(), "", "on {on}");
        // What no side has is not written over.
        repo.git(&["reset", "-q", "--hard", "HEAD^"]).ok();
        assert_eq!(repo.git(&["merge", other]).code, 1, "on {on}");
        repo.write("a.txt", text(&[(5, "by hand")]));
        repo.pack(&["reveal", "--merge", "a.txt"]).refused("E_IO");
        repo.pack(&["protect", "--resolved", "a.txt"]).ok();
        assert_eq!(opened(&repo, ":a.txt.age"), text(&[(5, "by hand")]), "on {on}");
    }
}
