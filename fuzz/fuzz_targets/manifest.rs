//! Reads any bytes as a manifest, and judges them as the manifest of an empty directory.
#![no_main]

use gitpack::format::manifest::ManifestDocument;
use gitpack::rules::pack::findings::Findings;
use gitpack::rules::pack::members::envelope;
use gitpack::rules::pack::observed::Facts;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(manifest) = ManifestDocument::parse(bytes) {
        let mut findings = Findings::default();
        envelope(&manifest, &Facts::new(), false, &mut findings);
        // The directory is empty, so every declared member is missing.
        assert!(manifest.members.is_empty() || !findings.is_empty());
    }
});
