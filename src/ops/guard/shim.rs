//! The hooks of git-pack as they are written: a shim in a file, or a command in git's configuration.

use crate::ops::Context;
use crate::ops::guard::program;
use crate::refusal::Result;

const SHIM: &str = include_str!("../../../hooks/shim");

/// The command in git's configuration: a line for sh, to which git adds the arguments.
const COMMAND: &str = include_str!("../../../hooks/configured");

/// A line of every shim of ours, of any version, begins with this mark.
const MARK: &str = "# git-pack guard, shim ";

/// Returns whether a hook is a shim of ours, of any version, edited or not.
pub(super) fn is_ours(hook: &[u8]) -> bool {
    hook.split(|byte| *byte == b'\n')
        .any(|line| line.starts_with(MARK.as_bytes()))
}

/// Returns whether this is our shim of a hook, unchanged.
pub(super) fn is_whole_shim(text: &str, hook: &str) -> bool {
    is_made_of(SHIM, text, hook)
}

/// Returns whether this is our command of a hook, unchanged.
pub(super) fn is_whole_command(text: &str, hook: &str) -> bool {
    is_made_of(COMMAND, text, hook)
}

/// Returns whether `text` is `template` for this hook, with any path of the program in it. An edited shim may not
/// guard.
fn is_made_of(template: &str, text: &str, hook: &str) -> bool {
    let template = template.trim_end().replace("@HOOK@", hook);
    let mut parts = template.split("@BINARY@");
    let rest = parts.next().and_then(|first| text.trim_end().strip_prefix(first));
    let Some(mut rest) = rest else { return false };
    let mut program: Option<&str> = None;
    for part in parts {
        let end = match program {
            Some(program) => rest.starts_with(program).then_some(program.len()),
            None => rest.find(part).filter(|end| is_quoted(&rest[..*end])),
        };
        let Some(end) = end else { return false };
        program.get_or_insert(&rest[..end]);
        match rest[end..].strip_prefix(part) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.is_empty()
}

/// Returns whether this is one word in the quotes of [`program::quoted`].
fn is_quoted(text: &str) -> bool {
    let inner = text.strip_prefix('\'').and_then(|text| text.strip_suffix('\''));
    inner.is_some_and(|inner| !inner.replace(r"'\''", "").contains('\''))
}

/// Returns the shim of a hook.
pub(super) fn shim(ctx: &Context, hook: &str) -> Result<Vec<u8>> {
    let binary = program::quoted(ctx)?;
    Ok(SHIM.replace("@HOOK@", hook).replace("@BINARY@", &binary).into_bytes())
}

/// Returns the command for git's configuration to run as `hook`.
pub(super) fn command(ctx: &Context, hook: &str) -> Result<String> {
    let binary = program::quoted(ctx)?;
    Ok(COMMAND.trim_end().replace("@HOOK@", hook).replace("@BINARY@", &binary))
}
