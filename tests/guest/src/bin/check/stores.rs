//! Stores land where they should, and nowhere else.

use anyhow::{Context as _, Result, bail, ensure};

use crate::Options;
use crate::commands::Commands;
use crate::i915::{Buffer, Device, Engine, View};

/// A number with no visible pattern, the same for the same seed.
pub(crate) const fn scramble(seed: u64) -> u64 {
    // The finalizer of MurmurHash3.
    let mut value = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    value = (value ^ value >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
    value = (value ^ value >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    value ^ value >> 33
}

/// Finds the first byte in which memory and expectation differ.
pub(crate) fn compare(found: &[u8], expected: &[u8]) -> Result<()> {
    ensure!(found.len() == expected.len(), "{} bytes, not {}", found.len(), expected.len());
    let differs = |at: &usize| found[*at] != expected[*at];
    if let Some(first) = (0..found.len()).find(differs) {
        let end = (first + 16).min(found.len());
        bail!(
            "byte {first:#x} of {:#x}: found {:02x?}, expected {:02x?} ({} bytes differ)",
            found.len(),
            &found[first..end],
            &expected[first..end],
            (0..found.len()).filter(differs).count()
        );
    }
    Ok(())
}

/// One store of 4 or 8 bytes.
#[derive(Clone, Copy)]
enum Store {
    Dword(u32),
    Qword(u64),
}

/// Fills `buffer`, stores the list's values with one batch, and compares every byte.
fn store_and_compare(
    device: &Device,
    engine: Engine,
    buffer: &Buffer,
    list: &[(usize, Store)],
) -> Result<()> {
    let mapping = buffer.map(View::Cached)?;
    let background = scramble(buffer.address()).to_le_bytes();
    let mut expected = background.repeat(buffer.size() / 8);
    mapping.write(0, &expected);
    let mut commands = Commands::new();
    for &(offset, store) in list {
        let address = buffer.address() + offset as u64;
        match store {
            Store::Dword(value) => {
                commands.store_dword(address, value);
                expected[offset..offset + 4].copy_from_slice(&value.to_le_bytes());
            }
            Store::Qword(value) => {
                commands.store_qword(address, value);
                expected[offset..offset + 8].copy_from_slice(&value.to_le_bytes());
            }
        }
    }
    device.run(engine, None, &commands, &[buffer])?;
    compare(&mapping.read_all(), &expected)
        .with_context(|| format!("{engine}, address {:#x}", buffer.address()))
}

/// Dwords and qwords all over a 64 KiB object.
pub(crate) fn stores(options: &Options) -> Result<String> {
    const SIZE: usize = 0x1_0000;
    const STORES: u64 = 384;
    let device = Device::open(&options.device)?;
    let engines = options.engines(&device)?;
    for (turn, &engine) in engines.iter().enumerate() {
        let buffer = device.buffer(SIZE, 4096)?;
        let mut list = Vec::new();
        for index in 0..STORES {
            let seed = scramble((turn as u64) << 32 | index);
            let offset = seed as usize % (SIZE / 8) * 8;
            list.push(match index % 3 {
                0 => (offset, Store::Dword((seed >> 32) as u32)),
                1 => (offset + 4, Store::Dword((seed >> 32) as u32)),
                _ => (offset, Store::Qword(scramble(seed))),
            });
        }
        store_and_compare(&device, engine, &buffer, &list)?;
    }
    let names: Vec<_> = engines.iter().map(|engine| engine.name()).collect();
    let chip = device.parameter(crate::uapi::PARAM_CHIPSET_ID)?;
    let total = STORES as usize * engines.len();
    Ok(format!("device {chip:#06x}, {}: {total} stores", names.join(" ")))
}

/// Two pages at addresses that need more than 32 bits.
pub(crate) fn high(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let top = device.address_space_size()?;
    ensure!(top > 1 << 32, "the address space has only {top:#x} bytes");
    let wanted = [
        0xffff_f000,
        0x1_2345_0000,
        0x7f_ffff_f000,
        0x40_0000_0000,
        0x1234_5678_9000,
        0x7fff_ffff_0000,
        0x8000_0000_0000,
        0xffff_fffe_0000,
    ];
    let mut done = Vec::new();
    for address in wanted.into_iter().filter(|address| address + 0x2000 <= top) {
        let buffer = device.buffer_at(0x2000, address)?;
        for engine in options.engines(&device)? {
            let list: Vec<_> = [0, 0xff8, 0x1000, 0x1ff8]
                .into_iter()
                .map(|offset| (offset, Store::Qword(scramble(address + offset as u64))))
                .collect();
            store_and_compare(&device, engine, &buffer, &list)?;
        }
        done.push(format!("{address:#x}"));
    }
    Ok(format!("{} of {top:#x}", done.join(" ")))
}

/// First and last words of every page, in objects of every page size.
pub(crate) fn pages(options: &Options) -> Result<String> {
    const MIB: usize = 1 << 20;
    let device = Device::open(&options.device)?;
    let engines = options.engines(&device)?;
    let small = (0..48_u64).map(|index| {
        // Far apart, so that hardly two share a page table.
        (4096, 0x10_0000_0000 + (scramble(index) & 0xf_ffff_f000))
    });
    let large = [
        (0x1_0000, 0x30_0001_0000),
        (2 * MIB, 0x30_0020_0000),
        (2 * MIB + 0x1_0000, 0x30_0080_0000),
        (4 * MIB, 0x30_0200_0000 - 0x1000),
    ];
    let (mut objects, mut stored) = (0, 0);
    for (turn, (size, address)) in small.chain(large).enumerate() {
        let buffer = device.buffer_at(size, address)?;
        let list: Vec<_> = (0..size / 4096)
            .flat_map(|page| {
                let start = page * 4096;
                let value = scramble(address + page as u64);
                [
                    (start, Store::Dword(value as u32)),
                    (start + 4088, Store::Qword(value)),
                    (start + 8 * (1 + value as usize % 510), Store::Qword(!value)),
                ]
            })
            .collect();
        // The blitter's batches are copied by the driver, so the other engines see the long ones.
        let engine = engines[turn % engines.len()];
        store_and_compare(&device, engine, &buffer, &list)?;
        objects += 1;
        stored += list.len();
    }
    Ok(format!("{objects} objects of 4 KiB to 4 MiB, {stored} stores"))
}
