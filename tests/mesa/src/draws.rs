//! Many small draw calls: what a busy user interface asks of a driver, and what a way to a GPU is measured by.
//!
//! A picture of 8x8 squares. Each draw call fills one, the next call the next, with a colour of its own: the call's
//! number within its frame in red (low byte) and green, the frame's in blue.

use std::time::{Duration, Instant};

use anyhow::{Result, anyhow, ensure};
use glow::HasContext;
use rustix::time::{ClockId, clock_gettime};

use crate::canvas::{Canvas, Colour};
use crate::context::Context;

/// Squares in a row, and in a column.
const SQUARES: u32 = 8;
/// The picture's side, in pixels.
const SIDE: u16 = 64;

const VERTEX: &str = "#version 300 es
uniform vec2 corner;
void main() {
    vec2 vertex = vec2(gl_VertexID & 1, gl_VertexID >> 1);
    gl_Position = vec4((corner + vertex) / 4.0 - 1.0, 0.0, 1.0);
}";

const FRAGMENT: &str = "#version 300 es
precision highp float;
uniform vec4 colour;
out vec4 pixel;
void main() { pixel = colour; }";

pub(crate) fn run(gl: &Context, frames: u32, draws: u32, culled: bool) -> Result<()> {
    let canvas = Canvas::new(gl, SIDE)?;
    let program = program(gl)?;
    // SAFETY: the context is current, and the program is its own.
    let (corner, colour) = unsafe {
        gl.use_program(Some(program));
        if culled {
            gl.enable(glow::CULL_FACE);
            gl.cull_face(glow::FRONT_AND_BACK);
        }
        (gl.get_uniform_location(program, "corner"), gl.get_uniform_location(program, "colour"))
    };

    let (began, used) = (Instant::now(), processor_time()?);
    for frame in 0..frames {
        for draw in 0..draws {
            let square = draw % (SQUARES * SQUARES);
            let [low, high, ..] = draw.to_le_bytes();
            let [red, green, blue, alpha] = Colour([low, high, frame as u8, 255]).channels();
            // SAFETY: the context, the program and its uniforms are current.
            unsafe {
                let (x, y) = (square % SQUARES, square / SQUARES);
                gl.uniform_2_f32(corner.as_ref(), x as f32, y as f32);
                gl.uniform_4_f32(colour.as_ref(), red, green, blue, alpha);
                gl.draw_arrays(glow::TRIANGLE_STRIP, 0, 4);
            }
        }
        // SAFETY: the context is current.
        unsafe { gl.flush() };
    }
    // SAFETY: the context is current.
    unsafe { gl.finish() };
    println!("frames {frames}");
    println!("draws {draws}");
    println!("wall_ms {}", began.elapsed().as_millis());
    println!("cpu_ms {}", processor_time()?.saturating_sub(used).as_millis());
    canvas.print_colours()
}

fn program(gl: &Context) -> Result<glow::Program> {
    // SAFETY: the context is current, and the objects are its own.
    unsafe {
        let program = gl.create_program().map_err(|reason| anyhow!(reason))?;
        for (kind, source) in [(glow::VERTEX_SHADER, VERTEX), (glow::FRAGMENT_SHADER, FRAGMENT)] {
            let shader = gl.create_shader(kind).map_err(|reason| anyhow!(reason))?;
            gl.shader_source(shader, source);
            gl.compile_shader(shader);
            gl.attach_shader(program, shader);
        }
        gl.link_program(program);
        // A shader that does not compile doesn't link either.
        let linked = gl.get_program_link_status(program);
        ensure!(linked, "the shaders do not link: {}", gl.get_program_info_log(program));
        Ok(program)
    }
}

/// What all threads of this program have used.
fn processor_time() -> Result<Duration> {
    Ok(clock_gettime(ClockId::ProcessCPUTime).try_into()?)
}
