//! Everything of the vGPU but its engines: registers and what they do, the GGTT, the interrupt line, the display.
//!
//! A command in a ring reaches the same registers as the CPU does, through the same code; only what would drive the
//! engines themselves (submission, resets) is the CPU's alone.

use std::io;
use std::time::Duration;

use mediator::{Effects, GuestRam, Job, JobId, Plug, Priority, Reason, SpaceRoot, Time, Vector};

use super::config::VgpuConfig;
use super::context::{self, ContextImage};
use super::display::{self, Display};
use super::execlist::Descriptor;
use super::fence;
use super::ggtt::Ggtt;
use super::interrupts::{EngineEvent, Event, Line};
use super::registers::{self, Behaviour, Class, Entry, FORCEWAKE, MODE_IDLE, RegisterFile};
use super::ring::Host;
use crate::address::{GgttAddress, PpgttAddress, RegisterOffset};
use crate::audit::{self, Verdict};
use crate::command;
use crate::command::streamer::{Bus, Fault, Notify, Space, StatusPage};
use crate::engine::Engine;
use crate::gtt::PageTableWalker;
use crate::scan::Scan;
use crate::silicon::Batch;

/// Dwords of a privileged batch that are copied.
const PRIVILEGED_BATCH_LIMIT: usize = 16 * 1024;

/// What the vGPU counts for operators.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub(crate) register_reads: u64,
    pub(crate) register_writes: u64,
    pub(crate) unknown_accesses: u64,
    pub(crate) side_band_accesses: u64,
    pub(crate) ggtt_writes: u64,
    pub(crate) aperture_accesses: u64,
    pub(crate) submissions: u64,
    pub(crate) batches: u64,
    pub(crate) batches_scanned: u64,
    pub(crate) commands_scanned: u64,
    pub(crate) bytes_scanned: u64,
    pub(crate) refused_at_scan: u64,
    pub(crate) refused_at_fetch: u64,
    pub(crate) interrupts: u64,
    pub(crate) engine_resets: u64,
    pub(crate) hangs: u64,
    pub(crate) preemptions: u64,
    pub(crate) ring_commands_skipped: u64,
    pub(crate) ring_writes_dropped: u64,
    pub(crate) page_table_notices: u64,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) ram: GuestRam,
    pub(crate) registers: RegisterFile,
    pub(crate) ggtt: Ggtt,
    pub(crate) line: Line,
    pub(crate) display: Display,
    pub(crate) counters: Counters,
    /// How far the guest's clock is ahead of silicon's.
    pub(crate) ahead: Duration,
    scan: Scan,
    next_job: u64,
}

/// Ticks of the engines' timestamps: 12 MHz (SKL PRM vol 2c, TIMESTAMP: 83.333 ns).
pub(crate) fn ticks(now: Time) -> u64 {
    (u128::from(now.0) * 12 / 1000) as u64 & 0xF_FFFF_FFFF
}

impl Core {
    pub(crate) fn new(config: VgpuConfig, ram: GuestRam) -> io::Result<Self> {
        let mut core = Self {
            ram,
            registers: RegisterFile::new(
                config.platform,
                config.shown().topology,
                config.presence,
                config.aperture,
            )?,
            ggtt: Ggtt::new()?,
            line: Line::default(),
            display: Display::new(config.edid),
            counters: Counters::default(),
            ahead: Duration::ZERO,
            scan: Scan::default(),
            next_job: 0,
        };
        core.display.reset(&mut core.registers);
        Ok(core)
    }

    /// Makes a job of a batch.
    pub(crate) fn hand_out(
        &mut self,
        engine: Engine,
        descriptor: Descriptor,
        image: &ContextImage,
        batch: Batch,
        fx: &mut Effects<Batch>,
    ) -> JobId {
        let id = JobId(self.next_job);
        self.next_job += 1;
        fx.jobs.push(Job {
            priority: Priority::default(),
            id,
            engine: engine.id(),
            space: image.space,
            context: descriptor.key(),
            work: Batch { ahead: self.ahead, ..batch },
        });
        id
    }

    /// Device-level reset.
    pub(crate) fn reset(&mut self) {
        self.registers.reset_below(registers::WINDOW);
        self.ggtt.reset();
        self.line = Line::default();
        self.display.reset(&mut self.registers);
    }

