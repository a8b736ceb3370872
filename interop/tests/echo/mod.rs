//! The service of `proto/echo.proto`, and how to call it.
#![allow(dead_code, unreachable_pub)] // No test uses everything.

use futures_util::{stream, Stream, StreamExt};
use std::{
    fmt,
    future::{self, Future},
    net::{Ipv4Addr, SocketAddr},
    pin::Pin,
    sync::Arc,
};
use tokio::{
    net::TcpListener,
    sync::{mpsc, Notify},
    task::JoinHandle,
};
use tonic::{
    body::Body,
    client::GrpcService,
    codegen::{Body as HttpBody, Bytes, StdError},
    metadata::MetadataMap,
    transport::{server::TcpIncoming, Channel, Endpoint},
    Code, Extensions, Request, Response, Status, Streaming,
};
use tonic_types::{ErrorDetails, StatusExt};
use tower_root_path::RootPath;

#[allow(missing_debug_implementations, missing_docs)]
mod generated {
    tonic::include_proto!("interop");
}

pub use generated::{
    echo_client::EchoClient,
    echo_server::{self, EchoServer},
    Message,
};

/// The compiled `proto/`.
pub const DESCRIPTORS: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptors.bin"));

/// On this text, a call fails, with details.
pub const FAIL: &str = "fail";
/// On this text, a call never ends.
pub const WAIT: &str = "wait";

/// Answers with what it receives, and with the root path that it sees. Metadata `x-echo…` comes back, initially and
/// with the trailers of a stream.
#[derive(Clone, Debug, Default)]
pub struct Echo {
    /// Notified when a call is dropped before it is finished.
    pub abandoned: Arc<Notify>,
}

type Messages = Pin<Box<dyn Stream<Item = Result<Message, Status>> + Send>>;

#[tonic::async_trait]
impl echo_server::Echo for Echo {
    type ServerStreamingStream = Messages;
    type BidirectionalStream = Messages;

    async fn unary(&self, request: Request<Message>) -> Result<Response<Message>, Status> {
        let call = self.call(&request);
        let answer = call.answer(&request.get_ref().text).await;
        let response = call.respond(answer?);
        call.finish();
        Ok(response)
    }

    async fn client_streaming(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Message>, Status> {
        let call = self.call(&request);
        let mut heard = request.into_inner();
        let mut texts = Vec::new();
        while let Some(message) = heard.message().await? {
            texts.push(message.text);
        }
        let response = call.respond(call.answer(&texts.join(" ")).await?);
        call.finish();
        Ok(response)
    }

    async fn server_streaming(
        &self,
        request: Request<Message>,
    ) -> Result<Response<Messages>, Status> {
        let call = self.call(&request);
        let words = request.get_ref().text.split(' ').map(str::to_owned);
        let words = words.map(Ok).collect::<Vec<_>>();
        Ok(call.respond_each(stream::iter(words)))
    }

    async fn bidirectional(
        &self,
        request: Request<Streaming<Message>>,
    ) -> Result<Response<Messages>, Status> {
        let call = self.call(&request);
        let texts = request.into_inner().map(|message| Ok(message?.text));
        Ok(call.respond_each(texts))
    }
}

impl Echo {
    fn call<T>(&self, request: &Request<T>) -> Call {
        let metadata = request.metadata().clone().into_headers();
        let own = metadata
            .into_iter()
            .filter_map(|(name, value)| Some((name?, value)));
        let own = own.filter(|(name, _)| name.as_str().starts_with("x-echo"));
        Call {
            root_path: root_path(request.extensions()),
            metadata: MetadataMap::from_headers(own.collect()),
            abandoned: Some(Arc::clone(&self.abandoned)),
        }
    }
}

/// The root path in a request's extensions.
pub fn root_path(extensions: &Extensions) -> String {
    let root_path = extensions.get::<RootPath>();
    root_path.map_or_else(|| "no root path".to_owned(), ToString::to_string)
}

struct Call {
    root_path: String,
    metadata: MetadataMap,
    abandoned: Option<Arc<Notify>>,
}

impl Call {
    async fn answer(&self, heard: &str) -> Result<Message, Status> {
        match heard {
            FAIL => Err(Status::with_error_details(
                Code::InvalidArgument,
                "caf\u{e9} / tea",
                ErrorDetails::with_bad_request_violation("text", "it asks to fail"),
            )),
            WAIT => future::pending().await,
            heard => Ok(Message {
                text: heard.to_owned(),
                root_path: self.root_path.clone(),
            }),
        }
    }

