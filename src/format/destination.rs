//! Names of places that hold packs: OCI registries, object stores, git remotes and data fabrics.

use std::fmt;

use crate::format::digest::Digest;
use crate::format::remote_url::without_secret;
use crate::refusal::transport::DestinationFault;

/// A place that holds packs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PlaceAddress {
    /// `oci://host[:port]/repository`: a repository of an OCI registry.
    Registry {
        /// The host, with its port if one is given.
        host: String,
        /// The repository, as of the OCI distribution specification.
        repository: String,
    },
    /// `s3://`, `gs://`, `az://` or `file:///`: a bucket and prefix of an object store.
    Objects {
        /// The URL, without a `/` at its end.
        url: String,
    },
    /// `git:REMOTE`: a remote of the repository, or its URL.
    Git {
        /// The name or the URL.
        remote: String,
    },
    /// `http(s)://`: a data fabric.
    Fabric {
        /// The base URL, without a `/` at its end.
        base: String,
    },
}

/// What names one pack at a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Which {
    /// Its id.
    Id(Digest),
    /// A tag of a registry.
    Tag(String),
    /// The digest of the image manifest in a registry.
    Manifest(Digest),
}

impl Which {
    /// Returns the address of this pack at a place.
    pub fn at(&self, place: &str) -> String {
        match self {
            Self::Id(id) => format!("{place}#{id}"),
            Self::Tag(tag) => format!("{place}:{tag}"),
            Self::Manifest(digest) => format!("{place}@{digest}"),
        }
    }
}

impl fmt::Display for Which {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Id(id) => write!(f, "the pack {id}"),
            Self::Tag(tag) => write!(f, "the tag {tag}"),
            Self::Manifest(digest) => write!(f, "the image manifest {digest}"),
        }
    }
}

/// A place, and perhaps one pack there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// The place.
    pub place: PlaceAddress,
    /// The pack.
    pub which: Option<Which>,
}

/// The schemes of object stores.
const OBJECTS: [&str; 4] = ["s3://", "gs://", "az://", "file:///"];

impl PlaceAddress {
    /// Returns whether text has the form of an address, and not of a path.
    pub fn is_address(text: &str) -> bool {
        let schemes = ["oci://", "git:", "https://", "http://"];
        schemes.iter().chain(&OBJECTS).any(|scheme| text.starts_with(scheme))
    }
}

impl Address {
    /// Parses `<place>[#<pack id>]`; in a registry also `<place>:<tag>` and `<place>@sha256:<digest>`.
    pub fn parse(text: &str) -> Result<Self, DestinationFault> {
        let (text, id) = match text.split_once('#') {
            None => (text, None),
            Some((place, id)) => {
                let parsed = Digest::parse_ref(id).ok_or_else(|| DestinationFault::BadId { found: id.to_owned() })?;
                (place, Some(Which::Id(parsed)))
            }
        };
        if let Some(rest) = text.strip_prefix("oci://") {
            return registry(rest, id);
        }
        let place = if let Some(remote) = text.strip_prefix("git:") {
            git(remote)?
        } else if OBJECTS.iter().any(|scheme| text.starts_with(scheme)) {
            objects(text)?
        } else if text.starts_with("https://") || text.starts_with("http://") {
            fabric(text)?
        } else {
            return Err(DestinationFault::Scheme);
        };
        Ok(Self { place, which: id })
    }
}

fn registry(rest: &str, id: Option<Which>) -> Result<Address, DestinationFault> {
    let expected = "oci://<host>/<repository>";
    let (host, path) = rest.split_once('/').ok_or(DestinationFault::Incomplete { expected })?;
    if host.contains('@') {
        return Err(DestinationFault::Secret);
    }
    ensure_host(host)?;
    let (path, which) = match (path.split_once('@'), path.split_once(':')) {
        (Some((path, digest)), _) => {
            let found = || DestinationFault::BadPart {
                part: "digest",
                found: digest.to_owned(),
            };
            (
                path,
                Some(Which::Manifest(Digest::parse_ref(digest).ok_or_else(found)?)),
            )
        }
        (None, Some((path, tag))) if is_tag(tag) => (path, Some(Which::Tag(tag.to_owned()))),
        (None, Some((_, tag))) => {
            return Err(DestinationFault::BadPart {
                part: "tag",
                found: tag.to_owned(),
            });
        }
        (None, None) => (path, None),
    };
    if !is_repository(path) {
        return Err(DestinationFault::BadPart {
            part: "repository name",
            found: path.to_owned(),
        });
    }
    Ok(Address {
        place: PlaceAddress::Registry {
            host: host.to_owned(),
            repository: path.to_owned(),
        },
        which: id.or(which),
    })
}

