//! Is a pack sound by itself, and is it a pack of that commit? What was observed of it to findings.

pub mod commit;
pub mod findings;
pub mod layout;
pub mod lite;
pub mod members;
pub mod observed;
pub mod places;
pub mod plain;
pub mod seals;
pub mod state;
pub mod texts;
