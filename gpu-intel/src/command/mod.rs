//! The grammar of Gen9's command streams.
//!
//! A stream is a row of commands, each one dword or more. The first dword says which command it is, and (with few
//! exceptions) how long:
//!
//! ```text
//!  31  29 28                    n         0
//! ┌──────┬──────────────────────┬─────────┐   type 0: MI, opcode 28:23; opcodes below 0x10 have one dword
//! │ type │ opcode          ...  │ count-2 │   type 2: blitter, opcode 28:22
//! └──────┴──────────────────────┴─────────┘   type 3: 3D, media, video, opcode 28:16
//! ```
//!
//! The tables here name every command that drivers use; [`streamer`] gives the MI commands their meaning.

mod grammar;
pub mod listing;
pub(crate) mod opcode;
pub mod registers;
pub mod streamer;
mod table;
pub mod walk;

use bitflags::bitflags;
use mediator::Reason;

use crate::engine::Engine;

pub use self::grammar::{
    Check, Command, Field, Kind, Layout, Length, Repeat, Structure, WideAddress,
};

bitflags! {
    /// A set of engines.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub struct Engines: u8 {
        /// Render.
        const RENDER = 1 << 0;
        /// Copy.
        const COPY = 1 << 1;
        /// Video.
        const VIDEO = 1 << 2;
        /// Video enhancement.
        const VIDEO_ENHANCE = 1 << 3;
        /// Those that can wait for a display, and flip it.
        const RENDER_COPY = Self::RENDER.bits() | Self::COPY.bits();
        /// All but render.
        const NOT_RENDER = Self::COPY.bits() | Self::VIDEO.bits() | Self::VIDEO_ENHANCE.bits();
    }
}

impl From<Engine> for Engines {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Render => Self::RENDER,
            Engine::Copy => Self::COPY,
            Engine::Video => Self::VIDEO,
            Engine::VideoEnhance => Self::VIDEO_ENHANCE,
        }
    }
}

/// The longest MI command (STORE_DATA_IMM and CLFLUSH count in 10 bits) in dwords.
pub const MAX_LENGTH: usize = 1025;

const TYPE_SHIFT: u32 = 29;
const MI: u32 = 0;
const BLITTER: u32 = 2;
const STATE: u32 = 3;

/// The command that `dword0` starts on `engine`; `None` if it is none that the engine executes. The engine matters:
/// media and video commands share opcodes.
#[must_use]
#[inline]
pub fn decode(dword0: u32, engine: Engine) -> Option<&'static Command> {
    decode_with_length(dword0, engine).map(|(command, _)| command)
}

/// The command that `dword0` starts on `engine`, and how many dwords it has.
#[must_use]
#[inline]
pub fn decode_with_length(dword0: u32, engine: Engine) -> Option<(&'static Command, usize)> {
    table::find(dword0, engine)
}

/// The command that `dword0` starts on any engine.
#[must_use]
pub fn decode_any(dword0: u32) -> Option<&'static Command> {
    Engine::ALL.into_iter().find_map(|engine| decode(dword0, engine))
}

/// The command that `dword0` starts on `engine`, and how many dwords it has, for those who have to stop where there is
/// none: a walk, a ring, the model's fetch.
///
/// # Errors
/// `command/engine` where another engine has it, `command/unknown` where none has.
#[inline]
pub fn recognize(dword0: u32, engine: Engine) -> Result<(&'static Command, usize), Reason> {
    decode_with_length(dword0, engine).ok_or_else(|| not_recognized(dword0, engine))
}

#[cold]
fn not_recognized(dword0: u32, engine: Engine) -> Reason {
    match decode_any(dword0) {
        Some(command) => {
            let detail = format!("{} is no command of {engine:?}", command.name);
            Reason::new("command/engine", detail)
        }
        None => {
            Reason::new("command/unknown", format!("{dword0:#010x} is no command of {engine:?}"))
        }
    }
}

/// Every command, engine by engine.
pub fn all() -> impl Iterator<Item = &'static Command> {
    table::all()
}

