//! Reads any bytes as an envelope, and as a statement. What is an envelope is written and read again as the same.
#![no_main]

use gitpack::format::dsse::Envelope;
use gitpack::format::statement::Statement;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(envelope) = Envelope::parse(bytes) {
        assert_eq!(Envelope::parse(&envelope.to_line()), Ok(envelope));
    }
    if let Ok(statement) = Statement::parse(bytes) {
        assert!(!statement.subjects.is_empty() && !statement.predicate_type.is_empty());
    }
});
