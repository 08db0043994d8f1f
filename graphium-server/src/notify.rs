//! Words to the service manager that started the program: systemd's `sd_notify` protocol.
//!
//! A manager that wants to hear names a datagram socket in `NOTIFY_SOCKET`; one that watches says in `WATCHDOG_USEC` how soon it
//! takes silence for death. Without them nothing is said, and the program does the same.

use std::{env, time::Duration};

/// The service manager that listens.
#[derive(Debug)]
pub struct Manager {
    #[cfg(unix)]
    socket: std::os::unix::net::UnixDatagram,
    watchdog: Option<Duration>,
}

impl Manager {
    /// The manager that started this process; none: nobody listens, or its socket cannot be had (which is logged).
    pub fn find() -> Option<Self> {
        let address = env::var_os("NOTIFY_SOCKET").filter(|address| !address.is_empty())?;
        let mine = |name: &str| env::var(name).ok();
        let watchdog = watchdog(mine("WATCHDOG_USEC"), mine("WATCHDOG_PID"), std::process::id());
        Self::at(&address, watchdog)
            .inspect_err(|error| tracing::warn!(%error, "the service manager's NOTIFY_SOCKET cannot be reached"))
            .ok()
    }

    /// A manager at a socket: a path, or `@name` in the abstract namespace of Linux.
    ///
    /// # Errors
    /// When there is no such socket.
    #[cfg(unix)]
    pub fn at(address: &std::ffi::OsStr, watchdog: Option<Duration>) -> std::io::Result<Self> {
        use std::os::unix::{ffi::OsStrExt, net::UnixDatagram};
        let socket = UnixDatagram::unbound()?;
        // A manager that takes nothing must not hold up the program.
        socket.set_nonblocking(true)?;
        match address.as_bytes().strip_prefix(b"@") {
            #[cfg(target_os = "linux")]
            Some(name) => {
                use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
                socket.connect_addr(&SocketAddr::from_abstract_name(name)?)?;
            }
            _ => socket.connect(address)?,
        }
        Ok(Self { socket, watchdog })
    }

    /// Elsewhere there is no such manager.
    ///
    /// # Errors
    /// Always.
    #[cfg(not(unix))]
    pub fn at(_address: &std::ffi::OsStr, _watchdog: Option<Duration>) -> std::io::Result<Self> {
        Err(std::io::ErrorKind::Unsupported.into())
    }

    /// The program does its work from now on; `status` says so to people.
    pub fn ready(&self, status: &str) {
        self.say(&format!("READY=1\nSTATUS={}", line(status)));
    }

    /// How it is, for people.
    pub fn status(&self, status: &str) {
        self.say(&format!("STATUS={}", line(status)));
    }

    /// The program ends because it was asked to.
    pub fn stopping(&self) {
        self.say("STOPPING=1\nSTATUS=stopping");
    }

    /// Says that the program lives for as long as it does: as often as the manager wants to hear it (three times in its patience),
    /// whenever `is_alive` says so. Never returns; where the manager does not watch, nothing is asked and nothing said.
    ///
    /// Cancellation: dropping the future ends it, and the manager hears no more.
    pub async fn feed(&self, mut is_alive: impl AsyncFnMut() -> bool) {
        let Some(period) = self.watchdog.map(|patience| patience / 3).filter(|period| !period.is_zero()) else {
            return std::future::pending().await;
        };
        let mut ticks = tokio::time::interval(period);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            if is_alive().await {
                self.say("WATCHDOG=1");
            } else {
                tracing::error!("the program does not go round: the service manager is not told that it lives");
            }
        }
    }

    fn say(&self, words: &str) {
        #[cfg(unix)]
        if let Err(error) = self.socket.send(words.as_bytes()) {
            tracing::debug!(%error, "the service manager does not hear");
        }
        #[cfg(not(unix))]
        let _ = words;
    }
}

/// One line: another would be another word to the manager.
fn line(text: &str) -> String {
    text.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect()
}

/// How long the manager bears silence, if it is this process that it watches.
fn watchdog(micros: Option<String>, of: Option<String>, me: u32) -> Option<Duration> {
    let is_mine = of.is_none_or(|pid| pid.trim() == me.to_string());
    let micros = micros?.trim().parse().ok().filter(|micros| *micros > 0)?;
    is_mine.then(|| Duration::from_micros(micros))
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
    use super::*;
    use std::os::unix::net::UnixDatagram;

    fn heard(socket: &UnixDatagram) -> Vec<String> {
        socket.set_nonblocking(true).unwrap();
        let mut all = Vec::new();
        let mut buffer = [0; 256];
        while let Ok(length) = socket.recv(&mut buffer) {
            all.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
        }
        all
    }

    fn manager(watchdog: Option<Duration>) -> (tempfile::TempDir, UnixDatagram, Manager) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let manager = Manager::at(path.as_os_str(), watchdog).unwrap();
        (folder, socket, manager)
    }

    #[test]
    fn the_manager_is_told_in_single_lines() {
        let (_folder, socket, manager) = manager(None);
        manager.ready("listens\nWATCHDOG=1");
        manager.status("busy");
        manager.stopping();
        let words = ["READY=1\nSTATUS=listens WATCHDOG=1", "STATUS=busy", "STOPPING=1\nSTATUS=stopping"];
        assert_eq!(heard(&socket), words);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_socket_may_have_an_abstract_name() {
        use std::os::{linux::net::SocketAddrExt, unix::net::SocketAddr};
        let name = format!("graphium-test-{}", std::process::id());
        let socket = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
        Manager::at(format!("@{name}").as_ref(), None).unwrap().ready("up");
        assert_eq!(heard(&socket), ["READY=1\nSTATUS=up"]);
        drop(socket);
        assert!(Manager::at(format!("@{name}").as_ref(), None).is_err());
    }

    #[test]
    fn only_the_process_that_is_meant_is_watched() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(watchdog(some("3000000"), None, 7), Some(Duration::from_secs(3)));
        assert_eq!(watchdog(some("3000000"), some("7"), 7), Some(Duration::from_secs(3)));
        for (micros, of) in [(some("3000000"), some("8")), (None, None), (some("0"), None), (some("soon"), None)] {
            assert_eq!(watchdog(micros, of, 7), None);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_watchdog_is_fed_only_while_the_program_goes_round() {
        let (_folder, socket, manager) = manager(Some(Duration::from_secs(30)));
        let lives = std::cell::Cell::new(true);
        let feeding = manager.feed(async || lives.get());
        let story = async {
            tokio::time::sleep(Duration::from_secs(25)).await;
            assert_eq!(heard(&socket), ["WATCHDOG=1"; 3]);
            lives.set(false);
            tokio::time::sleep(Duration::from_secs(60)).await;
            assert_eq!(heard(&socket), [""; 0]);
            lives.set(true);
            tokio::time::sleep(Duration::from_secs(10)).await;
            assert_eq!(heard(&socket), ["WATCHDOG=1"]);
        };
        tokio::select! {
            () = feeding => unreachable!("it never returns"),
            () = story => {}
        }
    }
}
