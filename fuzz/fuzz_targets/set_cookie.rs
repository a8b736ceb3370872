//! `Set-Cookie`, compared with a model that splits the value and joins it again.
#![cfg_attr(fuzzing, no_main)]

use fuzz::{get, public_path, rewritten};
use http::{header::SET_COOKIE, HeaderValue};
use tower_root_path::{Rewrite, RootPath, RootPathLayer};

fuzz::target!(check);

fn check([root_path, cookie]: [&[u8]; 2]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let value = HeaderValue::from_bytes(cookie).ok()?;
    let layer = RootPathLayer::from(root_path.clone()).rewrite(Rewrite::none().set_cookie_path());
    let rewrite = |value: &HeaderValue| rewritten(&layer, get(b"/").unwrap(), SET_COOKIE, value);
    let once = rewrite(&value);
    assert_eq!(rewrite(&once), once, "a second pass changes nothing");
    assert_eq!(
        once,
        HeaderValue::from_bytes(&model(root_path.as_str(), cookie)).unwrap()
    );
    Some(())
}

fn model(root_path: &str, cookie: &[u8]) -> Vec<u8> {
    let is_host_cookie = cookie
        .trim_ascii_start()
        .to_ascii_lowercase()
        .starts_with(b"__host-");
    let mut parts: Vec<Vec<u8>> = cookie.split(|byte| *byte == b';').map(Vec::from).collect();
    let is_path = |part: &&mut Vec<u8>| {
        let name = part.split(|byte| *byte == b'=').next().unwrap_or_default();
        name.trim_ascii().eq_ignore_ascii_case(b"path")
    };
    if let Some(path) = parts
        .iter_mut()
        .skip(1)
        .rfind(is_path)
        .filter(|_| !is_host_cookie)
    {
        let equals = path
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(path.len() - 1);
        let argument = &path[equals + 1..];
        let start = path.len() - argument.trim_ascii_start().len();
        let public = match argument.trim_ascii() {
            b"/" if !root_path.is_empty() => root_path.into(),
            argument @ [b'/', ..] => public_path(root_path, argument),
            argument => argument.to_owned(),
        };
        path.splice(start..start + argument.trim_ascii().len(), public);
    }
    parts.join(&b';')
}
