//! The canary of `git pack status --doctor`: whether each hook blocks a file that it must block.

use super::expected_hooks;
use crate::adapters::git::canary::{self, Answer, Canary, Push};
use crate::ops::Context;
use crate::ops::guard::install::{self, ALL_HOOKS};
use crate::refusal::Result;

/// The outcome of a hook on a canary.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CanaryOutcome {
    /// The hook blocked the canary, and named it.
    Blocked,
    /// The hook blocked a push of the canary, but not a push of another ref and the canary. A hook manager tells it
    /// only one ref.
    BlockedAlone,
    /// The hook let the canary pass, or is not installed.
    NotGuarded,
    /// The hook failed for another reason.
    FailedOtherwise(String),
}

/// Gives a canary to each hook, as git would, and reports the outcomes.
pub fn doctor(ctx: &Context) -> Result<Vec<(&'static str, CanaryOutcome)>> {
    let repo = ctx.repository()?;
    let mut hooks = expected_hooks(&repo);
    for hook in ALL_HOOKS {
        if !hooks.contains(&hook) && install::installed(ctx, &repo, hook)?.is_some() {
            hooks.push(hook);
        }
    }
    let canary = Canary::plant(&repo, &ctx.cwd)?;
    let remote = repo.any_remote().unwrap_or_else(|| "origin".into());
    let url = repo
        .push_urls(&remote)
        .into_iter()
        .next()
        .unwrap_or_else(|| remote.clone());
    let mut proofs = Vec::new();
    for hook in hooks {
        let outcome = match hook {
            "pre-push" => match outcome(&canary.push(Push::Second, &remote, &url)?) {
                CanaryOutcome::Blocked => CanaryOutcome::Blocked,
                second => match (outcome(&canary.push(Push::Alone, &remote, &url)?), second) {
                    (CanaryOutcome::Blocked, CanaryOutcome::NotGuarded) => CanaryOutcome::BlockedAlone,
                    (alone, _) => alone,
                },
            },
            _ => outcome(&canary.give_to(hook)?),
        };
        proofs.push((hook, outcome));
    }
    Ok(proofs)
}

fn outcome(answer: &Answer) -> CanaryOutcome {
    let named = answer.words.contains(canary::PATH);
    match (answer.passed, named) {
        (false, true) => CanaryOutcome::Blocked,
        (true, _) => CanaryOutcome::NotGuarded,
        (false, false) => {
            let mut lines = answer.words.lines().rev();
            let last = lines.find(|line| line.contains(char::is_alphanumeric));
            CanaryOutcome::FailedOtherwise(last.unwrap_or("it printed nothing").trim().to_owned())
        }
    }
}
