//! `RootPath`: its grammar, and what can be built from it.

mod support;

use std::{collections::HashSet, panic};
use support::{get, get_with, root_path, seen, vectors};
use tower_root_path::{ForwardedPrefix, RootPath, RootPathLayer, TrustedProxies};

#[test]
fn a_configured_value_follows_the_grammar() {
    for case in vectors("prefixes") {
        let (id, value) = (&case["id"], case["value"].as_str().unwrap());
        // White space around a value and commas mean something in a header only.
        if value.trim() != value || value.contains(',') && case["root_path"].is_string() {
            assert!(value.parse::<RootPath>().is_err(), "{id}");
            continue;
        }
        let parsed = value.parse::<RootPath>();
        match case["root_path"].as_str() {
            Some(expected) => assert_eq!(parsed.unwrap(), *expected, "{id}"),
            None => assert!(parsed.is_err(), "{id}: {parsed:?}"),
        }
    }
}

#[tokio::test]
async fn a_forwarded_value_follows_the_grammar() {
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::loopback());
    let layer = RootPathLayer::new("/fallback").with_forwarded(forwarded);
    let mut count = 0;
    for case in vectors("prefixes") {
        if case["can_be_a_header"] == false {
            continue;
        }
        let value = case["value"].as_str().unwrap();
        let request = seen(&layer, get_with("/x", &[("x-forwarded-prefix", value)])).await;
        let expected = case["root_path"].as_str().unwrap_or("/fallback");
        assert_eq!(
            root_path(&request).unwrap_or(""),
            expected,
            "{}",
            case["id"]
        );
        count += 1;
    }
    assert!(count > 20);
}

#[test]
fn an_error_says_what_is_wrong_and_where() {
    let long = "/a".repeat(RootPath::MAX_LEN);
    for (value, reason) in [
        ("api/v1", "must start with '/'"),
        ("/a//b", "empty segment at byte 3"),
        ("//evil.example", "empty segment at byte 1"),
        ("/a/./b", "segment \".\" at byte 3"),
        ("/..", "segment \"..\" at byte 1"),
        ("//", "empty segment at byte 1"),
        (
            "/a b/",
            "unexpected ' ' at byte 2; percent-encoded it is \"/a%20b\"",
        ),
        (
            "/a\u{e9}'",
            "unexpected 'é' at byte 2; percent-encoded it is \"/a%C3%A9%27\"",
        ),
        ("/a\u{e9}/..", "unexpected 'é' at byte 2"),
        ("/a?b", "unexpected '?' at byte 2"),
        ("/a\\b", "unexpected '\\\\' at byte 2"),
        (
            "/a%3F",
            "\"%3F\" at byte 2 stands for '?', which must not be percent-encoded",
        ),
        (
            "/a%2",
            "'%' at byte 2 must be followed by two hexadecimal digits",
        ),
        (
            "/a%2F",
            "\"%2F\" at byte 2 stands for '/', which must not be percent-encoded",
        ),
        (
            "/%2e",
            "\"%2e\" at byte 1 stands for '.', which must not be percent-encoded",
        ),
        ("/%61pi", "\"%61\" at byte 1 must be written as 'a'"),
        (&long, "2048 bytes long, at most 1024 are allowed"),
    ] {
        let error = value.parse::<RootPath>().unwrap_err().to_string();
        assert!(error.starts_with("invalid root path \"/") || value == "api/v1");
        assert!(error.ends_with(reason), "{error}");
    }
    let error = RootPath::try_from(&b"/a\xff"[..]).unwrap_err().to_string();
    assert!(error.ends_with("unexpected byte 0xFF at byte 2"), "{error}");
}

#[test]
fn an_error_quotes_the_value_up_to_a_limit() {
    for (value, quoted) in [
        ("api".to_owned(), "\"api\"".to_owned()),
        ("é".repeat(1024), format!("{:?}", "é".repeat(1024))),
        ("é".repeat(1025), format!("{:?}", "é".repeat(1024) + "…")),
    ] {
        let error = value.parse::<RootPath>().unwrap_err();
        let shown = format!("{quoted}: must start with '/'");
        assert_eq!(error.to_string(), format!("invalid root path {shown}"));
        assert_eq!(format!("{error:?}"), format!("InvalidRootPath({shown})"));
    }
}

