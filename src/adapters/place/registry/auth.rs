//! Who may use a registry: challenges, tokens and passwords.
//!
//! A registry says where tokens are had. A password goes there only if that is the registry itself, one of a few known
//! pairs, or a host that the user named: a registry that lies must not learn the password of another one.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use url::Url;
use zeroize::Zeroizing;

use crate::adapters::network::docker::{Login, login};
use crate::adapters::network::http::{Call, Credential, Http, HttpAnswer, Method};
use crate::format::oci;
use crate::refusal::transport::TransportFault;

/// Registries whose tokens are had from another host, and that host.
const KNOWN: [(&str, &str); 2] = [
    ("registry-1.docker.io", "auth.docker.io"),
    ("registry.gitlab.com", "gitlab.com"),
];

/// The longest answer of a token server that is read, in bytes.
const MAX_TOKEN: u64 = 1 << 20;

/// Where credentials for a registry are.
#[derive(Clone, Debug, Default)]
pub struct LoginPlaces {
    /// Configurations of Docker and Podman, the first one first.
    pub files: Vec<PathBuf>,
    /// Hosts that the user trusts with passwords of the registry.
    pub token_hosts: Vec<String>,
}

/// What a request needs to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RegistryAccess {
    /// Read.
    Pull,
    /// Read and write.
    Push,
}

/// The credentials of one registry, asked for when they are needed.
pub struct Auth {
    host: String,
    repository: String,
    places: LoginPlaces,
    known: Mutex<HashMap<RegistryAccess, Arc<Credential>>>,
}

impl Auth {
    /// Returns the credentials of a repository. Nothing is read yet.
    pub fn of(host: &str, repository: &str, places: LoginPlaces) -> Self {
        Self {
            host: host.to_owned(),
            repository: repository.to_owned(),
            places,
            known: Mutex::default(),
        }
    }

    /// Returns the credential that is known for this access.
    pub fn known(&self, access: RegistryAccess) -> Option<Arc<Credential>> {
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&access)
            .cloned()
    }

    /// Answers a challenge, and keeps the credential.
    pub fn answer(&self, http: &Http, refused: &HttpAnswer, access: RegistryAccess) -> Result<(), TransportFault> {
        let (login, challenge) = (login(&self.places.files, &self.host)?, challenge(refused)?);
        let unauthorized = |found| TransportFault::Unauthorized {
            sought: "the Docker configuration".into(),
            found,
        };
        let credential = match (challenge, login) {
            (Challenge::Basic, None) => return Err(unauthorized(false)),
            (Challenge::Basic, Some(Login::Password { user, password })) => {
                Credential::basic(&user, &password, &refused.url)
            }
            (Challenge::Basic, Some(Login::Identity(_))) => return Err(unauthorized(true)),
            (Challenge::Bearer(bearer), login) => {
                let found = login.is_some();
                let token = self.token(http, &refused.url, &bearer, access, login)?;
                let token = token.ok_or_else(|| unauthorized(found))?;
                Credential {
                    header: Zeroizing::new(format!("Bearer {}", *token)),
                    origin: refused.url.clone(),
                }
            }
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(access, Arc::new(credential));
        Ok(())
    }

    /// Gets a token. `None` if the server does not give one for this login.
    fn token(
        &self,
        http: &Http,
        registry: &Url,
        bearer: &Bearer,
        access: RegistryAccess,
        login: Option<Login>,
    ) -> Result<Option<Zeroizing<String>>, TransportFault> {
        let malformed = |said: &str| TransportFault::Malformed {
            what: "the challenge of the registry",
            said: said.to_owned(),
        };
        let service = bearer.service.as_deref();
        let realm = registry
            .join(&bearer.realm)
            .map_err(|_| malformed("its realm is not a URL"))?;
        if login.is_some() && !self.may_have_password(registry, &realm) {
            let host = realm.host_str().unwrap_or_default().to_owned();
            return Err(match realm.scheme() {
                "https" => TransportFault::ForeignRealm { host },
                _ => TransportFault::PlainRealm { host },
            });
        }
        // What is asked for is never more than what is needed, whatever the challenge says.
        let actions = match access {
            RegistryAccess::Pull => "pull",
            RegistryAccess::Push => "pull,push",
        };
        let scope = format!("repository:{}:{actions}", self.repository);
        let answer = match login {
            Some(Login::Identity(token)) => {
                let mut form = url::form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "refresh_token")
                    .append_pair("refresh_token", &token);
                form.append_pair("client_id", "git-pack").append_pair("scope", &scope);
                service.map(|service| form.append_pair("service", service));
                let body = Zeroizing::new(form.finish());
                let call = Call {
                    headers: &[("content-type", "application/x-www-form-urlencoded")],
                    ..Call::new(Method::POST, &realm, None)
                };
                http.ask(&call, body.as_bytes())?
            }
            login => {
                let mut url = realm.clone();
                {
                    let mut query = url.query_pairs_mut();
                    service.map(|service| query.append_pair("service", service));
                    query.append_pair("scope", &scope);
                }
                let credential = match login {
                    Some(Login::Password { user, password }) => Some(Credential::basic(&user, &password, &realm)),
                    _ => None,
                };
                http.ask(&Call::new(Method::GET, &url, credential.as_ref()), b"")?
            }
        };
        match answer.status {
            200 => {
                let bytes = Zeroizing::new(answer.bytes(MAX_TOKEN)?);
                let token = oci::token(&bytes);
                token
                    .map(|token| Some(Zeroizing::new(token)))
                    .map_err(|said| TransportFault::Malformed {
                        what: "the answer of the token server",
                        said,
                    })
            }
            401 | 403 => Ok(None),
            _ => Err(answer.fault()),
        }
    }

    /// Returns whether the password of the registry may go to a token server.
    fn may_have_password(&self, registry: &Url, realm: &Url) -> bool {
        if registry.origin() == realm.origin() {
            return true;
        }
        let Some(host) = realm.host_str().filter(|_| realm.scheme() == "https") else {
            return false;
        };
        let is_known = KNOWN.contains(&(registry.host_str().unwrap_or_default(), host));
        is_known
            || self
                .places
                .token_hosts
                .iter()
                .any(|named| named.eq_ignore_ascii_case(host))
    }
}

