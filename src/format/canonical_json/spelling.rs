//! Writes lists whose items spell themselves: there are very many of them, and all have the same few fields.

use std::io::{self, Write};

use serde::Serialize;

use crate::format::canonical_json::strict::MAX_SAFE_INTEGER;
use crate::format::canonical_json::{around_list, to_canonical};
use crate::format::digest::{Digest, push_decimal};

/// How many bytes are collected before they are written.
const PIECE: usize = 64 << 10;

/// An item that writes its canonical form itself. It must be what [`to_canonical`] returns.
pub trait Spelled: Serialize {
    /// Appends the canonical form.
    fn spell(&self, out: &mut Vec<u8>);
}

impl<T: Spelled> Spelled for &T {
    fn spell(&self, out: &mut Vec<u8>) {
        (**self).spell(out);
    }
}

impl Spelled for Digest {
    fn spell(&self, out: &mut Vec<u8>) {
        out.push(b'"');
        out.extend_from_slice(&self.ref_bytes());
        out.push(b'"');
    }
}

/// Writes the document `hull`, with these items as the list under `key`. Ignores the value that `hull` has there.
pub fn write_spelled<T: Spelled>(
    out: &mut dyn Write,
    hull: &impl Serialize,
    key: &str,
    items: impl Iterator<Item = T>,
) -> io::Result<()> {
    let [mut bytes, behind] = around_list(hull, key);
    let mut first = true;
    for item in items {
        if !std::mem::replace(&mut first, false) {
            bytes.push(b',');
        }
        item.spell(&mut bytes);
        if bytes.len() > PIECE {
            out.write_all(&bytes)?;
            bytes.clear();
        }
    }
    bytes.extend_from_slice(&behind);
    bytes.push(b'\n');
    out.write_all(&bytes)
}

/// Appends a text as a JSON string.
pub fn spell_text(out: &mut Vec<u8>, text: &str) {
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        out.extend_from_slice(&to_canonical(&text));
        return;
    }
    out.push(b'"');
    out.extend_from_slice(text.as_bytes());
    out.push(b'"');
}

/// Appends a number.
pub fn spell_number(out: &mut Vec<u8>, number: u64) {
    match number > MAX_SAFE_INTEGER {
        true => out.extend_from_slice(&to_canonical(&number)),
        false => push_decimal(out, number),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn texts_and_numbers_are_spelled_in_canonical_form(
            text in "[a\"\\\\/\\x00-\\x20\\x7fé😀\u{2028}]{0,6}", any_text in any::<String>(), number in any::<u64>(), bits in 0..64u32,
        ) {
            let mut out = Vec::new();
            for text in [&text, &any_text] {
                spell_text(&mut out, text);
                prop_assert_eq!(&out, &to_canonical(text));
                out.clear();
            }
            spell_number(&mut out, number >> bits);
            prop_assert_eq!(&out, &to_canonical(&(number >> bits)));
        }
    }
}
