//! Packs: sealing, verifying, signing, opening, restoring, rekeying and comparing them.

pub mod attest;
pub mod attestations;
pub mod diff;
pub mod documents;
pub mod given;
pub mod inspect;
pub mod list;
pub mod open;
pub mod output;
mod public_text;
pub mod rekey;
pub mod report;
pub mod restore;
pub mod seal;
pub mod sealed_pack;
pub mod sign;
pub mod signatures;
pub mod source;
pub mod texts;
pub mod unseal;
pub mod verify;
