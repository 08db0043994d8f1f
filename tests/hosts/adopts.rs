//! A Compose project on a real engine becomes a stack without a restart: one that `docker-compose` has made, and one whose containers
//! Docker's own command line has made as the plugin makes and names them.

use crate::estate::{BYSTANDER, Estate, WEB, list, run_of};
use serde_json::{Value, json};

const HOST: &str = "vm1";

fn document(web: &Value) -> Value {
    let mut web = web.clone();
    web["@type"] = "datacenter:Container".into();
    web["name"] = "web".into();
    let db = json!({
        "@type": "datacenter:Container", "name": "db", "image": WEB, "locatedInHost": HOST, "command": ["sleep"],
        "environment": [{"name": "PASSWORD", "value": "hunter2"}], "restartPolicy": "unless-stopped",
        "volumeMounts": [{"type": "volume", "source": "shop_data", "target": "/data"}],
        "healthCheck": {"type": "exec", "command": ["/web", "sleep", "0"]}
    });
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop",
        "name": "shop", "volumes": [{"name": "shop_data", "external": true}], "hasPart": [db, web]
    })
}

fn web() -> Value {
    json!({
        "image": WEB, "locatedInHost": HOST, "ports": [{"containerPort": 80, "hostPort": 8089}],
        "resources": {"limits": {"memory": "64M"}}, "labels": {"tier": "front"}
    })
}

/// Makes the project as `docker compose up` does.
async fn compose(estate: &Estate) {
    let labels = |service: &str| {
        [("project", "shop"), ("service", service), ("container-number", "1"), ("oneoff", "False")]
            .map(|(key, value)| format!("--label=com.docker.compose.{key}={value}"))
    };
    estate.docker(HOST, &["network", "create", "shop_default"]).await;
    estate.docker(HOST, &["volume", "create", "shop_data"]).await;
    let run = async |service: &str, own: &[&str], command: &[&str]| {
        let labels = labels(service);
        let labels: Vec<&str> = labels.iter().map(String::as_str).collect();
        let (name, alias) = (format!("--name=shop-{service}-1"), format!("--network-alias={service}"));
        let base = ["run", "--detach", "--network=shop_default", &name, &alias];
        estate.docker(HOST, &[&base[..], &labels, own, &[WEB], command].concat()).await;
    };
    let db = ["--env=PASSWORD=hunter2", "--restart=unless-stopped", "--volume=shop_data:/data:rw"];
    run("db", &db, &["sleep"]).await;
    run("web", &["--publish=8089:80", "--memory=64m", "--label=tier=front"], &[]).await;
}

async fn tasks(estate: &Estate, document: &str) -> Vec<String> {
    let plan = estate.json(&["plan", document]).await;
    list(&plan, "tasks").iter().map(|task| task["id"].as_str().unwrap_or_default().to_owned()).collect()
}

/// A document without the health check, which Docker's command line cannot ask for without a shell.
fn unchecked(mut document: Value) -> Value {
    document["hasPart"][0].as_object_mut().unwrap().remove("healthCheck");
    document
}

