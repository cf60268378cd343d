//! `vgate qemu-args`: the options with which QEMU attaches a guest to a VM.

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::cli::QemuArgs;
use crate::config::Config;
use crate::{control, output};

/// A guest's memory, in MiB.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Memory(u64);

impl Memory {
    /// This many bytes, whole MiB.
    pub(crate) fn new(bytes: u64) -> Result<Self, String> {
        const MIB: u64 = 1 << 20;
        if bytes.is_multiple_of(MIB) {
            Ok(Self(bytes / MIB))
        } else {
            Err("a guest's memory is a multiple of 1 MiB".to_owned())
        }
    }
}

pub(crate) fn print(options: &QemuArgs) -> anyhow::Result<()> {
    let socket = socket(options)?;
    let socket = std::path::absolute(&socket)?;
    let arguments = arguments(&socket, options.memory)?;
    if options.json {
        return output::json(&arguments.as_flattened());
    }
    let text = if options.shell { quoted(&arguments)? } else { lines(&arguments)? };
    output::print(&text)
}

/// Where the VM's VMM connects: by the configuration if one is named, else as the daemon says.
fn socket(options: &QemuArgs) -> anyhow::Result<PathBuf> {
    let vm = &options.vm;
    let Some(path) = &options.config else {
        return Ok(control::connect(&options.control.path())?.show(vm)?.summary.socket);
    };
    let vms = Config::load(path)?.vms;
    let found = vms.into_iter().find(|candidate| candidate.config.name == *vm);
    Ok(found
        .with_context(|| format!("{}: there is no VM named {vm:?}", path.display()))?
        .config
        .socket)
}

/// An option of QEMU's and its value.
type Argument = [String; 2];

fn arguments(socket: &Path, Memory(mib): Memory) -> anyhow::Result<Vec<Argument>> {
    let path = socket.to_str().with_context(|| format!("{}: not UTF-8", socket.display()))?;
    // Its writes wait for their effect: posted ones through the aperture could be overtaken by the guest's own reads of
    // its memory, and by its stores to the GGTT, which is mapped.
    let device = serde_json::json!({
        "driver": "vfio-user-pci",
        "socket": { "type": "unix", "path": path },
        "addr": "02.0",
        "x-no-posted-writes": true,
    });
    let option = |name: &str, value: String| [name.to_owned(), value];
    Ok(vec![
        option("-object", format!("memory-backend-memfd,id=vgate-memory,size={mib}M,share=on")),
        option("-machine", "q35,memory-backend=vgate-memory".to_owned()),
        option("-m", format!("{mib}M")),
        // QEMU's own graphics card would be a second one, and push its network card to the GPU's place.
        option("-vga", "none".to_owned()),
        option("-device", device.to_string()),
    ])
}

/// An option a line: an unquoted `$(...)` makes words of it at every blank, and takes quotes as they are.
fn lines(arguments: &[Argument]) -> anyhow::Result<String> {
    let breaks = |c: char| c.is_whitespace() || matches!(c, '*' | '?' | '[' | '\\');
    if arguments.as_flattened().iter().any(|word| word.contains(breaks)) {
        bail!("the socket's path would fall apart in $(...): use --shell or --json");
    }
    Ok(arguments.iter().map(|option| option.join(" ") + "\n").collect())
}

fn quoted(arguments: &[Argument]) -> anyhow::Result<String> {
    let words = arguments.as_flattened().iter().map(String::as_str);
    Ok(shlex::try_join(words)? + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(socket: &str) -> Vec<Argument> {
        arguments(Path::new(socket), Memory::new(2 << 30).unwrap()).unwrap()
    }

    const LINES: &str = "\
-object memory-backend-memfd,id=vgate-memory,size=2048M,share=on
-machine q35,memory-backend=vgate-memory
-m 2048M
-vga none
-device {\"addr\":\"02.0\",\"driver\":\"vfio-user-pci\",\"socket\":{\"path\":\"/run/vgate/left.sock\",\
\"type\":\"unix\"},\"x-no-posted-writes\":true}
";

    #[test]
    fn an_option_a_line() {
        assert_eq!(lines(&of("/run/vgate/left.sock")).unwrap(), LINES);
    }

    #[test]
    fn a_shell_makes_the_same_words_of_both_forms() {
        let run = |script: &str| {
            let output = std::process::Command::new("sh").args(["-c", script]).output().unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let arguments = of("/run/vgate/left.sock");
        let words = arguments.as_flattened().join("\n") + "\n";
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("words");
        std::fs::write(&file, lines(&arguments).unwrap()).unwrap();
        assert_eq!(run(&format!("printf '%s\\n' $(cat {})", file.display())), words);

        let awkward = of("/tmp/it's a $HOME [x]*.sock");
        let words = awkward.as_flattened().join("\n") + "\n";
        assert_eq!(run(&format!("printf '%s\\n' {}", quoted(&awkward).unwrap())), words);
    }

    #[test]
    fn a_path_that_would_fall_apart_is_refused() {
        for socket in ["/tmp/a b.sock", "/tmp/a*.sock", "/tmp/[a].sock", "/tmp/a\\b.sock"] {
            assert!(lines(&of(socket)).is_err(), "{socket}");
        }
    }

    #[test]
    fn memory_is_whole_mebibytes() {
        assert_eq!(Memory::new(512 << 20), Ok(Memory(512)));
        assert!(Memory::new((1 << 20) + 4096).is_err());
    }
}
