//! What the fuzz targets share: reading an input, sending a request, and models.
//!
//! An input is a text in lines, so that seeds and findings can be read and written.

use bytes::Bytes;
use futures_util::{stream, FutureExt};
use http::{
    header::{CONTENT_LENGTH, CONTENT_TYPE, ETAG},
    HeaderName, HeaderValue, Request, Response,
};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, StreamBody};
use std::{convert::Infallible, env, fs, future::ready, vec};
use tower::{service_fn, util::ServiceFn, Layer, Service, ServiceExt};
use url::Url;

/// Makes a fuzz target of a function, which gets the lines of the input and returns `None` if they
/// are not an input for it.
///
/// Without libFuzzer, the program runs the function once for each file that it is given.
#[macro_export]
macro_rules! target {
    ($check:ident) => {
        #[cfg(fuzzing)]
        libfuzzer_sys::fuzz_target!(|data: &[u8]| -> libfuzzer_sys::Corpus {
            match $crate::lines(data).and_then($check) {
                Some(()) => libfuzzer_sys::Corpus::Keep,
                None => libfuzzer_sys::Corpus::Reject,
            }
        });

        #[cfg(not(fuzzing))]
        fn main() {
            $crate::for_each_file(|data| $crate::lines(data).and_then($check));
        }
    };
}

/// The first lines of `data`, and the rest as the last one.
#[must_use]
pub fn lines<const N: usize>(data: &[u8]) -> Option<[&[u8]; N]> {
    let data = data.strip_suffix(b"\n").unwrap_or(data);
    let lines = data.splitn(N, |byte| *byte == b'\n');
    lines.collect::<Vec<_>>().try_into().ok()
}

