//! From what the machine has to what must be done: a pure function, so that every kind of machine can be tested.
//!
//! Two ways lead to BPF. A rustup nightly with rust-src builds `core` itself; where one stands ready, with a linker that
//! reads its LLVM, it is used. Otherwise Debian's compiler brings `core` built for BPF, and rustup gets a name for it.

use std::env::consts::ARCH;

use super::{
    Scope,
    command::Command,
    findings::{BPFFS, Findings, LINKED, WANTED},
    packages::{self, Package},
    toolchain::Toolchain,
    version::{self, LLVM_MAJOR, Version},
};

/// One thing that is missing, and what brings it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    pub subject: &'static str,
    /// What is missing.
    pub lack: String,
    /// What is being done, while it is.
    pub action: String,
    pub commands: Vec<Command>,
    /// Set-up cannot do it on this machine, whoever runs it.
    pub by_hand: bool,
}

/// What must be done, in order; nothing where the machine has all that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What builds the BPF programs, as far as it is there.
    pub toolchain: Option<Toolchain>,
    pub steps: Vec<Step>,
}

impl Plan {
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }
}

/// Decides.
pub fn plan(findings: &Findings, scope: Scope) -> Plan {
    let mut steps = Vec::new();
    let toolchain = ready_toolchain(findings);
    if toolchain.is_none() {
        compiler(findings, &mut steps);
    }
    linker(findings, toolchain, &mut steps);
    if scope.lint {
        lints(findings, toolchain, &mut steps);
    }
    if scope.run {
        programs(findings, "servers and tools", packages::RUN, &findings.missing_run_packages, &mut steps);
        bpffs(findings, &mut steps);
    }
    if scope.kernels {
        programs(findings, "other kernels", packages::KERNELS, &findings.missing_kernel_packages, &mut steps);
    }
    let installs = steps.iter().any(|step| step.commands.iter().any(Command::is_apt_install));
    if installs && findings.stale_lists {
        let lack = "apt knows no version of some package".to_owned();
        let action = "apt reads what there is".to_owned();
        let commands = vec![Command::apt_update()];
        steps.insert(0, Step { subject: "package lists", lack, action, commands, by_hand: false });
    }
    Plan { toolchain: toolchain.cloned(), steps }
}

/// The toolchain to build with, if one is ready: the one asked for, a nightly, the linked one.
fn ready_toolchain(findings: &Findings) -> Option<&Toolchain> {
    let mut fit = findings.toolchains.iter().filter(|toolchain| toolchain.lacks().is_none());
    if let Some(wanted) = &findings.wanted {
        return fit.find(|toolchain| toolchain.answers_to(wanted));
    }
    let linkable = |llvm| findings.linker.is_some_and(|linker| linker.unfit_for(llvm).is_none());
    let nightly = fit.clone().find(|toolchain| toolchain.is_nightly() && linkable(toolchain.llvm));
    nightly.or_else(|| fit.find(|toolchain| toolchain.name == LINKED))
}

fn compiler(findings: &Findings, steps: &mut Vec<Step>) {
    let subject = "compiler";
    let by_hand = |lack: String, command: &[&str]| Step {
        subject,
        lack,
        action: String::new(),
        commands: vec![Command::user(command)],
        by_hand: true,
    };
    if !findings.rustup {
        let lack = "no rustup, by which cargo finds a second compiler".to_owned();
        steps.push(by_hand(lack, &["curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh"]));
        return;
    }
    if let Some(wanted) = &findings.wanted {
        let named = findings.toolchains.iter().find(|toolchain| toolchain.answers_to(wanted));
        let lack =
            named.and_then(Toolchain::lacks).unwrap_or_else(|| "rustup has no such toolchain".to_owned());
        steps.push(by_hand(format!("{WANTED} asks for `{wanted}`: {lack}"), &["unset", WANTED]));
        return;
    }
    let lack = match &findings.system {
        None => Some(format!("no compiler for {}", super::BPF_TARGET)),
        Some(system) => system.lacks().map(|lack| format!("Debian's compiler: {lack}")),
    };
    if let Some(lack) = lack {
        if !findings.apt {
            let lack = format!("{lack}, and no apt-get to install one");
            let nightly = "rustup toolchain install nightly --profile minimal --component rust-src";
            steps.push(by_hand(lack, &[nightly]));
            return;
        }
        let action = format!(
            "installing rustc with core for BPF, about 30 s; {} or newer is in Debian 12's security suite",
            Version::oldest_rustc()
        );
        let commands = vec![Command::apt_install(packages::COMPILER)];
        steps.push(Step { subject, lack, action, commands, by_hand: false });
    }
    // Linking replaces a link that leads nowhere, or to a compiler that cannot build for BPF.
    let lack = format!("no `{LINKED}` among rustup's toolchains that builds for BPF");
    let commands = vec![Command::user(&["rustup", "toolchain", "link", LINKED, "/usr"])];
    let action = format!("linking rustup's `{LINKED}` to /usr");
    steps.push(Step { subject, lack, action, commands, by_hand: false });
}

