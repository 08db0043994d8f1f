//! The strategy `auto`, and why a container is where it is.

use graphium_core::{
    inventory::{HostStatus, Inventory},
    plan::{Choice, Options, Plan, fixtures::*, plan},
    stack::*,
};

fn auto(containers: Vec<Container>) -> Stack {
    let deployment = Deployment { placement_strategy: Some(Strategy::Auto), ..Deployment::default() };
    Stack { deployment, ..stack("s", containers) }
}

fn planned(stack: &Stack, inventory: &Inventory) -> Plan {
    plan(stack, None, inventory, &Options { explain: true, ..Options::default() }).unwrap()
}

fn places(plan: &Plan) -> Vec<(&str, &str)> {
    plan.placements.iter().map(|(name, host)| (name.as_str(), host.as_str())).collect()
}

fn choice<'p>(plan: &'p Plan, container: &str) -> &'p Choice {
    plan.choices.iter().find(|choice| choice.container == container).unwrap()
}

#[test]
fn the_host_with_most_left_is_taken_and_of_equals_the_first() {
    let mut inventory = hosts(3);
    inventory.hosts[1].cpu = 32.0;
    inventory.hosts[1].memory = 64 << 30;
    let plan = planned(&auto(vec![reserving("a", Some(4.0), Some(8 << 30)), container("b")]), &inventory);
    assert_eq!(places(&plan), [("a", "vm2"), ("b", "vm1")]);
    let scores: Vec<_> = choice(&plan, "a").hosts.iter().map(|host| host.score.unwrap()).collect();
    assert_eq!((scores[0].cpu, scores[0].memory, scores[1].cpu, scores[1].memory), (150, 150, 263, 263));
    assert_eq!(choice(&plan, "a").why, "highest score");
    // `vm2` bears a container already; the others are alike.
    let loads: Vec<_> = choice(&plan, "b").hosts.iter().map(|host| host.score.unwrap().load).collect();
    assert_eq!(loads, [200, 160, 200]);
}

#[test]
fn what_is_reserved_fills_hosts_up_and_what_fits_nowhere_is_refused_host_by_host() {
    let quarter = |number: usize| reserving(&format!("c{number}"), Some(2.0), Some(4 << 30));
    let plan = planned(&auto((0..8).map(quarter).collect()), &hosts(2));
    let on = |host: &str| plan.placements.values().filter(|place| place.as_str() == host).count();
    assert_eq!((on("vm1"), on("vm2")), (4, 4));
    let full = plan_of_nine(quarter);
    assert!(full.contains("`c8` fits on no host: each of `vm1`, `vm2` has 8 of 8 processors reserved"), "{full}");
}

