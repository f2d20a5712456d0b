//! A pack as an artifact of the OCI image specification 1.1: an image manifest with one layer for each file.
//!
//! A pack with very many files has an image index over several such manifests, since registries bound their size.

pub mod referrers;

use std::collections::{BTreeMap, HashMap};

use oci_spec::image::{Descriptor, ImageIndex, ImageIndexBuilder, ImageManifest, ImageManifestBuilder, MediaType};
use serde::Serialize;

use crate::format::canonical_json::to_document;
use crate::format::digest::Digest;
use crate::format::member_path::MANIFEST;

/// The artifact type of a pack.
pub const ARTIFACT_TYPE: &str = "application/vnd.gitpack.pack.v0";

/// The media type of a pack's `manifest.json`.
const MANIFEST_TYPE: &str = "application/vnd.gitpack.manifest.v0+json";

/// The media type of a member.
const MEMBER_TYPE: &str = "application/vnd.gitpack.member.v0";

/// The media type of an image manifest.
pub const IMAGE_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// The media type of an image index.
pub const IMAGE_INDEX: &str = "application/vnd.oci.image.index.v1+json";

/// The annotation that gives a layer its file name.
const TITLE: &str = "org.opencontainers.image.title";

/// The empty configuration of an artifact.
pub const EMPTY: &[u8] = b"{}";

/// The media type of the empty configuration.
const EMPTY_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// Most bytes of an image manifest that are read. The specification has registries take at least 4 MiB.
pub const MAX_IMAGE: u64 = 16 << 20;

/// Most layers of one image manifest. At some 300 bytes each, a manifest stays below 4 MiB.
const MAX_LAYERS: usize = 8_000;

/// Most image manifests of one index.
const MAX_IMAGES: usize = 10_000;

/// A file of a pack: its path, its hash and its size in bytes.
pub type FileLayer<'a> = (&'a str, Digest, u64);

/// A document for the manifest endpoint of a registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageDocument {
    /// Its media type.
    pub media_type: &'static str,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl ImageDocument {
    /// Returns its digest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.bytes)
    }

    fn of(media_type: &'static str, document: &impl Serialize) -> Self {
        // Annotations are a hash map. As a value, their keys are sorted.
        let value = serde_json::to_value(document).expect("its keys are text");
        let bytes = to_document(&value);
        Self { media_type, bytes }
    }
}

/// Returns the documents of a pack in the order in which they are stored. The last one stands for the pack.
///
/// `files` are the manifest and the members. The same files and labels give the same bytes.
pub fn documents(files: &[FileLayer<'_>], labels: &[(&'static str, String)]) -> Vec<ImageDocument> {
    let mut files = files.to_vec();
    files.sort_by_key(|(path, ..)| (*path != MANIFEST, *path));
    let annotations: HashMap<String, String> = labels
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()))
        .collect();
    if files.len() <= MAX_LAYERS {
        return vec![image(&files, annotations)];
    }
    let mut images: Vec<ImageDocument> = files
        .chunks(MAX_LAYERS)
        .map(|files| image(files, HashMap::new()))
        .collect();
    let manifests: Vec<Descriptor> = images
        .iter()
        .map(|image| {
            let mut descriptor = describe(IMAGE_MANIFEST, image.digest(), image.bytes.len() as u64);
            descriptor.set_artifact_type(Some(ARTIFACT_TYPE.into()));
            descriptor
        })
        .collect();
    let index = ImageIndexBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::from(IMAGE_INDEX))
        .artifact_type(MediaType::from(ARTIFACT_TYPE))
        .manifests(manifests)
        .annotations(annotations)
        .build()
        .expect("every field is set");
    images.push(ImageDocument::of(IMAGE_INDEX, &index));
    images
}