    /// The value that a read of the register gives.
    pub(crate) fn read_register(&mut self, at: u32, entry: Option<&Entry>, now: Time) -> u32 {
        let Some(entry) = entry else {
            self.counters.unknown_accesses += 1;
            self.registers.touch_unknown(at, false);
            return self.registers.get(at);
        };
        let Class::Behaves(behaviour) = entry.class else { return self.registers.get(at) };
        match behaviour {
            Behaviour::Timestamp => ticks(now) as u32,
            Behaviour::TimestampHigh => (ticks(now) >> 32) as u32,
            Behaviour::MicrosecondTimestamp => (now.0 / 1000) as u32,
            Behaviour::FrameCount => self.display.frame_count(pipe(at), now),
            Behaviour::ScanLine => self.display.scan_line(&self.registers, pipe(at), now),
            Behaviour::Checksum => self.display.read_checksum(&self.registers, pipe(at), now),
            Behaviour::GraphicsReset | Behaviour::SubmitPort => 0,
            _ => self.registers.get(at),
        }
    }

    /// Writes a register that does not drive an engine.
    pub(crate) fn write_register<W>(
        &mut self,
        at: u32,
        entry: Option<&Entry>,
        value: u32,
        fx: &mut Effects<W>,
    ) {
        let Some(entry) = entry else {
            self.counters.unknown_accesses += 1;
            self.registers.touch_unknown(at, true);
            self.registers.set(at, value);
            return;
        };
        if display::PLANES.contains(&at) {
            self.display.write_plane(pipe(at), fx.now);
        }
        match entry.class {
            Class::Behaves(behaviour) => self.behave(at, behaviour, value, fx),
            Class::Masked => {
                let merged = self.registers.write_masked(at, value);
                if let Some((_, acknowledge)) = FORCEWAKE.iter().find(|(request, _)| *request == at)
                {
                    self.registers.set(*acknowledge, merged);
                }
            }
            class => self.registers.write_storage(at, class, value),
        }
    }

    fn behave<W>(&mut self, at: u32, behaviour: Behaviour, value: u32, fx: &mut Effects<W>) {
        let registers = &mut self.registers;
        match behaviour {
            Behaviour::ResetControl => {
                // Request (bit 0) is answered by ready (bit 1).
                let merged = registers.write_masked(at, value);
                registers.set(at, merged & !2 | (merged & 1) << 1);
            }
            Behaviour::EngineMode => {
                let merged = registers.write_masked(at, value);
                registers.set(at, merged | MODE_IDLE);
            }
            Behaviour::InterruptMask | Behaviour::InterruptEnable => {
                registers.set(at, value);
                self.display.listen(fx.now);
                let due = self.line.settle(&mut self.registers);
                self.interrupt_if(due, fx);
            }
            Behaviour::InterruptIdentity => {
                registers.update(at, value, 0);
                let due = self.line.settle(&mut self.registers);
                self.interrupt_if(due, fx);
            }
            Behaviour::InterruptMaster => {
                let due = self.line.write_master(&mut self.registers, value);
                self.interrupt_if(due, fx);
            }
            Behaviour::PcodeMailbox => self.pcode(at, value),
            Behaviour::GuestToHost => {
                registers.set(at, value);
                self.counters.page_table_notices += 1;
            }
            Behaviour::Fence | Behaviour::GmbusSelect => registers.set(at, value),
            Behaviour::TranscoderConf => {
                let answer = self.display.write_transcoder(registers, pipe(at), value, fx.now);
                registers.set(at, answer);
            }
            Behaviour::ChecksumControl => {
                // What is due before is told as it would have been.
                self.tick_display(fx);
                let Self { registers, display, .. } = self;
                display.write_checksum_control(registers, pipe(at), value, fx.now);
            }
            Behaviour::PlaneSurface => {
                registers.set(at, value);
                let (pipe, plane) = (pipe(at), (((at & 0xFFF) - 0x19C) / 0x100) as u8);
                if self.display.flip(registers, pipe, plane, fx.now) {
                    self.raise(Event::FlipDone { pipe, plane }, fx);
                }
            }
            Behaviour::CursorBase => {
                registers.set(at, value);
                self.display.flip(registers, pipe(at), 3, fx.now);
            }
            Behaviour::AuxControl => {
                let port = ((at - 0x6_4010) / 0x100) as u8;
                self.display.write_side_band(registers, port, value, fx.now);
            }
            Behaviour::HotPlugControl => display::write_hot_plug(registers, value),
            Behaviour::TrainingControl => {
                registers.set(at, value);
                // Idle (2) and normal (3) patterns: the idle pattern has been sent.
                if value >> 31 != 0 && matches!(value >> 8 & 7, 2 | 3) {
                    registers.update(at + 4, 0, 1 << 25);
                }
            }
            Behaviour::PhyGroup => {
                // Lanes 0 and 1, and lanes 2 and 3.
                for lanes in [at, at - 0x800, at - 0x600] {
                    registers.set(lanes, value);
                }
            }
            Behaviour::GmbusCommand => {
                // Nothing answers on these wires: no acknowledge (bit 10), hardware ready (bit 11).
                registers.set(at, value);
                registers.set(at + 4, 1 << 11 | if value & 1 << 30 != 0 { 1 << 10 } else { 0 });
                if value & 1 << 30 != 0 {
                    self.raise(Event::Gmbus, fx);
                }
            }
            // Read-only.
            Behaviour::Timestamp
            | Behaviour::TimestampHigh
            | Behaviour::MicrosecondTimestamp
            | Behaviour::FrameCount
            | Behaviour::ScanLine
            | Behaviour::Checksum => {}
            // The device's, see `Vgpu::write_register`.
            Behaviour::SubmitPort | Behaviour::CsbPointer | Behaviour::GraphicsReset => {
                self.counters.ring_writes_dropped += 1;
            }
        }
    }

