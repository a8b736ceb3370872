//! OpenAPI: where the app is, as its document tells it.

mod server;
mod servers;

pub use self::{
    server::{InvalidServer, Server, ServerVariable},
    servers::Servers,
};
