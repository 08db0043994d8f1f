//! Ports, in the forms that documents have.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use super::container::ContainerDraft;
use crate::stack::{Port, Protocol};
use json_syntax::Value;

impl Reader<'_> {
    pub(super) fn ports<'d>(&mut self, object: &Object<'d>, draft: &mut ContainerDraft<'d>) {
        let items: Vec<Node<'d>> = object.all("ports").flat_map(|member| member.value.items()).collect();
        for node in items {
            if let Some(port) = self.port_item(node) {
                draft.container.ports.push(port);
                draft.port_nodes.push(node);
            }
        }
    }

    pub(super) fn port_item(&mut self, node: Node<'_>) -> Option<Port> {
        match node.value() {
            Value::Object(object) if object.contains_key("value") => self.port_property(node),
            Value::Object(_) => self.port_object(node),
            Value::Number(number) => {
                let container_port = self.port(node)?;
                let number = number.as_str();
                let canonical = format!("write {{\"containerPort\": {number}}}, and \"hostPort\" to publish it");
                self.older_form(node, "a port as a bare number", canonical).then(|| bare(container_port))
            }
            Value::String(text) => {
                let help = match mapping(text) {
                    Some((host, container)) => {
                        format!("write {{\"containerPort\": {container}, \"hostPort\": {host}}}")
                    }
                    None => "write {\"containerPort\": 80, \"hostPort\": 8080}".to_owned(),
                };
                self.wrong_type(node, "an object (a port)", &help);
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
            (Some(at), Some(text)) => {
                let address = text.parse().ok();
                if address.is_none() {
                    self.error(
                        Code::BadAddress,
                        at,
                        format!("`{}` is no IP address", at.quote(&text)),
                        "write it as in \"127.0.0.1\"",
                    );
                }
                address
            }
            _ => None,
        };
        if object.get("containerPort").is_none() {
            self.error(Code::MissingKey, node, "a port needs `containerPort`", "add the port inside the container");
        }
        Some(Port { container_port: container_port?, host_port, protocol, host_ip })
    }

    /// `{name, value: "80", description: "8080:80"}`: the value is the container's port, the description maps it.
    fn port_property(&mut self, node: Node<'_>) -> Option<Port> {
        let object = self.object(node, &schema::PROPERTY_VALUE)?;
        let value = object.get("value")?;
        let description = object.get("description");
        let (container_port, mut protocol) = match value.value() {
            Value::String(text) => {
                let text = self.fill(value, text.as_str())?;
                let (number, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
                (self.port_text(value, number)?, protocol.to_owned())
            }
            _ => (self.port(value)?, "tcp".to_owned()),
        };
        let mut host_port = None;
        if let Some(at) = description {
            let text = self.text(at)?;
            let (map, of) = text.split_once('/').unwrap_or((&text, &protocol));
            // A description that maps nothing is a description.
            if let Some((host, container)) = mapping(map) {
                let (host, inside) = (self.port_text(at, host)?, self.port_text(at, container)?);
                if inside != container_port {
                    let (message, help) = match node.has_variables() {
                        true => ("`value` and `description` name different ports".to_owned(), String::new()),
                        false => (
                            format!("`value` says {container_port}, and `description` maps {inside}"),
                            format!("write \"{host}:{container_port}\""),
                        ),
                    };
                    self.error(Code::PortMismatch, at, message, help);
                    return None;
                }
                host_port = Some(host);
                protocol = of.to_owned();
            }
        }
        let protocol = match protocol.to_ascii_lowercase().as_str() {
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            "tcp" => Protocol::Tcp,
            other => {
                let at = description.filter(|_| host_port.is_some()).unwrap_or(value);
                let message = format!("`{}` is no protocol", at.quote(other));
                self.error(Code::UnknownValue, at, message, "one of `tcp`, `udp`, `sctp`");
                return None;
            }
        };
        let host = host_port.map(|port| format!(", \"hostPort\": {port}")).unwrap_or_default();
        let canonical = match node.has_variables() {
            true => "write {\"containerPort\": …, \"hostPort\": …}".to_owned(),
            false => format!("write {{\"containerPort\": {container_port}{host}}}"),
        };
        let port = Port { container_port, host_port, protocol, host_ip: None };
        self.older_form(node, "a port as a `PropertyValue`", canonical).then_some(port)
    }

    fn port_text(&mut self, at: Node<'_>, text: &str) -> Option<u16> {
        let port = text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        if port.is_none() {
            self.error(Code::BadPort, at, format!("`{}` is no port", at.quote(text)), "ports are 1 to 65535");
        }
        port
    }
}

fn bare(container_port: u16) -> Port {
    Port { container_port, host_port: None, protocol: Protocol::Tcp, host_ip: None }
}

/// The two halves of `8080:80`, if both are digits.
fn mapping(text: &str) -> Option<(&str, &str)> {
    let (host, container) = text.trim().split_once(':')?;
    let digits = |half: &str| !half.is_empty() && half.bytes().all(|byte| byte.is_ascii_digit());
    (digits(host) && digits(container)).then_some((host, container))
}
