//! A disk that loses power: what was synced is there, of the rest each sector is or is not.

use super::trace::Step;
use std::{collections::BTreeMap, fs, io, path::Path};

/// What a disk writes whole or not at all.
const SECTOR: usize = 512;

/// Files as they are after some steps.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    files: BTreeMap<String, Content>,
    /// What was acknowledged so far.
    pub(crate) acknowledged: Vec<String>,
}

#[derive(Clone, Debug, Default)]
struct Content {
    /// What no loss of power takes away.
    synced: Vec<u8>,
    /// What was done since, in order.
    since: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Truncate { length: usize },
}

/// Random numbers of a seed (xorshift64*).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

impl Disk {
    pub(crate) fn carry_out(&mut self, step: &Step) {
        match step {
            Step::Acknowledge(id) => self.acknowledged.push(id.clone()),
            Step::Write { file, offset, bytes } => {
                self.file(file).since.push(Change::Write { offset: *offset, bytes: bytes.clone() });
            }
            Step::Truncate { file, length } => self.file(file).since.push(Change::Truncate { length: *length }),
            Step::Sync { file } => {
                let content = self.file(file);
                for change in std::mem::take(&mut content.since) {
                    match change {
                        Change::Write { offset, bytes } => put(&mut content.synced, offset, &bytes),
                        Change::Truncate { length } => content.synced.resize(length, 0),
                    }
                }
            }
        }
    }

    fn file(&mut self, name: &str) -> &mut Content {
        self.files.entry(name.to_owned()).or_default()
    }

    /// What the loss of power leaves, in a folder.
    pub(crate) fn lose_power(&self, folder: &Path, random: &mut Random) -> io::Result<()> {
        for (name, content) in &self.files {
            let mut left = content.synced.clone();
            // Some disks keep all, some nothing, most a part.
            let kept = [0, 50, 50, 90, 100][random.below(5)];
            for change in &content.since {
                match change {
                    Change::Write { offset, bytes } => {
                        let mut start = 0;
                        while start < bytes.len() {
                            let end = (start + SECTOR - (offset + start) % SECTOR).min(bytes.len());
                            if random.below(100) < kept {
                                put(&mut left, offset + start, &bytes[start..end]);
                            }
                            start = end;
                        }
                    }
                    Change::Truncate { length } if random.below(100) < kept => left.resize(*length, 0),
                    Change::Truncate { .. } => {}
                }
            }
            fs::write(folder.join(name), left)?;
        }
        Ok(())
    }
}

/// What lies between the end and a write beyond it is zero.
fn put(content: &mut Vec<u8>, offset: usize, bytes: &[u8]) {
    if content.len() < offset + bytes.len() {
        content.resize(offset + bytes.len(), 0);
    }
    content[offset..offset + bytes.len()].copy_from_slice(bytes);
}
