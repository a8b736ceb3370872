//! Integration with utoipa: `OpenApiExt` for its documents, and conversions to its types.

use crate::{
    openapi::{
        sealed,
        servers::{insert_root_path, prefix_urls},
    },
    OpenApiExt, RootPath, Server, ServerVariable,
};
use ::utoipa::openapi::{
    extensions::Extensions,
    path::{Operation, PathItem},
    server::{
        Server as UtoipaServer, ServerBuilder, ServerVariable as UtoipaServerVariable,
        ServerVariableBuilder,
    },
    OpenApi,
};

impl sealed::Sealed for OpenApi {}

#[cfg_attr(docsrs, doc(cfg(feature = "utoipa")))]
impl OpenApiExt for OpenApi {
    fn under_root_path(mut self, root_path: &RootPath) -> Self {
        if root_path.is_empty() {
            return self;
        }
        let prefix = |list: &mut Option<Vec<UtoipaServer>>| {
            let list = list.as_deref_mut().unwrap_or_default();
            prefix_urls(list, root_path, |server| &mut server.url);
        };
        prefix(&mut self.servers);
        let servers = self.servers.get_or_insert_with(Vec::new);
        insert_root_path(servers, root_path, |server| &server.url);
        let paths = self.paths.paths.iter_mut();
        // Other keys are extensions.
        let paths = paths.filter(|(path, _)| path.starts_with('/'));
        let components = self.components.iter_mut();
        let reusable = components.flat_map(|components| components.path_items.values_mut());
        for path_item in paths.map(|(_, path_item)| path_item).chain(reusable) {
            prefix(&mut path_item.servers);
            for operation in operations(path_item) {
                prefix(&mut operation.servers);
            }
        }
        self
    }

    fn with_servers(mut self, servers: impl IntoIterator<Item = Server>) -> Self {
        let servers: Vec<_> = servers.into_iter().map(UtoipaServer::from).collect();
        self.servers = Some(servers).filter(|servers| !servers.is_empty());
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
        query,
        additional_operations,
        ..
    } = path_item;
    let named = [get, put, post, delete, options, head, patch, trace, query];
    let named = named.into_iter().flatten();
    named.chain(additional_operations.values_mut())
}

#[cfg_attr(docsrs, doc(cfg(feature = "utoipa")))]
impl From<Server> for UtoipaServer {
    fn from(server: Server) -> Self {
        let builder = ServerBuilder::new()
            .url(server.url)
            .name(server.name)
            .description(server.description)
            .extensions(
                Some(server.extensions)
                    .filter(|extensions| !extensions.is_empty())
                    .map(Extensions::from_iter),
            );
        let variables = server.variables.into_iter();
        variables
            .fold(builder, |builder, (name, variable)| {
                builder.parameter(name, variable)
            })
            .build()
    }
}

#[cfg_attr(docsrs, doc(cfg(feature = "utoipa")))]
impl From<ServerVariable> for UtoipaServerVariable {
    fn from(variable: ServerVariable) -> Self {
        ServerVariableBuilder::new()
            .default_value(variable.default)
            .description(variable.description)
            .enum_values(Some(variable.allowed).filter(|allowed| !allowed.is_empty()))
            .build()
    }
}
