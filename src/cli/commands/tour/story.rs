//! The story that the tour tells: what a person reads, and what is run.

use crate::ops::tour::Scene;

/// A part of the story.
pub(super) struct Act {
    /// Its title.
    pub(super) title: &'static str,
    /// What it shows, as lines.
    pub(super) text: &'static [&'static str],
    /// Its lines.
    pub(super) steps: &'static [Scene],
}

/// Returns a line that ends with success.
const fn done(line: &'static str) -> Scene {
    Scene {
        at: "vectors",
        line,
        status: 0,
        shows: "",
        needs: None,
    }
}

/// Returns a line that ends with success, and has these words in its answer.
const fn says(line: &'static str, shows: &'static str) -> Scene {
    Scene { shows, ..done(line) }
}

/// Returns a line that ends with a sound "no", and has these words in its answer.
const fn denies(line: &'static str, shows: &'static str) -> Scene {
    Scene {
        status: 1,
        ..says(line, shows)
    }
}

/// Returns a line that is refused with this code.
const fn refuses(line: &'static str, code: &'static str) -> Scene {
    Scene {
        status: 2,
        ..says(line, code)
    }
}

/// Returns a line that is left out where `ssh-keygen` is missing.
const fn by_ssh(step: Scene) -> Scene {
    Scene {
        needs: Some("ssh-keygen"),
        ..step
    }
}

/// The story.
pub(super) const ACTS: &[Act] = &[
    Act {
        title: "Set up",
        text: &["A new repository with a remote. init writes the configuration, makes a key, and installs the hooks."],
        steps: &[
            Scene {
                at: ".",
                ..done("git init -q --bare remote.git && git init -q vectors")
            },
            done("git remote add origin ../remote.git"),
            says("git pack init", "pre-commit, pre-merge-commit, pre-push"),
            done("git add . && git commit -q -m 'Set up git-pack' && git push -q -u origin main"),
        ],
    },
    Act {
        title: "A leak is blocked at the commit",
        text: &["Vector indexes are protected by a built-in rule. This one is about to be committed in plaintext."],
        steps: &[
            done("mkdir embeddings && head -c 4096 /dev/urandom > embeddings/index.vec"),
            denies("git add embeddings && git commit -m 'Add the index'", "commit blocked"),
        ],
    },
    Act {
        title: "It is blocked again at the push",
        text: &["Somebody skips the first hook. The push looks at every new commit."],
        steps: &[
            done("git commit -q --no-verify -m 'Add the index'"),
            denies("git push", "push to origin blocked"),
            done("git reset -q --soft HEAD~1"),
        ],
    },
    Act {
        title: "Sealed, the file may be published",
        text: &["protect encrypts the file to your recipients, and has git track the ciphertext instead."],
        steps: &[
            says("git pack protect embeddings/index.vec", "embeddings/index.vec.age"),
            done("git commit -q -m 'Add the index, sealed' && git push -q"),
        ],
    },
    Act {
        title: "A renamed copy is blocked by its content",
        text: &["Its name is harmless. The guard knows the content."],
        steps: &[
            denies(
                "cp embeddings/index.vec logo.bin && git add logo.bin && git commit -m 'Add a logo'",
                "100 % of embeddings/index.vec",
            ),
            done("git restore --staged logo.bin && rm logo.bin"),
        ],
    },
    Act {
        title: "A pack is sealed and verified",
        text: &[
            "A pack holds the files of a commit, here with weights that git does not track. Anybody can verify it,",
            "without a key.",
        ],
        steps: &[
            done("mkdir weights && head -c 100000 /dev/urandom > weights/model.safetensors"),
            says(
                "git pack seal --attach weights/model.safetensors -o ../pack",
                "1 sealed for 1 recipient",
            ),
            says("git pack verify ../pack --rev HEAD", "state matches commit"),
        ],
    },
    Act {
        title: "Tampering is caught",
        text: &["One line is added to one file of a copy."],
        steps: &[
            done("cp -r ../pack ../tampered && echo 'one more line' >> ../tampered/repo/.gitignore"),
            denies("git pack verify ../tampered", "HASH_MISMATCH"),
        ],
    },
    Act {
        title: "Only a recipient opens it",
        text: &["A stranger's key does not open what is sealed. Yours does."],
        steps: &[
            says("git pack key generate -o ../stranger.txt", "age1"),
            refuses("git pack open ../pack -i ../stranger.txt -o ../stolen", "E_NO_IDENTITY"),
            says("git pack open ../pack -o ../opened", "OPENED 1"),
            done("cmp weights/model.safetensors ../opened/weights/model.safetensors"),
        ],
    },
    Act {
        title: "You vouch for it",
        text: &["A signature by an SSH key stands beside the pack, as git signs commits."],
        steps: &[
            by_ssh(done("ssh-keygen -q -t ed25519 -N '' -f ../key")),
            by_ssh(says("git pack sign ../pack --key ../key", "SIGNED")),
            by_ssh(done("echo \"you@example.org $(cat ../key.pub)\" > ../allowed")),
            by_ssh(says(
                "git pack verify ../pack --signed-by you@example.org --allowed-signers ../allowed",
                "signed by you@example.org",
            )),
        ],
    },
];
