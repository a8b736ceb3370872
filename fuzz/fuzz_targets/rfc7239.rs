//! `Forwarded`, compared with a model that splits outside quotes, and with `X-Forwarded-*`.
#![cfg_attr(fuzzing, no_main)]

use http::{HeaderValue, Request};
use tower_root_path::{AllowedHosts, ForwardedOrigin, RefusedOrigin, TrustedProxies};

fuzz::target!(check);

fn check([hops, lines]: [&[u8]; 2]) -> Option<()> {
    let hops: usize = std::str::from_utf8(hops)
        .ok()?
        .parse()
        .ok()
        .filter(|hops| *hops > 0)?;
    let lines: Vec<&[u8]> = lines.split(|byte| *byte == b'\n').collect();
    let (trusted, hosts) = (TrustedProxies::all, AllowedHosts::any);
    let rfc7239 = ForwardedOrigin::rfc7239(trusted(), hosts()).hops(hops);
    let forwarded = lines
        .iter()
        .map(|line| ("forwarded", line.to_vec()))
        .collect();
    let read = rfc7239.read(&request(forwarded)?);

    let members = lines.iter().flat_map(|line| split(line, b','));
    let parameters = members
        .map(|member| split(member, b';').len())
        .sum::<usize>();
    let elements = lines
        .iter()
        .map(|line| elements(line))
        .collect::<Option<Vec<_>>>();
    let Some(elements) = elements.filter(|_| parameters <= 1024) else {
        assert_eq!(read, Err(RefusedOrigin::MalformedForwarded));
        return Some(());
    };
    assert_ne!(read, Err(RefusedOrigin::MalformedForwarded));
    let elements = elements.concat();

    let names = [("host", "x-forwarded-host"), ("proto", "x-forwarded-proto")];
    let selected = &elements[elements.len().saturating_sub(hops)];
    let lines: Vec<(&'static str, Vec<u8>)> = names
        .into_iter()
        .filter_map(|(name, header)| {
            let (_, value) = selected
                .iter()
                .find(|(other, _)| other == name.as_bytes())?;
            Some((header, value.clone()))
        })
        .collect();
    // In the other family these are part of the list.
    let is_plain = |value: &Vec<u8>| value.trim_ascii() == value && !value.contains(&b',');
    if lines.iter().all(|(_, value)| is_plain(value)) {
        let x_forwarded = ForwardedOrigin::x_forwarded(trusted(), hosts());
        assert_eq!(read, x_forwarded.read(&request(lines)?));
    }
    Some(())
}

fn request(lines: Vec<(&'static str, Vec<u8>)>) -> Option<Request<()>> {
    let mut request = Request::get("https://own.example/").body(()).unwrap();
    for (name, value) in lines {
        request
            .headers_mut()
            .append(name, HeaderValue::from_bytes(&value).ok()?);
    }
    Some(request)
}

type Element = Vec<(Vec<u8>, Vec<u8>)>;

fn elements(line: &[u8]) -> Option<Vec<Element>> {
    split(line, b',')
        .into_iter()
        .map(|member| {
            let mut element = Element::new();
            for pair in split(trim(member), b';') {
                let mut parts = pair.splitn(2, |byte| *byte == b'=');
                let name = parts.next()?.to_ascii_lowercase();
                match parts.next().map(unquoted) {
                    None if name.is_empty() => {}
                    Some(Some(value))
                        if is_token(&name) && element.iter().all(|(other, _)| *other != name) =>
                    {
                        element.push((name, value));
                    }
                    _ => return None,
                }
            }
            Some(element)
        })
        .collect()
}

fn trim(member: &[u8]) -> &[u8] {
    let start = member
        .iter()
        .take_while(|byte| b" \t".contains(byte))
        .count();
    let end = member
        .iter()
        .rev()
        .take_while(|byte| b" \t".contains(byte))
        .count();
    if start == member.len() {
        b""
    } else {
        &member[start..member.len() - end]
    }
}

fn split(text: &[u8], separator: u8) -> Vec<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    text.split(|byte| {
        let splits = *byte == separator && !is_quoted;
        is_quoted ^= *byte == b'"' && !is_escaped;
        is_escaped = is_quoted && *byte == b'\\' && !is_escaped;
        splits
    })
    .collect()
}

fn is_token(text: &[u8]) -> bool {
    let is_tchar = |byte: &u8| byte.is_ascii_graphic() && !b"\"(),/:;<=>?@[\\]{}".contains(byte);
    !text.is_empty() && text.iter().all(is_tchar)
}

fn unquoted(value: &[u8]) -> Option<Vec<u8>> {
    if is_token(value) {
        return Some(value.to_owned());
    }
    let mut inner = value.strip_prefix(b"\"")?.strip_suffix(b"\"")?.iter();
    let mut unquoted = Vec::new();
    while let Some(byte) = inner.next() {
        match byte {
            b'"' => return None,
            b'\\' => unquoted.push(*inner.next()?),
            _ => unquoted.push(*byte),
        }
    }
    Some(unquoted)
}
