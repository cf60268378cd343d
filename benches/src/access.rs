//! Accesses of a guest, by what the virtual GPU has to do for them: from the decoded message to the end of its
//! handling. Socket and VMM are not in it.

use std::time::{Duration, Instant};

use gpu_intel::driver::{Driver, FREE, MEMORY};
use gpu_intel::engine::Engine;
use gpu_intel::silicon::Batch;
use gpu_intel::{Vgpu, VgpuConfig};
use mediator::{Effects, GuestRam, Place, Region, Time, VirtualGpu};

/// One access.
#[derive(Clone, Copy, Debug)]
pub enum Access {
    /// Of four bytes.
    Read(Place),
    /// Of four bytes.
    Write(Place, u32),
    /// Of eight bytes.
    WriteWide(Place, u64),
}

/// Accesses of one kind.
#[derive(Clone, Debug)]
pub struct Class {
    /// Its name, fit for a bench: `timestamp`.
    pub name: &'static str,
    /// What comes before each round, outside of what is measured.
    pub before: Vec<Access>,
    /// A round.
    pub round: Vec<Access>,
}

/// Accesses in a round: enough that reading the clock twice does not count.
const ROUND: usize = 64;

const fn register(offset: u64) -> Place {
    Place { region: Region::Bar(0), offset }
}

const DE_PORT_IIR: Place = register(0x4_4448);
const MASTER: Place = register(0x4_4200);

/// A transfer on port B that reads sixteen bytes of the monitor's configuration data, and interrupts when it is over.
const AUX: [Access; 2] = [
    Access::Write(register(0x6_4114), 0x9000_000F),
    Access::Write(register(0x6_4110), 0xA040_0000),
];

fn class(name: &'static str, accesses: &[Access]) -> Class {
    let round = accesses.iter().copied().cycle().take(ROUND.max(accesses.len())).collect();
    Class { name, before: Vec::new(), round }
}

/// The accesses of registers that only store: what [`Class::is_plain`] is about.
const PLAIN: [&str; 2] = ["plain read", "plain write"];

impl Class {
    /// Whether the register only stores.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        PLAIN.contains(&self.name)
    }

    /// All classes.
    #[must_use]
    pub fn all() -> Vec<Self> {
        use Access::{Read, Write, WriteWide};
        let scratch = |n: u64| register(0x4_F000 + 4 * n);
        let entry = |n: u64| register((8 << 20) + 8 * n);
        let aperture = |n: u64| Place { region: Region::Bar(2), offset: FREE + 4 * n };
        let config = |offset| Place { region: Region::Config, offset };
        let unknown = |n: u64| register(0x17_0000 + 4 * n);
        let port = |engine: Engine| register(u64::from(engine.base()) + 0x230);
        let resets = Engine::ALL.map(|engine| Write(register(0x941C), engine.reset_bit()));
        vec![
            class(PLAIN[0], &[Read(scratch(0)), Read(scratch(1))]),
            class(PLAIN[1], &[Write(scratch(0), 1), Write(scratch(1), 2)]),
            class("masked write", &[Write(register(0x20C0), 0x0001_0001)]),
            class("timestamp", &[Read(register(0x2358)), Read(register(0x235C))]),
            class("display timestamp", &[Read(register(0x4_4070))]),
            class("frame and scan line", &[Read(register(0x7_0040)), Read(register(0x7_0000))]),
            // With an interrupt pending: each write looks at all of them, each opened master delivers.
            Class {
                before: AUX.to_vec(),
                ..class("interrupt identity", &[Read(DE_PORT_IIR), Write(DE_PORT_IIR, 0)])
            },
            Class {
                before: AUX.to_vec(),
                ..class(
                    "interrupt mask",
                    &[Write(register(0x4_4444), u32::MAX), Write(register(0x4_4444), 0)],
                )
            },
            Class {
                before: AUX.to_vec(),
                ..class("interrupt master", &[Write(MASTER, 0), Write(MASTER, 1 << 31)])
            },
            class("pcode", &[Write(register(0x13_8124), 0x8000_0006)]),
            class("AUX transfer", &AUX[1..]),
            class(
                "plane surface",
                &[Write(register(0x7_019C), 0x1000), Write(register(0x7_019C), 0)],
            ),
            class("cursor", &[Write(register(0x7_0084), 0x1000)]),
            class("engine reset", &resets),
            class("reset of the whole GT", &[Write(register(0x941C), 1)]),
            class("TLB invalidation", &[Write(register(0x4260), 1)]),
            class("forcewake", &[Write(register(0xA278), 0x1_0001), Read(register(0xD84))]),
            class("fence register", &[Write(register(0x10_0000), 1)]),
            class("unknown offset", &[Read(unknown(0)), Write(unknown(1), 7)]),
            // More offsets than the list of them keeps.
            class(
                "many unknown offsets",
                &(0..0x2000).map(|n| Write(unknown(n), 1)).collect::<Vec<_>>(),
            ),
            class(
                "GGTT entry",
                &(0..0x1000)
                    .map(|n| WriteWide(entry(0x1_0000 + n), n << 12 | 1))
                    .collect::<Vec<_>>(),
            ),
            class("GGTT entry read", &[Read(entry(0))]),
            class("aperture read", &[Read(aperture(0)), Read(aperture(1))]),
            class("aperture write", &[Write(aperture(0), 1), Write(aperture(1), 2)]),
            class("configuration read", &[Read(config(0)), Read(config(0x10))]),
            class("configuration write", &[Write(config(0x4), 6)]),
            // All but the dword that submits.
            Class {
                before: resets.to_vec(),
                ..Self {
                    name: "submission port",
                    before: Vec::new(),
                    round: Engine::ALL.iter().flat_map(|&e| [Write(port(e), 0); 3]).collect(),
                }
            },
        ]
    }
}

