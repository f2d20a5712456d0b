//! Tables of rows. Each row has a name, one command in a world of its own, and the expected outcome.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::guard::world::{Outcome, Templates, World};

/// How many rows of a table run at a time. Tables run in parallel, too.
const WORKERS: usize = 3;

type Act = Box<dyn Fn(&World) -> Outcome + Send + Sync>;

/// One case of a table.
pub struct Row {
    name: String,
    format: &'static str,
    expect: Expect,
    direct: bool,
    detaches: bool,
    act: Act,
}

/// Which hook of the guard answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum At {
    Commit,
    Push,
    Receive,
    RefTransaction,
}

/// The expected outcome of a row.
#[derive(Debug)]
enum Expect {
    /// A leak: the hook exits with 1, its message contains these words, and no ref of any repository moves.
    Blocked { at: At, names: Vec<String> },
    /// Not judged: the hook exits with 2, its message contains these words, and no ref moves.
    Refused { at: At, says: Vec<String> },
    /// Git succeeds and these hooks ran with exit status 0. They print nothing, or these words.
    Passes { ran: Vec<String>, says: Vec<String> },
    /// A foreign hook refuses with these words, and no ref moves.
    Objected { hook: &'static str, says: Vec<String> },
    /// A report of `scan --json`: its exit status, and the code and path of each finding.
    Scan {
        code: i32,
        finds: Vec<(&'static str, String)>,
    },
}

/// An expected outcome, for [`row`].
pub struct Expected(Expect);

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

pub fn blocked(at: At, names: &[&str]) -> Expected {
    let names = owned(names);
    Expected(Expect::Blocked { at, names })
}

pub fn refused(at: At, says: &[&str]) -> Expected {
    let says = owned(says);
    Expected(Expect::Refused { at, says })
}

/// Expects success without a message, after these hooks ran.
pub fn passes(ran: &[&str]) -> Expected {
    passes_saying(ran, &[])
}

pub fn passes_saying(ran: &[&str], says: &[&str]) -> Expected {
    let (ran, says) = (owned(ran), owned(says));
    Expected(Expect::Passes { ran, says })
}

pub fn objected(hook: &'static str, says: &[&str]) -> Expected {
    let says = owned(says);
    Expected(Expect::Objected { hook, says })
}

pub fn scan(code: i32, finds: &[(&'static str, &str)]) -> Expected {
    let finds = finds.iter().map(|(code, path)| (*code, (*path).to_owned())).collect();
    Expected(Expect::Scan { code, finds })
}

pub fn row(
    name: impl Into<String>,
    expected: Expected,
    act: impl Fn(&World) -> Outcome + Send + Sync + 'static,
) -> Row {
    Row {
        name: name.into(),
        format: "sha1",
        expect: expected.0,
        direct: false,
        detaches: false,
        act: Box::new(act),
    }
}

impl Row {
    /// Runs the row in a repository with SHA-256 object names.
    pub fn sha256(mut self) -> Self {
        self.format = "sha256";
        self
    }

    /// The row runs the hook itself, because git would fail before it runs the hook.
    pub fn direct(mut self) -> Self {
        self.direct = true;
        self
    }

    /// Git leaves the branch before the guard stops it: `HEAD` may move, but no ref.
    pub fn detaches(mut self) -> Self {
        self.detaches = true;
        self
    }

    /// Returns the failure, or the reason for a skip.
    fn failure(&self, templates: &Templates, hooks: bool) -> Result<Option<&'static str>, String> {
        let tried = catch_unwind(AssertUnwindSafe(|| {
            let world = templates.copy(self.format, hooks);
            let mut outcome = (self.act)(&world);
            if self.detaches {
                outcome.forget_heads();
            }
            let verdict = match outcome.skipped {
                Some(_) => Ok(()),
                None => self.expect.check(&outcome),
            };
            (verdict, outcome)
        }));
        match tried {
            Ok((Ok(()), outcome)) => Ok(outcome.skipped),
            Ok((Err(wrong), outcome)) => Err(format!(
                "{wrong}\n    exit {}, hooks {:?}\n{}",
                outcome.done.code,
                outcome.hooks,
                indented(&format!("{}{}", outcome.done.out(), outcome.done.stderr))
            )),
            Err(panic) => Err(format!("could not be set up\n{}", indented(&words_of(panic.as_ref())))),
        }
    }
}

impl At {
    fn hooks(self) -> &'static [&'static str] {
        match self {
            Self::Commit => &["pre-commit", "pre-merge-commit"],
            Self::Push => &["pre-push"],
            Self::Receive => &["pre-receive"],
            Self::RefTransaction => &["reference-transaction"],
        }
    }

    fn headline(self) -> &'static [&'static str] {
        match self {
            Self::Commit => &["git-pack: commit blocked"],
            Self::Push => &["git-pack: push to ", " blocked"],
            Self::Receive | Self::RefTransaction => &["git-pack: ", "blocked"],
        }
    }
}

impl Expect {
    fn check(&self, outcome: &Outcome) -> Result<(), String> {
        let stderr = &outcome.done.stderr;
        let contains = |words: &mut dyn Iterator<Item = &str>| {
            let missing: Vec<_> = words.filter(|word| !stderr.contains(word)).collect();
            match missing.is_empty() {
                true => Ok(()),
                false => Err(format!("the message lacks {missing:?}")),
            }
        };
        let stopped = |hooks: &[&str], code: Option<i32>| {
            if outcome.done.code == 0 {
                return Err("git succeeded".to_owned());
            }
            let said_no = |(name, exit): &(String, i32)| {
                hooks.contains(&name.as_str()) && *exit != 0 && code.is_none_or(|code| *exit == code)
            };
            if !outcome.hooks.iter().any(said_no) {
                return Err(format!("no {} answered {code:?}", hooks.join(" or ")));
            }
            match outcome.before == outcome.after {
                true => Ok(()),
                false => Err("refs moved".to_owned()),
            }
        };
        match self {
            Self::Blocked { at, names } => {
                stopped(at.hooks(), Some(1))?;
                contains(&mut at.headline().iter().copied())?;
                contains(&mut names.iter().map(String::as_str))
            }
            Self::Refused { at, says } => {
                stopped(at.hooks(), Some(2))?;
                contains(&mut ["git-pack: "].into_iter())?;
                contains(&mut says.iter().map(String::as_str))
            }
            Self::Objected { hook, says } => {
                stopped(&[hook], None)?;
                contains(&mut says.iter().map(String::as_str))
            }
            Self::Passes { ran, says } => {
                if outcome.done.code != 0 {
                    return Err("git failed".to_owned());
                }
                if let Some(angry) = outcome.hooks.iter().find(|(_, exit)| *exit != 0) {
                    return Err(format!("a hook failed: {angry:?}"));
                }
                if let Some(absent) = ran
                    .iter()
                    .find(|hook| !outcome.hooks.iter().any(|(name, _)| name == *hook))
                {
                    return Err(format!("{absent} did not run"));
                }
                if says.is_empty() && stderr.contains("git-pack: ") {
                    return Err("it passed, but not in silence".to_owned());
                }
                let stderr = stderr.to_lowercase();
                match says.iter().find(|word| !stderr.contains(word.as_str())) {
                    Some(missing) => Err(format!("the message lacks {missing:?}")),
                    None => Ok(()),
                }
            }
            Self::Scan { code, finds } => {
                if outcome.done.code != *code {
                    return Err(format!("expected exit {code}"));
                }
                let report: serde_json::Value =
                    serde_json::from_slice(&outcome.done.stdout).map_err(|e| format!("no document: {e}"))?;
                match finds.iter().find(|(code, path)| !has_finding(&report, code, path)) {
                    Some(missing) => Err(format!("the report lacks {missing:?}")),
                    None => Ok(()),
                }
            }
        }
    }

