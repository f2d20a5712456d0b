//! `git pack agent cat`: print cycles of a shard.

use std::io::IsTerminal;

use clap::Args;

use super::{StoreFlag, shard};
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::refusal::usage::misused;
use crate::cli::style::Style;
use crate::format::agent::genome::{CYCLE, Shard};
use crate::ops::Context;
use crate::ops::agent::cat::{CatRequest, cat};

#[derive(Args)]
pub(super) struct Cat {
    /// The shard, if the store has several
    #[arg(long, value_name = "SHARD", value_parser = shard)]
    shard: Option<Shard>,
    #[command(flatten)]
    store: StoreFlag,
    /// The number of the first cycle to print
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,
    /// How many cycles to print [default: all that follow]
    #[arg(long, value_name = "M")]
    count: Option<u64>,
    /// Print each cycle as a line of 48 hexadecimal digits
    #[arg(long)]
    hex: bool,
}

impl Cat {
    /// Returns how this call reports a refusal.
    pub(super) fn style(&self) -> Style {
        Style::Human
    }

    /// Runs the call and prints its result.
    pub(super) fn run(self, ctx: &Context, output: &mut Output) -> Result<Exit> {
        if !self.hex && std::io::stdout().is_terminal() {
            return Err(misused("cycles are binary; add --hex, or send them to a file or another program").into());
        }
        let request = CatRequest {
            store: self.store.store,
            shard: self.shard,
            from: self.from,
            count: self.count,
        };
        cat(ctx, &request, &mut |cycles| match self.hex {
            true => output.stream(&lines(cycles)),
            false => output.stream(cycles),
        })?;
        Ok(Exit::Yes)
    }
}

/// Returns a line of lowercase hexadecimal digits for each cycle.
fn lines(cycles: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = Vec::with_capacity(cycles.len() * 2 + cycles.len() / CYCLE as usize);
    for cycle in cycles.chunks(CYCLE as usize) {
        let digits = cycle.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        text.extend(digits.map(|digit| DIGITS[usize::from(digit)]));
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_a_line() {
        let mut cycles = vec![0; 24];
        cycles.extend([0xff; 23]);
        cycles.push(0x1a);
        let expected = format!("{}\n{}1a\n", "00".repeat(24), "ff".repeat(23));
        assert_eq!(lines(&cycles), expected.as_bytes());
        assert_eq!(lines(&[]), b"");
    }
}
