#!/usr/bin/env bash
# Checks the package that crates.io gets: it passes its tests and has its documentation without the
# repository, and builds with the lowest versions that it says it needs.
#
#     interop/install-tools.sh
#     interop/check-package.sh
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
target=${CARGO_TARGET_DIR:-$root/target}

cargo package --locked --allow-dirty --no-verify --target-dir "$target"
archive=$(ls -t "$target"/package/tower-root-path-*.crate | head -1)
unpacked=$target/unpacked
rm -rf "$unpacked"
mkdir -p "$unpacked"
tar --extract --file "$archive" --directory "$unpacked" --strip-components 1
cd "$unpacked"
# It is in a subdirectory of the workspace of the repository, and not a member.
printf '\n[workspace]\n' >>Cargo.toml

# The dependencies are those of the repository, and compiled already.
cargo test --locked --all-features --tests --target-dir "$target"
# As docs.rs does it.
RUSTDOC=$root/interop/nightly-rustdoc RUSTDOCFLAGS="--cfg docsrs -D warnings" \
    cargo doc --locked --no-deps --all-features --target-dir "$target"

# The other dev-dependencies need newer versions. The unit tests need proptest alone.
awk '/^\[/ { skip = /^\[dev-dependencies/ && !/proptest/ } !skip' Cargo.toml >Cargo.toml.minimal
mv Cargo.toml.minimal Cargo.toml
rm Cargo.lock
RUSTC_BOOTSTRAP=1 cargo update -Z direct-minimal-versions
"$root/target/tools/bin/cargo-hack" hack check --locked --each-feature --lib --target-dir "$target"
cargo test --locked --all-features --lib --target-dir "$target"
