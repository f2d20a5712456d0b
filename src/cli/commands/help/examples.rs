//! The examples in the help and in the manual pages. A test runs each of them.

/// An example of a command.
pub(super) struct Example {
    /// What it does.
    pub(super) does: &'static str,
    /// What to type.
    pub(super) line: &'static str,
}

const fn example(does: &'static str, line: &'static str) -> Example {
    Example { does, line }
}

/// The examples of each command, by what stands after `git pack`.
pub(super) const EXAMPLES: &[(&str, &[Example])] = &[
    (
        "init",
        &[
            example("Set up this repository", "git pack init"),
            example("Guard a bare repository on a server", "git pack init --server"),
        ],
    ),
    (
        "status",
        &[
            example("Show what is protected here", "git pack status"),
            example("Test that the hooks fire", "git pack status --doctor"),
            example("Print the rules in force", "git pack status --registry"),
        ],
    ),
    (
        "tour",
        &[
            example("Show what git-pack does", "git pack tour"),
            example("Keep the repository, to look around in it", "git pack tour --keep"),
        ],
    ),
    (
        "scan",
        &[
            example("Check what is staged", "git pack scan"),
            example(
                "Check all history, before a repository is published",
                "git pack scan --all",
            ),
            example(
                "Check what this branch adds to main",
                "git pack scan --range main..HEAD",
            ),
            example(
                "Write a report for a code host",
                "git pack scan --all --format sarif > leaks.sarif",
            ),
        ],
    ),
    (
        "protect",
        &[
            example(
                "Have git track embeddings/index.vec.age instead of the plaintext",
                "git pack protect embeddings/index.vec",
            ),
            example(
                "Check that no plaintext has changed since it was sealed",
                "git pack protect --check",
            ),
        ],
    ),
    (
        "reveal",
        &[
            example("Open every sealed twin", "git pack reveal"),
            example("Open one", "git pack reveal embeddings/index.vec"),
        ],
    ),
    (
        "install",
        &[
            example("Install the hooks", "git pack install"),
            example(
                "Also check commits that are made with --no-verify",
                "git pack install --strict",
            ),
        ],
    ),
    ("uninstall", &[example("Remove the hooks", "git pack uninstall")]),
    (
        "seal",
        &[
            example("Seal HEAD into a tree pack below _PACK_RUN/", "git pack seal"),
            example(
                "Seal a tag, and an untracked file, into a pack",
                "git pack seal --rev v1.0 --attach data/private.csv -o run-1.0",
            ),
            example(
                "Seal a report and a directory into an evidence pack",
                "git pack seal report.json proofs -o evidence",
            ),
            example(
                "Print the texts of HEAD for a language model",
                "git pack seal --emit full --stdout > texts.txt",
            ),
        ],
    ),
    (
        "open",
        &[
            example("Open all that is sealed, into a new directory", "git pack open run"),
            example(
                "Open one artifact",
                "git pack open run data/private.csv --stdout > private.csv",
            ),
        ],
    ),
    (
        "verify",
        &[
            example("Verify a pack, without a key", "git pack verify run"),
            example(
                "Also check that it is a pack of this tag",
                "git pack verify run --rev v1.0",
            ),
            example("Also open every seal", "git pack verify run -i ~/.ssh/id_ed25519"),
        ],
    ),
    ("diff", &[example("Compare two packs", "git pack diff earlier run")]),
    ("inspect", &[example("Show what is in a pack", "git pack inspect run")]),
    (
        "report",
        &[
            example("Write a page that shows a pack", "git pack report run -o run.html"),
            example(
                "Show a commit, and what a pack of it would seal",
                "git pack report --rev HEAD -o commit.html",
            ),
        ],
    ),
    (
        "list",
        &[
            example("List the packs in _PACK_RUN/", "git pack list"),
            example("List the packs at a git remote", "git pack list git:origin"),
        ],
    ),
    (
        "state",
        &[
            example("Print the digest of HEAD", "git pack state"),
            example(
                "Print the lines that the digest of a tag covers",
                "git pack state v1.0 --files",
            ),
            example(
                "Check that HEAD holds the same files as a tag",
                "git pack state --check \"$(git pack state v1.0)\"",
            ),
        ],
    ),
    (
        "push",
        &[
            example("Send a pack to a git remote", "git pack push run git:origin"),
            example(
                "Send a pack to a registry",
                "git pack push run oci://registry.example.org/team/packs",
            ),
        ],
    ),
    (
        "pull",
        &[
            example(
                "Fetch the only pack at a git remote",
                "git pack pull git:origin -o fetched",
            ),
            example(
                "Fetch a pack from a registry",
                "git pack pull oci://registry.example.org/team/packs:v1.0 -o fetched",
            ),
            example("Unpack an archive", "git pack pull run.tar.zst -o fetched"),
        ],
    ),
    (
        "archive",
        &[example(
            "Write a pack into one file, in place of an earlier one",
            "git pack archive run -o run.tar.zst --replace",
        )],
    ),
    (
        "sign",
        &[example("Sign a pack", "git pack sign run --key ~/.ssh/id_ed25519")],
    ),
    (
        "attest",
        &[
            example("State that a pack verified", "git pack attest run --key key.pem"),
            example(
                "State how it was built",
                "git pack attest run --key key.pem --type slsa-provenance --predicate build.json",
            ),
        ],
    ),
    (
        "restore",
        &[
            example("Rebuild the files of the commit", "git pack restore run -o files"),
            example("Only check that this is possible", "git pack restore run --dry-run"),
        ],
    ),
    (
        "audit",
        &[
            example("Check all that was sealed in this clone", "git pack audit"),
            example(
                "Check the last run, and the digest cache",
                "git pack audit --run last --deep",
            ),
        ],
    ),
    (
        "gc",
        &[
            example("Print what would be removed, and why", "git pack gc --dry-run --why"),
            example("Remove what no run has needed for 30 days", "git pack gc --grace 30d"),
        ],
    ),
    (
        "witness query",
        &[example(
            "Print the refusals since a day",
            "git pack witness query --outcome REFUSAL --since 2026-01-01T00:00:00Z",
        )],
    ),
    (
        "witness last",
        &[example("Print the newest record", "git pack witness last --json")],
    ),
    (
        "witness count",
        &[example(
            "Count the packs that verified",
            "git pack witness count --outcome OK",
        )],
    ),
    (
        "witness verify",
        &[example("Check the chain of records", "git pack witness verify")],
    ),
    (
        "key generate",
        &[example(
            "Create an identity for a machine",
            "git pack key generate -o deploy.txt",
        )],
    ),
    (
        "key list",
        &[example("Show which keys are in use", "git pack key list")],
    ),
    (
        "key public",
        &[
            example("Print the recipient to be given to others", "git pack key public"),
            example(
                "Print the recipient of an SSH key",
                "git pack key public ~/.ssh/id_ed25519",
            ),
        ],
    ),
    (
        "recipients list",
        &[example(
            "Print who can open what is sealed from now on",
            "git pack recipients list",
        )],
    ),
    (
        "recipients add",
        &[example(
            "Add a person",
            "git pack recipients add \"$(cat ~/.ssh/id_ed25519.pub)\"",
        )],
    ),
    (
        "recipients remove",
        &[example(
            "Remove a person",
            "git pack recipients remove \"$(cat kim.pub)\"",
        )],
    ),
    (
        "rekey",
        &[
            example(
                "Make a pack for the present recipients",
                "git pack rekey run -o rekeyed",
            ),
            example(
                "Make a sealed twin for the present recipients",
                "git pack rekey embeddings/index.vec.age -o embeddings/index.vec.age --replace",
            ),
        ],
    ),
    (
        "agent append",
        &[example(
            "Append cycles to a shard",
            "git pack agent append 00 cycles.bin",
        )],
    ),
    (
        "agent cat",
        &[example(
            "Print two cycles of a shard",
            "git pack agent cat --shard 00 --from 1 --count 2 --hex",
        )],
    ),
    (
        "agent info",
        &[example("Show what the store here holds", "git pack agent info")],
    ),
    (
        "agent verify",
        &[
            example("Check the store here", "git pack agent verify"),
            example(
                "Check that it continues an earlier one",
                "git pack agent verify --against earlier-store",
            ),
        ],
    ),
    (
        "agent seal",
        &[example(
            "Encrypt the format of an agent, in place of an earlier one",
            "git pack agent seal format.json --kind format --replace",
        )],
    ),
    (
        "agent open",
        &[example("Print a private file", "git pack agent open format.json.enc")],
    ),
    (
        "agent migrate",
        &[example(
            "List the private files of old formats",
            "git pack agent migrate --dry-run",
        )],
    ),
    (
        "man",
        &[
            example(
                "Install the manual pages, for git pack --help",
                "git pack man --install",
            ),
            example("Read one that is not installed", "git pack man seal | man -l -"),
        ],
    ),
    (
        "completions",
        &[
            example(
                "Complete commands in this shell",
                "git pack completions bash > git-pack.bash && . ./git-pack.bash",
            ),
            example(
                "Complete commands in every fish",
                "git pack completions fish > ~/.config/fish/conf.d/git-pack.fish",
            ),
        ],
    ),
    (
        "help",
        &[
            example("Show all flags of a command", "git pack help seal"),
            example("Show the help of a command below another", "git pack help agent append"),
        ],
    ),
];

/// Returns the examples of a command.
pub(super) fn examples(path: &str) -> Option<&'static [Example]> {
    EXAMPLES
        .iter()
        .find(|(name, _)| *name == path)
        .map(|(_, examples)| *examples)
}
