//! Instructions and allocations of one request, above those of the same service without the layer.

use crate::cases::{self, Budget, Case, NORMALIZE_PATH};
use std::{env, process::Command, thread};

/// Requests whose average is taken.
const REQUESTS: usize = 100;

struct Cost {
    instructions: f64,
    allocations: f64,
}

/// Prints the table. With `check`, only the rows that have a budget; ends the program with status 1
/// if one is over it.
pub(crate) fn print(check: bool) {
    let cases = cases::all();
    let normalize_path = cases.iter().find(|case| case.name == NORMALIZE_PATH);
    let unit = cost(normalize_path.expect("it is there")).instructions;
    let mut over_budget = Vec::new();

    println!("| | instructions | at most | floor | × NormalizePath | allocations | at most |");
    println!("|---|--:|--:|--:|--:|--:|--:|");
    for case in cases.iter().filter(|case| !check || case.budget.is_some()) {
        let Cost {
            instructions,
            allocations,
        } = cost(case);
        let budget = case.budget;
        let cell = |of: fn(Budget) -> f64| budget.map(of).map_or(String::new(), |n| n.to_string());
        println!(
            "| {} | {instructions:.0} | {} | {} | {:.2} | {allocations:.0} | {} |",
            case.name,
            cell(|budget| budget.instructions),
            cell(|budget| budget.floor),
            instructions / unit,
            cell(|budget| budget.allocations),
        );
        let is_over =
            |budget: Budget| instructions > budget.instructions || allocations > budget.allocations;
        if budget.is_some_and(is_over) {
            over_budget.push(case.name);
        }
    }
    if check && !over_budget.is_empty() {
        eprintln!("over budget: {}", over_budget.join(", "));
        std::process::exit(1);
    }
}

/// Instructions for an allocation and its release, if the thread's cache has a block.
///
/// What glibc's allocator really takes depends on what was freed before, even on the length of the
/// program's path: a header map for ten headers is too large for that cache.
const ALLOCATION: f64 = 130.0;

fn cost(case: &Case) -> Cost {
    let case = ["cost", case.name];
    let allocations = MEMCHECK.per_request(&case, REQUESTS);
    Cost {
        instructions: instructions(&case) + allocations * ALLOCATION,
        allocations,
    }
}

/// Instructions of one request of a case, without the allocator's. `case` are the words that select
/// it, as in `run`.
pub(crate) fn instructions(case: &[&str]) -> f64 {
    CALLGRIND.per_request(case, REQUESTS)
}

/// The same for a case where a request takes so long that there is time for a few only.
pub(crate) fn instructions_of_a_long_request(case: &[&str]) -> f64 {
    CALLGRIND.per_request(case, 1)
}

/// Bytes on the heap at the peak of one request.
pub(crate) fn peak_memory(case: &[&str]) -> f64 {
    DHAT.count(case, true, 1) - DHAT.count(case, false, 1)
}

/// A tool of valgrind, and the words before and after the number that it prints.
struct Tool {
    name: &'static str,
    before: &'static str,
    arguments: &'static [&'static str],
}

const CALLGRIND: Tool = Tool {
    name: "callgrind",
    // Counts what is not in these functions.
    arguments: &[
        "--toggle-collect=malloc",
        "--toggle-collect=calloc",
        "--toggle-collect=realloc",
        "--toggle-collect=free",
        "--collect-atstart=yes",
    ],
    before: "Collected :",
};
const MEMCHECK: Tool = Tool {
    name: "memcheck",
    // Counts blocks, and does not look for errors.
    arguments: &["--undef-value-errors=no"],
    before: "total heap usage:",
};
const DHAT: Tool = Tool {
    name: "dhat",
    arguments: &[],
    before: "At t-gmax:",
};

impl Tool {
    /// What the tool counts for one request, above what it counts without the layer.
    ///
    /// The average of `requests` after as many others: the difference has no start-up in it.
    fn per_request(&self, case: &[&str], requests: usize) -> f64 {
        let per_request = |with_layer| {
            let count = |requests| self.count(case, with_layer, requests);
            (count(2 * requests) - count(requests)) / requests as f64
        };
        thread::scope(|scope| {
            let without_layer = scope.spawn(|| per_request(false));
            per_request(true) - without_layer.join().expect("it has not panicked")
        })
    }

    /// What the tool counts in a whole run of this program.
    fn count(&self, case: &[&str], with_layer: bool, requests: usize) -> f64 {
        let program = env::current_exe().expect("this program has a path");
        let mut valgrind = Command::new("valgrind");
        valgrind.arg(format!("--tool={}", self.name));
        valgrind.args(self.arguments);
        if self.name != MEMCHECK.name {
            valgrind.arg(format!("--{}-out-file=/dev/null", self.name));
        }
        valgrind.arg(program).arg("run");
        valgrind.arg(requests.to_string()).args(case);
        if with_layer {
            valgrind.arg("--with-layer");
        }
        let output = valgrind.output().expect("valgrind is installed");
        let report = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{report}");
        let number = report.split(self.before).nth(1);
        let number = number.and_then(|rest| rest.split_whitespace().next());
        let number = number.and_then(|number| number.replace(',', "").parse().ok());
        number.unwrap_or_else(|| panic!("valgrind: {report}"))
    }
}
