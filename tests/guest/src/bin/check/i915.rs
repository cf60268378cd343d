//! The smallest i915 client: buffers at addresses of our choice, contexts, submissions, waits.
//!
//! Every buffer is soft-pinned: the program picks its GPU address and commands carry that address
//! as a plain number, so no relocations exist. Each context has an address space of its own, in
//! which a buffer is bound when it is first submitted.

use std::cell::Cell;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};

use crate::commands::Commands;
use crate::mapping::Mapping;
use crate::uapi::{self, Argument, PointerFree};

/// How long a batch that ought to end at once may take on a busy machine.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// An engine of the GPU, named as i915 names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Engine {
    Render,
    Blitter,
    Video,
    VideoEnhancement,
}

impl Engine {
    pub(crate) const ALL: [Engine; 4] =
        [Engine::Render, Engine::Blitter, Engine::Video, Engine::VideoEnhancement];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Engine::Render => "rcs0",
            Engine::Blitter => "bcs0",
            Engine::Video => "vcs0",
            Engine::VideoEnhancement => "vecs0",
        }
    }

    /// First register of the engine's command streamer.
    const fn base(self) -> u32 {
        match self {
            Engine::Render => 0x2000,
            Engine::Blitter => 0x22000,
            Engine::Video => 0x12000,
            Engine::VideoEnhancement => 0x1a000,
        }
    }

    /// Offset of a 64-bit general purpose register of the command streamer, `index` in 0..16.
    pub(crate) const fn general_register(self, index: u32) -> u32 {
        self.base() + 0x600 + 8 * index
    }

    /// Offset of the low half of the command streamer's time stamp.
    pub(crate) const fn timestamp_register(self) -> u32 {
        self.base() + 0x358
    }

    const fn selector(self) -> u64 {
        match self {
            Engine::Render => 1,
            Engine::Video => 2,
            Engine::Blitter => 3,
            Engine::VideoEnhancement => 4,
        }
    }

    fn of_class(class: u16) -> Option<Engine> {
        match class {
            0 => Some(Engine::Render),
            1 => Some(Engine::Blitter),
            2 => Some(Engine::Video),
            3 => Some(Engine::VideoEnhancement),
            _ => None,
        }
    }
}

impl fmt::Display for Engine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.name())
    }
}

impl std::str::FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Engine::ALL
            .into_iter()
            .find(|engine| engine.name().trim_end_matches('0') == name.trim_end_matches('0'))
            .ok_or_else(|| format!("no engine {name:?}; there are rcs, bcs, vcs, vecs"))
    }
}

/// An open render or primary node of i915.
#[derive(Debug)]
pub(crate) struct Device {
    node: Rc<File>,
    next_address: Cell<u64>,
}

/// How a buffer is mapped for the CPU.
#[derive(Clone, Copy, Debug)]
pub(crate) enum View {
    /// Through the aperture and the global GTT; a fence shows a tiled buffer as linear.
    Aperture = 0,
    /// The pages themselves, write-combined.
    WriteCombined = 1,
    /// The pages themselves, cached.
    Cached = 2,
}

/// Tiling that a fence register gives to a buffer in the aperture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FenceTiling {
    X = 1,
    Y = 2,
}

/// A GEM object with its GPU address; closed when dropped.
#[derive(Debug)]
pub(crate) struct Buffer {
    node: Rc<File>,
    handle: u32,
    size: usize,
    address: u64,
}

/// A hardware context with its own address space; destroyed when dropped.
#[derive(Debug)]
pub(crate) struct Context {
    node: Rc<File>,
    id: u32,
}

/// How often a context met a reset: while it ran, and while it waited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct ResetCounts {
    pub(crate) active: u32,
    pub(crate) pending: u32,
}

/// Issues one request, repeating it while signals interrupt it.
///
/// # Safety
///
/// Each address in `argument` must be good for what the kernel does with it.
pub(crate) unsafe fn request<A: Argument>(node: &File, argument: &mut A) -> io::Result<()> {
    loop {
        // SAFETY: the request number carries A's size, so the kernel stays inside `argument`
        // except for the addresses that the caller vouches for.
        let result = unsafe {
            libc::ioctl(node.as_raw_fd(), u64::from(A::REQUEST) as _, &raw mut *argument)
        };
        if result == 0 {
            return Ok(());
        }
        let error = io::Error::last_os_error();
        if !matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN)) {
            return Err(error);
        }
    }
}

