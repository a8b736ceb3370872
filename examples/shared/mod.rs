//! What more than one example needs.

pub(crate) mod cli;
pub(crate) mod docs;
