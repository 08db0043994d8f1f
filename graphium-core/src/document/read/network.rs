//! Networks and volumes.

use super::super::{code::Code, node::Node, object::Object, reader::Reader, schema};
use crate::stack::{Network, Volume};

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
        Some(Network {
            name: self.network_name(&object, external),
            driver,
            subnet: self.range_of(&object, "subnet"),
            gateway: self.address_of(&object, "gateway", is_address, "an address", "172.20.0.1"),
            ip_range: self.range_of(&object, "ipRange"),
            internal: self.flag_of(&object, "internal").unwrap_or(false),
            external,
            labels: self.text_map_of(&object, "labels"),
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
                labels: self.text_map_of(&object, "labels"),
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

    fn range_of(&mut self, object: &Object<'_>, name: &str) -> Option<String> {
        self.address_of(object, name, is_range, "a range of addresses", "172.20.0.0/16")
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

/// Whether a text is an address with the length of its network, as `172.20.0.0/16`.
fn is_range(text: &str) -> bool {
    let Some((address, length)) = text.split_once('/') else { return false };
    let longest = match address.parse() {
        Ok(std::net::IpAddr::V4(_)) => 32,
        Ok(std::net::IpAddr::V6(_)) => 128,
        Err(_) => return false,
    };
    length.parse::<u8>().is_ok_and(|length| length <= longest)
}