/// Issues one request whose argument holds no addresses.
pub(crate) fn plain_request<A: PointerFree>(node: &File, argument: &mut A) -> io::Result<()> {
    // SAFETY: A holds no address.
    unsafe { request(node, argument) }
}

impl Device {
    /// Opens `path`, and makes sure that each context has a full address space there.
    pub(crate) fn open(path: &str) -> Result<Device> {
        let file = OpenOptions::new().read(true).write(true).open(path);
        let node = Rc::new(file.with_context(|| format!("open {path}"))?);
        let device = Device { node, next_address: Cell::new(0x20_0000) };
        let ppgtt = device.parameter(uapi::PARAM_HAS_ALIASING_PPGTT)?;
        ensure!(ppgtt >= 2, "the driver gives contexts no address spaces of their own ({ppgtt})");
        Ok(device)
    }

    pub(crate) fn node(&self) -> &File {
        &self.node
    }

    /// Asks the driver for one of its `PARAM_*` values.
    pub(crate) fn parameter(&self, param: i32) -> Result<i32> {
        let mut value = 0_i32;
        let mut argument =
            uapi::GetParam { param, value: (&raw mut value) as u64, ..Default::default() };
        // SAFETY: `value` outlives the request, and the kernel writes one i32 there.
        unsafe { request(&self.node, &mut argument) }.with_context(|| format!("param {param}"))?;
        Ok(value)
    }

    /// Size of a new context's address space, in bytes.
    pub(crate) fn address_space_size(&self) -> Result<u64> {
        let mut argument =
            uapi::GemContextGetParam { param: uapi::CONTEXT_PARAM_GTT_SIZE, ..Default::default() };
        // SAFETY: this parameter is answered in the argument itself.
        unsafe { request(&self.node, &mut argument) }.context("size of the address space")?;
        Ok(argument.value)
    }

    /// The engines the driver has, without second instances.
    pub(crate) fn engines(&self) -> Result<Vec<Engine>> {
        const MOST: usize = 16;
        #[repr(C)]
        #[derive(Default)]
        struct Answer {
            head: uapi::QueryEngineInfo,
            engines: [uapi::EngineInfo; MOST],
        }
        let mut answer = Answer::default();
        let mut item = uapi::QueryItem {
            query_id: uapi::QUERY_ENGINE_INFO,
            length: size_of::<Answer>() as i32,
            flags: 0,
            data_ptr: (&raw mut answer) as u64,
        };
        let mut query = uapi::Query { num_items: 1, flags: 0, items_ptr: (&raw mut item) as u64 };
        // SAFETY: `item` and `answer` outlive the request, and `length` is the answer's size.
        unsafe { request(&self.node, &mut query) }.context("query the engines")?;
        ensure!(item.length > 0, "query of the engines: error {}", item.length);
        let count = (answer.head.num_engines as usize).min(MOST);
        let mut engines: Vec<Engine> = answer.engines[..count]
            .iter()
            .filter(|engine| engine.instance == 0)
            .filter_map(|engine| Engine::of_class(engine.class))
            .collect();
        engines.sort();
        ensure!(!engines.is_empty(), "the driver has no engines");
        Ok(engines)
    }

    /// A zeroed buffer of `size` bytes at the next free address that is a multiple of `alignment`.
    pub(crate) fn buffer(&self, size: usize, alignment: u64) -> Result<Buffer> {
        let address = self.next_address.get().next_multiple_of(alignment.max(4096));
        // An unused page between buffers makes overruns fault instead of hitting a neighbour.
        self.next_address.set(address + (size as u64).next_multiple_of(4096) + 4096);
        self.buffer_at(size, address)
    }

    /// A zeroed buffer of `size` bytes at `address`, a 48-bit number.
    pub(crate) fn buffer_at(&self, size: usize, address: u64) -> Result<Buffer> {
        let size = size.next_multiple_of(4096);
        let mut create = uapi::GemCreate { size: size as u64, ..Default::default() };
        plain_request(&self.node, &mut create).with_context(|| format!("create {size} bytes"))?;
        Ok(Buffer { node: Rc::clone(&self.node), handle: create.handle, size, address })
    }

