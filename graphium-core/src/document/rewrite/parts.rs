//! Parts of a container or stack whose older forms are spread over several keys.

use super::{
    super::{
        mapping,
        node::{Member, Node},
        object::Object,
        schema::{self, Kind, Place},
    },
    json::{Json, Members},
    mask::Mask,
    rewriter::{Rewriter, number, sort},
};

impl Rewriter<'_> {
    /// Ports: objects, bare numbers, or a `PropertyValue` for one port or a range of them.
    pub(super) fn ports(&mut self, said: &[Member<'_>]) -> Json {
        let mut ports = Vec::new();
        for node in said.iter().flat_map(|member| member.value.items()) {
            match (node.get("value"), node.is_object()) {
                (Some(value), _) => match self.port_property(node, value) {
                    Some(of_property) => ports.extend(of_property),
                    None => ports.push(Json::of(node)),
                },
                (None, true) => ports.push(self.object(node, &schema::PORT)),
                (None, false) => ports.push(Json::object([("containerPort", number(node))])),
            }
        }
        Json::Array(ports)
    }

    /// `{name, value: "80/udp", description: "127.0.0.1:8080:80"}`; a description that maps nothing is one.
    fn port_property(&mut self, node: Node<'_>, value: Node<'_>) -> Option<Vec<Json>> {
        let (inside, mut protocol) = match value.as_str() {
            Some(_) => {
                let mask = self.mask(value)?;
                self.splits_alike(value, &mask, |text| Some(parts_of_port(text)));
                let (inside, of) = halves(mask.text());
                (self.side(value, &mask, inside)?, of.map(|of| mask.write(of)))
            }
            None => (vec![number(value)], None),
        };
        let (mut outside, mut address) = (Vec::new(), None);
        let mut said = node.get("description");
        if let Some(description) = said.filter(|description| description.as_str().is_some()) {
            let mask = self.mask(description)?;
            let (ports, of) = halves(mask.text());
            if let Some(map) = mapping::parse(ports, is_digit) {
                self.kept_whole(description, &mask, parts_of_mapping);
                outside = match map.host {
                    Some(host) => self.side(description, &mask, host)?,
                    None => Vec::new(),
                };
                address = map.address.map(|address| mask.write(address));
                protocol = of.map(|of| mask.write(of)).or(protocol);
                said = None;
            } else if mask.has_variables() && ports.trim().chars().all(is_digit) {
                let help = "write `containerPort` and `hostPort`";
                self.cannot(description, "a variable hides whether this maps a port", help);
            }
        }
        let protocol = protocol.map(|protocol| lower(&protocol)).filter(|protocol| protocol != "tcp");
        let mut outside = outside.into_iter();
        let mut ports: Vec<Members> = Vec::with_capacity(inside.len());
        for inside in inside {
            let mut port = Members::default();
            port.push("containerPort", inside);
            outside.next().into_iter().for_each(|outside| port.push("hostPort", outside));
            protocol.iter().for_each(|protocol| port.push("protocol", Json::text(protocol)));
            address.iter().for_each(|address| port.push("hostIP", Json::text(address)));
            for (key, text) in [("name", node.get("name")), ("description", said)] {
                text.into_iter().for_each(|text| port.push(key, Json::of(text)));
            }
            ports.push(port);
        }
        // What is said of the entry is said once, whatever the length of its range.
        ports.first_mut().into_iter().for_each(|first| self.rest_of_property(node, first));
        Some(ports.into_iter().map(Json::Object).collect())
    }

    /// The ports of one side of a mapping.
    fn side(&mut self, node: Node<'_>, mask: &Mask, text: &str) -> Option<Vec<Json>> {
        match mapping::side(text) {
            Some(ports) => Some(ports.map(|port| Json::Word(port.to_string())).collect()),
            None if text.contains('-') => {
                self.cannot(node, "a variable decides how many ports this is", "write each port of the range");
                None
            }
            None => Some(vec![Json::Text(mask.write(text))]),
        }
    }

    /// A health check, with the type that its other keys imply.
    pub(super) fn health_check(&mut self, node: Node<'_>) -> Json {
        let Json::Object(mut check) = self.object(node, &schema::HEALTH_CHECK) else { return Json::of(node) };
        let none = Json::Array(vec![Json::text("NONE")]);
        if check.get("command") == Some(&none) && matches!(check.get("type"), None | Some(Json::Text(_))) {
            check.remove("command");
            check.set("type", Json::text("none"));
        }
        if check.get("type").is_none() {
            let has = |key| check.get(key).is_some();
            let word = match (has("command"), has("path"), has("port")) {
                (true, ..) => "exec",
                (_, true, _) => "http",
                _ => "tcp",
            };
            check.push("type", Json::text(word));
        }
        sort(&mut check, &schema::HEALTH_CHECK);
        Json::Object(check)
    }

    /// A network: older documents say `createIfNotExists` where `external` is the opposite.
    pub(super) fn network(&mut self, node: Node<'_>) -> Json {
        let Some(object) = self.reader.object(node, &schema::NETWORK) else { return Json::of(node) };
        let mut network = self.members(&object);
        if let Some(create) = object.get("createIfNotExists") {
            let flag = Json::of(create);
            match flag {
                _ if network.get("external").is_some() => {
                    if create.has_variables() || object.get("external").is_some_and(Node::has_variables) {
                        let why = "a variable decides whether `createIfNotExists` and `external` agree";
                        self.cannot(create, why, "keep `external` only");
                    }
                }
                Json::Word(word) if word == "true" => {}
                Json::Text(word) if word.eq_ignore_ascii_case("true") => {}
                Json::Text(word) if word.contains('$') => {
                    self.cannot(create, "the opposite of a variable cannot be written", "write `external`");
                }
                _ => network.push("external", Json::Word("true".to_owned())),
            }
            sort(&mut network, &schema::NETWORK);
        }
        Json::Object(network)
    }

    /// `resourceRequirements` says what `resources` and `requirements` say; where both do, it goes before.
    pub(super) fn resource_requirements(&mut self, container: &Object<'_>, members: &mut Members) {
        let Some(node) = container.get("resourceRequirements") else { return };
        let Json::Object(older) = self.object(node, &schema::RESOURCE_REQUIREMENTS) else { return };
        for (key, value) in older.iter() {
            let today = schema::REQUIREMENTS_TODAY.iter().find(|(older, _)| *older == key).map(|(_, today)| *today);
            // What is not ours keeps its name.
            let (part, path) = today.unwrap_or(("requirements", key));
            let place = if part == "resources" { &schema::RESOURCES } else { &schema::REQUIREMENTS };
            members.below(part, |part| {
                set(part, place, path, value.clone());
            });
        }
        sort(members, &schema::CONTAINER);
    }
}