fn plan_of_nine(container: impl Fn(usize) -> Container) -> String {
    let refusals = plan(&auto((0..9).map(container).collect()), None, &hosts(2), &Options::default()).unwrap_err();
    refusals.iter().map(|refusal| refusal.message.clone()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_container_goes_to_those_that_it_depends_on_or_into_their_datacenter() {
    let mut inventory = hosts(4);
    for (host, datacenter) in inventory.hosts.iter_mut().zip(["east", "west", "west", "east"]) {
        host.location = Some(datacenter.to_owned());
    }
    let db = Container { host: Some("vm3".into()), ..container("db") };
    let web = Container { depends_on: vec![on("db")], ..container("web") };
    // Named before what it depends on: the order of the document makes no difference.
    let plan = planned(&auto(vec![web.clone(), db.clone()]), &inventory);
    assert_eq!(places(&plan), [("db", "vm3"), ("web", "vm3")]);
    let near: Vec<_> = choice(&plan, "web").hosts.iter().map(|host| host.score.unwrap().near).collect();
    assert_eq!(near, [0, 75, 150, 0]);

    inventory.hosts[2].status = HostStatus::Maintenance;
    let elsewhere = Container { host: Some("vm2".into()), ..db };
    let wide = Container { ports: vec![published(80, 80)], ..web };
    let holder = Container { host: Some("vm2".into()), ports: vec![published(80, 80)], ..container("holder") };
    let plan = planned(&auto(vec![holder, elsewhere, wide]), &inventory);
    assert_eq!(choice(&plan, "web").host.as_str(), "vm1", "the west has no room");
    let refusals: Vec<_> =
        choice(&plan, "web").hosts.iter().map(|host| host.refusal.as_deref().unwrap_or("-")).collect();
    assert_eq!(refusals, ["-", "has port 80/tcp taken by `holder` of this stack", "is in maintenance", "-"]);
}

#[test]
fn nearness_is_the_mean_over_all_that_a_container_depends_on() {
    let bound = |name: &str, host: &str| Container { host: Some(host.into()), ..container(name) };
    let web = Container { depends_on: vec![on("a"), on("b"), on("c")], ..container("web") };
    let plan = planned(&auto(vec![bound("a", "vm1"), bound("b", "vm1"), bound("c", "vm2"), web]), &hosts(3));
    let near: Vec<_> = choice(&plan, "web").hosts.iter().map(|host| host.score.unwrap().near).collect();
    assert_eq!(near, [100, 50, 0]);
}

#[test]
fn what_one_container_may_not_have_another_that_asks_for_the_same_may() {
    let within = |name: &str, datacenter: &str| HostConstraint {
        container_name: name.to_owned(),
        required_datacenter: Some(datacenter.to_owned()),
        ..HostConstraint::default()
    };
    let mut inventory = hosts(2);
    for (host, datacenter) in inventory.hosts.iter_mut().zip(["east", "west"]) {
        host.location = Some(datacenter.to_owned());
    }
    inventory.hosts[0].cpu = 16.0;
    let mut stack = auto(vec![container("a"), container("b")]);
    stack.deployment.host_constraints = vec![within("a", "west"), within("b", "east")];
    assert_eq!(places(&planned(&stack, &inventory)), [("a", "vm2"), ("b", "vm1")]);
}

#[test]
fn a_preferred_datacenter_decides_between_equals() {
    let mut inventory = hosts(2);
    inventory.hosts[1].location = Some("west".to_owned());
    let mut stack = auto(vec![container("a")]);
    assert_eq!(places(&planned(&stack, &inventory)), [("a", "vm1")]);
    stack.deployment.target_datacenter = Some("west".to_owned());
    assert_eq!(places(&planned(&stack, &inventory)), [("a", "vm2")]);
}

#[test]
fn the_order_of_hosts_makes_no_difference_and_explaining_changes_no_plan() {
    let names = ["a", "b", "c", "d", "e", "f"];
    let containers = names.iter().enumerate().map(|(number, name)| {
        let depends_on = names[..number].iter().rev().take(2).map(|name| on(name)).collect();
        Container { depends_on, ..reserving(name, Some(0.5), Some(1 << 30)) }
    });
    let stack = auto(containers.collect());
    let mut inventory = hosts(5);
    let first = planned(&stack, &inventory);
    inventory.hosts.reverse();
    assert_eq!(planned(&stack, &inventory), first);
    let silent = plan(&stack, None, &inventory, &Options::default()).unwrap();
    assert_eq!((silent.choices.len(), silent.sealed().hash), (0, first.clone().sealed().hash));
    assert_eq!(first.choices.len(), names.len());
}

#[test]
fn every_choice_has_its_rule() {
    let bound = Container { host: Some("vm2".into()), ..container("bound") };
    let before = stack("s", vec![bound, container("free")]);
    let first = planned(&before, &hosts(2));
    assert_eq!(
        (&*choice(&first, "bound").why, &*choice(&first, "free").why),
        ("the document names it", "fewest containers")
    );
    let running = carried_out(&first, hosts(2));
    let again = planned(&before, &running);
    assert_eq!(choice(&again, "free").why, "it is there already");
    let mut together = before;
    together.deployment.mode = Mode::SingleHost;
    assert_eq!(choice(&planned(&together, &hosts(2)), "free").why, "all of the stack on one host");
}