#[tokio::test(flavor = "multi_thread")]
async fn a_compose_project_is_adopted_without_a_restart_and_goes_on_as_a_stack() {
    let mut estate = Estate::start().await;
    compose(&estate).await;
    estate.docker(HOST, &["run", "--detach", "--name", "neighbour", WEB, "sleep"]).await;
    let neighbour = estate.inspect(HOST, "neighbour").await;
    let before = [estate.inspect(HOST, "shop-db-1").await, estate.inspect(HOST, "shop-web-1").await];
    let runs = before.each_ref().map(run_of);
    estate.until("the project is seen", is_seen).await;

    // What differs is told property by property, without secrets, and nothing is changed.
    let mut other = web();
    other["restartPolicy"] = "always".into();
    other["environment"] = json!([{"name": "MODE", "value": "s3cret"}]);
    let differs = estate.document("differs", &document(&other));
    let refused = estate.graphium(&["adopt", &differs]).await;
    let told = String::from_utf8_lossy(&refused.stdout).into_owned() + &String::from_utf8_lossy(&refused.stderr);
    assert_eq!(refused.status.code(), Some(1), "{told}");
    for words in ["- environment", "~ restartPolicy: always → no", "healthCheck", "2 containers are not as"] {
        assert!(told.contains(words), "`{words}` is not in {told}");
    }
    assert!(!told.contains("s3cret") && !told.contains("hunter2"), "{told}");
    assert_eq!(list(&estate.json(&["stack", "list"]).await, "stacks").len(), 0, "nothing was stored");

    // A document that was made of what runs says what runs.
    let socket = format!("unix://{}", estate.host(HOST).socket().display());
    let imported = estate.ok(&["import", "shop", "--docker", &socket, "--host", HOST]).await;
    let imported = estate.document("imported", &serde_json::from_str(&imported).unwrap());
    let dry = estate.ok(&["adopt", &imported, "--dry-run"]).await;
    assert_eq!(dry.matches("is as the document says").count(), 2, "{dry}");

    let shop = estate.document("shop", &unchecked(document(&web())));
    let dry = estate.ok(&["adopt", &shop, "--dry-run"]).await;
    assert!(dry.contains("web ← vm1/shop-web-1") && dry.contains("is as the document says"), "{dry}");
    assert_eq!(estate.inspect(HOST, "shop-web-1").await, before[1], "a dry run changes nothing");
    estate.ok(&["adopt", &shop, "--host", HOST, "--wait"]).await;
    let same = async |estate: &Estate, names: [&str; 2]| {
        for (name, run) in names.iter().zip(&runs) {
            assert_eq!(run_of(&estate.inspect(HOST, name).await), *run, "{name}");
        }
    };
    same(&estate, ["shop-db", "shop-web"]).await;
    assert_eq!(tasks(&estate, &shop).await, Vec::<String>::new());
    let networks = &estate.inspect(HOST, "shop-web").await["NetworkSettings"]["Networks"];
    assert!(networks["shop"].is_object() && networks["shop_default"].is_object(), "{networks}");
    assert_eq!(estate.json(&["stack", "status", "shop"]).await["overallStatus"], "running");
    assert_eq!(list(&estate.json(&["stack", "history", "shop"]).await, "revisions").len(), 1);
    estate.ok(&["stack", "logs", "shop", "--tail", "1"]).await;
    let live = estate.ok(&["stack", "diff", "shop", "--live"]).await;
    assert!(live.contains("all that was seen is as revision 1 wants it"), "{live}");
    let again = estate.ok(&["adopt", &shop]).await;
    assert!(again.contains("is up to date"), "{again}");

    // The agent is killed, and its successor knows what it has adopted.
    estate.kill_agent(HOST).await;
    estate.start_agent(HOST).await;
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(tasks(&estate, &shop).await, Vec::<String>::new());

    // One without its state takes nothing for ours, touches nothing, and can adopt them again.
    estate.kill_agent(HOST).await;
    std::fs::rename(estate.path("agent-vm1"), estate.path("lost")).unwrap();
    estate.start_agent(HOST).await;
    estate
        .until("the stack says what it misses", async |estate| {
            let status = estate.json(&["stack", "status", "shop"]).await;
            let message = status["errorMessage"].as_str().unwrap_or_default();
            message.contains("is taken by a container that is not Graphium's")
        })
        .await;
    same(&estate, ["shop-db", "shop-web"]).await;
    // A repair may be under way again and again.
    estate
        .until("they are adopted again", async |estate| {
            estate.graphium(&["adopt", &shop, "--wait"]).await.status.success()
        })
        .await;
    same(&estate, ["shop-db", "shop-web"]).await;
    assert_eq!(tasks(&estate, &shop).await, Vec::<String>::new());

    // One property of one container.
    let mut changed = web();
    changed["environment"] = json!([{"name": "MODE", "value": "new"}]);
    let changed = estate.document("changed", &unchecked(document(&changed)));
    let planned = tasks(&estate, &changed).await;
    assert!(planned.iter().all(|id| !id.contains(":db")), "{planned:?}");
    estate.ok(&["stack", "deploy", &changed, "--wait"]).await;
    assert_eq!(run_of(&estate.inspect(HOST, "shop-db").await), runs[0]);
    let web = estate.inspect(HOST, "shop-web").await;
    assert_ne!(web["Id"], before[1]["Id"]);
    assert_eq!(web["Config"]["Labels"]["graphium.managed"], "true", "what is made anew bears our labels");

    estate.ok(&["stack", "stop", "shop", "--wait"]).await;
    assert_eq!(estate.inspect(HOST, "shop-db").await["State"]["Running"], false);
    estate.ok(&["stack", "start", "shop", "--wait"]).await;
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    let left = estate.docker(HOST, &["ps", "--all", "--format", "{{.Names}}"]).await;
    assert_eq!(left.trim(), "neighbour");
    let after = estate.inspect(HOST, "neighbour").await;
    assert_eq!((run_of(&after), &after["Name"]), (run_of(&neighbour), &neighbour["Name"]));
    let volumes = estate.docker(HOST, &["volume", "ls", "--quiet"]).await;
    assert!(volumes.contains("shop_data"), "data that was there stays");
    estate.docker(HOST, &["rm", "--force", "neighbour"]).await;
    estate.docker(HOST, &["network", "rm", "shop_default"]).await;
    estate.docker(HOST, &["volume", "rm", "shop_data"]).await;
    estate.end().await;
}

