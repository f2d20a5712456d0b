//! The content store of a clone: the runs that root it, their audit, and the collection of the rest.

pub mod audit;
pub mod gc;
pub mod run;
