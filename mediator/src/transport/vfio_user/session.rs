//! What each message means: from a command to calls of the device and an answer.

use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::wire::{
    CAP_SPARSE_MMAP, Command, DeviceFlags, Fields, Flags, IRQ_MSI, IrqFlags, MAX_DATA, MAX_FDS,
    MapFlags, NUM_IRQS, NUM_REGIONS, RegionFlags, SetIrqFlags, UnmapFlags, region, region_index,
};
use super::{Device, Disconnect, Interrupt, Message};
use crate::memory::{GuestAddress, MapRequest, PAGE, SharedPages};
use crate::{Place, Region, Vector};

/// The longest VERSION data that is looked at; QEMU's has about 200 bytes.
const MAX_VERSION_DATA: usize = 4096;

/// How often a VMM gets the descriptor of the device's memory; QEMU asks once. Descriptors on their way count against what
/// the daemon's user may have, of all VMs together.
const MAX_OFFERS: u8 = 4;

/// What is to be answered beside the header, or the error that the VMM gets.
type Answer = Result<Vec<u8>, Errno>;

/// A message to the VMM.
#[derive(Clone, Debug, Default)]
pub struct Reply {
    /// Header and payload.
    pub bytes: Vec<u8>,
    /// The memory whose descriptor goes with it.
    pub shared: Option<SharedPages>,
}

/// One VMM's conversation with its device.
#[derive(Debug, Default)]
pub struct Session {
    /// Whether the version is agreed on.
    open: bool,
    /// Memory that the VMM announced without a descriptor (its BIOS, other devices' registers): not reachable, but to
    /// be taken back like any other.
    unreachable: Vec<(GuestAddress, u64)>,
    /// How often the device's memory was offered.
    offers: u8,
}

impl Session {
    /// Does what `message` asks of `device`. Returns the answer to be sent, if one is wanted.
    ///
    /// # Errors
    /// [`Disconnect`] when there is nothing to talk about any more.
    pub fn handle(
        &mut self,
        message: Message,
        device: &mut impl Device,
    ) -> Result<Option<Reply>, Disconnect> {
        let header = message.header;
        if !self.open && header.command != Command::VERSION {
            return Err(Disconnect::BeforeVersion(header.command.0));
        }
        let mut shared = None;
        let answer = self.answer(message, device, &mut shared);
        if header.flags.contains(Flags::NO_REPLY) {
            return Ok(None);
        }
        Ok(Some(match answer {
            Ok(payload) => {
                let mut bytes = header.reply(Flags::empty(), 0, payload.len());
                bytes.extend_from_slice(&payload);
                Reply { bytes, shared }
            }
            Err(e) => {
                let bytes = header.reply(Flags::ERROR, e.raw_os_error().unsigned_abs(), 0);
                Reply { bytes, shared: None }
            }
        }))
    }

    /// The payload of the answer; in `shared` what goes with it.
    fn answer(
        &mut self,
        message: Message,
        device: &mut impl Device,
        shared: &mut Option<SharedPages>,
    ) -> Answer {
        let Message { header, payload, fds } = message;
        let takes_fds = matches!(header.command, Command::DMA_MAP | Command::DEVICE_SET_IRQS);
        if !takes_fds && !fds.is_empty() {
            return Err(Errno::INVAL);
        }
        match header.command {
            Command::VERSION => self.version(&payload, device),
            Command::DMA_MAP => self.map(&payload, fds, device),
            Command::DMA_UNMAP => self.unmap(&payload, device),
            Command::DEVICE_GET_INFO => device_info(&payload),
            Command::DEVICE_GET_REGION_INFO => self.region_info(&payload, device, shared),
            Command::DEVICE_GET_IRQ_INFO => irq_info(&payload, device.vectors()),
            Command::DEVICE_SET_IRQS => set_irqs(&payload, fds, device),
            // A few bytes ask for a megabyte: only the answers, which are bounded, bound that.
            Command::REGION_READ if header.flags.contains(Flags::NO_REPLY) => Err(Errno::INVAL),
            Command::REGION_READ => region_read(&payload, device),
            Command::REGION_WRITE => region_write(&payload, device),
            Command::REGION_WRITE_MULTI => region_write_multi(&payload, device),
            Command::DEVICE_RESET => {
                if !payload.is_empty() {
                    return Err(Errno::INVAL);
                }
                device.reset();
                Ok(Vec::new())
            }
            _ => Err(Errno::NOTSUP),
        }
    }

