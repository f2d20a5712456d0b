//! The subjects that help explains besides the commands.

use super::configuration;
use super::page::{Page, Section, lines, section, term, text};

/// A subject.
pub(super) struct Topic {
    /// What stands after `git pack help`.
    pub(super) name: &'static str,
    /// Other words for it.
    pub(super) also: &'static [&'static str],
    /// What it is about, in one line.
    pub(super) about: &'static str,
    sections: fn() -> Vec<Section>,
}

/// The subjects, in the order of the help.
pub(super) const TOPICS: &[Topic] = &[
    Topic {
        name: "rules",
        also: &["guard", "rule", "allow"],
        about: "what the guard protects, and how to release something",
        sections: rules,
    },
    Topic {
        name: "places",
        also: &["place", "remote", "remotes"],
        about: "how to name a place that holds packs",
        sections: places,
    },
    Topic {
        name: "hooks",
        also: &["pre-commit", "pre-push"],
        about: "when the guard runs, and how it goes along with other hooks",
        sections: hooks,
    },
    Topic {
        name: "ci",
        also: &["pipeline", "actions"],
        about: "how to check commits and packs on a server for builds",
        sections: ci,
    },
    Topic {
        name: "configuration",
        also: &["config", "settings", "scope", "scopes"],
        about: "every key and every variable that can be set",
        sections: configuration::sections,
    },
];

impl Topic {
    /// Returns the subject of this name.
    pub(super) fn named(name: &str) -> Option<&'static Self> {
        TOPICS
            .iter()
            .find(|topic| topic.name == name || topic.also.contains(&name))
    }

    /// Returns its page.
    pub(super) fn page(&self) -> Page {
        Page {
            name: self.name.into(),
            about: self.about.into(),
            sections: (self.sections)(),
        }
    }
}

fn rules() -> Vec<Section> {
    let protected = section(
        "What is protected",
        [
            text(
                "Built-in rules protect vector indexes, embeddings, weights of models, proofs, private files of agents and \
                 private keys, by their names and by their content. Nothing below `_PACK_RUN/` is ever committed. `git pack \
                 status --registry` prints all rules. The guard blocks a commit or a push that holds a protected file in \
                 plaintext. A sealed file passes.",
            ),
            text("Rules of your own are in `.gitpack.toml`, at the top of the repository:"),
            lines(
                "[[protect]]\nclass = \"dataset\"\npaths = [\"data/private/**\", \"*.parquet\"]\nformats = [\"arrow\"]\npolicy = \
                 \"internal\"\nallow_in = [\"tests/fixtures/**\"]",
            ),
            term("class", "any word; messages name it"),
            term("paths", "globs of names; a glob without a slash matches at any depth"),
            term("formats", "formats of contents, which count under any name"),
            term("policy", "never (default), internal or allowed, see below"),
            term("allow_in", "globs of paths at which plaintext is allowed"),
        ],
    );
    let decides = section(
        "Which rule decides",
        [
            text(
                "The last rule that matches decides, so your rules can refine the built-in ones. A rule matches if one of its \
                 `paths` or one of its `formats` does. A rule with the policy `allowed` that has both matches only if both do.",
            ),
            term("never", "not in plaintext in any commit, and at no remote"),
            term(
                "internal",
                "in plaintext in commits and at private remotes, but not at public ones",
            ),
            term("allowed", "in plaintext everywhere"),
            text(
                "A remote is public unless `private_remotes` names its URL. It stands at the top of the file, above every table:",
            ),
            lines("private_remotes = [\"git@git.example.org:team/*\"]"),
        ],
    );
    let release = section(
        "To release something",
        [
            text("One content, under any name, by the id of its blob:"),
            lines("[[allow]]\nblob = \"3b18e512dba79e4c8300dd08aeb37f8e728b8dad\"\nreason = \"published on purpose\""),
            text(
                "`git rev-parse HEAD:PATH` prints the id of a tracked file, and `git hash-object FILE` that of a file on disk. \
                 `git pack scan --write-allow` writes an entry for all that it finds. Only such an entry releases a private \
                 key, and nothing releases a run output.",
            ),
            text("A kind of file, by a later rule:"),
            lines("[[protect]]\nclass = \"vector\"\npaths = [\"demo/*.vec\"]\npolicy = \"allowed\""),
            text(
                "A changed rule takes effect with the next change, so that no change releases its own leak: commit and push \
                 `.gitpack.toml` by itself first, then the file.",
            ),
        ],
    );
    let seal = section(
        "To keep a file protected, and in the repository",
        [
            text("Seal it: git then tracks `FILE.age`, which only the recipients can open."),
            lines("git pack protect embeddings/index.vec\ngit pack reveal embeddings/index.vec"),
        ],
    );
    vec![protected, decides, release, seal]
}

