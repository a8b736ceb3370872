//! What users of the package rely on: its public API, the versions of Rust, and `SECURITY.md`.
//!
//! ```text
//! cargo test -p interop --test packaging -- --include-ignored
//! ```

use serde_json::Value;
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(file: &str) -> String {
    let path = root().join(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
}

#[track_caller]
fn run(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {error}");
    output.stdout
}

/// The auto traits of each type are part of it.
///
/// After a change on purpose, this writes the file:
///
/// ```text
/// UPDATE_PUBLIC_API=1 cargo test -p interop --test packaging -- --ignored public_api
/// ```
#[test]
#[ignore = "needs Rust 1.95, and takes a minute"]
fn the_public_api_is_that_of_the_snapshot() {
    const SNAPSHOT: &str = "interop/public-api.txt";
    let target =
        env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    run(Command::new(env!("CARGO"))
        .args([
            "rustdoc",
            "--locked",
            "--lib",
            "--all-features",
            "--target-dir",
        ])
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format=json"])
        .env("RUSTDOC", root().join("interop/nightly-rustdoc"))
        .env_remove("RUSTDOCFLAGS")
        .current_dir(root()));
    let api = public_api::Builder::from_rustdoc_json(target.join("doc/tower_root_path.json"))
        .omit_blanket_impls(true)
        .build()
        .unwrap();
    // The guide is documentation, and in no build. The traits are the compiler's own.
    const LEFT_OUT: [&str; 4] = [
        "pub mod tower_root_path::guide",
        "core::marker::Freeze for ",
        "core::marker::StructuralPartialEq for ",
        "core::marker::UnsafeUnpin for ",
    ];
    let items = api.items().map(ToString::to_string);
    let items: String = items
        .filter(|item| !LEFT_OUT.iter().any(|left_out| item.contains(left_out)))
        .map(|item| item + "\n")
        .collect();

    if env::var_os("UPDATE_PUBLIC_API").is_some() {
        fs::write(root().join(SNAPSHOT), items).unwrap();
        return;
    }
    let snapshot = read(SNAPSHOT);
    let (before, after) = [&snapshot, &items]
        .map(|api| api.lines().collect::<BTreeSet<_>>())
        .into();
    let removed: Vec<_> = before.difference(&after).collect();
    let added: Vec<_> = after.difference(&before).collect();
    assert!(
        snapshot == items,
        "not as in {SNAPSHOT}\nremoved: {removed:#?}\nadded: {added:#?}\n\
         If this is on purpose, set UPDATE_PUBLIC_API=1 and run the test again."
    );
}

/// What README.md says of each feature. clippy (`incompatible_msrv`) checks the crate's own code;
/// this is for the dependencies. Of those that support the Rust of a row, Cargo selects the newest
/// versions. One of them declares that it needs that Rust.
#[test]
#[ignore = "needs the registry"]
fn each_feature_needs_no_newer_rust_than_it_says() {
    for (feature, expected) in [
        ("default", (1, 80)),
        ("aide", (1, 80)),
        ("axum", (1, 80)),
        ("html", (1, 80)),
        ("htmx", (1, 80)),
        ("openapi", (1, 80)),
        ("serde", (1, 80)),
        ("tonic", (1, 80)),
        ("tracing", (1, 80)),
        ("utoipa", (1, 88)),
    ] {
        let (needed, by) = needed_rust(feature, expected);
        assert_eq!(needed, expected, "{feature}, by {by}");
    }
}

/// The newest version of Rust that a package needs that the feature needs, and that package, for an
/// app that supports `supported`.
fn needed_rust(feature: &str, supported: (u32, u32)) -> ((u32, u32), String) {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("msrv")
        .join(feature);
    fs::create_dir_all(dir.join("src")).unwrap();
    fs::write(dir.join("src/lib.rs"), "").unwrap();
    let manifest = format!(
        "[package]\nname = \"app\"\nedition = \"2021\"\nrust-version = \"{}.{}\"\n[workspace]\n\
         [dependencies]\ntower-root-path = {{ path = {:?}, features = [{feature:?}] }}\n",
        supported.0,
        supported.1,
        root()
    );
    fs::write(dir.join("Cargo.toml"), manifest).unwrap();
    let _ = fs::remove_file(dir.join("Cargo.lock"));
    let metadata = run(Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1"])
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .env("CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS", "fallback")
        .current_dir(&dir));
    let metadata: Value = serde_json::from_slice(&metadata).unwrap();
    let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
    let needed: BTreeSet<_> = nodes
        .iter()
        .map(|node| node["id"].as_str().unwrap())
        .collect();
    let packages = metadata["packages"].as_array().unwrap().iter();
    let packages = packages.filter(|package| needed.contains(package["id"].as_str().unwrap()));
    packages
        .map(|package| {
            let declared = package["rust_version"].as_str().unwrap_or("1.0");
            let mut parts = declared.split('.').map(|part| part.parse().unwrap());
            let declared = (parts.next().unwrap(), parts.next().unwrap_or(0));
            let of_edition = match package["edition"].as_str().unwrap() {
                "2015" => (1, 0),
                "2018" => (1, 31),
                "2021" => (1, 56),
                "2024" => (1, 85),
                edition => panic!("unknown edition {edition}"),
            };
            let name = format!("{} {}", package["name"], package["version"]);
            (declared.max(of_edition), name)
        })
        .max()
        .unwrap()
}

#[test]
fn security_md_names_tests_that_exist() {
    let text = read("SECURITY.md");
    let (text, _) = text.split_once("## What was run").unwrap();
    let is_row = |line: &&str| line.starts_with("| ") && !line.starts_with("| attack");
    let rows: Vec<_> = text.lines().filter(is_row).collect();
    assert!(rows.len() > 20, "{} rows", rows.len());
    for row in rows {
        let tests = row.split('`').filter_map(|code| code.split_once("::"));
        let tests: Vec<_> = tests.filter(|(file, _)| file.ends_with(".rs")).collect();
        assert!(!tests.is_empty(), "no test: {row}");
        for (file, test) in tests {
            let source = read(file);
            let function = format!("fn {test}(");
            let at = source.find(&function);
            let at = at.unwrap_or_else(|| panic!("{file} has no test {test}: {row}"));
            // The attributes are between the function and the item before it.
            let before = source[..at].rsplit('}').next().unwrap();
            let is_test = before.contains("#[test]") || before.contains("#[tokio::test");
            assert!(is_test, "{file}: {test} is not a test");
        }
    }
}
