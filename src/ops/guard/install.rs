//! `git pack install` and `uninstall`: the hooks that guard commit, push, refs and server.

use std::path::{Path, PathBuf};

use crate::adapters::files;
use crate::adapters::git::Repository;
use crate::adapters::git::hooks_dir::{self, ConfiguredHooks, HooksDir, ProgramName, SetAside};
use crate::format::path_bytes::bytes_of_path;
use crate::ops::Context;
use crate::ops::guard::drivers::{self, DriversChange, DriversPlan};
use crate::ops::guard::remotes;
use crate::ops::guard::shim::{command, is_ours, is_whole_command, is_whole_shim, shim};
use crate::refusal::hook_manager::HookManager;
use crate::refusal::unsupported::{SharedScope, Unsupported};
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};
use crate::rules::hook_script::{self, Errexit};

/// The hooks of a work tree, in the order in which they are named to people.
pub const CLIENT_HOOKS: [&str; 3] = ["pre-commit", "pre-merge-commit", "pre-push"];

/// The hook that judges every change of a ref.
pub const STRICT_HOOK: &str = "reference-transaction";

/// The hook of a server.
pub const SERVER_HOOK: &str = "pre-receive";

/// Every hook that this program may install.
pub const ALL_HOOKS: [&str; 5] = ["pre-commit", "pre-merge-commit", "pre-push", STRICT_HOOK, SERVER_HOOK];

/// What to install.
#[derive(Clone, Copy, Debug, Default)]
pub struct InstallRequest {
    /// The hook of a server instead of those of a work tree.
    pub server: bool,
    /// The hook that judges every change of a ref, too.
    pub strict: bool,
    /// Chain hooks although a manager owns them, and will write them anew when it likes.
    pub force: bool,
    /// Write into a directory of hooks that other repositories share.
    pub shared: bool,
}

impl InstallRequest {
    fn hooks(self) -> Vec<&'static str> {
        let mut hooks = match self.server {
            true => vec![SERVER_HOOK],
            false => CLIENT_HOOKS.to_vec(),
        };
        if self.strict {
            hooks.push(STRICT_HOOK);
        }
        hooks
    }
}

/// The steps to change the hooks.
pub struct HooksPlan {
    directory: HooksDir,
    configured: ConfiguredHooks,
    steps: Vec<(&'static str, Step)>,
    /// The repository whose remotes are noted, for hooks that judge pushes to them.
    noting: Option<Repository>,
    /// The drivers of sealed twins. `None` on a server.
    drivers: Option<DriversPlan>,
}

/// A step for one hook.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    /// Write our shim, over an older one or where there is no hook.
    Write(Vec<u8>),
    /// Set a foreign hook aside, to run before ours, and write our shim.
    Chain(Vec<u8>),
    /// Configure git to run our hook in addition to the hook file.
    Configure(String),
    /// Remove our hook, and restore the foreign one that was set aside.
    Remove,
    /// Remove our hook from where a manager keeps it.
    RemoveLegacy(SetAside),
    /// Remove our hook from git's configuration.
    Unconfigure,
    /// Change nothing.
    Leave(Present),
}

/// The way in which a hook needs no change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Present {
    /// Our hook is installed.
    Ours,
    /// A foreign hook or the manager's configuration runs ours.
    Called,
    /// As `Called`, but another command has read by then what git tells hooks. Ours judges every ref that may be pushed.
    ToldNothing,
    /// Git's configuration runs ours.
    Configured,
    /// No hook of ours is installed.
    Absent,
}

/// The changes to the hooks.
#[derive(Debug)]
pub struct HooksReport {
    /// The hooks directory.
    pub directory: PathBuf,
    /// The hooks that were written, configured or removed.
    pub changed: Vec<&'static str>,
    /// The hooks that needed no change.
    pub unchanged: Vec<&'static str>,
    /// The changed hooks that run a foreign hook first.
    pub chained: Vec<&'static str>,
    /// The changed hooks that git runs from its configuration.
    pub configured: Vec<&'static str>,
    /// The configuration that has other repositories use hooks that are in the directory now, if one does.
    pub shared: Option<SharedScope>,
    /// Whether hooks were written into the work tree. Other work trees and clones have them only if they are committed.
    pub in_work_tree: bool,
    /// What became of the drivers of sealed twins. `None` on a server.
    pub drivers: Option<DriversChange>,
}

