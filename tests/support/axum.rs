//! Requests to axum apps, in memory and through a socket.

use axum::{
    body::{self, Body},
    extract::{
        ws::{Message, WebSocketUpgrade},
        Request,
    },
    response::Response,
    serve::{IncomingStream, Listener},
};
use http::header::HOST;
use std::{convert::Infallible, net::SocketAddr};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tower::{Service, ServiceExt};

/// `GET uri` to `app.example`.
pub async fn get<S>(app: S, uri: &str) -> Response
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let request = Request::get(uri).header(HOST, "app.example");
    app.oneshot(request.body(Body::empty()).unwrap())
        .await
        .unwrap()
}

/// The body of the response.
pub async fn text<S>(app: S, uri: &str) -> String
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    let body = get(app, uri).await.into_body();
    let bytes = body::to_bytes(body, 1 << 20).await.unwrap();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Serves until the guard is dropped.
pub async fn serve<M, S>(make: M) -> (SocketAddr, Server)
where
    M: for<'a> Service<IncomingStream<'a, TcpListener>, Error = Infallible, Response = S>
        + Send
        + 'static,
    for<'a> <M as Service<IncomingStream<'a, TcpListener>>>::Future: Send,
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let addr = Listener::local_addr(&listener).unwrap();
    let server = tokio::spawn(async { axum::serve(listener, make).await.unwrap() });
    (addr, Server(server))
}

pub struct Server(JoinHandle<()>);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Sends these bytes, and reads until the server closes the connection.
pub async fn raw(addr: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(addr).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut response = Vec::new();
    stream.read_to_end(&mut response).await.unwrap();
    String::from_utf8_lossy(&response).into_owned()
}

/// A WebSocket that sends `greeting`, and then sends each received message back.
pub fn greet_and_echo(upgrade: WebSocketUpgrade, greeting: String) -> Response {
    upgrade.on_upgrade(|mut socket| async move {
        let mut next = Message::text(greeting);
        while socket.send(next).await.is_ok() {
            match socket.recv().await {
                Some(Ok(received)) => next = received,
                _ => break,
            }
        }
    })
}
