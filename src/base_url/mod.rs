//! The base URL: the origin and the root path, for absolute URLs.

mod allowed_hosts;
mod forwarded_origin;
mod origin;
mod rfc7239;

pub use self::{
    allowed_hosts::{AllowedHosts, InvalidAllowedHosts},
    forwarded_origin::{ForwardedOrigin, RefusedOrigin},
    origin::{InvalidOrigin, Origin},
};

use crate::{uri, InvalidRootPath, RootPath};
use http::{Extensions, Uri};
use std::{error, fmt, str::FromStr};

/// The public URL of the app, such as `https://example.com/api/v1`: an [`Origin`] and a
/// [`RootPath`].
///
/// Use it for absolute URLs: an OAuth `redirect_uri`, links in e-mails, webhooks, sitemaps. It is
/// printed without a slash at the end, and parsed with or without one. The base URL of a sub-app in
/// a mount may have percent-encodings that parsing refuses, as its [`RootPath`] may.
///
/// A request has one if a [`RootPathLayer`](crate::RootPathLayer) is configured with
/// [`public_origin`](crate::RootPathLayer::public_origin) or
/// [`with_forwarded_origin`](crate::RootPathLayer::with_forwarded_origin). In a sub-app, it has the
/// root path of the sub-app. Jobs and mailers have no request: there, parse it from a setting.
///
/// With the feature `axum`, it is an extractor, which rejects with [`MissingBaseUrl`]. With the
/// feature `serde`, it is serialized as a string, and deserialized from one.
///
/// # Example
///
/// ```
/// use tower_root_path::BaseUrl;
///
/// let base_url: BaseUrl = "https://example.com/api/v1".parse()?;
/// assert_eq!(base_url.join("/callback?x"), "https://example.com/api/v1/callback?x");
/// assert_eq!(base_url.origin().to_string(), "https://example.com");
/// assert_eq!(base_url.root_path(), &"/api/v1");
/// # Ok::<(), tower_root_path::InvalidBaseUrl>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    origin: Origin,
    root_path: RootPath,
}

impl BaseUrl {
    /// Creates the base URL of an app at `root_path` of `origin`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::{BaseUrl, RootPath};
    ///
    /// let origin = "https://example.com".parse()?;
    /// let base_url = BaseUrl::new(origin, RootPath::from_static("/api/v1"));
    /// assert_eq!(base_url.to_string(), "https://example.com/api/v1");
    /// # Ok::<(), tower_root_path::InvalidOrigin>(())
    /// ```
    #[must_use]
    pub fn new(origin: Origin, root_path: RootPath) -> Self {
        Self { origin, root_path }
    }

    /// Returns the base URL of the request with these extensions.
    ///
    /// # Errors
    ///
    /// If no origin is configured, if the scheme is not known, or if the origin of the request was
    /// refused.
    ///
    /// # Example
    ///
    /// ```
    /// use http::{Request, Response};
    /// use tower::{Service, ServiceBuilder, ServiceExt};
    /// use tower_root_path::{BaseUrl, MissingBaseUrl, RootPathLayer};
    ///
    /// # #[tokio::main]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let mut service = ServiceBuilder::new()
    ///     .layer(RootPathLayer::new("/api/v1").public_origin("https://example.com"))
    ///     .service_fn(|request: Request<()>| async move {
    ///         let base_url = BaseUrl::from_extensions(request.extensions())?;
    ///         Ok::<_, MissingBaseUrl>(Response::new(base_url.join("/callback")))
    ///     });
    ///
    /// let request = Request::builder().uri("/login").body(())?;
    /// let response = service.ready().await?.call(request).await?;
    /// assert_eq!(response.body(), "https://example.com/api/v1/callback");
    /// # Ok(())
    /// # }
    /// ```
    pub fn from_extensions(extensions: &Extensions) -> Result<Self, MissingBaseUrl> {
        let public = Public::from_extensions(extensions)?;
        Ok(Self {
            origin: public.origin.clone()?,
            root_path: RootPath::from_extensions(extensions),
        })
    }

