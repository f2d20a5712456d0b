//! `git pack restore`: restores the files of a commit from a list of their hashes, or from the one text that holds them
//! all.

mod canon;
mod full;
mod here;
mod listing;
mod sources;
mod split;
mod target;
mod write;

use std::path::PathBuf;

use crate::adapters::files;
use crate::format::digest::Digest;
use crate::format::dump::OtherEntry;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::OutputPlace;
use crate::ops::share::place::{self, ReachRequest};
use crate::ops::store::audit::content_ref;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use here::Here;
use listing::ContentListing;

/// What to restore, and the output.
#[derive(Clone, Debug, Default)]
pub struct RestoreRequest {
    /// A pack (a directory, an archive, or one at a place), or the ref of a manifest of contents; with
    /// [`TextSource::Full`], a pack or a file under `FULL/`.
    pub from: PathBuf,
    /// Whether to restore only texts, and from where.
    pub texts: Option<TextSource>,
    /// A new directory; not needed for a check.
    pub output: Option<PathBuf>,
    /// Whether to read and check everything, and write nothing.
    pub dry_run: bool,
    /// Identity files; with any, sealed entries are opened.
    pub identities: Vec<PathBuf>,
    /// A place that may have contents that neither the pack nor the clone has.
    pub place: Option<String>,
    /// How it is reached.
    pub reach: ReachRequest,
}

impl RestoreRequest {
    /// Returns how places are reached in this run.
    fn reach(&self) -> ReachRequest {
        self.reach.of_run(self.dry_run)
    }
}

/// The members that texts are restored from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextSource {
    /// The one under `FULL/`.
    Full,
    /// Those under `SPLIT/`.
    Split,
}

/// The outcome.
#[derive(Debug)]
pub struct RestoreReport {
    /// The pack's id; none for a manifest given by its ref, and for a single file.
    pub pack_id: Option<String>,
    /// SHA-256 of the pack's manifest, of the manifest of contents, or of the single file.
    pub input_hash: Digest,
    /// Size of that in bytes.
    pub input_bytes: u64,
    /// Number of files.
    pub files: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// The state digest of the files.
    pub digest: Digest,
    /// The commit that the source names.
    pub commit: String,
    /// The kind of source, with its facts.
    pub what: Restored,
    /// The absolute path of the output; none if nothing was written.
    pub output: Option<PathBuf>,
}

/// The source of restored files.
#[derive(Debug)]
pub enum Restored {
    /// The texts of a commit.
    Texts {
        /// The state digest of that commit, computed over the files and the missing entries.
        state: Digest,
        /// The entries of that state that are not texts, and so not restored.
        missing: Vec<OtherEntry>,
    },
    /// The entries of a manifest.
    Entries(RestoredEntries),
}

/// How the files relate to the entries of a manifest.
#[derive(Debug)]
pub struct RestoredEntries {
    /// The state digest that the pack names; a manifest alone names none.
    pub state: Option<Digest>,
    /// The state digest over the files that are not sealed.
    pub plain: Digest,
    /// Number of ciphertexts.
    pub ciphertexts: u64,
    /// Number of sealed files that were opened.
    pub opened: u64,
    /// The files that the commit has as age files, such as sealed twins. They stay as they are.
    pub twins: Vec<String>,
    /// Number of links, which are files that hold their target.
    pub links: u64,
    /// Number of submodules, which are files that hold their commit's id.
    pub submodules: u64,
    /// Whether it is known which files are executable, links or submodules.
    pub kinds_known: bool,
}

/// Where it is listed what to restore.
enum Listed {
    /// In a manifest of contents in the content store.
    InManifest(Digest),
    /// In a pack.
    InPack(GivenPack),
}

/// Restores files: all of them, or none.
pub fn restore(ctx: &Context, request: &RestoreRequest) -> Result<RestoreReport> {
    if request.output.is_none() && !request.dry_run {
        return Err(Refusal::Usage(Misuse::NoOutput));
    }
    let output = match &request.output {
        Some(output) => Some(OutputPlace::at(ctx, output)?),
        None => None,
    };
    let by_ref = manifest_ref(ctx, request)?;
    if let Some(texts) = request.texts {
        if by_ref.is_some() || !request.identities.is_empty() {
            return Err(Refusal::Usage(Misuse::OnlyTexts));
        }
        return match texts {
            TextSource::Full => full::restore(ctx, request, output.as_ref()),
            TextSource::Split => split::restore(ctx, request, output.as_ref()),
        };
    }
    if let Some(output) = &output
        && !request.identities.is_empty()
    {
        output.ensure_untracked(false)?;
    }
    // Unusable identities are refused before anything is read.
    let identities = match request.identities.is_empty() {
        true => None,
        false => Some(identity::load(ctx, &request.identities)?),
    };
    let here = || Here::of(ctx.repository()?, request.dry_run);
    let given = match by_ref {
        Some(hash) => Listed::InManifest(hash),
        None => Listed::InPack(GivenPack::reached(ctx, &request.from, &request.reach())?),
    };
    let (listing, here) = match &given {
        Listed::InManifest(hash) => {
            let here = here()?;
            (ContentListing::of_ref(&here, hash, identities.is_some())?, Some(here))
        }
        Listed::InPack(pack) => {
            if let (Some(output), Some(directory)) = (&output, pack.source().directory()) {
                output.ensure_outside(directory)?;
            }
            let listing = ContentListing::of_pack(ctx, pack, &request.from)?;
            // A pack that holds everything needs no repository, and is restored even where the repository is damaged.
            let here = match listing.is_whole() {
                true => None,
                false => match here() {
                    Err(Refusal::NotARepository { .. }) => None,
                    other => Some(other?),
                },
            };
            (listing, here)
        }
    };
    let place = match &request.place {
        Some(named) => Some(place::open(ctx, &place::parse(named)?.place, &request.reach())?),
        None => None,
    };
    let sources = (here.as_ref(), place.as_deref());
    write::restore(request, listing, sources, identities.as_ref(), output.as_ref())
}

/// Returns the ref to restore; none if the request names a path.
fn manifest_ref(ctx: &Context, request: &RestoreRequest) -> Result<Option<Digest>> {
    let Some(text) = request.from.to_str() else {
        return Ok(None);
    };
    if text.starts_with("sha256:") {
        return content_ref(text).map(Some);
    }
    let is_hash = |text: &str| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let like = text.split_once(':').map_or(text, |(_, hash)| hash);
    match is_hash(like) && !files::exists(&ctx.cwd.join(text)) {
        true => content_ref(text).map(Some),
        false => Ok(None),
    }
}
