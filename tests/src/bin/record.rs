//! Records what QEMU says to vgate while a stock guest boots, works and powers off: `target/guest/recordings`.

use std::fs;

use anyhow::Result;
use vgate_tests::{Image, Qemu, Recorder, Vgate, guest_folder};

/// The file's name, what its VM's configuration adds, and what its kernel's command line does.
const BOOTS: [(&str, &str, &str); 2] = [
    ("pvinfo", "", "quiet"),
    // A frame buffer in the aperture would be drawn through the socket.
    ("bare", "pvinfo = \"off\"", "drm_kms_helper.fbdev_emulation=0"),
];

fn main() -> Result<()> {
    let folder = guest_folder().join("recordings");
    fs::create_dir_all(&folder)?;
    for (name, configured, argument) in BOOTS {
        let configuration = format!(
            "control = \"control\"\n[gpu]\nsilicon = \"model\"\n[[vm]]\nname = \"guest\"\nmonitor = \"1024x768\"\n{configured}\n"
        );
        let vgate =
            Vgate::start(&format!("record-{name}"), &configuration, &["guest.sock", "control"])?;
        let file = folder.join(format!("{name}.messages"));
        let recorder = Recorder::start(&vgate.socket("guest"), &file)?;
        Qemu::new(&format!("record-{name}"), &Image::build("6.12")?)
            .memory(1024)
            .gpu_through(&vgate, "guest", recorder.socket())
            .kernel_argument(argument)
            .steps("modules,check:stores")
            .start()?
            .wait_end()?;
        recorder.end()?;
        println!("{}: {} bytes", file.display(), fs::metadata(&file)?.len());
        vgate.stop()?;
    }
    Ok(())
}
