//! OpenAPI: the `servers` list, and the layer that edits documents.

#[cfg(feature = "openapi")]
mod document;
#[cfg(any(feature = "aide", feature = "utoipa"))]
mod ext;
#[cfg(feature = "openapi")]
mod future;
#[cfg(feature = "openapi")]
mod layer;
mod server;
pub(crate) mod servers;
#[cfg(feature = "openapi")]
mod service;

#[cfg(any(feature = "aide", feature = "utoipa"))]
pub(crate) use self::ext::sealed;
#[cfg(any(feature = "aide", feature = "utoipa"))]
pub use self::ext::OpenApiExt;
#[cfg(feature = "openapi")]
pub use self::{
    future::{OpenApiBody, OpenApiFuture},
    layer::OpenApiLayer,
    service::OpenApiService,
};
pub use self::{
    server::{InvalidServer, Server, ServerVariable},
    servers::Servers,
};
