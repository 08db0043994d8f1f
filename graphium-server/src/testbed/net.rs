//! The wires: a bridge in a namespace of its own (in the root namespace, the firewall of a system engine would cut the
//! hosts apart), one cable to each host and one to the root namespace.

use std::fmt::Write;

use super::TestbedError;
use super::command::{command, run, run_with_input};
use super::slot::Slot;

/// Lays all cables. Host `n` is port `h<n>` of the bridge; the other end of its cable is the host's `eth0`.
pub(super) fn build(slot: Slot, hosts: &[String]) -> Result<(), TestbedError> {
    let (name, uplink) = (slot.name(), slot.uplink());
    let mut root = format!("netns add {name}\n");
    let mut bridge =
        String::from("link set lo up\nlink add br0 type bridge\nlink set br0 up\nlink set uplink master br0 up\n");
    for (index, host) in (0..).zip(hosts) {
        let netns = slot.netns(host);
        let _ = writeln!(
            root,
            "netns add {netns}\nlink add {} netns {name} type veth peer name eth0 netns {netns}",
            port(index)
        );
        let _ = writeln!(bridge, "link set {} master br0 up", port(index));
    }
    let _ = writeln!(root, "link add {name} type veth peer name uplink netns {name}");
    let _ = writeln!(root, "address add {uplink}/24 dev {name}\nlink set {name} up");

    batch(&[], &root)?;
    batch(&["-n", &name], &bridge)?;
    for (index, host) in (0..).zip(hosts) {
        let address = slot.address(index);
        let up = format!("link set lo up\naddress add {address}/24 dev eth0\nlink set eth0 up\n");
        batch(&["-n", &slot.netns(host)], &up)?;
    }
    Ok(())
}

/// Pulls the cable of a host out of the bridge. Both ends stay up and packets vanish in silence, as in a real partition;
/// a firewall inside the host would answer its own processes with errors.
pub(super) fn unplug(slot: Slot, index: u8) -> Result<(), TestbedError> {
    run(command("ip").args(["-n", &slot.name(), "link", "set", &port(index), "nomaster"])).map(drop)
}

/// Puts it back.
pub(super) fn plug(slot: Slot, index: u8) -> Result<(), TestbedError> {
    run(command("ip").args(["-n", &slot.name(), "link", "set", &port(index), "master", "br0"])).map(drop)
}

fn port(index: u8) -> String {
    format!("h{index}")
}

fn batch(options: &[&str], lines: &str) -> Result<(), TestbedError> {
    run_with_input(command("ip").args(options).args(["-batch", "-"]), lines).map(drop)
}
