//! The one way in which a testbed ends, whoever ends it: its owner, its owner's `Drop`, or a sweep after its owner died.

use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::TestbedError;
use super::command::{command, run};
use super::slot::Slot;

const NETNS: &str = "/run/netns";
const CGROUPS: &str = "/sys/fs/cgroup";
const PATIENCE: Duration = Duration::from_secs(10);
const POLL: Duration = Duration::from_millis(5);

/// Removes all that belongs to a slot. The directory goes last: while it exists, a sweep finds what is left.
pub(super) fn clear(slot: Slot) -> Result<(), TestbedError> {
    for netns in netns_of(slot) {
        kill_all_in(&netns)?;
        run(command("ip").args(["netns", "delete", &netns]))?;
    }
    // It dies with the namespace of its other end, but only when the kernel gets round to it.
    if Path::new("/sys/class/net").join(slot.name()).exists() {
        let _ = run(command("ip").args(["link", "delete", &slot.name()]));
    }
    for cgroup in cgroups_of(slot) {
        retry(|| remove_cgroup(&cgroup)).map_err(TestbedError::io(format!("remove {}", cgroup.display())))?;
    }
    retry(|| fs::remove_dir_all(slot.dir())).map_err(TestbedError::io(format!("remove {}", slot.dir().display())))
}

/// Kills every process in a network namespace and returns when they are gone. Among those of a host is the first one of its
/// process namespace, with which the containers die, wherever their own network is.
pub(super) fn kill_all_in(netns: &str) -> Result<(), TestbedError> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let pids = pids_in(netns);
        if pids.is_empty() {
            return Ok(());
        }
        if Instant::now() > deadline {
            let detail = format!("processes {} do not die", pids.join(", "));
            return Err(TestbedError::Command { command: "kill -KILL".into(), detail });
        }
        let _ = run(command("kill").arg("-KILL").args(&pids)); // some may be gone already
        sleep(POLL);
    }
}

fn netns_of(slot: Slot) -> Vec<String> {
    let entries = fs::read_dir(NETNS).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().into_string().ok()).filter(|name| slot.owns_netns(name)).collect()
}

/// The living processes of a namespace; a zombie is in none.
fn pids_in(netns: &str) -> Vec<String> {
    let identity = |path: PathBuf| fs::metadata(path).map(|metadata| (metadata.dev(), metadata.ino())).ok();
    let Some(wanted) = identity(Path::new(NETNS).join(netns)) else { return Vec::new() };
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    processes
        .filter(|process| identity(process.path().join("ns/net")) == Some(wanted))
        .filter_map(|process| process.file_name().into_string().ok())
        .filter(|name| name.parse::<u32>().is_ok())
        .collect()
}

/// The cgroup of the slot: one on version 2, one in each hierarchy on version 1.
fn cgroups_of(slot: Slot) -> Vec<PathBuf> {
    let hierarchies = fs::read_dir(CGROUPS).into_iter().flatten().flatten().map(|entry| entry.path());
    let roots = std::iter::once(PathBuf::from(CGROUPS)).chain(hierarchies);
    roots.map(|root| root.join(slot.name())).filter(|cgroup| cgroup.is_dir()).collect()
}

/// Children first; the files in them are the kernel's and go with them.
fn remove_cgroup(cgroup: &Path) -> io::Result<()> {
    for child in fs::read_dir(cgroup)?.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        remove_cgroup(&child.path())?;
    }
    fs::remove_dir(cgroup)
}

/// A cgroup stays busy, and a mount in place, for a moment after the last process died.
fn retry(mut remove: impl FnMut() -> io::Result<()>) -> io::Result<()> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match remove() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(_) if Instant::now() < deadline => sleep(POLL),
            result => return result,
        }
    }
}
