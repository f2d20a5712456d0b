//! Which place a command is about, and how it is reached.

use crate::adapters::files;
use crate::adapters::place::PackPlace;
use crate::adapters::place::git::GitPlace;
use crate::adapters::published::{self, PublishedPack};
use crate::format::destination::{Address, PlaceAddress, Which};
use crate::format::digest::Digest;
use crate::format::git_keys;
use crate::format::manifest::ManifestDocument;
use crate::ops::Context;
use crate::refusal::pack::PackFault;
use crate::refusal::transport::{DestinationFault, TransportFault};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::similar::similar;

/// How places are reached.
#[derive(Clone, Debug, Default)]
#[cfg_attr(
    not(feature = "network"),
    allow(dead_code, reason = "only places in the network ask for these")
)]
pub struct ReachRequest {
    /// Hosts that may be given the passwords of a registry.
    pub token_hosts: Vec<String>,
    /// Whether plain HTTP to other machines is allowed.
    pub insecure_http: bool,
    /// Whether the clone keeps nothing of what is fetched, because this is a dry run.
    pub keeps_nothing: bool,
}

impl ReachRequest {
    /// Returns the same request, for a dry run if `is_dry` is set.
    pub fn of_run(&self, is_dry: bool) -> Self {
        Self {
            keeps_nothing: is_dry,
            ..self.clone()
        }
    }
}

/// Parses the name of a place, and perhaps of a pack there.
pub fn parse(text: &str) -> Result<Address> {
    Address::parse(text).map_err(|fault| {
        // A text with a password in it must not be repeated.
        let text = match fault {
            DestinationFault::Secret => text.split("://").next().unwrap_or_default().to_owned() + "://…",
            _ => text.to_owned(),
        };
        Refusal::BadDestination { text, fault }
    })
}

/// Returns the place that the user named, or else the configured one.
pub fn named_or_default(ctx: &Context, named: Option<&str>) -> Result<Address> {
    if let Some(named) = named {
        return parse(named);
    }
    let configured = match ctx.repository() {
        Ok(repo) => repo.config_text(git_keys::REMOTE),
        Err(Refusal::NotARepository { .. }) => None,
        Err(refused) => return Err(refused),
    };
    match configured.or_else(|| ctx.data_fabric.clone()) {
        Some(place) => parse(&place),
        None => Err(Refusal::NoDestination),
    }
}

/// Opens a place. Nothing is sent yet.
pub fn open(ctx: &Context, place: &PlaceAddress, reach: &ReachRequest) -> Result<Box<dyn PackPlace>> {
    match place {
        #[cfg(feature = "network")]
        PlaceAddress::Registry { host, repository } => {
            use crate::adapters::place::registry::auth::LoginPlaces;
            use crate::adapters::place::registry::{OciRegistry, RegistryReach};
            let login = LoginPlaces {
                files: ctx.credentials.docker.clone(),
                token_hosts: reach.token_hosts.clone(),
            };
            let insecure = reach.insecure_http;
            Ok(Box::new(OciRegistry::of(
                host,
                repository,
                RegistryReach { login, insecure },
            )?))
        }
        #[cfg(feature = "network")]
        PlaceAddress::Fabric { base } => {
            use crate::adapters::place::fabric::Fabric;
            Ok(Box::new(Fabric::of(base, reach.insecure_http)?))
        }
        #[cfg(feature = "network")]
        PlaceAddress::Objects { url } => {
            use crate::adapters::place::objects::credentials::CloudSettings;
            use crate::adapters::place::objects::{ObjectReach, Objects};
            let cloud = CloudSettings {
                variables: ctx.credentials.cloud.clone(),
                home: ctx.credentials.home.clone(),
                clock: ctx.credentials.clock,
            };
            let insecure = reach.insecure_http;
            Ok(Box::new(Objects::of(url, &ObjectReach { cloud, insecure })?))
        }
        PlaceAddress::Git { remote } => {
            ensure_known(ctx, remote)?;
            let place = GitPlace::of(&ctx.cwd, &ctx.surroundings, remote, reach.keeps_nothing)?;
            Ok(Box::new(place))
        }
        #[cfg(not(feature = "network"))]
        other => {
            let _ = reach;
            Err(Refusal::Transport {
                place: other.to_string(),
                fault: TransportFault::NoNetwork,
            })
        }
    }
}

/// Refuses a name that is near to that of a remote, and neither a remote, a path nor a URL.
fn ensure_known(ctx: &Context, remote: &str) -> Result<()> {
    let repo = ctx.repository()?;
    if remote.contains(['/', ':']) || repo.has_remote(remote) || files::exists(&ctx.cwd.join(remote)) {
        return Ok(());
    }
    match similar(remote, repo.remotes().iter().map(String::as_str)) {
        Some(similar) => Err(Refusal::Usage(Misuse::UnknownRemote {
            remote: remote.to_owned(),
            similar: Some(similar.to_owned()),
            is_place: true,
        })),
        None => Ok(()),
    }
}

/// Returns a pack at a place. Without `which`, the place must hold one pack.
pub fn find(place: &dyn PackPlace, which: Option<&Which>) -> Result<Box<dyn PublishedPack>> {
    let refused = |what: String| Refusal::Transport {
        place: place.shown(),
        fault: TransportFault::NotFound { what },
    };
    let which = match which {
        Some(which) => which.clone(),
        None => match place.packs()?.as_slice() {
            [only] => Which::Id(only.pack_id),
            [] => return Err(refused("any pack".into())),
            packs => {
                return Err(Refusal::BadDestination {
                    text: place.shown(),
                    fault: DestinationFault::Ambiguous { packs: packs.len() },
                });
            }
        },
    };
    let pack = place.find(&which)?.ok_or_else(|| refused(which.to_string()))?;
    if let Which::Id(_) = which {
        // A place could hand out one pack under the id of another.
        identify(&published::manifest(&*pack)?, &*pack, Some(&which))?;
    }
    Ok(pack)
}

/// Returns the id of a pack. Refuses one that is not the pack that was asked for.
pub fn identify(manifest: &ManifestDocument, pack: &dyn PublishedPack, which: Option<&Which>) -> Result<Digest> {
    let bad = |fault| Refusal::BadPack {
        path: pack.name().into(),
        fault,
    };
    if manifest.pack_id != manifest.computed_id.to_string() {
        return Err(bad(PackFault::OtherId {
            wanted: manifest.pack_id.clone(),
            found: manifest.computed_id.to_string(),
        }));
    }
    match which {
        Some(Which::Id(wanted)) if *wanted != manifest.computed_id => Err(bad(PackFault::OtherId {
            wanted: wanted.to_string(),
            found: manifest.computed_id.to_string(),
        })),
        _ => Ok(manifest.computed_id),
    }
}
