//! Installed servers, with the files and the ports that they need.

use super::process::{eventually, Program};
use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{self, Command},
    sync::atomic::{AtomicU16, Ordering},
};

/// A running program that accepts connections. Dropping it stops the program.
#[derive(Debug)]
pub struct Server {
    name: String,
    program: Program,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, and waits until it accepts connections at `addr`. Its output goes to the
    /// file `log`, which is printed if the program ends too early.
    #[track_caller]
    pub fn start(addr: SocketAddr, command: &mut Command, log: PathBuf) -> Self {
        assert!(!accepts(addr), "another program listens on {addr}");
        let name = command.get_program().to_string_lossy().into_owned();
        let file = || File::options().create(true).append(true).open(&log);
        let [out, err] = [file(), file()].map(|file| file.expect("the log is writable"));
        let program = match Program::start(command.stdout(out).stderr(err)) {
            Ok(program) => program,
            Err(error) => panic!("cannot start {name}: {error}; run interop/install-tools.sh"),
        };
        let mut server = Self { name, program, log };
        server.wait_until(&format!("it listens on {addr}"), || accepts(addr));
        server
    }

    /// Waits until `ready`; panics if the program ends before that, or if it takes too long.
    #[track_caller]
    pub fn wait_until(&mut self, condition: &str, mut ready: impl FnMut() -> bool) {
        let Self { name, program, log } = self;
        let mut ended = None;
        let in_time = eventually(|| {
            ended = program.exit_status();
            ended.is_some() || ready()
        });
        let log = fs::read(log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        if let Some(status) = ended {
            panic!("{name} ended before {condition}: {status}\n{log}");
        }
        assert!(in_time, "{name}: timeout before {condition}\n{log}");
    }
}

/// A directory of files for a program. Dropping it removes the directory.
#[derive(Debug)]
pub struct Files(PathBuf);

impl Files {
    /// Writes `files`, each a name and a text, to a new directory.
    pub fn new(files: &[(&str, &str)]) -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{next}", process::id()));
        fs::create_dir_all(&path).expect("the directory for temporary files is writable");
        for (name, text) in files {
            fs::write(path.join(name), text).expect("the new directory is writable");
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

/// A loopback address that no program listens on.
///
/// Its port is below the range from which systems take the ports of outgoing connections, so no
/// client of another test can occupy it before the program does.
pub fn free_addr() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slot = u16::try_from(process::id() % 200).expect("the remainder is below 200");
    let mut candidates = (0..100).map(|_| {
        let port = 10_000 + 100 * slot + NEXT.fetch_add(1, Ordering::Relaxed) % 100;
        SocketAddr::from((Ipv4Addr::LOCALHOST, port))
    });
    candidates
        // Not by binding a listener for a moment: a program that another thread starts at that
        // moment would inherit it until its `exec`.
        .find(|addr| !accepts(*addr))
        .expect("one port in a hundred is free")
}

fn accepts(addr: SocketAddr) -> bool {
    TcpStream::connect(addr).is_ok()
}