fn image(files: &[FileLayer<'_>], annotations: HashMap<String, String>) -> ImageDocument {
    let layers: Vec<Descriptor> = files
        .iter()
        .map(|(path, hash, size)| {
            let kind = if *path == MANIFEST { MANIFEST_TYPE } else { MEMBER_TYPE };
            let mut layer = describe(kind, *hash, *size);
            layer.set_annotations(Some(HashMap::from([(TITLE.to_owned(), (*path).to_owned())])));
            layer
        })
        .collect();
    let config = describe(EMPTY_TYPE, Digest::of(EMPTY), EMPTY.len() as u64);
    let mut manifest = ImageManifestBuilder::default()
        .schema_version(2u32)
        .media_type(MediaType::from(IMAGE_MANIFEST))
        .artifact_type(MediaType::from(ARTIFACT_TYPE))
        .config(config)
        .layers(layers)
        .build()
        .expect("every field is set");
    manifest.set_annotations((!annotations.is_empty()).then_some(annotations));
    ImageDocument::of(IMAGE_MANIFEST, &manifest)
}

fn describe(kind: &str, digest: Digest, size: u64) -> Descriptor {
    let digest: oci_spec::image::Digest = digest.to_string().parse().expect("it is a digest of the specification");
    Descriptor::new(MediaType::from(kind), size, digest)
}

/// A parsed document of a registry.
#[derive(Debug)]
pub enum Parsed {
    /// An image manifest: its files.
    Image(Files),
    /// An image index: the digests and sizes of its manifests.
    Index(Vec<(Digest, u64)>),
}

/// The files of an image manifest by their paths, with their digests and sizes in bytes.
pub type Files = BTreeMap<String, (Digest, u64)>;

/// Parses an image manifest or index of a pack.
pub fn parse(bytes: &[u8]) -> Result<Parsed, String> {
    #[derive(serde::Deserialize)]
    struct Kind {
        manifests: Option<serde::de::IgnoredAny>,
    }
    let said = |e: serde_json::Error| e.to_string();
    let kind: Kind = serde_json::from_slice(bytes).map_err(said)?;
    if kind.manifests.is_some() {
        let index: ImageIndex = serde_json::from_slice(bytes).map_err(said)?;
        ensure_pack(index.artifact_type().as_ref())?;
        if index.manifests().len() > MAX_IMAGES {
            return Err(format!("it lists more than {MAX_IMAGES} manifests"));
        }
        return index
            .manifests()
            .iter()
            .map(digest_of)
            .collect::<Result<_, _>>()
            .map(Parsed::Index);
    }
    let image: ImageManifest = serde_json::from_slice(bytes).map_err(said)?;
    ensure_pack(image.artifact_type().as_ref())?;
    let mut files = Files::new();
    for layer in image.layers() {
        let title = layer.annotations().as_ref().and_then(|notes| notes.get(TITLE));
        let title = title.ok_or("a layer has no title")?;
        if files.insert(title.clone(), digest_of(layer)?).is_some() {
            return Err(format!("two layers have the title {title:?}"));
        }
    }
    Ok(Parsed::Image(files))
}

fn ensure_pack(kind: Option<&MediaType>) -> Result<(), String> {
    match kind.map(ToString::to_string) {
        Some(kind) if kind == ARTIFACT_TYPE => Ok(()),
        Some(other) => Err(format!("it is not a pack: its artifact type is {other}")),
        None => Err("it is not a pack: it has no artifact type".into()),
    }
}

fn digest_of(descriptor: &Descriptor) -> Result<(Digest, u64), String> {
    let digest = descriptor.digest().to_string();
    let parsed = Digest::parse_ref(&digest).ok_or_else(|| format!("not a SHA-256 digest: {digest}"))?;
    Ok((parsed, descriptor.size()))
}

/// Returns the tag of a pack.
///
/// A tag that begins with `sha256-` would be one for referrers, by the distribution specification.
pub fn tag_of(pack_id: &Digest) -> String {
    format!("pack-{}", pack_id.hex())
}

/// Returns the pack that a tag is of.
pub fn pack_of(tag: &str) -> Option<Digest> {
    Digest::parse_hex(tag.strip_prefix("pack-")?)
}

/// Parses a page of a list of tags.
pub fn tags(bytes: &[u8]) -> Result<Vec<String>, String> {
    #[derive(serde::Deserialize)]
    struct Page {
        tags: Option<Vec<String>>,
    }
    let page: Page = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
    Ok(page.tags.unwrap_or_default())
}

/// Parses the answer of a token server.
pub fn token(bytes: &[u8]) -> Result<String, String> {
    #[derive(serde::Deserialize)]
    struct Answer {
        token: Option<String>,
        access_token: Option<String>,
    }
    // What serde says could hold a part of the token.
    let answer: Answer =
        serde_json::from_slice(bytes).map_err(|_| "it is not the JSON that was expected".to_owned())?;
    let token = answer.token.or(answer.access_token).filter(|token| !token.is_empty());
    token.ok_or_else(|| "it holds no token".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(of: &str) -> Digest {
        Digest::of(of.as_bytes())
    }

    #[test]
    fn files_come_back_as_they_were_given() {
        let files = [
            ("b", digest("b"), 1),
            (MANIFEST, digest("m"), 9),
            ("a/ä", digest("b"), 1),
        ];
        let labels = [("org.opencontainers.image.created", "2026-01-01T00:00:00Z".to_owned())];
        let documents = documents(&files, &labels);
        assert_eq!(documents.len(), 1);
        assert_eq!(super::documents(&files, &labels), documents);
        let text = String::from_utf8(documents[0].bytes.clone()).unwrap();
        assert!(
            text.contains(r#""org.opencontainers.image.created":"2026-01-01T00:00:00Z""#),
            "{text}"
        );
        let Parsed::Image(found) = parse(&documents[0].bytes).unwrap() else {
            panic!()
        };
        let expected: Files = files
            .iter()
            .map(|(path, hash, size)| ((*path).to_owned(), (*hash, *size)))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn very_many_files_are_split_over_images_that_registries_take() {
        let names: Vec<String> = (0..20_000)
            .map(|n| format!("some/directory/of/files/{n:06}.json"))
            .collect();
        let mut files: Vec<FileLayer<'_>> = names
            .iter()
            .map(|name| (name.as_str(), digest(name), 1 << 40))
            .collect();
        files.push((MANIFEST, digest("m"), 9));
        let documents = documents(&files, &[]);
        assert_eq!(documents.len(), 4);
        assert!(documents.iter().all(|document| document.bytes.len() < 4 << 20));
        let Parsed::Index(images) = parse(&documents[3].bytes).unwrap() else {
            panic!()
        };
        assert_eq!(images.len(), 3);
        let found: usize = documents[..3]
            .iter()
            .map(|image| match parse(&image.bytes).unwrap() {
                Parsed::Image(files) => files.len(),
                Parsed::Index(_) => panic!(),
            })
            .sum();
        assert_eq!(found, 20_001);
    }

    #[test]
    fn what_is_not_a_pack_is_refused() {
        let good = documents(&[(MANIFEST, digest("m"), 9)], &[]).remove(0).bytes;
        let good = String::from_utf8(good).unwrap();
        assert!(parse(good.as_bytes()).is_ok());
        for (from, to) in [
            (ARTIFACT_TYPE, "application/x"),
            (TITLE, "other"),
            ("sha256:", "sha512:"),
            ("\"size\":9", "\"size\":-1"),
            ("{", "["),
        ] {
            assert!(parse(good.replace(from, to).as_bytes()).is_err(), "{from}");
        }
    }

    #[test]
    fn tags_name_packs() {
        let id = digest("x");
        assert_eq!(pack_of(&tag_of(&id)), Some(id));
        assert_eq!(pack_of("latest"), None);
        assert!(crate::format::destination::is_tag(&tag_of(&id)));
    }
}
