//! The guide's recipes, which need more crates than the dev-dependencies of tower-root-path.
//!
//! ```text
//! cargo test -p interop --doc
//! ```

/// Ways to do common things.
#[cfg(doctest)]
#[doc = include_str!("../../src/guide/cookbook.md")]
pub mod cookbook {}

/// The settings of other frameworks.
#[cfg(doctest)]
#[doc = include_str!("../../src/guide/coming_from.md")]
pub mod coming_from {}

/// Who is trusted, and which attacks this stops.
#[cfg(doctest)]
#[doc = include_str!("../../src/guide/security.md")]
pub mod security {}
