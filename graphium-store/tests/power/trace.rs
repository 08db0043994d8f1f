//! What a process wrote to its database, what it synced, and what it acknowledged, in order: as `strace` saw it.

use std::{collections::HashMap, error::Error, path::Path, process::Command, str};

/// A step of the process that was watched.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Write {
        file: String,
        offset: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: String,
        length: usize,
    },
    /// Everything before it that was written to the file is on the disk.
    Sync {
        file: String,
    },
    /// It told its parent of something that was acknowledged.
    Acknowledge(String),
}

/// Runs a command and watches it and its threads.
///
/// # Errors
/// When it cannot be watched, or fails.
pub(crate) fn record(command: &Command, output: &Path) -> Result<Vec<Step>, Box<dyn Error>> {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-xx", "-s", "4000000", "-e", "trace=pwrite64,write,ftruncate,fsync,fdatasync", "-o"]);
    strace.arg(output).arg(command.get_program()).args(command.get_args());
    strace.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ended = strace.output().map_err(|error| format!("`strace` cannot be run: {error}; install it"))?;
    if !ended.status.success() {
        return Err(format!("the child failed: {}", String::from_utf8_lossy(&ended.stderr)).into());
    }
    parse(&std::fs::read_to_string(output)?)
}

fn parse(text: &str) -> Result<Vec<Step>, Box<dyn Error>> {
    let mut steps = Vec::new();
    // A sync counts when it returns, a write from when it begins.
    let mut syncing: HashMap<&str, Step> = HashMap::new();
    for line in text.lines() {
        let (thread, call) = line.split_once(' ').ok_or("a line without a thread")?;
        let call = call.trim_start();
        if call.starts_with("<... ") {
            if let Some(sync) = syncing.remove(thread) {
                assert!(call.ends_with("= 0"), "a sync failed: {line}");
                steps.push(sync);
            }
            continue;
        }
        let Some(step) = step(call).map_err(|error| format!("{error}: {}", &call[..call.len().min(200)]))? else {
            continue;
        };
        match step {
            Step::Sync { .. } if call.ends_with("<unfinished ...>") => {
                syncing.insert(thread, step);
            }
            step => steps.push(step),
        }
    }
    Ok(steps)
}

/// The step of a call such as `pwrite64(13</data/graphium.db>, "…", 4096, 8192) = 4096`, with every byte as `\x2f`.
fn step(call: &str) -> Result<Option<Step>, Box<dyn Error>> {
    let Some((name, rest)) = call.split_once('(') else { return Ok(None) };
    let Some((_, rest)) = rest.split_once('<') else { return Ok(None) };
    let (path, rest) = rest.split_once('>').ok_or("no path")?;
    let path = String::from_utf8(bytes(path)?)?;
    let file = path.rsplit('/').next().unwrap_or_default().to_owned();
    let is_ours = ["graphium.db", "graphium.db-wal"].contains(&file.as_str());
    let content = || -> Result<(Vec<u8>, &str), Box<dyn Error>> {
        let (text, rest) = rest.strip_prefix(", \"").and_then(|rest| rest.split_once('"')).ok_or("no content")?;
        Ok((bytes(text)?, rest))
    };
    let number = |text: &str| -> Result<usize, Box<dyn Error>> {
        Ok(text
            .trim_start_matches([',', ' '])
            .split(|c: char| !c.is_ascii_digit())
            .next()
            .unwrap_or_default()
            .parse()?)
    };
    Ok(match name {
        "pwrite64" if is_ours => {
            let (bytes, rest) = content()?;
            let (size, offset) = rest.trim_start_matches([',', ' ']).split_once(", ").ok_or("no offset")?;
            assert_eq!(number(size)?, bytes.len(), "strace has cut it off");
            Some(Step::Write { file, offset: number(offset)?, bytes })
        }
        "ftruncate" if is_ours => Some(Step::Truncate { file, length: number(rest)? }),
        "fsync" | "fdatasync" if is_ours => Some(Step::Sync { file }),
        "write" => {
            let (bytes, _) = content()?;
            let text = String::from_utf8_lossy(&bytes);
            text.strip_prefix("acknowledged ").map(|id| Step::Acknowledge(id.trim_end().to_owned()))
        }
        _ => None,
    })
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !hex.starts_with("\\x") {
        return Ok(hex.as_bytes().to_vec());
    }
    hex.as_bytes()
        .chunks(4)
        .map(|byte| Ok(u8::from_str_radix(str::from_utf8(byte.get(2..).ok_or("half a byte")?)?, 16)?))
        .collect()
}
