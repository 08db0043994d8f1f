//! Mappings of ports in older documents, with all that Docker's have.

use graphium_core::document::{self, ReadContext, read};
use proptest::prelude::*;

/// An older document whose one container has these ports.
fn older(ports: &str) -> String {
    format!(
        r#"{{"@context": "https://schema.org", "@type": "datacenter:Stack", "@id": "stack:s", "name": "s", "hasPart": [
        {{"@type": "datacenter:Container", "@id": "container:c", "name": "c", "image": "i", "containerPort": {ports}}}]}}"#
    )
}

proptest! {
    /// Whatever a mapping says is what the port is, and formatting keeps it.
    #[test]
    fn a_mapping_says_all_of_a_port(
        address in prop::option::of(any::<std::net::IpAddr>()),
        publishes in any::<bool>(),
        (inside, outside) in (1u16..=65_530, 1u16..=65_530),
        more in 0u16..5,
        protocol in prop::sample::select(vec!["tcp", "udp", "sctp"]),
        says in 0..3,
    ) {
        let side = |first: u16| if more == 0 { first.to_string() } else { format!("{first}-{}", first + more) };
        let host = match address {
            Some(std::net::IpAddr::V6(address)) => format!("[{address}]:"),
            Some(address) => format!("{address}:"),
            None => String::new(),
        };
        let maps = publishes || address.is_some();
        let (of_value, of_map) = match says {
            0 => (format!("/{protocol}"), String::new()),
            1 if maps => (String::new(), format!("/{protocol}")),
            _ => (format!("/{protocol}"), format!("/{protocol}")),
        };
        let outer = if publishes { side(outside) } else { String::new() };
        let map = if maps { format!("{host}{outer}:{}{of_map}", side(inside)) } else { "a port".to_owned() };
        let source = older(&format!(r#"{{"value": "{}{of_value}", "description": "{map}"}}"#, side(inside)));
        let reading = read(&source, &ReadContext::default()).unwrap_or_else(|found| panic!("{source}\n{found:#?}"));
        let ports = &reading.stack.containers[0].ports;
        prop_assert_eq!(ports.len(), usize::from(more) + 1);
        for (port, number) in ports.iter().zip(0u16..) {
            prop_assert_eq!(port.container_port, inside + number);
            prop_assert_eq!(port.host_port, publishes.then_some(outside + number));
            prop_assert_eq!((port.host_ip, port.protocol.as_str()), (address, protocol));
        }
        let native = document::format(&source).unwrap_or_else(|mistakes| panic!("{source}\n{mistakes:#?}")).text;
        prop_assert_eq!(&read(&native, &ReadContext::default()).unwrap().stack.containers[0].ports, ports);
    }
}

#[test]
fn ranges_of_ports_are_bounded() {
    let port = r#"{"value": "1-65535"}"#;
    let source = older(&format!("[{port}, {port}, {port}]"));
    let mistakes = read(&source, &ReadContext::default()).unwrap_err();
    assert_eq!(mistakes.iter().filter(|mistake| mistake.code == "too-many-nodes").count(), 2);
}
