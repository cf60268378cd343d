//! Fills a picture of 16 by 16 pixels on the blitter, and reads it back.
//!
//! ```sh
//! cargo run -p guest-shim --features client --example fill -- /run/vgate/desktop.sock
//! ```

use std::path::Path;
use std::time::{Duration, Instant};

use guest_shim::client::Client;
use guest_shim::wire::{ArenaOffset, GpuAddress};

/// Where batch and picture lie, in the arena and for the GPU alike.
const BATCH: u64 = 0x1_0000;
const PICTURE: u64 = 0x2_0000;
const PAGE: u64 = 0x1000;
/// The class of blitters.
const COPY: u16 = 1;
const SIDE: u32 = 16;
const COLOUR: u32 = 0x00C0_FFEE;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let socket = std::env::args_os().nth(1).ok_or("usage: fill SOCKET")?;
    let client = Client::connect(Path::new(&socket))?;
    let device = client.device();
    println!("device {:04x}:{:04x}", device.vendor, device.device);
    let engine = device.engines().position(|engine| engine.class == COPY).ok_or("no blitter")?;

    let space = client.open_space()?;
    let context = client.open_context(space, u16::try_from(engine)?, 0)?;
    client.bind(space, GpuAddress(BATCH), ArenaOffset(BATCH), PAGE, true)?;
    client.bind(space, GpuAddress(PICTURE), ArenaOffset(PICTURE), PAGE, false)?;

    // XY_COLOR_BLT with 32 bits a pixel; MI_BATCH_BUFFER_END.
    let form = 3 << 24 | 0xF0 << 16 | (4 * SIDE);
    let batch = [0x5430_0005, form, 0, SIDE << 16 | SIDE, PICTURE as u32, 0, COLOUR, 0x0500_0000];
    let bytes: Vec<u8> = batch.iter().flat_map(|dword| dword.to_le_bytes()).collect();
    client.arena().write(ArenaOffset(BATCH), &bytes)?;
    let end = client.submit(context, &[], GpuAddress(BATCH))?;
    if !client.wait(&[end], Some(Instant::now() + Duration::from_secs(10)))? {
        return Err("the batch takes too long".into());
    }

    let mut picture = vec![0; (4 * SIDE * SIDE) as usize];
    client.arena().read(ArenaOffset(PICTURE), &mut picture)?;
    let filled = picture.as_chunks().0.iter().filter(|p| u32::from_le_bytes(**p) == COLOUR).count();
    let lost = client.lost(context)?.own;
    println!("{filled} of {} pixels are filled, {lost} batches were lost", SIDE * SIDE);
    if filled == (SIDE * SIDE) as usize && lost == 0 { Ok(()) } else { Err("it failed".into()) }
}
