//! The client library for C: `include/vgate_client.h` says what each function does.
//!
//! Each function checks its pointers, calls [`Client`], and turns its error into a number. A panic aborts: it may not reach
//! C.

use std::ffi::{CStr, OsStr, c_char, c_int, c_uint, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::ptr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use guest_shim::client::{Client, ClientError, ConnectError, Point};
use guest_shim::wire::{ArenaOffset, ContextName, Fault, FenceName, GpuAddress, SpaceName};
use rustix::mm::{MapFlags, ProtFlags, mmap, munmap};

const ARGUMENT: c_int = -1;
const CONNECT: c_int = -2;
const GONE: c_int = -3;
const NAME: c_int = -4;
const RANGE: c_int = -5;
const QUOTA: c_int = -6;
const REFUSED: c_int = -7;
const TIME: c_int = -8;

const READ_ONLY: c_uint = 1;

/// `vgate_client`
#[derive(Debug)]
pub struct Connection {
    client: Client,
    arena: OnceLock<Option<Mapping>>,
}

/// The arena in this process.
#[derive(Debug)]
struct Mapping {
    start: *mut c_void,
    bytes: usize,
}

// SAFETY: nothing here reads or writes the memory; only the application does.
unsafe impl Send for Mapping {}
// SAFETY: as above.
unsafe impl Sync for Mapping {}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: it was mapped by `vgate_arena`, and the header says that nobody touches it any more.
        let _ = unsafe { munmap(self.start, self.bytes) };
    }
}

/// `vgate_point`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CPoint {
    fence: u32,
    value: u64,
}

/// `vgate_device_info`
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CDevice {
    vendor: u16,
    device: u16,
    revision: u8,
    address_bits: u8,
    engines: u16,
    timestamp_hz: u64,
}

impl From<CPoint> for Point {
    fn from(point: CPoint) -> Self {
        Self { fence: FenceName(point.fence), value: point.value }
    }
}

fn fault(fault: Fault) -> c_int {
    match fault {
        Fault::Name => NAME,
        Fault::Range | Fault::Malformed => RANGE,
        Fault::Quota => QUOTA,
        Fault::Refused | Fault::Lost => REFUSED,
        Fault::Gone => GONE,
    }
}

fn number(error: ClientError) -> c_int {
    match error {
        ClientError::Refused(why) => fault(why),
        ClientError::Names(_) => NAME,
        ClientError::Gone | ClientError::Broken(_) => GONE,
    }
}

fn status(result: Result<(), ClientError>) -> c_int {
    result.map_or_else(number, |()| 0)
}

/// The connection behind a pointer.
///
/// # Safety
/// `client` is null, or came from [`vgate_connect`] and was not disconnected.
unsafe fn connection<'a>(client: *const Connection) -> Option<&'a Connection> {
    // SAFETY: the caller's.
    unsafe { client.as_ref() }
}

/// Writes a result where the caller wants it.
///
/// # Safety
/// `to` is null, or may be written.
unsafe fn give<T>(result: Result<T, ClientError>, to: *mut T) -> c_int {
    if to.is_null() {
        return ARGUMENT;
    }
    match result {
        Ok(value) => {
            // SAFETY: not null, and the caller's.
            unsafe { to.write(value) };
            0
        }
        Err(error) => number(error),
    }
}

/// Points of the caller's.
///
/// # Safety
/// `points` has `count` points, or `count` is 0.
unsafe fn points(points: *const CPoint, count: usize) -> Option<Vec<Point>> {
    if count == 0 {
        return Some(Vec::new());
    }
    if points.is_null() {
        return None;
    }
    // SAFETY: not null, and the caller's.
    let points = unsafe { std::slice::from_raw_parts(points, count) };
    Some(points.iter().copied().map(Point::from).collect())
}

/// See the header.
///
/// # Safety
/// `socket` is null or a string, `client` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_connect(
    socket: *const c_char,
    client: *mut *mut Connection,
) -> c_int {
    if socket.is_null() || client.is_null() {
        return ARGUMENT;
    }
    // SAFETY: a string, not null.
    let path = unsafe { CStr::from_ptr(socket) };
    match Client::connect(Path::new(OsStr::from_bytes(path.to_bytes()))) {
        Ok(connected) => {
            let connection = Connection { client: connected, arena: OnceLock::new() };
            // SAFETY: not null, and the caller's.
            unsafe { client.write(Box::into_raw(Box::new(connection))) };
            0
        }
        Err(ConnectError::Refused(why)) => fault(why),
        Err(_) => CONNECT,
    }
}

/// See the header.
///
/// # Safety
/// `client` is null, or came from [`vgate_connect`], and nobody uses it any more.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_disconnect(client: *mut Connection) {
    if !client.is_null() {
        // SAFETY: it was made by `Box::into_raw`, and the caller gives it up.
        drop(unsafe { Box::from_raw(client) });
    }
}

/// See the header.
#[unsafe(no_mangle)]
pub extern "C" fn vgate_error_text(error: c_int) -> *const c_char {
    let text = match error {
        0 => c"it is done",
        ARGUMENT => c"an argument is null, or no path",
        CONNECT => {
            c"nobody serves clients at that socket: is `vgate run` running, with this [[shim]]?"
        }
        GONE => c"the mediator is gone",
        NAME => c"no such space or context, or no more can be named",
        RANGE => c"nothing is there, or it is not aligned",
        QUOTA => c"the client has as much of it as it may",
        REFUSED => c"the mediator refuses",
        TIME => c"not reached in time",
        _ => c"no error of vgate's",
    };
    text.as_ptr()
}

