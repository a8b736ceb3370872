//! The `servers` list for a root path.

use super::Server;
use crate::{uri, RootPath};

/// The `servers` list of an OpenAPI document: your own servers, and the root path of the request.
///
/// The list is that of FastAPI: the root path comes first, unless an entry has it as its URL. Then
/// this entry stays where it is, with its description. A trailing slash is ignored in this
/// comparison. Without a root path, the list contains your own servers alone.
///
/// Your own URLs that begin with a slash are paths of the app (in a sub-app, of the sub-app). They
/// get the root path, like a `Location`: with the root path `/api/v1`, `/v2` becomes `/api/v1/v2`,
/// and `/` becomes `/api/v1`.
///
/// If the list is empty, omit the key from the document.
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
    /// Creates a list with your `own` servers, in this order.
    ///
    /// There may be none.
    pub fn new(own: impl IntoIterator<Item = Server>) -> Self {
        Self {
            own: own.into_iter().collect(),
            root_path_in_servers: true,
        }
    }

    /// Adds no entry for the root path to the list.
    ///
    /// This is FastAPI's `root_path_in_servers=False`. Your own URLs that begin with a slash still
    /// get the root path.
    ///
    /// # Example
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

    /// Returns the list for a request with this root path.
    #[must_use]
    pub fn list(&self, root_path: &RootPath) -> Vec<Server> {
        let mut list = self.own.clone();
        prefix_urls(&mut list, root_path, |server| &mut server.url);
        if self.root_path_in_servers {
            insert_root_path(&mut list, root_path, |server| &server.url);
        }
        list
    }
}

impl Default for Servers {
    /// Creates a list without servers of your own: the root path alone.
    fn default() -> Self {
        Self::new([])
    }
}

impl FromIterator<Server> for Servers {
    fn from_iter<I: IntoIterator<Item = Server>>(own: I) -> Self {
        Self::new(own)
    }
}

/// Adds `root_path` to the URLs of `list` that begin with a slash.
pub(crate) fn prefix_urls<S>(
    list: &mut [S],
    root_path: &RootPath,
    url: impl Fn(&mut S) -> &mut String,
) {
    for url in list.iter_mut().map(url) {
        *url = public_url(url, root_path);
    }
}

/// Inserts a server for `root_path` as the first one, unless `list` has one.
pub(crate) fn insert_root_path<S: From<Server>>(
    list: &mut Vec<S>,
    root_path: &RootPath,
    url: impl Fn(&S) -> &str,
) {
    let is_present = list
        .iter()
        .any(|server| is_root_path(url(server), root_path));
    if !root_path.is_empty() && !is_present {
        list.insert(0, Server::new(root_path.server_url()).into());
    }
}

/// Whether `url` is `root_path`, with or without a trailing slash.
pub(super) fn is_root_path(url: &str, root_path: &RootPath) -> bool {
    url.strip_suffix('/').unwrap_or(url) == root_path.as_str()
}

/// `url` as clients have to see it: with `root_path` if it is a path-absolute reference.
pub(super) fn public_url(url: &str, root_path: &RootPath) -> String {
    match url.strip_prefix('/') {
        // Clients append the paths of the document, which begin with a slash.
        Some("") => root_path.server_url().to_owned(),
        // A network-path reference.
        Some(rest) if rest.starts_with('/') => url.to_owned(),
        Some(rest) => {
            let missing = uri::missing_prefix(root_path.as_str(), rest.as_bytes());
            [missing, url].concat()
        }
        None => url.to_owned(),
    }
}
