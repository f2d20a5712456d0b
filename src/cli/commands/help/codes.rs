//! The pages about the codes of refusals. docs/refusals.md has their text.

use super::page::{Page, section, text};
use crate::refusal::code::Code;

const REFUSALS: &str = include_str!("../../../../docs/refusals.md");

/// Returns the page about a code, which is named in whatever case.
pub(super) fn page(word: &str) -> Option<Page> {
    let codes = Code::ALL.map(Code::as_str);
    let code = codes.into_iter().find(|code| code.eq_ignore_ascii_case(word))?;
    let start = format!("| `{code}` | ");
    let row = REFUSALS.lines().find_map(|line| line.strip_prefix(&start))?;
    let (when, what_to_do) = row.trim_end_matches([' ', '|']).split_once(" | ")?;
    Some(Page {
        name: code.into(),
        about: "a refusal, with the exit status 2".into(),
        sections: vec![
            section("When", [text(&without_links(when))]),
            section("What to do", [text(&without_links(what_to_do))]),
        ],
    })
}

/// Returns Markdown without the targets of its links.
fn without_links(markdown: &str) -> String {
    let mut plain = String::new();
    let mut rest = markdown;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let target = link.split_once("](");
        match target.and_then(|(words, behind)| Some((words, behind.split_once(')')?.1))) {
            Some((words, behind)) => {
                plain.push_str(words);
                rest = behind;
            }
            None => {
                plain.push('[');
                rest = link;
            }
        }
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_a_page_with_the_text_of_its_row() {
        for code in Code::ALL.map(Code::as_str) {
            let page = page(&code.to_ascii_lowercase()).unwrap();
            assert_eq!(page.name, code);
            let told = page.for_terminal();
            assert!(told.contains("When") && told.contains("What to do"), "{told}");
            assert!(!told.contains("](") && !told.contains('|'), "{told}");
        }
        assert!(page("E_NONE").is_none() && page("rules").is_none());
    }

    #[test]
    fn a_link_becomes_its_words() {
        assert_eq!(without_links("see [a](b.md#c), or [d](e)."), "see a, or d.");
        assert_eq!(without_links("[[protect]] x"), "[[protect]] x");
    }
}
