//! Calls about contexts and address spaces.

use guest_shim::client::Point;
use guest_shim::wire::MOST_UNITS;
use rustix::io::Errno;

use crate::contexts::{Context, SpaceId, engine_map};
use crate::execute::each_extension;
use crate::file::DrmFile;
use crate::gpu::{Gpu, Result};
use crate::state::State;
use crate::uapi::i915::{self, *};
use crate::user::UserPointer;

const USE_EXTENSIONS: u32 = 1;
const SINGLE_TIMELINE: u32 = 1 << 1;
/// Priorities of user space lie this far from 0.
const MOST_PRIORITY: i64 = 1023;
/// As many engines as the selector's bits can name.
const MOST_ENGINES: usize = i915::EXEC_RING_MASK as usize + 1;

impl DrmFile {
    pub(crate) fn create_vm(&self, args: &mut VmControl) -> Result<()> {
        if args.flags != 0 {
            return Err(Errno::INVAL);
        }
        each_extension(args.extensions, |_, _| Err(Errno::INVAL))?;
        let mut state = self.state();
        let space = state.open_space(&*self.gpu)?;
        args.id = state.vms.insert(space);
        Ok(())
    }

    pub(crate) fn destroy_vm(&self, args: &VmControl) -> Result<()> {
        if args.flags != 0 || args.extensions != 0 {
            return Err(Errno::INVAL);
        }
        let mut state = self.state();
        let space = state.vms.remove(args.id).ok_or(Errno::NOENT)?;
        state.leave_space(&*self.gpu, space);
        Ok(())
    }

    pub(crate) fn create_context(&self, args: &mut ContextCreate) -> Result<()> {
        if args.flags & !(USE_EXTENSIONS | SINGLE_TIMELINE) != 0 {
            return Err(Errno::INVAL);
        }
        let gpu = &*self.gpu;
        let mut params = Vec::new();
        if args.flags & USE_EXTENSIONS != 0 {
            each_extension(args.extensions, |name, body| {
                // Only SETPARAM; cloning is gone from the kernel as well.
                let param: ContextParam = body.read()?;
                if name != 0 || param.context != 0 {
                    return Err(Errno::INVAL);
                }
                params.push(param);
                Ok(())
            })?;
        }
        let mut state = self.state();
        state.collect(gpu);
        let mut context = Context::new(state.open_space(gpu)?);
        context.one_timeline = args.flags & SINGLE_TIMELINE != 0;
        for param in &params {
            if let Err(error) = set_early(&mut state, gpu, &mut context, param) {
                state.end_context(gpu, context);
                return Err(error);
            }
        }
        args.id = state.contexts.insert(context);
        Ok(())
    }

    pub(crate) fn destroy_context(&self, args: &ContextDestroy) -> Result<()> {
        if args.pad != 0 {
            return Err(Errno::INVAL);
        }
        let mut state = self.state();
        let context = state.contexts.remove(args.id).ok_or(Errno::NOENT)?;
        state.end_context(&*self.gpu, context);
        state.collect(&*self.gpu);
        Ok(())
    }

    pub(crate) fn set_context_param(&self, args: &ContextParam) -> Result<()> {
        let mut state = self.state();
        let context = state.context(args.context)?;
        if context.settled || args.context == 0 {
            return set(context, args);
        }
        // Nobody has used it: as if it were still being made.
        let mut taken = std::mem::replace(context, Context::new(SpaceId(u64::MAX)));
        let outcome = set_early(&mut state, &*self.gpu, &mut taken, args);
        *state.context(args.context)? = taken;
        outcome
    }

    pub(crate) fn context_param(&self, args: &mut ContextParam) -> Result<()> {
        let mut state = self.state();
        let context = state.context(args.context)?;
        context.settled = true;
        let value = match args.param {
            i915::PARAM_GTT_SIZE => 1 << self.gpu.device().address_bits.min(63),
            i915::PARAM_NO_ERROR_CAPTURE => (!context.captured).into(),
            i915::PARAM_BANNABLE => context.bannable.into(),
            i915::PARAM_RECOVERABLE => context.recoverable.into(),
            i915::PARAM_PRIORITY => i64::from(context.priority).cast_unsigned(),
            i915::PARAM_PERSISTENCE => context.persistent.into(),
            i915::PARAM_PROTECTED => 0,
            i915::PARAM_SSEU => return self.sseu(&mut state, args),
            i915::PARAM_VM => {
                let space = context.space;
                state.use_space(space);
                state.vms.insert(space).into()
            }
            _ => return Err(Errno::INVAL),
        };
        (args.size, args.value) = (0, value);
        Ok(())
    }

    /// Which execution units a context's engine uses: all.
    fn sseu(&self, state: &mut State, args: &mut ContextParam) -> Result<()> {
        const BY_INDEX: u32 = 1;
        let bytes = size_of::<Sseu>() as u32;
        if args.size == 0 {
            args.size = bytes;
            return Ok(());
        }
        if args.size < bytes {
            return Err(Errno::INVAL);
        }
        let mut sseu: Sseu = UserPointer(args.value).read()?;
        if sseu.reserved != 0 || sseu.flags & !BY_INDEX != 0 {
            return Err(Errno::INVAL);
        }
        let context = state.context(args.context)?;
        let by_index = sseu.flags & BY_INDEX != 0;
        if by_index != context.engines.is_some() {
            return Err(Errno::INVAL);
        }
        if by_index {
            context.select(&*self.gpu, sseu.engine.instance.into())?;
        } else {
            crate::contexts::number(&*self.gpu, sseu.engine).ok_or(Errno::INVAL)?;
        }
        let topology = self.gpu.device().topology;
        (sseu.slices, sseu.subslices) = (topology.slices().into(), topology.subslices().into());
        (sseu.min_eus, sseu.max_eus) = (MOST_UNITS as u16, MOST_UNITS as u16);
        UserPointer(args.value).write(&sseu)?;
        args.size = bytes;
        Ok(())
    }

