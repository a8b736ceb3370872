//! The value: its grammar, what can be built from it, and its error.

use crate::{rewrite::Rewrite, uri};
use std::{borrow::Cow, cmp, error, fmt, hash, str::FromStr, sync::Arc};

/// The public path prefix an app lives under: `""` or `/seg(/seg)*`.
///
/// A `RootPath` never ends with a slash, so it can be put in front of any path that begins with
/// one: `{{ root_path }}/static/app.css` is right in a template whether there is a root path or
/// not.
///
/// The layers put it in the request extensions. Where it is empty there may be none, so ask by
/// `request.extensions().get::<RootPath>().cloned().unwrap_or_default()`, or with the feature `axum`
/// by the extractor.
///
/// # Grammar
///
/// `( "/" segment )*`, at most [`RootPath::MAX_LEN`] bytes. A segment is made of
/// `A-Z a-z 0-9 - . _ ~ ! $ & ( ) * + = : @` and percent-triplets. Trailing slashes are trimmed,
/// so `"/"` is the empty root path. Refused are
///
/// | what | because |
/// |---|---|
/// | no leading slash | `https://host` + `evil.example` is another host |
/// | empty segments (`//evil.example`), `\` | browsers read them as another host |
/// | `.` and `..`, also percent-encoded | they climb out of the prefix |
/// | `'` `"` `<` `>` and the backquote | they end strings in HTML and JavaScript |
/// | `{` `}` | [OpenAPI server variables][oas] and templates |
/// | `,` | it separates the members of a forwarded header |
/// | `?` `#` `;` <code>&#124;</code> `^`, space, controls, raw non-ASCII | not a path ([RFC 3986, section 3.3][path]), or the start of path parameters |
/// | malformed triplets, and triplets of controls, `/` `\` `.` `%` `?` `#` `;` or of anything that may be written plainly | a later decoder would see another path |
///
/// # Example
///
/// ```
/// use tower_root_path::RootPath;
///
/// const API: RootPath = RootPath::from_static("/api/v1");
///
/// assert_eq!(API, "/api/v1/".parse::<RootPath>()?);
/// assert_eq!(format!("{API}/static/app.css"), "/api/v1/static/app.css");
/// assert_eq!(API.join("/items/1"), "/api/v1/items/1");
///
/// let error = "api/v1".parse::<RootPath>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid root path "api/v1": must start with '/'"#
/// );
/// # Ok::<(), tower_root_path::InvalidRootPath>(())
/// ```
///
/// [oas]: https://spec.openapis.org/oas/v3.1.1#server-object
/// [path]: https://www.rfc-editor.org/rfc/rfc3986#section-3.3
#[derive(Clone)]
pub struct RootPath {
    repr: Repr,
    told: Told,
}

/// What layers tell each other along with a root path; no part of the value.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    /// How many segments of what routers took off the request path are accounted for, so that
    /// each mount counts once.
    #[cfg(feature = "axum")]
    pub(crate) mounts: usize,
    /// What the layers further out rewrite, if they were told.
    pub(crate) rewrite: Option<Arc<Rewrite>>,
}

impl Told {
    const NOTHING: Self = Self {
        #[cfg(feature = "axum")]
        mounts: 0,
        rewrite: None,
    };
}

