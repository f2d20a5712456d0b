//! In-toto statements, version 1: what is said (the predicate), and of which contents (the subjects).

use std::fmt;

use serde_json::{Map, Value, json};

use crate::format::canonical_json::{JsonError, parse_strict, to_canonical};
use crate::format::digest::Digest;
use crate::format::slsa::{ANY_SUMMARY, PASSED};

/// The value of `_type`.
pub const STATEMENT_TYPE: &str = "https://in-toto.io/Statement/v1";

/// Most bytes of a predicate type. It is shown to people.
pub const MAX_PREDICATE_TYPE: usize = 1024;

/// A content that a statement is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StatementSubject {
    /// Its name, which tells it from others in the statement.
    pub name: Option<String>,
    /// Its SHA-256. `None` if only other digests are stated.
    pub sha256: Option<Digest>,
}

/// What of a statement every reader needs. The predicate is for those who know its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// What it is about. There is at least one subject.
    pub subjects: Vec<StatementSubject>,
    /// The type of what is said.
    pub predicate_type: String,
}

/// Why bytes are not a statement.
#[derive(Debug, PartialEq, Eq)]
pub enum StatementError {
    /// They are not strict JSON.
    Json(JsonError),
    /// `_type` is not that of a statement, version 1.
    Type,
    /// A field is missing, or does not have the right type.
    Field(&'static str),
    /// A SHA-256 is not 64 lowercase hex digits.
    Digest,
    /// A verification summary that does not say that the verification passed.
    NotPassed,
}

impl Statement {
    /// Parses a statement. Fields that are not known are passed over, as the specification says.
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementError> {
        let value = parse_strict(bytes).map_err(StatementError::Json)?;
        let statement = value.as_object().ok_or(StatementError::Field("the statement"))?;
        if statement.get("_type").and_then(Value::as_str) != Some(STATEMENT_TYPE) {
            return Err(StatementError::Type);
        }
        let subjects = statement.get("subject").and_then(Value::as_array);
        let subjects = subjects.filter(|subjects| !subjects.is_empty());
        let subjects = subjects.ok_or(StatementError::Field("subject"))?;
        let predicate_type = statement.get("predicateType").and_then(Value::as_str);
        let predicate_type = predicate_type.filter(|text| (1..=MAX_PREDICATE_TYPE).contains(&text.len()));
        if !matches!(statement.get("predicate"), None | Some(Value::Object(_))) {
            return Err(StatementError::Field("predicate"));
        }
        let predicate_type = predicate_type.ok_or(StatementError::Field("predicateType"))?;
        let result = statement
            .get("predicate")
            .and_then(|predicate| predicate.get("verificationResult"));
        if predicate_type.starts_with(ANY_SUMMARY) && result.and_then(Value::as_str) != Some(PASSED) {
            return Err(StatementError::NotPassed);
        }
        Ok(Self {
            subjects: subjects.iter().map(StatementSubject::parse).collect::<Result<_, _>>()?,
            predicate_type: predicate_type.to_owned(),
        })
    }

