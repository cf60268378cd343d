//! A VM's thread with executors that do nothing.

use std::sync::Arc;

use super::super::host::ORDERS;
use super::super::{Mail, Quotas, Surroundings, VmHandle};
use super::*;
use crate::memory::SealPolicy;
use crate::scheduler::{Dispatch, Weight};
use crate::transport::vfio_user::client::Client;
use crate::transport::vfio_user::{Command, Flags};
use crate::{
    Clock, Effects, EngineId, Job, JobEnd, JobId, NullSilicon, Place, Plug, RegionInfo, Reset,
    RestoreError, SaveError, Saved, ScanOut, UnknownAccess, VirtualGpu, VmId,
};

/// A device that has nothing and does nothing.
struct Nothing;

impl VirtualGpu<()> for Nothing {
    fn regions(&self) -> &[RegionInfo] {
        &[]
    }
    fn read(&mut self, _: Place, _: &mut [u8], _: &mut Effects<()>) {}
    fn write(&mut self, _: Place, _: &[u8], _: &mut Effects<()>) {}
    fn finished(&mut self, _: JobId, _: JobEnd, _: &mut Effects<()>) {}
    fn tick(&mut self, _: &mut Effects<()>) -> Option<Time> {
        None
    }
    fn scan_out(&self) -> ScanOut {
        ScanOut::default()
    }
    fn plug(&mut self, _: Plug, _: &mut Effects<()>) {}
    fn reset(&mut self, _: Reset, _: &mut Effects<()>) {}
    fn save(&self, _: &[Job<()>], _: &mut Effects<()>) -> Result<Saved, SaveError> {
        Saved::new("nothing".into(), 1, &())
    }
    fn restore(
        &mut self,
        saved: &Saved,
        _: Duration,
        _: &mut Effects<()>,
    ) -> Result<(), RestoreError> {
        saved.open("nothing", 1)
    }
    fn unknown_accesses(&self) -> Vec<UnknownAccess> {
        Vec::new()
    }
    fn counters(&self) -> Vec<(&'static str, u64)> {
        Vec::new()
    }
}

#[test]
fn a_vmm_waits_for_executors_that_do_not_keep_up_with_its_resets() {
    const RESETS: usize = 20_000;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("socket");
    let clock = Clock::start();
    let silicon = Arc::new(NullSilicon::timed(clock, |(): &()| Duration::ZERO).unwrap());
    let executor = Dispatch::new(EngineId(0), Arc::clone(&silicon) as _, clock);
    let (mailbox, sender) = Mailbox::new().unwrap();
    let weight = Weight::USUAL;
    let handle =
        VmHandle::new(VmId(0), "vm".into(), path.clone(), weight, vec!["engine"], sender.clone());
    let around = Surroundings { clock, silicon, executors: vec![Arc::clone(&executor)] };
    let factory = |_| -> std::io::Result<Box<dyn VirtualGpu<()>>> { Ok(Box::new(Nothing)) };
    let seals = SealPolicy::RequireSealed;
    let host = Host::new(handle, Quotas::default(), seals, around, Box::new(factory)).unwrap();
    let thread = VmThread::new(host, Listener::bind(&path).unwrap(), mailbox);

    let busy = executor.hold();
    std::thread::scope(|scope| {
        scope.spawn(|| thread.run());
        let flood = scope.spawn(|| {
            let mut client = Client::connect(&path).unwrap();
            for _ in 0..RESETS {
                client.send(Command::DEVICE_RESET, Flags::NO_REPLY, &[], &[]).unwrap();
            }
            client.reset().unwrap();
        });
        while executor.waiting() < ORDERS {
            std::thread::yield_now();
        }
        std::thread::sleep(Duration::from_millis(50));
        assert_eq!(executor.waiting(), ORDERS, "what waits for the executor");
        // It goes on as they do.
        drop(busy);
        scope.spawn(|| executor.run());
        flood.join().unwrap();
        sender.send(Mail::Stop);
        executor.stop();
    });
}
