//! The virtual GPU: a Gen9 part as one guest sees it.
//!
//! ```text
//!  BAR0  registers ──► core ──► interrupts, display, PVINFO
//!        submission port ──► execlists ──► ring ──► jobs ──► (silicon) ──► finished ──► ring ──► CSB, interrupt
//!        GGTT entries ──► ggtt
//!  BAR2  aperture ──► fences ──► ggtt ──► guest memory
//!  ROM   video BIOS tables          configuration space ──► pci
//! ```
//!
//! The ring is interpreted here, on the vGPU's own state; only batch buffers go to silicon. So no privileged command
//! of a guest ever reaches hardware, and the GGTT is private to each guest.

mod config;
mod context;
mod core;
mod display;
mod execlist;
mod fence;
pub(crate) mod ggtt;
mod interrupts;
mod pci;
mod registers;
mod ring;
mod rom;
mod saved;
#[cfg(test)]
pub(crate) mod tests;
mod zero_pages;

use std::io;
use std::time::Duration;

use mediator::memory::SharedPages;
use mediator::{
    Effects, GuestRam, Job, JobEnd, JobId, Mappable, Place, Plug, Reason, Region, RegionInfo,
    Reset, RestoreError, SaveError, Saved, ScanOut, Time, UnknownAccess, VirtualGpu,
};

pub use self::config::{Aperture, Presence, VgpuConfig};
use self::context::ContextImage;
use self::core::{Core, RingBus, ticks};
use self::execlist::{CSB_ENTRIES, Next, Turn};
use self::interrupts::{EngineEvent, Event};
use self::pci::PciConfig;
use self::registers::{Behaviour, Class};
use self::ring::{Active, EngineState, Progress, Returned};
use crate::address::RegisterOffset;
use crate::audit;
use crate::engine::Engine;
use crate::platform::{Part, Platform};
use crate::silicon::Batch;

/// How often a ring that waits for a semaphore looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
/// How long the interrupt for "submission taken" is held back. An interrupt costs the guest five trapped accesses;
/// most batches end within this time, and then one interrupt tells of both.
const HOLD_INTERRUPT: Duration = Duration::from_micros(500);
/// Offset of the interrupt and display registers, which a full reset of the GT leaves alone.
const GT_REGISTERS_END: u32 = 0x4_4200;

/// The least that BAR2 has without PVINFO: of an object that doesn't fit, i915 maps the megabyte around a fault, beside a
/// page of its own. In one megabyte it tries for ever.
const LEAST_BARE: u64 = 2 << 20;

fn regions(aperture: u64) -> [RegionInfo; 5] {
    [
        RegionInfo { region: Region::Bar(0), size: pci::BAR0_SIZE, writable: true },
        RegionInfo { region: Region::Bar(2), size: aperture, writable: true },
        RegionInfo { region: Region::Bar(4), size: pci::BAR4_SIZE, writable: true },
        RegionInfo { region: Region::Rom, size: rom::SIZE as u64, writable: false },
        RegionInfo { region: Region::Config, size: pci::SIZE as u64, writable: true },
    ]
}

/// The virtual GPU of one guest.
#[derive(Debug)]
pub struct Vgpu {
    core: Core,
    engines: [EngineState; 4],
    config: PciConfig,
    rom: Vec<u8>,
    platform: Platform,
    part: Part,
    presence: Presence,
    /// What the guest's CPU was given of the GGTT.
    offered: Aperture,
    regions: [RegionInfo; 5],
    /// Size of BAR2.
    aperture: u64,
}

impl Vgpu {
    /// A vGPU after power-on, over the guest's memory.
    ///
    /// # Errors
    /// When the host has no address space for its tables.
    pub fn new(config: VgpuConfig, ram: GuestRam) -> io::Result<Self> {
        let platform = config.platform;
        let part = config.shown();
        let aperture = match config.presence {
            Presence::Virtual => ggtt::APERTURE,
            Presence::Bare => config.aperture.bytes().max(LEAST_BARE),
        };
        Ok(Self {
            presence: config.presence,
            offered: config.aperture,
            core: Core::new(config, ram)?,
            engines: std::array::from_fn(|_| EngineState::new()),
            config: PciConfig::new(part, aperture, rom::SIZE as u32),
            rom: rom::image(part),
            platform,
            part,
            regions: regions(aperture),
            aperture,
        })
    }

