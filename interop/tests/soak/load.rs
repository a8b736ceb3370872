//! Clients that send requests at the same time, and what became of the requests.

use crate::{
    exchange::Exchange,
    proxies::prefix,
    support::process::{eventually, parse},
};
use bytes::Bytes;
use futures_util::future::{join_all, Either};
use http::{header::VARY, Request, Response, Version};
use http_body_util::{BodyExt, Full};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::{
    future::Future,
    io, iter,
    net::SocketAddr,
    ops::Range,
    sync::{
        atomic::{AtomicU64, Ordering::Relaxed},
        Arc, Mutex,
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{sleep, timeout},
};
use tower::BoxError;

/// After this time a request hangs.
const HANG: Duration = Duration::from_secs(60);

/// A connection on which a part of a request is sent.
pub(crate) struct Started {
    pub(crate) exchange: Exchange,
    stream: TcpStream,
    rest: String,
}

impl Started {
    pub(crate) async fn new(
        mut stream: TcpStream,
        exchange: Exchange,
        lines: &str,
    ) -> io::Result<Self> {
        let mut start = exchange.text(&format!("Connection: close\r\n{lines}"));
        // Somewhere in the head: the app may answer before it has the rest of the content.
        let head = start.find("\r\n\r\n").expect("a head");
        let rest = start.split_off(exchange.id as usize % head);
        stream.write_all(start.as_bytes()).await?;
        Ok(Self {
            exchange,
            stream,
            rest,
        })
    }

    pub(crate) async fn send_rest(&mut self) -> io::Result<()> {
        self.stream.write_all(self.rest.as_bytes()).await
    }

    pub(crate) async fn receive(&mut self) -> Result<Response<Bytes>, BoxError> {
        let mut response = String::new();
        let read = self.stream.read_to_string(&mut response);
        let in_time = timeout(HANG, read).await;
        in_time.map_err(|_| format!("no answer to {:?}", self.exchange))??;
        Ok(parse(&response).map(Bytes::from))
    }
}

/// Sends a request whose answer has no body, and checks the answer. The connection stays open.
pub(crate) async fn check_head(
    stream: &mut TcpStream,
    exchange: &Exchange,
    lines: &str,
) -> Result<(), BoxError> {
    stream.write_all(exchange.text(lines).as_bytes()).await?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let read = timeout(HANG, stream.read_buf(&mut head)).await??;
        assert_ne!(read, 0, "{exchange:?}");
    }
    let head = String::from_utf8(head)?;
    Ok(exchange.check(&parse(&head).map(Bytes::from))?)
}

/// A connection to a proxy for many requests.
enum Connection {
    Http1(http1::SendRequest<Full<Bytes>>),
    Http2(http2::SendRequest<Full<Bytes>>),
}

impl Connection {
    async fn open(addr: SocketAddr, version: Version) -> io::Result<Self> {
        let stream = TcpStream::connect(addr).await?;
        stream.set_nodelay(true)?;
        let stream = TokioIo::new(stream);
        if version == Version::HTTP_2 {
            let opened = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = opened.map_err(io::Error::other)?;
            tokio::spawn(connection);
            return Ok(Self::Http2(sender));
        }
        let opened = http1::handshake(stream).await;
        let (sender, connection) = opened.map_err(io::Error::other)?;
        tokio::spawn(connection);
        Ok(Self::Http1(sender))
    }

    /// `last` if it is still open.
    async fn reuse_or_open(
        last: Option<Self>,
        addr: SocketAddr,
        version: Version,
        counts: &Counts,
    ) -> io::Result<Self> {
        if let Some(mut last) = last {
            let ready = match &mut last {
                Self::Http1(sender) => sender.ready().await,
                Self::Http2(sender) => sender.ready().await,
            };
            if ready.is_ok() {
                return Ok(last);
            }
        }
        let opened = Self::open(addr, version).await?;
        counts.connections.fetch_add(1, Relaxed);
        Ok(opened)
    }

    fn send(
        &mut self,
        request: Request<Full<Bytes>>,
    ) -> impl Future<Output = hyper::Result<Response<Incoming>>> {
        match self {
            Self::Http1(sender) => Either::Left(sender.send_request(request)),
            Self::Http2(sender) => Either::Right(sender.send_request(request)),
        }
    }
}

async fn receive(
    exchange: &Exchange,
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
) -> hyper::Result<Response<Bytes>> {
    let (head, mut body) = response.await?.into_parts();
    let body = if exchange.is_endless() {
        let frame = body.frame().await.transpose()?;
        frame
            .and_then(|frame| frame.into_data().ok())
            .unwrap_or_default()
    } else {
        body.collect().await?.to_bytes()
    };
    Ok(Response::from_parts(head, body))
}

/// Requests that several clients share, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// The number of the next request.
    next: AtomicU64,
    /// The number after the last request.
    pub(crate) end: AtomicU64,
    connections: AtomicU64,
    pub(crate) right: AtomicU64,
    /// Connection errors, and errors of the proxy itself.
    pub(crate) failed: AtomicU64,
    /// Requests whose client went away before the end of the answer.
    aborted: AtomicU64,
    wrong: Mutex<Vec<String>>,
    last_failure: Mutex<String>,
}

impl Counts {
    pub(crate) fn until(end: u64) -> Arc<Self> {
        let counts = Self::default();
        counts.end.store(end, Relaxed);
        Arc::new(counts)
    }

    /// The numbers of the next requests, at most `n`.
    fn take(&self, n: u64) -> Range<u64> {
        let end = self.end.load(Relaxed);
        let after = |next| (next < end).then(|| end.min(next + n));
        match self.next.fetch_update(Relaxed, Relaxed, after) {
            Ok(first) => first..end.min(first + n),
            Err(_) => 0..0,
        }
    }

