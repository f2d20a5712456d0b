//! A page of help as a manual page, in roff.

use roff::{Inline, Roff, bold, italic, roman};

use super::page::{Block, Described, Page};

/// The name of the manual, in the head of each page.
const MANUAL: &str = "git-pack manual";

/// An empty argument of the head, in place of a date.
const NO_DATE: &str = "\"\"";

impl Page {
    /// Returns the page as a manual page of a section.
    pub(super) fn manual(&self, section: &str) -> String {
        let mut roff = Roff::new();
        let source = format!("git-pack {}", env!("CARGO_PKG_VERSION"));
        roff.control(
            "TH",
            [
                self.name.to_uppercase().as_str(),
                section,
                NO_DATE,
                source.as_str(),
                MANUAL,
            ],
        );
        // Words that are typed must not be divided.
        roff.control("nh", []);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{} - {}", self.name, self.about))]);
        for section in &self.sections {
            roff.control("SH", [section.title.to_uppercase().as_str()]);
            for block in &section.blocks {
                block.manual(&mut roff);
            }
        }
        roff.render()
    }
}

impl Block {
    fn manual(&self, roff: &mut Roff) {
        match self {
            Self::Text(text) => {
                roff.control("PP", []).text(inlines(text));
            }
            Self::Lines(lines) => as_they_stand(roff, lines),
            Self::Term(term, meaning) => {
                roff.control("TP", []).text([bold(term)]).text(inlines(meaning));
            }
            Self::Settings(settings) => settings.iter().for_each(|setting| setting.manual(roff)),
        }
    }
}

impl Described {
    fn manual(&self, roff: &mut Roff) {
        roff.control("TP", []).text([bold(&self.name)]);
        let mut about = vec![italic(&self.kind), roman("; default: ")];
        about.extend(inlines(&self.default));
        about.push(roman(". "));
        about.extend(inlines(&self.meaning));
        roff.text(about);
        roff.control("RS", []);
        as_they_stand(roff, &self.example);
        roff.control("RE", []);
    }
}

/// Writes lines that are not filled.
fn as_they_stand(roff: &mut Roff, lines: &str) {
    roff.control("PP", []).control("RS", ["4"]).control("nf", []);
    for line in lines.lines() {
        roff.text([roman(line)]);
    }
    roff.control("fi", []).control("RE", []);
}

/// Returns text with what stands in backticks in bold.
fn inlines(text: &str) -> Vec<Inline> {
    let parts = text.split('`').enumerate().filter(|(_, part)| !part.is_empty());
    parts
        .map(|(nth, part)| match nth % 2 {
            0 => roman(part),
            _ => bold(part),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::page::{lines, section, term, text};
    use super::*;

    #[test]
    fn no_text_becomes_a_command_of_roff() {
        let hostile = ".so /etc/passwd\n'br\n.\\\" x";
        let page = Page {
            name: "git-pack-x".into(),
            about: "does `x`".into(),
            sections: vec![section(
                "Some part",
                [text("one `two` \\fBthree"), lines(hostile), term("--x", ".y")],
            )],
        };
        let roff = page.manual("1");
        assert!(roff.contains(".TH GIT-PACK-X 1 \"\" "), "{roff}");
        assert!(
            roff.contains("\n.SH \"SOME PART\"\n") && roff.contains("one \\fBtwo\\fR \\\\fBthree\n"),
            "{roff}"
        );
        for line in ["\n.so", "\n'br", "\n.\\\"", "\n.y"] {
            assert!(!roff.contains(line), "{line:?} in {roff}");
        }
    }
}
