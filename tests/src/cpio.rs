//! Writes a cpio archive in the one form that Linux reads as an initramfs ("newc"; the kernel's documentation of the initramfs buffer format).
//!
//! A header of fields in eight hexadecimal digits each, the path, the content; path and content padded to 4 bytes.

/// An archive that grows in memory.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    files: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;

impl Archive {
    /// Adds a folder. Its parent comes first.
    pub(crate) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// Adds a file that can be run.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, content);
    }

    /// The whole archive.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, content: &[u8]) {
        self.files += 1;
        let path = path.trim_start_matches('/');
        let fields = [
            self.files, // inode
            mode,
            0, // user
            0, // group
            1, // links
            0, // time: none, so that equal contents make equal archives
            u32::try_from(content.len()).expect("a file below 4 GiB"),
            0, // device
            0,
            0, // device that the node stands for
            0,
            u32::try_from(path.len() + 1).expect("a short path"),
            0, // checksum: not in this form
        ];
        self.bytes.extend_from_slice(b"070701");
        for field in fields {
            self.bytes.extend_from_slice(format!("{field:08x}").as_bytes());
        }
        self.bytes.extend_from_slice(path.as_bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend_from_slice(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::Archive;

    #[test]
    fn an_entry_is_header_path_content() {
        let mut archive = Archive::default();
        archive.file("/init", b"content");
        let bytes = archive.finish();
        assert_eq!(&bytes[..6], b"070701");
        assert_eq!(&bytes[14..22], b"000081ed", "mode");
        assert_eq!(&bytes[54..62], b"00000007", "size");
        assert_eq!(&bytes[94..102], b"00000005", "path with its end");
        assert_eq!(&bytes[110..116], b"init\0\0", "path, padded");
        assert_eq!(&bytes[116..124], b"content\0", "content, padded");
        assert_eq!(&bytes[124..130], b"070701", "the next header");
        assert_eq!(bytes.len() % 4, 0);
    }
}
