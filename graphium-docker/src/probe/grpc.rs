//! `grpc.health.v1.Health/Check` of the whole server: one call over HTTP/2 without TLS.
//!
//! The request is an empty message, and of the answer one number counts: no more of the protocol is needed here.

use super::{Failure, connect};
use bytes::{Bytes, BytesMut};
use futures::future::{Either, select};
use graphium_core::runtime::Probe;
use hyper::{HeaderMap, Method, Request, Uri};
use std::{net::SocketAddr, pin::pin};

/// An empty message: not compressed, of length 0.
const EMPTY_MESSAGE: Bytes = Bytes::from_static(&[0; 5]);
/// No answer to this call is longer.
const MOST_BYTES: usize = 4096;

pub(super) async fn check(address: SocketAddr) -> Result<Probe, Failure> {
    let wrong = |error: h2::Error| format!("{address} does not speak gRPC: {error}");
    let (sender, connection) = h2::client::handshake(connect(address).await?).await.map_err(wrong)?;
    let exchange = pin!(async {
        let mut sender = sender.ready().await.map_err(wrong)?;
        let (response, mut stream) = sender.send_request(request(address)?, false).map_err(wrong)?;
        stream.send_data(EMPTY_MESSAGE, true).map_err(wrong)?;
        let response = response.await.map_err(wrong)?;
        if response.status() != 200 {
            return Ok(Probe::failed(format!("HTTP {}, not gRPC", response.status())));
        }
        // A server without the service answers with headers alone.
        let mut status = grpc_status(response.headers());
        let mut body = response.into_body();
        let mut message = BytesMut::new();
        while let Some(chunk) = body.data().await {
            let chunk = chunk.map_err(wrong)?;
            // What is freed may be sent on by the other side; a failure shows in the next read.
            let _ = body.flow_control().release_capacity(chunk.len());
            message.extend_from_slice(&chunk);
            if message.len() > MOST_BYTES {
                return Err(format!("{address} answers with more than a health check can say"));
            }
        }
        if let Some(trailers) = body.trailers().await.map_err(wrong)? {
            status = status.or(grpc_status(&trailers));
        }
        Ok(verdict(status, &message))
    });
    match select(exchange, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        Either::Right((Err(error), _)) => Err(wrong(error)),
        Either::Right((Ok(()), exchange)) => exchange.await,
    }
}

fn request(address: SocketAddr) -> Result<Request<()>, Failure> {
    let uri: Uri = format!("http://{address}/grpc.health.v1.Health/Check")
        .parse()
        .map_err(|error| format!("{address} is no address: {error}"))?;
    let request = Request::builder().method(Method::POST).uri(uri);
    let request = request.header("content-type", "application/grpc").header("te", "trailers");
    request.body(()).map_err(|error| error.to_string())
}

/// The code and the words with which a call ended.
fn grpc_status(headers: &HeaderMap) -> Option<(u32, String)> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Some((text("grpc-status")?.parse().ok()?, text("grpc-message").unwrap_or_default().to_owned()))
}

fn verdict(status: Option<(u32, String)>, message: &[u8]) -> Probe {
    match status {
        Some((0, _)) => {}
        Some((5, _)) => return Probe::failed("gRPC status 5: it does not know the service"),
        Some((12, _)) => return Probe::failed("gRPC status 12: it has no grpc.health.v1.Health"),
        Some((code, words)) => return Probe::failed(format!("gRPC status {code}: {words}")),
        None => return Probe::failed("the answer has no gRPC status"),
    }
    match serving(message) {
        Some(1) => Probe::passed("SERVING"),
        Some(0) => Probe::failed("UNKNOWN"),
        Some(2) => Probe::failed("NOT_SERVING"),
        Some(3) => Probe::failed("SERVICE_UNKNOWN"),
        Some(other) => Probe::failed(format!("status {other}")),
        None => Probe::failed("the answer is no HealthCheckResponse"),
    }
}

/// The field `status` of a `HealthCheckResponse` behind the five bytes that go before a message; 0 where it is left out.
fn serving(framed: &[u8]) -> Option<u64> {
    let (head, message) = framed.split_at_checked(5)?;
    let length = u32::from_be_bytes(head[1..].try_into().ok()?) as usize;
    if head[0] != 0 || message.len() != length {
        return None;
    }
    let (mut status, mut rest) = (0, message);
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        match (key >> 3, key & 7) {
            (1, 0) => status = varint(&mut rest)?,
            // Fields of later versions are skipped by their kind.
            (_, 0) => drop(varint(&mut rest)?),
            (_, 1) => rest = rest.get(8..)?,
            (_, 2) => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                rest = rest.get(length..)?;
            }
            (_, 5) => rest = rest.get(4..)?,
            _ => return None,
        }
    }
    Some(status)
}

/// A number in base 128, the least significant part first.
fn varint(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_response_is_read_as_its_protocol_writes_it() {
        for (message, status) in [
            (&[0, 0, 0, 0, 2, 8, 1][..], Some(1)),
            (&[0, 0, 0, 0, 2, 8, 2], Some(2)),
            (&[0, 0, 0, 0, 0], Some(0)),
            (&[0, 0, 0, 0, 3, 8, 0x81, 0x01], Some(129)),
            // An unknown field of each kind before it.
            (&[0, 0, 0, 0, 6, 18, 2, b'h', b'i', 8, 1], Some(1)),
            (&[0, 0, 0, 0, 11, 17, 0, 0, 0, 0, 0, 0, 0, 0, 8, 1], Some(1)),
            (&[0, 0, 0, 0, 7, 29, 0, 0, 0, 0, 8, 1], Some(1)),
            (&[0, 0, 0, 0, 4, 16, 9, 8, 1], Some(1)),
            (&[], None),
            (&[1, 0, 0, 0, 2, 8, 1], None),
            (&[0, 0, 0, 0, 3, 8, 1], None),
            (&[0, 0, 0, 0, 1, 8], None),
            (&[0, 0, 0, 0, 2, 11, 1], None),
            (&[0, 0, 0, 0, 3, 18, 9, 1], None),
        ] {
            assert_eq!(serving(message), status, "{message:?}");
        }
    }

    #[test]
    fn a_call_that_failed_is_told_by_its_code() {
        let serving = [0, 0, 0, 0, 2, 8, 1];
        assert_eq!(verdict(Some((0, String::new())), &serving), Probe::passed("SERVING"));
        assert!(!verdict(None, &serving).is_well);
        assert!(verdict(Some((12, String::new())), &[]).output.contains("no grpc.health.v1.Health"));
        assert_eq!(verdict(Some((14, "away".to_owned())), &[]), Probe::failed("gRPC status 14: away"));
    }
}
