//! Configuration space of the vGPU: a Gen9 part with MSI, no stolen memory, and an expansion ROM that
//! holds the video BIOS tables.
//!
//! Source: SKL PRM vol 2c (PCI registers), PCI Local Bus 3.0 for the header; GVT-g for what is left out.

use crate::platform::Part;

/// Bytes of configuration space.
pub(crate) const SIZE: usize = 256;
/// Where the MSI capability is.
const MSI: usize = 0xAC;
const STATUS: usize = 0x06;

/// Base address registers: offset and size (0: absent). BAR0 registers and GGTT, BAR2 aperture, BAR4 I/O ports.
pub(crate) const BAR0_SIZE: u64 = 16 << 20;
pub(crate) const BAR4_SIZE: u64 = 64;

/// Bytes from `at` with their value at power-on; everything else is zero.
const HEADER: &[(usize, &[u8])] = &[
    (0x00, &[0x86, 0x80]),             // Vendor: Intel.
    (STATUS, &[0x10, 0x00]),           // Has a capability list.
    (0x09, &[0x00, 0x80, 0x03]),       // Class display, sub-class other.
    (0x10, &[0x04, 0, 0, 0]),          // BAR0: 64-bit memory.
    (0x18, &[0x0C, 0, 0, 0]),          // BAR2: 64-bit prefetchable memory.
    (0x20, &[0x01, 0, 0, 0]),          // BAR4: I/O.
    (0x2C, &[0x86, 0x80]),             // Subsystem vendor: Intel; its device is the part's.
    (0x34, &[MSI as u8]),              // First capability.
    (0x50, &[0xC0, 0x00]),             // GGC: 8 MiB of GGTT entries, no stolen memory.
    (MSI, &[0x05, 0xD0, 0x00, 0x00]),  // MSI, one message, 32-bit; next capability at 0xD0.
    (0xD0, &[0x01, 0x00, 0x03, 0x00]), // Power management 1.2, no states but D0 and D3.
];

/// Ranges that the guest may write, with a mask for each byte (repeated over the range).
const WRITABLE: &[(usize, &[u8])] = &[
    (0x04, &[0x07, 0x04]),    // Command: I/O, memory, master; INTx disable.
    (0x0C, &[0xFF, 0x00]),    // Cache line size.
    (0x3C, &[0xFF]),          // Interrupt line.
    (MSI + 2, &[0x01, 0x00]), // MSI enable; more messages can't be had.
    (MSI + 4, &[0xFC, 0xFF, 0xFF, 0xFF]), // MSI address.
    (MSI + 8, &[0xFF, 0xFF]), // MSI data.
    (0xD4, &[0x03]),          // Power state.
    (0xE8, &[0xFF, 0xFF]),    // Software SCI.
    (0xFC, &[0xFF, 0xFF, 0xFF, 0xFF]), // ASLS: kept, no OpRegion is read from there.
];

/// Configuration space of one vGPU.
#[derive(Debug)]
pub(crate) struct PciConfig {
    bytes: [u8; SIZE],
    masks: [u8; SIZE],
}

impl PciConfig {
    /// As after power-on. The sizes of BAR2 and the ROM are powers of two.
    pub(crate) fn new(part: Part, aperture: u64, rom_size: u32) -> Self {
        let mut config = Self { bytes: [0; SIZE], masks: [0; SIZE] };
        fill(&mut config.bytes, HEADER);
        fill(&mut config.masks, WRITABLE);
        let id = part.device.to_le_bytes();
        fill(&mut config.bytes, &[(0x02, &id), (0x08, &[part.revision]), (0x2E, &id)]);
        // A base address register keeps the bits above its size: so the guest learns the size.
        let bars: [(usize, u64, usize); 3] =
            [(0x10, BAR0_SIZE, 8), (0x18, aperture, 8), (0x20, BAR4_SIZE, 4)];
        for (at, size, width) in bars {
            let mask = (!(size - 1)).to_le_bytes();
            fill(&mut config.masks, &[(at, mask.get(..width).unwrap_or(&[]))]);
        }
        fill(&mut config.masks, &[(0x30, &(!(rom_size - 1) | 1).to_le_bytes())]);
        config
    }

    /// All bytes.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// This with `bytes` in it, if they can be.
    pub(crate) fn holding(mut self, bytes: &[u8]) -> Option<Self> {
        self.write(0, bytes);
        (self.bytes == bytes).then_some(self)
    }

    /// Reads; bytes behind the end are zero.
    pub(crate) fn read(&self, offset: u64, to: &mut [u8]) {
        for (byte, at) in to.iter_mut().zip(offset..) {
            *byte =
                usize::try_from(at).ok().and_then(|at| self.bytes.get(at)).copied().unwrap_or(0);
        }
    }

    /// Writes the bits that may be written.
    pub(crate) fn write(&mut self, offset: u64, from: &[u8]) {
        for (value, at) in from.iter().zip(offset..) {
            let Ok(at) = usize::try_from(at) else { return };
            let (Some(byte), Some(mask)) = (self.bytes.get_mut(at), self.masks.get(at)) else {
                return;
            };
            *byte = *byte & !mask | value & mask;
        }
    }
}

fn fill(to: &mut [u8; SIZE], from: &[(usize, &[u8])]) {
    for (at, bytes) in from {
        for (slot, value) in to.iter_mut().skip(*at).zip(*bytes) {
            *slot = *value;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dword(config: &PciConfig, at: u64) -> u32 {
        let mut bytes = [0; 4];
        config.read(at, &mut bytes);
        u32::from_le_bytes(bytes)
    }

    #[test]
    fn base_address_registers_tell_their_size() {
        let mut config = PciConfig::new(Part::default(), 256 << 20, 0x1_0000);
        for (at, expected) in
            [(0x10, 0xFF00_0004), (0x14, u32::MAX), (0x18, 0xF000_000C), (0x20, 0xFFFF_FFC1)]
        {
            config.write(at, &u32::MAX.to_le_bytes());
            assert_eq!(dword(&config, at), expected, "{at:#x}");
        }
        config.write(0x30, &0xFFFF_F800u32.to_le_bytes());
        assert_eq!(dword(&config, 0x30), 0xFFFF_0000);
    }

    #[test]
    fn identity_is_not_the_guest_s_to_change() {
        let mut config = PciConfig::new(Part::default(), 256 << 20, 0x1_0000);
        config.write(0, &[0; 64]);
        assert_eq!(dword(&config, 0), 0x5912_8086);
        config.write(u64::MAX - 1, &[0xFF; 8]);
    }
}
