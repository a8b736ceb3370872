//! Which URL a browser opens after a redirect, behind each configuration of `examples/proxies/`.
//!
//! ```text
//! interop/install-tools.sh
//! cargo test -p interop --test proxy_matrix -- --ignored
//! ```

#[path = "proxy_matrix/forms.rs"]
mod forms;
mod support;

use forms::{Form, EXCEPTIONS, FORMS, LINK, LOCATION, PREFIX, REFRESH, SET_COOKIE};
use reqwest::{blocking::Client, redirect::Policy};
use serde_json::Value;
use std::{
    fmt::Write as _,
    io::{self, Write as _},
    net::SocketAddr,
};
use support::{
    process::Example,
    proxy::{self, version, Config, Proxy},
    server::free_addr,
};
use url::Url;

/// `whoami` behind a proxy, as a browser sees it.
struct Site {
    name: String,
    /// The public root path.
    prefix: &'static str,
    /// The address of the outermost proxy.
    public: SocketAddr,
    /// The address of the app.
    internal: SocketAddr,
    /// The first one does not follow redirects, the second one does.
    clients: [Client; 2],
    _app: Example,
    _proxies: Vec<Proxy>,
}

impl Site {
    /// `whoami` with the layer that `config` names, behind that proxy.
    fn new(config: &Config) -> Self {
        Self::with(config, PREFIX, &config.flags(), |proxy| vec![proxy])
    }

    /// The same with other flags, and further proxies, the outermost last.
    fn with(
        config: &Config,
        prefix: &'static str,
        flags: &[&str],
        more: impl FnOnce(Proxy) -> Vec<Proxy>,
    ) -> Self {
        let internal = free_addr();
        let origin = format!("http://{internal}");
        let mut all = vec!["--own-origin", &origin];
        if !flags.contains(&"--rewrite") {
            all.extend(["--rewrite", "all"]);
        }
        all.extend(flags);
        let app = Example::start_at(internal, "whoami", &all);
        let proxies = more(config.start(internal));
        Self {
            name: config.file_name().to_owned(),
            prefix,
            public: proxies.last().unwrap().addr(),
            internal,
            clients: [Policy::none(), Policy::default()].map(|policy| {
                Client::builder()
                    .redirect(policy)
                    .no_proxy()
                    .build()
                    .unwrap()
            }),
            _app: app,
            _proxies: proxies,
        }
    }

    /// The URL to which `form` leads a browser.
    fn target(&self, form: &Form) -> Result<Url, String> {
        let response = self.clients[0].get(self.request_url(form)).send();
        let response = response.map_err(|error| error.to_string())?;
        let value = response.headers().get(form.header);
        let value = value.ok_or_else(|| format!("{} without it", response.status()))?;
        let value = value.to_str().map_err(|error| error.to_string())?;
        let reference = match form.header {
            SET_COOKIE => value
                .split("Path=")
                .nth(1)
                .and_then(|path| path.split(';').next()),
            LINK => value.split(['<', '>']).nth(1),
            REFRESH => value.split("url=").nth(1),
            _ => Some(value),
        };
        let reference = reference.ok_or_else(|| format!("{value:?} has no reference"))?;
        response
            .url()
            .join(reference)
            .map_err(|error| error.to_string())
    }

    /// The URL at which the app emits `form`.
    fn request_url(&self, form: &Form) -> Url {
        let base = format!("http://{}{}{}", self.public, self.prefix, form.mount);
        if form.emitted.is_empty() {
            return Url::parse(&base).unwrap();
        }
        let emitted = self.fill_in(form.emitted);
        let (path, name) = match form.header {
            LOCATION => ("/redirect", "to"),
            name => ("/emit", name),
        };
        Url::parse_with_params(&(base + path), [(name, emitted)]).unwrap()
    }

    /// `reference` with the addresses and the prefix of this site.
    fn fill_in(&self, reference: &str) -> String {
        reference
            .replace("//public", &format!("//{}", self.public))
            .replace("//internal", &format!("//{}", self.internal))
            .replace(PREFIX, self.prefix)
    }

    fn url(&self, reference: &str) -> Url {
        let root = Url::parse(&format!("http://{}", self.public)).unwrap();
        root.join(&self.fill_in(reference)).unwrap()
    }

