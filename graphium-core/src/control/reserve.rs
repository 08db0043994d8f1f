//! What the planner must know beyond what was seen: places that other stacks have taken and not yet filled.

use super::{Control, ControlError, StackRecord};
use crate::{
    id::StackId,
    inventory::{ContainerStatus, Host, Inventory, ObservedContainer, ObservedPort},
    runtime::label,
    stack::{Container, Stack},
    store::{Kind, RecordQuery, TaskStoreExt, Versioned},
};
use std::collections::BTreeSet;

impl Control {
    /// Hosts and the containers that were seen on them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn inventory(&self) -> Result<Inventory, ControlError> {
        let hosts = self.store.documents::<Host>(RecordQuery::of(Kind::Host)).await?;
        let containers = self.store.documents::<ObservedContainer>(RecordQuery::of(Kind::Container)).await?;
        Ok(Inventory {
            hosts: hosts.into_iter().map(|host| self.shown(host.value)).collect(),
            containers: containers.into_iter().map(|container| container.value).collect(),
        })
    }

    /// The inventory with a place-holder for every container that another stack has placed and nobody has seen yet.
    pub(super) async fn planning_inventory(&self, planned: &StackId) -> Result<Inventory, ControlError> {
        let mut inventory = self.inventory().await?;
        let stacks = self.store.documents::<StackRecord>(RecordQuery::of(Kind::Stack)).await?;
        let seen: BTreeSet<(String, String)> =
            inventory.containers.iter().map(|seen| (seen.hosted_on.to_string(), seen.name.clone())).collect();
        for Versioned { value: stack, .. } in &stacks {
            if stack.id != *planned {
                let taken = reserved(stack);
                let unseen = taken.filter(|one| !seen.contains(&(one.hosted_on.to_string(), one.name.clone())));
                inventory.containers.extend(unseen);
            }
        }
        Ok(inventory)
    }
}

fn reserved(record: &StackRecord) -> impl Iterator<Item = ObservedContainer> + '_ {
    let stack = &record.applied.stack;
    record.applied.placements.iter().filter_map(move |(name, host)| {
        let container = definition(stack, name)?;
        Some(ObservedContainer {
            id: String::new(),
            name: stack.engine_name(name),
            image: container.image.clone(),
            status: ContainerStatus::Created,
            hosted_on: host.clone(),
            ports: container
                .ports
                .iter()
                .map(|port| ObservedPort {
                    container_port: port.container_port,
                    host_port: port.host_port,
                    protocol: port.protocol,
                    host_ip: port.host_ip,
                })
                .collect(),
            labels: [
                (label::MANAGED.to_owned(), "true".to_owned()),
                (label::STACK.to_owned(), record.id.to_string()),
                (label::STACK_NAME.to_owned(), record.name.clone()),
                (label::CONTAINER.to_owned(), name.clone()),
            ]
            .into_iter()
            .collect(),
            health: None,
            exit_code: None,
            ip_address: None,
            date_created: None,
        })
    })
}

/// The definition of a placed container; replicas are placed as `<name>-<number>`.
fn definition<'a>(stack: &'a Stack, placed: &str) -> Option<&'a Container> {
    stack.container(placed).or_else(|| {
        let (name, number) = placed.rsplit_once('-')?;
        number.parse::<u32>().ok()?;
        stack.container(name).filter(|container| container.replicas.is_some())
    })
}
