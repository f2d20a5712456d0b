//! Judges whether a hook manager's configuration runs git-pack's hook so that its failure blocks. Only what can be
//! proven counts.
//!
//! An unknown key might skip the hook, so a configuration with one proves nothing.

use crate::format::foreign::Node;
use crate::rules::hook_script::{self, Errexit};

/// Keys of lefthook's that include files that are not examined here, or change how every job is run.
const ELSEWHERE: [&str; 6] = ["extends", "remote", "remotes", "rc", "templates", "lefthook"];

/// Without this key, lefthook's hooks pass everything if lefthook is not installed.
const ASSERT: &str = "assert_lefthook_installed";

/// The command of `templates/lefthook.yml` that names a file that always exists. lefthook skips a job without files.
const FILES: &str = "git ls-files -co lefthook.* .lefthook.* .config/lefthook.*";

/// Returns whether a configuration of lefthook runs git-pack's `hook` so that it blocks.
pub fn lefthook_blocks(config: &Node, hook: &str) -> bool {
    if !has_own_say(config) || !config.says(ASSERT, "true") {
        return false;
    }
    let Some(jobs) = config.get(hook) else { return false };
    if !jobs.has_only(&["jobs", "commands", "parallel", "piped", "follow"]) {
        return false;
    }
    let listed = jobs.get("jobs").map(Node::items).unwrap_or_default();
    let named = jobs.get("commands").map(Node::fields).unwrap_or_default().iter();
    let all: Vec<&Node> = listed.iter().chain(named.map(|(_, job)| job)).collect();
    // Jobs that run in turn begin with the first one of the list.
    let in_turn = !listed.is_empty() && jobs.get("parallel").is_none();
    all.iter().enumerate().any(|(at, job)| {
        let mut others = all.iter().enumerate().filter(|(other, _)| *other != at);
        let is_told = hook != "pre-push"
            || job.says("use_stdin", "true")
                && ((in_turn && at == 0) || others.all(|(_, other)| !may_read_input(other)));
        is_told && lefthook_job_blocks(job, hook)
    })
}

/// Returns whether lefthook runs this job whatever is committed or pushed, and the job runs git-pack's `hook`.
fn lefthook_job_blocks(job: &Node, hook: &str) -> bool {
    let keys = ["name", "run", "files", "use_stdin", "priority", "fail_text"];
    let run = job.get("run").and_then(Node::text).unwrap_or_default();
    // Without one of these files, lefthook skips the job.
    let asks_for_more = ["{staged_files}", "{push_files}", "{all_files}"]
        .iter()
        .any(|files| run.contains(files));
    job.has_only(&keys)
        && job.says("files", FILES)
        && run.contains("{files}")
        && !asks_for_more
        && hook_script::blocks(run, hook, Errexit::Off)
}

/// Returns whether a job of lefthook may read git's lines. Beside it or after it, another job may get only a part of
/// them.
fn may_read_input(job: &Node) -> bool {
    let reads = job.get("use_stdin").is_some_and(|reads| reads.text() != Some("false"));
    reads || job.get("group").is_some()
}

/// Returns whether only this file of lefthook decides what it says. A key with a dot may stand for one inside another.
fn has_own_say(config: &Node) -> bool {
    let is_plain = |key: &str| !key.contains('.') && !ELSEWHERE.contains(&key);
    matches!(config, Node::Map(_)) && config.fields().iter().all(|(key, _)| is_plain(key))
}

/// Returns whether a further configuration of lefthook leaves `hook` as it is.
pub fn lefthook_leaves(config: &Node, hook: &str) -> bool {
    has_own_say(config) && config.get(ASSERT).is_none() && config.get(hook).is_none()
}

/// Returns whether a configuration of pre-commit or prek runs git-pack's `hook` so that it blocks, as a local hook or
/// as one of those in `.pre-commit-hooks.yaml`.
pub fn pre_commit_blocks(config: &Node, hook: &str) -> bool {
    let repos = config.get("repos").map(Node::items).unwrap_or_default().iter();
    // A hook without stages has the default stages of the file.
    let default = config.get("default_stages");
    repos
        .flat_map(|repo| {
            let hooks = repo.get("hooks").map(Node::items).unwrap_or_default().iter();
            hooks.map(move |entry| (repo.says("repo", "local"), entry))
        })
        .any(|(local, entry)| match local {
            true => local_blocks(entry, default, hook),
            false => offered_blocks(entry, hook),
        })
}