#[test]
fn a_bad_value_in_code_panics_with_the_reason() {
    fn message(attempt: impl FnOnce() + panic::UnwindSafe) -> String {
        let payload = panic::catch_unwind(attempt).unwrap_err();
        payload
            .downcast_ref::<String>()
            .cloned()
            .unwrap_or_else(|| {
                payload
                    .downcast_ref::<&str>()
                    .copied()
                    .unwrap_or_default()
                    .to_owned()
            })
    }
    let expected = "invalid root path \"api/v1\": must start with '/'";
    assert_eq!(message(|| drop(RootPathLayer::new("api/v1"))), expected);
    assert_eq!(message(|| drop(RootPath::from_static("api/v1"))), expected);
    assert_eq!(
        message(|| drop(RootPath::from_static("/a/../b"))),
        "invalid root path \"/a/../b\": segment \".\" or \"..\""
    );
    // A long value leaves room for the reason; of a very long one, the beginning is enough.
    for (len, has_reason) in [(1800, true), (10_000, false)] {
        let long: &'static str = "a".repeat(len).leak();
        let message = message(|| drop(RootPath::from_static(long)));
        let beginning = format!("invalid root path \"{}", &long[..1800]);
        assert!(message.starts_with(&beginning), "{message}");
        assert_eq!(message.contains("must start with '/'"), has_reason);
    }
    // There is no room for a whole number of these characters.
    let long: &'static str = "é".repeat(5000).leak();
    let message = message(|| drop(RootPath::from_static(long)));
    assert_eq!(message, "must start with '/'");
}

#[test]
fn the_longest_root_path_is_1024_bytes_long() {
    let longest = "/".to_owned() + &"a".repeat(1023);
    assert_eq!(longest.parse::<RootPath>().unwrap().as_str(), longest);
    assert!((longest.clone() + "a").parse::<RootPath>().is_err());
    assert!((longest + "/").parse::<RootPath>().is_ok());
}

#[test]
fn static_and_parsed_values_are_the_same() {
    const STATIC: RootPath = RootPath::from_static("/api/v1/");
    let parsed: RootPath = "/api/v1".parse().unwrap();
    assert_eq!(STATIC, parsed);
    assert_eq!(STATIC, "/api/v1");
    assert!(HashSet::from([STATIC]).contains(&parsed));
    assert!(RootPath::from_static("/a") < RootPath::from_static("/b"));
    assert_eq!(
        format!("[{parsed:>9}] {parsed:?}"),
        "[  /api/v1] \"/api/v1\""
    );
    assert_eq!(String::from(parsed), "/api/v1");
    assert_eq!(RootPath::default(), RootPath::from_static("/"));
}

#[test]
fn a_value_is_its_text() {
    let root_path = RootPath::from_static("/api/v1");
    assert_eq!(root_path.as_ref() as &str, "/api/v1");
    assert_eq!(
        RootPath::try_from(&"/api/v1".to_owned()).as_ref(),
        Ok(&root_path)
    );
    let other = RootPath::from_static("/api/v2");
    assert!(root_path != other && root_path != *"/api/v2" && root_path != "/api/v2");
    assert!(!HashSet::from([root_path]).contains(&other));
}

#[test]
fn an_empty_root_path_is_a_slash_where_one_is_needed() {
    for (root_path, expected) in [("", "/"), ("/api/v1", "/api/v1")] {
        let root_path: RootPath = root_path.parse().unwrap();
        assert_eq!(root_path.cookie_path(), expected);
        assert_eq!(root_path.server_url(), expected);
    }
}

#[test]
fn strips_itself_at_a_segment_boundary_only() {
    let root_path = RootPath::from_static("/api/v1");
    for (path, expected) in [
        ("/api/v1/items?page=2", Some("/items?page=2")),
        ("/api/v1//x", Some("//x")),
        ("/api/v1/", Some("/")),
        ("/api/v1", Some("/")),
        ("/api/v1?page=2", Some("/?page=2")),
        ("/api/v10", None),
        ("/API/v1", None),
        ("/", None),
        ("", None),
    ] {
        assert_eq!(root_path.strip(path).as_deref(), expected, "{path}");
    }
}

