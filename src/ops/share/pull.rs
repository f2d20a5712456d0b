//! `git pack pull`: fetches a pack from a place.

use std::collections::BTreeMap;
use std::io::{self, BufWriter, Read};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::adapters::archive::ArchivedPack;
use crate::adapters::pack_dir::WrittenMembers;
use crate::adapters::place::{Progress, Told};
use crate::adapters::published::{self, PublishedPack};
use crate::adapters::received::Received;
use crate::adapters::staging::{Access, Publish, Staging};
use crate::format::attachment::Attached;
use crate::format::destination::{Address, PlaceAddress, Which};
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{Declared, ManifestDocument};
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::ops::Context;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::{verify_partial, verify_source};
use crate::ops::share::attached::left_out;
use crate::ops::share::place::{self, ReachRequest, identify};
use crate::refusal::pack::PackFault;
use crate::refusal::transport::{DestinationFault, TransportFault};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::globs::{BadGlob, Case, Globs};

/// Size of the buffer between a connection and a file, in bytes.
const BUFFER: usize = 128 << 10;

/// What to fetch, and where to.
#[derive(Clone, Debug, Default)]
pub struct PullRequest {
    /// The id of a pack, the address of one, or the path of an archive.
    pub source: String,
    /// The place instead of the configured one.
    pub from: Option<String>,
    /// The new directory.
    pub output: PathBuf,
    /// Globs of the members to fetch. If there are none, all.
    pub only: Vec<String>,
    /// How the place is reached.
    pub reach: ReachRequest,
    /// Whether to fetch no member.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct PullReport {
    /// The pack's id.
    pub pack_id: Digest,
    /// The place, without secrets.
    pub place: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Number of members that the output has.
    pub members: usize,
    /// Number of members of the pack.
    pub all_members: usize,
    /// Size in bytes of what was fetched, or would be.
    pub bytes: u64,
    /// Number of members that an interrupted call had fetched already.
    pub kept: usize,
    /// Number of signatures and attestations that came along.
    pub attached: usize,
    /// What the place has beside the pack and is not fetched, each with the reason.
    pub left_out: Vec<String>,
    /// The absolute path of the output.
    pub output: PathBuf,
}

/// Fetches a pack into a new directory: all of it and verified, or nothing.
pub fn pull(ctx: &Context, request: &PullRequest, told: &dyn Progress) -> Result<PullReport> {
    let only = Only::of(&request.only)?;
    let output = OutputPlace::at(ctx, &request.output)?.path;
    let found = find(ctx, request)?;
    let (pack, which) = (found.pack, found.which);
    let manifest = published::manifest(&*pack)?;
    let pack_id = identify(&manifest, &*pack, which.as_ref())?;
    let wanted = wanted(&manifest, &*pack, &only)?;
    if let Some(index) = only.without_match(wanted.iter().map(|wanted| wanted.path.as_str())) {
        let glob = request.only[index].clone();
        return Err(Refusal::Usage(Misuse::OnlyNothing { glob }));
    }
    let reported = |attached: &Attached, kept: usize, bytes: u64| PullReport {
        pack_id,
        place: found.place.clone(),
        manifest_hash: manifest.file_hash,
        manifest_bytes: manifest.file_bytes,
        members: wanted.len(),
        all_members: manifest.members.len(),
        bytes,
        kept,
        attached: attached.files.len(),
        left_out: left_out(attached),
        output: output.clone(),
    };
    if request.dry_run {
        let sizes = wanted.iter().filter_map(|wanted| pack.size(wanted.path.as_str()));
        return Ok(reported(&pack.attached()?, 0, sizes.sum()));
    }
    // The interrupted call may have wanted other members.
    let keep = |path: &[u8]| {
        wanted
            .binary_search_by(|wanted| wanted.path.as_str().as_bytes().cmp(path))
            .is_ok()
    };
    let staging = Staging::resuming(&output, Access::Shared, &pack_id.to_string(), keep)?;
    staging.stream(MANIFEST, |out| out.write_all(pack.manifest()))?;
    let fetching = Fetching {
        pack: &*pack,
        staging: &staging,
        told,
        is_archive: found.is_archive,
        bytes: AtomicU64::new(0),
        written: WrittenMembers::default(),
    };
    let (kept, missing): (Vec<_>, Vec<_>) = wanted.iter().partition(|wanted| fetching.has(wanted));
    let bytes = missing
        .iter()
        .filter_map(|wanted| pack.size(wanted.path.as_str()))
        .sum();
    told.begin("fetching", bytes);
    fetching.fetch(&missing)?;
    told.end();
    let bytes = fetching.bytes.load(Ordering::Relaxed);
    let source = Source::Fetched(staging.root(), &fetching.written);
    let verdict = match only.is_all() {
        true => verify_source(&source)?,
        false => verify_partial(&source)?,
    };
    ensure_sound(&verdict, pack.name().as_ref())?;
    let attached = pack.attached()?;
    // A pack that is there is complete, so what is attached to it comes first.
    let received = Received::write(&output, &pack_id, &attached.files)?;
    staging.publish(&output, Publish::New)?;
    received.keep();
    Ok(reported(&attached, kept.len(), bytes))
}

