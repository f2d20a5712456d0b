//! Parses the URL of a remote as git does, so that no two places are mistaken for one.
//!
//! Refuses URLs that two programs could read differently: those with a `..` segment, an escape, two `@` or a backslash,
//! and those relative to a directory.
//!
//! The library's `gix-url` is not used. It accepts such URLs and hides what is wrong with them: it decodes escapes (`%2e%2e`
//! becomes `..`), drops an empty user, reads the port `0443` as `443` and `host:/~x` as `host:~x`, and takes
//! `a@one@two` as a user and a host. A place that is public could then equal one that is declared private.

/// How git reaches a remote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Way {
    /// `scheme://…`; holds the scheme.
    Scheme(String),
    /// `user@host:path`, over ssh.
    Scp,
    /// A path on this machine.
    Path,
}

/// A URL that every program reads in the same way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoteUrl {
    /// How git reaches the remote.
    pub way: Way,
    /// The user. Over ssh, a relative path starts in this user's home directory.
    pub user: Option<String>,
    /// The host in lower case. Empty for a path on this machine.
    pub host: String,
    /// The port, if the URL names one.
    pub port: Option<String>,
    /// Whether the path starts at the root directory, not in a home directory.
    pub is_absolute: bool,
    /// The segments of the path, without empty ones.
    pub segments: Vec<String>,
    /// Whether the URL contained a password, which is not kept.
    pub had_password: bool,
}

impl RemoteUrl {
    /// Parses a URL. The error says why programs could read it differently.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.chars().any(char::is_control) {
            return Err("it has a control character");
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Self::with_scheme(scheme, rest);
        }
        let Some((host, path)) = text.split_once(':').filter(|(host, _)| !host.contains('/')) else {
            return Self::of_path(text);
        };
        if path.starts_with(':') {
            return Err("it names a transport helper");
        }
        Self::scp(host, path)
    }

    /// Returns whether a user in the URL only authenticates the pusher and does not select the place.
    pub fn is_web(&self) -> bool {
        matches!(&self.way, Way::Scheme(scheme) if is_web(scheme))
    }

    fn with_scheme(scheme: &str, rest: &str) -> Result<Self, &'static str> {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "+.-".contains(c);
        if !scheme.starts_with(|c: char| c.is_ascii_lowercase()) || !scheme.chars().all(is_plain) {
            return Err("its scheme is not a lower-case word");
        }
        let way = Way::Scheme(scheme.to_owned());
        if scheme == "file" {
            let path = rest.strip_prefix('/').ok_or("a file URL begins with file:///")?;
            return Ok(Self::local(way, plain_segments(path)?));
        }
        let (authority, path) = rest.split_once('/').ok_or("it has no path")?;
        let (userinfo, place) = match authority.rsplit_once('@') {
            Some((userinfo, place)) => (Some(userinfo), place),
            None => (None, authority),
        };
        let (user, password) = match userinfo.map(|userinfo| (userinfo, userinfo.split_once(':'))) {
            Some((_, Some((user, _)))) => (Some(user), true),
            Some((user, None)) => (Some(user), false),
            None => (None, false),
        };
        if userinfo.is_some_and(|userinfo| userinfo.contains('@') || has_oddity(userinfo)) {
            return Err("its user part is ambiguous");
        }
        if !is_web(scheme) && (password || user.is_some_and(|user| !is_word(user))) {
            return Err("its user part is not a plain name");
        }
        let (host, port) = host_and_port(place)?;
        Ok(Self {
            way,
            user: user.map(str::to_owned),
            host,
            port,
            is_absolute: true,
            segments: path_segments(path)?,
            had_password: password,
        })
    }

    fn scp(place: &str, path: &str) -> Result<Self, &'static str> {
        let (user, host) = match place.split_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, place),
        };
        if user.is_some_and(|user| !is_word(user)) {
            return Err("its user part is not a plain name");
        }
        let (host, _) = host_and_port(host)?;
        let below_root = path.strip_prefix('/');
        Ok(Self {
            way: Way::Scp,
            user: user.map(str::to_owned),
            host,
            port: None,
            is_absolute: below_root.is_some(),
            segments: path_segments(below_root.unwrap_or(path))?,
            had_password: false,
        })
    }

    fn of_path(text: &str) -> Result<Self, &'static str> {
        match text.strip_prefix('/') {
            Some(path) => Ok(Self::local(Way::Path, plain_segments(path)?)),
            None => Err("it is relative to a directory"),
        }
    }

    fn local(way: Way, segments: Vec<String>) -> Self {
        Self {
            way,
            user: None,
            host: String::new(),
            port: None,
            is_absolute: true,
            segments,
            had_password: false,
        }
    }
}

