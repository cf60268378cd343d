//! Requests and their answers, and how they stand in words.
//!
//! ```text
//!  request     token u32 │ flags u16 │ verb u16     seven words of operands; those that a verb doesn't have are zero
//!  completion  token u32 │ code u32                 three words
//! ```

use core::fmt;

/// Words of a request.
pub const SUBMISSION_WORDS: usize = 8;
/// Words of an answer.
pub const COMPLETION_WORDS: usize = 4;

/// A client's name for an address space.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpaceName(pub u32);

/// A client's name for a context.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContextName(pub u32);

/// A fence: which word of the queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FenceName(pub u32);

/// An address in an address space of the GPU.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GpuAddress(pub u64);

/// A place in the arena, in bytes from its start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArenaOffset(pub u64);

/// What a client knows an answer by. Chosen by the client, and of no meaning to the mediator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token(pub u32);

impl Token {
    /// Of requests whose answers nobody waits for.
    pub const NOBODY: Self = Self(0);
}

/// What a client asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new address space, empty.
    OpenSpace {
        /// Its name from now on.
        space: SpaceName,
    },
    /// An address space goes, when nothing runs in it any more.
    CloseSpace {
        /// Which.
        space: SpaceName,
    },
    /// Part of the arena is shown at an address, over whatever was there.
    Bind {
        /// In which space.
        space: SpaceName,
        /// From where on. A multiple of a page.
        at: GpuAddress,
        /// What is shown. A multiple of a page.
        arena: ArenaOffset,
        /// How much, in bytes: whole pages.
        bytes: u64,
        /// Whether stores of the GPU are faults.
        read_only: bool,
    },
    /// Nothing is shown at these addresses any more.
    Unbind {
        /// In which space.
        space: SpaceName,
        /// From where on. A multiple of a page.
        at: GpuAddress,
        /// How much, in bytes: whole pages.
        bytes: u64,
    },
    /// A new context: a queue of batches that keep their order, and their state.
    OpenContext {
        /// Its name from now on.
        context: ContextName,
        /// The space that its batches run in.
        space: SpaceName,
        /// The engine's number, as the vendor counts them.
        engine: u16,
        /// Against the client's other contexts: more is sooner.
        priority: i16,
    },
    /// A context goes. What of it runs or waits is killed.
    CloseContext {
        /// Which.
        context: ContextName,
    },
    /// The context's next batch begins only when a fence has reached a value. Several may be asked for, one by one.
    Await {
        /// Which context.
        context: ContextName,
        /// Which fence.
        fence: FenceName,
        /// The value.
        value: u64,
    },
    /// A batch runs, and then a fence gets a value.
    Submit {
        /// In which context.
        context: ContextName,
        /// Its first command. A multiple of 8 bytes.
        start: GpuAddress,
        /// Which fence.
        fence: FenceName,
        /// The value.
        value: u64,
    },
    /// A fence gets a value from the client itself.
    Signal {
        /// Which fence.
        fence: FenceName,
        /// The value.
        value: u64,
    },
    /// To be answered when a fence has reached a value: for who is going to sleep. With token 0 there is no answer, but the
    /// bell is rung for a sleeper.
    Notify {
        /// Which fence.
        fence: FenceName,
        /// The value.
        value: u64,
    },
    /// To be answered with how often batches of a context were lost.
    Statistics {
        /// Which context.
        context: ContextName,
    },
}

/// A request with its token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Submission {
    /// What the answer, if there is one, is known by.
    pub token: Token,
    /// What is asked for.
    pub request: Request,
}

/// Words that are no request, or no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Malformed {
    /// No verb, or no code, has this number.
    Number(u32),
    /// A word or a flag that means nothing here is not zero.
    NotZero,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number} means nothing"),
            Self::NotZero => f.write_str("a word that means nothing is not zero"),
        }
    }
}

impl core::error::Error for Malformed {}

const READ_ONLY: u64 = 1;

/// Two numbers in a word.
fn pair(low: u32, high: u32) -> u64 {
    u64::from(high) << 32 | u64::from(low)
}

fn low(word: u64) -> u32 {
    word as u32
}

fn high(word: u64) -> u32 {
    (word >> 32) as u32
}

