//! `git pack open`: opens the protected part of a pack, for the holders of a key.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::adapters::cipher::Identities;
use crate::adapters::staging::{Access, Publish, Staging};
use crate::adapters::workers;
use crate::format::digest::Digest;
use crate::ops::Context;
use crate::ops::keys::identity;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::sealed_pack::SealedPack;
use crate::ops::pack::source::Source;
use crate::ops::pack::unseal::{NamedSeal, Unopened, unseal};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// What to open, and the output.
#[derive(Clone, Debug, Default)]
pub struct OpenRequest {
    /// The pack: a directory, an archive, or a pack at a place.
    pub pack: PathBuf,
    /// Artifacts, or directories of artifacts; if empty, all.
    pub paths: Vec<String>,
    /// The output directory instead of the default one.
    pub output: Option<PathBuf>,
    /// Identity files instead of the one in force.
    pub identities: Vec<PathBuf>,
}

/// The outcome.
#[derive(Debug)]
pub struct OpenReport {
    /// The pack's id.
    pub pack_id: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Number of artifacts.
    pub artifacts: u64,
    /// Their total size in bytes.
    pub bytes: u64,
    /// The absolute path of the output; none if the artifact went to a writer.
    pub output: Option<PathBuf>,
}

/// Decrypts artifacts into a new directory that only its owner can read: all of them, or none.
pub fn open(ctx: &Context, request: &OpenRequest) -> Result<OpenReport> {
    let given = GivenPack::of(ctx, &request.pack)?;
    let source = given.source();
    let opening = Opening::of(ctx, &source, request)?;
    let output = output_of(ctx, request, &opening.pack)?;
    let staging = Staging::beside(&output, Access::Private)?.with_original_names();
    let sizes = workers::map(
        &opening.artifacts,
        || Ok(()),
        |(), artifact| {
            let target = staging.member(&artifact.path);
            let mut file = staging.create(&artifact.path)?;
            unseal(&source, &artifact.seal, &opening.identities, &mut file)
                .map_err(|why| opening.refusal(why, artifact, &target))
        },
    )?;
    staging.publish(&output, Publish::New)?;
    Ok(opening.report(sizes.iter().sum(), Some(output)))
}

/// Returns what [`open`] would write, as paths. Checks that the pack is intact and that the output is free.
pub fn preview(ctx: &Context, request: &OpenRequest) -> Result<(Vec<String>, PathBuf)> {
    let given = GivenPack::of_run(ctx, &request.pack, true)?;
    let source = given.source();
    let opening = Opening::of(ctx, &source, request)?;
    for artifact in &opening.artifacts {
        unseal(&source, &artifact.seal, &opening.identities, io::sink())
            .map_err(|why| opening.refusal(why, artifact, Path::new(artifact.path.as_str())))?;
    }
    let output = match &request.output {
        Some(output) => OutputPlace::at(ctx, output)?,
        None => default_output(ctx, &opening.pack.verdict.pack_id)?,
    };
    let paths = opening
        .artifacts
        .iter()
        .map(|artifact| artifact.path.as_str().to_owned());
    Ok((paths.collect(), output.path))
}

/// Writes the one requested artifact to `out`, after all of it was opened successfully.
pub fn open_to(ctx: &Context, request: &OpenRequest, out: &mut (dyn Write + Send)) -> Result<OpenReport> {
    let given = GivenPack::of(ctx, &request.pack)?;
    let source = given.source();
    let opening = Opening::of(ctx, &source, request)?;
    let [artifact] = opening.artifacts.as_slice() else {
        return Err(Refusal::Usage(Misuse::ManyForOneStream {
            artifacts: opening.artifacts.len(),
        }));
    };
    let stdout = Path::new("standard output");
    let unseal = |out: &mut (dyn Write + Send)| {
        unseal(&source, &artifact.seal, &opening.identities, out).map_err(|why| opening.refusal(why, artifact, stdout))
    };
    unseal(&mut io::sink())?;
    let bytes = unseal(out)?;
    Ok(opening.report(bytes, None))
}

/// A verified pack, and the requested artifacts.
struct Opening<'a> {
    pack: SealedPack<'a>,
    identities: Identities,
    artifacts: Vec<NamedSeal>,
}

impl<'a> Opening<'a> {
    fn of(ctx: &Context, source: &'a Source<'a>, request: &OpenRequest) -> Result<Self> {
        let pack = SealedPack::verified(source, &request.pack)?;
        let identities = identity::load(ctx, &request.identities)?;
        let artifacts = select(pack.named(&identities)?, &request.paths, &request.pack)?;
        Ok(Self {
            pack,
            identities,
            artifacts,
        })
    }

    fn refusal(&self, why: Unopened, artifact: &NamedSeal, target: &Path) -> Refusal {
        why.refusal(artifact.path.as_str(), target, &self.identities)
    }

    fn report(&self, bytes: u64, output: Option<PathBuf>) -> OpenReport {
        OpenReport {
            pack_id: self.pack.verdict.pack_id.clone(),
            manifest_hash: self.pack.verdict.manifest_hash,
            manifest_bytes: self.pack.verdict.manifest_bytes,
            artifacts: self.artifacts.len() as u64,
            bytes,
            output,
        }
    }
}

/// Returns the artifacts that `paths` name. A path is an artifact or a directory of artifacts.
fn select(named: Vec<NamedSeal>, paths: &[String], pack: &Path) -> Result<Vec<NamedSeal>> {
    if paths.is_empty() {
        return Ok(named);
    }
    let mut wanted = BTreeSet::new();
    for path in paths {
        let bare = path.strip_suffix('/').unwrap_or(path);
        let bare = bare.strip_prefix("./").unwrap_or(bare);
        let within = |artifact: &NamedSeal| {
            let full = artifact.path.as_str();
            full == bare || full.strip_prefix(bare).is_some_and(|rest| rest.starts_with('/'))
        };
        let found: Vec<usize> = (0..named.len()).filter(|at| within(&named[*at])).collect();
        if found.is_empty() {
            return Err(Refusal::Usage(Misuse::UnknownArtifact {
                pack: pack.to_owned(),
                path: path.clone(),
            }));
        }
        wanted.extend(found);
    }
    let kept = named.into_iter().enumerate().filter(|(at, _)| wanted.contains(at));
    Ok(kept.map(|(_, artifact)| artifact).collect())
}

/// Decides where the artifacts go: never over existing files, and never where git could track them.
fn output_of(ctx: &Context, request: &OpenRequest, pack: &SealedPack<'_>) -> Result<PathBuf> {
    let output = match &request.output {
        Some(output) => OutputPlace::at(ctx, output)?,
        None => default_output(ctx, &pack.verdict.pack_id)?,
    };
    pack.source
        .directory()
        .map_or(Ok(()), |root| output.ensure_outside(root))?;
    output.ensure_untracked(request.output.is_none())?;
    Ok(output.path)
}

fn default_output(ctx: &Context, pack_id: &str) -> Result<OutputPlace> {
    let root = match ctx.repository() {
        Ok(repo) => repo.work_tree().unwrap_or_else(|| ctx.cwd.clone()),
        Err(Refusal::NotARepository { .. }) => ctx.cwd.clone(),
        Err(refused) => return Err(refused),
    };
    let hex = pack_id.strip_prefix("sha256:").unwrap_or(pack_id);
    let short = hex.get(..12).unwrap_or(hex);
    OutputPlace::below(ctx, &root, &Path::new(OUTPUT_DIRECTORY).join("open").join(short))
}