    /// Opens `target`, and checks that the app answers there.
    fn open(&self, target: &Url) -> Result<(), String> {
        let response = self.clients[1].get(target.clone()).send();
        let response = response.map_err(|error| error.to_string())?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(format!("then {}", response.status()));
        }
        let is_ok = response.status() == 200;
        let body = response.bytes().map_err(|error| error.to_string())?;
        if is_ok && body.is_empty() {
            return Err("then nothing".to_owned()); // Caddy, without a matching route.
        }
        let shown: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let (Some(root_path), Some(path)) = (shown["root_path"].as_str(), shown["path"].as_str())
        {
            let expected = target.path().trim_end_matches('/');
            if format!("{root_path}{path}").trim_end_matches('/') != expected {
                return Err(format!("the app sees {root_path:?} and {path:?}"));
            }
        }
        Ok(())
    }

    /// Checks that the target of `form` is the expected one. The error is the actual one.
    fn check(&self, form: &Form) -> Result<(), String> {
        let expected = self.url(form.target);
        let target = self.target(form)?;
        if target != expected {
            return Err(target
                .as_str()
                .replace(&format!("http://{}", self.public), "")
                .replace(&self.public.to_string(), "public")
                .replace(&self.internal.to_string(), "internal"));
        }
        // A browser does not open the path of a cookie, and other hosts and apps do not exist.
        let is_in_app =
            target.origin() == expected.origin() && target.path().starts_with(self.prefix);
        if form.header != SET_COOKIE && is_in_app {
            self.open(&target)?;
        }
        Ok(())
    }

    /// Checks the root path that the app sees, and that it comes from where `flags` say.
    fn check_root_path(&self, flags: &[&str]) -> Result<(), String> {
        let url = self.url(&format!("{PREFIX}/any/thing"));
        let response = self.clients[0].get(url).send();
        let response = response.map_err(|error| error.to_string())?;
        let vary = response.headers().get("vary").cloned();
        let shown: Value = response.json().map_err(|error| error.to_string())?;

        let named = flags
            .iter()
            .position(|flag| *flag == "--original-path-header");
        let (forwarded, expected) = match named {
            Some(index) => ("used", Some(flags[index + 1])),
            None if flags.contains(&"--trust") => ("used", Some("x-forwarded-prefix")),
            None => ("off", None),
        };
        let seen = ["root_path", "path", "forwarded"].map(|key| &shown[key]);
        let is_right = seen == [self.prefix, "/any/thing", forwarded];
        if is_right && vary.as_ref().map(|vary| vary.to_str().unwrap_or_default()) == expected {
            Ok(())
        } else {
            Err(format!("{seen:?}, {vary:?}"))
        }
    }
}