    fn engine(&mut self, engine: Engine) -> &mut EngineState {
        let [render, copy, video, enhance] = &mut self.engines;
        match engine {
            Engine::Render => render,
            Engine::Copy => copy,
            Engine::Video => video,
            Engine::VideoEnhance => enhance,
        }
    }

    fn read_bar0(&mut self, at: u64, now: Time) -> u32 {
        if at < u64::from(registers::WINDOW) {
            let at = at as u32;
            self.core.counters.register_reads += 1;
            self.core.counters.side_band_accesses += u64::from(display::is_side_band(at));
            self.core.read_register(at, self.core.registers.lookup(RegisterOffset(at)), now)
        } else {
            at.checked_sub(ggtt::IN_BAR0).map_or(0, |offset| self.core.ggtt.read(offset))
        }
    }

    fn write_bar0(&mut self, at: u64, value: u32, fx: &mut Effects<Batch>) {
        if at < u64::from(registers::WINDOW) {
            let at = at as u32;
            self.core.counters.register_writes += 1;
            self.core.counters.side_band_accesses += u64::from(display::is_side_band(at));
            self.write_register(at, value, fx);
        } else if let Some(offset) = at.checked_sub(ggtt::IN_BAR0) {
            self.core.counters.ggtt_writes += 1;
            self.core.ggtt.write(offset, value);
        }
    }

    fn write_register(&mut self, at: u32, value: u32, fx: &mut Effects<Batch>) {
        let entry = self.core.registers.lookup(RegisterOffset(at));
        let behaviour = entry.map(|entry| (entry.class, entry.engine));
        match behaviour {
            Some((Class::Behaves(Behaviour::SubmitPort), Some(engine))) => {
                self.write_port(engine, value, fx);
            }
            Some((Class::Behaves(Behaviour::CsbPointer), Some(engine))) => {
                let merged = self.core.registers.write_masked(at, value);
                if value & 7 << 16 != 0 {
                    self.engine(engine).lists.set_csb_write(merged as u8);
                }
            }
            Some((Class::Behaves(Behaviour::GraphicsReset), _)) => self.graphics_reset(value, fx),
            _ => self.core.write_register(at, entry, value, fx),
        }
    }

    fn write_port(&mut self, engine: Engine, value: u32, fx: &mut Effects<Batch>) {
        match self.engine(engine).lists.write_port(value) {
            Ok(None) => {}
            Ok(Some(turn)) => {
                self.core.counters.submissions += 1;
                self.take_turn(engine, turn, fx);
            }
            Err(reason) => self.hang(engine, reason, fx),
        }
    }

    /// Carries out what the execlists decided, until the engine has nothing to do or waits.
    fn take_turn(&mut self, engine: Engine, mut turn: Turn, fx: &mut Effects<Batch>) {
        loop {
            self.publish(engine, &turn, fx);
            let started = match turn.next {
                Next::Idle => {
                    self.engine(engine).active = None;
                    return;
                }
                Next::Start(descriptor) => self.start(engine, descriptor, fx.now),
                Next::Extend(descriptor) => self.extend(engine, descriptor, fx.now),
                Next::Preempt => Ok(()),
            };
            if let Err(reason) = started {
                self.hang(engine, reason, fx);
                return;
            }
            match self.run(engine, fx) {
                Some(next) => turn = next,
                None => return,
            }
        }
    }

    /// Loads a context.
    fn start(
        &mut self,
        engine: Engine,
        descriptor: execlist::Descriptor,
        now: Time,
    ) -> Result<(), Reason> {
        let image = ContextImage::load(descriptor, engine, &self.core.ggtt, &self.core.ram)?;
        let mut commands = Vec::new();
        let (ggtt, ram) = (&self.core.ggtt, &self.core.ram);
        if let Some((at, bytes)) = image.indirect {
            context::copy(ggtt, ram, at, bytes as u32, &mut commands)?;
        }
        if let Some(at) = image.per_context_batch {
            // MI_BATCH_BUFFER_START into the GGTT: the ring interpreter takes the private copy.
            commands.extend([0x31 << 23 | 1, at.0 as u32, 0]);
        }
        let ring = image.commands(ggtt, ram)?;
        let (start, head, tail) = image.ring();
        for (at, value) in [(0x38, start), (0x34, head), (0x30, tail)] {
            self.core.registers.set(engine.base() + at, value);
        }
        self.engine(engine).active =
            Some(Active::new(engine, descriptor, image, commands, &ring, now));
        Ok(())
    }

