//! Merges three texts as git merges files, without a file that has a name.

use std::path::Path;

use zeroize::Zeroizing;

use crate::adapters::files::platform::Inherited;
use crate::adapters::git::Repository;
use crate::refusal::unsupported::Unsupported;
use crate::refusal::{Refusal, Result};

/// What git makes of both sides.
pub struct MergedText {
    /// The text, with markers where both sides changed the same lines.
    pub text: Zeroizing<Vec<u8>>,
    /// The number of these conflicts. git counts no further than 127.
    pub conflicts: u32,
}

/// Largest length of conflict markers.
const MAX_MARKER: u32 = 1000;

/// The texts of a three-way merge.
#[derive(Clone, Copy)]
pub struct ThreeTexts<'a> {
    /// The common ancestor's; empty if there is none.
    pub base: &'a [u8],
    /// Ours.
    pub ours: &'a [u8],
    /// Theirs.
    pub theirs: &'a [u8],
}

impl Repository {
    /// Merges texts with `git merge-file`, which honours `merge.conflictStyle`. Conflict markers have `marker` characters.
    ///
    /// git reads the texts from memory: neither they nor the result are in any file system.
    pub fn merge_texts(&self, texts: ThreeTexts<'_>, marker: u32) -> Result<MergedText> {
        let files = [in_memory(texts.ours)?, in_memory(texts.base)?, in_memory(texts.theirs)?];
        let mut command = self.git();
        command.args(["merge-file", "--stdout", "--quiet"]);
        command.arg(format!("--marker-size={}", marker.clamp(1, MAX_MARKER)));
        command.args(["-L", "ours", "-L", "base", "-L", "theirs"]);
        command.args(files.iter().map(Inherited::path));
        let output = command.output().map_err(|e| failed(&e.to_string()))?;
        let text = Zeroizing::new(output.stdout);
        match output.status.code() {
            Some(conflicts @ 0..=127) => Ok(MergedText {
                text,
                conflicts: conflicts as u32,
            }),
            _ => Err(failed(&String::from_utf8_lossy(&output.stderr))),
        }
    }
}

/// Returns a file in memory with this content, which programs that this process starts can read.
fn in_memory(content: &[u8]) -> Result<Inherited> {
    Inherited::of(content).map_err(Refusal::io("writing", Path::new("a file in memory")))
}

fn failed(said: &str) -> Refusal {
    Refusal::Unsupported(Unsupported::Merge {
        said: said.trim().replace('\n', " "),
    })
}
