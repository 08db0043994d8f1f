//! What an engine can do, by what it says and, where it runs on this machine, by what the machine has.

use crate::Endpoint;
use bollard::models::SystemInfo;
use graphium_core::inventory::Capabilities;
use std::{fs, path::Path};

/// By which an engine without the runtime `nvidia` still gives GPUs to containers.
const GPU_HOOK: &str = "nvidia-container-runtime-hook";
/// What the kernel calls its emulators, and the platforms that they run.
const EMULATORS: [(&str, &str); 10] = [
    ("qemu-aarch64", "linux/arm64"),
    ("qemu-arm", "linux/arm"),
    ("qemu-x86_64", "linux/amd64"),
    ("rosetta", "linux/amd64"),
    ("qemu-i386", "linux/386"),
    ("qemu-ppc64le", "linux/ppc64le"),
    ("qemu-s390x", "linux/s390x"),
    ("qemu-riscv64", "linux/riscv64"),
    ("qemu-mips64el", "linux/mips64le"),
    ("qemu-loongarch64", "linux/loong64"),
];

/// What of a machine tells more than its engine does.
#[derive(Debug, Default)]
pub(crate) struct Machine {
    /// Names of the emulators that its kernel has.
    emulators: Vec<String>,
    /// Whether it has something by which engines give GPUs to containers.
    has_gpu_tools: bool,
    /// What its kernel calls its present boot.
    pub(crate) boot_id: Option<String>,
}

impl Machine {
    /// This machine, if the engine runs on it: an engine behind a socket may also be one in a virtual machine.
    pub(crate) fn of(endpoint: &Endpoint, info: &SystemInfo) -> Option<Self> {
        let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").ok()?;
        let is_here = endpoint.is_local() && info.kernel_version.as_deref() == Some(kernel.trim());
        is_here.then(|| Self {
            emulators: enabled_emulators(Path::new("/proc/sys/fs/binfmt_misc")),
            has_gpu_tools: has_gpu_tools(),
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").ok().map(|id| id.trim().to_owned()),
        })
    }
}

/// Those that are registered and not switched off. Where nothing is mounted there are none.
fn enabled_emulators(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let enabled =
        entries.filter(|entry| fs::read_to_string(entry.path()).is_ok_and(|text| text.starts_with("enabled")));
    enabled.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

fn has_gpu_tools() -> bool {
    let folders = ["/usr/bin", "/usr/local/bin", "/usr/sbin", "/usr/local/sbin", "/opt/bin"];
    let has_devices = |folder: &&str| fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
    folders.iter().any(|folder| Path::new(folder).join(GPU_HOOK).exists())
        || ["/etc/cdi", "/var/run/cdi"].iter().any(has_devices)
}

/// What an engine can do; what cannot be known for certain is left out.
pub(crate) fn of(info: &SystemInfo, platform: &str, api: &str, machine: Option<&Machine>) -> Capabilities {
    let mut runtimes: Vec<String> = info.runtimes.iter().flatten().map(|(name, _)| name.clone()).collect();
    runtimes.sort();
    let devices = info.discovered_devices.iter().flatten().filter_map(|device| device.id.as_deref());
    let has_gpus =
        runtimes.iter().any(|name| name.contains("nvidia")) || devices.into_iter().any(|id| id.contains("gpu"));
    let gpus = match machine {
        _ if has_gpus => Some(true),
        Some(machine) if !machine.has_gpu_tools => Some(false),
        _ => None,
    };
    // Another machine may have emulators that nobody tells of.
    let platforms = machine.map(|machine| platforms(platform, machine)).unwrap_or_default();
    Capabilities { platforms, runtimes, gpus, api_version: api.parse().ok() }
}

fn platforms(own: &str, machine: &Machine) -> Vec<String> {
    let mut all = vec![own.to_owned()];
    // Of one processor, as far as it does not say otherwise.
    all.extend(match own {
        "linux/amd64" => Some("linux/386".to_owned()),
        "linux/arm64" => Some("linux/arm".to_owned()),
        _ => None,
    });
    let emulated = |(name, _): &&(&str, &str)| machine.emulators.iter().any(|own| own == name);
    all.extend(EMULATORS.iter().filter(emulated).map(|(_, platform)| (*platform).to_owned()));
    all.sort();
    all.dedup();
    all
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use serde_json::{Value, json};

    fn told(info: Value, machine: Option<Machine>) -> Value {
        let info: SystemInfo = serde_json::from_value(info).unwrap();
        serde_json::to_value(of(&info, "linux/amd64", "1.50", machine.as_ref())).unwrap()
    }

    #[test]
    fn of_an_engine_elsewhere_only_that_is_told_which_it_says_itself() {
        let runtimes = json!({"runc": {}, "io.containerd.runc.v2": {}});
        let expected = json!({"runtimes": ["io.containerd.runc.v2", "runc"], "apiVersion": "1.50"});
        assert_eq!(told(json!({"Runtimes": runtimes}), None), expected);
        let with_gpus = told(json!({"Runtimes": {"nvidia": {}}}), None);
        assert_eq!(with_gpus["gpus"], true);
        assert_eq!(
            told(json!({"DiscoveredDevices": [{"Source": "cdi", "ID": "nvidia.com/gpu=0"}]}), None)["gpus"],
            true
        );
    }

    #[test]
    fn of_an_engine_here_the_machine_tells_the_rest() {
        let plain = told(json!({}), Some(Machine::default()));
        assert_eq!(plain["platforms"], json!(["linux/386", "linux/amd64"]));
        assert_eq!(plain["gpus"], false);
        let machine = Machine {
            emulators: vec!["qemu-aarch64".to_owned(), "python3".to_owned()],
            has_gpu_tools: true,
            boot_id: None,
        };
        let able = told(json!({}), Some(machine));
        assert_eq!(able["platforms"], json!(["linux/386", "linux/amd64", "linux/arm64"]));
        assert_eq!(able.get("gpus"), None, "its tools may or may not do");
    }

    #[test]
    fn an_emulator_that_is_switched_off_does_not_count() {
        let folder = std::env::temp_dir().join(format!("graphium-binfmt-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("qemu-arm"), "disabled\n").unwrap();
        fs::write(folder.join("qemu-aarch64"), "enabled\ninterpreter /usr/bin/qemu\n").unwrap();
        assert_eq!(enabled_emulators(&folder), ["qemu-aarch64"]);
        fs::remove_dir_all(&folder).unwrap();
        assert_eq!(enabled_emulators(&folder), [""; 0]);
    }
}
