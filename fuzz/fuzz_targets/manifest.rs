//! Any bytes as a manifest, and as the manifest of an empty pack that is then judged.
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
        // Members of an empty directory are missing, whatever else is wrong with them.
        assert!(manifest.members.is_empty() || !findings.is_empty());
    }
});
