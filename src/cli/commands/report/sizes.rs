//! The section about sizes: a map of the parts of a pack or a commit, and the table that says the same in words.

use std::ops::Range;

use maud::{Markup, html};

use super::tables::{Column, name, share, table, text};
use crate::cli::output::treemap::{Area, treemap};
use crate::cli::output::words::{count, size};

/// From how many parts on no directory is divided further.
const ENOUGH: usize = 24;

/// How often a directory is divided at most. A hostile path may have a million of them.
const DIVISIONS: usize = 200;

/// The most parts that are shown.
const MOST: usize = 40;

/// What the files of a part are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    /// Anyone can read them.
    Clear,
    /// They are encrypted.
    Sealed,
    /// A public pack would hold them encrypted.
    ToSeal,
    /// Documents of the pack about itself.
    About,
    /// Files of several kinds.
    Mixed,
}

impl Content {
    const ALL: [Self; 5] = [Self::Clear, Self::Sealed, Self::ToSeal, Self::About, Self::Mixed];

    fn and(self, other: Self) -> Self {
        if self == other { self } else { Self::Mixed }
    }

    /// Returns the words for it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Clear => "in the clear",
            Self::Sealed => "sealed",
            Self::ToSeal => "would be sealed",
            Self::About => "about the pack",
            Self::Mixed => "of several kinds",
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Clear => "clear",
            Self::Sealed => "sealed",
            Self::ToSeal => "to-seal",
            Self::About => "about",
            Self::Mixed => "mixed",
        }
    }
}

/// A file with its size.
#[derive(Clone, Debug)]
pub(super) struct Sized<'a> {
    pub(super) path: &'a [u8],
    pub(super) bytes: u64,
    pub(super) content: Content,
}

/// A file, a directory, or what is left of one.
#[derive(Clone, Debug, PartialEq, Eq)]
struct SizedPart {
    /// Its path. That of a directory ends with a slash.
    path: Vec<u8>,
    /// The files among those sorted by path. Empty if it is what is left.
    at: Range<usize>,
    files: u64,
    bytes: u64,
    content: Content,
    kind: PartKind,
}

/// What a part is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PartKind {
    File,
    Directory,
    /// What is left of a directory.
    Rest,
}

