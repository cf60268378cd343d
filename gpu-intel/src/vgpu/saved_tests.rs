//! A device that is saved and restored, with silicon played by the test; and states that nobody saved.

use mediator::{JobEnd, Place, Plug, Region, Reset, Time, VirtualGpu};
use proptest::prelude::*;
use serde_json::Value;

use super::super::tests::Machine;
use super::super::{Aperture, VgpuConfig};
use super::*;
use crate::platform::Platform;

/// A machine with two requests on each engine, a display that is on, and a flip that waits.
fn busy() -> Machine {
    let mut machine = Machine::new();
    for engine in Engine::ALL {
        machine.submit(engine);
        machine.submit(engine);
    }
    for (at, value) in [(0x6_001C, 1023 << 16 | 767), (0x6_000C, 805 << 16 | 767)] {
        machine.write(at, value);
    }
    machine.write(0x7_0008, 1 << 31);
    // A look at the scan line, before an update.
    machine.read(0x7_0000);
    machine.write(0x7_0180, 1 << 31 | 4 << 24);
    machine.write(0x7_019C, 0x12_3000);
    machine.write(0x4_4404, 0);
    machine
}

fn save(machine: &mut Machine) -> Saved {
    let out = machine.handed_out.clone();
    let mut saved = None;
    machine.act(|vgpu, fx| saved = Some(vgpu.save(&out, fx).unwrap()));
    saved.unwrap()
}

fn restore(machine: &mut Machine, saved: &Saved) -> Result<(), RestoreError> {
    let mut outcome = Ok(());
    machine.act(|vgpu, fx| outcome = vgpu.restore(saved, Duration::ZERO, fx));
    outcome
}

fn value(saved: &Saved) -> Value {
    serde_json::to_value(saved).unwrap()["state"].take()
}

fn resaved(machine: &Machine, state: &Value) -> Saved {
    Saved::new(machine.vgpu.model(), VERSION, state).unwrap()
}

#[test]
fn a_restored_device_is_the_same_and_goes_on() {
    let mut first = busy();
    let saved = save(&mut first);
    let mut second = Machine::without_driver(first.ram.clone());
    restore(&mut second, &saved).unwrap();
    assert_eq!(value(&save(&mut second)), value(&saved));
    assert_eq!(second.jobs.len(), first.jobs.len());
    for (one, other) in first.handed_out.iter().zip(&second.handed_out) {
        assert_eq!(
            (one.engine, one.space, one.context),
            (other.engine, other.space, other.context)
        );
        assert_eq!(one.work, other.work);
    }
    for _ in 0..8 {
        second.finish(JobEnd::Done);
    }
    // Seen in the memory that both share.
    for engine in Engine::ALL {
        assert_eq!(first.completed(engine), 2, "{engine:?}");
    }
    assert!(second.interrupts > 0);
}

#[test]
fn what_silicon_gave_back_is_what_goes_on() {
    let mut first = busy();
    for job in &mut first.handed_out {
        job.work.start.0 += 0x40;
        job.work.return_to = Some(crate::address::PpgttAddress(0x1000));
        (job.work.restore, job.work.rest) = (true, true);
    }
    let saved = save(&mut first);
    let mut second = Machine::without_driver(first.ram.clone());
    restore(&mut second, &saved).unwrap();
    let state = value(&saved);
    let batch = &state["engines"][0]["active"]["outstanding"][0];
    assert_eq!(
        batch["origin"]["Interrupted"]["at"], batch["start"],
        "not from its beginning again"
    );
    let works = |machine: &Machine| -> Vec<_> {
        machine.handed_out.iter().map(|job| job.work.clone()).collect()
    };
    assert_eq!(works(&second), works(&first));
}

#[test]
fn a_batch_that_was_recalled_is_recalled_again() {
    let mut machine = busy();
    let mut state = value(&save(&mut machine));
    state["engines"][1]["active"]["outstanding"][0]["recalled"] = true.into();
    let mut other = Machine::without_driver(machine.ram.clone());
    restore(&mut other, &resaved(&machine, &state)).unwrap();
    let wanted = other.handed_out.iter().find(|job| job.engine == Engine::Copy.id()).unwrap().id;
    assert_eq!(other.recalled, [wanted]);
}

