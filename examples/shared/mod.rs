//! What several examples share.
#![allow(dead_code)] // No example uses everything.

pub(crate) mod cli;
pub(crate) mod docs;
pub(crate) mod proxy;
pub(crate) mod session;
