//! Keys: identities, which open, and recipients, to which is sealed.

pub mod identity;
pub mod key;
pub mod recipients;
