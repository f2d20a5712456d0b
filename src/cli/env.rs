//! The environment, the clock and the process: read here and nowhere else.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use crate::cli::output::refusal::usage::misused;
use crate::cli::output::words::quoted;
use crate::format::pack_refs::THERE;
use crate::format::timestamp::Timestamp;
use crate::ops::{Context, CredentialPlaces, Memory, ObjectPlaces, Surroundings};
use crate::refusal::{Refusal, Result};

/// Reads what commands need to know from the environment.
pub(super) fn context() -> Result<Context> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    Ok(Context {
        cwd: env::current_dir().map_err(Refusal::io("finding", Path::new("the current directory")))?,
        surroundings: Surroundings {
            objects: ObjectPlaces {
                directory: path("GIT_OBJECT_DIRECTORY"),
                alternates: env::var_os("GIT_ALTERNATE_OBJECT_DIRECTORIES"),
                grafts: path("GIT_GRAFT_FILE"),
            },
            names_git_dir: path("GIT_DIR").is_some(),
            sudo_uid: env::var("SUDO_UID").ok().and_then(|uid| uid.parse().ok()),
            default_excludes: path("XDG_CONFIG_HOME")
                .or_else(|| home().map(|home| home.join(".config")))
                .map(|place| place.join("git/ignore")),
            memory: Memory::of(state_home().as_deref()),
        },
        now: now(),
        source_date_epoch: source_date_epoch()?,
        identity: path("GIT_PACK_IDENTITY"),
        config_home: path("XDG_CONFIG_HOME")
            // By the XDG specification, relative paths are ignored.
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".config"))),
        data_home: path("XDG_DATA_HOME")
            .filter(|path| path.is_absolute())
            .or_else(|| home().map(|home| home.join(".local/share"))),
        credentials: CredentialPlaces {
            docker: docker_files(),
            cloud: env::vars().filter(|(name, _)| is_of_cloud(name)).collect(),
            home: home(),
            clock: Some(now),
        },
        data_fabric: env::var("PACK_DATA_FABRIC_BASE_URL")
            .ok()
            .filter(|value| !value.is_empty()),
        ledger: path("EPISTEMIC_WITNESS").or_else(|| home().map(|home| home.join(".epistemic/witness.jsonl"))),
        ask: std::sync::Arc::new(crate::cli::ask::Terminal),
        binary: env::current_exe().map_err(Refusal::io("finding", Path::new("this program's own file")))?,
    })
}

/// Returns the directory of the command, or nothing if it is not known.
pub(super) fn directory() -> PathBuf {
    env::current_dir().unwrap_or_default()
}

