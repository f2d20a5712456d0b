//! Merges sealed twins for git: opens both sides and their common ancestor in memory, merges the texts, and seals again.

use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::adapters::cipher::{self, Identities};
use crate::adapters::files::{self, OpenedFile};
use crate::adapters::git::Repository;
use crate::adapters::git::merge_text::{MergedText, ThreeTexts};
use crate::ops::contents::blob_of_file;
use crate::ops::guard::twins::agreed::{Agreed, OtherNames, SideAt, agreed};
use crate::ops::guard::twins::opened::{MAX_TEXT, OpenedTwin, TwinContent, WhySealed, head_of, is_sealed, open_twin};
use crate::ops::keys::identity;
use crate::ops::{Context, Silence};
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{MergeSide, ThreeWay, three_way};

/// The file mode of what git reads back. Its other files for a merge have the same.
const MODE: u32 = 0o600;

/// The files that git made of the blobs.
#[derive(Clone, Debug)]
pub struct MergeRequest {
    /// The common ancestor; empty if there is none.
    pub base: PathBuf,
    /// Our side, which the result replaces.
    pub ours: PathBuf,
    /// Their side.
    pub theirs: PathBuf,
    /// The length of conflict markers.
    pub marker: u32,
    /// The path in the repository.
    pub path: String,
    /// git's labels of our side and of theirs, which older versions of git do not tell.
    pub labels: [Option<String>; 2],
    /// The text that replaces our side of a twin that is left. It is not an age file, so that a commit of it is not taken for
    /// a decision for our side.
    pub placeholder: &'static str,
}

/// What became of a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MergeOutcome {
    /// The file of our side has the result.
    Merged,
    /// The file of our side has the result, which was sealed for these recipients.
    Sealed {
        /// The recipients.
        recipients: Vec<String>,
        /// Whether both sides are known to name the same ones.
        compared: bool,
    },
    /// The files are not sealed. The file of our side has the result, with conflict markers.
    Marked,
    /// The file of our side has the placeholder if one of the files is sealed, and is as it was otherwise.
    Left(WhyLeft),
}

/// Why a merge is left to a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WhyLeft {
    /// Both sides changed the same lines.
    Overlap,
    /// They are not texts, or too long.
    NotText,
    /// A side is sealed for other recipients than the other one.
    OtherRecipients,
    /// A side names other recipients in its configuration than the work tree.
    OtherNames(OtherNames),
    /// The configuration names no recipients.
    NoRecipients,
    /// Only some of the files are sealed.
    SealedInPart,
    /// A file is not opened.
    Sealed(WhySealed),
}

/// A file that git made of a blob.
struct Side {
    opened: OpenedFile,
    path: PathBuf,
    head: Vec<u8>,
}

impl Side {
    fn of(ctx: &Context, path: &Path) -> Result<Self> {
        let path = ctx.cwd.join(path);
        let opened = files::open_regular(&path)?;
        let head = head_of(&opened.file).map_err(Refusal::io("reading", &path))?;
        Ok(Self { opened, path, head })
    }

    fn reader(&self) -> Result<impl Read + use<'_>> {
        let mut file = &self.opened.file;
        file.rewind().map_err(Refusal::io("reading", &self.path))?;
        Ok(file)
    }

    fn open(&self, identities: &Identities) -> Result<Result<OpenedTwin, WhyLeft>> {
        let twin = open_twin(&identities.unattended(), self.reader()?);
        Ok(twin.map_err(|e| WhyLeft::Sealed(WhySealed::of(&e, identities))))
    }

    /// Returns the bytes of a file that is not sealed. `None` if they are not a text.
    fn text(&self) -> Result<Option<Vec<u8>>> {
        let bytes = match self.opened.size > MAX_TEXT as u64 {
            true => return Ok(None),
            false => files::read(&self.path, MAX_TEXT as u64)?,
        };
        Ok((!bytes.contains(&0)).then_some(bytes))
    }
}

