//! The value: its grammar, what can be built from it, and its error.

use crate::uri::{self, decode_triplet, is_unreserved};
use http::Extensions;
use std::{borrow::Cow, cmp, error, fmt, hash, str::FromStr, sync::Arc};

/// The public path prefix of an app: `""` or `/seg(/seg)*`.
///
/// A `RootPath` never ends with a slash, so you can write it in front of any path that begins with
/// one. In a template, `{{ root_path }}/static/app.css` is right with and without a root path. The
/// value is safe in quoted HTML attributes and in JavaScript strings. It is not safe in an unquoted
/// CSS `url()` nor in a `javascript:` URL.
///
/// [`RootPathLayer`](crate::RootPathLayer) puts it in the request extensions. Read it with
/// [`RootPath::from_extensions`] or, with the feature `axum`, as an extractor.
///
/// With the feature `serde`, it is serialized as a string, and deserialized from one.
///
/// # Grammar
///
/// A root path is `( "/" segment )*`, at most [`RootPath::MAX_LEN`] bytes long. A segment consists
/// of `A-Z a-z 0-9 - . _ ~ ! $ & ( ) * + = : @` and percent-encoded triplets. Trailing slashes are
/// trimmed, and `"/"` is the empty root path. These are refused:
///
/// | refused | because |
/// |---|---|
/// | no leading slash | `https://host` + `evil.example` is another host |
/// | empty segments (`//evil.example`), `\` | browsers read them as another host |
/// | `.` and `..`, also percent-encoded | they leave the prefix |
/// | `'` `"` `<` `>` and the backquote | they end strings in HTML and JavaScript |
/// | `{` `}` | they are [variables in OpenAPI server URLs][oas], and templates |
/// | `,` | it separates the members of a forwarded header |
/// | `?` `#` `;` <code>&#124;</code> `^`, space, controls, raw non-ASCII | they are not part of a path ([RFC 3986, section 3.3][path]), or begin path parameters |
/// | malformed triplets, and triplets of controls, `/` `\` `%` `?` `#` `;` and of unreserved characters (`A-Z a-z 0-9 - . _ ~`) | a later decoder would see another path |
///
/// Triplets of other reserved characters stay as they are: `%2B` and `+` are different paths
/// ([RFC 3986, section 2.2][reserved]).
///
/// A mount ([`RootPathLayer::nested`][nested]) is kept as the client wrote it. So a `RootPath` with
/// a mount may contain triplets that parsing refuses.
///
/// # Example
///
/// ```
/// use tower_root_path::RootPath;
///
/// const API: RootPath = RootPath::from_static("/api/v1");
///
/// assert_eq!(format!("{API}/static/app.css"), "/api/v1/static/app.css");
/// assert_eq!(API.join("/items/1"), "/api/v1/items/1");
///
/// let root_path: RootPath = "/api/v1/".parse()?;
/// assert_eq!(root_path, API);
/// assert_eq!(root_path.as_str(), "/api/v1");
///
/// let root_path: RootPath = "/".parse()?;
/// assert_eq!(root_path, RootPath::EMPTY);
/// assert!(root_path.is_empty());
/// # Ok::<(), tower_root_path::InvalidRootPath>(())
/// ```
///
/// [nested]: crate::guide::configuration#sub-apps
/// [oas]: https://spec.openapis.org/oas/v3.1.1#server-object
/// [path]: https://www.rfc-editor.org/rfc/rfc3986#section-3.3
/// [reserved]: https://www.rfc-editor.org/rfc/rfc3986#section-2.2
#[derive(Clone)]
pub struct RootPath(Repr);

/// One word less, and no second allocation, compared with `String`; no atomics if static.
#[derive(Clone)]
enum Repr {
    Static(&'static str),
    Shared(Arc<str>),
}

impl RootPath {
    /// The empty root path: the app is at the root of its host.
    pub const EMPTY: Self = Self(Repr::Static(""));

    /// The maximum length of a root path, in bytes.
    pub const MAX_LEN: usize = 1024;

    /// Creates a root path from a static string.
    ///
    /// In a `const`, an invalid value does not compile. Cloning the result costs nothing.
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
        match check(root_path.as_bytes()) {
            Ok(bytes) => Self(Repr::Static(ascii(bytes))),
            Err((problem, _)) => panic_at_compile_time(root_path, problem),
        }
    }

