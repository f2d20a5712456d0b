//! HTTP to places that hold packs: whom a request may reach, who gets a credential, and how long anything is waited for.

pub mod address;
pub mod answer;
pub mod docker;
pub mod http;
pub mod patience;
pub mod redirect;
pub mod resume;
pub mod retry;