/// Plans the installation. Refuses if a hook manager owns a file that would have to change.
pub fn plan_install(ctx: &Context, request: InstallRequest) -> Result<HooksPlan> {
    let repo = ctx.repository()?;
    if request.server && repo.work_tree().is_some() {
        return Err(Refusal::Usage(Misuse::NotBare));
    }
    if !request.server && repo.work_tree().is_none() {
        return Err(Refusal::Usage(Misuse::Bare));
    }
    let directory = HooksDir::of(&ctx.cwd)?;
    let configured = ConfiguredHooks::of(&ctx.cwd)?;
    let mut steps = Vec::new();
    for hook in request.hooks() {
        let step = match present(&repo, &directory, &configured, hook)? {
            // A manager that runs ours may still tell it less than git tells, or not run it for every commit that is
            // checked out.
            (standing, Some(how @ (Present::Called | Present::ToldNothing)))
                if !(request.force && matches!(standing, Standing::Foreign(Some(_)))) =>
            {
                Step::Leave(how)
            }
            (Standing::Ours(present), _) if present == shim(ctx, hook)? => Step::Leave(Present::Ours),
            // Hooks of ours that are there were once installed for all repositories, so a new version is, too.
            (Standing::None | Standing::Foreign(_), how) if directory.shared().is_some() && !request.shared => {
                beside_shared(ctx, &directory, &configured, hook, how)?
            }
            (Standing::Ours(_), _) | (Standing::None, None) => Step::Write(shim(ctx, hook)?),
            (_, Some(Present::Configured)) if !request.force => match command(ctx, hook)? {
                command if configured.command(hook) == Some(&command) => Step::Leave(Present::Configured),
                command => Step::Configure(command),
            },
            (Standing::None, _) => Step::Write(shim(ctx, hook)?),
            (Standing::Foreign(_), _) if !request.force && configured.can_run(hook)? => {
                Step::Configure(command(ctx, hook)?)
            }
            (Standing::Foreign(Some(manager)), _) if !request.force => {
                return Err(Refusal::HookManager {
                    manager,
                    directory: directory.path().to_owned(),
                });
            }
            (Standing::Foreign(_), _) if directory.has_chained(hook) => {
                return Err(Refusal::Unsupported(Unsupported::TwoHooks {
                    directory: directory.path().to_owned(),
                    hook,
                }));
            }
            (Standing::Foreign(_), _) => Step::Chain(shim(ctx, hook)?),
        };
        let is_in_the_directory = matches!(step, Step::Write(_) | Step::Chain(_) | Step::Leave(Present::Ours));
        steps.push((hook, step));
        // One way suffices; with both, the hook would run twice.
        if is_in_the_directory && configured.has(hook) {
            steps.push((hook, Step::Unconfigure));
        }
    }
    if steps
        .iter()
        .any(|(_, step)| matches!(step, Step::Write(_) | Step::Chain(_)))
    {
        directory.ensure_writable()?;
    }
    Ok(HooksPlan {
        directory,
        configured,
        steps,
        noting: (!request.server).then_some(repo),
        drivers: match request.server {
            true => None,
            false => Some(drivers::plan(ctx, ctx.repository()?)?),
        },
    })
}

/// Returns the step for a hook of this repository alone, whose hooks directory other repositories share.
fn beside_shared(
    ctx: &Context,
    directory: &HooksDir,
    configured: &ConfiguredHooks,
    hook: &str,
    how: Option<Present>,
) -> Result<Step> {
    let command = command(ctx, hook)?;
    match how {
        Some(Present::Configured) if configured.command(hook) == Some(&command) => Ok(Step::Leave(Present::Configured)),
        _ if configured.can_run(hook)? => Ok(Step::Configure(command)),
        _ => Err(shared_hooks(directory, false)),
    }
}

/// Makes the refusal to change hooks that other repositories share.
fn shared_hooks(directory: &HooksDir, removing: bool) -> Refusal {
    Refusal::Unsupported(Unsupported::SharedHooks {
        directory: directory.path().to_owned(),
        scope: directory.shared().unwrap_or(SharedScope::Global),
        removing,
    })
}

/// Plans the removal of all our shims, and the return of foreign hooks that were set aside.
///
/// Hooks that other repositories share are removed only if `shared` is true.
pub fn plan_uninstall(ctx: &Context, shared: bool) -> Result<HooksPlan> {
    let drivers = drivers::plan_removal(ctx.repository()?)?;
    let directory = HooksDir::of(&ctx.cwd)?;
    let configured = ConfiguredHooks::of(&ctx.cwd)?;
    let keeps_files = directory.shared().is_some() && !shared;
    let (mut steps, mut kept) = (Vec::new(), false);
    for hook in ALL_HOOKS {
        let present = directory.read(hook)?;
        let legacy = directory.read_legacy(hook)?.filter(|legacy| is_ours(legacy));
        let is_ours = present.as_ref().is_some_and(|present| is_ours(present));
        if legacy.is_some() && !keeps_files {
            let then = set_aside(&directory, hook, present.as_deref())?;
            steps.push((hook, Step::RemoveLegacy(then)));
        }
        let is_there = is_ours && !keeps_files;
        kept |= (is_ours || legacy.is_some()) && keeps_files;
        if configured.has(hook) {
            steps.push((hook, Step::Unconfigure));
        }
        if is_there {
            steps.push((hook, Step::Remove));
        }
        if !is_there && !configured.has(hook) && (legacy.is_none() || keeps_files) {
            steps.push((hook, Step::Leave(Present::Absent)));
        }
    }
    if kept && !steps.iter().any(|(_, step)| *step == Step::Unconfigure) {
        return Err(shared_hooks(&directory, true));
    }
    if steps
        .iter()
        .any(|(_, step)| matches!(step, Step::Remove | Step::RemoveLegacy(_)))
    {
        directory.ensure_writable()?;
    }
    Ok(HooksPlan {
        directory,
        configured,
        steps,
        noting: None,
        drivers: Some(drivers),
    })
}

