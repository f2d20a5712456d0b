//! JSON, read strictly and written canonically (RFC 8785, JCS) with one newline at the end.

use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

/// Why a text is not strict JSON, with the line and column where it was noticed.
#[derive(Debug, PartialEq, Eq)]
pub struct JsonError(String);

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for JsonError {}

const MAX_SAFE_INTEGER: u64 = 1 << 53;

/// Parses one JSON document.
///
/// Refuses duplicate keys, trailing data, integers beyond ±2^53 and nesting of 128 levels or more, all of which common
/// parsers change silently. A limit on the size is the caller's, who reads the bytes.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let value = Strict
        .deserialize(&mut deserializer)
        .and_then(|value| deserializer.end().map(|()| value))
        .map_err(|e| JsonError(e.to_string()))?;
    Ok(value)
}

/// Parses one JSON document as strictly into `T`, without holding it in any other form.
pub fn parse_strict_into<T: for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, JsonError> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    Check
        .deserialize(&mut deserializer)
        .and_then(|()| deserializer.end())
        .and_then(|()| serde_json::from_slice(bytes))
        .map_err(|e| JsonError(e.to_string()))
}

/// Parses one document in canonical form straight into `T`, which takes a fraction of the memory of [`parse_strict_into`].
///
/// What is not the canonical form of what was parsed is refused, so that nothing is read in two ways. An integer beyond
/// 2^53 is `T`'s own to refuse: see [`safe_integer`].
pub fn parse_canonical<T: Serialize + for<'de> Deserialize<'de>>(bytes: &[u8]) -> Result<T, JsonError> {
    let value: T = serde_json::from_slice(bytes).map_err(|e| JsonError(e.to_string()))?;
    let mut expected = Expected(bytes);
    let same = serde_json_canonicalizer::to_writer(&value, &mut expected).is_ok();
    match same && expected.0 == b"\n" {
        true => Ok(value),
        false => Err(JsonError("it is not in canonical form".into())),
    }
}

/// A writer that takes the bytes that are expected, and no others.
struct Expected<'a>(&'a [u8]);

impl Write for Expected<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = self.0.strip_prefix(buf).ok_or(io::ErrorKind::InvalidData)?;
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads a count that every JSON parser reads as the same: at most 2^53.
pub fn safe_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    match u64::deserialize(deserializer)? {
        value if value > MAX_SAFE_INTEGER => Err(de::Error::custom(format!("integer {value} is beyond 2^53"))),
        value => Ok(value),
    }
}

/// Returns the canonical form, without a newline.
pub fn to_canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("documents of ours have string keys and finite numbers")
}

/// Returns the canonical form followed by one newline: a document as it stands in a file.
pub fn to_document<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = to_canonical(value);
    bytes.push(b'\n');
    // Some documents are large, and kept for a while.
    bytes.shrink_to_fit();
    bytes
}

#[derive(Clone, Copy)]
struct Strict;

impl<'de> DeserializeSeed<'de> for Strict {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        Check.visit_u64(value).map(|()| value.into())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        Check.visit_i64(value).map(|()| value.into())
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        Check.visit_f64(value)?;
        Number::from_f64(value)
            .map(Value::Number)
            .ok_or_else(|| E::custom("number is not finite"))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element_seed(Strict)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(duplicate(&key));
            }
            let value = map.next_value_seed(Strict)?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

fn duplicate<E: de::Error>(key: &str) -> E {
    E::custom(format!("duplicate key {key:?}"))
}

/// Refuses what [`Strict`] refuses, and keeps nothing.
#[derive(Clone, Copy)]
struct Check;

impl<'de> DeserializeSeed<'de> for Check {
    type Value = ();

    fn deserialize<D: de::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Check {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<(), E> {
        match value > MAX_SAFE_INTEGER {
            true => Err(E::custom(format!("integer {value} is beyond 2^53"))),
            false => Ok(()),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<(), E> {
        match value.unsigned_abs() > MAX_SAFE_INTEGER {
            true => Err(E::custom(format!("integer {value} is beyond -2^53"))),
            false => Ok(()),
        }
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<(), E> {
        // An integer literal too large for 64 bits arrives here, already rounded.
        match value.abs() >= MAX_SAFE_INTEGER as f64 {
            true => Err(E::custom("number is beyond ±2^53")),
            false => Ok(()),
        }
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        while seq.next_element_seed(Check)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = map.next_key::<String>()? {
            map.next_value_seed(Check)?;
            if let Some(key) = keys.replace(key) {
                return Err(duplicate(&key));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

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
        }
        assert!(parse_strict(b"\"\xff\"").is_err());
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

    fn json() -> impl Strategy<Value = Value> {
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
