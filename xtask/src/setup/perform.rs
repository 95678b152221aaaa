//! Carries a plan out, or says what to type where that may not be.

use std::{
    fs::{self, File},
    io::Write,
    path::Path,
    process::Stdio,
    time::Instant,
};

use anyhow::{Context, Result, bail};

use super::{
    command::Command,
    findings::Findings,
    plan::{Plan, Step},
};

/// Lines of the log shown where a command failed.
const TAIL: usize = 25;

/// Runs every step of `plan`, its output going to `log`.
///
/// # Errors
/// Where a step may not be run here, before any is; where one fails. What to type is printed in both cases.
pub fn perform(plan: &Plan, findings: &Findings, log: &Path) -> Result<()> {
    let for_root = plan.steps.iter().any(|step| step.commands.iter().any(|command| command.root));
    if plan.steps.iter().any(|step| step.by_hand) {
        tell(&plan.steps, findings);
        bail!("set-up cannot install this here; type what stands above, then call it again");
    }
    if for_root && !findings.root {
        tell(&plan.steps, findings);
        bail!("set-up may install packages as root only; type what stands above, or call it again as root");
    }
    let mut output = open_log(log)?;
    for (done, step) in plan.steps.iter().enumerate() {
        eprintln!("[{}/{}] {}: {} ...", done + 1, plan.steps.len(), step.subject, step.action);
        let started = Instant::now();
        for command in &step.commands {
            if let Err(error) = run_fresh(command, &mut output) {
                eprintln!("\nthe end of {}:\n{}", log.display(), tail(log)?);
                eprintln!("\nSet-up stops here. Left to do:");
                if command.is_apt_install() {
                    eprintln!(
                        "\n# package lists: those that are there did not do\n{}",
                        Command::apt_update()
                    );
                }
                tell(&plan.steps[done..], findings);
                return Err(error);
            }
        }
        eprintln!("      done in {:.1} s", started.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Prints steps as commands to type, in order, with what each is for.
fn tell(steps: &[Step], findings: &Findings) {
    for step in steps {
        eprintln!("\n# {}: {}", step.subject, step.lack);
        for command in &step.commands {
            eprintln!("{}", command.shown(!findings.root));
        }
    }
    eprintln!();
}

fn open_log(log: &Path) -> Result<File> {
    let folder = log.parent().context("the log has no folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    File::create(log).with_context(|| format!("cannot write {}", log.display()))
}

/// Runs `command`; where an installation fails, once more with fresh package lists, for old ones name files that are
/// gone.
fn run_fresh(command: &Command, log: &mut File) -> Result<()> {
    match run(command, log) {
        Err(_) if command.is_apt_install() => {
            run(&Command::apt_update(), log)?;
            run(command, log)
        }
        result => result,
    }
}

fn run(command: &Command, log: &mut File) -> Result<()> {
    writeln!(log, "$ {command}").context("cannot write the log")?;
    let both = || log.try_clone().map(Stdio::from).context("cannot write the log");
    let status = command
        .to_process()
        .stdout(both()?)
        .stderr(both()?)
        .status()
        .with_context(|| format!("cannot start `{command}`"))?;
    if !status.success() {
        bail!("`{command}` ended with {status}");
    }
    Ok(())
}

/// The last lines of the log.
fn tail(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<_> = text.lines().collect();
    Ok(lines[lines.len().saturating_sub(TAIL)..].join("\n"))
}
