//! Judges whether a foreign hook script runs git-pack's hook so that its failure blocks. Only what can be proven
//! counts.
//!
//! A script that is not understood proves nothing. git-pack's hook is then run in addition, which does no harm. If a
//! line that ignores the hook's failure counted, nothing would guard the repository.

/// What the shell does when a command of the script fails.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Errexit {
    /// It continues.
    Off,
    /// It exits, as with `sh -e`.
    On,
}

/// Hooks that judge only what they read from standard input, which an earlier command could consume.
const READ_INPUT: [&str; 2] = ["pre-receive", "reference-transaction"];

/// Commands that may read only a part of standard input. With empty input, pre-push judges everything; with a part of
/// it, only that part.
const READ_A_PART: [&str; 6] = ["read", "head", "sed", "dd", "mapfile", "readarray"];

/// Words that may end a script early, change the meaning of a name, or suspend `set -e`.
const UNPROVEN: [&str; 20] = [
    "exec", "return", "trap", "eval", "source", ".", "alias", "unalias", "kill", "function", "unset", "if", "case",
    "for", "while", "until", "select", "!", "command", "break",
];

/// Returns whether `script` provably runs git-pack's `hook` and fails if the hook fails.
///
/// Only a sequence of simple lines is understood. No line before git-pack's may end the script with success. git-pack's
/// line must stand alone, and its failure must end the script: because it is the last line, or by `exec`, `|| exit` or
/// `set -e`.
pub fn blocks(script: &str, hook: &str, errexit: Errexit) -> bool {
    let mut errexit = errexit == Errexit::On;
    let mut lines = script.lines();
    let mut input_is_whole = true;
    let mut first = true;
    while let Some(line) = lines.next() {
        if std::mem::take(&mut first)
            && let Some(interpreter) = line.strip_prefix("#!")
        {
            match shell(interpreter) {
                Some(ends) => errexit |= ends,
                None => return false,
            }
            continue;
        }
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') || is_huskys(line) {
            continue;
        }
        if let Some(heeded) = call(line, hook) {
            let is_last = || {
                lines
                    .clone()
                    .all(|rest| rest.trim().is_empty() || rest.trim().starts_with('#'))
            };
            let reads = READ_INPUT.contains(&hook);
            return (heeded || errexit || is_last()) && (input_is_whole || !reads);
        }
        if let Some(words) = line.strip_prefix("set ") {
            match options(words) {
                Some(ends) => errexit |= ends,
                None => return false,
            }
            continue;
        }
        if !passes_by(line, hook) {
            return false;
        }
        input_is_whole = false;
    }
    false
}

/// Commands that read all of standard input. A hook of git-pack behind them is told no ref.
const READ_ALL: [[&str; 2]; 2] = [["lfs", "pre-push"], ["git-lfs", "pre-push"]];

/// Returns whether a line before the one of git-pack's `hook` surely reads what git tells hooks on standard input.
pub fn is_told_nothing(script: &str, hook: &str) -> bool {
    let before = script
        .lines()
        .map(str::trim)
        .take_while(|line| call(line, hook).is_none());
    before
        .filter(|line| !line.starts_with('#') && !line.contains('<'))
        .any(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            words.windows(2).any(|two| READ_ALL.iter().any(|wanted| two == wanted))
        })
}

/// Returns whether this shell is told to exit at a failure. `None` if it is not a supported shell.
fn shell(interpreter: &str) -> Option<bool> {
    let mut words = interpreter.split_whitespace();
    let program = match words.next()?.rsplit('/').next()? {
        "env" => words.next()?,
        program => program,
    };
    let flags: Vec<&str> = words.collect();
    match (program, flags.as_slice()) {
        ("sh" | "bash" | "dash", []) => Some(false),
        ("sh" | "bash" | "dash", ["-e"]) => Some(true),
        _ => None,
    }
}

/// Returns whether these options of `set` make the shell exit at a failure. `None` if one of them is not understood.
fn options(words: &str) -> Option<bool> {
    let mut ends = false;
    for word in words.split_whitespace() {
        match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() && letters.chars().all(|letter| "euxo".contains(letter)) => {
                ends |= letters.contains('e');
            }
            None if ["errexit", "nounset", "pipefail", "xtrace"].contains(&word) => ends |= word == "errexit",
            _ => return None,
        }
    }
    Some(ends)
}

