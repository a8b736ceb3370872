//! The servers that are put under load: an axum server with one of the layers, on one thread.

use crate::cases::PREFIX;
use axum::{
    extract::Request,
    response::{Redirect, Response},
    routing::{get, IntoMakeService},
    serve::ListenerExt,
    Router, ServiceExt,
};
use clap::ValueEnum;
use std::{convert::Infallible, error::Error};
use tokio::{
    io::{stdin, AsyncReadExt},
    net::TcpListener,
    select,
};
use tower::{Layer, Service};
use tower_root_path::RootPathLayer;

/// What is around the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, ValueEnum)]
pub(crate) enum App {
    Plain,
    PlainAgain,
    RouterLayer,
    Around,
    AroundStrip,
    WrapStrip,
    Nest,
}

fn routes() -> Router {
    Router::new()
        .route("/users", get(|| async { "Hello, World!" }))
        .route("/old", get(|| async { Redirect::to("/users") }))
}

/// Serves `app` by HTTP/1.1 and, with prior knowledge, HTTP/2, until standard input ends.
///
/// Prints the address: a free port on the loopback interface.
#[tokio::main(flavor = "current_thread")]
pub(crate) async fn serve(app: App) -> Result<(), Box<dyn Error>> {
    let layer = RootPathLayer::new(PREFIX);
    let strip = layer.clone().strip_if_present();
    let make_service = ServiceExt::<Request>::into_make_service;
    match app {
        App::Plain | App::PlainAgain => listen(routes().into_make_service()).await,
        App::RouterLayer => listen(routes().layer(layer).into_make_service()).await,
        App::Around => listen(make_service(layer.layer(routes()))).await,
        App::AroundStrip => listen(make_service(strip.layer(routes()))).await,
        App::WrapStrip => listen(strip.wrap(routes()).into_make_service()).await,
        App::Nest => {
            let nested = Router::new().nest(PREFIX, routes());
            listen(nested.into_make_service()).await
        }
    }
}

async fn listen<S>(service: IntoMakeService<S>) -> Result<(), Box<dyn Error>>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    println!("{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| {
        // Fails only if the client has closed the connection.
        let _ = stream.set_nodelay(true);
    });
    select! {
        served = axum::serve(listener, service) => served?,
        // The parent has ended, even if it was killed.
        ended = async { stdin().read(&mut [0]).await } => drop(ended?),
    }
    Ok(())
}
