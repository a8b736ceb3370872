//! What the layers cost: instructions, allocations, memory, and the throughput of a server.
//!
//! ```text
//! cargo run --release -p benches -- cost
//! cargo run --release -p benches -- growth
//! cargo run --release -p benches -- load
//! ```

mod cases;
mod cost;
mod document;
mod generator;
mod growth;
mod load;
mod page;
mod request;
mod serve;

use clap::{value_parser, Parser, Subcommand};
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
        /// Only the rows that have a budget; fail if one is over it
        #[arg(long)]
        check: bool,
    },
    /// How the instructions of one request grow with its size and with the configuration
    Growth {
        /// The plot to write
        #[arg(long, default_value = "benches/growth.svg")]
        plot: PathBuf,
    },
    /// Throughput and latency of servers under load, beside the plain server
    Load {
        /// The length of one measurement; there are 28 in a round
        #[arg(long, default_value_t = 2, value_parser = value_parser!(u32).range(1..))]
        seconds: u32,
        /// Rounds, of which the median is printed
        #[arg(long, default_value_t = 15, value_parser = value_parser!(u32).range(1..))]
        rounds: u32,
        /// Print the memory of a server instead, after 100,000 and after 10,000,000 requests
        #[arg(long, conflicts_with_all = ["seconds", "rounds"])]
        memory: bool,
    },
    /// Serve one of the apps: what is put under load
    #[command(hide = true)]
    Serve { app: serve::App },
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
        Command::Load { memory: true, .. } => load::print_memory()?,
        Command::Load {
            seconds, rounds, ..
        } => load::print(seconds, rounds)?,
        Command::Serve { app } => serve::serve(app)?,
    }
    Ok(())
}
