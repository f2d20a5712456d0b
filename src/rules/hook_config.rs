//! Judges whether a hook manager's configuration runs git-pack's hook so that its failure blocks. Only what can be
//! proven counts.
//!
//! An unknown key might skip the hook, so a configuration with one proves nothing.

use crate::format::foreign::Node;
use crate::rules::hook_script::{self, Errexit};

/// Returns whether a configuration of lefthook runs git-pack's `hook` so that it blocks.
pub fn lefthook_blocks(config: &Node, hook: &str) -> bool {
    // These keys include files that are not examined here, or change how every job is run.
    let elsewhere = ["extends", "remote", "remotes", "rc", "templates", "lefthook"];
    if elsewhere.iter().any(|key| config.get(key).is_some()) {
        return false;
    }
    let Some(jobs) = config.get(hook) else { return false };
    if !jobs.has_only(&["jobs", "commands", "parallel", "piped", "follow"]) {
        return false;
    }
    let listed = jobs.get("jobs").map(Node::items).unwrap_or_default().iter();
    let named = jobs.get("commands").map(Node::fields).unwrap_or_default().iter();
    listed.chain(named.map(|(_, job)| job)).any(|job| {
        let keys = ["name", "run", "use_stdin", "priority", "fail_text"];
        let run = job.get("run").and_then(Node::text).unwrap_or_default();
        // Without use_stdin, pre-push gets no input and judges everything.
        job.has_only(&keys) && hook_script::blocks(run, hook, Errexit::Off)
    })
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

    #[test]
    fn what_lefthook_runs_for_sure_counts() {
        for text in [
            "pre-commit:\n  jobs:\n    - name: x\n      run: git pack hook pre-commit\n",
            "colors: false\npre-commit:\n  parallel: true\n  commands:\n    guard:\n      run: git pack hook pre-commit || exit 1\n",
            "{\"pre-commit\":{\"jobs\":[{\"run\":\"npm test\"},{\"run\":\"git pack hook pre-commit\"}]}}",
        ] {
            assert!(lefthook(text, "pre-commit"), "{text}");
            assert!(!lefthook(text, "pre-push"), "{text}");
        }
        for text in [
            "pre-commit:\n  jobs:\n    - run: git pack hook pre-commit || true\n",
            "pre-commit:\n  jobs:\n    - run: git pack hook pre-commit\n      skip: true\n",
            "pre-commit:\n  jobs:\n    - run: git pack hook pre-commit\n      glob: '*.js'\n",
            "pre-commit:\n  skip: true\n  jobs:\n    - run: git pack hook pre-commit\n",
            "pre-commit:\n  jobs:\n    - run: |\n        git pack hook pre-commit\n        true\n",
            "extends: [other.yml]\npre-commit:\n  jobs:\n    - run: git pack hook pre-commit\n",
            "note: |\n  git pack hook pre-commit\n",
            "pre-commit:\n  jobs:\n    - run: echo # git pack hook pre-commit\n",
            "x: &x 1\npre-commit: *x\n",
        ] {
            assert!(!lefthook(text, "pre-commit"), "{text}");
        }
        let push = "pre-push:\n  jobs:\n    - run: git pack hook pre-push {1} {2}\n      use_stdin: true\n";
        assert!(lefthook(push, "pre-push"));
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
