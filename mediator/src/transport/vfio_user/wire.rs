//! The protocol's numbers and its header.

use bitflags::bitflags;

use crate::Region;

/// Bytes that one read or write of a region may transfer.
pub const MAX_DATA: u32 = 1 << 20;
/// Descriptors that may come with one message.
pub const MAX_FDS: usize = 16;
/// Bytes of the longest message: a write of [`MAX_DATA`].
pub const MAX_MESSAGE: u32 = HEADER as u32 + 16 + MAX_DATA;
/// Bytes of the header.
pub(super) const HEADER: usize = 16;

/// Regions in the numbering of `linux/vfio.h`: six BARs, ROM, configuration space, VGA (which no device here has).
pub(super) const NUM_REGIONS: u32 = 9;
/// Kinds of interrupts in the numbering of `linux/vfio.h`: INTx, MSI, MSI-X, error, request.
pub(super) const NUM_IRQS: u32 = 5;
/// The one kind that devices here have.
pub(super) const IRQ_MSI: u32 = 1;

/// The capability (number and version) that says which parts of a region can be mapped (`linux/vfio.h`).
pub(super) const CAP_SPARSE_MMAP: u32 = 1 << 16 | 1;

/// A command's number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command(pub u16);

#[expect(missing_docs, reason = "the protocol's own names")]
impl Command {
    pub const VERSION: Self = Self(1);
    pub const DMA_MAP: Self = Self(2);
    pub const DMA_UNMAP: Self = Self(3);
    pub const DEVICE_GET_INFO: Self = Self(4);
    pub const DEVICE_GET_REGION_INFO: Self = Self(5);
    pub const DEVICE_GET_IRQ_INFO: Self = Self(7);
    pub const DEVICE_SET_IRQS: Self = Self(8);
    pub const REGION_READ: Self = Self(9);
    pub const REGION_WRITE: Self = Self(10);
    pub const DEVICE_RESET: Self = Self(13);
    pub const REGION_WRITE_MULTI: Self = Self(15);
}

bitflags! {
    /// A header's flags. The lowest four bits are the message's type: 0 is a command.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Flags: u32 {
        /// An answer.
        const REPLY = 1;
        /// All bits of the type.
        const TYPE = 0xF;
        /// No answer is wanted.
        const NO_REPLY = 1 << 4;
        /// An answer: the command failed.
        const ERROR = 1 << 5;
        const _ = !0;
    }

    /// DEVICE_GET_INFO's flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct DeviceFlags: u32 {
        const RESET = 1;
        const PCI = 1 << 1;
    }

    /// DEVICE_GET_REGION_INFO's flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct RegionFlags: u32 {
        const READ = 1;
        const WRITE = 1 << 1;
        const MMAP = 1 << 2;
        const CAPS = 1 << 3;
    }

    /// DEVICE_GET_IRQ_INFO's flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct IrqFlags: u32 {
        const EVENTFD = 1;
        const NORESIZE = 1 << 3;
    }

    /// DEVICE_SET_IRQS' flags: one kind of data, one action.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct SetIrqFlags: u32 {
        const NONE = 1;
        const BOOL = 1 << 1;
        const EVENTFD = 1 << 2;
        const MASK = 1 << 3;
        const UNMASK = 1 << 4;
        const TRIGGER = 1 << 5;
    }

    /// DMA_MAP's flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct MapFlags: u32 {
        const READ = 1;
        const WRITE = 1 << 1;
    }

    /// DMA_UNMAP's flags.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(super) struct UnmapFlags: u32 {
        const DIRTY_BITMAP = 1;
        const ALL = 1 << 1;
    }
}

/// What every message begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// The sender's own; an answer repeats it.
    pub id: u16,
    /// What is to be done.
    pub command: Command,
    /// Bytes of the message, with the header.
    pub size: u32,
    /// What kind of message it is.
    pub flags: Flags,
    /// An errno, in an answer with [`Flags::ERROR`].
    pub error: u32,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut fields = Fields(bytes);
        Some(Self {
            id: fields.u16()?,
            command: Command(fields.u16()?),
            size: fields.u32()?,
            flags: Flags::from_bits_retain(fields.u32()?),
            error: fields.u32()?,
        })
    }

    /// The header of an answer with `payload` bytes, which is room for.
    pub(super) fn reply(&self, flags: Flags, error: u32, payload: usize) -> Vec<u8> {
        let size = HEADER.saturating_add(payload);
        let header = Self {
            flags: Flags::REPLY | flags,
            error,
            size: u32::try_from(size).unwrap_or(u32::MAX),
            ..*self
        };
        let mut bytes = Vec::with_capacity(size);
        header.put(&mut bytes);
        bytes
    }

    pub(super) fn put(&self, to: &mut Vec<u8>) {
        to.extend_from_slice(&self.id.to_ne_bytes());
        to.extend_from_slice(&self.command.0.to_ne_bytes());
        for word in [self.size, self.flags.bits(), self.error] {
            to.extend_from_slice(&word.to_ne_bytes());
        }
    }
}

/// A message's fields, taken one after the other; in the host's byte order, as the protocol has it.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_ne_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take().map(u32::from_ne_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_ne_bytes)
    }
}

/// The region with the number `index`.
pub(super) fn region(index: u32) -> Option<Region> {
    match index {
        0..=5 => u8::try_from(index).ok().map(Region::Bar),
        6 => Some(Region::Rom),
        7 => Some(Region::Config),
        _ => None,
    }
}

/// The number of `region`.
pub(super) fn region_index(region: Region) -> u32 {
    match region {
        Region::Bar(n) => u32::from(n),
        Region::Rom => 6,
        Region::Config => 7,
    }
}
