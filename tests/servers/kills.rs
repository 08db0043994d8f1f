use crate::{
    estate::{Estate, HOSTS, list},
    operator::{Operator, Wish, document},
    store::Store,
    witness::{Stream, Witness, number_of, same_events},
};
use futures::future::join_all;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Two servers.
const SERVERS: u16 = 2;

/// How many rounds, each with a deployment, an update and a removal.
const ROUNDS: u16 = 11;

/// What is killed in a round, at what moment.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Server(u16),
    /// Whoever has the turn to write.
    Holder,
    Store,
}

const VICTIMS: [(Victim, u64); ROUNDS as usize] = [
    (Victim::Server(0), 400),
    (Victim::Server(1), 900),
    (Victim::Holder, 200),
    (Victim::Store, 500),
    (Victim::Server(1), 50),
    (Victim::Store, 1200),
    (Victim::Holder, 700),
    (Victim::Server(0), 1500),
    (Victim::Store, 150),
    (Victim::Server(1), 250),
    (Victim::Holder, 400),
];

struct Company {
    estate: Estate,
    store: Store,
    operator: Operator,
    /// How often somebody was killed who had the turn.
    died_in_turn: usize,
}

/// Shows what everybody said where the test fails.
impl Drop for Company {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}\n--- store\n{}", self.estate.logs(), self.store.log());
        }
    }
}

impl Company {
    async fn kill(&mut self, victim: Victim) {
        match victim {
            Victim::Server(number) => {
                self.operator.say(format_args!("kill -9 of server {number}"));
                self.estate.kill_server_number(number).await;
            }
            Victim::Store => {
                self.operator.say("kill -9 of the store");
                self.store.kill().await;
                tokio::time::sleep(Duration::from_secs(1)).await;
                self.store.run().await;
                self.operator.say("the store is back");
            }
            Victim::Holder => self.kill_the_holder().await,
        }
    }

    /// A turn lasts some tens of milliseconds, and nobody says whose it is: all servers are held still amid one, and the others
    /// go on. Where the turn does not, it is of the one that is still held.
    async fn kill_the_holder(&mut self) {
        let started = Instant::now();
        for number in (0..SERVERS).cycle() {
            assert!(started.elapsed() < Duration::from_secs(120), "nobody could be killed who had the turn");
            if self.store.turn().await.is_none() {
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            }
            self.estate.signal_servers("-STOP", 0..SERVERS);
            // What was under way arrives.
            tokio::time::sleep(Duration::from_millis(50)).await;
            let turn = self.store.turn().await;
            self.estate.signal_servers("-CONT", (0..SERVERS).filter(|other| *other != number));
            if turn.is_some() {
                tokio::time::sleep(Duration::from_millis(700)).await;
                if self.store.turn().await == turn {
                    self.operator.say(format_args!("kill -9 of server {number}, which had the turn"));
                    self.estate.kill_server_number(number).await;
                    self.died_in_turn += 1;
                    return;
                }
            }
            self.estate.signal_servers("-CONT", [number]);
        }
    }

    async fn start_what_is_away(&mut self) {
        for number in 0..SERVERS {
            if !self.estate.is_up(number) {
                self.estate.start_server_number(number).await;
                self.operator.say(format_args!("server {number} is back"));
            }
        }
    }

