//! Recognises any bytes, in memory and as a stream, which agree except on how much of an archive can be read.
#![no_main]

use gitpack::rules::content::{Look, recognise, recognise_slice};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let whole = recognise_slice(bytes, Look::default());
    let streamed = recognise(&mut &bytes[..], bytes.len() as u64, Look::default()).unwrap();
    assert_eq!(streamed.formats.is_empty(), whole.formats.is_empty());
});
