//! Reads any bytes as a manifest, and judges them as the manifest of an empty directory.
#![no_main]

use gitpack::format::manifest::ManifestDocument;
use gitpack::rules::pack::judge;
use gitpack::rules::pack::observed::Observed;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = ManifestDocument::parse(bytes) {
        let (verdict, _) = judge(Observed::of(manifest));
        // The directory is empty, so every declared member is missing.
        assert!(verdict.members == 0 || !verdict.findings.is_empty());
    }
});
