//! A registry of images: as much of one as an engine needs to pull, at a pace that a test sets.

use axum::{
    Json, Router,
    body::Body,
    extract::{Path, Request, State},
    http::{Method, StatusCode, header},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use bytes::Bytes;
use futures::Stream;
use graphium_server::testbed::images::Image;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    collections::HashMap,
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};
use tokio::{net::TcpListener, sync::watch, task::JoinHandle};

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const CONFIGURATION: &str = "application/vnd.docker.container.image.v1+json";
const LAYER: &str = "application/vnd.docker.image.rootfs.diff.tar";
const BLOB: &str = "application/octet-stream";
/// What is asked for under this name is refused as by a proxy that knows nothing of registries.
pub const UNSPOKEN: &str = "proxy/unspoken";
/// No more than this is sent at once.
const CHUNK: usize = 64 * 1024;
/// So often a slow registry sends something.
const TICKS_PER_SECOND: u32 = 20;

/// How blobs are sent.
#[derive(Clone, Copy, Debug)]
pub enum Flow {
    /// As fast as they are taken.
    Free,
    /// Each at so many bytes a second.
    Slow(usize),
    /// So many bytes of each, and no more until the flow is another.
    Held(usize),
}

/// An image that can be had.
pub struct Offer {
    /// What engines call it: its own name, at the registry.
    pub reference: String,
    /// The digests of its layers, lowest first.
    pub layers: Vec<String>,
    /// The digest of its manifest.
    pub digest: String,
}

/// A registry that listens until it is dropped.
pub struct Registry {
    address: SocketAddr,
    shelf: Arc<Shelf>,
    server: JoinHandle<()>,
}

impl Registry {
    /// An empty one, at a free port.
    pub async fn start(ip: IpAddr) -> Self {
        Self::listen(ip, None).await
    }

    /// The same for those alone who say this: a user's name and a password in base 64.
    pub async fn with_login(ip: IpAddr, login: &str) -> Self {
        Self::listen(ip, Some(format!("Basic {login}"))).await
    }

    async fn listen(ip: IpAddr, login: Option<String>) -> Self {
        let shelf = Arc::new(Shelf { flow: watch::Sender::new(Flow::Free), goods: Mutex::default(), login });
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/v2/", get(async || Json(json!({}))))
            .route("/v2/{*path}", get(answer))
            .layer(from_fn_with_state(Arc::clone(&shelf), guard))
            .with_state(Arc::clone(&shelf));
        let server = tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { address, shelf, server }
    }

    /// Takes an image in.
    pub fn offer(&self, image: &Image) -> Offer {
        let mut goods = self.shelf.goods.lock().unwrap();
        let mut describe = |media_type: &str, bytes: &[u8]| {
            let digest = digest(bytes);
            goods.blobs.insert(digest.clone(), Bytes::copy_from_slice(bytes));
            json!({"mediaType": media_type, "size": bytes.len(), "digest": digest})
        };
        let config = describe(CONFIGURATION, image.configuration().as_bytes());
        let layers: Vec<Value> = image.layers().iter().map(|layer| describe(LAYER, layer)).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": &layers});
        let manifest = Bytes::from(manifest.to_string());
        let (name, tag) = image.reference().rsplit_once(':').unwrap();
        for version in [tag.to_owned(), digest(&manifest)] {
            goods.manifests.insert(format!("{name}/{version}"), manifest.clone());
        }
        let digests = layers.iter().map(|layer| layer["digest"].as_str().unwrap().to_owned()).collect();
        Offer { reference: self.reference(image.reference()), layers: digests, digest: digest(&manifest) }
    }

    /// The reference of something here, or of something that is not.
    pub fn reference(&self, name: &str) -> String {
        format!("{}/{name}", self.address)
    }

    /// From now on blobs are sent so, also those that are on their way.
    pub fn flow(&self, flow: Flow) {
        self.shelf.flow.send_replace(flow);
    }

    /// Its name, as logins are kept under it.
    pub fn name(&self) -> String {
        self.address.to_string()
    }

