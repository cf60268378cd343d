//! A program that draws with whatever Mesa it finds, without a screen, and prints what it saw.
//!
//! It runs in roots of several Debian releases, so it needs nothing but glibc: libEGL is opened when it starts.
//! What it prints is for a test to judge: `KEY VALUE` lines, and pictures as a count of pixels for each colour.

mod canvas;
mod context;
mod draws;

use std::process::ExitCode;

use anyhow::Result;
use canvas::{Canvas, Colour};
use clap::{Parser, Subcommand};
use context::Context;

/// Draws without a screen, and prints what it saw.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Print whose OpenGL ES this is
    Info,
    /// Clear a picture, read it back, print its colours
    Clear {
        /// Red, green, blue, alpha: ff8000ff
        colour: Colour,
        /// The picture's width and height in pixels
        #[arg(long, default_value_t = 64)]
        size: u16,
    },
    /// Draw many small squares a frame, print how long it took and the last frame's colours
    Draws {
        #[arg(long, default_value_t = 60)]
        frames: u32,
        /// Draw calls a frame
        #[arg(long, default_value_t = 1024)]
        draws: u32,
        /// Have the GPU leave all squares out behind its vertex shader, which leaves it little to do
        #[arg(long)]
        culled: bool,
    },
}

fn main() -> ExitCode {
    match run(&Arguments::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("gl-client: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<()> {
    let context = Context::without_screen()?;
    println!("vendor {}", context.text(glow::VENDOR));
    println!("renderer {}", context.text(glow::RENDERER));
    println!("version {}", context.text(glow::VERSION));
    match *task {
        Task::Info => {}
        Task::Clear { colour, size } => {
            let canvas = Canvas::new(&context, size)?;
            canvas.clear(colour);
            canvas.print_colours()?;
        }
        Task::Draws { frames, draws, culled } => draws::run(&context, frames, draws, culled)?,
    }
    context.check()
}
