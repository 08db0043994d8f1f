//! The state of the engine, and what is no container.

use super::{Program, container::FakeContainer, faults::PLATFORM};
use crate::{
    inventory::platform_suits,
    runtime::{Adoptions, ContainerChange, NetworkSpec, RuntimeError, VolumeSpec, label},
    stack::TextMap,
};
use futures::channel::mpsc::{UnboundedReceiver, UnboundedSender, unbounded};
use jiff::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// What a change sends to those that watch.
pub(super) type Change = Result<ContainerChange, RuntimeError>;

/// What a name can stand for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Thing {
    /// A container.
    Container,
    /// A network.
    Network,
    /// A volume.
    Volume,
}

/// How often something really happened to a container.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// It was made.
    pub created: u32,
    /// It was given another name than this.
    pub renamed: u32,
    /// It was started, its restart policy aside.
    pub started: u32,
    /// Its settings were changed.
    pub adjusted: u32,
    /// It was stopped.
    pub stopped: u32,
    /// It was removed.
    pub removed: u32,
}

/// An image that an engine has.
#[derive(Debug)]
struct LocalImage {
    platform: String,
    id: String,
}

fn image_id(image: &str, version: usize) -> String {
    let hex = image.bytes().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("sha256:{version:04x}{hex:0>60}")
}

/// Maps are ordered, so that the same calls give the same answers.
#[derive(Debug, Default)]
pub(super) struct Engine {
    pub(super) containers: BTreeMap<String, FakeContainer>,
    pub(super) networks: BTreeMap<String, TextMap>,
    pub(super) volumes: BTreeMap<String, TextMap>,
    /// An engine has one image of a reference.
    images: BTreeMap<String, LocalImage>,
    /// What the registry has got under each reference, one after another.
    pub(super) moved: BTreeMap<String, Vec<Program>>,
    pub(super) denied: BTreeSet<String>,
    pub(super) programs: BTreeMap<String, Program>,
    /// Host ports that are held by something that is no container.
    pub(super) occupied: BTreeSet<u16>,
    pub(super) effects: BTreeMap<String, Effects>,
    /// What was adopted by the handle that makes the present call.
    pub(super) adopted: Adoptions,
    /// When the present call is made; absent: there is no clock.
    pub(super) now: Option<Timestamp>,
    pub(super) made: u32,
    /// Containers by their ids that are being stopped, and when they end.
    pub(super) stopping: BTreeMap<String, Timestamp>,
    watchers: Vec<UnboundedSender<Change>>,
    /// Those who hear nothing any more.
    unheard: Vec<UnboundedSender<Change>>,
}

impl Engine {
    pub(super) fn has_image(&self, image: &str, platform: Option<&str>) -> bool {
        let is_wanted = |present: &LocalImage| platform.is_none_or(|wanted| platform_suits(&present.platform, wanted));
        self.images.get(image).is_some_and(is_wanted)
    }

    /// The id of the image that a reference names here.
    pub(super) fn image_id(&self, image: &str) -> Option<String> {
        self.images.get(image).map(|local| local.id.clone())
    }

    /// What a container does: that of the image that it was made from, or that of its name.
    pub(super) fn program_of(&self, name: &str) -> Option<&Program> {
        let container = self.containers.get(name)?;
        let image = &container.spec.container.image;
        let is_its = |version: &usize| container.state.image_id.as_ref() == Some(&image_id(image, *version));
        let moved = self.moved.get(image).map_or(&[][..], Vec::as_slice);
        let version = (1..=moved.len()).find(is_its);
        version.and_then(|version| moved.get(version - 1)).or_else(|| self.programs.get(image))
    }

    pub(super) fn put_image(&mut self, image: &str, platform: Option<&str>) {
        let version = self.moved.get(image).map_or(0, Vec::len);
        let local = LocalImage { platform: platform.unwrap_or(PLATFORM).to_owned(), id: image_id(image, version) };
        self.images.insert(image.to_owned(), local);
    }