fn places() -> Vec<Section> {
    let names = section(
        "Names of places",
        [
            text("`push`, `pull`, `list`, `verify` and other commands take the name of a place where packs are:"),
            term("oci://HOST/REPOSITORY", "a registry of container images"),
            term(
                "git:REMOTE",
                "a remote of this repository, or its URL; packs are refs there",
            ),
            term(
                "s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX",
                "an object store",
            ),
            term("file:///DIRECTORY", "a directory, laid out like an object store"),
            term("https://HOST/PATH", "a data fabric"),
            text("A pack at a place has an address:"),
            term(
                "oci://HOST/REPOSITORY:TAG",
                "the pack with this tag; @sha256:… instead names it by its digest",
            ),
            term("PLACE#PACK_ID", "the pack with this id, sha256:…"),
            text("If a place holds only one pack, the name of the place alone is its address too."),
        ],
    );
    let default = section(
        "The default place",
        [
            text("To leave the name out, set it once for a clone:"),
            lines("git config gitpack.remote oci://registry.example.org/team/packs"),
        ],
    );
    let logins = section(
        "Logins",
        [text(
            "git-pack asks where other programs keep them: the files and helpers of Docker and Podman for registries, git for \
             remotes and data fabrics, and the files, variables and roles of each cloud for object stores. It sends a \
             password only to the host that it belongs to. `--token-host` names another host that may have it.",
        )],
    );
    vec![names, default, logins]
}

fn hooks() -> Vec<Section> {
    let which = section(
        "What runs when",
        [
            text("git runs a hook before it commits, pushes or receives something. Any exit status but 0 stops git."),
            term("pre-commit, pre-merge-commit", "checks what is staged"),
            term(
                "pre-push",
                "checks all that the push publishes for the first time, even if a later commit deletes it",
            ),
            term(
                "pre-receive",
                "checks on a server what it receives: `git pack init --server` in the bare repository",
            ),
            term(
                "reference-transaction",
                "checks each commit that a branch or tag is about to get, even with `--no-verify`: `git pack install --strict`",
            ),
        ],
    );
    let set_up = section(
        "To set them up, and to test them",
        [
            text("Hooks are not cloned: everybody runs this once after `git clone`. `git pack init` does it, too."),
            lines("git pack install\ngit pack status --doctor"),
            text("The second command runs each hook on a canary, as git would, and tells whether it blocks."),
        ],
    );
    let others = section(
        "Beside other hooks",
        [
            text(
                "`install` keeps a hook that is there. With git 2.54 or newer, git runs ours from its configuration. With an older \
                 git, ours takes the place and runs the other one first, from `HOOK.chained`. If a hook manager owns the hooks, \
                 `install` prints the lines that make the manager run ours, and `--force` chains the hooks anyway.",
            ),
            text(
                "If `core.hooksPath` makes all repositories share a directory, `install --shared` guards all of them.",
            ),
        ],
    );
    let blocked = section(
        "When a hook blocks",
        [
            text(
                "It names each file, what protects it, and the commands that help. `git pack scan` shows the same again, \
                 `git pack help rules` says how to release something. If something could not be checked, git stops as well.",
            ),
            text("To remove the hooks, and to see what remains of git-pack:"),
            lines("git pack uninstall"),
        ],
    );
    vec![which, set_up, others, blocked]
}

fn ci() -> Vec<Section> {
    let scan = section(
        "To look for leaks",
        [
            text(
                "A hook works only in clones where it is installed, so check on the server as well. What a branch adds, commit by \
                 commit, and the whole history, which a new branch or a forced push needs:",
            ),
            lines("git pack scan --range origin/main..HEAD --remote origin\ngit pack scan --all --remote origin"),
            text(
                "The clone needs the whole history (`fetch-depth: 0`, `GIT_DEPTH: \"0\"`); `--shallow` scans only what is here. \
                 `--remote` applies the rules for a push there.",
            ),
            term("0", "clean"),
            term("1", "a leak"),
            term("2", "something could not be checked, which must fail the job too"),
        ],
    );
    let told = section(
        "To show what was found",
        [
            text("`--format sarif` is for code scanning, `--json` for programs. To fail only on what is new:"),
            lines("git pack scan --all --json >known.json\ngit pack scan --all --baseline known.json"),
            text("templates/github-actions.yml and templates/gitlab-ci.yml of git-pack are jobs to copy."),
        ],
    );
    let packs = section(
        "To check and to publish packs",
        [
            text("Without a key, anyone can verify a pack, and that it is of a commit:"),
            lines("git pack verify PACK --rev HEAD"),
            text(
                "`seal` needs only the recipients, which `.gitpack.toml` names, and no key of its own. `SOURCE_DATE_EPOCH` sets the \
                 time of a pack. On standard output, a refusal is one JSON document; its code is explained by `git pack help CODE`.",
            ),
        ],
    );
    vec![scan, told, packs]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_subject_has_a_page_of_its_own() {
        for topic in TOPICS {
            let page = topic.page();
            assert_eq!((page.name.as_str(), page.about.as_str()), (topic.name, topic.about));
            assert!(!page.sections.is_empty());
            assert!(
                crate::cli::commands::Command::named(topic.name).is_none(),
                "{}",
                topic.name
            );
        }
    }
}
