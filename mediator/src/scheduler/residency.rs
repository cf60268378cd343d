//! What one VM has open on silicon: its address spaces and contexts, opened at first use.
//!
//! Guests name spaces and contexts by their own words, and never say when they are done with one. So these are caches:
//! bounded by what silicon allows a VM, emptied of the least recently used that has no job in flight. All of it is
//! closed when the last user is gone: the VM's members in the executors, and its jobs on silicon.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use foldhash::HashMap;

use crate::{
    ContextId, ContextKey, EngineId, GuestRam, Silicon, SiliconError, SpaceId, SpaceRoot, VmId,
};

/// One VM's spaces and contexts on silicon. Shared by the engines; the lock is never held across a wait.
pub(crate) struct Residency<W: Send + 'static> {
    vm: VmId,
    ram: GuestRam,
    silicon: Arc<dyn Silicon<Work = W>>,
    tables: Mutex<Tables>,
}

type ContextName = (SpaceRoot, ContextKey, EngineId);

#[derive(Debug, Default)]
struct Tables {
    spaces: HashMap<SpaceRoot, Entry<SpaceId>>,
    contexts: HashMap<ContextName, Entry<ContextId>>,
    /// Counts uses; the larger, the later.
    uses: u64,
}

#[derive(Debug)]
struct Entry<Id> {
    id: Id,
    last_use: u64,
    /// Jobs that silicon may still be working on.
    in_flight: u32,
}

impl<W: Send + 'static> Residency<W> {
    pub(crate) fn new(vm: VmId, ram: GuestRam, silicon: Arc<dyn Silicon<Work = W>>) -> Self {
        Self { vm, ram, silicon, tables: Mutex::default() }
    }

    /// What silicon says that the VM has there.
    pub(crate) fn holdings(&self) -> Vec<(&'static str, u64)> {
        self.silicon.holdings(self.vm)
    }

    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The context `key` of `engine` in the space `root`, open, and kept so while the answer lives.
    pub(crate) fn pin(
        self: &Arc<Self>,
        root: SpaceRoot,
        key: ContextKey,
        engine: EngineId,
    ) -> Result<Pinned<W>, SiliconError> {
        let mut tables = self.tables();
        tables.uses = tables.uses.saturating_add(1);
        let now = tables.uses;
        let space = match tables.spaces.get(&root) {
            Some(space) => space.id,
            None => self.open_space(&mut tables, root)?,
        };
        let name = (root, key, engine);
        let context = match tables.contexts.get(&name) {
            Some(context) => context.id,
            None => self.open_context(&mut tables, name, space)?,
        };
        tables.pin(&name, now);
        Ok(Pinned { residency: Arc::clone(self), name, context })
    }

    fn open_space(&self, tables: &mut Tables, root: SpaceRoot) -> Result<SpaceId, SiliconError> {
        if tables.spaces.len() >= self.silicon.limits().spaces_per_vm {
            let oldest = least_recently_used(&tables.spaces).ok_or(SPACES)?;
            tables.contexts.retain(|(root, ..), _| *root != oldest);
            if let Some(space) = tables.spaces.remove(&oldest) {
                self.silicon.close_space(space.id);
            }
        }
        let id = self.silicon.open_space(self.vm, &self.ram, root)?;
        tables.spaces.insert(root, Entry { id, last_use: tables.uses, in_flight: 0 });
        Ok(id)
    }

    fn open_context(
        &self,
        tables: &mut Tables,
        name: ContextName,
        space: SpaceId,
    ) -> Result<ContextId, SiliconError> {
        if tables.contexts.len() >= self.silicon.limits().contexts_per_vm {
            let oldest = least_recently_used(&tables.contexts).ok_or(CONTEXTS)?;
            if let Some(context) = tables.contexts.remove(&oldest) {
                self.silicon.close_context(context.id);
            }
        }
        let id = self.silicon.open_context(space, name.2)?;
        tables.contexts.insert(name, Entry { id, last_use: tables.uses, in_flight: 0 });
        Ok(id)
    }
}

const SPACES: SiliconError = SiliconError::Exhausted("address spaces for this VM");
const CONTEXTS: SiliconError = SiliconError::Exhausted("contexts for this VM");

fn least_recently_used<Name: Copy, Id>(entries: &HashMap<Name, Entry<Id>>) -> Option<Name> {
    let idle = entries.iter().filter(|(_, entry)| entry.in_flight == 0);
    idle.min_by_key(|(_, entry)| entry.last_use).map(|(&name, _)| name)
}

impl Tables {
    fn pin(&mut self, name: &ContextName, now: u64) {
        if let Some(space) = self.spaces.get_mut(&name.0) {
            space.pin(now);
        }
        if let Some(context) = self.contexts.get_mut(name) {
            context.pin(now);
        }
    }

    fn unpin(&mut self, name: &ContextName) {
        if let Some(space) = self.spaces.get_mut(&name.0) {
            space.in_flight = space.in_flight.saturating_sub(1);
        }
        if let Some(context) = self.contexts.get_mut(name) {
            context.in_flight = context.in_flight.saturating_sub(1);
        }
    }
}

impl<Id> Entry<Id> {
    fn pin(&mut self, now: u64) {
        self.last_use = now;
        self.in_flight = self.in_flight.saturating_add(1);
    }
}

impl<W: Send + 'static> Drop for Residency<W> {
    fn drop(&mut self) {
        let tables = self.tables.get_mut().unwrap_or_else(PoisonError::into_inner);
        for (_, context) in tables.contexts.drain() {
            self.silicon.close_context(context.id);
        }
        for (_, space) in tables.spaces.drain() {
            self.silicon.close_space(space.id);
        }
    }
}

impl<W: Send + 'static> fmt::Debug for Residency<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Residency").field("vm", &self.vm).finish_non_exhaustive()
    }
}

/// A context that stays open, and its space with it, while this lives.
#[derive(Debug)]
pub(crate) struct Pinned<W: Send + 'static> {
    residency: Arc<Residency<W>>,
    name: ContextName,
    context: ContextId,
}

impl<W: Send + 'static> Pinned<W> {
    pub(crate) fn context(&self) -> ContextId {
        self.context
    }

    /// What the guest calls the space and the context.
    pub(crate) fn name(&self) -> (SpaceRoot, ContextKey) {
        (self.name.0, self.name.1)
    }
}

impl<W: Send + 'static> Drop for Pinned<W> {
    fn drop(&mut self) {
        self.residency.tables().unpin(&self.name);
    }
}
