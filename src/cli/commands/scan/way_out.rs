//! How to take files out of commits, for people: commands that leave the files on disk as they are.

use super::leaks::TYPED;
use crate::cli::env;
use crate::cli::output::table::aligned;
use crate::cli::output::words::{TYPE, argument, count, paint, pathspec, quoted};
use crate::format::repo_path::RepoPath;
use crate::ops::guard::way_out::{Holder, WayOut};
use crate::refusal::shown::visible;
use crate::rules::rewriting::Rewriting;

/// The most refs that are named.
const NAMED: usize = 5;

/// Returns the commands that take the files out of commits, and what they do. `is_sealable` tells which files can be sealed.
pub(in crate::cli::commands) fn way_out_lines(way: &WayOut, is_sealable: &dyn Fn(&RepoPath) -> bool) -> String {
    let mut text = String::new();
    let git = env::git_at_top();
    let (mut commands, about) = match &way.rewriting {
        Rewriting::Again { base, joined } => (
            again(way, base.map(|base| base.short()), &git, is_sealable),
            about(way, *joined),
        ),
        Rewriting::Each => (
            each(way, &git, is_sealable),
            "  it rewrites the commits one by one, and keeps the files on disk as they are\n".to_owned(),
        ),
        Rewriting::NotHere => (Vec::new(), String::new()),
    };
    if !commands.is_empty() {
        text.push_str("  these commits are not pushed yet; take the files out of them:\n");
        commands
            .iter_mut()
            .for_each(|command| text.push_str(&format!("    {}\n", paint(TYPE, command))));
        text.push_str(&about);
    }
    text.push_str(&holders(&way.holders, commands.is_empty()));
    text
}

/// Returns the commands that make the commits again.
fn again(way: &WayOut, base: Option<String>, git: &str, is_sealable: &dyn Fn(&RepoPath) -> bool) -> Vec<String> {
    let mut commands = vec![match base {
        Some(base) => format!("{git} reset --soft {base}"),
        None => format!("{git} update-ref -d HEAD"),
    }];
    commands.extend(taking_out(way, git, is_sealable));
    if !way.leaves_nothing {
        commands.push(format!("{git} commit"));
    }
    commands
}

fn about(way: &WayOut, joined: usize) -> String {
    match joined {
        _ if way.leaves_nothing => "  the files on disk stay as they are; nothing else is in the commits\n".to_owned(),
        1 => "  the files on disk stay as they are\n".to_owned(),
        n => format!("  the files on disk stay as they are, and the last {n} commits become one\n"),
    }
}

/// Returns the commands that rewrite each commit.
fn each(way: &WayOut, git: &str, is_sealable: &dyn Fn(&RepoPath) -> bool) -> Vec<String> {
    let mut commands: Vec<String> = taking_out(way, git, is_sealable).collect();
    if !commands.is_empty() || !way.leaves_nothing {
        commands.push(format!("{git} commit"));
    }
    let paths: Vec<&RepoPath> = way.paths.iter().collect();
    let filter = format!("git rm -q --cached --ignore-unmatch --{}", listed(&paths, &pathspec));
    commands.push(format!(
        "{git} filter-branch --index-filter {} -- HEAD --not --remotes",
        quoted(filter.as_bytes())
    ));
    commands
}

/// Returns the commands after which git does not track the files any more.
fn taking_out(way: &WayOut, git: &str, is_sealable: &dyn Fn(&RepoPath) -> bool) -> impl Iterator<Item = String> {
    let (sealable, others): (Vec<&RepoPath>, Vec<&RepoPath>) = way.tracked.iter().partition(|path| is_sealable(path));
    let seal = (!sealable.is_empty()).then(|| format!("{git} pack protect{}", listed(&sealable, &argument)));
    let untrack = (!others.is_empty()).then(|| format!("{git} rm --cached --{}", listed(&others, &pathspec)));
    seal.into_iter().chain(untrack)
}

/// Returns paths as words of a command, or a placeholder if they are too many to be typed.
fn listed(paths: &[&RepoPath], name: &dyn Fn(&[u8]) -> String) -> String {
    match paths.len() {
        0..=TYPED => paths.iter().map(|path| format!(" {}", name(path.as_bytes()))).collect(),
        n => format!(" <each of the {n} files>"),
    }
}

/// Returns the refs that lead to the commits, each with the command that changes that.
fn holders(holders: &[Holder], are_alone: bool) -> String {
    if holders.is_empty() {
        return String::new();
    }
    let rows: Vec<[String; 2]> = holders
        .iter()
        .take(NAMED)
        .map(|holder| [visible(holder.name.as_bytes()), paint(TYPE, &freeing(holder))])
        .collect();
    let mut text = match are_alone {
        true => "  HEAD does not lead to these commits, but this does:\n".to_owned(),
        false => "  this leads to these commits too:\n".to_owned(),
    };
    text.push_str(&aligned(&rows, "    "));
    if holders.len() > NAMED {
        let more = count((holders.len() - NAMED) as u64, "more ref");
        text.push_str(&format!("    and {more}\n"));
    }
    text
}

/// Returns the command after which a ref leads to the commits no longer, or after which its commits can be made again.
fn freeing(holder: &Holder) -> String {
    if let Some(run) = &holder.run {
        return format!(
            "rm -r {} && git update-ref -d {}",
            argument(run.as_os_str().as_encoded_bytes()),
            quoted(holder.name.as_bytes())
        );
    }
    let name = |short: &str| quoted(short.as_bytes());
    match (
        holder.name.strip_prefix("refs/heads/"),
        holder.name.strip_prefix("refs/tags/"),
    ) {
        (Some(branch), _) => format!(
            "git switch --no-overwrite-ignore {}, then git pack scan --all",
            name(branch)
        ),
        (_, Some(tag)) => format!("git tag -d {}", name(tag)),
        _ if holder.name == "refs/stash" => "git stash list, then git stash drop".to_owned(),
        _ => format!("git update-ref -d {}", name(&holder.name)),
    }
}
