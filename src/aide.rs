//! Integration with aide: `OpenApiExt` for its documents, conversions to its types, and `RootPath`
//! as an extractor in its operations.

use crate::{
    openapi::{
        sealed,
        servers::{insert_root_path, prefix_urls},
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

/// The extractor adds nothing to the operation, since the client sends nothing for it.
#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl OperationInput for RootPath {}

impl sealed::Sealed for OpenApi {}

#[cfg_attr(docsrs, doc(cfg(feature = "aide")))]
impl OpenApiExt for OpenApi {
    fn under_root_path(mut self, root_path: &RootPath) -> Self {
        if root_path.is_empty() {
            return self;
        }
        let prefix =
            |list: &mut [AideServer]| prefix_urls(list, root_path, |server| &mut server.url);
        prefix(&mut self.servers);
        insert_root_path(&mut self.servers, root_path, |server| &server.url);
        let paths = self.paths.iter_mut().flat_map(|paths| &mut paths.paths);
        // Other keys are extensions.
        let paths = paths.filter(|(path, _)| path.starts_with('/'));
        let components = self.components.iter_mut();
        let reusable = components.flat_map(|components| components.path_items.values_mut());
        for path_item in paths.map(|(_, path_item)| path_item).chain(reusable) {
            let ReferenceOr::Item(path_item) = path_item else {
                continue;
            };
            prefix(&mut path_item.servers);
            for operation in operations(path_item) {
                prefix(&mut operation.servers);
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
    /// Converts the server. Its `name` becomes an extension: aide has no field for it.
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
