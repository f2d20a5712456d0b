//! Why a pack was not sent to a place, or not fetched from it.

use std::fmt;

use crate::refusal::shown::shown;

/// Why a request to a place did not succeed. It never holds a credential.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransportFault {
    /// No connection could be made, or it broke.
    Connection {
        /// What the client said.
        said: String,
    },
    /// Nothing came for as long as is waited.
    Timeout,
    /// The answer took longer than is waited for its size.
    Slow,
    /// The server answered with an error.
    Status {
        /// The HTTP status.
        code: u16,
        /// What it said.
        said: String,
    },
    /// The server asks for credentials, and there are none, or it does not accept them.
    Unauthorized {
        /// Where credentials were looked for.
        sought: String,
        /// Whether some were found.
        found: bool,
    },
    /// The place does not have it.
    NotFound {
        /// What was asked for.
        what: String,
    },
    /// The server redirects to where git-pack does not follow.
    Redirect {
        /// The target.
        to: String,
        /// Why it is not followed.
        why: &'static str,
    },
    /// The server asks to send credentials to another host.
    ForeignRealm {
        /// That host.
        host: String,
    },
    /// The server asks to send credentials to another host, unencrypted.
    PlainRealm {
        /// That host.
        host: String,
    },
    /// A host has an address to which git-pack does not connect.
    Address {
        /// The host.
        host: String,
        /// Why not.
        why: &'static str,
    },
    /// A host has a certificate that no known authority vouches for, or one of another host.
    Untrusted {
        /// The host.
        host: String,
        /// What is wrong with it.
        said: String,
    },
    /// Plain HTTP to another machine.
    Insecure {
        /// The host.
        host: String,
    },
    /// An answer is longer than announced, or than is read.
    TooLong {
        /// The most bytes that are read.
        allowed: u64,
    },
    /// An answer is shorter than announced.
    Short,
    /// The bytes are not those that were asked for.
    WrongContent {
        /// What was asked for.
        wanted: String,
    },
    /// An answer does not follow its specification.
    Malformed {
        /// The answer, or the part of it.
        what: &'static str,
        /// What its parser said.
        said: String,
    },
    /// A profile of AWS names a login that git-pack cannot use.
    AwsLogin {
        /// What is not supported.
        what: &'static str,
    },
    /// A program that knows credentials failed.
    Helper {
        /// The program.
        program: String,
        /// How.
        said: String,
    },
    /// Another program failed.
    Program {
        /// The program.
        program: &'static str,
        /// What it said.
        said: String,
    },
    /// The place holds something else under this name.
    Conflict {
        /// The name.
        name: String,
    },
    /// This kind of place cannot do that.
    Impossible {
        /// What it cannot do.
        what: &'static str,
    },
    /// The manifest of a pack is not in canonical form.
    NotCanonical,
    /// This build has no network.
    NoNetwork,
}

/// Returns an address without its user, its query and its fragment, which often hold a secret.
fn without_secret_parts(address: &str) -> String {
    let end = address.find(['?', '#']).unwrap_or(address.len());
    let (kept, cut) = address.split_at(end);
    let mark = if cut.is_empty() { "" } else { "?…" };
    let Some((scheme, rest)) = kept.split_once("://") else {
        return format!("{kept}{mark}");
    };
    let host_end = rest.find('/').unwrap_or(rest.len());
    let host = match rest[..host_end].rsplit_once('@') {
        Some((_, host)) => format!("…@{host}"),
        None => rest[..host_end].to_owned(),
    };
    format!("{scheme}://{host}{}{mark}", &rest[host_end..])
}

