//! How a call ends: its exit status, or why it came to no answer.

use crate::refusal::Refusal;

/// The answer of a command, as its exit status says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Created, OK, clean, same.
    Yes,
    /// A sound no: INVALID, LEAK, another state.
    No,
    /// No answer: something could not be judged or done.
    Refused,
}

impl Exit {
    /// Returns yes if `answer` holds, else no.
    pub(super) fn yes_if(answer: bool) -> Self {
        if answer { Self::Yes } else { Self::No }
    }

    /// Returns the exit status.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Refused => 2,
        }
    }
}

/// Why a call came to no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// One of the closed set of reasons.
    Refused(Refusal),
    /// Anything else, such as a standard output that cannot be written.
    Unexpected(anyhow::Error),
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Unexpected(error)
    }
}

/// The result of a call.
pub(super) type Result<T, E = Failure> = std::result::Result<T, E>;
