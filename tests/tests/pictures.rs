//! What real applications draw on the software GPU, against what Mesa's software drivers draw of the same frame.

use std::time::Duration;

use anyhow::{Result, ensure};
use display::Picture;
use vgate_tests::{
    Guest, Image, Program, Qemu, Root, Vgate, keep, nothing_was_refused, similarity, snapshot,
};

/// How alike two pictures have to be.
const ALIKE: f64 = 0.99;

/// What Mesa calls a Kaby Lake GT2, and what it calls the processor.
const OURS: &str = "Intel(R) HD Graphics 630";
const SOFTWARE: &str = "llvmpipe";

/// A program as it runs on a driver.
type On<'a> = &'a dyn Fn(&Root) -> Result<Program>;

/// A frame of a program, on vgate and on the processor.
fn is_alike(release: &str, title: &str, frame: u32, ours: On<'_>, software: On<'_>) -> Result<()> {
    let root = Root::mesa(release)?;
    let name = |driver| format!("pictures-{release}-{title}-{driver}");
    let drawn = snapshot(ours(&root)?.on_vgate()?, frame, OURS, &name("vgate"))?;
    // There, too, buffers of the screen's kind come from the GPU's node.
    let expected = snapshot(software(&root)?.on_vgate()?, frame, SOFTWARE, &name("software"))?;
    are_alike(&format!("{release} {title}"), &drawn, &expected)
}

/// Fails unless what vgate has drawn is what a software driver of Mesa's has, and that is something.
fn are_alike(title: &str, drawn: &Picture, expected: &Picture) -> Result<()> {
    let black = expected.rgba().as_chunks::<4>().0.iter().all(|[r, g, b, _]| r | g | b == 0);
    ensure!(!black, "{title}: Mesa's software driver draws nothing");
    let found = similarity(drawn, expected)?;
    println!("{title}: {found:.5}");
    ensure!(found >= ALIKE, "{title}: {found}; both pictures are in target/guest/logs");
    Ok(())
}

#[test]
fn gears_look_like_llvmpipe_s() -> Result<()> {
    let gears = |root: &Root| -> Result<Program> {
        Ok(root.program("peglgears.x86_64-linux-gnu").env("EGL_PLATFORM", "surfaceless"))
    };
    // That of Debian 12 has no gears without a window.
    for release in ["13", "forky"] {
        is_alike(release, "gears", 30, &gears, &|root| {
            Ok(gears(root)?.env("LIBGL_ALWAYS_SOFTWARE", "1"))
        })?;
    }
    Ok(())
}

#[test]
fn kmscube_s_cubes_look_like_llvmpipe_s() -> Result<()> {
    let cubes: [(&str, &[&str]); 5] = [
        ("smooth", &[]),
        ("multisampled", &["-s", "4"]),
        ("textured", &["-M", "rgba"]),
        ("video", &["-M", "nv12-2img"]),
        ("gears", &["-g"]),
    ];
    for (title, options) in cubes {
        let cube = |root: &Root, node: &str| {
            let kmscube = root.program("kmscube").args(["-D", node, "-O", "-x", "-N"]);
            kmscube.args(["-v", "320x240", "-c", "60"]).args(options.iter().copied())
        };
        let title = format!("kmscube-{title}");
        // Those of earlier releases draw on a monitor only.
        is_alike("forky", &title, 30, &|root| Ok(cube(root, "/dev/dri/renderD128")), &|root| {
            let on_software = cube(root, "/dev/dri/card0").env("GBM_ALWAYS_SOFTWARE", "1");
            Ok(on_software.env("LIBGL_ALWAYS_SOFTWARE", "1"))
        })?;
    }
    Ok(())
}

#[test]
fn vkmark_s_scenes_look_like_lavapipe_s() -> Result<()> {
    let scenes = [
        "vertex",
        // Anisotropic filters are taken for linear (docs/rendering.md).
        "texture:anisotropy=0",
        "shading:shading=gouraud",
        "shading:shading=blinn-phong-inf",
        "shading:shading=phong",
        "shading:shading=cel",
        "effect2d",
        "desktop",
        "cube",
        "clear",
    ];
    for scene in scenes {
        let vkmark = |root: &Root| -> Result<Program> {
            let vkmark = root.program("vkmark").args(["--winsys", "headless", "--size", "320x240"]);
            Ok(vkmark.args(["-b", scene]))
        };
        let title = format!("vkmark-{}", scene.replace([':', '='], "-"));
        is_alike("13", &title, 60, &vkmark, &|root| {
            let drivers = "/usr/share/vulkan/icd.d/lvp_icd.json";
            Ok(vkmark(root)?.env("VK_DRIVER_FILES", drivers))
        })?;
    }
    Ok(())
}

#[test]
fn glmark2_s_scenes_in_a_wayland_compositor_look_like_llvmpipe_s() -> Result<()> {
    for scene in ["build", "texture", "shading:shading=phong", "bump"] {
        // Both the compositor (cage, which shows one program on a screen of 1280x720 that is not there) and its client.
        let glmark2 = |root: &Root| {
            let cage = root.program("cage").args(["--", "glmark2-es2-wayland", "-b", scene]);
            cage.env("WLR_BACKENDS", "headless").env("WLR_LIBINPUT_NO_DEVICES", "1")
        };
        let ours = |root: &Root| {
            let on_gpu = glmark2(root).env("WLR_RENDERER", "gles2");
            Ok(on_gpu.env("WLR_RENDER_DRM_DEVICE", "/dev/dri/renderD128"))
        };
        let title = format!("glmark2-{}", scene.replace([':', '='], "-"));
        is_alike("13", &title, 30, &ours, &|root| {
            Ok(glmark2(root).env("WLR_RENDERER", "pixman").env("LIBGL_ALWAYS_SOFTWARE", "1"))
        })?;
    }
    Ok(())
}

