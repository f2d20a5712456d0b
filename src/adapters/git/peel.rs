//! Tags peeled down to what they name.

use gix::objs::{Find as _, TagRefIter};

use crate::adapters::git::{Repository, corrupt_object, ensure_intact, explain, from_gix, object_error, to_gix};
use crate::format::budget::Bound;
use crate::format::object_id::ObjectId;
use crate::refusal::Result;

/// An object after peeling tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peeled {
    /// A commit.
    Commit(ObjectId),
    /// A tree that a ref or tag names directly.
    Tree(ObjectId),
    /// A blob that a ref or tag names directly.
    Blob(ObjectId),
}

impl Repository {
    /// Follows tags to the object they name.
    pub fn peel(&self, id: &ObjectId) -> Result<Peeled> {
        let repo = self.local();
        let mut id = to_gix(id);
        let mut chain = Vec::new();
        let mut buffer = Vec::new();
        let peeled = loop {
            if let Some(peeled) = self.peeled_before(&id) {
                break peeled;
            }
            let header = repo.find_header(id).map_err(|e| object_error(id, &e))?;
            match header.kind() {
                gix::object::Kind::Commit => break Peeled::Commit(from_gix(&id)),
                gix::object::Kind::Tree => break Peeled::Tree(from_gix(&id)),
                gix::object::Kind::Blob => break Peeled::Blob(from_gix(&id)),
                gix::object::Kind::Tag => {}
            }
            let tag = match repo.objects.try_find(&id, &mut buffer) {
                Ok(Some(tag)) => tag,
                Ok(None) | Err(_) => return Err(corrupt_object(id, "it has just disappeared")),
            };
            self.spend(Bound::TreeBytes, tag.data.len() as u64 + 64)?;
            ensure_intact(id, "tag", tag.data)?;
            chain.push(id);
            self.hold(Bound::Depth, chain.len() as u64)?;
            let target = TagRefIter::from_bytes(tag.data, id.kind()).target_id();
            id = target.map_err(|e| corrupt_object(id, &explain(&e)))?;
        };
        let mut memory = self.peeled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        memory.extend(chain.into_iter().map(|tag| (tag, peeled)));
        Ok(peeled)
    }

    fn peeled_before(&self, id: &gix::ObjectId) -> Option<Peeled> {
        let memory = self.peeled.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        memory.get(id).copied()
    }
}
