//! What a migration does with a plaintext of an agent and the encrypted file beside it.

use zeroize::Zeroizing;

use crate::format::agent::SNAPSHOT;
use crate::refusal::private_file::LeftReason;

/// The plaintext of a pair.
#[derive(Debug)]
pub enum PlainSide {
    /// It does not exist.
    Absent,
    /// It is a file that holds this JSON.
    Json(Zeroizing<Vec<u8>>),
    /// It cannot be migrated.
    Unfit(LeftReason),
}

/// The encrypted file of a pair.
#[derive(Debug)]
pub enum SealedSide {
    /// It does not exist.
    Absent,
    /// It has version 2.
    Old {
        /// The snapshot in its header.
        snapshot: [u8; SNAPSHOT],
        /// The different JSON that the possible keystreams give.
        contents: Vec<Zeroizing<Vec<u8>>>,
        /// Whether only the keystreams of given keys count as possible.
        by_key: bool,
    },
    /// It has version 3.
    New(Comparison),
    /// It cannot be migrated.
    Unfit(LeftReason),
}

/// How an encrypted file of version 3 compares with a plaintext.
#[derive(Debug)]
pub enum Comparison {
    /// There is no plaintext to compare it with.
    Unneeded,
    /// It holds the same.
    Same,
    /// It holds something else.
    Different,
    /// It was not opened.
    NotOpened {
        /// Why not.
        said: String,
    },
}

/// What to encrypt.
#[derive(Debug)]
pub struct Encryption {
    /// The JSON.
    pub content: Zeroizing<Vec<u8>>,
    /// The snapshot of the new header.
    pub snapshot: [u8; SNAPSHOT],
    /// Whether it replaces a file of version 2.
    pub replaces: bool,
}

/// What to do with a pair. The default is nothing.
#[derive(Debug, Default)]
pub struct PairVerdict {
    /// What to encrypt, if anything.
    pub encrypt: Option<Encryption>,
    /// Whether the plaintext is removed afterwards.
    pub removes_plain: bool,
    /// Why the encrypted file is left.
    pub sealed_left: Option<LeftReason>,
    /// Why the plaintext is left.
    pub plain_left: Option<LeftReason>,
}

impl PairVerdict {
    fn left(plain: Option<LeftReason>, sealed: Option<LeftReason>) -> Self {
        Self {
            plain_left: plain,
            sealed_left: sealed,
            ..Self::default()
        }
    }

    /// Returns the verdict if nothing can be changed in the directory.
    pub fn but_unwritable(self, why: &LeftReason) -> Self {
        let replaces = self.encrypt.as_ref().is_some_and(|encrypt| encrypt.replaces);
        Self {
            sealed_left: self.sealed_left.or_else(|| replaces.then(|| why.clone())),
            plain_left: self.plain_left.or_else(|| self.removes_plain.then(|| why.clone())),
            ..Self::default()
        }
    }
}

/// Decides about a pair. No content is given up: a plaintext is removed only if the encrypted file holds the same.
pub fn judge_pair(plain: PlainSide, sealed: SealedSide) -> PairVerdict {
    match (plain, sealed) {
        (PlainSide::Absent, SealedSide::Absent | SealedSide::New(_)) => PairVerdict::default(),
        (PlainSide::Absent, SealedSide::Unfit(why)) => PairVerdict::left(None, Some(why)),
        (
            PlainSide::Absent,
            SealedSide::Old {
                snapshot,
                mut contents,
                by_key,
            },
        ) => match (contents.pop(), contents.len()) {
            (Some(content), 0) => PairVerdict {
                encrypt: Some(Encryption {
                    content,
                    snapshot,
                    replaces: true,
                }),
                ..PairVerdict::default()
            },
            (content, others) => PairVerdict::left(None, Some(undecided(content.is_some(), others, by_key))),
        },
        (PlainSide::Json(content), SealedSide::Absent) => PairVerdict {
            encrypt: Some(Encryption {
                content,
                snapshot: [0; SNAPSHOT],
                replaces: false,
            }),
            removes_plain: true,
            ..PairVerdict::default()
        },
        (PlainSide::Json(_), SealedSide::New(compared)) => match compared {
            Comparison::Same => PairVerdict {
                removes_plain: true,
                ..PairVerdict::default()
            },
            Comparison::Different => PairVerdict::left(Some(LeftReason::Differs), None),
            Comparison::NotOpened { said } => PairVerdict::left(Some(LeftReason::NotCompared { said }), None),
            Comparison::Unneeded => {
                let said = "it was not opened".to_owned();
                PairVerdict::left(Some(LeftReason::NotCompared { said }), None)
            }
        },
        (PlainSide::Json(content), SealedSide::Old { snapshot, contents, .. }) if contents.contains(&content) => {
            PairVerdict {
                encrypt: Some(Encryption {
                    content,
                    snapshot,
                    replaces: true,
                }),
                removes_plain: true,
                ..PairVerdict::default()
            }
        }
        (PlainSide::Json(_), SealedSide::Old { .. }) => {
            PairVerdict::left(Some(LeftReason::Differs), Some(LeftReason::PlaintextLeft))
        }
        (PlainSide::Json(_), SealedSide::Unfit(why)) => PairVerdict::left(Some(LeftReason::Beside), Some(why)),
        (PlainSide::Unfit(why), SealedSide::Absent | SealedSide::New(_)) => PairVerdict::left(Some(why), None),
        (PlainSide::Unfit(why), SealedSide::Old { .. }) => {
            PairVerdict::left(Some(why), Some(LeftReason::PlaintextLeft))
        }
        (PlainSide::Unfit(why), SealedSide::Unfit(other)) => PairVerdict::left(Some(why), Some(other)),
    }
}

