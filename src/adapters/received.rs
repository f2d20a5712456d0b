//! What came along with a pack, beside the place where the pack is going to be.

use std::path::{Path, PathBuf};

use crate::adapters::{attached_dir, files};
use crate::format::attachment::Attachment;
use crate::format::digest::Digest;
use crate::refusal::Result;

/// Attached files that were written beside a pack that is not there yet. Without the pack, those that are new go again.
pub struct Received {
    new: Vec<PathBuf>,
    directory: Option<PathBuf>,
}

impl Received {
    /// Writes attached files beside the pack at `root`. Files with the same content stay as they are.
    pub fn write(root: &Path, pack_id: &Digest, files: &[Attachment]) -> Result<Self> {
        let directory = attached_dir::beside(root);
        let mut received = Self {
            new: Vec::new(),
            directory: (!files::exists(&directory)).then_some(directory),
        };
        for file in files {
            let (path, is_new) = attached_dir::add(root, pack_id, file.kind, &file.bytes)?;
            received.new.extend(is_new.then_some(path));
        }
        Ok(received)
    }

    /// Keeps the files: the pack is there.
    pub fn keep(mut self) {
        self.new.clear();
        self.directory = None;
    }
}

impl Drop for Received {
    fn drop(&mut self) {
        // The error that led here says more than these could.
        for path in &self.new {
            drop(std::fs::remove_file(path));
        }
        if let Some(directory) = &self.directory {
            drop(std::fs::remove_dir(directory));
        }
    }
}