/// One word less, and no second allocation, compared with `String`; no atomics if static.
#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl RootPath {
    /// The empty root path: the app lives at the root of its host.
    pub const EMPTY: Self = Self::unchecked_static("");

    /// The longest root path, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// A root path from a string that is part of the program.
    ///
    /// In a `const` a bad value does not compile. Cloning the result costs nothing.
    ///
    /// # Panics
    ///
    /// If `root_path` does not follow the [grammar](Self#grammar).
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
    /// const API: RootPath = RootPath::from_static("/api/v1");
    /// assert_eq!(API.as_str(), "/api/v1");
    /// ```
    #[must_use]
    #[track_caller]
    pub const fn from_static(root_path: &'static str) -> Self {
        let bytes = trim_trailing_slashes(root_path.as_bytes());
        if let Some((problem, _)) = find_problem(bytes) {
            panic_at_compile_time(root_path, problem);
        }
        Self::unchecked_static(ascii(bytes))
    }

    const fn unchecked_static(root_path: &'static str) -> Self {
        Self {
            repr: Repr::Static(root_path),
            told: Told::NOTHING,
        }
    }

    /// The root path as a string: `""` or `/seg…`, without a trailing slash.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.repr {
            Repr::Static(root_path) => root_path,
            Repr::Shared(root_path) => root_path,
        }
    }

    /// Whether there is no root path.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }

    /// The public URL path of `path`, a path of the app's own (with or without query and
    /// fragment).
    ///
    /// The rule is that of a rewritten `Location`: a `path` that is already under the root path
    /// stays as it is. A missing leading slash is added. The result always begins with exactly
    /// one slash, whatever it is given, so it never leads to another host: neither a scheme nor
    /// `//host`, `/\host` or `/<TAB>/host` gets through.
    ///
    /// ```
    /// # use tower_root_path::RootPath;
    /// let api = RootPath::from_static("/api/v1");
    /// assert_eq!(api.join("/items/1?full#top"), "/api/v1/items/1?full#top");
    /// assert_eq!(api.join("/api/v1/items/1"), "/api/v1/items/1");
    /// assert_eq!(api.join("items/1"), "/api/v1/items/1");
    /// assert_eq!(RootPath::EMPTY.join("//evil.example"), "/evil.example");
    /// ```
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        // What browsers skip in front of a URL, or read as a slash.
        let rest = path.trim_start_matches(|c: char| c <= ' ' || c == '/' || c == '\\');
        [
            uri::missing_prefix(self.as_str(), rest.as_bytes()),
            "/",
            rest,
        ]
        .concat()
    }

    /// What is left of `path` (with or without a query) without the root path: `None` unless the
    /// root path is there and ends at a segment boundary, and never without a leading slash.
    ///
    /// Bytes are compared as they are: case matters and nothing is decoded or normalised.
    ///
    /// ```
    /// # use tower_root_path::RootPath;
    /// let api = RootPath::from_static("/api/v1");
    /// assert_eq!(api.strip("/api/v1/items?page=2").as_deref(), Some("/items?page=2"));
    /// assert_eq!(api.strip("/api/v1?page=2").as_deref(), Some("/?page=2"));
    /// assert_eq!(api.strip("/api/v1").as_deref(), Some("/"));
    /// assert_eq!(api.strip("/api/v10"), None);
    /// ```
    #[must_use]
    pub fn strip<'a>(&self, path: &'a str) -> Option<Cow<'a, str>> {
        let rest = uri::strip_prefix(path, self.as_str())?;
        Some(if rest.starts_with('/') {
            Cow::Borrowed(rest)
        } else {
            Cow::Owned(["/", rest].concat())
        })
    }

    /// This root path followed by `inner`, as two proxies in a row, or an app and an app mounted
    /// in it, make one.
    ///
    /// # Errors
    ///
    /// If the whole is longer than [`RootPath::MAX_LEN`]. (Of stacked layers, the inner one counts
    /// as none then.)
    ///
    /// # Example
    ///
    /// ```
    /// # use tower_root_path::RootPath;
    /// let api = RootPath::from_static("/api/v1");
    /// let shop = RootPath::from_static("/shop");
    /// assert_eq!(api.concat(&shop)?, "/api/v1/shop");
    /// # Ok::<(), tower_root_path::InvalidRootPath>(())
    /// ```
    pub fn concat(&self, inner: &Self) -> Result<Self, InvalidRootPath> {
        if inner.is_empty() {
            return Ok(self.clone());
        }
        if self.is_empty() {
            return Ok(inner.clone());
        }
        let (outer, inner) = (self.as_str(), inner.as_str());
        let len = outer.len() + inner.len();
        if len > Self::MAX_LEN {
            let whole = [outer, inner].concat();
            return Err(InvalidRootPath::new(
                whole.as_bytes(),
                Problem::TooLong,
                len,
            ));
        }
        // On the stack, so that the `Arc` is the one allocation.
        let mut whole = [0; Self::MAX_LEN];
        whole[..outer.len()].copy_from_slice(outer.as_bytes());
        whole[outer.len()..len].copy_from_slice(inner.as_bytes());
        Ok(Self::shared(Arc::from(ascii(&whole[..len]))))
    }

    /// The `Path` for a cookie that belongs to this app alone: the root path, or `/` if it is
    /// empty ([RFC 6265, section 5.1.4][path-match]: `/api/v1` covers `/api/v1/x`, and not
    /// `/api/v10`).
    ///
    /// ```
    /// # use tower_root_path::RootPath;
    /// let root_path = RootPath::from_static("/api/v1");
    /// let cookie = format!("id=7; Path={}; HttpOnly", root_path.cookie_path());
    /// assert_eq!(cookie, "id=7; Path=/api/v1; HttpOnly");
    /// assert_eq!(RootPath::EMPTY.cookie_path(), "/");
    /// ```
    ///
    /// [path-match]: https://www.rfc-editor.org/rfc/rfc6265#section-5.1.4
    #[must_use]
    pub fn cookie_path(&self) -> &str {
        self.or_slash()
    }

    /// The URL of this app in an OpenAPI `servers` list: the root path, or `/` if it is empty. It
    /// needs no host, since it [resolves against the document's own URL][oas].
    ///
    /// ```
    /// # use tower_root_path::RootPath;
    /// assert_eq!(RootPath::from_static("/api/v1").server_url(), "/api/v1");
    /// assert_eq!(RootPath::EMPTY.server_url(), "/");
    /// ```
    ///
    /// [oas]: https://spec.openapis.org/oas/v3.1.1#server-object
    #[must_use]
    pub fn server_url(&self) -> &str {
        self.or_slash()
    }

    fn or_slash(&self) -> &str {
        if self.is_empty() {
            "/"
        } else {
            self.as_str()
        }
    }

    fn shared(root_path: Arc<str>) -> Self {
        Self {
            repr: Repr::Shared(root_path),
            told: Told::NOTHING,
        }
    }

    /// A root path out of a part of a request path, which need not follow the grammar: a byte
    /// that it refuses is percent-encoded, and a triplet of one that it takes is decoded
    /// (JavaScript's `encodeURIComponent` makes `%40` of `@`). What it still refuses is an error.
    #[cfg(feature = "axum")]
    pub(crate) fn from_request_path(path: &str) -> Result<Self, InvalidRootPath> {
        use fmt::Write as _;

        if path.ends_with('/') {
            return Err(InvalidRootPath::new(
                path.as_bytes(),
                Problem::EmptySegment,
                path.len(),
            ));
        }
        Self::try_from(path).or_else(|_| {
            let mut written = String::with_capacity(path.len() + 16);
            let mut rest = path.as_bytes();
            while let [byte, behind @ ..] = rest {
                rest = behind;
                if IS_PLAIN[*byte as usize] || *byte == b'/' {
                    written.push(*byte as char);
                } else if *byte != b'%' {
                    let _ = write!(written, "%{byte:02X}");
                } else {
                    match decode_triplet(rest) {
                        Some(decoded) if IS_PLAIN[decoded as usize] => {
                            written.push(decoded as char);
                            rest = &rest[2..];
                        }
                        _ => written.push('%'),
                    }
                }
            }
            Self::try_from(written)
        })
    }

    pub(crate) fn told(&self) -> &Told {
        &self.told
    }

    /// The same root path, and what is told along with it.
    pub(crate) fn telling(mut self, told: Told) -> Self {
        self.told = told;
        self
    }
}

