//! Agents that tests play.

use crate::bed::report;
use graphium_core::{
    action::Action,
    agent::{AgentLink, ClaimCall, RenewCall, Renewal, SessionGrant},
    id::ClaimId,
    task::{Outcome, Progress, Task, TaskError, TaskResult},
};
use serde_json::{Value, json};
use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// An agent that a test plays.
pub struct Played<L> {
    pub host: String,
    pub link: L,
    pub grant: SessionGrant,
    calls: AtomicUsize,
}

impl<L: AgentLink> Played<L> {
    pub fn new(host: impl Into<String>, (link, grant): (L, SessionGrant)) -> Self {
        Self { host: host.into(), link, grant, calls: AtomicUsize::new(0) }
    }

    /// Takes what is ready.
    pub async fn take(&self, max: usize) -> Vec<Task> {
        let claim = format!("{}-{}", self.host, self.calls.fetch_add(1, Ordering::Relaxed));
        let call = ClaimCall {
            host: self.host.as_str().into(),
            epoch: self.grant.session.epoch,
            claim: ClaimId::new(claim),
            max,
            wait: Duration::ZERO,
        };
        self.link.claim(&call).await.unwrap()
    }

    pub async fn done(&self, task: &Task) {
        let result = TaskResult { success: true, ..TaskResult::default() };
        self.link.report(task.lease.as_ref().unwrap(), &Outcome::Completed(result)).await.unwrap();
    }

    /// Takes and does whatever is ready, and what becomes ready by it.
    pub async fn work(&self) {
        loop {
            let tasks = self.take(50).await;
            if tasks.is_empty() {
                return;
            }
            for task in &tasks {
                self.does(task).await;
            }
        }
    }

    /// Has done what is asked: a container that was to be made is there.
    pub async fn does(&self, task: &Task) {
        let data = match &*task.payload {
            Action::Deploy { spec } => {
                let seen = json!({
                    "@id": format!("id-{}", spec.name), "name": spec.name, "status": "running", "hostedOn": task.host_id,
                    "labels": spec.all_labels()
                });
                Some(Box::new(serde_json::from_value(seen).unwrap()))
            }
            _ => None,
        };
        let result = TaskResult { success: true, data, ..TaskResult::default() };
        self.link.report(task.lease.as_ref().unwrap(), &Outcome::Completed(result)).await.unwrap();
    }

    pub async fn fails(&self, task: &Task, message: &str) {
        let error = TaskError {
            code: "image-not-found".to_owned(),
            message: message.to_owned(),
            help: None,
            log: Vec::new(),
            retryable: false,
        };
        self.link.report(task.lease.as_ref().unwrap(), &Outcome::Failed(error)).await.unwrap();
    }

    /// Tells of each task how many of a hundred million bytes have arrived, and goes on with it.
    pub async fn pulls(&self, tasks: &[Task], millions: u64) {
        let progress = Progress {
            phase: "pulling".to_owned(),
            bytes: Some(millions * 1_000_000),
            total_bytes: Some(100_000_000),
            ..Progress::default()
        };
        let of = |task: &Task| Renewal { lease: task.lease.clone().unwrap(), progress: Some(progress.clone()) };
        let leases: Vec<Renewal> = tasks.iter().map(of).collect();
        let call = RenewCall { host: self.host.as_str().into(), epoch: self.grant.session.epoch, leases };
        assert_eq!(self.link.renew(&call).await.unwrap().len(), tasks.len(), "a lease is lost");
    }

    /// Says that these run, by the names that their engine has for them.
    pub async fn sees(&self, stack: &str, names: &[String]) {
        let mut told = report(&self.host, self.grant.session.epoch);
        let one = |name: &String| {
            json!({"@id": format!("id-{name}"), "name": name, "executableName": "nginx:1.27", "status": "running",
                   "hostedOn": self.host, "ports": [{"containerPort": 80, "hostPort": 8080}],
                   "labels": {"graphium.managed": "true", "graphium.stack": format!("stack:{stack}"), "graphium.stack.name": stack}})
        };
        let mut all: Vec<Value> = names.iter().map(one).collect();
        all.push(json!({"@id": "other", "name": "somebody-elses", "executableName": "redis:7", "status": "exited", "exitCode": 137, "hostedOn": self.host}));
        told.containers = serde_json::from_value(json!(all)).unwrap();
        self.link.observe(&told).await.unwrap();
    }
}
