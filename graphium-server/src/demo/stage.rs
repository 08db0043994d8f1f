//! Where the demo plays: on engines of its own, on the user's, or on none.

use super::DemoArgs;
use crate::{
    cli::{Exit, Failure, Output},
    engine::{self, Engine},
};
use bollard::{API_DEFAULT_VERSION, Docker, query_parameters::RemoveImageOptions};
use graphium_core::{
    runtime::{ContainerRuntime, label},
    testing::FakeRuntime,
};
use graphium_docker::{DockerRuntime, Endpoint};
use graphium_server::{
    environment::TokioEnvironment,
    testbed::{self, Testbed, TestbedError, TestbedOptions, images},
};
use std::{
    net::{IpAddr, Ipv4Addr},
    sync::Arc,
    time::Duration,
};

/// The image of the demo: our own static program, made on the spot.
const IMAGE: &str = "graphium-demo:1";
/// What a call to an engine in memory takes, so that there is something to see.
const FAKE_LATENCY: Duration = Duration::from_millis(120);

/// One host of the demo.
#[derive(Debug)]
pub(super) struct StageHost {
    pub(super) name: String,
    pub(super) runtime: Arc<dyn ContainerRuntime>,
    pub(super) address: IpAddr,
}

/// The hosts, and what it takes to clear them up.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) hosts: Vec<StageHost>,
    pub(super) kind: Kind,
    /// What it is and why, for people.
    pub(super) story: String,
}

/// What the hosts are.
#[derive(Debug)]
pub(super) enum Kind {
    /// Real hosts of our own.
    Testbed(Testbed),
    /// The user's engine; with the client that brought our image, if it was not there before.
    Engine(Option<Docker>),
    /// Engines in memory: nothing really runs.
    Fake,
}

impl Stage {
    /// The best stage that this machine has.
    pub(super) async fn build(args: &DemoArgs, output: &Output) -> Result<Self, Failure> {
        let missing = match testbed::requirements() {
            Ok(()) => return Self::testbed(args.hosts).await,
            Err(missing) => missing,
        };
        if args.install {
            output.say("installing what is missing for engines of our own …");
            match testbed::install().await {
                Ok(()) => return Self::testbed(args.hosts).await,
                Err(error) => output.say(format_args!("that did not work: {error}")),
            }
        }
        let why_not = format!("no hosts of our own: {}", missing.join("; "));
        let engine = engine::find(None)?;
        match engine.runtime().info().await {
            Ok(_) => Self::engine(engine, &why_not).await,
            Err(error) => Ok(Self::fake(args.hosts, &format!("{why_not}\nno engine: {error}"))),
        }
    }

    async fn testbed(hosts: u8) -> Result<Self, Failure> {
        let names: Vec<String> = (1..=hosts).map(|number| format!("host-{number}")).collect();
        let options = TestbedOptions { hosts: names, ..TestbedOptions::default() };
        let bed = Testbed::start(options).await.map_err(|error| testbed_failed(&error))?;
        bed.load(&images::web(IMAGE).map_err(|error| testbed_failed(&error))?)
            .await
            .map_err(|error| testbed_failed(&error))?;
        let stage_host = |host: &testbed::TestHost| StageHost {
            name: host.name().to_owned(),
            runtime: Arc::new(DockerRuntime::connect(Endpoint::Unix(host.socket()))),
            address: host.address(),
        };
        let hosts: Vec<StageHost> = bed.hosts().iter().map(stage_host).collect();
        let story = format!(
            "{} real Docker hosts on this machine: an engine each, in network namespaces of their own",
            hosts.len()
        );
        Ok(Self { hosts, kind: Kind::Testbed(bed), story })
    }

