//! The plan for every kind of machine.

use super::*;
use crate::setup::toolchain::Linker;

const LINKER: Linker = Linker { version: version::LINKER, llvm: Version(22, 1, 8) };

fn toolchain(name: &str) -> Toolchain {
    Toolchain {
        name: name.to_owned(),
        rustc: Version(1, 96, 0),
        llvm: Version(22, 1, 8),
        core: name == LINKED,
        source: name != LINKED,
        cargo: true,
        clippy: true,
    }
}

fn nightly() -> Toolchain {
    Toolchain {
        rustc: Version(1, 97, 0),
        llvm: Version(22, 1, 4),
        ..toolchain(&format!("nightly-{ARCH}-unknown-linux-gnu"))
    }
}

/// Debian 12 fresh from the installer, with rustup.
fn bare() -> Findings {
    Findings {
        root: true,
        apt: true,
        stale_lists: true,
        rustup: true,
        missing_linker_packages: packages::LINKER.to_vec(),
        missing_run_packages: packages::RUN.iter().map(|package| package.name).collect(),
        missing_kernel_packages: packages::KERNELS.iter().map(|package| package.name).collect(),
        ..Findings::default()
    }
}

/// The same machine after set-up.
fn complete() -> Findings {
    Findings {
        stale_lists: false,
        toolchains: vec![toolchain(LINKED)],
        system: Some(toolchain(LINKED)),
        linker: Some(LINKER),
        missing_linker_packages: Vec::new(),
        missing_run_packages: Vec::new(),
        missing_kernel_packages: Vec::new(),
        bpffs: true,
        ..bare()
    }
}

/// The commands, by their first words, in order.
fn commands(findings: &Findings, scope: Scope) -> Vec<String> {
    let plan = plan(findings, scope);
    let commands = plan.steps.iter().flat_map(|step| &step.commands);
    commands.map(|command| command.words.iter().take(4).cloned().collect::<Vec<_>>().join(" ")).collect()
}

fn chosen(findings: &Findings) -> Option<String> {
    plan(findings, Scope::EVERYTHING).toolchain.map(|toolchain| toolchain.name)
}

#[test]
fn a_bare_machine_gets_everything_in_order() {
    let expected = [
        "apt-get update",
        "apt-get install -y --no-install-recommends",
        "rustup toolchain link ebpf",
        "apt-get install -y --no-install-recommends",
        "cargo install bpf-linker --version",
        "apt-get install -y --no-install-recommends",
        "apt-get install -y --no-install-recommends",
        "mount -t bpf bpf",
        "apt-get install -y --no-install-recommends",
    ];
    assert_eq!(commands(&bare(), Scope::EVERYTHING), expected);
    let packages = plan(&bare(), Scope::EVERYTHING).steps;
    assert!(packages[1].commands[0].words.ends_with(&packages::COMPILER.map_owned()));
    assert!(packages[5].commands[0].words.ends_with(&packages::CLIPPY.map_owned()));
}

#[test]
fn building_needs_no_servers() {
    assert_eq!(commands(&bare(), Scope::BUILD).len(), 5);
    // A demo boots no other kernel.
    assert!(plan(&bare(), Scope::RUN).steps.iter().all(|step| step.subject != "other kernels"));
}

#[test]
fn a_complete_machine_gets_nothing() {
    let plan = plan(&complete(), Scope::EVERYTHING);
    assert_eq!((plan.steps, plan.toolchain), (Vec::new(), Some(toolchain(LINKED))));
}

#[test]
fn a_ready_nightly_is_used_and_nothing_is_installed_for_bpf() {
    let findings = Findings { toolchains: vec![nightly()], linker: Some(LINKER), ..bare() };
    assert_eq!(commands(&findings, Scope::BUILD), Vec::<String>::new());
    assert_eq!(chosen(&findings), Some(nightly().name));
}

#[test]
fn a_ready_nightly_goes_before_the_linked_compiler() {
    let findings = Findings { toolchains: vec![nightly(), toolchain(LINKED)], ..complete() };
    assert_eq!(chosen(&findings), Some(nightly().name));
}

#[test]
fn a_nightly_that_cannot_build_is_passed_over() {
    let unfit = [
        Toolchain { source: false, ..nightly() },
        Toolchain { rustc: Version(1, 94, 0), ..nightly() },
        Toolchain { cargo: false, ..nightly() },
        // The linker would fail on bitcode of a newer LLVM.
        Toolchain { llvm: Version(23, 1, 0), ..nightly() },
    ];
    for nightly in unfit {
        let findings = Findings { toolchains: vec![nightly.clone(), toolchain(LINKED)], ..complete() };
        assert_eq!(chosen(&findings).as_deref(), Some(LINKED), "{nightly:?}");
    }
}

