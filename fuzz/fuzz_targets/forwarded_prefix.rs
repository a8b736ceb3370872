//! Lists of forwarded prefixes, compared with a model that takes the end of the whole list.
#![cfg_attr(fuzzing, no_main)]

use http::{HeaderValue, Request};
use tower_root_path::{Forwarded, ForwardedPrefix, RootPath, RootPathLayer, TrustedProxies};

fuzz::target!(check);

fn check([hops, lines]: [&[u8]; 2]) -> Option<()> {
    let hops: usize = std::str::from_utf8(hops)
        .ok()?
        .parse()
        .ok()
        .filter(|hops| *hops > 0)?;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    let forwarded = ForwardedPrefix::x_forwarded_prefix(TrustedProxies::all()).hops(hops);

    let read = forwarded.read(&request(&lines)?);
    let expected = model(&lines, hops);
    match &read {
        Forwarded::Used(root_path) => assert_eq!(Some(root_path), expected.as_ref()),
        Forwarded::Invalid(_) => assert_eq!(expected, None),
        other => panic!("{other}"),
    }

    // A layer ignores an invalid header, and reads a valid one as often as it likes.
    for configured in [
        RootPath::from_static("/configured"),
        expected.clone().unwrap_or_default(),
    ] {
        let layer = RootPathLayer::from(configured.clone()).with_forwarded(forwarded.clone());
        let received = fuzz::received(layer, request(&lines)?);
        let root_path = RootPath::from_extensions(received.extensions());
        assert_eq!(root_path, expected.clone().unwrap_or(configured));
    }

    // What a client sends to the proxies is outside the window.
    if members(&lines).count() >= hops {
        let spoofed = [&[&b"/spoofed"[..], b"\xff,"], &*lines].concat();
        assert_eq!(forwarded.read(&request(&spoofed)?), read);
    }
    Some(())
}

fn request(lines: &[&[u8]]) -> Option<Request<()>> {
    let mut request = Request::new(());
    for line in lines {
        let line = HeaderValue::from_bytes(line).ok()?;
        request.headers_mut().append("x-forwarded-prefix", line);
    }
    Some(request)
}

fn members<'a>(lines: &'a [&[u8]]) -> impl Iterator<Item = &'a [u8]> {
    let members = lines
        .iter()
        .flat_map(|line| line.split(|byte| *byte == b','));
    members.map(<[u8]>::trim_ascii)
}

fn model(lines: &[&[u8]], hops: usize) -> Option<RootPath> {
    let skipped = members(lines).count().saturating_sub(hops);
    let used = members(lines).skip(skipped).map(RootPath::try_from);
    let used = used.collect::<Result<Vec<_>, _>>().ok()?;
    used.iter()
        .map(RootPath::as_str)
        .collect::<String>()
        .parse()
        .ok()
}
