//! What a virtual machine finds in its memory when it starts: busybox, the test binaries, the programs they call, and
//! the libraries of all of these.

use std::{
    collections::BTreeSet,
    fs,
    io::Write,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, Result, ensure};

use super::archive::{self, Fetched};
use crate::{cargo, setup};

/// The machine's first process.
const INIT: &str = include_str!("guest.sh");

/// What tests call.
const PROGRAMS: [&str; 6] = ["busybox", "bpftool", "ip", "nsenter", "setpriv", "tc"];

/// Packs what is the same for every kernel.
///
/// # Errors
/// Where a program is missing.
pub fn base(root: &Path, cmgate: &Path, tests: &[(String, PathBuf)]) -> Result<PathBuf> {
    let tree = Tree::new(root.join("base"))?;
    let own = tests.iter().map(|(name, path)| (name.as_str(), path.as_path())).chain([("cmgate", cmgate)]);
    let mut libraries = BTreeSet::new();
    for (name, path) in own {
        let copy = tree.add(path, &format!("tests.d/{name}"))?;
        // Symbols are most of it, and nobody debugs in there.
        cargo::run(Command::new("strip").arg(&copy))?;
        libraries.extend(libraries_of(path)?);
    }
    for program in PROGRAMS {
        let path = setup::find_program(program).with_context(|| format!("there is no {program}"))?;
        let place = if program == "busybox" { "bin" } else { "usr/bin" };
        tree.add(&path, &format!("{place}/{program}"))?;
        libraries.extend(libraries_of(&path)?);
    }
    for library in libraries {
        let place = library.strip_prefix("/").context("ldd names no absolute path")?;
        tree.add(&library, &place.to_string_lossy())?;
    }
    let init = tree.write("init", INIT)?;
    fs::set_permissions(init, fs::Permissions::from_mode(0o755))?;
    tree.pack()
}

/// Completes it for one kernel.
///
/// # Errors
/// Where a file cannot be written.
pub fn complete(fetched: &Fetched, base: &Path, tests: &[(&str, Option<&str>)]) -> Result<PathBuf> {
    let tree = Tree::new(fetched.initrd().with_extension("own"))?;
    // The shell loads them in the order of their names.
    for (number, module) in archive::MODULES.iter().enumerate() {
        let file = archive::file_of(module);
        tree.add(&fetched.modules().join(&file), &format!("modules/{number}-{file}"))?;
    }
    let lines = tests.iter().map(|(name, filter)| format!("{name} {}\n", filter.unwrap_or_default()));
    tree.write("tests", &lines.collect::<String>())?;
    let own = tree.pack()?;
    // The kernel unpacks one archive after the other.
    let mut whole = fs::File::create(fetched.initrd())?;
    for part in [base, &own] {
        whole.write_all(&fs::read(part)?)?;
    }
    Ok(fetched.initrd())
}

/// A folder that becomes an archive.
struct Tree(PathBuf);

impl Tree {
    fn new(folder: PathBuf) -> Result<Self> {
        if folder.exists() {
            fs::remove_dir_all(&folder)?;
        }
        fs::create_dir_all(&folder)?;
        Ok(Self(folder))
    }

    /// Copies a file to a place in it.
    fn add(&self, from: &Path, place: &str) -> Result<PathBuf> {
        let to = self.place(place)?;
        fs::copy(from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
        Ok(to)
    }

    fn write(&self, place: &str, text: &str) -> Result<PathBuf> {
        let to = self.place(place)?;
        fs::write(&to, text)?;
        Ok(to)
    }

    fn place(&self, place: &str) -> Result<PathBuf> {
        let to = self.0.join(place);
        fs::create_dir_all(to.parent().context("a file stands in a folder")?)?;
        Ok(to)
    }

    /// Packs it in the form the kernel unpacks (Documentation/driver-api/early-userspace/buffer-format.rst).
    fn pack(self) -> Result<PathBuf> {
        let archive = self.0.with_extension("cpio");
        let to = fs::File::create(&archive)?;
        let mut pack = Command::new("sh");
        // cpio counts its blocks on standard error.
        pack.args(["-c", "find . | busybox cpio -o -H newc"]).stdout(to).stderr(Stdio::null());
        cargo::run(pack.current_dir(&self.0))?;
        fs::remove_dir_all(&self.0)?;
        Ok(archive)
    }
}

/// The libraries a program is linked with, and the loader; none for a static one.
fn libraries_of(program: &Path) -> Result<Vec<PathBuf>> {
    let output = Command::new("ldd").arg(program).env("LC_ALL", "C").output().context("cannot start ldd")?;
    let lines = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(!lines.contains("not found"), "{}: {lines}", program.display());
    Ok(libraries(&lines))
}

/// Reads lines of `libc.so.6 => /lib/libc.so.6 (0x7f...)` and `/lib64/ld-linux-x86-64.so.2 (0x7f...)`.
fn libraries(lines: &str) -> Vec<PathBuf> {
    let paths = lines.lines().filter_map(|line| line.split_whitespace().find(|word| word.starts_with('/')));
    paths.map(PathBuf::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_ldd_prints() {
        let lines = "\tlinux-vdso.so.1 (0x00007fa2fe8a9000)\n\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 \
                     (0x00007fa2fcd13000)\n\t/lib64/ld-linux-x86-64.so.2 (0x00007fa2fe8ab000)\n";
        let expected = ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/ld-linux-x86-64.so.2"];
        assert_eq!(libraries(lines), expected.map(PathBuf::from));
        assert_eq!(libraries("\tnot a dynamic executable\n"), [] as [PathBuf; 0]);
    }
}
