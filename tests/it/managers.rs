//! The real hook managers, set up with the lines that git-pack prints: git-pack's hook runs whatever is committed or
//! pushed. Where a manager does not run it, `docs/hooks.md` names the case, and so does a test here.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use crate::common::packs::sample;
use crate::common::{Done, Repo};

/// Returns the directory of the managers. The script `tests/run` installs them.
fn tools() -> PathBuf {
    let named = std::env::var_os("GITPACK_MANAGERS").map(PathBuf::from);
    let place = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/managers"));
    assert!(
        place.join("versions").exists(),
        "{} has no hook managers; tests/run installs them",
        place.display()
    );
    fs::canonicalize(place).unwrap()
}

/// A repository whose hooks belong to a manager that runs git-pack's. `HEAD` is `main`, which the remote has.
struct Managed {
    repo: Repo,
    manager: &'static str,
    /// A commit whose parent holds `a.vec`. No ref leads to it.
    leak: String,
    /// A commit on top of `main` without a leak. No ref leads to it.
    clean: String,
    /// A private key, as a blob that is not in any commit.
    blob: String,
}

impl Managed {
    /// Sets a manager up, asks git-pack for the lines to add, and adds them.
    fn by(manager: &'static str) -> Self {
        Self::with(manager, |_, lines| lines)
    }

