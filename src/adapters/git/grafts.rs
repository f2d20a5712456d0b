//! Grafts (gitrepository-layout(5), `info/grafts`): parents that a clone assigns to commits, and that git follows when
//! it pushes.

use std::collections::HashMap;

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::format::object_id::ObjectId;
use crate::refusal::Result;

/// The largest list to read, in bytes.
const MAX_BYTES: u64 = 64 << 20;

/// Commits and the parents that grafts assign to them.
pub(super) type Grafts = HashMap<gix::ObjectId, Vec<gix::ObjectId>>;

impl Repository {
    /// Returns the grafts in effect: those of `GIT_GRAFT_FILE` if it is set, otherwise those of the clone.
    pub(super) fn grafts(&self) -> Result<Grafts> {
        let bytes = match &self.graft_file {
            // The file may be /dev/null, so it need not be regular.
            Some(path) if files::exists(path) => Some(files::read_any(path, MAX_BYTES)?),
            Some(_) => None,
            None => files::read_optional(&self.common_dir().join("info").join("grafts"), MAX_BYTES)?,
        };
        Ok(bytes.map(|bytes| parse(&bytes)).unwrap_or_default())
    }
}

/// Parses lines of ids: a commit, then its parents.
///
/// git ignores a malformed line. Here, its valid ids count: more parents can only mean that more is judged.
fn parse(bytes: &[u8]) -> Grafts {
    let mut grafts = Grafts::new();
    for line in bytes
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.starts_with(b"#"))
    {
        let words = line.split(|byte| byte.is_ascii_whitespace());
        let ids = words.filter_map(|word| ObjectId::parse(std::str::from_utf8(word).ok()?));
        let mut ids = ids.map(|id| super::to_gix(&id));
        if let Some(commit) = ids.next() {
            grafts.entry(commit).or_default().extend(ids);
        }
    }
    grafts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_a_commit_and_its_parents() {
        let (a, b, c) = ("1".repeat(40), "2".repeat(40), "3".repeat(40));
        let grafts = parse(format!("# {c} {a}\n{a} {b} {c}\r\n{b}\n\nnonsense {c} {a}\n").as_bytes());
        let of = |id: &str| grafts.get(&super::super::to_gix(&ObjectId::parse(id).unwrap()));
        assert_eq!(of(&a).unwrap().len(), 2);
        assert_eq!(of(&b).unwrap().len(), 0);
        assert_eq!(of(&c).unwrap().len(), 1);
    }
}
