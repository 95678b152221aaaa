//! Names the operator chooses: systems, allows, site codes, interfaces.

use crate::config::text::diagnostics::Mistake;

/// Longest name of a system or an allow: a DNS label's length, so that every host name fits.
const LONGEST: usize = 63;

/// Longest interface name: `IFNAMSIZ` of `linux/if.h` without the end mark.
const LONGEST_INTERFACE: usize = 15;

/// Checks the name of a system or an allow: letters, digits, `-`, `_` and `.`, a letter or digit first, at most 63. Such
/// names stand in flow ids, metrics and command lines.
///
/// # Errors
/// Where it is no such name.
pub(crate) fn check(name: &str) -> Result<(), Mistake> {
    let letter = |c: char| c.is_ascii_alphanumeric();
    let good = |c: char| letter(c) || matches!(c, '-' | '_' | '.');
    if name.starts_with(letter) && name.chars().all(good) && name.len() <= LONGEST {
        return Ok(());
    }
    let kept: String = name.chars().map(|c| if good(c) { c } else { '-' }).take(LONGEST).collect();
    let kept = kept.trim_start_matches(|c| !letter(c)).trim_end_matches('-');
    Err(Mistake::new(
        format!("\"{name}\" cannot be a name"),
        match kept {
            "" => "write letters, digits, \"-\", \"_\" and \".\", like \"mp01\"".to_owned(),
            kept => {
                format!("write letters, digits, \"-\", \"_\" and \".\", at most {LONGEST}, like \"{kept}\"")
            }
        },
    ))
}

/// Checks a site code: three letters or digits, and none of the names Windows keeps for devices, which ConfigMgr's
/// set-up refuses as well ("Site codes", Configuration Manager documentation).
///
/// # Errors
/// Where it is no site code.
pub(crate) fn check_site_code(code: &str) -> Result<(), Mistake> {
    let upper = code.to_ascii_uppercase();
    if code.len() != 3 || !code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(Mistake::new(
            format!("\"{code}\" is no site code"),
            "write three letters or digits, like \"P01\"",
        ));
    }
    if ["AUX", "CON", "NUL", "PRN", "SMS"].contains(&upper.as_str()) {
        return Err(Mistake::new(
            format!("\"{code}\" is a reserved name"),
            "write the site's code, like \"P01\"",
        ));
    }
    if code != upper {
        return Err(Mistake::new(
            format!("the site code \"{code}\" has small letters"),
            format!("write \"{upper}\""),
        ));
    }
    Ok(())
}

/// Checks an interface name after the kernel's `dev_valid_name`, and that it is not `lo`.
///
/// # Errors
/// Where no interface to name can be called so.
pub(crate) fn check_interface(name: &str) -> Result<(), Mistake> {
    if name == "lo" {
        return Err(Mistake::new(
            "`lo` is no interface to name: traffic on it is not judged",
            "leave it out, and name the interfaces that have a network behind them",
        ));
    }
    let bad = |c: char| c == '/' || c == ':' || c.is_whitespace();
    if name.is_empty() || name.len() > LONGEST_INTERFACE || matches!(name, "." | "..") || name.contains(bad) {
        return Err(Mistake::new(
            format!("\"{name}\" cannot be an interface"),
            "write the name that `ip link` shows, like \"eth0\"",
        ));
    }
    if name.contains('*') {
        return Err(Mistake::new(
            format!("\"{name}\" is a pattern"),
            "name each interface; one that appears later is attached when it does",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        for good in ["mp01", "MP01.contoso.com", "clients-berlin", "7th_floor"] {
            assert_eq!(check(good), Ok(()));
        }
        for bad in ["", "-x", "a b", "ä", "a/b", &"x".repeat(64)] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check("clients Berlin").expect_err("a blank").instead.ends_with("like \"clients-Berlin\""));
    }

    #[test]
    fn site_codes() {
        assert_eq!(check_site_code("P01"), Ok(()));
        assert_eq!(check_site_code("p01").expect_err("small").instead, "write \"P01\"");
        for bad in ["", "P1", "P001", "P-1", "AUX", "sms"] {
            assert!(check_site_code(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn interfaces() {
        for good in ["eth0", "enp3s0f1", "bond0.100", "wan@x"] {
            assert_eq!(check_interface(good), Ok(()));
        }
        for bad in ["", "lo", "eth0/1", "eth 0", "eth0:1", "a-name-that-is-long", "eth*", ".."] {
            assert!(check_interface(bad).is_err(), "{bad}");
        }
    }
}
