//! The process, under the names that every exporter gives it. What the system does not tell is left out.

use prometheus_client::{
    metrics::gauge::ConstGauge,
    registry::{Registry, Unit},
};

pub(super) fn register(registry: &mut Registry, begun: f64) {
    registry.register_with_unit(
        "process_start_time",
        "When the server began, since 1970",
        Unit::Seconds,
        ConstGauge::new(begun),
    );
    if let Some(bytes) = resident() {
        registry.register_with_unit("process_resident_memory", "Resident memory", Unit::Bytes, ConstGauge::new(bytes));
    }
    if let Some(open) = open_files() {
        registry.register("process_open_fds", "Open file descriptors", ConstGauge::new(open));
    }
}

/// Bytes of resident memory.
fn resident() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.split_whitespace().next()?.parse::<i64>().ok()?.checked_mul(1024)
}

/// Open file descriptors, without the one that is open to count them.
fn open_files() -> Option<i64> {
    let count = std::fs::read_dir("/proc/self/fd").ok()?.count();
    i64::try_from(count.saturating_sub(1)).ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_process_is_measured() {
        assert!(resident().is_some_and(|bytes| bytes > 1024 * 1024));
        let before = open_files().unwrap_or_default();
        let _file = std::fs::File::open("/proc/self/status");
        assert!(open_files().is_some_and(|after| after > 0 && before > 0));
    }
}
