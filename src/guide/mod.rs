#![doc = include_str!("index.md")]

#[doc = include_str!("behind_a_proxy.md")]
pub mod behind_a_proxy {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

/// Documents the module `proxy_files` with the files themselves.
macro_rules! proxy_files {
    ($($proxy:literal: $($file:literal,)+;)+) => {
        /// The files of `examples/proxies/`, which the tests run.
        ///
        /// In each file, the app listens on `127.0.0.1:8000` and the proxy on port 9999. The first
        /// line is the layer that goes with the file. See [`configuration`] for which file to use.
        ///
        /// The files for nginx belong inside `http { … }`: save them in `/etc/nginx/conf.d/`.
        $(
            #[doc = concat!("\n# ", $proxy)]
            $(#[doc = concat!(
                "\n## `", $file, "`\n\n```text\n",
                include_str!(concat!("../../examples/proxies/", $file)),
                "```\n"
            )])+
        )+
        pub mod proxy_files {}
    };
}

proxy_files! {
    "nginx":
        "nginx/strip.conf",
        "nginx/no-strip.conf",
        "nginx/rewrite-break.conf",
        "nginx/ingress.conf",
        "nginx/tls.conf",
        "nginx/forwarded.conf",
        "nginx/grpc.conf",
        "nginx/oauth.conf",
        "nginx/spa.conf",
    ;
    "Traefik":
        "traefik/strip-prefix.toml",
        "traefik/strip-prefix-regex.toml",
        "traefik/chained.toml",
        "traefik/replace-path-regex.toml",
        "traefik/tls.toml",
        "traefik/grpc.toml",
        "traefik/spa.toml",
    ;
    "Caddy":
        "caddy/strip.Caddyfile",
        "caddy/header-up.Caddyfile",
        "caddy/tls.Caddyfile",
    ;
    "HAProxy":
        "haproxy/set-header.cfg",
        "haproxy/add-header.cfg",
        "haproxy/tls.cfg",
        "haproxy/forwarded.cfg",
    ;
    "Apache httpd":
        "apache/proxy-pass.conf",
        "apache/proxy-pass-reverse.conf",
        "apache/request-header.conf",
        "apache/request-header-append.conf",
    ;
    "Envoy":
        "envoy/prefix-rewrite.yaml",
        "envoy/regex-rewrite.yaml",
        "envoy/tls.yaml",
        "envoy/grpc.yaml",
    ;
    "lighttpd":
        "lighttpd/no-strip.conf",
        "lighttpd/map-urlpath.conf",
    ;
    "Varnish":
        "varnish/strip.vcl",
    ;
    "Kubernetes":
        "kubernetes/http-route.yaml",
        "kubernetes/ingress-nginx.yaml",
    ;
}

#[doc = include_str!("servers.md")]
pub mod servers {}

#[doc = include_str!("troubleshooting.md")]
pub mod troubleshooting {}

/// What [`troubleshooting`] says of programs that do not compile, beside programs that do.
///
/// ```no_run
/// # use tower::Layer;
/// # async fn serve(listener: tokio::net::TcpListener, router: axum::Router) {
/// let layer = tower_root_path::RootPathLayer::new("/api/v1");
/// axum::serve(listener, layer.wrap(router)).await.unwrap();
/// # }
/// ```
///
/// ```compile_fail
/// # use tower::Layer;
/// # async fn serve(listener: tokio::net::TcpListener, router: axum::Router) {
/// let layer = tower_root_path::RootPathLayer::new("/api/v1");
/// axum::serve(listener, layer.layer(router)).await.unwrap();
/// # }
/// ```
///
/// ```
/// let router = axum::Router::<()>::new();
/// let layer = tower_root_path::RootPathLayer::new("/api/v1");
/// router.layer(layer);
/// ```
///
/// ```compile_fail
/// let router = axum::Router::<()>::new();
/// let layer = tower_root_path::AddPrefixLayer::new("/api/v1");
/// router.layer(layer);
/// ```
#[cfg(doctest)]
pub mod does_not_compile {}

// The programs of the modules that are not for doctests here need more crates: they run in `interop/`.

#[cfg(not(doctest))]
#[doc = include_str!("cookbook.md")]
pub mod cookbook {}

#[doc = include_str!("spa.md")]
pub mod spa {}

#[cfg(not(doctest))]
#[doc = include_str!("security.md")]
pub mod security {}

#[cfg(not(doctest))]
#[doc = include_str!("coming_from.md")]
pub mod coming_from {}
