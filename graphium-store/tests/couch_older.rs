//! A database that the older system has written.

#![cfg(feature = "couchdb")]

use graphium_core::{
    control::{DeploymentState, Revision, RevisionOutcome, StackRecord, StackStatus},
    inventory::{ContainerStatus, Host, HostStatus, ObservedContainer},
    store::{Kind, RecordQuery, TaskStore, TaskStoreExt},
};
use graphium_store::{
    CouchStore, Options,
    couch::{CouchAddress, CouchClient},
    testing::FakeCouch,
};
use jiff::Timestamp;
use serde_json::json;
use std::error::Error;

type Checked = Result<(), Box<dyn Error>>;

/// What the older system leaves behind: a stack in each of its two formats of a deployment, and what cannot be converted.
fn fill(fake: &FakeCouch) {
    let documents = [
        json!({"@id": "host:vm1", "@type": "ComputerServer", "name": "vm1", "ipAddress": "10.0.0.1", "cpu": 4, "memory": 8589934592_u64,
               "status": "maintenance", "location": "dc-east", "labels": {"disk": "ssd"}, "kernel": "6.1"}),
        json!({"@id": "host:vm2", "@type": "datacenter:ComputerSystem", "name": "vm2", "cpu": 2, "memory": 0, "status": "active"}),
        json!({"@id": "stack:shop", "@type": "ItemList", "name": "shop", "description": "a shop", "status": "running",
               "dateCreated": "2025-03-01T10:00:00Z", "deployedAt": "2025-03-01T10:01:00Z", "owner": "ann", "deploymentId": "deployment:stack:shop",
               "itemListElement": [
                   {"@type": "SoftwareApplication", "@id": "container:web", "position": 1, "name": "web", "image": "nginx:1.25",
                    "ports": [{"containerPort": 80, "hostPort": 8080, "protocol": "tcp"}], "environment": {"PRICE": "${5}"}},
                   {"@type": "SoftwareApplication", "@id": "container:db", "position": 2, "name": "db", "image": "postgres:16"}]}),
        json!({"@id": "deployment:stack:shop", "@type": "StackDeployment", "stackId": "stack:shop", "status": "completed",
               "startedAt": "2025-03-01T10:00:30Z", "completedAt": "2025-03-01T10:01:00Z",
               "placements": {"web": {"containerId": "c1", "containerName": "shop-web", "hostId": "host:vm1", "ipAddress": "10.0.0.1",
                                      "ports": {"80": 8080}, "status": "running"},
                              "db": {"containerId": "c2", "containerName": "shop-db", "hostId": "vm2", "status": "running"}},
               "networkConfig": {"mode": "host-port", "serviceEndpoints": {"web": "10.0.0.1:8080"}}}),
        json!({"@id": "stack:mail", "@type": "ItemList", "name": "mail", "status": "running", "deploymentId": "deployment:7", "location": "dc-east",
               "containers": [{"@type": "SoftwareApplication", "@id": "container:smtp", "name": "smtp", "image": "postfix:3"},
                              {"@type": "SoftwareApplication", "name": "imap", "image": "dovecot:2"}]}),
        json!({"@id": "deployment:stack:mail", "@type": "StackDeployment", "stackId": "stack:mail", "status": "completed",
               "startedAt": "2025-06-01T00:00:00Z", "placements": {"smtp": {"hostId": "vm2", "status": "running"}}}),
        json!({"@id": "deployment:6", "@type": "DeploymentState", "stackId": "stack:mail", "status": "failed", "phase": "failed",
               "startedAt": "2025-05-01T00:00:00Z", "placements": {"smtp": {"hostId": "vm3"}}}),
        json!({"@id": "deployment:7", "@type": "DeploymentState", "stackId": "stack:mail", "status": "completed", "phase": "completed", "progress": 100,
               "placements": {"container:smtp": {"hostId": "vm1", "containerName": "mail-smtp", "ipAddress": "somewhere", "ports": {"25/tcp": "2525"},
                                                 "status": "running", "restarts": 3}},
               "networkInfo": {"vm1": "mail"}, "volumeInfo": {"queue": {"driver": "local"}},
               "events": [{"timestamp": "2025-05-02T00:00:00Z", "message": "deployed"}],
               "startedAt": "2025-05-02T00:00:00Z", "completedAt": "0001-01-01T00:00:00Z", "rollbackState": {"step": 1}}),
        json!({"@id": "c9", "@type": "Container", "name": "mail-imap", "executableName": "dovecot:2", "status": "running", "hostedOn": "vm2",
               "ports": [{"containerPort": 143, "hostPort": 1143}], "labels": {"team": "post"}}),
        json!({"@id": "stack:blog", "@type": "ItemList", "name": "blog", "status": "deploying",
               "containers": [{"@type": "SoftwareApplication", "name": "app", "image": "ghost:5"}]}),
        json!({"@id": "stack:bad", "@type": "ItemList", "name": "bad", "status": "running",
               "containers": [{"@type": "SoftwareApplication", "name": "app", "imagee": "ghost:5"}]}),
        json!({"@id": "c1", "@type": "Container", "name": "shop-web", "executableName": "nginx:1.25", "status": "running", "hostedOn": "host:vm1",
               "ports": ["8080:80"], "environment": {"PRICE": "secret"}, "dependsOn": ["db"]}),
        json!({"@id": "task-1", "@type": "AgentTask", "status": "completed", "taskType": "deploy"}),
        json!({"@id": "task-2", "@type": "AgentTask", "status": "pending", "taskType": "deploy"}),
        json!({"@id": "who", "@type": "Person"}),
    ];
    for document in documents {
        fake.put(document["@id"].as_str().unwrap_or_default(), document.clone());
    }
}

