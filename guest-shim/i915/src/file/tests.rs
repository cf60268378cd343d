//! What applications do, over a GPU that only remembers.

use std::os::fd::IntoRawFd;

use super::*;
use crate::fake::Fake;

fn new() -> (Arc<Fake>, DrmFile) {
    let fake = Fake::new();
    let file = DrmFile::new(fake.clone(), Node::RENDER).unwrap();
    (fake, file)
}

fn buffer(file: &DrmFile, bytes: u64) -> u32 {
    let mut args = GemCreate { size: bytes, ..GemCreate::default() };
    file.create(&mut args).unwrap();
    args.handle
}

fn pointer<T>(values: &mut [T]) -> u64 {
    values.as_mut_ptr().expose_provenance() as u64
}

fn object(handle: u32, offset: u64, flags: u64) -> ExecObject {
    ExecObject { handle, offset, flags, ..ExecObject::default() }
}

fn execute(file: &DrmFile, objects: &mut [ExecObject], flags: u64) -> Result<()> {
    let mut args = Execute {
        buffers: pointer(objects),
        buffer_count: objects.len() as u32,
        flags,
        ..Execute::default()
    };
    file.execute(&mut args)
}

const PINNED: u64 = i915::OBJECT_PINNED | i915::OBJECT_48_BIT;
const WRITE: u64 = i915::OBJECT_WRITE;
const BLITTER: u64 = 3;

#[test]
fn a_pinned_batch_runs_where_it_says() {
    let (fake, file) = new();
    let (data, batch) = (buffer(&file, 4096), buffer(&file, 8192));
    let high = 0xffff_8000_0000_0000;
    let mut objects = [object(data, high, PINNED | WRITE), object(batch, 0x20_0000, PINNED)];
    execute(&file, &mut objects, i915::EXEC_NO_RELOC).unwrap();
    execute(&file, &mut objects, i915::EXEC_NO_RELOC).unwrap();
    let seen = fake.seen();
    let at: Vec<u64> = seen.bound.keys().map(|(_, at)| *at).collect();
    assert_eq!(at, [0x20_0000, 0x8000_0000_0000], "bound once, without the repeated bits");
    assert_eq!(seen.batches.len(), 2);
    assert_eq!(seen.batches[1].start.0, 0x20_0000);
    assert_eq!(seen.batches[1].waits, [], "a context keeps its order itself");
    drop(seen);
    assert_eq!(file.wait_for_buffer(data, false, Some(Instant::now())), Ok(false));
    let mut busy = GemBusy { handle: data, busy: 0 };
    file.busy(&mut busy).unwrap();
    assert_eq!(busy.busy, 0x1_0001);
    fake.run();
    file.busy(&mut busy).unwrap();
    assert_eq!(busy.busy, 0);
}

#[test]
fn engines_wait_for_each_other_where_they_share_a_buffer() {
    let (fake, file) = new();
    let (data, one, two) = (buffer(&file, 4096), buffer(&file, 4096), buffer(&file, 4096));
    execute(&file, &mut [object(data, 0, WRITE), object(one, 0, 0)], 0).unwrap();
    execute(&file, &mut [object(data, 0, 0), object(two, 0, 0)], BLITTER).unwrap();
    execute(&file, &mut [object(data, 0, i915::OBJECT_ASYNC), object(two, 0, 0)], BLITTER).unwrap();
    execute(&file, &mut [object(data, 0, WRITE), object(one, 0, 0)], 0).unwrap();
    let seen = fake.seen();
    let waits: Vec<_> = seen.batches.iter().map(|batch| batch.waits.clone()).collect();
    let points: Vec<_> = seen.batches.iter().map(|batch| batch.point).collect();
    assert_eq!(waits, [vec![], vec![points[0]], vec![], vec![points[2]]]);
}

