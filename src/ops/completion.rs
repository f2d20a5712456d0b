//! The names that a shell can complete: packs, remotes, scopes and revisions of the repository here. A repository may be hostile,
//! so only names of harmless characters are told.

use crate::adapters::files;
use crate::ops::{Context, configuration};
use crate::rules::protect::OUTPUT_DIRECTORY;

/// The most names of one kind.
const MOST: usize = 500;

/// Returns the packs below the output directory, as paths from the current directory.
pub fn packs(ctx: &Context) -> Vec<String> {
    let top = ctx.repository().ok().and_then(|repo| repo.work_tree());
    let Some(top) = top else { return Vec::new() };
    let names = files::directories_in(&top.join(OUTPUT_DIRECTORY)).unwrap_or_default();
    // Without links in it, the current directory is below the top by its text.
    let here = files::canonical(&ctx.cwd).unwrap_or_else(|_| ctx.cwd.clone());
    let Ok(below) = here.strip_prefix(&top) else {
        return Vec::new();
    };
    let up = "../".repeat(below.components().count());
    let names = names.iter().filter_map(|name| name.to_str());
    harmless(names.map(|name| format!("{up}{OUTPUT_DIRECTORY}/{name}")))
}

/// Returns the names of the remotes.
pub fn remotes(ctx: &Context) -> Vec<String> {
    let repo = ctx.repository();
    harmless(repo.map(|repo| repo.remotes()).unwrap_or_default())
}

/// Returns the keys of the scopes.
pub fn scopes(ctx: &Context) -> Vec<String> {
    let here = ctx.repository().and_then(|repo| configuration::here(&repo));
    let scopes = here.map(|here| here.config.scopes.into_keys().collect::<Vec<_>>());
    harmless(scopes.unwrap_or_default())
}

/// Returns branches and tags.
pub fn revisions(ctx: &Context) -> Vec<String> {
    let Ok(repo) = ctx.repository() else {
        return Vec::new();
    };
    let mut names = vec!["HEAD".to_owned()];
    // git finds a branch of a remote by its name below refs/remotes/.
    for prefix in ["refs/heads/", "refs/tags/", "refs/remotes/"] {
        let refs = repo.refs(prefix).unwrap_or_default();
        names.extend(refs.into_iter().map(|(name, _)| name));
    }
    harmless(names)
}

/// Returns the names that neither a shell nor a terminal takes for anything else.
fn harmless(names: impl IntoIterator<Item = String>) -> Vec<String> {
    let is_harmless = |name: &String| {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"._/+@-".contains(&b);
        !name.starts_with('-') && name.bytes().all(plain)
    };
    names.into_iter().filter(is_harmless).take(MOST).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hostile_names_are_left_out() {
        let names = [
            "main",
            "v1.0",
            "a/b",
            "$(id)",
            "a b",
            "x;y",
            "-rf",
            "\u{1b}[2J",
            "a\nb",
            "`id`",
            "é",
            "~",
            "a:b",
        ];
        assert_eq!(harmless(names.map(str::to_owned)), ["main", "v1.0", "a/b"]);
        assert_eq!(harmless((0..1000).map(|n| n.to_string())).len(), MOST);
    }
}