async fn server(fake: &FakeCouch) -> Result<CouchStore, Box<dyn Error>> {
    Ok(CouchStore::open(CouchAddress::parse(&fake.url())?, Options::at(Timestamp::UNIX_EPOCH)).await?)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_the_older_system_opens_with_its_stacks_and_hosts() -> Checked {
    let fake = FakeCouch::start(1).await?;
    fill(&fake);
    let before = fake.ids();
    let store = server(&fake).await?;
    let stack = store.document::<StackRecord>("stack:shop").await?.ok_or("no stack")?.value;
    assert_eq!((stack.status, stack.owner.as_deref()), (StackStatus::Running, Some("ann")));
    assert_eq!(stack.date_created, "2025-03-01T10:00:00Z".parse()?);
    assert_eq!(stack.definition.containers.len(), 2);
    assert!(serde_json::to_string(&stack.definition)?.contains("${5}"), "what looks like a variable is text");
    let places: Vec<_> = stack.applied.placements.iter().map(|(name, host)| (name.as_str(), host.as_str())).collect();
    assert_eq!(places, [("db", "vm2"), ("web", "vm1")]);
    let state = store.document::<DeploymentState>(stack.deployment_id.as_str()).await?.ok_or("no deployment")?.value;
    let web = &state.placements["web"];
    assert_eq!((web.container_id.as_deref(), web.ports.get("80/tcp")), (Some("c1"), Some(&8080)));
    let revisions = RecordQuery { stack: Some(stack.id.clone()), ..RecordQuery::of(Kind::Revision) };
    let revisions = store.documents::<Revision>(revisions).await?;
    let first = &revisions.first().ok_or("no revision")?.value;
    assert_eq!((first.revision, first.outcome), (1, Some(RevisionOutcome::Ran)), "there is something to go back to");
    assert_eq!((&first.definition, &first.placements), (&stack.definition, &stack.applied.placements));
    let blog = store.document::<StackRecord>("stack:blog").await?.ok_or("no stack")?.value;
    assert_eq!(blog.status, StackStatus::Error, "what was under way is so no longer");
    let host = store.document::<Host>("vm1").await?.ok_or("no host")?.value;
    assert_eq!(
        (host.status, host.memory, host.location.as_deref()),
        (HostStatus::Maintenance, 8 << 30, Some("dc-east"))
    );
    let container = store.document::<ObservedContainer>("vm1/shop-web").await?.ok_or("no container")?;
    assert_eq!(container.value.stack().as_ref().map(|id| id.as_str()), Some("stack:shop"));
    assert!(before.iter().all(|id| fake.ids().contains(id)), "a document of the older system is gone");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upgrade_says_what_it_leaves_and_is_done_once() -> Checked {
    let fake = FakeCouch::start(1).await?;
    fill(&fake);
    let store = server(&fake).await?;
    let events = store.last_event().await?;
    let again = store.upgrade(Timestamp::UNIX_EPOCH).await?;
    assert_eq!(store.last_event().await?, events, "it was done again");
    assert_eq!(server(&fake).await?.last_event().await?, events);
    let left = again.left.join("\n");
    for part in [
        "unknown key `imagee` in a container",
        "`who`",
        "tasks that had ended: 1",
        "tasks that had not ended: 1",
        "the places of `app` of `stack:blog`: no deployment of it was found",
        "`stack:blog`, which was deploying",
        "the host `host:vm1` has what is not taken over: `kernel`",
        "the container `c1` has what is not taken over: `dependsOn`, `environment`, `ports`",
        "the deployment `deployment:stack:shop` has what is not taken over: `networkConfig.serviceEndpoints`",
        "the stack `stack:mail` has what is not taken over: `location`",
        "the place of `container:smtp` of `stack:mail` has what is not taken over: `ipAddress`, `restarts`",
        "the deployment `deployment:7` has what is not taken over: `rollbackState`, `volumeInfo`",
        "the deployment `deployment:6` of `stack:mail`: `deployment:7` tells of it instead",
        "the deployment `deployment:stack:mail` of `stack:mail`: `deployment:7` tells of it instead",
    ] {
        assert!(left.contains(part), "`{part}` is not in:\n{left}");
    }
    assert_eq!(again.left.len(), 14, "{left}");
    assert_eq!(store.records(&RecordQuery::of(Kind::Stack)).await?.items.len(), 3);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_our_own_has_nothing_to_upgrade() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let store = server(&fake).await?;
    assert_eq!(
        CouchStore::older(&CouchClient::new(CouchAddress::parse(&fake.url())?)?, Timestamp::UNIX_EPOCH).await?,
        Default::default()
    );
    assert_eq!(store.last_event().await?, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_deployments_the_one_in_the_newer_format_counts_and_what_it_lacks_is_seen() -> Checked {
    let fake = FakeCouch::start(1).await?;
    fill(&fake);
    let store = server(&fake).await?;
    let mail = store.document::<StackRecord>("stack:mail").await?.ok_or("no stack")?.value;
    assert_eq!((mail.status, mail.deployment_id.as_str()), (StackStatus::Running, "deployment:7"));
    let state = store.document::<DeploymentState>("deployment:7").await?.ok_or("no deployment")?.value;
    let (smtp, imap) = (&state.placements["smtp"], &state.placements["imap"]);
    assert_eq!((smtp.host_id.as_str(), smtp.ports.get("25/tcp")), ("vm1", Some(&2525)));
    assert_eq!(smtp.status, Some(ContainerStatus::Running));
    assert_eq!((imap.host_id.as_str(), imap.container_id.as_deref()), ("vm2", Some("c9")), "by its name on a host");
    assert_eq!(mail.applied.placements.len(), 2);
    assert_eq!((state.network_info["vm1"].as_str(), state.events[0].message.as_str()), ("mail", "deployed"));
    let began = "2025-05-02T00:00:00Z".parse()?;
    assert_eq!((state.started_at, state.completed_at), (began, Some(began)), "the year 1 is no time");
    let seen = store.document::<ObservedContainer>("vm2/mail-imap").await?.ok_or("no container")?.value;
    assert_eq!((seen.ports[0].host_port, seen.label("team")), (Some(1143), Some("post")));
    assert_eq!(seen.stack().as_ref().map(|id| id.as_str()), Some("stack:mail"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn containers_under_other_names_or_nobody_knows_where_are_not_acted_on() -> Checked {
    let fake = FakeCouch::start(1).await?;
    let app = json!([{"@type": "SoftwareApplication", "name": "app", "image": "ghost:5"}]);
    for name in ["blog", "wiki"] {
        let id = format!("stack:{name}");
        fake.put(&id, json!({"@id": id, "@type": "ItemList", "name": name, "status": "running", "containers": app}));
    }
    fake.put(
        "deployment:stack:wiki",
        json!({"@type": "StackDeployment", "stackId": "stack:wiki",
               "placements": {"app": {"hostId": "vm1", "containerName": "wiki_app_1"}}}),
    );
    let store = server(&fake).await?;
    let blog = store.document::<StackRecord>("stack:blog").await?.ok_or("no stack")?.value;
    let words = blog.error_message.unwrap_or_default();
    assert!(blog.status == StackStatus::Error && words.contains("`graphium adopt`"), "{words}");
    let wiki = store.document::<StackRecord>("stack:wiki").await?.ok_or("no stack")?.value;
    let words = wiki.error_message.unwrap_or_default();
    assert!(wiki.status == StackStatus::Error, "another one would be made beside it");
    assert!(words.contains("`graphium adopt --container app=vm1/wiki_app_1`"), "{words}");
    let traces: Vec<_> = wiki.traces.iter().map(|trace| (trace.host.as_str(), trace.engine_name.as_str())).collect();
    assert_eq!(traces, [("vm1", "wiki_app_1")], "a removal finds it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trial_says_the_same_and_writes_nothing() -> Checked {
    let fake = FakeCouch::start(1).await?;
    fill(&fake);
    let all = || fake.ids().into_iter().map(|id| (fake.document(&id), id)).collect::<Vec<_>>();
    let (before, writes) = (all(), fake.writes());
    let client = CouchClient::new(CouchAddress::parse(&fake.url())?)?;
    let trial = CouchStore::older(&client, Timestamp::UNIX_EPOCH).await?;
    assert!(!trial.records.is_empty());
    assert_eq!((all(), fake.writes()), (before.clone(), writes));
    let done = server(&fake).await?.upgrade(Timestamp::UNIX_EPOCH).await?;
    assert_eq!(done, trial);
    assert!(before.iter().all(|document| all().contains(document)), "a document of the older system has changed");
    Ok(())
}
