//! Reads any bytes as an age header, as a recipients file and as an identity file.
#![no_main]

use gitpack::adapters::cipher::{Identities, Recipients, Silence, examine_seal, header};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let ask = Silence::asker();
    if let Ok(seal) = header(bytes) {
        assert!(seal.bytes <= bytes.len() as u64 && !seal.stanzas.is_empty());
    }
    drop(examine_seal(&mut &bytes[..]));
    drop(Identities::parse("fuzz".into(), bytes.to_vec().into(), &ask));
    if let Ok(text) = std::str::from_utf8(bytes) {
        drop(Recipients::parse([text], &ask));
    }
});
