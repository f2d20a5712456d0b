//! What is wrong with a guarded repository, of what `status` saw.

/// Something that is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// A hook that should be installed is not, or it let a canary pass.
    NotGuarded,
    /// A hook failed before it judged a canary.
    NotProven,
    /// A file that must never be published is tracked in plaintext.
    Plaintext,
    /// A tracked sealed twin does not hold its plaintext, or git may change it.
    Drifted,
    /// The public packs of the agent store are not sound, or cannot be read.
    AgentStore,
}

impl Trouble {
    /// Returns the word by which machines know it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotGuarded => "NOT_GUARDED",
            Self::NotProven => "NOT_PROVEN",
            Self::Plaintext => "TRACKED_PLAINTEXT",
            Self::Drifted => "DRIFTED",
            Self::AgentStore => "AGENT_STORE",
        }
    }
}

/// The numbers that decide.
#[derive(Clone, Copy, Debug, Default)]
pub struct HealthCounts {
    /// Hooks that should be installed and are not, or that let a canary pass.
    pub unguarded: usize,
    /// Hooks that failed before they judged a canary.
    pub unproven: usize,
    /// Files with the policy `never` that are tracked in plaintext and have no exception.
    pub plaintext: usize,
    /// Tracked twins that drifted.
    pub drifted: usize,
    /// Faults of the agent store.
    pub agent_faults: u64,
}

/// Returns what is wrong, the worst first.
pub fn troubles(counts: &HealthCounts) -> Vec<Trouble> {
    let found = [
        (counts.unguarded > 0, Trouble::NotGuarded),
        (counts.unproven > 0, Trouble::NotProven),
        (counts.plaintext > 0, Trouble::Plaintext),
        (counts.drifted > 0, Trouble::Drifted),
        (counts.agent_faults > 0, Trouble::AgentStore),
    ];
    let found = found.into_iter().filter(|(is_there, _)| *is_there);
    found.map(|(_, trouble)| trouble).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_alone_is_a_trouble_of_its_own() {
        assert_eq!(troubles(&HealthCounts::default()), []);
        let none = HealthCounts::default();
        for (counts, expected) in [
            (HealthCounts { unguarded: 1, ..none }, Trouble::NotGuarded),
            (HealthCounts { unproven: 1, ..none }, Trouble::NotProven),
            (HealthCounts { plaintext: 1, ..none }, Trouble::Plaintext),
            (HealthCounts { drifted: 1, ..none }, Trouble::Drifted),
            (
                HealthCounts {
                    agent_faults: 1,
                    ..none
                },
                Trouble::AgentStore,
            ),
        ] {
            assert_eq!(troubles(&counts), [expected]);
        }
    }
}
