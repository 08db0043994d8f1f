//! A hundred `kill -9` of server, agents and engines, and thirty partitions, amid deployments, updates and removals.

use crate::estate::{Estate, HOSTS, WEB, list};
use graphium_core::{environment::Environment as _, testing::ManualEnvironment};
use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// What happens is decided by this number; when it meets what is under way is not.
const SEED: u64 = 20_261_126;
const KILLS: usize = 100;
const PARTITIONS: usize = 30;
/// How many blows fall while one wish is carried out.
const BLOWS: usize = 5;
/// How long all may take to be well again after the last blow.
const PATIENCE: Duration = Duration::from_secs(150);
/// So many engines may keep a port that they were killed with.
const RESTARTS: usize = 10;
/// So many may not be able to read what they have written of a network.
const MENDED: usize = 5;

#[derive(Clone, Copy, Debug)]
enum Blow {
    Server,
    Agent(&'static str),
    Engine(&'static str),
    Partition(&'static str),
}

struct Dice(ManualEnvironment);

impl Dice {
    fn below(&self, bound: usize) -> usize {
        usize::try_from(self.0.random() % bound as u128).unwrap()
    }

    fn millis(&self, least: usize, most: usize) -> Duration {
        Duration::from_millis((least + self.below(most - least)) as u64)
    }

    fn host(&self) -> &'static str {
        HOSTS[self.below(HOSTS.len())]
    }

    /// So many of each, in any order.
    fn deck(&self) -> Vec<Blow> {
        let kill = |number: usize| match number % 4 {
            0 => Blow::Server,
            1 | 2 => Blow::Agent(self.host()),
            _ => Blow::Engine(self.host()),
        };
        let mut deck: Vec<Blow> = (0..KILLS).map(kill).collect();
        deck.extend((0..PARTITIONS).map(|_| Blow::Partition(self.host())));
        for place in (1..deck.len()).rev() {
            deck.swap(place, self.below(place + 1));
        }
        deck
    }
}

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// This revision runs.
    Run(u32),
    Gone,
}

/// One after the other, again and again: none is what there is already.
const WISHES: [Wish; 4] = [Wish::Run(1), Wish::Run(2), Wish::Gone, Wish::Run(2)];

/// Two containers on each host and one that has another host in the second revision.
fn shop(revision: u32) -> Value {
    let container = |name: &str, host: &str| {
        json!({
            "@type": "datacenter:Container", "@id": format!("container:{name}"), "name": name, "image": WEB,
            "locatedInHost": {"@id": host}, "restartPolicy": "unless-stopped",
            "environment": [{"name": "VERSION", "value": revision.to_string()}]
        })
    };
    let mut parts = vec![container("mover", if revision == 1 { "vm1" } else { "vm2" })];
    for host in HOSTS {
        let back = format!("back-{host}");
        let mut front = container(&format!("front-{host}"), host);
        front["dependsOn"] = json!([back]);
        front["ports"] = json!([{"containerPort": 80, "hostPort": 8080}]);
        let mut behind = container(&back, host);
        behind["volumeMounts"] = json!([{"type": "volume", "source": "data", "target": "/data"}]);
        parts.extend([front, behind]);
    }
    json!({
        "@context": "https://graphium.io/context/v1.jsonld", "@id": "stack:shop", "@type": "datacenter:Stack", "name": "shop",
        "hasPart": parts
    })
}

/// Every container that is to run: host and name.
fn wanted(revision: u32) -> Vec<(String, String)> {
    let document = shop(revision);
    let parts = list(&document, "hasPart").iter();
    let mut all: Vec<_> = parts
        .map(|part| {
            (
                part["locatedInHost"]["@id"].as_str().unwrap().to_owned(),
                format!("shop-{}", part["name"].as_str().unwrap()),
            )
        })
        .collect();
    all.sort();
    all
}

struct Chaos {
    estate: Estate,
    dice: Dice,
    documents: BTreeMap<u32, String>,
    begun: Instant,
    /// How often an engine was restarted because it kept a port.
    restarted: usize,
    /// How often one had to lose its networks.
    mended: usize,
    /// How many blows fell while something was under way.
    met: usize,
}

impl Chaos {
    fn say(&self, what: std::fmt::Arguments<'_>) {
        println!("{:7.2} s  {what}", self.begun.elapsed().as_secs_f64());
    }

