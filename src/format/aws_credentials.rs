//! The JSON in which a program (`credential_process`) or the service of a container hands out credentials of AWS.

use serde::Deserialize;
use zeroize::Zeroizing;

use crate::format::timestamp::Timestamp;

/// Who hands out credentials. The two forms differ a little.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandedBy {
    /// A program, whose answer has a version and a `SessionToken`.
    Program,
    /// A service, whose answer has a `Token`.
    Container,
}

/// Credentials for some time.
pub struct HandedOut {
    /// The id of the key.
    pub key_id: Zeroizing<String>,
    /// The secret key.
    pub secret: Zeroizing<String>,
    /// The session that they belong to.
    pub token: Option<Zeroizing<String>>,
    /// When they expire, if they do.
    pub expires: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    version: Option<u64>,
    access_key_id: Zeroizing<String>,
    secret_access_key: Zeroizing<String>,
    session_token: Option<Zeroizing<String>>,
    token: Option<Zeroizing<String>>,
    expiration: Option<String>,
}

impl HandedOut {
    /// Parses an answer. The error says nothing of it, because it may hold secrets.
    pub fn parse(json: &[u8], by: HandedBy) -> Result<Self, &'static str> {
        let answer: Answer =
            serde_json::from_slice(json).map_err(|_| "its answer is not JSON with AccessKeyId and SecretAccessKey")?;
        let token = match (by, answer.version) {
            (HandedBy::Program, Some(1)) => answer.session_token,
            (HandedBy::Program, _) => return Err("its answer is not of version 1"),
            (HandedBy::Container, _) => answer.token,
        };
        if answer.access_key_id.is_empty() || answer.secret_access_key.is_empty() {
            return Err("its answer has an empty key");
        }
        let expires = answer.expiration.filter(|text| !text.is_empty());
        let expires =
            expires.map(|text| Timestamp::parse(&text).ok_or("its answer has an Expiration that is not a time"));
        Ok(Self {
            key_id: answer.access_key_id,
            secret: answer.secret_access_key,
            token: token.filter(|token| !token.is_empty()),
            expires: expires.transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_are_parsed() {
        let program = br#"{"Version": 1, "AccessKeyId": "k", "SecretAccessKey": "s", "SessionToken": "t",
            "Expiration": "2026-01-15T10:30:00+00:00", "AccountId": "1"}"#;
        let found = HandedOut::parse(program, HandedBy::Program).ok().unwrap();
        assert_eq!((found.key_id.as_str(), found.secret.as_str()), ("k", "s"));
        assert_eq!(found.token.as_ref().map(|token| token.as_str()), Some("t"));
        assert_eq!(
            found.expires.map(|at| at.to_string()).as_deref(),
            Some("2026-01-15T10:30:00Z")
        );
        let container = br#"{"AccessKeyId": "k", "SecretAccessKey": "s", "Token": "t", "RoleArn": "r"}"#;
        let found = HandedOut::parse(container, HandedBy::Container).ok().unwrap();
        assert_eq!(found.token.as_ref().map(|token| token.as_str()), Some("t"));
        assert_eq!(found.expires, None);
        assert!(HandedOut::parse(container, HandedBy::Program).is_err());
    }

    #[test]
    fn an_error_repeats_nothing_of_an_answer() {
        for answer in [
            "SECRET",
            r#"{"Version": 2, "AccessKeyId": "k", "SecretAccessKey": "SECRET"}"#,
            r#"{"Version": "SECRET", "AccessKeyId": "k", "SecretAccessKey": "s"}"#,
            r#"{"Version": 1, "AccessKeyId": "k", "SecretAccessKey": ["SECRET"]}"#,
            r#"{"Version": 1, "AccessKeyId": "", "SecretAccessKey": "SECRET"}"#,
            r#"{"Version": 1, "AccessKeyId": "k", "SecretAccessKey": "s", "Expiration": "SECRET"}"#,
        ] {
            let said = HandedOut::parse(answer.as_bytes(), HandedBy::Program).err().unwrap();
            assert!(!said.contains("SECRET"), "{said}");
        }
    }
}
