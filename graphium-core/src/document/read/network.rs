//! Networks and volumes.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::{
    ranges::Range,
    stack::{Network, Volume},
};

impl Reader<'_> {
    pub(super) fn network(&mut self, node: Node<'_>) -> Option<Network> {
        let object = self.object(node, &schema::NETWORK)?;
        let driver = self.text_of(&object, "driver");
        if let (Some("overlay"), Some(at)) = (driver.as_deref(), object.get("driver")) {
            let help =
                "use the driver `bridge`; containers on different hosts reach each other through published ports";
            self.error(Code::OverlayUnsupported, at, "overlay networks do not exist yet", help);
        }
        let external = self.is_external(&object);
        let addresses = self.addresses(&object);
        Some(Network {
            name: self.network_name(&object, external),
            driver,
            subnet: addresses.subnet,
            gateway: addresses.gateway,
            ip_range: addresses.ip_range,
            internal: self.flag_of(&object, "internal").unwrap_or(false),
            external,
            labels: self.labels_of(&object),
            options: self.text_map_of(&object, "options"),
        })
    }

    /// Whether a network exists already; older documents say the opposite.
    fn is_external(&mut self, object: &Object<'_>) -> bool {
        let created = self.flag_of(object, "createIfNotExists");
        let external = self.flag_of(object, "external");
        if let (Some(created), Some(external), Some(at)) = (created, external, object.get("createIfNotExists"))
            && created == external
        {
            let message = "`createIfNotExists` and `external` both say whether the network exists, and not the same";
            self.error(Code::DuplicateKey, at, message, "keep `external` only");
        }
        external.unwrap_or(created == Some(false))
    }

    /// The name of a network; those that every engine has itself cannot be made.
    fn network_name(&mut self, object: &Object<'_>, external: bool) -> Option<String> {
        let name = self.text_of(object, "name")?;
        let at = object.get("name").filter(|_| !external && matches!(&*name, "bridge" | "default" | "host" | "none"));
        if let Some(at) = at {
            let message = format!("`{}` is a network that every engine has itself", at.quote(&name));
            let help = "leave the name out to have one of the stack's, or say `networkMode` of a container";
            self.error(Code::BadName, at, message, help);
        }
        Some(name)
    }

    /// The volumes that need more than a name.
    pub(super) fn volumes(&mut self, object: &Object<'_>) -> Vec<Volume> {
        let items: Vec<Node<'_>> = object.all("volumes").flat_map(|member| member.value.items()).collect();
        let mut volumes = Vec::new();
        for item in items {
            let Some(object) = self.object(item, &schema::VOLUME) else { continue };
            let name = self.text_of(&object, "name");
            let Some(name) = name.filter(|name| !name.is_empty()) else {
                self.error(Code::MissingKey, item, "a volume needs a name", "add `name`");
                continue;
            };
            let volume = Volume {
                name,
                driver: self.text_of(&object, "driver"),
                driver_opts: self.text_map_of(&object, "driverOpts"),
                labels: self.labels_of(&object),
                external: self.flag_of(&object, "external").unwrap_or(false),
            };
            self.add_volume(&mut volumes, volume, item);
        }
        volumes
    }

    /// Adds what is known of a volume; twice the same is once, twice different is an error.
    pub(super) fn add_volume(&mut self, volumes: &mut Vec<Volume>, volume: Volume, place: Node<'_>) {
        match volumes.iter().find(|other| other.name == volume.name) {
            Some(other) if *other == volume => {}
            Some(_) => {
                let message = format!("the volume `{}` is described twice, differently", place.quote(&volume.name));
                let help = "describe it once, in the stack's `volumes`";
                self.error(Code::VolumeConflict, place, message, help);
            }
            None => volumes.push(volume),
        }
    }

    /// Subnet, gateway and the range of addresses, which lie within each other.
    fn addresses(&mut self, object: &Object<'_>) -> Addresses {
        let subnet = self.range_of(object, "subnet");
        let ip_range = self.range_of(object, "ipRange");
        let gateway = self.address_of(object, "gateway", is_address, "an address", "172.20.0.1");
        let net = subnet.as_deref().and_then(|text| text.parse::<Range>().ok());
        let within = [
            (
                "gateway",
                gateway
                    .as_deref()
                    .and_then(|text| text.parse().ok())
                    .map(|address| net.map(|net| net.contains(address))),
            ),
            (
                "ipRange",
                ip_range.as_deref().and_then(|text| text.parse().ok()).map(|range| net.map(|net| net.covers(range))),
            ),
        ];
        for (key, is_within) in within {
            let (Some(is_within), Some(at)) = (is_within, object.get(key)) else { continue };
            match (is_within, object.get("subnet")) {
                (Some(false), Some(of)) => {
                    let of = of.quote(subnet.as_deref().unwrap_or_default());
                    let message = format!("`{key}` is not within the subnet `{of}`");
                    self.error(Code::BadAddress, at, message, "use addresses of the subnet");
                }
                (None, None) => {
                    let message = format!("`{key}` is one of the addresses of a subnet, and there is none");
                    self.error(Code::MissingKey, at, message, "add \"subnet\": \"172.20.0.0/16\", whichever it is");
                }
                _ => {}
            }
        }
        Addresses { subnet, gateway, ip_range }
    }

    fn range_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        let text = self.address_of(object, name, is_range, "a range of addresses", "172.20.0.0/16")?;
        if let (Ok(range), Some(at)) = (text.parse::<Range>(), object.get(name))
            && range != range.by_its_first()
        {
            let help = match at.has_variables() {
                true => "write the first address of the range".to_owned(),
                false => format!("write \"{}\"", range.by_its_first()),
            };
            let message = format!("`{}` does not begin with the first address of its range", at.quote(&text));
            self.error(Code::BadAddress, at, message, help);
        }
        Some(text)
    }

    fn address_of(
        &mut self,
        object: &Object<'_>,
        name: &str,
        sound: fn(&str) -> bool,
        what: &str,
        example: &str,
    ) -> Option<String> {
        let node = object.get(name)?;
        let text = self.text(node)?;
        if !sound(&text) {
            let help = format!("write it as in \"{example}\"");
            self.error(Code::BadAddress, node, format!("`{}` is not {what}", node.quote(&text)), help);
        }
        Some(text)
    }
}

fn is_address(text: &str) -> bool {
    text.parse::<std::net::IpAddr>().is_ok()
}

fn is_range(text: &str) -> bool {
    text.parse::<Range>().is_ok()
}

/// What a network says of its addresses.
struct Addresses {
    subnet: Option<String>,
    gateway: Option<String>,
    ip_range: Option<String>,
}