    /// A new context.
    pub(crate) fn context(&self) -> Result<Context> {
        let mut create = uapi::GemContextCreate::default();
        plain_request(&self.node, &mut create).context("create a context")?;
        Ok(Context { node: Rc::clone(&self.node), id: create.ctx_id })
    }

    /// A buffer that holds `commands`, ready to be submitted.
    pub(crate) fn batch(&self, commands: &Commands) -> Result<Buffer> {
        let bytes = commands.to_bytes();
        let buffer = self.buffer(bytes.len(), 4096)?;
        buffer.map(View::Cached)?.write(0, &bytes);
        Ok(buffer)
    }

    /// Queues `batch`, which may write to any of `buffers`.
    ///
    /// `length` counts the batch's bytes and is a multiple of 8.
    pub(crate) fn submit(
        &self,
        engine: Engine,
        context: Option<&Context>,
        batch: &Buffer,
        length: usize,
        buffers: &[&Buffer],
    ) -> io::Result<()> {
        self.submit_with(uapi::EXEC_OBJECT_WRITE, engine, context, batch, length, buffers)
    }

    /// As [`submit`](Self::submit), but not after what else uses the buffers: the driver is not told that the batch
    /// writes to them.
    pub(crate) fn submit_beside(
        &self,
        engine: Engine,
        context: &Context,
        batch: &Buffer,
        length: usize,
        buffers: &[&Buffer],
    ) -> io::Result<()> {
        self.submit_with(0, engine, Some(context), batch, length, buffers)
    }

    fn submit_with(
        &self,
        write: u64,
        engine: Engine,
        context: Option<&Context>,
        batch: &Buffer,
        length: usize,
        buffers: &[&Buffer],
    ) -> io::Result<()> {
        let flags = uapi::EXEC_OBJECT_PINNED | uapi::EXEC_OBJECT_SUPPORTS_48B_ADDRESS;
        let mut objects: Vec<uapi::ExecObject> = buffers
            .iter()
            .map(|buffer| uapi::ExecObject {
                handle: buffer.handle,
                offset: canonical(buffer.address),
                flags: flags | write,
                ..Default::default()
            })
            .collect();
        objects.push(uapi::ExecObject {
            handle: batch.handle,
            offset: canonical(batch.address),
            flags,
            ..Default::default()
        });
        let mut argument = uapi::ExecBuffer2 {
            buffers_ptr: objects.as_mut_ptr() as u64,
            buffer_count: objects.len() as u32,
            batch_len: length as u32,
            flags: engine.selector() | uapi::EXEC_NO_RELOC | uapi::EXEC_HANDLE_LUT,
            rsvd1: context.map_or(0, |context| u64::from(context.id)),
            ..Default::default()
        };
        // SAFETY: `objects` outlives the request, and `buffer_count` is its length.
        unsafe { request(&self.node, &mut argument) }
    }

    /// Runs `commands` to their end.
    pub(crate) fn run(
        &self,
        engine: Engine,
        context: Option<&Context>,
        commands: &Commands,
        buffers: &[&Buffer],
    ) -> Result<()> {
        let batch = self.batch(commands)?;
        self.submit(engine, context, &batch, commands.length(), buffers)
            .with_context(|| format!("submit to {engine}"))?;
        if !batch.wait(PATIENCE)? {
            bail!("a batch on {engine} did not end in {} s", PATIENCE.as_secs());
        }
        Ok(())
    }
}

impl Buffer {
    pub(crate) fn handle(&self) -> u32 {
        self.handle
    }

    /// Size in bytes, a multiple of the page size.
    pub(crate) fn size(&self) -> usize {
        self.size
    }

    /// 48-bit GPU address.
    pub(crate) fn address(&self) -> u64 {
        self.address
    }

    /// Maps the whole buffer.
    pub(crate) fn map(&self, view: View) -> Result<Mapping> {
        let mut argument =
            uapi::GemMmapOffset { handle: self.handle, flags: view as u64, ..Default::default() };
        plain_request(&self.node, &mut argument).with_context(|| format!("offset of {view:?}"))?;
        Mapping::new(&self.node, argument.offset, self.size)
            .with_context(|| format!("map {view:?}"))
    }

