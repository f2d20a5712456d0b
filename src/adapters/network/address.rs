//! Which addresses a request may reach.
//!
//! A server can redirect to a host inside the reader's own network, or give such an address to a name of its own. So only
//! the place that the user named may be on this machine or in a private network, and nothing may be where clouds hand
//! out credentials.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// How far an address is from this machine, the nearest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Nearness {
    /// This machine.
    Loopback = 0,
    /// A private network.
    Private = 1,
    /// Anywhere else.
    Global = 2,
}

/// Returns why nothing may connect to an address, or how near it is.
fn judge(address: IpAddr) -> Result<Nearness, &'static str> {
    const LINK: &str = "only for the local link, where clouds hand out credentials";
    const UNUSABLE: &str = "not the address of one host";
    match address {
        IpAddr::V4(v4) => judge_v4(v4),
        IpAddr::V6(v6) => {
            if let Some(v4) = embedded(v6) {
                return judge_v4(v4);
            }
            if v6.is_unspecified() || v6.is_multicast() {
                Err(UNUSABLE)
            } else if v6.is_unicast_link_local() || is_of_metadata(v6) {
                Err(LINK)
            } else if v6.is_loopback() {
                Ok(Nearness::Loopback)
            } else if v6.is_unique_local() {
                Ok(Nearness::Private)
            } else {
                Ok(Nearness::Global)
            }
        }
    }
}

/// Returns whether a cloud hands out credentials at an address of IPv6. It has a whole network for that.
fn is_of_metadata(v6: Ipv6Addr) -> bool {
    v6.segments()[..2] == [0xfd00, 0xec2]
}

/// Returns whether clouds hand out credentials at an address.
fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_link_local(),
        IpAddr::V6(v6) => is_of_metadata(v6),
    }
}

/// Returns the IPv4 address that an IPv6 address stands for: mapped, or of NAT64.
fn embedded(v6: Ipv6Addr) -> Option<Ipv4Addr> {
    v6.to_ipv4_mapped().or_else(|| match v6.segments() {
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let [a, b] = high.to_be_bytes();
            let [c, d] = low.to_be_bytes();
            Some(Ipv4Addr::new(a, b, c, d))
        }
        _ => None,
    })
}

fn judge_v4(v4: Ipv4Addr) -> Result<Nearness, &'static str> {
    let [a, b, ..] = v4.octets();
    // Some clouds use an address of the range for carriers instead of one for the local link.
    if v4.is_link_local() || v4 == Ipv4Addr::new(100, 100, 100, 200) {
        Err("only for the local link, where clouds hand out credentials")
    } else if a == 0 || v4.is_multicast() || v4.is_broadcast() {
        Err("not the address of one host")
    } else if v4.is_loopback() {
        Ok(Nearness::Loopback)
    } else if v4.is_private() || (a == 100 && (64..128).contains(&b)) {
        Ok(Nearness::Private)
    } else {
        Ok(Nearness::Global)
    }
}

/// How near the place itself is. Others may not be nearer.
#[derive(Clone, Debug)]
pub struct Nearest(Arc<AtomicU8>);

impl Default for Nearest {
    fn default() -> Self {
        Self(Arc::new(AtomicU8::new(Nearness::Global as u8)))
    }
}

/// Resolves names, and refuses addresses that must not be reached.
pub struct GuardedResolver {
    inner: DefaultResolver,
    nearest: Nearest,
    /// Whom this is for.
    whose: Whose,
}

/// Whom a resolver is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    /// The place that the user named.
    Place,
    /// Hosts to which the place leads.
    Others,
    /// The service at which a cloud hands out credentials, named as such.
    Metadata,
}

impl GuardedResolver {
    /// Returns the resolver for the place itself.
    pub fn for_place(nearest: &Nearest) -> Self {
        Self {
            inner: DefaultResolver::default(),
            nearest: nearest.clone(),
            whose: Whose::Place,
        }
    }

    /// Returns the resolver for the service at which a cloud hands out credentials. It finds no other addresses.
    pub fn for_metadata() -> Self {
        Self {
            inner: DefaultResolver::default(),
            nearest: Nearest::default(),
            whose: Whose::Metadata,
        }
    }

    /// Returns the resolver for hosts to which the place leads.
    pub fn for_others(nearest: &Nearest) -> Self {
        Self {
            inner: DefaultResolver::default(),
            nearest: nearest.clone(),
            whose: Whose::Others,
        }
    }
}

impl fmt::Debug for GuardedResolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GuardedResolver").field("whose", &self.whose).finish()
    }
}

impl Resolver for GuardedResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.inner.resolve(uri, config, timeout)?;
        // The user chose the proxy.
        if config
            .proxy()
            .is_some_and(|proxy| proxy.uri().authority() == uri.authority())
        {
            return Ok(found);
        }
        for address in found.iter() {
            if self.whose == Whose::Metadata {
                match is_metadata(address.ip()) {
                    true => continue,
                    false => return Err(refused("not the address of one host")),
                }
            }
            let nearness = judge(address.ip()).map_err(refused)?;
            let nearest = &self.nearest.0;
            if self.whose == Whose::Place {
                nearest.fetch_min(nearness as u8, Ordering::Relaxed);
            } else if (nearness as u8) < nearest.load(Ordering::Relaxed) {
                return Err(refused("inside of your own network, where the place is not"));
            }
        }
        Ok(found)
    }
}

/// The beginning of the error for a refused address. It goes through the client as text.
const MARK: &str = "git-pack refused an address: ";

fn refused(why: &'static str) -> ureq::Error {
    ureq::Error::Io(std::io::Error::other(format!("{MARK}{why}")))
}

/// Returns why an address was refused, if that is what the error says.
pub fn why_refused(error: &std::io::Error) -> Option<&'static str> {
    let text = error.to_string();
    let why = text.strip_prefix(MARK)?;
    [
        "only for the local link, where clouds hand out credentials",
        "not the address of one host",
        "inside of your own network, where the place is not",
    ]
    .into_iter()
    .find(|known| *known == why)
}

/// Returns whether a host of a URL is this machine by its name.
pub fn is_loopback(host: &str) -> bool {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    bare.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_judged_by_where_they_lead() {
        for (address, expected) in [
            ("127.0.0.1", Some(Nearness::Loopback)),
            ("::1", Some(Nearness::Loopback)),
            ("::ffff:127.0.0.1", Some(Nearness::Loopback)),
            ("10.1.2.3", Some(Nearness::Private)),
            ("100.64.0.1", Some(Nearness::Private)),
            ("fd12::1", Some(Nearness::Private)),
            ("93.184.216.34", Some(Nearness::Global)),
            ("2606:2800::1", Some(Nearness::Global)),
            ("169.254.169.254", None),
            ("::ffff:169.254.169.254", None),
            ("64:ff9b::a9fe:a9fe", None),
            ("fd00:ec2::254", None),
            ("fd00:ec2::23", None),
            ("fe80::1", None),
            ("100.100.100.200", None),
            ("0.0.0.0", None),
            ("::", None),
            ("224.0.0.1", None),
            ("255.255.255.255", None),
        ] {
            assert_eq!(judge(address.parse().unwrap()).ok(), expected, "{address}");
        }
    }

    #[test]
    fn only_the_machine_itself_is_loopback() {
        for host in ["localhost", "127.0.0.1", "[::1]", "127.9.9.9"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example", "127.0.0.1.example", "10.0.0.1", "", "[::2]"] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