    fn version(&mut self, payload: &[u8], device: &impl Device) -> Answer {
        let mut fields = Fields(payload);
        let major = fields.u16().ok_or(Errno::INVAL)?;
        let minor = fields.u16().ok_or(Errno::INVAL)?;
        if self.open || major != 0 {
            return Err(Errno::INVAL);
        }
        let proposed: VersionData = match fields.0 {
            [] => VersionData::default(),
            [json @ .., 0] if json.len() < MAX_VERSION_DATA => {
                serde_json::from_slice(json).map_err(|_| Errno::INVAL)?
            }
            _ => return Err(Errno::INVAL),
        };
        let capabilities = proposed.capabilities.answered_by(device);
        let json = serde_json::to_vec(&VersionData { capabilities }).map_err(|_| Errno::INVAL)?;
        self.open = true;

        let mut answer = Vec::new();
        answer.extend_from_slice(&major.to_ne_bytes());
        answer.extend_from_slice(&minor.min(1).to_ne_bytes());
        answer.extend_from_slice(&json);
        answer.push(0);
        Ok(answer)
    }

    /// A region, and in `shared` the memory of the part that can be mapped. The VMM asks a second time when it has seen
    /// that the answer is longer than it thought.
    fn region_info(
        &mut self,
        payload: &[u8],
        device: &impl Device,
        shared: &mut Option<SharedPages>,
    ) -> Answer {
        let mut fields = exactly(payload, REGION_INFO)?;
        let (argsz, _flags) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
        let index = fields.u32().ok_or(Errno::INVAL)?;
        let room = usize::try_from(argsz).map_err(|_| Errno::INVAL)?;
        if room < REGION_INFO || index >= NUM_REGIONS {
            return Err(Errno::INVAL);
        }
        let mut known = device.regions().iter();
        let Some(info) = known.find(|info| region_index(info.region) == index) else {
            return Ok(region_answer(REGION_INFO, RegionFlags::empty(), index, 0));
        };
        let write = if info.writable { RegionFlags::WRITE } else { RegionFlags::empty() };
        let flags = RegionFlags::READ | write;
        let part = |pages: &&SharedPages| Region::Bar(pages.part().bar) == info.region;
        let Some(pages) = device.shared().filter(part).filter(|_| self.offers < MAX_OFFERS) else {
            return Ok(region_answer(REGION_INFO, flags, index, info.size));
        };
        let whole = REGION_INFO + SPARSE_MMAP;
        if room < whole {
            return Ok(region_answer(whole, flags, index, info.size));
        }
        self.offers += 1;
        *shared = Some(pages.clone());
        let flags = flags | RegionFlags::MMAP | RegionFlags::CAPS;
        let mut answer = region_answer(whole, flags, index, info.size);
        // No other capability follows; one area.
        answer.extend_from_slice(&words(&[CAP_SPARSE_MMAP, 0, 1, 0]));
        answer.extend_from_slice(&pages.part().offset.to_ne_bytes());
        answer.extend_from_slice(&pages.part().len.to_ne_bytes());
        Ok(answer)
    }

    fn map(
        &mut self,
        payload: &[u8],
        mut fds: Vec<std::os::fd::OwnedFd>,
        device: &mut impl Device,
    ) -> Answer {
        let mut fields = exactly(payload, 32)?;
        let (argsz, flags) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
        let (offset, at) = fields.u64().zip(fields.u64()).ok_or(Errno::INVAL)?;
        let len = fields.u64().ok_or(Errno::INVAL)?;
        let flags = MapFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        if argsz < 32 || flags.is_empty() || fds.len() > 1 {
            return Err(Errno::INVAL);
        }
        let at = GuestAddress(at);
        let writable = flags.contains(MapFlags::WRITE);
        match fds.pop() {
            Some(fd) => device.map(MapRequest { at, len, fd, offset, writable })?,
            None => self.note_unreachable(at, len, device)?,
        }
        Ok(Vec::new())
    }

    fn note_unreachable(
        &mut self,
        at: GuestAddress,
        len: u64,
        device: &impl Device,
    ) -> Result<(), Errno> {
        let end = at.0.checked_add(len).ok_or(Errno::INVAL)?;
        if len == 0 || !at.0.is_multiple_of(PAGE) || !len.is_multiple_of(PAGE) {
            return Err(Errno::INVAL);
        }
        if self.unreachable.len() >= usize::from(device.max_maps()) {
            return Err(Errno::NOSPC);
        }
        if self.unreachable.iter().any(|(a, l)| a.0 < end && at.0 < a.0.saturating_add(*l)) {
            return Err(Errno::EXIST);
        }
        self.unreachable.push((at, len));
        Ok(())
    }

