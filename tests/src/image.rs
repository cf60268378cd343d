//! A stock kernel with an initramfs of our own: what a guest boots.

use std::collections::hash_map::DefaultHasher;
use std::fs;
use std::hash::{Hash, Hasher};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use anyhow::{Context, Result, ensure};

use crate::cpio::Archive;
use crate::{guest_folder, repository};

/// The driver that a guest loads.
const DRIVER: &str = "i915";

/// A driver of no device, whose buffers IGT shares with i915's.
const VIRTUAL_MEMORY: &str = "vgem";

/// What mounts a folder that QEMU shares.
const SHARES: [&str; 2] = ["9pnet_virtio", "9p"];

/// How and where cargo builds the guest's programs.
const TARGET: &str = "x86_64-unknown-linux-gnu";
const PROFILE: &str = "guest";

/// A kernel and an initramfs, as files.
#[derive(Clone, Debug)]
pub struct Image {
    /// The kernel as `scripts/setup` names it: "6.12".
    pub kernel: String,
    /// The kernel's file.
    pub vmlinuz: PathBuf,
    /// The archive: `/init`, `/bin/*`, the driver and its modules, uncompressed, with their order in `/modules.list`.
    pub initramfs: PathBuf,
}

impl Image {
    /// Makes the image of a stock kernel ("6.12"), or finds it as made before: programs are built anew if their
    /// sources changed, and the archive is made anew if a program or the kernel did.
    ///
    /// # Errors
    /// If the kernel isn't there (the error says how to get it) or a program does not build.
    pub fn build(kernel: &str) -> Result<Self> {
        // One at a time: tests of one process share the files.
        static BUILDING: Mutex<()> = Mutex::new(());
        let _building = BUILDING.lock();

        let folder = guest_folder().join(format!("kernel-{kernel}"));
        let vmlinuz = folder.join("vmlinuz");
        ensure!(vmlinuz.exists(), "no kernel {kernel} here. Run: scripts/setup {kernel}");
        // The link's target has the kernel's whole version in its name.
        let folder = folder.canonicalize()?;
        let programs = build_programs()?;

        let initramfs = archive_path(kernel, &folder, &programs);
        if !initramfs.exists() {
            remove_older(kernel)?;
            fs::create_dir_all(initramfs.parent().unwrap_or(Path::new(".")))?;
            let part = initramfs.with_extension("part");
            fs::write(&part, archive(&folder.join("modules"), &programs)?)?;
            fs::rename(part, &initramfs)?;
        }
        Ok(Self { kernel: kernel.to_owned(), vmlinuz, initramfs })
    }

    /// Adds the tests of IGT, in `/usr/libexec/igt-gpu-tools`, and what they need to run.
    ///
    /// # Errors
    /// If they aren't there (the error says how to get them).
    pub fn with_igt(self) -> Result<Self> {
        let mut archive = Archive::default();
        archive.tree("", &igt_folder()?)?;
        archive.link("lib64", "usr/lib64");
        archive.link("bin/sh", "/usr/bin/dash");
        add_modules(&mut archive, &self.modules(), &[DRIVER, VIRTUAL_MEMORY])?;
        self.with("igt", &archive.finish())
    }

    /// Adds what mounts folders that the host shares ([`Qemu::share`](crate::Qemu::share)).
    ///
    /// # Errors
    /// If the kernel lacks a module.
    pub fn with_shares(self) -> Result<Self> {
        let mut archive = Archive::default();
        add_modules(&mut archive, &self.modules(), &[&[DRIVER][..], &SHARES].concat())?;
        self.with("shares", &archive.finish())
    }

    /// Adds a `vgate` of its own, and `nested`, its clients (`tests/nested`).
    ///
    /// # Errors
    /// If one does not build.
    pub fn with_nested(self) -> Result<Self> {
        let mut archive = Archive::default();
        for (package, name) in [("vgate", "vgate"), ("nested-programs", "nested")] {
            let built = build(&["--package", package, "--bin", name])?.join(name);
            let program = fs::read(&built).with_context(|| built.display().to_string())?;
            archive.file(&format!("bin/{name}"), &program);
        }
        self.with("nested", &archive.finish())
    }

    fn modules(&self) -> PathBuf {
        self.vmlinuz.with_file_name("modules")
    }

    /// Adds another archive. The kernel unpacks one after the other: a list of modules takes the place of the first.
    fn with(mut self, name: &str, archive: &[u8]) -> Result<Self> {
        let mut hasher = DefaultHasher::new();
        archive.hash(&mut hasher);
        let whole = self.initramfs.with_extension(format!("{name}-{:016x}.cpio", hasher.finish()));
        if !whole.exists() {
            let mut bytes = fs::read(&self.initramfs)?;
            bytes.extend_from_slice(archive);
            let part = whole.with_extension("part");
            fs::write(&part, bytes)?;
            fs::rename(part, &whole)?;
        }
        self.initramfs = whole;
        Ok(self)
    }
}

/// Where IGT is unpacked: a folder `igt-VERSION`.
fn igt_folder() -> Result<PathBuf> {
    let link = guest_folder().join("igt");
    link.canonicalize().context("no IGT here. Run: scripts/setup igt")
}

