//! Keys: identities that open, and recipients that are sealed to.

pub mod identity;
pub mod key;
pub mod recipients;
