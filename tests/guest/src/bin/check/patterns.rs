//! Draws on the guest's screen: something that moves, or one picture that a test can compare.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::Options;
use crate::blitter::Picture;
use crate::commands::Commands;
use crate::i915::{Device, Engine, PATIENCE, View};
use crate::picture::Scene;
use crate::screen::{Frame, Screen};
use crate::surface::Tiling;
use crate::uapi::DOMAIN_CPU;

/// Pictures in a second, at most.
const RATE: u32 = 30;

fn picture(frame: &Frame) -> Picture<'_> {
    Picture { address: frame.buffer.address(), surface: &frame.surface }
}

fn draw(device: &Device, frame: &Frame, commands: &Commands) -> Result<()> {
    device.run(Engine::Blitter, None, commands, &[&frame.buffer])
}

/// Flips between two frames for some seconds; returns how many pictures were shown.
fn play(
    device: &Device,
    screen: &Screen<'_>,
    frames: &[Frame; 2],
    scene: &Scene,
    seconds: u32,
) -> Result<u32> {
    let start = Instant::now();
    let end = start + Duration::from_secs(seconds.into());
    let mut shown = 0;
    while Instant::now() < end {
        let [even, odd] = frames;
        let frame = if shown % 2 == 0 { odd } else { even };
        draw(device, frame, &scene.draw_moving(&picture(frame), shown))?;
        screen.flip(frame)?;
        shown += 1;
        let next = start + Duration::from_secs(1) * shown / RATE;
        thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(shown)
}

/// Compares a drawn frame with the formula.
fn verify(frame: &Frame, scene: &Scene) -> Result<()> {
    if !frame.buffer.wait(PATIENCE)? {
        bail!("the final picture was not drawn");
    }
    let mapping = frame.buffer.map(View::Cached)?;
    frame.buffer.set_domain(DOMAIN_CPU, false)?;
    for y in 0..scene.height {
        for x in 0..scene.width {
            let found = mapping.read_u32(frame.surface.offset(4 * x as usize, y as usize));
            let expected = scene.final_pixel(x, y);
            ensure!(
                found & 0xff_ffff == expected,
                "pixel {x}, {y}: {found:#010x}, not {expected:#08x}"
            );
        }
    }
    Ok(())
}

pub(crate) fn run(options: &Options) -> Result<String> {
    let device = Device::open(&options.device)?;
    let tiling = if options.tiled { Tiling::X } else { Tiling::Linear };
    let screen = Screen::open(&device)?;
    let (width, height) = screen.size();
    // The blitter's pitches are 16-bit numbers with a sign.
    ensure!((16..0x1000).contains(&width) && (16..0x1000).contains(&height), "{width}x{height}");
    let scene = Scene { width, height, hue: u32::from(options.hue) };
    let frames = [screen.frame(&device, tiling)?, screen.frame(&device, tiling)?];
    let [first, _] = &frames;
    draw(&device, first, &scene.draw_final(&picture(first)))?;
    screen.show(first)?;
    let detail = if options.final_picture {
        verify(first, &scene)?;
        format!(
            "final width={width} height={height} hue={} fnv1a={:016x}",
            scene.hue,
            scene.final_hash()
        )
    } else {
        let shown = play(&device, &screen, &frames, &scene, options.seconds)?;
        ensure!(shown > 0, "nothing was shown");
        let rate = f64::from(shown) / f64::from(options.seconds.max(1));
        format!(
            "moving width={width} height={height} hue={} shown={shown} rate={rate:.1}",
            scene.hue
        )
    };
    if options.hold > 0 {
        // The picture lasts as long as the node is open; the process's end closes it.
        std::mem::forget(frames);
        std::mem::forget(device);
    }
    Ok(detail)
}
