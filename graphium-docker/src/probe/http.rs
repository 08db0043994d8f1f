//! GET over HTTP/1.1: 200 to 399 is well, a redirection as well, which is not followed.

use super::{Failure, open};
use bytes::Bytes;
use futures::future::{Either, select};
use graphium_core::{runtime::Probe, stack::TextMap};
use http_body_util::{BodyExt as _, Empty};
use hyper::{
    Request,
    body::Incoming,
    client::conn::http1,
    header::{HOST, HeaderName, HeaderValue, USER_AGENT},
};
use std::{net::SocketAddr, pin::pin};

/// No more of an answer is read: it is for people, and a container may send without an end.
const MOST_BYTES: usize = 4096;

pub(super) async fn get(address: SocketAddr, path: &str, headers: &TextMap) -> Result<Probe, Failure> {
    let request = request(address, path, headers)?;
    let wrong = |error: hyper::Error| format!("{address} does not speak HTTP: {error}");
    let (mut sender, connection) = http1::handshake(open(address).await?).await.map_err(wrong)?;
    let answer = pin!(async {
        let response = sender.send_request(request).await.map_err(wrong)?;
        let status = response.status();
        let text = beginning(response.into_body()).await;
        let output = format!("HTTP {status}{}{}", if text.is_empty() { "" } else { ": " }, text);
        Ok(match status.as_u16() {
            200..=399 => Probe::passed(output),
            _ => Probe::failed(output),
        })
    });
    match select(answer, pin!(connection)).await {
        Either::Left((answer, _)) => answer,
        // The connection may end with the answer that is being read.
        Either::Right((_, answer)) => answer.await,
    }
}

fn request(address: SocketAddr, path: &str, headers: &TextMap) -> Result<Request<Empty<Bytes>>, Failure> {
    let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
    let mut request = Request::get(path).body(Empty::new()).map_err(|error| format!("the path is none: {error}"))?;
    let own = request.headers_mut();
    let host = HeaderValue::from_str(&address.to_string()).map_err(|error| error.to_string())?;
    own.insert(HOST, host);
    own.insert(USER_AGENT, HeaderValue::from_static("graphium-health-check"));
    for (name, value) in headers {
        // The value of a header may be a secret.
        let wrong = |_| format!("the header `{name}` is none");
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("the header `{name}` is none"))?;
        own.insert(key, HeaderValue::from_str(value).map_err(wrong)?);
    }
    Ok(request)
}

/// The beginning of a body, as text.
async fn beginning(mut body: Incoming) -> String {
    let mut read = Vec::new();
    while let Some(Ok(frame)) = body.frame().await {
        if let Some(data) = frame.data_ref() {
            read.extend_from_slice(&data[..data.len().min(MOST_BYTES - read.len())]);
        }
        if read.len() >= MOST_BYTES {
            break;
        }
    }
    String::from_utf8_lossy(&read).trim().to_owned()
}