fn offered_blocks(entry: &Node, hook: &str) -> bool {
    let ids = match hook {
        "pre-push" => ["git-pack-push", "git-pack-push-system"],
        _ => ["git-pack-commit", "git-pack-commit-system"],
    };
    let id = entry.get("id").and_then(Node::text).unwrap_or_default();
    ids.contains(&id)
        && entry.has_only(&["id", "name", "alias", "verbose", "stages"])
        && entry.get("stages").is_none_or(|stages| has_stage(stages, hook))
}

fn local_blocks(entry: &Node, default: Option<&Node>, hook: &str) -> bool {
    let keys = [
        "id",
        "name",
        "alias",
        "description",
        "entry",
        "language",
        "stages",
        "always_run",
        "pass_filenames",
        "require_serial",
        "verbose",
    ];
    let called = entry.get("entry").and_then(Node::text).unwrap_or_default();
    let called: Vec<&str> = called.split_whitespace().collect();
    let names = match called.as_slice() {
        ["git", "pack", "hook", name] | ["git-pack", "hook", name] => *name,
        _ => return false,
    };
    // The files of a merge commit are staged too, so the pre-commit hook covers it.
    let is_ours = names == hook || (hook == "pre-merge-commit" && names == "pre-commit");
    let stages = entry.get("stages").or(default);
    let language = entry.get("language").and_then(Node::text).unwrap_or_default();
    is_ours
        && entry.has_only(&keys)
        && ["system", "unsupported"].contains(&language)
        && entry.says("always_run", "true")
        && entry.says("pass_filenames", "false")
        && stages.is_none_or(|stages| has_stage(stages, hook))
}

