//! Asking a container over the network how it is.
//!
//! From here, as a process of its host: at its address on its network, or at the host's own where it has none of its own.
//! Every question is bounded in time by its caller, and every answer in bytes.

mod grpc;
mod http;

use graphium_core::{runtime::Probe, stack::HealthTest};
use hyper_util::rt::TokioIo;
use std::{
    io,
    net::{IpAddr, SocketAddr},
    time::Duration,
};
use tokio::{net::TcpStream, time::timeout};

/// Why there is no answer, in words.
type Failure = String;

/// Asks, and takes no longer than `limit`.
pub(crate) async fn ask(address: IpAddr, test: &HealthTest, limit: Duration) -> Probe {
    let answer = async {
        match test {
            HealthTest::Http { path, port, headers } => http::get(SocketAddr::new(address, *port), path, headers).await,
            HealthTest::Tcp { port } => {
                let address = SocketAddr::new(address, *port);
                connect(address).await.map(|_| Probe::passed(format!("{address} is open")))
            }
            HealthTest::Grpc { port } => grpc::check(SocketAddr::new(address, *port)).await,
            HealthTest::Exec { .. } | HealthTest::Shell { .. } | HealthTest::None => {
                Err("this is no question over the network".to_owned())
            }
        }
    };
    match timeout(limit, answer).await {
        Ok(answer) => answer.unwrap_or_else(Probe::failed),
        Err(_) => Probe::failed(format!("no answer from {address} within {} s", limit.as_secs_f64())),
    }
}

async fn connect(address: SocketAddr) -> Result<TcpStream, Failure> {
    TcpStream::connect(address).await.map_err(|error| format!("{address}: {}", plain(&error)))
}

async fn open(address: SocketAddr) -> Result<TokioIo<TcpStream>, Failure> {
    connect(address).await.map(TokioIo::new)
}

/// An error of the operating system without its number.
fn plain(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.as_str(), |(words, _)| words).to_lowercase()
}

#[cfg(test)]
mod tests;
