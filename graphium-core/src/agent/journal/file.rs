//! A journal in a directory of its own.

use super::{Journal, JournalError, Memory};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

/// The file that says who uses the directory.
const LOCK: &str = "agent.lock";
/// The journal.
const STATE: &str = "agent.json";

/// A journal in a directory that belongs to one agent at a time.
#[derive(Debug)]
pub struct FileJournal {
    directory: PathBuf,
    /// Held until the process ends, however it ends.
    _lock: File,
    memory: Memory,
    warning: Option<String>,
}

impl FileJournal {
    /// Takes a directory, making it where it is missing, and reads what is there.
    ///
    /// # Errors
    /// [`JournalError::InUse`] when another process has it.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, JournalError> {
        let directory = directory.into();
        fs::create_dir_all(&directory).map_err(io("create", &directory))?;
        let lock = take_lock(&directory)?;
        let (memory, warning) = recall(&directory)?;
        Ok(Self { directory, _lock: lock, memory, warning })
    }

    /// What was found wrong, and mended.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }
}

impl Journal for FileJournal {
    fn load(&mut self) -> Result<Memory, JournalError> {
        Ok(self.memory.clone())
    }

    fn save(&mut self, memory: &Memory) -> Result<(), JournalError> {
        let (path, new) = (self.directory.join(STATE), self.directory.join("agent.json.new"));
        let bytes = serde_json::to_vec(memory)?;
        let mut file = File::create(&new).map_err(io("create", &new))?;
        file.write_all(&bytes).and_then(|()| file.sync_all()).map_err(io("write", &new))?;
        fs::rename(&new, &path).map_err(io("replace", &path))?;
        // Only now is the new name on the disk too.
        File::open(&self.directory).and_then(|folder| folder.sync_all()).map_err(io("write", &self.directory))?;
        self.memory = memory.clone();
        Ok(())
    }
}

/// What was saved last. A file that cannot be understood is set aside, with a warning.
fn recall(directory: &Path) -> Result<(Memory, Option<String>), JournalError> {
    let path = directory.join(STATE);
    let bytes = match fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok((Memory::default(), None)),
        Err(error) => return Err(io("read", &path)(error)),
    };
    let error = match serde_json::from_slice(&bytes) {
        Ok(memory) => return Ok((memory, None)),
        Err(error) => error,
    };
    let aside = directory.join("agent.json.unreadable");
    fs::rename(&path, &aside).map_err(io("set aside", &path))?;
    let (path, aside) = (path.display(), aside.display());
    let warning = format!("the agent's state in `{path}` could not be understood ({error}); it was moved to `{aside}`");
    Ok((Memory::default(), Some(warning)))
}

fn take_lock(directory: &Path) -> Result<File, JournalError> {
    let path = directory.join(LOCK);
    let mut file = OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(&path)
        .map_err(io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {
            let sign = format!("process {}\n", std::process::id());
            let written = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(sign.as_bytes()));
            written.map_err(io("write", &path))?;
            Ok(file)
        }
        Err(TryLockError::WouldBlock) => {
            let mut sign = String::new();
            // Who it is only helps the message; that it is somebody is known.
            let _ = file.read_to_string(&mut sign);
            let holder = match sign.trim() {
                "" => "another agent".to_owned(),
                process => format!("another agent ({process})"),
            };
            Err(JournalError::InUse { directory: directory.to_owned(), holder })
        }
        Err(TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

fn io(action: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        error::Error,
        sync::atomic::{AtomicU32, Ordering},
    };

    type Tested = Result<(), Box<dyn Error>>;

    fn folder() -> PathBuf {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        std::env::temp_dir().join(format!("graphium-journal-{}-{number}", std::process::id()))
    }

    #[test]
    fn what_was_saved_is_there_after_a_restart() -> Tested {
        let folder = folder();
        let mut journal = FileJournal::open(&folder)?;
        assert_eq!(journal.load()?, Memory::default());
        let memory = Memory { epoch: 7, ..Memory::default() };
        journal.save(&memory)?;
        drop(journal);
        assert_eq!(FileJournal::open(&folder)?.load()?, memory);
        Ok(fs::remove_dir_all(folder)?)
    }

    #[test]
    fn a_second_agent_is_told_who_has_the_directory() -> Tested {
        let folder = folder();
        let _first = FileJournal::open(&folder)?;
        let refusal = FileJournal::open(&folder).err().ok_or("two agents in one directory")?;
        assert!(refusal.to_string().contains(&format!("process {}", std::process::id())), "{refusal}");
        Ok(fs::remove_dir_all(folder)?)
    }

    #[test]
    fn a_torn_file_is_set_aside() -> Tested {
        let folder = folder();
        fs::create_dir_all(&folder)?;
        fs::write(folder.join(STATE), b"{\"epo")?;
        let mut journal = FileJournal::open(&folder)?;
        assert_eq!(journal.load()?, Memory::default());
        assert!(journal.warning().is_some_and(|warning| warning.contains("agent.json.unreadable")));
        assert!(folder.join("agent.json.unreadable").exists());
        Ok(fs::remove_dir_all(folder)?)
    }
}
