//! Connections to an engine that listens with TLS.

use crate::endpoint::TlsTarget;
use futures::future::BoxFuture;
use hyper::Uri;
use hyper_util::{
    client::legacy::connect::{Connected, Connection},
    rt::TokioIo,
};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem, pem::PemObject as _},
};
use std::{
    io,
    path::Path,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower_service::Service;

/// Opens connections. The certificates are read for each: one that was renewed is taken up.
#[derive(Clone)]
pub(super) struct Dialer(pub(super) TlsTarget);

impl Service<Uri> for Dialer {
    type Response = TokioIo<Line>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = self.0.clone();
        Box::pin(async move { line(&target).await.map(|stream| TokioIo::new(Line(stream))) })
    }
}

/// Opens a connection.
pub(crate) async fn line(target: &TlsTarget) -> io::Result<TlsStream<TcpStream>> {
    let config = config(&target.certificates)?;
    let name = ServerName::try_from(target.host().to_owned()).map_err(|error| io::Error::other(error.to_string()))?;
    let stream = super::tcp::line(&target.authority).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

/// What is shown to an engine and asked of it, as `docker` has it: `ca.pem` signs the engine's certificate, `cert.pem` and
/// `key.pem` are ours, where there are any.
fn config(folder: &Path) -> io::Result<ClientConfig> {
    let mut roots = RootCertStore::empty();
    let path = folder.join("ca.pem");
    for certificate in certificates(&path)? {
        roots.add(certificate).map_err(|error| unusable(&path, &error.to_string()))?;
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .with_root_certificates(roots);
    let (own, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if !own.exists() && !key.exists() {
        return Ok(builder.with_no_client_auth());
    }
    let secret = PrivateKeyDer::from_pem_file(&key).map_err(|error| unreadable(&key, error, "private key"))?;
    builder.with_client_auth_cert(certificates(&own)?, secret).map_err(|error| unusable(&own, &error.to_string()))
}

fn certificates(path: &Path) -> io::Result<Vec<CertificateDer<'static>>> {
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| unreadable(path, error, "certificate"))?;
    if found.is_empty() { Err(unusable(path, "there is no certificate in it")) } else { Ok(found) }
}

/// The words of the library may repeat what is in the file, of which one holds a key.
fn unreadable(path: &Path, error: pem::Error, kind: &str) -> io::Error {
    match error {
        pem::Error::Io(error) => unusable(path, &error.to_string().to_lowercase()),
        _ => unusable(path, &format!("there is no {kind} in it")),
    }
}

fn unusable(path: &Path, reason: &str) -> io::Error {
    io::Error::other(format!("{}: {reason}", path.display()))
}

/// One connection.
pub(super) struct Line(TlsStream<TcpStream>);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}
