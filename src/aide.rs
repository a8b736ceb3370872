//! Integration with aide.

use crate::{
    openapi::{
        sealed,
        servers::{bring_under, put_first},
    },
    OpenApiExt, RootPath, Server, ServerVariable,
};
use ::aide::{
    openapi::{
        OpenApi, Operation, PathItem, ReferenceOr, Server as AideServer,
        ServerVariable as AideServerVariable,
    },
    OperationInput,
};

/// As an extractor it takes nothing that a client would have to send.
#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl OperationInput for RootPath {}

impl sealed::Sealed for OpenApi {}

#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl OpenApiExt for OpenApi {
    fn under_root_path(mut self, root_path: &RootPath) -> Self {
        if root_path.is_empty() {
            return self;
        }
        let own = |list: &mut [AideServer]| bring_under(list, root_path, |server| &mut server.url);
        own(&mut self.servers);
        put_first(&mut self.servers, root_path, |server| &server.url);
        let paths = self.paths.iter_mut().flat_map(|paths| &mut paths.paths);
        // What is no path is an extension.
        let paths = paths.filter(|(path, _)| path.starts_with('/'));
        let components = self.components.iter_mut();
        let reusable = components.flat_map(|components| components.path_items.values_mut());
        for path_item in paths.map(|(_, path_item)| path_item).chain(reusable) {
            let ReferenceOr::Item(path_item) = path_item else {
                continue;
            };
            own(&mut path_item.servers);
            for operation in operations(path_item) {
                own(&mut operation.servers);
            }
        }
        self
    }

    fn with_servers(mut self, servers: impl IntoIterator<Item = Server>) -> Self {
        self.servers = servers.into_iter().map(AideServer::from).collect();
        self
    }
}

fn operations(path_item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let PathItem {
        get,
        put,
        post,
        delete,
        options,
        head,
        patch,
        trace,
        ..
    } = path_item;
    let named = [get, put, post, delete, options, head, patch, trace];
    named.into_iter().flatten()
}

#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl From<Server> for AideServer {
    /// A `name`, which is of OpenAPI 3.2, stays as an extension: aide has no field for it.
    fn from(server: Server) -> Self {
        let name = server.name.map(|name| ("name".to_owned(), name.into()));
        let variables = server.variables.into_iter();
        Self {
            url: server.url,
            description: server.description,
            variables: variables
                .map(|(name, variable)| (name, variable.into()))
                .collect(),
            extensions: name.into_iter().chain(server.extensions).collect(),
        }
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl From<ServerVariable> for AideServerVariable {
    fn from(variable: ServerVariable) -> Self {
        Self {
            enumeration: variable.allowed,
            default: variable.default,
            description: variable.description,
            ..Self::default()
        }
    }
}
