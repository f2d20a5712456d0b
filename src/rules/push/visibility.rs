//! Decides whether the destination of a push is private, by its URLs and the configurations.

use crate::format::config::Config;
use crate::format::remote_url::{PrivatePlace, RemoteUrl, without_secret};
use crate::rules::globs::WholePath;
use crate::rules::scan::Destination;

/// Returns the destination of a push to all of `urls`. It is private only if every one of `configs` calls every URL
/// private.
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

/// Returns whether an entry of `private_remotes` covers a URL.
///
/// Everything but the path is compared literally, so that no wildcard extends to another host.
fn covers(place: &PrivatePlace, url: &RemoteUrl) -> bool {
    let named = &place.url;
    let is_home = |url: &RemoteUrl| url.segments.first().is_some_and(|first| first.starts_with('~'));
    named.way == url.way
        && named.host == url.host
        && named.port == url.port
        && named.is_absolute == url.is_absolute
        // Over https, the user only authenticates the pusher. Over ssh, the user selects the home directory.
        && (url.is_web() || named.user == url.user)
        // `~name` is a home directory, which `*` must not match.
        && is_home(named) == is_home(url)
        && WholePath::new(&named.segments.join("/")).is_some_and(|glob| glob.matches(&url.segments.join("/")))
}

/// Returns the line of `.gitpack.toml` that calls the place at `url` private. `None` if no entry can name it.
pub fn private_line(url: &str) -> Option<String> {
    RemoteUrl::parse(url).ok()?;
    let shown = without_secret(url);
    let shown = shown.trim_end_matches('/');
    PrivatePlace::parse(shown).ok()?;
    Some(format!("private_remotes = [{shown:?}]"))
}