impl Default for RootPath {
    /// The [empty](RootPath::EMPTY) root path.
    fn default() -> Self {
        Self::EMPTY
    }
}

impl FromStr for RootPath {
    type Err = InvalidRootPath;

    fn from_str(root_path: &str) -> Result<Self, Self::Err> {
        Self::try_from(root_path.as_bytes())
    }
}

impl TryFrom<&str> for RootPath {
    type Error = InvalidRootPath;

    fn try_from(root_path: &str) -> Result<Self, Self::Error> {
        Self::try_from(root_path.as_bytes())
    }
}

impl TryFrom<&String> for RootPath {
    type Error = InvalidRootPath;

    fn try_from(root_path: &String) -> Result<Self, Self::Error> {
        Self::try_from(root_path.as_bytes())
    }
}

impl TryFrom<String> for RootPath {
    type Error = InvalidRootPath;

    fn try_from(root_path: String) -> Result<Self, Self::Error> {
        Self::try_from(root_path.as_bytes())
    }
}

/// The bytes of a header value, say.
impl TryFrom<&[u8]> for RootPath {
    type Error = InvalidRootPath;

    fn try_from(root_path: &[u8]) -> Result<Self, Self::Error> {
        let trimmed = trim_trailing_slashes(root_path);
        match find_problem(trimmed) {
            Some((problem, at)) => Err(InvalidRootPath::new(root_path, problem, at)),
            None if trimmed.is_empty() => Ok(Self::EMPTY),
            None => Ok(Self::shared(Arc::from(ascii(trimmed)))),
        }
    }
}

