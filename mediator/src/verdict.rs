//! What vgate thinks of something a guest did. A verdict is not an error: the host is fine, the guest is judged.
//!
//! | verdict | where it stands | what the guest sees |
//! |---|---|---|
//! | pass | nowhere | its work is done |
//! | fail this request | [`Effects::failed`](crate::Effects::failed) | a hang of the engine, which its driver recovers from |
//! | quarantine the VM | [`Effects::quarantine`](crate::Effects::quarantine) | a device that answers zeros until its next reset |

use std::borrow::Cow;
use std::fmt;

/// Why a verdict is not "pass": the rule that was broken, and what broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// A short stable name, `area/rule`, fit for counting: `execlist/descriptor`.
    pub rule: &'static str,
    /// A sentence with the offending values, fit for an operator.
    pub detail: Cow<'static, str>,
}

impl Reason {
    /// A reason for `rule`.
    pub fn new(rule: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { rule, detail: detail.into() }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.rule, self.detail)
    }
}
