//! The project's own rules, as a table: what a file may not have, where, and why.

use std::{
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};

use super::source::code_only;

/// Longest file, in lines: what a reader takes in at one sitting.
const LONGEST: usize = 450;

/// A rule about one file.
struct Rule {
    name: &'static str,
    reason: &'static str,
    /// The files it is about.
    about: fn(&str) -> bool,
    /// Paths it leaves alone: files, or folders with what is in them.
    except: &'static [&'static str],
    /// The lines that break it, counted from 1.
    broken: fn(&File) -> Vec<usize>,
}

const RULES: &[Rule] = &[
    Rule {
        name: "subject",
        reason: "a file begins with `//!` and says what it is about",
        about: is_rust,
        except: &[],
        broken: |file| if file.text.starts_with("//!") { vec![] } else { vec![1] },
    },
    Rule {
        name: "length",
        reason: "a file has one subject and at most 450 lines; split it",
        about: is_rust,
        except: &[],
        broken: |file| if file.text.lines().count() > LONGEST { vec![LONGEST + 1] } else { vec![] },
    },
    Rule {
        name: "unsafe",
        reason: "raw memory is the business of the datapath and of the programs",
        about: is_rust,
        except: &["agent/src/datapath", "agent/src/datapath.rs", "ebpf"],
        broken: |file| lines_with(&file.code, |line| has_word(line, "unsafe")),
    },
    Rule {
        name: "aya",
        reason: "aya is behind the datapath: nothing else names it, so that its next version is one module's work",
        about: is_rust,
        except: &["agent/src/datapath", "agent/src/datapath.rs", "agent/build.rs", "ebpf"],
        broken: |file| {
            lines_with(&file.code, |line| words(line).any(|word| word == "aya" || word.starts_with("aya_")))
        },
    },
    Rule {
        name: "module name",
        reason: "a module is named by its subject, and these names have none",
        about: |path| is_rust(path) && path.split(['/', '.']).any(is_nameless),
        except: &[],
        broken: |_| vec![1],
    },
    Rule {
        name: "machine path",
        reason: "a path of somebody's machine is on no other",
        about: |_| true,
        except: &["xtask/src/lint/tidy.rs"],
        broken: |file| {
            lines_with(&file.text, |line| {
                ["/root/", "/home/", "/work/"].iter().any(|&path| starts_path(line, path))
            })
        },
    },
];

/// A file of the project, with its path from the root.
struct File {
    path: String,
    text: String,
    /// The text without comments and literals, where it is Rust.
    code: String,
}

/// Holds every rule against every file below `root`, and shows each place that breaks one.
///
/// # Errors
/// Where a rule is broken, or a file cannot be read.
pub fn run(root: &Path) -> Result<()> {
    let mut paths = Vec::new();
    collect(root, root, &mut paths)?;
    let mut found = 0;
    for path in &paths {
        let Some(file) = read(root, path)? else { continue };
        for finding in findings(&file) {
            eprintln!("{finding}");
            found += 1;
        }
    }
    if found > 0 {
        bail!("{found} place(s) break the project's rules");
    }
    eprintln!("{} files, {} rules", paths.len(), RULES.len());
    Ok(())
}

/// Every file below `folder`; what is built, and git's own, is not the project's.
fn collect(root: &Path, folder: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let entries = folder.read_dir().with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
        let path = entry.path();
        let name = entry.file_name();
        let kind = entry.file_type().with_context(|| format!("cannot read {}", path.display()))?;
        if kind.is_dir() && name != "target" && name != ".git" {
            collect(root, &path, paths)?;
        } else if kind.is_file() && name != ".git" && name != "Cargo.lock" {
            paths.push(path.strip_prefix(root).context("a file lies below its root")?.to_owned());
        }
    }
    paths.sort();
    Ok(())
}