impl fmt::Display for TransportFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection { said } => write!(f, "the connection failed: {}", shown(said.as_bytes())),
            Self::Timeout => f.write_str("the server did not answer in time"),
            Self::Slow => f.write_str("the server sends too slowly"),
            Self::Status { code, said } if said.is_empty() => write!(f, "the server answered with status {code}"),
            Self::Status { code, said } => {
                write!(f, "the server answered with status {code}: {}", shown(said.as_bytes()))
            }
            Self::Unauthorized { sought, found: false } => {
                write!(f, "the server asks for credentials, and {sought} has none for it")
            }
            Self::Unauthorized { sought, found: true } => {
                write!(f, "the server does not accept the credentials from {sought}")
            }
            Self::NotFound { what } => write!(f, "it does not have {}", shown(what.as_bytes())),
            Self::Redirect { to, why } => {
                let to = without_secret_parts(to);
                write!(f, "the server redirects to {}, {why}", shown(to.as_bytes()))
            }
            Self::ForeignRealm { host } => write!(
                f,
                "the server wants its credentials sent to another host, {}",
                shown(host.as_bytes())
            ),
            Self::PlainRealm { host } => write!(
                f,
                "the server wants its credentials sent to {} over plain HTTP, which is not encrypted",
                shown(host.as_bytes())
            ),
            Self::Address { host, why } => write!(f, "{} has an address that is {why}", shown(host.as_bytes())),
            Self::Untrusted { host, said } => write!(
                f,
                "{} has a certificate that is not trusted: {}",
                shown(host.as_bytes()),
                shown(said.as_bytes())
            ),
            Self::Insecure { host } => write!(
                f,
                "{} is not this machine, and plain HTTP is not encrypted",
                shown(host.as_bytes())
            ),
            Self::TooLong { allowed } => write!(f, "the server sends more than {allowed} bytes"),
            Self::Short => f.write_str("the answer ended too early"),
            Self::WrongContent { wanted } => {
                write!(f, "the server sent other bytes than {}", shown(wanted.as_bytes()))
            }
            Self::Malformed { what, said } => write!(f, "{what} is malformed: {}", shown(said.as_bytes())),
            Self::Helper { program, said } => {
                write!(
                    f,
                    "the credential helper {} failed: {}",
                    shown(program.as_bytes()),
                    shown(said.as_bytes())
                )
            }
            Self::Program { program, said } => write!(f, "{program}: {}", shown(said.as_bytes())),
            Self::Conflict { name } => write!(f, "it holds something else as {}", shown(name.as_bytes())),
            Self::AwsLogin { what } | Self::Impossible { what } => f.write_str(what),
            Self::NotCanonical => f.write_str(
                "the manifest of the pack is not in canonical form, and a data fabric would change its bytes",
            ),
            Self::NoNetwork => f.write_str("this build of git-pack has no network"),
        }
    }
}

/// Why text does not name a place for packs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DestinationFault {
    /// It has no known scheme.
    Scheme,
    /// It names no host, bucket or repository.
    Incomplete {
        /// What is expected.
        expected: &'static str,
    },
    /// It holds a user or a password.
    Secret,
    /// What follows `#` is not a pack id.
    BadId {
        /// What follows it.
        found: String,
    },
    /// The place holds several packs, and the text names none of them.
    Ambiguous {
        /// How many.
        packs: usize,
    },
    /// An address names a place already.
    TwoPlaces,
    /// It is neither an address nor a pack id.
    NotAnId,
    /// A part has characters that it cannot have.
    BadPart {
        /// The part.
        part: &'static str,
        /// What was found.
        found: String,
    },
}

impl fmt::Display for DestinationFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Scheme => {
                f.write_str("expected oci://, s3://, gs://, az://, file:///, git:<remote>, https:// or http://")
            }
            Self::Incomplete { expected } => write!(f, "expected {expected}"),
            Self::Secret => f.write_str("it holds a user or a password; credentials do not belong into an address"),
            Self::BadId { found } => write!(
                f,
                "expected # and a pack id (sha256: and 64 hex digits), found {}",
                shown(found.as_bytes())
            ),
            Self::Ambiguous { packs } => write!(f, "it holds {packs} packs; expected # and the id of one of them"),
            Self::TwoPlaces => f.write_str("names a place itself, and another place was given beside it"),
            Self::NotAnId => {
                f.write_str("expected a pack id (sha256: and 64 hex digits), an address, or the path of an archive")
            }
            Self::BadPart { part, found } => write!(f, "not a valid {part}: {}", shown(found.as_bytes())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_secret_parts_of_an_address_are_not_shown() {
        for (address, expected) in [
            ("https://h:1/a?X-Amz-Signature=s", "https://h:1/a?…"),
            ("https://u:p@h/a#t", "https://…@h/a?…"),
            ("https://u:p@h", "https://…@h"),
            ("https://h/a@b", "https://h/a@b"),
            ("file:///etc/passwd", "file:///etc/passwd"),
            ("/a?b=c@d", "/a?…"),
            ("", ""),
        ] {
            assert_eq!(without_secret_parts(address), expected, "{address}");
        }
    }
}