    /// Waits until the GPU no longer uses the buffer; `false` if `limit` passed first.
    pub(crate) fn wait(&self, limit: Duration) -> Result<bool> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let mut argument = uapi::GemWait {
                bo_handle: self.handle,
                flags: 0,
                timeout_ns: left.as_nanos() as i64,
            };
            match plain_request(&self.node, &mut argument) {
                Ok(()) => return Ok(true),
                Err(error) if error.raw_os_error() == Some(libc::ETIME) => {
                    if Instant::now() >= deadline {
                        return Ok(false);
                    }
                }
                Err(error) => return Err(error).context("wait"),
            }
        }
    }

    /// Whether the GPU still uses the buffer.
    pub(crate) fn is_busy(&self) -> Result<bool> {
        let mut argument = uapi::GemBusy { handle: self.handle, busy: 0 };
        plain_request(&self.node, &mut argument).context("busy")?;
        Ok(argument.busy != 0)
    }

    /// Makes the CPU's view current after GPU or aperture writes, and the other way round.
    pub(crate) fn set_domain(&self, domain: u32, write: bool) -> Result<()> {
        let mut argument = uapi::GemSetDomain {
            handle: self.handle,
            read_domains: domain,
            write_domain: if write { domain } else { 0 },
        };
        plain_request(&self.node, &mut argument).context("set the domain")
    }

    /// Gives the buffer a fence in the aperture; `pitch` counts bytes.
    pub(crate) fn set_tiling(&self, tiling: FenceTiling, pitch: usize) -> Result<()> {
        let mut argument = uapi::GemSetTiling {
            handle: self.handle,
            tiling_mode: tiling as u32,
            stride: pitch as u32,
            swizzle_mode: 0,
        };
        plain_request(&self.node, &mut argument).context("set the tiling")?;
        ensure!(
            argument.swizzle_mode == 0,
            "the driver swizzles address bits (mode {}), which Gen9 does not do",
            argument.swizzle_mode
        );
        Ok(())
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let mut argument = uapi::GemClose { handle: self.handle, pad: 0 };
        // A handle that can't be closed goes with the process.
        let _ = plain_request(&self.node, &mut argument);
    }
}

impl Context {
    /// Puts the context's work before (or after) that of others.
    pub(crate) fn set_priority(&self, priority: i32) -> Result<()> {
        let mut argument = uapi::GemContextSetParam {
            ctx_id: self.id,
            size: 0,
            param: uapi::CONTEXT_PARAM_PRIORITY,
            value: i64::from(priority) as u64,
        };
        plain_request(&self.node, &mut argument).with_context(|| format!("priority {priority}"))
    }

    /// How often this context met a reset.
    pub(crate) fn resets(&self) -> Result<ResetCounts> {
        let mut argument = uapi::GetResetStats { ctx_id: self.id, ..Default::default() };
        plain_request(&self.node, &mut argument).context("reset statistics")?;
        Ok(ResetCounts { active: argument.batch_active, pending: argument.batch_pending })
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        let mut argument = uapi::GemContextDestroy { ctx_id: self.id, pad: 0 };
        // A context that can't be destroyed goes with the process.
        let _ = plain_request(&self.node, &mut argument);
    }
}

/// A 48-bit address as the kernel wants it: bit 47 repeated in the bits above.
pub(crate) const fn canonical(address: u64) -> u64 {
    ((address << 16) as i64 >> 16) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn canonical_addresses_repeat_bit_47() {
        assert_eq!(canonical(0x1_2345_0000), 0x1_2345_0000);
        assert_eq!(canonical(0x7fff_ffff_0000), 0x7fff_ffff_0000);
        assert_eq!(canonical(0x8000_0000_0000), 0xffff_8000_0000_0000);
    }

    #[test]
    fn engines_are_found_by_name() {
        assert_eq!("bcs".parse(), Ok(Engine::Blitter));
        assert_eq!("vecs0".parse(), Ok(Engine::VideoEnhancement));
        assert!("ccs".parse::<Engine>().is_err());
        assert_eq!(Engine::Blitter.general_register(1), 0x22608);
    }
}