/// Returns what happens to the hook that we set aside, when ours is removed from where a manager keeps it.
///
/// Ours ran that hook before, so the manager has to run it now, unless it is the manager's own: it would run twice. A
/// copy of the manager's present hook is of no use to anybody.
fn set_aside(directory: &HooksDir, hook: &str, present: Option<&[u8]>) -> Result<SetAside> {
    Ok(match directory.read_set_aside(hook)? {
        Some(aside) if present == Some(&aside) => SetAside::Goes,
        Some(aside) if HookManager::of(&aside, &bytes_of_path(directory.path())).is_none() => SetAside::TakesItsPlace,
        _ => SetAside::Stays,
    })
}

/// Applies a plan.
pub fn apply(plan: HooksPlan) -> Result<HooksReport> {
    carry_out(plan, true)
}

/// Returns what [`apply`] would report. Changes nothing.
pub fn preview(plan: HooksPlan) -> Result<HooksReport> {
    carry_out(plan, false)
}

fn carry_out(plan: HooksPlan, writes: bool) -> Result<HooksReport> {
    let drivers = plan.drivers.map(|drivers| match writes {
        true => drivers.apply(),
        false => Ok(drivers.change()),
    });
    let mut report = HooksReport {
        directory: plan.directory.path().to_owned(),
        changed: Vec::new(),
        unchanged: Vec::new(),
        chained: Vec::new(),
        configured: Vec::new(),
        shared: None,
        in_work_tree: false,
        drivers: drivers.transpose()?,
    };
    let is_file = |step: &Step| matches!(step, Step::Write(_) | Step::Chain(_) | Step::Leave(Present::Ours));
    if plan.steps.iter().any(|(_, step)| is_file(step)) {
        report.shared = plan.directory.shared();
    }
    for (hook, step) in &plan.steps {
        let hook = *hook;
        if writes {
            step.take(&plan.directory, &plan.configured, hook)?;
        }
        match step {
            Step::Write(_) if plan.directory.has_chained(hook) => report.chained.push(hook),
            Step::Chain(_) => report.chained.push(hook),
            Step::Configure(_) | Step::Unconfigure => report.configured.push(hook),
            Step::Write(_) | Step::Remove | Step::RemoveLegacy(_) => {}
            Step::Leave(_) => {
                report.unchanged.push(hook);
                continue;
            }
        }
        if report.changed.last() != Some(&hook) {
            report.changed.push(hook);
        }
    }
    report.unchanged.retain(|hook| !report.changed.contains(hook));
    let is_written = |step: &Step| matches!(step, Step::Write(_) | Step::Chain(_));
    if let Some(repo) = plan
        .noting
        .as_ref()
        .filter(|_| plan.steps.iter().any(|(_, step)| is_written(step)))
    {
        report.in_work_tree = is_in_work_tree(repo, plan.directory.path());
    }
    if let Some(repo) = plan.noting.as_ref().filter(|_| writes) {
        // Without the notes, the first push is judged whole. That is slower, and no reason to fail.
        drop(remotes::note_all(repo));
    }
    Ok(report)
}

/// Returns whether a directory, which need not exist, is in the work tree, and not in git's own directory.
fn is_in_work_tree(repo: &Repository, directory: &Path) -> bool {
    let real = |path: &Path| files::canonical(path).unwrap_or_else(|_| path.to_owned());
    let directory = directory
        .ancestors()
        .find(|above| files::exists(above))
        .map_or_else(|| directory.to_owned(), real);
    let is_gits = [repo.git_dir(), repo.common_dir()]
        .iter()
        .any(|own| directory.starts_with(real(own)));
    !is_gits && repo.work_tree().is_some_and(|top| directory.starts_with(top))
}

