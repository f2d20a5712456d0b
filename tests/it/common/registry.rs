//! An OCI registry and a data fabric in memory, for tests that make them lie.

use std::collections::BTreeMap;
use std::sync::Mutex;

use gitpack::format::digest::Digest;

use super::server::{Asked, Reply};

/// What a registry holds.
#[derive(Default)]
pub struct Holdings {
    pub blobs: BTreeMap<String, Vec<u8>>,
    pub manifests: BTreeMap<String, (String, Vec<u8>)>,
    /// Whether it lists referrers, as registries of the specification 1.1 do. The lists have pages of two.
    pub lists_referrers: bool,
    uploads: BTreeMap<u64, Vec<u8>>,
    next: u64,
}

/// A registry with one repository, `r`, that speaks the OCI distribution specification.
#[derive(Default)]
pub struct FakeRegistry(pub Mutex<Holdings>);

impl FakeRegistry {
    pub fn answer(&self, asked: &Asked) -> Reply {
        let (path, query) = asked.path.split_once('?').unwrap_or((&asked.path, ""));
        let Some(below) = path.strip_prefix("/v2/r/") else {
            return Reply::new(404);
        };
        let mut held = self.0.lock().unwrap();
        if let Some(upload) = below.strip_prefix("blobs/uploads/") {
            return held.upload(asked, upload, query);
        }
        if let Some(digest) = below.strip_prefix("blobs/") {
            return match held.blobs.get(digest) {
                Some(blob) => Reply::part(asked, blob),
                None => Reply::new(404),
            };
        }
        if let Some(reference) = below.strip_prefix("manifests/") {
            return held.manifest(asked, reference);
        }
        if let Some(subject) = below.strip_prefix("referrers/") {
            return held.referrers(subject, query);
        }
        match below {
            "tags/list" => {
                let tags: Vec<&String> = held.manifests.keys().filter(|key| !key.contains(':')).collect();
                Reply::new(200).body(serde_json::json!({ "name": "r", "tags": tags }).to_string())
            }
            _ => Reply::new(404),
        }
    }

    /// The digest of the largest blob.
    pub fn largest(&self) -> String {
        let held = self.0.lock().unwrap();
        let largest = held.blobs.iter().max_by_key(|(_, blob)| blob.len());
        largest.map_or_else(|| "none".to_owned(), |(digest, _)| digest.clone())
    }

    /// Changes the image manifest of every tag.
    pub fn change_images(&self, change: impl Fn(&mut serde_json::Value)) {
        for (_, bytes) in self.0.lock().unwrap().manifests.values_mut() {
            let mut image = serde_json::from_slice(bytes).unwrap();
            change(&mut image);
            *bytes = image.to_string().into_bytes();
        }
    }
}

impl Holdings {
    fn upload(&mut self, asked: &Asked, upload: &str, query: &str) -> Reply {
        if asked.method == "POST" {
            self.next += 1;
            self.uploads.insert(self.next, Vec::new());
            return Reply::new(202).with("Location", format!("/v2/r/blobs/uploads/{}", self.next));
        }
        let Some(number) = upload.parse().ok().filter(|number| self.uploads.contains_key(number)) else {
            return Reply::new(404);
        };
        let content = self.uploads.get_mut(&number).unwrap();
        let begins: Option<usize> = asked
            .header("content-range")
            .split('-')
            .next()
            .and_then(|n| n.parse().ok());
        if begins.is_some_and(|at| at != content.len()) {
            return Reply::new(416);
        }
        content.extend_from_slice(&asked.body);
        let range = format!("0-{}", content.len().saturating_sub(1));
        let place = format!("/v2/r/blobs/uploads/{number}");
        match asked.method.as_str() {
            "GET" => Reply::new(204).with("Location", place).with("Range", range),
            "PATCH" => Reply::new(202).with("Location", place).with("Range", range),
            "PUT" if asked.is_whole => {
                let digest = query.rsplit("digest=").next().unwrap().replace("%3A", ":");
                let content = self.uploads.remove(&number).unwrap();
                match Digest::of(&content).to_string() == digest {
                    true => {
                        self.blobs.insert(digest, content);
                        Reply::new(201)
                    }
                    false => Reply::new(400),
                }
            }
            _ => Reply::new(405),
        }
    }

    fn manifest(&mut self, asked: &Asked, reference: &str) -> Reply {
        if asked.method != "PUT" {
            return match self.manifests.get(reference) {
                Some((kind, bytes)) => Reply::new(200).with("Content-Type", kind).body(bytes.clone()),
                None => Reply::new(404),
            };
        }
        if !asked.is_whole {
            return Reply::new(400);
        }
        let image: serde_json::Value = serde_json::from_slice(&asked.body).unwrap();
        // A registry takes only an image whose layers it has.
        let layers = image["layers"].as_array().into_iter().flatten();
        let config = image.get("config");
        for layer in layers.chain(config) {
            if !self.blobs.contains_key(layer["digest"].as_str().unwrap_or_default()) {
                return Reply::new(404).body("a layer is missing");
            }
        }
        let kind = asked.header("content-type").to_owned();
        self.manifests.insert(reference.to_owned(), (kind, asked.body.clone()));
        match image["subject"]["digest"].as_str() {
            Some(subject) if self.lists_referrers => Reply::new(201).with("OCI-Subject", subject),
            _ => Reply::new(201),
        }
    }

    /// Returns a page of the list of a subject's referrers.
    fn referrers(&self, subject: &str, query: &str) -> Reply {
        const PAGE: usize = 2;
        if !self.lists_referrers {
            return Reply::new(404);
        }
        let from: usize = query.strip_prefix("from=").map_or(0, |from| from.parse().unwrap());
        let refers = |bytes: &[u8]| {
            let image: serde_json::Value = serde_json::from_slice(bytes).unwrap();
            (image["subject"]["digest"] == subject).then_some(image)
        };
        let all = self.manifests.values();
        let found: Vec<serde_json::Value> = all
            .filter_map(|(kind, bytes)| Some((kind, bytes, refers(bytes)?)))
            .map(|(kind, bytes, image)| {
                serde_json::json!({
                    "mediaType": kind,
                    "digest": Digest::of(bytes).to_string(),
                    "size": bytes.len(),
                    "artifactType": image["artifactType"],
                })
            })
            .collect();
        let page: Vec<_> = found.iter().skip(from).take(PAGE).collect();
        let index = serde_json::json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": page,
        });
        let reply = Reply::new(200).body(index.to_string());
        match from + PAGE < found.len() {
            true => reply.with(
                "Link",
                format!("</v2/r/referrers/{subject}?from={}>; rel=\"next\"", from + PAGE),
            ),
            false => reply,
        }
    }
}

/// A data fabric: documents by their paths.
#[derive(Default)]
pub struct FakeFabric(pub Mutex<BTreeMap<String, Vec<u8>>>);

impl FakeFabric {
    pub fn answer(&self, asked: &Asked) -> Reply {
        let mut held = self.0.lock().unwrap();
        match asked.method.as_str() {
            "PUT" if asked.is_whole => {
                held.insert(asked.path.clone(), asked.body.clone());
                Reply::new(201)
            }
            "GET" | "HEAD" => match held.get(&asked.path) {
                Some(document) => Reply::part(asked, document),
                None => Reply::new(404),
            },
            _ => Reply::new(405),
        }
    }

    /// Changes every document as text.
    pub fn change(&self, change: impl Fn(String) -> String) {
        for document in self.0.lock().unwrap().values_mut() {
            *document = change(String::from_utf8(std::mem::take(document)).unwrap()).into_bytes();
        }
    }
}
