//! The frame of a page: its head with a strict policy and the styles, its landmarks, and a list of its sections.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{Markup, PreEscaped, html};

use crate::format::digest::Digest;
use crate::ops::pack::report::BEGINNING;

/// The styles of every page.
const STYLE: &str = include_str!("style.css");

/// A part of a page with a heading.
pub(super) struct Section {
    /// Its id in the page.
    pub(super) id: &'static str,
    /// Its heading.
    pub(super) title: &'static str,
    /// What it holds.
    pub(super) body: Markup,
}

impl Section {
    pub(super) fn new(id: &'static str, title: &'static str, body: Markup) -> Self {
        Self { id, title, body }
    }
}

/// The result that a page begins with.
pub(super) struct Banner {
    /// How it looks: `good`, `bad` or `plain`.
    pub(super) class: &'static str,
    /// The result in one word.
    pub(super) word: String,
    /// The result in a sentence.
    pub(super) sentence: String,
}

/// Returns a whole page.
pub(super) fn whole(title: &str, heading: &str, banner: &Banner, sections: &[Section]) -> Vec<u8> {
    let page = html! {
        (PreEscaped(BEGINNING)) "\n"
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy());
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            meta name="referrer" content="no-referrer";
            title { (title) }
            style { (PreEscaped(STYLE)) }
        }
        "\n"
        body {
            a.skip href="#report" { "Skip to the report" }
            header {
                h1 { (heading) }
                p.banner.(banner.class) {
                    strong { (banner.word) } " " span { (banner.sentence) }
                }
            }
            "\n"
            nav aria-label="Sections" {
                ul {
                    @for section in sections {
                        li { a href={ "#" (section.id) } { (section.title) } }
                    }
                }
            }
            "\n"
            main id="report" tabindex="-1" {
                @for section in sections {
                    section aria-labelledby=(section.id) {
                        h2 id=(section.id) { (section.title) }
                        (section.body)
                    }
                    "\n"
                }
            }
            footer {
                p {
                    "Made by git-pack " (env!("CARGO_PKG_VERSION")) ". This page loads nothing, runs no scripts, and has no \
                     time of its own: the same input makes the same page. "
                    "Whoever sends a page can change it. To be sure, check the original yourself."
                }
            }
        }
        "\n" (PreEscaped("</html>\n"))
    };
    page.into_string().into_bytes()
}

/// Returns the policy that lets a page use its own styles, and nothing else.
fn policy() -> String {
    let hash = STANDARD.encode(Digest::of(STYLE.as_bytes()).as_bytes());
    format!("default-src 'none'; style-src 'sha256-{hash}'; base-uri 'none'; form-action 'none'")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(title: &str) -> String {
        let banner = Banner {
            class: "bad",
            word: title.into(),
            sentence: title.into(),
        };
        let sections = [Section::new("one", "One", html! { p { (title) } })];
        String::from_utf8(whole(title, title, &banner, &sections)).unwrap()
    }

    #[test]
    fn texts_are_never_markup() {
        let page = page("</style><script>alert('x')</script>\"'&");
        assert_eq!(page.matches("&lt;/style&gt;&lt;script&gt;").count(), 5);
        assert!(!page.contains("<script"), "{page}");
    }

    #[test]
    fn the_policy_names_the_hash_of_the_styles_as_they_stand_in_the_page() {
        let page = page("x");
        assert!(page.starts_with(BEGINNING));
        let begin = page.find("<style>").unwrap() + "<style>".len();
        let style = &page[begin..page.find("</style>").unwrap()];
        let named = format!(
            "style-src 'sha256-{}'",
            STANDARD.encode(Digest::of(style.as_bytes()).as_bytes())
        );
        assert!(page[..begin].contains(&named), "{page}");
        // Nothing else in the page needs to be allowed.
        for needle in [
            " style=", "<script", "<img", "<link", " onload", "http://", "https://", "url(", "@import",
        ] {
            assert!(!page.contains(needle), "{needle}");
        }
    }

    #[test]
    fn each_section_is_listed_and_can_be_reached() {
        let page = page("x");
        for needle in [
            "<a href=\"#one\">One</a>",
            "<h2 id=\"one\"",
            "aria-labelledby=\"one\"",
            "href=\"#report\"",
            "id=\"report\"",
        ] {
            assert!(page.contains(needle), "{needle}");
        }
    }
}
