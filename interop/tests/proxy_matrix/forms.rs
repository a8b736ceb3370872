//! The rows of the matrix: what an app emits, and which URL a browser has to open.

const CONTENT_LOCATION: &str = "content-location";
pub(crate) const LINK: &str = "link";
pub(crate) const LOCATION: &str = "location";
pub(crate) const REFRESH: &str = "refresh";
pub(crate) const SET_COOKIE: &str = "set-cookie";

/// The root path. A site with another one replaces it in all forms.
pub(crate) const PREFIX: &str = "/api/v1";

/// In these references, `public` is the authority of the request, and `internal` the address of the
/// app.
pub(crate) const FORMS: &[Form] = &[
    Form::new("", LOCATION, "/", "/api/v1/"),
    Form::new("", LOCATION, "/login", "/api/v1/login"),
    Form::new("", LOCATION, "/login?n=/x#f", "/api/v1/login?n=/x#f"),
    Form::new("", LOCATION, "/api/v1", "/api/v1"),
    Form::new("", LOCATION, "/api/v1/login", "/api/v1/login"),
    Form::new("", LOCATION, "/api/v1?q=1", "/api/v1?q=1"),
    Form::new("", LOCATION, "/api/v10", "/api/v1/api/v10"),
    Form::new("", LOCATION, "login", "/api/v1/login"),
    Form::new("", LOCATION, "./login", "/api/v1/login"),
    Form::new("", LOCATION, "?q=1", "/api/v1/redirect?q=1"),
    Form::new("", LOCATION, "//other.example/x", "http://other.example/x"),
    Form::new(
        "",
        LOCATION,
        "https://other.example/x",
        "https://other.example/x",
    ),
    // Another app on the same host.
    Form::new("", LOCATION, "http://public/auth", "/auth"),
    Form::new("", LOCATION, "http://public/api/v1/x?q#f", "/api/v1/x?q#f"),
    Form::new("", LOCATION, "//public/auth", "/auth"),
    Form::new("", LOCATION, "https://public/auth", "https://public/auth"),
    Form::new("", LOCATION, "http://internal/login", "/api/v1/login"),
    Form::new(
        "",
        LOCATION,
        "http://internal/api/v1/x?q#f",
        "/api/v1/x?q#f",
    ),
    // From the `ServeDir` of tower-http, which does not know the prefix.
    Form::new("/files/dir", LOCATION, "", "/api/v1/files/dir/"),
    Form::new("/sub", LOCATION, "/app", "/api/v1/sub/app"),
    Form::new("/sub", LOCATION, "app", "/api/v1/sub/app"),
    Form::new("/sub", LOCATION, "/api/v1/sub/app", "/api/v1/sub/app"),
    Form::new("/sub", LOCATION, "http://public/auth", "/auth"),
    Form::new("/sub", LOCATION, "http://internal/app", "/api/v1/sub/app"),
    Form::new("/t/acme", LOCATION, "/app", "/api/v1/t/acme/app"),
    Form::new("/t/acme", LOCATION, "http://public/auth", "/auth"),
    Form::new(
        "/t/acme",
        LOCATION,
        "http://internal/app",
        "/api/v1/t/acme/app",
    ),
    Form::new("", CONTENT_LOCATION, "/doc/1", "/api/v1/doc/1"),
    Form::new("", SET_COOKIE, "a=1; Path=/", "/api/v1"),
    Form::new(
        "",
        SET_COOKIE,
        "a=1; Path=/admin; HttpOnly",
        "/api/v1/admin",
    ),
    Form::new("", SET_COOKIE, "a=1; Path=/api/v1/admin", "/api/v1/admin"),
    Form::new("/t/acme", SET_COOKIE, "a=1; Path=/", "/api/v1/t/acme"),
    Form::new("", LINK, "</next>; rel=next", "/api/v1/next"),
    Form::new("/sub", LINK, "</next>; rel=next", "/api/v1/sub/next"),
    Form::new("", REFRESH, "5; url=/next", "/api/v1/next"),
    Form::new("/sub", REFRESH, "5; url=/next", "/api/v1/sub/next"),
];