/// A virtual GPU that a driver has started.
#[derive(Debug)]
pub struct Rig {
    vgpu: Vgpu,
    now: Time,
}

impl Rig {
    /// Starts it.
    ///
    /// # Panics
    /// When the host has no memory for it.
    #[must_use]
    pub fn new() -> Self {
        let ram = GuestRam::anonymous(MEMORY).expect("memory for a guest");
        let edid =
            display::Monitor::new("1920x1080@60".parse().expect("a mode")).edid().expect("an EDID");
        let vgpu = Vgpu::new(
            VgpuConfig { edid: edid.bytes().to_vec(), ..VgpuConfig::default() },
            ram.clone(),
        )
        .expect("memory for its tables");
        let mut rig = Self { vgpu, now: Time(1) };
        Driver::start(ram, &mut |at, value| rig.act(Access::Write(register(at), value)))
            .expect("memory at its place");
        // The side band's interrupt, and memory space for configuration space's BARs.
        rig.act(Access::Write(register(0x4_4444), 0));
        rig.act(Access::Write(register(0x4_444C), u32::MAX));
        rig
    }

    fn act(&mut self, access: Access) {
        self.now = Time(self.now.0 + 1000);
        let mut fx: Effects<Batch> = Effects::at(self.now);
        match access {
            Access::Read(at) => {
                let mut to = [0; 4];
                self.vgpu.read(at, &mut to, &mut fx);
                std::hint::black_box(to);
            }
            Access::Write(at, value) => self.vgpu.write(at, &value.to_le_bytes(), &mut fx),
            Access::WriteWide(at, value) => self.vgpu.write(at, &value.to_le_bytes(), &mut fx),
        }
        std::hint::black_box(&fx);
    }

    /// Lets what takes its time come to its end, such as a side-band transfer's interrupt.
    fn pass_time(&mut self) {
        self.now = Time(self.now.0 + 10_000_000);
        let mut fx: Effects<Batch> = Effects::at(self.now);
        self.vgpu.tick(&mut fx);
    }

    /// What a round's accesses take together.
    pub fn round(&mut self, class: &Class) -> Duration {
        class.before.iter().for_each(|access| self.act(*access));
        self.pass_time();
        let begin = Instant::now();
        class.round.iter().for_each(|access| self.act(*access));
        begin.elapsed()
    }
}

impl Default for Rig {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_does_what_it_is_named_for() {
        for class in Class::all() {
            let mut rig = Rig::new();
            rig.round(&class);
            let unknown = rig.vgpu.unknown_accesses().len();
            assert_eq!(unknown > 0, class.name.contains("unknown"), "{}", class.name);
            let mut fx = Effects::at(Time(0));
            rig.vgpu.tick(&mut fx);
            assert!(fx.failed.is_empty() && fx.jobs.is_empty());
        }
    }

    #[test]
    fn an_opened_master_delivers_each_time() {
        let mut rig = Rig::new();
        AUX.iter().for_each(|access| rig.act(*access));
        rig.pass_time();
        let mut fx = Effects::<Batch>::at(Time(0));
        for value in [0, 1 << 31, 0, 1_u32 << 31] {
            rig.vgpu.write(MASTER, &value.to_le_bytes(), &mut fx);
        }
        assert_eq!(fx.interrupts.len(), 2);
        let mut monitor = [0; 4];
        rig.vgpu.read(register(0x6_4114), &mut monitor, &mut fx);
        assert_eq!(u32::from_le_bytes(monitor) >> 16, 0x0012, "an answer: acknowledged, DPCD 1.2");
    }
}
