//! Files with the state of a VM's GPU: opened with the operator's rights, not the daemon's.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use mediator::MAX_STATE;

use crate::control;

/// Saves `vm` to `file`, for its owner only; the file appears whole or not at all. Returns its size in bytes.
///
/// A VM whose state could not be written goes on: nobody else would resume it.
pub(crate) fn save(socket: &Path, vm: &str, file: &Path) -> anyhow::Result<usize> {
    // Before anything stands still.
    let unfinished = Unfinished::create(file)?;
    let mut daemon = control::connect(socket)?;
    let state = daemon.save(vm)?;
    if let Err(error) = unfinished.finish(&state, file) {
        let goes_on = daemon.resume(vm);
        return Err(error.context(match goes_on {
            Ok(()) => "the state was not written, and the GPU goes on".to_owned(),
            Err(why) => format!("the state was not written, and the GPU stands still ({why})"),
        }));
    }
    Ok(state.len())
}

/// Restores `vm` from `file`.
pub(crate) fn restore(socket: &Path, vm: &str, file: &Path) -> anyhow::Result<()> {
    let named = || file.display().to_string();
    let mut state = Vec::new();
    let mut from = File::open(file).with_context(named)?.take(MAX_STATE as u64 + 1);
    from.read_to_end(&mut state).with_context(named)?;
    if state.len() > MAX_STATE {
        bail!("{}: no state has more than {MAX_STATE} bytes", file.display());
    }
    control::connect(socket)?.restore(vm, &state).with_context(named)
}

/// A file beside the one that is wanted. Removed if it does not become that one.
struct Unfinished {
    path: PathBuf,
    file: File,
}

impl Unfinished {
    fn create(wanted: &Path) -> anyhow::Result<Self> {
        let Some(name) = wanted.file_name() else {
            bail!("{}: that is no file's name", wanted.display());
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let path = wanted.with_file_name(hidden);
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        Ok(Self { path, file })
    }

    fn finish(mut self, content: &[u8], wanted: &Path) -> anyhow::Result<()> {
        let named = || wanted.display().to_string();
        self.file.write_all(content).with_context(named)?;
        self.file.sync_all().with_context(named)?;
        fs::rename(&self.path, wanted).with_context(named)
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // Gone already if it was finished.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_file_appears_whole_or_not_at_all() {
        let dir = tempfile::tempdir().unwrap();
        let wanted = dir.path().join("state");
        fs::write(&wanted, "before").unwrap();
        drop(Unfinished::create(&wanted).unwrap());
        assert_eq!(fs::read(&wanted).unwrap(), b"before");
        Unfinished::create(&wanted).unwrap().finish(b"after", &wanted).unwrap();
        assert_eq!(fs::read(&wanted).unwrap(), b"after");
        assert_eq!(fs::metadata(&wanted).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "nothing is left behind");
        assert!(Unfinished::create(Path::new("/")).is_err());
        assert!(Unfinished::create(&dir.path().join("no/state")).is_err());
    }
}