    /// The power controller's mailbox: every command is over at once and succeeds.
    /// Source: i915's use of the pcode mailbox on Gen9; the values are GVT-g's for memory latency.
    fn pcode(&mut self, at: u32, value: u32) {
        let data = at + 4;
        match value & 0xFF {
            // Frequency of the ring for a GPU frequency; SAGV control: off.
            0x06 => {
                let first = self.registers.get(data) == 0;
                self.registers.set(data, if first { 0x1E1A_1100 } else { 0x6151_4B3D });
            }
            0x05 | 0x07 | 0x21 => self.registers.update(data, 0, 1),
            _ => {}
        }
        self.registers.set(at, value & !(1 << 31 | 0xFF));
    }

    /// Does what is due of the display, and returns when something is due next.
    pub(crate) fn tick_display<W>(&mut self, fx: &mut Effects<W>) -> Option<Time> {
        let Self { ram, registers, ggtt, line, display, .. } = self;
        let summed = display.sum(registers, line, ggtt, ram, fx.now);
        let (next, due) = display.tick(registers, line, fx.now);
        self.interrupt_if(summed || due, fx);
        next
    }

    /// An operator plugs a monitor in or pulls it out.
    pub(crate) fn plug<W>(&mut self, plug: Plug, fx: &mut Effects<W>) {
        if self.display.plug(&mut self.registers, plug) {
            self.raise(Event::HotPlug(self.registers.platform()), fx);
        }
    }

    /// Records an event, and the MSI if it is due.
    pub(crate) fn raise<W>(&mut self, event: Event, fx: &mut Effects<W>) {
        let due = self.line.raise(&mut self.registers, event);
        self.interrupt_if(due, fx);
    }

    pub(crate) fn interrupt_if<W>(&mut self, due: bool, fx: &mut Effects<W>) {
        if due {
            self.counters.interrupts += 1;
            fx.interrupts.push(Vector(0));
        }
    }

    /// The engine's hardware status page, if the guest has set one.
    pub(crate) fn status_page(&self, engine: Engine) -> Option<GgttAddress> {
        let at = self.registers.get(engine.base() + 0x80) & !0xFFF;
        (at != 0).then_some(GgttAddress(u64::from(at)))
    }

    /// Moves bytes between the GGTT and a buffer, page by page.
    pub(crate) fn load_ggtt(&self, at: u64, to: &mut [u8]) -> Result<(), Reason> {
        for (at, part) in pages(at, to.len()) {
            let physical = self.ggtt.translate(GgttAddress(at)).ok_or_else(|| unmapped(at))?;
            let part = to.get_mut(part).unwrap_or(&mut []);
            self.ram.read(physical, part).map_err(|_| unmapped(at))?;
        }
        Ok(())
    }

