//! The content store of a clone: the runs that root its objects, their audit, and the collection of unrooted objects.

pub mod audit;
pub mod gc;
pub mod run;