/// Reads a file; none where it is no text.
fn read(root: &Path, path: &Path) -> Result<Option<File>> {
    let bytes = fs::read(root.join(path)).with_context(|| format!("cannot read {}", path.display()))?;
    let Ok(text) = String::from_utf8(bytes) else { return Ok(None) };
    let path = path.to_string_lossy().into_owned();
    let code = if is_rust(&path) { code_only(&text) } else { String::new() };
    Ok(Some(File { path, text, code }))
}

fn findings(file: &File) -> Vec<String> {
    let excepted = |rule: &Rule| rule.except.iter().any(|place| Path::new(&file.path).starts_with(place));
    let rules = RULES.iter().filter(|rule| (rule.about)(&file.path) && !excepted(rule));
    let place = |rule: &Rule, line| format!("{}:{line}: {}: {}", file.path, rule.name, rule.reason);
    rules
        .flat_map(|rule| (rule.broken)(file).into_iter().map(|line| place(rule, line)).collect::<Vec<_>>())
        .collect()
}

fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn is_nameless(part: &str) -> bool {
    ["util", "utils", "helper", "helpers", "common2", "misc"].contains(&part)
}

fn lines_with(text: &str, broken: impl Fn(&str) -> bool) -> Vec<usize> {
    text.lines().enumerate().filter(|(_, line)| broken(line)).map(|(index, _)| index + 1).collect()
}

fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
}

fn has_word(line: &str, word: &str) -> bool {
    words(line).any(|found| found == word)
}

/// Whether `path` begins an absolute path in `line`, rather than being the middle of an address or a relative one.
fn starts_path(line: &str, path: &str) -> bool {
    line.match_indices(path)
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$".contains(c)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules `text` at `path` breaks, with their lines.
    fn broken(path: &str, text: &str) -> Vec<String> {
        let file = File { path: path.to_owned(), text: text.to_owned(), code: code_only(text) };
        let places = findings(&file).into_iter();
        places.map(|place| place.split(": ").take(2).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn a_file_that_keeps_the_rules() {
        assert_eq!(
            broken("agent/src/config.rs", "//! Configuration.\n// unsafe, aya\n"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn each_rule_finds_what_it_is_about() {
        let long = format!("//! Long.\n{}", "\n".repeat(LONGEST));
        for (path, text, expected) in [
            ("agent/src/a.rs", "fn f() {}\n", "agent/src/a.rs:1 subject"),
            ("agent/src/a.rs", long.as_str(), "agent/src/a.rs:451 length"),
            ("agent/src/a.rs", "//! A.\nunsafe { f() }\n", "agent/src/a.rs:2 unsafe"),
            ("agent/src/a.rs", "//! A.\nuse aya::Ebpf;\n", "agent/src/a.rs:2 aya"),
            ("agent/src/a.rs", "//! A.\nuse aya_log::EbpfLogger;\n", "agent/src/a.rs:2 aya"),
            ("tests/src/utils/a.rs", "//! A.\n", "tests/src/utils/a.rs:1 module name"),
            ("agent/src/misc.rs", "//! A.\n", "agent/src/misc.rs:1 module name"),
            ("README.md", "in /home/me/cmgate\n", "README.md:1 machine path"),
        ] {
            assert_eq!(broken(path, text), [expected]);
        }
    }

    #[test]
    fn the_datapath_and_the_programs_may_what_others_may_not() {
        for path in ["agent/src/datapath/maps.rs", "agent/src/datapath.rs", "ebpf/src/main.rs"] {
            assert_eq!(broken(path, "//! A.\nuse aya::x;\nunsafe { f() }\n"), Vec::<String>::new(), "{path}");
        }
        // A name that merely begins like an excepted one is not excepted.
        assert_eq!(broken("agent/src/datapath2.rs", "//! A.\nunsafe {}\n").len(), 1);
    }

    #[test]
    fn an_address_is_no_machine_path() {
        assert_eq!(
            broken("README.md", "https://example.org/home/page and $HOME/work/x\n"),
            Vec::<String>::new()
        );
    }
}
