//! The refs of packs in a git repository, and of the files that are attached to packs.

use std::collections::BTreeMap;

use crate::format::attachment::{AttachedContent, AttachmentKind};
use crate::format::digest::Digest;
use crate::format::object_id::ObjectId;

/// Where the refs of packs are. The last part of a name is the pack id in 64 hex digits.
pub const PACKS: &str = "refs/gitpack/packs/";

/// Where the refs of attached files are. The last two parts of a name are the pack id and the name of the file.
pub const ATTACHED: &str = "refs/gitpack/attestations/";

/// The variable in which a push tells the pre-push hook of refs that the remote has already. git tells it only of those that
/// change.
pub const THERE: &str = "GITPACK_REFS_THERE";

/// The files that refs attach to a pack, each with the object to which its ref leads.
pub type AttachedObjects = BTreeMap<AttachedContent, ObjectId>;

/// Returns the name of the ref of a pack.
pub fn pack_ref(pack_id: &Digest) -> String {
    format!("{PACKS}{}", pack_id.hex())
}

/// Returns the name of the ref of an attached file.
pub fn attached_ref(pack_id: &Digest, content: &AttachedContent) -> String {
    format!("{ATTACHED}{}/{}", pack_id.hex(), content.name())
}

/// Returns the lines for [`THERE`].
pub fn lines_of(refs: &[(ObjectId, String)]) -> String {
    refs.iter().map(|(id, name)| format!("{id} {name}\n")).collect()
}

/// The refs of packs and of attached files in a repository. Refs with other names are left out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackRefs {
    packs: BTreeMap<Digest, ObjectId>,
    attached: BTreeMap<Digest, AttachedObjects>,
}

impl PackRefs {
    /// Takes what is meant for packs from a list of refs with their full names.
    pub fn of(refs: impl IntoIterator<Item = (String, ObjectId)>) -> Self {
        let mut found = Self::default();
        for (name, id) in refs {
            found.set(&name, Some(id));
        }
        found
    }

    /// Takes the same from lines that [`lines_of`] returns. Other lines are left out.
    pub fn of_lines(text: &str) -> Self {
        let parsed = text.lines().filter_map(|line| line.split_once(' '));
        Self::of(parsed.filter_map(|(id, name)| Some((name.to_owned(), ObjectId::parse(id)?))))
    }

    /// Sets the ref with this full name, or removes it if there is no id.
    pub fn set(&mut self, name: &str, id: Option<ObjectId>) {
        if let Some(pack) = name.strip_prefix(PACKS).and_then(Digest::parse_hex) {
            put(&mut self.packs, pack, id);
        }
        let Some((pack, file)) = name.strip_prefix(ATTACHED).and_then(|rest| rest.split_once('/')) else {
            return;
        };
        let Some((pack, content)) = Digest::parse_hex(pack).zip(AttachedContent::parse(file)) else {
            return;
        };
        put(self.attached.entry(pack).or_default(), content, id);
    }

    /// Returns the packs by their ids, each with the object to which its ref leads.
    pub fn packs(&self) -> &BTreeMap<Digest, ObjectId> {
        &self.packs
    }

    /// Returns what is attached to a pack. `None` if there is nothing.
    pub fn attached_to(&self, pack_id: &Digest) -> Option<&AttachedObjects> {
        self.attached.get(pack_id).filter(|files| !files.is_empty())
    }

    /// Returns the packs whose refs are the same in `after`, and whose signatures are not.
    pub fn signed_anew<'a>(&'a self, after: &'a Self) -> impl Iterator<Item = (&'a Digest, &'a ObjectId)> {
        let differs = |pack: &Digest| !self.signatures(pack).eq(after.signatures(pack));
        let packs = self.packs.iter();
        packs.filter(move |(pack, tree)| after.packs.get(*pack) == Some(*tree) && differs(pack))
    }

    fn signatures(&self, pack: &Digest) -> impl Iterator<Item = (&AttachedContent, &ObjectId)> {
        let files = self.attached.get(pack).into_iter().flatten();
        files.filter(|(content, _)| content.kind == AttachmentKind::Signature)
    }
}

fn put<K: Ord>(refs: &mut BTreeMap<K, ObjectId>, key: K, id: Option<ObjectId>) {
    match id {
        Some(id) => refs.insert(key, id),
        None => refs.remove(&key),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(n: u8) -> ObjectId {
        ObjectId::from_bytes(&[n; 20]).unwrap()
    }

    #[test]
    fn refs_of_packs_and_of_attached_files_are_told_from_others() {
        let pack = Digest::of(b"pack");
        let content = |kind| AttachedContent {
            kind,
            hash: Digest::of(b"file"),
        };
        let signature = attached_ref(&pack, &content(AttachmentKind::Signature));
        let hex = pack.hex();
        let mut refs = PackRefs::of([
            (pack_ref(&pack), id(1)),
            (signature.clone(), id(2)),
            ("refs/heads/main".to_owned(), id(3)),
            (format!("{PACKS}{}", hex.to_uppercase()), id(3)),
            (format!("{PACKS}{hex}/x"), id(3)),
            (format!("{ATTACHED}{hex}"), id(3)),
            (format!("{ATTACHED}{hex}/x.sig"), id(3)),
            (format!("{signature}/x"), id(3)),
        ]);
        assert_eq!(refs.packs().iter().collect::<Vec<_>>(), [(&pack, &id(1))]);
        let attached = refs.attached_to(&pack).unwrap();
        assert_eq!(
            attached.iter().collect::<Vec<_>>(),
            [(&content(AttachmentKind::Signature), &id(2))]
        );
        let lines = lines_of(&[(id(1), pack_ref(&pack)), (id(2), signature.clone())]);
        assert_eq!(PackRefs::of_lines(&format!("x\n{lines}\nx {signature}\n")), refs);
        refs.set(&signature, None);
        assert_eq!(refs.attached_to(&pack), None);
        refs.set(&pack_ref(&pack), None);
        assert!(refs.packs().is_empty());
    }

    #[test]
    fn a_pack_is_signed_anew_if_it_stays_and_its_signatures_do_not() {
        let pack = Digest::of(b"pack");
        let file = |kind, n: u8| {
            let hash = Digest::of(&[n]);
            attached_ref(&pack, &AttachedContent { kind, hash })
        };
        let before = PackRefs::of([
            (pack_ref(&pack), id(1)),
            (file(AttachmentKind::Signature, 1), id(2)),
            (file(AttachmentKind::Attestation, 1), id(3)),
        ]);
        for (name, to, expected) in [
            (file(AttachmentKind::Signature, 2), Some(id(4)), true),
            (file(AttachmentKind::Signature, 1), Some(id(4)), true),
            (file(AttachmentKind::Signature, 1), None, true),
            (file(AttachmentKind::Signature, 1), Some(id(2)), false),
            (file(AttachmentKind::Attestation, 1), None, false),
            // A new tree is judged as a new pack, and a pack that goes needs no signatures.
            (pack_ref(&pack), Some(id(4)), false),
            (pack_ref(&pack), None, false),
        ] {
            let mut after = before.clone();
            after.set(&name, to);
            assert_eq!(
                before.signed_anew(&after).count(),
                usize::from(expected),
                "{name} {to:?}"
            );
        }
        // Its ref and its signatures change together.
        let mut after = before.clone();
        after.set(&pack_ref(&pack), Some(id(4)));
        after.set(&file(AttachmentKind::Signature, 1), None);
        assert_eq!(before.signed_anew(&after).count(), 0);
    }
}
