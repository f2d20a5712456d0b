//! Seals a file for a recipient, and opens it again: `cargo run --example seal_and_open FILE RECIPIENT IDENTITY DIRECTORY`.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program talks to its user")]

use std::env;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::UNIX_EPOCH;

use gitpack::{Context, OpenRequest, Result, SealRequest, Timestamp, open, seal};

/// Makes the evidence pack `output` of a file, sealed for a recipient if a rule protects the file. Returns the pack's id.
pub fn seal_for(ctx: &Context, file: &Path, recipient: &str, output: &Path) -> Result<String> {
    let request = SealRequest {
        artifacts: vec![file.to_owned()],
        recipients: vec![recipient.to_owned()],
        output: Some(output.to_owned()),
        ..SealRequest::default()
    };
    Ok(seal(ctx, &request)?.pack_id.to_string())
}

/// Opens what is sealed in a pack into the new directory `output`, which only its owner can read. Returns the number of files.
pub fn open_with(ctx: &Context, pack: &Path, identity: &Path, output: &Path) -> Result<u64> {
    let request = OpenRequest {
        pack: pack.to_owned(),
        identities: vec![identity.to_owned()],
        output: Some(output.to_owned()),
        ..OpenRequest::default()
    };
    Ok(open(ctx, &request)?.artifacts)
}

fn main() -> ExitCode {
    let current = env::current_dir().expect("the current directory exists");
    let seconds = UNIX_EPOCH.elapsed().expect("the clock is past 1970").as_secs();
    let now = Timestamp::from_seconds(seconds as i64).expect("the clock is before the year 10000");
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [file, recipient, identity, directory] = &arguments[..] else {
        eprintln!("usage: seal_and_open FILE RECIPIENT IDENTITY DIRECTORY");
        return ExitCode::from(2);
    };
    let ctx = Context::new(current, now);
    let [pack, opened] = ["pack", "opened"].map(|name| PathBuf::from(directory).join(name));
    let done = seal_for(&ctx, Path::new(file), recipient, &pack)
        .and_then(|id| open_with(&ctx, &pack, Path::new(identity), &opened).map(|files| (id, files)));
    match done {
        Ok((id, files)) => {
            println!("{id}\n{files} opened in {}", opened.display());
            ExitCode::SUCCESS
        }
        Err(refusal) => {
            eprintln!("refused: {refusal}");
            ExitCode::from(2)
        }
    }
}
