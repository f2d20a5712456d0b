//! Recognises any bytes: the places that are told lie within the layers that are opened.
#![no_main]

use gitpack::rules::content::{DEPTH, Look, recognise_slice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let found = recognise_slice(bytes, Look::default());
    assert!(found.formats.values().all(|place| place.depth() <= DEPTH));
});
