//! Flags and failures, told in one line that says what to do.

use std::{fmt, net::SocketAddr, process};
use tokio::net::TcpListener;

/// Parses the command line; a bad flag ends the program with status 2.
pub(crate) fn parse<C: clap::Parser>() -> C {
    C::try_parse().unwrap_or_else(|error| {
        if !error.use_stderr() {
            error.exit(); // `--help` and `--version`
        }
        // clap says it in a paragraph, followed by the usage behind an empty line.
        let rendered = error.render().to_string();
        let lines = rendered.lines().map(str::trim);
        let first = lines.take_while(|line| !line.is_empty());
        fail(
            first
                .collect::<Vec<_>>()
                .join(" ")
                .trim_start_matches("error: "),
            2,
        )
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

fn fail(reason: impl fmt::Display, status: i32) -> ! {
    eprintln!("error: {reason}");
    process::exit(status);
}