/// The dwords of the command that `dword0` starts on `engine`; `None` if it is none that the engine executes: the way
/// past it is not known.
#[must_use]
pub fn length(dword0: u32, engine: Engine) -> Option<usize> {
    decode_with_length(dword0, engine).map(|(_, length)| length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn tables_are_sorted_and_consistent() {
        for command in all() {
            assert_eq!(command.key & !command.mask, 0, "{}", command.name);
            assert!(!command.engines.is_empty() && !command.name.is_empty());
            let engine = Engine::ALL.into_iter().find(|&e| command.engines.contains(e.into()));
            let found = decode(command.key, engine.unwrap()).unwrap();
            assert_eq!(found.name, command.name);
        }
        let names: std::collections::BTreeSet<_> = all().map(|c| c.name).collect();
        assert_eq!(names.len(), all().count());
    }

    /// (dword 0, engine, name, length), from batches and rings as drivers write them.
    #[test]
    fn known_headers() {
        use Engine::{Copy, Render, Video, VideoEnhance};
        for (dword0, engine, name, dwords) in [
            (0x0000_0000, Render, "MI_NOOP", 1),
            (0x0500_0000, Copy, "MI_BATCH_BUFFER_END", 1),
            (0x1880_0101, Video, "MI_BATCH_BUFFER_START", 3),
            (0x1100_1019, Render, "MI_LOAD_REGISTER_IMM", 27),
            (0x1300_4082, Copy, "MI_FLUSH_DW", 4),
            (0x1040_0002, Render, "MI_STORE_DATA_IMM", 4),
            (0x0e40_c002, Render, "MI_SEMAPHORE_WAIT", 4),
            (0x7a00_0004, Render, "PIPE_CONTROL", 6),
            (0x6904_0302, Render, "PIPELINE_SELECT", 1),
            (0x680b_0001, Render, "3DSTATE_VF_STATISTICS", 1),
            (0x6101_0011, Render, "STATE_BASE_ADDRESS", 19),
            (0x7b00_0005, Render, "3DPRIMITIVE", 7),
            (0x7000_0007, Render, "MEDIA_VFE_STATE", 9),
            (0x7000_0003, Video, "MFX_PIPE_MODE_SELECT", 5),
            (0x7402_000d, VideoEnhance, "VEBOX_STATE", 15),
            (0x54c0_0008, Copy, "XY_SRC_COPY_BLT", 10),
            (0x5430_0005, Copy, "XY_COLOR_BLT", 7),
            (0x5080_0008, Copy, "XY_FAST_COPY_BLT", 10),
        ] {
            assert_eq!(decode(dword0, engine).map(|c| c.name), Some(name), "{dword0:#x}");
            assert_eq!(length(dword0, engine), Some(dwords), "{dword0:#x}");
        }
    }

    #[test]
    fn a_command_of_another_engine_is_none() {
        assert!(decode(0x54f0_0008, Engine::Render).is_none());
        assert!(decode(0x7a00_0004, Engine::Copy).is_none());
        assert_eq!(length(0x7a00_0004, Engine::Copy), None);
        assert_eq!(length(0x2000_0000, Engine::Render), None);
        assert_eq!(length(0x1f80_0000, Engine::Render), None, "an MI opcode that does not exist");
        assert_eq!(length(0x7fff_0003, Engine::Render), None, "a 3D command that does not exist");
        for (dword0, engine, rule) in [
            (0x54f0_0008, Engine::Render, "command/engine"),
            (0x7a00_0004, Engine::Copy, "command/engine"),
            (0x1300_0002, Engine::Render, "command/engine"),
            (0x1f80_0000, Engine::Render, "command/unknown"),
            (0x7fff_0003, Engine::Render, "command/unknown"),
            (0x2000_0000, Engine::Render, "command/unknown"),
        ] {
            assert_eq!(recognize(dword0, engine).unwrap_err().rule, rule, "{dword0:#x}");
        }
    }

    proptest! {
        #[test]
        fn lengths_are_positive_and_bounded(dword0: u32, engine in 0u8..4) {
            let engine = Engine::ALL[usize::from(engine)];
            if let Some(n) = length(dword0, engine) {
                prop_assert!((1..=65537).contains(&n));
            }
        }
    }
}
