//! Proxies that publish one app under five prefixes.

use crate::support::proxy::Config;

/// The prefixes under which the proxies publish the app.
pub(crate) const PREFIXES: [&str; 5] = ["/api/v1", "/team/app", "/a", "", PASSED_ON];

/// The proxies strip the other ones.
pub(crate) const PASSED_ON: &str = "/passed/on";

pub(crate) fn prefix(id: u64) -> &'static str {
    PREFIXES[id as usize % PREFIXES.len()]
}

/// nginx, which uses a connection to the app for requests with any prefix.
pub(crate) fn nginx() -> Config {
    let locations = PREFIXES.map(|prefix| {
        let slash = if prefix == PASSED_ON { "" } else { "/" };
        format!(
            "location {prefix}/ {{ set $prefix \"{prefix}\"; proxy_pass http://app{slash}; }}\n"
        )
    });
    let text = format!(
        "upstream app {{
            server 127.0.0.1:8000;
            keepalive 32;
        }}
        server {{
            listen 9999;
            # By default, nginx closes a connection after 1000 requests, also if it has received another.
            keepalive_requests 1000000000;
            proxy_http_version 1.1;
            proxy_buffering off;
            proxy_redirect off;
            proxy_set_header Host $http_host;
            proxy_set_header Connection \"\";
            proxy_set_header X-Forwarded-Prefix $prefix;
            {}
        }}",
        locations.concat()
    );
    Config::inline("nginx", text)
}

pub(crate) fn traefik() -> Config {
    let mut text = "[[http.services.app.loadBalancer.servers]]
        url = \"http://127.0.0.1:8000\"\n"
        .to_owned();
    for (n, prefix) in PREFIXES.iter().enumerate() {
        text += &format!(
            "[http.routers.prefix-{n}]
            service = \"app\"
            rule = \"PathPrefix(`{prefix}/`)\"\n"
        );
        let (middleware, option) = match *prefix {
            "" => continue,
            PASSED_ON => (
                "headers.customRequestHeaders",
                format!("X-Forwarded-Prefix = \"{prefix}\""),
            ),
            _ => ("stripPrefix", format!("prefixes = [\"{prefix}\"]")),
        };
        text += &format!(
            "middlewares = [\"prefix-{n}\"]
            [http.middlewares.prefix-{n}.{middleware}]
            {option}\n"
        );
    }
    Config::inline("traefik", text)
}

pub(crate) fn haproxy() -> Config {
    let prefixes = PREFIXES.iter().filter(|prefix| !prefix.is_empty());
    let set = prefixes.clone().map(|prefix| {
        format!("http-request set-header X-Forwarded-Prefix {prefix} if {{ path_beg {prefix}/ }}\n")
    });
    let strip = prefixes.filter(|prefix| **prefix != PASSED_ON);
    let strip = strip.map(|prefix| {
        let is_set = format!("{{ req.hdr(X-Forwarded-Prefix) -m str {prefix} }}");
        format!("http-request replace-path ^{prefix}(/.*) \\1 if {is_set}\n")
    });
    let text = format!(
        "defaults
            mode http
            retries 0
            timeout connect 5s
            timeout client 1m
            timeout server 1m
        frontend public
            bind 127.0.0.1:9999
            default_backend app
        backend app
            {}
            server app 127.0.0.1:8000\n",
        set.chain(strip).collect::<String>()
    );
    Config::inline("haproxy", text)
}
