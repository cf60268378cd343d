//! The software model judges each command as it fetched it, by the audit's own rules: what the audit says of a batch that
//! nobody changes is what becomes of it.

#[allow(dead_code, reason = "another test uses the rest of it")]
mod corpus;
mod variants;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use corpus::{Batch, Place, each_batch};
use crossbeam_channel::{Receiver, bounded};
use gpu_intel::address::PpgttAddress;
use gpu_intel::audit::{Audit, Privilege, Verdict, is_refusal};
use gpu_intel::command::walk::CommandMemory;
use gpu_intel::command::{self, Command, Length};
use gpu_intel::engine::Engine;
use gpu_intel::silicon::{self, model::Model};
use mediator::{
    Clock, Fence, GuestAddress, GuestRam, JobEnd, JobId, Outcome, Reason, Silicon, SpaceId,
    SpaceRoot, Ticket, VmId,
};
use proptest::prelude::*;
use variants::{HARMLESS, HOSTILE};

const VM: VmId = VmId(1);
const PAGE: u64 = 4096;
/// How long a batch may take that ends, and one that may not.
const LONG: Duration = Duration::from_secs(20);
const SHORT: Duration = Duration::from_millis(50);
/// Variants of each class that are run.
const ENOUGH: u32 = 24;

/// How a batch ended on the model.
#[derive(Clone, Debug, PartialEq, Eq)]
enum End {
    /// At its end, or at a fault that is no refusal.
    Unjudged,
    Refused(Reason),
    /// It did not end, and was killed.
    Endless,
}

/// The model with one address space of a guest.
struct Machine {
    model: Model,
    ram: GuestRam,
    space: SpaceId,
    jobs: u64,
}

impl Machine {
    fn new(ram: GuestRam, root: SpaceRoot) -> Self {
        let model = Model::new(Clock::start()).unwrap();
        let space = model.open_space(VM, &ram, root).unwrap();
        Self { model, ram, space, jobs: 0 }
    }

    fn run(&mut self, engine: Engine, start: PpgttAddress, patience: Duration) -> End {
        let context = self.model.open_context(self.space, engine.id()).unwrap();
        self.jobs += 1;
        let job = JobId(self.jobs);
        let (sender, fence): (_, Receiver<Fence>) = bounded(1);
        let ticket = Ticket::new(VM, job, move |fence| sender.send(fence).unwrap());
        let work = silicon::Batch::new(start);
        self.model.submit(engine.id(), context, work, ticket).unwrap();
        self.model.kick(engine.id());
        let fence = fence.recv_timeout(patience).unwrap_or_else(|_| {
            self.model.kill(engine.id(), VM, job, Reason::new("test/endless", "enough"));
            fence.recv().unwrap()
        });
        self.model.close_context(context);
        match fence.outcome {
            Outcome::Ended(JobEnd::Fault(why)) if is_refusal(&why) => End::Refused(why),
            Outcome::Ended(JobEnd::Killed(_)) => End::Endless,
            Outcome::Ended(_) => End::Unjudged,
            Outcome::Preempted => panic!("preempted"),
        }
    }
}

/// A page as it was captured.
fn captured(memory: &mut dyn CommandMemory, at: PpgttAddress) -> [u32; 1024] {
    let mut dwords = [0; 1024];
    memory.fetch(at, &mut dwords);
    dwords
}

/// A captured batch in a guest's memory, behind page tables of four levels.
struct Placed {
    machine: Machine,
    /// Where the pages are, and what address they have in the batch's space.
    pages: HashMap<u64, PpgttAddress>,
    physical: HashMap<u64, u64>,
}

impl Placed {
    fn new(batch: &mut Batch<'_>) -> Self {
        let mut addresses: Vec<u64> = Vec::new();
        for (address, size) in &batch.objects {
            let first = address.truncated().0;
            addresses.extend((first..first + size).step_by(PAGE as usize));
        }
        // Behind the pages, four levels of tables: no more than a few for each object.
        let tables = 4 + 6 * batch.objects.len() as u64 + addresses.len() as u64 / 256;
        let ram = GuestRam::anonymous((1 + addresses.len() as u64 + tables) * PAGE).unwrap();
        let mut next = PAGE;
        let mut take = || {
            next += PAGE;
            next - PAGE
        };
        let mut known: HashMap<(u32, u64), u64> = HashMap::new();
        let root = take();
        let mut pages = HashMap::new();
        let mut physical = HashMap::new();
        for address in addresses {
            let mut table = root;
            for level in (1..4_u32).rev() {
                let prefix = address >> (12 + 9 * level);
                let entry = GuestAddress(table + 8 * (prefix & 511));
                table = *known.entry((level, prefix)).or_insert_with(|| {
                    let table = take();
                    ram.write_u64(entry, table | 3).unwrap();
                    table
                });
            }
            let page = take();
            ram.write_u64(GuestAddress(table + 8 * (address >> 12 & 511)), page | 3).unwrap();
            pages.insert(page, PpgttAddress(address));
            physical.insert(address, page);
        }
        let machine = Machine::new(ram, SpaceRoot { levels: 4, entries: [root, 0, 0, 0] });
        let placed = Self { machine, pages, physical };
        for (page, address) in &placed.pages {
            let dwords = captured(batch.memory, *address);
            if dwords != [0; 1024] {
                placed.put(*page, &dwords);
            }
        }
        let _ = placed.machine.ram.take_dirty();
        placed
    }