    fn respond<T>(&self, message: T) -> Response<T> {
        let extensions = Extensions::default();
        Response::from_parts(self.metadata.clone(), message, extensions)
    }

    fn respond_each<S>(self, texts: S) -> Response<Messages>
    where
        S: Stream<Item = Result<String, Status>> + Send + Unpin + 'static,
    {
        let response = self.respond(());
        let messages = stream::unfold(Some((self, texts)), |state| async {
            let (call, mut texts) = state?;
            let answer = match texts.next().await {
                Some(Ok(text)) => call.answer(&text).await,
                Some(Err(status)) => Err(status),
                // An error that is none: tonic's way to send trailers.
                None => Err(Status::with_metadata(Code::Ok, "", call.metadata.clone())),
            };
            if answer.is_ok() {
                return Some((answer, Some((call, texts))));
            }
            call.finish();
            Some((answer, None))
        });
        response.map(|()| messages.boxed())
    }

    fn finish(mut self) {
        self.abandoned = None;
    }
}

impl Drop for Call {
    fn drop(&mut self) {
        if let Some(abandoned) = &self.abandoned {
            abandoned.notify_one();
        }
    }
}

/// A message to the service.
pub fn say(text: &str) -> Message {
    Message {
        text: text.to_owned(),
        root_path: String::new(),
    }
}

/// A stream of messages that are sent one by one.
pub fn saying() -> (mpsc::UnboundedSender<Message>, impl Stream<Item = Message>) {
    let (sender, mut messages) = mpsc::unbounded_channel();
    (sender, stream::poll_fn(move |cx| messages.poll_recv(cx)))
}

/// Calls in all four kinds, and looks for `root_path` in the answers. In the bidirectional one each
/// message waits for the answer to the one before, so nothing on the way may hold it back.
pub async fn assert_answers<T>(client: &mut EchoClient<T>, root_path: &str, way: &str)
where
    T: GrpcService<Body, Error: Into<StdError>>,
    T::ResponseBody: HttpBody<Data = Bytes, Error: Into<StdError> + Send> + Send + 'static,
{
    let answer = |text: &str| Message {
        root_path: root_path.to_owned(),
        ..say(text)
    };

    let response = client.unary(say("one")).await;
    assert_eq!(inner(response, way), answer("one"), "{way}: unary");

    let says = stream::iter(["one", "two"].map(say));
    let response = client.client_streaming(says).await;
    let expected = answer("one two");
    assert_eq!(inner(response, way), expected, "{way}: client streaming");

    let response = client.server_streaming(say("one two")).await;
    let mut answers = inner(response, way);
    for text in ["one", "two"] {
        let heard = next(&mut answers, way).await;
        assert_eq!(heard, Some(answer(text)), "{way}: server streaming");
    }
    assert_eq!(next(&mut answers, way).await, None, "{way}");

    let (sender, says) = saying();
    sender.send(say("one")).unwrap();
    let mut answers = inner(client.bidirectional(says).await, way);
    for (text, then) in [
        ("one", Some("two")),
        ("two", Some("three")),
        ("three", None),
    ] {
        let heard = next(&mut answers, way).await;
        assert_eq!(heard, Some(answer(text)), "{way}: bidirectional");
        if let Some(then) = then {
            sender.send(say(then)).unwrap();
        }
    }
    drop(sender);
    assert_eq!(next(&mut answers, way).await, None, "{way}");
}

fn inner<T>(response: Result<Response<T>, Status>, way: &str) -> T {
    let response = response.unwrap_or_else(|status| panic!("{way}: {status:?}"));
    response.into_inner()
}

async fn next(answers: &mut Streaming<Message>, way: &str) -> Option<Message> {
    let message = answers.message().await;
    message.unwrap_or_else(|status| panic!("{way}: {status:?}"))
}

/// Listens on a free port.
pub async fn listen() -> (SocketAddr, TcpIncoming) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    (listener.local_addr().unwrap(), TcpIncoming::from(listener))
}

/// A running server. Dropping it stops the server.
pub struct Serving(JoinHandle<()>);

impl Serving {
    /// Starts the server.
    pub fn start<E: fmt::Debug>(
        server: impl Future<Output = Result<(), E>> + Send + 'static,
    ) -> Self {
        Self(tokio::spawn(async { server.await.unwrap() }))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A connection to `addr`.
pub async fn connect(addr: SocketAddr) -> Channel {
    let endpoint = Endpoint::from_shared(format!("http://{addr}")).unwrap();
    endpoint.connect().await.unwrap()
}
