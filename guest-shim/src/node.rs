//! What a driver finds of its device in the file system, as a tree of plain files that stands in for it.
//!
//! ```text
//!  ROOT/dev/dri/{card0, renderD128}               names only: the preloaded library opens and describes them
//!  ROOT/sys/dev/char/226:128 ─► ROOT/sys/devices/pci0000:00/0000:00:02.0/drm/renderD128
//!  ROOT/sys/bus/pci/devices/0000:00:02.0 ─► ROOT/sys/devices/pci0000:00/0000:00:02.0
//!  ROOT/sys/kernel/debug/dri/0, ROOT/sys/module/i915/parameters      for test programs
//! ```
//!
//! Links are relative, so that a path resolved below `ROOT` is one below `/` once `ROOT` is taken off it. Files and their form
//! are those of the kernel's documentation (sysfs-bus-pci, sysfs-class-drm).

use std::format;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::string::{String, ToString};

use crate::wire::Device;

/// Where the device is on its bus.
pub const SLOT: &str = "0000:00:02.0";
/// Major number of DRM nodes.
pub const MAJOR: u32 = 226;
/// The nodes, with their minor numbers.
pub const NODES: [(&str, u32); 2] = [("card0", 0), ("renderD128", 128)];

/// What test programs look for in `debugfs`. They write to some; nobody reads that.
const DEBUG_FILES: [(&str, &str); 3] =
    [("i915_gem_drop_caches", "0x0\n"), ("i915_wedged", "0\n"), ("clients", "")];
/// Module parameters that test programs look for.
const PARAMETERS: [(&str, &str); 4] =
    [("enable_guc", "0\n"), ("enable_hangcheck", "Y\n"), ("reset", "3\n"), ("force_probe", "\n")];

/// Display controller, VGA compatible.
const CLASS: u32 = 0x03_0000;
/// Bytes of configuration space that unprivileged readers get.
const CONFIG: usize = 64;

/// Makes the tree below `root`, which exists and is empty.
///
/// # Errors
/// The file system's.
pub fn make_tree(root: &Path, device: &Device) -> io::Result<()> {
    let nodes = root.join("dev/dri");
    fs::create_dir_all(&nodes)?;
    let pci = root.join("sys/devices/pci0000:00").join(SLOT);
    fs::create_dir_all(&pci)?;
    let numbers = root.join("sys/dev/char");
    fs::create_dir_all(&numbers)?;
    let class = root.join("sys/class/drm");
    fs::create_dir_all(&class)?;
    let bus = root.join("sys/bus/pci");
    for folder in ["devices", "drivers/i915"] {
        fs::create_dir_all(bus.join(folder))?;
    }
    symlink(format!("../../../devices/pci0000:00/{SLOT}"), bus.join("devices").join(SLOT))?;

    let (vendor, id) = (device.vendor, device.device);
    let hex = |number: u16| format!("{number:#06x}\n");
    let files: [(&str, String); 9] = [
        ("vendor", hex(vendor)),
        ("device", hex(id)),
        ("subsystem_vendor", hex(vendor)),
        ("subsystem_device", hex(id)),
        ("revision", format!("{:#04x}\n", device.revision)),
        ("class", format!("{CLASS:#08x}\n")),
        ("boot_vga", "1\n".into()),
        ("irq", "0\n".into()),
        (
            "uevent",
            format!(
                "DRIVER=i915\nPCI_CLASS={CLASS:X}\nPCI_ID={vendor:04X}:{id:04X}\n\
                 PCI_SUBSYS_ID={vendor:04X}:{id:04X}\nPCI_SLOT_NAME={SLOT}\n"
            ),
        ),
    ];
    for (name, text) in files {
        fs::write(pci.join(name), text)?;
    }
    fs::write(pci.join("config"), configuration(device))?;
    // A line for each base address register: none is assigned.
    let unassigned = "0x0000000000000000 0x0000000000000000 0x0000000000000000\n".repeat(7);
    fs::write(pci.join("resource"), unassigned)?;
    symlink("../../../bus/pci", pci.join("subsystem"))?;
    symlink("../../../bus/pci/drivers/i915", pci.join("driver"))?;

    for (name, minor) in NODES {
        fs::write(nodes.join(name), "")?;
        let folder = pci.join("drm").join(name);
        fs::create_dir_all(&folder)?;
        let event =
            format!("MAJOR={MAJOR}\nMINOR={minor}\nDEVNAME=dri/{name}\nDEVTYPE=drm_minor\n");
        fs::write(folder.join("uevent"), event)?;
        fs::write(folder.join("dev"), format!("{MAJOR}:{minor}\n"))?;
        symlink("../..", folder.join("device"))?;
        let target = format!("../../devices/pci0000:00/{SLOT}/drm/{name}");
        symlink(&target, numbers.join(format!("{MAJOR}:{minor}")))?;
        symlink(&target, class.join(name))?;
        let debug = root.join("sys/kernel/debug/dri").join(minor.to_string());
        fs::create_dir_all(&debug)?;
        fs::write(debug.join("name"), format!("i915 dev={SLOT} unique={SLOT}\n"))?;
        for (name, text) in DEBUG_FILES {
            fs::write(debug.join(name), text)?;
        }
    }
    let parameters = root.join("sys/module/i915/parameters");
    fs::create_dir_all(&parameters)?;
    for (name, text) in PARAMETERS {
        fs::write(parameters.join(name), text)?;
    }
    Ok(())
}

/// The start of configuration space (PCI Local Bus Specification 3.0, 6.1).
fn configuration(device: &Device) -> [u8; CONFIG] {
    let mut space = [0; CONFIG];
    let mut put = |at: usize, bytes: &[u8]| {
        space.iter_mut().skip(at).zip(bytes).for_each(|(to, byte)| *to = *byte);
    };
    put(0x00, &device.vendor.to_le_bytes());
    put(0x02, &device.device.to_le_bytes());
    put(0x08, &(CLASS << 8 | u32::from(device.revision)).to_le_bytes());
    put(0x2C, &device.vendor.to_le_bytes());
    put(0x2E, &device.device.to_le_bytes());
    space
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Engine;

    #[test]
    fn paths_lead_where_drivers_follow_them() {
        let root = tempfile::tempdir().unwrap();
        let engines = [Engine { class: 0, instance: 0 }];
        let device = Device::new((0x8086, 0x5912, 4), 48, 12_000_000, engines);
        make_tree(root.path(), &device).unwrap();
        let read = |path: &str| fs::read_to_string(root.path().join(path)).unwrap();
        assert_eq!(read("sys/dev/char/226:128/device/device"), "0x5912\n");
        assert!(read("sys/dev/char/226:0/uevent").contains("DEVNAME=dri/card0\n"));
        assert!(read("sys/bus/pci/devices/0000:00:02.0/uevent").contains("PCI_ID=8086:5912\n"));
        let resolved = root.path().join("sys/dev/char/226:128/device").canonicalize().unwrap();
        let root = root.path().canonicalize().unwrap();
        let path = resolved.strip_prefix(root).unwrap();
        assert_eq!(path, Path::new("sys/devices/pci0000:00/0000:00:02.0"));
        assert_eq!(read("sys/class/drm/card0/dev"), "226:0\n");
        assert!(read("sys/kernel/debug/dri/0/name").starts_with("i915 "));
        let config = fs::read(resolved.join("config")).unwrap();
        assert_eq!(&config[..4], [0x86, 0x80, 0x12, 0x59]);
        let subsystem = resolved.join("subsystem").canonicalize().unwrap();
        assert!(subsystem.ends_with("bus/pci"));
    }
}
