//! Programs that a test starts, and stops by their process id.

use http::{header::TRANSFER_ENCODING, Response};
use std::{
    env,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{mpsc, OnceLock},
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to start, to answer or to stop.
const TIMEOUT: Duration = Duration::from_secs(60);

/// A running program. Dropping it stops the program, also when the test fails.
#[derive(Debug)]
pub struct Program(Child);

impl Program {
    /// Starts `command`. The output of the program is part of the test's output, unless `command`
    /// redirects it.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        command.stdin(Stdio::null()).spawn().map(Self)
    }

    /// Starts `command`, and waits for the first `N` lines of its standard output. Later lines are
    /// read and dropped, so that the program never blocks on a full pipe.
    #[track_caller]
    pub fn start_and_read<const N: usize>(command: &mut Command) -> (Self, [String; N]) {
        let mut program = match Self::start(command.stdout(Stdio::piped())) {
            Ok(program) => program,
            Err(error) => panic!("cannot start {command:?}: {error}"),
        };
        let stdout = program.0.stdout.take().expect("standard output is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let first = std::array::from_fn(|n| match lines.recv_timeout(TIMEOUT) {
            Ok(line) => line,
            Err(_) => panic!("{command:?} printed {n} lines of {N}"),
        });
        (program, first)
    }

    /// The exit status if the program has ended.
    pub fn exit_status(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().expect("the program is a child process")
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The process id of a child that was waited for may belong to another program by now.
        if !matches!(self.0.try_wait(), Ok(None)) {
            return;
        }
        // SIGKILL would leave the workers of nginx behind, so SIGTERM comes first.
        let _ = Command::new("sh")
            .args(["-c", "kill -s TERM \"$0\"", &self.0.id().to_string()])
            .status();
        if !eventually(|| !matches!(self.0.try_wait(), Ok(None))) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// A running example that serves HTTP on a loopback address.
#[derive(Debug)]
pub struct Example {
    addr: SocketAddr,
    _program: Program,
}

impl Example {
    /// Starts `whoami` with `flags` on a free port.
    #[track_caller]
    pub fn whoami(flags: &[&str]) -> Self {
        Self::start("whoami", flags)
    }

    /// Starts the example `name` with `flags` on a free port.
    #[track_caller]
    pub fn start(name: &str, flags: &[&str]) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), name, flags)
    }

    /// Starts the example `name` with `flags` at `addr`.
    #[track_caller]
    pub fn start_at(addr: SocketAddr, name: &str, flags: &[&str]) -> Self {
        let mut command = Command::new(example(name));
        command.args(["--listen", &addr.to_string()]).args(flags);
        let (program, [line]) = Program::start_and_read(&mut command);
        let addr = line.strip_prefix("listening on http://");
        let addr = addr.and_then(|addr| addr.parse().ok());
        Self {
            addr: addr.unwrap_or_else(|| panic!("the first line of {name} is {line:?}")),
            _program: program,
        }
    }

    /// The address that the example listens on.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path` at the example's own address.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// The directory of the package `tower-root-path`. The tests of the package `interop`, which is
/// below it, find it too.
pub fn root() -> &'static Path {
    let mut directories = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    directories
        .find(|directory| directory.join("examples/proxies").is_dir())
        .expect("the examples are in this directory or in one above it")
}

/// The executable of `examples/{name}.rs`. All examples are built first, in the profile of this
/// test: `cargo test --test NAME` builds none, so an outdated one could be there.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let profile = BUILT.get_or_init(|| {
        // target/<profile>/deps/<test>
        let test = env::current_exe().expect("a test has a path");
        let profile = test.ancestors().nth(2).expect("a test is in deps/");
        let target = profile.parent().expect("a profile is in target/");
        let mut build = Command::new(env!("CARGO"));
        build.args(["build", "--quiet", "--all-features", "--examples"]);
        build.arg("--target-dir").arg(target);
        if profile.ends_with("release") {
            build.arg("--release");
        }
        let built = build.current_dir(root()).status();
        assert!(
            built.is_ok_and(|status| status.success()),
            "the examples do not build"
        );
        profile.to_owned()
    });
    let file = format!("{name}{}", env::consts::EXE_SUFFIX);
    profile.join("examples").join(file)
}

/// Sends `GET url` with further header lines. Redirects are not followed.
#[track_caller]
pub fn get_with(url: &str, lines: &[&str]) -> Response<String> {
    let rest = url.strip_prefix("http://").expect("the URL is absolute");
    let (addr, target) = rest.split_at(rest.find('/').expect("the URL has a path"));
    let addr = addr.parse().expect("the host is an address");
    let lines: Vec<_> = lines.iter().map(|line| (*line).to_owned()).collect();
    let response = get_raw_with(addr, target, &lines);
    parse(&response.unwrap_or_else(|error| panic!("{url}: {error}")))
}

/// The response in the output of [`get_raw`]. The body has no transfer coding.
#[track_caller]
pub fn parse(response: &str) -> Response<String> {
    let (head, body) = response.split_once("\r\n\r\n").expect("a head");
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1));
    let mut parsed = Response::builder().status(status.expect("a status"));
    for line in lines {
        let (name, value) = line.split_once(':').expect("a header line");
        parsed = parsed.header(name, value.trim());
    }
    let parsed = parsed.body(body.to_owned()).expect("a response");
    assert_eq!(parsed.headers().get(TRANSFER_ENCODING), None, "{response}");
    parsed
}

/// Sends `GET target`, byte for byte, and returns the head and the body of the response.
pub fn get_raw(addr: SocketAddr, target: &str) -> io::Result<String> {
    get_raw_with(addr, target, &[])
}

/// Like [`get_raw`], with further header lines.
pub fn get_raw_with(addr: SocketAddr, target: &str, lines: &[String]) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    // If `lines` contain another `Connection`, not every proxy closes the connection.
    while !is_complete(&response) {
        match stream.read(&mut buffer)? {
            0 => break,
            read => response.extend_from_slice(&buffer[..read]),
        }
    }
    String::from_utf8(response).map_err(io::Error::other)
}

/// Whether these bytes are a head, and a body as long as its `Content-Length`.
fn is_complete(response: &[u8]) -> bool {
    let end = response.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let Some(end) = end else {
        return false;
    };
    let head = String::from_utf8_lossy(&response[..end]).to_ascii_lowercase();
    let length = head.split("\r\ncontent-length:").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
    length.is_some_and(|length| response.len() >= end + 4 + length)
}

/// Repeats `done` until it returns true; false if it never does before the timeout.
pub fn eventually(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > TIMEOUT {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
