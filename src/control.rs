//! Where the daemon is, and how to reach it.

use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::anyhow;
use mediator::control::Client;

/// The control socket that is used when none is named: `$XDG_RUNTIME_DIR/vgate/control`, or `/run/vgate/control`
/// without that variable.
pub(crate) fn default_path() -> PathBuf {
    path_in(std::env::var_os("XDG_RUNTIME_DIR"))
}

fn path_in(runtime: Option<OsString>) -> PathBuf {
    // The XDG base directory specification: a relative path is to be ignored.
    let runtime = runtime.map(PathBuf::from).filter(|path| path.is_absolute());
    runtime.unwrap_or_else(|| "/run".into()).join("vgate/control")
}

pub(crate) fn connect(path: &Path) -> anyhow::Result<Client> {
    Client::connect(path).map_err(|error| {
        let path = path.display();
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::ConnectionRefused => anyhow!(
                "no vgate daemon listens at {path}: start one with `vgate run CONFIG`, or name \
                 its control socket with --control"
            ),
            ErrorKind::PermissionDenied => anyhow!(
                "{path} belongs to somebody else: run this as the user that runs the daemon"
            ),
            _ => anyhow!("{path}: {error}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn default_follows_the_environment() {
        let path = |runtime: Option<&str>| path_in(runtime.map(OsString::from));
        assert_eq!(path(Some("/run/user/7")), Path::new("/run/user/7/vgate/control"));
        assert_eq!(path(Some("relative")), Path::new("/run/vgate/control"));
        assert_eq!(path(None), Path::new("/run/vgate/control"));
    }

    #[test]
    fn missing_daemon_is_explained() {
        let folder = tempfile::tempdir().unwrap();
        let error = connect(&folder.path().join("control")).unwrap_err().to_string();
        assert!(error.contains("vgate run CONFIG"), "{error}");
    }
}