impl Submission {
    /// As it stands in the ring.
    #[must_use]
    pub fn encode(&self) -> [u64; SUBMISSION_WORDS] {
        let (verb, flags, operands): (u16, u64, [u64; 4]) = match self.request {
            Request::OpenSpace { space } => (1, 0, [space.0.into(), 0, 0, 0]),
            Request::CloseSpace { space } => (2, 0, [space.0.into(), 0, 0, 0]),
            Request::Bind { space, at, arena, bytes, read_only } => {
                let flags = if read_only { READ_ONLY } else { 0 };
                (3, flags, [space.0.into(), at.0, arena.0, bytes])
            }
            Request::Unbind { space, at, bytes } => (4, 0, [space.0.into(), at.0, bytes, 0]),
            Request::OpenContext { context, space, engine, priority } => {
                let how = pair(engine.into(), u32::from(priority.cast_unsigned()));
                (5, 0, [pair(context.0, space.0), how, 0, 0])
            }
            Request::CloseContext { context } => (6, 0, [context.0.into(), 0, 0, 0]),
            Request::Await { context, fence, value } => {
                (7, 0, [pair(context.0, fence.0), value, 0, 0])
            }
            Request::Submit { context, start, fence, value } => {
                (8, 0, [pair(context.0, fence.0), start.0, value, 0])
            }
            Request::Signal { fence, value } => (9, 0, [fence.0.into(), value, 0, 0]),
            Request::Notify { fence, value } => (10, 0, [fence.0.into(), value, 0, 0]),
            Request::Statistics { context } => (11, 0, [context.0.into(), 0, 0, 0]),
        };
        let head = u64::from(verb) << 48 | flags << 32 | u64::from(self.token.0);
        let [a, b, c, d] = operands;
        [head, a, b, c, d, 0, 0, 0]
    }

    /// What words say. The token counts even if they say nothing: the answer is that they don't.
    ///
    /// # Errors
    /// The token, and what is wrong.
    pub fn decode(words: &[u64; SUBMISSION_WORDS]) -> Result<Self, (Token, Malformed)> {
        let [head, a, b, c, d, ..] = *words;
        let token = Token(low(head));
        let (space, context) = (SpaceName(low(a)), ContextName(low(a)));
        let fence = FenceName(low(a));
        let request = match (head >> 48) as u16 {
            1 => Request::OpenSpace { space },
            2 => Request::CloseSpace { space },
            3 => Request::Bind {
                space,
                at: GpuAddress(b),
                arena: ArenaOffset(c),
                bytes: d,
                read_only: head >> 32 & READ_ONLY != 0,
            },
            4 => Request::Unbind { space, at: GpuAddress(b), bytes: c },
            5 => Request::OpenContext {
                context,
                space: SpaceName(high(a)),
                engine: b as u16,
                priority: (high(b) as u16).cast_signed(),
            },
            6 => Request::CloseContext { context },
            7 => Request::Await { context, fence: FenceName(high(a)), value: b },
            8 => Request::Submit {
                context,
                fence: FenceName(high(a)),
                start: GpuAddress(b),
                value: c,
            },
            9 => Request::Signal { fence, value: b },
            10 => Request::Notify { fence, value: b },
            11 => Request::Statistics { context },
            other => return Err((token, Malformed::Number(other.into()))),
        };
        let decoded = Self { token, request };
        // Room for later versions: nobody may rely on what is ignored.
        if decoded.encode() == *words { Ok(decoded) } else { Err((token, Malformed::NotZero)) }
    }
}

/// Why a request failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is none that this version of the protocol knows, or holds what means nothing.
    Malformed,
    /// A name that is not in use, or is already.
    Name,
    /// Addresses, or a part of the arena, that are not there or not aligned; an engine or a fence that does not exist.
    Range,
    /// The client has as much of it as it may.
    Quota,
    /// The audit refused the batch.
    Refused,
    /// The batch could not go on, or took longer than it may, and was ended.
    Lost,
    /// The context, the client or the GPU is gone.
    Gone,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Malformed => "the request means nothing to the mediator",
            Self::Name => "the name is not in use, or is already",
            Self::Range => "there is nothing in this range, or it is not aligned",
            Self::Quota => "the client has as much of it as it may",
            Self::Refused => "the audit refused the batch",
            Self::Lost => "the batch could not go on and was ended",
            Self::Gone => "it is gone",
        })
    }
}

impl core::error::Error for Fault {}

/// How a request went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The fence has reached the value.
    Reached,
    /// How often a context's batches were lost.
    Lost {
        /// For what they did themselves.
        own: u64,
        /// For what others did.
        innocent: u64,
    },
    /// It failed.
    Failed(Fault),
}

/// An answer with the token of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completion {
    /// The request's.
    pub token: Token,
    /// How it went.
    pub answer: Answer,
}

/// Codes from here on are faults.
const FAULTS: u32 = 16;
const ALL_FAULTS: [Fault; 7] = [
    Fault::Malformed,
    Fault::Name,
    Fault::Range,
    Fault::Quota,
    Fault::Refused,
    Fault::Lost,
    Fault::Gone,
];

/// A fault's number on the wire.
pub(super) fn fault_code(fault: Fault) -> u32 {
    ALL_FAULTS.iter().position(|f| *f == fault).unwrap_or(0) as u32
}

/// The fault with a number.
pub(super) fn fault_of(code: u64) -> Option<Fault> {
    ALL_FAULTS.get(usize::try_from(code).ok()?).copied()
}