    /// How often a blob was asked for.
    pub fn times_asked(&self, digest: &str) -> usize {
        self.shelf.goods.lock().unwrap().asked.iter().filter(|path| path.ends_with(digest)).count()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.server.abort();
    }
}

struct Shelf {
    flow: watch::Sender<Flow>,
    goods: Mutex<Goods>,
    /// What must be said to be let in.
    login: Option<String>,
}

#[derive(Default)]
struct Goods {
    /// By name, and tag or digest.
    manifests: HashMap<String, Bytes>,
    /// By digest.
    blobs: HashMap<String, Bytes>,
    asked: Vec<String>,
}

async fn guard(State(shelf): State<Arc<Shelf>>, request: Request, next: Next) -> Response {
    let said = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    if shelf.login.as_deref().is_none_or(|login| said == Some(login)) {
        return next.run(request).await;
    }
    let errors = json!({"errors": [{"code": "UNAUTHORIZED", "message": "authentication required"}]});
    (StatusCode::UNAUTHORIZED, [(header::WWW_AUTHENTICATE, "Basic realm=\"test\"")], Json(errors)).into_response()
}

async fn answer(State(shelf): State<Arc<Shelf>>, Path(path): Path<String>, method: Method) -> Response {
    let mut goods = shelf.goods.lock().unwrap();
    if method == Method::GET {
        goods.asked.push(path.clone());
    }
    if let Some((name, version)) = path.split_once("/manifests/") {
        return match goods.manifests.get(&format!("{name}/{version}")) {
            Some(manifest) => whole(MANIFEST, manifest, Body::from(manifest.clone())),
            None if name == UNSPOKEN => (StatusCode::NOT_FOUND, "404 page not found").into_response(),
            None if goods.manifests.keys().any(|known| known.starts_with(&format!("{name}/"))) => {
                unknown("MANIFEST_UNKNOWN", "manifest unknown")
            }
            None => unknown("NAME_UNKNOWN", "repository name not known to registry"),
        };
    }
    match path.split_once("/blobs/").and_then(|(_, digest)| goods.blobs.get(digest)) {
        Some(blob) if method == Method::HEAD => whole(BLOB, blob, Body::empty()),
        Some(blob) => whole(BLOB, blob, Body::from_stream(paced(blob.clone(), shelf.flow.subscribe()))),
        None => unknown("BLOB_UNKNOWN", "blob unknown to registry"),
    }
}

fn whole(kind: &str, content: &Bytes, body: Body) -> Response {
    let headers = [
        (header::CONTENT_TYPE.as_str(), kind.to_owned()),
        (header::CONTENT_LENGTH.as_str(), content.len().to_string()),
        ("docker-content-digest", digest(content)),
    ];
    (headers, body).into_response()
}

fn unknown(code: &str, message: &str) -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"errors": [{"code": code, "message": message}]}))).into_response()
}

/// A blob in pieces, as the flow allows.
fn paced(blob: Bytes, flow: watch::Receiver<Flow>) -> impl Stream<Item = Result<Bytes, Infallible>> {
    futures::stream::unfold((blob, 0, flow), async |(mut rest, sent, mut flow)| {
        if rest.is_empty() {
            return None;
        }
        let piece = loop {
            let now = *flow.borrow_and_update();
            match now {
                Flow::Free => break CHUNK,
                Flow::Slow(rate) => {
                    tokio::time::sleep(Duration::from_secs(1) / TICKS_PER_SECOND).await;
                    break rate.div_ceil(TICKS_PER_SECOND as usize);
                }
                Flow::Held(most) if sent < most => break (most - sent).min(CHUNK),
                Flow::Held(_) => flow.changed().await.ok()?,
            }
        };
        let piece = rest.split_to(piece.min(rest.len()));
        let sent = sent + piece.len();
        Some((Ok(piece), (rest, sent, flow)))
    })
}

fn digest(bytes: &[u8]) -> String {
    let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
