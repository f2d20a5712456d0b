//! Checks that the members under `FULL/` and `SPLIT/` follow from the pack's state.

use std::collections::{BTreeMap, BTreeSet};

use crate::format::dump::index::{self, IndexedText};
use crate::format::dump::layout::{Bucket, bucket_member, bucket_number, full_member, prefix_of_full, prefix_of_index};
use crate::format::dump::{Conversion, Other, OtherEntry, TextEntry, TextsSubject};
use crate::format::repo_state::{EntryKind, Mode, StateFile};
use crate::format::tree_meta::{FULL, PACK_INFO, Part, REPO_STATE, SPLIT};
use crate::format::tree_name;
use crate::rules::pack::chunks;
use crate::rules::pack::findings::Findings;
use crate::rules::pack::layout::LaidOut;
use crate::rules::pack::members::Members;
use crate::rules::pack::observed::{JoinedText, SeenText, SeenTexts, TextMembers, TextsRead};
use crate::rules::pack::places::in_directory;
use crate::rules::pack::plain::{PlainMember, judge_at};
use crate::rules::pack::tree::TreePack;
use crate::rules::protect::Registry;
use crate::rules::scan::{Leak, LeakCode, Traits};

/// Returns the leaks among texts, each with its path. Texts are judged as their plain copies would be. The parts of texts
/// that were cut are judged together, by [`leaks_in_parts`].
pub(super) fn leaks<'t>(read: &'t TextsRead, registry: &Registry, mode: Mode) -> Vec<(&'t str, Leak)> {
    let TextsRead { document, seen, .. } = read;
    let texts = document.texts.iter().zip(seen).filter(|(text, _)| text.part.is_none());
    let leaks = texts.filter_map(|(text, seen)| Some((text.path.as_str(), leak(&text.path, seen, registry, mode)?)));
    let others = document.whole.iter().flat_map(|(_, others)| others);
    // The blob ids of entries that are only listed are unknown, and an exception may allow one of them.
    let judged = others.filter(|_| registry.exceptions().next().is_none());
    let named = judged.filter_map(|entry| {
        // These entries have only a path and a hash here, and no content.
        let member = PlainMember {
            kind: match entry.kind {
                Other::Link | Other::Submodule => EntryKind::Symlink,
                Other::Binary | Other::BinaryExecutable => EntryKind::Regular,
            },
            traits: Traits::default(),
            blob: None,
        };
        let leak = judge_at(registry, &tree_name::path_of(&entry.path), &member, mode)?;
        // The content is not here, so whether an `.age` file is one cannot and need not be judged.
        (leak.code != LeakCode::FakeSeal).then_some((entry.path.as_str(), leak))
    });
    leaks.chain(named).collect()
}

/// Returns the leaks among texts that were cut, each with its path.
pub(super) fn leaks_in_parts<'t>(
    joined: &'t BTreeMap<String, JoinedText>,
    registry: &Registry,
    mode: Mode,
) -> Vec<(&'t str, Leak)> {
    let leaks = joined
        .iter()
        .filter_map(|(path, text)| Some((path.as_str(), leak(path, &text.seen, registry, mode)?)));
    leaks.collect()
}

fn leak(path: &str, seen: &SeenText, registry: &Registry, mode: Mode) -> Option<Leak> {
    let like = registry.exceptions().next().map(|id| id.as_bytes().len());
    let member = PlainMember {
        kind: EntryKind::Regular,
        traits: seen.traits.clone(),
        blob: seen.blobs.iter().find(|id| Some(id.as_bytes().len()) == like).copied(),
    };
    judge_at(registry, &tree_name::path_of(path), &member, mode)
}

/// Judges the members under `FULL/` and `SPLIT/` by the pack's state. Returns their layouts.
pub(super) fn judge(
    pack: &TreePack<'_>,
    members: &Members<'_>,
    seen: &TextMembers,
    findings: &mut Findings,
) -> Vec<LaidOut> {
    let (info, state) = (pack.info, pack.state);
    let subject = TextsSubject {
        title: info.title.clone(),
        scope: info.scope.clone(),
        only: info.only.clone(),
        mode: info.mode,
        commit: info.commit.clone(),
        tree: info.tree.clone(),
        state: pack.digest,
    };
    let has_texts = [Part::Full, Part::Split].iter().any(|part| info.parts().contains(part));
    let files = state.files.iter().filter(|_| has_texts);
    let judging = Judging {
        subject,
        budget: info.max_tokens,
        state: files.map(|file| (&*file.path, file)).collect(),
        seen,
    };
    let below = |directory: &str, part: Part, findings: &mut Findings| {
        let found: Vec<&str> = members.paths().filter(|path| in_directory(path, directory)).collect();
        if !info.parts().contains(&part) {
            for path in &found {
                let what = format!("{PACK_INFO} does not name {} under emit", part.as_str());
                findings.violation(path, what);
            }
            return None;
        }
        Some(found)
    };
    let full = below(FULL, Part::Full, findings).and_then(|found| judging.full(&found, findings));
    let split = below(SPLIT, Part::Split, findings).and_then(|found| judging.split(&found, findings));
    if let (Some(full), Some(split)) = (&full, &split)
        && !full.agrees(split)
    {
        findings.violation(&split.member, format!("it does not list the texts under {FULL}/"));
    }
    full.into_iter().chain(split).collect()
}