    /// The same with other lines than those that git-pack prints.
    fn with(manager: &'static str, change: impl Fn(&Repo, String) -> String) -> Self {
        let repo = Repo::set_up();
        repo.pack(&["uninstall"]).ok();
        repo.place.git_says("2.53.0");
        let tools = tools();
        for program in ["bin/lefthook", "bin/pre-commit", "bin/prek", "node_modules/.bin/husky"] {
            let program = tools.join(program);
            let name = program.file_name().unwrap();
            symlink(&program, repo.place.path().join("bin").join(name)).unwrap();
        }
        let run = |line: &str| drop(repo.place.run(&repo.root, "sh", &["-ec", line]).ok());
        let (file, before, install) = match manager {
            "lefthook" => (
                "lefthook.yml",
                "pre-commit:\n  jobs:\n    - run: exit 0\n",
                "lefthook install",
            ),
            "husky" => ("", "", "husky"),
            _ => (".pre-commit-config.yaml", "repos: []\n", manager),
        };
        let types = "-t pre-commit -t pre-merge-commit -t pre-push";
        let install = match file {
            ".pre-commit-config.yaml" => format!("{install} install {types}"),
            _ => install.to_owned(),
        };
        if !file.is_empty() {
            repo.write(file, before);
        }
        run(&install);
        let refused = repo.pack(&["install"]).refused("E_UNSUPPORTED");
        assert_eq!(refused["refusal"]["detail"]["manager"], manager);
        let lines = refused["refusal"]["detail"]["lines"].as_array().unwrap();
        let lines: Vec<&str> = lines.iter().map(|line| line.as_str().unwrap()).collect();
        let lines = change(&repo, lines.join("\n"));
        match manager {
            "husky" => run(&lines),
            "lefthook" => repo.write(file, lines + "\n"),
            _ => repo.write(file, format!("repos:\n{lines}\n")),
        }
        run(&install);
        repo.write("plain", "x\n");
        symlink("plain", repo.path("link")).unwrap();
        repo.git(&["add", "."]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", "managed"]).ok();
        let bare = ["init", "-q", "--bare", "-b", "main", "remote.git"];
        repo.place.run(repo.place.path(), "git", &bare).ok();
        repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
        repo.git(&["push", "-q", "--no-verify", "-u", "origin", "main"]).ok();

        repo.git(&["checkout", "-q", "--detach"]).ok();
        repo.write("fine", "fine\n");
        repo.git(&["add", "fine"]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", "clean"]).ok();
        let clean = repo.rev("HEAD");
        repo.write("a.vec", "x");
        repo.git(&["add", "-f", "a.vec"]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", "leak"]).ok();
        repo.git(&["rm", "-q", "a.vec"]).ok();
        repo.git(&["commit", "-q", "--no-verify", "-m", "delete"]).ok();
        let leak = repo.rev("HEAD");
        repo.git(&["checkout", "-q", "main"]).ok();
        repo.write("blob", sample("private-key/openssh_ed25519"));
        let blob = repo.git(&["hash-object", "-w", "blob"]).ok().out().trim().to_owned();
        fs::remove_file(repo.path("blob")).unwrap();
        Self {
            repo,
            manager,
            leak,
            clean,
            blob,
        }
    }

    fn remote_refs(&self) -> String {
        let remote = self.repo.place.path().join("remote.git");
        self.repo.place.run(&remote, "git", &["for-each-ref"]).ok().out()
    }

    /// Makes refs, pushes, and takes everything back. In `refs` and `args`, `LEAK`, `CLEAN` and `BLOB` stand for the
    /// objects; `HEAD` detaches it.
    fn push(&self, refs: &[(&str, &str)], args: &[&str]) -> (Done, bool) {
        let git = |args: &[&str]| self.repo.git(args).ok();
        let id = |text: &str| {
            let text = text.replace("LEAK", &self.leak).replace("CLEAN", &self.clean);
            text.replace("BLOB", &self.blob)
        };
        let old = self.repo.rev("main");
        git(&["push", "-q", "--no-verify", "origin", "main:old"]);
        let before = self.remote_refs();
        for (name, what) in refs {
            match *name {
                "HEAD" => git(&["checkout", "-q", &id(what)]),
                "tag" => git(&["tag", "-a", "-m", "x", "annotated", &id(what)]),
                name => git(&["update-ref", name, &id(what)]),
            };
        }
        let args: Vec<String> = args.iter().map(|arg| id(arg)).collect();
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let done = self.repo.git(&[&["push", "-q"], &args[..]].concat());
        let published = self.remote_refs() != before;
        git(&["checkout", "-q", "main"]);
        for line in git(&["for-each-ref", "--format=%(refname)"]).out().lines() {
            if line != "refs/heads/main" {
                git(&["update-ref", "-d", line]);
            }
        }
        git(&["push", "-q", "--no-verify", "--mirror"]);
        git(&["fetch", "-q"]);
        git(&["branch", "-q", "-u", "origin/main"]);
        assert_eq!(self.repo.rev("origin/main"), old);
        (done, published)
    }

    #[track_caller]
    fn assert_push_blocked(&self, what: &str, refs: &[(&str, &str)], args: &[&str]) {
        let (done, published) = self.push(refs, args);
        let manager = self.manager;
        assert!(done.code != 0 && !published, "{manager}: {what} passed");
        let said = format!("{}{}", done.out(), done.stderr);
        let names = ["a.vec", "private-key"];
        assert!(
            names.iter().any(|name| said.contains(name)),
            "{manager}: {what}: {said}"
        );
    }

    #[track_caller]
    fn assert_commit_blocked(&self, what: &str, args: &[&str], name: &str) {
        let before = self.repo.rev("HEAD");
        let done = self.repo.git(args);
        let said = format!("{}{}", done.out(), done.stderr);
        assert!(done.code != 0, "{}: {what} passed: {said}", self.manager);
        assert!(said.contains(name), "{}: {what}: {said}", self.manager);
        assert_eq!(self.repo.rev("HEAD"), before);
    }

    /// Asserts what `status --doctor` says of each hook in a directory, and its exit status.
    #[track_caller]
    fn assert_doctor(&self, directory: &Path, code: i32, says: [&str; 3]) {
        let done = self.repo.place.pack_in(directory, &["status", "--doctor"]);
        let out = done.out();
        assert_eq!(done.code, code, "{}: {out}", self.manager);
        for (hook, what) in ["pre-commit", "pre-merge-commit", "pre-push"].iter().zip(says) {
            let line = format!("{hook}: {what}");
            assert!(
                out.lines().any(|said| said.ends_with(&line)),
                "{}: {line}: {out}",
                self.manager
            );
        }
    }
}

const FIRING: &str = "firing (just blocked a canary)";
const ONE_REF: &str = "firing (just blocked a canary), but its hook manager tells it only one ref of a push";
const NOT_GUARDED: &str = "NOT GUARDED (let a canary pass)";

/// A push: what it has, its refs, and its arguments.
type Push = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

/// Pushes that only a hook with git's lines can judge.
const TOLD_BY_LINES: [Push; 4] = [
    (
        "a commit by its id after a branch",
        &[("refs/heads/clean", "CLEAN")],
        &["origin", "clean", "LEAK:refs/heads/x"],
    ),
    (
        "another ref after a branch",
        &[("refs/heads/clean", "CLEAN"), ("refs/notes/n", "LEAK")],
        &["--mirror"],
    ),
    ("a tag of a blob", &[("refs/tags/t", "BLOB")], &["origin", "t"]),
    ("a tag of a tree", &[("refs/tags/t", "LEAK^^{tree}")], &["origin", "t"]),
];

/// Each push has a leak, and `HEAD` does not differ from what the remote has.
fn every_push_is_judged(manager: &'static str) {
    let managed = Managed::by(manager);
    let blocked = |what, refs: &[(&str, &str)], args: &[&str]| managed.assert_push_blocked(what, refs, args);
    let (side, clean) = (("refs/heads/side", "LEAK"), ("refs/heads/clean", "CLEAN"));
    blocked("another branch", &[side], &["origin", "side"]);
    blocked("another name", &[side], &["origin", "side:refs/heads/x"]);
    blocked("over main", &[side], &["-f", "origin", "side:main"]);
    blocked("a tag", &[("refs/tags/t", "LEAK")], &["origin", "t"]);
    blocked("an annotated tag", &[("tag", "LEAK")], &["--tags"]);
    blocked("the second branch", &[clean, side], &["origin", "clean", "side"]);
    blocked(
        "a tag after a branch",
        &[clean, ("refs/tags/t", "LEAK")],
        &["origin", "clean", "t"],
    );
    blocked("a deletion and a branch", &[side], &["origin", ":old", "side"]);
    blocked("all branches", &[clean, side], &["--all"]);
    blocked("a mirror", &[clean, side], &["--mirror"]);
    blocked("a URL", &[side], &["../remote.git", "side"]);
    blocked("a detached HEAD", &[("HEAD", "LEAK")], &["origin", "HEAD:refs/heads/x"]);
    blocked("a commit by its id", &[], &["origin", "LEAK:refs/heads/x"]);
    blocked(
        "another ref",
        &[("refs/notes/n", "LEAK")],
        &["origin", "refs/notes/n:refs/notes/n"],
    );
    let tells_all = matches!(manager, "lefthook" | "husky");
    for (what, refs, args) in TOLD_BY_LINES.iter().filter(|_| tells_all) {
        blocked(what, refs, args);
    }
    let push = if tells_all { FIRING } else { ONE_REF };
    managed.assert_doctor(&managed.repo.root, 0, [FIRING, FIRING, push]);
    managed.repo.pack(&["install"]).ok();
    let status = managed.repo.pack(&["status"]).shown().out();
    for hook in ["pre-commit", "pre-merge-commit", "pre-push"] {
        assert!(status.contains(&format!("{hook} (called")), "{manager}: {status}");
    }

    // What has no leak passes.
    let passes = |what: &str, refs: &[(&str, &str)], args: &[&str], publishes: bool| {
        let (done, published) = managed.push(refs, args);
        assert_eq!(done.code, 0, "{manager}: {what}: {}", done.stderr);
        assert_eq!(published, publishes, "{manager}: {what}");
    };
    passes("a clean branch", &[clean], &["origin", "clean"], true);
    passes("a clean tag", &[("refs/tags/t", "CLEAN")], &["origin", "t"], true);
    passes("a deletion", &[], &["origin", ":old"], true);
    passes("nothing", &[], &["origin", "main"], false);
    assert!(managed.repo.git(&["push", "-q", "--mirror"]).code == 0);
}

fn every_commit_is_judged(manager: &'static str) {
    let managed = Managed::by(manager);
    let repo = &managed.repo;
    let git = |args: &[&str]| drop(repo.git(args).ok());
    let blocked = |what, args: &[&str], name| managed.assert_commit_blocked(what, args, name);
    // Toggles the mode of a file that is executable for nobody or for everybody.
    let chmod = |file: &str| {
        let path = repo.path(file);
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode ^ 0o111)).unwrap();
        git(&["add", file]);
    };

    // Without a leak, each of these passes.
    git(&["commit", "-q", "--allow-empty", "-m", "empty"]);
    chmod("plain");
    git(&["commit", "-q", "-m", "mode"]);
    git(&["mv", "plain", "moved"]);
    git(&["commit", "-q", "-m", "rename"]);
    git(&["rm", "-q", "moved"]);
    git(&["commit", "-q", "-m", "deletion"]);
    git(&["checkout", "-q", "-b", "side", "HEAD~1"]);
    git(&["commit", "-q", "--allow-empty", "-m", "side"]);
    git(&["checkout", "-q", "main"]);
    git(&["merge", "-q", "--no-ff", "--no-edit", "side"]);

    fs::remove_file(repo.path("link")).unwrap();
    fs::copy(repo.identity(), repo.path("link")).unwrap();
    git(&["add", "link"]);
    blocked("a link that becomes a file", &["commit", "-q", "-m", "x"], "link");
    git(&["reset", "-q", "--hard"]);

    git(&["checkout", "-q", "side"]);
    repo.write("a.vec", "x");
    git(&["add", "-f", "a.vec"]);
    blocked("a new file", &["commit", "-q", "-m", "x"], "a.vec");
    git(&["commit", "-q", "--no-verify", "-m", "leak"]);
    git(&["checkout", "-q", "main"]);
    git(&["commit", "-q", "--allow-empty", "-m", "main"]);
    blocked("a merge", &["merge", "-q", "--no-ff", "--no-edit", "side"], "a.vec");
    git(&["merge", "--abort"]);

    // The leak is in HEAD, and the commit does not touch it.
    git(&["checkout", "-q", "side"]);
    blocked(
        "an empty commit",
        &["commit", "-q", "--allow-empty", "-m", "x"],
        "a.vec",
    );
    chmod("moved");
    blocked("a change of a mode", &["commit", "-q", "-m", "x"], "a.vec");
    git(&["reset", "-q", "--hard"]);
    git(&["rm", "-q", "moved"]);
    blocked("a deletion", &["commit", "-q", "-m", "x"], "a.vec");
    git(&["reset", "-q", "--hard"]);
    blocked("a new message", &["commit", "-q", "--amend", "-m", "x"], "a.vec");
}

#[test]
fn lefthook_judges_every_push() {
    every_push_is_judged("lefthook");
}

#[test]
fn pre_commit_judges_every_push() {
    every_push_is_judged("pre-commit");
}

#[test]
fn prek_judges_every_push() {
    every_push_is_judged("prek");
}

#[test]
fn husky_judges_every_push() {
    every_push_is_judged("husky");
}

#[test]
fn lefthook_judges_every_commit() {
    every_commit_is_judged("lefthook");
}

#[test]
fn pre_commit_judges_every_commit() {
    every_commit_is_judged("pre-commit");
}

#[test]
fn prek_judges_every_commit() {
    every_commit_is_judged("prek");
}

#[test]
fn husky_judges_every_commit() {
    every_commit_is_judged("husky");
}

/// pre-commit and prek tell a hook only one ref, and run no hook if a push has no commits. `install --force` puts
/// git-pack's hook before theirs, and their `install` keeps it there.
fn forced_hooks_get_every_line(manager: &'static str) {
    let managed = Managed::by(manager);
    for (what, refs, args) in TOLD_BY_LINES {
        let (done, published) = managed.push(refs, args);
        assert!(
            done.code == 0 && published,
            "{manager}: {what}: docs/hooks.md says it escapes"
        );
    }
    managed.repo.pack(&["install", "--force"]).ok();
    let again = [
        "install",
        "-t",
        "pre-commit",
        "-t",
        "pre-merge-commit",
        "-t",
        "pre-push",
    ];
    for _ in 0..2 {
        for (what, refs, args) in TOLD_BY_LINES {
            managed.assert_push_blocked(what, refs, args);
        }
        managed.assert_doctor(&managed.repo.root, 0, [FIRING; 3]);
        managed.repo.place.run(&managed.repo.root, manager, &again).ok();
    }
}

#[test]
fn pre_commit_starves_no_forced_hook() {
    forced_hooks_get_every_line("pre-commit");
}

#[test]
fn prek_starves_no_forced_hook() {
    forced_hooks_get_every_line("prek");
}

#[test]
fn hooks_that_are_offered_to_pre_commit_and_prek_judge() {
    for manager in ["pre-commit", "prek"] {
        let managed = Managed::with(manager, |repo, _| {
            let offered = repo.place.path().join("offered");
            fs::create_dir(&offered).unwrap();
            let hooks = Path::new(env!("CARGO_MANIFEST_DIR")).join(".pre-commit-hooks.yaml");
            fs::copy(hooks, offered.join(".pre-commit-hooks.yaml")).unwrap();
            let git = |args: &[&str]| repo.place.run(&offered, "git", args).ok().out();
            git(&["init", "-q"]);
            git(&["add", "."]);
            git(&["commit", "-q", "-m", "hooks"]);
            let rev = git(&["rev-parse", "HEAD"]);
            format!(
                "- repo: {}\n  rev: {rev}  hooks:\n  - id: git-pack-commit-system\n  - id: git-pack-push-system",
                offered.display()
            )
        });
        let side = ("refs/heads/side", "LEAK");
        managed.assert_push_blocked("another branch", &[side], &["origin", "side"]);
        managed.assert_push_blocked("a deletion and a branch", &[side], &["origin", ":old", "side"]);
        managed.assert_doctor(&managed.repo.root, 0, [FIRING, FIRING, ONE_REF]);
    }
}

#[test]
fn a_linked_work_tree_is_guarded_unless_by_husky() {
    for manager in ["lefthook", "pre-commit", "prek", "husky"] {
        let managed = Managed::by(manager);
        let repo = &managed.repo;
        repo.git(&["worktree", "add", "-q", "--detach", "../linked tree"]).ok();
        let linked = repo.place.path().join("linked tree");
        match manager {
            "husky" => managed.assert_doctor(&linked, 1, [NOT_GUARDED; 3]),
            "lefthook" => managed.assert_doctor(&linked, 0, [FIRING; 3]),
            _ => managed.assert_doctor(&linked, 0, [FIRING, FIRING, ONE_REF]),
        }
        repo.git(&["branch", "side", &managed.leak]).ok();
        let done = repo.place.run(&linked, "git", &["push", "-q", "origin", "side"]);
        assert_eq!(done.code == 0, manager == "husky", "{manager}: {}", done.stderr);
    }
}

/// The configuration of lefthook and husky is that of the commit that is checked out.
#[test]
fn a_commit_without_the_configuration_is_not_guarded_by_lefthook_and_husky() {
    for manager in ["lefthook", "pre-commit", "prek", "husky"] {
        let managed = Managed::by(manager);
        let repo = &managed.repo;
        repo.git(&["checkout", "-q", "HEAD~1"]).ok();
        repo.git(&["branch", "side", &managed.leak]).ok();
        let escapes = matches!(manager, "lefthook" | "husky");
        if escapes {
            managed.assert_doctor(&repo.root, 1, [NOT_GUARDED; 3]);
        }
        let status = repo.pack(&["status"]).out();
        assert!(!status.contains("(called"), "{manager}: {status}");
        let done = repo.git(&["push", "-q", "origin", "side"]);
        assert_eq!(done.code == 0, escapes, "{manager}: {}", done.stderr);
    }
}

#[test]
fn the_former_lines_for_lefthook_guard_nothing_and_are_not_believed() {
    let managed = Managed::with("lefthook", |_, _| {
        "assert_lefthook_installed: true\n\
         pre-commit:\n  jobs:\n    - run: git pack hook pre-commit\n\
         pre-merge-commit:\n  jobs:\n    - run: git pack hook pre-merge-commit\n\
         pre-push:\n  jobs:\n    - run: git pack hook pre-push {1} {2}\n      use_stdin: true"
            .to_owned()
    });
    let repo = &managed.repo;
    let (done, published) = managed.push(&[("refs/heads/side", "LEAK")], &["origin", "side"]);
    assert!(done.code == 0 && published, "{}", done.stderr);
    let status = repo.pack(&["status"]).out();
    assert!(!status.contains("(called"), "{status}");
    managed.assert_doctor(&repo.root, 1, [FIRING, FIRING, NOT_GUARDED]);
    let refused = repo.pack(&["install"]).refused("E_UNSUPPORTED");
    let lines = refused["refusal"]["detail"]["lines"].to_string();
    assert!(lines.contains("files: git ls-files"), "{lines}");
}

/// The command under `files` finds each of them, tracked or not.
#[test]
fn lefthook_judges_wherever_its_configuration_is() {
    for file in [".lefthook.yml", ".config/lefthook.yaml", "lefthook.yaml"] {
        let managed = Managed::by("lefthook");
        let repo = &managed.repo;
        let lines = fs::read(repo.path("lefthook.yml")).unwrap();
        repo.git(&["rm", "-q", "lefthook.yml"]).ok();
        repo.write(file, lines);
        match file {
            "lefthook.yaml" => repo.write(".git/info/exclude", "lefthook.yaml\n"),
            file => drop(repo.git(&["add", file]).ok()),
        }
        repo.git(&["commit", "-q", "--no-verify", "-m", "moved"]).ok();
        repo.git(&["push", "-q", "--no-verify", "origin", "main"]).ok();
        managed.assert_push_blocked("another branch", &[("refs/heads/side", "LEAK")], &["origin", "side"]);
        managed.assert_doctor(&repo.root, 0, [FIRING; 3]);
        let status = repo.pack(&["status"]).shown().out();
        assert!(status.contains("pre-push (called"), "{file}: {status}");
    }
}

/// Of a push of a thousand refs, lefthook hands only a part on to a job behind one that does not read to the end.
#[test]
fn a_job_of_lefthook_that_may_take_lines_is_no_proof() {
    let managed = Managed::with("lefthook", |_, lines| {
        let greedy = "pre-push:\n  jobs:\n    - run: head -c1; exit 0 {files}\n      files: echo lefthook.yml\n      use_stdin: true";
        let (before, ours) = lines.split_once("pre-push:\n  jobs:").unwrap();
        format!("{before}{greedy}{ours}")
    });
    let status = managed.repo.pack(&["status"]).out();
    assert!(status.contains("pre-commit (called"), "{status}");
    assert!(!status.contains("pre-push (called"), "{status}");
    managed.repo.pack(&["install"]).refused("E_UNSUPPORTED");
}

/// Only `private` is a private remote. What goes to `private two` must not be judged as if it went there.
#[test]
fn a_url_with_a_space_reaches_the_hook_whole() {
    for manager in ["lefthook", "pre-commit", "prek", "husky"] {
        let managed = Managed::by(manager);
        let repo = &managed.repo;
        let private = repo.place.path().join("private");
        let mut config = fs::read_to_string(repo.path(".gitpack.toml")).unwrap();
        config = format!(
            "private_remotes = [\"{}\"]\n{config}\n[[protect]]\nclass = \"secret\"\npaths = [\"*.secret\"]\npolicy = \"internal\"\n",
            private.display()
        );
        repo.write(".gitpack.toml", config);
        repo.git(&["commit", "-q", "-m", "rules", ".gitpack.toml"]).ok();
        // Rules count once a remote has them.
        repo.git(&["push", "-q", "origin", "main"]).ok();
        repo.write("a.secret", "x");
        repo.git(&["add", "-f", "a.secret"]).ok();
        repo.git(&["commit", "-q", "-m", "secret"]).ok();
        for (name, code) in [("private", 0), ("private two", 1)] {
            let url = format!("{}", repo.place.path().join(name).display());
            repo.place
                .run(repo.place.path(), "git", &["init", "-q", "--bare", name])
                .ok();
            // With a name, the hook hears the URL only once.
            repo.git(&["remote", "add", &name.replace(' ', "-"), &url]).ok();
            let done = repo.git(&["push", "-q", &name.replace(' ', "-"), "main"]);
            let said = format!("{}{}", done.out(), done.stderr);
            assert_eq!(done.code, code, "{manager}: {name}: {said}");
            assert_eq!(said.contains("a.secret"), code == 1, "{manager}: {name}: {said}");
        }
    }
}