/// A pack that was found.
struct Found {
    pack: Box<dyn PublishedPack>,
    /// Where it is, without secrets.
    place: String,
    /// Which one was asked for.
    which: Option<Which>,
    is_archive: bool,
}

/// Finds the pack that the arguments name.
fn find(ctx: &Context, request: &PullRequest) -> Result<Found> {
    if let Some(archive) = archive(ctx, request)? {
        return Ok(Found {
            place: archive.name().to_owned(),
            pack: Box::new(archive),
            which: None,
            is_archive: true,
        });
    }
    let address = address(ctx, request)?;
    let place = place::open(ctx, &address.place, &request.reach.of_run(request.dry_run))?;
    Ok(Found {
        pack: place::find(&*place, address.which.as_ref())?,
        place: place.shown(),
        which: address.which,
        is_archive: false,
    })
}

/// Opens the archive that the arguments name, if they name one: a path with a slash or the usual ending.
fn archive(ctx: &Context, request: &PullRequest) -> Result<Option<ArchivedPack>> {
    let text = &request.source;
    if PlaceAddress::is_address(text) || !(text.contains('/') || text.ends_with(".tar.zst")) {
        return Ok(None);
    }
    let archive = ArchivedPack::at(&ctx.cwd.join(text))?;
    match (&archive, &request.from) {
        (Some(_), Some(_)) => Err(two_places(request)),
        _ => Ok(archive),
    }
}

fn two_places(request: &PullRequest) -> Refusal {
    Refusal::BadDestination {
        text: request.source.clone(),
        fault: DestinationFault::TwoPlaces,
    }
}

/// Returns what the arguments name: an address, or a pack id at the configured place.
fn address(ctx: &Context, request: &PullRequest) -> Result<Address> {
    if PlaceAddress::is_address(&request.source) {
        return match &request.from {
            None => place::parse(&request.source),
            Some(_) => Err(two_places(request)),
        };
    }
    let id = Digest::parse_ref(&request.source).ok_or_else(|| Refusal::BadDestination {
        text: request.source.clone(),
        fault: DestinationFault::NotAnId,
    })?;
    let place = place::named_or_default(ctx, request.from.as_deref())?.place;
    Ok(Address {
        place,
        which: Some(Which::Id(id)),
    })
}

/// A member to fetch.
struct Wanted {
    path: MemberPath,
    hash: Digest,
}

/// Returns the members to fetch, in the order of their paths. Refuses a manifest whose paths or hashes cannot be used, and a holder that does not
/// list exactly what the manifest declares.
fn wanted(manifest: &ManifestDocument, pack: &dyn PublishedPack, only: &Only) -> Result<Vec<Wanted>> {
    let bad = |fault| Refusal::BadPack {
        path: pack.name().into(),
        fault,
    };
    let mut wanted = BTreeMap::new();
    for member in manifest.members.iter() {
        let Declared { path, bytes_hash, .. } = member;
        let invalid = |said: String| {
            bad(PackFault::Invalid {
                document: MANIFEST,
                said,
            })
        };
        let parsed = MemberPath::parse(path).map_err(|fault| invalid(format!("{path:?}: {fault}")))?;
        if parsed.is_reserved() {
            return Err(invalid(format!("{path:?} is reserved")));
        }
        let hash = bytes_hash
            .digest()
            .ok_or_else(|| invalid(format!("not a hash: {bytes_hash}")))?;
        if !pack.listed().contains_key(path) {
            return Err(bad(PackFault::NotListed { path: path.to_owned() }));
        }
        if wanted.insert(path, Wanted { path: parsed, hash }).is_some() {
            return Err(invalid(format!("{path:?} is declared twice")));
        }
    }
    let is_below = |path: &str| {
        let mut above = path.match_indices('/').map(|(at, _)| &path[..at]);
        above.any(|above| wanted.contains_key(above))
    };
    if let Some(path) = wanted.keys().find(|path| is_below(path)) {
        return Err(bad(PackFault::Invalid {
            document: MANIFEST,
            said: format!("{path:?} is below a file"),
        }));
    }
    if let Some(extra) = pack.listed().keys().find(|path| !wanted.contains_key(path.as_str())) {
        return Err(bad(PackFault::Extra { path: extra.clone() }));
    }
    Ok(wanted
        .into_values()
        .filter(|wanted| only.has(wanted.path.as_str()))
        .collect())
}

