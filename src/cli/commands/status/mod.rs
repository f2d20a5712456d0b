//! `git pack status`: shows what is protected here, who can open it, which hooks guard it, and what is wrong.

mod files;
mod hooks;
mod human;
mod json;

use clap::Parser;

use super::Run;
use super::operator::{Operator, Prints};
use crate::cli::account::Account;
use crate::cli::exit::{Exit, Result};
use crate::cli::output::Output;
use crate::cli::output::sheet::wrapped;
use crate::cli::output::table::aligned;
use crate::cli::style::{Envelope, Style};
use crate::format::protected::Origin;
use crate::ops::Context;
use crate::ops::guard::status::{RegistryReport, doctor, registry, status};
use crate::refusal::shown::harmless;

/// Show what is protected, who can open it, and what is wrong
#[derive(Parser)]
#[command(name = "status")]
pub(super) struct Status {
    /// Print the protection rules in force
    #[arg(long, conflicts_with_all = ["doctor", "json"])]
    registry: bool,
    /// Test each hook: run it on a canary file, as git would, and check that it blocks
    #[arg(long)]
    doctor: bool,
    /// Print one JSON document (pack.repository.v0)
    #[arg(long)]
    json: bool,
}

impl Run for Status {
    fn operator() -> Option<Operator> {
        Some(Operator {
            output: Prints::Report,
            yes: "SHOWN",
            no: Some("WRONG"),
        })
    }

    fn envelope() -> Envelope {
        Envelope::WITH_JSON
    }

    fn style(&self) -> Style {
        Style::with_json(self.json)
    }

    fn run(self: Box<Self>, ctx: &Context, output: &mut Output, _: Option<&mut Account>) -> Result<Exit> {
        if self.registry {
            print_registry(output, &registry(ctx)?);
            return Ok(Exit::Yes);
        }
        let report = status(ctx)?;
        let proofs = match self.doctor {
            true => Some(doctor::doctor(ctx)?),
            false => None,
        };
        let troubles = report.troubles(proofs.as_deref());
        match self.json {
            true => output.out(&json::document(&report, proofs.as_deref(), &troubles)),
            false => human::print(output, &report, proofs.as_deref(), &troubles),
        }
        Ok(Exit::yes_if(troubles.is_empty()))
    }
}

/// Prints the rules in force.
fn print_registry(output: &mut Output, report: &RegistryReport) {
    let rows: Vec<[String; 3]> = report
        .rules
        .iter()
        .map(|rule| {
            let origin = match rule.origin {
                Origin::BuiltIn => "built in",
                Origin::Config => ".gitpack.toml",
            };
            [harmless(&rule.class), rule.policy.as_str().into(), origin.into()]
        })
        .collect();
    for (line, rule) in aligned(&rows, "").lines().zip(&report.rules) {
        output.line(line);
        let formats: Vec<String> = rule.formats.iter().map(|format| format.as_str().to_owned()).collect();
        for (label, words) in [
            ("paths", &rule.paths),
            ("content", &formats),
            ("but not in", &rule.allow_in),
        ] {
            let words = words.iter().map(|word| harmless(word));
            wrapped(label, words).iter().for_each(|line| output.line(line));
        }
    }
    for allow in &report.allowed {
        output.line(&format!("allowed   blob {}   {}", allow.blob, harmless(&allow.reason)));
    }
    output.err(
        "  the last matching rule decides; no rule releases pack-run or key, but [[allow]] can release single keys\n",
    );
}
