//! What several of these tests share. Two modules are those of the tests of `tower-root-path`.
#![allow(dead_code, unreachable_pub)] // No test uses everything.

#[path = "../../../tests/support/axum.rs"]
pub mod axum;
pub mod browser;
#[path = "../../../tests/support/process.rs"]
pub mod process;
pub mod proxy;
pub mod server;
pub mod tls;
