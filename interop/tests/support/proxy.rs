//! Runs real proxies with the configurations of `examples/proxies/`.

use super::{
    process::{eventually, get_raw, root},
    server::{free_addr, Files, Server},
    tls,
};
use axum::Router;
use http::HeaderName;
use std::{error::Error, fs, net::SocketAddr, path::PathBuf, process::Command};
use tower_root_path::{ForwardedOrigin, ForwardedPrefix, Rewrite, RootPathLayer};

/// A running proxy. Dropping it stops the program.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    // Stops before its files are removed.
    _server: Server,
    _files: Files,
}

impl Proxy {
    /// The public address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The public URL of `path`.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Makes nginx read its configuration again, and waits until it has other workers.
    #[track_caller]
    pub fn reload_nginx(&self) {
        let files = self._files.path();
        let id = fs::read_to_string(files.join("nginx.pid")).expect("nginx runs");
        let id = id.trim();
        let workers = || fs::read_to_string(format!("/proc/{id}/task/{id}/children"));
        let before = workers().expect("nginx runs");
        let mut reload = Kind::named("nginx").program();
        reload.args(NGINX_ARGS).arg(files).args(["-s", "reload"]);
        assert!(reload.status().is_ok_and(|status| status.success()));
        let reloaded = eventually(|| workers().is_ok_and(|workers| workers != before));
        assert!(reloaded, "nginx keeps its workers");
    }
}

/// A file of `examples/proxies/`. The proxy listens on port 9999 and publishes the app at
/// 127.0.0.1:8000 under `/api/v1`, or under `/grpc` if the file is one of `GRPC_FILES`. If it is one
/// of `TLS_FILES`, the proxy terminates TLS and publishes the app under `/shop` too. With one of
/// `SPA_FILES` it publishes the app under `/`, `/app` and `/team/app`.
#[derive(Clone, Debug)]
pub struct Config {
    file: &'static str,
    text: String,
    args: Vec<String>,
}

impl Config {
    /// Reads `examples/proxies/{file}`.
    #[track_caller]
    pub fn read(file: &'static str) -> Self {
        let path = directory().join(file);
        let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
        Self {
            file,
            text,
            args: Vec::new(),
        }
    }

    /// A configuration for `proxy` that is not a file.
    pub fn inline(proxy: &'static str, text: String) -> Self {
        Self {
            file: proxy,
            text,
            args: Vec::new(),
        }
    }

    /// nginx as an outer proxy, which strips `/edge` and sends it in `X-Forwarded-Prefix`.
    pub fn edge() -> Self {
        let host = "proxy_set_header Host $http_host;";
        Self::read("nginx/strip.conf")
            .with("location /api/v1/", "location /edge/")
            .with(
                host,
                &format!("{host} proxy_set_header X-Forwarded-Prefix /edge;"),
            )
    }

    /// Replaces `from`, which has to occur, with `to`.
    #[track_caller]
    #[must_use]
    pub fn with(mut self, from: &str, to: &str) -> Self {
        assert!(self.text.contains(from), "{}: no {from:?}", self.file);
        self.text = self.text.replace(from, to);
        self
    }

