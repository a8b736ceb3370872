//! Flags and failures, told in one line that says what to do.

use axum::Router;
use std::{
    fmt,
    io::{self, Write},
    net::SocketAddr,
    process,
};
use tokio::net::TcpListener;

/// Parses the command line; a bad flag ends the program with status 2.
pub(crate) fn parse<C: clap::Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit(); // `--help` and `--version`
        }
        // clap says it in a paragraph, and then how to go on, behind an empty line.
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

/// Listens on `addr`, which came from `flag`.
pub(crate) async fn listen(flag: &str, addr: SocketAddr) -> TcpListener {
    match TcpListener::bind(addr).await {
        Ok(listener) => listener,
        Err(error) => fail(
            format_args!("cannot listen on {addr}: {error}; choose another address with {flag}"),
            1,
        ),
    }
}

/// Says where it listens, and which of its `pages` to open; then serves `app`, with the address of
/// the peer for those who want to know whose word counts.
pub(crate) async fn serve(listener: TcpListener, app: Router, pages: &[&str]) {
    let addr = listener.local_addr().expect("a listener has an address");
    println!("listening on http://{addr}");
    for page in pages {
        println!("open http://{addr}{page}");
    }
    // Whoever waits for these lines may read them through a pipe.
    io::stdout().flush().expect("standard output is open");

    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).await.expect("serving goes on");
}

/// Ends the program, and says why.
pub(crate) fn fail(reason: impl fmt::Display, status: i32) -> ! {
    eprintln!("error: {reason}");
    process::exit(status);
}