/// Returns the files in which Docker and Podman keep logins, in the order in which they are asked.
fn docker_files() -> Vec<PathBuf> {
    let path = |name: &str| env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let below_home = |below: &str| home().map(|home| home.join(below));
    let docker = path("DOCKER_CONFIG").map(|place| place.join("config.json"));
    let podman = path("XDG_RUNTIME_DIR").map(|place| place.join("containers/auth.json"));
    [
        path("REGISTRY_AUTH_FILE"),
        docker.or_else(|| below_home(".docker/config.json")),
        podman,
        below_home(".config/containers/auth.json"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns whether the tools of a cloud read a variable.
fn is_of_cloud(name: &str) -> bool {
    ["AWS_", "GOOGLE_", "GCE_METADATA_", "AZURE_", "IDENTITY_ENDPOINT"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

/// Returns the user's state directory (XDG): `XDG_STATE_HOME`, or `~/.local/state`.
fn state_home() -> Option<PathBuf> {
    let named = env::var_os("XDG_STATE_HOME").map(PathBuf::from);
    named
        .filter(|path| path.is_absolute())
        .or_else(|| home().map(|home| home.join(".local/state")))
}

/// Returns the user's home directory: `HOME`, or else `USERPROFILE`, which Windows sets.
pub(super) fn home() -> Option<PathBuf> {
    let mut named = ["HOME", "USERPROFILE"].into_iter().filter_map(env::var_os);
    named.next().map(PathBuf::from).filter(|home| home.is_absolute())
}

fn now() -> Timestamp {
    let seconds = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as i64);
    Timestamp::from_seconds(seconds).expect("the clock is before the year 10000")
}

fn source_date_epoch() -> Result<Option<Timestamp>> {
    let Some(value) = env::var_os("SOURCE_DATE_EPOCH").filter(|value| !value.is_empty()) else {
        return Ok(None);
    };
    value
        .to_str()
        .and_then(|text| text.parse().ok())
        .and_then(Timestamp::from_seconds)
        .map(Some)
        .ok_or_else(|| {
            misused(format!(
                "SOURCE_DATE_EPOCH: expected seconds since 1970, found {value:?}"
            ))
        })
}

/// Returns whether the terminal cannot move its cursor.
pub(super) fn is_dumb_terminal() -> bool {
    env::var_os("TERM").is_some_and(|term| term == "dumb")
}

/// Returns the arguments of this process, without its name.
pub(super) fn arguments() -> Vec<OsString> {
    env::args_os().skip(1).collect()
}

/// Returns the command line of this process with one more flag, quoted for a shell.
pub(super) fn invocation_with(flag: &str) -> String {
    let given = arguments();
    let mut arguments: Vec<String> = given.iter().map(|a| quoted(a.as_encoded_bytes())).collect();
    let end = arguments.iter().position(|a| a == "--").unwrap_or(arguments.len());
    arguments.insert(end, flag.to_owned());
    format!("git pack {}", arguments.join(" "))
}

/// Returns how to call git at the top of the work tree from the user's directory. git names that directory to its hooks
/// relative to the top.
pub(super) fn git_at_top() -> String {
    let prefix = env::var_os("GIT_PREFIX").unwrap_or_default();
    let depth = match prefix.is_empty() {
        false => Path::new(&prefix).components().count(),
        true => context().map_or(0, |ctx| ctx.depth_below_top()),
    };
    match depth {
        0 => "git".into(),
        _ => format!("git -C {}", vec![".."; depth].join("/")),
    }
}

/// Returns commands whose paths begin at the top of the work tree, so that they can be typed in the user's directory.
pub(super) fn at_top(commands: &str) -> String {
    let git = git_at_top();
    let mut told = String::new();
    for (at, part) in commands.split("git ").enumerate() {
        if at > 0 {
            let begins = told.is_empty() || ["&& ", "then ", "or "].iter().any(|before| told.ends_with(before));
            told.push_str(if begins { &git } else { "git" });
            told.push(' ');
        }
        told.push_str(part);
    }
    told
}

/// A push as pre-commit and prek describe it. They do not pass git's arguments and lines on.
#[derive(Debug, Default)]
pub(super) struct TheirPush {
    /// The remote, or its URL if it has no name.
    pub(super) remote: String,
    /// Where it goes.
    pub(super) url: String,
    /// What is pushed under a ref. They describe one ref only.
    pub(super) named: Vec<String>,
}

impl TheirPush {
    /// Reads the variables that pre-commit and prek set for hooks.
    pub(super) fn read() -> Self {
        let tells = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let named = ["PRE_COMMIT_TO_REF", "PRE_COMMIT_LOCAL_BRANCH"];
        Self {
            remote: tells("PRE_COMMIT_REMOTE_NAME").unwrap_or_default(),
            url: tells("PRE_COMMIT_REMOTE_URL").unwrap_or_default(),
            named: named.into_iter().filter_map(tells).collect(),
        }
    }
}

/// Returns what `git pack push` tells the pre-push hook of refs that the remote has already.
pub(super) fn refs_there() -> String {
    env::var(THERE).unwrap_or_default()
}

/// Measures a duration.
pub(super) struct Stopwatch(Instant);

impl Stopwatch {
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
