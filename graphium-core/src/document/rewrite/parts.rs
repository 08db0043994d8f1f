//! Parts of a container or stack whose older forms are spread over several keys.

use super::{
    super::{
        node::Node,
        object::Object,
        schema::{self, Kind, Place},
    },
    json::{Json, Members},
    mask::Mask,
    rewriter::{Rewriter, number, sort},
};

impl Rewriter<'_> {
    /// A port: an object, a bare number, or a `PropertyValue`.
    pub(super) fn port(&mut self, node: Node<'_>) -> Json {
        match (node.get("value"), node.is_object()) {
            (Some(value), _) => self.port_property(node, value),
            (None, true) => self.object(node, &schema::PORT),
            (None, false) => Json::object([("containerPort", number(node))]),
        }
    }

    /// `{name, value: "80/udp", description: "8080:80"}`; a description that maps nothing is one.
    fn port_property(&mut self, node: Node<'_>, value: Node<'_>) -> Json {
        let mut port = Members::default();
        let mut protocol = None;
        if value.as_str().is_some() {
            let Some(mask) = self.mask(value) else { return Json::of(node) };
            let (inside, of) = halves(mask.text());
            port.push("containerPort", port_number(&mask, inside));
            protocol = of.map(|of| mask.write(of));
        } else {
            port.push("containerPort", number(value));
        }
        let mut said = node.get("description");
        if let Some(description) = said.filter(|description| description.as_str().is_some()) {
            let Some(mask) = self.mask(description) else { return Json::of(node) };
            let (map, of) = halves(mask.text());
            let maybe =
                |half: &str| !half.is_empty() && half.chars().all(|c| c.is_ascii_digit() || Mask::is_variable(c));
            match map.trim().split_once(':') {
                Some((host, inside)) if maybe(host) && maybe(inside) => {
                    self.kept_whole(description, &mask);
                    port.push("hostPort", port_number(&mask, host));
                    protocol = of.map(|of| mask.write(of)).or(protocol);
                    said = None;
                }
                None if mask.has_variables() && maybe(map.trim()) => {
                    let help = "write `containerPort` and `hostPort`";
                    self.cannot(description, "a variable hides whether this maps a port", help);
                }
                _ => {}
            }
        }
        if let Some(protocol) = protocol.map(|protocol| lower(&protocol)).filter(|protocol| protocol != "tcp") {
            port.push("protocol", Json::Text(protocol));
        }
        for (key, text) in [("name", node.get("name")), ("description", said)] {
            if let Some(text) = text {
                port.push(key, Json::of(text));
            }
        }
        self.rest_of_property(node, &mut port);
        Json::Object(port)
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

fn port_number(mask: &Mask, part: &str) -> Json {
    match part.trim().parse::<u16>() {
        Ok(port) => Json::Word(port.to_string()),
        Err(_) => Json::Text(mask.write(part)),
    }
}

/// In lower case, but for the names of variables.
fn lower(text: &str) -> String {
    if text.contains('$') { text.to_owned() } else { text.to_ascii_lowercase() }
}
