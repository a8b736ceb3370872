//! HTML pages: the layer that inserts `<base href>`.

mod future;
mod head;
mod layer;
mod service;

pub use self::{
    future::{BaseHrefBody, BaseHrefFuture},
    layer::BaseHrefLayer,
    service::BaseHrefService,
};
