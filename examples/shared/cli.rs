//! Command lines, and errors of one line.

use axum::Router;
use clap::ValueEnum;
use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    process,
};
use tokio::net::TcpListener;
use tower_root_path::TrustedProxies;

/// Parses the command line; a bad flag ends the program with status 2.
pub(crate) fn parse<C: clap::Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit(); // `--help` and `--version`
        }
        // clap prints the error as a paragraph, and hints after an empty line.
        let rendered = error.render().to_string();
        let paragraph = ["\n\nFor more", "\n\nUsage:", "\n\n  tip:"]
            .iter()
            .fold(&*rendered, |text, next| {
                text.split(next).next().unwrap_or(text)
            });
        let words = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        fail(words.trim_start_matches("error: "), 2)
    })
}

/// The value of `--trust`.
pub(crate) fn parse_trust(networks: &str) -> Result<TrustedProxies, String> {
    match networks {
        "all" => Ok(TrustedProxies::all()),
        networks => networks.parse().map_err(|error| format!("{error}")),
    }
}

/// The value of `--strip`.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum Strip {
    IfPresent,
    Never,
}

/// Listens on `addr`, the value of `flag`.
pub(crate) async fn listen(flag: &str, addr: SocketAddr) -> TcpListener {
    match TcpListener::bind(addr).await {
        Ok(listener) => listener,
        Err(error) => fail(
            format_args!("cannot listen on {addr}: {error}; choose another address with {flag}"),
            1,
        ),
    }
}

/// Prints the address and the URLs of `pages`, and serves `app`. Its requests have the
/// `ConnectInfo` that `RootPathLayer` needs to recognize trusted proxies.
pub(crate) async fn serve(listener: TcpListener, app: Router, pages: &[&str]) {
    let addr = listener.local_addr().expect("a listener has an address");
    println!("listening on http://{addr}");
    for page in pages {
        println!("open http://{addr}{page}");
    }
    // A reader of a pipe waits for these lines.
    io::stdout().flush().expect("standard output is open");

    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    let served = axum::serve(listener, app).await;
    served.expect("axum::serve does not fail");
}

/// Prints the reason, and exits with the status.
pub(crate) fn fail(reason: impl fmt::Display, status: i32) -> ! {
    eprintln!("error: {reason}");
    process::exit(status);
}
