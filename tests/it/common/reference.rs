//! The state digest, computed independently: a few lines of shell over `git ls-tree` and `git cat-file`.

use std::path::Path;

use super::Place;

/// Prints `sha256:` and the digest of revision `$1`. The shell reads lines, so the script swaps newlines in names with
/// the NUL that ends an entry, and swaps them back to print them. A submodule has no blob: its content is the commit
/// id.
pub const SCRIPT: &str = r#"
set -e
git ls-tree -r -z "$1" | tr '\n\0' '\001\n' | while IFS= read -r entry; do
	meta=${entry%%	*} path=${entry#*	} oid=${meta##* }
	case $meta in
	160000*) printf %s "$oid" >"$2" ;;
	*) git cat-file blob "$oid" >"$2" ;;
	esac
	printf '%s %s ' "$(sha256sum <"$2" | cut -d' ' -f1)" "$(($(wc -c <"$2")))"
	printf '%s\n' "$path" | tr '\001' '\n'
done | sha256sum | sed 's/^/sha256:/; s/ .*//'
"#;

/// Returns the reference digest of a revision.
pub fn state(place: &Place, repo: &Path, rev: &str) -> String {
    let scratch = place.path().join("blob");
    let done = place.run(repo, "sh", &["-c", SCRIPT, "sh", rev, scratch.to_str().unwrap()]);
    done.ok().out().trim().to_owned()
}
