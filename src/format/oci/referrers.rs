//! Files that are attached to a pack in a registry: artifacts that name the pack's image as their subject, and the index
//! that lists them, as the OCI distribution specification 1.1 has it.

use std::collections::HashMap;

use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, ImageManifest, ImageManifestBuilder, MediaType};

use super::{EMPTY, EMPTY_TYPE, IMAGE_INDEX, IMAGE_MANIFEST, ImageDocument, TITLE, describe, digest_of};
use crate::format::attachment::{AttachedContent, Attachment, AttachmentKind};
use crate::format::digest::Digest;

/// Most bytes of the image manifest of an attached file that are read.
pub const MAX_ARTIFACT: u64 = 64 << 10;

/// Most bytes of a list of referrers that are read.
pub const MAX_REFERRERS: u64 = 4 << 20;

/// An artifact that is attached to a pack.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// What the attached file is.
    pub kind: AttachmentKind,
    /// The image manifest.
    pub document: ImageDocument,
}

impl Artifact {
    /// Returns the artifact of a file that is attached to `subject`. The same file gives the same bytes.
    pub fn of(file: &Attachment, subject: &ImageDocument) -> Self {
        let content = AttachedContent::of(file);
        let mut layer = describe(file.kind.media_type(), content.hash, file.bytes.len() as u64);
        layer.set_annotations(Some(HashMap::from([(TITLE.to_owned(), content.name())])));
        let manifest = ImageManifestBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::from(IMAGE_MANIFEST))
            .artifact_type(MediaType::from(file.kind.media_type()))
            .config(describe(EMPTY_TYPE, Digest::of(EMPTY), EMPTY.len() as u64))
            .layers(vec![layer])
            .subject(describe(
                subject.media_type,
                subject.digest(),
                subject.bytes.len() as u64,
            ))
            .build()
            .expect("every field is set");
        Self {
            kind: file.kind,
            document: ImageDocument::of(IMAGE_MANIFEST, &manifest),
        }
    }

    /// Parses the image manifest of an attached file. `None` if it is something else, such as a bill of materials.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let manifest: ImageManifest = serde_json::from_slice(bytes).ok()?;
        Some(Self {
            kind: kind_of(manifest.artifact_type().as_ref())?,
            document: ImageDocument {
                media_type: IMAGE_MANIFEST,
                bytes: bytes.to_vec(),
            },
        })
    }

    fn descriptor(&self) -> Descriptor {
        let document = &self.document;
        let mut descriptor = describe(document.media_type, document.digest(), document.bytes.len() as u64);
        descriptor.set_artifact_type(Some(MediaType::from(self.kind.media_type())));
        descriptor
    }
}

/// An attached file as a list of referrers names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Referrer {
    /// What it is.
    pub kind: AttachmentKind,
    /// The digest of its image manifest.
    pub digest: Digest,
}

/// Parses a list of referrers. Leaves out artifacts that are not attached files of ours.
pub fn parse_referrers(bytes: &[u8]) -> Result<Vec<Referrer>, String> {
    let index: ImageIndex = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    let ours = index.manifests().iter().filter_map(|descriptor| {
        let kind = kind_of(descriptor.artifact_type().as_ref())?;
        Some(digest_of(descriptor).map(|(digest, _)| Referrer { kind, digest }))
    });
    ours.collect()
}

/// Adds artifacts to the index that lists the referrers of a subject. `None` if it has them all.
pub fn add_referrers(index: Option<&[u8]>, artifacts: &[Artifact]) -> Result<Option<ImageDocument>, String> {
    let index: ImageIndex = match index {
        Some(bytes) => serde_json::from_slice(bytes).map_err(|e| e.to_string())?,
        None => ImageIndexBuilder::default()
            .schema_version(2u32)
            .media_type(MediaType::from(IMAGE_INDEX))
            .manifests(Vec::new())
            .build()
            .expect("every field is set"),
    };
    let mut manifests = index.manifests().clone();
    for artifact in artifacts {
        let new = artifact.descriptor();
        if !manifests.iter().any(|there| there.digest() == new.digest()) {
            manifests.push(new);
        }
    }
    if manifests.len() == index.manifests().len() {
        return Ok(None);
    }
    let mut index = index;
    index.set_manifests(manifests);
    index.set_media_type(Some(MediaType::from(IMAGE_INDEX)));
    Ok(Some(ImageDocument::of(IMAGE_INDEX, &index)))
}

