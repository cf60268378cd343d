//! What a kernel shows of a GPU besides its device file: `/dev/dri` and its corners of sysfs, as ordinary files in a directory.
//!
//! The preloaded library leads a program there. Links are relative, so that they work wherever the directory is.

use std::borrow::ToOwned;
use std::format;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::string::String;
use std::vec::Vec;

use crate::wire::Device;

/// Where integrated graphics is on the PCI bus.
const SLOT: &str = "0000:00:02.0";
const DEVICE: &str = "sys/devices/pci0000:00/0000:00:02.0";
/// Minor numbers and names of the nodes.
const NODES: [(u32, &str); 2] = [(0, "card0"), (128, "renderD128")];
/// What test programs look for in `debugfs`; written to, and read, by nobody else.
const DEBUG_FILES: [(&str, &str); 3] =
    [("i915_gem_drop_caches", "0x0\n"), ("i915_wedged", "0\n"), ("clients", "")];
/// Module parameters that test programs look for.
const PARAMETERS: [(&str, &str); 4] =
    [("enable_guc", "0\n"), ("enable_hangcheck", "Y\n"), ("reset", "3\n"), ("force_probe", "\n")];

/// Makes the directory's content for a device.
///
/// # Errors
/// When a file or a link can't be made: also if it is there already.
pub fn make_tree(root: &Path, device: &Device) -> io::Result<()> {
    let nodes = root.join("dev/dri");
    fs::create_dir_all(&nodes)?;
    let pci = root.join(DEVICE);
    fs::create_dir_all(&pci)?;
    for (name, text) in pci_files(device) {
        fs::write(pci.join(name), text)?;
    }
    fs::write(pci.join("config"), configuration(device))?;
    symlink("../../../bus/pci", pci.join("subsystem"))?;
    symlink("../../../bus/pci/drivers/i915", pci.join("driver"))?;

    for directory in ["sys/dev/char", "sys/class/drm", "sys/bus/pci/devices"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::create_dir_all(root.join("sys/bus/pci/drivers/i915"))?;
    symlink(
        format!("../../../devices/pci0000:00/{SLOT}"),
        root.join("sys/bus/pci/devices").join(SLOT),
    )?;
    for (minor, name) in NODES {
        fs::write(nodes.join(name), "")?;
        let node = pci.join("drm").join(name);
        fs::create_dir_all(&node)?;
        fs::write(node.join("dev"), format!("226:{minor}\n"))?;
        let event = format!("MAJOR=226\nMINOR={minor}\nDEVNAME=dri/{name}\nDEVTYPE=drm_minor\n");
        fs::write(node.join("uevent"), event)?;
        symlink(format!("../../../{SLOT}"), node.join("device"))?;
        symlink("../../../../../class/drm", node.join("subsystem"))?;
        let from = format!("../../devices/pci0000:00/{SLOT}/drm/{name}");
        symlink(&from, root.join("sys/dev/char").join(format!("226:{minor}")))?;
        symlink(&from, root.join("sys/class/drm").join(name))?;

        let debug = root.join("sys/kernel/debug/dri").join(format!("{minor}"));
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

fn pci_files(device: &Device) -> Vec<(&'static str, String)> {
    let Device { vendor, device, revision, .. } = *device;
    let event = format!(
        "DRIVER=i915\nPCI_CLASS=30000\nPCI_ID={vendor:04X}:{device:04X}\n\
         PCI_SUBSYS_ID={vendor:04X}:{device:04X}\nPCI_SLOT_NAME={SLOT}\n"
    );
    let mut files = Vec::from([
        ("vendor", format!("{vendor:#06x}\n")),
        ("device", format!("{device:#06x}\n")),
        ("subsystem_vendor", format!("{vendor:#06x}\n")),
        ("subsystem_device", format!("{device:#06x}\n")),
        ("revision", format!("{revision:#04x}\n")),
        ("class", "0x030000\n".to_owned()),
        ("boot_vga", "1\n".to_owned()),
        ("irq", "0\n".to_owned()),
        ("numa_node", "-1\n".to_owned()),
        ("uevent", event),
    ]);
    // Six base addresses and the ROM: none can be mapped.
    files.push(("resource", format!("{0} {0} {0}\n", "0x0000000000000000").repeat(7)));
    files
}

/// The 64 bytes of a PCI header that say what it is, and nothing in the other 192.
fn configuration(device: &Device) -> [u8; 256] {
    /// Display controller, VGA.
    const CLASS: [u8; 3] = [0, 0, 3];
    let mut bytes = [0; 256];
    let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
    put(0x00, &device.vendor.to_le_bytes());
    put(0x02, &device.device.to_le_bytes());
    put(0x08, &[device.revision]);
    put(0x09, &CLASS);
    put(0x2c, &device.vendor.to_le_bytes());
    put(0x2e, &device.device.to_le_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::Engine;

    #[test]
    fn links_lead_to_the_device() {
        let root = std::env::temp_dir().join(format!("vgate-node-{}", std::process::id()));
        let device =
            Device::new((0x8086, 0x5912, 4), 48, 12_000_000, [Engine { class: 0, instance: 0 }]);
        make_tree(&root, &device).unwrap();
        let read = |path: &str| fs::read_to_string(root.join(path)).unwrap();
        assert_eq!(read("sys/dev/char/226:128/device/vendor"), "0x8086\n");
        assert_eq!(read("sys/class/drm/card0/device/device"), "0x5912\n");
        assert_eq!(read("sys/bus/pci/devices/0000:00:02.0/revision"), "0x04\n");
        assert!(read("sys/dev/char/226:128/device/uevent").contains("PCI_SLOT_NAME=0000:00:02.0"));
        assert_eq!(read("sys/dev/char/226:0/device/drm/renderD128/dev"), "226:128\n");
        let subsystem = root.join("sys/dev/char/226:128/device/subsystem");
        assert!(fs::read_link(subsystem).unwrap().ends_with("pci"));
        assert!(
            fs::canonicalize(root.join("sys/dev/char/226:128"))
                .unwrap()
                .starts_with(fs::canonicalize(&root).unwrap())
        );
        fs::remove_dir_all(&root).unwrap();
    }
}
