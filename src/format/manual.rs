//! Manual pages: their names, and the line by which git-pack recognises its own.

/// The first line of each page, a comment. Only files that begin with it are replaced or removed.
const MARK: &str = ".\\\" git-pack wrote this page, and replaces it.\n";

/// A manual page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManualPage {
    /// Its path in a directory of manual pages: `man1/git-pack.1`.
    pub path: String,
    /// Its text, in roff.
    pub text: String,
}

impl ManualPage {
    /// Returns a page of a section.
    pub fn of(name: &str, section: u8, roff: &str) -> Self {
        Self {
            path: format!("man{section}/{name}.{section}"),
            text: format!("{MARK}{roff}"),
        }
    }
}

/// Returns whether git-pack wrote a file with this beginning.
pub fn is_ours(text: &[u8]) -> bool {
    text.starts_with(MARK.as_bytes())
}

/// Returns whether a file of this name could be a page of git-pack.
pub fn may_be_ours(name: &str) -> bool {
    name == "git-pack.1" || (name.starts_with("git-pack-") && (name.ends_with(".1") || name.ends_with(".7")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_pages_are_recognised() {
        let page = ManualPage::of("git-pack-seal", 1, ".TH x\n");
        assert_eq!(page.path, "man1/git-pack-seal.1");
        assert!(is_ours(page.text.as_bytes()) && !is_ours(b".TH x\n"));
        for name in ["git-pack.1", "git-pack-seal.1", "git-pack-rules.7"] {
            assert!(may_be_ours(name), "{name}");
        }
        for name in ["git-pack.7", "git-packs.1", "git-pack-objects.1.gz", "git-commit.1"] {
            assert!(!may_be_ours(name), "{name}");
        }
    }
}