    /// Adds an argument for the program.
    #[must_use]
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.to_owned());
        self
    }

    /// The directory and the name of the file, such as `nginx/strip.conf`.
    pub fn file(&self) -> &'static str {
        self.file
    }

    /// The name of the file, such as `strip.conf`.
    pub fn file_name(&self) -> &'static str {
        self.file.split('/').next_back().expect("a file has a name")
    }

    /// The layer that the first line of the file names.
    pub fn layer(&self) -> RootPathLayer {
        (self.named_layer().layer)().expect("the layer is valid")
    }

    /// `router` with that layer, placed as the first line says.
    pub fn place(&self, router: Router) -> Router {
        if self.first_line().ends_with(".wrap(router)") {
            self.layer().wrap(router)
        } else {
            router.layer(self.layer())
        }
    }

    /// The first line of the file.
    pub fn first_line(&self) -> &str {
        self.text.lines().next().unwrap_or_default()
    }

    /// The flags with which `whoami` has that layer.
    pub fn flags(&self) -> Vec<&'static str> {
        self.named_layer().flags.split_whitespace().collect()
    }

    fn named_layer(&self) -> &'static NamedLayer {
        // The network of the pods in Kubernetes.
        let first_line = self.first_line().replace("10.0.0.0/8", "127.0.0.1");
        let placed = without_white_space(first_line.trim_start_matches('#'));
        let code = layer_in_placement(&placed);
        LAYERS
            .iter()
            .find(|named| Some(&*without_white_space(named.code)) == code)
            .unwrap_or_else(|| panic!("{}: an unknown layer: {first_line}", self.file))
    }

    /// Starts the proxy on a free port. It publishes `app`.
    #[track_caller]
    pub fn start(&self, app: SocketAddr) -> Proxy {
        self.start_at(free_addr(), app)
    }

    /// Starts the proxy at `public`. It publishes `app`.
    #[track_caller]
    pub fn start_at(&self, public: SocketAddr, app: SocketAddr) -> Proxy {
        let ports = [app, public].map(|addr| addr.port().to_string());
        let parts = self.text.split("9999");
        let parts: Vec<_> = parts.map(|part| part.replace("8000", &ports[0])).collect();
        let (mut command, files) = self.kind().command(public, &parts.join(&ports[1]));
        command.args(&self.args);
        let is_tls = TLS_FILES.contains(&self.file);
        if is_tls {
            tls::write_certificate(files.path());
        }
        let log = files.path().join("log");
        let mut server = Server::start(public, &mut command, log);
        if self.kind().name == "traefik" && is_tls {
            server.wait_until("its routes are loaded", || {
                tls::is_ok(public, "/api/v1/app")
            });
        } else if self.kind().name == "traefik" {
            let target = match self.file {
                // A gRPC server answers 200 too, also to an unknown method.
                file if GRPC_FILES.contains(&file) => "/grpc/app",
                file if SPA_FILES.contains(&file) => "/app/",
                _ => "/api/v1/app",
            };
            wait_for_routes(&mut server, public, target);
        }
        Proxy {
            addr: public,
            _server: server,
            _files: files,
        }
    }

    fn kind(&self) -> Kind {
        let name = self.file.split('/').next();
        Kind::named(name.expect("a file is in the directory of its proxy"))
    }
}

/// Traefik with the configuration of FastAPI's page: it listens on port 9999 and publishes the app
/// at port 8000.
#[track_caller]
pub fn traefik_of_fastapis_page() -> Proxy {
    let files = Files::new(&[
        ("traefik.toml", include_str!("../fastapi/traefik.toml")),
        ("routes.toml", include_str!("../fastapi/routes.toml")),
    ]);
    let mut command = Kind::named("traefik").program();
    command.arg("--configFile=traefik.toml");
    command.current_dir(files.path());
    let addr = SocketAddr::from(([127, 0, 0, 1], 9999));
    let mut server = Server::start(addr, &mut command, files.path().join("log"));
    wait_for_routes(&mut server, addr, "/api/v1/app");
    Proxy {
        addr,
        _server: server,
        _files: files,
    }
}

/// Traefik listens before it has loaded its routes.
#[track_caller]
fn wait_for_routes(traefik: &mut Server, public: SocketAddr, target: &str) {
    traefik.wait_until("its routes are loaded", || {
        let response = get_raw(public, target);
        response.is_ok_and(|response| response.starts_with("HTTP/1.1 200 "))
    });
}

/// The directory of the configurations.
pub fn directory() -> PathBuf {
    root().join("examples/proxies")
}

/// The configurations for HTTP.
pub const FILES: &[&str] = &[
    "nginx/strip.conf",
    "nginx/no-strip.conf",
    "nginx/rewrite-break.conf",
    "nginx/ingress.conf",
    "traefik/strip-prefix.toml",
    "traefik/strip-prefix-regex.toml",
    "traefik/chained.toml",
    "traefik/replace-path-regex.toml",
    "caddy/strip.Caddyfile",
    "caddy/header-up.Caddyfile",
    "haproxy/set-header.cfg",
    "haproxy/add-header.cfg",
    "apache/proxy-pass.conf",
    "apache/proxy-pass-reverse.conf",
    "apache/request-header.conf",
    "apache/request-header-append.conf",
    "envoy/prefix-rewrite.yaml",
    "envoy/regex-rewrite.yaml",
    "lighttpd/no-strip.conf",
    "lighttpd/map-urlpath.conf",
    "varnish/strip.vcl",
];

/// The configurations for gRPC, with the prefix `/grpc`.
pub const GRPC_FILES: &[&str] = &["nginx/grpc.conf", "traefik/grpc.toml", "envoy/grpc.yaml"];

/// The configurations that terminate TLS and publish the app under two prefixes for any host.
pub const TLS_FILES: &[&str] = &[
    "nginx/tls.conf",
    "traefik/tls.toml",
    "caddy/tls.Caddyfile",
    "haproxy/tls.cfg",
    "envoy/tls.yaml",
    "nginx/forwarded.conf",
    "haproxy/forwarded.cfg",
];

/// The configurations for the example `spa`, which publish it under three prefixes.
pub const SPA_FILES: &[&str] = &["nginx/spa.conf", "traefik/spa.toml"];

