//! OpenAPI: where the app is, as its document tells it.

#[cfg(feature = "openapi")]
mod body;
#[cfg(feature = "openapi")]
mod document;
#[cfg(feature = "openapi")]
mod layer;
mod server;
mod servers;

#[cfg(feature = "openapi")]
pub use self::{
    body::DocumentBody,
    layer::{DocumentFuture, OpenApiLayer, OpenApiService},
};
pub use self::{
    server::{InvalidServer, Server, ServerVariable},
    servers::Servers,
};
