//! What a client of the paravirtual way has of a Gen9 GPU: spaces whose tables are written here, and contexts whose images
//! lie beside them. Batches are audited as those of trapped guests are.

use std::time::Duration;

use foldhash::HashMap;
use guest_shim::wire::{Device, Engine as WireEngine, Fault, GpuAddress};
use mediator::{
    ClientGpu, ClientSetup, ContextKey, EngineClass, EngineId, GuestAddress, GuestRam, Reason,
    SpaceRoot,
};

use crate::address::PpgttAddress;
use crate::audit::Verdict;
use crate::engine::Engine;
use crate::gtt::{Pages, TableError, Tables};
use crate::platform::{Part, Platform};
use crate::scan::Scan;
use crate::silicon::Batch;

/// Ticks a second of the time stamps (i915: 12 MHz on Gen9, 19.2 MHz on its low-power parts).
const TIMESTAMP_HZ: u64 = 12_000_000;
const LOW_POWER_TIMESTAMP_HZ: u64 = 19_200_000;
const ADDRESS_BITS: u8 = 48;
const VENDOR: u16 = 0x8086;
/// Pages of a context's image: status page, registers, the 3D pipeline's state.
const IMAGE_PAGES: usize = 3;

/// A client's spaces and contexts.
#[derive(Debug)]
pub struct Client {
    platform: Platform,
    part: Part,
    ram: GuestRam,
    pool: Pages,
    spaces: HashMap<SpaceRoot, Tables>,
    contexts: HashMap<ContextKey, Context>,
    next_context: u64,
    scan: Scan,
    scanned: u64,
    refused: u64,
}

#[derive(Debug)]
struct Context {
    space: SpaceRoot,
    engine: Engine,
    image: Vec<GuestAddress>,
    /// Whether its image has a state.
    begun: bool,
}

impl Client {
    /// A client of a `platform`.
    #[must_use]
    pub fn new(platform: Platform, setup: ClientSetup) -> Self {
        Self {
            platform,
            part: platform.part(),
            pool: Pages::new(setup.ram.clone(), setup.tables),
            ram: setup.ram,
            spaces: HashMap::default(),
            contexts: HashMap::default(),
            next_context: 0,
            scan: Scan::default(),
            scanned: 0,
            refused: 0,
        }
    }

    /// The same, of another part of the platform than vgate shows.
    #[must_use]
    pub fn of(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    fn tables(&mut self, space: SpaceRoot) -> Result<(&mut Tables, &mut Pages), Fault> {
        let tables = self.spaces.get_mut(&space).ok_or(Fault::Gone)?;
        Ok((tables, &mut self.pool))
    }
}

fn fault(error: TableError) -> Fault {
    match error {
        TableError::Full => Fault::Quota,
        TableError::Range => Fault::Range,
        TableError::Memory(_) => Fault::Gone,
    }
}

/// An engine's class on the wire.
fn class(class: EngineClass) -> u16 {
    match class {
        EngineClass::Render => 0,
        EngineClass::Copy => 1,
        EngineClass::Video => 2,
        EngineClass::VideoEnhance => 3,
    }
}

impl ClientGpu<Batch> for Client {
    fn device(&self) -> Device {
        let engines = Engine::ALL.map(|engine| {
            let class = class(engine.info().class);
            WireEngine { class, instance: 0 }
        });
        let timestamp_hz = match self.platform {
            Platform::Broxton => LOW_POWER_TIMESTAMP_HZ,
            _ => TIMESTAMP_HZ,
        };
        let Part { device, revision, topology } = self.part;
        let identity = (VENDOR, device, revision);
        Device::new(identity, ADDRESS_BITS, timestamp_hz, engines).laid_out(topology)
    }

    fn open_space(&mut self) -> Result<SpaceRoot, Fault> {
        let tables = Tables::new(&mut self.pool).map_err(fault)?;
        let root = tables.root();
        self.spaces.insert(root, tables);
        Ok(root)
    }

    fn close_space(&mut self, space: SpaceRoot) {
        if let Some(tables) = self.spaces.remove(&space) {
            tables.free(&mut self.pool);
        }
    }

    fn bind(
        &mut self,
        space: SpaceRoot,
        at: GpuAddress,
        memory: GuestAddress,
        bytes: u64,
        read_only: bool,
    ) -> Result<(), Fault> {
        let (tables, pool) = self.tables(space)?;
        tables.map(pool, PpgttAddress(at.0), memory, bytes, !read_only).map_err(fault)
    }

    fn unbind(&mut self, space: SpaceRoot, at: GpuAddress, bytes: u64) -> Result<(), Fault> {
        let (tables, pool) = self.tables(space)?;
        tables.unmap(pool, PpgttAddress(at.0), bytes).map_err(fault)
    }

    fn open_context(&mut self, space: SpaceRoot, engine: EngineId) -> Result<ContextKey, Fault> {
        let engine = Engine::from_id(engine).ok_or(Fault::Range)?;
        let mut image = Vec::with_capacity(IMAGE_PAGES);
        for _ in 0..IMAGE_PAGES {
            match self.pool.take() {
                Ok(page) => image.push(page),
                Err(error) => {
                    image.into_iter().for_each(|page| self.pool.give_back(page));
                    return Err(fault(error));
                }
            }
        }
        self.next_context += 1;
        let key = ContextKey(self.next_context);
        self.contexts.insert(key, Context { space, engine, image, begun: false });
        Ok(key)
    }

    fn close_context(&mut self, context: ContextKey) {
        if let Some(context) = self.contexts.remove(&context) {
            context.image.into_iter().for_each(|page| self.pool.give_back(page));
        }
    }

    fn work(&mut self, context: ContextKey, start: GpuAddress) -> Result<Batch, Reason> {
        let gone = || Reason::new("shim/context", "the context is gone");
        let context = self.contexts.get_mut(&context).ok_or_else(gone)?;
        let start = PpgttAddress(start.0).truncated();
        let outcome = self.scan.batch(&self.ram, context.space, context.engine, start);
        self.scanned += 1;
        // As for trapped guests: what is nonsense is found where it is reached.
        if let Verdict::Fail(refusal) | Verdict::Quarantine(refusal) = outcome.verdict
            && refusal.is_forbidden()
        {
            self.refused += 1;
            return Err(refusal.reason);
        }
        let restore = std::mem::replace(&mut context.begun, true);
        let tables = self.spaces.get(&context.space).map_or(0, Tables::changes);
        Ok(Batch {
            start,
            return_to: None,
            image: context.image.clone(),
            restore,
            save: true,
            rest: false,
            ahead: Duration::ZERO,
            tables: Some(tables),
        })
    }

    fn counters(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("batches_scanned", self.scanned),
            ("refused_at_scan", self.refused),
            ("spaces", self.spaces.len() as u64),
            ("contexts", self.contexts.len() as u64),
            ("table_pages", self.pool.used()),
        ]
    }
}
