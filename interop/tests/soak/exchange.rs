//! Requests to `whoami` with a root path, a number and a host of their own, and the answers to them.

use bytes::Bytes;
use http::{
    header::{HeaderName, CONTENT_LENGTH, HOST, LOCATION, SET_COOKIE, VARY},
    Method, Request, Response, Version,
};
use http_body_util::Full;
use serde_json::{json, Value};

/// The flags with which `whoami` gives these answers. It strips, for requests that arrive with the
/// prefix. Of the addresses of this machine, 127.0.0.4 is not trusted.
pub(crate) const FLAGS: &[&str] = &[
    "--trust=127.0.0.1,127.0.0.2,127.0.0.3",
    "--strip=if-present",
    "--rewrite=all",
    "--forwarded-origin=x-forwarded",
    "--allowed-hosts=*.example.com",
];

const FORWARDED: [&str; 4] = [
    "x-forwarded-prefix",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
];

const PAGE: &str = include_str!("../../../examples/page/index.html");

/// A request and the answer to it.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) id: u64,
    method: Method,
    host: String,
    root_path: String,
    /// Path and query of the app.
    target: String,
    is_stripped: bool,
    answer: Answer,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    header: Option<(HeaderName, String)>,
    body: Body,
}

#[derive(Debug)]
enum Body {
    Text(String),
    /// At least these members, where `null` stands for none.
    Json(Value),
    Page(String),
}

impl Answer {
    fn text(text: impl Into<String>) -> Self {
        Self {
            status: 200,
            header: None,
            body: Body::Text(text.into()),
        }
    }

    fn json(members: Value) -> Self {
        let body = Body::Json(members);
        Self {
            body,
            ..Self::text("")
        }
    }

    fn page(root_path: &str) -> Self {
        let base = format!("<head><base href=\"{root_path}/\">");
        let body = Body::Page(PAGE.replacen("<head>", &base, 1));
        Self {
            body,
            ..Self::text("")
        }
    }

    fn redirect(status: u16, location: String) -> Self {
        Self {
            status,
            header: Some((LOCATION, location)),
            ..Self::text("")
        }
    }

    fn cookie(cookie: String) -> Self {
        Self {
            header: Some((SET_COOKIE, cookie)),
            ..Self::text("")
        }
    }
}

impl Exchange {
    /// One of thirteen kinds of requests to the app at `root_path`.
    pub(crate) fn new(root_path: &str, id: u64) -> Self {
        let host = format!("host-{id}.example.com");
        let tenant = format!("{root_path}/t/{id}");
        let hello =
            |root: &str| Answer::json(json!({ "message": "Hello World", "root_path": root }));
        let method = [Method::GET, Method::POST][usize::from(id % 13 == 11)].clone();
        let (target, answer) = match id % 13 {
            0 => ("/app".to_owned(), hello(root_path)),
            1 => (format!("/t/{id}/app"), hello(&tenant)),
            2 => (
                format!("/redirect?to=/{id}"),
                Answer::redirect(302, format!("{root_path}/{id}")),
            ),
            3 => (
                format!("/sub/redirect?to=/{id}&status=303"),
                Answer::redirect(303, format!("{root_path}/sub/{id}")),
            ),
            4 => (
                format!("/t/{id}/redirect?to=/login"),
                Answer::redirect(302, format!("{tenant}/login")),
            ),
            5 => (
                "/files/dir".to_owned(),
                Answer::redirect(307, format!("{root_path}/files/dir/")),
            ),
            6 => (
                format!("/emit?set-cookie=id%3D{id}%3B+Path%3D/{id}"),
                Answer::cookie(format!("id={id}; Path={root_path}/{id}")),
            ),
            7 if root_path.is_empty() => (
                "/openapi.json".to_owned(),
                Answer::json(json!({ "servers": null })),
            ),
            7 => (
                "/openapi.json".to_owned(),
                Answer::json(json!({ "servers": [{ "url": root_path }] })),
            ),
            8 => (
                format!("/t/{id}/openapi.json"),
                Answer::json(json!({ "servers": [{ "url": tenant }] })),
            ),
            9 => ("/page/deep/er".to_owned(), Answer::page(root_path)),
            10 => {
                let target = format!("/base-url?{id}");
                let base_url = format!("http://{host}{root_path}");
                let public_uri = format!("{base_url}/base-url?{id}");
                let answer = json!({ "base_url": base_url, "public_uri": public_uri });
                (target, Answer::json(answer))
            }
            _ => {
                let answer = json!({
                    "root_path": root_path,
                    "path": format!("/unknown/{id}"),
                    "query": id.to_string(),
                    "method": method.as_str(),
                });
                (format!("/unknown/{id}?{id}"), Answer::json(answer))
            }
        };
        Self {
            id,
            method,
            host,
            root_path: root_path.to_owned(),
            target,
            is_stripped: false,
            answer,
        }
    }