impl SizedPart {
    fn of(files: &[Sized<'_>], at: Range<usize>, path: &[u8], kind: PartKind) -> Self {
        let inside = &files[at.clone()];
        Self {
            path: path.to_owned(),
            files: inside.len() as u64,
            bytes: inside.iter().fold(0, |sum, file| sum.saturating_add(file.bytes)),
            content: inside
                .iter()
                .map(|file| file.content)
                .reduce(Content::and)
                .unwrap_or(Content::Mixed),
            at,
            kind,
        }
    }

    /// Makes one part of several: those below `path` that are not shown.
    fn rest(parts: &[Self], path: &[u8]) -> Option<Self> {
        let content = parts.iter().map(|part| part.content).reduce(Content::and)?;
        Some(Self {
            path: path.to_owned(),
            at: 0..0,
            files: parts.iter().map(|part| part.files).sum(),
            bytes: parts.iter().fold(0, |sum, part| sum.saturating_add(part.bytes)),
            content,
            kind: PartKind::Rest,
        })
    }

    /// Returns its name as text.
    fn title(&self) -> String {
        match (self.kind, self.path.is_empty()) {
            (PartKind::File | PartKind::Directory, _) => text(&self.path),
            (PartKind::Rest, true) => "other files".to_owned(),
            (PartKind::Rest, false) => format!("other files in {}", text(&self.path)),
        }
    }
}

/// Returns the parts of files that show best where the bytes are: the largest directory is divided as long as there are few.
fn parts_of(files: &mut [Sized<'_>]) -> Vec<SizedPart> {
    files.sort_by(|a, b| a.path.cmp(b.path));
    let mut parts = children(files, 0..files.len(), b"");
    for _ in 0..DIVISIONS {
        if parts.len() >= ENOUGH {
            break;
        }
        let directories = parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.kind == PartKind::Directory);
        let Some(at) = directories
            .max_by_key(|(at, part)| (part.bytes, usize::MAX - at))
            .map(|(at, _)| at)
        else {
            break;
        };
        let divided = parts.remove(at);
        parts.extend(children(files, divided.at, &divided.path));
    }
    fewest(&mut parts, MOST, b"");
    parts
}

/// Returns what is directly below a directory: the files with this prefix are `files[at]`.
fn children(files: &[Sized<'_>], at: Range<usize>, prefix: &[u8]) -> Vec<SizedPart> {
    let mut parts = Vec::new();
    let mut from = at.start;
    while from < at.end {
        let path = files[from].path;
        let slash = path[prefix.len()..].iter().position(|byte| *byte == b'/');
        let (child, kind) = match slash {
            Some(slash) => (&path[..=prefix.len() + slash], PartKind::Directory),
            None => (path, PartKind::File),
        };
        let inside = files[from..at.end].partition_point(|file| match kind {
            PartKind::Directory => file.path.starts_with(child),
            _ => file.path == child,
        });
        parts.push(SizedPart::of(files, from..from + inside, child, kind));
        from += inside;
    }
    fewest(&mut parts, ENOUGH, prefix);
    parts
}

/// Sorts parts by size, and joins those behind the first ones.
fn fewest(parts: &mut Vec<SizedPart>, most: usize, prefix: &[u8]) {
    parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    if parts.len() > most {
        let rest = SizedPart::rest(&parts[most - 1..], prefix);
        parts.truncate(most - 1);
        parts.extend(rest);
        parts.sort_by(|a, b| b.bytes.cmp(&a.bytes).then_with(|| a.path.cmp(&b.path)));
    }
}

/// Returns the map and the table.
pub(super) fn section(mut files: Vec<Sized<'_>>, what: &str) -> Markup {
    let parts = parts_of(&mut files);
    let bytes = parts.iter().fold(0_u64, |sum, part| sum.saturating_add(part.bytes));
    let number = files.len() as u64;
    let wide = Map {
        class: "wide",
        width: 960.0,
        height: 400.0,
    };
    let narrow = Map {
        class: "narrow",
        width: 340.0,
        height: 420.0,
    };
    html! {
        p { (count(number, "file")) ", " (size(bytes)) "." }
        @if bytes > 0 {
            figure {
                (wide.draw(&parts, what)) (narrow.draw(&parts, what))
                figcaption {
                    p { "Each area is as large as the share of a part. The table below says the same." }
                    p { (legend(&parts)) }
                }
            }
        }
        (table(
            "parts",
            &format!("Parts of the {what} by size"),
            [Column::Text("Part"), Column::Text("Content"), Column::Number("Files"), Column::Number("Size"), Column::Number("Share")],
            parts.iter().map(|part| [
                html! { @if part.kind == PartKind::Rest { (part.title()) } @else { (name(&part.path)) } },
                html! { (part.content.words()) },
                html! { (part.files) },
                html! { (size(part.bytes)) },
                html! { (share(part.bytes, bytes)) },
            ]),
        ))
    }
}

/// Returns what the looks of areas stand for.
fn legend(parts: &[SizedPart]) -> Markup {
    let used = Content::ALL
        .into_iter()
        .filter(|content| parts.iter().any(|part| part.content == *content));
    html! {
        @for content in used {
            span.key { span.swatch.(content.class()) aria-hidden="true" {} (content.words()) } " "
        }
    }
}

/// The size of a drawing. A wide and a narrow one are in the page, and one of them is shown.
struct Map {
    class: &'static str,
    width: f64,
    height: f64,
}

impl Map {
    fn draw(&self, parts: &[SizedPart], what: &str) -> Markup {
        let shown: Vec<&SizedPart> = parts.iter().filter(|part| part.bytes > 0).collect();
        let sizes: Vec<f64> = shown.iter().map(|part| part.bytes as f64).collect();
        let whole = Area {
            x: 0.0,
            y: 0.0,
            width: self.width,
            height: self.height,
        };
        let total = sizes.iter().sum::<f64>();
        let largest = shown.iter().take(3).map(|part| {
            let share = part.bytes as f64 * 100.0 / total;
            format!("{} {share:.0} %", part.title())
        });
        let label = format!(
            "Map of the {what} by size. The largest parts: {}. The table after the map lists all.",
            largest.collect::<Vec<_>>().join(", ")
        );
        html! {
            svg.map.(self.class) role="img" aria-label=(label) viewBox={ "0 0 " (self.width) " " (self.height) } {
                @for (part, area) in shown.iter().zip(treemap(&sizes, whole)) { (tile(part, &area)) }
            }
        }
    }
}

/// Returns the drawing of a part: what does not fit into its area is cut off.
fn tile(part: &SizedPart, area: &Area) -> Markup {
    let (width, height) = ((area.width - 2.0).max(0.5), (area.height - 2.0).max(0.5));
    let is_named = width >= 40.0 && height >= 20.0;
    html! {
        svg.tile.(part.content.class())
            x=(format!("{:.1}", area.x + 1.0)) y=(format!("{:.1}", area.y + 1.0))
            width=(format!("{width:.1}")) height=(format!("{height:.1}"))
        {
            title { (part.title()) ", " (size(part.bytes)) ", " (part.content.words()) }
            rect width="100%" height="100%" {}
            @if is_named {
                text x="6" y="15" { (label(&part.title(), width)) }
                @if height >= 36.0 && width >= 74.0 { text.bytes x="6" y="31" { (size(part.bytes)) } }
            }
        }
    }
}

/// Returns the last names of a path that are about as long as an area is wide.
fn label(title: &str, width: f64) -> String {
    const LETTER: f64 = 7.3;
    let room = ((width - 10.0) / LETTER) as usize;
    let length = title.chars().count();
    match length <= room {
        true => title.to_owned(),
        false => format!("…{}", title.chars().skip(length - room.max(2) + 1).collect::<String>()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sized(path: &str, bytes: u64) -> Sized<'_> {
        Sized {
            path: path.as_bytes(),
            bytes,
            content: Content::Clear,
        }
    }

    fn named(parts: &[SizedPart]) -> Vec<(String, u64, u64)> {
        parts
            .iter()
            .map(|part| (part.title(), part.files, part.bytes))
            .collect()
    }

    proptest! {
        #[test]
        fn parts_hold_all_files_and_all_bytes(
            files in prop::collection::vec(("[ab/]{0,8}", 0_u64..1000), 0..200)
        ) {
            let mut sized: Vec<Sized<'_>> = files.iter().map(|(path, bytes)| sized(path, *bytes)).collect();
            let parts = parts_of(&mut sized);
            prop_assert!(parts.len() <= MOST);
            prop_assert_eq!(parts.iter().map(|part| part.files).sum::<u64>(), files.len() as u64);
            let bytes: u64 = files.iter().map(|(_, bytes)| bytes).sum();
            prop_assert_eq!(parts.iter().map(|part| part.bytes).sum::<u64>(), bytes);
        }
    }

    #[test]
    fn the_largest_directories_are_divided() {
        let mut files = [
            sized("repo/src/a", 5),
            sized("repo/src/b", 50),
            sized("repo/README", 7),
            sized("repo-x", 1),
            sized("meta/INFO", 0),
        ];
        let expected = [
            ("repo/src/b", 1, 50),
            ("repo/README", 1, 7),
            ("repo/src/a", 1, 5),
            ("repo-x", 1, 1),
            ("meta/INFO", 1, 0),
        ];
        let expected = expected.map(|(path, files, bytes)| (path.to_owned(), files, bytes));
        assert_eq!(named(&parts_of(&mut files)), expected);
    }

    #[test]
    fn a_directory_of_many_files_keeps_its_largest() {
        let paths: Vec<String> = (0..10_000).map(|n| format!("d/{n:05}")).collect();
        let mut files: Vec<Sized<'_>> = paths.iter().zip(0..).map(|(path, n)| sized(path, n)).collect();
        let parts = named(&parts_of(&mut files));
        assert_eq!(parts.len(), ENOUGH);
        assert_eq!(parts[0].0, "other files in d/");
        assert_eq!(parts[1], ("d/09999".to_owned(), 1, 9999));
        assert_eq!(parts.iter().map(|part| part.1).sum::<u64>(), 10_000);
    }

    /// A path that ends with a slash was once divided without end, and a deep one takes long.
    #[test]
    fn hostile_paths_are_divided_only_so_far() {
        let deep = "a/".repeat(1 << 20);
        let mut files = [sized("d/", 5), sized("d//", 4), sized(&deep, 9)];
        let parts = parts_of(&mut files);
        assert_eq!(parts.iter().map(|part| part.files).sum::<u64>(), 3);
    }

    #[test]
    fn sizes_that_a_manifest_invents_do_not_overflow() {
        let files = vec![sized("a", u64::MAX), sized("b", u64::MAX), sized("c", 1)];
        let page = section(files, "pack").into_string();
        assert!(
            page.contains("<svg") && !page.contains("NaN") && !page.contains("inf"),
            "{page}"
        );
    }

    #[test]
    fn the_map_has_a_text_for_people_who_do_not_see_it() {
        let files = vec![sized("<b>", 75), sized("c", 25), sized("empty", 0)];
        let page = section(files, "pack").into_string();
        assert!(page.contains("The largest parts: &lt;b&gt; 75 %, c 25 %."), "{page}");
        // A part without bytes has a row, and no area.
        assert_eq!(page.matches("<rect").count(), 4);
        assert!(page.contains("<code>empty</code>"));
        assert!(!section(vec![sized("empty", 0)], "pack").into_string().contains("<svg"));
    }
}