/// See the header.
///
/// # Safety
/// As [`vgate_disconnect`] says of `client`; `info` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_device(client: *const Connection, info: *mut CDevice) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    let device = connection.client.device();
    let described = CDevice {
        vendor: device.vendor,
        device: device.device,
        revision: device.revision,
        address_bits: device.address_bits,
        engines: u16::try_from(device.engines().count()).unwrap_or(u16::MAX),
        timestamp_hz: device.timestamp_hz,
    };
    // SAFETY: the caller's.
    unsafe { give(Ok(described), info) }
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_engine_class(client: *const Connection, engine: u16) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    let found = connection.client.device().engines().nth(usize::from(engine));
    found.map_or(RANGE, |engine| c_int::from(engine.class))
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `bytes` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_arena(client: *mut Connection, bytes: *mut usize) -> *mut c_void {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ptr::null_mut() };
    let map = || {
        let arena = connection.client.arena();
        let bytes = usize::try_from(arena.bytes()).ok()?;
        let access = ProtFlags::READ | ProtFlags::WRITE;
        let flags = MapFlags::SHARED | MapFlags::NORESERVE;
        // SAFETY: a new mapping, where the kernel likes it, disturbs nothing; its file can't shrink.
        let start = unsafe { mmap(ptr::null_mut(), bytes, access, flags, arena.file(), 0) };
        Some(Mapping { start: start.ok()?, bytes })
    };
    let Some(mapping) = connection.arena.get_or_init(map) else { return ptr::null_mut() };
    if !bytes.is_null() {
        // SAFETY: not null, and the caller's.
        unsafe { bytes.write(mapping.bytes) };
    }
    mapping.start
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `space` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_open_space(client: *mut Connection, space: *mut u32) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    if space.is_null() {
        return ARGUMENT;
    }
    // SAFETY: the caller's.
    unsafe { give(connection.client.open_space().map(|space| space.0), space) }
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_close_space(client: *mut Connection, space: u32) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    connection.client.close_space(SpaceName(space));
    0
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_bind(
    client: *mut Connection,
    space: u32,
    address: u64,
    offset: u64,
    bytes: u64,
    flags: c_uint,
) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    if flags & !READ_ONLY != 0 {
        return RANGE;
    }
    let (at, arena) = (GpuAddress(address), ArenaOffset(offset));
    let read_only = flags & READ_ONLY != 0;
    status(connection.client.bind(SpaceName(space), at, arena, bytes, read_only))
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_unbind(
    client: *mut Connection,
    space: u32,
    address: u64,
    bytes: u64,
) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    status(connection.client.unbind(SpaceName(space), GpuAddress(address), bytes))
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_refusals(client: *const Connection) -> u64 {
    // SAFETY: the caller's.
    unsafe { connection(client) }.map_or(0, |connection| connection.client.refusals())
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `context` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_open_context(
    client: *mut Connection,
    space: u32,
    engine: u16,
    priority: i16,
    context: *mut u32,
) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    if context.is_null() {
        return ARGUMENT;
    }
    let opened = connection.client.open_context(SpaceName(space), engine, priority);
    // SAFETY: the caller's.
    unsafe { give(opened.map(|context| context.0), context) }
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_close_context(client: *mut Connection, context: u32) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    connection.client.close_context(ContextName(context));
    0
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `waits` has `count` points; `end` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_submit(
    client: *mut Connection,
    context: u32,
    waits: *const CPoint,
    count: usize,
    start: u64,
    end: *mut CPoint,
) -> c_int {
    // SAFETY: the caller's.
    let (connection, waits) = unsafe { (connection(client), points(waits, count)) };
    let (Some(connection), Some(waits)) = (connection, waits) else { return ARGUMENT };
    if end.is_null() {
        return ARGUMENT;
    }
    let submitted = connection.client.submit(ContextName(context), &waits, GpuAddress(start));
    let point = submitted.map(|point| CPoint { fence: point.fence.0, value: point.value });
    // SAFETY: the caller's.
    unsafe { give(point, end) }
}

/// See the header.
///
/// # Safety
/// `client` is null or connected.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_reached(client: *const Connection, point: CPoint) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    c_int::from(connection.client.reached(point.into()))
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `awaited` has `count` points.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_wait(
    client: *mut Connection,
    awaited: *const CPoint,
    count: usize,
    nanoseconds: i64,
) -> c_int {
    // SAFETY: the caller's.
    let (connection, awaited) = unsafe { (connection(client), points(awaited, count)) };
    let (Some(connection), Some(awaited)) = (connection, awaited) else { return ARGUMENT };
    // A time that no clock reaches is none.
    let until = u64::try_from(nanoseconds).ok().map(Duration::from_nanos);
    let until = until.and_then(|left| Instant::now().checked_add(left));
    match connection.client.wait(&awaited, until) {
        Ok(true) => 0,
        Ok(false) => TIME,
        Err(error) => number(error),
    }
}

/// See the header.
///
/// # Safety
/// `client` is null or connected; `lost` is null or may be written.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn vgate_lost(
    client: *mut Connection,
    context: u32,
    lost: *mut u64,
) -> c_int {
    // SAFETY: the caller's.
    let Some(connection) = (unsafe { connection(client) }) else { return ARGUMENT };
    let answer = connection.client.lost(ContextName(context));
    // SAFETY: the caller's.
    unsafe { give(answer.map(|lost| lost.own.saturating_add(lost.innocent)), lost) }
}