#[test]
fn relocations_are_patched_and_told() {
    let (fake, file) = new();
    let (data, batch) = (buffer(&file, 4096), buffer(&file, 4096));
    let mut list = [Relocation {
        target: data,
        delta: 16,
        offset: 8,
        presumed: u64::MAX,
        read_domains: 2,
        write_domain: 2,
    }];
    let mut objects = [object(data, 0x5000, 0), object(batch, 0, 0)];
    objects[1].relocation_count = 1;
    objects[1].relocations = pointer(&mut list);
    execute(&file, &mut objects, 0).unwrap();
    assert_eq!(objects[0].offset, 0x5000, "as the application thought");
    assert!(objects[1].offset >= 256 << 10, "behind the bias");
    assert_eq!(list[0].presumed, 0x5000);
    let at = file.state().buffers.by_handle(batch).unwrap().at.0;
    let mut word = [0; 8];
    rustix::io::pread(fake.arena().0, &mut word, at + 8).unwrap();
    assert_eq!(u64::from_le_bytes(word), 0x5010);
    let mut busy = GemBusy { handle: data, busy: 0 };
    file.busy(&mut busy).unwrap();
    assert_eq!(busy.busy, 0x1_0001, "written through the relocation");
    fake.run();
    for (wrong, error) in [
        (Relocation { target: 99, ..list[0] }, Errno::NOENT),
        (Relocation { write_domain: 6, presumed: 1, ..list[0] }, Errno::INVAL),
        (Relocation { offset: 4092, presumed: 1, ..list[0] }, Errno::INVAL),
        (Relocation { read_domains: 1, ..list[0] }, Errno::INVAL),
    ] {
        list[0] = wrong;
        assert_eq!(execute(&file, &mut objects, 0), Err(error), "{wrong:?}");
    }
}

#[test]
fn what_makes_no_sense_is_refused() {
    let (_, file) = new();
    let batch = buffer(&file, 4096);
    let run = |object: ExecObject, flags| execute(&file, &mut [object], flags);
    assert_eq!(run(object(77, 0, 0), 0), Err(Errno::NOENT));
    for (entry, flags) in [
        (object(batch, 1, PINNED), 0),
        (object(batch, 0x8000_0000_0000, PINNED), 0),
        (object(batch, 1 << 32, i915::OBJECT_PINNED), 0),
        (object(batch, 0, 1 << 9), 0),
        (object(batch, 0, WRITE), 0),
        (ExecObject { alignment: 3, ..object(batch, 0, 0) }, 0),
        (object(batch, 0, 0), 5),
        (object(batch, 0, 0), 1 << 13),
        (object(batch, 0, 0), 1 << 30),
        (object(batch, 0, 0), i915::EXEC_FENCE_IN | i915::EXEC_FENCE_SUBMIT),
    ] {
        assert_eq!(run(entry, flags), Err(Errno::INVAL), "{entry:?} {flags:#x}");
    }
    assert_eq!(run(object(batch, 0, 0), i915::EXEC_SECURE), Err(Errno::PERM));
    let twice = &mut [object(batch, 0, 0), object(batch, 0, 0)];
    assert_eq!(execute(&file, twice, 0), Err(Errno::INVAL));
    let overlap = &mut [object(batch, 0x1000, PINNED), object(buffer(&file, 1), 0x1000, PINNED)];
    assert_eq!(execute(&file, overlap, 0), Err(Errno::NOSPC));
}

#[test]
fn memory_is_used_again_when_nobody_uses_it_any_more() {
    let (fake, file) = new();
    let batch = buffer(&file, 4096);
    let at = file.state().buffers.by_handle(batch).unwrap().at;
    rustix::io::pwrite(fake.arena().0, b"old", at.0).unwrap();
    execute(&file, &mut [object(batch, 0, 0)], 0).unwrap();
    file.close_buffer(batch).unwrap();
    assert_eq!(file.close_buffer(batch), Err(Errno::INVAL));
    let other = buffer(&file, 4096);
    assert_ne!(file.state().buffers.by_handle(other).unwrap().at, at);
    fake.run();
    let again = buffer(&file, 4096);
    assert_eq!(file.state().buffers.by_handle(again).unwrap().at, at);
    assert!(fake.seen().bound.is_empty());
    let mut word = [1; 3];
    rustix::io::pread(fake.arena().0, &mut word, at.0).unwrap();
    assert_eq!(word, [0; 3], "nothing of the old content");
}

