//! What GETPARAM answers. Source: include/uapi/drm/i915_drm.h for the numbers; what a Gen9 answers was read off a stock kernel.

use guest_shim::wire::{Device, MOST_SLICES, MOST_SUBSLICES};
use rustix::io::Errno;

use crate::gpu::Result;

/// An answer.
enum Value {
    Is(i32),
    Of(fn(&Device) -> i32),
    Fails(Errno),
}
use Value::{Fails, Is, Of};

/// Slices, and subslices of each, that a part of the device's kind may have.
pub(crate) fn most(device: &Device) -> (usize, usize) {
    if shares_cache(device) { (MOST_SLICES, MOST_SUBSLICES) } else { (1, 3) }
}

/// Broxton's line: no last-level cache that the GPU shares.
fn shares_cache(device: &Device) -> bool {
    !matches!(device.device, 0x0a84 | 0x1a84 | 0x5a84 | 0x5a85 | 0x3184 | 0x3185)
}

fn has(device: &Device, class: u16, instance: u16) -> i32 {
    device.engines().any(|engine| (engine.class, engine.instance) == (class, instance)).into()
}

/// Priorities among contexts. Nothing is said of preemption and semaphores: who schedules is the mediator.
const SCHEDULER: i32 = 0b11;
/// "Each process has page tables of its own" (`INTEL_PPGTT_FULL`).
const FULL_PPGTT: i32 = 2;

const PARAMS: &[(i32, Value)] = &[
    // IRQ_ACTIVE, ALLOW_BATCHBUFFER, LAST_DISPATCH, HAS_EXEC_CONSTANTS: of old drivers
    (1, Fails(Errno::NODEV)),
    (2, Fails(Errno::NODEV)),
    (3, Fails(Errno::NODEV)),
    (14, Fails(Errno::NODEV)),
    (4, Of(|device| device.device.into())), // CHIPSET_ID
    (5, Is(1)),                             // HAS_GEM
    (6, Is(32)),                            // NUM_FENCES_AVAIL
    (7, Is(0)),                             // HAS_OVERLAY
    (8, Is(1)),                             // HAS_PAGEFLIPPING
    (9, Is(1)),                             // HAS_EXECBUF2
    (10, Of(|device| has(device, 2, 0))),   // HAS_BSD
    (11, Of(|device| has(device, 1, 0))),   // HAS_BLT
    (12, Is(1)),                            // HAS_RELAXED_FENCING
    (13, Is(1)),                            // HAS_COHERENT_RINGS
    (15, Is(1)),                            // HAS_RELAXED_DELTA
    (16, Is(1)),                            // HAS_GEN7_SOL_RESET
    (17, Of(|device| shares_cache(device).into())), // HAS_LLC
    (18, Is(FULL_PPGTT)),                   // HAS_ALIASING_PPGTT
    (19, Is(1)),                            // HAS_WAIT_TIMEOUT
    (20, Is(0)),                            // HAS_SEMAPHORES
    (21, Is(1)),                            // HAS_PRIME_VMAP_FLUSH
    (22, Of(|device| has(device, 3, 0))),   // HAS_VEBOX
    (23, Is(0)),                            // HAS_SECURE_BATCHES
    (24, Is(1)),                            // HAS_PINNED_BATCHES
    (25, Is(1)),                            // HAS_EXEC_NO_RELOC
    (26, Is(1)),                            // HAS_EXEC_HANDLE_LUT
    (27, Is(0)),                            // HAS_WT
    (28, Is(10)),                           // CMD_PARSER_VERSION: of Gen9's blitter
    (29, Is(1)),                            // HAS_COHERENT_PHYS_GTT
    (30, Is(1)),                            // MMAP_VERSION
    (31, Of(|device| has(device, 2, 1))),   // HAS_BSD2
    (32, Of(|device| device.revision.into())), // REVISION
    (33, Of(|device| device.topology.subslice_count().cast_signed())), // SUBSLICE_TOTAL
    (34, Of(|device| device.topology.unit_count().cast_signed())), // EU_TOTAL
    (35, Is(2)),                            // HAS_GPU_RESET: an engine at a time
    (36, Is(0)),                            // HAS_RESOURCE_STREAMER
    (37, Is(1)),                            // HAS_EXEC_SOFTPIN
    (38, Is(0)),                            // HAS_POOLED_EU
    (39, Is(0)),                            // MIN_EU_IN_POOL
    (40, Is(4)),                            // MMAP_GTT_VERSION: with MMAP_OFFSET
    (41, Is(SCHEDULER)),                    // HAS_SCHEDULER
    (42, Fails(Errno::NODEV)),              // HUC_STATUS
    (43, Is(1)),                            // HAS_EXEC_ASYNC
    (44, Is(1)),                            // HAS_EXEC_FENCE
    (45, Is(1)),                            // HAS_EXEC_CAPTURE
    (46, Of(|device| device.topology.slices().into())), // SLICE_MASK
    (47, Of(|device| device.topology.subslices().into())), // SUBSLICE_MASK
    (48, Is(1)),                            // HAS_EXEC_BATCH_FIRST
    (49, Is(1)),                            // HAS_EXEC_FENCE_ARRAY
    (50, Is(1)),                            // HAS_CONTEXT_ISOLATION: of the render engine
    (51, Of(|device| i32::try_from(device.timestamp_hz).unwrap_or(i32::MAX))), // CS_TIMESTAMP_FREQUENCY
    (52, Is(1)),                                                               // MMAP_GTT_COHERENT
    (53, Is(1)),               // HAS_EXEC_SUBMIT_FENCE
    (54, Fails(Errno::INVAL)), // PERF_REVISION: no observation of counters
    (55, Is(1)),               // HAS_EXEC_TIMELINE_FENCES
    (56, Is(1)),               // HAS_USERPTR_PROBE
    (57, Of(|device| i32::try_from(device.timestamp_hz).unwrap_or(i32::MAX))), // OA_TIMESTAMP_FREQUENCY
    (58, Fails(Errno::NODEV)),                                                 // PXP_STATUS
    (59, Fails(Errno::INVAL)), // HAS_CONTEXT_FREQ_HINT
];

pub(crate) fn param(device: &Device, number: i32) -> Result<i32> {
    match PARAMS.iter().find(|(param, _)| *param == number) {
        Some((_, Is(value))) => Ok(*value),
        Some((_, Of(value))) => Ok(value(device)),
        Some((_, Fails(error))) => Err(*error),
        None => Err(Errno::INVAL),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fake::KABY_LAKE;

    #[test]
    fn a_kaby_lake_is_one() {
        let ask = |number| param(&KABY_LAKE(), number);
        assert_eq!([4, 32, 33, 34, 47].map(ask), [Ok(0x5912), Ok(4), Ok(3), Ok(24), Ok(7)]);
        assert_eq!([10, 11, 22, 31].map(ask), [Ok(1), Ok(1), Ok(1), Ok(0)]);
        assert_eq!(
            [58, 1234, -1].map(ask),
            [Err(Errno::NODEV), Err(Errno::INVAL), Err(Errno::INVAL)]
        );
    }

    #[test]
    fn every_param_has_one_answer() {
        let mut numbers: Vec<i32> = PARAMS.iter().map(|(number, _)| *number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (1..=59).collect::<Vec<_>>());
    }
}