/// An entry of `private_remotes`: a URL with the wildcards `*` and `**` in its path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivatePlace {
    /// The text as written.
    pub text: String,
    /// The parsed URL.
    pub url: RemoteUrl,
}

impl PrivatePlace {
    /// Parses an entry. The error says why it cannot name a place.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("private_remotes: {why}: {:?}", without_secret(text));
        let url = RemoteUrl::parse(text).map_err(|why| wrong(&format!("expected a URL, but {why}")))?;
        if url.had_password || (url.is_web() && url.user.is_some()) {
            return Err(wrong(
                "expected no user or password, because they do not identify a place",
            ));
        }
        if url
            .segments
            .iter()
            .any(|segment| segment.contains(['?', '[', ']', '{', '}', '!', '\\']))
        {
            return Err(wrong("only * and ** are wildcards here"));
        }
        let is_bad = |segment: &String| segment.contains("**") && segment != "**";
        if url.segments.iter().any(is_bad) {
            return Err(wrong("** must be a whole segment of the path"));
        }
        Ok(Self {
            text: text.to_owned(),
            url,
        })
    }
}

/// Returns a URL for display: without a password, and without a user if that may be a token.
pub fn without_secret(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    // In doubt about the end of the authority, hide too much rather than too little.
    let (authority, path) = match rest.split_once('/') {
        Some((authority, path)) => (authority, Some(path)),
        None => (rest, None),
    };
    let host = match authority.rsplit_once('@') {
        Some((user, host)) if scheme == "ssh" && !user.contains(':') => format!("{user}@{host}"),
        Some((_, host)) => host.to_owned(),
        None => authority.to_owned(),
    };
    match path {
        Some(path) => format!("{scheme}://{host}/{path}"),
        None => format!("{scheme}://{host}"),
    }
}

/// Returns a text with its URLs as [`without_secret`] shows them.
pub fn without_secrets(text: &str) -> String {
    let is_end = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '<' | '>' | '`');
    let words = text.split_inclusive(is_end);
    words.map(without_secret).collect()
}

/// Returns a URL as git writes it into `FETCH_HEAD`: without its user, and without slashes and one `.git` at its end.
///
/// Several URLs share one such form. So a different form disproves a URL, but an equal form does not prove it.
pub fn as_git_notes(url: &str) -> String {
    let anonymous = as_git_shows(url);
    let cut = anonymous.trim_end_matches('/');
    cut.strip_suffix(".git")
        .filter(|cut| !cut.is_empty())
        .unwrap_or(cut)
        .to_owned()
}

/// Returns a URL as git writes it into reflogs: without its user.
pub fn as_git_shows(url: &str) -> String {
    let colon = url.find(':');
    let slash = url.find('/');
    let is_local = colon.is_none_or(|colon| slash.is_some_and(|slash| slash < colon));
    let Some(at) = url.find('@').filter(|_| !is_local) else {
        return url.to_owned();
    };
    match url.find("://") {
        None if url[at..].contains(':') => url[at + 1..].to_owned(),
        None => url.to_owned(),
        Some(end) => {
            let first = end + 3;
            let path = url[first.min(url.len())..].find('/').map(|slash| first + slash);
            match at < first || path.is_some_and(|path| path < at) {
                true => url.to_owned(),
                false => format!("{}{}", &url[..first], &url[at + 1..]),
            }
        }
    }
}

fn is_web(scheme: &str) -> bool {
    matches!(scheme, "https" | "http")
}

fn has_oddity(text: &str) -> bool {
    text.contains(['\\', '?', '#']) || text.contains(char::is_whitespace)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn host_and_port(text: &str) -> Result<(String, Option<String>), &'static str> {
    let (host, port) = match text.split_once(':') {
        Some((host, port)) => (host, Some(port)),
        None => (text, None),
    };
    if port.is_some_and(|port| port.is_empty() || !port.bytes().all(|b| b.is_ascii_digit())) {
        return Err("its port is not a number");
    }
    if !is_word(host) {
        return Err("its host is not a plain name");
    }
    Ok((host.to_ascii_lowercase(), port.map(str::to_owned)))
}