    /// The context that runs has a new tail.
    fn extend(
        &mut self,
        engine: Engine,
        descriptor: execlist::Descriptor,
        now: Time,
    ) -> Result<(), Reason> {
        let Some(mut active) = self.engine(engine).active.take() else {
            return self.start(engine, descriptor, now);
        };
        let commands = active.image.extend(descriptor.image(), &self.core.ggtt, &self.core.ram)?;
        active.extend(&commands);
        self.engine(engine).active = Some(active);
        Ok(())
    }

    /// Runs the active context's ring. Returns the execlists' next turn if it came to its end.
    fn run(&mut self, engine: Engine, fx: &mut Effects<Batch>) -> Option<Turn> {
        if self.engine(engine).hung {
            return None;
        }
        let mut active = self.engine(engine).active.take()?;
        let others_wait = self.engine(engine).lists.wants_switch();
        let progress = active.run(others_wait, &mut bus(&mut self.core, fx, engine, &active));
        self.engine(engine).waiting = matches!(progress, Ok(Progress::Waiting));
        match progress {
            Ok(Progress::Complete) => {
                self.leave(engine, &active, fx.now);
                Some(self.engine(engine).lists.complete())
            }
            Ok(Progress::Interrupted) => {
                self.leave(engine, &active, fx.now);
                self.core.counters.preemptions += 1;
                Some(self.engine(engine).lists.preempted())
            }
            Ok(Progress::Blocked | Progress::Waiting) => {
                self.engine(engine).active = Some(active);
                None
            }
            Err(reason) => {
                self.engine(engine).active = Some(active);
                self.hang(engine, reason, fx);
                None
            }
        }
    }

    /// The active context's batch came back, with the rest of it in the image.
    fn interrupted(&mut self, engine: Engine, fx: &mut Effects<Batch>) -> Option<Turn> {
        let active = self.engine(engine).active.take()?;
        self.leave(engine, &active, fx.now);
        self.core.counters.preemptions += 1;
        Some(self.engine(engine).lists.preempted())
    }

    /// Rings that wait may wait for what `but`, another engine, has just done.
    fn look_again(&mut self, but: Engine, fx: &mut Effects<Batch>) {
        for engine in Engine::ALL {
            if engine != but
                && self.engine(engine).waiting
                && let Some(turn) = self.run(engine, fx)
            {
                self.take_turn(engine, turn, fx);
            }
        }
    }

    /// Saves the context that ran.
    fn leave(&mut self, engine: Engine, active: &Active, now: Time) {
        let head = active.head();
        let ran = ticks(now).wrapping_sub(ticks(active.began)) as u32;
        active.image.save(&self.core.ram, head, ran, active.fresh);
        self.core.registers.set(engine.base() + 0x34, head);
    }

    /// Writes status entries: to the registers and, as the guest reads them, to the status page; data first, then the
    /// write pointer, then the interrupt.
    fn publish(&mut self, engine: Engine, turn: &Turn, fx: &mut Effects<Batch>) {
        let base = engine.base();
        let page = self.core.status_page(engine);
        for entry in &turn.csb {
            let at = u32::from(entry.index) * 8;
            self.core.registers.set(base + 0x370 + at, entry.why.bits());
            self.core.registers.set(base + 0x374 + at, entry.context);
            if let Some(page) = page {
                let value = u64::from(entry.context) << 32 | u64::from(entry.why.bits());
                // A guest without a status page there sees no entry, as on silicon.
                let _ = self.core.store_ggtt(page.0 + 0x40 + u64::from(at), &value.to_le_bytes());
                let _ = self.core.store_ggtt(page.0 + 0x7C, &u32::from(entry.index).to_le_bytes());
            }
        }
        debug_assert!(turn.csb.iter().all(|entry| entry.index < CSB_ENTRIES));
        self.show_status(engine);
        if turn.csb.is_empty() {
            return;
        }
        if turn.csb.iter().all(|entry| entry.acknowledges()) {
            self.engine(engine).held_interrupt.get_or_insert(fx.now + HOLD_INTERRUPT);
        } else {
            self.tell_context_switch(engine, fx);
        }
    }

    fn tell_context_switch(&mut self, engine: Engine, fx: &mut Effects<Batch>) {
        self.engine(engine).held_interrupt = None;
        self.core.raise(Event::Engine(engine, EngineEvent::ContextSwitch), fx);
    }

    fn show_status(&mut self, engine: Engine) {
        let lists = &self.engine(engine).lists;
        let (low, high) = lists.status();
        let pointer = u32::from(lists.csb_write());
        let base = engine.base();
        self.core.registers.set(base + 0x234, low);
        self.core.registers.set(base + 0x238, high);
        self.core.registers.update(base + 0x3A0, 7, pointer);
    }