    /// A request whose answer does not end. This is the beginning of it.
    pub(crate) fn events(root_path: &str, id: u64) -> Self {
        Self {
            method: Method::GET,
            target: "/events".to_owned(),
            answer: Answer::text("data: hello\n\n"),
            ..Self::new(root_path, id)
        }
    }

    /// The request as it is after a proxy has removed the root path.
    pub(crate) fn stripped(self) -> Self {
        Self {
            is_stripped: true,
            ..self
        }
    }

    /// Whether the client reads the first part of the answer only.
    pub(crate) fn is_endless(&self) -> bool {
        self.target == "/events"
    }

    fn path_and_query(&self) -> String {
        let removed = if self.is_stripped {
            ""
        } else {
            &*self.root_path
        };
        format!("{removed}{}", self.target)
    }

    fn content(&self) -> String {
        match self.method {
            Method::POST => format!("{}\n", self.id).repeat(20),
            _ => String::new(),
        }
    }

    /// The request on a connection of HTTP/1.1 or HTTP/2.
    pub(crate) fn request(&self, version: Version) -> Request<Full<Bytes>> {
        let path = self.path_and_query();
        let request = Request::builder().method(&self.method);
        let request = match version {
            Version::HTTP_2 => request.uri(format!("http://{}{path}", self.host)),
            _ => request.uri(path).header(HOST, &self.host),
        };
        let request = request.body(Full::from(self.content()));
        request.expect("the request is valid")
    }

    /// The request as the bytes of HTTP/1.1, with further header lines.
    pub(crate) fn text(&self, lines: &str) -> String {
        let Self { method, host, .. } = self;
        let (path, content) = (self.path_and_query(), self.content());
        let length = content.len();
        format!(
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\n\
             {CONTENT_LENGTH}: {length}\r\n{lines}\r\n{content}"
        )
    }

    /// Checks that `response` is the answer to this request, and not that to another one.
    pub(crate) fn check(&self, response: &Response<Bytes>) -> Result<(), String> {
        let Answer {
            status,
            header,
            body,
        } = &self.answer;
        let lines = |name: HeaderName| {
            let lines = response.headers().get_all(name).iter();
            let lines = lines.map(|line| String::from_utf8_lossy(line.as_bytes()));
            lines.collect::<Vec<_>>()
        };
        let expected = |name: HeaderName| {
            let header = header.iter().filter(|(header, _)| *header == name);
            header.map(|(_, value)| &**value).collect::<Vec<_>>()
        };
        let accept = matches!(body, Body::Page(_)).then_some("accept");
        let vary: Vec<_> = accept.into_iter().chain(FORWARDED).collect();
        let has_body = match body {
            Body::Text(text) | Body::Page(text) => response.body() == text,
            Body::Json(Value::Object(members)) => {
                let json: Value = serde_json::from_slice(response.body()).unwrap_or_default();
                let mut members = members.iter();
                json.is_object() && members.all(|(name, value)| json[name] == *value)
            }
            Body::Json(_) => false,
        };
        let is_right = response.status() == *status
            && lines(LOCATION) == expected(LOCATION)
            && lines(SET_COOKIE) == expected(SET_COOKIE)
            && lines(VARY) == vary
            && has_body;
        is_right.then_some(()).ok_or_else(|| {
            let body = String::from_utf8_lossy(response.body());
            let (status, headers) = (response.status(), response.headers());
            format!("{self:?}: {status} {headers:?} {body}")
        })
    }
}