    /// Returns the scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the path: `""` or `/seg…`.
    #[must_use]
    pub fn root_path(&self) -> &RootPath {
        &self.root_path
    }

    /// Returns the absolute URL of `path`, a path of the app's own.
    ///
    /// The rules are those of [`RootPath::join`]: the root path is always prepended, and no `path`
    /// leads to another host.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::BaseUrl;
    ///
    /// let base_url: BaseUrl = "https://example.com/api/v1".parse()?;
    /// assert_eq!(base_url.join("/items?page=2"), "https://example.com/api/v1/items?page=2");
    /// assert_eq!(base_url.join("//evil.example"), "https://example.com/api/v1/evil.example");
    /// # Ok::<(), tower_root_path::InvalidBaseUrl>(())
    /// ```
    #[must_use]
    pub fn join(&self, path: &str) -> String {
        format!("{}{}", self.origin, self.root_path.join(path))
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.root_path)
    }
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(base_url: &str) -> Result<Self, Self::Err> {
        let invalid = |reason| InvalidBaseUrl {
            value: base_url.into(),
            reason,
        };
        let authority = base_url.find("://").map_or(0, |scheme| scheme + 3);
        let end = base_url[authority..].find(['/', '?', '#']);
        let (origin, path) = base_url.split_at(end.map_or(base_url.len(), |end| authority + end));
        let origin = origin.parse().map_err(|_: InvalidOrigin| invalid(None))?;
        let root_path = path.parse().map_err(|error| invalid(Some(error)))?;
        Ok(Self { origin, root_path })
    }
}

try_from_strings!(BaseUrl, InvalidBaseUrl);

#[cfg(feature = "serde")]
impl serde::Serialize for BaseUrl {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(feature = "serde")]
impl<'de> serde::Deserialize<'de> for BaseUrl {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let base_url = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        base_url.parse().map_err(serde::de::Error::custom)
    }
}

/// Error returned when a string is not a valid [`BaseUrl`].
///
/// The message quotes the string and names the reason. If the path is the reason, this is the
/// message of [`InvalidRootPath`].
///
/// # Example
///
/// ```
/// use tower_root_path::BaseUrl;
///
/// let error = "example.com/api".parse::<BaseUrl>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid base URL "example.com/api": must begin with http:// or https://, a host and an optional port"#
/// );
/// let error = "https://example.com/api//v1".parse::<BaseUrl>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid base URL "https://example.com/api//v1": invalid root path "/api//v1": empty segment at byte 5"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidBaseUrl {
    value: Box<str>,
    /// `None`: the origin is invalid.
    reason: Option<InvalidRootPath>,
}

impl fmt::Display for InvalidBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid base URL {:?}: ", self.value)?;
        match &self.reason {
            Some(reason) => reason.fmt(f),
            None => f.write_str("must begin with http:// or https://, a host and an optional port"),
        }
    }
}

impl error::Error for InvalidBaseUrl {}

/// The URI of a request as the client sent it, with the origin.
///
/// The path and the query are those of the client, byte for byte. Use it for what is computed from
/// the public URL: signatures of webhooks, DPoP, pagination links.
///
/// Behind a proxy that strips the prefix, `/api/v1` and `/api/v1/` arrive as the same request. The
/// `PublicUri` is `…/api/v1/` for both. axum's `OriginalUri` is the URI as it arrived, without the
/// origin and without what the proxy stripped.
///
/// With the feature `axum`, it is an extractor, which rejects with [`MissingBaseUrl`]. With the
/// feature `serde`, it is serialized as a string.
///
/// # Example
///
/// ```
/// use http::{Request, Response};
/// use tower::{Service, ServiceBuilder, ServiceExt};
/// use tower_root_path::{PublicUri, RootPathLayer};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let mut service = ServiceBuilder::new()
///     .layer(RootPathLayer::new("/api/v1").public_origin("https://example.com"))
///     .service_fn(|request: Request<()>| async move {
///         PublicUri::from_extensions(request.extensions()).map(Response::new)
///     });
///
/// let request = Request::builder().uri("/items?page=%32").body(())?;
/// let uri = service.ready().await?.call(request).await?.into_body();
/// assert_eq!(uri.to_string(), "https://example.com/api/v1/items?page=%32");
/// assert_eq!(uri.path_and_query(), "/api/v1/items?page=%32");
/// assert_eq!(uri.origin().host(), "example.com");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PublicUri {
    origin: Origin,
    path_and_query: Box<str>,
}

