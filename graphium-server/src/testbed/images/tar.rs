//! Just enough of a tar archive: files, directories and nothing that changes from run to run.

const BLOCK: usize = 512;
const NAME: usize = 100;

/// An archive in the making. Everything in it belongs to root and dates from the epoch, so that equal content has equal bytes.
#[derive(Debug, Default)]
pub(super) struct Tar {
    bytes: Vec<u8>,
}

impl Tar {
    /// Adds a directory with a mode such as `0o755`.
    pub(super) fn directory(&mut self, path: &str, mode: u32) {
        self.entry(path, mode, b'5', &[]);
    }

    /// Adds a file with a mode such as `0o644`.
    pub(super) fn file(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.entry(path, mode, b'0', content);
    }

    /// The finished archive.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.bytes.resize(self.bytes.len() + 2 * BLOCK, 0);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, kind: u8, content: &[u8]) {
        if path.len() > NAME {
            self.entry("././@LongLink", 0o644, b'L', path.as_bytes()); // GNU's way, which everybody reads
        }
        let mut header = [0; BLOCK];
        let mut put = |offset: usize, text: &[u8]| header[offset..offset + text.len()].copy_from_slice(text);
        put(0, &path.as_bytes()[..path.len().min(NAME)]);
        put(100, format!("{mode:07o}").as_bytes());
        put(108, b"0000000"); // user
        put(116, b"0000000"); // group
        put(124, format!("{:011o}", content.len()).as_bytes());
        put(136, b"00000000000"); // time
        put(148, b"        "); // the checksum counts as spaces while it is computed
        put(156, &[kind]);
        put(257, b"ustar\x0000");
        let sum: u32 = header.iter().copied().map(u32::from).sum();
        header[148..155].copy_from_slice(format!("{sum:06o}\0").as_bytes());
        self.bytes.extend_from_slice(&header);
        self.bytes.extend_from_slice(content);
        self.bytes.resize(self.bytes.len().next_multiple_of(BLOCK), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_whole_blocks_under_a_checksum() {
        let mut tar = Tar::default();
        tar.directory("tmp", 0o1777);
        tar.file("tmp/hello", 0o644, b"hello");
        let bytes = tar.finish();
        assert_eq!(bytes.len(), (1 + 2 + 2) * BLOCK);
        assert_eq!(&bytes[2 * BLOCK..][..6], b"hello\0");
        let sum: u32 = bytes[..148].iter().chain(b"        ").chain(&bytes[156..BLOCK]).copied().map(u32::from).sum();
        assert_eq!(&bytes[148..156], format!("{sum:06o}\0 ").as_bytes());
    }

    #[test]
    fn a_long_path_goes_before_its_entry() {
        let path = "d/".repeat(60) + "file";
        let mut tar = Tar::default();
        tar.file(&path, 0o644, &[]);
        let bytes = tar.finish();
        assert_eq!(&bytes[..13], b"././@LongLink");
        assert_eq!(&bytes[BLOCK..][..path.len()], path.as_bytes());
        assert_eq!(&bytes[2 * BLOCK..][..NAME], &path.as_bytes()[..NAME]);
    }
}
