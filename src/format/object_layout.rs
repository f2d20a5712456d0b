//! Where packs and their contents lie in an object store: `packs/<id>/manifest.json`, `packs/<id>/attestations/` and
//! `blobs/<sha256>`.

use crate::format::attachment::AttachedContent;
use crate::format::digest::Digest;

/// What stands above all packs.
pub const PACKS: &str = "packs";

/// What stands above all contents.
pub const BLOBS: &str = "blobs";

/// The manifest of a pack, below its id.
const MANIFEST: &str = "manifest.json";

/// What stands above all files that are attached to a pack, below its id.
const ATTACHED: &str = "attestations";

/// The key of an object, below the prefix of the place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// A content, by its hash. All packs share it.
    Blob(Digest),
    /// The manifest of a pack, by the pack's id. With it, the pack is published.
    Manifest(Digest),
    /// A file that is attached to a pack, by the pack's id and its own content.
    Attached(Digest, AttachedContent),
}

impl Key {
    /// Returns the path of the object.
    pub fn path(&self) -> String {
        match self {
            Self::Blob(hash) => format!("{BLOBS}/{}", hash.hex()),
            Self::Manifest(id) => format!("{PACKS}/{}/{MANIFEST}", id.hex()),
            Self::Attached(id, content) => format!("{}/{}", attached_to(id), content.name()),
        }
    }
}

/// Returns the path above all files that are attached to a pack.
pub fn attached_to(pack_id: &Digest) -> String {
    format!("{PACKS}/{}/{ATTACHED}", pack_id.hex())
}

/// Returns the id of the pack that a name below [`PACKS`] stands for. `None` for what other programs keep there.
pub fn pack_of(name: &str) -> Option<Digest> {
    Digest::parse_hex(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::attachment::AttachmentKind;

    #[test]
    fn keys_are_read_and_written() {
        let id = Digest::of(b"");
        let hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Key::Blob(id).path(), format!("blobs/{hex}"));
        assert_eq!(Key::Manifest(id).path(), format!("packs/{hex}/manifest.json"));
        let kind = AttachmentKind::Signature;
        let attached = Key::Attached(id, AttachedContent { kind, hash: id });
        assert_eq!(attached.path(), format!("packs/{hex}/attestations/{hex}.sig"));
        assert_eq!(pack_of(hex), Some(id));
        let upper = hex.to_uppercase();
        for other in [
            "",
            "..",
            &hex[1..],
            &upper,
            &format!("{hex}0"),
            &format!("sha256:{hex}"),
        ] {
            assert_eq!(pack_of(other), None, "{other}");
        }
    }
}
