//! Putting files into containers, as an archive of them.

use super::{CHANGE, DockerRuntime};
use crate::connection::Call;
use bollard::{body_full, query_parameters::UploadToContainerOptionsBuilder};
use graphium_core::runtime::{PutFile, RuntimeError};
use std::io;
use tar::{Builder, EntryType, Header};

/// Where secrets usually are: a folder that engines would let everybody write to if they made it by themselves.
const USUAL: &str = "run/secrets/";

impl DockerRuntime {
    pub(super) async fn put_into_container(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        let archive = bytes::Bytes::from(archive(files).map_err(|error| {
            RuntimeError::Refused(format!("the files of container `{name}` cannot be put into it: {error}"))
        })?);
        let put = |id: String| {
            let archive = archive.clone();
            let call = Call::new("putting files into container", name, CHANGE);
            let options = UploadToContainerOptionsBuilder::new().path("/").build();
            self.connection.call(call, |docker| async move {
                docker.upload_to_container(&id, Some(options), body_full(archive)).await
            })
        };
        let done = self.on_own(name, |proof| put(proof.id)).await?;
        done.ok_or_else(|| RuntimeError::NotFound(format!("there is no container `{name}`")))
    }
}

/// The files as a tar archive that is unpacked at the root; they belong to root.
fn archive(files: &[PutFile]) -> io::Result<Vec<u8>> {
    let mut archive = Builder::new(Vec::new());
    if files.iter().any(|file| inside(&file.path).starts_with(USUAL)) {
        archive.append_data(&mut header(EntryType::Directory, 0o755, 0), USUAL, io::empty())?;
    }
    for file in files {
        let content = file.content.reveal().as_bytes();
        let mut header = header(EntryType::Regular, file.mode, content.len() as u64);
        archive.append_data(&mut header, inside(&file.path), content)?;
    }
    archive.into_inner()
}

fn header(kind: EntryType, mode: u32, size: u64) -> Header {
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header
}

fn inside(path: &str) -> &str {
    path.trim_start_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::secret::SecretText;
    use std::io::Read as _;

    fn file(path: &str) -> PutFile {
        PutFile { path: path.to_owned(), content: SecretText::new("hello"), mode: 0o444 }
    }

    /// Paths, modes and contents.
    fn read(files: &[PutFile]) -> Vec<(String, u32, String)> {
        let bytes = archive(files).unwrap();
        let mut archive = tar::Archive::new(&*bytes);
        let entries = archive.entries().unwrap().map(|entry| {
            let mut entry = entry.unwrap();
            let mut content = String::new();
            entry.read_to_string(&mut content).unwrap();
            (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap(), content)
        });
        entries.collect()
    }

    #[test]
    fn the_usual_folder_is_made_first_and_for_root_alone() {
        let entry = |path: &str, mode, content: &str| (path.to_owned(), mode, content.to_owned());
        assert_eq!(
            read(&[file("/run/secrets/db"), file("/etc/key")]),
            [
                entry("run/secrets/", 0o755, ""),
                entry("run/secrets/db", 0o444, "hello"),
                entry("etc/key", 0o444, "hello")
            ]
        );
    }

    #[test]
    fn a_long_path_is_whole_and_one_that_leads_out_is_refused() {
        let path = format!("/{}file", "d/".repeat(60));
        assert_eq!(read(&[file(&path)])[0].0, path[1..]);
        assert!(archive(&[file("/a/../../b")]).is_err());
    }
}
