//! `HX-Location`, a URL or JSON, compared with a model that edits the parsed JSON.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, public_reference, rewritten, without_strings};
use http::{HeaderName, HeaderValue};
use serde_json::{Map, Value};
use tower_root_path::{Rewrite, RootPath, RootPathLayer};

const HX_LOCATION: HeaderName = HeaderName::from_static("hx-location");

fuzz::target!(check);

fn check([root_path, location]: [&[u8]; 2]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let value = HeaderValue::from_bytes(location).ok()?;
    let layer = RootPathLayer::from(root_path.clone()).rewrite(Rewrite::none().htmx());
    let rewrite = |value: &HeaderValue| rewritten(&layer, get(b"/").unwrap(), HX_LOCATION, value);
    let once = rewrite(&value);
    assert_eq!(rewrite(&once), once, "a second pass changes nothing");

    if !location.trim_ascii().starts_with(b"{") {
        let public = public_reference(root_path.as_str(), location.trim_ascii());
        let expected = if public == location.trim_ascii() {
            location
        } else {
            &public
        };
        assert_eq!(once, HeaderValue::from_bytes(expected).unwrap());
        return Some(());
    }
    // Browsers read a header as ISO 8859-1, other clients as UTF-8.
    let is_utf8 = std::str::from_utf8(location).is_ok();
    let text = |value: &[u8]| match is_utf8 {
        true => String::from_utf8(value.to_owned()).unwrap(),
        false => value.iter().copied().map(char::from).collect(),
    };
    let (before, after) = (text(location), text(once.as_bytes()));
    let Ok(mut expected) = serde_json::from_str::<Map<String, Value>>(&before) else {
        return Some(());
    };
    for key in ["path", "push", "replace"] {
        if let Some(Value::String(url)) = expected.get_mut(key) {
            let public = public_reference(root_path.as_str(), url.as_bytes());
            *url = String::from_utf8(public).unwrap();
        }
    }
    let found: Map<String, Value> = serde_json::from_str(&after).expect("JSON stays JSON");
    assert_eq!(found, expected);
    assert_eq!(
        without_strings(before.as_bytes()),
        without_strings(after.as_bytes())
    );
    Some(())
}
