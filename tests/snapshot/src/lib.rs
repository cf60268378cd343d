//! A library that is preloaded (`LD_PRELOAD`): one frame of a program that animates becomes a file, and the program ends there.
//!
//! ```text
//!  program ── clock_gettime, gettimeofday ──► clock: a sixtieth of a second a frame, whatever the frame took
//!          ── eglSwapBuffers, glFinish ─────► opengl ─┐
//!          ── vkQueuePresentKHR ────────────► vulkan ─┴─ the frame that was asked for ──► picture ──► a file, exit 0
//! ```
//!
//! So a program draws the same frame on every driver, however slow. `SNAPSHOT_FRAME` is the frame's number, from 1;
//! `SNAPSHOT_FILE` is where it goes, as PNG. With `SNAPSHOT_HOLD` instead, a number of seconds, the program draws on a screen, frames end
//! as the screen shows the next (`drmModePageFlip`), and the one that was asked for stands so long. Without these, the program is
//! left alone.
//!
//! The program itself is told the time of frames. The libraries that it is linked to, drivers among them, go on with the real
//! one: their time-outs are the kernel's.

mod clock;
mod frames;
mod next;
mod opengl;
mod screen;
mod vulkan;
