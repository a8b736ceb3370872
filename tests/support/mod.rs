//! What more than one test needs.
#![allow(dead_code, unreachable_pub)] // Each test takes its part.

pub mod process;
