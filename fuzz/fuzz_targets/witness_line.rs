//! Reads any bytes as a line of the ledger: it is parsed or skipped, and never panics.
#![no_main]

use gitpack::format::witness::{Filter, Line};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Some(line) = Line::parse(bytes) {
        let filter = Filter { tool: Some("pack".into()), input_hash: Some("x".into()), ..Filter::default() };
        filter.matches(&line);
        line.id_is_right();
        line.time();
    }
});
