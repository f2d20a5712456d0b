//! The arguments of what reads and keeps the content store.

use std::path::PathBuf;

use clap::Args;

use super::PassphraseFlag;

#[derive(Args)]
pub(in crate::cli) struct Restore {
    /// The pack's directory, or the ref (sha256:…) of a PACK_MANIFEST in the content store
    #[arg(value_name = "PACK|MANIFEST_REF")]
    pub(in crate::cli) from: PathBuf,
    /// Take the texts from the member under FULL/, of a pack or of that one file
    #[arg(long, conflicts_with = "identities")]
    pub(in crate::cli) from_full: bool,
    /// A new directory for the files
    #[arg(long, short = 'o', value_name = "DIR", required_unless_present = "dry_run")]
    pub(in crate::cli) output: Option<PathBuf>,
    /// Read and check everything, and write nothing
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Open what is sealed with this age identity file or SSH private key, instead of restoring ciphertexts
    #[arg(long = "identity", short = 'i', value_name = "FILE")]
    pub(in crate::cli) identities: Vec<PathBuf>,
    #[command(flatten)]
    pub(in crate::cli) passphrase: PassphraseFlag,
}

#[derive(Args)]
pub(in crate::cli) struct Audit {
    /// Audit one run, by its id or as `last`, instead of all of them and the pins
    #[arg(long, value_name = "ID|last")]
    pub(in crate::cli) run: Option<String>,
    /// Hold the digest cache against the blobs as well
    #[arg(long)]
    pub(in crate::cli) deep: bool,
    /// Keep this content (sha256:…) whatever runs need, and say no more
    #[arg(long, value_name = "REF", conflicts_with_all = ["run", "deep", "json", "unpin"])]
    pub(in crate::cli) pin: Option<String>,
    /// Keep it no longer than runs need it
    #[arg(long, value_name = "REF", conflicts_with_all = ["run", "deep", "json"])]
    pub(in crate::cli) unpin: Option<String>,
    /// Print the pack.audit.v0 document
    #[arg(long)]
    pub(in crate::cli) json: bool,
}

#[derive(Args)]
pub(in crate::cli) struct Gc {
    /// Change nothing, and say what would go
    #[arg(long)]
    pub(in crate::cli) dry_run: bool,
    /// Print a line for each object: whether it stays or goes, and why
    #[arg(long)]
    pub(in crate::cli) why: bool,
    /// Keep what is younger than this, although nothing needs it: 14d, 12h, 90m, 0
    #[arg(long, value_name = "TIME", default_value = "14d")]
    pub(in crate::cli) grace: String,
}
