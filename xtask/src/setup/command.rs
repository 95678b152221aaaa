//! A command as data: run by set-up, or shown to be typed.

use std::{env, fmt, process};

/// One command of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Command {
    /// Only root may run it.
    pub root: bool,
    /// A folder to search for programs first.
    pub path: Option<String>,
    /// Set for this command.
    pub environment: Vec<(&'static str, String)>,
    pub words: Vec<String>,
}

impl Command {
    /// A command any user may run.
    pub fn user(words: &[&str]) -> Self {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        Self { root: false, path: None, environment: Vec::new(), words }
    }

    /// A command for root.
    pub fn root(words: &[&str]) -> Self {
        Self { root: true, ..Self::user(words) }
    }

    /// `apt-get install` of `packages`, waiting up to 300 s for another one to finish.
    pub fn apt_install(packages: &[&str]) -> Self {
        let install =
            ["apt-get", "install", "-y", "--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"];
        Self::root(&[&install, packages].concat())
    }

    /// Reads anew which packages there are.
    pub fn apt_update() -> Self {
        Self::root(&["apt-get", "update"])
    }

    /// Whether fresh package lists could help where it failed.
    pub fn is_apt_install(&self) -> bool {
        self.words.starts_with(&["apt-get".to_owned(), "install".to_owned()])
    }

    /// The command as one types it; `sudo` puts that word before what only root may run.
    pub fn shown(&self, sudo: bool) -> String {
        let prefix = if self.root && sudo { "sudo " } else { "" };
        format!("{prefix}{self}")
    }

    /// The command ready to start: it asks nothing and reads nothing.
    pub fn to_process(&self) -> process::Command {
        let mut process = process::Command::new(&self.words[0]);
        process.args(&self.words[1..]).envs(self.environment.iter().map(|(name, value)| (name, value)));
        process.env("DEBIAN_FRONTEND", "noninteractive").stdin(process::Stdio::null());
        if let Some(folder) = &self.path {
            process.env("PATH", format!("{folder}:{}", env::var("PATH").unwrap_or_default()));
        }
        process
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, value) in &self.environment {
            write!(f, "{name}={value} ")?;
        }
        if let Some(folder) = &self.path {
            write!(f, "PATH={folder}:$PATH ")?;
        }
        f.write_str(&self.words.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_shown_as_typed() {
        assert_eq!(Command::apt_update().shown(true), "sudo apt-get update");
        assert_eq!(Command::apt_update().shown(false), "apt-get update");
        let mut install = Command::user(&["cargo", "install", "x"]);
        install.path = Some("/usr/lib/llvm-22/bin".to_owned());
        install.environment.push(("LIBRARY_PATH", "/usr/lib/llvm-22/lib".to_owned()));
        assert_eq!(
            install.shown(true),
            "LIBRARY_PATH=/usr/lib/llvm-22/lib PATH=/usr/lib/llvm-22/bin:$PATH cargo install x"
        );
    }
}
