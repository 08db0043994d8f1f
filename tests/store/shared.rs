//! A server that shares a store, and the client of it.

use graphium_core::{
    control::{Control, Settings},
    environment::Environment,
    store::{MemoryStore, TaskStore},
};
use graphium_server::{
    AppState, auth,
    environment::TokioEnvironment,
    events::Broadcast,
    router,
    serve::{Limits, ServerHandle, serve},
    stop::Stopper,
};
use graphium_store::HttpStore;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::TcpListener;

/// A server of its own; its tokens are in another store than the one that it shares.
pub(crate) struct Shared {
    handle: ServerHandle,
    token: String,
    _folder: TempDir,
}

impl Shared {
    pub(crate) async fn new(store: Arc<dyn TaskStore>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let environment: Arc<dyn Environment> = Arc::new(TokioEnvironment::new());
        let broadcast = Arc::new(Broadcast::default());
        let own = Arc::new(MemoryStore::new());
        let control = Control::open(own, broadcast.clone(), Arc::clone(&environment), Settings::default());
        let control = control.await.unwrap();
        let token = auth::admin_token(&control, folder.path(), environment.now()).await.unwrap();
        let token = std::fs::read_to_string(token).unwrap().trim().to_owned();
        let stopper = Stopper::default();
        let state = AppState::new(control, broadcast, environment, stopper.hear()).sharing(store);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let handle = serve(listener, router(state), stopper, Limits::default(), None).unwrap();
        Self { handle, token, _folder: folder }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}@{}", self.token, self.handle.addr())
    }

    /// A client with connections of its own.
    pub(crate) fn client(&self) -> Arc<dyn TaskStore> {
        Arc::new(HttpStore::open(&self.url()).unwrap())
    }

    /// Ends the server; what it shared is closed when it returns.
    pub(crate) async fn end(self) {
        self.handle.shutdown().await;
    }
}