/// Returns whether this is the line at the start of scripts of husky up to version 8, which runs them again by `sh -e`.
fn is_huskys(line: &str) -> bool {
    let path = line.strip_prefix(". \"$(dirname \"$0\")/");
    let path = path.or_else(|| line.strip_prefix(". \"$(dirname -- \"$0\")/"));
    path == Some("_/husky.sh\"")
}

/// Returns whether git-pack's line ends the script by itself if the hook fails. `None` if the line is not exactly a
/// call of git-pack's hook.
fn call(line: &str, hook: &str) -> Option<bool> {
    let line = line.split(" #").next().unwrap_or(line);
    let mut words = line.split_whitespace().peekable();
    let exec = words.next_if_eq(&"exec").is_some();
    match words.next()? {
        "git-pack" => {}
        "git" if words.next() == Some("pack") => {}
        _ => return None,
    }
    if (words.next(), words.next()) != (Some("hook"), Some(hook)) {
        return None;
    }
    // The hook's arguments, in the notations of sh and lefthook. lefthook replaces its own by the bare text, so without
    // quotes, a URL with a space would become another one.
    let given = [
        "\"$@\"", "$@", "\"$*\"", "\"$1\"", "\"$2\"", "$1", "$2", "'{1}'", "'{2}'", "{files}",
    ];
    while words.next_if(|word| given.contains(word)).is_some() {}
    match words.collect::<Vec<_>>().as_slice() {
        [] => Some(exec),
        ["||", "exit"] | ["||", "exit", "$?"] => Some(true),
        ["||", "exit", status] => status.parse::<u8>().ok().filter(|status| *status > 0).map(|_| true),
        _ => None,
    }
}

