//! The register window: 2 MiB of dwords, each with a class that says what a write does.
//!
//! ```text
//!  offset ──► class (a static table, one entry a register) ──► value (this vGPU's 2 MiB, zero pages until touched)
//!                │
//!                └─ Behaviour: the device does the rest (../core.rs)
//! ```
//!
//! The tables are the device's documentation: [`ENGINE`](engine::ENGINE), [`GT`](gt::GT), [`DISPLAY`](display::DISPLAY)
//! [`PVINFO`](pvinfo::PRESENT), and, laid over them, [`BROXTON`](broxton::BROXTON). An offset that none of them names is *unknown*: it acts as memory, so that a guest
//! which only parks a value there works, and every touch of it is counted and listed.

mod broxton;
mod display;
mod engine;
mod gt;
mod pvinfo;

pub(crate) use engine::MODE_IDLE;
pub(crate) use gt::FORCEWAKE;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::OnceLock;

use guest_shim::wire::Topology;

use super::config::{Aperture, Presence};
use super::ggtt::APERTURE;
use super::saved::Words;
use super::zero_pages::ZeroPages;
use crate::address::RegisterOffset;
use crate::engine::Engine;
use crate::platform::Platform;

/// Bytes of the register window (BAR0, below the GGTT's entries).
pub(crate) const WINDOW: u32 = 2 << 20;
const DWORDS: usize = (WINDOW / 4) as usize;
/// Unknown offsets that are listed by name; further ones only count.
const UNKNOWN_LIMIT: usize = 4096;

/// What a register does when it is written. Reads give the stored value, but for some of the behaviours.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Class {
    /// Keeps what is written.
    Memory,
    /// Ignores writes.
    ReadOnly,
    /// Bits 31:16 select which of 15:0 change.
    Masked,
    /// Writing ones clears those bits.
    ClearOnes,
    /// A command that is over at once: reads back zero.
    Zero,
    /// Keeps a function of what is written (request bits answered by state bits).
    Answers(fn(u32) -> u32),
    /// The device acts.
    Behaves(Behaviour),
}

/// What the device does at registers that are more than storage. Engine registers carry their engine beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Execlist submission port.
    SubmitPort,
    /// Context status buffer pointers.
    CsbPointer,
    /// Masked engine reset request and its ready bit.
    ResetControl,
    /// Masked MI_MODE: stop request and idle bit.
    EngineMode,
    /// 36-bit timestamp, low and high dword.
    Timestamp,
    TimestampHigh,
    /// Microseconds.
    MicrosecondTimestamp,
    /// Graphics reset domains.
    GraphicsReset,
    /// Interrupt registers: mask, identity, enable, and the master.
    InterruptMask,
    InterruptIdentity,
    InterruptEnable,
    InterruptMaster,
    /// Power controller's mailbox.
    PcodeMailbox,
    /// PVINFO: page-table and context notifications.
    GuestToHost,
    /// Fence registers, in dwords.
    Fence,
    /// Pipe: frame counter, flip counter and scan line, all from the clock.
    FrameCount,
    ScanLine,
    /// Transcoder configuration: pipe on and off.
    TranscoderConf,
    /// Checksums of what a pipe shows.
    ChecksumControl,
    Checksum,
    /// Plane and cursor surfaces: arm a flip.
    PlaneSurface,
    CursorBase,
    /// DisplayPort side band.
    AuxControl,
    /// Link training.
    TrainingControl,
    /// A write to all lanes of a PHY's port at once.
    PhyGroup,
    /// Hot-plug detection: enable bits, and what happened.
    HotPlugControl,
    /// I2C to a monitor.
    GmbusSelect,
    GmbusCommand,
}

/// One line of a table: `count` registers, `step` bytes apart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Register {
    pub(crate) at: u32,
    pub(crate) count: u32,
    pub(crate) step: u32,
    pub(crate) name: &'static str,
    pub(crate) class: Class,
    pub(crate) reset: u32,
}

