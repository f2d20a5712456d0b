//! JSON: strict parsing, and canonical output (RFC 8785, JCS) with one newline at the end.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::fmt;
use std::io::{self, Write};

use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Number, Value};

use crate::format::digest::{Digest, Hashing};

/// Why a text is not strict JSON, with the line and column of the fault.
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
/// Refuses duplicate keys, trailing data, integers beyond ±2^53 and nesting of 128 levels or more, because common
/// parsers change these silently. The caller, who reads the bytes, limits their size.
pub fn parse_strict(bytes: &[u8]) -> Result<Value, JsonError> {
    parse(bytes, Strict::Whole(None))
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
    Check
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

/// Returns the canonical form, without a newline.
pub fn to_canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("documents of ours have string keys and finite numbers")
}

/// Returns the canonical form followed by one newline, which is the content of a document's file.
pub fn to_document<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = to_canonical(value);
    bytes.push(b'\n');
    // Some documents are large and stay in memory for a while.
    bytes.shrink_to_fit();
    bytes
}

/// A document in canonical form. A document that is mostly one list overrides `write` to write it item by item.
pub trait Document: Serialize + Sized {
    /// Writes the document as [`to_document`] returns it.
    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(&to_document(self))
    }

    /// Returns the SHA-256 and the size in bytes of the written document.
    fn hashed(&self) -> (Digest, u64) {
        let mut hashing = Hashing::new(io::sink());
        self.write(&mut hashing).expect("a sink takes everything");
        let (_, hash, bytes) = hashing.finish();
        (hash, bytes)
    }

    /// Returns whether `bytes` equal the written document, without writing a second copy to memory.
    fn is_written_as(&self, bytes: &[u8]) -> bool {
        let mut same = Same::of(bytes);
        self.write(&mut same).is_ok() && same.is_same()
    }
}

/// A writer that compares what is written with expected bytes.
pub struct Same<'a>(Option<&'a [u8]>);

impl<'a> Same<'a> {
    /// Returns a writer that expects these bytes.
    pub fn of(bytes: &'a [u8]) -> Self {
        Self(Some(bytes))
    }

    /// Returns whether exactly the expected bytes were written.
    pub fn is_same(&self) -> bool {
        self.0.is_some_and(<[u8]>::is_empty)
    }
}

impl Write for Same<'_> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0 = self.0.and_then(|rest| rest.strip_prefix(buf));
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Writes the document `hull`, with these items as the list under `key`. Ignores the value that `hull` has there.
pub fn write_listing<T: Serialize>(
    out: &mut dyn Write,
    hull: &impl Serialize,
    key: &str,
    items: impl Iterator<Item = T>,
) -> io::Result<()> {
    let [before, behind] = around_list(hull, key);
    out.write_all(&before)?;
    let mut first = true;
    for item in items {
        write_item(out, &mut first, &item)?;
    }
    out.write_all(&behind)?;
    out.write_all(b"\n")
}

/// Writes the next item of a list.
pub fn write_item(mut out: &mut dyn Write, first: &mut bool, item: &impl Serialize) -> io::Result<()> {
    if !std::mem::replace(first, false) {
        out.write_all(b",")?;
    }
    Ok(serde_json_canonicalizer::to_writer(item, &mut out)?)
}

/// Returns the bytes before and after the items of the list under `key`, in the canonical form of an object.
pub fn around_list(hull: &impl Serialize, key: &str) -> [Vec<u8>; 2] {
    let Ok(Value::Object(fields)) = serde_json::to_value(hull) else {
        unreachable!("only objects have keys");
    };
    let (mut before, mut behind) = (Map::new(), Map::new());
    for (name, value) in fields {
        match name.encode_utf16().cmp(key.encode_utf16()) {
            std::cmp::Ordering::Less => drop(before.insert(name, value)),
            std::cmp::Ordering::Equal => {}
            std::cmp::Ordering::Greater => drop(behind.insert(name, value)),
        }
    }
    let mut head = to_canonical(&before);
    head.pop();
    if !before.is_empty() {
        head.push(b',');
    }
    head.extend(to_canonical(&key));
    head.extend(b":[");
    let mut tail = b"]".to_vec();
    if !behind.is_empty() {
        tail.push(b',');
    }
    tail.extend_from_slice(&to_canonical(&behind)[1..]);
    [head, tail]
}

/// Most values in one item of a list, and most values in a document beside its list.
///
/// A value in memory takes a hundred times the bytes of its shortest text, so a document within the size limit could
/// otherwise exhaust the memory.
pub const MAX_VALUES: usize = 4096;

/// Parses one JSON document as strictly as [`parse_strict`], and passes each item of the list under `key` in the
/// outermost object to `each`. Returns the document with that list empty.
///
/// Refuses more than [`MAX_VALUES`] values in an item or beside the list.
pub fn parse_listing(bytes: &[u8], key: &str, each: &mut dyn FnMut(Value)) -> Result<Value, JsonError> {
    let budget = Budget::default();
    parse(bytes, Strict::Listing(key, each, &budget))
}

