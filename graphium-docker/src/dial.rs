//! Connections to an engine that is not reached by a socket of this machine. Of SSH each is a process of `ssh`, whose standard input and output are the connection.

pub(crate) mod tcp;
pub(crate) mod tls;

use crate::endpoint::{SshTarget, TlsTarget};
use bollard::{BollardRequest, errors::Error};
use futures::future::BoxFuture;
use hyper::{Response, Uri, body::Incoming};
use hyper_util::{
    client::legacy::{
        Client,
        connect::{Connect, Connected, Connection},
    },
    rt::{TokioExecutor, TokioIo, TokioTimer},
};
use std::{
    io,
    pin::Pin,
    process::Stdio,
    task::{Context, Poll, ready},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf},
    process::{Child, ChildStderr, ChildStdin, ChildStdout, Command},
};
use tower_service::Service;

/// No more of what `ssh` complains of is kept.
const MOST_WORDS: u64 = 4096;

/// For how long a connection that nobody uses is kept, and how many of them: each is a process here, and a login there.
const IDLE: (Duration, usize) = (Duration::from_secs(30), 4);

/// The requests of one client over SSH, over as many connections as are in use at once.
pub(crate) fn over_ssh(target: SshTarget) -> impl Fn(BollardRequest) -> Answer + Send + Sync + 'static {
    transport(Dialer(target), IDLE.1)
}

/// The same over TLS.
pub(crate) fn over_tls(target: TlsTarget) -> impl Fn(BollardRequest) -> Answer + Send + Sync + 'static {
    transport(tls::Dialer(target), IDLE.1)
}

/// The same over TCP alone. A connection costs little there: each request has its own.
pub(crate) fn over_tcp(authority: &str) -> impl Fn(BollardRequest) -> Answer + Send + Sync + 'static {
    transport(tcp::Dialer(authority.into()), 0)
}

fn transport<D: Connect + Clone + Send + Sync + 'static>(
    dialer: D,
    most_idle: usize,
) -> impl Fn(BollardRequest) -> Answer + Send + Sync + 'static {
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE.0)
        .pool_max_idle_per_host(most_idle)
        .build(dialer);
    move |request| {
        let client = client.clone();
        Box::pin(async move { client.request(request).await.map_err(Error::from) })
    }
}

type Answer = BoxFuture<'static, Result<Response<Incoming>, Error>>;

#[derive(Clone)]
struct Dialer(SshTarget);

impl Service<Uri> for Dialer {
    type Response = TokioIo<Line>;
    type Error = io::Error;
    type Future = BoxFuture<'static, Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), io::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Uri) -> Self::Future {
        let target = self.0.clone();
        Box::pin(async move { ssh_line(&target).map(TokioIo::new) })
    }
}

/// Begins to dial.
pub(crate) fn ssh_line(target: &SshTarget) -> io::Result<Line> {
    let mut command = Command::new("ssh");
    command.args(target.arguments()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => io::Error::new(error.kind(), "`ssh` is not installed"),
        _ => error,
    })?;
    match (child.stdin.take(), child.stdout.take()) {
        (Some(stdin), Some(stdout)) => {
            let complaint = child.stderr.take().map(complaint);
            Ok(Line { stdin, stdout, complaint, has_spoken: false, _child: child })
        }
        _ => Err(io::Error::other("`ssh` has no standard input and output")),
    }
}

/// What `ssh` says when it fails, in its last line.
fn complaint(stderr: ChildStderr) -> BoxFuture<'static, io::Error> {
    Box::pin(async move {
        let mut words = String::new();
        let read = stderr.take(MOST_WORDS).read_to_string(&mut words).await;
        let last = words.lines().rev().map(str::trim).find(|line| !line.is_empty());
        match (read, last) {
            (Ok(_), Some(line)) => io::Error::other(line.to_owned()),
            _ => io::Error::other("`ssh` ended without a word"),
        }
    })
}

/// One process of `ssh`; it ends with its line.
pub(crate) struct Line {
    stdin: ChildStdin,
    stdout: ChildStdout,
    /// Until the other side has said something: where nothing comes at all, this says why.
    complaint: Option<BoxFuture<'static, io::Error>>,
    has_spoken: bool,
    _child: Child,
}

impl Line {
    /// What `ssh` complains of, once.
    fn complain(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Error>> {
        let Some(complaint) = &mut self.complaint else { return Poll::Ready(None) };
        let error = ready!(complaint.as_mut().poll(context));
        self.complaint = None;
        Poll::Ready(Some(error))
    }
}

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
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stdout).poll_read(context, buffer))?;
        self.has_spoken |= buffer.filled().len() > before;
        if self.has_spoken {
            return Poll::Ready(Ok(()));
        }
        match ready!(self.complain(context)) {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Ready(Ok(())),
        }
    }
}

impl AsyncWrite for Line {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match ready!(Pin::new(&mut self.stdin).poll_write(context, bytes)) {
            // It is gone, and what it read says why.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe && !self.has_spoken => {
                Poll::Ready(Err(ready!(self.complain(context)).unwrap_or(error)))
            }
            written => Poll::Ready(written),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stdin).poll_shutdown(context)
    }
}
