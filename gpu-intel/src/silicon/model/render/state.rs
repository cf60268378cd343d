//! The state of the 3D and compute pipelines: the commands that set it, as they came last.
//!
//! Each command has its place in one flat array of dwords, header first. So state goes to a context's image and comes back
//! as it is, whatever a guest put there is numbers, and what a field means is said where it is used.

use std::ops::RangeInclusive;

use crate::address::PpgttAddress;

/// A command's opcode: bits 31:16 of its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Opcode(pub(super) u16);

macro_rules! kept {
    ($($name:ident: $opcode:literal, $dwords:expr;)*) => {
        $(
            #[allow(dead_code, reason = "kept for stages that are not there yet")]
            pub(super) const $name: Opcode = Opcode($opcode);
        )*
        /// What is kept, by opcode: its dwords.
        const KEPT: &[(u16, usize)] = &[$(($opcode, $dwords),)*];
    };
}

/// Buffers that 3DSTATE_VERTEX_BUFFERS numbers.
pub(super) const VERTEX_BUFFER_COUNT: usize = 33;
/// Elements that 3DSTATE_VERTEX_ELEMENTS may have.
pub(super) const VERTEX_ELEMENT_COUNT: usize = 34;
const STREAM_OUT_BUFFERS: usize = 4;
const STREAM_OUT_BUFFER_DWORDS: usize = 8;
const VERTEX_BUFFER_DWORDS: usize = 4;

// Names and sizes: SKL PRM vol 2a. Two dwords are kept for each place of 3DSTATE_VF_INSTANCING behind its header.
kept! {
    STATE_BASE_ADDRESS: 0x6101, 19;
    VF_STATISTICS: 0x680b, 1;
    PIPELINE_SELECT: 0x6904, 1;
    MEDIA_VFE_STATE: 0x7000, 9;
    MEDIA_CURBE_LOAD: 0x7001, 4;
    MEDIA_INTERFACE_DESCRIPTOR_LOAD: 0x7002, 4;
    CLEAR_PARAMS: 0x7804, 3;
    DEPTH_BUFFER: 0x7805, 8;
    STENCIL_BUFFER: 0x7806, 5;
    HIER_DEPTH_BUFFER: 0x7807, 5;
    VERTEX_BUFFERS: 0x7808, 1 + VERTEX_BUFFER_DWORDS * VERTEX_BUFFER_COUNT;
    VERTEX_ELEMENTS: 0x7809, 1 + 2 * VERTEX_ELEMENT_COUNT;
    INDEX_BUFFER: 0x780a, 5;
    VF: 0x780c, 2;
    MULTISAMPLE: 0x780d, 2;
    CC_STATE_POINTERS: 0x780e, 2;
    SCISSOR_STATE_POINTERS: 0x780f, 2;
    VS: 0x7810, 9;
    GS: 0x7811, 10;
    CLIP: 0x7812, 4;
    SF: 0x7813, 4;
    WM: 0x7814, 2;
    CONSTANT_VS: 0x7815, 11;
    CONSTANT_GS: 0x7816, 11;
    CONSTANT_PS: 0x7817, 11;
    SAMPLE_MASK: 0x7818, 2;
    CONSTANT_HS: 0x7819, 11;
    CONSTANT_DS: 0x781a, 11;
    HS: 0x781b, 9;
    TE: 0x781c, 4;
    DS: 0x781d, 11;
    STREAMOUT: 0x781e, 5;
    SBE: 0x781f, 6;
    PS: 0x7820, 12;
    VIEWPORT_STATE_POINTERS_SF_CLIP: 0x7821, 2;
    VIEWPORT_STATE_POINTERS_CC: 0x7823, 2;
    BLEND_STATE_POINTERS: 0x7824, 2;
    BINDING_TABLE_POINTERS_VS: 0x7826, 2;
    BINDING_TABLE_POINTERS_HS: 0x7827, 2;
    BINDING_TABLE_POINTERS_DS: 0x7828, 2;
    BINDING_TABLE_POINTERS_GS: 0x7829, 2;
    BINDING_TABLE_POINTERS_PS: 0x782a, 2;
    SAMPLER_STATE_POINTERS_VS: 0x782b, 2;
    SAMPLER_STATE_POINTERS_HS: 0x782c, 2;
    SAMPLER_STATE_POINTERS_DS: 0x782d, 2;
    SAMPLER_STATE_POINTERS_GS: 0x782e, 2;
    SAMPLER_STATE_POINTERS_PS: 0x782f, 2;
    URB_VS: 0x7830, 2;
    URB_HS: 0x7831, 2;
    URB_DS: 0x7832, 2;
    URB_GS: 0x7833, 2;
    VF_INSTANCING: 0x7849, 1 + 2 * VERTEX_ELEMENT_COUNT;
    VF_SGVS: 0x784a, 2;
    VF_TOPOLOGY: 0x784b, 2;
    WM_CHROMAKEY: 0x784c, 2;
    PS_BLEND: 0x784d, 2;
    WM_DEPTH_STENCIL: 0x784e, 4;
    PS_EXTRA: 0x784f, 2;
    RASTER: 0x7850, 5;
    SBE_SWIZ: 0x7851, 11;
    WM_HZ_OP: 0x7852, 5;
    DRAWING_RECTANGLE: 0x7900, 4;
    POLY_STIPPLE_OFFSET: 0x7906, 2;
    POLY_STIPPLE_PATTERN: 0x7907, 33;
    LINE_STIPPLE: 0x7908, 3;
    AA_LINE_PARAMETERS: 0x790a, 3;
    SO_DECL_LIST: 0x7917, 3 + 2 * 128;
    SO_BUFFER: 0x7918, STREAM_OUT_BUFFERS * STREAM_OUT_BUFFER_DWORDS;
    SAMPLE_PATTERN: 0x791c, 9;
}