#[test]
fn a_restore_cancels_what_was_out_and_clears_what_was_there() {
    let mut first = busy();
    let saved = save(&mut first);
    let mut second = busy();
    second.write(8 << 20 | 0x7F_0000, 0xABCD_E001);
    second.write(0x4F100, 7);
    let out = second.jobs.clone();
    restore(&mut second, &saved).unwrap();
    assert_eq!(second.cancelled, out);
    assert_eq!((second.read(8 << 20 | 0x7F_0000), second.read(0x4F100)), (0, 0));
}

#[test]
fn a_job_that_nobody_gives_back_can_not_be_saved() {
    let mut machine = busy();
    machine.handed_out.pop();
    let out = machine.handed_out.clone();
    machine.act(|vgpu, fx| assert!(vgpu.save(&out, fx).is_err()));
}

#[test]
fn a_large_table_of_one_entry_is_small() {
    let mut machine = Machine::new();
    for entry in 0..1_u64 << 20 {
        machine.write((8 << 20) + entry * 8, 0x1234_5001);
    }
    let text = serde_json::to_string(&save(&mut machine)).unwrap();
    assert!(text.len() < 32 << 10, "{}", text.len());
}

#[test]
fn another_part_or_version_is_refused() {
    let saved = save(&mut busy());
    let mut other = Machine::new();
    let bare = VgpuConfig { presence: Presence::Bare, ..VgpuConfig::default() };
    let aperture = Aperture::new(2 << 20).unwrap();
    for config in [
        VgpuConfig { platform: Platform::Broxton, ..VgpuConfig::default() },
        VgpuConfig { aperture, ..VgpuConfig::default() },
        bare,
    ] {
        other.vgpu = Vgpu::new(config, other.ram.clone()).unwrap();
        assert!(matches!(restore(&mut other, &saved), Err(RestoreError::Model { .. })));
    }
    let mut machine = Machine::new();
    let newer = Saved::new(machine.vgpu.model(), VERSION + 1, &value(&saved)).unwrap();
    assert!(matches!(restore(&mut machine, &newer), Err(RestoreError::Version { .. })));
}

/// Each kind of field that a state can have.
fn shape(value: &Value, path: &str, to: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                shape(value, &format!("{path}.{name}"), to);
            }
        }
        Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
            items.iter().for_each(|item| shape(item, &format!("{path}[]"), to));
        }
        Value::Array(_) => drop(to.insert(format!("{path}[]"))),
        _ => drop(to.insert(path.to_owned())),
    }
}

#[test]
fn the_state_s_shape_is_that_of_its_version() {
    let mut machine = busy();
    // What is there only now and then.
    machine.handed_out.iter_mut().for_each(|job| job.work.return_to = Some(job.work.start));
    let mut found = std::collections::BTreeSet::new();
    shape(&value(&save(&mut machine)), "", &mut found);
    let found: Vec<_> = found.iter().map(String::as_str).collect();
    let expected: Vec<_> = include_str!("saved_shape.txt").lines().collect();
    assert_eq!(
        (VERSION, found.join("\n")),
        (3, expected.join("\n")),
        "the state has changed: raise VERSION, then put the new shape into saved_shape.txt"
    );
}