#[test]
fn an_exported_buffer_is_one_with_what_is_imported_and_mapped() {
    let (fake, file) = new();
    let handle = buffer(&file, 8192);
    execute(&file, &mut [object(handle, 0x10_0000, PINNED)], 0).unwrap();
    fake.run();
    let mut map = GemMmap { handle, size: 8192, ..GemMmap::default() };
    file.mmap(&mut map).unwrap();
    let mapped = UserPointer(map.address);
    mapped.write(&0x1234_u32).unwrap();
    let exported = file.export(handle, 0).unwrap();
    assert_eq!(mapped.read::<u32>(), Ok(0x1234));
    mapped.write(&0x5678_u32).unwrap();
    let mut word = [0; 4];
    rustix::io::pread(&exported, &mut word, 0).unwrap();
    assert_eq!(u32::from_le_bytes(word), 0x5678, "the mapping shows the new memory");
    assert_eq!(file.import(exported.as_fd()), Ok(handle));
    let place = *fake.seen().bound.values().next().unwrap();
    assert_eq!(place.0, file.state().buffers.by_handle(handle).unwrap().at, "and so does the GPU");
    let (_, other) = new();
    let imported = other.import(exported.as_fd()).unwrap();
    assert_eq!(other.state().buffers.by_handle(imported).unwrap().bytes, 8192);
    assert_eq!(file.export(99, 0).err(), Some(Errno::NOENT));
    assert_eq!(file.export(handle, 4).err(), Some(Errno::INVAL));
}

#[test]
fn memory_of_the_application_becomes_a_buffer() {
    let (_, file) = new();
    let start = crate::memory_map::map(
        rustix::fs::memfd_create("app", rustix::fs::MemfdFlags::CLOEXEC)
            .inspect(|file| rustix::fs::ftruncate(file, 4096).unwrap())
            .unwrap()
            .as_fd(),
        0,
        4096,
    )
    .unwrap();
    UserPointer(start).write(&7_u64).unwrap();
    let mut args = GemUserptr { address: start, size: 4096, ..GemUserptr::default() };
    file.userptr(&mut args).unwrap();
    UserPointer(start).offset(8).unwrap().write(&8_u64).unwrap();
    let mut out = [0_u64; 2];
    let copy =
        GemCopy { handle: args.handle, size: 16, data: pointer(&mut out), ..GemCopy::default() };
    file.pread(&copy).unwrap();
    assert_eq!(out, [7, 8]);
    let bad = GemUserptr { address: 0x1000, size: 4096, ..GemUserptr::default() };
    assert_eq!(file.userptr(&mut bad.clone()), Err(Errno::FAULT));
}

