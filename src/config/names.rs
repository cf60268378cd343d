//! Names and sockets: each is one VM's, or one shim's.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use toml::Spanned;

use super::{Checker, file};

/// The longest name.
const MAX_NAME: usize = 32;
/// The longest path that a socket's address holds, in bytes (`sun_path`, less its final zero).
const MAX_SOCKET: usize = 107;

/// A name and where it is reached.
type Entry<'f> = (&'f Spanned<String>, Option<&'f Spanned<PathBuf>>);

impl Checker<'_> {
    /// That all names are names and no two of them alike, nor their sockets.
    pub(super) fn names_and_sockets(&mut self, file: &file::File, control: &Path) {
        let vms = file.vms.iter().map(|vm| (&vm.get_ref().name, vm.get_ref().socket.as_ref()));
        let shims =
            file.shims.iter().map(|shim| (&shim.get_ref().name, shim.get_ref().socket.as_ref()));
        let entries: Vec<Entry<'_>> = vms.chain(shims).collect();
        if entries.is_empty() {
            self.problem(0..0, "there is neither a [[vm]] nor a [[shim]]");
        }
        self.names(&entries);
        self.sockets(&entries, control);
    }

    fn names(&mut self, entries: &[Entry<'_>]) {
        let mut seen = HashSet::new();
        for (name, _) in entries {
            let fits = |c: char| matches!(c, 'a'..='z' | '0'..='9' | '-');
            let text = name.get_ref();
            if text.is_empty() || text.len() > MAX_NAME || !text.chars().all(fits) {
                let rule = format!("1 to {MAX_NAME} of a-z, 0-9 and -");
                self.problem(name.span(), format!("{text:?} is no name for a VM: {rule}"));
            } else if !seen.insert(text) {
                self.problem(name.span(), format!("another VM is named {text:?} already"));
            }
        }
    }

    fn sockets(&mut self, entries: &[Entry<'_>], control: &Path) {
        let mut seen = HashMap::from([(control.to_owned(), "control socket".to_owned())]);
        for (name, socket) in entries {
            let path = self.socket(name, *socket, control);
            let span = socket.map_or(name.span(), Spanned::span);
            let shown = path.display().to_string();
            if path.as_os_str().len() > MAX_SOCKET {
                let long = format!("a socket's path has at most {MAX_SOCKET} bytes: {shown}");
                self.problem(span.clone(), long);
            }
            let whose = format!("socket of {:?}", name.get_ref());
            // Two of one name are reported for that.
            if let Some(other) = seen.insert(path, whose.clone())
                && other != whose
            {
                self.problem(span, format!("{shown} is the {other} already"));
            }
        }
    }

    /// Where it is reached: as the file says, or beside the control socket.
    pub(super) fn socket(
        &self,
        name: &Spanned<String>,
        socket: Option<&Spanned<PathBuf>>,
        control: &Path,
    ) -> PathBuf {
        match socket {
            Some(path) => self.folder.join(path.get_ref()),
            None => control.with_file_name(format!("{}.sock", name.get_ref())),
        }
    }
}