/// The files in `FILES` for one proxy, such as `nginx`.
pub fn files(proxy: &str) -> impl Iterator<Item = Config> + '_ {
    let files = FILES
        .iter()
        .filter(move |file| file.split('/').next() == Some(proxy));
    files.map(|file| Config::read(file))
}

/// A layer that a configuration names on its first line, as code.
struct NamedLayer {
    code: &'static str,
    layer: fn() -> Result<RootPathLayer, Box<dyn Error>>,
    flags: &'static str,
}

macro_rules! layers {
    ($($layer:expr => $flags:literal,)*) => {
        &[$(NamedLayer {
            code: stringify!($layer),
            layer: || Ok($layer),
            flags: $flags,
        }),*]
    };
}

const LAYERS: &[NamedLayer] = layers! {
    RootPathLayer::new("/api/v1")
        => "--root-path /api/v1",
    RootPathLayer::new("/api/v1").strip_if_present()
        => "--root-path /api/v1 --strip if-present",
    RootPathLayer::new("/grpc").strip_if_present()
        => "--root-path /grpc --strip if-present",
    RootPathLayer::new("/api/v1").rewrite(Rewrite::none())
        => "--root-path /api/v1 --rewrite none",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix("127.0.0.1".parse()?))
        => "--trust 127.0.0.1",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix("127.0.0.1".parse()?).hops(2))
        => "--trust 127.0.0.1 --hops 2",
    RootPathLayer::new("/api/v1").with_forwarded(ForwardedPrefix::x_forwarded_prefix("127.0.0.1".parse()?))
        => "--root-path /api/v1 --trust 127.0.0.1",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::original_path_header(HeaderName::from_static("x-envoy-original-path"), "127.0.0.1".parse()?))
        => "--trust 127.0.0.1 --original-path-header x-envoy-original-path",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::original_path_header(HeaderName::from_static("x-replaced-path"), "127.0.0.1".parse()?))
        => "--trust 127.0.0.1 --original-path-header x-replaced-path",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix("127.0.0.1".parse()?)).with_forwarded_origin(ForwardedOrigin::x_forwarded("127.0.0.1".parse()?, "app.example, *.example.com".parse()?))
        => "--trust 127.0.0.1 --forwarded-origin x-forwarded --allowed-hosts app.example,*.example.com",
    RootPathLayer::new("").with_forwarded(ForwardedPrefix::x_forwarded_prefix("127.0.0.1".parse()?)).with_forwarded_origin(ForwardedOrigin::rfc7239("127.0.0.1".parse()?, "app.example, *.example.com".parse()?))
        => "--trust 127.0.0.1 --forwarded-origin rfc7239 --allowed-hosts app.example,*.example.com",
};

/// The layer in `router.layer(…)`, in `….wrap(router)` of a layer that strips, or, for gRPC, in
/// `.layer(…)`.
fn layer_in_placement(code: &str) -> Option<&str> {
    if let Some(layer) = code.strip_suffix(".wrap(router)") {
        return Some(layer).filter(|layer| layer.ends_with(".strip_if_present()"));
    }
    let layered = code.strip_prefix("router").unwrap_or(code);
    layered.strip_prefix(".layer(")?.strip_suffix(')')
}

/// `stringify!` may insert white space.
fn without_white_space(code: &str) -> String {
    code.split_whitespace().collect()
}

/// How to start a proxy in the foreground.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    program: &'static str,
    version: &'static str,
    /// Writes the text of a configuration to files, and adds the arguments to the command.
    command: fn(&mut Command, SocketAddr, &str) -> Files,
}

const KINDS: [Kind; 8] = [
    Kind::new("nginx", "/usr/sbin/nginx", "-v", nginx),
    Kind::new("traefik", "target/tools/bin/traefik", "version", traefik),
    Kind::new("caddy", "/usr/bin/caddy", "version", caddy),
    Kind::new("haproxy", "/usr/sbin/haproxy", "-v", haproxy),
    Kind::new("apache", "/usr/sbin/apache2", "-v", apache),
    Kind::new("envoy", "target/tools/bin/envoy", "--version", envoy),
    Kind::new("lighttpd", "/usr/sbin/lighttpd", "-v", lighttpd),
    Kind::new("varnish", "/usr/sbin/varnishd", "-V", varnish),
];

impl Kind {
    const fn new(
        name: &'static str,
        program: &'static str,
        version: &'static str,
        command: fn(&mut Command, SocketAddr, &str) -> Files,
    ) -> Self {
        Self {
            name,
            program,
            version,
            command,
        }
    }

