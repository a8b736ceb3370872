//! The `servers` list for a root path.

use super::Server;
use crate::{uri, RootPath};

/// The `servers` of an OpenAPI document: the developer's own, and the root path of each request.
///
/// The list is FastAPI's: the root path first, unless an entry already is it (then the entry
/// stays where it is, with its description). A trailing slash makes no difference to that. Own
/// entries that begin with a slash are paths of the app, so they follow the rule of a rewritten
/// `Location`: with the root path `/api/v1`, `/v2` is `/api/v1/v2`, and `/` is `/api/v1` itself. (Of a
/// mount nothing is known here: in a sub-app they are paths of the sub-app.)
/// Without a root path the list is the developer's own.
///
/// Leave the key out of the document if the list is empty.
///
/// # Example
///
/// ```
/// use tower_root_path::{RootPath, Server, Servers};
///
/// let servers = Servers::new([
///     Server::new("https://stag.example.com").description("Staging"),
///     Server::new("https://prod.example.com").description("Production"),
/// ]);
///
/// let list = servers.list(&RootPath::from_static("/api/v1"));
/// let urls: Vec<_> = list.iter().map(Server::url).collect();
/// assert_eq!(
///     urls,
///     ["/api/v1", "https://stag.example.com", "https://prod.example.com"]
/// );
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Servers {
    own: Vec<Server>,
    root_path_in_servers: bool,
}

impl Servers {
    /// The developer's `own` servers, in their order; may be none.
    pub fn new(own: impl IntoIterator<Item = Server>) -> Self {
        Self {
            own: own.into_iter().collect(),
            root_path_in_servers: true,
        }
    }

    /// Leaves the entry for the root path out of the list: FastAPI's
    /// `root_path_in_servers=False`.
    ///
    /// Own entries that begin with a slash still get the root path.
    ///
    /// ```
    /// use tower_root_path::{RootPath, Server, Servers};
    ///
    /// let servers = Servers::new([Server::new("/v2")]).without_root_path();
    /// let list = servers.list(&RootPath::from_static("/api/v1"));
    /// assert_eq!(list, [Server::new("/api/v1/v2")]);
    /// ```
    #[doc(alias = "root_path_in_servers")]
    #[must_use]
    pub fn without_root_path(mut self) -> Self {
        self.root_path_in_servers = false;
        self
    }

    /// The list for a request under `root_path`.
    #[must_use]
    pub fn list(&self, root_path: &RootPath) -> Vec<Server> {
        let mut list = self.own.clone();
        bring_under(&mut list, root_path, |server| &mut server.url);
        if self.root_path_in_servers {
            put_first(&mut list, root_path, |server| &server.url);
        }
        list
    }
}

impl Default for Servers {
    /// No servers but the root path.
    fn default() -> Self {
        Self::new([])
    }
}

impl FromIterator<Server> for Servers {
    fn from_iter<I: IntoIterator<Item = Server>>(own: I) -> Self {
        Self::new(own)
    }
}

/// Brings the URL of each server under `root_path`.
pub(crate) fn bring_under<S>(
    list: &mut [S],
    root_path: &RootPath,
    url: impl Fn(&mut S) -> &mut String,
) {
    for url in list.iter_mut().map(url) {
        *url = public_url(url, root_path);
    }
}

/// Puts the server of `root_path` first, unless it is there.
pub(crate) fn put_first<S: From<Server>>(
    list: &mut Vec<S>,
    root_path: &RootPath,
    url: impl Fn(&S) -> &str,
) {
    let is_there = list
        .iter()
        .any(|server| is_root_path(url(server), root_path));
    if !root_path.is_empty() && !is_there {
        list.insert(0, Server::new(root_path.server_url()).into());
    }
}

pub(super) fn is_root_path(url: &str, root_path: &RootPath) -> bool {
    url.strip_suffix('/').unwrap_or(url) == root_path.as_str()
}

pub(super) fn public_url(url: &str, root_path: &RootPath) -> String {
    match url.strip_prefix('/') {
        // Paths of the document are appended to it, and bring a slash.
        Some("") => root_path.server_url().to_owned(),
        // A host, as for a `Location`.
        Some(rest) if rest.starts_with('/') => url.to_owned(),
        Some(rest) => {
            let missing = uri::missing_prefix(root_path.as_str(), rest.as_bytes());
            [missing, url].concat()
        }
        None => url.to_owned(),
    }
}
