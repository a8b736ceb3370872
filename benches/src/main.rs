//! What the layers cost per request: instructions and allocations, beside other layers.
//!
//! ```text
//! cargo run --release -p benches -- cost
//! cargo run --release -p benches -- growth
//! ```

mod cases;
mod cost;
mod document;
mod growth;
mod request;

use clap::{Parser, Subcommand};
use std::{error::Error, hint::black_box, path::PathBuf};

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
    /// How the instructions of one request grow with its size and with the configuration
    Growth {
        /// The plot to write
        #[arg(long, default_value = "benches/growth.svg")]
        plot: PathBuf,
    },
    /// Send requests through one case: what the others run under valgrind
    #[command(hide = true)]
    Run {
        requests: usize,
        #[command(subcommand)]
        case: CaseName,
        #[arg(long, global = true)]
        with_layer: bool,
    },
}

#[derive(Subcommand)]
enum CaseName {
    Cost { name: String },
    Growth { axis: String, step: usize },
}

fn main() -> Result<(), Box<dyn Error>> {
    match Args::parse().command {
        Command::Cost { check } => cost::print(check),
        Command::Run {
            case,
            requests,
            with_layer,
        } => {
            let case = match case {
                CaseName::Cost { name } => cases::find(&name),
                CaseName::Growth { axis, step } => growth::find(&axis, step),
            };
            // The peak of memory is then that of a request, not that of reading the arguments.
            let ballast = vec![0_u8; 1_000_000];
            case.run(with_layer, requests);
            drop(black_box(ballast));
        }
        Command::Growth { plot } => growth::print(&plot)?,
    }
    Ok(())
}
