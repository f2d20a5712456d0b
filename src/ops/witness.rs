//! `git pack witness`: the record of commands that ran here, by which binary, and with which result.

use std::path::PathBuf;
use std::thread::JoinHandle;

use serde_json::{Map, Value};

use crate::adapters::{files, ledger, own_program};
use crate::format::witness::{Blake3, Filter, Input, Line, Record, TOOL};
use crate::ops::Context;
use crate::refusal::usage::Misuse;
use crate::refusal::{Refusal, Result};

/// The part of a record that only the command knows.
#[derive(Clone, Debug)]
pub struct Testimony {
    /// The command.
    pub command: &'static str,
    /// Its inputs.
    pub inputs: Vec<Input>,
    /// Its parameters.
    pub params: Map<String, Value>,
    /// How it ended, in one word.
    pub outcome: String,
    /// Its exit status.
    pub exit_code: u8,
    /// BLAKE3 of what it printed on stdout.
    pub output_hash: String,
    /// The pack that it handled.
    pub pack_id: Option<String>,
}

/// The hash of this program's file, which is remembered, or computed while the command runs.
#[derive(Debug)]
pub struct OwnHash(JoinHandle<Result<String>>);

impl OwnHash {
    /// Begins to compute it.
    pub fn begin(ctx: &Context) -> Self {
        let (binary, memory) = (ctx.binary.clone(), ctx.surroundings.memory.clone());
        Self(std::thread::spawn(move || {
            own_program::hash_of(&binary, &memory, || {
                let mut hash = Blake3::default();
                files::read_in_chunks(&binary, |chunk| hash.update(chunk))?;
                Ok(hash.finish())
            })
        }))
    }

    fn finish(self) -> Result<String> {
        self.0.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// Appends a record to the ledger.
pub fn record(ctx: &Context, testimony: Testimony, own: OwnHash) -> Result<()> {
    let path = path(ctx)?;
    let record = Record {
        tool: TOOL,
        version: env!("CARGO_PKG_VERSION"),
        command: testimony.command,
        binary_hash: own.finish()?,
        inputs: testimony.inputs,
        params: testimony.params,
        outcome: testimony.outcome,
        exit_code: testimony.exit_code,
        output_hash: testimony.output_hash,
        ts: ctx.now.to_string(),
        pack_id: testimony.pack_id,
    };
    ledger::append(&path, |previous| record.to_line(previous))
}

/// The records of a query, and the number of malformed lines.
#[derive(Debug)]
pub struct FoundRecords {
    /// The records, oldest first.
    pub records: Vec<Line>,
    /// Number of malformed lines, which were skipped.
    pub malformed: u64,
}

/// Returns the records that match, oldest first.
pub fn query(ctx: &Context, filter: &Filter) -> Result<FoundRecords> {
    let mut found = FoundRecords {
        records: Vec::new(),
        malformed: 0,
    };
    for line in ledger::lines(&path(ctx)?)? {
        match Line::parse(&line) {
            Some(line) if filter.matches(&line) => found.records.push(line),
            Some(_) => {}
            None => found.malformed += 1,
        }
    }
    Ok(found)
}

/// The result of a check of the chain.
#[derive(Debug)]
pub struct Chain {
    /// Number of our records that were checked.
    pub checked: u64,
    /// Number of malformed lines. Some of them may have been ours.
    pub malformed: u64,
    /// The first line, counted from 1, at which the chain breaks, and why.
    pub broken: Option<(u64, &'static str)>,
}

/// Checks the ids of our records, and that each follows the line that it was appended to.
pub fn verify(ctx: &Context) -> Result<Chain> {
    let mut chain = Chain {
        checked: 0,
        malformed: 0,
        broken: None,
    };
    let lines = ledger::lines(&path(ctx)?)?;
    for (at, bytes) in lines.iter().enumerate() {
        let Some(line) = Line::parse(bytes) else {
            chain.malformed += 1;
            continue;
        };
        if line.text("tool") != Some(TOOL) {
            continue;
        }
        chain.checked += 1;
        let previous = at.checked_sub(1).map(|before| Blake3::of(&lines[before]));
        let problem = if !line.id_is_right() {
            Some("its id does not match its content")
        } else if line.text("prev") != previous.as_deref() {
            Some("it does not follow the line before it")
        } else {
            None
        };
        if let Some(problem) = problem {
            chain.broken = Some((at as u64 + 1, problem));
            break;
        }
    }
    Ok(chain)
}

fn path(ctx: &Context) -> Result<PathBuf> {
    ctx.ledger.clone().ok_or(Refusal::Usage(Misuse::NoLedger))
}
