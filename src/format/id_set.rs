//! Sets of object ids. Each id takes the bytes that it has, and not those of the longest kind of id.

use std::collections::HashSet;

use crate::format::object_id::ObjectId;

/// A set of object ids.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct IdSet {
    sha1: HashSet<[u8; 20]>,
    sha256: HashSet<[u8; 32]>,
}

impl IdSet {
    /// Returns whether the set has this id.
    pub fn contains(&self, id: &ObjectId) -> bool {
        let bytes = id.as_bytes();
        match <&[u8; 20]>::try_from(bytes) {
            Ok(sha1) => self.sha1.contains(sha1),
            Err(_) => self.sha256.contains(bytes),
        }
    }

    /// Adds an id. Returns whether the set did not have it yet.
    pub fn insert(&mut self, id: &ObjectId) -> bool {
        let bytes = id.as_bytes();
        match (<[u8; 20]>::try_from(bytes), <[u8; 32]>::try_from(bytes)) {
            (Ok(sha1), _) => self.sha1.insert(sha1),
            (_, Ok(sha256)) => self.sha256.insert(sha256),
            _ => unreachable!("an id has 20 or 32 bytes"),
        }
    }

    /// Returns the number of ids.
    pub fn len(&self) -> usize {
        self.sha1.len() + self.sha256.len()
    }

    /// Returns whether the set has no id.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the ids, in no order.
    pub fn iter(&self) -> impl Iterator<Item = ObjectId> {
        let sha1 = self.sha1.iter().map(<[u8; 20]>::as_slice);
        let sha256 = self.sha256.iter().map(<[u8; 32]>::as_slice);
        sha1.chain(sha256).filter_map(ObjectId::from_bytes)
    }
}

impl Extend<ObjectId> for IdSet {
    fn extend<I: IntoIterator<Item = ObjectId>>(&mut self, ids: I) {
        let ids = ids.into_iter();
        // Room is made once, and for the kind that the set has, as a repository has one kind only.
        match (self.sha1.is_empty(), self.sha256.is_empty()) {
            (false, true) => self.sha1.reserve(ids.size_hint().0),
            (true, false) => self.sha256.reserve(ids.size_hint().0),
            _ => {}
        }
        for id in ids {
            self.insert(&id);
        }
    }
}

impl FromIterator<ObjectId> for IdSet {
    fn from_iter<I: IntoIterator<Item = ObjectId>>(ids: I) -> Self {
        let mut set = Self::default();
        set.extend(ids);
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_id_are_kept_apart() {
        let id = |byte: u8, length: usize| ObjectId::from_bytes(&vec![byte; length]).unwrap();
        let ids = [id(1, 20), id(1, 32), id(2, 20), id(3, 32)];
        let mut set: IdSet = ids.into_iter().collect();
        assert!(ids.iter().all(|id| set.contains(id)));
        assert!(!set.contains(&id(2, 32)) && !set.contains(&id(3, 20)));
        assert!(!set.insert(&ids[0]) && !set.insert(&ids[1]) && set.insert(&id(4, 20)));
        assert_eq!((set.len(), set.is_empty()), (5, false));
        let mut listed: Vec<ObjectId> = set.iter().collect();
        listed.sort_unstable();
        let mut all = [&ids[..], &[id(4, 20)]].concat();
        all.sort_unstable();
        assert_eq!(listed, all);
    }
}