/// All places in a state: paths to fields and items, in order.
fn places(value: &Value, path: String, to: &mut Vec<String>) {
    let inner: Vec<_> = match value {
        Value::Object(fields) => fields.iter().map(|(name, v)| (name.clone(), v)).collect(),
        Value::Array(items) => items.iter().enumerate().map(|(n, v)| (n.to_string(), v)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        places(value, format!("{path}/{name}"), to);
    }
    to.push(path);
}

fn odd_value() -> impl Strategy<Value = Value> {
    let number = prop_oneof![
        Just(0),
        Just(1),
        Just(u64::from(u32::MAX)),
        Just(1 << 62),
        Just(u64::MAX),
        0_u64..5000,
        any::<u64>(),
        any::<u8>().prop_map(u64::from),
    ];
    prop_oneof![
        8 => number.prop_map(Value::from),
        1 => any::<i64>().prop_map(Value::from),
        1 => any::<bool>().prop_map(Value::from),
        1 => Just(Value::Null),
        1 => Just(Value::from("COMPLETE | PREEMPTED")),
        1 => prop::collection::vec(any::<u64>(), 0..4).prop_map(Value::from),
    ]
}

/// Everything that a guest, silicon and time can do to a device.
fn exercise(machine: &mut Machine) {
    for at in [0x2234, 0x2358, 0x7_0000, 0x7_0040, 0x7_1040, 0x4_4200, 8 << 20] {
        machine.read(at);
    }
    for millis in [1, 20, 40, 1 << 20] {
        let mut fx = Effects::at(Time(millis * 1_000_000));
        let next = machine.vgpu.tick(&mut fx);
        assert!(next.is_none_or(|next| next > fx.now || millis == 1 << 20), "{next:?}");
        machine.jobs.extend(fx.jobs.iter().map(|job| job.id));
    }
    machine.vgpu.scan_out();
    let mut aperture = [0; 64];
    machine
        .act(|vgpu, fx| vgpu.read(Place { region: Region::Bar(2), offset: 0 }, &mut aperture, fx));
    for end in [JobEnd::Done, JobEnd::Done, JobEnd::Fault(mediator::Reason::new("test/fault", ""))]
    {
        if !machine.jobs.is_empty() {
            machine.finish(end);
        }
    }
    for engine in Engine::ALL {
        machine.submit(engine);
    }
    while !machine.jobs.is_empty() {
        machine.finish(JobEnd::Done);
    }
    machine.act(|vgpu, fx| vgpu.plug(Plug::In(None), fx));
    machine.act(|vgpu, fx| vgpu.reset(Reset::Device, fx));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_state_that_nobody_saved_is_refused_or_borne(
        changes in prop::collection::vec(
            (any::<prop::sample::Index>(), any::<prop::sample::Index>(), odd_value(), 0_u8..10),
            1..6,
        ),
    ) {
        let mut machine = busy();
        let mut state = value(&save(&mut machine));
        for (part, place, odd, how) in changes {
            // First a part, so that the many registers don't get all the changes.
            let parts = state.as_object().unwrap();
            let name = parts.keys().nth(part.index(parts.len())).unwrap().clone();
            let mut all = Vec::new();
            places(&state[&name], format!("/{name}"), &mut all);
            let path = &all[place.index(all.len())];
            let target = state.pointer_mut(path).unwrap();
            match (how, target) {
                (0, Value::Object(fields)) => drop(fields.insert("more".into(), odd)),
                (1, Value::Object(fields)) => {
                    let name = fields.keys().next().cloned();
                    name.into_iter().for_each(|name| drop(fields.remove(&name)));
                }
                (0, Value::Array(items)) => items.push(odd),
                (1, Value::Array(items)) => drop(items.pop()),
                (_, target) => *target = odd,
            }
            if !state.is_object() || state.as_object().unwrap().is_empty() {
                return Ok(());
            }
        }
        let before = value(&save(&mut machine));
        let saved = resaved(&machine, &state);
        match restore(&mut machine, &saved) {
            Ok(()) => {
                machine.jobs.drain(..8);
                exercise(&mut machine);
            }
            Err(_) => prop_assert_eq!(value(&save(&mut machine)), before, "nothing has changed"),
        }
    }

    #[test]
    fn words_come_back(words in prop::collection::btree_map(0_u32..300, 1_u64..4, 0..200)) {
        let runs = Words::collect(words.clone().into_iter());
        prop_assert!(runs.check("words", 300).is_ok());
        prop_assert_eq!(runs.iter().collect::<std::collections::BTreeMap<_, _>>(), words);
    }
}

#[test]
fn runs_that_are_none_are_refused() {
    for bad in [
        vec![(0, 0, vec![1])],
        vec![(0, 2, vec![1, 2, 3])],
        vec![(0, 2, vec![])],
        vec![(98, 3, vec![1])],
        vec![(u32::MAX, u32::MAX, vec![1])],
        vec![(5, 2, vec![1]), (6, 1, vec![1])],
        vec![(5, 2, vec![1]), (5, 2, vec![1])],
    ] {
        assert!(Words(bad.clone()).check("words", 100).is_err(), "{bad:?}");
    }
}