#[test]
fn contexts_have_spaces_engines_and_ends() {
    let (fake, file) = new();
    let mut vm = VmControl::default();
    file.create_vm(&mut vm).unwrap();
    let mut map = [Engine::default(); 4];
    map[2] = Engine { class: 0, instance: 0 };
    map[3] = Engine { class: 1, instance: 0 };
    let engines =
        ContextParam { size: 16, param: i915::PARAM_ENGINES, value: pointer(&mut map), context: 0 };
    let space =
        ContextParam { param: i915::PARAM_VM, value: vm.id.into(), ..ContextParam::default() };
    let mut chain = [(Extension::default(), engines), (Extension::default(), space)];
    chain[0].0.next = std::ptr::from_mut(&mut chain[1]).expose_provenance() as u64;
    let mut args = ContextCreate { flags: 1, extensions: pointer(&mut chain), id: 0 };
    file.create_context(&mut args).unwrap();
    assert_eq!(fake.seen().spaces.len(), 2, "the default one and the named one");

    let batch = buffer(&file, 4096);
    let mut run =
        Execute { buffer_count: 1, context: args.id.into(), flags: 1, ..Execute::default() };
    let mut objects = [object(batch, 0, 0)];
    run.buffers = pointer(&mut objects);
    file.execute(&mut run.clone()).unwrap();
    assert_eq!(file.execute(&mut Execute { flags: 2, ..run }), Err(Errno::INVAL), "no such slot");
    assert_eq!(file.execute(&mut Execute { context: 9, ..run }), Err(Errno::NOENT));
    assert_eq!(fake.seen().contexts.values().next().unwrap().1, 1, "the blitter");

    let mut stats = ResetStats { context: args.id, ..ResetStats::default() };
    file.reset_stats(&mut stats).unwrap();
    assert_eq!((stats.active, stats.pending), (0, 0));
    let prio = ContextParam { context: args.id, param: i915::PARAM_PRIORITY, value: 2000, size: 0 };
    assert_eq!(file.set_context_param(&prio), Err(Errno::INVAL));
    let mut get = ContextParam { context: args.id, param: i915::PARAM_GTT_SIZE, ..prio };
    file.context_param(&mut get).unwrap();
    assert_eq!(get.value, 1 << 48);

    file.destroy_vm(&vm).unwrap();
    file.destroy_context(&ContextDestroy { id: args.id, pad: 0 }).unwrap();
    assert_eq!(fake.seen().contexts.len(), 1, "its batch may end");
    fake.run();
    let _ = buffer(&file, 1);
    assert_eq!(fake.seen().contexts.len(), 0);
    assert_eq!(fake.seen().spaces.len(), 1);
    assert_eq!(file.destroy_context(&ContextDestroy { id: 0, pad: 0 }), Err(Errno::NOENT));
}

#[test]
fn a_context_that_loses_batches_is_banned() {
    let (fake, file) = new();
    let batch = buffer(&file, 4096);
    execute(&file, &mut [object(batch, 0, 0)], 0).unwrap();
    let context = *fake.seen().contexts.keys().next().unwrap();
    let lost = guest_shim::client::Lost { own: 3, innocent: 0 };
    fake.seen().losses.insert(context, lost);
    execute(&file, &mut [object(batch, 0, 0)], 0).unwrap();
    fake.seen().refusals = 3;
    assert_eq!(execute(&file, &mut [object(batch, 0, 0)], 0), Err(Errno::IO));
}

#[test]
fn fences_come_with_a_batch_and_go_from_it() {
    let (fake, file) = new();
    let batch = buffer(&file, 4096);
    let mut objects = [object(batch, 0, 0)];
    let gpu: Arc<dyn Gpu> = fake.clone();
    let before = fake.point();
    let [wait, signal] =
        [false, false].map(|signaled| file.syncobjs().insert(Syncobj::new(signaled)));
    file.syncobj(wait).unwrap().replace(crate::fence::Fence::point(&gpu, before));
    let mut fences = [
        ExecFence { handle: wait, flags: i915::FENCE_WAIT },
        ExecFence { handle: signal, flags: i915::FENCE_SIGNAL },
    ];
    let mut args = Execute {
        buffers: pointer(&mut objects),
        buffer_count: 1,
        fences: pointer(&mut fences),
        fence_count: 2,
        flags: i915::EXEC_FENCE_ARRAY | i915::EXEC_FENCE_OUT,
        ..Execute::default()
    };
    file.execute(&mut args).unwrap();
    let made = fake.seen().batches[0].clone();
    assert_eq!(made.waits, [before]);
    assert!(!file.syncobj(signal).unwrap().find(0).unwrap().signaled());
    let number = (args.sync_files >> 32) as i32;
    let out = crate::fence::Fence::of_file(descriptor(number).unwrap()).unwrap();
    assert!(!out.signaled());
    fake.reach(before);
    fake.run();
    assert!(out.wait(None).unwrap());
    assert!(file.syncobj(signal).unwrap().find(0).unwrap().signaled());
    let mut wrong = [ExecFence { handle: 99, flags: i915::FENCE_WAIT }];
    (args.fences, args.fence_count) = (pointer(&mut wrong), 1);
    assert_eq!(file.execute(&mut args), Err(Errno::NOENT));
    let _ = out.into_file().unwrap().into_raw_fd();
}