/// Returns whether a hook is in these stages. Older versions use shorter names for stages.
fn has_stage(stages: &Node, hook: &str) -> bool {
    let short = hook.strip_prefix("pre-").unwrap_or(hook);
    let mut stages = stages.items().iter().filter_map(Node::text);
    stages.any(|stage| stage == hook || stage == short)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lefthook(text: &str, hook: &str) -> bool {
        Node::of_yaml(text).is_some_and(|config| lefthook_blocks(&config, hook))
    }

    fn pre_commit(text: &str, hook: &str) -> bool {
        Node::of_yaml(text).is_some_and(|config| pre_commit_blocks(&config, hook))
    }

    /// A configuration with one job of this name and these lines, without `files` and `use_stdin`.
    fn job(run: &str, more: &[&str]) -> String {
        let mut text = format!("{ASSERT}: true\npre-commit:\n  jobs:\n    - run: {run}\n");
        for line in more {
            text += &format!("      {line}\n");
        }
        text
    }

    #[test]
    fn what_lefthook_runs_for_sure_counts() {
        let files = format!("files: {FILES}");
        let run = "git pack hook pre-commit {files}";
        for text in [
            job(run, &[&files]),
            format!(
                "colors: false\n{}",
                job("git pack hook pre-commit {files} || exit 1", &[&files, "name: x"])
            ),
            format!(
                "{ASSERT}: true\npre-commit:\n  parallel: true\n  commands:\n    guard:\n      run: {run}\n      {files}\n"
            ),
            format!(
                "{{\"{ASSERT}\":true,\"pre-commit\":{{\"jobs\":[{{\"run\":\"npm test\"}},{{\"run\":\"{run}\",\"files\":\"{FILES}\"}}]}}}}"
            ),
        ] {
            assert!(lefthook(&text, "pre-commit"), "{text}");
            assert!(!lefthook(&text, "pre-push"), "{text}");
        }
        let good = job(run, &[&files]);
        for text in [
            job("git pack hook pre-commit {files} || true", &[&files]),
            job(run, &[&files, "skip: true"]),
            job(run, &[&files, "glob: '*.js'"]),
            job(run, &[&files, "exclude: ['*']"]),
            job(run, &[&files, "root: x/"]),
            job("|\n        git pack hook pre-commit {files}\n        true", &[&files]),
            job("echo # git pack hook pre-commit {files}", &[&files]),
            good.replace("pre-commit:\n", "pre-commit:\n  skip: true\n"),
            good.replace("pre-commit:\n", "pre-commit:\n  exclude: ['*']\n"),
            // lefthook skips these without files that match.
            job("git pack hook pre-commit", &[]),
            job("git pack hook pre-commit", &[&files]),
            job(run, &[]),
            job(run, &["files: git diff --name-only HEAD @{push}"]),
            job(
                "|\n        npx eslint {staged_files}\n        git pack hook pre-commit {files}",
                &[&files],
            ),
            // Without lefthook, its hook passes everything.
            good.replace(&format!("{ASSERT}: true\n"), ""),
            good.replace(&format!("{ASSERT}: true\n"), &format!("{ASSERT}: false\n")),
            // Something else decides.
            format!("extends: [other.yml]\n{good}"),
            format!("rc: ./rc\n{good}"),
            format!("lefthook: 'true'\n{good}"),
            format!("templates:\n  files: ''\n{good}"),
            format!("pre-commit.skip: true\n{good}"),
            format!("note: |\n  {run}\n"),
            "x: &x 1\npre-commit: *x\n".to_owned(),
        ] {
            assert!(!lefthook(&text, "pre-commit"), "{text}");
        }
    }

    #[test]
    fn a_push_counts_if_lefthook_hands_all_lines_on() {
        let ours = format!("- run: git pack hook pre-push '{{1}}' '{{2}}' {{files}}\n      files: {FILES}\n");
        let told = format!("{ours}      use_stdin: true\n");
        let push = |kind: &str, jobs: &[&str]| {
            let jobs = jobs.join("    ");
            let text = format!("{ASSERT}: true\npre-push:\n{kind}  jobs:\n    {jobs}");
            lefthook(&text, "pre-push")
        };
        let other = "- run: npm test\n";
        let reads = "- run: head -1\n      use_stdin: true\n";
        let group = "- group:\n        jobs:\n          - run: head -1\n            use_stdin: true\n";
        assert!(push("", &[&told]));
        assert!(push("", &[other, &told]) && push("  parallel: true\n", &[other, &told]));
        assert!(push("", &[&told, reads]) && push("  piped: true\n", &[&told, group]));
        for before in [reads, group] {
            assert!(!push("", &[before, &told]), "{before}");
            assert!(!push("  parallel: true\n", &[&told, before]), "{before}");
        }
        assert!(
            !push("", &[&ours]),
            "without the lines, a commit that no ref holds escapes"
        );
        assert!(!push("", &[&format!("{ours}      use_stdin: false\n")]));
        let bare = told.replace('\'', "");
        assert!(!push("", &[&bare]), "a URL with a space becomes another one");
    }

    #[test]
    fn what_pre_commit_runs_for_sure_counts() {
        let local = |entry: &str, more: &str| {
            format!(
                "repos:\n- repo: local\n  hooks:\n  - id: g\n    entry: {entry}\n    language: system\n{more}    pass_filenames: false\n"
            )
        };
        let always = "    always_run: true\n";
        let yes = local(
            "git-pack hook pre-commit",
            &format!("{always}    stages: [pre-commit, merge-commit]\n"),
        );
        assert!(pre_commit(&yes, "pre-commit") && pre_commit(&yes, "pre-merge-commit"));
        assert!(!pre_commit(&yes, "pre-push"));
        for text in [
            local("git-pack hook pre-commit", ""),
            local("git-pack hook pre-commit", "    always_run: false\n"),
            local("git-pack hook pre-commit", &format!("{always}    stages: [manual]\n")),
            local("git-pack hook pre-commit", &format!("{always}    files: ^$\n")),
            local("bash -c 'git pack hook pre-commit || true'", always),
            format!(
                "default_stages: [manual]\n{}",
                local("git-pack hook pre-commit", always)
            ),
            "repos:\n- repo: x\n  hooks:\n  - id: git-pack-commit\n    stages: [manual]\n".into(),
            "repos:\n- repo: x\n  hooks:\n  - id: git-pack-commit\n    exclude: .\n".into(),
            "repos:\n- repo: x\n  hooks:\n  - id: other\n    name: git-pack-commit\n".into(),
        ] {
            assert!(!pre_commit(&text, "pre-commit"), "{text}");
        }
        let toml = "[[repos]]\nrepo = \"x\"\nhooks = [{ id = \"git-pack-commit\" }]\n";
        assert!(pre_commit_blocks(&Node::of_toml(toml).unwrap(), "pre-commit"));
    }
}
