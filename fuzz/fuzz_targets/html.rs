//! HTML pages: the tokens that html5ever finds, before and after the edit.
#![cfg_attr(fuzzing, no_main)]

use bytes::Bytes;
use fuzz::get;
use html5ever::tokenizer::{
    states::RawKind, BufferQueue, Tag, TagKind, Token, TokenSink, TokenSinkResult, Tokenizer,
};
use std::cell::RefCell;
use tower_root_path::{BaseHrefLayer, RootPath, RootPathLayer};

fuzz::target!(check);

fn check([root_path, frame_len, page]: [&[u8]; 3]) -> Option<()> {
    let root_path = RootPath::try_from(root_path).ok()?;
    let frame_len = std::str::from_utf8(frame_len)
        .ok()?
        .parse()
        .ok()
        .filter(|len| *len > 0)?;
    let edited = edit(&root_path, page, page.len() + 1);
    assert_eq!(
        edit(&root_path, page, frame_len),
        edited,
        "the frames have no meaning"
    );
    assert_eq!(
        edit(&root_path, &edited, frame_len),
        edited,
        "a second pass changes nothing"
    );

    let (before, mut after) = (tokens(page), tokens(&edited));
    let head = before.iter().position(|token| is_start_tag(token, "head"));
    let href = format!("{root_path}/");
    if edited == page {
        // There is no head, or a `<base>` in it already.
        let comes_first = |head| before[..head].iter().all(may_precede_head);
        assert!(head.is_none_or(|head| !comes_first(head) || has_base(&before[head..])));
    } else if before.len() < after.len() {
        let at = head.unwrap() + 1;
        assert!(!has_base(&before[at..]));
        assert_eq!(href_of_base(&after.remove(at)), Some(&*href));
        assert_eq!(before, after);
        let base = format!("<base href=\"{}\">", href.replace('&', "&amp;"));
        assert_eq!(edited.len(), page.len() + base.len());
    } else {
        let mut pairs = before.iter().zip(&after);
        let (old, new) = pairs.find(|(old, new)| old != new).unwrap();
        assert!(matches!(href_of_base(old), Some("/" | "./")));
        assert_eq!(href_of_base(new), Some(&*href));
        assert!(pairs.all(|(old, new)| old == new));
        assert_eq!(before.len(), after.len());
    }
    Some(())
}

fn edit(root_path: &RootPath, page: &[u8], frame_len: usize) -> Bytes {
    let layers = (RootPathLayer::from(root_path.clone()), BaseHrefLayer::new());
    fuzz::edited(layers, get(b"/").unwrap(), "text/html", page, frame_len)
}

fn tokens(page: &[u8]) -> Vec<Token> {
    let tokenizer = Tokenizer::new(Sink::default(), Default::default());
    let input = BufferQueue::default();
    input.push_back(String::from_utf8_lossy(page).as_ref().into());
    let _ = tokenizer.feed(&input);
    tokenizer.end();
    tokenizer.sink.tokens.into_inner()
}

fn is_start_tag(token: &Token, name: &str) -> bool {
    matches!(token, Token::TagToken(tag) if tag.kind == TagKind::StartTag && &*tag.name == name)
}

fn href_of_base(token: &Token) -> Option<&str> {
    let Token::TagToken(Tag { attrs, .. }) = token else {
        return None;
    };
    let href = attrs.iter().find(|attr| &*attr.name.local == "href")?;
    is_start_tag(token, "base").then_some(&*href.value)
}

/// Whether a `<base>` with an `href` comes before `</head>` and what else ends the scan, and is in no
/// template.
fn has_base(tokens: &[Token]) -> bool {
    let mut templates = 0_usize;
    for token in tokens {
        let Token::TagToken(Tag { kind, name, .. }) = token else {
            continue;
        };
        match (kind, &**name) {
            (TagKind::StartTag, "template") => templates += 1,
            (TagKind::EndTag, "template") => templates = templates.saturating_sub(1),
            (
                TagKind::StartTag,
                "body" | "caption" | "col" | "colgroup" | "frameset" | "math" | "plaintext"
                | "select" | "svg" | "table" | "tbody" | "td" | "tfoot" | "th" | "thead" | "tr",
            ) => return false,
            (TagKind::EndTag, "head") if templates == 0 => return false,
            _ if templates == 0 && href_of_base(token).is_some() => return true,
            _ => {}
        }
    }
    false
}

fn may_precede_head(token: &Token) -> bool {
    match token {
        Token::CommentToken(_) | Token::DoctypeToken(_) => true,
        Token::CharacterTokens(text) => text.chars().all(|c| " \t\r\n\x0c".contains(c)),
        _ => is_start_tag(token, "html"),
    }
}

#[derive(Default)]
struct Sink {
    tokens: RefCell<Vec<Token>>,
}

impl TokenSink for Sink {
    type Handle = ();

    fn process_token(&self, token: Token, _: u64) -> TokenSinkResult<()> {
        let raw = match &token {
            Token::TagToken(Tag {
                kind: TagKind::StartTag,
                name,
                ..
            }) => match &**name {
                "textarea" | "title" => Some(RawKind::Rcdata),
                "script" => Some(RawKind::ScriptData),
                "iframe" | "noembed" | "noframes" | "noscript" | "style" | "xmp" => {
                    Some(RawKind::Rawtext)
                }
                _ => None,
            },
            _ => None,
        };
        let mut tokens = self.tokens.borrow_mut();
        match (tokens.last_mut(), token) {
            (_, Token::ParseError(_)) => {}
            (Some(Token::CharacterTokens(text)), Token::CharacterTokens(more)) => {
                text.push_tendril(&more);
            }
            (_, token) => tokens.push(token),
        }
        raw.map_or(TokenSinkResult::Continue, TokenSinkResult::RawData)
    }
}