    fn unmap(&mut self, payload: &[u8], device: &mut impl Device) -> Answer {
        let mut fields = exactly(payload, 24)?;
        let (argsz, flags) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
        let (at, len) = fields.u64().zip(fields.u64()).ok_or(Errno::INVAL)?;
        let flags = UnmapFlags::from_bits(flags).ok_or(Errno::INVAL)?;
        if argsz < 24 {
            return Err(Errno::INVAL);
        }
        if flags.contains(UnmapFlags::DIRTY_BITMAP) {
            return Err(Errno::NOTSUP);
        }
        if flags.contains(UnmapFlags::ALL) {
            if at != 0 || len != 0 {
                return Err(Errno::INVAL);
            }
            self.unreachable.clear();
            device.unmap_all()?;
        } else {
            let range = (GuestAddress(at), len);
            match self.unreachable.iter().position(|known| *known == range) {
                Some(known) => drop(self.unreachable.swap_remove(known)),
                None => device.unmap(range.0, len)?,
            }
        }
        Ok(payload.to_vec())
    }
}

/// VERSION's data.
#[derive(Debug, Default, Deserialize, Serialize)]
struct VersionData {
    #[serde(default)]
    capabilities: Capabilities,
}

/// What a side can take. Of those proposed, the answer has the ones that are known here.
#[derive(Debug, Default, Deserialize, Serialize)]
struct Capabilities {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_msg_fds: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_data_xfer_size: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_dma_maps: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pgsizes: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    write_multiple: Option<bool>,
}

impl Capabilities {
    fn answered_by(self, device: &impl Device) -> Self {
        Self {
            max_msg_fds: self.max_msg_fds.and(Some(MAX_FDS as u64)),
            max_data_xfer_size: self.max_data_xfer_size.and(Some(MAX_DATA.into())),
            max_dma_maps: self.max_dma_maps.map(|n| n.min(device.max_maps().into())),
            pgsizes: self.pgsizes.and(Some(PAGE)),
            write_multiple: self.write_multiple,
        }
    }
}

/// The fields of a payload that must have `len` bytes.
fn exactly(payload: &[u8], len: usize) -> Result<Fields<'_>, Errno> {
    if payload.len() == len { Ok(Fields(payload)) } else { Err(Errno::INVAL) }
}

/// A payload of `words`.
fn words(words: &[u32]) -> Vec<u8> {
    words.iter().flat_map(|word| word.to_ne_bytes()).collect()
}

fn device_info(payload: &[u8]) -> Answer {
    let argsz = exactly(payload, 16)?.u32().ok_or(Errno::INVAL)?;
    if argsz < 16 {
        return Err(Errno::INVAL);
    }
    let flags = DeviceFlags::PCI | DeviceFlags::RESET;
    Ok(words(&[16, flags.bits(), NUM_REGIONS, NUM_IRQS]))
}

/// Bytes of a region's description, and of the capability that may follow it.
const REGION_INFO: usize = 32;
const SPARSE_MMAP: usize = 32;

/// A region's description without its capabilities; `whole` is its length with them.
fn region_answer(whole: usize, flags: RegionFlags, index: u32, size: u64) -> Vec<u8> {
    let capabilities = if flags.contains(RegionFlags::CAPS) { REGION_INFO as u32 } else { 0 };
    let mut answer = words(&[whole as u32, flags.bits(), index, capabilities]);
    answer.extend_from_slice(&size.to_ne_bytes());
    // Where the region begins in the file that is mapped.
    answer.extend_from_slice(&0u64.to_ne_bytes());
    answer
}

fn irq_info(payload: &[u8], vectors: u16) -> Answer {
    let mut fields = exactly(payload, 16)?;
    let (argsz, _flags) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
    let index = fields.u32().ok_or(Errno::INVAL)?;
    if argsz < 16 || index >= NUM_IRQS {
        return Err(Errno::INVAL);
    }
    let (flags, count) = match index {
        IRQ_MSI => (IrqFlags::EVENTFD | IrqFlags::NORESIZE, u32::from(vectors)),
        _ => (IrqFlags::empty(), 0),
    };
    Ok(words(&[16, flags.bits(), index, count]))
}

