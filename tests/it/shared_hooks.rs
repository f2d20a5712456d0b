//! Hooks directories that all repositories of a user or of a machine share.

use std::fs;
use std::path::PathBuf;

use crate::common::{self, Done, Repo};

/// Two repositories whose user keeps the hooks of all repositories in one directory.
struct Shared {
    asking: Repo,
    other: Repo,
    hooks: PathBuf,
}

impl Shared {
    /// `variable` names git's variable for the file of the configuration that sets `core.hooksPath`.
    fn run(&self, repo: &Repo, variable: &str, args: &[&str]) -> Done {
        let file = self.asking.place.path().join("gitconfig");
        common::write(&file, format!("[core]\n\thooksPath = {}\n", self.hooks.display()));
        let mut command = repo.place.command(args[0], &repo.root);
        command
            .args(&args[1..])
            .env_remove("GIT_CONFIG_NOSYSTEM")
            .env(variable, file);
        Done::from(command.output().unwrap())
    }

    fn hooks(&self) -> Vec<String> {
        let names = fs::read_dir(&self.hooks).into_iter().flatten();
        let mut names: Vec<_> = names.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn hooks_that_all_repositories_share_are_changed_only_on_request() {
    for variable in ["GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"] {
        let asking = Repo::empty();
        let hooks = asking.place.path().join("shared hooks");
        let all = Shared {
            other: Repo::empty(),
            asking,
            hooks,
        };
        let run = |repo, args: &[&str]| all.run(repo, variable, args);
        fs::create_dir(&all.hooks).unwrap();
        let (before, home) = (common::snapshot(&all.asking.root), all.asking.place.home());
        for args in [
            &["git-pack", "init"][..],
            &["git-pack", "install"],
            &["git-pack", "install", "--force"],
        ] {
            let done = run(&all.asking, args);
            let text = done.stderr.clone();
            done.refused("E_UNSUPPORTED");
            assert!(
                text.contains("shared hooks") && text.contains("--shared"),
                "{args:?}: {text}"
            );
            assert!(
                all.hooks().is_empty() && common::snapshot(&all.asking.root) == before,
                "{args:?}"
            );
            assert_eq!(fs::read_dir(&home).unwrap().count(), 0, "{args:?}");
        }

        let said = run(&all.asking, &["git-pack", "install", "--shared"]).ok().out();
        assert!(said.contains("every repository"), "{said}");
        assert_eq!(all.hooks(), ["pre-commit", "pre-merge-commit", "pre-push"]);
        run(&all.asking, &["git-pack", "init"]).ok();
        all.other.write("a.vec", "x");
        run(&all.other, &["git", "add", "a.vec"]).ok();
        let done = run(&all.other, &["git", "commit", "-m", "x"]);
        assert!(done.code == 1 && done.stderr.contains("a.vec"), "{}", done.stderr);

        run(&all.other, &["git-pack", "uninstall"]).refused("E_UNSUPPORTED");
        assert_eq!(all.hooks().len(), 3);
        run(&all.other, &["git-pack", "uninstall", "--shared"]).ok();
        assert!(all.hooks().is_empty());
    }
}

#[test]
fn a_newer_git_guards_one_repository_beside_shared_hooks() {
    let asking = Repo::empty();
    let hooks = asking.place.path().join("shared");
    let all = Shared {
        other: Repo::empty(),
        asking,
        hooks,
    };
    all.asking.place.git_says("2.54.0");
    let run = |args: &[&str]| all.run(&all.asking, "GIT_CONFIG_GLOBAL", args);
    for args in [
        &["git-pack", "install"][..],
        &["git-pack", "install"],
        &["git-pack", "install", "--force"],
    ] {
        let said = run(args).ok().out();
        assert!(!said.contains("every repository"), "{said}");
        assert!(all.hooks().is_empty());
    }
    let status = run(&["git-pack", "status"]).shown().out();
    assert!(status.contains("installed"), "{status}");
    run(&["git-pack", "uninstall"]).ok();
    let left = run(&["git", "config", "--local", "--get-regexp", "^hook"]).out();
    assert_eq!(left, "");
}

#[test]
fn a_relative_hooks_path_of_the_user_is_not_shared() {
    let repo = Repo::empty();
    let all = Shared {
        hooks: PathBuf::from(".own-hooks"),
        other: Repo::empty(),
        asking: repo,
    };
    all.run(&all.asking, "GIT_CONFIG_GLOBAL", &["git-pack", "install"]).ok();
    assert!(all.asking.path(".own-hooks/pre-commit").exists());
}