    async fn ask(&self, wish: Wish) {
        match wish {
            Wish::Run(revision) => self.estate.ok(&["stack", "deploy", &self.documents[&revision]]).await,
            Wish::Gone => self.estate.ok(&["stack", "remove", "shop", "--volumes", "--yes"]).await,
        };
    }

    async fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Server => {
                self.estate.kill_server().await;
                self.estate.start_server().await;
            }
            Blow::Agent(host) => {
                self.estate.kill_agent(host).await;
                self.estate.start_agent(host).await;
            }
            Blow::Engine(host) => {
                self.estate.host(host).kill_engine().await.unwrap();
                self.start_engine(host).await;
            }
            Blow::Partition(host) => {
                self.estate.host(host).partition().await.unwrap();
                tokio::time::sleep(self.dice.millis(200, 2_500)).await;
                self.estate.host(host).heal().await.unwrap();
            }
        }
    }

    /// Starts an engine as an init system does, which tries again where one ends at once.
    ///
    /// Docker 20.10 that was killed while it made a network cannot read that again and breaks off at every start. Then this does what
    /// is the remedy there: it takes away what the engine knows of networks. What it had is for the agent to make again.
    async fn start_engine(&mut self, host: &str) {
        for _ in 0..3 {
            let Err(error) = self.estate.host(host).start_engine().await else { return };
            let error = error.to_string();
            self.say(format_args!("the engine of {host} does not start: {error}"));
            if error.contains("libnetwork.(*controller).reservePools") {
                assert!(self.mended < MENDED, "{error}");
                self.mended += 1;
                self.say(format_args!("the engine of {host} has lost its networks"));
                let networks = self.estate.host(host).socket().with_file_name("data").join("network/files");
                std::fs::remove_dir_all(networks).unwrap();
            }
        }
        panic!("the engine of {host} does not start\n{}", self.estate.logs());
    }

    /// What the server says of the stack; nothing: that there is none.
    async fn told(&self) -> Option<Value> {
        let stacks = self.estate.json(&["stack", "list"]).await;
        list(&stacks, "stacks").first().cloned()
    }

    /// Whether what was wished last is under way.
    async fn is_at_work(&self) -> bool {
        self.told().await.is_some_and(|stack| !["running", "degraded"].contains(&stack["status"].as_str().unwrap()))
    }

    /// Waits until all is as it was wished, on the engines and in the words of the server.
    ///
    /// Docker 20.10 that was killed while it started a container keeps the port for itself until its next restart. Then this does
    /// what the hint of the error says, as whoever reads it would.
    async fn until_well(&mut self, wish: Wish) {
        let mut started = Instant::now();
        while let Some(why) = self.ails(wish).await {
            if let Some(host) = self.keeps_port(&why).await {
                assert!(self.restarted < RESTARTS, "{why}");
                self.restarted += 1;
                self.say(format_args!("the engine of {host} keeps a port: it is restarted"));
                self.estate.host(host).stop_engine().await.unwrap();
                self.start_engine(host).await;
                self.ask(wish).await;
                started = Instant::now();
            }
            if started.elapsed() > PATIENCE {
                let status = self.estate.graphium(&["stack", "status", "shop"]).await;
                panic!(
                    "not {wish:?} after {PATIENCE:?}: {why}\n{}\n{}",
                    String::from_utf8_lossy(&status.stdout),
                    self.estate.logs()
                );
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    /// The host whose engine has a port that none of its containers has, if a failure is for that.
    async fn keeps_port(&self, why: &str) -> Option<&'static str> {
        if !why.contains("port is already allocated") {
            return None;
        }
        let status = self.estate.json(&["stack", "status", "shop"]).await;
        let failed = list(&status, "tasks").iter().find(|task| task["error"]["code"] == "port-taken")?;
        let hint = failed["error"]["help"].as_str().unwrap();
        assert!(hint.contains("no container of this engine has it"), "the engine's containers share no port: {failed}");
        let host = HOSTS.into_iter().find(|host| failed["hostId"] == *host)?;
        let sockets = self.estate.host(host).command("ss").args(["-lntp"]).output().await.unwrap();
        let sockets = String::from_utf8_lossy(&sockets.stdout).into_owned();
        let is_engine = sockets.lines().any(|line| line.contains(":8080 ") && line.contains("dockerd"));
        assert!(is_engine, "something has the port, and it is not the engine: {sockets}");
        Some(host)
    }

    /// What is not as it was wished.
    async fn ails(&self, wish: Wish) -> Option<String> {
        let told = self.told().await;
        let Wish::Run(revision) = wish else {
            let left = self.estate.left().await;
            return (told.is_some() || !left.is_empty()).then(|| format!("{told:?}, and there is {left:?}"));
        };
        if !told.as_ref().is_some_and(|stack| stack["status"] == "running") {
            return Some(format!("{told:?}"));
        }
        let mut all = Vec::new();
        for host in HOSTS {
            let format =
                ["ps", "--all", "--format", "{{.Names}} {{.State}}", "--filter", "label=graphium.managed=true"];
            for line in self.estate.docker(host, &format).await.lines() {
                let Some(name) = line.strip_suffix(" running") else { return Some(format!("{line} on {host}")) };
                // What is made anew may be away for a moment.
                let Some(seen) = self.estate.seen(host, name).await else {
                    return Some(format!("no {name} on {host}"));
                };
                let variables = seen["Config"]["Env"].to_string();
                if !variables.contains(&format!("VERSION={revision}")) {
                    return Some(format!("{name} on {host}: {variables}"));
                }
                all.push((host.to_owned(), name.to_owned()));
            }
        }
        all.sort();
        (all != wanted(revision)).then(|| format!("{all:?}"))
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "it wants the machine for itself: a step of `tests/run` runs it"]
async fn a_hundred_kills_and_thirty_partitions_leave_what_is_wanted_and_nothing_else() {
    let estate = Estate::start().await;
    let mut foreign = Vec::new();
    for host in HOSTS {
        estate.docker(host, &["run", "--detach", "--restart", "always", "--name", "foreign", WEB, "sleep"]).await;
        foreign.push(estate.inspect(host, "foreign").await["Id"].clone());
    }
    let documents = [1, 2].map(|revision| (revision, estate.document(&format!("shop-{revision}"), &shop(revision))));
    let dice = Dice(ManualEnvironment::seeded(SEED));
    let mut chaos =
        Chaos { estate, dice, documents: documents.into(), begun: Instant::now(), restarted: 0, mended: 0, met: 0 };
    let deck = chaos.dice.deck();
    for (blows, wish) in deck.chunks(BLOWS).zip(WISHES.into_iter().cycle()) {
        chaos.ask(wish).await;
        for &blow in blows {
            tokio::time::sleep(chaos.dice.millis(0, 600)).await;
            chaos.met += usize::from(chaos.is_at_work().await);
            chaos.strike(blow).await;
        }
        let begun = Instant::now();
        chaos.until_well(wish).await;
        chaos.say(format_args!("{wish:?}, well {:.1} s after {blows:?}", begun.elapsed().as_secs_f64()));
    }
    chaos.ask(Wish::Gone).await;
    chaos.until_well(Wish::Gone).await;
    println!("{} of {} blows fell while something was under way", chaos.met, deck.len());
    assert!(chaos.met * 2 > deck.len(), "only {} of {} blows met something", chaos.met, deck.len());
    for (host, before) in HOSTS.into_iter().zip(foreign) {
        // It ends with its engine, which alone starts it again.
        let runs = async |estate: &Estate| estate.inspect(host, "foreign").await["State"]["Running"] == true;
        chaos.estate.until("what is not ours runs", runs).await;
        assert_eq!(chaos.estate.inspect(host, "foreign").await["Id"], before, "{host}");
        chaos.estate.docker(host, &["rm", "--force", "foreign"]).await;
    }
    chaos.estate.end().await;
}
