//! A connection that becomes a WebSocket, for whoever writes frames upon it that are ready already.
//!
//! axum's own does not give away what it writes upon.

use axum::{
    body::Body,
    extract::{FromRequestParts, ws::WebSocketUpgrade},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        handshake::derive_accept_key,
        protocol::{Role, WebSocketConfig},
    },
};

/// The WebSocket.
pub(super) type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// The wish for one, found to be in order.
pub(super) struct Upgrade {
    connection: OnUpgrade,
    accept: String,
    protocol: Option<HeaderValue>,
}

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let connection = parts.extensions.get::<OnUpgrade>().cloned();
        let key = parts.headers.get(header::SEC_WEBSOCKET_KEY).cloned();
        let checked = WebSocketUpgrade::from_request_parts(parts, state).await.map_err(IntoResponse::into_response)?;
        // A browser that shows its token as a protocol wants the first of them accepted.
        let protocol = checked.protocols(["bearer"]).selected_protocol().cloned();
        // Without either it was turned away.
        let (Some(connection), Some(key)) = (connection, key) else {
            return Err(StatusCode::UPGRADE_REQUIRED.into_response());
        };
        Ok(Self { connection, accept: derive_accept_key(key.as_bytes()), protocol })
    }
}

impl Upgrade {
    /// The answer. What is to be done with the WebSocket goes on beside it.
    pub(super) fn accept<F>(self, config: WebSocketConfig, then: impl FnOnce(Socket) -> F + Send + 'static) -> Response
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let connection = self.connection;
        tokio::spawn(async move {
            // Whoever has gone by then wants none.
            if let Ok(upgraded) = connection.await {
                then(Socket::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await).await;
            }
        });
        let headers = [
            (header::CONNECTION, HeaderValue::from_static("upgrade")),
            (header::UPGRADE, HeaderValue::from_static("websocket")),
        ];
        let accept = HeaderValue::from_str(&self.accept).ok().map(|accept| (header::SEC_WEBSOCKET_ACCEPT, accept));
        let protocol = self.protocol.map(|protocol| (header::SEC_WEBSOCKET_PROTOCOL, protocol));
        let mut response = (StatusCode::SWITCHING_PROTOCOLS, Body::empty()).into_response();
        response.headers_mut().extend(headers.into_iter().chain(accept).chain(protocol));
        response
    }
}
