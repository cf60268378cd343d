//! What vgate thinks of something a guest did. A verdict is not an error: the host is fine, the guest is judged.

use std::borrow::Cow;
use std::fmt;

/// Why a verdict is not [`Verdict::Pass`]: the rule that was broken, and what broke it.
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

/// A judgement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing wrong.
    Pass,
    /// This request is not executed; the guest sees a hang of it and recovers as from one.
    Fail(Reason),
    /// The whole VM is cut off from the GPU until its next device reset.
    Quarantine(Reason),
}
