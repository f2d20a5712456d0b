//! Credentials as Docker and Podman keep them: files with users and passwords, and programs that know them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::adapters::files;
use crate::adapters::program::{self, PATIENCE};
use crate::refusal::transport::TransportFault;

/// The largest configuration that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// What opens a registry.
pub enum Login {
    /// A user and a password.
    Password {
        /// The user.
        user: String,
        /// The password.
        password: Zeroizing<String>,
    },
    /// A token for the token server.
    Identity(Zeroizing<String>),
}

/// A configuration of Docker, as far as it is about credentials.
#[derive(Deserialize)]
struct Configuration {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers", default)]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: Option<String>,
}

#[derive(Default, Deserialize)]
struct Entry {
    auth: Option<Zeroizing<String>>,
    username: Option<String>,
    password: Option<Zeroizing<String>>,
    #[serde(rename = "identitytoken")]
    identity: Option<Zeroizing<String>>,
}

/// An answer of a helper.
#[derive(Deserialize)]
struct Told {
    #[serde(rename = "Username")]
    user: String,
    #[serde(rename = "Secret")]
    secret: Zeroizing<String>,
}

/// Returns the login for a registry, from the first of `files` that has one.
pub fn login(files: &[PathBuf], host: &str) -> Result<Option<Login>, TransportFault> {
    for path in files {
        let malformed = |said: &str| TransportFault::Malformed {
            what: "the Docker configuration",
            said: format!("{}: {said}", path.display()),
        };
        let bytes = files::read_optional(path, MAX_FILE).map_err(|refused| malformed(&refused.to_string()))?;
        let Some(bytes) = bytes.map(Zeroizing::new) else {
            continue;
        };
        // What serde says could hold a part of a password.
        let configuration: Configuration =
            serde_json::from_slice(&bytes).map_err(|_| malformed("it is not the JSON that was expected"))?;
        if let Some(login) = configuration.login(host, &malformed)? {
            return Ok(Some(login));
        }
    }
    Ok(None)
}

/// Returns the keys under which a registry may be kept.
fn keys(host: &str) -> Vec<String> {
    let mut keys = vec![
        host.to_owned(),
        format!("https://{host}"),
        format!("https://{host}/v1/"),
        format!("https://{host}/v2/"),
    ];
    if matches!(host, "docker.io" | "registry-1.docker.io" | "index.docker.io") {
        keys.extend(["https://index.docker.io/v1/", "docker.io", "index.docker.io"].map(str::to_owned));
    }
    keys
}

impl Configuration {
    fn login(&self, host: &str, malformed: &dyn Fn(&str) -> TransportFault) -> Result<Option<Login>, TransportFault> {
        for key in keys(host) {
            if let Some(helper) = self.helpers.get(&key) {
                return ask(helper, &key, PATIENCE);
            }
        }
        for key in keys(host) {
            if let Some(login) = self
                .auths
                .get(&key)
                .map(|entry| entry.login(malformed))
                .transpose()?
                .flatten()
            {
                return Ok(Some(login));
            }
        }
        let Some(store) = &self.store else { return Ok(None) };
        for key in keys(host) {
            if let Some(login) = ask(store, &key, PATIENCE)? {
                return Ok(Some(login));
            }
        }
        Ok(None)
    }
}

impl Entry {
    fn login(&self, malformed: &dyn Fn(&str) -> TransportFault) -> Result<Option<Login>, TransportFault> {
        if let Some(token) = self.identity.as_ref().filter(|token| !token.is_empty()) {
            return Ok(Some(Login::Identity(token.clone())));
        }
        if let (Some(user), Some(password)) = (&self.username, &self.password) {
            let (user, password) = (user.clone(), password.clone());
            return Ok(Some(Login::Password { user, password }));
        }
        let Some(auth) = self.auth.as_ref().filter(|auth| !auth.is_empty()) else {
            return Ok(None);
        };
        let bad = || malformed("an auth is not a user and a password in Base64");
        let bytes = Zeroizing::new(BASE64_STANDARD.decode(auth.trim()).map_err(|_| bad())?);
        let text = std::str::from_utf8(&bytes).map_err(|_| bad())?;
        let (user, password) = text.split_once(':').ok_or_else(bad)?;
        Ok(Some(Login::Password {
            user: user.to_owned(),
            password: Zeroizing::new(password.trim_end_matches('\0').to_owned()),
        }))
    }
}

/// Asks a helper for a login. The name of the registry goes through standard input, and nothing secret through
/// arguments or the environment.
fn ask(helper: &str, registry: &str, patience: Duration) -> Result<Option<Login>, TransportFault> {
    let name = format!("docker-credential-{helper}");
    let failed = |said: &str| TransportFault::Helper {
        program: name.clone(),
        said: said.to_owned(),
    };
    if helper.is_empty()
        || !helper
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    {
        return Err(failed("its name is not one of a program"));
    }
    let answer = program::ask(Command::new(&name).arg("get"), registry.as_bytes(), patience).map_err(|e| failed(&e))?;
    if !answer.success {
        // Helpers tell by this text, and by nothing else, that they have no credentials.
        let none = String::from_utf8_lossy(&answer.text).contains("credentials not found");
        return if none {
            Ok(None)
        } else {
            Err(failed("it ended with an error"))
        };
    }
    let told: Told = serde_json::from_slice(&answer.text).map_err(|_| failed("its answer is not what was expected"))?;
    Ok(Some(match told.user.as_str() {
        "<token>" => Login::Identity(told.secret),
        _ => Login::Password {
            user: told.user,
            password: told.secret,
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn find(json: &str, host: &str) -> Option<String> {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("config.json");
        std::fs::write(&path, json).unwrap();
        match login(&[temp.path().join("missing"), path], host) {
            Ok(Some(Login::Password { user, password })) => Some(format!("{user}:{}", *password)),
            Ok(Some(Login::Identity(token))) => Some(format!("token {}", *token)),
            Ok(None) => None,
            Err(fault) => Some(format!("{fault}")),
        }
    }

    #[test]
    fn a_login_is_only_for_its_own_host() {
        let json = r#"{"auths":{"h.example":{"auth":"dTpwOnc="},"h.example:5000":{"username":"a","password":"b"},
            "https://index.docker.io/v1/":{"identitytoken":"t"}}}"#;
        assert_eq!(find(json, "h.example").unwrap(), "u:p:w");
        assert_eq!(find(json, "h.example:5000").unwrap(), "a:b");
        assert_eq!(find(json, "docker.io").unwrap(), "token t");
        for other in ["h.example:5001", "example", "x.h.example", "h.example.org"] {
            assert_eq!(find(json, other), None, "{other}");
        }
    }

    #[test]
    fn no_part_of_a_secret_is_in_a_fault() {
        for json in [
            r#"{"auths":{"h":{"auth":"c2VjcmV0"}}}"#,
            r#"{"auths":{"h":{"auth":"secret!"}}}"#,
            r#"{"auths":{"h":{"auth":{"secret":1}}}}"#,
            r#"{"auths":"secret"}"#,
        ] {
            let fault = find(json, "h").unwrap();
            assert!(!fault.contains("secret") && !fault.contains("c2Vj"), "{fault}");
        }
    }

    #[test]
    fn a_helper_is_a_program_by_its_name() {
        for name in ["", "../x", "x y", "a/b"] {
            assert!(
                matches!(ask(name, "h", PATIENCE), Err(TransportFault::Helper { .. })),
                "{name}"
            );
        }
    }
}
