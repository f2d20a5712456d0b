//! Writes an archive.

use std::io::{self, Read, Write};

use ::zstd::stream::write::Encoder;

use super::header::headers;
use super::{BLOCK, FRAME, WINDOW_LOG, directory_of, padding, time_of};
use crate::format::attachment::{Attachment, AttachmentName, BESIDE};
use crate::format::digest::Digest;
use crate::format::manifest::ManifestDocument;
use crate::format::member_path::{MANIFEST, MemberPath};
use crate::format::timestamp::Timestamp;

/// The level of compression.
const LEVEL: i32 = 3;

/// Number of bytes that are copied at a time.
const BUFFER: usize = 128 << 10;

/// Writes the entries of an archive: its manifest, then its members, sorted by path, then what is attached to the pack.
pub struct ArchiveWriter<W: Write> {
    /// The frame that is being written.
    frame: Encoder<'static, W>,
    /// Bytes of content in it.
    in_frame: u64,
    content: u64,
    directory: String,
    mtime: u64,
    buffer: Vec<u8>,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes the manifest of a pack that verifies.
    pub fn new(out: W, bytes: &[u8], manifest: &ManifestDocument) -> io::Result<Self> {
        let unusable = |what: &str| io::Error::new(io::ErrorKind::InvalidInput, format!("its {what} is malformed"));
        let mut writer = Self {
            frame: frame(out)?,
            in_frame: 0,
            content: 0,
            directory: directory_of(&manifest.pack_id).ok_or_else(|| unusable("pack id"))?,
            mtime: time_of(Timestamp::parse_utc(&manifest.created).ok_or_else(|| unusable("time"))?),
            buffer: vec![0; BUFFER],
        };
        let mut content = bytes;
        let path = format!("{}/{MANIFEST}", writer.directory);
        writer = writer.entry(&path, bytes.len() as u64, &mut content)?;
        Ok(writer)
    }

    /// Writes a member of `size` bytes. Other content than that is an error of the kind `InvalidData`.
    pub fn member(self, path: &MemberPath, size: u64, content: &mut dyn Read) -> io::Result<Self> {
        let path = format!("{}/{path}", self.directory);
        self.entry(&path, size, content)
    }

    /// Writes the files that are attached to the pack, after all members. The same files make the same bytes, whatever
    /// their order is.
    pub fn attach(self, pack_id: &Digest, files: &[Attachment]) -> io::Result<Self> {
        let mut sorted: Vec<&Attachment> = files.iter().collect();
        sorted.sort_by_key(|file| (file.kind, file.digest()));
        sorted.dedup_by_key(|file| (file.kind, file.digest()));
        let directory = format!("{}{BESIDE}", self.directory);
        let mut writer = self;
        for files in sorted.chunk_by(|a, b| a.kind == b.kind) {
            for (number, file) in (1..).zip(files) {
                let kind = file.kind;
                let name = AttachmentName { kind, number }.of_pack(pack_id);
                let size = file.bytes.len() as u64;
                writer = writer.entry(&format!("{directory}/{name}"), size, &mut &file.bytes[..])?;
            }
        }
        Ok(writer)
    }

    /// Writes the end. Returns the writer below, and the size of the content in bytes.
    pub fn finish(self) -> io::Result<(W, u64)> {
        let mut writer = self.between_entries()?;
        writer.write(&[0; 2 * BLOCK])?;
        Ok((writer.frame.finish()?, writer.content))
    }

    fn entry(self, path: &str, size: u64, content: &mut dyn Read) -> io::Result<Self> {
        let mut writer = self.between_entries()?;
        writer.write(&headers(path, size, writer.mtime))?;
        let mut buffer = std::mem::take(&mut writer.buffer);
        let mut left = size;
        loop {
            match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) if read as u64 > left => return Err(io::ErrorKind::InvalidData.into()),
                Ok(read) => {
                    left -= read as u64;
                    writer.write(&buffer[..read])?;
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        if left > 0 {
            return Err(io::ErrorKind::InvalidData.into());
        }
        writer.buffer = buffer;
        writer.write(&[0; BLOCK][..padding(size)])?;
        Ok(writer)
    }

    /// Ends a frame that is full, and begins the next one.
    fn between_entries(self) -> io::Result<Self> {
        if self.in_frame < FRAME {
            return Ok(self);
        }
        Ok(Self {
            frame: frame(self.frame.finish()?)?,
            in_frame: 0,
            ..self
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.frame.write_all(bytes)?;
        self.in_frame += bytes.len() as u64;
        self.content += bytes.len() as u64;
        Ok(())
    }
}

/// Begins a frame. Its header must be [`super::frames::HEAD`].
fn frame<W: Write>(out: W) -> io::Result<Encoder<'static, W>> {
    let mut encoder = Encoder::new(out, LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(false)?;
    encoder.window_log(WINDOW_LOG)?;
    Ok(encoder)
}