/// Merges. Asks nothing, since git may run this without a person: what needs a passphrase is left.
///
/// The result, or the placeholder, replaces our side in one step. Until then, and if this refuses, our side is as it was.
pub fn merge_files(ctx: &Context, request: &MergeRequest) -> Result<MergeOutcome> {
    let ctx = &Context {
        ask: Silence::asker(),
        ..ctx.clone()
    };
    let repo = ctx.repository()?;
    let base = Side::of(ctx, &request.base)?;
    let (ours, theirs) = (Side::of(ctx, &request.ours)?, Side::of(ctx, &request.theirs)?);
    let base = (base.opened.size > 0).then_some(base);
    let all = [Some(&ours), Some(&theirs), base.as_ref()];
    let sealed: Vec<bool> = all.into_iter().flatten().map(|side| is_sealed(&side.head)).collect();
    match (sealed.iter().any(|sealed| *sealed), sealed.iter().all(|sealed| *sealed)) {
        // A repository may name this driver for any file. The others are merged as git does.
        (false, _) => merge_plain(&repo, request, base.as_ref(), &ours, &theirs),
        (true, false) => leave(request, &ours, WhyLeft::SealedInPart),
        (true, true) => match merge_sealed(ctx, &repo, base.as_ref(), &ours, &theirs)? {
            Ok(Joined::Side(side)) => keep(ctx, &repo, request, side, [&ours, &theirs]),
            Ok(Joined::Text(text)) => seal(ctx, &repo, request, &text, [&ours, &theirs]),
            Err(why) => leave(request, &ours, why),
        },
    }
}

fn leave(request: &MergeRequest, ours: &Side, why: WhyLeft) -> Result<MergeOutcome> {
    replace(ours, |file| file.write_all(request.placeholder.as_bytes()))?;
    Ok(MergeOutcome::Left(why))
}

fn merge_plain(
    repo: &Repository,
    request: &MergeRequest,
    base: Option<&Side>,
    ours: &Side,
    theirs: &Side,
) -> Result<MergeOutcome> {
    let base = base.map_or(Ok(Some(Vec::new())), Side::text)?;
    let (Some(base), Some(our_text), Some(their_text)) = (base, ours.text()?, theirs.text()?) else {
        return Ok(MergeOutcome::Left(WhyLeft::NotText));
    };
    let texts = ThreeTexts {
        base: &base,
        ours: &our_text,
        theirs: &their_text,
    };
    let merged = repo.merge_texts(texts, request.marker)?;
    replace(ours, |file| file.write_all(&merged.text))?;
    Ok(match merged.conflicts {
        0 => MergeOutcome::Merged,
        _ => MergeOutcome::Marked,
    })
}

/// What twins are merged to.
enum Joined {
    /// The side that has the result.
    Side(MergeSide),
    /// A text that must be sealed.
    Text(Zeroizing<Vec<u8>>),
}

/// Merges twins. The inner error says why they are left to a person, and our side is as it was.
fn merge_sealed(
    ctx: &Context,
    repo: &Repository,
    base: Option<&Side>,
    ours: &Side,
    theirs: &Side,
) -> Result<Result<Joined, WhyLeft>> {
    let identities = identity::load_if_any(ctx, &[])?;
    let (our_twin, their_twin) = match (ours.open(&identities)?, theirs.open(&identities)?) {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(why), _) | (_, Err(why)) => return Ok(Err(why)),
    };
    // A side that was sealed for others has a change of the recipients, which may not be on the disk yet.
    if cipher::kinds(&ours.head).ok() != cipher::kinds(&theirs.head).ok() {
        return Ok(Err(WhyLeft::OtherRecipients));
    }
    let side = |side| Ok(Ok(Joined::Side(side)));
    if our_twin.hash == their_twin.hash {
        return side(MergeSide::Ours);
    }
    let base = match base.map(|base| base.open(&identities)).transpose()? {
        None => None,
        Some(Ok(base)) => Some(base),
        Some(Err(why)) => return Ok(Err(why)),
    };
    match three_way(base.as_ref().map(|base| &base.hash), &our_twin.hash, &their_twin.hash) {
        ThreeWay::Ours => return side(MergeSide::Ours),
        ThreeWay::Theirs => return side(MergeSide::Theirs),
        ThreeWay::Texts => {}
    }
    let text = match merged_text(repo, base.as_ref(), &our_twin, &their_twin)? {
        Ok(MergedText { text, conflicts: 0 }) => text,
        Ok(_) => return Ok(Err(WhyLeft::Overlap)),
        Err(why) => return Ok(Err(why)),
    };
    let equals = |twin: &OpenedTwin| matches!(&twin.content, TwinContent::Text(other) if *other == text);
    if equals(&our_twin) {
        return side(MergeSide::Ours);
    }
    if equals(&their_twin) {
        return side(MergeSide::Theirs);
    }
    Ok(Ok(Joined::Text(text)))
}

