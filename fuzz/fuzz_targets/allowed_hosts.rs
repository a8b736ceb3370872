//! Hosts and lists of allowed hosts, compared with a model and with the `url` crate.
#![cfg_attr(fuzzing, no_main)]

use http::{header::HOST, HeaderValue, Request, Uri};
use tower_root_path::{
    AllowedHosts, ForwardedOrigin, Origin, RefusedOrigin, RootPath, TrustedProxies,
};
use url::Url;

fuzz::target!(check);

fn check([list, host]: [&[u8]; 2]) -> Option<()> {
    let list = std::str::from_utf8(list).ok()?;
    let allowed: AllowedHosts = list.parse().ok()?;
    let host = HeaderValue::from_bytes(host).ok()?;
    let origin = ForwardedOrigin::x_forwarded(TrustedProxies::all(), allowed.clone());
    let origin = origin.default_scheme("https");

    // The proxy sends the host, or the client itself.
    let request = |name| Request::get("/").header(name, &host).body(()).unwrap();
    let read = origin.read(&request(HOST.as_str()));
    let is_list =
        host.as_bytes().contains(&b',') || host.as_bytes().trim_ascii() != host.as_bytes();
    assert!(is_list || origin.read(&request("x-forwarded-host")) == read);

    let text = std::str::from_utf8(host.as_bytes()).unwrap_or("\\");
    let parsed = format!("https://{text}")
        .parse::<Origin>()
        .ok()
        .filter(|_| !text.ends_with('/'));
    let Some(parsed) = parsed else {
        assert!(
            matches!(read, Err(RefusedOrigin::InvalidHost(_))),
            "{read:?}"
        );
        return Some(());
    };
    let is_allowed = list.split(',').any(|member| allows(member.trim(), &parsed));
    assert_eq!(is_allowed, allowed.contains(&parsed));
    match read {
        Ok(read) => assert!(is_allowed && read == parsed),
        Err(RefusedOrigin::HostNotAllowed(read)) => assert!(!is_allowed && read == parsed),
        Err(error) => panic!("{error}"),
    }

    // No other reader sees another host.
    let printed = parsed.to_string();
    assert_eq!(printed.parse().as_ref(), Ok(&parsed));
    assert!(printed
        .parse::<Uri>()
        .is_ok_and(|uri| uri.host() == Some(parsed.host())));
    if let Ok(url) = Url::parse(&printed) {
        // It reads numbers as an IPv4 address, in many forms.
        let is_number = url
            .host()
            .is_some_and(|host| matches!(host, url::Host::Ipv4(_)));
        assert!(is_number || url.host_str() == Some(parsed.host()), "{url}");
        assert_eq!(url.port_or_known_default(), Some(parsed.port()));
        assert!(url.username().is_empty() && url.path() == "/");
        let joined = tower_root_path::BaseUrl::new(parsed, RootPath::EMPTY).join(text);
        assert_eq!(Url::parse(&joined).unwrap().origin(), url.origin());
    }
    Some(())
}

fn allows(member: &str, origin: &Origin) -> bool {
    let host_of = |host: &str| {
        format!("{}://{host}", origin.scheme())
            .parse::<Origin>()
            .ok()
    };
    if let Some(suffix) = member.strip_prefix('*') {
        // The same as the exact host with the labels that the wildcard stands for.
        let (suffix_host, _) = suffix.split_once(':').unwrap_or((suffix, ""));
        let Some(len) = origin.host().len().checked_sub(suffix_host.len()) else {
            return false;
        };
        let labels = &origin.host()[..len];
        let are_labels = labels.split('.').all(|label| !label.is_empty());
        return are_labels && allows(&format!("{labels}{suffix}"), origin);
    }
    let has_port = member
        .rsplit_once(']')
        .map_or(member, |(_, port)| port)
        .contains(':');
    host_of(member).is_some_and(|exact| {
        exact.host() == origin.host() && (!has_port || exact.port() == origin.port())
    })
}
