//! Prints the digest of what a commit's tree holds: `cargo run --example state_of_a_commit [REV]`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use gitpack::{Context, Digest, Result, StateRequest, Timestamp, state};

/// Returns the digest of a commit, which is the same in every clone.
pub fn digest_of(ctx: &Context, rev: Option<String>) -> Result<Digest> {
    let request = StateRequest {
        rev,
        ..StateRequest::default()
    };
    state(ctx, &request).map(|state| state.digest())
}

fn main() -> ExitCode {
    let directory = env::current_dir().expect("the current directory exists");
    let seconds = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let now = Timestamp::from_seconds(seconds as i64).expect("the clock is before the year 10000");
    match digest_of(&Context::new(directory, now), env::args().nth(1)) {
        Ok(digest) => {
            println!("{digest}");
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("refused: {refusal}");
            ExitCode::from(2)
        }
    }
}
