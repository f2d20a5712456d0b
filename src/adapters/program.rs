//! Asks a program that knows credentials: a question on standard input, an answer on standard output, in bounded time.

use std::io::{Read, Write};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use zeroize::Zeroizing;

use crate::refusal::io_reason;

/// The longest answer that is read, in bytes.
const MAX_ANSWER: u64 = 256 << 10;

/// How long a program may take. It may ask a person.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// How long is waited for the rest of an answer once its program has ended.
const AFTER: Duration = Duration::from_secs(5);

/// How long is waited between two looks at a program.
const LOOK: Duration = Duration::from_millis(10);

/// What a program answered.
pub struct ProgramAnswer {
    /// Whether it ended with success.
    pub success: bool,
    /// Its standard output.
    pub text: Zeroizing<Vec<u8>>,
}

/// Runs a program. What it asks for and what it tells go only through its standard input and output.
#[cfg(feature = "network")]
pub fn ask(command: &mut Command, question: &[u8], patience: Duration) -> Result<ProgramAnswer, String> {
    let mut child = start(command.stderr(Stdio::null()))?;
    // A program that does not read its input fails by what it answers.
    child.stdin.take().map(|mut input| input.write_all(question));
    let answers = hear(child.stdout.take());
    let status = wait(&mut child, patience)?;
    // A process that the program left behind may hold its output open.
    let (read, text) = answers.recv_timeout(AFTER.min(patience)).unwrap_or_default();
    match read || !status.success() {
        true => Ok(ProgramAnswer {
            success: status.success(),
            text,
        }),
        false => Err("its answer could not be read".into()),
    }
}

/// Runs a program that gets `input` and knows no secret that it could tell. Returns its answer, and what it said to standard
/// error.
pub fn consult(command: &mut Command, input: Arc<[u8]>, patience: Duration) -> Result<(ProgramAnswer, String), String> {
    let mut child = start(command.stderr(Stdio::piped()))?;
    let (answers, said) = (hear(child.stdout.take()), hear(child.stderr.take()));
    if let Some(mut pipe) = child.stdin.take() {
        // A program that does not read its input must not hold up this one.
        std::thread::spawn(move || pipe.write_all(&input));
    }
    let status = wait(&mut child, patience)?;
    let (read, text) = answers.recv_timeout(AFTER.min(patience)).unwrap_or_default();
    let (_, said) = said.recv_timeout(AFTER.min(patience)).unwrap_or_default();
    match read {
        true => {
            let success = status.success();
            Ok((
                ProgramAnswer { success, text },
                String::from_utf8_lossy(&said).into_owned(),
            ))
        }
        false => Err("its answer could not be read".into()),
    }
}

fn start(command: &mut Command) -> Result<Child, String> {
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().map_err(|e| io_reason(&e))
}

/// Reads an output of a program in a thread of its own. Tells whether it could be read, and its beginning.
fn hear(output: Option<impl Read + Send + 'static>) -> Receiver<(bool, Zeroizing<Vec<u8>>)> {
    let (sender, answers) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        let read = output.map(|output| output.take(MAX_ANSWER).read_to_end(&mut bytes));
        // The receiver is gone if the program took too long.
        drop(sender.send((read.is_some_and(|read| read.is_ok()), bytes)));
    });
    answers
}

/// Waits for the end of a program, and ends one that takes longer than `patience`.
fn wait(child: &mut Child, patience: Duration) -> Result<ExitStatus, String> {
    let mut looked = Duration::ZERO;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Ok(status),
            Ok(None) if looked < patience => {
                std::thread::sleep(LOOK);
                looked += LOOK;
            }
            _ => {
                drop(child.kill());
                drop(child.wait());
                return Err("it did not answer in time".into());
            }
        }
    }
}

/// Runs the program that the first of `words` names, with the others as its arguments, as [`ask`] does.
#[cfg(feature = "network")]
pub fn ask_words(words: &[String], question: &[u8], patience: Duration) -> Result<ProgramAnswer, String> {
    let (program, arguments) = words.split_first().ok_or("it has no name")?;
    ask(Command::new(program).args(arguments), question, patience)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, patience: Duration) -> Result<(bool, String), String> {
        let answer = ask(Command::new("sh").args(["-c", script]), b"question", patience)?;
        Ok((answer.success, String::from_utf8_lossy(&answer.text).into_owned()))
    }

    #[test]
    fn a_question_is_answered() {
        assert_eq!(shell("cat; exit 1", PATIENCE), Ok((false, "question".into())));
        assert_eq!(shell("echo x", PATIENCE), Ok((true, "x\n".into())));
    }

    #[test]
    fn a_program_is_consulted_with_more_than_a_pipe_holds() {
        let input: Arc<[u8]> = vec![b'x'; 1 << 20].into();
        let consulted = |script: &str| {
            let mut command = Command::new("sh");
            consult(command.args(["-c", script]), Arc::clone(&input), PATIENCE)
        };
        let (answer, said) = consulted("wc -c; echo why >&2; exit 3").unwrap();
        assert_eq!((answer.success, answer.text.trim_ascii()), (false, &b"1048576"[..]));
        assert_eq!(said, "why\n");
        // It reads nothing.
        assert!(consulted("exit 0").unwrap().0.success);
        let mut command = Command::new("/nonexistent");
        assert!(consult(&mut command, input, PATIENCE).is_err());
    }

    #[test]
    fn a_program_that_hangs_is_ended() {
        let short = Duration::from_millis(200);
        assert!(shell("exec sleep 1000", short).is_err());
        // What it left behind holds the pipe open.
        assert!(shell("sleep 3 & exit 0", short).is_err());
    }
}