impl fmt::Display for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for RootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl AsRef<str> for RootPath {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<RootPath> for String {
    fn from(root_path: RootPath) -> Self {
        root_path.as_str().to_owned()
    }
}

impl PartialEq for RootPath {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for RootPath {}

impl PartialEq<str> for RootPath {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl PartialEq<&str> for RootPath {
    fn eq(&self, other: &&str) -> bool {
        self.as_str() == *other
    }
}

impl PartialOrd for RootPath {
    fn partial_cmp(&self, other: &Self) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for RootPath {
    fn cmp(&self, other: &Self) -> cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl hash::Hash for RootPath {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for RootPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for RootPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let root_path = Cow::<'de, str>::deserialize(deserializer)?;
        root_path.parse().map_err(serde::de::Error::custom)
    }
}

/// A value is no [`RootPath`]; says what is wrong with it, and where.
///
/// ```
/// # use tower_root_path::RootPath;
/// let error = "/api/../v1".parse::<RootPath>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid root path "/api/../v1": segment ".." at byte 5"#
/// );
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct InvalidRootPath {
    value: Box<[u8]>,
    problem: Problem,
    /// The byte of `value` at which the problem is, or its length if that is the problem.
    at: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Problem {
    NoLeadingSlash,
    EmptySegment,
    DotSegment,
    UnexpectedByte,
    MalformedTriplet,
    ForbiddenTriplet,
    TooLong,
}

impl Problem {
    /// The reason without the place, for a `const` context.
    const fn reason(self) -> &'static str {
        match self {
            Self::NoLeadingSlash => "must start with '/'",
            Self::EmptySegment => "empty segment",
            Self::DotSegment => "segment \".\" or \"..\"",
            Self::UnexpectedByte => "unexpected character",
            Self::MalformedTriplet => "'%' without two hexadecimal digits",
            Self::ForbiddenTriplet => "percent-encoded character that must not be",
            Self::TooLong => "longer than 1024 bytes",
        }
    }
}

impl InvalidRootPath {
    fn new(value: &[u8], problem: Problem, at: usize) -> Self {
        Self {
            value: value.into(),
            problem,
            at,
        }
    }

    /// A number below 8 for each kind of problem.
    #[cfg(feature = "tracing")]
    pub(crate) fn kind(&self) -> u8 {
        self.problem as u8
    }
}

impl fmt::Debug for InvalidRootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InvalidRootPath({})", Reason(self))
    }
}

impl fmt::Display for InvalidRootPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid root path {}", Reason(self))
    }
}

impl error::Error for InvalidRootPath {}

/// The offending value and what is wrong with it.
pub(crate) struct Reason<'a>(pub(crate) &'a InvalidRootPath);

impl fmt::Display for Reason<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let InvalidRootPath { value, problem, at } = self.0;
        let lossy = String::from_utf8_lossy(value);
        let mut shown = lossy.chars().take(RootPath::MAX_LEN).collect::<String>();
        if shown.len() < lossy.len() {
            shown.push('…');
        }
        write!(f, "{shown:?}: ")?;
        match problem {
            Problem::NoLeadingSlash => f.write_str(problem.reason()),
            Problem::EmptySegment => write!(f, "empty segment at byte {at}"),
            Problem::DotSegment => {
                let rest = &value[*at..];
                let dots = rest.iter().take_while(|byte| **byte == b'.').count();
                write!(f, "segment {:?} at byte {at}", &".."[..dots])
            }
            Problem::UnexpectedByte => match value[*at..].utf8_chunks().next() {
                Some(chunk) if !chunk.valid().is_empty() => {
                    let unexpected = chunk.valid().chars().next().unwrap_or_default();
                    write!(f, "unexpected {unexpected:?} at byte {at}")
                }
                _ => write!(f, "unexpected byte 0x{:02X} at byte {at}", value[*at]),
            },
            Problem::MalformedTriplet => write!(
                f,
                "'%' at byte {at} must be followed by two hexadecimal digits"
            ),
            Problem::ForbiddenTriplet => {
                let triplet = String::from_utf8_lossy(&value[*at..*at + 3]);
                match decode_triplet(&value[*at + 1..]) {
                    Some(byte) if IS_PLAIN[byte as usize] && byte != b'.' => write!(
                        f,
                        "{triplet:?} at byte {at} must be written as {:?}",
                        byte as char
                    ),
                    byte => write!(
                        f,
                        "{triplet:?} at byte {at} stands for {:?}, which must not be \
                         percent-encoded",
                        byte.unwrap_or_default() as char
                    ),
                }
            }
            Problem::TooLong => write!(
                f,
                "{at} bytes long, at most {} are allowed",
                RootPath::MAX_LEN
            ),
        }
    }
}