/// Prints a table of forms and sites, and fails if a target is neither the expected one nor one of
/// `EXCEPTIONS`.
fn assert_matrix(title: &str, sites: &[(Site, Vec<&str>)]) {
    let mut reasons = Vec::new();
    let mut failures = Vec::new();
    let mut table = format!("\n{title:<44}");
    for (site, _) in sites {
        write!(table, "  {}", site.name).unwrap();
    }
    table.push('\n');

    let mut row = |name: &str, cells: Vec<Result<(), String>>| {
        write!(table, "{name:<44}").unwrap();
        for ((site, _), cell) in sites.iter().zip(cells) {
            let exception = EXCEPTIONS.iter().find_map(|(file, reason, rows)| {
                let (_, target) = rows
                    .iter()
                    .find(|(row, _)| *file == site.name && *row == name)?;
                Some((*reason, *target))
            });
            let mark = match (exception, cell) {
                (None, Ok(())) => "ok".to_owned(),
                (Some((reason, expected)), Err(target)) if expected == target => {
                    let known = reasons.iter().position(|known| *known == reason);
                    let index = known.unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    format!("({})", index + 1)
                }
                (_, target) => {
                    failures.push(format!("{}: {name}: {target:?}", site.name));
                    "FAILED".to_owned()
                }
            };
            write!(table, "  {mark:<0$}", site.name.len()).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    };
    let cells = sites
        .iter()
        .map(|(site, flags)| site.check_root_path(flags));
    row("the root path that the app sees", cells.collect());
    for form in FORMS {
        let cells = sites.iter().map(|(site, _)| site.check(form));
        row(&form.name(), cells.collect());
    }
    for (index, reason) in reasons.iter().enumerate() {
        writeln!(table, "({}) {reason}", index + 1).unwrap();
    }
    // Not `print!`, whose output is hidden if a test passes.
    io::stdout().write_all(table.as_bytes()).unwrap();
    assert!(failures.is_empty(), "{failures:#?}");
}

/// Every file of `examples/proxies/{proxy}/`.
fn assert_proxy(proxy: &str) {
    let sites: Vec<_> = proxy::files(proxy)
        .map(|config| (Site::new(&config), config.flags()))
        .collect();
    assert_matrix(&format!("{proxy} {}", version(proxy)), &sites);
}

#[test]
#[ignore = "needs nginx"]
fn redirects_stay_in_the_app_behind_nginx() {
    assert_proxy("nginx");
}

#[test]
#[ignore = "needs Traefik"]
fn redirects_stay_in_the_app_behind_traefik() {
    assert_proxy("traefik");
}

#[test]
#[ignore = "needs Caddy"]
fn redirects_stay_in_the_app_behind_caddy() {
    assert_proxy("caddy");
}

#[test]
#[ignore = "needs HAProxy"]
fn redirects_stay_in_the_app_behind_haproxy() {
    assert_proxy("haproxy");
}

#[test]
#[ignore = "needs Apache"]
fn redirects_stay_in_the_app_behind_apache() {
    assert_proxy("apache");
}

#[test]
#[ignore = "needs Envoy"]
fn redirects_stay_in_the_app_behind_envoy() {
    assert_proxy("envoy");
}

#[test]
#[ignore = "needs lighttpd"]
fn redirects_stay_in_the_app_behind_lighttpd() {
    assert_proxy("lighttpd");
}

#[test]
#[ignore = "needs Varnish"]
fn redirects_stay_in_the_app_behind_varnish() {
    assert_proxy("varnish");
}

/// nginx strips `/edge`, the inner proxy strips `/api/v1`, and each sends its own prefix.
#[test]
#[ignore = "needs nginx, Traefik, HAProxy and Apache"]
fn redirects_stay_in_the_app_behind_two_proxies() {
    let sites = [
        // Traefik drops the header of a peer that it does not trust.
        Config::read("traefik/strip-prefix.toml")
            .arg("--entryPoints.http.forwardedHeaders.trustedIPs=127.0.0.1"),
        Config::read("haproxy/add-header.cfg"),
        Config::read("apache/request-header-append.conf"),
    ]
    .map(|config| {
        let flags = [config.flags(), vec!["--hops", "2"]].concat();
        let mut site = Site::with(&config, "/edge/api/v1", &flags, |inner| {
            let edge = Config::edge().start(inner.addr());
            vec![inner, edge]
        });
        site.name = config.file().to_owned();
        (site, flags)
    });
    assert_matrix(&format!("with nginx {} outside", version("nginx")), &sites);
}

/// A request over HTTP/2 has a scheme and an authority. `ServeDir` makes an absolute URL of them.
#[test]
#[ignore = "needs Traefik, Caddy, HAProxy, Apache and Envoy"]
fn redirects_stay_in_the_app_over_http_2() {
    let envoy_options = "    typed_extension_protocol_options:
      envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
        \"@type\": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions
        explicit_http_config: { http2_protocol_options: {} }
    load_assignment:";
    let sites = [
        ("traefik/strip-prefix.toml", "http://127", "h2c://127"),
        ("caddy/strip.Caddyfile", "127.0", "h2c://127.0"),
        ("haproxy/set-header.cfg", "8000", "8000 proto h2"),
        ("apache/request-header.conf", "http://127", "h2c://127"),
        (
            "envoy/prefix-rewrite.yaml",
            "    load_assignment:",
            envoy_options,
        ),
    ]
    .map(|(file, http1, http2)| {
        let config = Config::read(file).with(http1, http2);
        let mut site = Site::new(&config);
        site.name = config.file().to_owned();
        let shown = site.clients[0]
            .get(site.url("/api/v1/any/thing"))
            .send()
            .unwrap();
        let shown: Value = shown.json().unwrap();
        assert_eq!(shown["version"], "HTTP/2.0", "{file}");
        (site, config.flags())
    });
    assert_matrix("HTTP/2 to the app", &sites);
}
