//! Whether a place is private: by the URL that is pushed to, and by what the configurations say of it.

use crate::format::config::Config;
use crate::format::remote_url::{PrivatePlace, RemoteUrl, without_secret};
use crate::rules::globs::WholePath;
use crate::rules::scan::Destination;

/// Returns where a push to all of `urls` goes: a private place only if each of `configs` calls each URL private.
pub fn destination(configs: &[&Config], urls: &[String]) -> Destination {
    let is_private =
        |config: &Config, url: &RemoteUrl| config.private_remotes.iter().any(|place| covers(&place.value, url));
    let all_agree =
        |url: &String| RemoteUrl::parse(url).is_ok_and(|url| configs.iter().all(|config| is_private(config, &url)));
    match !urls.is_empty() && !configs.is_empty() && urls.iter().all(all_agree) {
        true => Destination::PrivateRemote,
        false => Destination::PublicRemote,
    }
}

/// Whether a URL is one of those that an entry of `private_remotes` names.
///
/// Everything but the path is compared as a whole, so that no wildcard reaches from one host to another.
fn covers(place: &PrivatePlace, url: &RemoteUrl) -> bool {
    let named = &place.url;
    let is_home = |url: &RemoteUrl| url.segments.first().is_some_and(|first| first.starts_with('~'));
    named.way == url.way
        && named.host == url.host
        && named.port == url.port
        && named.is_absolute == url.is_absolute
        // With https the user says who pushes; with ssh, whose home directory it is.
        && (url.is_web() || named.user == url.user)
        // `~name` is a home directory, which `*` does not stand for.
        && is_home(named) == is_home(url)
        && WholePath::new(&named.segments.join("/")).is_some_and(|glob| glob.matches(&url.segments.join("/")))
}

/// Returns the line of `.gitpack.toml` that calls the place at `url` private; none if no entry can name it.
pub fn private_line(url: &str) -> Option<String> {
    RemoteUrl::parse(url).ok()?;
    let shown = without_secret(url);
    let shown = shown.trim_end_matches('/');
    PrivatePlace::parse(shown).ok()?;
    Some(format!("private_remotes = [{shown:?}]"))
}
