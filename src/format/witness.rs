//! Witness records (`witness.v0`): one line of canonical JSON for each answered command, chained by BLAKE3 hashes.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::format::canonical_json::{parse_strict, to_canonical};
use crate::format::timestamp::Timestamp;

/// The tool name in git-pack's records.
pub const TOOL: &str = "pack";

/// A running BLAKE3 hash.
#[derive(Clone, Default)]
pub struct Blake3(blake3::Hasher);

impl Blake3 {
    /// Adds `bytes`.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Returns `blake3:` and 64 hex digits.
    pub fn finish(&self) -> String {
        format!("blake3:{}", self.0.finalize().to_hex())
    }

    /// Returns the hash of `bytes` alone.
    pub fn of(bytes: &[u8]) -> String {
        let mut hash = Self::default();
        hash.update(bytes);
        hash.finish()
    }
}

/// An input of a command.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Input {
    /// The path as given by the user.
    pub path: String,
    /// Hash of its content, if it is known and not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
    /// Size in bytes, if it is known and not secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
}

/// A record to be written.
#[derive(Clone, Debug, Serialize)]
pub struct Record {
    /// [`TOOL`].
    pub tool: &'static str,
    /// The release of git-pack.
    pub version: &'static str,
    /// Name of the command, such as `seal`.
    pub command: &'static str,
    /// BLAKE3 of this program's executable file.
    pub binary_hash: String,
    /// The inputs of the command.
    pub inputs: Vec<Input>,
    /// The parameters of the command.
    pub params: Map<String, Value>,
    /// The outcome in one word.
    pub outcome: String,
    /// The exit status.
    pub exit_code: u8,
    /// BLAKE3 of what the command printed on standard output.
    pub output_hash: String,
    /// The time, in whole seconds.
    pub ts: String,
    /// Id of the pack that the command was about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pack_id: Option<String>,
}

impl Record {
    /// Returns the line without its newline, with its id and, if there is a line before it, the hash of that line.
    pub fn to_line(&self, previous: Option<&[u8]>) -> Vec<u8> {
        let mut value = serde_json::to_value(self).expect("a record has string keys only");
        if let Some(previous) = previous {
            value["prev"] = Blake3::of(previous).into();
        }
        value["id"] = Blake3::of(&to_canonical(&value)).into();
        to_canonical(&value)
    }
}

/// A line that was read: a JSON object written by any tool.
#[derive(Clone, Debug)]
pub struct Line(Value);

impl Line {
    /// Parses a line. `None` if it is malformed.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let value = parse_strict(bytes).ok()?;
        value.is_object().then_some(Self(value))
    }

    /// Returns the whole record.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Returns the value of a field. `None` if it is missing or not a string.
    pub fn text(&self, field: &str) -> Option<&str> {
        self.0.get(field).and_then(Value::as_str)
    }

    /// Returns the time. Older records name the field `timestamp`.
    pub fn time(&self) -> Option<&str> {
        self.text("ts").or_else(|| self.text("timestamp"))
    }

    /// Returns whether the id matches the record.
    pub fn id_is_right(&self) -> bool {
        let mut bare = self.0.clone();
        let Some(id) = bare.as_object_mut().and_then(|fields| fields.remove("id")) else {
            return false;
        };
        id == Blake3::of(&to_canonical(&bare))
    }

    /// Returns the hashes of the inputs.
    pub fn input_hashes(&self) -> impl Iterator<Item = &str> {
        let inputs = self.0.get("inputs").and_then(Value::as_array);
        inputs
            .into_iter()
            .flatten()
            .filter_map(|input| input.get("hash")?.as_str())
    }
}

/// Conditions on records.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// Only records of this tool.
    pub tool: Option<String>,
    /// Only records at or after this time.
    pub since: Option<Timestamp>,
    /// Only records at or before this time.
    pub until: Option<Timestamp>,
    /// Only records with this outcome.
    pub outcome: Option<String>,
    /// Only records with an input of this hash.
    pub input_hash: Option<String>,
}

impl Filter {
    /// Returns whether a record meets all conditions. A record without a readable time meets no condition on the time.
    pub fn matches(&self, line: &Line) -> bool {
        let equals =
            |wanted: &Option<String>, field: &str| wanted.as_deref().is_none_or(|w| line.text(field) == Some(w));
        let time = line.time().and_then(Timestamp::parse);
        let within = |bound: Option<Timestamp>, holds: fn(&Timestamp, &Timestamp) -> bool| match (bound, &time) {
            (None, _) => true,
            (Some(bound), Some(time)) => holds(time, &bound),
            (Some(_), None) => false,
        };
        equals(&self.tool, "tool")
            && equals(&self.outcome, "outcome")
            && within(self.since, Timestamp::ge)
            && within(self.until, Timestamp::le)
            && self
                .input_hash
                .as_deref()
                .is_none_or(|hash| line.input_hashes().any(|h| h == hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            tool: TOOL,
            version: "0.1.0",
            command: "seal",
            binary_hash: Blake3::of(b"binary"),
            inputs: vec![Input {
                path: "a".into(),
                hash: Some("sha256:1".into()),
                bytes: Some(1),
            }],
            params: Map::new(),
            outcome: "PACK_CREATED".into(),
            exit_code: 0,
            output_hash: Blake3::of(b"out"),
            ts: "2026-01-15T10:30:00Z".into(),
            pack_id: None,
        }
    }

    #[test]
    fn ids_prove_records_and_prev_chains_them() {
        let first = record().to_line(None);
        let second = record().to_line(Some(&first));
        assert_ne!(first, second);
        let line = Line::parse(&second).unwrap();
        assert!(line.id_is_right());
        assert_eq!(line.text("prev"), Some(Blake3::of(&first).as_str()));
        for at in 0..second.len() {
            let mut flipped = second.clone();
            flipped[at] ^= 1;
            assert!(
                !Line::parse(&flipped).is_some_and(|line| line.id_is_right()),
                "byte {at}"
            );
        }
    }

    #[test]
    fn filters_select() {
        let line = Line::parse(&record().to_line(None)).unwrap();
        assert!(Filter::default().matches(&line));
        type Change = fn(&mut Filter);
        let cases: [(Change, bool); 9] = [
            (|f| f.tool = Some("pack".into()), true),
            (|f| f.tool = Some("rvl".into()), false),
            (|f| f.since = Timestamp::parse("2026-01-15T10:30:00Z"), true),
            (|f| f.since = Timestamp::parse("2026-01-15T10:30:01Z"), false),
            (|f| f.until = Timestamp::parse("2026-01-15T10:30:00Z"), true),
            (|f| f.until = Timestamp::parse("2026-01-15T10:29:59Z"), false),
            (|f| f.outcome = Some("REFUSAL".into()), false),
            (|f| f.input_hash = Some("sha256:1".into()), true),
            (|f| f.input_hash = Some("sha256:2".into()), false),
        ];
        for (change, expected) in cases {
            let mut filter = Filter::default();
            change(&mut filter);
            assert_eq!(filter.matches(&line), expected, "{filter:?}");
        }
        let old = Line::parse(b"{\"tool\":\"x\",\"timestamp\":\"2026-01-15T10:30:00Z\"}").unwrap();
        assert!(
            Filter {
                since: Timestamp::parse("2026-01-15T10:30:00Z"),
                ..Filter::default()
            }
            .matches(&old)
        );
    }
}