/// Returns whether another line provably lets the script continue, or makes it fail.
fn passes_by(line: &str, hook: &str) -> bool {
    let quotes = |quote| line.matches(quote).count() % 2 == 0;
    let is_whole = quotes('"') && quotes('\'') && !line.ends_with('\\') && !line.contains("<<") && !line.contains('`');
    // `f()` defines a function, which may change what a later name means.
    if !is_whole || line.contains("()") || line.starts_with(['(', '{']) || line.contains("set +") {
        return false;
    }
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || ";&|(){}".contains(c))
        .collect();
    let mut words = words.into_iter().filter(|word| !word.is_empty()).peekable();
    while let Some(word) = words.next() {
        let mut fails = || {
            let status = words.peek().and_then(|word| word.parse::<u8>().ok());
            status.is_some_and(|status| status > 0)
        };
        let reads = hook == "pre-push" && READ_A_PART.contains(&word);
        if reads || UNPROVEN.contains(&word) || (word == "exit" && !fails()) {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(script: &str, expected: bool) {
        assert_eq!(blocks(script, "pre-commit", Errexit::Off), expected, "{script}");
    }

    #[test]
    fn what_blocks_counts() {
        for script in [
            "#!/bin/sh\ngit pack hook pre-commit\n",
            "git pack hook pre-commit \"$@\"",
            "#!/usr/bin/env bash\n\n# ours\nexec git-pack hook pre-commit \"$@\"\necho never\n",
            "#!/bin/sh\nnpm test\ngit pack hook pre-commit \"$@\" || exit 1\necho more\n",
            "#!/bin/sh\nset -eu\ngit pack hook pre-commit\necho more\n",
            "#!/bin/bash\nset -o errexit\ngit pack hook pre-commit # the guard\necho more\n",
            "#!/bin/sh -e\ngit pack hook pre-commit\necho more\n",
            "#!/bin/sh\ngit diff --quiet || { echo unstaged >&2; exit 1; }\ngit pack hook pre-commit\n",
            "#!/bin/sh\ngit pack hook pre-commit || exit $?\nexit 0\n",
        ] {
            check(script, true);
        }
        assert!(blocks(
            "npm test\ngit pack hook pre-commit\nnpm run x\n",
            "pre-commit",
            Errexit::On
        ));
        let husky = ". \"$(dirname -- \"$0\")/_/husky.sh\"\n\nnpx lint-staged\ngit pack hook pre-commit \"$@\"\n";
        check(husky, true);
    }

    #[test]
    fn what_merely_names_it_does_not() {
        for line in [
            "git pack hook pre-commit || true",
            "git pack hook pre-commit || :",
            "git pack hook pre-commit || exit 0",
            "git pack hook pre-commit ; exit 0",
            "git pack hook pre-commit; true",
            "git pack hook pre-commit &",
            "git pack hook pre-commit | cat",
            "git pack hook pre-commit && true || true",
            "git pack hook pre-commit >/dev/null 2>&1 || echo leaks",
            "! git pack hook pre-commit",
            "# git pack hook pre-commit",
            "echo git pack hook pre-commit",
            "[ -n \"$CI\" ] && git pack hook pre-commit",
            "if git pack hook pre-commit; then :; fi",
            "(git pack hook pre-commit) || true",
            "true || git pack hook pre-commit",
            "git pack hook pre-commit --help",
            "git pack hook pre-push",
            "git pack hook pre-commitment",
            "GIT_DIR=/x git pack hook pre-commit",
            "timeout 1 git pack hook pre-commit || true",
        ] {
            check(&format!("#!/bin/sh\n{line}\n"), false);
        }
        for script in [
            "",
            "#!/bin/sh\nexit 0\ngit pack hook pre-commit\n",
            "#!/bin/sh\n[ -n \"$CI\" ] && exit 0\ngit pack hook pre-commit\n",
            "#!/bin/sh\nexit\ngit pack hook pre-commit\n",
            "#!/bin/sh\nexec true\ngit pack hook pre-commit\n",
            "#!/bin/sh\nif false; then\ngit pack hook pre-commit\nfi\n",
            "#!/bin/sh\ncheck() {\ngit pack hook pre-commit\n}\n",
            "#!/bin/sh\ngit() { :; }\ngit pack hook pre-commit\n",
            "#!/bin/sh\nalias git=true\ngit pack hook pre-commit\n",
            "#!/bin/sh\ntrap 'exit 0' EXIT\ngit pack hook pre-commit\n",
            "#!/bin/sh\ncat <<X\ngit pack hook pre-commit\nX\n",
            "#!/bin/sh\necho \"\ngit pack hook pre-commit\n\"\n",
            "#!/bin/sh\necho \\\ngit pack hook pre-commit\n",
            "#!/bin/sh\ngit pack hook pre-commit\necho done\n",
            "#!/bin/sh\nset -e\nset +e\ngit pack hook pre-commit\necho done\n",
            "#!/bin/sh\nset -e; exit 0\ngit pack hook pre-commit\n",
            "#!/bin/sh\nset -n\ngit pack hook pre-commit\n",
            "#!/bin/sh -n\ngit pack hook pre-commit\n",
            "#!/usr/bin/python3\ngit pack hook pre-commit\n",
            "#!/bin/cat\ngit pack hook pre-commit\n",
            "#!/bin/sh\n. ./lib.sh\ngit pack hook pre-commit\n",
        ] {
            check(script, false);
        }
    }

    #[test]
    fn who_reads_all_refs_before_it_is_named() {
        let told_nothing = |script: &str| is_told_nothing(script, "pre-push");
        assert!(told_nothing("git lfs pre-push \"$@\"\ngit pack hook pre-push \"$@\"\n"));
        assert!(told_nothing(
            "#!/bin/sh\ngit-lfs pre-push $1 $2 || exit 1\ngit pack hook pre-push \"$@\"\n"
        ));
        for script in [
            "git pack hook pre-push \"$@\"\ngit lfs pre-push \"$@\"\n",
            "# git lfs pre-push\ngit pack hook pre-push \"$@\"\n",
            "git lfs pre-push \"$@\" </dev/null\ngit pack hook pre-push \"$@\"\n",
            "npm test\ngit pack hook pre-push \"$@\"\n",
        ] {
            assert!(!told_nothing(script), "{script}");
        }
    }

    #[test]
    fn nobody_reads_a_part_of_what_it_is_told_before_it() {
        let push = |script| blocks(script, "pre-push", Errexit::On);
        assert!(push("git pack hook pre-push \"$@\"\nnpm test\n"));
        assert!(push("git lfs pre-push \"$@\"\ngit pack hook pre-push \"$@\"\n"));
        assert!(!push("read line\ngit pack hook pre-push \"$@\"\n"));
        assert!(!push("head -1 | cat\ngit pack hook pre-push \"$@\"\n"));
        assert!(!push("git pack hook pre-push \"$@\" </dev/null\n"));
        let receive = |script| blocks(script, "pre-receive", Errexit::On);
        assert!(receive("#!/bin/sh\ngit pack hook pre-receive\n"));
        assert!(!receive("#!/bin/sh\ncat\ngit pack hook pre-receive\n"));
    }
}