    /// Stores to the GGTT; words of four and eight bytes that are aligned go in one piece.
    pub(crate) fn store_ggtt(&self, at: u64, from: &[u8]) -> Result<(), Reason> {
        for (at, part) in pages(at, from.len()) {
            let physical = self.ggtt.translate(GgttAddress(at)).ok_or_else(|| unmapped(at))?;
            store_physical(&self.ram, physical, from.get(part).unwrap_or(&[]))
                .map_err(|_| unmapped(at))?;
        }
        Ok(())
    }

    /// The CPU reads the aperture: through fences, then the GGTT. What is not mapped reads as zero.
    pub(crate) fn read_aperture(&self, at: u64, to: &mut [u8]) {
        // An aperture read of an unmapped page gives the scratch page's content on silicon: zero.
        to.fill(0);
        if !fence::covers(&self.registers, at) {
            let _ = self.load_ggtt(at, to);
            return;
        }
        for (byte, linear) in to.iter_mut().zip(at..) {
            let mut value = [0];
            let _ = self.load_ggtt(fence::detile(&self.registers, linear), &mut value);
            *byte = value[0];
        }
    }

    /// The CPU writes the aperture.
    pub(crate) fn write_aperture(&self, at: u64, from: &[u8]) {
        if !fence::covers(&self.registers, at) {
            let _ = self.store_ggtt(at, from);
            return;
        }
        for (byte, linear) in from.iter().zip(at..) {
            let _ = self.store_ggtt(fence::detile(&self.registers, linear), &[*byte]);
        }
    }
}

/// A store that does not tear where the guest can see it.
fn store_physical(
    ram: &GuestRam,
    at: mediator::GuestAddress,
    from: &[u8],
) -> Result<(), mediator::memory::MemoryError> {
    match *from {
        [a, b, c, d] if at.0.is_multiple_of(4) => {
            ram.write_u32(at, u32::from_le_bytes([a, b, c, d]))
        }
        [a, b, c, d, e, f, g, h] if at.0.is_multiple_of(8) => {
            ram.write_u64(at, u64::from_le_bytes([a, b, c, d, e, f, g, h]))
        }
        _ => ram.write(at, from),
    }
}

fn unmapped(at: u64) -> Reason {
    Reason::new("ggtt/unmapped", format!("no memory behind global address {at:#x}"))
}

/// Splits `length` bytes from `at` at page borders: addresses, and where in the buffer they belong.
fn pages(at: u64, length: usize) -> impl Iterator<Item = (u64, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let here = at.wrapping_add(done as u64);
        let part = (4096 - (here & 0xFFF) as usize).min(length - done);
        let range = done..done + part;
        done += part;
        (part > 0).then_some((here, range))
    })
}

/// The pipe that a pipe register belongs to.
fn pipe(at: u32) -> u8 {
    (at >> 12 & 3) as u8
}

/// The ring interpreter's view of the device: one engine's bus while it runs one context.
pub(crate) struct RingBus<'a, 'b> {
    pub(crate) core: &'a mut Core,
    pub(crate) fx: &'b mut Effects<Batch>,
    pub(crate) engine: Engine,
    pub(crate) space: SpaceRoot,
    pub(crate) context: GgttAddress,
}

impl RingBus<'_, '_> {
    fn physical(&self, at: u64) -> Result<crate::gtt::Page, Fault> {
        PageTableWalker::new(self.space).walk(&self.core.ram, PpgttAddress(at)).map_err(|error| {
            Fault(Reason::new(
                "ppgtt/unmapped",
                format!("address {at:#x} of a ring command: {error}"),
            ))
        })
    }
}

impl Bus for RingBus<'_, '_> {
    fn load(&mut self, space: Space, at: u64, to: &mut [u8]) -> Result<(), Fault> {
        if space == Space::Ggtt {
            return self.core.load_ggtt(at, to).map_err(Fault);
        }
        for (at, part) in pages(at, to.len()) {
            let page = self.physical(at)?;
            let part = to.get_mut(part).unwrap_or(&mut []);
            self.core.ram.read(page.physical, part).map_err(|_| Fault(unmapped(at)))?;
        }
        Ok(())
    }

