//! What a server and an agent take when nothing happens: memory, processor time, the size of the binary.
//!
//! ```text
//! cargo bench -p graphium-server --bench footprint
//! ```
//!
//! Needs root on Linux with Docker.

#![allow(unreachable_pub, reason = "a program of its own, in several files")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a benchmark for people")]
#![allow(dead_code, reason = "the tests use more of the estate")]

#[path = "../tests/hosts/estate.rs"]
mod estate;

use estate::Estate;
use std::{fs, time::Duration};

/// How long nothing happens.
const IDLE: Duration = Duration::from_secs(60);

#[tokio::main]
async fn main() {
    if std::env::args().any(|argument| argument == "--test") {
        return;
    }
    let size = fs::metadata(env!("CARGO_BIN_EXE_graphium")).unwrap().len();
    println!("binary {:.1} MB", mebibytes(size));
    let estate = Estate::start().await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let processes = estate.processes();
    let before: Vec<Duration> = processes.iter().map(|(_, pid)| processor_time(*pid)).collect();
    tokio::time::sleep(IDLE).await;
    for ((name, pid), before) in processes.iter().zip(before) {
        let used = (processor_time(*pid) - before).as_secs_f64() / IDLE.as_secs_f64() * 100.0;
        println!("{name}: {:.1} MiB resident, {used:.2} % of a core", mebibytes(resident(*pid)));
    }
    estate.end().await;
}

#[expect(clippy::cast_precision_loss, reason = "shown with one digit")]
fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

/// User and system time; the kernel counts in hundredths of a second.
fn processor_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let fields: Vec<u64> = after_name.split_whitespace().skip(11).take(2).map(|field| field.parse().unwrap()).collect();
    Duration::from_millis((fields[0] + fields[1]) * 10)
}