impl Completion {
    /// As it stands in the ring.
    #[must_use]
    pub fn encode(&self) -> [u64; COMPLETION_WORDS] {
        let (code, [a, b]) = match self.answer {
            Answer::Reached => (1, [0; 2]),
            Answer::Lost { own, innocent } => (2, [own, innocent]),
            Answer::Failed(fault) => (FAULTS + fault_code(fault), [0; 2]),
        };
        [pair(self.token.0, code), a, b, 0]
    }

    /// What words say.
    ///
    /// # Errors
    /// What is wrong.
    pub fn decode(words: &[u64; COMPLETION_WORDS]) -> Result<Self, Malformed> {
        let [head, a, b, _] = *words;
        let code = high(head);
        let fault = code.checked_sub(FAULTS).and_then(|code| fault_of(code.into()));
        let answer = match (code, fault) {
            (1, _) => Answer::Reached,
            (2, _) => Answer::Lost { own: a, innocent: b },
            (_, Some(fault)) => Answer::Failed(fault),
            (other, None) => return Err(Malformed::Number(other)),
        };
        let decoded = Self { token: Token(low(head)), answer };
        if decoded.encode() == *words { Ok(decoded) } else { Err(Malformed::NotZero) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn requests() -> impl Strategy<Value = Request> {
        let name = any::<u32>;
        let number = any::<u64>;
        prop_oneof![
            name().prop_map(|n| Request::OpenSpace { space: SpaceName(n) }),
            name().prop_map(|n| Request::CloseSpace { space: SpaceName(n) }),
            (name(), number(), number(), number(), any::<bool>()).prop_map(
                |(space, at, arena, bytes, read_only)| Request::Bind {
                    space: SpaceName(space),
                    at: GpuAddress(at),
                    arena: ArenaOffset(arena),
                    bytes,
                    read_only,
                }
            ),
            (name(), number(), number()).prop_map(|(space, at, bytes)| Request::Unbind {
                space: SpaceName(space),
                at: GpuAddress(at),
                bytes,
            }),
            (name(), name(), any::<u16>(), any::<i16>()).prop_map(
                |(context, space, engine, priority)| Request::OpenContext {
                    context: ContextName(context),
                    space: SpaceName(space),
                    engine,
                    priority,
                }
            ),
            name().prop_map(|n| Request::CloseContext { context: ContextName(n) }),
            (name(), name(), number()).prop_map(|(context, fence, value)| Request::Await {
                context: ContextName(context),
                fence: FenceName(fence),
                value,
            }),
            (name(), number(), name(), number()).prop_map(|(context, start, fence, value)| {
                Request::Submit {
                    context: ContextName(context),
                    start: GpuAddress(start),
                    fence: FenceName(fence),
                    value,
                }
            }),
            (name(), number())
                .prop_map(|(fence, value)| Request::Signal { fence: FenceName(fence), value }),
            (name(), number())
                .prop_map(|(fence, value)| Request::Notify { fence: FenceName(fence), value }),
            name().prop_map(|n| Request::Statistics { context: ContextName(n) }),
        ]
    }

    fn answers() -> impl Strategy<Value = Answer> {
        prop_oneof![
            Just(Answer::Reached),
            any::<(u64, u64)>().prop_map(|(own, innocent)| Answer::Lost { own, innocent }),
            (0..ALL_FAULTS.len()).prop_map(|n| Answer::Failed(ALL_FAULTS[n])),
        ]
    }

    #[test]
    fn what_means_nothing_is_refused_with_its_token() {
        let token = Token(7);
        let mut words =
            Submission { token, request: Request::OpenSpace { space: SpaceName(1) } }.encode();
        words[7] = 1;
        assert_eq!(Submission::decode(&words), Err((token, Malformed::NotZero)));
        words[7] = 0;
        words[0] |= 1 << 40;
        assert_eq!(Submission::decode(&words), Err((token, Malformed::NotZero)));
        words[0] = 99 << 48 | 7;
        assert_eq!(Submission::decode(&words), Err((token, Malformed::Number(99))));
        assert_eq!(Completion::decode(&[0; 4]), Err(Malformed::Number(0)));
        assert_eq!(Completion::decode(&[1 << 32, 0, 0, 1]), Err(Malformed::NotZero));
    }

    proptest! {
        #[test]
        fn requests_survive_the_way(token: u32, request in requests()) {
            let submission = Submission { token: Token(token), request };
            prop_assert_eq!(Submission::decode(&submission.encode()), Ok(submission));
        }

        #[test]
        fn answers_survive_the_way(token: u32, answer in answers()) {
            let completion = Completion { token: Token(token), answer };
            prop_assert_eq!(Completion::decode(&completion.encode()), Ok(completion));
        }

        #[test]
        fn any_words_are_judged(words: [u64; 8], verb in 0..16u64) {
            let mut words = words;
            words[0] = words[0] & 0xFFFF_FFFF | verb << 48;
            if let Ok(decoded) = Submission::decode(&words) {
                prop_assert_eq!(decoded.encode(), words);
            }
            let [a, b, c, d, ..] = words;
            let _ = Completion::decode(&[a, b, c, d]);
        }
    }
}
