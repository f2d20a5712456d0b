//! Names the leaks that a range of commits introduces: `cargo run --example scan_a_range A..B`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use gitpack::{Context, Result, Surface, Timestamp, scan};

/// Returns a line for each leak, also for one that a later commit of the range deletes.
pub fn leaks(ctx: &Context, range: String) -> Result<Vec<String>> {
    let report = scan(ctx, &Surface::Range(range), None, false)?;
    let leaks = report.leaks.iter().map(|found| &found.leak);
    Ok(leaks
        .map(|leak| format!("{} {}: {}", leak.code.as_str(), leak.entry.path, leak.cause))
        .collect())
}

fn main() -> ExitCode {
    let directory = env::current_dir().expect("the current directory exists");
    let seconds = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let now = Timestamp::from_seconds(seconds as i64).expect("the clock is before the year 10000");
    let Some(range) = env::args().nth(1) else {
        eprintln!("usage: scan_a_range A..B");
        return ExitCode::from(2);
    };
    match leaks(&Context::new(directory, now), range) {
        Ok(lines) if lines.is_empty() => ExitCode::SUCCESS,
        Ok(lines) => {
            println!("{}", lines.join("\n"));
            ExitCode::from(1)
        }
        Err(refusal) => {
            eprintln!("refused: {refusal}");
            ExitCode::from(2)
        }
    }
}