/// The version of IGT that is here, as Debian writes it.
///
/// # Errors
/// If there is none (the error says how to get it).
pub fn igt_version() -> Result<String> {
    let folder = igt_folder()?;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Ok(name.trim_start_matches("igt-").to_owned())
}

/// A program's name and its bytes.
type Program = (String, Vec<u8>);

/// Builds programs for a guest, static, since a guest has no libraries. Returns the folder that they are in.
fn build(what: &[&str]) -> Result<PathBuf> {
    let target_folder = guest_folder().join("build");
    let output = Command::new(option_env!("CARGO").unwrap_or("cargo"))
        .args(["build", "--quiet"])
        .args(what)
        .args(["--profile", PROFILE, "--target", TARGET, "--target-dir"])
        .arg(&target_folder)
        .current_dir(repository())
        .env("RUSTFLAGS", "-C target-feature=+crt-static")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .context("running cargo")?;
    ensure!(
        output.status.success(),
        "the guest's programs do not build:\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(target_folder.join(TARGET).join(PROFILE))
}

/// Builds the programs of `tests/guest`.
fn build_programs() -> Result<Vec<Program>> {
    let built = build(&["--package", "guest-programs", "--bins"])?;
    let mut programs = Vec::new();
    for name in program_names()? {
        let path = built.join(&name);
        programs.push((name, fs::read(&path).with_context(|| path.display().to_string())?));
    }
    Ok(programs)
}

/// Each entry of `tests/guest/src/bin` is a program: what cargo leaves of one that was removed is not.
fn program_names() -> Result<Vec<String>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("guest/src/bin");
    let mut names = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
        let name = entry?.file_name().to_string_lossy().trim_end_matches(".rs").to_owned();
        names.push(name);
    }
    names.sort();
    Ok(names)
}

fn archive_path(kernel: &str, folder: &Path, programs: &[Program]) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (folder, programs, DRIVER, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    let name = format!("{kernel}-{:016x}.cpio", hasher.finish());
    guest_folder().join("images").join(name)
}

fn remove_older(kernel: &str) -> Result<()> {
    let prefix = format!("{kernel}-");
    for entry in fs::read_dir(guest_folder().join("images")).into_iter().flatten() {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&prefix) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

fn archive(modules: &Path, programs: &[Program]) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    for folder in ["bin", "dev", "lib", "proc", "sys", "tmp"] {
        archive.folder(folder);
    }
    for (name, bytes) in programs {
        let path = if name == "init" { "init".to_owned() } else { format!("bin/{name}") };
        archive.file(&path, bytes);
    }
    add_modules(&mut archive, modules, &[DRIVER])?;
    Ok(archive.finish())
}

/// Adds drivers with the modules that they need, and the list of all in the order to load them.
fn add_modules(archive: &mut Archive, modules: &Path, drivers: &[&str]) -> Result<()> {
    let mut packed: Vec<String> = Vec::new();
    for driver in drivers {
        for path in load_order(modules, driver)? {
            if !packed.contains(&path) {
                packed.push(path);
            }
        }
    }
    let mut list = String::new();
    for packed in packed {
        let file = packed.rsplit('/').next().unwrap_or(&packed);
        let name = file.split(".ko").next().unwrap_or(file);
        let path = format!("lib/{name}.ko");
        archive.file(&path, &unpacked(&modules.join(&packed))?);
        list += &format!("/{path}\n");
    }
    archive.file("modules.list", list.as_bytes());
    Ok(())
}

/// A module and those that it needs, as paths below the modules' folder, in the order to load them.
fn load_order(modules: &Path, module: &str) -> Result<Vec<String>> {
    let path = modules.join("modules.dep");
    let dependencies = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    let marker = format!("/{module}.ko");
    let (module_path, needs) = dependencies
        .lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(path, _)| path.contains(&marker))
        .with_context(|| format!("{} has no module {module}", path.display()))?;
    // depmod lists all that a module needs, directly or not, the one to load last first.
    let needs = needs.split_whitespace().rev();
    Ok(needs.chain([module_path]).map(str::to_owned).collect())
}

fn unpacked(path: &Path) -> Result<Vec<u8>> {
    let program = match path.extension().and_then(|extension| extension.to_str()) {
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => return fs::read(path).with_context(|| path.display().to_string()),
    };
    let output = Command::new(program)
        .args(["-d", "-c", "-q"])
        .arg(path)
        .output()
        .with_context(|| format!("running {program}. Run: scripts/setup"))?;
    ensure!(output.status.success(), "{program} could not unpack {}", path.display());
    Ok(output.stdout)
}

#[cfg(test)]
mod tests {
    use super::load_order;

    #[test]
    fn modules_load_after_those_they_need() {
        let folder = tempfile::tempdir().unwrap();
        let text = "a/i915/kvmgt.ko.xz: a/i915.ko.xz a/drm.ko.xz\na/i915.ko.xz: a/ttm.ko.xz a/drm.ko.xz\na/drm.ko.xz:\n";
        std::fs::write(folder.path().join("modules.dep"), text).unwrap();
        let order = load_order(folder.path(), "i915").unwrap();
        assert_eq!(order, ["a/drm.ko.xz", "a/ttm.ko.xz", "a/i915.ko.xz"]);
        assert!(load_order(folder.path(), "xe").is_err());
    }
}
