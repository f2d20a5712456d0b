//! Where a redirect may lead.

use url::Url;

use crate::refusal::transport::TransportFault;

/// Returns the fault of a redirect of a request that sends something.
pub fn unfollowed(to: &str) -> TransportFault {
    TransportFault::Redirect {
        to: to.to_owned(),
        why: "but git-pack follows redirects only to read",
    }
}

/// Returns the target of a redirect. What kind of address it may have is judged when it is reached.
pub fn target(from: &Url, to: &str) -> Result<Url, TransportFault> {
    let refused = |why| Err(TransportFault::Redirect { to: to.to_owned(), why });
    let Ok(next) = from.join(to) else {
        return refused("which is not a URL");
    };
    if !matches!(next.scheme(), "http" | "https") {
        return refused("which is not HTTP");
    }
    if !next.username().is_empty() || next.password().is_some() {
        return refused("with a user or a password in it");
    }
    if from.scheme() == "https" && next.scheme() != "https" {
        return refused("which is not encrypted");
    }
    Ok(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redirect_does_not_lead_away_from_http_or_out_of_encryption() {
        let from = |scheme: &str| format!("{scheme}://r.example/v2/r/blobs/x").parse::<Url>().unwrap();
        let to = |from: &Url, to: &str| target(from, to).map(|url| url.to_string()).ok();
        assert_eq!(to(&from("https"), "/y").unwrap(), "https://r.example/y");
        assert_eq!(
            to(&from("https"), "https://s.example/y?z").unwrap(),
            "https://s.example/y?z"
        );
        assert_eq!(to(&from("http"), "https://r.example/y").unwrap(), "https://r.example/y");
        for bad in [
            "http://r.example/y",
            "http://127.0.0.1/",
            "file:///etc/passwd",
            "ftp://r.example/",
            "https://u:p@r.example/",
            "https://u@r.example/",
            "//",
            "data:,x",
        ] {
            assert_eq!(to(&from("https"), bad), None, "{bad}");
        }
    }
}