/// Runs `check` with the content of each file that the command line names.
pub fn for_each_file(check: impl Fn(&[u8]) -> Option<()>) {
    for path in env::args_os().skip(1) {
        let data = fs::read(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        match check(&data) {
            Some(()) => println!("{path:?}: passed"),
            None => println!("{path:?}: not an input for this target"),
        }
    }
}

/// `GET uri`, if this is a URI.
#[must_use]
pub fn get(uri: &[u8]) -> Option<Request<()>> {
    Request::get(uri).body(()).ok()
}

/// An app that answers at once.
pub type App<B> =
    ServiceFn<Box<dyn Fn(Request<()>) -> std::future::Ready<Result<Response<B>, Infallible>>>>;

/// Sends `request` to `app` behind `layer`.
pub fn send<L, B, R>(
    layer: L,
    request: Request<()>,
    app: impl Fn(Request<()>) -> Response<B> + 'static,
) -> Response<R>
where
    L: Layer<App<B>>,
    L::Service: Service<Request<()>, Response = Response<R>, Error = Infallible>,
{
    let app: App<B> = service_fn(Box::new(move |request| ready(Ok(app(request)))));
    let response = layer.layer(app).oneshot(request).now_or_never();
    let Ok(response) = response.expect("no layer waits");
    response
}

/// The request as an app behind `layer` receives it.
pub fn received<L>(layer: L, request: Request<()>) -> Request<()>
where
    L: Layer<App<Request<()>>>,
    L::Service: Service<Request<()>, Response = Response<Request<()>>, Error = Infallible>,
{
    send(layer, request, Response::new).into_body()
}

/// What the response header `name: value` becomes on its way out through `layer`.
pub fn rewritten<L>(
    layer: L,
    request: Request<()>,
    name: HeaderName,
    value: &HeaderValue,
) -> HeaderValue
where
    L: Layer<App<()>>,
    L::Service: Service<Request<()>, Response = Response<()>, Error = Infallible>,
{
    let (sent_name, sent_value) = (name.clone(), value.clone());
    let response = send(layer, request, move |_| {
        let mut response = Response::new(());
        let headers = response.headers_mut();
        headers.insert(sent_name.clone(), sent_value.clone());
        response
    });
    assert_eq!(response.headers().len(), 1, "one line stays one line");
    response.headers()[name].clone()
}

/// A response body, in frames.
pub type Frames = StreamBody<stream::Iter<vec::IntoIter<Result<Frame<Bytes>, Infallible>>>>;

/// The `body` of a response on its way out through `layer`. The app sends it in frames of
/// `frame_len` bytes.
pub fn edited<L, R>(
    layer: L,
    request: Request<()>,
    content_type: &'static str,
    body: &[u8],
    frame_len: usize,
) -> Bytes
where
    L: Layer<App<Frames>>,
    L::Service: Service<Request<()>, Response = Response<R>, Error = Infallible>,
    R: Body<Data = Bytes, Error = Infallible>,
{
    let original = Bytes::copy_from_slice(body);
    let response = send(layer, request, move |_| {
        let frames = original.chunks(frame_len);
        let frames = frames.map(|frame| Ok(Frame::data(original.slice_ref(frame))));
        let frames = frames.collect::<Vec<_>>();
        Response::builder()
            .header(CONTENT_TYPE, content_type)
            .header(CONTENT_LENGTH, original.len())
            .header(ETAG, "\"1\"")
            .body(StreamBody::new(stream::iter(frames)))
            .unwrap()
    });
    let (parts, edited) = response.into_parts();
    let edited = edited.collect().now_or_never().expect("no body waits");
    let Ok(edited) = edited.map(|edited| edited.to_bytes());
    assert_eq!(parts.headers[CONTENT_LENGTH], edited.len().to_string());
    assert_eq!(parts.headers.contains_key(ETAG), edited == body);
    edited
}

/// Whether `path` begins with `root_path`, up to a segment boundary.
#[must_use]
pub fn is_under(path: &[u8], root_path: &str) -> bool {
    let rest = path.strip_prefix(root_path.as_bytes());
    rest.is_some_and(|rest| matches!(rest.first(), None | Some(b'/' | b'?' | b'#')))
}

/// A model of the rule for paths: `root_path` and `path`, or `path` if it is under `root_path`.
#[must_use]
pub fn public_path(root_path: &str, path: &[u8]) -> Vec<u8> {
    if is_under(path, root_path) {
        path.to_owned()
    } else {
        [root_path.as_bytes(), path].concat()
    }
}

/// A model of the rule for references, in answer to an ordinary request in origin-form.
///
/// # Panics
///
/// If it leads to another origin, and `reference` does not.
#[must_use]
pub fn public_reference(root_path: &str, reference: &[u8]) -> Vec<u8> {
    if !reference.starts_with(b"/") || reference.starts_with(b"//") {
        return reference.to_owned();
    }
    let public = public_path(root_path, reference);
    let page = Url::parse("https://pub.example/x").unwrap();
    let leaves =
        |reference| follow(&page, reference).is_some_and(|url| url.origin() != page.origin());
    assert!(!leaves(&public) || leaves(reference), "{public:?}");
    public
}

/// Where `reference` leads from `page`. Browsers read a header as ISO 8859-1.
#[must_use]
pub fn follow(page: &Url, reference: &[u8]) -> Option<Url> {
    let reference: String = reference.iter().copied().map(char::from).collect();
    page.join(&reference).ok()
}

/// `path` with its percent-encodings decoded, once.
#[must_use]
pub fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::new();
    let mut rest = path;
    while let [byte, next @ ..] = rest {
        let digits = next.get(..2).filter(|_| *byte == b'%');
        let digits = digits.filter(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        let triplet = digits.and_then(|digits| std::str::from_utf8(digits).ok());
        let triplet = triplet.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        decoded.push(triplet.unwrap_or(*byte));
        rest = if triplet.is_some() { &next[2..] } else { next };
    }
    decoded
}

/// What is between the strings of a JSON text.
#[must_use]
pub fn without_strings(json: &[u8]) -> Vec<u8> {
    let (mut is_string, mut is_escaped) = (false, false);
    let mut between = json.to_owned();
    between.retain(|byte| {
        let was_string = is_string;
        is_string ^= *byte == b'"' && !is_escaped;
        is_escaped = is_string && *byte == b'\\' && !is_escaped;
        !was_string && !is_string
    });
    between
}
