//! Ports, in the forms that documents have.

use super::super::{code::Code, guard::MAX_VALUES, mapping, node::Node, object::Object, reader::Reader, schema};
use super::container::ContainerDraft;
use crate::stack::{Port, Protocol};
use json_syntax::Value;
use std::{net::IpAddr, ops::RangeInclusive};

const PROTOCOLS: [Protocol; 3] = [Protocol::Tcp, Protocol::Udp, Protocol::Sctp];

impl Reader<'_> {
    pub(super) fn ports<'d>(&mut self, object: &Object<'d>, draft: &mut ContainerDraft<'d>) {
        let items: Vec<Node<'d>> = object.all("ports").flat_map(|member| member.value.items()).collect();
        for node in items {
            for port in self.port_item(node) {
                draft.container.ports.push(port);
                draft.port_nodes.push(node);
            }
        }
    }

    /// The ports of an entry: one, but for a range.
    pub(super) fn port_item(&mut self, node: Node<'_>) -> Vec<Port> {
        match node.value() {
            Value::Object(object) if object.contains_key("value") => self.port_property(node).unwrap_or_default(),
            _ => self.single_port(node).into_iter().collect(),
        }
    }

    fn single_port(&mut self, node: Node<'_>) -> Option<Port> {
        match node.value() {
            Value::Object(_) => self.port_object(node),
            Value::Number(number) => {
                let container_port = self.port(node)?;
                let number = number.as_str();
                let canonical = format!("write {{\"containerPort\": {number}}}, and \"hostPort\" to publish it");
                self.older_form(node, "a port as a bare number", canonical).then(|| bare(container_port))
            }
            Value::String(text) => {
                let mapped = mapped(text).filter(|_| !node.has_variables());
                let help = mapped.unwrap_or_else(|| "{\"containerPort\": 80, \"hostPort\": 8080}".to_owned());
                self.wrong_type(node, "an object (a port)", &format!("write {help}"));
                None
            }
            _ => {
                self.wrong_type(node, "an object (a port)", "write {\"containerPort\": 80, \"hostPort\": 8080}");
                None
            }
        }
    }

    fn port_object(&mut self, node: Node<'_>) -> Option<Port> {
        let object = self.object(node, &schema::PORT)?;
        let container_port = self.port_of(&object, "containerPort");
        let host_port = self.port_of(&object, "hostPort");
        let protocol = self.choice_of(&object, "protocol").unwrap_or_default();
        let host_ip = match (object.get("hostIP"), self.text_of(&object, "hostIP")) {
            (Some(at), Some(text)) => self.address(at, &text),
            _ => None,
        };
        if object.get("containerPort").is_none() {
            self.error(Code::MissingKey, node, "a port needs `containerPort`", "add the port inside the container");
        }
        Some(Port { container_port: container_port?, host_port, protocol, host_ip })
    }

    /// `{name, value: "80", description: "8080:80"}`: the value is the container's port, the description maps it.
    fn port_property(&mut self, node: Node<'_>) -> Option<Vec<Port>> {
        let object = self.object(node, &schema::PROPERTY_VALUE)?;
        let value = object.get("value")?;
        let (inside, mut protocol) = match value.as_str() {
            Some(_) => {
                let text = self.text(value)?;
                let (ports, protocol) = halves(&text);
                let protocol = known(protocol.map(|protocol| self.protocol(value, protocol)))?;
                (self.side(value, ports)?, protocol)
            }
            None => self.port(value).map(|port| (port..=port, None))?,
        };
        let (mut outside, mut address) = (None, None);
        if let Some(at) = object.get("description") {
            let text = self.text(at)?;
            let (ports, of) = halves(&text);
            // A description that maps nothing is a description.
            if let Some(map) = mapping::parse(ports, |c| c.is_ascii_digit()) {
                address = known(map.address.map(|address| self.address(at, address)))?;
                outside = known(map.host.map(|host| self.side(at, host)))?;
                let mapped = self.side(at, map.container)?;
                let said = known(of.map(|of| self.protocol(at, of)))?;
                self.agree(node, at, (&inside, protocol), (&mapped, said), outside.as_ref())?;
                protocol = protocol.or(said);
            } else if at.has_variables() && text.contains(':') && !text.contains(char::is_whitespace) {
                // No words for people: a variable has broken what would map a port.
                let message = format!("`{}` maps no port", at.quote(&text));
                self.error(Code::BadPort, at, message, "its variables must make ports of it, as in \"8080:80\"");
                return None;
            }
        }
        self.ranged += inside.len() - 1;
        if self.ranged > MAX_VALUES {
            self.error(Code::TooManyNodes, node, format!("ranges make more than {MAX_VALUES} ports"), "");
            return None;
        }
        let protocol = protocol.unwrap_or_default();
        let hosts = outside.map_or_else(Vec::new, |outside| outside.map(Some).collect());
        let hosts = hosts.into_iter().chain(std::iter::repeat(None));
        let ports = inside.zip(hosts);
        let ports: Vec<Port> = ports
            .map(|(container_port, host_port)| Port { container_port, host_port, protocol, host_ip: address })
            .collect();
        let canonical = match ports.as_slice() {
            [port] if !node.has_variables() => format!("write {}", written(port)),
            [_] => "write {\"containerPort\": …, \"hostPort\": …}".to_owned(),
            _ => "write {\"containerPort\": …, \"hostPort\": …} for each port of the range".to_owned(),
        };
        self.older_form(node, "a port as a `PropertyValue`", canonical).then_some(ports)
    }

    /// Whether the two halves of a port say the same, and both sides of the mapping are of one length.
    fn agree(
        &mut self,
        node: Node<'_>,
        at: Node<'_>,
        (inside, protocol): (&RangeInclusive<u16>, Option<Protocol>),
        (mapped, said): (&RangeInclusive<u16>, Option<Protocol>),
        outside: Option<&RangeInclusive<u16>>,
    ) -> Option<()> {
        let hidden = node.has_variables();
        let (message, help) = if inside != mapped {
            let message = format!("`value` says {}, and `description` maps {}", shown(inside), shown(mapped));
            let host = outside.map(shown).unwrap_or_default();
            (message, format!("write \"{host}:{}\"", shown(inside)))
        } else if let (Some(protocol), Some(said)) = (protocol, said)
            && protocol != said
        {
            let message = format!("`value` says `{}`, and `description` says `{}`", protocol.as_str(), said.as_str());
            (message, "say the protocol once".to_owned())
        } else if let Some(outside) = outside.filter(|outside| outside.len() != mapped.len()) {
            let message = format!(
                "`{}` and `{}` are not of one length: each port inside has one outside",
                shown(outside),
                shown(mapped)
            );
            (message, "give both ranges the same length, or name one port on each side".to_owned())
        } else {
            return Some(());
        };
        let (message, help) = match hidden {
            true => ("`value` and `description` do not name the same ports and protocol".to_owned(), String::new()),
            false => (message, help),
        };
        self.error(Code::PortMismatch, at, message, help);
        None
    }

    fn side(&mut self, at: Node<'_>, text: &str) -> Option<RangeInclusive<u16>> {
        let ports = mapping::side(text);
        if ports.is_none() {
            let message = format!("`{}` is no port", at.quote(text));
            self.error(Code::BadPort, at, message, "ports are 1 to 65535; in a range the first is the smallest");
        }
        ports
    }

    fn address(&mut self, at: Node<'_>, text: &str) -> Option<IpAddr> {
        let address = text.parse().ok();
        if address.is_none() {
            let message = format!("`{}` is no IP address", at.quote(text));
            self.error(Code::BadAddress, at, message, "write it as in \"127.0.0.1\"");
        }
        address
    }

    fn protocol(&mut self, at: Node<'_>, text: &str) -> Option<Protocol> {
        let protocol = PROTOCOLS.into_iter().find(|protocol| protocol.as_str().eq_ignore_ascii_case(text));
        if protocol.is_none() {
            let message = format!("`{}` is no protocol", at.quote(text));
            self.error(Code::UnknownValue, at, message, "one of `tcp`, `udp`, `sctp`");
        }
        protocol
    }
}

