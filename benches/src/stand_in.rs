//! A stand-in for a VM: guest memory of its own and [`Driver`], on the socket of a daemon or of a mediator in this
//! process. It does what QEMU with a guest does, without one.

use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use gpu_intel::driver::{Driver, MEMORY};
use gpu_intel::engine::Engine;
use mediator::memory::{MapRequest, MemoryQuota, sealed_memfd};
use mediator::transport::vfio_user::client::Client;
use mediator::{GuestAddress, GuestRam, Place, Region};

/// Bytes of registers in BAR0, and where in it the GGTT begins.
const REGISTERS: u64 = 0x18_0000;
const GGTT: u64 = 8 << 20;
const GGTT_ENTRIES: u64 = 1 << 20;
/// How long a request may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A VM with a started driver.
#[derive(Debug)]
pub struct StandIn {
    client: Client,
    ram: GuestRam,
    driver: Driver,
}

impl StandIn {
    /// Connects to the socket at `path` and starts the driver. Its memory is as large as the driver needs, and `more`
    /// bytes.
    ///
    /// # Errors
    /// When there is nobody, or no memory.
    pub fn connect(path: &Path, more: u64) -> Result<Self> {
        let bytes = MEMORY + more;
        let memory = sealed_memfd(bytes)?;
        let ram = GuestRam::new(MemoryQuota::default());
        let request = MapRequest {
            at: GuestAddress(0),
            len: bytes,
            fd: memory.try_clone()?,
            offset: 0,
            writable: true,
        };
        ram.map(request)?;
        let mut client = Client::connect(path).with_context(|| path.display().to_string())?;
        client.map(GuestAddress(0), bytes, memory.as_fd(), 0, true)?;
        let driver = Driver::start(ram.clone(), &mut |at, value| {
            // What is lost here, the first read misses.
            let _ = client.write_u32(0, at, value);
        })?;
        client.read_u32(0, 0)?;
        Ok(Self { client, ram, driver })
    }

    /// Its memory.
    #[must_use]
    pub fn ram(&self) -> &GuestRam {
        &self.ram
    }

    /// Its connection.
    pub fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Submits the batch at `batch`, with writes that wait for their effect, as QEMU's do. Returns its number.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn submit(&mut self, engine: Engine, batch: u64) -> Result<u32> {
        let mut outcome = Ok(());
        let client = &mut self.client;
        let seqno = self.driver.submit(engine, batch, &mut |offset, value| {
            let at = Place { region: Region::Bar(0), offset };
            if let Err(error) = client.write(at, &value.to_le_bytes()) {
                outcome = Err(error);
            }
        })?;
        outcome?;
        Ok(seqno)
    }

    /// Waits until the request with this number is done, looking every `pause`.
    ///
    /// # Errors
    /// When it takes longer than ten seconds.
    pub fn wait(&self, engine: Engine, seqno: u32, pause: Duration) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.driver.completed(engine)? != seqno {
            if Instant::now() > deadline {
                bail!("request {seqno} of {engine:?} is not done within {PATIENCE:?}");
            }
            std::thread::sleep(pause);
        }
        Ok(())
    }

    /// Touches every page of the device's state that a driver can touch: its registers and the whole GGTT. Nothing
    /// costs the daemon more memory.
    ///
    /// # Errors
    /// When the connection fails.
    pub fn use_everything(&mut self) -> Result<()> {
        let bar0 = |offset| Place { region: Region::Bar(0), offset };
        for page in (0..REGISTERS).step_by(4096) {
            // The last dword of a page: a submission port or a reset is not among them.
            self.client.post(bar0(page + 4092), &u32::MAX.to_le_bytes())?;
        }
        for entry in 0..GGTT_ENTRIES {
            self.client.post(bar0(GGTT + 8 * entry), &(entry << 12 | 1).to_le_bytes())?;
        }
        let last = self.client.read_u32(0, GGTT + 8 * (GGTT_ENTRIES - 1))?;
        ensure!(last == 0xFFFF_F001, "the GGTT's last entry is {last:#x}");
        Ok(())
    }
}