impl PublicUri {
    /// Returns the public URI of the request with these extensions.
    ///
    /// # Errors
    ///
    /// If no origin is configured, if the scheme is not known, or if the origin of the request was
    /// refused.
    pub fn from_extensions(extensions: &Extensions) -> Result<Self, MissingBaseUrl> {
        let public = Public::from_extensions(extensions)?;
        Ok(Self {
            origin: public.origin.clone()?,
            path_and_query: uri::public_target(&public.uri, &public.prefix).into(),
        })
    }

    /// Returns the scheme, host and port.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Returns the path and the query, empty for `OPTIONS *` and CONNECT.
    #[must_use]
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }
}

impl fmt::Display for PublicUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.path_and_query)
    }
}

#[cfg(feature = "serde")]
impl serde::Serialize for PublicUri {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Error returned when a request has no [`BaseUrl`] and no [`PublicUri`].
///
/// With the feature `axum`, it is a response: 400 if the origin of the request was refused, or else
/// 500. The message is for the client, so it does not quote the request. The log has the details
/// (feature `tracing`).
///
/// # Example
///
/// ```
/// use http::Request;
/// use tower_root_path::{BaseUrl, MissingBaseUrl};
///
/// let request = Request::new(());
/// let error = BaseUrl::from_extensions(request.extensions()).unwrap_err();
/// assert_eq!(error, MissingBaseUrl::NotConfigured);
/// assert_eq!(error.to_string(), "no public origin is configured");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MissingBaseUrl {
    /// No layer is configured with [`public_origin`](crate::RootPathLayer::public_origin) or
    /// [`with_forwarded_origin`](crate::RootPathLayer::with_forwarded_origin).
    NotConfigured,
    /// Neither the proxy nor the request names the scheme. See [`ForwardedOrigin::default_scheme`].
    UnknownScheme,
    /// The host of the request is not allowed, or a value is invalid. See [`RefusedOrigin`].
    Refused,
}

impl fmt::Display for MissingBaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotConfigured => "no public origin is configured",
            Self::UnknownScheme => "the public scheme is not known",
            Self::Refused => "the public origin of the request was refused",
        })
    }
}

impl error::Error for MissingBaseUrl {}

impl From<&RefusedOrigin> for MissingBaseUrl {
    fn from(refused: &RefusedOrigin) -> Self {
        match refused {
            RefusedOrigin::UnknownScheme => Self::UnknownScheme,
            _ => Self::Refused,
        }
    }
}

/// How a layer determines the origin.
#[derive(Clone, Debug)]
pub(crate) enum PublicOrigin {
    Configured(Origin),
    Forwarded(Box<ForwardedOrigin>),
}

/// What the outermost layer with an origin puts in the request extensions.
#[derive(Clone, Debug)]
pub(crate) struct Public {
    pub(crate) origin: Result<Origin, MissingBaseUrl>,
    /// As it arrived.
    pub(crate) uri: Uri,
    /// What is missing in front of its path: the root path, and a mount.
    pub(crate) prefix: String,
}

impl Public {
    /// An inner layer replaces the origin alone.
    pub(crate) fn insert_into(self, extensions: &mut Extensions) {
        match extensions.get_mut::<Self>() {
            Some(outer) => outer.origin = self.origin,
            None => {
                extensions.insert(self);
            }
        }
    }

    fn from_extensions(extensions: &Extensions) -> Result<&Self, MissingBaseUrl> {
        extensions.get().ok_or(MissingBaseUrl::NotConfigured)
    }
}
