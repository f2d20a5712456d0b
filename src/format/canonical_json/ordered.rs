//! Writes values whose keys come in canonical order, without sorting them. Nearly all items of long lists are such values.

use std::io::{self, Write};
use std::mem;

use serde::Serialize;
use serde_json::ser::{CharEscape, CompactFormatter, Formatter, Serializer};

use crate::format::canonical_json::strict::MAX_SAFE_INTEGER;

/// Room for most items of a list, in bytes.
const ITEM: usize = 256;

/// Returns the canonical form of a value. `None` if a key is out of order or is not plain ASCII, or if a number is not an
/// integer that every parser reads exactly.
pub(super) fn in_order(value: &impl Serialize) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(ITEM);
    let mut serializer = Serializer::with_formatter(&mut bytes, InOrder::default());
    value.serialize(&mut serializer).ok()?;
    Some(bytes)
}

/// Writes what serde_json writes in canonical form anyway, and fails at everything else.
#[derive(Default)]
struct InOrder {
    /// The last key of each open object, innermost last.
    last: Vec<Option<Vec<u8>>>,
    /// The key that is being written.
    key: Vec<u8>,
    in_key: bool,
}

impl InOrder {
    fn needs(&self, is_plain: bool) -> io::Result<()> {
        match is_plain && !self.in_key {
            true => Ok(()),
            false => Err(other()),
        }
    }
}

fn other() -> io::Error {
    io::ErrorKind::Unsupported.into()
}

impl Formatter for InOrder {
    fn begin_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.last.push(None);
        CompactFormatter.begin_object(writer)
    }

    fn end_object<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.last.pop();
        CompactFormatter.end_object(writer)
    }

    fn begin_object_key<W: ?Sized + Write>(&mut self, writer: &mut W, first: bool) -> io::Result<()> {
        self.in_key = true;
        self.key.clear();
        CompactFormatter.begin_object_key(writer, first)
    }

    fn end_object_key<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        self.in_key = false;
        let key = mem::take(&mut self.key);
        let last = self.last.last_mut().ok_or_else(other)?;
        if last.as_ref().is_some_and(|last| *last >= key) {
            return Err(other());
        }
        self.key = last.replace(key).unwrap_or_default();
        CompactFormatter.end_object_key(writer)
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        if self.in_key {
            // The order of others is not that of their bytes.
            fragment.is_ascii().then_some(()).ok_or_else(other)?;
            self.key.extend_from_slice(fragment.as_bytes());
        }
        CompactFormatter.write_string_fragment(writer, fragment)
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        self.needs(true)?;
        CompactFormatter.write_char_escape(writer, escape)
    }

    fn write_u64<W: ?Sized + Write>(&mut self, writer: &mut W, value: u64) -> io::Result<()> {
        self.needs(value <= MAX_SAFE_INTEGER)?;
        CompactFormatter.write_u64(writer, value)
    }

    fn write_i64<W: ?Sized + Write>(&mut self, writer: &mut W, value: i64) -> io::Result<()> {
        self.needs(value.unsigned_abs() <= MAX_SAFE_INTEGER)?;
        CompactFormatter.write_i64(writer, value)
    }

    fn write_u128<W: ?Sized + Write>(&mut self, _: &mut W, _: u128) -> io::Result<()> {
        Err(other())
    }

    fn write_i128<W: ?Sized + Write>(&mut self, _: &mut W, _: i128) -> io::Result<()> {
        Err(other())
    }

    fn write_f32<W: ?Sized + Write>(&mut self, _: &mut W, _: f32) -> io::Result<()> {
        Err(other())
    }

    fn write_f64<W: ?Sized + Write>(&mut self, _: &mut W, _: f64) -> io::Result<()> {
        Err(other())
    }

    fn write_number_str<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(other())
    }

    fn write_raw_fragment<W: ?Sized + Write>(&mut self, _: &mut W, _: &str) -> io::Result<()> {
        Err(other())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::format::canonical_json::tests::json;

    #[test]
    fn what_would_have_to_be_sorted_or_rounded_is_left_to_the_canonicalizer() {
        #[derive(Serialize)]
        struct Unsorted {
            b: u8,
            a: u8,
        }
        assert_eq!(in_order(&Unsorted { b: 1, a: 2 }), None);
        for value in [
            json!(1.5),
            json!(-0.0),
            json!((1u64 << 53) + 1),
            json!({"é": 1}),
            json!({"a\n": 1}),
            json!({"a": {"\u{fb33}": 1, "😀": 2}}),
        ] {
            assert_eq!(in_order(&value), None, "{value}");
        }
        assert_eq!(in_order(&std::collections::BTreeMap::from([(10, 1), (9, 2)])), None);
        let value = json!({"a": {"b": 1, "c": [{"a": "é\u{1f}\"\\/"}]}, "b": [null, true, -5, {}]});
        assert_eq!(
            in_order(&value).unwrap(),
            serde_json_canonicalizer::to_vec(&value).unwrap()
        );
    }

    proptest! {
        #[test]
        fn what_is_written_in_order_is_the_canonical_form(
            value in json(), fields in prop::collection::btree_map("[a-c\"\\x01]{0,3}", json(), 0..6),
        ) {
            let object = Value::Object(fields.into_iter().collect());
            for value in [value, object] {
                if let Some(bytes) = in_order(&value) {
                    prop_assert_eq!(bytes, serde_json_canonicalizer::to_vec(&value).unwrap());
                }
            }
        }
    }
}