impl Register {
    const fn new(at: u32, name: &'static str, class: Class) -> Self {
        Self { at, count: 1, step: 4, name, class, reset: 0 }
    }
    /// With a value after reset.
    const fn reset(mut self, value: u32) -> Self {
        self.reset = value;
        self
    }
    /// An array of `count` registers, `step` bytes apart.
    const fn times(mut self, count: u32, step: u32) -> Self {
        self.count = count;
        self.step = step;
        self
    }
    fn offsets(&self) -> impl Iterator<Item = u32> + use<> {
        let (at, step) = (self.at, self.step);
        (0..self.count).map(move |n| at + n * step)
    }
}

const fn memory(at: u32, name: &'static str) -> Register {
    Register::new(at, name, Class::Memory)
}
const fn read_only(at: u32, name: &'static str, value: u32) -> Register {
    Register::new(at, name, Class::ReadOnly).reset(value)
}
const fn masked(at: u32, name: &'static str) -> Register {
    Register::new(at, name, Class::Masked)
}
const fn zero(at: u32, name: &'static str) -> Register {
    Register::new(at, name, Class::Zero)
}
const fn clear_ones(at: u32, name: &'static str) -> Register {
    Register::new(at, name, Class::ClearOnes)
}
const fn answers(at: u32, name: &'static str, f: fn(u32) -> u32) -> Register {
    Register::new(at, name, Class::Answers(f))
}
const fn behaves(at: u32, name: &'static str, behaviour: Behaviour) -> Register {
    Register::new(at, name, Class::Behaves(behaviour))
}

/// A register as the device looks it up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry {
    pub(crate) class: Class,
    pub(crate) engine: Option<Engine>,
    #[expect(dead_code, reason = "names are for debuggers and the listing to come")]
    pub(crate) name: &'static str,
}

/// The tables, indexed by dword. Built once for the process.
struct Map {
    entries: Vec<Entry>,
    /// Per dword: 0 for unknown, else the index of its entry plus one.
    index: Vec<u16>,
    /// Values after reset that are not zero.
    resets: Vec<(u32, u32)>,
}

impl Map {
    fn get(platform: Platform, presence: Presence) -> &'static Self {
        static MAPS: [[OnceLock<Map>; 2]; 2] = [const { [const { OnceLock::new() }; 2] }; 2];
        let [common, broxton] = &MAPS;
        let (maps, own) = match platform {
            Platform::Broxton => (broxton, broxton::BROXTON),
            _ => (common, [].as_slice()),
        };
        let [virtual_gpu, bare] = maps;
        match presence {
            Presence::Virtual => virtual_gpu.get_or_init(|| Self::build(pvinfo::PRESENT, own)),
            Presence::Bare => bare.get_or_init(|| Self::build(pvinfo::ABSENT, own)),
        }
    }

    /// The common tables, with a part's own laid over them.
    fn build(pvinfo: &[Register], own: &[Register]) -> Self {
        let mut map = Self { entries: Vec::new(), index: vec![0; DWORDS], resets: Vec::new() };
        for engine in Engine::ALL {
            for register in engine::ENGINE {
                map.add(register, engine.base(), Some(engine));
            }
        }
        for register in gt::GT.iter().chain(display::DISPLAY).chain(pvinfo) {
            map.add(register, 0, None);
        }
        for (base, step, registers) in display::PER_PIPE {
            for pipe in 0..3 {
                for register in *registers {
                    map.add(register, base + pipe * step, None);
                }
            }
        }
        for register in own {
            map.add(register, 0, None);
        }
        map
    }

    fn add(&mut self, register: &Register, base: u32, engine: Option<Engine>) {
        let entry = Entry { class: register.class, engine, name: register.name };
        self.entries.push(entry);
        let number = u16::try_from(self.entries.len()).unwrap_or(0);
        for at in register.offsets() {
            if let Some(slot) = self.index.get_mut(((base + at) / 4) as usize) {
                *slot = number;
            }
            self.resets.retain(|(other, _)| *other != base + at);
            if register.reset != 0 {
                self.resets.push((base + at, register.reset));
            }
        }
    }

    fn entry(&self, at: u32) -> Option<&Entry> {
        let number = *self.index.get((at / 4) as usize)?;
        self.entries.get(usize::from(number).checked_sub(1)?)
    }
}