/// The number of values still allowed.
struct Budget(Cell<usize>);

impl Default for Budget {
    fn default() -> Self {
        Self(Cell::new(MAX_VALUES))
    }
}

impl Budget {
    fn take<E: de::Error>(&self) -> Result<(), E> {
        match self.0.get().checked_sub(1) {
            Some(left) => {
                self.0.set(left);
                Ok(())
            }
            None => Err(E::custom(format!("more than {MAX_VALUES} values"))),
        }
    }
}

/// What is being parsed: a whole value, a document with a list whose items are handed out, or that list. Each with its
/// budget.
enum Strict<'a> {
    Whole(Option<&'a Budget>),
    Listing(&'a str, &'a mut dyn FnMut(Value), &'a Budget),
    Items(&'a mut dyn FnMut(Value)),
}

impl<'a> Strict<'a> {
    fn budget(&self) -> Option<&'a Budget> {
        match self {
            Self::Whole(budget) => *budget,
            Self::Listing(_, _, budget) => Some(budget),
            Self::Items(_) => None,
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
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

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut seq: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        if let Self::Items(each) = &mut self {
            // Items that are handed out are not kept.
            while let Some(item) = seq.next_element_seed(Strict::Whole(Some(&Budget::default())))? {
                each(item);
            }
            return Ok(Value::Array(items));
        }
        let budget = self.budget();
        while let Some(item) = seq.next_element_seed(Strict::Whole(budget))? {
            budget.map_or(Ok(()), Budget::take)?;
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Value, A::Error> {
        let mut object = Map::new();
        let budget = self.budget();
        while let Some(key) = map.next_key::<String>()? {
            if object.contains_key(&key) {
                return Err(duplicate(&key));
            }
            budget.map_or(Ok(()), Budget::take)?;
            let value = map.next_value_seed(match &mut self {
                Self::Listing(list, each, _) if *list == key => Strict::Items(each),
                _ => Strict::Whole(budget),
            })?;
            object.insert(key, value);
        }
        Ok(Value::Object(object))
    }
}

fn duplicate<E: de::Error>(key: &str) -> E {
    E::custom(format!("duplicate key {key:?}"))
}

/// Makes the checks of [`Strict`] without building a value.
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

    /// A document that consists of a list and the fields around it.
    #[derive(Serialize)]
    struct Listing(Map<String, Value>);

    impl Document for Listing {
        fn write(&self, out: &mut dyn Write) -> io::Result<()> {
            let mut hull = self.0.clone();
            hull.remove("m");
            let items = self.0["m"].as_array().unwrap().iter();
            write_listing(out, &hull, "m", items)
        }
    }

    #[test]
    fn a_list_stands_where_its_key_belongs() {
        for text in [
            r#"{"m":[]}"#,
            r#"{"m":[1,[2],{"b":1,"a":"\""}]}"#,
            r#"{"a":{"m":[]},"m":[1],"n":"\"m\":[]"}"#,
            r#"{"A":[],"l\"m":[],"m":[1,2],"n":{"m":[]},"é":null}"#,
        ] {
            let Value::Object(fields) = parse_strict(text.as_bytes()).unwrap() else {
                panic!("{text}")
            };
            let mut bytes = Vec::new();
            Listing(fields.clone()).write(&mut bytes).unwrap();
            assert_eq!(bytes, to_document(&fields), "{text}");
        }
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

        #[test]
        fn a_list_that_is_written_and_read_item_by_item_is_the_list(
            mut fields in prop::collection::btree_map("[lmn\"\\\\é😀]{0,3}", json(), 0..5),
            items in prop::collection::vec(json(), 0..5),
            at in any::<prop::sample::Index>(),
        ) {
            fields.insert("m".into(), items.clone().into());
            let whole: Map<String, Value> = fields.into_iter().collect();
            let bytes = to_document(&whole);
            let mut listed = Vec::new();
            Listing(whole.clone()).write(&mut listed).unwrap();
            prop_assert_eq!(&listed, &bytes);
            prop_assert!(Listing(whole.clone()).is_written_as(&bytes));
            let mut read = Vec::new();
            let mut hull = parse_listing(&bytes, "m", &mut |item| read.push(item)).unwrap();
            prop_assert_eq!(&hull["m"], &Value::Array(Vec::new()));
            prop_assert_eq!(&read, &items);
            hull["m"] = items.into();
            prop_assert_eq!(hull, Value::Object(whole.clone()));
            let mut other = bytes.clone();
            other[at.index(bytes.len())] ^= 1;
            for other in [&other, &bytes[..at.index(bytes.len())], &[&bytes[..], b"\n"].concat()] {
                prop_assert!(!Listing(whole.clone()).is_written_as(other));
            }
        }
    }
}
