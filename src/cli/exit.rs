//! How a call ends: with an exit status, or with a failure.

use crate::refusal::Refusal;

/// The exit status of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Exit {
    /// Yes: created, OK, clean, same.
    Yes,
    /// No: INVALID, LEAK, a different state.
    No,
    /// Refused: could not check or do it.
    Refused,
}

impl Exit {
    /// Returns `Yes` if `answer` is true, else `No`.
    pub(super) fn yes_if(answer: bool) -> Self {
        if answer { Self::Yes } else { Self::No }
    }

    /// Returns the exit status as a number.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Yes => 0,
            Self::No => 1,
            Self::Refused => 2,
        }
    }
}

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// A reason of the closed set.
    Refused(Refusal),
    /// Any other error, such as a standard output that cannot be written.
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