/// Reads and writes of one unknown offset.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Touched {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

/// The values of one vGPU's registers.
pub(crate) struct RegisterFile {
    platform: Platform,
    topology: Topology,
    /// What PVINFO offers of the aperture, in bytes; 0 without PVINFO.
    mappable: u32,
    map: &'static Map,
    values: ZeroPages,
    unknown: BTreeMap<u32, Touched>,
}

impl RegisterFile {
    /// Registers as after power-on.
    pub(crate) fn new(
        platform: Platform,
        topology: Topology,
        presence: Presence,
        aperture: Aperture,
    ) -> io::Result<Self> {
        let mappable = match presence {
            Presence::Virtual => (aperture.bytes() + pvinfo::OWN_PAGES).min(APERTURE) as u32,
            Presence::Bare => 0,
        };
        let mut file = Self {
            platform,
            topology,
            mappable,
            map: Map::get(platform, presence),
            values: ZeroPages::new(WINDOW as usize)?,
            unknown: BTreeMap::new(),
        };
        file.reset_below(WINDOW);
        Ok(file)
    }

    /// Puts every register below `end` back to its value after reset.
    pub(crate) fn reset_below(&mut self, end: u32) {
        if end >= WINDOW {
            self.values.clear();
        } else {
            self.values.clear_below(end as usize);
        }
        for (at, value) in self.map.resets.iter().copied().chain(gt::fuses(self.topology)) {
            if at < end {
                self.set(at, value);
            }
        }
        if pvinfo::MAPPABLE_SIZE < end {
            self.set(pvinfo::MAPPABLE_SIZE, self.mappable);
        }
    }

    /// The values that are not zero, in pairs of registers.
    pub(crate) fn words(&self) -> Words {
        Words::collect(self.values.words())
    }

    /// These values and no others.
    pub(crate) fn load(&mut self, words: &Words) {
        self.values.clear();
        words.iter().for_each(|(index, word)| self.values.set_word(index, word));
    }

    /// The part whose registers these are.
    pub(crate) fn platform(&self) -> Platform {
        self.platform
    }

    /// What the tables say of the register at `at`; `None` for an unknown one.
    pub(crate) fn lookup(&self, at: RegisterOffset) -> Option<&'static Entry> {
        self.map.entry(at.0)
    }

    /// The stored value.
    pub(crate) fn get(&self, at: u32) -> u32 {
        self.values.get_u32((at & !3) as usize)
    }

    /// Stores a value, whatever the register's class.
    pub(crate) fn set(&mut self, at: u32, value: u32) {
        self.values.set_u32((at & !3) as usize, value);
    }

    /// Changes bits of the stored value.
    pub(crate) fn update(&mut self, at: u32, clear: u32, set: u32) {
        self.set(at, self.get(at) & !clear | set);
    }

    /// Stores what a masked register becomes when `value` is written to it, and returns it.
    pub(crate) fn write_masked(&mut self, at: u32, value: u32) -> u32 {
        let mask = value >> 16;
        let merged = self.get(at) & !mask | value & mask;
        self.set(at, merged & 0xFFFF);
        merged & 0xFFFF
    }

    /// Writes a register that is only storage; behaviours are the caller's.
    pub(crate) fn write_storage(&mut self, at: u32, class: Class, value: u32) {
        match class {
            Class::Memory => self.set(at, value),
            Class::ReadOnly => {}
            Class::Masked => {
                self.write_masked(at, value);
            }
            Class::ClearOnes => self.update(at, value, 0),
            Class::Zero => self.set(at, 0),
            Class::Answers(answer) => self.set(at, answer(value)),
            Class::Behaves(_) => {}
        }
    }

    /// Counts a touch of an unknown offset.
    pub(crate) fn touch_unknown(&mut self, at: u32, write: bool) {
        if self.unknown.len() >= UNKNOWN_LIMIT && !self.unknown.contains_key(&at) {
            return;
        }
        let touched = self.unknown.entry(at).or_default();
        if write { touched.writes += 1 } else { touched.reads += 1 }
    }

    /// The unknown offsets that were touched, in order.
    pub(crate) fn unknown(&self) -> impl Iterator<Item = (u32, Touched)> + '_ {
        self.unknown.iter().map(|(at, touched)| (*at, *touched))
    }
}

