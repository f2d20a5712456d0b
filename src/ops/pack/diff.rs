//! `git pack diff`: the difference between two packs.

use std::path::Path;

use crate::format::digest::Digest;
use crate::format::member_path::MemberPath;
use crate::ops::Context;
use crate::ops::pack::given::GivenPack;
use crate::ops::pack::source::Source;
use crate::refusal::Result;
use crate::rules::diff::{Difference, diff as compare, outcome};
use crate::rules::member_type::MAX_BYTES;

/// The difference, with the outcomes of known reports before and after.
#[derive(Debug)]
pub struct DiffReport {
    /// The ids of both packs, as declared.
    pub pack_ids: [String; 2],
    /// The difference of their members.
    pub difference: Difference,
    /// Reports with another outcome.
    pub shifts: Vec<Shift>,
}

/// A report whose outcome changed.
#[derive(Debug)]
pub struct Shift {
    /// The member.
    pub path: String,
    /// The tool, such as `rvl`.
    pub tool: String,
    /// The outcome in the first pack.
    pub before: String,
    /// The outcome in the second pack.
    pub after: String,
}

/// Compares two packs by their manifests. Reads members only for the outcomes of known reports; they may be missing.
pub fn diff(ctx: &Context, before: &Path, after: &Path) -> Result<DiffReport> {
    let given = [GivenPack::of(ctx, before)?, GivenPack::of(ctx, after)?];
    diff_sources(&[given[0].source(), given[1].source()])
}

/// Compares two packs, the first of which is the older one, like [`diff`].
pub fn diff_sources(sources: &[Source<'_>; 2]) -> Result<DiffReport> {
    let manifests = [sources[0].manifest()?, sources[1].manifest()?];
    let difference = compare(&manifests[0], &manifests[1]);
    let mut shifts = Vec::new();
    for changed in &difference.changed {
        let Some(version) = &changed.report else { continue };
        let before = concluded(&sources[0], &changed.path, &changed.before);
        let after = concluded(&sources[1], &changed.path, &changed.after);
        if let (Some(before), Some(after)) = (before, after)
            && before != after
        {
            let tool = version.split('.').next().unwrap_or(version).to_owned();
            shifts.push(Shift {
                path: changed.path.clone(),
                tool,
                before,
                after,
            });
        }
    }
    let [before, after] = manifests;
    Ok(DiffReport {
        pack_ids: [before.pack_id, after.pack_id],
        difference,
        shifts,
    })
}

/// Returns the outcome of a report, if the member has the bytes that its manifest declares.
fn concluded(source: &Source<'_>, path: &str, hash: &str) -> Option<String> {
    let path = MemberPath::parse(path).ok()?;
    let bytes = source.read(path.as_str(), MAX_BYTES as u64)?;
    (Digest::parse_ref(hash) == Some(Digest::of(&bytes)))
        .then(|| outcome(&bytes))
        .flatten()
}