/// What cannot be right: the column, the reason, and the affected rows with their targets.
pub(crate) type Exception = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
);

pub(crate) const EXCEPTIONS: &[Exception] = &[
    (
        "map-urlpath.conf",
        "lighttpd adds the prefix to a path that has it already",
        &[
            ("location: /api/v1", "/api/v1/api/v1"),
            ("location: /api/v1/login", "/api/v1/api/v1/login"),
            ("location: /api/v1?q=1", "/api/v1/api/v1?q=1"),
            (
                "location: http://public/api/v1/x?q#f",
                "/api/v1/api/v1/x?q#f",
            ),
            ("/sub location: /api/v1/sub/app", "/api/v1/api/v1/sub/app"),
            (
                "set-cookie: a=1; Path=/api/v1/admin",
                "/api/v1/api/v1/admin",
            ),
        ],
    ),
    (
        "map-urlpath.conf",
        "lighttpd adds the prefix for any host, and reads //host as a path",
        &[
            ("location: //other.example/x", "/api/v1//other.example/x"),
            (
                "location: https://other.example/x",
                "https://other.example/api/v1/x",
            ),
            ("location: //public/auth", "/api/v1//public/auth"),
            ("location: http://public/auth", "/api/v1/auth"),
            (
                "location: https://public/auth",
                "https://public/api/v1/auth",
            ),
            ("/sub location: http://public/auth", "/api/v1/auth"),
            ("/t/acme location: http://public/auth", "/api/v1/auth"),
        ],
    ),
    (
        "map-urlpath.conf",
        "lighttpd keeps the host",
        &[
            (
                "location: http://internal/login",
                "http://internal/api/v1/login",
            ),
            (
                "location: http://internal/api/v1/x?q#f",
                "http://internal/api/v1/api/v1/x?q#f",
            ),
            (
                "/sub location: http://internal/app",
                "http://internal/api/v1/app",
            ),
            (
                "/t/acme location: http://internal/app",
                "http://internal/api/v1/app",
            ),
        ],
    ),
    (
        "map-urlpath.conf",
        "lighttpd does not know the mount, and the layer must not add the mount alone",
        &[
            ("/files/dir location", "/api/v1/dir/"),
            ("/sub location: /app", "/api/v1/app"),
            ("/t/acme location: /app", "/api/v1/app"),
            ("/t/acme set-cookie: a=1; Path=/", "/api/v1/"),
        ],
    ),
    (
        "map-urlpath.conf",
        "lighttpd keeps the slash, so the cookie is not sent to /api/v1 itself",
        &[("set-cookie: a=1; Path=/", "/api/v1/")],
    ),
    (
        "map-urlpath.conf",
        "lighttpd does not rewrite this header",
        &[
            ("link: </next>; rel=next", "/next"),
            ("/sub link: </next>; rel=next", "/next"),
            ("refresh: 5; url=/next", "/next"),
            ("/sub refresh: 5; url=/next", "/next"),
        ],
    ),
];

pub(crate) struct Form {
    /// The part of the app that emits: `""`, or the mount of a sub-app.
    pub(crate) mount: &'static str,
    pub(crate) header: &'static str,
    pub(crate) emitted: &'static str,
    pub(crate) target: &'static str,
}

impl Form {
    const fn new(
        mount: &'static str,
        header: &'static str,
        emitted: &'static str,
        target: &'static str,
    ) -> Self {
        Self {
            mount,
            header,
            emitted,
            target,
        }
    }

    pub(crate) fn name(&self) -> String {
        let Self {
            mount,
            header,
            emitted,
            ..
        } = self;
        let name = format!("{mount} {header}: {emitted}");
        name.trim_matches([' ', ':']).to_owned()
    }
}
