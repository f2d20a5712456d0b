//! `templates/` and `.pre-commit-hooks.yaml` keep their promises: they parse, and the commands in them do what they
//! say.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use crate::common::{Done, Repo};
use gitpack::format::config::Config;
use saphyr_parser::{Event, Parser};

/// A YAML node; a scalar keeps its text.
#[derive(Clone, Debug)]
enum Node {
    Scalar(String),
    List(Vec<Node>),
    Map(BTreeMap<String, Node>),
}

impl Node {
    fn text(&self) -> &str {
        match self {
            Self::Scalar(text) => text,
            other => panic!("no scalar: {other:?}"),
        }
    }

    fn list(&self) -> &[Node] {
        match self {
            Self::List(nodes) => nodes,
            other => panic!("no list: {other:?}"),
        }
    }

    fn map(&self) -> &BTreeMap<String, Node> {
        match self {
            Self::Map(nodes) => nodes,
            other => panic!("no mapping: {other:?}"),
        }
    }

    fn get(&self, key: &str) -> Option<&Node> {
        self.map().get(key)
    }

    fn texts(&self) -> Vec<&str> {
        self.list().iter().map(Node::text).collect()
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

fn yaml(path: &str) -> Node {
    let text = read(path);
    let mut events = Parser::new_from_str(&text)
        .map(|event| event.unwrap_or_else(|e| panic!("{path}: {e}")).0)
        .filter(|event| !matches!(event, Event::Nothing | Event::StreamStart | Event::DocumentStart(_)));
    let first = events.next().unwrap();
    let node = node(first, &mut events);
    assert!(matches!(events.next(), Some(Event::DocumentEnd)), "{path}");
    assert!(matches!(events.next(), Some(Event::StreamEnd)), "{path}");
    node
}

fn node<'a>(event: Event<'a>, events: &mut impl Iterator<Item = Event<'a>>) -> Node {
    match event {
        Event::Scalar(text, ..) => Node::Scalar(text.into_owned()),
        Event::SequenceStart(..) => {
            let mut nodes = Vec::new();
            loop {
                match events.next().unwrap() {
                    Event::SequenceEnd => return Node::List(nodes),
                    event => nodes.push(node(event, events)),
                }
            }
        }
        Event::MappingStart(..) => {
            let mut nodes = BTreeMap::new();
            loop {
                match events.next().unwrap() {
                    Event::MappingEnd => return Node::Map(nodes),
                    key => {
                        let key = node(key, events).text().to_owned();
                        let value = events.next().unwrap();
                        let value = node(value, events);
                        assert!(nodes.insert(key.clone(), value).is_none(), "{key} twice");
                    }
                }
            }
        }
        other => panic!("not expected here: {other:?}"),
    }
}

/// Runs a line of a template as its runner does: in a shell that stops at the first failure.
fn shell(repo: &Repo, directory: &Path, script: &str, env: &[(&str, &str)], stdin: &str) -> Done {
    let input = repo.place.path().join("stdin");
    fs::write(&input, stdin).unwrap();
    let mut command = repo.place.command("sh", directory);
    command.args(["-ec", script]).envs(env.iter().copied());
    command.stdin(Stdio::from(fs::File::open(input).unwrap()));
    let output = command.output().unwrap();
    Done {
        code: output.status.code().unwrap(),
        stdout: output.stdout,
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Makes a repository without hooks, and its remote, which has the first commit.
fn with_remote() -> Repo {
    let repo = Repo::set_up();
    repo.pack(&["uninstall"]).ok();
    let place = repo.place.path();
    repo.place
        .run(place, "git", &["init", "-q", "--bare", "-b", "main", "remote.git"])
        .ok();
    repo.git(&["remote", "add", "origin", "../remote.git"]).ok();
    repo.git(&["push", "-q", "-u", "origin", "main"]).ok();
    repo
}

/// Asserts that the lines that a hook manager runs at commit and push stop a leak and pass clean changes.
#[track_caller]
fn assert_guards(hook: &str, line: &str) {
    let repo = with_remote();
    let run = |what: &str, code: i32| {
        let stdin = format!(
            "refs/heads/main {} refs/heads/main {}\n",
            repo.rev("HEAD"),
            repo.rev("origin/main")
        );
        let stdin = if hook == "pre-push" { stdin.as_str() } else { "" };
        let done = shell(&repo, &repo.root, line, &[], stdin);
        assert_eq!(done.code, code, "{what}, {line}: {}", done.stderr);
        assert_eq!(done.stderr.contains("a.vec"), code == 1, "{what}: {}", done.stderr);
    };
    run("nothing", 0);
    repo.write("fine", "x");
    repo.git(&["add", "fine"]).ok();
    run("clean and staged", 0);
    repo.git(&["commit", "-q", "-m", "clean"]).ok();
    run("clean and committed", 0);
    repo.write("a.vec", "x");
    repo.git(&["add", "-f", "a.vec"]).ok();
    if hook != "pre-push" {
        run("staged", 1);
    }
    repo.git(&["commit", "-q", "-m", "leak"]).ok();
    repo.git(&["rm", "-q", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "delete"]).ok();
    if hook == "pre-push" {
        run("committed and deleted", 1);
    }
}

#[test]
fn what_init_writes_in_comments_is_a_configuration() {
    let template = read("templates/gitpack.toml");
    let is_code = |line: &str| {
        let key = line.split_once(" = ").map(|(key, _)| key);
        line.starts_with('[') || key.is_some_and(|key| key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let lines = template.lines().filter_map(|line| match line.strip_prefix("# ") {
        Some(line) if is_code(line) => Some(line),
        Some(_) => None,
        None => Some(line),
    });
    let text = lines.collect::<Vec<_>>().join("\n");
    let config = Config::parse(text.as_bytes()).unwrap_or_else(|e| panic!("{e}\n{text}"));
    let scope = &config.scopes["repo"];
    assert_eq!((config.emit.unwrap().len(), config.attach.len()), (2, 1));
    assert_eq!(scope.layout.prefix, "PROJECT");
    assert_eq!((scope.layout.buckets.len(), scope.layout.anchors.len()), (2, 1));
    assert_eq!(scope.limits.max_entries, Some(50000));
}

#[test]
fn pre_commit_and_prek_are_offered_hooks_that_guard() {
    let hooks = yaml(".pre-commit-hooks.yaml");
    let ids: Vec<&str> = hooks.list().iter().map(|hook| hook.get("id").unwrap().text()).collect();
    let expected = [
        "git-pack-commit",
        "git-pack-push",
        "git-pack-commit-system",
        "git-pack-push-system",
    ];
    assert_eq!(ids, expected);
    for hook in hooks.list() {
        let text = |key: &str| hook.get(key).unwrap().text();
        let id = text("id");
        assert_eq!((text("always_run"), text("pass_filenames")), ("true", "false"), "{id}");
        assert_eq!(text("require_serial"), "true", "{id}");
        let language = if id.ends_with("-system") { "system" } else { "rust" };
        assert_eq!(text("language"), language, "{id}");
        let stages = hook.get("stages").unwrap().texts();
        let (expected, name): (&[&str], _) = match id.contains("push") {
            true => (&["pre-push"], "pre-push"),
            false => (&["pre-commit", "pre-merge-commit"], "pre-commit"),
        };
        assert_eq!(stages, expected, "{id}");
        assert_guards(name, text("entry"));
    }
}

#[test]
fn what_lefthook_is_to_run_guards() {
    let file = yaml("templates/lefthook.yml");
    let hooks = ["pre-commit", "pre-merge-commit", "pre-push"];
    assert_eq!(file.get("assert_lefthook_installed").unwrap().text(), "true");
    assert_eq!(file.map().len(), 1 + hooks.len());
    for hook in hooks {
        let [job] = file.get(hook).unwrap().get("jobs").unwrap().list() else {
            panic!("one job for {hook}");
        };
        let line = job.get("run").unwrap().text();
        let is_push = hook == "pre-push";
        assert_eq!(job.get("use_stdin").is_some(), is_push, "{hook}");
        assert_guards(hook, &line.replace("{1}", "origin").replace("{2}", "../remote.git"));
    }
}

#[test]
fn what_husky_is_to_run_guards() {
    for hook in ["pre-commit", "pre-merge-commit", "pre-push"] {
        let script = read(&format!("templates/husky/{hook}"));
        assert_guards(hook, &format!("set -- origin ../remote.git; {script}"));
    }
}

/// What a CI job runs for.
#[derive(Clone, Copy, Debug)]
enum Cause<'a> {
    /// A request, by its base and its tip.
    Request(&'a str, &'a str),
    /// A push, by the commit before it, if that is known, and by its tip.
    Push(Option<&'a str>, &'a str),
}

/// The scan of a CI job.
type Scan<'a> = dyn Fn(&Repo, &Path, Cause<'_>) -> Done + 'a;

/// Asserts that a CI job fails on a leak, even if a later commit deletes it, and fails if history is missing.
fn assert_scans(scan: &Scan<'_>) {
    let repo = with_remote();
    let base = repo.rev("HEAD");
    let report = |directory: &Path| -> serde_json::Value {
        serde_json::from_slice(&fs::read(directory.join("git-pack.sarif")).unwrap()).unwrap()
    };
    let results = |directory: &Path| report(directory)["runs"][0]["results"].as_array().unwrap().len();
    let scanned = |directory: &Path, what: Cause<'_>, found: usize| {
        let done = scan(&repo, directory, what);
        assert_eq!(done.code, i32::from(found > 0), "{what:?}: {}", done.stderr);
        assert_eq!(results(directory), found, "{what:?}");
    };
    let none = "0000000000000000000000000000000000000000";
    repo.write("fine", "x");
    repo.commit("clean");
    let clean = repo.rev("HEAD");
    scanned(&repo.root, Cause::Request(&base, &clean), 0);
    for before in [None, Some(none), Some(base.as_str())] {
        scanned(&repo.root, Cause::Push(before, &clean), 0);
    }
    fs::remove_file(repo.path("git-pack.sarif")).unwrap();
    repo.write("a.vec", "x");
    repo.git(&["add", "-f", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "leak"]).ok();
    let leak = repo.rev("HEAD");
    scanned(&repo.root, Cause::Push(Some(&clean), &leak), 1);
    repo.git(&["rm", "-q", "a.vec"]).ok();
    repo.git(&["commit", "-q", "-m", "delete"]).ok();
    let tip = repo.rev("HEAD");
    for before in [None, Some(none), Some(base.as_str()), Some(clean.as_str())] {
        scanned(&repo.root, Cause::Push(before, &tip), 1);
    }
    // The push before this one was answered for then.
    scanned(&repo.root, Cause::Push(Some(&leak), &tip), 0);
    scanned(&repo.root, Cause::Request(&base, &tip), 1);
    scanned(&repo.root, Cause::Request(&clean, &tip), 1);

    // A checkout with part of the history.
    repo.git(&["push", "-q", "origin", "main"]).ok();
    let url = format!("file://{}", repo.place.path().join("remote.git").display());
    repo.place
        .run(repo.place.path(), "git", &["clone", "-q", "--depth=1", &url, "shallow"])
        .ok();
    let shallow = repo.place.path().join("shallow");
    assert_eq!(scan(&repo, &shallow, Cause::Request(&base, &tip)).code, 2);
    repo.place
        .run(&shallow, "git", &["fetch", "-q", "--depth=1", "origin", &base])
        .ok();
    assert_eq!(scan(&repo, &shallow, Cause::Request(&base, &tip)).code, 2);
    repo.place.run(&shallow, "git", &["fetch", "-q", "--unshallow"]).ok();
    scanned(&shallow, Cause::Request(&base, &tip), 1);
}

#[test]
fn the_github_job_scans() {
    let file = yaml("templates/github-actions.yml");
    let job = file.get("jobs").unwrap().get("scan").unwrap();
    let steps = job.get("steps").unwrap().list();
    let checkout = steps[0].get("with").unwrap();
    assert!(steps[0].get("uses").unwrap().text().starts_with("actions/checkout@"));
    assert_eq!(checkout.get("fetch-depth").unwrap().text(), "0");
    let scans = |event: &str| {
        let wanted = format!("github.event_name == '{event}'");
        let step = steps
            .iter()
            .find(|step| step.get("if").is_some_and(|when| when.text() == wanted));
        step.unwrap_or_else(|| panic!("no step for {event}"))
    };
    let triggers = file.get("on").unwrap();
    assert!(triggers.get("pull_request").is_some() && triggers.get("push").is_some());
    // A script must not contain an expression that a contributor controls; such values go into variables only.
    for step in steps {
        assert!(step.get("run").is_none_or(|run| !run.text().contains("${{")));
    }
    let upload = steps.last().unwrap();
    assert!(upload.get("uses").unwrap().text().contains("/upload-sarif@"));
    assert_eq!(upload.get("if").unwrap().text(), "${{ !cancelled() }}");
    assert_eq!(
        upload.get("with").unwrap().get("sarif_file").unwrap().text(),
        "git-pack.sarif"
    );
    let permission = file.get("permissions").unwrap().get("security-events").unwrap();
    assert_eq!(permission.text(), "write");
    assert_scans(&|repo, directory, what| match what {
        Cause::Request(base, tip) => {
            let step = scans("pull_request");
            let names: Vec<&str> = step.get("env").unwrap().map().keys().map(String::as_str).collect();
            assert_eq!(names, ["BASE", "HEAD"]);
            let env = [("BASE", base), ("HEAD", tip)];
            shell(repo, directory, step.get("run").unwrap().text(), &env, "")
        }
        Cause::Push(before, _) => {
            let step = scans("push");
            let names: Vec<&str> = step.get("env").unwrap().map().keys().map(String::as_str).collect();
            assert_eq!(names, ["BEFORE"]);
            let env: Vec<_> = before.map(|before| ("BEFORE", before)).into_iter().collect();
            shell(repo, directory, step.get("run").unwrap().text(), &env, "")
        }
    });
}

/// A colon at the end of a command made a step of hosted CI a mapping.
#[test]
fn the_workflows_of_hosted_ci_are_well_formed() {
    for path in [".github/workflows/ci.yml", ".github/workflows/release.yml"] {
        for (name, job) in yaml(path).get("jobs").unwrap().map() {
            let steps = job.get("steps").unwrap().list();
            assert!(!steps.is_empty(), "{path}: {name}");
            for step in steps {
                let does = [step.get("run"), step.get("uses")];
                let does: Vec<&str> = does.into_iter().flatten().map(Node::text).collect();
                assert_eq!(does.len(), 1, "{path}: {name}: {does:?}");
                // A script must not contain an expression; such values go into variables only.
                assert!(
                    step.get("run").is_none_or(|run| !run.text().contains("${{")),
                    "{path}: {name}: {does:?}"
                );
            }
        }
    }
}

#[test]
fn the_gitlab_job_scans() {
    let file = yaml("templates/gitlab-ci.yml");
    let job = file.get("leak-guard").unwrap();
    assert_eq!(job.get("variables").unwrap().get("GIT_DEPTH").unwrap().text(), "0");
    let artifacts = job.get("artifacts").unwrap();
    assert_eq!(artifacts.get("when").unwrap().text(), "always");
    assert_eq!(artifacts.get("paths").unwrap().texts(), ["git-pack.sarif"]);
    let script = job.get("script").unwrap().texts().join("\n");
    assert_scans(&|repo, directory, what| match what {
        Cause::Request(base, tip) => {
            let env = [("CI_MERGE_REQUEST_DIFF_BASE_SHA", base), ("CI_COMMIT_SHA", tip)];
            let done = shell(repo, directory, &script, &env, "");
            // A pipeline for merged results runs on a commit that is not the tip.
            let merged = [
                ("CI_MERGE_REQUEST_DIFF_BASE_SHA", base),
                ("CI_MERGE_REQUEST_SOURCE_BRANCH_SHA", tip),
                ("CI_COMMIT_SHA", "no commit"),
            ];
            assert_eq!(shell(repo, directory, &script, &merged, "").code, done.code);
            done
        }
        Cause::Push(before, tip) => {
            let before = before.map(|before| ("CI_COMMIT_BEFORE_SHA", before));
            let env: Vec<_> = before.into_iter().chain([("CI_COMMIT_SHA", tip)]).collect();
            shell(repo, directory, &script, &env, "")
        }
    });
}