/// What a registry asks for.
#[derive(Debug, PartialEq, Eq)]
enum Challenge {
    /// A password.
    Basic,
    /// A token.
    Bearer(Bearer),
}

/// Where tokens are had.
#[derive(Debug, PartialEq, Eq)]
struct Bearer {
    /// The URL.
    realm: String,
    /// For which service.
    service: Option<String>,
}

fn challenge(refused: &HttpAnswer) -> Result<Challenge, TransportFault> {
    let asked = refused.headers("www-authenticate");
    let malformed = |said: &str| TransportFault::Malformed {
        what: "the challenge of the registry",
        said: said.to_owned(),
    };
    let mut is_basic = false;
    for header in asked {
        let Ok(challenges) = http_auth::parse_challenges(header) else {
            continue;
        };
        for challenge in challenges {
            let value = |name: &str| {
                let mut params = challenge.params.iter();
                params
                    .find(|(key, _)| key.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_unescaped())
            };
            if challenge.scheme.eq_ignore_ascii_case("bearer") {
                let realm = value("realm").ok_or_else(|| malformed("it names no realm"))?;
                let service = value("service");
                return Ok(Challenge::Bearer(Bearer { realm, service }));
            }
            is_basic |= challenge.scheme.eq_ignore_ascii_case("basic");
        }
    }
    match is_basic {
        true => Ok(Challenge::Basic),
        false => Err(malformed("it asks neither for a password nor for a token")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_only_where_it_belongs() {
        let auth = |hosts: &[&str]| {
            let token_hosts = hosts.iter().map(|host| (*host).to_owned()).collect();
            Auth::of(
                "h",
                "r",
                LoginPlaces {
                    files: Vec::new(),
                    token_hosts,
                },
            )
        };
        let may = |auth: &Auth, registry: &str, realm: &str| {
            auth.may_have_password(&registry.parse().unwrap(), &realm.parse().unwrap())
        };
        let plain = auth(&[]);
        assert!(may(&plain, "https://r.example/v2/", "https://r.example/token"));
        assert!(may(&plain, "http://127.0.0.1:5000/v2/", "http://127.0.0.1:5000/token"));
        assert!(may(
            &plain,
            "https://registry-1.docker.io/v2/",
            "https://auth.docker.io/token"
        ));
        for realm in [
            "https://evil.example/token",
            "https://r.example.evil/token",
            "https://x.r.example/token",
            "https://example/token",
            "https://r.example:444/token",
            "http://r.example/token",
            "https://auth.docker.io/token",
        ] {
            assert!(!may(&plain, "https://r.example/v2/", realm), "{realm}");
        }
        assert!(!may(&plain, "http://127.0.0.1:5000/v2/", "http://127.0.0.1:5001/token"));
        let named = auth(&["auth.r.example"]);
        assert!(may(&named, "https://r.example/v2/", "https://auth.r.example/token"));
        assert!(!may(&named, "https://r.example/v2/", "http://auth.r.example/token"));
    }
}