/// Returns whether text is a tag: up to 128 characters, as of the OCI distribution specification.
pub fn is_tag(text: &str) -> bool {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    matches!(text.as_bytes(), [first, rest @ ..] if word(*first) && rest.len() < 128
        && rest.iter().all(|byte| word(*byte) || matches!(byte, b'.' | b'-')))
}

/// Returns whether text is the name of a repository, as of the OCI distribution specification.
fn is_repository(text: &str) -> bool {
    let part = |part: &str| {
        let separated = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let mut words = part.split(['.', '_', '-']);
        // Words are joined by `.`, `_`, `__` or any number of `-`.
        let ends = part.as_bytes().first().is_some_and(|byte| separated(*byte))
            && part.as_bytes().last().is_some_and(|byte| separated(*byte));
        ends && !part.contains("..") && !part.contains("___") && words.all(|word| word.bytes().all(separated))
    };
    text.len() <= 255 && text.split('/').all(part)
}

fn ensure_host(host: &str) -> Result<(), DestinationFault> {
    let bad = || DestinationFault::BadPart {
        part: "host",
        found: host.to_owned(),
    };
    let (name, port) = match host.strip_prefix('[') {
        Some(rest) => {
            let (address, rest) = rest.split_once(']').ok_or_else(bad)?;
            address.parse::<std::net::Ipv6Addr>().map_err(|_| bad())?;
            (
                None,
                rest.strip_prefix(':')
                    .or(rest.is_empty().then_some(""))
                    .ok_or_else(bad)?,
            )
        }
        None => match host.split_once(':') {
            Some((name, port)) if !port.is_empty() => (Some(name), port),
            Some(_) => return Err(bad()),
            None => (Some(host), ""),
        },
    };
    let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let is_name = name.is_none_or(|name| !name.is_empty() && !name.starts_with(['-', '.']) && name.bytes().all(word));
    match is_name && (port.is_empty() || port.parse::<u16>().is_ok_and(|port| port > 0)) {
        true => Ok(()),
        false => Err(bad()),
    }
}

fn objects(text: &str) -> Result<PlaceAddress, DestinationFault> {
    let (scheme, rest) = text.split_once("://").unwrap_or_default();
    let rest = rest.trim_end_matches('/');
    let bad = |part| DestinationFault::BadPart {
        part,
        found: rest.to_owned(),
    };
    if rest.contains('@') && scheme != "file" {
        return Err(DestinationFault::Secret);
    }
    if rest.contains(['?', '%', '\\']) || rest.chars().any(char::is_control) {
        return Err(bad("path"));
    }
    if rest.split('/').any(|part| matches!(part, "." | "..")) {
        return Err(bad("path"));
    }
    if scheme != "file" {
        let bucket = rest.split('/').next().unwrap_or_default();
        let word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
        if bucket.is_empty() || !bucket.bytes().all(word) {
            return Err(DestinationFault::Incomplete {
                expected: "the name of a bucket behind ://",
            });
        }
    }
    Ok(PlaceAddress::Objects {
        url: format!("{scheme}://{rest}"),
    })
}

fn git(remote: &str) -> Result<PlaceAddress, DestinationFault> {
    let bad = || DestinationFault::BadPart {
        part: "remote",
        found: remote.to_owned(),
    };
    if remote.is_empty() {
        return Err(DestinationFault::Incomplete {
            expected: "git: and a remote",
        });
    }
    if without_secret(remote) != remote {
        return Err(DestinationFault::Secret);
    }
    // git would take it for an option, or run a program.
    if remote.starts_with('-') || remote.contains("::") || remote.chars().any(char::is_control) {
        return Err(bad());
    }
    Ok(PlaceAddress::Git {
        remote: remote.to_owned(),
    })
}

