//! Programs that a test starts, and ends by their id.