/// Splits the path of a URL that a server interprets.
fn path_segments(path: &str) -> Result<Vec<String>, &'static str> {
    if has_oddity(path) {
        return Err("its path has a character that servers interpret differently");
    }
    if path.contains('%') {
        return Err("its path has a % escape");
    }
    plain_segments(path)
}

fn plain_segments(path: &str) -> Result<Vec<String>, &'static str> {
    let segments: Vec<String> = path.trim_end_matches('/').split('/').map(str::to_owned).collect();
    match segments
        .iter()
        .any(|segment| matches!(segment.as_str(), "" | "." | ".."))
    {
        true => Err("its path has an empty, '.' or '..' segment"),
        false => Ok(segments),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        for url in [
            "",
            "../remote.git",
            "remote.git",
            "https://git.example.org",
            "https://git.example.org/",
            "https://git.example.org//team/x",
            "https://git.example.org/team/../other/x",
            "https://git.example.org/team/./x",
            "https://git.example.org/team/%2e%2e/x",
            "https://git.example.org/team/x?y",
            "https://git.example.org/team/x#y",
            "https://git.example.org\\@evil.example/team/x",
            "https://evil.example#@git.example.org/team/x",
            "https://a@git.example.org@evil.example/team/x",
            "https://git.example.org:/team/x",
            "https://git.example.org:4a/team/x",
            "https://[::1]/team/x",
            "https://git.ex\u{e4}mple.org/team/x",
            "https://git.example.org/team/x\ny",
            "HTTPS://git.example.org/team/x",
            "ssh://git:word@git.example.org/team/x",
            "ssh://-oProxyCommand=x/team/x",
            "ext::sh -c x",
            "foo::https://git.example.org/team/x",
            "[git.example.org]:team/x",
            "git@git.example.org:team/../x",
            "git@git.example.org:",
            "a@b@git.example.org:team/x",
            "file://host/srv/x",
            "/srv/git/../x",
            "/",
        ] {
            assert!(RemoteUrl::parse(url).is_err(), "{url}");
        }
    }

    #[test]
    fn urls_are_taken_apart() {
        let url = RemoteUrl::parse("https://me:word@Git.Example.org:8443/team/x.git/").unwrap();
        assert_eq!(
            (url.user.as_deref(), url.host.as_str()),
            (Some("me"), "git.example.org")
        );
        assert_eq!(
            (url.port.as_deref(), url.segments.join("/").as_str()),
            (Some("8443"), "team/x.git")
        );
        assert!(url.had_password && url.is_web());
        let url = RemoteUrl::parse("git@host:team/x").unwrap();
        assert_eq!((url.way, url.is_absolute), (Way::Scp, false));
        assert!(RemoteUrl::parse("git@host:/team/x").unwrap().is_absolute);
        assert_eq!(RemoteUrl::parse("/srv/my repositories/x").unwrap().segments.len(), 3);
    }

    #[test]
    fn secrets_are_not_shown() {
        for (url, shown) in [
            ("https://me:word@host/x", "https://host/x"),
            ("https://token@host/x", "https://host/x"),
            ("https://a@b:c@host/x", "https://host/x"),
            ("https://me:word@host", "https://host"),
            ("ssh://git@host/x", "ssh://git@host/x"),
            ("ssh://git:word@host/x", "ssh://host/x"),
            ("git@host:x", "git@host:x"),
            ("../x", "../x"),
        ] {
            assert_eq!(without_secret(url), shown);
        }
    }

    #[test]
    fn a_text_is_shown_without_secrets() {
        let text = "fatal: unable to access 'https://u:p@h/x/': no; see ssh://git@h/y and <http://t@h>";
        let shown = "fatal: unable to access 'https://h/x/': no; see ssh://git@h/y and <http://h>";
        assert_eq!(without_secrets(text), shown);
    }

    #[test]
    fn urls_are_written_as_git_writes_them() {
        for (url, shown, noted) in [
            ("https://me:word@host/x.git", "https://host/x.git", "https://host/x"),
            ("git@host:x.git/", "host:x.git/", "host:x"),
            ("../a@b:c.git", "../a@b:c.git", "../a@b:c"),
            ("https://host/a@b.git", "https://host/a@b.git", "https://host/a@b"),
            ("/srv/x.git", "/srv/x.git", "/srv/x"),
            (".git", ".git", ".git"),
        ] {
            assert_eq!((as_git_shows(url).as_str(), as_git_notes(url).as_str()), (shown, noted));
        }
    }
}
