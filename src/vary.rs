//! The `Vary` response header.

use http::{
    header::{HeaderName, VARY},
    HeaderMap, HeaderValue,
};

/// Adds `name` as a member of `Vary` ([RFC 9110, section 12.5.5]) unless it is one.
///
/// [RFC 9110, section 12.5.5]: https://www.rfc-editor.org/rfc/rfc9110#section-12.5.5
pub(crate) fn add_vary(headers: &mut HeaderMap, name: &HeaderName) {
    let is_there = headers.get_all(VARY).iter().any(|line| {
        line.as_bytes().split(|byte| *byte == b',').any(|member| {
            let member = member.trim_ascii();
            member == b"*" || member.eq_ignore_ascii_case(name.as_str().as_bytes())
        })
    });
    if !is_there {
        // A map that is full to the last entry stays as it is.
        let _ = headers.try_append(VARY, HeaderValue::from(name.clone()));
    }
}