/// Returns why a file of version 2 cannot be decoded, which gives no JSON or several.
fn undecided(gives_any: bool, others: usize, by_key: bool) -> LeftReason {
    match (gives_any, by_key) {
        (true, _) => LeftReason::Ambiguous { ways: others + 1 },
        (false, true) => LeftReason::KeyDoesNotFit,
        (false, false) => LeftReason::NoStream,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINK: LeftReason = LeftReason::NotRegular("a symbolic link");

    fn json(text: &str) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(text.as_bytes().to_vec())
    }

    fn old(contents: &[&str], by_key: bool) -> SealedSide {
        SealedSide::Old {
            snapshot: [7; SNAPSHOT],
            contents: contents.iter().map(|text| json(text)).collect(),
            by_key,
        }
    }

    /// Says a verdict in a few words: what is encrypted, `-` if the plaintext goes, and why files are left.
    fn words(verdict: &PairVerdict) -> String {
        let mut words = Vec::new();
        if let Some(encrypt) = &verdict.encrypt {
            let content = String::from_utf8_lossy(&encrypt.content);
            words.push(format!("{content} {} {}", encrypt.snapshot[0], encrypt.replaces));
        }
        words.extend(verdict.removes_plain.then(|| "-".to_owned()));
        words.extend(verdict.sealed_left.iter().map(|why| format!("enc: {why:?}")));
        words.extend(verdict.plain_left.iter().map(|why| format!("plain: {why:?}")));
        words.join(", ")
    }

    #[test]
    fn every_pair_has_its_verdict() {
        let plain = |at: usize| match at {
            0 => PlainSide::Absent,
            1 => PlainSide::Json(json("1")),
            _ => PlainSide::Unfit(LINK),
        };
        let link = "NotRegular(\"a symbolic link\")";
        let invalid = || SealedSide::Unfit(LeftReason::NoStream);
        let closed = || Comparison::NotOpened { said: "no".into() };
        let (beside, closed_said) = ("plain: Beside", "plain: NotCompared { said: \"no\" }");
        let (differs, left) = ("enc: PlaintextLeft, plain: Differs", "enc: PlaintextLeft, plain: ");
        let cases: &[(&dyn Fn() -> SealedSide, [&str; 3])] = &[
            (&|| SealedSide::Absent, ["", "1 0 false, -", &format!("plain: {link}")]),
            (
                &|| SealedSide::New(Comparison::Same),
                ["", "-", &format!("plain: {link}")],
            ),
            (
                &|| SealedSide::New(Comparison::Different),
                ["", "plain: Differs", &format!("plain: {link}")],
            ),
            (
                &|| SealedSide::New(closed()),
                ["", closed_said, &format!("plain: {link}")],
            ),
            (
                &|| old(&["1"], false),
                ["1 7 true", "1 7 true, -", &format!("{left}{link}")],
            ),
            (&|| old(&["2"], false), ["2 7 true", differs, &format!("{left}{link}")]),
            (
                &|| old(&["2", "1"], false),
                ["enc: Ambiguous { ways: 2 }", "1 7 true, -", &format!("{left}{link}")],
            ),
            (
                &|| old(&["2", "3"], true),
                ["enc: Ambiguous { ways: 2 }", differs, &format!("{left}{link}")],
            ),
            (
                &|| old(&[], false),
                ["enc: NoStream", differs, &format!("{left}{link}")],
            ),
            (
                &|| old(&[], true),
                ["enc: KeyDoesNotFit", differs, &format!("{left}{link}")],
            ),
            (
                &invalid,
                [
                    "enc: NoStream",
                    &format!("enc: NoStream, {beside}"),
                    &format!("enc: NoStream, plain: {link}"),
                ],
            ),
        ];
        for (number, (sealed, expected)) in cases.iter().enumerate() {
            for (at, expected) in expected.iter().enumerate() {
                assert_eq!(
                    words(&judge_pair(plain(at), sealed())),
                    *expected,
                    "case {number}, plaintext {at}"
                );
            }
        }
    }

    #[test]
    fn in_a_directory_that_cannot_be_written_both_files_are_left() {
        let why = LeftReason::Said("no".into());
        let judge = |plain, sealed| words(&judge_pair(plain, sealed).but_unwritable(&why));
        let one = || PlainSide::Json(json("1"));
        assert_eq!(judge(PlainSide::Absent, SealedSide::New(Comparison::Unneeded)), "");
        assert_eq!(judge(one(), SealedSide::Absent), "plain: Said(\"no\")");
        assert_eq!(judge(PlainSide::Absent, old(&["1"], false)), "enc: Said(\"no\")");
        assert_eq!(
            judge(one(), old(&["1"], false)),
            "enc: Said(\"no\"), plain: Said(\"no\")"
        );
        assert_eq!(judge(one(), SealedSide::New(Comparison::Same)), "plain: Said(\"no\")");
        assert_eq!(
            judge(PlainSide::Unfit(LINK), SealedSide::Absent),
            "plain: NotRegular(\"a symbolic link\")"
        );
    }
}
