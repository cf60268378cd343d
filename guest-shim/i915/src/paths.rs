//! Where the node and what belongs to it really are: in a tree of ordinary files that `vgate shim` has made
//! ([`guest_shim::node`]), below `VGATE_SHIM_ROOT`.
//!
//! A path is led there by how it begins; links in the tree are relative, so the kernel finds the rest. That a file is the
//! node is seen by its inode, however it was named.

use std::ffi::{CStr, CString, OsString};
use std::os::fd::AsRawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use guest_shim::client::Client;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::gpu::Result;
use crate::world::Inode;

/// What the tree stands for. A path that is one of these, or below, is looked for in the tree.
const PREFIXES: [&[u8]; 8] = [
    b"/dev/dri",
    b"/sys/dev/char/226:0",
    b"/sys/dev/char/226:128",
    b"/sys/devices/pci0000:00/0000:00:02.0",
    b"/sys/bus/pci/devices",
    b"/sys/class/drm",
    b"/sys/kernel/debug",
    b"/sys/module/i915",
];

/// The DRM's major number.
const MAJOR: u32 = 226;

/// A character device's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Node {
    minor: u32,
}

impl Node {
    pub(crate) const RENDER: Self = Self { minor: 128 };
    pub(crate) const PRIMARY: Self = Self { minor: 0 };

    pub(crate) fn number(self) -> u64 {
        libc::makedev(MAJOR, self.minor)
    }
}

/// What the environment says.
#[derive(Debug)]
pub(crate) struct Shim {
    root: PathBuf,
    socket: PathBuf,
    nodes: Vec<(Inode, Node)>,
}

/// `None`: the environment names no tree, or there is none; then the library does nothing.
pub(crate) fn shim() -> Option<&'static Shim> {
    static SHIM: OnceLock<Option<Shim>> = OnceLock::new();
    SHIM.get_or_init(Shim::from_environment).as_ref()
}

impl Shim {
    fn from_environment() -> Option<Self> {
        let root = std::env::var_os("VGATE_SHIM_ROOT")?;
        let socket = std::env::var_os("VGATE_SHIM_SOCKET")?.into();
        Self::new(Path::new(&root), socket)
    }

    fn new(root: &Path, socket: PathBuf) -> Option<Self> {
        // As the kernel names it: without links.
        let flags = OFlags::PATH | OFlags::CLOEXEC;
        let held = rustix::fs::open(root, flags, Mode::empty()).ok()?;
        let link = format!("/proc/self/fd/{}", held.as_raw_fd());
        let root = rustix::fs::readlink(link, Vec::new()).ok()?.into_bytes();
        let root = PathBuf::from(OsString::from_vec(root));
        let mut nodes = Vec::new();
        for (name, node) in [("card0", Node::PRIMARY), ("renderD128", Node::RENDER)] {
            if let Ok(stat) = rustix::fs::stat(root.join("dev/dri").join(name)) {
                nodes.push((Inode::of(&stat), node));
            }
        }
        Some(Self { root, socket, nodes })
    }

    /// Where a path leads, if it is one of ours.
    pub(crate) fn redirect(&self, path: &CStr) -> Option<CString> {
        let path = path.to_bytes();
        let ours = PREFIXES.iter().any(|prefix| {
            // `..` leads out again.
            let inside =
                |rest: &[u8]| !matches!(rest, [b'/', b'.', b'.'] | [b'/', b'.', b'.', b'/', ..]);
            path.strip_prefix(*prefix)
                .is_some_and(|rest| matches!(rest, [] | [b'/', ..]) && inside(rest))
        });
        if !ours {
            return None;
        }
        CString::new([self.root.as_os_str().as_bytes(), path].concat()).ok()
    }

    /// A path in the tree as the application knows it.
    pub(crate) fn without_root<'p>(&self, path: &'p CStr) -> &'p CStr {
        let root = self.root.as_os_str().as_bytes();
        let inside = path.to_bytes().strip_prefix(root).is_some_and(|rest| rest.starts_with(b"/"));
        let rest = if inside { path.to_bytes_with_nul().get(root.len()..) } else { None };
        rest.and_then(|rest| CStr::from_bytes_with_nul(rest).ok()).unwrap_or(path)
    }

    /// Which node a file is.
    pub(crate) fn node(&self, inode: Inode) -> Option<Node> {
        self.nodes.iter().find(|(of, _)| *of == inode).map(|(_, node)| *node)
    }

    /// A GPU.
    pub(crate) fn connect(&self) -> Result<Arc<Client>> {
        let client = Client::connect(&self.socket).map_err(|error| {
            // The application only sees a number; who started it wants to know more.
            eprintln!("vgate: no GPU: {error}");
            Errno::NODEV
        })?;
        Ok(Arc::new(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_node_lead_into_the_tree_and_back() {
        let shim = Shim { root: "/run/x".into(), socket: PathBuf::new(), nodes: Vec::new() };
        let redirect = |path: &str| {
            let path = CString::new(path).unwrap();
            shim.redirect(&path).map(|path| path.into_string().unwrap())
        };
        assert_eq!(redirect("/dev/dri").as_deref(), Some("/run/x/dev/dri"));
        assert_eq!(redirect("/dev/dri/renderD128").as_deref(), Some("/run/x/dev/dri/renderD128"));
        for other in [
            "/dev/driver",
            "/dev",
            "dev/dri",
            "/sys/dev/char/226:1",
            "/sys/dev/char/226:1280",
            "/dev/dri/..",
            "",
        ] {
            assert_eq!(redirect(other), None, "{other}");
        }
        assert_eq!(shim.without_root(c"/run/x/sys/devices"), c"/sys/devices");
        assert_eq!(shim.without_root(c"/run/xy/sys"), c"/run/xy/sys");
    }
}
