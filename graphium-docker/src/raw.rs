//! Requests on a connection of their own, for what bollard would read wrongly: it takes the bytes of a terminal for lines, keeps
//! one that does not end for ever, and takes the bytes 0 to 2 at the beginning of a piece for the head of a frame.

use crate::{
    Endpoint,
    connection::{ApiVersion, Connection},
    dial,
    error::Fault,
};
use bytes::{Bytes, BytesMut};
use graphium_core::runtime::RuntimeError;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1,
    header::{CONNECTION, CONTENT_TYPE, HOST, UPGRADE},
    upgrade::Upgraded,
};
use hyper_util::rt::TokioIo;
use std::{io, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::UnixStream,
    task::JoinHandle,
};

/// How long a connection may take to come about.
const DIAL: Duration = Duration::from_secs(30);
/// No more is read of the engine's words about what went wrong.
const MOST_WORDS: usize = 64 * 1024;

trait Road: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Road for T {}

/// What is asked. The parts of its path are ids and words of ours.
pub(crate) struct Raw {
    method: Method,
    path: String,
    body: Option<String>,
}

impl Raw {
    pub(crate) fn get(path: String) -> Self {
        Self { method: Method::GET, path, body: None }
    }

    /// A request after whose answer the connection is the stream of a command.
    pub(crate) fn taking_over(path: String, body: String) -> Self {
        Self { method: Method::POST, path, body: Some(body) }
    }

    fn request(self, host: &str, api: ApiVersion) -> Result<Request<Full<Bytes>>, RuntimeError> {
        let mut request =
            Request::builder().method(self.method).uri(format!("/v{api}{}", self.path)).header(HOST, host);
        if self.body.is_some() {
            request =
                request.header(CONTENT_TYPE, "application/json").header(CONNECTION, "Upgrade").header(UPGRADE, "tcp");
        }
        let body = Full::new(self.body.unwrap_or_default().into());
        request.body(body).map_err(|error| RuntimeError::Refused(error.to_string()))
    }
}

/// An answer, and the connection that it comes over, which ends with it.
pub(crate) struct Answer {
    response: Response<Incoming>,
    driver: Driver,
}

struct Driver(JoinHandle<()>);

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Connection {
    /// Asks on a connection of its own. The answer may take its time; whoever asks has a deadline.
    pub(crate) async fn ask_raw(&self, raw: Raw) -> Result<Answer, Fault> {
        let api = self.client().await?.api;
        let endpoint = self.endpoint();
        let host = match endpoint {
            Endpoint::Http(authority) => authority.as_str(),
            Endpoint::Tls(target) => target.authority.as_str(),
            Endpoint::Unix(_) | Endpoint::Ssh(_) => "engine",
        };
        let request = raw.request(host, api)?;
        let dialled = tokio::time::timeout(DIAL, road(endpoint)).await;
        let road =
            dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())).map_err(|error| self.away(&error))?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(road)).await.map_err(|error| self.away(&deepest(&error)))?;
        let driver = Driver(tokio::spawn(async move {
            // What went wrong is told to whoever reads.
            let _ = connection.with_upgrades().await;
        }));
        let response = sender.send_request(request).await.map_err(|error| self.away(&deepest(&error)))?;
        let status = response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(Answer { response, driver });
        }
        Err(Fault::Status { code: status.as_u16(), message: words(response).await })
    }

    /// The error of an engine that is not to be heard.
    pub(crate) fn away(&self, reason: &dyn std::fmt::Display) -> Fault {
        self.forget();
        let endpoint = self.endpoint().to_string();
        Fault::Other(RuntimeError::Unreachable { endpoint, reason: reason.to_string() })
    }
}

impl Answer {
    /// Its body, piece by piece as it comes.
    pub(crate) fn into_pieces(self) -> Pieces {
        Pieces { body: self.response.into_body(), _driver: self.driver }
    }

    /// The connection itself, in both directions; `None`: the engine did not hand it over.
    pub(crate) async fn into_stream(self) -> Option<TokioIo<Upgraded>> {
        if self.response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return None;
        }
        // The driver hands it over, and is done.
        let upgraded = hyper::upgrade::on(self.response).await.ok()?;
        Some(TokioIo::new(upgraded))
    }
}

