//! Whether a tree is as git writes it. Of any other tree, two readers could make two different lists of files.

use std::cmp::Ordering;

use crate::adapters::git::corrupt_object;
use crate::adapters::git::raw_tree::{Leads, RawEntry};
use crate::refusal::Result;
use crate::refusal::shown::shown;

/// Refuses a tree whose entries are not as git writes them.
pub(super) fn ensure_as_git_writes_it(id: gix::ObjectId, entries: &[RawEntry<'_>]) -> Result<()> {
    let mut order = TreeOrder::default();
    let mut entries = entries.iter();
    entries.try_for_each(|entry| order.next(entry).map_err(|why| corrupt_object(id, &why)))
}

/// Checks that the entries of a tree are as git writes them: valid names, each once, and in order.
#[derive(Default)]
struct TreeOrder<'a> {
    previous: Option<RawEntry<'a>>,
    /// The names of earlier non-trees that are prefixes of the last name. Each is a prefix of the next.
    begun: Vec<&'a [u8]>,
}

impl<'a> TreeOrder<'a> {
    fn next(&mut self, entry: &RawEntry<'a>) -> Result<(), String> {
        let name: &[u8] = entry.name;
        let say = |what: &str| Err(format!("its entry {} {what}", shown(name)));
        if name.is_empty() {
            return Err("one of its entries has no name".into());
        }
        if name.contains(&b'/') || matches!(name, b"." | b"..") || name.eq_ignore_ascii_case(b".git") {
            return say("has an invalid name");
        }
        let leads = match entry.leads() {
            Some(leads) if entry.is_as_git_writes_it() => leads,
            _ => return say("has an invalid mode"),
        };
        while self.begun.last().is_some_and(|begun| !name.starts_with(begun)) {
            self.begun.pop();
        }
        // A file and a directory with the same name may have other entries between them.
        let is_tree = leads == Leads::Directory;
        let is_twice = is_tree && self.begun.last() == Some(&name);
        match self.previous.map_or(Ordering::Less, |previous| previous.order(entry)) {
            Ordering::Less if !is_twice => {}
            Ordering::Greater => return say("is out of order"),
            _ => return say("occurs twice"),
        }
        if !is_tree {
            self.begun.push(name);
        }
        self.previous = Some(*entry);
        Ok(())
    }
}