    pub(super) fn create_network(&mut self, spec: &NetworkSpec) -> Result<(), RuntimeError> {
        match self.networks.get(&spec.name) {
            Some(_) if spec.network.external => Ok(()),
            None if spec.network.external => {
                Err(RuntimeError::NotFound(format!("network `{}` is external and does not exist", spec.name)))
            }
            Some(labels) if is_managed(labels) => Ok(()),
            Some(_) => Err(foreign(Thing::Network, &spec.name)),
            None => {
                self.networks.insert(spec.name.clone(), ours(spec.labels.clone()));
                Ok(())
            }
        }
    }

    pub(super) fn remove_network(&mut self, name: &str) -> Result<(), RuntimeError> {
        let Some(labels) = self.networks.get(name) else { return Ok(()) };
        if !is_managed(labels) {
            return Err(foreign(Thing::Network, name));
        }
        if self.containers.values().any(|container| container.is_up() && container.is_in(name)) {
            return Err(RuntimeError::InUse(format!("network `{name}` has active endpoints")));
        }
        self.networks.remove(name);
        Ok(())
    }

    pub(super) fn create_volume(&mut self, spec: &VolumeSpec) -> Result<(), RuntimeError> {
        if spec.volume.external && !self.volumes.contains_key(&spec.name) {
            return Err(RuntimeError::NotFound(format!("volume `{}` is external and does not exist", spec.name)));
        }
        self.volumes.entry(spec.name.clone()).or_insert_with(|| ours(spec.labels.clone()));
        Ok(())
    }

    pub(super) fn remove_volume(&mut self, name: &str) -> Result<(), RuntimeError> {
        let Some(labels) = self.volumes.get(name) else { return Ok(()) };
        if !is_managed(labels) {
            return Err(foreign(Thing::Volume, name));
        }
        if self.containers.values().any(|container| container.volumes().any(|volume| volume == name)) {
            return Err(RuntimeError::InUse(format!("volume `{name}` is in use")));
        }
        self.volumes.remove(name);
        Ok(())
    }

    pub(super) fn watch(&mut self) -> UnboundedReceiver<Change> {
        let (sender, receiver) = unbounded();
        self.watchers.push(sender);
        receiver
    }

    /// Whoever watches by now hears nothing any more, and no end.
    pub(super) fn go_silent(&mut self) {
        self.unheard.append(&mut self.watchers);
    }

    /// Tells everybody who watches.
    pub(super) fn tell(&mut self, name: &str, action: &str) {
        let change = ContainerChange { name: name.to_owned(), action: action.to_owned() };
        self.watchers.retain(|watcher| watcher.unbounded_send(Ok(change.clone())).is_ok());
    }

    /// Ends every stream of changes, and every log that is followed, with an error.
    pub(super) fn end_watching(&mut self, error: &RuntimeError) {
        // One that no longer listens needs no end.
        self.watchers.drain(..).for_each(|watcher| drop(watcher.unbounded_send(Err(error.clone()))));
        self.containers.values_mut().for_each(|container| container.log.break_off(error));
    }

    pub(super) fn effect(&mut self, name: &str) -> &mut Effects {
        self.effects.entry(name.to_owned()).or_default()
    }
}

pub(super) fn is_managed(labels: &TextMap) -> bool {
    labels.get(label::MANAGED).is_some_and(|value| value == "true")
}

/// Labels of something that we make.
pub(super) fn ours(mut labels: TextMap) -> TextMap {
    labels.insert(label::MANAGED.to_owned(), "true".to_owned());
    labels
}

/// The error of a name that something else has.
pub(super) fn foreign(thing: Thing, name: &str) -> RuntimeError {
    let thing = match thing {
        Thing::Container => "container",
        Thing::Network => "network",
        Thing::Volume => "volume",
    };
    RuntimeError::NameTaken { name: name.to_owned(), holder: format!("a {thing} that is not Graphium's") }
}
