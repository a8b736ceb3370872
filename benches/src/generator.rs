//! Load generators: `wrk` for HTTP/1.1, `h2load` for HTTP/2.

use std::{error::Error, ffi::OsStr, fs, process::Command};
use tempfile::NamedTempFile;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// As many requests at once for both, so that the server is never idle.
const WRK: [&str; 4] = ["wrk", "--latency", "--threads=1", "--connections=32"];
const H2LOAD: [&str; 3] = ["h2load", "--clients=4", "--max-concurrent-streams=8"];

#[derive(Clone, Copy)]
pub(crate) enum Generator {
    Wrk,
    H2load,
}

/// What a generator measured.
pub(crate) struct Load {
    pub(crate) requests_per_second: f64,
    /// The 99th percentile, in microseconds.
    pub(crate) p99: f64,
}

impl Generator {
    pub(crate) const ALL: [Self; 2] = [Self::Wrk, Self::H2load];

    pub(crate) fn protocol(self) -> &'static str {
        match self {
            Self::Wrk => "HTTP/1.1",
            Self::H2load => "HTTP/2",
        }
    }

    /// Sends requests for `url` during this many seconds.
    ///
    /// # Errors
    ///
    /// If a response has a status other than 2xx and 3xx, or a connection fails.
    pub(crate) fn run(self, url: &str, seconds: u32) -> Result<Load> {
        match self {
            Self::Wrk => wrk(url, seconds),
            Self::H2load => h2load(url, seconds),
        }
    }
}

fn wrk(url: &str, seconds: u32) -> Result<Load> {
    let duration = format!("--duration={seconds}s");
    let report = run(&WRK, &[&duration, url])?;
    // Lines that are there only if there is something to report.
    for problem in ["Non-2xx or 3xx responses", "Socket errors"] {
        if report.contains(problem) {
            return Err(report.into());
        }
    }
    Ok(Load {
        requests_per_second: word_after(&report, "Requests/sec:")?.parse()?,
        p99: microseconds(word_after(&report, " 99%")?)?,
    })
}

fn h2load(url: &str, seconds: u32) -> Result<Load> {
    let duration = format!("--duration={seconds}");
    let log = NamedTempFile::new()?;
    let log_file = format!("--log-file={}", log.path().display());
    let report = run_h2load(&[&duration, &log_file, url])?;
    // A line is: start time, status, duration in microseconds.
    let log = fs::read_to_string(log.path())?;
    let durations = log.lines().map(|line| {
        let duration = line.split('\t').nth(2).and_then(|field| field.parse().ok());
        duration.ok_or_else(|| format!("line {line:?} of the log of h2load"))
    });
    let mut durations = durations.collect::<std::result::Result<Vec<u32>, _>>()?;
    durations.sort_unstable();
    let p99 = durations.get(durations.len() * 99 / 100);
    Ok(Load {
        requests_per_second: word_before(&report, " req/s")?.parse()?,
        p99: f64::from(*p99.ok_or("h2load logged no request")?),
    })
}

/// Sends this many requests for `url`.
///
/// # Errors
///
/// If a response has a status other than 2xx and 3xx, or a connection fails.
pub(crate) fn send(url: &str, requests: u64) -> Result<()> {
    let requests = format!("--requests={requests}");
    run_h2load(&[&requests, url])?;
    Ok(())
}

fn run_h2load(arguments: &[&str]) -> Result<String> {
    let report = run(&H2LOAD, arguments)?;
    for failure in ["0 failed", "0 errored", "0 timeout", "0 4xx", "0 5xx"] {
        if !report.contains(&format!(" {failure}")) {
            return Err(report.into());
        }
    }
    Ok(report)
}

/// The standard output of a generator.
fn run(generator: &[&str], arguments: &[&str]) -> Result<String> {
    let mut command = pinned_to_core(1, generator[0]);
    let output = command.args(&generator[1..]).args(arguments).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    Ok(String::from_utf8(output.stdout)?)
}

/// A program that runs on one core alone: servers on the first, generators on the second.
pub(crate) fn pinned_to_core(core: u32, program: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new("taskset");
    command.arg("--cpu-list").arg(core.to_string()).arg(program);
    command
}

fn word_after<'a>(report: &'a str, label: &str) -> Result<&'a str> {
    let rest = report.split_once(label).map(|(_, rest)| rest);
    let word = rest.and_then(|rest| rest.split_whitespace().next());
    word.ok_or_else(|| format!("no {label:?} in {report}").into())
}

fn word_before<'a>(report: &'a str, label: &str) -> Result<&'a str> {
    let before = report.split_once(label).map(|(before, _)| before);
    let word = before.and_then(|before| before.split_whitespace().next_back());
    word.ok_or_else(|| format!("no {label:?} in {report}").into())
}

/// A time of wrk, such as `1.23ms`.
fn microseconds(time: &str) -> Result<f64> {
    let units = [("us", 1.0), ("ms", 1e3), ("s", 1e6), ("m", 6e7)];
    let number = units
        .iter()
        .find_map(|(unit, factor)| Some(time.strip_suffix(unit)?.parse::<f64>().ok()? * factor));
    number.ok_or_else(|| format!("{time:?} is not a time").into())
}
