use super::*;
use crate::{
    inventory::{HostStatus, Inventory},
    plan::{
        fixtures::{container, hosts, on as on_start, published, stack},
        hosts::{Hosts, Seen},
        members::Members,
    },
    stack::{Container, Deployment, HostConstraint, Reservations, Stack},
};
use proptest::prelude::*;

/// What makes hosts and containers differ, as small numbers.
type Traits = (u8, u8, u8, u8);

fn inventory(traits: &[Traits]) -> Inventory {
    let mut inventory = hosts(u32::try_from(traits.len()).unwrap());
    for (host, &(datacenter, cpus, label, status)) in inventory.hosts.iter_mut().zip(traits) {
        host.location = (datacenter > 0).then(|| format!("dc{datacenter}"));
        host.cpu = f64::from(cpus);
        host.memory = u64::from(cpus) << 30;
        if label > 0 {
            host.labels.insert("disk".to_owned(), format!("d{label}"));
        }
        if status == 0 {
            host.status = HostStatus::Maintenance;
        }
    }
    inventory
}

fn member(number: usize, &(cpus, wish, port, on): &Traits) -> Container {
    let mut made = container(&format!("c{number:02}"));
    let reservations = &mut made.resources.reservations;
    *reservations = Reservations {
        cpus: (cpus > 1).then(|| f64::from(cpus) / 2.0),
        memory: (cpus > 2).then(|| u64::from(cpus) << 28),
    };
    match wish {
        1 | 2 => made.requirements.preferred_datacenter = Some(format!("dc{wish}")),
        3 | 4 => drop(made.requirements.labels.insert("disk".to_owned(), format!("d{}", wish - 2))),
        _ => {}
    }
    if port == 0 {
        made.ports.push(published(80, 8080));
    }
    // Upon up to two that come before it.
    let steps = BTreeSet::from([usize::from(on), usize::from(on / 2) + 1]);
    let before = steps.into_iter().filter(|step| (1..=number).contains(step));
    made.depends_on = before.map(|step| on_start(&format!("c{:02}", number - step))).collect();
    made
}

fn desired(containers: &[Traits], most: Option<u32>, target: u8) -> Stack {
    let members = containers.iter().enumerate().map(|(number, traits)| member(number, traits)).collect();
    let constraint = HostConstraint {
        container_name: "c01".to_owned(),
        required_datacenter: Some("dc1".to_owned()),
        ..HostConstraint::default()
    };
    let deployment = Deployment {
        max_instances_per_host: most,
        target_datacenter: (target > 0).then(|| format!("dc{target}")),
        host_constraints: vec![constraint],
        ..Deployment::default()
    };
    Stack { deployment, ..stack("s", members) }
}

proptest! {
    #[test]
    fn no_host_has_a_higher_score_than_the_one_that_is_ranked_first(
        sites in prop::collection::vec((0..4_u8, 0..9_u8, 0..3_u8, 0..6_u8), 1..12),
        containers in prop::collection::vec((0..6_u8, 0..6_u8, 0..5_u8, 0..6_u8), 1..30),
        most in prop::option::of(1..6_u32),
        target in 0..3_u8,
    ) {
        let (stack, inventory) = (desired(&containers, most, target), inventory(&sites));
        let (members, errors) = Members::of(&stack);
        prop_assert!(errors.is_empty(), "{errors:?}");
        let (hosts, seen) = (Hosts::of(&inventory, &stack), Seen::of(&inventory, &stack.id, &stack.name));
        let mut room = Room::new(&stack, &members, &hosts, &seen);
        let mut placed = vec![None; members.list.len()];
        let mut ranking = Ranking::default();
        for &number in &members.order {
            let takes = |host: &usize| {
                hosts.list[*host].is_active() && room.refusal(number, *host, None).is_none()
            };
            let asked = (0..hosts.list.len()).filter(takes);
            let expected = asked.max_by_key(|&host| (score(&room, number, host, &placed).total(), Reverse(host)));
            prop_assert_eq!(ranking.best(&room, number, None, &placed), expected);
            if let Some(host) = expected {
                room.occupy(number, host);
                placed[number] = Some(host);
            }
        }
    }
}
