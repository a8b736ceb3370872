//! What these tests share with those of the crate.
#![allow(dead_code, unreachable_pub)] // Each test takes its part.

#[path = "../../../tests/support/process.rs"]
pub mod process;
#[path = "../../../tests/support/proxy.rs"]
pub mod proxy;
