//! Says what is wrong with a pack: `cargo run --example verify_a_pack PACK`. It needs no key and no repository.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use gitpack::{Context, Result, Timestamp, VerifyRequest, verify};

/// Returns a line for each finding; a sound pack has none.
pub fn findings(ctx: &Context, pack: PathBuf) -> Result<Vec<String>> {
    let request = VerifyRequest {
        pack,
        ..VerifyRequest::default()
    };
    let report = verify(ctx, &request)?;
    let lines = report.verdict.findings.iter();
    Ok(lines
        .map(|finding| format!("{} {}", finding.kind.code(), finding.path))
        .collect())
}

fn main() -> ExitCode {
    let directory = env::current_dir().expect("the current directory exists");
    let seconds = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let now = Timestamp::from_seconds(seconds as i64).expect("the clock is before the year 10000");
    let Some(pack) = env::args_os().nth(1) else {
        eprintln!("usage: verify_a_pack PACK");
        return ExitCode::from(2);
    };
    match findings(&Context::new(directory, now), pack.into()) {
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
