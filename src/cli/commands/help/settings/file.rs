//! The keys of `.gitpack.toml`. A test compares them with those that the parser knows.

use super::Setting;

const fn key(
    name: &'static str,
    kind: &'static str,
    default: &'static str,
    meaning: &'static str,
    example: &'static str,
) -> Setting {
    Setting {
        name,
        kind,
        default,
        meaning,
        example,
    }
}

/// The keys, in the order of the file. The name of a key in a table begins with the table.
pub(in crate::cli::commands::help) const KEYS: &[Setting] = &[
    key(
        "version",
        "1",
        "required",
        "The version of the file. There is only this one.",
        "version = 1",
    ),
    key(
        "private_remotes",
        "list of URLs",
        "none",
        "URLs of remotes that only insiders can read. `*` matches within one segment of a path. It stands above every table.",
        "private_remotes = [\"git@git.example.org:team/*\"]",
    ),
    key(
        "allow_file",
        "path",
        "none",
        "A committed file with more `[[allow]]` entries, and nothing else. It stands above every table.",
        "allow_file = \"accepted.toml\"",
    ),
    key(
        "[pack] scope",
        "key of a scope",
        "repo, which is everything",
        "The scope that is sealed if the command names none.",
        "[pack]\nscope = \"docs\"\n[scope.docs]\ninclude = [\"docs/\"]",
    ),
    key(
        "[pack] emit",
        "list of repo, lite, full and split",
        "repo",
        "The parts of a tree pack: a copy of each file, a list of refs, one text, or texts for each directory.",
        "[pack]\nemit = [\"repo\", \"lite\"]",
    ),
    key(
        "[pack] attach",
        "list of globs",
        "none",
        "Untracked files that are sealed into every tree pack.",
        "[pack]\nattach = [\"embeddings/*.vec\"]",
    ),
    key(
        "[pack] canon_version_file",
        "path",
        "none",
        "A committed file that holds the canon version.",
        "[pack]\ncanon_version_file = \"VERSION.md\"",
    ),
    key(
        "[pack] require_published",
        "true or false",
        "false",
        "Whether a branch may be pushed only after a pack of its tip was pushed to the place for packs.",
        "[pack]\nrequire_published = true",
    ),
    key(
        "[scope.KEY] title",
        "text",
        "the key",
        "The title that people see.",
        "[scope.docs]\ntitle = \"The documents\"",
    ),
    key(
        "[scope.KEY] include",
        "list of globs",
        "everything",
        "The files of the scope.",
        "[scope.docs]\ninclude = [\"docs/\"]",
    ),
    key(
        "[scope.KEY] exclude",
        "list of globs",
        "none",
        "Files that `include` names and that are not in the scope.",
        "[scope.docs]\nexclude = [\"*.tmp\"]",
    ),
    key(
        "[scope.KEY] prefix",
        "at most 64 letters, digits, _ and -",
        "the key in capitals",
        "The beginning of the names under `FULL/` and `SPLIT/`.",
        "[scope.docs]\nprefix = \"DOCS\"",
    ),
    key(
        "[scope.KEY] buckets",
        "list of directories at the top",
        "none",
        "The directories whose texts come first.",
        "[scope.repo]\nbuckets = [\"docs\", \"src\"]",
    ),
    key(
        "[scope.KEY] anchors",
        "list of paths",
        "none",
        "The files that are read first.",
        "[scope.repo]\nanchors = [\"README.md\"]",
    ),
    key(
        "[scope.KEY.split] max_tokens",
        "number from 1000 to 10000000",
        "one file for each directory",
        "The most tokens in a file under `SPLIT/`.",
        "[scope.repo]\nsplit = { max_tokens = 100000 }",
    ),
    key(
        "[scope.KEY.limits] max_total_bytes",
        "number, or a size such as \"50MiB\"",
        "no limit",
        "The most bytes of all entries together. `seal` refuses more.",
        "[scope.repo.limits]\nmax_total_bytes = \"50MiB\"",
    ),
    key(
        "[scope.KEY.limits] max_entry_bytes",
        "number, or a size such as \"2MiB\"",
        "no limit",
        "The most bytes of one entry.",
        "[scope.repo.limits]\nmax_entry_bytes = \"2MiB\"",
    ),
    key(
        "[scope.KEY.limits] max_entries",
        "number",
        "no limit",
        "The most entries.",
        "[scope.repo.limits]\nmax_entries = 50000",
    ),
    key(
        "[[protect]] class",
        "any word but pack-run",
        "required",
        "The class of the files, which messages name.",
        "[[protect]]\nclass = \"dataset\"\npaths = [\"data/private/**\"]",
    ),
    key(
        "[[protect]] paths",
        "list of globs",
        "none; one of paths and formats is required",
        "The files, by their names. Upper and lower case are the same.",
        "[[protect]]\nclass = \"dataset\"\npaths = [\"*.parquet\"]",
    ),
    key(
        "[[protect]] formats",
        "list of formats",
        "none",
        "The files, by their content, under any name. docs/guard.md lists the formats.",
        "[[protect]]\nclass = \"dataset\"\nformats = [\"parquet\", \"arrow\"]",
    ),
    key(
        "[[protect]] policy",
        "never, internal or allowed",
        "never",
        "never: not in plaintext anywhere; internal: only at private remotes; allowed: everywhere.",
        "[[protect]]\nclass = \"dataset\"\npaths = [\"data/**\"]\npolicy = \"internal\"",
    ),
    key(
        "[[protect]] allow_in",
        "list of globs",
        "none",
        "Paths at which plaintext is allowed.",
        "[[protect]]\nclass = \"vector\"\npaths = [\"*.vec\"]\nallow_in = [\"tests/fixtures/**\"]",
    ),
    key(
        "[[allow]] blob",
        "all 40 or 64 digits of the id of a blob",
        "required",
        "A content that may be in plaintext everywhere, under any name. `git rev-parse HEAD:PATH` prints its id.",
        "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"published on purpose\"",
    ),
    key(
        "[[allow]] reason",
        "text",
        "required",
        "Why, for readers of the file.",
        "[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"published on purpose\"",
    ),
    key(
        "[seal] recipients",
        "list of recipients",
        "none",
        "Who can open what is sealed. `git pack recipients add` adds one.",
        "[seal]\nrecipients = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]",
    ),
    key(
        "[seal] recipients_file",
        "path",
        "none",
        "A committed file with more recipients, one a line, as `age -R` reads it.",
        "[seal]\nrecipients_file = \"keys/recipients.txt\"",
    ),
    key(
        "[guard] in_part",
        "notice or block",
        "notice",
        "What the guard does about a file that it cannot examine completely, such as an encrypted archive.",
        "[guard]\nin_part = \"block\"",
    ),
    key(
        "[guard] packs",
        "verified or signed",
        "verified",
        "What the packs in a push must be.",
        "[guard]\npacks = \"signed\"",
    ),
    key(
        "[verify] signatures",
        "number",
        "0; 1 if packs must be signed",
        "By how many different signers a pack must be signed.",
        "[verify]\nsignatures = 2",
    ),
    key(
        "[verify] signers",
        "path",
        "`gpg.ssh.allowedSignersFile` in git's configuration",
        "A committed file of allowed signers, as ssh-keygen reads it.",
        "[verify]\nsigners = \"allowed_signers\"",
    ),
    key(
        "[verify] revoked",
        "path",
        "`gpg.ssh.revocationFile` in git's configuration",
        "A committed file of revoked keys.",
        "[verify]\nrevoked = \"revoked_keys\"",
    ),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::format::config::Config;

    /// Each table, and a file in which it has a key that nobody knows.
    const TABLES: &[&str] = &[
        "",
        "[pack]",
        "[scope.KEY]",
        "[scope.KEY.split]",
        "[scope.KEY.limits]",
        "[[protect]]",
        "[[allow]]",
        "[seal]",
        "[guard]",
        "[verify]",
    ];

    /// Returns the keys that the parser expects in a table.
    fn expected(table: &str) -> Vec<String> {
        let error = Config::parse(format!("version = 1\n{table}\nbogus = 1\n").as_bytes()).unwrap_err();
        let (_, expected) = error.problem.split_once(", expected ").unwrap();
        expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
    }

    #[test]
    fn the_keys_are_those_that_the_parser_knows() {
        let mut parsed = BTreeSet::new();
        for table in TABLES {
            for name in expected(table) {
                let below = match *table {
                    "" => vec![format!("[{name}]"), format!("[{name}.KEY]"), format!("[[{name}]]")],
                    _ => vec![format!("{}.{name}]", table.trim_end_matches(']'))],
                };
                let is_table = below.iter().any(|below| TABLES.contains(&below.as_str()));
                // The parser knows this former table, to tell what replaces it.
                if !is_table && name != "remote" {
                    parsed.insert(format!("{table} {name}").trim_start().to_owned());
                }
            }
        }
        let mut described: Vec<String> = KEYS.iter().map(|key| key.name.to_owned()).collect();
        described.sort_unstable();
        assert_eq!(described, Vec::from_iter(parsed));
    }

    #[test]
    fn every_example_is_a_configuration() {
        for key in KEYS.iter().skip(1) {
            let text = format!("version = 1\n{}\n", key.example);
            let parsed = Config::parse(text.as_bytes());
            assert!(parsed.is_ok(), "{}: {}", key.name, parsed.unwrap_err());
            assert!(text.contains(key.name.rsplit(' ').next().unwrap()), "{}", key.name);
        }
    }
}
