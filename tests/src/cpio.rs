//! Writes a cpio archive in the one form that Linux reads as an initramfs ("newc"; the kernel's documentation of the initramfs buffer format).
//!
//! A header of fields in eight hexadecimal digits each, the path, the content; path and content padded to 4 bytes.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use anyhow::{Context, Result};

/// An archive that grows in memory.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    bytes: Vec<u8>,
    files: u32,
}

const FOLDER: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const LINK: u32 = 0o120_777;

impl Archive {
    /// Adds a folder. Its parent comes first.
    pub(crate) fn folder(&mut self, path: &str) {
        self.entry(path, FOLDER, &[]);
    }

    /// Adds a file that can be run.
    pub(crate) fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, content);
    }

    /// Adds a symbolic link.
    pub(crate) fn link(&mut self, path: &str, to: &str) {
        self.entry(path, LINK, to.as_bytes());
    }

    /// Adds all that lies in a folder of the host's, below a folder of the archive's that is there ("" for its root).
    pub(crate) fn tree(&mut self, path: &str, from: &Path) -> Result<()> {
        let mut entries = fs::read_dir(from)
            .and_then(Iterator::collect::<io::Result<Vec<_>>>)
            .with_context(|| from.display().to_string())?;
        entries.sort_by_key(DirEntry::file_name);
        for entry in entries {
            let at = format!("{path}/{}", entry.file_name().to_string_lossy());
            let (kind, source) = (entry.file_type()?, entry.path());
            if kind.is_symlink() {
                self.link(&at, &fs::read_link(&source)?.to_string_lossy());
            } else if kind.is_dir() {
                self.folder(&at);
                self.tree(&at, &source)?;
            } else {
                self.file(&at, &fs::read(&source).with_context(|| source.display().to_string())?);
            }
        }
        Ok(())
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

    #[test]
    fn a_tree_keeps_its_folders_and_links() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("a")).unwrap();
        std::fs::write(folder.path().join("a/file"), "content").unwrap();
        std::os::unix::fs::symlink("a/file", folder.path().join("link")).unwrap();
        let mut tree = Archive::default();
        tree.tree("", folder.path()).unwrap();
        let mut expected = Archive::default();
        expected.folder("a");
        expected.file("a/file", b"content");
        expected.link("link", "a/file");
        assert_eq!(tree.finish(), expected.finish());
    }
}