impl Step {
    /// Takes the step for one hook.
    fn take(&self, directory: &HooksDir, configured: &ConfiguredHooks, hook: &str) -> Result<()> {
        match self {
            Self::Write(bytes) => directory.write(hook, bytes),
            Self::Chain(bytes) => directory.chain(hook, bytes),
            Self::Configure(command) => configured.set(hook, command),
            Self::Remove => directory.restore(hook),
            Self::RemoveLegacy(then) => directory.remove_legacy(hook, *then),
            Self::Unconfigure => configured.unset(hook),
            Self::Leave(_) => Ok(()),
        }
    }
}

/// Runs the foreign hook that was set aside, as git would run it. Returns how it failed, if it did.
pub fn run_chained(
    ctx: &Context,
    chained: &Path,
    arguments: &[String],
    stdin: Option<&[u8]>,
) -> Result<Option<String>> {
    let chained = ctx.cwd.join(chained);
    let named = match hooks_dir::read_chained(&chained) {
        Some(hook) if HookManager::goes_by_its_name(&hook) => ProgramName::AsBefore,
        _ => ProgramName::AsItsFile,
    };
    hooks_dir::run_chained(&chained, named, arguments, stdin)
}

/// What is at the place of a hook.
enum Standing {
    None,
    Ours(Vec<u8>),
    Foreign(Option<HookManager>),
}

/// Returns how a hook of ours is installed, for `status`; none if nothing runs it.
pub fn installed(ctx: &Context, repo: &Repository, hook: &str) -> Result<Option<Present>> {
    let directory = HooksDir::of(&ctx.cwd)?;
    let configured = ConfiguredHooks::of(&ctx.cwd)?;
    Ok(match present(repo, &directory, &configured, hook)? {
        (_, Some(how)) => Some(how),
        (Standing::Ours(shim), None) if directory.is_executable(hook) => {
            let whole = std::str::from_utf8(&shim).is_ok_and(|shim| is_whole_shim(shim, hook));
            whole.then_some(Present::Ours)
        }
        _ => None,
    })
}

fn present(
    repo: &Repository,
    directory: &HooksDir,
    configured: &ConfiguredHooks,
    hook: &str,
) -> Result<(Standing, Option<Present>)> {
    let mut runs = false;
    let standing = match directory.read(hook)? {
        None => Standing::None,
        Some(bytes) if is_ours(&bytes) => Standing::Ours(bytes),
        Some(bytes) if directory.is_executable(hook) && calls_us(&bytes, hook) => {
            return Ok((Standing::Foreign(None), Some(called_by(&bytes, hook))));
        }
        Some(bytes) => {
            let manager = HookManager::of(&bytes, &bytes_of_path(directory.path()));
            // Whatever the manager is configured to do, a hook that does not call it, or that git does not run, guards
            // nothing.
            runs = directory.is_executable(hook) && manager.is_some_and(|manager| manager.is_called_by(&bytes));
            Standing::Foreign(manager)
        }
    };
    let how = match &standing {
        Standing::Foreign(Some(manager)) if runs => {
            let base = match manager {
                HookManager::Husky => directory.path().parent().map(Path::to_owned),
                HookManager::Lefthook | HookManager::PreCommit | HookManager::Prek => repo.work_tree(),
            };
            match base {
                Some(base) if manager_calls_us(&base, *manager, hook)? => Some(match manager {
                    HookManager::Husky => {
                        let script = files::read_optional(&base.join(hook), 1 << 20)?;
                        called_by(&script.unwrap_or_default(), hook)
                    }
                    _ => Present::Called,
                }),
                _ => None,
            }
        }
        _ => None,
    };
    let how = match how {
        None if configured.runs(hook)? && configured.command(hook).is_some_and(|c| is_whole_command(c, hook)) => {
            Some(Present::Configured)
        }
        how => how,
    };
    Ok((standing, how))
}

fn manager_calls_us(base: &Path, manager: HookManager, hook: &str) -> Result<bool> {
    let mut present = Vec::new();
    for file in manager.configuration(hook) {
        // A file that cannot be read may say anything.
        match files::read_optional(&base.join(&file), 1 << 20) {
            Ok(Some(text)) => present.push((file, text)),
            Ok(None) => {}
            Err(_) => return Ok(false),
        }
    }
    Ok(manager.runs_ours(hook, &present))
}

/// Returns whether a foreign hook runs ours, and provably blocks when ours does.
fn calls_us(present: &[u8], hook: &str) -> bool {
    !is_ours(present)
        && std::str::from_utf8(present).is_ok_and(|script| hook_script::blocks(script, hook, Errexit::Off))
}

/// Returns how a script that runs ours does so.
fn called_by(script: &[u8], hook: &str) -> Present {
    match hook_script::is_told_nothing(&String::from_utf8_lossy(script), hook) {
        true => Present::ToldNothing,
        false => Present::Called,
    }
}