/// How long a guest's program may take to its picture: its processor is emulated, and llvmpipe compiles.
const GUEST_LIMIT: Duration = Duration::from_secs(240);

/// Which frame of a guest's programs is looked at.
const FRAME: u32 = 30;

/// A stock guest with a screen, in whose root programs run one after the other.
struct Machine {
    vgate: Vgate,
    guest: Guest,
}

impl Machine {
    /// Programs are those of a Debian release.
    fn start(name: &str, release: &str) -> Result<Self> {
        let vgate = Vgate::for_vms(name, &[("guest", "640x480")])?;
        let mut guest = Qemu::new(name, &Image::build("6.12")?.with_shares()?)
            .memory(1024)
            .gpu(&vgate, "guest")
            .root(&Root::mesa(release)?)?
            .steps("modules,root,serve")
            .start()?;
        guest.wait_step("root")?;
        Ok(Self { vgate, guest })
    }

    /// What its screen shows of a program at a frame, if a driver whose name holds `driver` draws it.
    fn shows(&mut self, driver: &str, variables: &str, program: &str) -> Result<Picture> {
        let hold = format!("SNAPSHOT_FRAME={FRAME} SNAPSHOT_HOLD=5 {variables}");
        let hold = format!("LD_PRELOAD=/run/programs/libsnapshot.so {hold}");
        let seconds = GUEST_LIMIT.as_secs();
        self.guest.send(&format!("run {seconds} /usr/bin/env {hold} {program}"))?;
        let lines = self.guest.lines_until("is shown", GUEST_LIMIT)?;
        let picture = self.vgate.screenshot("guest")?;
        let last = self.guest.lines().pop();
        ensure!(last.as_ref() == lines.last(), "the frame may have gone before it was seen");
        let by = lines.iter().any(|line| line.contains(driver));
        ensure!(by, "not drawn by {driver}: {lines:#?}");
        self.guest.lines_until("VGATE-RUN end", GUEST_LIMIT)?;
        Ok(picture)
    }

    /// A program's frame by the vGPU, against the same by the guest's processor.
    fn is_alike(&mut self, title: &str, program: &str) -> Result<()> {
        let name = |driver| format!("pictures-guest-{title}-{driver}");
        let drawn = self.shows(OURS, "", program)?;
        keep(&drawn, &name("vgate"))?;
        nothing_was_refused(&self.vgate.show("guest")?)?;
        let software = "GBM_ALWAYS_SOFTWARE=1 LIBGL_ALWAYS_SOFTWARE=1";
        let expected = self.shows(SOFTWARE, software, program)?;
        keep(&expected, &name("software"))?;
        are_alike(&name("vgate"), &drawn, &expected)
    }
}

#[test]
fn kmscube_on_a_stock_guest_s_screen_looks_like_llvmpipe_s() -> Result<()> {
    Machine::start("pictures-kmscube", "13")?.is_alike("kmscube", "kmscube")
}

#[test]
#[ignore = "make test-long: three minutes"]
fn glmark2_on_a_stock_guest_s_screen_looks_like_llvmpipe_s() -> Result<()> {
    let mut machine = Machine::start("pictures-glmark2", "13")?;
    for scene in ["build", "texture", "shading", "bump"] {
        let program = format!("glmark2-es2-drm --swap-mode fifo -b {scene}");
        machine.is_alike(&format!("glmark2-{scene}"), &program)?;
    }
    Ok(())
}

#[test]
#[ignore = "make test-long: a minute"]
fn gears_on_a_stock_guest_s_screen_look_like_llvmpipe_s() -> Result<()> {
    Machine::start("pictures-gears", "forky")?.is_alike("gears", "kmscube -g")
}

/// lavapipe has no screen to draw on. What it draws without one is as large.
#[test]
#[ignore = "make test-long: three minutes"]
fn vkmark_on_a_stock_guest_s_screen_looks_like_lavapipe_s() -> Result<()> {
    let mut machine = Machine::start("pictures-vkmark", "13")?;
    for scene in ["vertex", "texture:anisotropy=0", "shading:shading=phong", "cube", "clear"] {
        let title = scene.split(':').next().unwrap_or(scene);
        let name = |driver| format!("pictures-guest-vkmark-{title}-{driver}");
        // Left to itself, it takes sRGB for a screen, and not without one.
        let options = "--winsys display --present-mode fifo --pixel-format B8G8R8A8Unorm";
        let drawn = machine.shows(OURS, "", &format!("vkmark {options} -b {scene}"))?;
        keep(&drawn, &name("vgate"))?;
        nothing_was_refused(&machine.vgate.show("guest")?)?;
        // The screen's frames are counted by another thread than the one that asks for the time, so it may be the one before.
        let mut likeness: f64 = 0.0;
        for frame in FRAME - 2..=FRAME {
            let software = Root::mesa("13")?.program("vkmark").args(["--winsys", "headless"]);
            let software = software.args(["--size", "640x480", "-b", scene]);
            let software = software.env("VK_DRIVER_FILES", "/usr/share/vulkan/icd.d/lvp_icd.json");
            let expected = snapshot(software, frame, SOFTWARE, &name("software"))?;
            likeness = likeness.max(similarity(&drawn, &expected)?);
        }
        println!("{}: {likeness:.5}", name("vgate"));
        ensure!(likeness >= ALIKE, "{}: {likeness}", name("vgate"));
    }
    Ok(())
}
