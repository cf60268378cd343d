//! Relocations: addresses that a batch holds are corrected before it runs. Mesa needs none; tests and old drivers do.

use std::collections::HashMap;

use rustix::io::Errno;

use crate::buffers::BufferId;
use crate::execute::{Stop, canonical, memory};
use crate::gpu::{Gpu, Result};
use crate::state::State;
use crate::uapi::i915::{self, ExecObject, Relocation};
use crate::user::UserPointer;

/// The lists of all buffers of a batch, as the application wrote them.
pub(crate) struct Relocations {
    lists: Vec<Vec<Relocation>>,
}

impl Relocations {
    pub(crate) fn read(objects: &[ExecObject]) -> Result<Self> {
        let list = |object: &ExecObject| {
            UserPointer(object.relocations).read_array(object.relocation_count as usize)
        };
        Ok(Self { lists: objects.iter().map(list).collect::<Result<_>>()? })
    }
}

/// Patches what isn't right, and says so in the application's lists. A buffer that is written to through a relocation
/// is marked in `writes`.
pub(crate) fn apply(
    state: &mut State,
    gpu: &dyn Gpu,
    relocations: &Relocations,
    ids: &[BufferId],
    objects: &[ExecObject],
    by_index: bool,
    writes: &mut [bool],
) -> core::result::Result<(), Stop> {
    let handles: HashMap<u32, usize> =
        objects.iter().enumerate().map(|(index, object)| (object.handle, index)).collect();
    for ((list, object), id) in relocations.lists.iter().zip(objects).zip(ids) {
        for (index, relocation) in list.iter().enumerate() {
            let target = if by_index {
                Some(relocation.target as usize).filter(|target| *target < objects.len())
            } else {
                handles.get(&relocation.target).copied()
            };
            let target = target.ok_or(Errno::NOENT)?;
            check_domains(relocation)?;
            writes[target] |= relocation.write_domain != 0;
            let at = canonical(gpu, objects[target].offset);
            if at == relocation.presumed {
                continue;
            }
            patch(state, gpu, *id, relocation, objects[target].offset)?;
            let place =
                index * size_of::<Relocation>() + std::mem::offset_of!(Relocation, presumed);
            UserPointer(object.relocations).offset(place as u64)?.write(&at)?;
        }
    }
    Ok(())
}

fn check_domains(relocation: &Relocation) -> Result<()> {
    let Relocation { read_domains, write_domain, .. } = *relocation;
    let several = write_domain != 0 && !write_domain.is_power_of_two();
    let others = (read_domains | write_domain) & !i915::DOMAINS_OF_THE_GPU != 0;
    if several || others { Err(Errno::INVAL) } else { Ok(()) }
}

/// Writes an address into a buffer that no batch uses.
fn patch(
    state: &mut State,
    gpu: &dyn Gpu,
    id: BufferId,
    relocation: &Relocation,
    target: u64,
) -> core::result::Result<(), Stop> {
    let buffer = state.buffers.get(id)?;
    let last = buffer.bytes.saturating_sub(size_of::<u64>() as u64);
    if relocation.offset > last || relocation.offset & 3 != 0 {
        return Err(Errno::INVAL.into());
    }
    buffer.activity.settle(gpu);
    if !buffer.activity.is_idle() {
        let points = buffer.activity.before(true).map(|user| user.point).collect();
        return Err(Stop::After(points));
    }
    let delta = i64::from(relocation.delta.cast_signed());
    let value = canonical(gpu, target.wrapping_add_signed(delta));
    let (file, start) = memory(gpu, buffer);
    rustix::io::pwrite(file, &value.to_le_bytes(), start + relocation.offset)?;
    Ok(())
}
