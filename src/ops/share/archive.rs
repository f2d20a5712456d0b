//! `git pack archive`: writes a pack into one file.

use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use crate::adapters::archive::is_archive;
use crate::adapters::files::{self, Over};
use crate::format::archive::{ArchiveWriter, MAX_PATH, max_content};
use crate::format::attachment::Attachment;
use crate::format::digest::{Digest, Hashing};
use crate::format::manifest::{Declared, ManifestDocument};
use crate::format::member_path::MemberPath;
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::output::OutputPlace;
use crate::ops::pack::sealed_pack::ensure_sound;
use crate::ops::pack::source::Source;
use crate::ops::pack::verify::verify_source;
use crate::ops::share::attached;
use crate::refusal::pack::PackFault;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// Number of compressed bytes that are written at a time.
const BUFFER: usize = 128 << 10;

/// What to archive, and where to.
#[derive(Clone, Debug, Default)]
pub struct ArchiveRequest {
    /// The pack: a directory, an archive, or a pack at a place.
    pub pack: PathBuf,
    /// The new file.
    pub output: PathBuf,
    /// Whether an archive at the output is replaced.
    pub replace: bool,
    /// Whether to write the archive to a file that never gets a name.
    pub dry_run: bool,
}

/// The outcome.
#[derive(Clone, Debug)]
pub struct ArchiveReport {
    /// The pack's id.
    pub pack_id: String,
    /// SHA-256 of its manifest.
    pub manifest_hash: Digest,
    /// Size of its manifest in bytes.
    pub manifest_bytes: u64,
    /// Number of its members.
    pub members: usize,
    /// Size of the files in bytes, with their headers.
    pub content_bytes: u64,
    /// Size of the archive in bytes.
    pub file_bytes: u64,
    /// Number of signatures and attestations in it.
    pub attached: usize,
    /// What is beside the pack and is not in the archive, each with the reason.
    pub left_out: Vec<String>,
    /// The absolute path of the archive.
    pub output: PathBuf,
}

/// The ends of names of other formats. Whoever gets such a file opens it with the wrong program.
const OTHERS: [&str; 9] = ["zip", "tar", "tgz", "gz", "xz", "txz", "bz2", "tbz2", "7z"];

/// Refuses an output that is named like a file of another format.
fn ensure_named_so(output: &Path) -> Result<()> {
    let end = output.extension().unwrap_or_default().to_ascii_lowercase();
    match OTHERS.iter().any(|other| end == *other) {
        true => Err(Refusal::Usage(Misuse::ArchiveNamed {
            output: output.to_owned(),
        })),
        false => Ok(()),
    }
}

/// Verifies a pack, and writes it into one file: all of it, or nothing.
pub fn archive(ctx: &Context, request: &ArchiveRequest) -> Result<ArchiveReport> {
    ensure_named_so(&request.output)?;
    let output = OutputPlace::file(ctx, &request.output)?;
    let over = output.over(request.replace, is_archive)?;
    let given = GivenPack::of_run(ctx, &request.pack, request.dry_run)?;
    let source = given.source();
    let verdict = verify_source(&source)?;
    ensure_sound(&verdict, &request.pack)?;
    source.directory().map_or(Ok(()), |root| output.ensure_outside(root))?;
    let manifest = source.manifest_bytes()?;
    let changed = || Refusal::ChangedWhileRead {
        path: request.pack.clone(),
    };
    if Digest::of(&manifest) != verdict.manifest_hash {
        return Err(changed());
    }
    let pack_id = Digest::parse_ref(&verdict.pack_id).ok_or_else(changed)?;
    let (attached, left_out) = attached::to_send(ctx, &source, &pack_id)?;
    let file = files::unnamed_beside(&output.path, 0o666)?;
    let writing = Writing {
        source: &source,
        pack_id,
        attached: &attached,
        pack: &request.pack,
        output: &output.path,
    };
    let (file, content_bytes) = writing.write(file, &manifest)?;
    let file_bytes = file.metadata().map_err(Refusal::io("writing", &output.path))?.len();
    // What is written here must be read again.
    if content_bytes > max_content(file_bytes) {
        return Err(Refusal::TooLong {
            what: format!("the content of an archive of {file_bytes} bytes"),
            allowed: max_content(file_bytes),
            found: content_bytes,
        });
    }
    match over {
        _ if request.dry_run => {}
        Over::Anything => files::place_unnamed(file, &output.path, 0o666)?,
        Over::Nothing => files::place_new_unnamed(file, &output.path, 0o666)?,
    }
    Ok(ArchiveReport {
        pack_id: verdict.pack_id,
        manifest_hash: verdict.manifest_hash,
        manifest_bytes: verdict.manifest_bytes,
        members: verdict.members,
        content_bytes,
        file_bytes,
        attached: attached.len(),
        left_out,
        output: output.path,
    })
}

/// Writes a pack that verifies.
struct Writing<'a> {
    source: &'a Source<'a>,
    pack_id: Digest,
    attached: &'a [Attachment],
    /// The pack as the user named it.
    pack: &'a Path,
    output: &'a Path,
}

impl Writing<'_> {
    /// Returns the file, and the size of the content in bytes.
    fn write(&self, file: files::UnnamedFile, manifest: &[u8]) -> Result<(files::UnnamedFile, u64)> {
        let writing = |e| Refusal::io("writing", self.output)(e);
        let document = ManifestDocument::parse(manifest).map_err(|_| self.changed())?;
        let out = BufWriter::with_capacity(BUFFER, file);
        let mut writer = ArchiveWriter::new(out, manifest, &document).map_err(writing)?;
        for member in document.members.iter() {
            writer = self.member(writer, &member)?;
        }
        writer = writer.attach(&self.pack_id, self.attached).map_err(writing)?;
        let (mut out, content) = writer.finish().map_err(writing)?;
        out.flush().map_err(writing)?;
        let file = out.into_inner().map_err(|e| writing(e.into_error()))?;
        Ok((file, content))
    }

    /// Writes a member, and makes sure that it is the one that was verified.
    fn member<W: Write + Send>(&self, writer: ArchiveWriter<W>, member: &Declared<'_>) -> Result<ArchiveWriter<W>> {
        let path = MemberPath::parse(member.path).map_err(|_| self.changed())?;
        if path.as_str().len() > MAX_PATH {
            return Err(Refusal::TooLong {
                what: "the longest path".into(),
                allowed: MAX_PATH as u64,
                found: path.as_str().len() as u64,
            });
        }
        let mut before = Some(writer);
        let mut after = None;
        self.source.member(path.as_str(), &mut |content, size| {
            let writer = before.take().ok_or(io::ErrorKind::Other)?;
            let mut hashing = Hashing::new(content);
            let written = writer.member(&path, size, &mut hashing)?;
            after = Some((written, hashing.finish().1));
            Ok(())
        })?;
        match after {
            Some((written, hash)) if Some(hash) == member.bytes_hash.digest() => Ok(written),
            _ => Err(Refusal::BadPack {
                path: self.pack.to_owned(),
                fault: PackFault::MemberChanged {
                    path: member.path.to_owned(),
                },
            }),
        }
    }

    fn changed(&self) -> Refusal {
        Refusal::BadPack {
            path: self.pack.to_owned(),
            fault: PackFault::Changed,
        }
    }
}
