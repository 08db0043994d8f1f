use std::fs::{self, File, TryLockError};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use super::command::{command, run};
use super::{TestbedError, cleanup};

/// Short, because the path of a unix socket ends at 108 bytes; not in /run, which is memory on most machines.
const BASE: &str = "/var/lib/gph";
const LAST: u8 = 254;

/// The number of a testbed on this machine. Every name and address that it uses follows from it, so that whoever finds
/// the number can clean up, and two testbeds cannot meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot(u8);

impl Slot {
    /// Where everything of this testbed lies.
    pub(super) fn dir(self) -> PathBuf {
        Path::new(BASE).join(self.0.to_string())
    }

    /// Its name: the prefix of all others, the namespace of the bridge, the uplink's device, the root of the cgroups.
    pub(super) fn name(self) -> String {
        format!("gph{}", self.0)
    }

    pub(super) fn netns(self, host: &str) -> String {
        format!("{}-{host}", self.name())
    }

    /// Whether a network namespace of this name belongs to this testbed.
    pub(super) fn owns_netns(self, netns: &str) -> bool {
        let rest = netns.strip_prefix(&self.name());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    }

    /// The address of host `index`, counted from zero.
    pub(super) fn address(self, index: u8) -> IpAddr {
        Ipv4Addr::new(10, 99, self.0, index + 1).into()
    }

    /// The address of the root namespace, in which control planes run.
    pub(super) fn uplink(self) -> IpAddr {
        Ipv4Addr::new(10, 99, self.0, 254).into()
    }

    fn subnet_is_free(self) -> Result<bool, TestbedError> {
        let subnet = format!("10.99.{}.0/24", self.0);
        let routes = run(command("ip").args(["-4", "route", "show", &subnet]))?;
        Ok(routes.trim().is_empty())
    }
}

/// The right to use a slot: a lock on its directory, which the kernel drops with its holder. A slot that can be locked is
/// therefore a slot whose owner is dead, and no process id has to be trusted.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) slot: Slot,
    _lock: File,
}

impl Claim {
    /// Clears what dead owners left behind, and takes a free slot.
    pub(super) fn take() -> Result<Self, TestbedError> {
        let _base = lock_base()?;
        let _ = sweep_dead(); // what cannot be cleared stays taken, and there are other slots
        for slot in (0..=LAST).map(Slot) {
            if slot.dir().exists() || !slot.subnet_is_free()? {
                continue;
            }
            let make = || {
                fs::create_dir(slot.dir())?;
                let lock = File::open(slot.dir())?;
                lock.lock()?;
                Ok(lock)
            };
            let lock = make().map_err(TestbedError::io(format!("claim {}", slot.dir().display())))?;
            return Ok(Self { slot, _lock: lock });
        }
        Err(TestbedError::NoFreeSubnet)
    }
}

/// Clears every testbed whose owner is dead.
pub(super) fn sweep() -> Result<(), TestbedError> {
    let _base = lock_base()?;
    sweep_dead()
}

/// Claims and sweeps happen one at a time, or a sweep could clear a slot that was just claimed anew.
fn lock_base() -> Result<File, TestbedError> {
    let lock = || {
        fs::create_dir_all(BASE)?;
        let base = File::open(BASE)?;
        base.lock()?;
        Ok(base)
    };
    lock().map_err(TestbedError::io(format!("lock {BASE}")))
}

/// Clears what it can, and returns the first error.
fn sweep_dead() -> Result<(), TestbedError> {
    let entries = fs::read_dir(BASE).map_err(TestbedError::io(format!("list {BASE}")))?;
    let slots = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok().map(Slot));
    slots.map(sweep_if_dead).fold(Ok(()), Result::and)
}

fn sweep_if_dead(slot: Slot) -> Result<(), TestbedError> {
    let Ok(dir) = File::open(slot.dir()) else { return Ok(()) }; // its owner has just removed it
    match dir.try_lock() {
        Ok(()) => cleanup::clear(slot),
        Err(TryLockError::WouldBlock) => Ok(()),
        Err(TryLockError::Error(source)) => {
            Err(TestbedError::Io { action: format!("lock {}", slot.dir().display()), source })
        }
    }
}