    fn put(&self, page: u64, dwords: &[u32; 1024]) {
        let bytes: Vec<u8> = dwords.iter().flat_map(|dword| dword.to_le_bytes()).collect();
        self.machine.ram.write(GuestAddress(page), &bytes).unwrap();
    }

    fn write(&self, at: u64, dword: u32) {
        let page = self.physical[&(at & !(PAGE - 1))];
        self.machine.ram.write_u32(GuestAddress(page + at % PAGE), dword).unwrap();
    }

    /// Runs the batch with some dwords changed, and puts everything back.
    fn run(
        &mut self,
        batch: &mut Batch<'_>,
        place: &Place,
        dwords: &[u32],
        patience: Duration,
    ) -> End {
        for (at, dword) in (place.at.0..).step_by(4).zip(dwords) {
            self.write(at, *dword);
        }
        let end = self.machine.run(batch.engine, batch.start, patience);
        for range in self.machine.ram.take_dirty() {
            for n in 0..range.pages {
                let page = range.first.0 + n * PAGE;
                self.put(page, &captured(batch.memory, self.pages[&page]));
            }
        }
        let _ = self.machine.ram.take_dirty();
        end
    }
}

/// A few places of a batch, spread over all of it, at which `change` can be made.
fn some(batch: &Batch<'_>, change: impl Fn(&Place) -> Option<Vec<u32>>) -> Vec<(Place, Vec<u32>)> {
    let all: Vec<_> =
        batch.places.iter().filter_map(|place| Some((place.clone(), change(place)?))).collect();
    let step = (all.len() / 2).max(1);
    all.into_iter().step_by(step).collect()
}

#[test]
fn captured_batches_and_harmless_variants_of_them_are_never_refused() {
    let (mut batches, mut variants) = (0, 0);
    each_batch(|mut batch| {
        let mut placed = Placed::new(&mut batch);
        let as_it_is = batch.places[0].clone();
        let end = placed.run(&mut batch, &as_it_is, &as_it_is.dwords, LONG);
        assert_eq!(end, End::Unjudged, "{}", batch.name);
        batches += 1;
        for (name, change) in HARMLESS {
            for (place, dwords) in some(&batch, change).into_iter().take(1) {
                let end = placed.run(&mut batch, &place, &dwords, SHORT);
                assert!(!matches!(end, End::Refused(_)), "{name} in {}: {end:?}", batch.name);
                variants += 1;
            }
        }
    });
    println!("{batches} batches and {variants} harmless variants, none refused");
    assert!(batches >= 115 && variants > 300);
}

#[test]
fn hostile_variants_are_refused_where_they_are_reached_by_the_rule_of_the_scan() {
    let mut refused: BTreeMap<&str, u32> = BTreeMap::new();
    let (mut tried, mut reached) = (0, 0);
    each_batch(|mut batch| {
        let mut placed = None;
        for class in HOSTILE {
            for (place, dwords) in some(&batch, class.change) {
                if refused.get(class.name).is_some_and(|count| *count >= ENOUGH) {
                    break;
                }
                let placed = placed.get_or_insert_with(|| Placed::new(&mut batch));
                tried += 1;
                // What no engine knows shows whether the place is reached at all.
                let at = format!("at {:#x}", place.at);
                match placed.run(&mut batch, &place, &[u32::MAX], LONG) {
                    End::Refused(why) if why.detail.ends_with(&at) => {
                        assert_eq!(why.rule, "command/unknown");
                    }
                    _ => continue,
                }
                reached += 1;
                let end = placed.run(&mut batch, &place, &dwords, LONG);
                let wrong = format!("{} in {} {at}: {end:?}", class.name, batch.name);
                let End::Refused(why) = end else { panic!("{wrong}") };
                assert_eq!(why.rule, class.rule, "{wrong}");
                *refused.entry(class.name).or_default() += 1;
            }
        }
    });
    println!("{reached} of {tried} hostile variants were reached, each refused by its rule");
    let never: Vec<_> = HOSTILE.iter().filter(|c| !refused.contains_key(c.name)).collect();
    assert!(never.is_empty(), "never: {:?}", never.iter().map(|c| c.name).collect::<Vec<_>>());
    assert!(reached >= 800, "{reached}");
}

