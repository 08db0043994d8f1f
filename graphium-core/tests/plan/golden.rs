//! The project's own documents over three hosts give exactly these plans.
//!
//! `UPDATE=1 cargo test -p graphium-core --test plan golden` writes the golden files anew; look at the difference.

use graphium_core::{
    document::{ReadContext, read},
    id::HostId,
    inventory::{Host, Inventory},
    plan::{Applied, Options, Plan, SealedPlan, fixtures, plan, plan_removal},
};
use std::{env, fs, net::IpAddr, path::PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Three hosts of one network; of all documents only the one about microservices names hosts `host1` and `host2`.
fn three_hosts(document: &str) -> Inventory {
    let names = match document {
        "microservices-multi-host" => ["host1", "host2", "host3"],
        _ => ["localhost-docker", "vm1", "vm2"],
    };
    let host = |(number, name): (u8, &str)| Host {
        ip_address: Some(IpAddr::from([192, 0, 2, number])),
        cpu: 4.0,
        memory: 8 << 30,
        ..Host::named(HostId::new(name))
    };
    Inventory { hosts: (1..).zip(names).map(host).collect(), containers: Vec::new() }
}

/// A plan is the one of that name.
fn agrees(name: &str, plan: &Plan) {
    let actual = serde_json::to_string_pretty(&plan.clone().sealed()).unwrap() + "\n";
    let path = root().join("tests/golden/plans").join(name).with_extension("json");
    if env::var_os("UPDATE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &actual).unwrap();
    }
    let expected = fs::read_to_string(&path).unwrap_or_default();
    for (line, (expected, actual)) in expected.lines().zip(actual.lines()).enumerate() {
        assert_eq!(expected, actual, "{}:{}", path.display(), line + 1);
    }
    assert!(expected == actual, "{}: one is longer than the other", path.display());
    assert_eq!(serde_json::from_str::<SealedPlan>(&actual).unwrap(), plan.clone().sealed());
}

/// Five replicas behind a proxy, two at a time.
#[test]
fn an_update_in_waves() {
    let document = |image: &str| {
        let text = format!(
            r#"{{"@context": "https://graphium.io/context/v1.jsonld", "@type": "datacenter:Stack", "@id": "stack:shop", "name": "shop",
            "deployment": {{"update": {{"maxParallel": 2, "onFailure": "rollback"}}}},
            "hasPart": [
                {{"@type": "datacenter:Container", "@id": "container:web", "name": "web", "image": "{image}", "replicas": 5,
                  "healthCheck": {{"type": "exec", "command": ["true"]}}}},
                {{"@type": "datacenter:Container", "@id": "container:proxy", "name": "proxy", "image": "proxy:1",
                  "dependsOn": ["web"]}}]}}"#
        );
        read(text, &ReadContext::default()).unwrap().stack
    };
    let (old, hosts) = (document("web:1"), three_hosts("shop"));
    let first = plan(&old, None, &hosts, &Options::default()).unwrap();
    let applied = Applied { stack: old, placements: first.placements.clone() };
    let running = fixtures::carried_out(&first, hosts);
    agrees("update-in-waves", &plan(&document("web:2"), Some(&applied), &running, &Options::default()).unwrap());
}

fn matches_golden(document: &str) {
    let text = fs::read_to_string(root().join("../examples/stacks").join(document).with_extension("json")).unwrap();
    let variables = |name: &str| (name == "JWT_SECRET").then(|| "a-secret".to_owned());
    let stack = read(text, &ReadContext::new(&variables)).unwrap().stack;
    let hosts = three_hosts(document);
    let first = plan(&stack, None, &hosts, &Options::default()).unwrap();
    agrees(document, &first);

    let running = fixtures::carried_out(&first, hosts);
    let applied = Applied { stack: stack.clone(), placements: first.placements };
    assert!(plan(&stack, Some(&applied), &running, &Options::default()).unwrap().is_empty());
    let removal = plan_removal(&stack.id, &stack.name, Some(&applied), &running, &Options::default());
    assert!(fixtures::carried_out(&removal, running).containers.is_empty());
}

macro_rules! golden {
    ($($test:ident: $name:literal),* $(,)?) => {
        $(#[test] fn $test() { matches_golden($name); })*

        #[test]
        fn every_example_has_a_golden_plan() {
            for entry in fs::read_dir(root().join("../examples/stacks")).unwrap() {
                let name = entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned();
                assert!([$($name),*].contains(&&*name), "{name} has no golden plan");
            }
        }
    };
}

golden! {
    three_tiers: "3-tier-webapp",
    an_item_list: "legacy-itemlist-3-tier-webapp",
    services_over_several_hosts: "microservices-multi-host",
    a_stack_that_is_spread: "nginx-auto-spread-stack",
    a_stack_that_names_every_host: "nginx-multihost-stack",
    a_single_container: "simple-nginx",
}
