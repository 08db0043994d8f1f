//! A password, from whoever sits at the terminal or from a pipe; never from the command line, which others see.

use super::exit::{Exit, Failure};
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks for a password without showing it, twice if it is a new one; of a pipe the first line is taken.
pub(super) fn read(what: &str, is_new: bool) -> Result<String, Failure> {
    let failed = |error: io::Error| Failure::new(Exit::Failed, "the password cannot be read").because(&error);
    if !io::stdin().is_terminal() {
        let line = line().map_err(failed)?;
        if line.is_empty() {
            return Err(Failure::usage("standard input holds no password")
                .hint("write it as the first line, or use a terminal"));
        }
        return Ok(line);
    }
    let first = ask(what).map_err(failed)?;
    if is_new && ask("the same again").map_err(failed)? != first {
        return Err(Failure::usage("the two passwords differ; nothing was done"));
    }
    Ok(first)
}

fn ask(what: &str) -> io::Result<String> {
    let mut terminal = io::stderr();
    write!(terminal, "{what}: ")?;
    terminal.flush()?;
    let line = {
        let _quiet = Quiet::enter()?;
        line()
    };
    writeln!(terminal)?;
    line
}

/// The next line, of at most as many bytes as a password may have.
fn line() -> io::Result<String> {
    let mut line = String::new();
    io::Read::take(io::stdin().lock(), 2048).read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

/// While it lives the terminal shows nothing of what is typed.
#[cfg(unix)]
struct Quiet(rustix::termios::Termios);

#[cfg(unix)]
impl Quiet {
    fn enter() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Now, &quiet)?;
        Ok(Self(before))
    }
}

#[cfg(unix)]
impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.0);
    }
}

#[cfg(not(unix))]
struct Quiet;

#[cfg(not(unix))]
impl Quiet {
    fn enter() -> io::Result<Self> {
        Err(io::Error::other("on this system a password is read from a pipe only"))
    }
}
