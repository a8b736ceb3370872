//! What more than one example needs.
#![allow(dead_code)] // Each example takes its part.

pub(crate) mod cli;
pub(crate) mod docs;
pub(crate) mod proxy;