    fn named(name: &str) -> Self {
        let kind = KINDS.into_iter().find(|kind| kind.name == name);
        kind.unwrap_or_else(|| panic!("unknown proxy: {name}"))
    }

    fn program(self) -> Command {
        Command::new(root().join(self.program))
    }

    fn command(self, public: SocketAddr, text: &str) -> (Command, Files) {
        let mut command = self.program();
        let files = (self.command)(&mut command, public, text);
        command.current_dir(files.path());
        (command, files)
    }
}

/// The version of an installed proxy.
#[track_caller]
pub fn version(name: &str) -> String {
    let kind = Kind::named(name);
    let output = kind.program().arg(kind.version).output();
    let output = output.unwrap_or_else(|error| panic!("{name}: {error}"));
    let output = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    let mut words = output.split(|c: char| !c.is_ascii_digit() && c != '.');
    let version = words.find(|word| word.trim_matches('.').contains('.'));
    version
        .unwrap_or_else(|| panic!("{name}: {output}"))
        .to_owned()
}

fn nginx(command: &mut Command, _: SocketAddr, server: &str) -> Files {
    // As root, nginx would start its workers as a user that may not have access to the files.
    let config = format!(
        "daemon off;
        user root;
        pid nginx.pid;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path body;
            proxy_temp_path proxy;
            fastcgi_temp_path fastcgi;
            uwsgi_temp_path uwsgi;
            scgi_temp_path scgi;
            {server}
        }}"
    );
    let files = Files::new(&[("nginx.conf", &config)]);
    command.args(NGINX_ARGS).arg(files.path());
    files
}

const NGINX_ARGS: [&str; 5] = ["-e", "error.log", "-c", "nginx.conf", "-p"];

fn traefik(command: &mut Command, public: SocketAddr, routes: &str) -> Files {
    command.arg(format!("--entryPoints.http.address={public}"));
    command.arg("--providers.file.filename=routes.toml");
    // By default, Traefik waits for further changes of the file.
    command.arg("--providers.providersThrottleDuration=10ms");
    Files::new(&[("routes.toml", routes)])
}

fn caddy(command: &mut Command, _: SocketAddr, site: &str) -> Files {
    // Two instances would use the same port for the admin API, and port 80 for redirects to HTTPS.
    let options = "admin off\n\tauto_https disable_redirects";
    let files = Files::new(&[("Caddyfile", &format!("{{\n\t{options}\n}}\n{site}"))]);
    command.args(["run", "--config", "Caddyfile", "--adapter", "caddyfile"]);
    command.env("HOME", files.path());
    command.env("XDG_CONFIG_HOME", files.path());
    command.env("XDG_DATA_HOME", files.path());
    files
}

fn haproxy(command: &mut Command, _: SocketAddr, config: &str) -> Files {
    command.args(["-db", "-q", "-f", "haproxy.cfg"]);
    Files::new(&[("haproxy.cfg", config)])
}

fn apache(command: &mut Command, _: SocketAddr, hosts: &str) -> Files {
    let modules = [
        "mpm_event",
        "authz_core",
        "headers",
        "proxy",
        "proxy_http",
        "proxy_http2",
    ];
    let modules = modules.map(|module| {
        format!("LoadModule {module}_module /usr/lib/apache2/modules/mod_{module}.so\n")
    });
    let config = format!(
        "{}
        ServerName localhost
        PidFile apache.pid
        ErrorLog /dev/stderr
        LogLevel error
        User nobody
        Group nogroup
        {hosts}",
        modules.concat()
    );
    let files = Files::new(&[("apache.conf", &config)]);
    let path = files.path().display();
    command.args(["-D", "FOREGROUND", "-f", "apache.conf"]);
    command.args(["-c", &format!("DefaultRuntimeDir {path}"), "-d"]);
    command.arg(files.path());
    files
}

fn envoy(command: &mut Command, _: SocketAddr, config: &str) -> Files {
    command.args(["--disable-hot-restart", "--concurrency", "1"]);
    command.args(["--log-level", "error", "-c", "envoy.yaml"]);
    Files::new(&[("envoy.yaml", config)])
}

fn lighttpd(command: &mut Command, _: SocketAddr, config: &str) -> Files {
    command.args(["-D", "-f", "lighttpd.conf"]);
    Files::new(&[("lighttpd.conf", config)])
}

fn varnish(command: &mut Command, public: SocketAddr, vcl: &str) -> Files {
    let files = Files::new(&[("default.vcl", vcl)]);
    command.args(["-F", "-j", "none", "-s", "default,16m", "-T", "none"]);
    command.args(["-a", &public.to_string(), "-f"]);
    command.arg(files.path().join("default.vcl"));
    command.arg("-n").arg(files.path().join("state"));
    files
}