#[cfg(feature = "serde")]
#[test]
fn serialises_as_a_string_and_checks_what_it_reads() {
    let root_path: RootPath = serde_json::from_str("\"/api/v1/\"").unwrap();
    assert_eq!(serde_json::to_string(&root_path).unwrap(), "\"/api/v1\"");
    let error = serde_json::from_str::<RootPath>("\"api\"").unwrap_err();
    assert!(error.to_string().contains("must start with '/'"), "{error}");
}

#[test]
fn join_always_prefixes_and_never_leaves_the_host() {
    for (root_path, path, expected) in [
        ("/api/v1", "/items/1", "/api/v1/items/1"),
        ("/api/v1", "items/1", "/api/v1/items/1"),
        ("/api/v1", "", "/api/v1/"),
        ("/api/v1", "/", "/api/v1/"),
        ("/api/v1", "?q=1", "/api/v1/?q=1"),
        ("/api", "/api/items", "/api/api/items"),
        ("/api/v1", "/api/v1", "/api/v1/api/v1"),
        ("/api/v1", "//api/v1", "/api/v1/api/v1"),
        ("/api/v1", "/api/v1?x", "/api/v1/api/v1?x"),
        (
            "/api/v1",
            "https://evil.example",
            "/api/v1/https://evil.example",
        ),
        ("", "/items", "/items"),
        ("", "", "/"),
        ("", "//evil.example/x", "/evil.example/x"),
        ("", "/\\evil.example", "/evil.example"),
        ("", "\\\\evil.example", "/evil.example"),
        ("", "/\t/evil.example", "/evil.example"),
        ("", " \n//evil.example", "/evil.example"),
        ("", "https://evil.example", "/https://evil.example"),
        ("", "javascript:alert(1)", "/javascript:alert(1)"),
    ] {
        let root_path: RootPath = root_path.parse().unwrap();
        let joined = root_path.join(path);
        assert_eq!(joined, expected, "{root_path} {path:?}");
    }
}

#[test]
fn concatenates_up_to_the_longest() {
    let root = |value: &str| value.parse::<RootPath>().unwrap();
    assert_eq!(root("/a").concat(&root("/b")).unwrap(), "/a/b");
    assert_eq!(root("").concat(&root("/b")).unwrap(), "/b");
    assert_eq!(root("/a").concat(&root("")).unwrap(), "/a");
    let half = root(&("/".to_owned() + &"a".repeat(511)));
    assert_eq!(half.concat(&half).unwrap().as_str().len(), 1024);
    let error = half.concat(&half).unwrap().concat(&root("/b")).unwrap_err();
    assert!(error
        .to_string()
        .ends_with("1026 bytes long, at most 1024 are allowed"));
}

#[test]
fn an_environment_variable_may_be_unset_or_empty_but_not_wrong() {
    // Names of this test alone.
    std::env::set_var("TEST_ROOT_PATH_EMPTY", "");
    std::env::set_var("TEST_ROOT_PATH_GOOD", "/api/v1/");
    std::env::set_var("TEST_ROOT_PATH_BAD", "api");
    assert!(RootPathLayer::from_env("TEST_ROOT_PATH_UNSET").is_ok());
    assert!(RootPathLayer::from_env("TEST_ROOT_PATH_EMPTY").is_ok());
    assert!(RootPathLayer::from_env("TEST_ROOT_PATH_GOOD").is_ok());
    let error = RootPathLayer::from_env("TEST_ROOT_PATH_BAD").unwrap_err();
    assert_eq!(
        error.to_string(),
        "environment variable TEST_ROOT_PATH_BAD: invalid root path \"api\": must start with '/'"
    );
}

#[tokio::test]
async fn no_root_path_puts_nothing_into_the_request() {
    for layer in [RootPathLayer::new(""), RootPathLayer::new("/")] {
        let request = seen(layer, get("/x")).await;
        assert_eq!(root_path(&request), None);
    }
}