    /// The engine can't go on: as on silicon it just stands still, until the guest's driver notices and resets it.
    fn hang(&mut self, engine: Engine, reason: Reason, fx: &mut Effects<Batch>) {
        self.core.counters.hangs += 1;
        self.engine(engine).hung = true;
        self.engine(engine).waiting = false;
        self.cancel(engine, fx);
        // What cuts the guest off is told once.
        if fx.quarantine.is_none() {
            fx.failed.push(reason);
        }
    }

    fn cancel(&mut self, engine: Engine, fx: &mut Effects<Batch>) {
        if let Some(active) = self.engine(engine).active.take() {
            fx.cancel.extend(active.jobs());
        }
    }

    /// The guest writes reset domains; they read back zero at once.
    fn graphics_reset(&mut self, domains: u32, fx: &mut Effects<Batch>) {
        let full = domains & 1 != 0;
        for engine in Engine::ALL {
            if full || domains & engine.reset_bit() != 0 {
                self.reset_engine(engine, fx);
            }
        }
        if full {
            self.core.registers.reset_below(GT_REGISTERS_END);
            for engine in Engine::ALL {
                self.show_status(engine);
            }
        }
    }

    fn reset_engine(&mut self, engine: Engine, fx: &mut Effects<Batch>) {
        self.core.counters.engine_resets += 1;
        self.cancel(engine, fx);
        *self.engine(engine) = EngineState::new();
        self.show_status(engine);
    }
}

fn bus<'a, 'b>(
    core: &'a mut Core,
    fx: &'b mut Effects<Batch>,
    engine: Engine,
    active: &Active,
) -> RingBus<'a, 'b> {
    RingBus { core, fx, engine, space: active.image.space, context: active.descriptor.image() }
}

/// Splits an access into its dwords: offset of the dword, byte within, and the bytes of the buffer.
fn dwords(
    offset: u64,
    length: usize,
) -> impl Iterator<Item = (u64, usize, std::ops::Range<usize>)> {
    let mut done = 0;
    std::iter::from_fn(move || {
        let at = offset.checked_add(done as u64)?;
        let within = (at & 3) as usize;
        let part = (4 - within).min(length - done);
        let range = done..done + part;
        done += part;
        (part > 0).then_some((at & !3, within, range))
    })
}

impl VirtualGpu<Batch> for Vgpu {
    fn regions(&self) -> &[RegionInfo] {
        &self.regions
    }

    fn mappable(&self) -> Option<Mappable> {
        Some(ggtt::PART)
    }

    fn share(&mut self, pages: SharedPages) {
        self.core.ggtt.share(pages);
    }

    fn read(&mut self, at: Place, to: &mut [u8], fx: &mut Effects<Batch>) {
        match at.region {
            Region::Bar(0) => {
                for (dword, within, part) in dwords(at.offset, to.len()) {
                    let value = self.read_bar0(dword, fx.now).to_le_bytes();
                    for (byte, value) in to
                        .get_mut(part)
                        .unwrap_or(&mut [])
                        .iter_mut()
                        .zip(value.iter().skip(within))
                    {
                        *byte = *value;
                    }
                }
            }
            Region::Bar(2) => {
                self.core.counters.aperture_accesses += 1;
                self.core.read_aperture(at.offset, to);
            }
            Region::Config => self.config.read(at.offset, to),
            Region::Rom => {
                let from = usize::try_from(at.offset)
                    .ok()
                    .and_then(|at| self.rom.get(at..))
                    .unwrap_or(&[]);
                to.fill(0);
                to.iter_mut().zip(from).for_each(|(to, from)| *to = *from);
            }
            Region::Bar(_) => to.fill(0),
        }
    }

    fn write(&mut self, at: Place, from: &[u8], fx: &mut Effects<Batch>) {
        match at.region {
            Region::Bar(0) => {
                for (dword, within, part) in dwords(at.offset, from.len()) {
                    let from = from.get(part).unwrap_or(&[]);
                    // A write of less than a dword keeps the other bytes.
                    let mut bytes = if from.len() == 4 {
                        [0; 4]
                    } else {
                        self.read_bar0(dword, fx.now).to_le_bytes()
                    };
                    bytes.iter_mut().skip(within).zip(from).for_each(|(to, from)| *to = *from);
                    self.write_bar0(dword, u32::from_le_bytes(bytes), fx);
                }
            }
            Region::Bar(2) => {
                self.core.counters.aperture_accesses += 1;
                self.core.write_aperture(at.offset, from);
            }
            Region::Config => self.config.write(at.offset, from),
            Region::Bar(_) | Region::Rom => {}
        }
    }

