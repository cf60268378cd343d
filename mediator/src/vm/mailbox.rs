//! The mailbox of a VM's thread: how the rest of the mediator talks to it.
//!
//! A channel carries the mail, an eventfd wakes the thread, which waits in `poll`.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crossbeam_channel::{Receiver, Sender};
use rustix::event::{EventfdFlags, eventfd};
use rustix::io::{read, write};

use super::pause::SaveReply;
use crate::saved::SavedVm;
use crate::{GuestRam, JobEnd, JobId, Plug, RestoreError, ScanOut, UnknownAccess};

/// What a VM's thread is told.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A job ended.
    Ended { generation: u64, job: JobId, end: JobEnd },
    /// An engine has given the VM's jobs back: the answer is where the recall said.
    Recalled,
    /// Somebody wants to know something. A reply that nobody waits for any more is dropped.
    Ask(Question),
    /// The mediator shuts down.
    Stop,
}

/// What control asks a VM's thread.
#[derive(Debug)]
pub(crate) enum Question {
    /// What only the device knows.
    Details(Sender<Details>),
    /// What the display shows.
    ScanOut(Sender<(ScanOut, GuestRam)>),
    /// Reset the device.
    Reset(Sender<()>),
    /// Plug a monitor in or pull it out.
    Plug(Plug, Sender<()>),
    /// Stop the GPU and save its state.
    Save(SaveReply),
    /// Let a GPU that was stopped to be saved go on.
    Resume(Sender<bool>),
    /// Restore a state.
    Restore(Box<SavedVm>, Sender<Result<(), RestoreError>>),
}

/// What only the device knows.
#[derive(Clone, Debug, Default)]
pub struct Details {
    /// Registers without a meaning to the device that the guest touched.
    pub unknown: Vec<UnknownAccess>,
    /// The device's own counters.
    pub counters: Vec<(&'static str, u64)>,
    /// Width and height of the display's mode in pixels.
    pub mode: Option<(u32, u32)>,
    /// Guest memory mapped here, in bytes.
    pub memory: u64,
}

/// The receiving side.
#[derive(Debug)]
pub(crate) struct Mailbox {
    mail: Receiver<Mail>,
    bell: Arc<OwnedFd>,
    awake: Arc<AtomicBool>,
}

/// The sending side. Sending never waits.
#[derive(Clone, Debug)]
pub(crate) struct MailboxSender {
    mail: Sender<Mail>,
    bell: Arc<OwnedFd>,
    awake: Arc<AtomicBool>,
}

impl Mailbox {
    /// A mailbox and its sending side.
    pub(crate) fn new() -> std::io::Result<(Self, MailboxSender)> {
        let bell = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        // Unbounded, but not endless: a VM's jobs on their way are limited by its quota.
        let (sender, mail) = crossbeam_channel::unbounded();
        let awake = Arc::new(AtomicBool::new(false));
        let mailbox = Self { mail, bell: Arc::clone(&bell), awake: Arc::clone(&awake) };
        Ok((mailbox, MailboxSender { mail: sender, bell, awake }))
    }

    /// What to poll for input.
    pub(crate) fn bell(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }

    /// From now on the thread looks for mail by itself, and the bell does not ring.
    pub(crate) fn wake(&self) {
        self.awake.store(true, Ordering::SeqCst);
    }

    /// From now on the bell rings. `false`: there is mail already.
    pub(crate) fn sleep(&self) -> bool {
        self.awake.store(false, Ordering::SeqCst);
        self.mail.is_empty()
    }

    /// Stops the bell. To be called before the mail is taken, so that none is overlooked.
    pub(crate) fn silence(&self) {
        // It fails only when the bell does not ring.
        let _ = read(&*self.bell, &mut [0; 8]);
    }

    /// The next mail, if there is any.
    pub(crate) fn take(&self) -> Option<Mail> {
        self.mail.try_recv().ok()
    }
}

impl MailboxSender {
    pub(crate) fn ended(&self, generation: u64, job: JobId, end: JobEnd) {
        self.send(Mail::Ended { generation, job, end });
    }

    pub(crate) fn send(&self, mail: Mail) {
        if self.mail.send(mail).is_ok() && !self.awake.load(Ordering::SeqCst) {
            // It fails only when the bell rings already, 2^64 times.
            let _ = write(&*self.bell, &1_u64.to_ne_bytes());
        }
    }
}
