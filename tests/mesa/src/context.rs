//! An OpenGL ES 3 context on EGL's surfaceless platform: a GPU, or none, and never a window.

use std::ops::Deref;

use anyhow::{Result, ensure};
use khronos_egl as egl;

/// `EGL_PLATFORM_SURFACELESS_MESA`, of the extension `EGL_MESA_platform_surfaceless`.
const SURFACELESS: egl::Enum = 0x31dd;

/// The functions of OpenGL, with a context that is this thread's current one until the program ends.
pub(crate) struct Context {
    gl: glow::Context,
    /// The functions are libEGL's: it stays loaded.
    _egl: egl::DynamicInstance<egl::EGL1_5>,
}

impl Context {
    pub(crate) fn without_screen() -> Result<Self> {
        // SAFETY: libEGL is the system's; its initializers are sound.
        let egl = unsafe {
            egl::DynamicInstance::<egl::EGL1_5>::load_required_from_filename("libEGL.so.1")?
        };
        // SAFETY: the platform takes no native display but this.
        let display = unsafe {
            egl.get_platform_display(SURFACELESS, egl::DEFAULT_DISPLAY, &[egl::ATTRIB_NONE])?
        };
        egl.initialize(display)?;
        egl.bind_api(egl::OPENGL_ES_API)?;
        let wanted =
            [egl::RENDERABLE_TYPE, egl::OPENGL_ES3_BIT, egl::SURFACE_TYPE, egl::PBUFFER_BIT];
        let config = egl.choose_first_config(display, &[&wanted[..], &[egl::NONE]].concat())?;
        let config = config.ok_or(egl::Error::BadConfig)?;
        let version = [egl::CONTEXT_MAJOR_VERSION, 3, egl::NONE];
        let context = egl.create_context(display, config, None, &version)?;
        egl.make_current(display, None, None, Some(context))?;
        // SAFETY: EGL gives functions of the context that is current, by their names.
        let gl = unsafe {
            glow::Context::from_loader_function(|name| {
                egl.get_proc_address(name).map_or(std::ptr::null(), |function| function as *const _)
            })
        };
        Ok(Self { gl, _egl: egl })
    }

    /// A string that OpenGL says of itself.
    pub(crate) fn text(&self, name: u32) -> String {
        use glow::HasContext;
        // SAFETY: the context is current.
        unsafe { self.gl.get_parameter_string(name) }
    }

    /// Fails if OpenGL noted an error since the last look.
    pub(crate) fn check(&self) -> Result<()> {
        use glow::HasContext;
        // SAFETY: the context is current.
        let error = unsafe { self.gl.get_error() };
        ensure!(error == glow::NO_ERROR, "OpenGL's error {error:#x}");
        Ok(())
    }
}

impl Deref for Context {
    type Target = glow::Context;

    fn deref(&self) -> &glow::Context {
        &self.gl
    }
}