fn fabric(text: &str) -> Result<PlaceAddress, DestinationFault> {
    let (_, rest) = text.split_once("://").unwrap_or_default();
    let host = rest.split('/').next().unwrap_or_default();
    if host.contains('@') {
        return Err(DestinationFault::Secret);
    }
    ensure_host(host)?;
    if rest.contains(['?', '\\']) || rest.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(DestinationFault::BadPart {
            part: "base URL",
            found: text.to_owned(),
        });
    }
    Ok(PlaceAddress::Fabric {
        base: text.trim_end_matches('/').to_owned(),
    })
}

impl fmt::Display for PlaceAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Registry { host, repository } => write!(f, "oci://{host}/{repository}"),
            Self::Objects { url } => f.write_str(url),
            Self::Git { remote } => write!(f, "git:{remote}"),
            Self::Fabric { base } => f.write_str(base),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id() -> String {
        format!("sha256:{}", "ab".repeat(32))
    }

    #[test]
    fn addresses_are_read() {
        let registry = |host: &str, repository: &str| PlaceAddress::Registry {
            host: host.into(),
            repository: repository.into(),
        };
        for (text, place, which) in [
            ("oci://localhost:5000/a/b-c", registry("localhost:5000", "a/b-c"), None),
            (
                "oci://h.example/a:v1.0",
                registry("h.example", "a"),
                Some(Which::Tag("v1.0".into())),
            ),
            ("oci://[::1]:5000/a", registry("[::1]:5000", "a"), None),
            (
                "s3://bucket/pre/fix/",
                PlaceAddress::Objects {
                    url: "s3://bucket/pre/fix".into(),
                },
                None,
            ),
            (
                "file:///srv/packs",
                PlaceAddress::Objects {
                    url: "file:///srv/packs".into(),
                },
                None,
            ),
            (
                "git:origin",
                PlaceAddress::Git {
                    remote: "origin".into(),
                },
                None,
            ),
            (
                "https://fabric.example/v1/",
                PlaceAddress::Fabric {
                    base: "https://fabric.example/v1".into(),
                },
                None,
            ),
        ] {
            assert_eq!(Address::parse(text).unwrap(), Address { place, which }, "{text}");
        }
        let which = |text: String| Address::parse(&text).unwrap().which.unwrap();
        let digest = Digest::parse_ref(&id()).unwrap();
        assert_eq!(which(format!("git:origin#{}", id())), Which::Id(digest));
        assert_eq!(which(format!("oci://h/r@{}", id())), Which::Manifest(digest));
        assert_eq!(which(format!("oci://h/r:tag#{}", id())), Which::Id(digest));
    }

    #[test]
    fn what_could_mislead_is_refused() {
        for text in [
            "",
            "ftp://h/r",
            "oci://",
            "oci://h",
            "oci://h/",
            "oci://user:secret@h/r",
            "oci://h/UPPER",
            "oci://h/a..b",
            "oci://h/../x",
            "oci://h/r:",
            "oci://h/r:-x",
            "oci://h/r@sha256:12",
            "oci://-h/r",
            "oci://h:0/r",
            "oci://h:x/r",
            "oci://h/r#x",
            "s3://",
            "s3:///x",
            "s3://b/../c",
            "s3://key:secret@b/c",
            "s3://b/c?x=y",
            "file:///a/../b",
            "git:",
            "git:--upload-pack=x",
            "git:ext::sh -c x",
            "git:https://user:secret@h/x",
            "git:https://token@h/x",
            "git:ssh://user:secret@h/x",
            "https://user@h/x",
            "https://",
            "https://h/a?b",
            "http://h/a b",
        ] {
            assert!(Address::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_address_of_a_pack_names_it() {
        for text in [
            format!("oci://h/r#{}", id()),
            "oci://h/r:tag".into(),
            format!("oci://h/r@{}", id()),
        ] {
            let address = Address::parse(&text).unwrap();
            assert_eq!(address.which.unwrap().at(&address.place.to_string()), text);
        }
    }

    #[test]
    fn a_path_is_not_an_address() {
        for text in ["pack", "./oci://x", "/srv/packs", "git", "s3", "a:b", "file:x"] {
            assert!(!PlaceAddress::is_address(text), "{text}");
        }
        assert!(PlaceAddress::is_address("git:origin"));
    }
}
