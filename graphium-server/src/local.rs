//! An agent in the process of its server, for `up` and `demo`.

use crate::cli::{Exit, Failure};
use async_trait::async_trait;
use graphium_core::{
    agent::{
        Agent, AgentError, AgentLink, AgentSettings, ClaimCall, Held, HostReport, Journal, LinkError, RenewCall,
        SessionGrant,
    },
    id::HostId,
    runtime::ContainerRuntime,
    secret::SecretText,
    store::SessionRequest,
    stream::StreamLink,
    task::{Lease, Outcome, Task},
};
use graphium_server::environment::TokioEnvironment;
use std::{collections::BTreeMap, sync::Arc, time::Duration};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
};

/// An agent that runs beside its server.
#[derive(Debug)]
pub(crate) struct LocalAgent {
    host: HostId,
    stop: oneshot::Sender<()>,
    task: JoinHandle<Result<(), AgentError>>,
    observed: watch::Receiver<bool>,
}

impl LocalAgent {
    /// Starts it.
    pub(crate) fn start(
        link: Arc<dyn AgentLink>,
        runtime: Arc<dyn ContainerRuntime>,
        journal: Box<dyn Journal>,
        settings: AgentSettings,
    ) -> Self {
        let (told, observed) = watch::channel(false);
        let (stop, stopped) = oneshot::channel::<()>();
        let host = settings.host.clone();
        let link = Arc::new(Watched { link, told });
        let agent = Agent::new(link, runtime, Arc::new(TokioEnvironment::new()), journal, settings);
        let task = tokio::spawn(agent.run(async {
            // A handle that is dropped asks it to end, too.
            let _ = stopped.await;
        }));
        Self { host, stop, task, observed }
    }

    /// Returns once the server knows what runs on the host.
    pub(crate) async fn ready(&mut self, patience: Duration) -> Result<(), Failure> {
        let told = tokio::time::timeout(patience, self.observed.wait_for(|told| *told)).await;
        match told {
            Ok(Ok(_)) => Ok(()),
            _ => {
                Err(Failure::new(Exit::Failed, format!("the engine of host `{}` was not heard of in time", self.host))
                    .hint("`graphium doctor` looks for the cause"))
            }
        }
    }

    /// Ends it; what it does at the moment may be finished first.
    pub(crate) async fn stop(self) -> Result<(), Failure> {
        // It may have ended by itself.
        let _ = self.stop.send(());
        match self.task.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(crate::cli::agent_ended(&self.host, error)),
            Err(error) => Err(Failure::new(Exit::Failed, format!("the agent of host `{}` broke: {error}", self.host))),
        }
    }
}

/// Notices when a whole look at the engine has reached the server.
#[derive(Debug)]
struct Watched {
    link: Arc<dyn AgentLink>,
    told: watch::Sender<bool>,
}

#[async_trait]
impl AgentLink for Watched {
    async fn open_session(&self, request: &SessionRequest) -> Result<SessionGrant, LinkError> {
        self.link.open_session(request).await
    }

    async fn claim(&self, call: &ClaimCall) -> Result<Vec<Task>, LinkError> {
        self.link.claim(call).await
    }

    async fn renew(&self, call: &RenewCall) -> Result<Vec<Held>, LinkError> {
        self.link.renew(call).await
    }

    async fn report(&self, lease: &Lease, outcome: &Outcome) -> Result<(), LinkError> {
        self.link.report(lease, outcome).await
    }

    async fn observe(&self, report: &HostReport) -> Result<(), LinkError> {
        self.link.observe(report).await?;
        if report.containers.is_some() {
            self.told.send_replace(true);
        }
        Ok(())
    }

    async fn secrets(&self, lease: &Lease) -> Result<BTreeMap<String, Option<SecretText>>, LinkError> {
        self.link.secrets(lease).await
    }

    fn stream_links(&self) -> Vec<Arc<dyn StreamLink>> {
        self.link.stream_links()
    }
}
