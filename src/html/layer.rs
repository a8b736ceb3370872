//! `BaseHrefLayer`.

use super::BaseHrefService;
use crate::warn_once::WarnOnce;
use std::sync::Arc;
use tower_layer::Layer;

/// Layer that inserts `<base href>` into HTML pages, so that relative URLs work under any root path.
///
/// With it, one build of a front end works under any root path. Build the front end with relative
/// asset URLs (Vite: `base: './'`). The browser resolves them against `<base href="/api/v1/">`,
/// whatever the path of the page. See [the guide](crate::guide::spa) for a whole front end.
///
/// Place it inside [`RootPathLayer`](crate::RootPathLayer), and inside compression layers. A sub-app
/// with pages of its own needs its own `BaseHrefLayer`, inside the nested layer of the sub-app.
///
/// # Which pages
///
/// A response is edited if its `Content-Type` is `text/html`, and its status is 200 or that of an
/// error page (4xx and 5xx). It passes unchanged
///
/// - with `Cache-Control: no-transform`;
/// - with a `Content-Encoding` other than `identity` (feature `tracing`: logged once);
/// - in an encoding that is not compatible with ASCII, such as UTF-16.
///
/// The element is inserted after the `<head …>` tag. Its value is the root path and a slash, or `/`
/// without a root path. Before `<head …>` there may be a byte order mark, white space, comments, the
/// doctype and `<html …>`. A page that begins with anything else, such as a fragment for htmx,
/// passes unchanged.
///
/// A page may have a `<base>` element with an `href`. If the value is `/` or `./`, it is replaced. A
/// page with another value passes unchanged. The layer looks for this element up to `</head>` or
/// `<body`, within the first 64 KiB of the page. It stops earlier at elements that do not belong in a
/// head and for which parsers have further rules, such as `<table`, `<select` and `<svg`. A `<base>`
/// after that has no effect, since the one that is inserted is the first.
///
/// # Requests and responses
///
/// - The page is read up to `</head>`, `<body` or 64 KiB, whichever comes first. The rest streams
///   unchanged.
/// - GET and HEAD requests whose `Accept` names `text/html` lose `If-None-Match`,
///   `If-Modified-Since`, `Range` and `If-Range`, and their `Accept-Encoding` becomes `identity`.
///   Browsers send such requests when they open a page. Requests for assets stay as they are.
/// - `Content-Length` becomes that of the edited page. Validators (`ETag`, `Last-Modified`),
///   `Accept-Ranges`, digests and message signatures are removed. `Accept` is added to `Vary` of HTML
///   responses.
/// - The response to HEAD has the length of that to GET, or none.
/// - A client that resumes a download without `Accept: text/html` gets a part of the unedited page.
///
/// # What `<base>` cannot do
///
/// - URLs that begin with a slash do not follow it: `href="/x"` and `fetch("/api")` stay at the root
///   of the host. Write `href="x"` and `fetch("api")`, or write the root path in a template:
///   `{{ root_path }}/x`.
/// - It changes `href="#section"` and `href="?page=2"`: they become links to the page at the root
///   path. Write the path of the page in front of the `#` or the `?`. A script can set
///   `location.hash`, which does not follow it.
/// - A Content Security Policy with `base-uri 'none'` blocks it. Use `base-uri 'self'`.
///
/// # Example
///
/// ```
/// use axum::{body::Body, http::Request, response::Html, routing::get, Router};
/// use tower::ServiceExt;
/// use tower_root_path::{BaseHrefLayer, RootPathLayer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let page = "<!doctype html><html><head><script src=\"app.js\"></script></head></html>";
///
/// let app = Router::new()
///     .route("/items/{id}", get(move || async move { Html(page) }))
///     .layer(BaseHrefLayer::new())
///     .layer(RootPathLayer::new("/api/v1"));
///
/// let request = Request::get("/items/1").body(Body::empty())?;
/// let response = app.oneshot(request).await?;
/// let page = axum::body::to_bytes(response.into_body(), 1000).await?;
/// assert!(page.starts_with(b"<!doctype html><html><head><base href=\"/api/v1/\">"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct BaseHrefLayer {
    warn_once: Arc<WarnOnce>,
}

impl BaseHrefLayer {
    /// Creates the layer. It has no settings.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Layer<S> for BaseHrefLayer {
    type Service = BaseHrefService<S>;

    fn layer(&self, inner: S) -> Self::Service {
        BaseHrefService::with_warn_once(inner, Arc::clone(&self.warn_once))
    }
}
