//! The fields of a manifest: their strict reading, and the ways in which they may depart from it.

use std::fmt;

use serde_json::Value;

use crate::format::canonical_json::JsonError;
use crate::format::manifest::VERSION;

/// A place where a manifest is spelled in another way than git-pack spells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Departure {
    /// The place. Empty for the whole document.
    pub place: String,
    /// The difference.
    pub what: String,
    /// Whether the contract allows both spellings, so that no notice is needed.
    pub is_usual: bool,
}

/// Why a manifest cannot be judged at all.
#[derive(Debug)]
pub enum Malformed {
    /// The file is not strict JSON.
    Json(JsonError),
    /// The JSON has another structure.
    Shape(String),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(e) => write!(f, "it is not strict JSON: {e}"),
            Self::Shape(what) => write!(f, "it is not a {VERSION} manifest: {what}"),
        }
    }
}

/// Returns the departure for an optional field that is null. The contract allows null for an absent field; git-pack
/// omits the field.
pub(super) fn null_departure(place: &str, value: Option<&Value>) -> Option<Departure> {
    value.is_some_and(Value::is_null).then(|| Departure {
        place: place.to_owned(),
        what: "an optional field is null instead of left out".into(),
        is_usual: true,
    })
}

pub(super) fn shape(what: &str) -> Malformed {
    Malformed::Shape(what.to_owned())
}

pub(super) fn text(key: &str, value: Option<Value>) -> Result<String, Malformed> {
    optional_text(key, value)?.ok_or_else(|| shape(&format!("{key} is missing")))
}

pub(super) fn optional_text(key: &str, value: Option<Value>) -> Result<Option<String>, Malformed> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(shape(&format!("{key} is not a string: {other}"))),
    }
}
