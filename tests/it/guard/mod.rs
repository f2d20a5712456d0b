//! The leak guard end to end, with the real git and the installed hooks: every way to leak that git offers, and what
//! must pass. Each row of a table is a small repository; a table reports all its failing rows at once.

mod agent;
mod allow_file;
pub mod bytes;
mod clones;
mod commit;
mod content;
mod install;
mod keys;
mod names;
mod packs;
mod pass;
mod places;
mod push;
mod receive;
mod rules;
mod scan;
mod seals;
mod strict;
pub mod table;
pub mod world;

use table::{Row, run, still_met_without_hooks};

type Table = (&'static str, fn() -> Vec<Row>);

/// Every table by name; each has its own test below.
const TABLES: [Table; 17] = [
    ("commit", commit::rows),
    ("names", names::rows),
    ("places", places::rows),
    ("push", push::rows),
    ("history", push::history),
    ("clones", clones::rows),
    ("rules", rules::rows),
    ("allow_file", allow_file::rows),
    ("content", content::rows),
    ("keys", keys::rows),
    ("seals", seals::rows),
    ("agent", agent::rows),
    ("packs", packs::rows),
    ("receive", receive::rows),
    ("strict", strict::rows),
    ("install", install::rows),
    ("pass", pass::rows),
];

#[test]
fn leaks_are_blocked_at_commit() {
    run("commit", commit::rows());
}

#[test]
fn no_name_hides_a_leak() {
    run("names", names::rows());
}

#[test]
fn no_place_hides_a_leak() {
    run("places", places::rows());
}

#[test]
fn leaks_are_blocked_whatever_the_push() {
    run("push", push::rows());
}

#[test]
fn leaks_are_blocked_wherever_in_history() {
    run("history", push::history());
}

#[test]
fn clones_that_lack_objects_hide_nothing() {
    run("clones", clones::rows());
}

#[test]
fn a_change_is_not_judged_by_its_own_rules_alone() {
    run("rules", rules::rows());
}

#[test]
fn a_file_with_exceptions_is_part_of_the_configuration() {
    run("allow_file", allow_file::rows());
}

#[test]
fn protected_content_is_recognised_under_any_name() {
    run("content", content::rows());
}

#[test]
fn private_keys_are_recognised_anywhere() {
    run("keys", keys::rows());
}

#[test]
fn a_seal_is_a_seal_and_a_pointer_is_a_leak() {
    run("seals", seals::rows());
}

#[test]
fn private_files_of_agents_pass_only_if_they_are_sealed() {
    run("agent", agent::rows());
}

#[test]
fn packs_are_verified_before_they_are_pushed() {
    run("packs", packs::rows());
}

#[test]
fn a_server_blocks_what_clients_let_through() {
    run("receive", receive::rows());
}

#[test]
fn strict_hooks_leave_no_way_around() {
    run("strict", strict::rows());
}

#[test]
fn installed_hooks_work_beside_others_and_refuse_without_a_judge() {
    run("install", install::rows());
}

#[test]
fn innocent_things_pass() {
    run("pass", pass::rows());
}

#[test]
fn scan_finds_on_every_surface() {
    run("scan", scan::rows());
}

/// A row that passes without the guard proves nothing. So hooks are switched off here, and every row that expects one
/// must then fail.
#[test]
fn without_hooks_rows_fail() {
    fail_without_hooks(11);
}

/// Does the same for all rows, which takes as long as all tables together.
#[test]
#[ignore = "doubles the time; for those who change the tables"]
fn without_hooks_every_row_fails() {
    fail_without_hooks(1);
}

/// Tries every `step`th row of each table.
fn fail_without_hooks(step: usize) {
    let mut rows = 0;
    let mut met = Vec::new();
    for (table, make) in TABLES {
        let made = make();
        rows += made.len();
        let tried = made.into_iter().step_by(step).collect();
        let names = still_met_without_hooks(tried);
        met.extend(names.into_iter().map(|name| format!("{table}: {name}")));
    }
    assert!(rows >= 80, "only {rows} rows");
    assert!(met.is_empty(), "met although no hook ran:\n{}", met.join("\n"));
}