    /// Returns a statement in canonical form.
    pub fn write<'a>(
        subjects: impl IntoIterator<Item = (&'a str, Digest)>,
        predicate_type: &str,
        predicate: &Map<String, Value>,
    ) -> Vec<u8> {
        let subjects = subjects
            .into_iter()
            .map(|(name, digest)| json!({ "name": name, "digest": { "sha256": digest.hex() } }));
        to_canonical(&json!({
            "_type": STATEMENT_TYPE,
            "subject": subjects.collect::<Vec<_>>(),
            "predicateType": predicate_type,
            "predicate": predicate,
        }))
    }
}

impl StatementSubject {
    fn parse(value: &Value) -> Result<Self, StatementError> {
        let field = || StatementError::Field("subject");
        let subject = value.as_object().ok_or_else(field)?;
        let digests = subject.get("digest").and_then(Value::as_object).ok_or_else(field)?;
        if digests.is_empty() || !digests.values().all(Value::is_string) {
            return Err(StatementError::Field("digest"));
        }
        let sha256 = digests.get("sha256").and_then(Value::as_str);
        Ok(Self {
            name: match subject.get("name") {
                None => None,
                Some(name) => Some(name.as_str().ok_or_else(field)?.to_owned()),
            },
            sha256: sha256
                .map(|hex| Digest::parse_hex(hex).ok_or(StatementError::Digest))
                .transpose()?,
        })
    }
}

impl fmt::Display for StatementError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(why) => write!(f, "the statement is not strict JSON: {why}"),
            Self::Type => write!(f, "the statement does not have the type {STATEMENT_TYPE}"),
            Self::Field(name) => write!(f, "{name} is missing, too long, or has the wrong type"),
            Self::Digest => f.write_str("a sha256 is not 64 lowercase hex digits"),
            Self::NotPassed => f.write_str("it is the summary of a verification, and does not say that it passed"),
        }
    }
}

impl std::error::Error for StatementError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_written_in_one_way_and_read_again() {
        let predicate = json!({"b": 1.0, "a": [true]});
        let digest = Digest::of(b"");
        let bytes = Statement::write([("x", digest)], "https://a.example/b", predicate.as_object().unwrap());
        let hex = digest.hex();
        let expected = format!(
            r#"{{"_type":"https://in-toto.io/Statement/v1","predicate":{{"a":[true],"b":1}},"predicateType":"https://a.example/b","subject":[{{"digest":{{"sha256":"{hex}"}},"name":"x"}}]}}"#
        );
        assert_eq!(String::from_utf8(bytes.clone()).unwrap(), expected);
        let subject = StatementSubject {
            name: Some("x".into()),
            sha256: Some(digest),
        };
        let read = Statement::parse(&bytes).unwrap();
        assert_eq!(
            (read.subjects, &*read.predicate_type),
            (vec![subject], "https://a.example/b")
        );
        // Other tools name other digests, leave names and predicates out, and put spaces and other fields in.
        let other = r#"{ "_type": "https://in-toto.io/Statement/v1", "more": 1, "predicateType": "t", "subject": [
            {"digest": {"gitCommit": "00"}, "uri": "u"}]}"#;
        let read = Statement::parse(other.as_bytes()).unwrap();
        assert_eq!(
            read.subjects[0],
            StatementSubject {
                name: None,
                sha256: None
            }
        );
    }

    #[test]
    fn what_is_not_a_statement_is_refused() {
        let hex = Digest::of(b"").hex();
        let good = format!(
            r#"{{"_type":"{STATEMENT_TYPE}","predicateType":"t","predicate":{{}},"subject":[{{"digest":{{"sha256":"{hex}"}},"name":"x"}}]}}"#
        );
        assert!(Statement::parse(good.as_bytes()).is_ok());
        for text in [
            String::new(),
            format!("[{good}]"),
            good.replace("Statement/v1", "Statement/v0.1"),
            good.replace("Statement/v1", "Statement/v11"),
            good.replace("\"_type\"", "\"type\""),
            good.replace("\"t\"", "\"\""),
            good.replace("\"t\"", "1"),
            good.replace("\"t\"", &format!("\"{}\"", "t".repeat(MAX_PREDICATE_TYPE + 1))),
            good.replace("{}", "[]"),
            good.replace("\"name\":\"x\"", "\"name\":1"),
            good.replace(&hex, &hex.to_uppercase()),
            good.replace(&hex, &hex[1..]),
            good.replace("\"sha256\"", "\"md5\":1,\"sha256\""),
            good.replace(&format!("{{\"sha256\":\"{hex}\"}}"), "{}"),
            good.replacen("\"name\"", "\"digest\":{},\"name\"", 1),
            good.replace("\"subject\":[", "\"subject\":[],\"other\":["),
        ] {
            assert!(Statement::parse(text.as_bytes()).is_err(), "{text}");
        }
    }
}