#[test]
fn a_nightly_without_a_linker_is_no_way() {
    let findings = Findings { toolchains: vec![nightly()], ..bare() };
    assert_eq!(commands(&findings, Scope::BUILD).len(), 5);
}

#[test]
fn a_stale_link_is_made_again() {
    // No compiler runs behind it, or one without core for BPF.
    for toolchains in [Vec::new(), vec![Toolchain { core: false, ..toolchain(LINKED) }]] {
        let findings = Findings { toolchains, ..complete() };
        assert_eq!(commands(&findings, Scope::EVERYTHING), ["rustup toolchain link ebpf"]);
    }
}

#[test]
fn an_old_debian_compiler_is_brought_up_to_date() {
    let old = Toolchain { rustc: Version(1, 85, 0), ..toolchain(LINKED) };
    let findings = Findings { toolchains: vec![old.clone()], system: Some(old), ..complete() };
    let steps = plan(&findings, Scope::BUILD).steps;
    assert!(steps[0].lack.contains("rustc 1.85.0 is older"), "{}", steps[0].lack);
    assert!(steps[0].commands[0].is_apt_install());
}

#[test]
fn a_linker_that_does_not_fit_is_built_again() {
    for linker in
        [Linker { version: Version(0, 9, 15), ..LINKER }, Linker { llvm: Version(21, 1, 0), ..LINKER }]
    {
        let findings = Findings { linker: Some(linker), ..complete() };
        assert_eq!(
            commands(&findings, Scope::EVERYTHING),
            ["cargo install bpf-linker --version"],
            "{linker:?}"
        );
    }
}

#[test]
fn a_newer_linker_is_left_alone() {
    let linker = Linker { version: Version(0, 14, 1), llvm: Version(23, 1, 0) };
    assert!(plan(&Findings { linker: Some(linker), ..complete() }, Scope::EVERYTHING).is_empty());
}

#[test]
fn the_wanted_toolchain_wins_and_is_never_guessed() {
    let both = vec![nightly(), toolchain(LINKED)];
    let wants =
        |name: &str| Findings { toolchains: both.clone(), wanted: Some(name.to_owned()), ..complete() };
    assert_eq!(chosen(&wants(LINKED)).as_deref(), Some(LINKED));
    assert_eq!(chosen(&wants("nightly")), Some(nightly().name));
    assert_eq!(chosen(&wants("night")), None);
    let unknown = plan(&wants("mine"), Scope::BUILD).steps;
    assert!(unknown[0].by_hand && unknown[0].lack.contains("`mine`"), "{unknown:?}");
}

#[test]
fn without_apt_there_is_the_nightly_way_to_type() {
    let steps = plan(&Findings { apt: false, ..bare() }, Scope::RUN).steps;
    let by_hand: Vec<_> = steps.iter().map(|step| (step.subject, step.by_hand)).collect();
    assert_eq!(
        by_hand,
        [("compiler", true), ("linker", true), ("servers and tools", true), ("bpffs", false)]
    );
    assert!(steps[0].commands[0].to_string().contains("nightly"));
}

#[test]
fn without_rustup_there_is_one_thing_to_do_first() {
    let steps = plan(&Findings { rustup: false, ..bare() }, Scope::BUILD).steps;
    let first = steps.iter().find(|step| step.subject == "compiler").unwrap();
    assert!(first.by_hand && first.lack.contains("rustup"));
}

#[test]
fn a_missing_linter_for_bpf_stops_nobody_who_may_not_install_it() {
    let bpf = Toolchain { clippy: false, ..toolchain(LINKED) };
    let findings = Findings { toolchains: vec![bpf.clone()], system: Some(bpf), ..complete() };
    assert_eq!(plan(&findings, Scope::LINT).steps.len(), 1);
    assert!(plan(&Findings { root: false, ..findings }, Scope::LINT).is_empty());
}

/// Package names as the words of a command.
trait MapOwned {
    fn map_owned(&self) -> Vec<String>;
}

impl MapOwned for &[&str] {
    fn map_owned(&self) -> Vec<String> {
        self.iter().map(|&name| name.to_owned()).collect()
    }
}
