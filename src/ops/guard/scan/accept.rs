//! Accepts the findings of a scan: sets aside those of an earlier report, and writes exceptions for blobs.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use crate::adapters::files::{self, Durability};
use crate::format::config::{self, Allow, ConfigError, FILE_NAME, Located, NEW_ALLOW_FILE};
use crate::format::member_path::MemberPath;
use crate::format::object_id::ObjectId;
use crate::format::scan_report::{self, ListedFinding};
use crate::ops::Context;
use crate::ops::configuration::{self, Loaded, MAX_BYTES};
use crate::ops::guard::scan::surfaces::Surface;
use crate::ops::guard::scan::{FoundLeak, ScanReport};
use crate::refusal::config::ConfigFault;
use crate::refusal::shown::{brief, shown};
use crate::refusal::usage::Misuse;
use crate::refusal::work_tree::WorkTreeUse;
use crate::refusal::{Refusal, Result};
use crate::rules::accepted::{Exceptions, exceptions, is_for_a_list, is_for_a_person, is_releasable, listed};

/// The findings of an earlier scan, which a person accepts for one run.
pub struct EarlierReport(BTreeSet<ListedFinding>);

/// Reads the report of an earlier scan.
pub fn earlier_report(ctx: &Context, file: &Path) -> Result<EarlierReport> {
    let bytes = files::read_any(&ctx.cwd.join(file), scan_report::MAX_BYTES)?;
    let listed = scan_report::parse(&bytes).map_err(|problem| {
        Refusal::Usage(Misuse::BadBaseline {
            file: file.to_owned(),
            problem,
        })
    })?;
    Ok(EarlierReport(listed))
}

impl ScanReport {
    /// Moves the leaks that the baseline lists from what was found to what was known, except those that no list may
    /// accept.
    pub fn set_aside(&mut self, baseline: &EarlierReport) {
        for found in std::mem::take(&mut self.leaks) {
            let is_listed = baseline.0.contains(&listed(&found.leak));
            match is_listed && is_for_a_list(&found.leak) {
                true => self.known.push(found),
                false => {
                    self.listed_keys += u64::from(is_listed && is_for_a_person(&found.leak));
                    self.listed_outputs += u64::from(is_listed && !is_releasable(&found.leak));
                    self.leaks.push(found);
                }
            }
        }
    }
}

/// The outcome of writing exceptions.
pub struct Accepted {
    /// The top of the work tree.
    pub root: PathBuf,
    /// The file with the exceptions, from the top of the work tree.
    pub file: String,
    /// The number of exceptions that were written.
    pub added: usize,
    /// The number of blobs that had an exception already.
    pub present: usize,
    /// Whether the configuration was changed to name the file.
    pub names_file: bool,
    /// The findings that only an exception written by hand releases.
    pub by_hand: Vec<FoundLeak>,
    /// The findings that no exception releases.
    pub never: Vec<FoundLeak>,
}

/// Writes an exception for each blob of `found`: to `file`, to the `allow_file` of the configuration, or to the
/// configuration itself.
///
/// Each file is replaced in one step, and the configuration last: it never names a file that is not there. A dry run refuses the
/// same, and writes nothing.
pub fn accept(
    ctx: &Context,
    surface: &Surface,
    found: &[FoundLeak],
    file: Option<&Path>,
    dry_run: bool,
) -> Result<Accepted> {
    let repo = ctx.repository()?;
    let root = repo.work_tree().ok_or(Refusal::NoWorkTree {
        action: WorkTreeUse::Allow,
    })?;
    // Refuses before the lock is made.
    configuration::on_disk(&root)?;
    let _held = repo.private().lock_edits(dry_run)?;
    let loaded = configuration::on_disk(&root)?;
    let target = target(ctx, &root, &loaded, file)?;
    let mut present: BTreeSet<ObjectId> = blobs(&loaded.config.allow);
    if let Target::New(path, Some(standing)) = &target {
        let there = config::parse_allow_file(standing).map_err(|e| configuration::bad(&named(path), e))?;
        present.extend(blobs(&there));
    }
    let plan = exceptions(found.iter().map(|found| &found.leak), &present, &scan_of(surface));
    let texts = texts(&target, &loaded, &plan)?;
    for (path, text) in &texts {
        ensure_fits(&root, path, text)?;
    }
    if !dry_run {
        for (path, text) in &texts {
            files::write_whole(&root.join(path), text.as_bytes(), 0o666, Durability::Durable)?;
        }
    }
    let those = |wanted: &dyn Fn(&FoundLeak) -> bool| found.iter().filter(|found| wanted(found)).cloned().collect();
    let is_present = |found: &FoundLeak| present.contains(&found.leak.entry.id);
    Ok(Accepted {
        added: plan.added,
        present: plan.present,
        names_file: matches!(target, Target::New(..)),
        by_hand: those(&|found| is_releasable(&found.leak) && is_for_a_person(&found.leak) && !is_present(found)),
        never: those(&|found| !is_releasable(&found.leak)),
        root,
        file: match &target {
            Target::Config => FILE_NAME.to_owned(),
            Target::Named(path) | Target::New(path, _) => path.as_str().to_owned(),
        },
    })
}

