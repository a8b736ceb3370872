//! An HTML page as a front-end build and a template make it.

use bytes::Bytes;

/// A page of 10,000 bytes, of which the head is 1,000.
pub(crate) fn page() -> Bytes {
    let link = "<link rel=\"modulepreload\" href=\"assets/chunk-0123456789abcdef.js\">\n";
    let mut page = "<!doctype html>\n<html>\n<head>\n".to_owned();
    fill(&mut page, 1_000, |_| link.to_owned());
    page.push_str("</head>\n<body>\n<ul>\n");
    fill(&mut page, 10_000, |i| {
        format!("<li><a href=\"items/{i}\">The item with number {i}</a></li>\n")
    });
    Bytes::from(page)
}

fn fill(page: &mut String, len: usize, part: impl Fn(usize) -> String) {
    for part in (0..).map(part) {
        if page.len() + part.len() > len {
            break;
        }
        page.push_str(&part);
    }
}
