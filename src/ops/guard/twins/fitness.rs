//! Which files may have a sealed twin. What a commit of somebody else seals must not come to light as a file that git or git-pack
//! reads.

use std::path::Path;

use crate::adapters::files;
use crate::format::config::{Config, FILE_NAME};
use crate::format::path_bytes::path_below;
use crate::ops::configuration::MAX_BYTES;
use crate::ops::guard::twins::{Pair, Place};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::twins::{NoTwin, no_twin};

impl Place {
    /// Refuses git's own files, files that tell git or git-pack what to do, files of another repository, and files behind links: the
    /// index may name any of them.
    pub(super) fn ensure_may_have_a_twin(&self, pair: &Pair) -> Result<()> {
        let path = pair.plain.to_string();
        match no_twin(pair.plain.as_bytes()) {
            Some(NoTwin::GitsOwn) => return Err(Refusal::Usage(Misuse::GitsOwn { path })),
            Some(NoTwin::ReadInPlaintext) => return Err(Refusal::Usage(Misuse::ReadInPlaintext { path })),
            None => {}
        }
        // Sealed, the exceptions would not count any more, and nobody could seal or open for the recipients.
        if self.is_named_by_configuration(pair.plain.as_bytes())? {
            return Err(Refusal::Usage(Misuse::ReadInPlaintext { path }));
        }
        let above = pair
            .plain_file
            .ancestors()
            .skip(1)
            .take_while(|above| **above != self.root);
        for directory in above {
            if files::exists(&directory.join(".git")) {
                let below = pair.plain_file.strip_prefix(directory).unwrap_or(Path::new(""));
                return Err(Refusal::Usage(Misuse::InAnotherRepository {
                    path,
                    repository: directory.to_owned(),
                    below: below.to_owned(),
                }));
            }
        }
        for path in [&pair.plain, &pair.sealed] {
            files::ensure_no_link(&self.root, path_below(path.as_bytes()))?;
        }
        Ok(())
    }

    /// Returns whether the configuration on disk names a file. One that cannot be parsed names none, and nothing goes by it.
    fn is_named_by_configuration(&self, path: &[u8]) -> Result<bool> {
        let bytes = files::read_optional(&self.root.join(FILE_NAME), MAX_BYTES)?;
        let Some(config) = bytes.and_then(|bytes| Config::parse(&bytes).ok()) else {
            return Ok(false);
        };
        let named = [&config.allow_file, &config.recipients_file];
        let mut named = named.iter().filter_map(|file| file.as_ref());
        Ok(named.any(|file| file.value.as_str().as_bytes().eq_ignore_ascii_case(path)))
    }
}
