//! Roles: what a machine is in a hierarchy, and which roles come with it.

use std::fmt;
use std::str::FromStr;
use std::sync::LazyLock;

use serde::{Deserialize, Serialize, Serializer};

use super::edition::Edition;

const ROLES_TOML: &str = include_str!("../../../config/catalogue/roles.toml");

static ROLES: LazyLock<Vec<Entry>> = LazyLock::new(|| read(ROLES_TOML));

/// A role, as an index into the roles of `config/catalogue/roles.toml`. Roles order as that file lists them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Role(u8);

/// Where the addresses of a role come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// The systems that have the role.
    #[default]
    Machine,
    /// The systems that have the role or, where none has, the internet.
    Cloud,
    /// Every globally routable address that is in no system.
    Internet,
    /// Every address.
    Any,
}

/// A word that names no role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown role \"{name}\"{}", .suggestion.map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default())]
pub struct UnknownRole {
    /// What was written.
    pub name: String,
    /// The role whose name is nearest to it, if one is near or has it as a part.
    pub suggestion: Option<&'static str>,
}

struct Entry {
    name: String,
    printed: Vec<String>,
    editions: Vec<Edition>,
    implies: Vec<Role>,
    successor: Option<Role>,
    retired: Option<String>,
    place: Place,
    scoped: bool,
}

impl Role {
    /// The name the operator writes, in kebab-case.
    pub fn name(self) -> &'static str {
        &self.entry().name
    }

    /// Every role of every edition.
    pub fn all() -> impl Iterator<Item = Role> {
        (0..=u8::MAX).take(ROLES.len()).map(Role)
    }

    /// The editions that know the role, oldest first.
    pub fn editions(self) -> &'static [Edition] {
        &self.entry().editions
    }

    /// Whether the edition knows the role.
    pub fn is_in(self, edition: Edition) -> bool {
        self.editions().contains(&edition)
    }

    /// The roles that come with this one, directly or through another; never the role itself.
    pub fn implies(self) -> &'static [Role] {
        &self.entry().implies
    }

    /// What took over this role's work in later editions.
    pub fn successor(self) -> Option<Role> {
        self.entry().successor
    }

    /// What became of its work, where later editions have no role for it.
    pub fn retired(self) -> Option<&'static str> {
        self.entry().retired.as_deref()
    }

    /// The role that does this one's work in an edition which does not have it: one that came later, or one it replaced.
    pub fn stand_in(self, edition: Edition) -> Option<Role> {
        let replaced = || Role::all().find(|role| role.successor() == Some(self));
        self.successor().or_else(replaced).filter(|role| role.is_in(edition))
    }

    /// Where the role's addresses come from.
    pub fn place(self) -> Place {
        self.entry().place
    }

    /// Whether flows from or to this role stay within a site, unless their section says otherwise.
    pub fn is_scoped(self) -> bool {
        self.entry().scoped
    }

    /// What the documents call the role.
    pub fn printed(self) -> &'static [String] {
        &self.entry().printed
    }

    /// The role of a name that is fixed in code.
    ///
    /// # Panics
    ///
    /// Where no role has that name.
    pub fn named(name: &str) -> Role {
        match name.parse() {
            Ok(role) => role,
            Err(error) => panic!("{error}"),
        }
    }

    fn entry(self) -> &'static Entry {
        &ROLES[usize::from(self.0)]
    }
}

/// The candidate nearest to a misspelt word, if one is near enough to be meant.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(word, candidate), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(word: &str) -> Result<Self, Self::Err> {
        Role::all().find(|role| role.name() == word).ok_or_else(|| UnknownRole {
            name: word.to_owned(),
            suggestion: nearest(word, Role::all().map(Role::name)).or_else(|| {
                Role::all().map(Role::name).find(|name| name.split('-').any(|part| part == word))
            }),
        })
    }
}

impl TryFrom<String> for Role {
    type Error = UnknownRole;

    fn try_from(word: String) -> Result<Self, Self::Error> {
        word.parse()
    }
}

impl Serialize for Role {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    role: Vec<Written>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    printed: Vec<String>,
    editions: Vec<Edition>,
    #[serde(default)]
    implies: Vec<String>,
    successor: Option<String>,
    retired: Option<String>,
    #[serde(default)]
    place: Place,
    #[serde(default)]
    scoped: bool,
}

/// Reads the built-in roles; what is wrong with them is wrong with the build, and ends it in the first test.
fn read(text: &str) -> Vec<Entry> {
    let written = match toml::from_str::<File>(text) {
        Ok(file) => file.role,
        Err(error) => panic!("roles.toml: {error}"),
    };
    let position = |name: &str| match written.iter().position(|role| role.name == name) {
        Some(index) => Role(u8::try_from(index).expect("there are fewer than 256 roles")),
        None => panic!("roles.toml: no role is named \"{name}\""),
    };
    let direct: Vec<Vec<Role>> =
        written.iter().map(|role| role.implies.iter().map(|name| position(name)).collect()).collect();
    let successors: Vec<_> = written.iter().map(|role| role.successor.as_deref().map(position)).collect();
    written
        .into_iter()
        .zip(successors)
        .enumerate()
        .map(|(index, (role, successor))| Entry {
            name: role.name,
            printed: role.printed,
            editions: role.editions,
            implies: closure(index, &direct),
            successor,
            retired: role.retired,
            place: role.place,
            scoped: role.scoped,
        })
        .collect()
}

fn closure(start: usize, direct: &[Vec<Role>]) -> Vec<Role> {
    let mut reached: Vec<Role> = direct[start].clone();
    let mut next = 0;
    while let Some(role) = reached.get(next).copied() {
        for &further in &direct[usize::from(role.0)] {
            if usize::from(further.0) != start && !reached.contains(&further) {
                reached.push(further);
            }
        }
        next += 1;
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::*;

    fn implied(name: &str) -> Vec<&'static str> {
        Role::named(name).implies().iter().map(|role| role.name()).collect()
    }

    #[test]
    fn names_are_unique_and_round_trip() {
        for role in Role::all() {
            assert_eq!(role.name().parse(), Ok(role));
            assert!(!role.editions().is_empty(), "{role} is in no edition");
        }
    }

    #[test]
    fn implications_are_followed_to_their_end() {
        assert_eq!(implied("distribution-point-pxe"), ["distribution-point", "site-system"]);
        assert_eq!(implied("distribution-point-multicast"), ["distribution-point", "site-system"]);
        assert_eq!(implied("pull-distribution-point"), ["distribution-point", "site-system"]);
        assert_eq!(implied("source-distribution-point"), ["distribution-point", "site-system"]);
        assert_eq!(implied("global-catalog-server"), ["domain-controller"]);
        assert_eq!(implied("site-server"), Vec::<&str>::new());
    }

    #[test]
    fn nothing_implies_client() {
        assert!(Role::all().all(|role| !role.implies().contains(&Role::named("client"))));
    }

    #[test]
    fn a_misspelt_role_is_answered_with_the_nearest_name() {
        let error = "managment-point".parse::<Role>().expect_err("misspelt");
        assert_eq!(error.to_string(), "unknown role \"managment-point\"; did you mean \"management-point\"?");
        let part = "multicast".parse::<Role>().expect_err("a part of a name");
        assert_eq!(part.suggestion, Some("distribution-point-multicast"));
        assert_eq!("xyz".parse::<Role>().expect_err("no role").to_string(), "unknown role \"xyz\"");
    }
}