/// Where the compiler is still to come, the linker must read at least the LLVM Debian's will write.
fn linker(findings: &Findings, toolchain: Option<&Toolchain>, steps: &mut Vec<Step>) {
    let subject = "linker";
    let llvm = toolchain.map_or(Version(LLVM_MAJOR, 0, 0), |toolchain| toolchain.llvm);
    let lack = match findings.linker {
        None => "no bpf-linker that runs".to_owned(),
        Some(linker) => match linker.unfit_for(llvm) {
            None => return,
            Some(unfit) => unfit,
        },
    };
    let pin = version::LINKER;
    if !findings.missing_linker_packages.is_empty() {
        if !findings.apt {
            let archive = format!("v{pin}/bpf-linker-{ARCH}-unknown-linux-musl.tar.zst");
            let fetch = format!("curl -L https://github.com/aya-rs/bpf-linker/releases/download/{archive}");
            let commands = vec![Command::user(&[&fetch, "| tar --zstd -xC ~/.cargo/bin"])];
            steps.push(Step { subject, lack, action: String::new(), commands, by_hand: true });
            return;
        }
        let action = format!("installing LLVM {LLVM_MAJOR} to build it on, about 30 s");
        let commands = vec![Command::apt_install(&findings.missing_linker_packages)];
        steps.push(Step { subject, lack: lack.clone(), action, commands, by_hand: false });
    }
    let feature = format!("llvm-{LLVM_MAJOR}");
    let install = ["cargo", "install", "bpf-linker", "--version", &pin.to_string(), "--locked", "--force"];
    let mut build =
        Command::user(&[&install[..], &["--no-default-features", "--features", &feature]].concat());
    build.path = Some(format!("/usr/lib/{feature}/bin"));
    build.environment.push(("LIBRARY_PATH", format!("/usr/lib/{feature}/lib")));
    let action = format!("building bpf-linker {pin}, about {} s", version::LINKER_BUILD_SECONDS);
    steps.push(Step { subject, lack, action, commands: vec![build], by_hand: false });
}

fn lints(findings: &Findings, toolchain: Option<&Toolchain>, steps: &mut Vec<Step>) {
    let missing = &findings.missing_components;
    if !missing.is_empty() {
        let add = [&["rustup", "component", "add"], missing.as_slice()].concat();
        let lack = format!("no {}", missing.join(", "));
        let action = "adding components to the host's toolchain".to_owned();
        let commands = vec![Command::user(&add)];
        steps.push(Step { subject: "lints", lack, action, commands, by_hand: false });
    }
    // Clippy for BPF is worth a package, but not a stop: without it the programs are linted as host code.
    let debian = toolchain.is_none_or(|toolchain| findings.system.as_ref() == Some(toolchain));
    let present = findings.system.as_ref().is_some_and(|system| system.clippy);
    if debian && !present && findings.apt && findings.root {
        let lack = "no clippy for BPF".to_owned();
        let action = "installing it".to_owned();
        let commands = vec![Command::apt_install(packages::CLIPPY)];
        steps.push(Step { subject: "lints", lack, action, commands, by_hand: false });
    }
}

fn programs(
    findings: &Findings,
    subject: &'static str,
    packages: &[Package],
    missing: &[&str],
    steps: &mut Vec<Step>,
) {
    if !missing.is_empty() {
        let lines = packages.iter().filter(|package| missing.contains(&package.name));
        let lack = lines.map(|package| format!("no {}, which {}", package.program, package.reason));
        let commands = if findings.apt {
            vec![Command::apt_install(missing)]
        } else {
            vec![Command::user(&[&["# by this system's package manager:"], missing].concat())]
        };
        steps.push(Step {
            subject,
            lack: lack.collect::<Vec<_>>().join("; "),
            action: format!("installing {}", missing.join(", ")),
            commands,
            by_hand: !findings.apt,
        });
    }
}

fn bpffs(findings: &Findings, steps: &mut Vec<Step>) {
    if !findings.bpffs {
        let lack = format!("no bpffs on {BPFFS}, where programs are pinned");
        let commands = vec![Command::root(&["mount", "-t", "bpf", "bpf", BPFFS])];
        steps.push(Step {
            subject: "bpffs",
            lack,
            action: "mounting it".to_owned(),
            commands,
            by_hand: false,
        });
    }
}

#[cfg(test)]
mod tests;
