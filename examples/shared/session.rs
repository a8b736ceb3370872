//! Session cookies.

use axum::http::{header::COOKIE, HeaderMap};
use base64::{engine::general_purpose::URL_SAFE_NO_PAD, Engine};

/// The value of a cookie that the browser sends.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(COOKIE).iter();
    let mut pairs = lines
        .filter_map(|line| line.to_str().ok())
        .flat_map(|line| line.split("; "));
    pairs.find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='))
}

/// 256 random bits, as characters that need no encoding in a URL or a cookie.
pub(crate) fn random() -> String {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system has random numbers");
    URL_SAFE_NO_PAD.encode(bytes)
}
