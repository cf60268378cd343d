//! What QUERY answers: blobs, asked for twice (first for how long they are).

use guest_shim::wire::{Device, MOST_UNITS};
use rustix::io::Errno;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use crate::gpu::Result;
use crate::params::most;
use crate::uapi::i915::{
    Engine, EngineInfo, EngineInfoHead, MemoryRegion, MemoryRegionsHead, Query, QueryItem,
    TopologyInfo,
};
use crate::user::UserPointer;

const HAS_LOGICAL_INSTANCE: u64 = 1;

/// Each item gets its length, or an error in its place. `memory`: bytes of buffers that there may be.
pub(crate) fn query(device: &Device, memory: u64, args: &Query) -> Result<()> {
    if args.flags != 0 {
        return Err(Errno::INVAL);
    }
    for index in 0..u64::from(args.count) {
        let place = UserPointer(args.items).offset(index * size_of::<QueryItem>() as u64)?;
        let item: QueryItem = place.read()?;
        if item.id == 0 {
            return Err(Errno::INVAL);
        }
        let length = match answer(device, memory, &item) {
            Ok(length) => length,
            Err(error) => -error.raw_os_error(),
        };
        place.offset(std::mem::offset_of!(QueryItem, length) as u64)?.write(&length)?;
    }
    Ok(())
}

fn answer(device: &Device, memory: u64, item: &QueryItem) -> Result<i32> {
    match (item.id, item.flags) {
        (1, 0) => fill::<TopologyInfo>(item, &topology_blob(device), |_| true),
        (2, 0) => fill(item, &engine_blob(device), |head: &EngineInfoHead| *head == <_>::default()),
        // PERF_CONFIG's three kinds, HWCONFIG, GEOMETRY_SUBSLICES, GUC_SUBMISSION_VERSION: not on Gen9, or not here.
        (3, 1..=3) | (5..=7, _) => Err(Errno::NODEV),
        (4, 0) => {
            fill(item, &region_blob(memory), |head: &MemoryRegionsHead| *head == <_>::default())
        }
        _ => Err(Errno::INVAL),
    }
}

/// Says how long a blob is, or hands it out. What the application has put at its beginning must be as it should.
fn fill<Head>(item: &QueryItem, blob: &[u8], check: fn(&Head) -> bool) -> Result<i32>
where
    Head: FromBytes + IntoBytes + Immutable + KnownLayout,
{
    let length = i32::try_from(blob.len()).map_err(|_| Errno::INVAL)?;
    if item.length == 0 {
        return Ok(length);
    }
    // An error that was left there is a great length to i915.
    if item.length.cast_unsigned() < length.cast_unsigned() {
        return Err(Errno::INVAL);
    }
    let head: Head = UserPointer(item.data).read()?;
    if !check(&head) {
        return Err(Errno::INVAL);
    }
    UserPointer(item.data).write_bytes(blob)?;
    Ok(length)
}

fn topology_blob(device: &Device) -> Vec<u8> {
    let topology = &device.topology;
    let (slices, subslices) = most(device);
    let head = TopologyInfo {
        flags: 0,
        max_slices: slices as u16,
        max_subslices: subslices as u16,
        max_eus: MOST_UNITS as u16,
        subslice_offset: 1,
        subslice_stride: 1,
        eu_offset: 1 + slices as u16,
        eu_stride: 1,
    };
    let mut blob = head.as_bytes().to_vec();
    blob.push(topology.slices());
    let has = |slice: usize| topology.slices() >> slice & 1 != 0;
    blob.extend((0..slices).map(|slice| if has(slice) { topology.subslices() } else { 0 }));
    let units = topology.units().iter().take(slices);
    blob.extend(units.flat_map(|units| units.iter().take(subslices)));
    blob
}

fn engine_blob(device: &Device) -> Vec<u8> {
    let count = device.engines().count() as u32;
    let mut blob = EngineInfoHead { count, reserved: [0; 3] }.as_bytes().to_vec();
    for engine in device.engines() {
        let info = EngineInfo {
            engine: Engine { class: engine.class, instance: engine.instance },
            flags: HAS_LOGICAL_INSTANCE,
            // The first video engine decodes HEVC and scales; video enhancement scales.
            capabilities: match (engine.class, engine.instance) {
                (2, 0) => 0b11,
                (3, _) => 0b10,
                _ => 0,
            },
            logical_instance: engine.instance,
            ..EngineInfo::default()
        };
        blob.extend_from_slice(info.as_bytes());
    }
    blob
}

/// One region: the system's memory, as much of it as buffers may take.
fn region_blob(memory: u64) -> Vec<u8> {
    let system = rustix::system::sysinfo();
    let memory = memory.min(system.totalram.saturating_mul(system.mem_unit.into()));
    let region = MemoryRegion {
        region: Engine { class: 0, instance: 0 },
        probed: memory,
        // How much is free i915 doesn't say of the system's memory.
        unallocated: memory,
        processor_probed: memory,
        processor_unallocated: memory,
        ..MemoryRegion::default()
    };
    let mut blob = MemoryRegionsHead { count: 1, reserved: [0; 3] }.as_bytes().to_vec();
    blob.extend_from_slice(region.as_bytes());
    blob
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::KABY_LAKE;

    #[test]
    fn a_blob_is_asked_for_twice() {
        let device = KABY_LAKE();
        let item = QueryItem { id: 1, ..QueryItem::default() };
        let length = answer(&device, 1 << 30, &item).unwrap();
        assert_eq!(length, 16 + 1 + 3 + 12);
        let mut blob = vec![0_u8; length as usize];
        let data = blob.as_mut_ptr().expose_provenance() as u64;
        assert_eq!(answer(&device, 1 << 30, &QueryItem { length, data, ..item }), Ok(length));
        assert_eq!(blob[16..], [1, 7, 0, 0, 255, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(
            answer(&device, 1 << 30, &QueryItem { length: 4, data, ..item }),
            Err(Errno::INVAL)
        );
        assert_eq!(
            answer(&device, 1 << 30, &QueryItem { length, data: 8, ..item }),
            Err(Errno::FAULT)
        );
        let failed = QueryItem { length: -14, data: 8, ..item };
        assert_eq!(answer(&device, 1 << 30, &failed), Err(Errno::FAULT));
        assert_eq!(answer(&device, 1 << 30, &QueryItem { flags: 1, ..item }), Err(Errno::INVAL));
        assert_eq!(answer(&device, 1 << 30, &QueryItem { id: 2, ..item }), Ok(16 + 4 * 56));
        assert_eq!(answer(&device, 1 << 30, &QueryItem { id: 4, ..item }), Ok(16 + 88));
        assert_eq!(answer(&device, 1 << 30, &QueryItem { id: 99, ..item }), Err(Errno::INVAL));
    }
}