const PROJECT: &str = r#"
version: "3.7"
services:
  db:
    image: "graphium/web:test"
    command: ["sleep"]
    environment: {PASSWORD: hunter2}
    restart: unless-stopped
    volumes: ["data:/data"]
    healthcheck: {test: ["CMD", "/web", "sleep", "0"], interval: 1s}
  web:
    image: "graphium/web:test"
    ports: ["8090:80"]
    labels: {tier: front}
    depends_on: [db]
    networks: {default: {aliases: [front]}, side: {}}
volumes: {data: {}}
networks: {side: {}}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn what_compose_itself_has_made_is_adopted_without_a_restart() {
    let mut estate = Estate::start().await;
    estate.put_bystanders().await;
    std::fs::write(estate.path("compose.yml"), PROJECT).unwrap();
    let socket = format!("unix://{}", estate.host(HOST).socket().display());
    let compose = async |words: &[&str]| {
        let mut command = tokio::process::Command::new("docker-compose");
        command.env("DOCKER_HOST", &socket).args(["--project-name", "shop", "--file"]).arg(estate.path("compose.yml"));
        let output = command.args(words).output().await.expect("docker-compose is installed");
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    };
    compose(&["up", "--detach"]).await;
    let before = [estate.inspect(HOST, "shop_db_1").await, estate.inspect(HOST, "shop_web_1").await];
    let imported = estate.ok(&["import", "shop", "--docker", &socket, "--host", HOST]).await;
    let imported = estate.document("imported", &serde_json::from_str(&imported).unwrap());
    estate
        .until("the project is seen", async |estate| {
            estate.graphium(&["adopt", &imported, "--dry-run"]).await.status.success()
        })
        .await;
    estate.ok(&["adopt", &imported, "--wait"]).await;
    for (name, before) in ["shop-db", "shop-web"].iter().zip(&before) {
        assert_eq!(run_of(&estate.inspect(HOST, name).await), run_of(before), "{name}");
    }
    assert_eq!(tasks(&estate, &imported).await, Vec::<String>::new());
    assert_eq!(estate.json(&["stack", "status", "shop"]).await["overallStatus"], "running");
    estate.ok(&["stack", "remove", "shop", "--wait"]).await;
    assert_eq!(estate.docker(HOST, &["ps", "--all", "--format", "{{.Names}}"]).await.trim(), BYSTANDER);
    let volumes = estate.docker(HOST, &["volume", "ls", "--quiet"]).await;
    assert!(volumes.contains("shop_data"), "data that was there stays");
    compose(&["down", "--volumes"]).await;
    estate.end().await;
}

async fn is_seen(estate: &Estate) -> bool {
    let dry = estate.document("seen", &unchecked(document(&web())));
    estate.graphium(&["adopt", &dry, "--dry-run"]).await.status.success()
}
