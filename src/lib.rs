// The code of the front page is for axum.
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]
#![cfg_attr(
    not(feature = "axum"),
    doc = "Tower middleware for apps behind a reverse proxy under a path prefix."
)]
#![cfg_attr(docsrs, feature(doc_cfg))]

#[macro_use]
mod macros;

mod add_prefix;
mod base_url;
#[cfg(any(feature = "html", feature = "openapi"))]
mod edit;
mod forwarded;
// Documentation alone: it is not part of a build. Its code and its links are for all features.
#[cfg_attr(
    not(all(feature = "axum", feature = "html", feature = "openapi")),
    allow(rustdoc::broken_intra_doc_links)
)]
#[cfg(all(
    doc,
    any(
        not(doctest),
        all(
            feature = "aide",
            feature = "axum",
            feature = "html",
            feature = "htmx",
            feature = "openapi",
            feature = "serde",
            feature = "tonic",
            feature = "tracing",
            feature = "utoipa"
        )
    )
))]
pub mod guide;
#[cfg(feature = "html")]
mod html;
#[cfg(any(feature = "htmx", feature = "openapi"))]
mod json;
mod layer;
mod nest;
mod openapi;
mod rewrite;
mod root_path;
mod service;
mod strip_prefix;
mod uri;
mod vary;
mod warn_once;

// After the layers, whose constructors are then first in the documentation.
#[cfg(feature = "aide")]
mod aide;
#[cfg(feature = "axum")]
mod axum;
#[cfg(feature = "tonic")]
mod tonic;
#[cfg(feature = "utoipa")]
mod utoipa;

#[cfg(feature = "axum")]
#[cfg_attr(docsrs, doc(cfg(feature = "axum")))]
pub use self::axum::NestedRootPathLayer;
#[cfg(feature = "html")]
#[cfg_attr(docsrs, doc(cfg(feature = "html")))]
pub use self::html::{BaseHrefBody, BaseHrefFuture, BaseHrefLayer, BaseHrefService};
#[cfg(any(feature = "aide", feature = "utoipa"))]
#[cfg_attr(docsrs, doc(cfg(any(feature = "aide", feature = "utoipa"))))]
pub use self::openapi::OpenApiExt;
#[cfg(feature = "openapi")]
#[cfg_attr(docsrs, doc(cfg(feature = "openapi")))]
pub use self::openapi::{OpenApiBody, OpenApiFuture, OpenApiLayer, OpenApiService};
pub use self::{
    add_prefix::{AddPrefix, AddPrefixFuture, AddPrefixLayer, InvalidPrefixedPath},
    base_url::{
        AllowedHosts, BaseUrl, ForwardedOrigin, InvalidAllowedHosts, InvalidBaseUrl, InvalidOrigin,
        MissingBaseUrl, Origin, PublicUri, RefusedOrigin,
    },
    forwarded::{
        Forwarded, ForwardedPrefix, InvalidForwarded, InvalidTrustedProxies, PeerAddr,
        TrustedProxies,
    },
    layer::{InvalidRootPathVar, RootPathLayer},
    openapi::{InvalidServer, Server, ServerVariable, Servers},
    rewrite::{Rewrite, UnsupportedHeader},
    root_path::{InvalidRootPath, RootPath},
    service::{RootPathFuture, RootPathService},
    strip_prefix::{StripPrefix, StripPrefixLayer},
};