    /// Returns whether the outcome is possible without any hook.
    fn needs_no_hook(&self) -> bool {
        match self {
            Self::Passes { ran, .. } => ran.is_empty(),
            Self::Scan { .. } => true,
            _ => false,
        }
    }
}

/// Returns whether an object anywhere in the report has both the code and the path among its values.
fn has_finding(report: &serde_json::Value, code: &str, path: &str) -> bool {
    match report {
        serde_json::Value::Object(members) => {
            let has = |text: &str| members.values().any(|value| value == text);
            (has(code) && (path.is_empty() || has(path)))
                || members.values().any(|value| has_finding(value, code, path))
        }
        serde_json::Value::Array(items) => items.iter().any(|item| has_finding(item, code, path)),
        _ => false,
    }
}

/// Runs every row and reports all that fail.
#[track_caller]
pub fn run(table: &str, rows: Vec<Row>) {
    let failures = try_all(&rows, true);
    assert!(
        failures.is_empty(),
        "{table}: {} of {} rows failed\n\n{}",
        failures.len(),
        rows.len(),
        failures
            .iter()
            .map(|(name, why)| format!("* {name}: {why}"))
            .collect::<Vec<_>>()
            .join("\n\n")
    );
}

/// Switches hooks off for every row that needs one, and returns the rows that still pass.
pub fn still_met_without_hooks(rows: Vec<Row>) -> Vec<String> {
    let rows: Vec<Row> = rows
        .into_iter()
        .filter(|row| !row.direct && !row.expect.needs_no_hook())
        .collect();
    let failed: Vec<String> = try_all(&rows, false).into_iter().map(|(name, _)| name).collect();
    rows.into_iter()
        .map(|row| row.name)
        .filter(|name| !failed.contains(name))
        .collect()
}

/// Returns the failing rows in the order of the table, each with its reason.
fn try_all(rows: &[Row], hooks: bool) -> Vec<(String, String)> {
    let templates = Templates::default();
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    let work = || {
        while let Some((at, row)) = Some(next.fetch_add(1, Ordering::Relaxed)).and_then(|at| Some((at, rows.get(at)?)))
        {
            match row.failure(&templates, hooks) {
                Ok(None) => {}
                // Without hooks, a skipped row proves nothing either way.
                Ok(Some(_)) if !hooks => failures.lock().unwrap().push((at, row.name.clone(), String::new())),
                #[allow(clippy::print_stderr, reason = "a skipped row must be visible")]
                Ok(Some(why)) => eprintln!("{}: skipped, {why}", row.name),
                Err(why) => failures.lock().unwrap().push((at, row.name.clone(), why)),
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(work);
        }
    });
    let mut failures = failures.into_inner().unwrap();
    failures.sort();
    failures.into_iter().map(|(_, name, why)| (name, why)).collect()
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without words")
        .to_owned()
}

fn indented(text: &str) -> String {
    let lines = text.lines().take(30).map(|line| format!("    | {line}"));
    lines.collect::<Vec<_>>().join("\n")
}
