//! Credentials of AWS that a program or the service of a container hands out. They expire, and are asked for again then.

use std::fmt;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use object_store::CredentialProvider;
use object_store::aws::AwsCredential;
use tokio::sync::Mutex;
use url::Url;
use zeroize::Zeroizing;

use super::connector::is_metadata;
use super::credentials::unusable;
use super::fault::CarriedFault;
use crate::adapters::files;
use crate::adapters::network::address::is_loopback;
use crate::adapters::network::http::{Call, Credential, Http, Method, Payload};
use crate::adapters::network::patience::Patience;
use crate::adapters::network::retry::{Failure, repeat};
use crate::adapters::program::{self, PATIENCE};
use crate::format::aws_credentials::{HandedBy, HandedOut};
use crate::format::timestamp::Timestamp;
use crate::refusal::transport::TransportFault;

/// How long before they expire credentials are asked for again, in seconds.
const EARLY: i64 = 300;

/// The longest answer of a service that is read, in bytes.
const MAX_ANSWER: u64 = 256 << 10;

/// The longest file with a token that is read, in bytes.
const MAX_TOKEN: u64 = 64 << 10;

/// Who hands out credentials.
#[derive(Clone)]
pub(super) enum Issuer {
    /// A program, and its arguments.
    Program(Vec<String>),
    /// The service of a container.
    Container {
        /// Its URL.
        url: Url,
        /// The file with the token that it wants to see.
        token_file: Option<PathBuf>,
        /// The token that it wants to see.
        token: Option<Zeroizing<String>>,
    },
}

impl Issuer {
    /// Returns the service at a URL. As for the tools of AWS, it is on this machine or at one of the addresses that are
    /// only for it, unless its answer comes encrypted.
    pub(super) fn container(url: &str, token_file: Option<&str>, token: Option<&str>) -> Result<Self, TransportFault> {
        const NAME: &str = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let url: Url = url.parse().map_err(|_| unusable(NAME, "it is not a URL"))?;
        let is_near = url.host_str().is_some_and(is_loopback) || is_metadata(&url);
        match url.scheme() {
            "https" => {}
            "http" if is_near => {}
            _ => {
                return Err(TransportFault::Impossible {
                    what: "AWS_CONTAINER_CREDENTIALS_FULL_URI leads to another machine without encryption, where \
                           git-pack asks for no credentials",
                });
            }
        }
        Ok(Self::Container {
            url,
            token_file: token_file.map(PathBuf::from),
            token: token.map(|token| Zeroizing::new(token.to_owned())),
        })
    }

    fn ask(&self, sought: &'static str) -> Result<HandedOut, TransportFault> {
        match self {
            Self::Program(words) => ask_program(words),
            Self::Container { url, token_file, token } => {
                let token = match token_file {
                    Some(path) => {
                        let bytes = files::read_any(path, MAX_TOKEN).map(Zeroizing::new);
                        let bytes = bytes.map_err(|e| unusable("the token of a container", e.to_string()))?;
                        let text = std::str::from_utf8(&bytes);
                        let text = text.map_err(|_| unusable("the token of a container", "it is not UTF-8"))?;
                        Some(Zeroizing::new(text.to_owned()))
                    }
                    None => token.clone(),
                };
                ask_container(url, token, sought)
            }
        }
    }
}

fn ask_program(words: &[String]) -> Result<HandedOut, TransportFault> {
    let program = words.first().cloned().unwrap_or_default();
    let failed = |said: &str| TransportFault::Helper {
        program: program.clone(),
        said: said.to_owned(),
    };
    let answer = program::ask_words(words, b"", PATIENCE).map_err(|e| failed(&e))?;
    match answer.success {
        true => HandedOut::parse(&answer.text, HandedBy::Program).map_err(failed),
        false => Err(failed("it ended with an error")),
    }
}

fn ask_container(
    url: &Url,
    token: Option<Zeroizing<String>>,
    sought: &'static str,
) -> Result<HandedOut, TransportFault> {
    let client = match is_metadata(url) {
        true => Http::of_metadata(url),
        false => Http::of(url, false, Patience::default())?,
    };
    let credential = token.map(|header| Credential {
        header,
        origin: url.clone(),
    });
    let call = Call {
        bytes: MAX_ANSWER,
        ..Call::new(Method::GET, url, credential.as_ref())
    };
    let bytes = repeat(|| {
        let answer = client.once(&call, Payload::Nothing)?;
        match answer.status {
            200 => Ok(Zeroizing::new(answer.bytes(MAX_ANSWER)?)),
            401 | 403 | 404 => Err(Failure::last(TransportFault::Unauthorized {
                sought: sought.to_owned(),
                found: false,
            })),
            // What it says could repeat the token.
            code => Err(Failure {
                again: answer.failure().again,
                fault: TransportFault::Status {
                    code,
                    said: String::new(),
                },
            }),
        }
    })?;
    HandedOut::parse(&bytes, HandedBy::Container)
        .map_err(|said| unusable("the answer of the container's service", said))
}