/// Where the exceptions go.
enum Target {
    /// To the configuration.
    Config,
    /// To the file that the configuration names.
    Named(MemberPath),
    /// To a file that the configuration does not name yet, and its bytes if it is there.
    New(MemberPath, Option<Vec<u8>>),
}

/// Finds out where exceptions go. Refuses a second file beside the one that the configuration names.
fn target(ctx: &Context, root: &Path, loaded: &Loaded, file: Option<&Path>) -> Result<Target> {
    let standing = loaded.config.allow_file.as_ref().map(|named| &named.value);
    let path = match (file, standing) {
        (None, None) => return Ok(Target::Config),
        (None, Some(path)) => return Ok(Target::Named(path.clone())),
        (Some(file), _) => below(ctx, root, file)?,
    };
    match standing {
        None if path.as_str() == FILE_NAME => Ok(Target::Config),
        None => {
            files::ensure_no_link(root, Path::new(path.as_str()))?;
            let bytes = files::read_optional(&root.join(path.as_str()), MAX_BYTES)?;
            Ok(Target::New(path, bytes))
        }
        Some(other) if *other == path => Ok(Target::Named(path)),
        Some(other) => Err(Refusal::Usage(Misuse::OtherAllowFile {
            wanted: path.as_str().to_owned(),
            named: other.as_str().to_owned(),
        })),
    }
}

/// Returns the path of a file on the command line, from the top of the work tree.
fn below(ctx: &Context, root: &Path, file: &Path) -> Result<MemberPath> {
    let given = ctx.cwd.join(file);
    let name = given
        .file_name()
        .ok_or_else(|| Refusal::Usage(Misuse::NotAFile { path: file.to_owned() }))?;
    let place = files::canonical(files::parent(&given))?.join(name);
    let outside = || Refusal::Usage(Misuse::OutsideWorkTree { path: file.to_owned() });
    let below = place.strip_prefix(root).map_err(|_| outside())?;
    let bad = |problem: String| {
        Refusal::Usage(Misuse::BadAllowFile {
            path: file.to_owned(),
            problem,
        })
    };
    let below = below.to_str().ok_or_else(|| bad("it is not UTF-8".into()))?;
    MemberPath::parse(below).map_err(|why| bad(why.to_string()))
}

/// Returns the files to write, each with its new text, in this order.
fn texts<'a>(target: &'a Target, loaded: &Loaded, plan: &Exceptions) -> Result<Vec<(&'a str, String)>> {
    let of = |path: &'a str, text: std::result::Result<String, ConfigError>| {
        let text = text.map_err(|e| configuration::bad(&shown(path.as_bytes()), e))?;
        Ok((path, text))
    };
    let added = |path: &'a MemberPath, standing: Option<&[u8]>| {
        let standing = standing.map_or(NEW_ALLOW_FILE.into(), String::from_utf8_lossy);
        of(path.as_str(), config::add_to_allow_file(&standing, &plan.groups))
    };
    Ok(match target {
        Target::Config | Target::Named(_) if plan.added == 0 => Vec::new(),
        Target::Config => vec![of(FILE_NAME, config::add_to_config(&of_config(loaded), &plan.groups))?],
        Target::Named(path) => vec![added(path, loaded.allowed.as_deref())?],
        Target::New(path, standing) => {
            let config = of(FILE_NAME, config::set_allow_file(&of_config(loaded), path))?;
            match standing.is_none() || plan.added > 0 {
                true => vec![added(path, standing.as_deref())?, config],
                false => vec![config],
            }
        }
    })
}

/// Refuses a text that would not be read again, and a path through a link.
fn ensure_fits(root: &Path, path: &str, text: &str) -> Result<()> {
    if text.len() as u64 > MAX_BYTES {
        return Err(Refusal::BadConfig {
            origin: shown(path.as_bytes()),
            line: None,
            fault: ConfigFault::TooLong { allowed: MAX_BYTES },
        });
    }
    files::ensure_no_link(root, Path::new(path))
}

fn of_config(loaded: &Loaded) -> String {
    let bytes = loaded.bytes.clone().unwrap_or_else(|| b"version = 1\n".to_vec());
    String::from_utf8(bytes).expect("a configuration that was parsed is UTF-8")
}

fn named(path: &MemberPath) -> String {
    shown(path.as_str().as_bytes())
}

fn blobs(allow: &[Located<Allow>]) -> BTreeSet<ObjectId> {
    allow.iter().map(|allow| allow.value.blob).collect()
}

/// Says in a comment which scan found something.
fn scan_of(surface: &Surface) -> String {
    let told = |text: &str| brief(&shown(text.as_bytes()));
    match surface {
        Surface::Staged => "found in the index".into(),
        Surface::WorkTree { .. } => "found in the work tree".into(),
        Surface::Revision(rev) => format!("found in {}", told(rev)),
        Surface::Range(range) => format!("found in {}", told(range)),
        Surface::All => "found in all history".into(),
    }
}
