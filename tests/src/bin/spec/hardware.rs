//! What silicon on the host's driver costs, in a guest whose stock driver it runs on.

use std::collections::HashMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use vgate_tests::{Image, Qemu, Vgate};

use crate::Measured;

const LIMIT: Duration = Duration::from_secs(900);
const CONFIGURATION: &str = "control = \"control\"\n[[vm]]\nname = \"guest\"\npvinfo = \"off\"\n";

pub(crate) fn measure() -> Result<Vec<Measured>> {
    let vgate = Vgate::start("spec-hardware", CONFIGURATION, &["control", "guest.sock"])?;
    let mut guest = Qemu::new("spec-hardware", &Image::build("6.12")?.with_nested()?)
        .memory(1536)
        .gpu(&vgate, "guest")
        .steps("modules,serve")
        .start()?;
    guest.wait_step_within("modules", LIMIT)?;
    guest.send(&format!("run {} /bin/nested bench", LIMIT.as_secs()))?;
    let said = guest.lines_until("VGATE-RUN end", LIMIT)?;
    ensure!(said.last().is_some_and(|end| end.contains("exit 0 ")), "{said:#?}");
    let row = |objects: &str| {
        let name = format!("VGATE-OUT bench objects={objects} ");
        let line = said.iter().find_map(|line| line.strip_prefix(&name)).context(name.clone())?;
        Ok::<_, anyhow::Error>(line.split(' ').filter_map(|word| word.split_once('=')).collect())
    };
    let mut measured = Vec::new();
    for (id, objects) in [("drm-one", "1"), ("drm-64", "64"), ("drm-512", "512")] {
        let row: HashMap<&str, &str> = row(objects)?;
        let get = |name: &str| row.get(name).copied().with_context(|| name.to_owned());
        let note = format!(
            "the driver alone {} us (first {}); tables compared {} times; first {} us; one entry changed {} us",
            get("driver_us")?,
            get("driver_first_us")?,
            get("compared")?,
            get("first_us")?,
            get("changed_us")?
        );
        measured.push(Measured::new(id, get("known")?.parse()?, note));
    }
    guest.kill9()?;
    Ok(measured)
}
