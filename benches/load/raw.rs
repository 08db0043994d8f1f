//! HTTP/1.1 by hand: a request is bytes that lie ready, so that asking costs this process little beside the server.

use std::{io, net::SocketAddr, time::Duration};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

/// No answer takes so long that is of any worth.
const PATIENCE: Duration = Duration::from_secs(30);

/// A connection on which one request follows another.
pub struct Raw {
    stream: TcpStream,
    bytes: Vec<u8>,
}

/// An answer.
pub struct Answer {
    pub status: u16,
    /// Whether it says when to ask again.
    pub says_when: bool,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(':'));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

impl Raw {
    pub async fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = timeout(PATIENCE, TcpStream::connect(address)).await.map_err(io::Error::other)??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, bytes: Vec::new() })
    }

    pub async fn ask(&mut self, request: &[u8]) -> io::Result<Answer> {
        timeout(PATIENCE, self.exchange(request)).await.map_err(io::Error::other)?
    }

    async fn exchange(&mut self, request: &[u8]) -> io::Result<Answer> {
        self.stream.write_all(request).await?;
        let end = loop {
            if let Some(end) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                break end + 4;
            }
            self.more().await?;
        };
        let head = String::from_utf8_lossy(&self.bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
        let mut answer = Answer { status, says_when: false, head, body: Vec::new() };
        answer.says_when = answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok());
        let length = answer.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0_usize);
        while self.bytes.len() < end + length {
            self.more().await?;
        }
        answer.body = self.bytes[end..end + length].to_vec();
        self.bytes.drain(..end + length);
        Ok(answer)
    }

    async fn more(&mut self) -> io::Result<()> {
        self.bytes.reserve(8192);
        match self.stream.read_buf(&mut self.bytes).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// The connection, for what is no exchange any more, and what has come of it already.
    pub fn into_parts(self) -> (TcpStream, Vec<u8>) {
        (self.stream, self.bytes)
    }
}

/// A request's bytes.
pub fn request(method: &str, path: &str, token: &str, body: Option<&serde_json::Value>) -> Vec<u8> {
    let body = body.map(ToString::to_string).unwrap_or_default();
    let length = if method == "GET" { String::new() } else { format!("content-length: {}\r\n", body.len()) };
    format!("{method} {path} HTTP/1.1\r\nhost: load\r\nauthorization: Bearer {token}\r\n{length}\r\n{body}")
        .into_bytes()
}