    fn finished(&mut self, job: JobId, end: JobEnd, fx: &mut Effects<Batch>) {
        for engine in Engine::ALL {
            let Some(mut active) = self.engine(engine).active.take() else { continue };
            let outcome = active.finished(job, &end, &mut bus(&mut self.core, fx, engine, &active));
            self.engine(engine).active = Some(active);
            match outcome {
                None => continue,
                Some(Ok(returned)) => {
                    let turn = match returned {
                        Returned::Finished => self.run(engine, fx),
                        Returned::Unfinished => self.interrupted(engine, fx),
                    };
                    if let Some(turn) = turn {
                        self.take_turn(engine, turn, fx);
                    }
                    self.look_again(engine, fx);
                }
                Some(Err(reason)) => {
                    let refused = matches!(&end, JobEnd::Fault(why) if audit::is_refusal(why));
                    self.core.counters.refused_at_fetch += u64::from(refused);
                    self.hang(engine, reason, fx);
                }
            }
            return;
        }
    }

    fn tick(&mut self, fx: &mut Effects<Batch>) -> Option<Time> {
        let mut next = self.core.tick_display(fx);
        for engine in Engine::ALL {
            if self.engine(engine).waiting
                && let Some(turn) = self.run(engine, fx)
            {
                self.take_turn(engine, turn, fx);
            }
            let state = self.engine(engine);
            let again = state.waiting.then(|| fx.now + LOOK_AGAIN);
            match state.held_interrupt {
                Some(due) if due <= fx.now => self.tell_context_switch(engine, fx),
                held => next = next.into_iter().chain(held).min(),
            }
            next = next.into_iter().chain(again).min();
        }
        next
    }

    fn scan_out(&self) -> ScanOut {
        self.core.display.scan_out(&self.core.registers, &self.core.ggtt)
    }

    fn plug(&mut self, plug: Plug, fx: &mut Effects<Batch>) {
        self.core.plug(plug, fx);
    }

    fn reset(&mut self, kind: Reset, fx: &mut Effects<Batch>) {
        for engine in Engine::ALL {
            self.cancel(engine, fx);
            *self.engine(engine) = EngineState::new();
        }
        self.core.reset();
        self.config = PciConfig::new(self.part, self.aperture, rom::SIZE as u32);
        if kind == Reset::Disconnect {
            self.core.counters = core::Counters::default();
        }
    }

    fn save(&self, out: &[Job<Batch>], _: &mut Effects<Batch>) -> Result<Saved, SaveError> {
        self.saved(out)
    }

    fn restore(
        &mut self,
        saved: &Saved,
        ahead: Duration,
        fx: &mut Effects<Batch>,
    ) -> Result<(), RestoreError> {
        self.become_saved(saved, ahead, fx)
    }

    fn unknown_accesses(&self) -> Vec<UnknownAccess> {
        let place = |offset: u32| Place { region: Region::Bar(0), offset: u64::from(offset) };
        self.core
            .registers
            .unknown()
            .map(|(at, touched)| UnknownAccess {
                place: place(at),
                reads: touched.reads,
                writes: touched.writes,
            })
            .collect()
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        let c = &self.core.counters;
        vec![
            ("register_reads", c.register_reads),
            ("register_writes", c.register_writes),
            ("unknown_accesses", c.unknown_accesses),
            ("side_band_accesses", c.side_band_accesses),
            ("ggtt_writes", c.ggtt_writes),
            ("ggtt_bytes", self.core.ggtt.allocated()),
            ("aperture_accesses", c.aperture_accesses),
            ("submissions", c.submissions),
            ("batches", c.batches),
            ("batches_scanned", c.batches_scanned),
            ("commands_scanned", c.commands_scanned),
            ("bytes_scanned", c.bytes_scanned),
            ("refused_at_scan", c.refused_at_scan),
            ("refused_at_fetch", c.refused_at_fetch),
            ("interrupts", c.interrupts),
            ("engine_resets", c.engine_resets),
            ("hangs", c.hangs),
            ("preemptions", c.preemptions),
            ("ring_commands_skipped", c.ring_commands_skipped),
            ("ring_writes_dropped", c.ring_writes_dropped),
            ("page_table_notices", c.page_table_notices),
        ]
    }
}
