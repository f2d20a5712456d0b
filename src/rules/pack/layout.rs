//! Checks the layout of a pack's texts against a commit's configuration.

use std::collections::BTreeSet;

use crate::format::dump::TextEntry;
use crate::format::dump::layout::{Bucket, Layout, bucket_member};
use crate::format::tree_meta::{PACK_INFO, PackInfo};
use crate::rules::pack::findings::Findings;

/// The layout of a pack's texts under `FULL/` or under `SPLIT/`.
#[derive(Debug)]
pub struct LaidOut {
    /// The member that lists the anchors: the one with all texts, or the index.
    pub member: String,
    /// The members that hold one bucket each, in order. Empty if a member may hold several.
    pub files: Vec<(String, Bucket)>,
    /// The prefix of the members' file names.
    pub prefix: String,
    /// The anchors: paths of the texts to read first.
    pub anchors: Vec<String>,
    /// The texts, in order.
    pub texts: Vec<TextEntry>,
}

impl LaidOut {
    /// Returns whether both have the same texts in the same layout.
    pub fn agrees(&self, other: &Self) -> bool {
        (&self.prefix, &self.anchors, &self.texts) == (&other.prefix, &other.anchors, &other.texts)
    }
}

/// Compares the title and the layout of a pack with the scope's settings in a commit.
pub(super) fn compare(info: &PackInfo, laid_out: &[LaidOut], title: &str, layout: &Layout, findings: &mut Findings) {
    if info.title != title {
        let what = format!(
            "title is {:?}, but the commit's configuration says {title:?}",
            info.title
        );
        findings.violation(PACK_INFO, what);
    }
    for one in laid_out {
        one.compare(layout, findings);
    }
}

impl LaidOut {
    fn compare(&self, layout: &Layout, findings: &mut Findings) {
        let mut differs = |path: &str, what: String| findings.differs(path, what);
        if self.prefix != layout.prefix {
            let what = format!(
                "its name begins with {}, but the commit's configuration says {}",
                self.prefix, layout.prefix
            );
            differs(&self.member, what);
        }
        let mut paths: Vec<&str> = self.texts.iter().map(|text| text.path.as_str()).collect();
        let found = buckets(&paths);
        layout.sort(&mut paths, |path| path);
        let expected = buckets(&paths);
        if self.files.is_empty()
            && let Some(what) = first_difference("section", &found, &expected, name)
        {
            differs(&self.member, what);
        }
        for (path, bucket) in &self.files {
            let number = expected.iter().position(|other| other == bucket).map_or(0, |at| at + 1);
            let expected = bucket_member(&layout.prefix, number, bucket);
            if *path != expected {
                differs(
                    path,
                    format!("by the commit's configuration, expected the name {expected}"),
                );
            }
        }
        let known: BTreeSet<&str> = paths.into_iter().collect();
        let expected: Vec<&String> = layout
            .anchors
            .iter()
            .filter(|path| known.contains(path.as_str()))
            .collect();
        let found: Vec<&String> = self.anchors.iter().collect();
        if let Some(what) = first_difference("anchor", &found, &expected, |path| path.to_string()) {
            differs(&self.member, what);
        }
    }
}

/// Returns the buckets of the paths, consecutive duplicates removed.
fn buckets(paths: &[&str]) -> Vec<Bucket> {
    let mut buckets: Vec<Bucket> = paths.iter().map(|path| Bucket::of(path)).collect();
    buckets.dedup();
    buckets
}

fn name(bucket: &Bucket) -> String {
    match bucket {
        Bucket::Root => "ROOT".into(),
        Bucket::Directory(name) => format!("{name}/"),
    }
}

