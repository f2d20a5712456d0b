//! The options of sealing that a refusal can name.

use std::fmt;

/// An option of `seal`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SealOption {
    /// A scope of the configuration.
    Scope,
    /// Files to be attached.
    Attach,
    /// Which forms to write.
    Emit,
    /// Globs to take.
    Include,
    /// Globs to leave out.
    Exclude,
    /// A budget of tokens.
    MaxTokens,
    /// A recipient.
    Recipient,
    /// A file of recipients.
    RecipientsFile,
    /// Names that tell nothing.
    OpaqueNames,
    /// Padding.
    Pad,
    /// No seal of an earlier pack is used again.
    Fresh,
    /// The seals of a pack are used again.
    Reuse,
    /// The mode for what stays inside an organisation.
    Internal,
}

impl fmt::Display for SealOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Scope => "a scope",
            Self::Attach => "a file to attach",
            Self::Emit => "a choice of forms",
            Self::Include => "files to take",
            Self::Exclude => "files to leave out",
            Self::MaxTokens => "a budget of tokens",
            Self::Recipient => "a recipient",
            Self::RecipientsFile => "a file of recipients",
            Self::OpaqueNames => "opaque names",
            Self::Pad => "padding",
            Self::Fresh => "fresh seals",
            Self::Reuse => "seals of another pack",
            Self::Internal => "the mode internal",
        })
    }
}