    fn store(&mut self, space: Space, at: u64, from: &[u8]) -> Result<(), Fault> {
        if space == Space::Ggtt {
            return self.core.store_ggtt(at, from).map_err(Fault);
        }
        for (at, part) in pages(at, from.len()) {
            let page = self.physical(at)?;
            if !page.writable {
                return Err(Fault(Reason::new(
                    "ppgtt/read-only",
                    format!("address {at:#x} may not be written"),
                )));
            }
            store_physical(&self.core.ram, page.physical, from.get(part).unwrap_or(&[]))
                .map_err(|_| Fault(unmapped(at)))?;
        }
        Ok(())
    }

    fn register(&mut self, at: RegisterOffset) -> Result<u32, Fault> {
        Ok(self.core.read_register(at.0, self.core.registers.lookup(at), self.fx.now))
    }

    fn set_register(&mut self, at: RegisterOffset, value: u32) -> Result<(), Fault> {
        self.core.write_register(at.0, self.core.registers.lookup(at), value, self.fx);
        Ok(())
    }

    fn status_page(&self, which: StatusPage) -> Option<GgttAddress> {
        match which {
            StatusPage::Global => self.core.status_page(self.engine),
            StatusPage::Context => Some(self.context),
        }
    }

    fn timestamp(&mut self) -> u64 {
        ticks(self.fx.now)
    }

    fn notify(&mut self, what: Notify) {
        let event = match what {
            Notify::UserInterrupt => EngineEvent::User,
            Notify::FlushDone => EngineEvent::FlushDone,
            // Engines are told of semaphores by memory; waiting rings look again at each tick.
            Notify::Semaphore { .. } => return,
        };
        self.core.raise(Event::Engine(self.engine, event), self.fx);
    }
}

impl Host for RingBus<'_, '_> {
    fn submit(
        &mut self,
        engine: Engine,
        descriptor: Descriptor,
        image: &ContextImage,
        batch: Batch,
    ) -> JobId {
        self.core.counters.batches += 1;
        self.core.hand_out(engine, descriptor, image, batch, self.fx)
    }

    fn recall(&mut self, job: JobId) {
        self.fx.recall.push(job);
    }

    fn scan(&mut self, at: PpgttAddress) -> Result<(), Reason> {
        let Core { scan, ram, counters, .. } = &mut *self.core;
        let outcome = scan.batch(ram, self.space, self.engine, at);
        counters.batches_scanned += 1;
        counters.commands_scanned += outcome.commands;
        counters.bytes_scanned += outcome.bytes;
        match outcome.verdict {
            Verdict::Fail(refusal) if refusal.is_forbidden() => {
                Err(audit::refused_at(&refusal.reason, refusal.at))
            }
            _ => Ok(()),
        }
    }

    fn refused(&mut self) {
        self.core.counters.refused_at_scan += 1;
    }

    fn quarantine(&mut self, why: Reason) {
        self.fx.quarantine.get_or_insert(why);
    }

    fn copy_batch(&mut self, engine: Engine, at: u64) -> Result<Vec<u32>, Reason> {
        let mut dwords = Vec::new();
        let mut next = 0;
        loop {
            // Whole pages are copied once and parsed from the copy; a command may cross into the next page.
            while next >= dwords.len() {
                if dwords.len() >= PRIVILEGED_BATCH_LIMIT {
                    return Err(Reason::new(
                        "batch/long",
                        "a privileged batch has no end within 64 KiB",
                    ));
                }
                let from = GgttAddress(at + dwords.len() as u64 * 4);
                let bytes = 4096 - (from.0 & 0xFFF) as u32;
                context::copy(&self.core.ggtt, &self.core.ram, from, bytes, &mut dwords)?;
            }
            let dword = dwords.get(next).copied().unwrap_or(0);
            if dword >> 23 == 0x0A {
                dwords.truncate(next);
                return Ok(dwords);
            }
            next += command::recognize(dword, engine)?.1;
        }
    }

    fn skipped(&mut self) {
        self.core.counters.ring_commands_skipped += 1;
    }
}
