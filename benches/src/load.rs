//! Throughput and latency of servers with a layer, beside the same server without it.

use crate::{
    generator::{self, pinned_to_core, Generator, Load},
    serve::App,
};
use clap::ValueEnum;
use procfs::process::Process;
use std::{
    collections::HashMap,
    env,
    error::Error,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A request to a server, and the request to the plain server that it is compared with.
struct Row {
    name: &'static str,
    app: App,
    path: &'static str,
    plain_path: &'static str,
    /// What is in the head of the response.
    expected: &'static str,
}

const OK: &str = "HTTP/1.1 200 OK";

const ROWS: &[Row] = &[
    Row {
        name: "the plain Router again",
        app: App::PlainAgain,
        path: "/users",
        plain_path: "/users",
        expected: OK,
    },
    Row {
        name: "`Router::layer`, already stripped",
        app: App::RouterLayer,
        path: "/users",
        plain_path: "/users",
        expected: OK,
    },
    Row {
        name: "`Router::layer`, redirect rewritten",
        app: App::RouterLayer,
        path: "/old",
        plain_path: "/old",
        expected: "location: /api/v1/users\r\n",
    },
    Row {
        name: "the layer around the Router, already stripped",
        app: App::Around,
        path: "/users",
        plain_path: "/users",
        expected: OK,
    },
    Row {
        name: "the layer around the Router, strip",
        app: App::AroundStrip,
        path: "/api/v1/users",
        plain_path: "/users",
        expected: OK,
    },
    Row {
        name: "`wrap`, strip",
        app: App::WrapStrip,
        path: "/api/v1/users",
        plain_path: "/users",
        expected: OK,
    },
    Row {
        name: "axum's `Router::nest`",
        app: App::Nest,
        path: "/api/v1/users",
        plain_path: "/users",
        expected: OK,
    },
];

/// Prints the throughput and the latency of each row as ratios to those of the plain server.
pub(crate) fn print(seconds: u32, rounds: u32) -> Result<()> {
    let servers = App::value_variants().iter();
    let servers = servers.map(|app| Ok((*app, Server::start(*app)?)));
    let servers = servers.collect::<Result<HashMap<_, _>>>()?;
    let plain = &servers[&App::Plain];
    for row in ROWS {
        servers[&row.app].expect(row.path, row.expected)?;
    }

    let measured = || Generator::ALL.map(|generator| (generator, Ratios::default()));
    let mut measured: Vec<_> = ROWS.iter().map(|row| (row, measured())).collect();
    for round in 1..=rounds {
        eprintln!("round {round} of {rounds}");
        for (row, generators) in &mut measured {
            for (generator, ratios) in generators {
                // One after the other, so that whatever else the machine does hits both.
                let without = generator.run(&plain.url(row.plain_path), seconds)?;
                let with_layer = generator.run(&servers[&row.app].url(row.path), seconds)?;
                ratios.push(&with_layer, &without);
            }
        }
    }

    println!("| | protocol | throughput | p99 latency |");
    println!("|---|---|--:|--:|");
    for (row, generators) in measured {
        for (generator, ratios) in generators {
            let (name, protocol) = (row.name, generator.protocol());
            let (throughput, p99) = (summary(ratios.throughput), summary(ratios.p99));
            println!("| {name} | {protocol} | {throughput} | {p99} |");
        }
    }
    Ok(())
}

/// Ratios of one row, one for each round.
#[derive(Default)]
struct Ratios {
    throughput: Vec<f64>,
    p99: Vec<f64>,
}

impl Ratios {
    fn push(&mut self, with_layer: &Load, without: &Load) {
        let throughput = with_layer.requests_per_second / without.requests_per_second;
        self.throughput.push(throughput);
        self.p99.push(with_layer.p99 / without.p99);
    }
}

/// The median, and the range of the middle half.
fn summary(mut ratios: Vec<f64>) -> String {
    ratios.sort_by(f64::total_cmp);
    let quartile = |i| ratios[(ratios.len() - 1) * i / 4];
    let [low, median, high] = [1, 2, 3].map(quartile);
    format!("{median:.3} ({low:.3} to {high:.3})")
}

/// Requests before the first and before the second look at the memory.
const FEW: u64 = 100_000;
const MANY: u64 = 10_000_000;

/// What the memory of a server may grow by, in kB: buffers of connections that are closed again.
const TOLERANCE: u64 = 512;

/// Prints the resident memory of a server that strips and rewrites, after few and many requests.
///
/// # Errors
///
/// If it has grown.
pub(crate) fn print_memory() -> Result<()> {
    let server = Server::start(App::AroundStrip)?;
    server.expect("/api/v1/old", "location: /api/v1/users\r\n")?;
    let url = server.url("/api/v1/old");
    println!("| requests | resident memory |");
    println!("|--:|--:|");
    let memory_after = |more, requests| -> Result<u64> {
        generator::send(&url, more)?;
        let memory = server.resident_memory()?;
        println!("| {requests} | {memory} kB |");
        Ok(memory)
    };
    let few = memory_after(FEW, FEW)?;
    let many = memory_after(MANY - FEW, MANY)?;
    if many > few + TOLERANCE {
        return Err("the memory has grown".into());
    }
    Ok(())
}

/// A server in a process of its own, which ends when this value is dropped.
struct Server {
    process: Child,
    addr: String,
}

impl Server {
    fn start(app: App) -> Result<Self> {
        let name = app.to_possible_value().expect("no variant is skipped");
        let process = pinned_to_core(0, env::current_exe()?)
            .args(["serve", name.get_name()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut server = Self {
            process,
            addr: String::new(),
        };
        let stdout = server.process.stdout.take().expect("it is piped");
        BufReader::new(stdout).read_line(&mut server.addr)?;
        server.addr.truncate(server.addr.trim_end().len());
        Ok(server)
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// Checks that the response for `path` is the one that is to be measured.
    fn expect(&self, path: &str, expected: &str) -> Result<()> {
        let mut stream = TcpStream::connect(&self.addr)?;
        let addr = &self.addr;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: {addr}\r\nconnection: close\r\n\r\n"
        )?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        if !response.contains(expected) {
            return Err(format!("no {expected:?} for {path} in: {response}").into());
        }
        Ok(())
    }

    /// In kB.
    fn resident_memory(&self) -> Result<u64> {
        let process = Process::new(self.process.id().try_into()?)?;
        let memory = process.status()?.vmrss;
        memory.ok_or_else(|| "the server has ended".into())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Fails only if it has ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
