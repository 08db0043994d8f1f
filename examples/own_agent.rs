//! A control plane and the agent of a host in a program of your own: a stack goes from its document to running, without a server
//! and without an engine.
//!
//! ```text
//! cargo run --example own_agent
//! ```

#![allow(clippy::print_stdout, reason = "a program for people")]

use graphium_core::{
    agent::{Agent, AgentSettings, MemoryJournal},
    control::{Control, DeployOptions, Settings, StackStatus},
    document::{ReadContext, read},
    environment::Environment,
    event::NoSink,
    id::HostId,
    store::MemoryStore,
    testing::FakeRuntime,
};
use graphium_server::environment::TokioEnvironment;
use std::{error::Error, sync::Arc, time::Duration};

const STACK: &str = r#"{
    "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
    "hasPart": [{"@type": "datacenter:Container", "name": "web", "image": "nginx:1.27", "locatedInHost": "vm1"}]
}"#;

/// Deploys, and waits until it runs. What is done on the engine, step by step.
async fn story() -> Result<Vec<String>, Box<dyn Error>> {
    let environment: Arc<dyn Environment> = Arc::new(TokioEnvironment::new());
    let store = Arc::new(MemoryStore::new());
    let control = Control::open(store, Arc::new(NoSink), Arc::clone(&environment), Settings::default()).await?;
    // Finishes what is under way; it never returns.
    let monitor = tokio::spawn(Arc::clone(&control).run());

    // The agent's four needs: a way to the control plane (here itself; over the network `client::HttpLink`), an engine (here one in
    // memory; else `DockerRuntime`), a clock, and a journal of what it has begun (on a disk: `FileJournal`).
    let engine = FakeRuntime::with_environment(Arc::clone(&environment));
    let settings = AgentSettings::new(HostId::new("vm1"), 2);
    let agent = Agent::new(
        control.clone(),
        Arc::new(engine.clone()),
        environment,
        Box::new(MemoryJournal::default()),
        settings,
    );
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = tokio::spawn(agent.run(async {
        let _asked = stopped.await;
    }));

    // A host is known once its agent has told of it.
    while control.hosts().await?.is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let reading = read(STACK, &ReadContext::default()).map_err(|mistakes| format!("{mistakes:?}"))?;
    control.deploy(reading.stack, DeployOptions::default()).await?;
    let status = loop {
        let status = control.status("shop").await?;
        match status.overall_status {
            StackStatus::Running => break status,
            StackStatus::Error => return Err(status.error_message.unwrap_or_default().into()),
            _ => tokio::time::sleep(Duration::from_millis(10)).await,
        }
    };
    let told = status
        .tasks
        .iter()
        .map(|task| format!("{} on {}: {}", task.task.plan_id, task.task.host_id, task.task.status.as_str()));
    let told = told.collect();

    // It ends what it has begun, and says so.
    drop(stop);
    agent.await??;
    monitor.abort();
    Ok(told)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    for line in tokio::time::timeout(Duration::from_secs(30), story()).await?? {
        println!("{line}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn it_comes_to_run() {
        let told = super::story().await.unwrap_or_else(|error| vec![error.to_string()]);
        assert!(told.iter().any(|line| line == "deploy:web on vm1: completed"), "{told:?}");
        assert!(told.iter().all(|line| line.ends_with(": completed")), "{told:?}");
    }
}