fn bare(container_port: u16) -> Port {
    Port { container_port, host_port: None, protocol: Protocol::Tcp, host_ip: None }
}

/// A part that may be left out; `None` where it is said and means nothing.
fn known<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    part.map_or(Some(None), |part| part.map(Some))
}

/// What is before the slash, and what is after it.
fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(before, after)| (before, Some(after)))
}

fn shown(side: &RangeInclusive<u16>) -> String {
    match (side.start(), side.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}-{last}"),
    }
}

/// A port as the native form has it.
fn written(port: &Port) -> String {
    let host = port.host_port.map(|port| format!(", \"hostPort\": {port}")).unwrap_or_default();
    let protocol = match port.protocol {
        Protocol::Tcp => String::new(),
        other => format!(", \"protocol\": \"{}\"", other.as_str()),
    };
    let address = port.host_ip.map(|address| format!(", \"hostIP\": \"{address}\"")).unwrap_or_default();
    format!("{{\"containerPort\": {}{host}{protocol}{address}}}", port.container_port)
}

/// The native form of a mapping of one port, if a text is one.
fn mapped(text: &str) -> Option<String> {
    let (ports, protocol) = halves(text);
    let map = mapping::parse(ports, |c| c.is_ascii_digit())?;
    let port = |side: &str| mapping::side(side).filter(|ports| ports.len() == 1).map(|ports| *ports.start());
    Some(written(&Port {
        container_port: port(map.container)?,
        host_port: match map.host {
            Some(host) => Some(port(host)?),
            None => None,
        },
        protocol: match protocol {
            Some(text) => PROTOCOLS.into_iter().find(|protocol| protocol.as_str() == text)?,
            None => Protocol::Tcp,
        },
        host_ip: match map.address {
            Some(address) => Some(address.parse().ok()?),
            None => None,
        },
    }))
}
