//! What is attached to a pack and stands beside it, because the pack is closed: signatures and attestations.

use crate::format::digest::Digest;

/// Most files that are attached to one pack.
pub const MAX_ATTACHMENTS: usize = 256;

/// Largest attached file, in bytes.
pub const MAX_ATTACHMENT: u64 = 1 << 20;

/// Size of all files that are attached to one pack, in bytes, at most.
pub const MAX_ATTACHED: u64 = 16 << 20;

/// What follows the name of a pack's directory in the name of the directory of its attached files.
pub const BESIDE: &str = ".attestations";

/// What an attached file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum AttachmentKind {
    /// An SSHSIG signature over the canonical bytes of the manifest, in armour.
    Signature,
    /// An in-toto statement in a DSSE envelope.
    Attestation,
}

impl AttachmentKind {
    const ALL: [Self; 2] = [Self::Signature, Self::Attestation];

    /// Returns the ending of the file's name.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Signature => ".sig",
            Self::Attestation => ".intoto.jsonl",
        }
    }

    /// Returns the media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Signature => "application/vnd.gitpack.signature.v0+sshsig",
            Self::Attestation => "application/vnd.dsse.envelope.v1+json",
        }
    }

    /// Returns the kind with this media type.
    pub fn of_media_type(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.media_type() == text)
    }
}

/// A file that is attached to a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// Where it was found, for messages.
    pub name: String,
    /// What it is, as its name or its media type says.
    pub kind: AttachmentKind,
    /// Its content.
    pub bytes: Vec<u8>,
}

impl Attachment {
    /// Returns the SHA-256 of the content. Places that do not number attached files name them by it.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }
}

/// Everything that is attached to a pack.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Attached {
    /// The files, sorted by name, without those that have the same content as an earlier one.
    pub files: Vec<Attachment>,
    /// What else is there and does not belong there: its name, and why.
    pub strange: Vec<(String, String)>,
}

impl Attached {
    /// Notes something that does not belong there.
    pub fn is_strange(&mut self, name: String, why: &str) {
        self.strange.push((name, why.to_owned()));
    }

    /// Returns whether a file of `size` bytes may come to those that are there.
    pub fn has_room_for(&self, size: u64) -> bool {
        let there: u64 = self.files.iter().map(|file| file.bytes.len() as u64).sum();
        size <= MAX_ATTACHMENT && there + size <= MAX_ATTACHED && self.files.len() < MAX_ATTACHMENTS
    }

    /// Adds a file, unless one with this content and kind is there.
    pub fn take(&mut self, file: Attachment) {
        let is_there = |there: &Attachment| (there.kind, &there.bytes) == (file.kind, &file.bytes);
        if !self.files.iter().any(is_there) {
            self.files.push(file);
        }
    }
}

/// The name of an attached file in a directory: `<id>.sig`, `<id>.2.sig` and so on, `<id>.1.intoto.jsonl` and so on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AttachmentName {
    /// What the file is.
    pub kind: AttachmentKind,
    /// Its number, from 1.
    pub number: u32,
}

impl AttachmentName {
    /// Returns the name for a pack.
    pub fn of_pack(self, pack_id: &Digest) -> String {
        let (hex, ending) = (pack_id.hex(), self.kind.ending());
        match self {
            Self {
                kind: AttachmentKind::Signature,
                number: 1,
            } => format!("{hex}{ending}"),
            Self { number, .. } => format!("{hex}.{number}{ending}"),
        }
    }

    /// Parses a name that [`of_pack`](Self::of_pack) returns. Returns the id as well.
    pub fn parse(name: &str) -> Option<(Digest, Self)> {
        let (hex, rest) = name.split_at_checked(64)?;
        let id = Digest::parse_hex(hex)?;
        let kinds = AttachmentKind::ALL.into_iter();
        let (kind, middle) = kinds
            .filter_map(|kind| Some((kind, rest.strip_suffix(kind.ending())?)))
            .next()?;
        let number = match middle.strip_prefix('.') {
            None if middle.is_empty() => 1,
            None => return None,
            Some(digits) => digits.parse().ok()?,
        };
        let parsed = Self { kind, number };
        (number > 0 && parsed.of_pack(&id) == name).then_some((id, parsed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_and_written() {
        let id = Digest::of(b"");
        let hex = id.hex();
        let name = |kind, number| AttachmentName { kind, number };
        for (text, expected) in [
            (format!("{hex}.sig"), name(AttachmentKind::Signature, 1)),
            (format!("{hex}.12.sig"), name(AttachmentKind::Signature, 12)),
            (format!("{hex}.1.intoto.jsonl"), name(AttachmentKind::Attestation, 1)),
        ] {
            assert_eq!(expected.of_pack(&id), text);
            assert_eq!(AttachmentName::parse(&text), Some((id, expected)));
        }
        let upper = hex.to_uppercase();
        for other in [
            String::new(),
            "é".repeat(40),
            format!("{hex}.1.sig"),
            format!("{hex}.02.sig"),
            format!("{hex}.+2.sig"),
            format!("{hex}.0.sig"),
            format!("{hex}.intoto.jsonl"),
            format!("{hex}2.sig"),
            format!("{hex}.2.sig~"),
            format!("{hex}.4294967296.sig"),
            format!("{upper}.sig"),
        ] {
            assert_eq!(AttachmentName::parse(&other), None, "{other}");
        }
    }

    #[test]
    fn a_media_type_names_one_kind() {
        for kind in AttachmentKind::ALL {
            assert_eq!(AttachmentKind::of_media_type(kind.media_type()), Some(kind));
        }
        assert_eq!(AttachmentKind::of_media_type("application/json"), None);
    }
}