/// A member with texts: its number, its path, and what was read.
type Read<'a> = (usize, &'a str, &'a TextsRead);

struct Judging<'a> {
    subject: TextsSubject,
    /// The most tokens of a file under `SPLIT/`. `None` if each has a bucket.
    budget: Option<u64>,
    state: BTreeMap<&'a str, &'a StateFile>,
    seen: &'a TextMembers,
}

impl Judging<'_> {
    /// Checks that one member holds all texts, has the expected name, and matches the state.
    fn full(&self, found: &[&str], findings: &mut Findings) -> Option<LaidOut> {
        let stamp = &self.subject.state.hex()[..12];
        let mut laid_out = None;
        let mut named = 0;
        for path in found {
            let Some(prefix) = prefix_of_full(path, stamp) else {
                let what = format!("expected the name {}", full_member("<prefix>", stamp));
                findings.differs(path, what);
                continue;
            };
            named += 1;
            let Some(TextsRead { document, .. }) = self.document(path, findings) else {
                continue;
            };
            let (anchors, others) = document.whole.clone().unwrap_or_default();
            self.hold(path, document.texts.iter(), &others, findings);
            laid_out = Some(LaidOut {
                member: (*path).to_owned(),
                files: Vec::new(),
                prefix: prefix.to_owned(),
                anchors,
                texts: document.texts.clone(),
            });
        }
        if named != 1 {
            let what = format!("emit names full, but {named} members hold all texts");
            findings.violation(PACK_INFO, what);
        }
        laid_out
    }

    /// Checks that there is one index, that the other members have the expected names and all texts, and that they match
    /// the state.
    fn split(&self, found: &[&str], findings: &mut Findings) -> Option<LaidOut> {
        let mut lists = found.iter().filter_map(|path| Some((*path, prefix_of_index(path)?)));
        let (Some((list, prefix)), None) = (lists.next(), lists.next()) else {
            findings.violation(
                PACK_INFO,
                "emit names split, but there is not exactly one list of the texts",
            );
            return None;
        };
        let mut parts: Vec<Read<'_>> = Vec::new();
        let listed = self.read_list(list, findings);
        let mut whole = true;
        for path in found.iter().filter(|path| **path != list) {
            let Some(read) = self.document(path, findings) else {
                whole = false;
                continue;
            };
            match self.number(prefix, path, read) {
                Ok(number) => parts.push((number, path, read)),
                Err(what) => {
                    whole = false;
                    findings.violation(path, what);
                }
            }
        }
        parts.sort_by_key(|(number, ..)| *number);
        // Without one of the files, the others cannot be held to the list and to the state.
        let listed = listed.filter(|_| whole)?;
        let numbered = parts.iter().enumerate().all(|(at, (number, ..))| at + 1 == *number);
        let texts = match self.budget {
            Some(_) => self.put_together(&parts, findings)?,
            None => by_directory(&parts),
        };
        let known: BTreeSet<&str> = texts.iter().map(|text| text.path.as_str()).collect();
        let buckets: BTreeSet<Bucket> = known.iter().map(|path| Bucket::of(path)).collect();
        let one_each = self.budget.is_some() || buckets.len() == parts.len();
        if !numbered || known.len() != texts.len() || !one_each {
            findings.violation(
                list,
                "the numbers of the files with texts have gaps, or a text or bucket is in two of them",
            );
            return None;
        }
        let others: Vec<OtherEntry> = self
            .state
            .values()
            .filter(|file| !known.contains(&*file.path))
            .map(|file| OtherEntry::of(file))
            .collect();
        self.hold(list, texts.iter(), &others, findings);
        let anchors = self.list((list, listed), &parts, &others, &known, findings);
        let file = |(_, path, read): &Read<'_>| {
            let first = read.document.texts.first()?;
            Some(((*path).to_owned(), Bucket::of(&first.path)))
        };
        let by_bucket = parts.iter().filter(|_| self.budget.is_none());
        Some(LaidOut {
            member: list.to_owned(),
            files: by_bucket.filter_map(file).collect(),
            prefix: prefix.to_owned(),
            anchors,
            texts,
        })
    }

    /// Returns the number of a member with texts. The error says why the member does not fit its name, or its budget.
    fn number(&self, prefix: &str, path: &str, read: &TextsRead) -> Result<usize, String> {
        let texts = &read.document.texts;
        if let Some(budget) = self.budget {
            let number = chunks::number_of(prefix, path).filter(|_| !texts.is_empty());
            let number = number.ok_or("its name is not that of a part of the split, or it has no text")?;
            return match read.tokens <= budget {
                true => Ok(number),
                false => Err(format!(
                    "it has {} tokens, more than the budget of {budget}",
                    read.tokens
                )),
            };
        }
        if texts.iter().any(|text| text.part.is_some()) {
            return Err(format!("it has a part of a text, but {PACK_INFO} has no max_tokens"));
        }
        let bucket = texts.first().map(|text| Bucket::of(&text.path));
        let one = |bucket: &Bucket| texts.iter().all(|text| Bucket::of(&text.path) == *bucket);
        // Its number is the one that gives it its name.
        let number = bucket.filter(one).and_then(|bucket| {
            let number = bucket_number(prefix, path)?;
            (bucket_member(prefix, number, &bucket) == *path).then_some(number)
        });
        number.ok_or_else(|| "its name does not match the one bucket whose texts it holds".to_owned())
    }

    /// Returns the texts of the files of a split by tokens.
    fn put_together(&self, parts: &[Read<'_>], findings: &mut Findings) -> Option<Vec<TextEntry>> {
        let files: Vec<(&str, &TextsRead)> = parts.iter().map(|(_, path, read)| (*path, *read)).collect();
        match chunks::put_together(&files, &self.seen.joined) {
            Ok(texts) => Some(texts),
            Err((member, what)) => {
                findings.violation(member, what);
                None
            }
        }
    }

    /// Returns the bytes of the list. If it could not be read, that is a finding.
    fn read_list(&self, path: &str, findings: &mut Findings) -> Option<&[u8]> {
        let Some(SeenTexts::List(Some(list))) = self.seen.members.get(path) else {
            findings.violation(
                path,
                "it was not read: it is missing or too large, or its type is not other",
            );
            return None;
        };
        Some(list)
    }

    /// Checks that the list follows from the texts. Returns the anchors.
    fn list(
        &self,
        (path, list): (&str, &[u8]),
        parts: &[Read<'_>],
        others: &[OtherEntry],
        known: &BTreeSet<&str>,
        findings: &mut Findings,
    ) -> Vec<String> {
        let anchors = index::anchors(&String::from_utf8_lossy(list));
        let parts: Vec<index::SplitFile> = parts
            .iter()
            .map(|(_, path, read)| index::SplitFile {
                name: path.rsplit('/').next().unwrap_or_default().to_owned(),
                texts: read.document.texts.iter().zip(&read.seen).map(listed).collect(),
                tokens: read.tokens,
            })
            .collect();
        let distinct: BTreeSet<&str> = anchors.iter().map(String::as_str).collect();
        if distinct.len() != anchors.len() || !distinct.is_subset(known) {
            findings.violation(path, "an anchor is not among the texts, or occurs twice");
        } else if index::write(&self.subject, &parts, &anchors, others, self.budget).as_bytes() != list {
            findings.violation(path, format!("it does not list exactly the texts under {SPLIT}/"));
        }
        anchors
    }

    fn document(&self, path: &str, findings: &mut Findings) -> Option<&TextsRead> {
        match self.seen.members.get(path) {
            Some(SeenTexts::Texts(Ok(read))) => {
                if read.document.subject != self.subject {
                    let what = format!("its head does not match {PACK_INFO} and {REPO_STATE}");
                    findings.differs(path, what);
                }
                Some(read)
            }
            Some(SeenTexts::Texts(Err(why))) => {
                findings.violation(path, why.clone());
                None
            }
            Some(SeenTexts::List(_)) => {
                findings.violation(path, "expected texts, found a list");
                None
            }
            None => {
                findings.violation(path, "it was not read: it is missing, or its type is not other");
                None
            }
        }
    }

    /// Checks that texts and other entries together are the entries of the state, and that each entry whose plain copy
    /// is text is among the texts.
    fn hold<'t>(
        &self,
        member: &str,
        texts: impl Iterator<Item = &'t TextEntry>,
        others: &[OtherEntry],
        findings: &mut Findings,
    ) {
        let mut differs = |what: String| findings.differs(member, what);
        let mut held = BTreeSet::new();
        for file in texts
            .map(TextEntry::in_state)
            .chain(others.iter().map(OtherEntry::in_state))
        {
            match self.state.get(&*file.path) {
                Some(known) if **known == file => {}
                Some(_) => differs(format!("{} differs from the repository state", file.path)),
                None => differs(format!("{} is not in the repository state", file.path)),
            }
            held.insert(file.path);
        }
        for path in self.state.keys().filter(|path| !held.contains(**path)) {
            differs(format!("{path} is in the repository state, but missing here"));
        }
        for entry in others
            .iter()
            .filter(|entry| matches!(entry.kind, Other::Binary | Other::BinaryExecutable))
        {
            if self.seen.copies.get(&entry.path) == Some(&true) {
                differs(format!("{} is text, but its text is missing here", entry.path));
            }
        }
    }
}

fn by_directory(parts: &[Read<'_>]) -> Vec<TextEntry> {
    let texts = parts.iter().flat_map(|(_, _, read)| read.document.texts.clone());
    texts.collect()
}

fn listed((text, seen): (&TextEntry, &SeenText)) -> IndexedText {
    IndexedText {
        path: text.path.clone(),
        size: text.shown,
        tokens: seen.tokens,
        conversion: text.encoding.map(|encoding| Conversion {
            encoding,
            size: text.size,
        }),
        part: text.part,
    }
}