#[test]
fn a_call_goes_through_the_numbers() {
    let (_, file) = new();
    let mut value = 0_i32;
    let mut args = GetParam {
        param: 4,
        pad: 0,
        value: std::ptr::from_mut(&mut value).expose_provenance() as u64,
    };
    let at = UserPointer(std::ptr::from_mut(&mut args).expose_provenance() as u64);
    file.call(Call(0xc010_6446), at).unwrap();
    assert_eq!(value, 0x5912);
    assert_eq!(file.call(Call(0xc010_6446), UserPointer(8)), Err(Errno::FAULT));
    assert_eq!(file.call(Call(0xc010_64ff), at), Err(Errno::INVAL));
}

#[test]
fn a_picture_for_the_cpu_is_made_on_the_primary_node_only() {
    let (fake, file) = new();
    let mut args = CreateDumb { width: 100, height: 3, bits: 32, ..CreateDumb::default() };
    let at = UserPointer(std::ptr::from_mut(&mut args).expose_provenance() as u64);
    assert_eq!(file.call(Call(0xc020_64b2), at), Err(Errno::ACCESS));
    let file = DrmFile::new(fake, Node::PRIMARY).unwrap();
    file.call(Call(0xc020_64b2), at).unwrap();
    assert_eq!((args.pitch, args.bytes), (448, 4096));
    for (width, bits) in [(0, 32), (1, 24), (u32::MAX, 32), (u32::MAX - 1, 8)] {
        let mut wrong = CreateDumb { width, bits, ..args };
        assert_eq!(file.create_dumb(&mut wrong), Err(Errno::INVAL), "{width} of {bits} bits");
    }
}

#[test]
fn memory_of_closed_buffers_is_waited_for() {
    let (fake, file) = new();
    let large = buffer(&file, crate::fake::ARENA / 4 * 3);
    let batch = buffer(&file, 4096);
    execute(&file, &mut [object(large, 0, 0), object(batch, 0, 0)], 0).unwrap();
    file.close_buffer(large).unwrap();
    std::thread::scope(|scope| {
        let made = scope.spawn(|| buffer(&file, crate::fake::ARENA / 2));
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(!made.is_finished(), "a batch uses the memory");
        fake.run();
        made.join().unwrap();
    });
    let mut too_much = GemCreate { size: crate::fake::ARENA, ..GemCreate::default() };
    assert_eq!(file.create(&mut too_much), Err(Errno::NOMEM), "nothing is to be waited for");
}

#[test]
fn a_named_buffer_is_opened_by_another_file_of_the_process() {
    let (_fake, file) = new();
    let (_other_fake, other) = new();
    let handle = buffer(&file, 4096);
    let name = file.name_buffer(handle).unwrap();
    assert_eq!(file.name_buffer(handle), Ok(name));
    let (opened, bytes) = other.open_named(name).unwrap();
    assert_eq!(bytes, 4096);
    assert_eq!(other.open_named(name), Ok((opened, bytes)), "it has one handle in a file");
    assert_eq!(other.name_buffer(opened), Ok(name));
    assert_eq!(other.open_named(name + 1).err(), Some(Errno::NOENT));
}
