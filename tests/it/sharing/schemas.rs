//! The documents for registries conform to the JSON schemas of the OCI image specification.

use std::fs;
use std::path::Path;

use gitpack::format::digest::Digest;
use gitpack::format::oci::documents;
use serde_json::{Map, Value, json};

/// Joins the schemas of `fixtures/oci` into one that describes `which`.
pub fn schema(which: &str) -> Value {
    let mut files = Map::new();
    for entry in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/oci")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let mut schema: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        relocate(&mut schema, &name);
        files.insert(name, schema);
    }
    json!({"$schema": "http://json-schema.org/draft-04/schema#", "allOf": [{"$ref": format!("#/files/{which}")}], "files": files})
}

/// Makes references between the files references within the joined schema.
fn relocate(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => {
            fields.remove("id");
            fields.remove("$schema");
            if let Some(Value::String(target)) = fields.get_mut("$ref") {
                let (file, place) = target.split_once('#').unwrap_or((target, ""));
                let file = file.strip_suffix(".json").unwrap_or(name);
                *target = format!("#/files/{file}{place}");
            }
            fields.values_mut().for_each(|value| relocate(value, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|value| relocate(value, name)),
        _ => {}
    }
}

#[test]
fn image_manifests_and_indices_conform() {
    let digest = Digest::of(b"x");
    let labels = [("org.opencontainers.image.created", "2026-01-01T00:00:00Z".to_owned())];
    let names: Vec<String> = (0..9_000).map(|n| format!("{n}")).collect();
    let files: Vec<_> = names.iter().map(|name| (name.as_str(), digest, 7)).collect();
    let manifest = jsonschema::validator_for(&schema("image-manifest-schema")).unwrap();
    let index = jsonschema::validator_for(&schema("image-index-schema")).unwrap();
    let parsed = |bytes: &[u8]| serde_json::from_slice::<Value>(bytes).unwrap();
    let small = documents(&files[..3], &labels);
    let [one] = small.as_slice() else { panic!() };
    assert!(manifest.is_valid(&parsed(&one.bytes)));
    let mut broken = parsed(&one.bytes);
    broken["layers"][0]["digest"] = json!("x");
    assert!(!manifest.is_valid(&broken));
    let large = documents(&files, &labels);
    let [a, b, whole] = large.as_slice() else { panic!() };
    for part in [a, b] {
        assert!(manifest.is_valid(&parsed(&part.bytes)));
    }
    assert!(index.is_valid(&parsed(&whole.bytes)));
    let mut broken = parsed(&whole.bytes);
    broken["manifests"][0]["digest"] = json!("x");
    assert!(!index.is_valid(&broken));
}
