//! The first and the last entry of a reflog, and what git writes into them.

use crate::format::object_id::ObjectId;

/// How git begins the first message of a reflog that a clone made.
const CLONED: &str = "clone: from ";

/// The message that git writes when a push moves a tracking ref.
const PUSHED: &str = "update by push";

/// The first and the last entry of a reflog.
#[derive(Clone, Debug)]
pub struct Reflog {
    /// The id of the ref before the first entry. `None` if the ref did not exist.
    pub before: Option<ObjectId>,
    /// The message of the first entry.
    pub first: String,
    /// The id of the ref after the last entry.
    pub now: ObjectId,
    /// The message of the last entry.
    pub last: String,
}

impl Reflog {
    /// Returns the URL that a clone took the ref from, without its user, as git writes it.
    pub fn cloned_from(&self) -> Option<&str> {
        self.first.strip_prefix(CLONED)
    }

    /// Returns whether the last entry says that a push moved the ref to `id`.
    pub fn was_pushed_to(&self, id: &ObjectId) -> bool {
        self.now == *id && self.last == PUSHED
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    #[test]
    fn clones_and_pushes_are_told_by_what_git_writes() {
        let log = |first: &str, last: &str| Reflog {
            before: None,
            first: first.into(),
            now: id(1),
            last: last.into(),
        };
        let cloned = log("clone: from https://host/x", "update by push");
        assert_eq!(cloned.cloned_from(), Some("https://host/x"));
        assert!(cloned.was_pushed_to(&id(1)) && !cloned.was_pushed_to(&id(2)));
        let fetched = log("fetch: fast-forward", "fetch: fast-forward");
        assert_eq!(fetched.cloned_from(), None);
        assert!(!fetched.was_pushed_to(&id(1)));
    }
}
