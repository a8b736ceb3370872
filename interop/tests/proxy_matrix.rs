//! The configurations of `examples/proxies/` in front of `whoami`: where a browser lands.
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

/// A proxy in front of `whoami`, as a browser sees it.
struct Site {
    name: String,
    /// The root path in public.
    prefix: &'static str,
    public: SocketAddr,
    internal: SocketAddr,
    /// One that stops at a redirect, and one that follows.
    clients: [Client; 2],
    _app: Example,
    _proxies: Vec<Proxy>,
}

impl Site {
    /// `config` in front of `whoami` with the layer that the file names.
    fn new(config: &Config) -> Self {
        Self::with(config, PREFIX, &config.flags(), |proxy| vec![proxy])
    }

    /// The same with other flags, and more proxies in front, the outermost last.
    fn with(
        config: &Config,
        prefix: &'static str,
        flags: &[&str],
        more: impl FnOnce(Proxy) -> Vec<Proxy>,
    ) -> Self {
        let internal = free_addr();
        let origin = format!("http://{internal}");
        let mut all = vec!["--origin", &origin];
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

    /// Where `form` takes a browser.
    fn landing(&self, form: &Form) -> Result<Url, String> {
        let response = self.clients[0].get(self.asking_for(form)).send();
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

    fn asking_for(&self, form: &Form) -> Url {
        let base = format!("http://{}{}{}", self.public, self.prefix, form.mount);
        if form.emitted.is_empty() {
            return Url::parse(&base).unwrap();
        }
        let emitted = self.in_public(form.emitted);
        let (path, name) = match form.header {
            LOCATION => ("/redirect", "to"),
            name => ("/emit", name),
        };
        Url::parse_with_params(&(base + path), [(name, emitted)]).unwrap()
    }

    /// With this site's addresses and prefix.
    fn in_public(&self, reference: &str) -> String {
        reference
            .replace("//public", &format!("//{}", self.public))
            .replace("//internal", &format!("//{}", self.internal))
            .replace(PREFIX, self.prefix)
    }

    fn expected(&self, lands: &str) -> Url {
        let root = Url::parse(&format!("http://{}", self.public)).unwrap();
        root.join(&self.in_public(lands)).unwrap()
    }

    /// Goes to `landed`, and looks whether the app sees it as its own.
    fn arrive(&self, landed: &Url) -> Result<(), String> {
        let response = self.clients[1].get(landed.clone()).send();
        let response = response.map_err(|error| error.to_string())?;
        if response.status().is_client_error() || response.status().is_server_error() {
            return Err(format!("then {}", response.status()));
        }
        let is_ok = response.status() == 200;
        let body = response.bytes().map_err(|error| error.to_string())?;
        if is_ok && body.is_empty() {
            return Err("then nothing".to_owned()); // Caddy, where no route is.
        }
        let shown: Value = serde_json::from_slice(&body).unwrap_or_default();
        if let (Some(root_path), Some(path)) = (shown["root_path"].as_str(), shown["path"].as_str())
        {
            let expected = landed.path().trim_end_matches('/');
            if format!("{root_path}{path}").trim_end_matches('/') != expected {
                return Err(format!("the app sees {root_path:?} and {path:?}"));
            }
        }
        Ok(())
    }

    /// Whether the browser lands where it has to; if not, where instead.
    fn check(&self, form: &Form) -> Result<(), String> {
        let expected = self.expected(form.lands);
        let landed = self.landing(form)?;
        if landed != expected {
            return Err(landed
                .as_str()
                .replace(&format!("http://{}", self.public), "")
                .replace(&self.public.to_string(), "public")
                .replace(&self.internal.to_string(), "internal"));
        }
        // A cookie is nowhere to go, and other hosts are not there.
        if form.header != SET_COOKIE && landed.origin() == self.expected("/").origin() {
            self.arrive(&landed)?;
        }
        Ok(())
    }

    /// Whether the app knows its root path, as the layer that the file names learns it.
    fn check_root_path(&self, flags: &[&str]) -> Result<(), String> {
        let url = self.expected(&format!("{PREFIX}/any/thing"));
        let response = self.clients[0].get(url).send();
        let response = response.map_err(|error| error.to_string())?;
        let vary = response.headers().get("vary").cloned();
        let shown: Value = response.json().map_err(|error| error.to_string())?;

        let named = flags
            .iter()
            .position(|flag| *flag == "--original-path-header");
        let (forwarded, expected) = match named {
            Some(at) => ("used", Some(flags[at + 1])),
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

/// Prints, for each form and each site, where a browser lands; fails if that is not where it
/// should, but for `EXCEPTIONS`.
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
                let (_, lands) = rows
                    .iter()
                    .find(|(row, _)| *file == site.name && *row == name)?;
                Some((*reason, *lands))
            });
            let mark = match (exception, cell) {
                (None, Ok(())) => "ok".to_owned(),
                (Some((reason, lands)), Err(landed)) if lands == landed => {
                    let known = reasons.iter().position(|known| *known == reason);
                    let at = known.unwrap_or_else(|| {
                        reasons.push(reason);
                        reasons.len() - 1
                    });
                    format!("({})", at + 1)
                }
                (_, landed) => {
                    failures.push(format!("{}: {name}: {landed:?}", site.name));
                    "FAILED".to_owned()
                }
            };
            write!(table, "  {mark:<0$}", site.name.len()).unwrap();
        }
        table.truncate(table.trim_end().len());
        table.push('\n');
    };
    let told = sites
        .iter()
        .map(|(site, flags)| site.check_root_path(flags));
    row("the app knows its root path", told.collect());
    for form in FORMS {
        let cells = sites.iter().map(|(site, _)| site.check(form));
        row(&form.name(), cells.collect());
    }
    for (at, reason) in reasons.iter().enumerate() {
        writeln!(table, "({}) {reason}", at + 1).unwrap();
    }
    // Not by `print!`, which a test that passes keeps to itself.
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
fn redirects_land_in_the_app_behind_nginx() {
    assert_proxy("nginx");
}

#[test]
#[ignore = "needs Traefik"]
fn redirects_land_in_the_app_behind_traefik() {
    assert_proxy("traefik");
}

#[test]
#[ignore = "needs Caddy"]
fn redirects_land_in_the_app_behind_caddy() {
    assert_proxy("caddy");
}

#[test]
#[ignore = "needs HAProxy"]
fn redirects_land_in_the_app_behind_haproxy() {
    assert_proxy("haproxy");
}

#[test]
#[ignore = "needs Apache"]
fn redirects_land_in_the_app_behind_apache() {
    assert_proxy("apache");
}

#[test]
#[ignore = "needs Envoy"]
fn redirects_land_in_the_app_behind_envoy() {
    assert_proxy("envoy");
}

#[test]
#[ignore = "needs lighttpd"]
fn redirects_land_in_the_app_behind_lighttpd() {
    assert_proxy("lighttpd");
}

#[test]
#[ignore = "needs Varnish"]
fn redirects_land_in_the_app_behind_varnish() {
    assert_proxy("varnish");
}

/// nginx strips `/edge`, what is behind it `/api/v1`, and each tells its part.
#[test]
#[ignore = "needs nginx, Traefik, HAProxy and Apache"]
fn redirects_land_in_the_app_behind_two_proxies() {
    let sites = [
        // Traefik drops what it is told by a peer that it does not trust.
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
    assert_matrix(&format!("behind nginx {}", version("nginx")), &sites);
}

/// There a request has a scheme and an authority, and `ServeDir` makes an absolute URL of them.
#[test]
#[ignore = "needs Traefik, Caddy, HAProxy, Apache and Envoy"]
fn redirects_land_in_the_app_if_the_proxy_speaks_http_2_to_it() {
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
            .get(site.expected("/api/v1/any/thing"))
            .send()
            .unwrap();
        let shown: Value = shown.json().unwrap();
        assert_eq!(shown["version"], "HTTP/2.0", "{file}");
        (site, config.flags())
    });
    assert_matrix("HTTP/2 to the app", &sites);
}
