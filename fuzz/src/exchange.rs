//! A VMM's side of a connection: pieces of the stream, with descriptors.
//!
//! ```text
//!  length u16 │ flags u8 │ bytes ...      flags: 2:0 descriptors  4:3 of which kind  7 the bytes as they are
//! ```
//! Unless told to leave them, the header gets the piece's size: most pieces are messages with something behind.

/// What a piece carries beside bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Descriptor {
    /// Memory.
    Memory,
    /// To be signalled by.
    Eventfd,
    /// Neither.
    Other,
}

/// A piece of the stream.
#[derive(Clone, Debug)]
pub struct Piece {
    /// What is said.
    pub bytes: Vec<u8>,
    /// What comes with it.
    pub descriptors: Vec<Descriptor>,
}

const AS_IT_IS: u8 = 1 << 7;
/// The message's size, in its header.
const SIZE: std::ops::Range<usize> = 4..8;

/// The pieces in `input`.
pub fn decode(mut input: &[u8]) -> impl Iterator<Item = Piece> {
    std::iter::from_fn(move || {
        let (&[low, high, flags], rest) = input.split_first_chunk()?;
        let len = usize::from(u16::from_le_bytes([low, high])).min(rest.len());
        let (bytes, rest) = rest.split_at(len);
        input = rest;
        let mut bytes = bytes.to_vec();
        if flags & AS_IT_IS == 0
            && let Some(size) = bytes.get_mut(SIZE)
        {
            size.copy_from_slice(&(len as u32).to_ne_bytes());
        }
        let kind = match flags >> 3 & 3 {
            0 => Descriptor::Memory,
            1 => Descriptor::Eventfd,
            _ => Descriptor::Other,
        };
        Some(Piece { bytes, descriptors: vec![kind; usize::from(flags & 7)] })
    })
}

/// A message with so many descriptors of this kind.
pub fn encode(message: &[u8], descriptors: usize, kind: Descriptor) -> Vec<u8> {
    let len = u16::try_from(message.len()).unwrap_or(u16::MAX);
    let flags = descriptors.min(7) as u8 | (kind as u8) << 3;
    let bytes = message.iter().take(usize::from(len));
    len.to_le_bytes().into_iter().chain([flags]).chain(bytes.copied()).collect()
}

/// The messages in a recording, each with the number of its descriptors.
pub fn recorded(mut recording: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let mut stream = Vec::new();
    let mut descriptors = Vec::new();
    while let Some((len, rest)) = recording.split_first_chunk()
        && let Some((count, rest)) = rest.split_first_chunk()
    {
        let len = (u32::from_le_bytes(*len) as usize).min(rest.len());
        descriptors.push((stream.len(), u32::from_le_bytes(*count) as usize));
        let (bytes, rest) = rest.split_at(len);
        stream.extend_from_slice(bytes);
        recording = rest;
    }
    let (mut messages, mut at) = (Vec::new(), 0);
    while let Some(size) = stream.get(at + SIZE.start..at + SIZE.end) {
        let size = u32::from_ne_bytes(size.try_into().unwrap_or_default()) as usize;
        let end = (at + size.max(SIZE.end)).min(stream.len());
        let with = descriptors.iter().filter(|(from, _)| (at..end).contains(from));
        messages.push((stream.get(at..end).unwrap_or_default().to_vec(), with.map(|d| d.1).sum()));
        at = end;
    }
    messages
}