/// Merges the texts of twins.
pub(super) fn merged_text(
    repo: &Repository,
    base: Option<&OpenedTwin>,
    ours: &OpenedTwin,
    theirs: &OpenedTwin,
) -> Result<Result<MergedText, WhyLeft>> {
    const NO_BASE: &[u8] = b"";
    /// The length of git's own markers.
    const MARKER: u32 = 7;
    let text = |twin: &'_ OpenedTwin| match &twin.content {
        TwinContent::Text(text) => Some(text.clone()),
        TwinContent::Binary | TwinContent::TooLong => None,
    };
    let base = base.map_or(Some(Zeroizing::new(NO_BASE.to_vec())), text);
    let (Some(base), Some(ours), Some(theirs)) = (base, text(ours), text(theirs)) else {
        return Ok(Err(WhyLeft::NotText));
    };
    let texts = ThreeTexts {
        base: &base,
        ours: &ours,
        theirs: &theirs,
    };
    repo.merge_texts(texts, MARKER).map(Ok)
}

/// Keeps a side as it was sealed, unless the sides name different recipients: then it may lack one of them, or be for one who
/// has left.
fn keep(
    ctx: &Context,
    repo: &Repository,
    request: &MergeRequest,
    side: MergeSide,
    [ours, theirs]: [&Side; 2],
) -> Result<MergeOutcome> {
    if let Agreed::Differ(names) = agreed_on(ctx, repo, request, [ours, theirs])? {
        return leave(request, ours, WhyLeft::OtherNames(names));
    }
    if side == MergeSide::Theirs {
        let mut reader = theirs.reader()?;
        replace(ours, |file| std::io::copy(&mut reader, file).map(drop))?;
    }
    Ok(MergeOutcome::Merged)
}

/// Compares the recipients of the sides.
fn agreed_on(ctx: &Context, repo: &Repository, request: &MergeRequest, [ours, theirs]: [&Side; 2]) -> Result<Agreed> {
    let [our_label, their_label] = &request.labels;
    let at = |side, label: &'_ Option<String>, file: &Side| -> Result<_> {
        Ok((side, label.clone(), blob_of_file(&file.path, &repo.zero_id())?))
    };
    let sides = [
        at(MergeSide::Ours, our_label, ours)?,
        at(MergeSide::Theirs, their_label, theirs)?,
    ];
    let sides = sides.each_ref().map(|(side, label, blob)| SideAt {
        side: *side,
        label: label.as_deref(),
        blob: *blob,
    });
    agreed(ctx, repo, &request.path, &sides)
}

/// Seals a merged text, unless the sides name different recipients.
fn seal(
    ctx: &Context,
    repo: &Repository,
    request: &MergeRequest,
    text: &[u8],
    [ours, theirs]: [&Side; 2],
) -> Result<MergeOutcome> {
    let (recipients, compared) = match agreed_on(ctx, repo, request, [ours, theirs])? {
        Agreed::For { recipients, compared } => (recipients, compared),
        Agreed::Differ(names) => return leave(request, ours, WhyLeft::OtherNames(names)),
        Agreed::Unnamed => return leave(request, ours, WhyLeft::NoRecipients),
    };
    let mut sealed = Vec::new();
    cipher::encrypt(&recipients, &mut &text[..], &mut sealed).map_err(|e| e.refusal(&ours.path, &ours.path))?;
    replace(ours, |file| file.write_all(&sealed))?;
    Ok(MergeOutcome::Sealed {
        recipients: recipients.names().to_vec(),
        compared,
    })
}

/// Replaces our side in one step.
fn replace(ours: &Side, write: impl FnOnce(&mut files::UnnamedFile) -> std::io::Result<()>) -> Result<()> {
    let mut file = files::unnamed_beside(&ours.path, MODE)?;
    write(&mut file).map_err(Refusal::io("writing", &ours.path))?;
    files::place_unnamed(file, &ours.path, MODE)
}