    /// Waits until every stack is as it should be, as all servers that live say.
    async fn converge(&self, running: &[String]) {
        let started = Instant::now();
        loop {
            let stacks = self.operator.json(&self.estate.urls_from(0), &["stack", "list"]).await;
            let now: Vec<(String, String)> =
                stacks.iter().flat_map(|stacks| list(stacks, "stacks")).map(state).collect();
            let is_so = stacks.is_some()
                && now.len() == running.len()
                && now.iter().all(|(name, status)| status == "running" && running.contains(name));
            if is_so {
                self.operator.say(format_args!("as it should be: {}", running.join(", ")));
                return;
            }
            if let Some((name, _)) = now.iter().find(|(_, status)| status == "error") {
                panic!("`{name}` failed: {}", self.tell(name).await);
            }
            if started.elapsed() > Duration::from_secs(60) {
                let mut told = String::new();
                for (name, _) in &now {
                    told += &self.tell(name).await;
                }
                panic!("after a minute {now:?} is not {running:?}\n{told}");
            }
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
    }

    async fn tell(&self, stack: &str) -> String {
        let servers = self.estate.urls_from(0);
        let output = self.operator.graphium(&servers, &["stack", "status", stack, "-o", "wide"]).await;
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    async fn events(&self, server: u16) -> Vec<Value> {
        let output = self.operator.graphium(&self.estate.url_of(server), &["events", "-o", "json"]).await;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn state(stack: &Value) -> (String, String) {
    let text = |key: &str| stack[key].as_str().unwrap_or_default().to_owned();
    (text("name"), text("status"))
}

/// What is asked in a round: a new stack, another revision of the one before, and the removal of the one before that.
fn wishes(estate: &Estate, round: u16) -> Vec<Wish> {
    let file = |number, revision| {
        estate.document(&format!("s{number}-{revision}"), &document(&format!("s{number}"), number, revision))
    };
    let mut wishes = vec![Wish::Deploy(file(round, 1))];
    wishes.extend(round.checked_sub(1).map(|number| Wish::Deploy(file(number, 2))));
    wishes.extend(round.checked_sub(2).map(|number| Wish::Remove(format!("s{number}"))));
    wishes
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_one_store_outlive_kill_9_of_each_other_and_of_the_store() {
    let store = Store::start().await;
    let mut estate = Estate::with_servers(SERVERS, store.url()).await;
    estate.start_agents().await;
    let operator = Operator::of(&estate);
    let witness = Witness::begin(&estate);
    let both = Stream::begin(&estate, &operator, &estate.urls_from(0), 0, "both");
    // One that is followed at the first server, which is the first to be killed.
    let first = Stream::begin(&estate, &operator, &estate.url_of(0), 0, "first");
    let mut company = Company { estate, store, operator, died_in_turn: 0 };

    let mut resumed = None;
    let mut first = Some(first);
    let mut deployments = 0;
    for (round, (victim, moment)) in (0..).zip(VICTIMS) {
        let wishes = wishes(&company.estate, round);
        deployments += wishes.iter().filter(|wish| matches!(wish, Wish::Deploy(_))).count();
        let asked = (0..).zip(wishes).map(|(place, wish)| {
            let (operator, servers) = (company.operator.clone(), company.estate.urls_from((round + place) % SERVERS));
            tokio::spawn(async move { operator.ask(servers, wish).await })
        });
        let asked: Vec<_> = asked.collect();
        tokio::time::sleep(Duration::from_millis(moment)).await;
        company.kill(victim).await;
        if let Some(first) = first.take() {
            let shown = first.end().await;
            let last = shown.last().map_or(0, number_of);
            company
                .operator
                .say(format_args!("the stream at server 0 ends with event {last}, and goes on at server 1"));
            let server = company.estate.url_of(1);
            resumed = Some((shown, Stream::begin(&company.estate, &company.operator, &server, last, "resumed")));
        }
        for asked in join_all(asked).await {
            asked.unwrap();
        }
        // A server that was killed stays away until all is done by the other.
        let running: Vec<String> = (round.saturating_sub(1)..=round).map(|number| format!("s{number}")).collect();
        company.converge(&running).await;
        company.start_what_is_away().await;
        if round == 0 {
            // Its server is killed in the next round.
            let (shown, stream) = resumed.take().unwrap();
            let until = number_of(company.events(1).await.last().unwrap());
            resumed_without_a_gap(&company, shown, stream, until).await;
        }
    }
    assert_eq!(company.died_in_turn, 3);
    assert!(deployments >= 20, "only {deployments} amid the kills");
    nothing_was_done_twice(&company, &witness).await;
    events_are_the_same_everywhere(&company, both).await;

    let winner = one_port_is_not_given_twice(&company).await;
    for stack in [format!("s{}", ROUNDS - 2), format!("s{}", ROUNDS - 1), winner] {
        company.operator.ask(company.estate.urls_from(0), Wish::Remove(stack)).await;
    }
    company.converge(&[]).await;
    let left = company.estate.left().await;
    assert_eq!(left, Vec::<String>::new(), "left behind");
    // The engines go with the estate.
    company.estate.stop_programs().await;
}

/// Two stacks want one port of a host, each asks another server, in the same moment: one gets it.
async fn one_port_is_not_given_twice(company: &Company) -> String {
    let names = ["north", "south"];
    let asked = (0..).zip(names).map(|(server, name)| {
        let file = company.estate.document(name, &document(name, ROUNDS, 1));
        let (operator, servers) = (company.operator.clone(), company.estate.url_of(server));
        async move { operator.graphium(&servers, &["stack", "deploy", &file]).await }
    });
    let answers = join_all(asked).await;
    let taken: Vec<&str> =
        names.into_iter().zip(&answers).filter(|(_, answer)| answer.status.success()).map(|(name, _)| name).collect();
    let told: Vec<_> = answers.iter().map(|answer| String::from_utf8_lossy(&answer.stderr)).collect();
    assert_eq!(taken.len(), 1, "of two that want one port: {told:#?}");
    assert!(answers.iter().any(|answer| answer.status.code() == Some(3)), "{told:#?}");
    let running = [format!("s{}", ROUNDS - 2), format!("s{}", ROUNDS - 1), taken[0].to_owned()];
    company.converge(&running).await;
    taken[0].to_owned()
}

/// What was followed at one server until it was killed goes on at the other.
async fn resumed_without_a_gap(company: &Company, mut shown: Vec<Value>, stream: Stream, until: u64) {
    let started = Instant::now();
    while stream.events().last().is_none_or(|event| number_of(event) < until) {
        assert!(started.elapsed() < Duration::from_secs(10), "the stream at server 1 has not come to event {until}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(!shown.is_empty(), "server 0 had told nothing when it was killed");
    shown.extend(stream.end().await);
    let all: Vec<Value> = company.events(0).await.into_iter().take_while(|event| number_of(event) <= until).collect();
    shown.truncate(all.len());
    same_events("that went over to the other server", &shown, &all);
}

/// The servers tell the same, without a gap, and so did the stream that outlived every kill.
async fn events_are_the_same_everywhere(company: &Company, stream: Stream) {
    let (one, other) = (company.events(0).await, company.events(1).await);
    assert_eq!(one.iter().map(number_of).collect::<Vec<_>>(), (1..=one.len() as u64).collect::<Vec<_>>());
    let least = one.len().min(other.len());
    same_events("of server 1", &other[..least], &one[..least]);
    let started = Instant::now();
    while stream.events().len() < least && started.elapsed() < Duration::from_secs(10) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let shown = stream.end().await;
    same_events("that was followed all the while", &shown[..least.min(shown.len())], &one[..least]);
    company.operator.say(format_args!("{least} events, the same everywhere"));
}

/// Every container of every revision was created once and started once, and what is there has the port that it should have.
async fn nothing_was_done_twice(company: &Company, witness: &Witness) {
    let made = witness.made();
    for ((host, name, hash), times) in &made {
        let story = || witness.story(host, name);
        assert_eq!(*times, (1, 1), "created and started: {name} on {host}, made of {hash}\n{}", story());
    }
    // All had two revisions but for the last stack.
    for number in 0..ROUNDS {
        for (place, host) in HOSTS.iter().enumerate() {
            let name = format!("s{number}-part-{place}");
            let revisions = made.keys().filter(|(of, named, _)| of == host && *named == name).count();
            let expected = if number + 1 == ROUNDS { 1 } else { 2 };
            assert_eq!(revisions, expected, "revisions of {name} on {host}\n{}", witness.story(host, &name));
        }
    }
    let host = HOSTS[HOSTS.len() - 1];
    for number in [ROUNDS - 2, ROUNDS - 1] {
        let name = format!("s{number}-part-{}", HOSTS.len() - 1);
        let ports = company.estate.inspect(host, &name).await["NetworkSettings"]["Ports"]["80/tcp"].clone();
        assert_eq!(ports[0]["HostPort"], (9000 + number).to_string(), "{name}: {ports}");
    }
    company.operator.say(format_args!("{} containers, each made once and started once", made.len()));
}
