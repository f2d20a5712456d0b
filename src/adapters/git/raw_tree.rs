//! Parses the entries of a tree object, even those that git never writes: odd modes, duplicated names, wrong order.

use std::cmp::Ordering;

use crate::adapters::git::{Repository, corrupt_object, ensure_intact, object_error};
use crate::format::budget::Bound;
use crate::format::repo_state::EntryKind;
use crate::refusal::Result;

/// Iterates over the entries of a tree object.
pub(super) struct RawEntries<'a> {
    pub(super) rest: &'a [u8],
    width: usize,
}

/// An entry as it is stored.
#[derive(Clone, Copy)]
pub(super) struct RawEntry<'a> {
    /// All bytes of the entry.
    pub(super) raw: &'a [u8],
    /// The mode, in octal digits.
    pub(super) mode: &'a [u8],
    /// The name, without its directory.
    pub(super) name: &'a [u8],
    /// The binary id of its object.
    pub(super) id: &'a [u8],
}

/// The kind of object that an entry leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leads {
    /// A tree.
    Directory,
    /// A blob, or the commit of a submodule.
    Content(EntryKind),
}

impl<'a> RawEntries<'a> {
    pub(super) fn of(bytes: &'a [u8], width: usize) -> Self {
        Self { rest: bytes, width }
    }

    /// Returns all entries in their order. `None` if the bytes are not a list of entries.
    pub(super) fn all(mut self) -> Option<Vec<RawEntry<'a>>> {
        let mut entries = Vec::with_capacity(self.rest.len() / (self.width + 16));
        while !self.rest.is_empty() {
            entries.push(self.next()?);
        }
        Some(entries)
    }
}

impl<'a> Iterator for RawEntries<'a> {
    type Item = RawEntry<'a>;

    /// Returns the next entry. `None` at the end and at bytes that are not an entry.
    fn next(&mut self) -> Option<RawEntry<'a>> {
        let space = self.rest.iter().take(8).position(|byte| *byte == b' ')?;
        let end = space + 1 + memchr::memchr(0, &self.rest[space + 1..])?;
        let length = end + 1 + self.width;
        let raw = self.rest.get(..length)?;
        self.rest = &self.rest[length..];
        Some(RawEntry {
            raw,
            mode: &raw[..space],
            name: &raw[space + 1..end],
            id: &raw[end + 1..],
        })
    }
}

impl RawEntry<'_> {
    /// Returns the kind of object that the entry leads to. `None` if its mode is malformed, or if versions of git read
    /// it differently.
    ///
    /// Everything but a tree and a submodule is content, whatever its mode says: a push sends its blob.
    pub(super) fn leads(&self) -> Option<Leads> {
        const TYPE: u32 = 0o170_000;
        let octal = |value: u32, digit: &u8| matches!(digit, b'0'..=b'7').then(|| value * 8 + u32::from(digit - b'0'));
        let mode = self.mode.iter().try_fold(0, octal)?;
        if self.mode.is_empty() || mode > 0o177_777 {
            return None;
        }
        Some(Leads::Content(match mode & TYPE {
            0o040_000 => return Some(Leads::Directory),
            0o120_000 => EntryKind::Symlink,
            0o160_000 => EntryKind::Submodule,
            _ if mode & 0o100 != 0 => EntryKind::Executable,
            _ => EntryKind::Regular,
        }))
    }

    /// Returns whether git itself writes modes with this file type.
    pub(super) fn is_as_git_writes_it(&self) -> bool {
        let mode = std::str::from_utf8(self.mode)
            .ok()
            .and_then(|mode| u32::from_str_radix(mode, 8).ok());
        matches!(
            mode.map(|mode| mode & 0o170_000),
            Some(0o040_000 | 0o100_000 | 0o120_000 | 0o160_000)
        )
    }

    /// Compares two entries in the order of a git tree, in which the name of a directory sorts as if it ended with a
    /// slash.
    pub(super) fn order(&self, other: &RawEntry<'_>) -> Ordering {
        let end = |entry: &RawEntry<'_>| match entry.leads() {
            Some(Leads::Directory) => b'/',
            _ => 0,
        };
        let common = self.name.len().min(other.name.len());
        let rest = |entry: &RawEntry<'_>| entry.name.get(common).copied().unwrap_or_else(|| end(entry));
        self.name[..common]
            .cmp(&other.name[..common])
            .then_with(|| rest(self).cmp(&rest(other)))
    }
}

