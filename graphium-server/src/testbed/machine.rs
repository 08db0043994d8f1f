use std::fs;
use std::io::{Read, Write};
use std::process::{Child, ChildStdin, Command, Stdio};

use super::TestbedError;
use super::command::{command, run};

/// A host without its engine: namespaces for network, processes, mounts and hostname, held by a first process.
///
/// That process is `cat`, with pipes to us. It echoes a line as soon as the namespaces are there, and it ends when its stdin
/// does: with us, however we end. The kernel then kills all other processes of the host and forgets its mounts, so that not even
/// `kill -9` of a test leaves an engine behind.
#[derive(Debug)]
pub(super) struct Machine {
    unshare: Child,
    power: Option<ChildStdin>,
    netns: String,
}

impl Machine {
    /// Switches a host on. Its network namespace must exist.
    pub(super) fn boot(netns: &str, hostname: &str) -> Result<Self, TestbedError> {
        // An ignored SIGCHLD makes the kernel reap orphans, which is all that is asked of a first process.
        let mut unshare = command("nsenter")
            .arg(format!("--net=/run/netns/{netns}"))
            .args([
                "unshare",
                "--uts",
                "--mount",
                "--pid",
                "--fork",
                "--mount-proc",
                "env",
                "--ignore-signal=CHLD",
                "cat",
            ])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(TestbedError::io("start `nsenter`"))?;
        let power = unshare.stdin.take();
        let mut machine = Self { unshare, power, netns: netns.to_owned() };
        machine.await_echo(hostname)?;

        run(machine.command("hostname").arg(hostname))?;
        // Directories that each host has to itself; the engine creates /etc/docker where it is missing, and so do we.
        fs::create_dir_all("/etc/docker").map_err(TestbedError::io("create /etc/docker"))?;
        for dir in ["/run", "/etc/docker"] {
            run(machine.command("mount").args(["-t", "tmpfs", "-o", "mode=755", "tmpfs", dir]))?;
        }
        Ok(machine)
    }

    fn await_echo(&mut self, hostname: &str) -> Result<(), TestbedError> {
        let mut echo = [0; 1];
        let echoed = match (&mut self.power, &mut self.unshare.stdout) {
            (Some(stdin), Some(stdout)) => stdin.write_all(b"\n").and_then(|()| stdout.read_exact(&mut echo)),
            _ => Ok(()),
        };
        echoed.map_err(|_| {
            let mut detail = String::new();
            let _ = self.unshare.stderr.take().map(|mut stderr| stderr.read_to_string(&mut detail));
            TestbedError::Command { command: format!("unshare (for {hostname})"), detail: detail.trim().to_owned() }
        })
    }

    /// A command that runs inside, as one of the host's processes.
    pub(super) fn command(&self, program: &str) -> Command {
        let pid = self.unshare.id();
        let mut command = command("nsenter");
        command
            .arg(format!("--net=/run/netns/{}", self.netns))
            .args([format!("--mount=/proc/{pid}/ns/mnt"), format!("--uts=/proc/{pid}/ns/uts")])
            .args([&format!("--pid=/proc/{pid}/ns/pid_for_children"), "--", program]);
        command
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.power.take());
        let _ = self.unshare.wait(); // it waits for `cat`, which ends only after all others
    }
}