/// The bytes of an answer.
pub(crate) struct Pieces {
    body: Incoming,
    _driver: Driver,
}

impl Pieces {
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, String>> {
        loop {
            match self.body.frame().await? {
                Ok(frame) => match frame.into_data() {
                    Ok(data) if data.is_empty() => {}
                    Ok(data) => return Some(Ok(data)),
                    Err(_) => {}
                },
                Err(error) => return Some(Err(deepest(&error))),
            }
        }
    }
}

/// Pieces of standard output and standard error, as an engine puts them on one line: eight bytes before each say to where, and how
/// many follow. However long one is, it is handed on as it comes.
#[derive(Debug, Default)]
pub(crate) struct Demultiplexer {
    head: BytesMut,
    is_error: bool,
    rest: usize,
}

impl Demultiplexer {
    /// Takes in bytes, and says what they are: whether they are of standard error, and which.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut say: impl FnMut(bool, &[u8])) {
        while !bytes.is_empty() {
            if self.rest == 0 {
                let (head, rest) = bytes.split_at(bytes.len().min(8 - self.head.len()));
                self.head.extend_from_slice(head);
                bytes = rest;
                if let [stream, _, _, _, a, b, c, d] = self.head[..] {
                    self.is_error = stream == 2;
                    self.rest = u32::from_be_bytes([a, b, c, d]) as usize;
                    self.head.clear();
                }
            } else {
                let (piece, rest) = bytes.split_at(bytes.len().min(self.rest));
                say(self.is_error, piece);
                self.rest -= piece.len();
                bytes = rest;
            }
        }
    }
}

async fn road(endpoint: &Endpoint) -> io::Result<Box<dyn Road>> {
    Ok(match endpoint {
        Endpoint::Unix(path) => Box::new(UnixStream::connect(path).await?),
        Endpoint::Http(authority) => Box::new(dial::tcp::line(authority).await?),
        Endpoint::Tls(target) => Box::new(dial::tls::line(target).await?),
        Endpoint::Ssh(target) => Box::new(dial::ssh_line(target)?),
    })
}

/// The engine's own words about what went wrong.
async fn words(response: Response<Incoming>) -> String {
    let body = Limited::new(response.into_body(), MOST_WORDS).collect();
    let Ok(Ok(body)) = tokio::time::timeout(DIAL, body).await else { return String::new() };
    let bytes = body.to_bytes();
    let message = serde_json::from_slice::<serde_json::Value>(&bytes).ok();
    let message = message.and_then(|answer| Some(answer.get("message")?.as_str()?.trim().to_owned()));
    message.unwrap_or_else(|| String::from_utf8_lossy(&bytes).trim().to_owned())
}

fn deepest(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_told_apart_however_the_bytes_are_cut() {
        let mut wire = Vec::new();
        for (stream, text) in [(1u8, "out"), (2, "err"), (1, ""), (1, "\u{0}\u{1}\u{2}"), (2, "end")] {
            wire.extend([stream, 0, 0, 0]);
            wire.extend((text.len() as u32).to_be_bytes());
            wire.extend(text.as_bytes());
        }
        for cut in 0..wire.len() {
            let (mut out, mut err) = (Vec::new(), Vec::new());
            let mut demultiplexer = Demultiplexer::default();
            for part in [&wire[..cut], &wire[cut..]] {
                demultiplexer.feed(part, |is_error, piece| {
                    if is_error { &mut err } else { &mut out }.extend_from_slice(piece);
                });
            }
            assert_eq!((out.as_slice(), err.as_slice()), (&b"out\0\x01\x02"[..], &b"errend"[..]), "cut at {cut}");
        }
    }

    #[test]
    fn a_piece_is_handed_on_before_it_has_come_whole() {
        let mut demultiplexer = Demultiplexer::default();
        let mut seen = 0;
        demultiplexer.feed(&[1, 0, 0, 0, 0x40, 0, 0, 0], |_, _| panic!("that is its head"));
        for _ in 0..100 {
            demultiplexer.feed(&[7; 4096], |_, piece| seen += piece.len());
        }
        assert_eq!(seen, 100 * 4096);
    }
}