/// Sets what a path leads to; the entries of objects add up.
fn set(members: &mut Members, place: &'static Place, path: &str, value: Json) {
    match (path.split_once('.'), place.kind_at(path.split('.').next().unwrap_or(path))) {
        (Some((above, rest)), Some(Kind::Object(below))) => {
            members.below(above, |members| set(members, below, rest, value));
        }
        _ => match value {
            Json::Object(entries) => members.below(path, |own| {
                entries.iter().for_each(|(key, text)| own.set(key, text.clone()));
            }),
            value => members.set(path, value),
        },
    }
    sort(members, place);
}

/// What is before the slash, and what is after it.
fn halves(text: &str) -> (&str, Option<&str>) {
    text.split_once('/').map_or((text, None), |(before, after)| (before, Some(after)))
}

fn is_digit(character: char) -> bool {
    character.is_ascii_digit() || Mask::is_variable(character)
}

/// What `80/udp` and `80-90` say; the ends of a range are parts of their own.
fn parts_of_port(text: &str) -> Vec<String> {
    let (ports, of) = halves(text);
    ports.trim().split('-').map(str::to_owned).chain(of.map(|of| format!("/{of}"))).collect()
}

fn parts_of_mapping(text: &str) -> Option<Vec<String>> {
    let (ports, of) = halves(text);
    let map = mapping::parse(ports, is_digit)?;
    let sides = [map.host.unwrap_or_default(), map.container].into_iter().flat_map(|side| side.split('-'));
    let parts = sides.map(str::to_owned).chain([map.address.unwrap_or_default().to_owned()]);
    Some(parts.chain(of.map(|of| format!("/{of}"))).collect())
}

/// In lower case, but for the names of variables.
fn lower(text: &str) -> String {
    if text.contains('$') { text.to_owned() } else { text.to_ascii_lowercase() }
}
