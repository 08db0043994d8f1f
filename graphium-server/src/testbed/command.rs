//! Programs of the system, run without a shell.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Output, Stdio};

use super::TestbedError;

/// A command that is also found where `su` without `-` forgets to look. Ctrl-C is not for it but for the owner of the
/// testbed, who then clears up.
pub(super) fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.env("PATH", search_path()).process_group(0);
    command
}

/// The directories in which programs are looked for.
pub(super) fn search_path() -> String {
    let path = std::env::var("PATH").unwrap_or_default();
    format!("{path}:/usr/sbin:/usr/bin:/sbin:/bin")
}

/// Runs to the end and returns what was printed on stdout.
pub(super) fn run(command: &mut Command) -> Result<String, TestbedError> {
    let output =
        command.stdin(Stdio::null()).output().map_err(TestbedError::io(format!("start `{}`", line(command))))?;
    finish(command, &output)
}

/// As [`run`], with `input` on stdin.
pub(super) fn run_with_input(command: &mut Command, input: &str) -> Result<String, TestbedError> {
    let failed = format!("talk to `{}`", line(command));
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = spawned.map_err(TestbedError::io(failed.clone()))?;
    // A child that ends early says why on stderr, which tells more than our broken pipe.
    let _ = child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().map_err(TestbedError::io(failed))?;
    finish(command, &output)
}

fn finish(command: &Command, output: &Output) -> Result<String, TestbedError> {
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let detail = match stderr.trim() {
        "" => output.status.to_string(),
        text => text.to_owned(),
    };
    Err(TestbedError::Command { command: line(command), detail })
}

fn line(command: &Command) -> String {
    let words: Vec<_> =
        std::iter::once(command.get_program()).chain(command.get_args()).map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

/// Moves blocking work off the async threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, TestbedError> + Send + 'static,
) -> Result<T, TestbedError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(lost) => {
            Err(TestbedError::Io { action: "finish blocking work".into(), source: std::io::Error::other(lost) })
        }
    }
}
