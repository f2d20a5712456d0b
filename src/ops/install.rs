//! `git pack install` and `uninstall`: the hooks that guard commit and push.

use std::path::PathBuf;

use crate::adapters::git::Repository;
use crate::adapters::git::hooks_dir::HooksDir;
use crate::format::refusal::{Refusal, Result};
use crate::ops::Context;

/// The hooks that are installed, in the order in which they are named to people.
pub const HOOKS: [&str; 3] = ["pre-commit", "pre-merge-commit", "pre-push"];

const SHIM: &str = include_str!("../../hooks/shim");

/// Every shim of ours, of whatever version, has a line that begins so.
const MARK: &str = "# git-pack guard, shim ";

/// What is to be done to the hooks directory.
pub struct Plan {
    directory: HooksDir,
    steps: Vec<(&'static str, Step)>,
}

/// What is to be done about one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Write(Vec<u8>),
    Remove,
    Leave,
}

/// What was done.
#[derive(Debug)]
pub struct HooksReport {
    /// The hooks directory.
    pub directory: PathBuf,
    /// The hooks that were written or removed.
    pub changed: Vec<&'static str>,
    /// The hooks that were as they should be.
    pub unchanged: Vec<&'static str>,
}

/// Plans the installation; refuses if another hook is in the way.
pub fn plan_install(ctx: &Context) -> Result<Plan> {
    Repository::discover(&ctx.cwd)?;
    let directory = HooksDir::of(&ctx.cwd)?;
    let mut steps = Vec::new();
    let mut foreign = Vec::new();
    for hook in HOOKS {
        let shim = shim(ctx, hook)?;
        steps.push((
            hook,
            match directory.read(hook)? {
                Some(present) if present == shim => Step::Leave,
                Some(present) if calls_us(&present, hook) => Step::Leave,
                Some(present) if !is_ours(&present) => {
                    foreign.push(hook);
                    Step::Leave
                }
                _ => Step::Write(shim),
            },
        ));
    }
    directory.ensure_writable()?;
    match foreign.first() {
        None => Ok(Plan { directory, steps }),
        Some(first) => Err(Refusal::Unsupported {
            what: format!(
                "{} has hooks of its own that would be lost: {}",
                directory.path().display(),
                foreign.join(", ")
            ),
            remedy: format!(
                "add this line to {first} (and likewise to the others):  git pack hook {first} \"$@\" || exit"
            ),
        }),
    }
}

/// Plans the removal of our shims; hooks of others stay.
pub fn plan_uninstall(ctx: &Context) -> Result<Plan> {
    Repository::discover(&ctx.cwd)?;
    let directory = HooksDir::of(&ctx.cwd)?;
    let mut steps = Vec::new();
    for hook in HOOKS {
        let ours = directory.read(hook)?.is_some_and(|present| is_ours(&present));
        steps.push((hook, if ours { Step::Remove } else { Step::Leave }));
    }
    Ok(Plan { directory, steps })
}

/// Does what was planned.
pub fn apply(plan: Plan) -> Result<HooksReport> {
    let mut report = HooksReport {
        directory: plan.directory.path().to_owned(),
        changed: Vec::new(),
        unchanged: Vec::new(),
    };
    for (hook, step) in plan.steps {
        match step {
            Step::Write(bytes) => plan.directory.write(hook, &bytes)?,
            Step::Remove => plan.directory.remove(hook)?,
            Step::Leave => {
                report.unchanged.push(hook);
                continue;
            }
        }
        report.changed.push(hook);
    }
    Ok(report)
}

fn is_ours(hook: &[u8]) -> bool {
    hook.split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(MARK.as_bytes()))
}

/// Whether somebody else's hook runs ours, as the refusal tells them to.
fn calls_us(present: &[u8], hook: &str) -> bool {
    let calls = [format!("git pack hook {hook}"), format!("git-pack hook {hook}")];
    !is_ours(present)
        && present.split(|byte| *byte == b'\n').any(|line| {
            let line = String::from_utf8_lossy(line.trim_ascii_start());
            !line.starts_with('#') && calls.iter().any(|call| line.contains(call))
        })
}

/// Returns the shim of a hook, with this program's path in it for clients that run hooks with a bare `PATH`.
fn shim(ctx: &Context, hook: &str) -> Result<Vec<u8>> {
    let binary = ctx.binary.to_str().ok_or_else(|| Refusal::Unsupported {
        what: format!("git-pack lies at a path that is not UTF-8: {}", ctx.binary.display()),
        remedy: "install it elsewhere".into(),
    })?;
    let quoted = format!("'{}'", binary.replace('\'', r"'\''"));
    Ok(SHIM.replace("@HOOK@", hook).replace("@BINARY@", &quoted).into_bytes())
}