/// Returns what names the attached file of an artifact, and its size in bytes. The error says why the artifact is not
/// one of this kind that is attached to `subject`.
pub fn content_of(bytes: &[u8], kind: AttachmentKind, subject: &Digest) -> Result<(AttachedContent, u64), String> {
    let manifest: ImageManifest = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    if kind_of(manifest.artifact_type().as_ref()) != Some(kind) {
        return Err("it has another artifact type than the list says".into());
    }
    let named = manifest.subject().as_ref().map(digest_of).transpose()?;
    if named.is_none_or(|(named, _)| named != *subject) {
        return Err("it is attached to something else".into());
    }
    let [layer] = manifest.layers().as_slice() else {
        return Err("it does not have one layer".into());
    };
    let (hash, size) = digest_of(layer)?;
    Ok((AttachedContent { kind, hash }, size))
}

/// Returns the tag of the index that lists the referrers of a subject, where a registry does not list them itself.
pub fn referrers_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// Returns the tag of one artifact that is attached to a subject: as long as a tag may be.
///
/// An index is read, changed and written, so that of two writers one can undo what the other did. Tags are written
/// alone, and show each writer what has to be in the index.
pub fn artifact_tag(subject: &Digest, artifact: &Digest) -> String {
    format!("{}.{}", referrers_tag(subject), &artifact.hex()[..56])
}

/// Returns whether a tag is one of an artifact that is attached to a subject.
pub fn is_artifact_tag(tag: &str, subject: &Digest) -> bool {
    let rest = tag.strip_prefix(&referrers_tag(subject));
    let digits = rest.and_then(|rest| rest.strip_prefix('.')).unwrap_or_default();
    digits.len() == 56 && digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn kind_of(media_type: Option<&MediaType>) -> Option<AttachmentKind> {
    AttachmentKind::of_media_type(media_type?.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: AttachmentKind = AttachmentKind::Signature;

    fn subject() -> ImageDocument {
        ImageDocument {
            media_type: IMAGE_MANIFEST,
            bytes: b"{}".to_vec(),
        }
    }

    fn file(bytes: &str) -> Attachment {
        Attachment {
            name: "x".into(),
            kind: SIGNATURE,
            bytes: bytes.into(),
        }
    }

    #[test]
    fn an_artifact_names_its_file_and_its_subject() {
        let artifact = Artifact::of(&file("a"), &subject());
        let bytes = &artifact.document.bytes;
        let (content, size) = content_of(bytes, SIGNATURE, &subject().digest()).unwrap();
        assert_eq!((content, size), (AttachedContent::of(&file("a")), 1));
        assert!(content_of(bytes, AttachmentKind::Attestation, &subject().digest()).is_err());
        assert!(content_of(bytes, SIGNATURE, &Digest::of(b"other")).is_err());
        assert_eq!(Artifact::parse(bytes), Some(artifact.clone()));
        let text = String::from_utf8(bytes.clone()).unwrap();
        let foreign = text.replace(SIGNATURE.media_type(), "application/spdx+json");
        assert_eq!(Artifact::parse(foreign.as_bytes()), None);
        let layers = text.replacen("\"layers\":[", "\"layers\":[],\"_\":[", 1);
        assert!(content_of(layers.as_bytes(), SIGNATURE, &subject().digest()).is_err());
    }

    #[test]
    fn an_index_keeps_what_is_in_it_and_takes_each_artifact_once() {
        let [a, b] = ["a", "b"].map(|text| Artifact::of(&file(text), &subject()));
        let one = add_referrers(None, std::slice::from_ref(&a)).unwrap().unwrap();
        assert_eq!(add_referrers(Some(&one.bytes), std::slice::from_ref(&a)).unwrap(), None);
        let foreign = String::from_utf8(one.bytes.clone()).unwrap();
        let foreign = foreign.replace(SIGNATURE.media_type(), "application/spdx+json");
        let two = add_referrers(Some(foreign.as_bytes()), &[a.clone(), b.clone()])
            .unwrap()
            .unwrap();
        let text = String::from_utf8(two.bytes.clone()).unwrap();
        assert!(text.contains("spdx"), "{text}");
        let listed = parse_referrers(&two.bytes).unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].kind, listed[0].digest), (SIGNATURE, b.document.digest()));
        for bad in ["", "[]", "{}", "{\"manifests\": 1}"] {
            assert!(parse_referrers(bad.as_bytes()).is_err(), "{bad}");
            assert!(
                add_referrers(Some(bad.as_bytes()), std::slice::from_ref(&a)).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn tags_of_artifacts_are_known_by_their_subject() {
        let (one, other) = (Digest::of(b"1"), Digest::of(b"2"));
        let tag = artifact_tag(&one, &other);
        assert!(crate::format::destination::is_tag(&tag));
        assert!(is_artifact_tag(&tag, &one));
        assert!(!is_artifact_tag(&tag, &other));
        for tag in [referrers_tag(&one), format!("{}.sig", referrers_tag(&one)), tag + "0"] {
            assert!(!is_artifact_tag(&tag, &one), "{tag}");
            assert_eq!(super::super::pack_of(&tag), None);
        }
    }
}