fn set_irqs(payload: &[u8], fds: Vec<std::os::fd::OwnedFd>, device: &mut impl Device) -> Answer {
    let mut fields = Fields(payload);
    let (argsz, flags) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
    let (index, start) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
    let count = fields.u32().ok_or(Errno::INVAL)?;
    let flags = SetIrqFlags::from_bits(flags).ok_or(Errno::INVAL)?;
    let data = flags & (SetIrqFlags::NONE | SetIrqFlags::BOOL | SetIrqFlags::EVENTFD);
    let action = flags & (SetIrqFlags::MASK | SetIrqFlags::UNMASK | SetIrqFlags::TRIGGER);
    let one_of_each = data.bits().count_ones() == 1 && action.bits().count_ones() == 1;

    let vectors = if index == IRQ_MSI { u32::from(device.vectors()) } else { 0 };
    let end = start.checked_add(count).filter(|end| *end <= vectors).ok_or(Errno::INVAL)?;
    let bools = if data == SetIrqFlags::BOOL { count as usize } else { 0 };
    let fds_fit = fds.is_empty() || (data == SetIrqFlags::EVENTFD && fds.len() == count as usize);
    if argsz < 20 || index >= NUM_IRQS || !one_of_each || fields.0.len() != bools || !fds_fit {
        return Err(Errno::INVAL);
    }

    let range = (start..end).filter_map(|n| u16::try_from(n).ok()).map(Vector);
    if action != SetIrqFlags::TRIGGER {
        return Err(Errno::NOTSUP);
    }
    if data == SetIrqFlags::NONE && (start, count) == (0, 0) {
        for n in (0..vectors).filter_map(|n| u16::try_from(n).ok()) {
            device.set_interrupt(Vector(n), None);
        }
    } else if data != SetIrqFlags::EVENTFD {
        // The VMM would signal itself.
        return Err(Errno::NOTSUP);
    } else if count == 0 {
        return Err(Errno::INVAL);
    } else if fds.is_empty() {
        range.for_each(|vector| device.set_interrupt(vector, None));
    } else {
        let interrupts: Result<Vec<_>, _> = fds.into_iter().map(Interrupt::new).collect();
        for (vector, interrupt) in range.zip(interrupts?) {
            device.set_interrupt(vector, Some(interrupt));
        }
    }
    Ok(Vec::new())
}

/// An access to a region: where and how many bytes.
struct Access {
    place: Place,
    count: u32,
}

impl Access {
    /// Takes an access from a message and checks it against the device's regions.
    fn take(fields: &mut Fields<'_>, device: &impl Device, write: bool) -> Result<Self, Errno> {
        let offset = fields.u64().ok_or(Errno::INVAL)?;
        let (index, count) = fields.u32().zip(fields.u32()).ok_or(Errno::INVAL)?;
        let region = region(index).ok_or(Errno::INVAL)?;
        let info = device.regions().iter().find(|info| info.region == region);
        let info = info.ok_or(Errno::INVAL)?;
        let end = offset.checked_add(count.into()).ok_or(Errno::INVAL)?;
        if count > MAX_DATA || end > info.size || (write && !info.writable) {
            return Err(Errno::INVAL);
        }
        Ok(Self { place: Place { region, offset }, count })
    }

    /// Bytes that the device is asked for at once when `left` remain from `offset` on: in a BAR the largest naturally
    /// aligned word.
    fn step(&self, offset: u64, left: usize) -> usize {
        match self.place.region {
            Region::Bar(_) => [8, 4, 2]
                .into_iter()
                .find(|size| left >= *size && offset.is_multiple_of(*size as u64))
                .unwrap_or(1),
            Region::Rom | Region::Config => left,
        }
    }

    fn read(&self, device: &mut impl Device, to: &mut [u8]) {
        let (mut at, mut rest) = (self.place, to);
        while !rest.is_empty() {
            let step = self.step(at.offset, rest.len());
            let (now, later) = rest.split_at_mut(step);
            device.read(at, now);
            at.offset = at.offset.saturating_add(step as u64);
            rest = later;
        }
    }

    fn write(&self, device: &mut impl Device, from: &[u8]) {
        let (mut at, mut rest) = (self.place, from);
        while !rest.is_empty() {
            let step = self.step(at.offset, rest.len());
            let (now, later) = rest.split_at(step);
            device.write(at, now);
            at.offset = at.offset.saturating_add(step as u64);
            rest = later;
        }
    }
}

fn region_read(payload: &[u8], device: &mut impl Device) -> Answer {
    let access = Access::take(&mut exactly(payload, 16)?, device, false)?;
    let mut answer = payload.to_vec();
    answer.resize(payload.len().saturating_add(access.count as usize), 0);
    if let Some(data) = answer.get_mut(payload.len()..) {
        access.read(device, data);
    }
    Ok(answer)
}

fn region_write(payload: &[u8], device: &mut impl Device) -> Answer {
    let mut fields = Fields(payload);
    let access = Access::take(&mut fields, device, true)?;
    let data = fields.0;
    if data.len() != access.count as usize {
        return Err(Errno::INVAL);
    }
    access.write(device, data);
    Ok(payload.get(..16).unwrap_or_default().to_vec())
}

/// Several posted writes in one message, each of up to 8 bytes. Those before a wrong one are done.
fn region_write_multi(payload: &[u8], device: &mut impl Device) -> Answer {
    let mut fields = Fields(payload);
    let count = fields.u64().ok_or(Errno::INVAL)?;
    if count.checked_mul(24) != Some(fields.0.len() as u64) {
        return Err(Errno::INVAL);
    }
    for one in fields.0.chunks_exact(24) {
        let mut fields = Fields(one);
        let access = Access::take(&mut fields, device, true)?;
        let data = fields.0.get(..access.count as usize).ok_or(Errno::INVAL)?;
        access.write(device, data);
    }
    Ok(count.to_ne_bytes().to_vec())
}

#[cfg(test)]
mod tests;