/// Selects members by globs. Without globs, it selects all.
struct Only(Vec<Globs>);

impl Only {
    fn of(globs: &[String]) -> Result<Self> {
        let bad = |bad: BadGlob| Refusal::Usage(Misuse::OnlyBadGlob { problem: bad.reason });
        let parsed = globs
            .iter()
            .map(|glob| Globs::new([glob.as_str()], Case::Sensitive).map_err(bad));
        Ok(Self(parsed.collect::<Result<_>>()?))
    }

    fn is_all(&self) -> bool {
        self.0.is_empty()
    }

    fn has(&self, path: &str) -> bool {
        self.is_all() || self.0.iter().any(|glob| glob.matches(path.as_bytes()))
    }

    /// Returns the index of the first glob that matches no path.
    fn without_match<'a>(&self, paths: impl Iterator<Item = &'a str> + Clone) -> Option<usize> {
        let matches = |glob: &Globs| paths.clone().any(|path| glob.matches(path.as_bytes()));
        self.0.iter().position(|glob| !matches(glob))
    }
}

/// Fetches members into staging.
struct Fetching<'a> {
    pack: &'a dyn PublishedPack,
    staging: &'a Staging,
    told: &'a dyn Progress,
    /// Whether the pack is in an archive. Verifying it then finds a wrong content, and says so as for a directory.
    is_archive: bool,
    /// How much has been written.
    bytes: AtomicU64,
    /// What was written.
    written: WrittenMembers,
}

impl Fetching<'_> {
    /// Returns whether an interrupted call has fetched this member whole. What it fetched in part is fetched again.
    fn has(&self, wanted: &Wanted) -> bool {
        let Ok(mut file) = self.staging.open(&wanted.path) else {
            return false;
        };
        let mut hashing = Hashing::new(io::sink());
        let read = io::copy(&mut file, &mut hashing);
        read.is_ok() && hashing.finish().1 == wanted.hash
    }

    fn fetch(&self, missing: &[&Wanted]) -> Result<()> {
        let paths: Vec<&str> = missing.iter().map(|wanted| wanted.path.as_str()).collect();
        let left: BTreeMap<&str, &Wanted> = missing.iter().map(|wanted| (wanted.path.as_str(), *wanted)).collect();
        let (left, first) = (Mutex::new(left), Mutex::new(None));
        let failed = self.pack.each_member(&paths, &|path, content, size| {
            let wanted = left.lock().unwrap_or_else(PoisonError::into_inner).remove(path);
            let Some(wanted) = wanted else { return Ok(()) };
            self.write(wanted, content, size).map_err(|refused| {
                let error = io::Error::other(refused.to_string());
                first
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .get_or_insert(refused);
                error
            })
        })?;
        if let Some(refused) = first.into_inner().unwrap_or_else(PoisonError::into_inner) {
            return Err(refused);
        }
        let refused = |fault| Refusal::Transport {
            place: self.pack.name().to_owned(),
            fault,
        };
        if let Some((path, why)) = failed.into_iter().next() {
            let said = format!("{path}: {why}");
            return Err(refused(TransportFault::Connection { said }));
        }
        let left = left.into_inner().unwrap_or_else(PoisonError::into_inner);
        match left.into_keys().next() {
            Some(path) => Err(refused(TransportFault::NotFound { what: path.to_owned() })),
            None => Ok(()),
        }
    }

    fn write(&self, wanted: &Wanted, content: &mut dyn Read, size: u64) -> Result<()> {
        let path = wanted.path.as_str();
        let out = Hashing::new(self.staging.create_anew(&wanted.path)?);
        let capacity = usize::try_from(size).unwrap_or(usize::MAX).clamp(1, BUFFER);
        let mut out = BufWriter::with_capacity(capacity, out);
        let mut content = Told {
            content: content.take(size),
            told: self.told,
        };
        let copied = io::copy(&mut content, &mut out).map_err(Refusal::io("fetching", path.as_ref()))?;
        let written = || {
            let (file, hash, _) = out.into_inner().map_err(io::IntoInnerError::into_error)?.finish();
            self.written.note(path, &file, hash).map(|()| hash)
        };
        let hash = written().map_err(Refusal::io("writing", path.as_ref()))?;
        self.bytes.fetch_add(copied, Ordering::Relaxed);
        match self.is_archive || (hash == wanted.hash && copied == size) {
            true => Ok(()),
            false => Err(Refusal::Transport {
                place: self.pack.name().to_owned(),
                fault: TransportFault::WrongContent {
                    wanted: format!("{path} ({})", wanted.hash),
                },
            }),
        }
    }
}
