//! Real proxies, each with the configuration of a test.

use super::process::{get_raw, Files, Program};
use std::{
    net::{Ipv4Addr, SocketAddr},
    path::Path,
    process::Command,
};

/// A proxy in front of an app.
#[derive(Debug)]
pub struct Proxy {
    addr: SocketAddr,
    // Ends before its files do.
    _program: Program,
    _files: Files,
}

impl Proxy {
    /// The public address.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }
}

/// nginx at `addr` with the `location` blocks `locations`.
#[track_caller]
pub fn nginx(addr: SocketAddr, locations: &str) -> Proxy {
    // The workers of root would be of a user that may have no access to the files.
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
            server {{
                listen {addr};
                {locations}
            }}
        }}"
    );
    let files = Files::new(&[("nginx.conf", &config)]);
    let mut command = Command::new("/usr/sbin/nginx");
    command.args(["-e", "error.log", "-c", "nginx.conf", "-p"]);
    command.arg(files.path());
    Proxy {
        addr,
        _program: Program::start_at(addr, &mut command),
        _files: files,
    }
}

/// A setting of Traefik: it does not wait whether further routes are to come.
pub const AT_ONCE: &str = "providers.providersThrottleDuration = '10ms'";
/// The same for a Traefik that passes on what its clients say of forwarding.
pub const TRUSTING_CLIENTS: &str = "providers.providersThrottleDuration = '10ms'
    entryPoints.http.forwardedHeaders.insecure = true";

/// Traefik at `address`, as the page "Behind a Proxy" of FastAPI configures it, but with these
/// `settings` besides, and a StripPrefix for each of `prefixes`, which together are `/api/v1`.
#[track_caller]
pub fn traefik(address: &str, app: SocketAddr, prefixes: &[&str], settings: &str) -> Proxy {
    let config = format!(
        "entryPoints.http.address = '{address}'
        providers.file.filename = 'routes.toml'
        {settings}"
    );
    let names = &["api-stripprefix", "next-stripprefix"][..prefixes.len()];
    let mut routes = format!(
        "[http.routers.app-http]
        entryPoints = ['http']
        rule = 'PathPrefix(`/api/v1`)'
        middlewares = {names:?}
        service = 'app'
        [[http.services.app.loadBalancer.servers]]
        url = 'http://{app}'\n"
    );
    for (name, prefix) in names.iter().zip(prefixes) {
        routes += &format!("[http.middlewares.{name}.stripPrefix]\nprefixes = ['{prefix}']\n");
    }
    let files = Files::new(&[("traefik.toml", &config), ("routes.toml", &routes)]);

    let (_, port) = address.rsplit_once(':').expect("an address has a port");
    let port = port.parse().expect("a port is a number");
    let addr = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools");
    let mut command = Command::new(tools.join("bin/traefik"));
    command.arg("--configFile=traefik.toml");
    command.current_dir(files.path());
    let mut program = Program::start_at(addr, &mut command);
    // It listens before it knows its routes.
    program.wait_until("it knows its routes", || {
        get_raw(addr, "/api/v1/app").is_ok_and(|response| response.starts_with("HTTP/1.1 200 "))
    });
    Proxy {
        addr,
        _program: program,
        _files: files,
    }
}
