//! JSON: strict parsing, and canonical output (RFC 8785, JCS) with one newline at the end.

mod document;
mod listing;
mod ordered;
mod spelling;
mod strict;

use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use document::{Document, around_list, write_item};
pub use listing::{Listing, ListingError, MAX_HULL};
pub use spelling::{Spelled, spell_number, spell_text, write_spelled};
use strict::{MAX_SAFE_INTEGER, Strict, StrictCheck, ValueBudget};

/// Why a text is not strict JSON, with the line and column of the fault.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

/// Parses one JSON document.
///
/// Refuses duplicate keys, trailing data, integers beyond ±2^53 and nesting of 128 levels or more, because common
/// parsers change these silently. The caller, who reads the bytes, limits their size.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, JsonError> {
    parse(bytes, Strict(None))
}

fn parse(bytes: &[u8], strict: Strict<'_>) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|e| JsonError(e.to_string()))
}

/// Parses one JSON document into `T`, as strictly as [`parse_strict`], without building a [`Value`] first.
pub fn parse_strict_into<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    StrictCheck
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|e| JsonError(e.to_string()))
}

/// Parses one document in canonical form into `T`, with a fraction of the memory of [`parse_strict_into`].
///
/// Refuses bytes that are not the canonical form of the parsed value, so that no document can be read in two ways. `T`
/// itself must refuse integers beyond 2^53: see [`safe_integer`].
pub fn parse_canonical<T: Document + for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, JsonError> {
    let value: T = serde_json::from_slice(bytes).map_err(|e| JsonError(e.to_string()))?;
    match value.is_written_as(bytes) {
        true => Ok(value),
        false => Err(JsonError("it is not in canonical form".into())),
    }
}

/// Deserialises a count of at most 2^53, which every JSON parser reads as the same number.
pub fn safe_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        value if value > MAX_SAFE_INTEGER => Err(de::Error::custom(format!("integer {value} is beyond 2^53"))),
        value => Ok(value),
    }
}

/// Parses one JSON document as strictly as [`parse_strict`], and passes each item of the list under `key` in the
/// outermost object to `each`. Returns the document with that list empty.
///
/// Refuses more than 4,096 values in an item or beside the list.
#[cfg_attr(
    not(feature = "network"),
    allow(dead_code, reason = "only places in the network list so much")
)]
pub fn parse_listing(bytes: &[u8], key: &str, each: &mut dyn FnMut(Value)) -> Result<Value, JsonError> {
    let mut read = || {
        let mut listing = Listing::begin(bytes, key)?;
        while let Some((item, _)) = listing.next_value()? {
            each(item);
        }
        listing.finish()
    };
    match read() {
        Ok((hull, _)) => parse_within(&hull),
        Err(ListingError::Json(why)) => Err(why),
        Err(ListingError::Io(e)) => Err(JsonError(e.to_string())),
    }
}

/// Parses one JSON document as strictly as [`parse_strict`]. Refuses more than 4,096 values in it.
pub fn parse_within(bytes: &[u8]) -> Result<Value, JsonError> {
    parse(bytes, Strict(Some(&ValueBudget::default())))
}

/// Returns the canonical form, without a newline.
pub fn to_canonical<T: Serialize>(value: &T) -> Vec<u8> {
    let sorted = || serde_json_canonicalizer::to_vec(value);
    ordered::in_order(value)
        .map_or_else(sorted, Ok)
        .expect("documents of ours have string keys and finite numbers")
}

/// Returns the canonical form followed by one newline, which is the content of a document's file.
pub fn to_document<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = to_canonical(value);
    bytes.push(b'\n');
    // Some documents are large and stay in memory for a while.
    bytes.shrink_to_fit();
    bytes
}

#[cfg(test)]
mod tests {
    use super::strict::MAX_VALUES;
    use super::*;
    use proptest::prelude::*;

    impl Document for Value {}

    #[test]
    fn what_other_parsers_change_silently_is_refused() {
        for text in [
            r#"{"a":1,"a":2}"#,
            r#"{"x":{"b":1,"b":1}}"#,
            "9007199254740993",
            "-9007199254740993",
            "123456789012345678901234567890",
            "1e300",
            "9007199254740993.0",
            "{} {}",
            "",
            "{\"a\":1",
            "\u{feff}{}",
            "\"\\ud800\"",
            "[1,]",
        ] {
            assert!(parse_strict(text.as_bytes()).is_err(), "{text}");
            assert!(parse_strict_into::<Value>(text.as_bytes()).is_err(), "{text}");
            assert!(parse_listing(text.as_bytes(), "x", &mut |_| {}).is_err(), "{text}");
        }
        assert!(parse_strict(b"\"\xff\"").is_err());
    }

    #[test]
    fn a_short_text_cannot_become_many_values() {
        let many = |count| format!("[{}]", vec!["[]"; count].join(","));
        for (text, is_read) in [
            (format!(r#"{{"x":{}}}"#, many(MAX_VALUES - 1)), true),
            (format!(r#"{{"x":{}}}"#, many(MAX_VALUES)), false),
            (format!(r#"{{"m":[{}]}}"#, many(MAX_VALUES)), true),
            (format!(r#"{{"m":[1,{}]}}"#, many(MAX_VALUES + 1)), false),
            (format!(r#"{{"m":{}}}"#, many(3 * MAX_VALUES)), true),
            (
                format!(r#"{{"m":[{}]}}"#, r#"{"a":0},"#.repeat(3 * MAX_VALUES) + "0"),
                true,
            ),
            (
                format!(r#"{{"n":[{}]}}"#, r#"{"a":0},"#.repeat(MAX_VALUES / 2) + "0"),
                false,
            ),
        ] {
            let read = parse_listing(text.as_bytes(), "m", &mut |_| {});
            assert_eq!(read.is_ok(), is_read, "{}", &text[..40]);
        }
    }

    #[test]
    fn deep_nesting_is_an_error_and_not_a_crash() {
        let deep = "[".repeat(1_000_000);
        assert!(parse_strict(deep.as_bytes()).is_err());
        let deep = "{\"a\":".repeat(200);
        assert!(parse_strict(deep.as_bytes()).is_err());
    }

    #[test]
    fn canonical_form_sorts_by_utf16_and_spells_numbers_once() {
        let text = "{\"€\":1,\"\\r\":2,\"1\":{\"b\":10.0,\"a\":1E2},\"😀\":3,\"\u{fb33}\":4}";
        let value = parse_strict(text.as_bytes());
        assert_eq!(
            String::from_utf8(to_document(&value.unwrap())).unwrap(),
            "{\"\\r\":2,\"1\":{\"a\":100,\"b\":10},\"€\":1,\"😀\":3,\"\u{fb33}\":4}\n"
        );
    }

    pub(super) fn json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-(1i64 << 53)..=(1i64 << 53)).prop_map(Value::from),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn parsing_the_canonical_form_is_the_identity(value in json()) {
            let bytes = to_document(&value);
            let again = parse_strict(&bytes).unwrap();
            prop_assert_eq!(&parse_strict_into::<Value>(&bytes).unwrap(), &again);
            prop_assert_eq!(&again, &value);
            prop_assert_eq!(&parse_canonical::<Value>(&bytes).unwrap(), &value);
            prop_assert_eq!(to_document(&again), bytes);
        }
    }
}
