//! The expansion ROM: no code, only the video BIOS tables (VBT) that tell i915 which outputs the board has.
//!
//! Without them i915 guesses an output on every port, and probes each for a monitor over I2C. Here there is one
//! DisplayPort connector, on port B. The image's code type is none that a firmware would run.
//!
//! Source: PCI Firmware 3.0 (ROM header), the VBT layout that i915 reads (BDB version 186: children of 33 bytes).

use crate::platform::Part;

/// Size of the ROM in bytes: the smallest that PCI's base address register can express and i915 needs.
pub(crate) const SIZE: usize = 4096;

const VBT_AT: usize = 0x80;
const BDB_VERSION: u16 = 186;
const CHILD_SIZE: usize = 33;

/// Device type of a DisplayPort connector: digital, DisplayPort, high-speed link, hot-plug, not HDMI.
const DEVICE_TYPE_DP: u16 = 0x68C6;
/// Port and side-band channel B, in the VBT's numbering.
const DVO_PORT_DP_B: u8 = 7;
const AUX_CHANNEL_B: u8 = 0x10;

/// The ROM's bytes.
pub(crate) fn image(part: Part) -> Vec<u8> {
    let mut rom = vec![0xFF; SIZE];
    put(&mut rom, 0, &header());
    put(&mut rom, 0x40, &data_structure(part));
    put(&mut rom, VBT_AT, &video_bios_tables());
    // The bytes of an image sum up to zero; the last one makes it so.
    let sum = rom.iter().take(SIZE - 1).fold(0u8, |sum, byte| sum.wrapping_add(*byte));
    put(&mut rom, SIZE - 1, &[0u8.wrapping_sub(sum)]);
    rom
}

fn header() -> Vec<u8> {
    let mut header = vec![0x55, 0xAA, (SIZE / 512) as u8];
    header.resize(0x18, 0);
    header.extend(0x40u16.to_le_bytes());
    header
}

fn data_structure(part: Part) -> Vec<u8> {
    let mut data = b"PCIR".to_vec();
    data.extend([0x86, 0x80]); // Vendor, device.
    data.extend(part.device.to_le_bytes());
    data.extend([0, 0, 0x18, 0, 0]); // No device list; length; revision.
    data.extend([0x00, 0x80, 0x03]); // Class: display, other.
    data.extend(((SIZE / 512) as u16).to_le_bytes());
    data.extend([1, 0]); // Code revision.
    data.push(0xFF); // Code type: none.
    data.push(0x80); // Last image.
    data.extend([0, 0]);
    data
}

fn video_bios_tables() -> Vec<u8> {
    let mut bdb = b"BIOS_DATA_BLOCK ".to_vec();
    bdb.extend(BDB_VERSION.to_le_bytes());
    bdb.extend(22u16.to_le_bytes()); // Header size.
    let size_at = bdb.len();
    bdb.extend([0, 0]);
    block(&mut bdb, 1, &[0, 0, 0, 0, 0]); // General features: none.
    let mut definitions = vec![0, 0, 0, 0, CHILD_SIZE as u8];
    definitions.extend(child());
    block(&mut bdb, 2, &definitions);
    let size = (bdb.len() as u16).to_le_bytes();
    put(&mut bdb, size_at, &size);

    let mut vbt = b"$VBT KABYLAKE       ".to_vec();
    vbt.extend(100u16.to_le_bytes()); // Version 1.00.
    vbt.extend(48u16.to_le_bytes()); // Header size.
    vbt.extend((48 + bdb.len() as u16).to_le_bytes());
    vbt.extend([0, 0]); // Checksum (not checked), reserved.
    vbt.extend(48u32.to_le_bytes()); // The data block follows the header.
    vbt.resize(48, 0);
    vbt.extend(bdb);
    vbt
}

fn child() -> Vec<u8> {
    let mut child = vec![0; CHILD_SIZE];
    put(&mut child, 0, &[0x04, 0x00]); // Handle.
    put(&mut child, 2, &DEVICE_TYPE_DP.to_le_bytes());
    put(&mut child, 16, &[DVO_PORT_DP_B]);
    put(&mut child, 24, &[1 << 1]); // Supports DisplayPort.
    put(&mut child, 25, &[AUX_CHANNEL_B]);
    child
}

fn block(bdb: &mut Vec<u8>, id: u8, data: &[u8]) {
    bdb.push(id);
    bdb.extend((data.len() as u16).to_le_bytes());
    bdb.extend(data);
}

fn put(to: &mut [u8], at: usize, bytes: &[u8]) {
    for (slot, value) in to.iter_mut().skip(at).zip(bytes) {
        *slot = *value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_image_is_a_whole_rom_with_tables_inside() {
        let rom = image(Part::default());
        assert_eq!(rom.len(), SIZE);
        assert_eq!(rom.iter().fold(0u8, |sum, byte| sum.wrapping_add(*byte)), 0);
        let vbt = &rom[VBT_AT..];
        assert_eq!(&vbt[..4], b"$VBT");
        let size = usize::from(u16::from_le_bytes([vbt[24], vbt[25]]));
        let bdb = &vbt[48..size];
        assert_eq!(&bdb[..16], b"BIOS_DATA_BLOCK ");
        assert_eq!(usize::from(u16::from_le_bytes([bdb[20], bdb[21]])), bdb.len());
    }
}