/// Credentials that were handed out, until they expire.
pub(super) struct RenewedCredentials {
    from: Issuer,
    sought: &'static str,
    clock: Option<fn() -> Timestamp>,
    held: Mutex<Option<(Arc<AwsCredential>, Option<Timestamp>)>>,
}

impl fmt::Debug for RenewedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RenewedCredentials")
    }
}

impl RenewedCredentials {
    /// Returns credentials that were not asked for yet.
    pub(super) fn of(from: Issuer, sought: &'static str, clock: Option<fn() -> Timestamp>) -> Self {
        Self {
            from,
            sought,
            clock,
            held: Mutex::new(None),
        }
    }

    /// Returns whether there are fewer than `left` seconds until a moment.
    fn is_within(&self, left: i64, moment: Option<Timestamp>) -> bool {
        match (self.clock, moment) {
            (Some(clock), Some(moment)) => moment.seconds() - clock().seconds() < left,
            _ => false,
        }
    }

    async fn credential(&self) -> Result<Arc<AwsCredential>, TransportFault> {
        // Others wait meanwhile, so that one answer serves all of them.
        let mut held = self.held.lock().await;
        if let Some((credential, expires)) = &*held
            && !self.is_within(EARLY, *expires)
        {
            return Ok(credential.clone());
        }
        let (from, sought) = (self.from.clone(), self.sought);
        let asked = tokio::task::spawn_blocking(move || from.ask(sought)).await;
        let answer = asked.map_err(|_| TransportFault::Short)??;
        if self.is_within(0, answer.expires) {
            return Err(unusable("the answer with credentials of AWS", "they have expired"));
        }
        let credential = Arc::new(AwsCredential {
            key_id: answer.key_id.to_string(),
            secret_key: answer.secret.to_string(),
            token: answer.token.map(|token| token.to_string()),
        });
        *held = Some((credential.clone(), answer.expires));
        Ok(credential)
    }
}

impl CredentialProvider for RenewedCredentials {
    type Credential = AwsCredential;

    fn get_credential<'own, 'call>(
        &'own self,
    ) -> Pin<Box<dyn Future<Output = object_store::Result<Arc<AwsCredential>>> + Send + 'call>>
    where
        'own: 'call,
        Self: 'call,
    {
        Box::pin(async move {
            self.credential().await.map_err(|fault| object_store::Error::Generic {
                store: "S3",
                source: Box::new(CarriedFault(fault)),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_container_is_asked_only_where_nobody_listens() {
        for (url, allowed) in [
            ("https://credentials.example/x", true),
            ("http://127.0.0.1:5000/x", true),
            ("http://localhost/x", true),
            ("http://[::1]:5000/x", true),
            ("http://169.254.170.2/v2/credentials", true),
            ("http://169.254.170.23/v1/credentials", true),
            ("http://[fd00:ec2::23]/v1/credentials", true),
            ("http://credentials.example/x", false),
            ("http://10.0.0.1/x", false),
            ("http://127.0.0.1.example/x", false),
            ("http://169.254.1.1/x", false),
            ("file:///etc/credentials", false),
            ("no URL", false),
        ] {
            assert_eq!(Issuer::container(url, None, None).is_ok(), allowed, "{url}");
        }
    }

    /// A program that answers with one more key each time, until the hour `expires` of a day.
    fn counting(directory: &std::path::Path, expires: &str) -> Issuer {
        let script = format!(
            "echo x >>n; printf '{{\"Version\": 1, \"AccessKeyId\": \"k%s\", \"SecretAccessKey\": \"s\", \"Expiration\": \
             \"2026-01-15T{expires}:00Z\"}}' $(wc -l <n)"
        );
        let place = format!("cd '{}' && {script}", directory.display());
        Issuer::Program(vec!["sh".into(), "-c".into(), place])
    }

    #[test]
    fn credentials_are_kept_until_shortly_before_they_expire() {
        let clock = || Timestamp::parse("2026-01-15T10:00:00Z").unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for (expires, second) in [("11:00", Ok("k1")), ("10:04", Ok("k2")), ("09:00", Err(()))] {
            let directory = tempfile::tempdir().unwrap();
            let renewed = RenewedCredentials::of(counting(directory.path(), expires), "", Some(clock));
            let ask = || runtime.block_on(renewed.credential());
            drop(ask());
            let asked = ask().map(|credential| credential.key_id.clone()).map_err(drop);
            assert_eq!(
                asked.as_deref(),
                second.as_ref().copied().map_err(|()| &()),
                "{expires}"
            );
        }
    }
}