const fn trim_trailing_slashes(mut bytes: &[u8]) -> &[u8] {
    while let [head @ .., b'/'] = bytes {
        bytes = head;
    }
    bytes
}

/// The first thing that the grammar refuses, and where it is.
const fn find_problem(bytes: &[u8]) -> Option<(Problem, usize)> {
    if bytes.is_empty() {
        return None;
    }
    if bytes[0] != b'/' {
        return Some((Problem::NoLeadingSlash, 0));
    }
    let mut segment = 1;
    let mut at = 1;
    loop {
        if at == bytes.len() || bytes[at] == b'/' {
            match at - segment {
                0 => return Some((Problem::EmptySegment, segment)),
                1 if bytes[segment] == b'.' => return Some((Problem::DotSegment, segment)),
                2 if bytes[segment] == b'.' && bytes[segment + 1] == b'.' => {
                    return Some((Problem::DotSegment, segment));
                }
                _ => {}
            }
            if at == bytes.len() {
                break;
            }
            segment = at + 1;
            at += 1;
        } else if bytes[at] == b'%' {
            match decode_triplet(bytes.split_at(at + 1).1) {
                None => return Some((Problem::MalformedTriplet, at)),
                Some(byte) if !may_be_encoded(byte) => {
                    return Some((Problem::ForbiddenTriplet, at))
                }
                Some(_) => at += 3,
            }
        } else if IS_PLAIN[bytes[at] as usize] {
            at += 1;
        } else {
            return Some((Problem::UnexpectedByte, at));
        }
    }
    if bytes.len() > RootPath::MAX_LEN {
        return Some((Problem::TooLong, bytes.len()));
    }
    None
}

/// The bytes of a root path as a string: the grammar is ASCII.
const fn ascii(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(ascii) => ascii,
        Err(_) => unreachable!(),
    }
}

/// What may be written plainly in a segment. A dot may, but a segment of dots alone may not.
const IS_PLAIN: [bool; 256] = {
    let plain = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&()*+=:@";
    let mut table = [false; 256];
    let mut i = 0;
    while i < plain.len() {
        table[plain[i] as usize] = true;
        i += 1;
    }
    table
};

const fn may_be_encoded(byte: u8) -> bool {
    !(byte.is_ascii_control()
        || IS_PLAIN[byte as usize]
        || matches!(byte, b'/' | b'\\' | b'%' | b'?' | b'#' | b';'))
}

/// What the two digits behind a `%` stand for.
const fn decode_triplet(digits: &[u8]) -> Option<u8> {
    const fn hex(digit: u8) -> Option<u8> {
        match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            b'A'..=b'F' => Some(digit - b'A' + 10),
            _ => None,
        }
    }
    match digits {
        [high, low, ..] => match (hex(*high), hex(*low)) {
            (Some(high), Some(low)) => Some(high << 4 | low),
            _ => None,
        },
        _ => None,
    }
}

/// Panics with the same words as [`InvalidRootPath`], but for the place: a `const` context has
/// neither `format!` nor a heap.
#[track_caller]
const fn panic_at_compile_time(root_path: &str, problem: Problem) -> ! {
    const PARTS: usize = 4;
    let parts: [&[u8]; PARTS] = [
        b"invalid root path \"",
        root_path.as_bytes(),
        b"\": ",
        problem.reason().as_bytes(),
    ];
    let mut message = [0; 2 * RootPath::MAX_LEN];
    let mut len = 0;
    let mut part = 0;
    while part < PARTS {
        let mut i = 0;
        while i < parts[part].len() && len < message.len() {
            message[len] = parts[part][i];
            len += 1;
            i += 1;
        }
        part += 1;
    }
    match std::str::from_utf8(message.split_at(len).0) {
        Ok(message) => panic!("{}", message),
        Err(_) => panic!("{}", problem.reason()),
    }
}
