//! Hook managers: whose hook is this, and how is ours added to what they run?

/// A program that owns the files in the hooks directory and writes them anew when it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manager {
    /// husky, configured by one script a hook.
    Husky,
    /// lefthook.
    Lefthook,
    /// pre-commit.
    PreCommit,
    /// prek, which reads pre-commit's configuration.
    Prek,
}

impl Manager {
    /// Recognises the manager that wrote a hook, by its text and by the directory that it lies in.
    pub fn of(hook: &[u8], directory: &[u8]) -> Option<Self> {
        let text = String::from_utf8_lossy(hook);
        let directory = String::from_utf8_lossy(directory);
        let directory = directory.trim_end_matches('/');
        if directory.ends_with(".husky") || directory.ends_with(".husky/_") || text.contains("husky") {
            Some(Self::Husky)
        } else if text.contains("lefthook") {
            Some(Self::Lefthook)
        } else if text.contains("prek") {
            Some(Self::Prek)
        } else if text.contains("pre-commit.com") || text.contains("pre_commit") {
            Some(Self::PreCommit)
        } else {
            None
        }
    }

    /// Returns the manager's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Husky => "husky",
            Self::Lefthook => "lefthook",
            Self::PreCommit => "pre-commit",
            Self::Prek => "prek",
        }
    }

    /// Returns the files, from the top of the work tree, in which `hook` is configured.
    pub fn configuration(self, hook: &str) -> Vec<String> {
        match self {
            Self::Husky => vec![format!(".husky/{hook}")],
            Self::Lefthook => [
                "lefthook",
                ".lefthook",
                "lefthook-local",
                ".lefthook-local",
                ".config/lefthook",
            ]
            .iter()
            .flat_map(|stem| ["yml", "yaml", "toml", "json", "jsonc"].map(|end| format!("{stem}.{end}")))
            .collect(),
            Self::PreCommit | Self::Prek => {
                vec![
                    ".pre-commit-config.yaml".into(),
                    ".pre-commit-config.yml".into(),
                    "prek.toml".into(),
                ]
            }
        }
    }

    /// Returns whether a configuration file runs our `hook`.
    pub fn runs_ours(self, hook: &str, configuration: &[u8]) -> bool {
        let text = String::from_utf8_lossy(configuration);
        let lines = || text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
        let called = [format!("git pack hook {hook}"), format!("git-pack hook {hook}")];
        let id = match hook {
            "pre-push" => "git-pack-push",
            _ => "git-pack-commit",
        };
        lines().any(|line| called.iter().any(|call| line.contains(call)))
            || (matches!(self, Self::PreCommit | Self::Prek) && lines().any(|line| line.contains(id)))
    }

    /// Returns what to write, and where, so that the manager runs our hooks.
    pub fn lines(self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::Husky => (
                "to .husky/pre-commit, .husky/pre-merge-commit and .husky/pre-push, each with its own name",
                &["git pack hook pre-commit \"$@\""],
            ),
            Self::Lefthook => (
                "to lefthook.yml, then run lefthook install",
                &[
                    "pre-commit:",
                    "  jobs:",
                    "    - run: git pack hook pre-commit",
                    "pre-merge-commit:",
                    "  jobs:",
                    "    - run: git pack hook pre-merge-commit",
                    "pre-push:",
                    "  jobs:",
                    "    - run: git pack hook pre-push {1} {2}",
                    "      use_stdin: true",
                ],
            ),
            Self::PreCommit | Self::Prek => (
                "below repos in .pre-commit-config.yaml, then install with -t pre-commit -t pre-merge-commit -t pre-push",
                &[
                    "- repo: local",
                    "  hooks:",
                    "    - id: git-pack-commit",
                    "      name: git-pack",
                    "      entry: git-pack hook pre-commit",
                    "      language: system",
                    "      stages: [pre-commit, pre-merge-commit]",
                    "      always_run: true",
                    "      pass_filenames: false",
                    "    - id: git-pack-push",
                    "      name: git-pack",
                    "      entry: git-pack hook pre-push",
                    "      language: system",
                    "      stages: [pre-push]",
                    "      always_run: true",
                    "      pass_filenames: false",
                ],
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Manager;

    #[test]
    fn managers_are_recognised_by_what_they_write() {
        for (text, directory, manager) in [
            (
                "#!/usr/bin/env sh\n. \"$(dirname \"$0\")/h\"",
                "/r/.husky/_",
                Some(Manager::Husky),
            ),
            (
                "#!/bin/sh\ncall_lefthook run \"pre-commit\"",
                "/r/.git/hooks",
                Some(Manager::Lefthook),
            ),
            (
                "# File generated by pre-commit: https://pre-commit.com\n",
                "/r/.git/hooks",
                Some(Manager::PreCommit),
            ),
            (
                "#!/bin/sh\n# File generated by prek: https://github.com/j178/prek\n",
                "/r/.git/hooks",
                Some(Manager::Prek),
            ),
            ("#!/bin/sh\nmake lint\n", "/r/.git/hooks", None),
        ] {
            assert_eq!(Manager::of(text.as_bytes(), directory.as_bytes()), manager, "{text}");
        }
    }

    #[test]
    fn the_lines_that_are_told_are_recognised_again() {
        for manager in [Manager::Lefthook, Manager::PreCommit, Manager::Prek] {
            let text = manager.lines().1.join("\n");
            for hook in ["pre-commit", "pre-push"] {
                assert!(manager.runs_ours(hook, text.as_bytes()), "{} {hook}", manager.name());
            }
            assert!(!manager.runs_ours("pre-push", b"# git pack hook pre-push\n"));
        }
        assert!(Manager::Husky.runs_ours("pre-commit", b"npm test\ngit pack hook pre-commit \"$@\"\n"));
        assert!(!Manager::Husky.runs_ours("pre-push", b"git pack hook pre-commit \"$@\"\n"));
    }
}
