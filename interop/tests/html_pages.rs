//! `BaseHrefLayer` beside html5ever, the HTML parser of Servo.

#[path = "../../tests/support/pages.rs"]
mod pages;

use bytes::Bytes;
use futures_util::{stream, FutureExt};
use html5ever::{
    ns, parse_document, serialize,
    serialize::SerializeOpts,
    tendril::TendrilSink,
    tokenizer::{
        states::RawKind, BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
    },
};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use markup5ever_rcdom::{Handle, NodeData, RcDom, SerializableHandle};
use pages::{pages, ROOT_PATH};
use proptest::prelude::*;
use std::{
    cell::{Cell, RefCell},
    convert::Infallible,
};
use tower::{service_fn, Layer, ServiceExt};
use tower_root_path::{BaseHrefLayer, RootPathLayer};

const BASE: &str = "<base href=\"/api/v1/\">";

/// The page as it leaves an app under `/api/v1`. The app sends it in frames of `frame_len` bytes.
fn edited(page: &[u8], frame_len: usize) -> Vec<u8> {
    let page = page.to_owned();
    let app = service_fn(move |_: Request<()>| {
        let frames = page.chunks(frame_len).map(Bytes::copy_from_slice);
        let frames: Vec<_> = frames.map(Frame::data).map(Ok::<_, Infallible>).collect();
        let response = Response::builder().header("content-type", "text/html");
        let response = response.body(StreamBody::new(stream::iter(frames)));
        async { Ok::<_, Infallible>(response.unwrap()) }
    });
    let service = (RootPathLayer::new(ROOT_PATH), BaseHrefLayer::new()).layer(app);
    let request = Request::get("/").body(()).unwrap();
    let page = service.oneshot(request).now_or_never().unwrap().unwrap();
    let page = page.into_body().collect().now_or_never().unwrap().unwrap();
    page.to_bytes().into()
}

/// What is right for a page, by the tokens that html5ever finds in it.
#[derive(Clone, Debug, PartialEq)]
enum Expected {
    Unchanged,
    Inserted,
    Replaced,
}

#[derive(Default)]
struct Sink {
    expected: RefCell<Option<Expected>>,
    in_head: Cell<bool>,
    templates: Cell<usize>,
}

impl Sink {
    fn decide(&self, expected: Expected) {
        self.expected.borrow_mut().get_or_insert(expected);
    }

    fn on_start_tag(&self, name: &str, tag: &Tag) {
        match name {
            "html" => {}
            "head" => self.in_head.set(true),
            _ if !self.in_head.get() => self.decide(Expected::Unchanged),
            "template" => self.templates.set(self.templates.get() + 1),
            "body" | "caption" | "col" | "colgroup" | "frameset" | "math" | "plaintext"
            | "select" | "svg" | "table" | "tbody" | "td" | "tfoot" | "th" | "thead" | "tr" => {
                self.decide(Expected::Inserted);
            }
            _ if self.templates.get() > 0 => {}
            "base" => {
                let href = tag.attrs.iter().find(|attr| &*attr.name.local == "href");
                match href.map(|href| &*href.value) {
                    None => {}
                    Some("/" | "./") => self.decide(Expected::Replaced),
                    Some(_) => self.decide(Expected::Unchanged),
                }
            }
            _ => {}
        }
    }

    fn on_end_tag(&self, name: &str) {
        match (name, self.templates.get()) {
            _ if !self.in_head.get() => self.decide(Expected::Unchanged),
            ("template", open) => self.templates.set(open.saturating_sub(1)),
            ("head", 0) => self.decide(Expected::Inserted),
            _ => {}
        }
    }
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        match token {
            Token::TagToken(tag) if tag.kind == TagKind::EndTag => self.on_end_tag(&tag.name),
            Token::TagToken(tag) => {
                self.on_start_tag(&tag.name, &tag);
                let raw = match &*tag.name {
                    "textarea" | "title" => RawKind::Rcdata,
                    "script" => RawKind::ScriptData,
                    "iframe" | "noembed" | "noframes" | "noscript" | "style" | "xmp" => {
                        RawKind::Rawtext
                    }
                    _ => return TokenSinkResult::Continue,
                };
                return TokenSinkResult::RawData(raw);
            }
            Token::CharacterTokens(text) => {
                let is_space = |c| matches!(c, ' ' | '\t' | '\r' | '\n' | '\x0c');
                if !self.in_head.get() && !text.chars().all(is_space) {
                    self.decide(Expected::Unchanged);
                }
            }
            Token::NullCharacterToken if !self.in_head.get() => self.decide(Expected::Unchanged),
            _ => {}
        }
        TokenSinkResult::Continue
    }
}

fn expected(page: &str) -> Expected {
    let tokenizer = Tokenizer::new(Sink::default(), Default::default());
    let input = BufferQueue::default();
    input.push_back(page.into());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    let sink = &tokenizer.sink;
    let at_end = match sink.in_head.get() {
        true => Expected::Inserted,
        false => Expected::Unchanged,
    };
    sink.expected.take().unwrap_or(at_end)
}

fn dom(page: &[u8]) -> RcDom {
    parse_document(RcDom::default(), Default::default())
        .from_utf8()
        .one(page)
}

