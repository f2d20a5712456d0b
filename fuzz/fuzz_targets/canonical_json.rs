//! Every strict JSON document has one canonical form, which parses to the same document.
#![no_main]

use gitpack::format::canonical_json::{parse_strict, to_document};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(value) = parse_strict(bytes) {
        let canonical = to_document(&value);
        let again = parse_strict(&canonical).expect("the canonical form is strict JSON");
        assert_eq!(to_document(&again), canonical);
        // Strict JSON is JSON: a lenient parser sees the same document.
        let lenient: serde_json::Value = serde_json::from_slice(bytes).expect("strict JSON is JSON");
        assert_eq!(to_document(&lenient), canonical);
    }
});
