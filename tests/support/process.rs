//! Programs that a test starts, and ends by their id.

use std::{
    env,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Child, Command, Stdio},
    sync::{
        atomic::{AtomicU16, Ordering},
        mpsc, OnceLock,
    },
    thread,
    time::{Duration, Instant},
};

/// How long a program may take to start or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A program that ends with the test, whether the test fails or not.
#[derive(Debug)]
pub struct Program {
    name: String,
    child: Child,
    log: Option<PathBuf>,
}

impl Program {
    /// Starts `command`. What it prints is seen among the output of the tests, unless `command`
    /// says otherwise.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let name = command.get_program().to_string_lossy().into_owned();
        match command.stdin(Stdio::null()).spawn() {
            Ok(child) => Self {
                name,
                child,
                log: None,
            },
            Err(error) => panic!("cannot start {name}: {error}; run tests/install-tools.sh"),
        }
    }

    /// Starts `command`, and waits until it accepts connections at `addr`. What it prints goes to
    /// the file `log`, and is told if it ends too early.
    #[track_caller]
    pub fn start_at(addr: SocketAddr, command: &mut Command, log: PathBuf) -> Self {
        assert!(!accepts(addr), "another program listens on {addr} already");
        let file = || File::options().create(true).append(true).open(&log);
        let [out, err] = [file(), file()].map(|file| file.expect("it can be written to"));
        let mut program = Self::start(command.stdout(out).stderr(err));
        program.log = Some(log);
        program.wait_until(&format!("it listens on {addr}"), || accepts(addr));
        program
    }

    /// Starts `command`, and waits for the first `N` lines of standard output. What comes behind
    /// them is read and dropped, so that the program never waits for a reader.
    #[track_caller]
    pub fn start_and_read<const N: usize>(command: &mut Command) -> (Self, [String; N]) {
        let mut program = Self::start(command.stdout(Stdio::piped()));
        let stdout = program.child.stdout.take().expect("it is piped");
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                let _ = sender.send(String::from_utf8_lossy(&line).into_owned());
            }
        });
        let first = std::array::from_fn(|_| match lines.recv_timeout(PATIENCE) {
            Ok(line) => line,
            Err(_) => panic!("{} ended, or waits, before it says enough", program.name),
        });
        (program, first)
    }

    /// Waits until `ready`; panics if the program ends before, or takes too long.
    #[track_caller]
    pub fn wait_until(&mut self, what: &str, mut ready: impl FnMut() -> bool) {
        let mut ended = None;
        let in_time = eventually(|| {
            ended = self.child.try_wait().expect("it is a child");
            ended.is_some() || ready()
        });
        let name = &self.name;
        let log = self.log.as_ref().map(fs::read).and_then(Result::ok);
        let log = String::from_utf8_lossy(log.as_deref().unwrap_or_default());
        if let Some(status) = ended {
            panic!("{name} ended before {what}: {status}\n{log}");
        }
        assert!(in_time, "{name}: it takes too long until {what}\n{log}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // The id of a child that was waited for may belong to another program by now.
        if !matches!(self.child.try_wait(), Ok(None)) {
            return;
        }
        // nginx, if it is killed, leaves its workers behind: it is asked to end first.
        let _ = Command::new("sh")
            .args(["-c", "kill -s TERM \"$0\"", &self.child.id().to_string()])
            .status();
        if !eventually(|| !matches!(self.child.try_wait(), Ok(None))) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// An example that serves, on a port of this machine.
#[derive(Debug)]
pub struct Example {
    addr: SocketAddr,
    _program: Program,
}

impl Example {
    /// Starts `whoami` with `flags`, on a port of its own.
    #[track_caller]
    pub fn whoami(flags: &[&str]) -> Self {
        Self::start("whoami", flags)
    }

    /// Starts the example `name` with `flags`, on a port of its own.
    #[track_caller]
    pub fn start(name: &str, flags: &[&str]) -> Self {
        Self::start_at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), name, flags)
    }

    /// Starts the example `name` with `flags`, at `addr`.
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

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// The URL of `path` without a proxy.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
}

/// Files of a program, in a directory that is there as long as this is.
#[derive(Debug)]
pub struct Files(PathBuf);

impl Files {
    /// Writes `files`, each a name and a text, to a directory of their own.
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{next}", process::id()));
        fs::create_dir_all(&path).expect("there is a directory for temporary files");
        for (name, text) in files {
            fs::write(path.join(name), text).expect("it can be written to");
        }
        Self(path)
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The directory of `tower-root-path`, in its own tests and in those of another package below it.
pub fn root() -> &'static Path {
    let mut directories = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    directories
        .find(|directory| directory.join("examples/proxies").is_dir())
        .expect("the tests are in the repository")
}

/// The program of `examples/{name}.rs`, built in the profile of this test: `cargo test --test` alone
/// would leave an old one there, or none.
#[track_caller]
pub fn example(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let profile = BUILT.get_or_init(|| {
        // target/<profile>/deps/<test>
        let test = env::current_exe().expect("a test has a path");
        let profile = test.ancestors().nth(2).expect("a test is in deps/");
        let mut build = Command::new(env!("CARGO"));
        build.args([
            "build",
            "--quiet",
            "--all-features",
            "--examples",
            "--target-dir",
        ]);
        build.arg(profile.parent().expect("a profile is in target/"));
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

/// An address of this machine that nothing listens on.
///
/// Its port is below those that systems give to outgoing connections, so no client of another test
/// can take it before the program does.
pub fn free_addr() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slot = u16::try_from(process::id() % 200).expect("it is less than 200");
    let mut candidates = (0..100).map(|_| {
        let port = 10_000 + 100 * slot + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    candidates
        // To listen there for a moment would be to be seen: a program that another thread starts
        // inherits the listener until it is executed.
        .find(|addr| !accepts(*addr))
        .expect("one port in a hundred is free")
}

/// The response, head and body, to a request target that goes out byte by byte.
pub fn get_raw(addr: SocketAddr, target: &str) -> io::Result<String> {
    get_raw_with(addr, target, &[])
}

/// The same with header lines.
pub fn get_raw_with(addr: SocketAddr, target: &str, lines: &[String]) -> io::Result<String> {
    let mut stream = TcpStream::connect(addr)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let lines: String = lines.iter().map(|line| format!("{line}\r\n")).collect();
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {addr}\r\nConnection: close\r\n{lines}\r\n");
    stream.write_all(request.as_bytes())?;
    let mut response = Vec::new();
    let mut buffer = [0; 4096];
    // Not every proxy closes if `lines` have another `Connection`.
    while !is_whole(&response) {
        match stream.read(&mut buffer)? {
            0 => break,
            read => response.extend_from_slice(&buffer[..read]),
        }
    }
    String::from_utf8(response).map_err(io::Error::other)
}

/// Whether these bytes are a head, and a body of the length that it says.
fn is_whole(response: &[u8]) -> bool {
    let response = String::from_utf8_lossy(response).to_ascii_lowercase();
    let Some((head, body)) = response.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.split("\r\ncontent-length:").nth(1);
    let length = length.and_then(|rest| rest.lines().next()?.trim().parse::<usize>().ok());
    length.is_some_and(|length| body.len() >= length)
}

fn accepts(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_ok()
}

/// Asks again and again, and tells whether `done` came true in time.
fn eventually(mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > PATIENCE {
            return false;
        }
        thread::sleep(Duration::from_millis(10));
    }
    true
}