/// Reads a tree into `buffer` and counts its cost. Checks it against its id if `needs_its_id`. Returns false if this
/// clone does not have it.
pub(super) fn read_tree(
    repository: &Repository,
    repo: &gix::Repository,
    id: gix::ObjectId,
    buffer: &mut Vec<u8>,
    needs_its_id: bool,
) -> Result<bool> {
    use gix::objs::Find;
    if id == gix::ObjectId::empty_tree(id.kind()) {
        // git knows the empty tree even if it is not stored.
        buffer.clear();
        return Ok(true);
    }
    let (kind, length) = match repo.objects.try_find(&id, buffer) {
        Ok(Some(data)) => (data.kind, data.data.len()),
        Ok(None) => return Ok(false),
        Err(e) => return Err(object_error(id, &e)),
    };
    buffer.truncate(length);
    check_tree(repository, id, kind, buffer, needs_its_id)?;
    Ok(true)
}

/// Counts the cost of an object that was read, and refuses it if it is not the tree `id`. Its content is held against the id
/// if `needs_its_id`.
pub(super) fn check_tree(
    repository: &Repository,
    id: gix::ObjectId,
    kind: gix::object::Kind,
    bytes: &[u8],
    needs_its_id: bool,
) -> Result<()> {
    if kind != gix::object::Kind::Tree {
        return Err(corrupt_object(id, "it is not a tree"));
    }
    // Comparing the entries takes about this much memory.
    repository.hold(Bound::ObjectBytes, 6 * bytes.len() as u64)?;
    // A tree that is read again costs again, and even the smallest tree costs something.
    repository.spend(Bound::TreeBytes, bytes.len() as u64 + 64)?;
    match needs_its_id {
        true => ensure_intact(id, "tree", bytes),
        false => Ok(()),
    }
}

/// Returns the cost of an entry. A directory costs more, because it takes memory until it has been compared.
pub(super) fn cost_of(leads: Leads) -> u64 {
    match leads {
        Leads::Directory => 4,
        Leads::Content(_) => 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry<'a>(mode: &'a str, name: &'a str) -> RawEntry<'a> {
        RawEntry {
            raw: b"",
            mode: mode.as_bytes(),
            name: name.as_bytes(),
            id: &[7; 20],
        }
    }

    #[test]
    fn a_mode_is_content_unless_it_is_a_tree_or_a_submodule() {
        let leads = |mode| entry(mode, "a").leads();
        for mode in ["40000", "040000", "0040000", "40755"] {
            assert_eq!(leads(mode), Some(Leads::Directory), "{mode}");
        }
        for mode in ["100644", "644", "0100664", "0", "10644", "140000", "170000", "60644"] {
            assert_eq!(leads(mode), Some(Leads::Content(EntryKind::Regular)), "{mode}");
        }
        assert_eq!(leads("755"), Some(Leads::Content(EntryKind::Executable)));
        assert_eq!(leads("120777"), Some(Leads::Content(EntryKind::Symlink)));
        assert_eq!(leads("160000"), Some(Leads::Content(EntryKind::Submodule)));
        // Some versions of git keep only the low 16 bits of such modes.
        for mode in ["", "1040000", "200000", "8", "10064 ", "-1"] {
            assert_eq!(leads(mode), None, "{mode}");
        }
    }

    #[test]
    fn the_order_is_git_s() {
        let order = |a: (&str, &str), b: (&str, &str)| entry(a.0, a.1).order(&entry(b.0, b.1));
        assert_eq!(order(("100644", "foo.txt"), ("40000", "foo")), Ordering::Less);
        assert_eq!(order(("100644", "foo"), ("100644", "foo.txt")), Ordering::Less);
        assert_eq!(order(("40000", "foo"), ("100644", "foo0")), Ordering::Less);
        assert_eq!(order(("100644", "foo"), ("40000", "foo")), Ordering::Less);
        assert_eq!(order(("100644", "a"), ("100755", "a")), Ordering::Equal);
    }
}
