//! How a guest is started: the one place that knows QEMU's command line.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::process::Process;
use crate::{Guest, Image, guest_folder};

/// The kernel's command line, before what the test adds.
///
/// Its own messages leave by `/init` (`loglevel=3` keeps those of a dying kernel on the serial port); what would slow
/// an emulated processor down and doesn't matter to the GPU is off.
const KERNEL_ARGUMENTS: &str =
    "console=ttyS0 loglevel=3 panic=-1 mitigations=off nokaslr tsc=reliable";

/// Which machine to start, with which guest.
#[derive(Clone, Debug)]
pub struct Qemu {
    name: String,
    image: Image,
    memory_mib: u32,
    gpu: Option<PathBuf>,
    steps: String,
    kernel_arguments: Vec<String>,
    arguments: Vec<OsString>,
    reboots: bool,
}

impl Qemu {
    /// A machine of 512 MiB and one emulated processor, without GPU, whose guest boots and powers off.
    pub fn new(name: &str, image: &Image) -> Self {
        Self {
            name: name.to_owned(),
            image: image.clone(),
            memory_mib: 512,
            gpu: None,
            steps: String::new(),
            kernel_arguments: Vec::new(),
            arguments: Vec::new(),
            reboots: false,
        }
    }

    /// The guest's memory in MiB.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Gives the guest a virtual GPU at 00:02.0: the path of the Unix socket on which vgate serves it.
    pub fn gpu(mut self, socket: impl AsRef<Path>) -> Self {
        self.gpu = Some(socket.as_ref().to_owned());
        self
    }

    /// What `/init` does, a comma between: `modules,console,check:all,wait:go,idle` (see `tests/guest/src/bin/init/steps.rs`).
    pub fn steps(mut self, steps: &str) -> Self {
        steps.clone_into(&mut self.steps);
        self
    }

    /// Adds to the kernel's command line; `i915.NAME=VALUE` goes to the driver. Blanks need double quotes.
    pub fn kernel_argument(mut self, argument: &str) -> Self {
        self.kernel_arguments.push(argument.to_owned());
        self
    }

    /// Adds to QEMU's command line.
    pub fn argument(mut self, argument: impl Into<OsString>) -> Self {
        self.arguments.push(argument.into());
        self
    }

    /// Lets the guest restart (otherwise a restart ends QEMU). It then begins again with its first step.
    pub fn reboots(mut self) -> Self {
        self.reboots = true;
        self
    }

    /// Starts the machine.
    ///
    /// # Errors
    /// If QEMU isn't there (the error says how to get it).
    pub fn start(&self) -> Result<Guest> {
        let program = guest_folder().join("qemu-system-x86_64");
        ensure!(program.exists(), "no QEMU here. Run: scripts/setup");
        Guest::new(&self.name, Process::start(program.as_os_str(), self.command_line())?)
    }

    /// QEMU's arguments, one an element.
    pub fn command_line(&self) -> Vec<OsString> {
        let memory = self.memory_mib;
        let mut line: Vec<OsString> = [
            "-nodefaults -no-user-config -display none -serial stdio",
            "-accel tcg,thread=multi -smp 1",
            // Guest memory that another process can map.
            &format!("-m {memory}M -object memory-backend-memfd,id=memory,size={memory}M,share=on"),
            "-machine q35,memory-backend=memory",
        ]
        .iter()
        .flat_map(|options| options.split(' ').map(OsString::from))
        .collect();
        if !self.reboots {
            line.push("-no-reboot".into());
        }
        line.extend(["-kernel".into(), self.image.vmlinuz.clone().into_os_string()]);
        line.extend(["-initrd".into(), self.image.initramfs.clone().into_os_string()]);
        line.extend(["-append".into(), self.kernel_line().into()]);
        if let Some(socket) = &self.gpu {
            line.extend(["-device".into(), gpu_device(socket).into()]);
        }
        line.extend(self.arguments.iter().cloned());
        line
    }

    fn kernel_line(&self) -> String {
        let mut line =
            format!("{KERNEL_ARGUMENTS} vgate.name={} vgate.steps={}", self.name, self.steps);
        // The guest has no firmware for the display's micro-controller, and the driver is told not to look for it.
        let no_firmware = if self.image.kernel == "6.1" { "" } else { "/dev/null" };
        line += &format!(" i915.dmc_firmware_path={no_firmware}");
        for argument in &self.kernel_arguments {
            line.push(' ');
            line.push_str(argument);
        }
        line
    }
}

/// QEMU's client of a vfio-user socket, where i915 looks for an Intel GPU. Its writes wait for their effect: posted
/// ones through the aperture could be overtaken by the guest's own reads of its memory.
fn gpu_device(socket: &Path) -> String {
    serde_json::json!({
        "driver": "vfio-user-pci",
        "socket": { "type": "unix", "path": socket },
        "addr": "02.0",
        "x-no-posted-writes": true,
    })
    .to_string()
}