    pub(crate) fn reset_stats(&self, args: &mut ResetStats) -> Result<()> {
        if args.flags != 0 || args.pad != 0 {
            return Err(Errno::INVAL);
        }
        let mut state = self.state();
        let context = state.context(args.context)?;
        context.settled = true;
        let (own, innocent) = context.losses(&*self.gpu)?;
        args.resets = 0;
        args.active = u32::try_from(own).unwrap_or(u32::MAX);
        args.pending = u32::try_from(innocent).unwrap_or(u32::MAX);
        Ok(())
    }

    /// Points that should be over before everything of this file goes.
    pub(crate) fn last_points(&self) -> Vec<Point> {
        self.state().last_points()
    }
}

/// What may be set at any time.
fn set(context: &mut Context, args: &ContextParam) -> Result<()> {
    let is_root = || rustix::process::geteuid().is_root();
    let flag = match args.param {
        i915::PARAM_NO_ERROR_CAPTURE => &mut context.captured,
        i915::PARAM_BANNABLE => &mut context.bannable,
        i915::PARAM_RECOVERABLE => &mut context.recoverable,
        i915::PARAM_PERSISTENCE => &mut context.persistent,
        i915::PARAM_PRIORITY => {
            let priority = args.value.cast_signed();
            if args.size != 0 || !(-MOST_PRIORITY..=MOST_PRIORITY).contains(&priority) {
                return Err(Errno::INVAL);
            }
            if priority > 0 && !is_root() {
                return Err(Errno::PERM);
            }
            context.priority = priority as i16;
            return Ok(());
        }
        // Which units a context uses can only be chosen on Gen11.
        i915::PARAM_SSEU => return Err(Errno::NODEV),
        _ => return Err(Errno::INVAL),
    };
    if args.size != 0 {
        return Err(Errno::INVAL);
    }
    if args.param == i915::PARAM_BANNABLE && args.value == 0 && !is_root() {
        return Err(Errno::PERM);
    }
    *flag = (args.value != 0) != (args.param == i915::PARAM_NO_ERROR_CAPTURE);
    Ok(())
}

/// What may be set before a context is used.
fn set_early(
    state: &mut State,
    gpu: &dyn Gpu,
    context: &mut Context,
    args: &ContextParam,
) -> Result<()> {
    match args.param {
        i915::PARAM_VM => {
            let id = u32::try_from(args.value).map_err(|_| Errno::NOENT)?;
            if args.size != 0 {
                return Err(Errno::INVAL);
            }
            let space = *state.vms.get(id).ok_or(Errno::NOENT)?;
            state.use_space(space);
            state.leave_space(gpu, std::mem::replace(&mut context.space, space));
            Ok(())
        }
        i915::PARAM_ENGINES if context.engines.is_some() => Err(Errno::INVAL),
        i915::PARAM_ENGINES => {
            context.engines = Some(read_engines(gpu, args)?);
            Ok(())
        }
        i915::PARAM_PROTECTED if args.value == 0 => Ok(()),
        i915::PARAM_PROTECTED => Err(Errno::NODEV),
        _ => set(context, args),
    }
}

fn read_engines(gpu: &dyn Gpu, args: &ContextParam) -> Result<Vec<Option<u16>>> {
    const HEAD: usize = size_of::<u64>();
    let bytes = (args.size as usize).checked_sub(HEAD).ok_or(Errno::INVAL)?;
    let count = bytes / size_of::<Engine>();
    if !bytes.is_multiple_of(size_of::<Engine>()) || count > MOST_ENGINES {
        return Err(Errno::INVAL);
    }
    let list = UserPointer(args.value);
    let mut map = engine_map(gpu, &list.offset(HEAD as u64)?.read_array(count)?)?;
    each_extension(list.read()?, |name, body| match name {
        0 => balance(gpu, &mut map, body),
        // Bonds, parallel submission.
        _ => Err(Errno::INVAL),
    })?;
    Ok(map)
}

/// `I915_CONTEXT_ENGINES_EXT_LOAD_BALANCE`: any of several engines. It is always the first: the mediator does the balancing.
fn balance(gpu: &dyn Gpu, map: &mut [Option<u16>], body: UserPointer) -> Result<()> {
    let [slot, count]: [u16; 2] = body.read()?;
    let flags: u32 = body.offset(4)?.read()?;
    let zero: u64 = body.offset(8)?.read()?;
    if flags != 0 || zero != 0 {
        return Err(Errno::INVAL);
    }
    let place = map.get_mut(usize::from(slot)).ok_or(Errno::INVAL)?;
    if place.is_some() {
        return Err(Errno::EXIST);
    }
    let siblings: Vec<Engine> = body.offset(16)?.read_array(count.into())?;
    let siblings =
        siblings.iter().map(|engine| crate::contexts::number(gpu, *engine).ok_or(Errno::INVAL));
    if let Some(first) = siblings.collect::<Result<Vec<_>>>()?.first() {
        *place = Some(*first);
    }
    Ok(())
}
