//! DSSE envelopes: a payload with its type, and signatures over both (Dead Simple Signing Envelope, version 1).

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use serde_json::{Map, Value, json};

use crate::format::canonical_json::{JsonError, parse_strict, to_document};

/// The type of a payload that is an in-toto statement.
pub const IN_TOTO: &str = "application/vnd.in-toto+json";

/// Most signatures in one envelope. Each may have to be checked with every key.
pub const MAX_SIGNATURES: usize = 64;

/// Most bytes of a key id or a payload type. They are shown to people.
const MAX_NAME: usize = 1024;

/// An envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// The type of the payload.
    pub payload_type: String,
    /// The payload, decoded.
    pub payload: Vec<u8>,
    /// The signatures. There is at least one.
    pub signatures: Vec<EnvelopeSignature>,
}

/// A signature in an envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnvelopeSignature {
    /// The id of the key. No signature is over it, so it is only a hint.
    pub key_id: Option<String>,
    /// The signature, decoded.
    pub bytes: Vec<u8>,
}

/// Why bytes are not an envelope.
#[derive(Debug, PartialEq, Eq)]
pub enum EnvelopeError {
    /// They are not strict JSON.
    Json(JsonError),
    /// A field is missing, or does not have the right type.
    Field(&'static str),
    /// A field is not in base64.
    Base64(&'static str),
    /// There is no signature.
    Unsigned,
    /// There are too many signatures.
    ManySignatures,
    /// A key id or the payload type is too long.
    Long(&'static str),
}

impl Envelope {
    /// Parses an envelope: one strict JSON object and nothing else. Fields that are not known are passed over, and base64
    /// may be the usual one or the one for URLs, as the specification says.
    pub fn parse(bytes: &[u8]) -> Result<Self, EnvelopeError> {
        let value = parse_strict(bytes).map_err(EnvelopeError::Json)?;
        let envelope = value.as_object().ok_or(EnvelopeError::Field("the envelope"))?;
        let payload_type = text(envelope, "payloadType")?.to_owned();
        if payload_type.len() > MAX_NAME {
            return Err(EnvelopeError::Long("payloadType"));
        }
        let signatures = envelope.get("signatures").and_then(Value::as_array);
        let signatures = signatures.ok_or(EnvelopeError::Field("signatures"))?;
        match signatures.len() {
            0 => return Err(EnvelopeError::Unsigned),
            1..=MAX_SIGNATURES => {}
            _ => return Err(EnvelopeError::ManySignatures),
        }
        Ok(Self {
            payload_type,
            payload: decoded(envelope, "payload")?,
            signatures: signatures
                .iter()
                .map(EnvelopeSignature::parse)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Returns the envelope as one line: canonical JSON and a newline.
    pub fn to_line(&self) -> Vec<u8> {
        let signatures = self.signatures.iter().map(|signature| {
            let mut value = json!({ "sig": STANDARD.encode(&signature.bytes) });
            if let Some(key_id) = &signature.key_id {
                value["keyid"] = json!(key_id);
            }
            value
        });
        to_document(&json!({
            "payload": STANDARD.encode(&self.payload),
            "payloadType": self.payload_type,
            "signatures": signatures.collect::<Vec<_>>(),
        }))
    }

    /// Returns the bytes that a signature is over.
    pub fn signed_bytes(&self) -> Vec<u8> {
        signed_bytes(&self.payload_type, &self.payload)
    }
}

impl EnvelopeSignature {
    fn parse(value: &Value) -> Result<Self, EnvelopeError> {
        let signature = value.as_object().ok_or(EnvelopeError::Field("signatures"))?;
        let key_id = match signature.get("keyid") {
            None | Some(Value::Null) => None,
            Some(Value::String(key_id)) if key_id.len() > MAX_NAME => return Err(EnvelopeError::Long("keyid")),
            Some(Value::String(key_id)) => Some(key_id.clone()),
            Some(_) => return Err(EnvelopeError::Field("keyid")),
        };
        Ok(Self {
            key_id,
            bytes: decoded(signature, "sig")?,
        })
    }
}

/// Returns the bytes that a signature over a payload of this type is over: the pre-authentication encoding.
pub fn signed_bytes(payload_type: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {payload_type} {} ", payload_type.len(), payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

fn text<'a>(object: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, EnvelopeError> {
    object
        .get(name)
        .and_then(Value::as_str)
        .ok_or(EnvelopeError::Field(name))
}

fn decoded(object: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, EnvelopeError> {
    let text = text(object, name)?;
    STANDARD
        .decode(text)
        .or_else(|_| URL_SAFE.decode(text))
        .map_err(|_| EnvelopeError::Base64(name))
}

impl fmt::Display for EnvelopeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(why) => write!(f, "it is not strict JSON: {why}"),
            Self::Field(name) => write!(f, "{name} is missing, or has the wrong type"),
            Self::Base64(name) => write!(f, "{name} is not in base64"),
            Self::Unsigned => f.write_str("it has no signature"),
            Self::ManySignatures => write!(f, "it has more than {MAX_SIGNATURES} signatures"),
            Self::Long(name) => write!(f, "{name} has more than {MAX_NAME} bytes"),
        }
    }
}

impl std::error::Error for EnvelopeError {}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn envelope() -> Envelope {
        Envelope {
            payload_type: IN_TOTO.into(),
            payload: b"{}".to_vec(),
            signatures: vec![EnvelopeSignature {
                key_id: Some("k".into()),
                bytes: vec![0xfb, 0xff, 1],
            }],
        }
    }

    #[test]
    fn an_envelope_is_written_in_one_way_and_read_in_each_way_that_other_tools_write() {
        let line = r#"{"payload":"e30=","payloadType":"application/vnd.in-toto+json","signatures":[{"keyid":"k","sig":"+/8B"}]}"#;
        assert_eq!(envelope().to_line(), format!("{line}\n").into_bytes());
        for text in [
            line.to_owned(),
            format!("{line}\n"),
            line.replace(':', " : ").replace(',', ",\n "),
            line.replace("+/8B", "-_8B"),
            line.replace("\"sig\"", "\"cert\":[1],\"sig\""),
            r#"{"signatures":[{"sig":"+/8B","keyid":"k"}],"more":{},"payloadType":"application\/vnd.in-toto+json","payload":"e30="}"#.into(),
        ] {
            assert_eq!(Envelope::parse(text.as_bytes()), Ok(envelope()), "{text}");
        }
        let unnamed = line.replace("\"keyid\":\"k\",", "");
        assert_eq!(
            Envelope::parse(unnamed.as_bytes()).map(|read| read.signatures[0].key_id.clone()),
            Ok(None)
        );
    }

    #[test]
    fn what_two_readers_could_read_in_two_ways_is_refused() {
        let line = String::from_utf8(envelope().to_line()).unwrap();
        let many = format!("[{}]", vec![r#"{"sig":""}"#; MAX_SIGNATURES + 1].join(","));
        for text in [
            String::new(),
            "[]".into(),
            format!("{line}{line}"),
            format!("[{line}]"),
            r#"["e30=","application/vnd.in-toto+json",[{"sig":""}]]"#.into(),
            line.replacen('{', r#"{"payload":"","#, 1),
            line.replacen("{\"keyid\"", r#"{"sig":"","keyid""#, 1),
            line.replace("e30=", "e30"),
            line.replace("e30=", "e31="),
            line.replace("e30=", "e30=\\n"),
            line.replace("+/8B", "+_8B"),
            line.replace("+/8B", "+/8"),
            line.replace("\"k\"", "7"),
            line.replace("\"k\"", &format!("\"{}\"", "k".repeat(MAX_NAME + 1))),
            line.replace("application", &"a".repeat(MAX_NAME)),
            line.replace("payloadType", "payloadtype"),
            line.replace("[{\"keyid\":\"k\",\"sig\":\"+/8B\"}]", "[]"),
            line.replace("[{\"keyid\":\"k\",\"sig\":\"+/8B\"}]", "[\"+/8B\"]"),
            line.replace("[{\"keyid\":\"k\",\"sig\":\"+/8B\"}]", &many),
        ] {
            assert!(Envelope::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn reading_what_was_written_is_the_identity(
            payload_type in ".{0,40}",
            payload in prop::collection::vec(any::<u8>(), 0..80),
            signatures in prop::collection::vec((prop::option::of(".{0,20}"), prop::collection::vec(any::<u8>(), 0..80)), 1..4),
        ) {
            let signatures = signatures.into_iter().map(|(key_id, bytes)| EnvelopeSignature { key_id, bytes });
            let envelope = Envelope { payload_type, payload, signatures: signatures.collect() };
            let line = envelope.to_line();
            prop_assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
            prop_assert_eq!(Envelope::parse(&line), Ok(envelope));
        }
    }

    #[test]
    fn a_signature_is_over_the_type_and_the_payload_with_their_lengths() {
        // The example of the specification.
        assert_eq!(
            signed_bytes("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
        assert_ne!(signed_bytes("a 1", b"b"), signed_bytes("a", b"1 b"));
    }
}