    /// Returns the root path in the extensions of a request, empty if there is none.
    ///
    /// # Example
    ///
    /// ```
    /// use http::Request;
    /// use tower_root_path::RootPath;
    ///
    /// fn link<B>(request: &Request<B>) -> String {
    ///     let root_path = RootPath::from_extensions(request.extensions());
    ///     format!(r#"<a href="{root_path}/items">Items</a>"#)
    /// }
    ///
    /// // No layer has put a root path there.
    /// assert_eq!(link(&Request::new(())), r#"<a href="/items">Items</a>"#);
    /// ```
    #[must_use]
    pub fn from_extensions(extensions: &Extensions) -> Self {
        extensions.get::<Self>().cloned().unwrap_or_default()
    }

    /// Returns the root path as a string: `""` or `/seg…`, without a trailing slash.
    #[inline]
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Repr::Static(root_path) => root_path,
            Repr::Shared(root_path) => root_path,
        }
    }

    /// Returns `true` if the root path is `""`.
    #[inline]
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.as_str().is_empty()
    }

    /// Returns the public path of `path`, a path of the app's own.
    ///
    /// `path` may have a query and a fragment. The root path is always prepended, also to a `path`
    /// that begins with it, since an app may have such routes.
    ///
    /// The result begins with exactly one slash, whatever `path` is. So neither a scheme nor
    /// `//host`, `/\host` or `/<TAB>/host` leads to another host.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
    /// let api = RootPath::from_static("/api");
    /// assert_eq!(api.join("/items/1?full#top"), "/api/items/1?full#top");
    /// assert_eq!(api.join("/api/items"), "/api/api/items");
    /// assert_eq!(api.join("items/1"), "/api/items/1");
    /// assert_eq!(RootPath::EMPTY.join("//evil.example"), "/evil.example");
    /// ```
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        // Browsers ignore what is trimmed here, or read it as a slash.
        let path = path.trim_start_matches(|c: char| c <= ' ' || c == '/' || c == '\\');
        uri::prepend(self.as_str(), path)
    }

    /// Strips the root path from `path`, and returns the rest with a leading slash.
    ///
    /// `path` may have a query. The result is `None` if `path` does not begin with the root path, up
    /// to a segment boundary. Bytes are compared as they are: case matters, and nothing is decoded
    /// or normalized.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
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

    /// Returns this root path followed by `inner`, as for two proxies in a row or a sub-app.
    ///
    /// # Errors
    ///
    /// If the result is longer than [`RootPath::MAX_LEN`]. In this case, stacked layers ignore the
    /// inner root path.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
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
        Ok(Self::shared(ascii(&whole[..len])))
    }

    /// Returns the `Path` for a cookie of this app alone: the root path, or `/` if it is empty.
    ///
    /// By [RFC 6265, section 5.1.4][path-match], `/api/v1` matches `/api/v1/x` and not `/api/v10`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
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

    /// Returns the URL of this app for an OpenAPI `servers` list: the root path, or `/` if it is
    /// empty.
    ///
    /// It has no host: clients [resolve it against the URL of the document][oas].
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::RootPath;
    ///
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

    fn shared(root_path: &str) -> Self {
        Self(Repr::Shared(Arc::from(root_path)))
    }

    /// A root path from a mount, a part of a request path, as the client wrote it: cookies and
    /// relative links match it byte for byte.
    ///
    /// Well-formed triplets stay, and other bytes that the grammar refuses are percent-encoded.
    /// `None` for a mount that would change its meaning: with a dot segment in any encoding, with
    /// an empty segment, or too long.
    pub(crate) fn from_mount(mount: &str) -> Option<Self> {
        let mut segments = mount.strip_prefix('/')?.split('/');
        if segments.any(|segment| segment.is_empty() || is_dot_segment(segment.as_bytes())) {
            return None;
        }
        let root_path = encode_refused_bytes(mount);
        (root_path.len() <= Self::MAX_LEN).then(|| Self::shared(&root_path))
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

/// Parses the bytes of a header value.
impl TryFrom<&[u8]> for RootPath {
    type Error = InvalidRootPath;

    fn try_from(root_path: &[u8]) -> Result<Self, Self::Error> {
        match check(root_path) {
            Ok([]) => Ok(Self::EMPTY),
            Ok(trimmed) => Ok(Self::shared(ascii(trimmed))),
            Err((problem, at)) => Err(InvalidRootPath::new(root_path, problem, at)),
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

/// Error returned when a value is not a valid [`RootPath`].
///
/// The message quotes the value, and names the reason and the place. If the value is valid when it
/// is percent-encoded, the message shows the encoded value.
///
/// # Example
///
/// ```
/// use tower_root_path::RootPath;
///
/// let error = "/api/../v1".parse::<RootPath>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid root path "/api/../v1": segment ".." at byte 5"#
/// );
/// let error = "/caf\u{e9}".parse::<RootPath>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid root path "/café": unexpected 'é' at byte 4; percent-encoded it is "/caf%C3%A9""#
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
    /// The reason without the place: a `const` context cannot format numbers.
    const fn reason(self) -> &'static str {
        match self {
            Self::NoLeadingSlash => "must start with '/'",
            Self::EmptySegment => "empty segment",
            Self::DotSegment => "segment \".\" or \"..\"",
            Self::UnexpectedByte => "unexpected character",
            Self::MalformedTriplet => "'%' without two hexadecimal digits",
            Self::ForbiddenTriplet => "character that must not be percent-encoded",
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

/// The refused value and the reason.
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
                    write!(f, "unexpected {unexpected:?} at byte {at}")?;
                    match RootPath::try_from(encode_refused_bytes(&lossy)) {
                        Ok(encoded) => write!(f, "; percent-encoded it is {encoded:?}"),
                        Err(_) => Ok(()),
                    }
                }
                _ => write!(f, "unexpected byte 0x{:02X} at byte {at}", value[*at]),
            },
            Problem::MalformedTriplet => write!(
                f,
                "'%' at byte {at} must be followed by two hexadecimal digits"
            ),
            Problem::ForbiddenTriplet => {
                let triplet = String::from_utf8_lossy(&value[*at..*at + 3]);
                let decoded = decode_triplet(&value[*at + 1..]).unwrap_or_default() as char;
                if is_unreserved(decoded as u8) && decoded != '.' {
                    write!(f, "{triplet:?} at byte {at} must be written as {decoded:?}")
                } else {
                    write!(
                        f,
                        "{triplet:?} at byte {at} stands for {decoded:?}, which must not be \
                         percent-encoded"
                    )
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

/// `bytes` without trailing slashes, or the first byte that the grammar refuses.
const fn check(bytes: &[u8]) -> Result<&[u8], (Problem, usize)> {
    let mut trimmed = bytes;
    while let [head @ .., b'/'] = trimmed {
        trimmed = head;
    }
    match find_problem(trimmed) {
        Some(problem) => Err(problem),
        None if trimmed.is_empty() && bytes.len() > 1 => Err((Problem::EmptySegment, 1)),
        None => Ok(trimmed),
    }
}

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

/// What a segment may contain besides triplets. A segment of dots alone is refused elsewhere.
const IS_PLAIN: [bool; 256] =
    table(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~!$&()*+=:@");

const fn table(members: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut i = 0;
    while i < members.len() {
        table[members[i] as usize] = true;
        i += 1;
    }
    table
}

const fn may_be_encoded(byte: u8) -> bool {
    !(byte.is_ascii_control()
        || is_unreserved(byte)
        || matches!(byte, b'/' | b'\\' | b'%' | b'?' | b'#' | b';'))
}

/// Whether `segment` is `.` or `..`, percent-encoded or not.
fn is_dot_segment(mut segment: &[u8]) -> bool {
    let mut dots = 0;
    while let [b'.', rest @ ..] | [b'%', b'2', b'e' | b'E', rest @ ..] = segment {
        segment = rest;
        dots += 1;
    }
    segment.is_empty() && matches!(dots, 1 | 2)
}

/// `path` with what the grammar refuses percent-encoded. Slashes and well-formed triplets stay.
fn encode_refused_bytes(path: &str) -> String {
    use fmt::Write as _;

    let mut encoded = String::with_capacity(path.len());
    for (at, byte) in path.bytes().enumerate() {
        let is_triplet = byte == b'%' && decode_triplet(&path.as_bytes()[at + 1..]).is_some();
        if IS_PLAIN[byte as usize] || byte == b'/' || is_triplet {
            encoded.push(byte as char);
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// Panics with the message of [`InvalidRootPath`] but without the place: a `const` context has
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
