//! What the planner must know beyond what was seen: places that other stacks have taken and not yet filled.

use super::{Control, ControlError, StackRecord, forget};
use crate::{
    action::Action,
    id::{HostId, StackId},
    inventory::{ContainerStatus, Host, HostStatus, Inventory, ObservedContainer, ObservedPort},
    runtime::label,
    stack::{Container, Reservations, Stack},
    store::TaskQuery,
    task::{Task, TaskStatus},
};
use std::{collections::BTreeMap, sync::Arc};

/// All that plans are made with.
#[derive(Debug)]
pub(super) struct Estate {
    inventory: Inventory,
    pub(super) stacks: Vec<Arc<StackRecord>>,
    fences: Vec<forget::Forgotten>,
}

impl Estate {
    pub(super) fn hosts(&self) -> &[Host] {
        &self.inventory.hosts
    }
}

impl Control {
    /// Hosts and the containers that were seen on them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn inventory(&self) -> Result<Inventory, ControlError> {
        let hosts = self.memos.hosts.all(&*self.store).await?;
        let containers = self.memos.containers.all(&*self.store).await?;
        Ok(Inventory {
            hosts: hosts.into_iter().map(|host| self.shown(Arc::unwrap_or_clone(host))).collect(),
            containers: containers.into_iter().map(Arc::unwrap_or_clone).collect(),
        })
    }

    /// The inventory with what other stacks have placed and reserved: a place-holder where nobody has seen the container yet.
    pub(super) async fn planning_inventory(&self, planned: &StackId) -> Result<Inventory, ControlError> {
        let estate = self.estate().await?;
        self.inventory_of(&estate, planned).await
    }

    /// All that plans of whatever stack are made with, read once.
    pub(super) async fn estate(&self) -> Result<Estate, ControlError> {
        let mut inventory = self.inventory().await?;
        let stacks = self.memos.stacks.all(&*self.store).await?;
        let fences = self.forgotten().await?;
        // A host that is back takes nothing new before what runs elsewhere by now is gone from it.
        for fence in fences.iter().filter(|fence| fence.is_fence()) {
            if let Some(host) = inventory.hosts.iter_mut().find(|host| host.id == fence.host_id) {
                host.status = HostStatus::Offline;
                host.offline_since.get_or_insert(fence.forgotten_at);
            }
        }
        for host in &mut inventory.hosts {
            host.reserved = Reservations::default();
        }
        Ok(Estate { inventory, stacks, fences })
    }

    /// What one stack is planned with.
    pub(super) async fn inventory_of(&self, estate: &Estate, planned: &StackId) -> Result<Inventory, ControlError> {
        let Estate { inventory, stacks, fences } = estate;
        let mut inventory = inventory.clone();
        let own = stacks.iter().find(|stack| stack.id == *planned);
        if let Some(own) = own {
            forget::hide(&mut inventory, fences, own);
        }
        let by_id: BTreeMap<HostId, usize> =
            inventory.hosts.iter().enumerate().map(|(index, host)| (host.id.clone(), index)).collect();
        let mut seen: BTreeMap<(HostId, String), usize> = BTreeMap::new();
        for (index, container) in inventory.containers.iter().enumerate() {
            seen.insert((container.hosted_on.clone(), container.name.clone()), index);
        }
        let tasks = match own.filter(|own| !own.status.is_up()) {
            Some(own) => self.doubtful(own).await?,
            // What removes orphans of it is of no deployment that there is a record of.
            None => self.open_tasks(TaskQuery { stack: Some(planned.clone()), ..TaskQuery::default() }).await?,
        };
        for task in tasks {
            if let Some(index) = seen.get(&(task.host_id.clone(), task.payload.subject().to_owned())) {
                doubt(&mut inventory.containers[*index], &task);
            }
        }
        for stack in stacks.iter().filter(|stack| stack.id != *planned) {
            for (definition, taken) in reserved(stack) {
                if let Some(&host) = by_id.get(&taken.hosted_on) {
                    inventory.hosts[host].reserved.add(&definition.resources.reservations);
                }
                match seen.get(&(taken.hosted_on.clone(), taken.name.clone())) {
                    // Between its making and its start an engine shows a container without its ports.
                    Some(index) => add_ports(&mut inventory.containers[*index], taken.ports),
                    None => inventory.containers.push(taken),
                }
            }
        }
        Ok(inventory)
    }
}

/// What was seen of a container counts only as far as no attempt at a task may have changed it since: otherwise nobody knows
/// what it was made from, and it gets a task that looks.
fn doubt(seen: &mut ObservedContainer, task: &Task) {
    let acts_on_containers = matches!(
        task.payload.as_ref(),
        Action::Deploy { .. }
            | Action::Update { .. }
            | Action::Adjust { .. }
            | Action::Stop { .. }
            | Action::Start { .. }
            | Action::Restart { .. }
            | Action::Delete { .. }
    );
    let told = task.result.as_ref().and_then(|result| result.data.as_deref());
    let is_sure = match (task.status, told) {
        (TaskStatus::Completed, Some(told)) => told.id == seen.id,
        // What was removed is not there, whatever was seen before.
        (TaskStatus::Completed, None) => !matches!(task.payload.as_ref(), Action::Delete { .. }),
        _ => task.attempt == 0,
    };
    if acts_on_containers && !is_sure {
        seen.labels.shift_remove(label::HASH);
    }
}

fn add_ports(seen: &mut ObservedContainer, ports: Vec<ObservedPort>) {
    for port in ports {
        let known = seen.ports.iter().any(|one| one.host_port == port.host_port && one.protocol == port.protocol);
        if port.host_port.is_some() && !known {
            seen.ports.push(port);
        }
    }
}

fn reserved(record: &StackRecord) -> impl Iterator<Item = (&Container, ObservedContainer)> {
    let stack = &record.applied.stack;
    record.applied.placements.iter().filter_map(move |(name, host)| {
        let container = definition(stack, name)?;
        let taken = ObservedContainer {
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
            ended_with_engine: false,
            ended_by_task: false,
            ip_address: None,
            date_created: None,
            settings: None,
        };
        Some((container, taken))
    })
}

/// The definition of a placed container; replicas are placed as `<name>-<number>`.
pub(super) fn definition<'a>(stack: &'a Stack, placed: &str) -> Option<&'a Container> {
    stack.container(placed).or_else(|| {
        let (name, number) = placed.rsplit_once('-')?;
        number.parse::<u32>().ok()?;
        stack.container(name).filter(|container| container.is_replicated())
    })
}
