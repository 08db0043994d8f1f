//! Putting files into containers, as an archive of them.

use super::{CHANGE, DockerRuntime};
use crate::connection::Call;
use bollard::{body_full, query_parameters::UploadToContainerOptionsBuilder};
use graphium_core::runtime::{PutFile, RuntimeError};

/// An archive is made of these.
const BLOCK: usize = 512;
/// Bytes of a name within a header.
const NAME: usize = 100;
/// Where secrets usually are: a folder that engines would let everybody write to if they made it by themselves.
const USUAL: &str = "run/secrets/";

impl DockerRuntime {
    pub(super) async fn put_into_container(&self, name: &str, files: &[PutFile]) -> Result<(), RuntimeError> {
        let put = |id: String| {
            let archive = bytes::Bytes::from(archive(files));
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
fn archive(files: &[PutFile]) -> Vec<u8> {
    let mut bytes = Vec::new();
    if files.iter().any(|file| inside(&file.path).starts_with(USUAL)) {
        entry(&mut bytes, USUAL, 0o755, b'5', &[]);
    }
    for file in files {
        entry(&mut bytes, inside(&file.path), file.mode, b'0', file.content.reveal().as_bytes());
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

fn inside(path: &str) -> &str {
    path.trim_start_matches('/')
}

fn entry(bytes: &mut Vec<u8>, path: &str, mode: u32, kind: u8, content: &[u8]) {
    if path.len() > NAME {
        // GNU's way, which everybody reads.
        entry(bytes, "././@LongLink", 0o644, b'L', path.as_bytes());
    }
    let mut header = [0; BLOCK];
    let mut put = |offset: usize, text: &[u8]| header[offset..offset + text.len()].copy_from_slice(text);
    put(0, &path.as_bytes()[..path.len().min(NAME)]);
    put(100, format!("{mode:07o}").as_bytes());
    put(108, b"0000000");
    put(116, b"0000000");
    put(124, format!("{:011o}", content.len()).as_bytes());
    put(136, b"00000000000");
    // The checksum counts as spaces while it is computed.
    put(148, b"        ");
    put(156, &[kind]);
    put(257, b"ustar\x0000");
    let sum: u32 = header.iter().copied().map(u32::from).sum();
    header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    bytes.extend_from_slice(&header);
    bytes.extend_from_slice(content);
    bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use graphium_core::secret::SecretText;

    fn file(path: &str) -> PutFile {
        PutFile { path: path.to_owned(), content: SecretText::new("hello"), mode: 0o444 }
    }

    #[test]
    fn entries_are_whole_blocks_under_a_checksum_and_the_usual_folder_is_made_first() {
        let bytes = archive(&[file("/run/secrets/db"), file("/etc/key")]);
        assert_eq!(bytes.len(), (1 + 2 + 2 + 2) * BLOCK);
        assert_eq!(&bytes[..12], b"run/secrets/");
        assert_eq!((&bytes[BLOCK..][..15], &bytes[BLOCK + 100..][..7]), (&b"run/secrets/db\0"[..], &b"0000444"[..]));
        assert_eq!(&bytes[2 * BLOCK..][..6], b"hello\0");
        let sum: u32 = bytes[..148].iter().chain(b"        ").chain(&bytes[156..BLOCK]).copied().map(u32::from).sum();
        assert_eq!(&bytes[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn a_long_path_goes_before_its_entry() {
        let path = format!("/{}file", "d/".repeat(60));
        let bytes = archive(&[file(&path)]);
        assert_eq!(&bytes[..13], b"././@LongLink");
        assert_eq!(&bytes[BLOCK..][..path.len() - 1], &path.as_bytes()[1..]);
    }
}