/// Describes the first difference between two lists, if there is one.
fn first_difference<T: PartialEq>(
    place: &str,
    found: &[T],
    expected: &[T],
    name: impl Fn(&T) -> String,
) -> Option<String> {
    let at = (0..found.len().max(expected.len())).find(|at| found.get(*at) != expected.get(*at))?;
    let name = |list: &[T]| list.get(at).map_or("nothing".into(), &name);
    Some(format!(
        "{place} {}: found {}, but the commit's configuration says {}",
        at + 1,
        name(found),
        name(expected)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::digest::Digest;
    use crate::format::repo_state::Mode;
    use crate::format::tree_meta::PACK_INFO_VERSION;
    use crate::rules::pack::findings::FindingKind;

    fn layout() -> Layout {
        Layout {
            buckets: vec!["z".into(), "none".into()],
            anchors: vec!["z/b".into(), "gone".into(), "a".into()],
            ..Layout::of_scope("repo")
        }
    }

    fn found(laid_out: LaidOut, title: &str, layout: &Layout) -> Vec<(String, String)> {
        let info = PackInfo {
            scope: "repo".into(),
            title: "A title".into(),
            stamp: String::new(),
            version: PACK_INFO_VERSION.into(),
            commit: String::new(),
            tree: String::new(),
            mode: Mode::Public,
            emit: None,
            max_tokens: None,
            only: None,
        };
        let mut findings = Findings::default();
        compare(&info, &[laid_out], title, layout, &mut findings);
        let detail = |kind: &FindingKind| kind.detail().unwrap().to_owned();
        findings.iter().map(|f| (f.path.clone(), detail(&f.kind))).collect()
    }

    fn laid_out(paths: &[&str], files: &[(&str, &str)]) -> LaidOut {
        let text = |path: &&str| TextEntry {
            path: (*path).into(),
            size: 0,
            executable: false,
            hash: Digest::of(b""),
            shown: 0,
            encoding: None,
            part: None,
        };
        LaidOut {
            member: "M".into(),
            files: files
                .iter()
                .map(|(name, path)| ((*name).into(), Bucket::of(path)))
                .collect(),
            prefix: "REPO".into(),
            anchors: vec!["z/b".into(), "a".into()],
            texts: paths.iter().map(text).collect(),
        }
    }

    #[test]
    fn the_layout_of_the_commit_passes_and_each_departure_is_named() {
        let ordered = ["z/a", "z/b", "a", "b/a"];
        let files = [
            ("SPLIT/REPO-01_Z.md", "z/a"),
            ("SPLIT/REPO-02_ROOT.md", "a"),
            ("SPLIT/REPO-03_B.md", "b/a"),
        ];
        let found = |laid_out: LaidOut, layout: &Layout| found(laid_out, "A title", layout);
        assert_eq!(found(laid_out(&ordered, &[]), &layout()), []);
        assert_eq!(found(laid_out(&ordered, &files), &layout()), []);
        let plain = Layout {
            buckets: Vec::new(),
            ..layout()
        };
        let section = "section 1: found z/, but the commit's configuration says ROOT";
        assert_eq!(
            found(laid_out(&ordered, &[]), &plain),
            [("M".to_owned(), section.to_owned())]
        );
        let names: Vec<_> = found(laid_out(&ordered, &files), &plain);
        let name = |to: &str| format!("by the commit's configuration, expected the name SPLIT/{to}");
        assert_eq!(
            names,
            [
                ("SPLIT/REPO-01_Z.md".to_owned(), name("REPO-03_Z.md")),
                ("SPLIT/REPO-02_ROOT.md".to_owned(), name("REPO-01_ROOT.md")),
                ("SPLIT/REPO-03_B.md".to_owned(), name("REPO-02_B.md")),
            ]
        );
        for (anchors, number, had, has) in [
            (&[][..], 1, "z/b", "nothing"),
            (&["z/b", "a", "b/a"], 3, "nothing", "b/a"),
            (&["a", "z/b"], 1, "z/b", "a"),
        ] {
            let other = Layout {
                anchors: anchors.iter().map(|path| (*path).into()).collect(),
                ..layout()
            };
            let what = format!("anchor {number}: found {had}, but the commit's configuration says {has}");
            assert_eq!(found(laid_out(&ordered, &[]), &other), [("M".to_owned(), what)]);
        }
        let other = Layout {
            prefix: "P".into(),
            ..layout()
        };
        assert_eq!(found(laid_out(&ordered, &[]), &other).len(), 1);
        assert_eq!(found(laid_out(&ordered, &files), &other).len(), 4);
    }

    #[test]
    fn another_title_is_named() {
        let none = laid_out(&["z/b", "a"], &[]);
        let expected = "title is \"A title\", but the commit's configuration says \"Another\"";
        assert_eq!(
            found(none, "Another", &layout()),
            [(PACK_INFO.to_owned(), expected.to_owned())]
        );
    }
}