/// Dwords of the whole state: it has its page in a context's image.
pub(super) const DWORDS: usize = {
    let (mut sum, mut i) = (0, 0);
    while i < KEPT.len() {
        sum += KEPT[i].1;
        i += 1;
    }
    sum
};
const _: () = assert!(DWORDS <= 1024, "one page of a context's image");

/// Where a command's dwords lie.
fn place(opcode: Opcode) -> Option<std::ops::Range<usize>> {
    let index = KEPT.binary_search_by_key(&opcode.0, |(kept, _)| *kept).ok()?;
    let start = KEPT.iter().take(index).map(|(_, dwords)| dwords).sum();
    KEPT.get(index).map(|(_, dwords)| start..start + dwords)
}

/// What was set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct State {
    words: Box<[u32; DWORDS]>,
}

impl Default for State {
    fn default() -> Self {
        Self { words: Box::new([0; DWORDS]) }
    }
}

impl State {
    /// All dwords, for a context's image.
    pub(in super::super) fn words(&self) -> &[u32] {
        self.words.as_slice()
    }

    /// Takes dwords from a context's image; what is missing is left as it is.
    pub(in super::super) fn restore(&mut self, from: &[u32]) {
        for (word, from) in self.words.iter_mut().zip(from) {
            *word = *from;
        }
    }

    /// Keeps what `command` sets. `false`: it sets nothing that is kept.
    pub(super) fn set(&mut self, command: &[u32]) -> bool {
        let Some(header) = command.first() else { return false };
        let opcode = Opcode((header >> 16) as u16);
        let Some(kept) = place(opcode).and_then(|place| self.words.get_mut(place)) else {
            return false;
        };
        match opcode {
            STATE_BASE_ADDRESS => set_bases(kept, command),
            PIPELINE_SELECT => set_pipeline(kept, *header),
            VERTEX_BUFFERS => {
                for buffer in command.get(1..).unwrap_or_default().chunks_exact(4) {
                    set_vertex_buffer(kept, buffer);
                }
            }
            VF_INSTANCING => {
                let element = command.get(1).map_or(0, |dword| dword & 0x3f) as usize;
                copy(kept.get_mut(1 + 2 * element..).unwrap_or_default(), command.get(1..3));
            }
            SO_BUFFER => {
                let index = command.get(1).map_or(0, |dword| dword >> 29 & 3) as usize;
                let at = index * STREAM_OUT_BUFFER_DWORDS;
                copy(kept.get_mut(at..).unwrap_or_default(), command.get(..8));
            }
            _ => copy(kept, Some(command)),
        }
        true
    }

    /// What was set, command by command. Of those that came in parts, the parts that there are.
    pub(in super::super) fn commands(&self) -> Vec<Vec<u32>> {
        let all = KEPT.iter().map(|(opcode, _)| self.command(Opcode(*opcode)).0);
        all.filter(|words| words.first().is_some_and(|header| *header != 0))
            .map(<[u32]>::to_vec)
            .collect()
    }

    /// A command's dwords.
    pub(super) fn command(&self, opcode: Opcode) -> Words<'_> {
        Words(place(opcode).and_then(|place| self.words.get(place)).unwrap_or_default())
    }

    /// The base address whose low dword is dword `index` of STATE_BASE_ADDRESS.
    pub(super) fn base(&self, base: Base) -> PpgttAddress {
        let words = self.command(STATE_BASE_ADDRESS);
        PpgttAddress(words.address(base as usize).0 & !0xfff)
    }
}

/// Which base address, by its low dword in STATE_BASE_ADDRESS.
#[derive(Clone, Copy, Debug)]
pub(super) enum Base {
    General = 1,
    Surface = 4,
    Dynamic = 6,
    Instruction = 10,
    Bindless = 16,
}

