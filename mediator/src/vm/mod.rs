//! VMs.

mod mailbox;

pub(crate) use mailbox::{Details, Mail, Mailbox, MailboxSender, Question};
