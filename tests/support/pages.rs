//! HTML pages, and what `BaseHrefLayer` makes of them.
#![allow(unreachable_pub)] // Tests of the package `interop` have it too.

pub const ROOT_PATH: &str = "/api/v1";

/// A `^` is where `<base>` is inserted; the `href` between two is replaced. A page without any stays.
const MARKED: &[&str] = &[
    "<!doctype html><html><head>^<title>x</title></head><body>",
    "<html><head>^</head>",
    "<head>^",
    "<!-- saved --><!doctype html><!-- x --><html><!-- y -->\n<head>^",
    "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 4.01//EN\"\n\"http://www.w3.org/TR/html4/strict.dtd\"><HTML><HEAD>^",
    "<?xml version=\"1.0\"?><!DOCTYPE html><html xmlns=\"x\"><head/>^",
    "\u{feff} \r\n\t<html><head>^",
    "\u{feff}<head>^",
    "\u{feff}\u{feff}<head>",
    "<html data-x='>' lang=\"a>b\"><head prefix=\"og: >\" x='<head>'>^<title>x</title>",
    "<html x=><head y=''>^<title>x</title>",
    // Comments.
    "<!-- <head> --><html><head>^",
    "<!--><head>^<!-- --></head>",
    "<!---><head>^</head>",
    "<!--x--!><head>^</head>",
    "<!-x><head>^</head>",
    "<!><head>^</head>",
    "<!--x->--><head>^</head>",
    "<!--x-!>--><head>^</head>",
    "<!--!>--><head>^</head>",
    "<!---!>--><head>^</head>",
    "<!--<head>--x><head>",
    "<html><head>^<!-- <base href=/x> </head> --><title><base href=/x></title></head>",
    // Elements whose content is text.
    "<head>^<script>'<base href=/x></head>'<!--<script></script><base href=/y>--></script></head>",
    "<head>^<script><!--<script></script></head>--></script></head><base href=/>",
    "<head>^<script><!-- a>b -- c<script></script><base href=/x>--></script></head>",
    "<head><script><!--<scripty></script><base href=^/^></head>",
    "<head><script><!--<script></scripty></script></script><base href=^/^></head>",
    "<head><script><!--<script>--></script><base href=^/^></head>",
    "<head><script><!-- --></script><base href=^/^></head>",
    "<head><script><!- <script></script><base href=^/^></head>",
    "<head>^<noscript><base href=/x></noscript><style><base href=/x></style></head>",
    "<head>^<title></titlex><base href=/></title></head>",
    "<head><title><head></head></TITLE ><base href=^/^></head>",
    "<head>^<iframe></head></iframe><textarea></head></textarea><xmp></head></xmp></head><base href=/>",
    "<head>^<noembed></head></noembed><noframes></head></noframes></head><base href=/>",
    // Templates.
    "<head>^<template><base href=/x></head><template></template></template></head>",
    "<head>^<template><template></template><base href=/></template></head>",
    "<head></template><template></template><base href=^/^></head>",
    "<head><template><base href=/x></head><p></template><base href=^/^></head>",
    "<head><template></template><base href=\"https://cdn.example/\"></head>",
    "<head><template><textarea></template></textarea></template><base href=^/^></head>",
    // A `<base>` that is there.
    "<head>^<base target=_blank></head>",
    "<head><base href='^&#x2f;^'></head>",
    "<head><base href='^.&#47;^'></head>",
    "<head><base href=^/^></head>",
    "<head><base href=^/^ ></head>",
    "<head><base/href=\"^/^\"/></head>",
    "<head><base x = y href = '^/^'></head>",
    "<head><base target=_blank><BASE target=_top HREF = '^./^' ></head>",
    "<head><base href=\"^/^\" href=\"/x/\"></head>",
    "<head><base href=/x/></head>",
    "<head><base href=//></head>",
    "<head><base href></head>",
    "<head><base href=></head>",
    "<head><base href href=/></head>",
    "<head><base href=\"https://cdn.example/\"><base href=\"/\"></head>",
    // What does not belong in a head is in the body for a parser, as is a `<base>` after it.
    "<head><p><base href=^/^>",
    "<head><p><base href=/x>",
    "<head>x<base href=^/^>",
    "<head>\u{feff}<base href=^./^>",
    "<head></p></base href=/x></br></body></html><base href=^/^>",
    "<head><html><head><basefont><bgsound><base href=^/^></head>",
    // What ends the scan.
    "<head>^</head><body><base href=/x>",
    "<head>^<body><base href=/x>",
    "<head>^<frameset><base href=/>",
    "<head>^<svg><base href=/></svg></head>",
    "<head>^<svg><title>--><base href=/x>",
    "<head>^<svg><![CDATA[><base href=/>]]></svg>",
    "<head>^<math><base href=/>",
    "<head>^<plaintext><base href=/>",
    "<head>^<template><plaintext></template><base href=/>",
    "<head>^<template><svg><style></template><base href=/>",
    "<head>^<template><col><title><template></title></template><base href=/></template>",
    "<head>^<template><colgroup><title><template></title></template><base href=/></template>",
    "<head>^<select><base href=/></select>",
    "<head>^<table><td><base href=/><tbody><base href=/x>",
    "<head>^<caption><base href=/>",
    "<head>^<tbody><base href=/>",
    "<head>^<td><base href=/>",
    "<head>^<tfoot><base href=/>",
    "<head>^<th><base href=/>",
    "<head>^<thead><base href=/>",
    "<head>^<tr><base href=/>",
    // What is no tag.
    "<head>^<></head><base href=/>",
    "<head>^</></head><base href=/>",
    "<head>^<1></head><base href=/>",
    "<head><1 x='><base href=^/^>'>",
    "<head></1 x='><base href=^/^>'>",
    "<head><<base href=^/^>",
    // No page, or no head.
    "<!doctype html><title>x</title><p>No head",
    "<!doctype html><html><body></body></html>",
    "<header>x</header>",
    "<div hx-swap>a fragment</div>",
    "text <head>",
    "<html>&nbsp;<head>",
    "< <head>",
    "</html><head>",
    "</head><head>",
    "<hea",
    "",
];

/// Each page, before and after it is edited.
pub fn pages() -> impl Iterator<Item = (String, String)> {
    MARKED
        .iter()
        .map(|marked| match marked.split('^').collect::<Vec<_>>()[..] {
            [before, href, after] => (
                [before, href, after].concat(),
                format!("{before}{ROOT_PATH}/{after}"),
            ),
            [before, after] => (
                [before, after].concat(),
                format!("{before}<base href=\"{ROOT_PATH}/\">{after}"),
            ),
            _ => ((*marked).to_owned(), (*marked).to_owned()),
        })
}
