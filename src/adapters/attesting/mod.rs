//! Keys of attestations: Ed25519 and ECDSA P-256, in PEM or as OpenSSH writes them.

mod pem;
mod private;
mod public;

pub use private::AttestingKey;
pub use public::AttestationKey;
