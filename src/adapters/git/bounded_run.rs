//! Runs a git that talks to a remote, with bounded output and bounded waits.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use crate::adapters::files::platform::{ask_to_end, limit_memory};
use crate::format::remote_url::without_secrets;
use crate::refusal::io_reason;
use crate::refusal::shown::TOLD;
use crate::refusal::transport::TransportFault;

/// The most bytes of standard output that are read. The refs of a remote take some 100 bytes each.
const MAX_OUTPUT: u64 = 64 << 20;

/// How many of the last bytes of standard error are kept.
const KEPT: usize = 32 << 10;

/// How often a silent git is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// How long to wait for output after git ended. A process that it left behind may hold the pipes open.
const AFTER: Duration = Duration::from_millis(500);

/// How long git may take to end when it is asked to.
const TO_END: Duration = Duration::from_secs(2);

/// The most lines of git's messages that a fault repeats.
const LINES: usize = 12;

/// What a git said before it ended.
pub(super) struct Said {
    pub(super) status: ExitStatus,
    pub(super) stdout: Vec<u8>,
    /// The end of it.
    pub(super) stderr: Vec<u8>,
}

enum Event {
    Output(Vec<u8>),
    Message(Vec<u8>),
    /// The end of one of both.
    End,
}

/// Runs a git to its end. Stops it if it says nothing for as long as `silence`, or too much.
pub(super) fn run(git: &mut Command, silence: Duration, most_memory: Option<u64>) -> Result<Said, TransportFault> {
    let mut child = git
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| program(&format!("it could not be run: {}", io_reason(&e))))?;
    // It may hold all of what a remote sends.
    if let Some(most) = most_memory {
        limit_memory(&child, most);
    }
    let (sender, events) = channel();
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    read(stdout, sender.clone(), Event::Output);
    read(stderr, sender, Event::Message);
    let ended = follow(&mut child, &events, silence);
    if ended.is_err() {
        stop(&mut child);
    }
    ended
}

fn follow(child: &mut Child, events: &Receiver<Event>, silence: Duration) -> Result<Said, TransportFault> {
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    let mut silent = Duration::ZERO;
    let mut after = Duration::ZERO;
    let mut open = 2;
    let mut status = None;
    while open > 0 && after < AFTER {
        match events.recv_timeout(LOOK) {
            Ok(event) => {
                silent = Duration::ZERO;
                match event {
                    Event::Output(bytes) => stdout.extend(bytes),
                    Event::Message(bytes) => keep_end(&mut stderr, &bytes),
                    Event::End => open -= 1,
                }
                if stdout.len() as u64 > MAX_OUTPUT {
                    return Err(TransportFault::TooLong { allowed: MAX_OUTPUT });
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => silent += LOOK,
            Err(RecvTimeoutError::Disconnected) => break,
        }
        status = status.or(child.try_wait().ok().flatten());
        if status.is_some() {
            after += LOOK;
        } else if silent >= silence {
            return Err(TransportFault::Timeout);
        }
    }
    while status.is_none() {
        status = child.try_wait().map_err(|e| program(&io_reason(&e)))?;
        if status.is_none() && silent >= silence {
            return Err(TransportFault::Timeout);
        }
        if status.is_none() {
            std::thread::sleep(LOOK / 10);
            silent += LOOK / 10;
        }
    }
    let status = status.expect("the loop ends with a status");
    Ok(Said { status, stdout, stderr })
}

fn read(pipe: Option<impl Read + Send + 'static>, to: Sender<Event>, event: fn(Vec<u8>) -> Event) {
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 << 10];
        if let Some(mut pipe) = pipe {
            loop {
                match pipe.read(&mut buffer) {
                    Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                    Ok(0) | Err(_) => break,
                    Ok(n) => {
                        if to.send(event(buffer[..n].to_vec())).is_err() {
                            return;
                        }
                    }
                }
            }
        }
        // If the other side listens no longer, git was stopped.
        drop(to.send(Event::End));
    });
}

fn keep_end(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.extend(bytes);
    let surplus = kept.len().saturating_sub(KEPT);
    kept.drain(..surplus);
}

/// Ends a git, which then also ends the processes that it started.
fn stop(child: &mut Child) {
    let asked = ask_to_end(child);
    let mut waited = Duration::ZERO;
    while asked && waited < TO_END && matches!(child.try_wait(), Ok(None)) {
        std::thread::sleep(LOOK);
        waited += LOOK;
    }
    drop(child.kill());
    drop(child.wait());
}

/// Returns the fault of a git that failed: its last messages, or else its status.
pub(super) fn failed(said: &Said) -> TransportFault {
    match messages(said) {
        words if words.is_empty() => program(&said.status.to_string()),
        words => program(&words),
    }
}

/// Returns the last messages of a git, without progress, hints and secrets.
pub(super) fn messages(said: &Said) -> String {
    let text = String::from_utf8_lossy(&said.stderr);
    let lines: Vec<&str> = text
        .split(['\n', '\r'])
        .map(|line| line.trim_end().trim_start_matches("remote: ").trim())
        .filter(|line| !line.is_empty() && !line.starts_with("hint:") && !is_noise(line))
        .collect();
    let last = &lines[lines.len().saturating_sub(LINES)..];
    let mut words = without_secrets(&last.join("; "));
    if let Some((end, _)) = words.char_indices().nth(LINES * TOLD) {
        words.truncate(end);
    }
    words
}

/// Returns whether a line is progress, or advice that every failure has.
fn is_noise(line: &str) -> bool {
    const NOISE: [&str; 11] = [
        "Enumerating objects",
        "Counting objects",
        "Compressing objects",
        "Writing objects",
        "Receiving objects",
        "Resolving deltas",
        "Unpacking objects",
        "Delta compression using",
        "Total ",
        "Please make sure you have the correct access rights",
        "and the repository exists.",
    ];
    NOISE.iter().any(|start| line.starts_with(start))
}

fn program(said: &str) -> TransportFault {
    TransportFault::Program {
        program: "git",
        said: said.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str, silence: u64) -> Result<Said, TransportFault> {
        let mut shell = Command::new("sh");
        shell.args(["-c", script]);
        run(&mut shell, Duration::from_millis(silence), None)
    }

    #[test]
    fn a_silent_program_is_stopped_and_a_talking_one_is_not() {
        assert!(matches!(sh("exec sleep 60", 200), Err(TransportFault::Timeout)));
        let said = sh("for n in 1 2 3 4 5 6; do echo $n >&2; sleep 0.1; done; echo out", 400).unwrap();
        assert!(said.status.success());
        assert_eq!((said.stdout.as_slice(), said.stderr.len()), (&b"out\n"[..], 12));
    }

    #[test]
    fn a_program_that_says_too_much_is_stopped() {
        assert!(matches!(sh("exec yes", 60_000), Err(TransportFault::TooLong { .. })));
    }

    #[test]
    fn a_process_that_is_left_behind_is_not_waited_for() {
        let said = sh("sleep 60 & echo $!", 60_000).unwrap();
        assert!(said.status.success());
        let pid = String::from_utf8(said.stdout).unwrap();
        drop(Command::new("kill").arg(pid.trim()).status());
    }

    #[test]
    fn messages_are_told_without_progress_and_secrets() {
        let said = sh(
            "printf 'Writing objects: 50%%\\rremote: no\\nhint: try\\nfatal: bad https://u:pw@h/x\\n' >&2; exit 1",
            9000,
        )
        .unwrap();
        let fault = failed(&said).to_string();
        assert_eq!(fault, "git: no; fatal: bad https://h/x");
    }
}
