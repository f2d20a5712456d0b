//! What a command tells the witness ledger about itself.

use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use serde_json::Map;

use crate::cli::args::Command;
use crate::cli::output::Output;
use crate::cli::output::words::without_password;
use crate::format::witness::Input;
use crate::ops::Context;
use crate::ops::pack::open::OpenReport;
use crate::ops::pack::rekey::RekeyReport;
use crate::ops::pack::restore::RestoreReport;
use crate::ops::pack::seal::SealReport;
use crate::ops::pack::verify::VerifyReport;
use crate::ops::witness::{Testimony, record};
use crate::refusal::shown::shown;

/// An account that is filled in while the command runs.
pub(super) struct Account(Testimony);

impl Account {
    /// Opens the account of a command that is recorded.
    pub(super) fn of(command: &Command) -> Option<Self> {
        let mut params = Map::new();
        let mut inputs = Vec::new();
        let command = match command {
            Command::Seal(args) => {
                let artifacts: Vec<String> = args.artifacts.iter().map(|path| name(path)).collect();
                params.insert("artifacts".into(), artifacts.into());
                for (key, value) in [("note", &args.note), ("rev", &args.rev), ("scope", &args.scope)] {
                    if let Some(value) = value {
                        params.insert(key.into(), value.as_str().into());
                    }
                }
                if let Some(output) = &args.output {
                    params.insert("output".into(), name(output).into());
                }
                "seal"
            }
            Command::Verify(args) => {
                inputs.push(Input {
                    path: name(&args.pack),
                    hash: None,
                    bytes: None,
                });
                if let Some(rev) = &args.rev {
                    params.insert("rev".into(), rev.as_str().into());
                }
                "verify"
            }
            Command::Open(args) => {
                inputs.push(Input {
                    path: name(&args.pack),
                    hash: None,
                    bytes: None,
                });
                if let Some(output) = &args.output {
                    params.insert("output".into(), name(output).into());
                }
                "open"
            }
            Command::Restore(args) => {
                inputs.push(Input {
                    path: name(&args.from),
                    hash: None,
                    bytes: None,
                });
                if let Some(output) = &args.output {
                    params.insert("output".into(), name(output).into());
                }
                if args.dry_run {
                    params.insert("dry_run".into(), true.into());
                }
                "restore"
            }
            Command::Rekey(args) => {
                inputs.push(Input {
                    path: name(&args.what),
                    hash: None,
                    bytes: None,
                });
                params.insert("output".into(), name(&args.output).into());
                "rekey"
            }
            Command::Diff(args) => {
                for pack in [&args.a, &args.b] {
                    inputs.push(Input {
                        path: name(pack),
                        hash: None,
                        bytes: None,
                    });
                }
                "diff"
            }
            _ => return None,
        };
        Some(Self(Testimony {
            command,
            inputs,
            params,
            outcome: "REFUSAL".into(),
            exit_code: 2,
            output_hash: String::new(),
            pack_id: None,
        }))
    }

    /// Adds what came of sealing.
    pub(super) fn sealed(&mut self, report: &SealReport) {
        self.0.outcome = "PACK_CREATED".into();
        self.0.pack_id = Some(report.pack_id.to_string());
        self.0.inputs = report.inputs.clone();
        self.0.params.insert("member_count".into(), report.members.into());
        self.0.params.insert("output_dir".into(), name(&report.output).into());
    }

    /// Adds what came of verifying.
    pub(super) fn verified(&mut self, report: &VerifyReport) {
        let verdict = &report.verdict;
        self.0.outcome = if verdict.findings.is_empty() { "OK" } else { "INVALID" }.into();
        self.0.pack_id = Some(verdict.pack_id.clone());
        for input in &mut self.0.inputs {
            input.hash = Some(verdict.manifest_hash.to_string());
            input.bytes = Some(verdict.manifest_bytes);
        }
    }

    /// Adds what came of opening. What was in there, it does not tell.
    pub(super) fn opened(&mut self, report: &OpenReport) {
        self.0.outcome = "OPENED".into();
        self.0.pack_id = Some(report.pack_id.clone());
        self.0.params.insert("artifact_count".into(), report.artifacts.into());
        if let Some(output) = &report.output {
            self.0.params.insert("output_dir".into(), name(output).into());
        }
        for input in &mut self.0.inputs {
            input.hash = Some(report.manifest_hash.to_string());
            input.bytes = Some(report.manifest_bytes);
        }
    }

    /// Adds what came of restoring.
    pub(super) fn restored(&mut self, report: &RestoreReport) {
        self.0.outcome = if report.output.is_some() {
            "RESTORED"
        } else {
            "RESTORABLE"
        }
        .into();
        self.0.pack_id = report.pack_id.clone();
        self.0.params.insert("file_count".into(), report.files.into());
        for input in &mut self.0.inputs {
            input.hash = Some(report.input_hash.to_string());
            input.bytes = Some(report.input_bytes);
        }
    }

    /// Adds what came of rekeying. Of a file, it is the ciphertext that is named by its hash.
    pub(super) fn rekeyed(&mut self, report: &RekeyReport) {
        self.0.outcome = "REKEYED".into();
        self.0.pack_id = report.pack_id.map(|id| id.to_string());
        self.0.params.insert("artifact_count".into(), report.artifacts.into());
        for input in &mut self.0.inputs {
            input.hash = Some(report.input_hash.to_string());
            input.bytes = Some(report.input_bytes);
        }
    }

    /// Adds what came of comparing.
    pub(super) fn compared(&mut self, same: bool) {
        self.0.outcome = if same { "NO_CHANGES" } else { "CHANGES" }.into();
    }

    /// Appends the account to the ledger. That this fails is said, and changes nothing else.
    pub(super) fn close(mut self, ctx: &Context, exit_code: u8, output: &mut Output) {
        self.0.exit_code = exit_code;
        self.0.output_hash = output.hash();
        if let Err(refusal) = record(ctx, self.0) {
            let why = super::output::refusal::one_line(&refusal);
            output.err(&format!("witness append warning: {why}\n"));
        }
    }
}

fn name(path: &Path) -> String {
    let bytes = path.as_os_str().as_bytes();
    let text = String::from_utf8(bytes.to_vec()).unwrap_or_else(|_| shown(bytes));
    without_password(&text)
}