impl fmt::Debug for RegisterFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RegisterFile").field("unknown", &self.unknown).finish_non_exhaustive()
    }
}

#[cfg(test)]
impl RegisterFile {
    /// Registers of a part, all else as usual.
    pub(crate) fn of(platform: Platform) -> Self {
        Self::new(platform, platform.part().topology, Presence::default(), Aperture::default())
            .unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_register_is_described_twice() {
        let mut seen = BTreeMap::new();
        let mut twins = Vec::new();
        let mut check = |register: &Register, base: u32| {
            for at in register.offsets() {
                if let Some(twin) = seen.insert(base + at, register.name) {
                    twins.push(format!("{:#x}: {} and {twin}", base + at, register.name));
                }
                assert!(base + at < WINDOW && at % 4 == 0, "{}", register.name);
            }
        };
        for engine in Engine::ALL {
            engine::ENGINE.iter().for_each(|r| check(r, engine.base()));
        }
        gt::GT.iter().chain(display::DISPLAY).chain(pvinfo::PRESENT).for_each(|r| check(r, 0));
        for (base, step, registers) in display::PER_PIPE {
            for pipe in 0..3 {
                registers.iter().for_each(|r| check(r, base + pipe * step));
            }
        }
        assert_eq!(twins, Vec::<String>::new());
    }

    #[test]
    fn a_part_s_own_registers_lie_over_the_common_ones() {
        let override_after_reset = Platform::ALL.map(|p| RegisterFile::of(p).get(0x4_4074));
        assert_eq!(override_after_reset, [0, 0, 0, 10]);
    }

    #[test]
    fn fuses_say_what_is_there() {
        let units = [[0xff, 0x7f, 0xff, 0], [0xff, 0xff, 0x3f, 0], [0; 4]];
        let topology = Topology::new(0b011, 0b0111, units);
        let (presence, aperture) = <(Presence, Aperture)>::default();
        let mut file = RegisterFile::new(Platform::Skylake, topology, presence, aperture).unwrap();
        file.set(0x9120, 0);
        file.reset_below(0x1_0000);
        assert_eq!(file.get(0x9120), 0b011 << 25 | 0b1000 << 20);
        assert_eq!([file.get(0x9134), file.get(0x9138)], [0xff00_8000, 0xffc0_0000]);
    }

    #[test]
    fn a_masked_register_keeps_what_its_mask_leaves_alone() {
        let mut file = RegisterFile::of(Platform::default());
        assert_eq!(file.write_masked(0x20C0, 0x0101_0101), 0x0101);
        assert_eq!(file.write_masked(0x20C0, 0x0001_0000), 0x0100);
        assert_eq!(file.get(0x20C0), 0x0100);
    }

    #[test]
    fn the_list_of_unknown_offsets_is_bounded() {
        let mut file = RegisterFile::of(Platform::default());
        for n in 0..10_000 {
            file.touch_unknown(n * 4, true);
        }
        assert_eq!(file.unknown().count(), UNKNOWN_LIMIT);
    }
}