    async fn engine(engine: Engine, why_not: &str) -> Result<Self, Failure> {
        let docker = client(&engine.endpoint).map_err(|error| {
            Failure::new(Exit::Unreachable, format!("the engine at {} cannot be used", engine.endpoint)).because(error)
        })?;
        let was_there = docker.inspect_image(IMAGE).await.is_ok();
        if !was_there {
            images::web(IMAGE)
                .map_err(|error| testbed_failed(&error))?
                .load(&docker)
                .await
                .map_err(|error| testbed_failed(&error))?;
        }
        let address = match &engine.endpoint {
            Endpoint::Http(authority) => authority.rsplit_once(':').and_then(|(host, _)| host.parse().ok()),
            Endpoint::Unix(_) | Endpoint::Tls(_) | Endpoint::Ssh(_) => None,
        };
        let story = format!("your own engine as the one host, {} ({})\n{why_not}", engine.endpoint, engine.found);
        let host = StageHost {
            name: "this-machine".to_owned(),
            runtime: Arc::new(engine.runtime()),
            address: address.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        };
        Ok(Self { hosts: vec![host], kind: Kind::Engine((!was_there).then_some(docker)), story })
    }

    fn fake(hosts: u8, why_not: &str) -> Self {
        let host = |number: u8| {
            let runtime = FakeRuntime::with_environment(Arc::new(TokioEnvironment::new()));
            runtime.set_latency(FAKE_LATENCY);
            // Addresses that documents may use and nobody has (RFC 5737).
            let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, number));
            StageHost { name: format!("host-{number}"), runtime: Arc::new(runtime), address }
        };
        let story = format!("{hosts} engines in memory: everything is real but the containers\n{why_not}");
        Self { hosts: (1..=hosts).map(host).collect(), kind: Kind::Fake, story }
    }

    /// What is still on the hosts of a stack; nothing, if all is well.
    pub(super) async fn left_behind(&self, stack: &str) -> Result<Vec<String>, Failure> {
        let mut left = Vec::new();
        for host in &self.hosts {
            let unknown = |error: graphium_core::runtime::RuntimeError| {
                Failure::new(Exit::Failed, format!("host `{}` cannot be looked at: {error}", host.name))
            };
            let containers = host.runtime.list().await.map_err(unknown)?;
            let owned = host.runtime.owned().await.map_err(unknown)?;
            let ours = containers.iter().filter(|state| state.observed.label(label::STACK) == Some(stack));
            left.extend(ours.map(|state| format!("container {} on {}", state.observed.name, host.name)));
            for (kind, things) in [("network", &owned.networks), ("volume", &owned.volumes)] {
                let ours = things.iter().filter(|(_, labels)| labels.get(label::STACK).is_some_and(|id| id == stack));
                left.extend(ours.map(|(name, _)| format!("{kind} {name} on {}", host.name)));
            }
        }
        Ok(left)
    }

    /// Takes everything away that was made for the demo.
    pub(super) async fn strike(self) -> Result<(), Failure> {
        match self.kind {
            Kind::Testbed(bed) => bed.stop().await.map_err(|error| testbed_failed(&error)),
            Kind::Engine(Some(docker)) => {
                let removed = docker.remove_image(IMAGE, None::<RemoveImageOptions>, None).await;
                removed.map(drop).map_err(|error| {
                    Failure::new(Exit::Failed, format!("the image `{IMAGE}` is left behind: {error}"))
                        .hint(format!("remove it: docker rmi {IMAGE}"))
                })
            }
            Kind::Engine(None) | Kind::Fake => Ok(()),
        }
    }
}

fn client(endpoint: &Endpoint) -> Result<Docker, bollard::errors::Error> {
    const SECONDS: u64 = 120;
    match endpoint {
        Endpoint::Unix(path) => Docker::connect_with_unix(&path.to_string_lossy(), SECONDS, API_DEFAULT_VERSION),
        Endpoint::Http(authority) => Docker::connect_with_http(authority, SECONDS, API_DEFAULT_VERSION),
        // The demo shows pages of this machine; an engine elsewhere is no stage for it.
        other @ (Endpoint::Tls(_) | Endpoint::Ssh(_)) => {
            Err(bollard::errors::Error::UnsupportedURISchemeError { uri: other.to_string() })
        }
    }
}

fn testbed_failed(error: &TestbedError) -> Failure {
    Failure::new(Exit::Failed, "the hosts of the demo do not start").because_of(error)
}
