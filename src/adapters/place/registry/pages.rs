//! Lists that a registry sends page by page.

use url::Url;

use super::OciRegistry;
use super::auth::RegistryAccess;
use crate::adapters::network::http::{Call, Method};
use crate::format::oci;
use crate::refusal::transport::TransportFault;

/// The longest page of tags that is read, in bytes.
const MAX_PAGE: u64 = 16 << 20;

/// Most pages of tags that are read.
const MAX_PAGES: usize = 10_000;

/// How far a list is read.
pub(super) struct Pages<'a> {
    /// The first page.
    pub(super) url: Url,
    /// The media type that is asked for.
    pub(super) accept: &'a str,
    /// Most bytes of a page.
    pub(super) bytes: u64,
    /// Most pages.
    pub(super) pages: usize,
}

/// How a list ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// There is no such list.
    Absent,
    /// It was read to its end, or as far as it was wanted.
    Read,
    /// It goes on.
    Cut,
}

impl OciRegistry {
    /// Passes each page of a list to `take`, until that returns false.
    pub(super) fn pages(
        &self,
        pages: Pages<'_>,
        take: &mut dyn FnMut(&[u8]) -> Result<bool, TransportFault>,
    ) -> Result<Ended, TransportFault> {
        let mut url = pages.url;
        for _ in 0..pages.pages {
            let call = Call {
                headers: &[("accept", pages.accept)],
                bytes: pages.bytes,
                ..Call::new(Method::GET, &url, None)
            };
            let answer = self.ask(&call, b"", RegistryAccess::Pull)?;
            match answer.status {
                200 => {}
                404 => return Ok(Ended::Absent),
                _ => return Err(answer.fault()),
            }
            let next = answer.header("link").and_then(next_page);
            let next = next.and_then(|next| url.join(&next).ok());
            // A page elsewhere is not a page of this list.
            let next = next.filter(|next| next.origin() == url.origin());
            if !take(&answer.bytes(pages.bytes)?)? {
                return Ok(Ended::Read);
            }
            match next {
                Some(next) => url = next,
                None => return Ok(Ended::Read),
            }
        }
        Ok(Ended::Cut)
    }

    /// Returns the tags of the repository, page by page as the query says, until `goes_on` returns false for one.
    pub(super) fn tags(
        &self,
        query: &str,
        goes_on: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Vec<String>, TransportFault> {
        let mut tags = Vec::new();
        let pages = Pages {
            url: self.url(&format!("tags/list?{query}")),
            accept: "application/json",
            bytes: MAX_PAGE,
            pages: MAX_PAGES,
        };
        self.pages(pages, &mut |page| {
            let page = oci::tags(page).map_err(|said| TransportFault::Malformed {
                what: "the list of tags",
                said,
            })?;
            let is_wanted = page.last().is_none_or(|last| goes_on(last));
            tags.extend(page);
            Ok(is_wanted)
        })?;
        Ok(tags)
    }
}

/// Returns the target of the `next` relation in a `Link` header (RFC 8288).
fn next_page(link: &str) -> Option<String> {
    link.split(',').find_map(|link| {
        let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
        let is_next = parameters
            .split(';')
            .any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| target.to_owned())
    })
}

#[cfg(test)]
mod tests {
    use super::next_page;

    #[test]
    fn the_next_page_is_found() {
        assert_eq!(
            next_page(r#"</v2/r/tags/list?n=2&last=b>; rel="next""#).unwrap(),
            "/v2/r/tags/list?n=2&last=b"
        );
        assert_eq!(next_page(r#"<x>; rel="prev", <y>; rel=next"#).unwrap(), "y");
        assert_eq!(next_page("<x>"), None);
        assert_eq!(next_page(""), None);
    }
}