    /// Waits for `n` further events.
    #[track_caller]
    pub(crate) fn wait_for(&self, n: u64, counter: fn(&Self) -> &AtomicU64) {
        let enough = counter(self).load(Relaxed) + n;
        let reached = eventually(|| counter(self).load(Relaxed) >= enough);
        assert!(reached, "the clients hang: {self:?}");
    }

    fn add(&self, outcome: Outcome) {
        let counter = match outcome {
            Outcome::Right => &self.right,
            Outcome::Failed(reason) => {
                *self.last_failure.lock().unwrap() = reason;
                &self.failed
            }
            Outcome::Aborted => &self.aborted,
            Outcome::Wrong(wrong) => return self.wrong.lock().unwrap().push(wrong),
        };
        counter.fetch_add(1, Relaxed);
    }

    /// Prints one line, and fails if an answer was wrong.
    #[track_caller]
    pub(crate) fn report(&self, what: &str) {
        let wrong = self.wrong.lock().unwrap();
        let [connections, right, failed, aborted] =
            [&self.connections, &self.right, &self.failed, &self.aborted]
                .map(|counter| counter.load(Relaxed));
        let requests = right + failed + aborted + wrong.len() as u64;
        println!(
            "{what}: {connections} connections, {requests} requests, {} wrong answers, \
             {failed} failed, {aborted} aborted",
            wrong.len()
        );
        assert!(wrong.is_empty(), "{:#?}", &wrong[..wrong.len().min(3)]);
    }

    #[track_caller]
    pub(crate) fn assert_failed_at_most(&self, n: u64) {
        let reason = self.last_failure.lock().unwrap();
        let failed = self.failed.load(Relaxed);
        assert!(failed <= n, "{failed} requests failed, the last: {reason}");
    }
}

enum Outcome {
    Right,
    Failed(String),
    Aborted,
    Wrong(String),
}

impl Outcome {
    fn of(exchange: &Exchange, response: &Response<Bytes>) -> Self {
        // The layer adds `Vary` to each answer of the app.
        let is_of_app = response.headers().contains_key(VARY);
        match response.status().as_u16() {
            status @ (499 | 500 | 502..=504) if !is_of_app => {
                return Self::Failed(format!("{status} from the proxy: {exchange:?}"));
            }
            _ => {}
        }
        match exchange.check(response) {
            Ok(()) if exchange.is_endless() => Self::Aborted,
            Ok(()) => Self::Right,
            Err(wrong) => Self::Wrong(wrong),
        }
    }
}

/// Starts clients that send the requests of `counts` at the same time: some for each of `proxies`.
pub(crate) fn start_clients(
    counts: &Arc<Counts>,
    proxies: &[(SocketAddr, Version)],
) -> JoinSet<()> {
    let mut clients = JoinSet::new();
    for (addr, version) in proxies {
        for _ in 0..8 {
            clients.spawn(client(Arc::clone(counts), *addr, *version));
        }
    }
    clients
}

/// Sends requests on one connection after the other; with HTTP/2, four at once.
async fn client(counts: Arc<Counts>, addr: SocketAddr, version: Version) {
    let at_once = if version == Version::HTTP_2 { 4 } else { 1 };
    let mut last = None;
    loop {
        let ids = counts.take(at_once);
        if ids.is_empty() {
            return;
        }
        let mut connection = match Connection::reuse_or_open(last, addr, version, &counts).await {
            Ok(connection) => connection,
            Err(error) => {
                ids.for_each(|_| counts.add(Outcome::Failed(error.to_string())));
                last = None;
                sleep(Duration::from_millis(10)).await;
                continue;
            }
        };
        let ended = ids.map(|id| {
            let prefix = prefix(id);
            // One in sixteen goes away, before the answer or after its first part.
            let (exchange, patience) = match id % 32 {
                5 => (Exchange::events(prefix, id), None),
                21 => (Exchange::new(prefix, id), Some(id / 32 % 4)),
                _ => (Exchange::new(prefix, id), None),
            };
            let response = connection.send(exchange.request(version));
            end(exchange, response, patience.map(Duration::from_millis))
        });
        let ended: Vec<_> = ended.collect();
        join_all(ended)
            .await
            .into_iter()
            .for_each(|outcome| counts.add(outcome));
        last = Some(connection);
    }
}

async fn end(
    exchange: Exchange,
    response: impl Future<Output = hyper::Result<Response<Incoming>>>,
    patience: Option<Duration>,
) -> Outcome {
    let received = receive(&exchange, response);
    match timeout(patience.unwrap_or(HANG), received).await {
        Ok(Ok(response)) => Outcome::of(&exchange, &response),
        Ok(Err(error)) => Outcome::Failed(format!("{error:?}")),
        Err(_) if patience.is_some() => Outcome::Aborted,
        Err(_) => Outcome::Wrong(format!("no answer to {exchange:?}")),
    }
}

/// Sends each request on a connection of its own, with a pause within its head.
pub(crate) async fn slow_client(counts: Arc<Counts>, addr: SocketAddr) {
    for id in iter::from_fn(|| counts.take(1).next()) {
        let exchange = Exchange::new(prefix(id), id);
        let answer = async {
            let stream = TcpStream::connect(addr).await?;
            counts.connections.fetch_add(1, Relaxed);
            let mut started = Started::new(stream, exchange, "").await?;
            sleep(Duration::from_millis(1)).await;
            started.send_rest().await?;
            let response = started.receive().await?;
            Ok::<_, BoxError>(Outcome::of(&started.exchange, &response))
        };
        let wrong = |error| Outcome::Wrong(format!("{id}: {error}"));
        counts.add(answer.await.unwrap_or_else(wrong));
    }
}
