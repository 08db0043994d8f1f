#![allow(clippy::expect_used, clippy::panic, reason = "a test that cannot go on should stop, and say why")]
//! The runtime suite over a real engine.
//!
//! `GRAPHIUM_TEST_DOCKER` names it (`unix:///…`), and `GRAPHIUM_TEST_IMAGE` an image on it that has `sh` (by default
//! `graphium-test:busybox`); `tests/run` sees to both. Without an engine every case fails: what was not tested is not
//! known to work. It is to run on the engine's host, as an agent does: containers are asked over their own network.

use bollard::{
    Docker,
    models::{ContainerCreateBody, NetworkCreateRequest, VolumeCreateRequest},
    query_parameters::{CreateContainerOptionsBuilder, RemoveContainerOptionsBuilder, RemoveVolumeOptions},
};
use futures::future::LocalBoxFuture;
use graphium_core::{
    runtime::ContainerRuntime,
    testing::runtime_suite::{Chore, RuntimeHarness, Thing, Workload},
};
use graphium_docker::{DockerRuntime, Endpoint};
use std::{env, future::Future, sync::Arc};

struct Engine {
    endpoint: Endpoint,
    image: String,
}

fn engine() -> Engine {
    let Ok(text) = env::var("GRAPHIUM_TEST_DOCKER") else {
        panic!(
            "no engine to test: set GRAPHIUM_TEST_DOCKER to one that may be used for tests \
             (unix:///path/docker.sock), or run `tests/run`, which starts one"
        )
    };
    let image = env::var("GRAPHIUM_TEST_IMAGE").unwrap_or_else(|_| "graphium-test:busybox".to_owned());
    Engine { endpoint: text.parse().expect("GRAPHIUM_TEST_DOCKER is an endpoint"), image }
}

impl Engine {
    /// Does something past the runtime under test. A case calls this within its own `block_on`, hence the thread.
    fn past<T: Send, F: Future<Output = T>>(&self, act: impl FnOnce(Docker) -> F + Send) -> T {
        let docker = Docker::connect_with_host(&self.endpoint.to_string()).expect("the engine is there");
        std::thread::scope(|scope| scope.spawn(|| executor().block_on(act(docker))).join().expect("no panic"))
    }
}

fn executor() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be made")
}

impl RuntimeHarness for Engine {
    fn runtime(&self) -> Arc<dyn ContainerRuntime> {
        Arc::new(DockerRuntime::connect(self.endpoint.clone()))
    }

    fn unreachable(&self) -> Option<Arc<dyn ContainerRuntime>> {
        let nobody = "/nonexistent/docker.sock".parse().expect("an endpoint");
        Some(Arc::new(DockerRuntime::connect(nobody)))
    }

    fn workload(&self, workload: Workload) -> (String, Vec<String>) {
        let line = match workload {
            Workload::Runs => "trap 'exit 0' TERM; while :; do sleep 1 & wait; done",
            Workload::Listens => "echo well >/tmp/index.html; exec httpd -f -p 8080 -h /tmp",
            Workload::Speaks => "echo one; echo two; echo three; exit 3",
            Workload::Murmurs => "echo out; echo err >&2; trap 'exit 0' TERM; while :; do sleep 1 & wait; done",
        };
        (self.image.clone(), ["sh", "-c", line].map(str::to_owned).to_vec())
    }

    fn command(&self, chore: Chore) -> Vec<String> {
        let line = match chore {
            Chore::Echoes => "exec cat",
            Chore::Speaks => "echo out; echo err >&2; exit 3",
            Chore::Measures => "while :; do busybox stty size; sleep 0.1; done",
            Chore::Waits => "while :; do sleep 1; done",
            Chore::Shows => "exec cat /run/secrets/suite",
        };
        ["sh", "-c", line].map(str::to_owned).to_vec()
    }

    fn absent_image(&self) -> String {
        "graphium-test:absent".to_owned()
    }

    fn make_foreign(&self, thing: Thing, name: &str) {
        let name = name.to_owned();
        let image = Some(self.image.clone());
        self.past(|docker| async move {
            match thing {
                Thing::Container => {
                    let options = CreateContainerOptionsBuilder::new().name(&name).build();
                    let cmd = Some(vec!["true".to_owned()]);
                    let body = ContainerCreateBody { image, cmd, ..Default::default() };
                    docker.create_container(Some(options), body).await.map(drop)
                }
                Thing::Network => {
                    docker.create_network(NetworkCreateRequest { name, ..Default::default() }).await.map(drop)
                }
                Thing::Volume => {
                    let body = VolumeCreateRequest { name: Some(name), ..Default::default() };
                    docker.create_volume(body).await.map(drop)
                }
            }
        })
        .expect("something foreign can be made");
    }

    fn remove_foreign(&self, thing: Thing, name: &str) {
        self.past(|docker| async move {
            // What is absent is as it should be.
            let _ = match thing {
                Thing::Container => {
                    let options = RemoveContainerOptionsBuilder::new().force(true).build();
                    docker.remove_container(name, Some(options)).await
                }
                Thing::Network => docker.remove_network(name).await,
                Thing::Volume => docker.remove_volume(name, None::<RemoveVolumeOptions>).await,
            };
        });
    }

    fn block_on(&self, case: LocalBoxFuture<'_, ()>) {
        executor().block_on(case);
    }
}

graphium_core::runtime_conformance!(engine());
