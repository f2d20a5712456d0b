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
