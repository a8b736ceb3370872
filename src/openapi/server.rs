//! `Server` and `ServerVariable`: one entry of a `servers` list.

use std::{error, fmt, str::FromStr};

/// One entry of an OpenAPI `servers` list: a [Server Object].
///
/// With the feature `serde`, it is serialized as that object.
///
/// # Example
///
/// ```
/// use tower_root_path::{Server, ServerVariable};
///
/// let server = Server::new("https://{region}.example.com/api")
///     .name("prod")
///     .description("Production")
///     .variable("region", ServerVariable::new("eu").allowed(["eu", "us"]));
/// assert_eq!(server.url(), "https://{region}.example.com/api");
/// ```
///
/// [Server Object]: https://spec.openapis.org/oas/v3.1.1#server-object
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Server {
    pub(crate) url: String,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) name: Option<String>,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) description: Option<String>,
    #[cfg_attr(
        feature = "serde",
        serde(
            skip_serializing_if = "Vec::is_empty",
            serialize_with = "serialize_variables"
        )
    )]
    pub(crate) variables: Vec<(String, ServerVariable)>,
    #[cfg(feature = "serde")]
    #[serde(flatten)]
    pub(crate) extensions: serde_json::Map<String, serde_json::Value>,
}

impl Server {
    /// Creates a server with this URL, which may be relative and may contain `{variables}`.
    ///
    /// # Panics
    ///
    /// If `url` is a network-path reference (`//example.com`), or one that browsers read as such
    /// (`/\example.com`). Use [`str::parse`] to get an error instead.
    #[track_caller]
    pub fn new(url: impl Into<String>) -> Self {
        match Self::from_url(url.into()) {
            Ok(server) => server,
            Err(error) => panic!("{error}"),
        }
    }

    fn from_url(url: String) -> Result<Self, InvalidServer> {
        // Browsers remove leading controls and spaces, and every tab and newline.
        let mut significant = url
            .trim_start_matches(|c: char| c <= ' ')
            .chars()
            .filter(|c| !matches!(c, '\t' | '\n' | '\r'));
        let is_slash = |c| matches!(c, Some('/' | '\\'));
        if is_slash(significant.next()) && is_slash(significant.next()) {
            return Err(InvalidServer(url.into()));
        }
        Ok(Self {
            url,
            name: None,
            description: None,
            variables: Vec::new(),
            #[cfg(feature = "serde")]
            extensions: serde_json::Map::new(),
        })
    }

    /// Returns the URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Sets the `name`, which must be unique in the list (OpenAPI 3.2).
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the description, which may be Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }

    /// Sets the variable that replaces `{name}` in the URL.
    ///
    /// It replaces an earlier variable with this name.
    #[must_use]
    pub fn variable(mut self, name: impl Into<String>, variable: ServerVariable) -> Self {
        let name = name.into();
        self.variables.retain(|(other, _)| *other != name);
        self.variables.push((name, variable));
        self
    }

    /// Sets the extension field `name`, such as `x-internal`.
    ///
    /// # Panics
    ///
    /// If `name` does not begin with `x-`.
    ///
    /// # Example
    ///
    /// ```
    /// use tower_root_path::Server;
    ///
    /// let server = Server::new("/").extension("x-internal", true);
    /// assert_eq!(serde_json::to_string(&server)?, r#"{"url":"/","x-internal":true}"#);
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    #[cfg(feature = "serde")]
    #[cfg_attr(docsrs, doc(cfg(feature = "serde")))]
    #[must_use]
    #[track_caller]
    pub fn extension(
        mut self,
        name: impl Into<String>,
        value: impl Into<serde_json::Value>,
    ) -> Self {
        let name = name.into();
        assert!(
            name.starts_with("x-"),
            "invalid extension field {name:?}: must begin with \"x-\""
        );
        self.extensions.insert(name, value.into());
        self
    }
}

impl FromStr for Server {
    type Err = InvalidServer;

    fn from_str(url: &str) -> Result<Self, Self::Err> {
        Self::from_url(url.to_owned())
    }
}

/// A variable in the URL of a [`Server`]: a [Server Variable Object].
///
/// # Example
///
/// ```
/// use tower_root_path::{Server, ServerVariable};
///
/// let region = ServerVariable::new("eu").allowed(["eu", "us"]).description("The data center");
/// let server = Server::new("https://{region}.example.com").variable("region", region);
/// ```
///
/// [Server Variable Object]: https://spec.openapis.org/oas/v3.1.1#server-variable-object
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ServerVariable {
    #[cfg_attr(
        feature = "serde",
        serde(rename = "enum", skip_serializing_if = "Vec::is_empty")
    )]
    pub(crate) allowed: Vec<String>,
    pub(crate) default: String,
    #[cfg_attr(feature = "serde", serde(skip_serializing_if = "Option::is_none"))]
    pub(crate) description: Option<String>,
}

impl ServerVariable {
    /// Creates a variable whose value is `default` unless the user chooses another one.
    pub fn new(default: impl Into<String>) -> Self {
        Self {
            allowed: Vec::new(),
            default: default.into(),
            description: None,
        }
    }

    /// Sets the allowed values (`enum`). The default should be one of them.
    #[must_use]
    pub fn allowed<V>(mut self, values: impl IntoIterator<Item = V>) -> Self
    where
        V: Into<String>,
    {
        self.allowed = values.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the description, which may be Markdown.
    #[must_use]
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = Some(description.into());
        self
    }
}

/// Error returned when the URL of a [`Server`] is a network-path reference, or is read as one.
///
/// The message quotes the URL and names the valid form.
///
/// # Example
///
/// ```
/// use tower_root_path::Server;
///
/// let error = "//example.com".parse::<Server>().unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     r#"invalid server URL "//example.com": must begin with a scheme, or with one slash only"#
/// );
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvalidServer(Box<str>);

impl fmt::Display for InvalidServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "invalid server URL {:?}: must begin with a scheme, or with one slash only",
            self.0
        )
    }
}

impl error::Error for InvalidServer {}

#[cfg(feature = "serde")]
fn serialize_variables<S: serde::Serializer>(
    variables: &[(String, ServerVariable)],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(variables.iter().map(|(name, variable)| (name, variable)))
}
