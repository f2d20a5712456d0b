//! The tour, as an end-to-end test of the main story.

use crate::common::{Place, snapshot};

#[test]
fn each_command_ends_as_the_story_says() {
    let place = Place::new();
    let before = snapshot(place.path());
    let done = place.pack_in(place.path(), &["tour"]).ok();
    let told = done.out();
    assert!(told.contains("tour: OK"), "{told}");
    assert!(!told.contains("left out"), "ssh-keygen must be there: {told}");
    for shown in [
        "commit blocked",
        "push to origin blocked",
        "100 % of embeddings/index.vec",
        "PACK_CREATED",
        "HASH_MISMATCH",
        "E_NO_IDENTITY",
        "OPENED 1",
        "signed by you@example.org",
    ] {
        assert!(told.contains(shown), "{shown} is missing in {told}");
    }
    assert!(!told.contains('\x1b'), "colours in a pipe: {told}");
    // The story has a home of its own.
    assert!(snapshot(place.path()) == before);
}

#[test]
fn a_command_that_ends_otherwise_ends_the_tour_with_a_no() {
    let place = Place::new();
    // This git skips the hooks of each commit.
    let bin = place.path().join("bin");
    std::fs::create_dir(&bin).unwrap();
    let real = place.run(place.path(), "sh", &["-c", "command -v git"]).ok().out();
    let script = format!(
        "#!/bin/sh\n[ \"$1\" = commit ] && shift && exec {0} commit --no-verify \"$@\"\nexec {0} \"$@\"\n",
        real.trim()
    );
    // Another process writes it, for the reason that `copy_binary` gives.
    let mut written = place.command("sh", &bin);
    written.args(["-c", "printf %s \"$1\" >git && chmod +x git", "sh", &script]);
    assert!(written.status().unwrap().success());
    let done = place.pack_in(place.path(), &["tour"]);
    let told = done.out();
    assert_eq!(done.code, 1, "{told}");
    assert!(
        told.contains("tour: OTHERWISE it ended with 0, and should have ended with 1"),
        "{told}"
    );
    assert!(!told.contains("blocked again"), "the story went on: {told}");
}

#[test]
fn the_directory_is_kept_on_demand_alone() {
    let place = Place::new();
    let temporary = place.path().join("temporary");
    std::fs::create_dir(&temporary).unwrap();
    let tour = |args: &[&str]| {
        let mut command = place.command(env!("CARGO_BIN_EXE_git-pack"), place.path());
        command.arg("tour").args(args).env("TMPDIR", &temporary);
        let output = command.output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    };
    tour(&[]);
    assert_eq!(std::fs::read_dir(&temporary).unwrap().count(), 0);
    let told = tour(&["--keep"]);
    let kept = told.lines().last().unwrap().strip_prefix("kept in ").unwrap();
    assert!(
        std::path::Path::new(kept).join("work/pack/manifest.json").exists(),
        "{told}"
    );
}
