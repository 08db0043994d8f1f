//! The agents' protocol, from a session to a running stack.

use crate::bed::{Bed, eventually, report, stack};
use graphium_core::{
    action::TaskType,
    agent::{AgentLink, ClaimCall, LinkError, RenewCall, Renewal},
    control::{StackStatus, Started},
    id::ClaimId,
    inventory::ObservedContainer,
    store::SessionRequest,
    task::{Outcome, Task, TaskResult},
};
use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

/// A claim whose id is new.
fn claim(host: &str, epoch: u64, wait: Duration) -> ClaimCall {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    ClaimCall { host: host.into(), epoch, claim: ClaimId::new(format!("claim-{number}")), max: 8, wait }
}

/// What an engine would answer to a task.
fn done(task: &Task) -> Outcome {
    let deploys = matches!(task.task_type, TaskType::Deploy | TaskType::Update);
    let data = deploys.then(|| {
        let container = serde_json::json!({
            "@id": "0123456789ab", "name": task.payload.subject(), "hostedOn": task.host_id,
            "labels": match &*task.payload {
                graphium_core::action::Action::Deploy { spec } => serde_json::to_value(spec.all_labels()).unwrap(),
                _ => serde_json::json!({}),
            }
        });
        Box::new(serde_json::from_value::<ObservedContainer>(container).unwrap())
    });
    Outcome::Completed(TaskResult { success: true, data, ..TaskResult::default() })
}

/// Does everything that there is to do for a host.
async fn work(link: &impl AgentLink, host: &str, epoch: u64) -> Vec<TaskType> {
    let mut types = Vec::new();
    loop {
        let tasks = link.claim(&claim(host, epoch, Duration::from_millis(300))).await.unwrap();
        if tasks.is_empty() {
            return types;
        }
        for task in tasks {
            link.report(task.lease.as_ref().unwrap(), &done(&task)).await.unwrap();
            types.push(task.task_type);
        }
    }
}

async fn until(bed: &Bed, started: &Started, status: StackStatus) {
    eventually(status.as_str(), async || {
        let now = bed.admin.status(started.deployment_id.as_str()).await.unwrap();
        (now.overall_status == status).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stack_goes_from_its_document_to_running_and_away_again() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    let epoch = grant.session.epoch;

    // The claim is parked before there is anything to do; the deployment wakes it.
    let begun = Instant::now();
    let call = claim("vm1", epoch, Duration::from_secs(20));
    let (tasks, started) = tokio::join!(link.claim(&call), async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        bed.deploy(&stack("shop", "vm1")).await
    });
    assert!(begun.elapsed() < Duration::from_secs(5), "woken after {:?}", begun.elapsed());
    let tasks = tasks.unwrap();
    assert!(!tasks.is_empty());
    assert_eq!(started.status, StackStatus::Deploying);

    // The same claim again is the same grant.
    let again = link.claim(&call).await.unwrap();
    assert_eq!(
        again.iter().map(|task| &task.id).collect::<Vec<_>>(),
        tasks.iter().map(|task| &task.id).collect::<Vec<_>>()
    );

    let leases = tasks.iter().map(|task| Renewal { lease: task.lease.clone().unwrap(), progress: None }).collect();
    let held = link.renew(&RenewCall { host: "vm1".into(), epoch, leases }).await.unwrap();
    assert_eq!(held.len(), tasks.len());

    for task in &tasks {
        let lease = task.lease.as_ref().unwrap();
        link.report(lease, &done(task)).await.unwrap();
        link.report(lease, &done(task)).await.expect("a report that is repeated is acknowledged again");
    }
    let types = work(&link, "vm1", epoch).await;
    assert!(types.contains(&TaskType::Deploy), "{types:?}");
    until(&bed, &started, StackStatus::Running).await;
    assert_eq!(bed.admin.stack("shop").await.unwrap().status, StackStatus::Running);
    assert_eq!(bed.admin.containers(Some("vm1"), Some("shop")).await.unwrap().len(), 1);
    assert_eq!(bed.admin.container("vm1/shop-web").await.unwrap().id, "0123456789ab");
    assert_eq!(bed.admin.container("0123456789ab").await.unwrap().name, "shop-web");

    let removal = bed.admin.remove("shop", true).await.unwrap();
    let again = bed.admin.remove("stack:shop", true).await.unwrap();
    assert_eq!(again.deployment_id, removal.deployment_id, "removing twice is one removal");
    let types = work(&link, "vm1", epoch).await;
    assert!(types.contains(&TaskType::Delete), "{types:?}");
    until(&bed, &removal, StackStatus::Deleted).await;
    assert!(bed.admin.stacks().await.unwrap().is_empty());
    bed.server.shutdown().await;
}

#[tokio::test]
async fn a_second_agent_of_a_host_takes_over_and_the_first_is_told() {
    let bed = Bed::new().await;
    let (first, grant) = bed.host("vm1").await;
    let parked = claim("vm1", grant.session.epoch, Duration::from_secs(20));
    let (told, ()) = tokio::join!(first.claim(&parked), async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let request = SessionRequest { host: "vm1".into(), nonce: "another".into(), seen_epoch: 0 };
        let newer = first.open_session(&request).await.unwrap();
        assert!(newer.session.epoch > grant.session.epoch);
    });
    assert!(matches!(told, Err(LinkError::SessionLost(_))), "{told:?}");
}

#[tokio::test]
async fn a_lost_lease_cannot_report() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    bed.deploy(&stack("shop", "vm1")).await;
    let tasks = link.claim(&claim("vm1", grant.session.epoch, Duration::from_secs(5))).await.unwrap();
    let mut lease = tasks[0].lease.clone().unwrap();
    lease.claim = ClaimId::new("another's");
    let refused = link.report(&lease, &done(&tasks[0])).await;
    assert!(matches!(refused, Err(LinkError::LeaseLost(_))), "{refused:?}");
    lease.task = "task:gone.000001".into();
    let refused = link.report(&lease, &done(&tasks[0])).await;
    assert!(matches!(refused, Err(LinkError::LeaseLost(_))), "what is gone is lost: {refused:?}");
}

#[tokio::test]
async fn the_address_of_an_agent_is_the_one_that_it_tells() {
    let bed = Bed::new().await;
    let (link, grant) = bed.host("vm1").await;
    assert_eq!(bed.admin.host("vm1").await.unwrap().ip_address, Some("10.1.2.3".parse().unwrap()));
    // From this machine's own address nothing is learnt: it means nothing to other hosts.
    let mut silent = report("vm1", grant.session.epoch);
    silent.ip_address = None;
    link.observe(&silent).await.unwrap();
    assert_ne!(bed.admin.host("vm1").await.unwrap().ip_address, Some("127.0.0.1".parse().unwrap()));
}