fn copy(to: &mut [u32], from: Option<&[u32]>) {
    for (to, from) in to.iter_mut().zip(from.unwrap_or_default()) {
        *to = *from;
    }
}

/// Bit 0 of each address and size says whether it is set.
fn set_bases(kept: &mut [u32], command: &[u32]) {
    const ADDRESSES: [usize; 6] = [1, 4, 6, 8, 10, 16];
    for (i, dword) in command.iter().enumerate().skip(1) {
        let low = if i > 0 && ADDRESSES.contains(&(i - 1)) { i - 1 } else { i };
        let modified = command.get(low).is_some_and(|word| word & 1 != 0);
        // The size of the bindless surfaces has no bit of its own.
        if (modified || i == 18 || i == 3)
            && let Some(word) = kept.get_mut(i)
        {
            *word = *dword;
        }
    }
}

/// Bits 15:8 say which of bits 7:0 are set.
fn set_pipeline(kept: &mut [u32], header: u32) {
    if let Some(word) = kept.first_mut() {
        let mask = header >> 8 & 0xff;
        *word = *word & !mask & 0xff | header & mask;
    }
}

/// Bit 14 says whether the address is set.
fn set_vertex_buffer(kept: &mut [u32], buffer: &[u32]) {
    let first = buffer.first().copied().unwrap_or_default();
    let at = 1 + VERTEX_BUFFER_DWORDS * (first >> 26) as usize;
    let Some(kept) = kept.get_mut(at..at + VERTEX_BUFFER_DWORDS) else { return };
    for (i, (kept, dword)) in kept.iter_mut().zip(buffer).enumerate() {
        if first & 1 << 14 != 0 || i == 0 || i == 3 {
            *kept = *dword;
        }
    }
}

/// Dwords of a command or a structure in memory; those that are missing are 0.
#[derive(Clone, Copy, Debug)]
pub(super) struct Words<'a>(pub(super) &'a [u32]);

impl<'a> Words<'a> {
    pub(super) fn dword(self, index: usize) -> u32 {
        self.0.get(index).copied().unwrap_or_default()
    }

    pub(super) fn float(self, index: usize) -> f32 {
        f32::from_bits(self.dword(index))
    }

    /// Bits of a dword, both ends included.
    pub(super) fn bits(self, index: usize, bits: RangeInclusive<u32>) -> u32 {
        let (low, high) = (*bits.start(), *bits.end());
        self.dword(index) >> low & (u32::MAX >> (31 - (high - low)))
    }

    pub(super) fn flag(self, index: usize, bit: u32) -> bool {
        self.dword(index) >> bit & 1 != 0
    }

    /// The address whose low dword is dword `index`.
    pub(super) fn address(self, index: usize) -> PpgttAddress {
        PpgttAddress::from_dwords(self.dword(index), self.dword(index + 1))
    }

    pub(super) fn from(self, index: usize) -> Words<'a> {
        Words(self.0.get(index..).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(KEPT.is_sorted_by_key(|(opcode, _)| opcode));
    }

    #[test]
    fn a_base_without_its_bit_stays() {
        let mut state = State::default();
        let mut command = [0; 19];
        command[0] = 0x6101_0011;
        (command[4], command[5]) = (0x1000_0001, 0x12);
        (command[6], command[7]) = (0x2000_0001, 0);
        assert!(state.set(&command));
        command[4] = 0x3000_0000;
        command[6] = 0x4000_0001;
        assert!(state.set(&command));
        assert_eq!(state.base(Base::Surface), PpgttAddress(0x12_1000_0000));
        assert_eq!(state.base(Base::Dynamic), PpgttAddress(0x4000_0000));
    }

    #[test]
    fn vertex_buffers_have_their_places() {
        let mut state = State::default();
        let buffer = |index: u32, size| [index << 26 | 1 << 14 | 16, 0x1000, 0, size];
        let command = [&[0x7808_0007][..], &buffer(3, 64), &buffer(32, 128)].concat();
        assert!(state.set(&command));
        let words = state.command(VERTEX_BUFFERS);
        assert_eq!((words.dword(1 + 4 * 3 + 3), words.dword(1 + 4 * 32 + 3)), (64, 128));
        // A number that no buffer has.
        assert!(state.set(&[&[0x7808_0003][..], &buffer(63, 1)].concat()));
    }

    #[test]
    fn state_comes_back_from_its_words() {
        let mut state = State::default();
        state.set(&[0x7814_0000, 77]);
        let mut other = State::default();
        other.restore(state.words());
        assert_eq!(other, state);
        assert_eq!(other.command(WM).dword(1), 77);
        other.restore(&[1; 5000]);
    }

    #[test]
    fn what_sets_nothing_is_not_kept() {
        assert!(!State::default().set(&[0x7b00_0005, 0]));
        assert!(!State::default().set(&[]));
    }
}