fn html(dom: &RcDom) -> String {
    let mut html = Vec::new();
    let document: SerializableHandle = dom.document.clone().into();
    serialize(&mut html, &document, SerializeOpts::default()).unwrap();
    String::from_utf8(html).unwrap()
}

fn href(node: &Handle) -> Option<String> {
    let NodeData::Element { name, attrs, .. } = &node.data else {
        return None;
    };
    let attrs = attrs.borrow();
    let href = attrs.iter().find(|attr| &*attr.name.local == "href");
    let is_base = &*name.local == "base" && name.ns == ns!(html);
    href.filter(|_| is_base).map(|href| href.value.to_string())
}

/// The `href` of each `<base>`, in tree order. The first one is that of the page.
fn bases(node: &Handle) -> Vec<String> {
    let children = node.children.borrow();
    let below = children.iter().flat_map(bases);
    href(node).into_iter().chain(below).collect()
}

/// Asserts that the page is edited once, in the right place, as html5ever sees it.
fn assert_right(page: &[u8], frame_len: usize) {
    let shown = String::from_utf8_lossy(page);
    let edited = edited(page, frame_len);
    let expected = expected(&shown);
    let (before, after) = (dom(page), dom(&edited));
    match expected {
        Expected::Unchanged => assert_eq!(edited, page, "{shown}"),
        Expected::Inserted => {
            assert_eq!(edited.len(), page.len() + BASE.len(), "{shown}");
            assert_eq!(html(&after).replacen(BASE, "", 1), html(&before), "{shown}");
            assert_eq!(bases(&after.document)[0], "/api/v1/", "{shown}");
        }
        Expected::Replaced => {
            let old = bases(&before.document);
            assert!(matches!(&*old[0], "/" | "./"), "{shown}");
            assert_eq!(bases(&after.document)[0], "/api/v1/", "{shown}");
            assert_eq!(bases(&after.document)[1..], old[1..], "{shown}");
        }
    }
}

#[test]
fn the_pages_of_the_table_are_as_a_parser_sees_them() {
    for (page, _) in pages() {
        for frame_len in [1, 2, 3, 7, 1000] {
            assert_right(page.as_bytes(), frame_len);
        }
    }
}

/// The second `<base>` of the first page is after the 64 KiB that are held.
#[test]
fn a_long_page_is_edited_in_its_beginning() {
    let script = format!("<script>{}</script>", "x".repeat(70_000));
    let text = "x".repeat(10 << 20);
    for (page, inserted) in [
        (format!("<head>{script}<base href=/x>"), BASE.len()),
        (format!("{text}<html><head>"), 0),
    ] {
        for frame_len in [1000, 65_535, 65_536, 65_537, 1 << 30] {
            let edited = edited(page.as_bytes(), frame_len);
            assert_eq!(edited.len() - page.len(), inserted, "{frame_len}");
        }
    }
}

#[test]
fn utf_16_stays() {
    let page = "\u{feff}<!doctype html><html><head></head></html>";
    let big: Vec<u8> = page.encode_utf16().flat_map(u16::to_be_bytes).collect();
    let little: Vec<u8> = page.encode_utf16().flat_map(u16::to_le_bytes).collect();
    for page in [&big[..], &little, &big[2..], &little[2..]] {
        assert_eq!(edited(page, 5), page);
    }
}

/// Without `<frameset>`, which replaces a body, and drops what is in it.
const FRAGMENTS: [&str; 78] = [
    "<!doctype html>",
    "<!-- c -->",
    "<!--",
    "-->",
    "--!>",
    "<!-->",
    "<!--->",
    "<!---",
    "<!",
    "<!->",
    "<?",
    "<?xml?>",
    "</",
    "</>",
    "<",
    ">",
    "/",
    "=",
    "'",
    "\"",
    " ",
    "\n",
    "\t",
    "x",
    "\u{feff}",
    "\0",
    "é",
    "<html>",
    "<HTML lang='>'>",
    "<html",
    "<head>",
    "<HEAD\tx=y>",
    "<head",
    "</head>",
    "</head",
    "<head/>",
    "<header>",
    "<base href=/>",
    "<base href='./'>",
    "<base href=/x>",
    "<base target=t>",
    "<base href='.&#47;'>",
    "<svg>",
    "</svg>",
    "<math",
    "<html",
    " href=/x",
    "\r",
    "<base",
    " href",
    "=/",
    "<title>",
    "</title>",
    "</TITLE >",
    "<script>",
    "</script>",
    "<script",
    "</script",
    "<style>",
    "</style>",
    "<noscript>",
    "</noscript>",
    "<template>",
    "</template>",
    "<body>",
    "<body",
    "<p>",
    "<textarea>",
    "<plaintext>",
    "<select>",
    "<table>",
    "<td>",
    "<col>",
    "<form>",
    "</body>",
    "</html>",
    "<![CDATA[",
    "]]>",
];

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2000,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_page_is_edited_where_a_parser_expects_it(
        start in 0..4_usize,
        fragments in prop::collection::vec(prop::sample::select(&FRAGMENTS[..]), 0..14),
        frame_len in 1..40_usize,
    ) {
        let start = ["", "<head>", "<!doctype html><html><head>", "<head><title>x</title>"][start];
        let page = format!("{start}{}", fragments.concat());
        assert_right(page.as_bytes(), frame_len);
    }
}
