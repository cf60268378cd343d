//! How a guest is started: QEMU's command line, with what `vgate qemu-args` says of the GPU.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::process::Process;
use crate::root::programs;
use crate::vgate::Attachment;
use crate::{Guest, Image, Root, Vgate, guest_folder};

/// The kernel's command line, before what the test adds.
///
/// Its own messages leave by `/init` (`loglevel=3` keeps those of a dying kernel on the serial port); what would slow
/// an emulated processor down and doesn't matter to the GPU is off.
const KERNEL_ARGUMENTS: &str =
    "console=ttyS0 loglevel=3 panic=-1 mitigations=off nokaslr tsc=reliable";

/// Where on the PCI bus shared folders begin: far from the GPU, whose place is fixed.
const FIRST_SHARE: u8 = 0x10;

/// Which machine to start, with which guest.
#[derive(Clone, Debug)]
pub struct Qemu {
    name: String,
    image: Image,
    memory_mib: u32,
    /// What attaches it to its GPU.
    gpu: Option<Attachment>,
    steps: String,
    kernel_arguments: Vec<String>,
    arguments: Vec<OsString>,
    /// Tags, and what they stand for.
    shares: Vec<(String, PathBuf)>,
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
            shares: Vec::new(),
            reboots: false,
        }
    }

    /// The guest's memory in MiB.
    pub fn memory(mut self, mib: u32) -> Self {
        self.memory_mib = mib;
        self
    }

    /// Gives the guest the virtual GPU of one of vgate's VMs.
    pub fn gpu(mut self, vgate: &Vgate, vm: &str) -> Self {
        self.gpu = Some(vgate.attachment(vm));
        self
    }

    /// Gives the guest the virtual GPU of one of vgate's VMs, by a socket that stands between.
    pub fn gpu_through(mut self, vgate: &Vgate, vm: &str, socket: &Path) -> Self {
        self.gpu = Some(vgate.attachment_through(vm, socket));
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

    /// Shares a folder of the host's, which the guest can mount as `tag` and not change. The image has to know how
    /// ([`Image::with_shares`]).
    pub fn share(mut self, tag: &str, folder: &Path) -> Self {
        self.shares.push((tag.to_owned(), folder.to_owned()));
        self
    }

    /// Shares a root of Debian's and our own programs, for the guest's step `root`.
    ///
    /// # Errors
    /// If our programs do not build.
    pub fn root(self, root: &Root) -> Result<Self> {
        Ok(self.share("root", root.folder()).share("programs", programs()?))
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
        Guest::new(&self.name, Process::start(program.as_os_str(), self.command_line()?)?)
    }

    /// QEMU's arguments, one an element.
    ///
    /// # Errors
    /// If vgate doesn't say how the GPU is attached.
    pub fn command_line(&self) -> Result<Vec<OsString>> {
        let memory = self.memory_mib;
        let mut line: Vec<OsString> = [
            "-nodefaults -no-user-config -display none -serial stdio",
            "-accel tcg,thread=multi -smp 1",
        ]
        .iter()
        .flat_map(|options| options.split(' ').map(OsString::from))
        .collect();
        match &self.gpu {
            Some(gpu) => line.extend(gpu.arguments(memory)?.into_iter().map(OsString::from)),
            None => {
                line.extend(["-machine", "q35", "-m", &format!("{memory}M")].map(OsString::from));
            }
        }
        if !self.reboots {
            line.push("-no-reboot".into());
        }
        line.extend(["-kernel".into(), self.image.vmlinuz.clone().into_os_string()]);
        line.extend(["-initrd".into(), self.image.initramfs.clone().into_os_string()]);
        line.extend(["-append".into(), self.kernel_line().into()]);
        for ((tag, folder), slot) in self.shares.iter().zip(FIRST_SHARE..) {
            let mut share = format!("local,id={tag},security_model=none,readonly=on,path=").into();
            OsString::push(&mut share, folder);
            let device = format!("virtio-9p-pci,fsdev={tag},mount_tag={tag},addr={slot:#x}");
            line.extend(["-fsdev".into(), share, "-device".into(), device.into()]);
        }
        line.extend(self.arguments.iter().cloned());
        Ok(line)
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