/// Where things are in the small space of the random batches: tables, the batch, another, data.
const BATCH: u64 = 0x1_0000;
const SECOND: u64 = 0x1_8000;
const DATA: u32 = 0x4_0000;
const MAPPED: u64 = 0x8_0000;

struct Flat<'a>(&'a GuestRam);

impl CommandMemory for Flat<'_> {
    fn fetch(&mut self, at: PpgttAddress, to: &mut [u32]) -> usize {
        for (n, dword) in to.iter_mut().enumerate() {
            let here = (at.0 & !3).wrapping_add(4 * n as u64);
            if !(0x1_0000..MAPPED).contains(&here) {
                return n;
            }
            *dword = self.0.read_u32(GuestAddress(here)).unwrap();
        }
        to.len()
    }
}

fn small_space() -> Machine {
    let ram = GuestRam::anonymous(1 << 20).unwrap();
    ram.write_u64(GuestAddress(0x1000), 0x2003).unwrap();
    for page in (0x1_0000..MAPPED).step_by(PAGE as usize) {
        ram.write_u64(GuestAddress(0x2000 + 8 * (page / PAGE)), page | 3).unwrap();
    }
    Machine::new(ram, SpaceRoot { levels: 3, entries: [0x1000, 0, 0, 0] })
}

fn commands(engine: Engine) -> Vec<&'static Command> {
    let mut all: Vec<_> = command::all()
        .filter(|c| command::decode(c.key, engine).is_some_and(|found| found.name == c.name))
        .collect();
    // MI commands make up half.
    let mi: Vec<_> = all.iter().copied().filter(|c| c.key >> 29 == 0).collect();
    while all.iter().filter(|c| c.key >> 29 == 0).count() * 2 < all.len() {
        all.extend(&mi);
    }
    all
}

fn dwords(command: &Command, bits: u32, longer: u8, operands: &[u32]) -> Vec<u32> {
    let Length { min, max, .. } = command.length;
    let counting = u32::from(command.length.counting_bits());
    let counted = (min + u32::from(longer)).min(max.max(min + 1)).saturating_sub(2);
    let header = command.key | bits & !command.mask & !counting | counted & counting;
    let length = command.length.of(header);
    let operands = operands.iter().copied().cycle();
    std::iter::once(header).chain(operands).take(length).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    /// In a batch that nobody changes, what is fetched is what was scanned.
    #[test]
    fn what_passes_the_audit_is_not_refused_where_it_is_fetched(
        engine in 0usize..4,
        first in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<u32>(), any::<bool>(), 0u8..3, prop::collection::vec(
                prop_oneof![Just(0), Just(DATA), 0u32..16, Just(SECOND as u32), any::<u32>(),
                    Just(0x2600), Just(0x2_2600)], 4..12)),
            1..6,
        ),
        split in 0usize..8,
    ) {
        let engine = Engine::ALL[engine];
        let known = commands(engine);
        let mut machine = small_space();
        let mut batches = [Vec::new(), Vec::new()];
        for (n, (index, bits, plain, longer, operands)) in first.iter().enumerate() {
            let bits = if *plain { bits & 0x0018_ff00 } else { *bits };
            let command = known[index.index(known.len())];
            batches[usize::from(n >= split)].extend(dwords(command, bits, *longer / 2, operands));
        }
        for (at, commands) in [BATCH, SECOND].into_iter().zip(&mut batches) {
            commands.push(0x0500_0000);
            for (at, dword) in (at..).step_by(4).zip(&*commands) {
                machine.ram.write_u32(GuestAddress(at), *dword).unwrap();
            }
        }
        let start = PpgttAddress(BATCH);
        let outcome =
            Audit::default().judge(&mut Flat(&machine.ram), engine, Privilege::User, start);
        let end = machine.run(engine, start, Duration::from_millis(20));
        let unchanged = [BATCH, SECOND].into_iter().zip(&batches).all(|(at, commands)| {
            (at..).step_by(4).zip(commands).all(|(at, dword)| {
                machine.ram.read_u32(GuestAddress(at)).unwrap() == *dword
            })
        });
        if let (End::Refused(why), true) = (end, unchanged) {
            let Verdict::Fail(refusal) = outcome.verdict else {
                return Err(TestCaseError::fail(format!("only at fetch: {why}")));
            };
            // A walk sees batches in another order than an engine.
            if why.detail.ends_with(&format!("at {:#x}", refusal.at)) {
                prop_assert_eq!(refusal.reason.rule, why.rule);
            }
        }
    }
}
