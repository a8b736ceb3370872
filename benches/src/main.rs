//! What the layers cost per request: instructions and allocations, beside other layers.
//!
//! ```text
//! cargo run --release -p benches -- cost
//! ```

mod cases;
mod cost;
mod request;

use clap::{Parser, Subcommand};

/// What the layers of tower-root-path cost
#[derive(Parser)]
struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Instructions (by valgrind) and allocations of one request, beside other layers
    Cost {
        /// Fail if a row is over its budget
        #[arg(long)]
        check: bool,
    },
    /// Send requests through one case: what `cost` runs under valgrind
    #[command(hide = true)]
    Run {
        case: String,
        requests: usize,
        #[arg(long)]
        with_layer: bool,
    },
}

fn main() {
    match Args::parse().command {
        Command::Cost { check } => cost::print(check),
        Command::Run {
            case,
            requests,
            with_layer,
        } => cases::find(&case).run(with_layer, requests),
    }
}
