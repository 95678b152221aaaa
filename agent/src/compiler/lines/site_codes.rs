//! Site codes: between which sites of a hierarchy a flow runs.

use crate::catalogue::Scope;
use crate::config::Site;

/// A site, by its place among the codes that the site file names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Code(usize);

pub(super) struct SiteCodes<'s> {
    codes: Vec<&'s str>,
    parents: Vec<Option<Code>>,
}

impl<'s> SiteCodes<'s> {
    pub(super) fn of(site: &'s Site) -> Self {
        let declared = site.sites.iter().map(|site| site.code.as_str());
        let mut codes: Vec<&str> = declared.collect();
        // A hierarchy without [[site]] tables may still tell its systems apart.
        codes.extend(site.systems.iter().filter_map(|system| system.site_code.as_deref()));
        codes.sort_unstable();
        codes.dedup();
        let find = |code: &str| codes.binary_search(&code).ok().map(Code);
        let mut parents = vec![None; codes.len()];
        for site in &site.sites {
            if let (Some(Code(child)), Some(parent)) = (find(&site.code), &site.parent) {
                parents[child] = find(parent);
            }
        }
        Self { codes, parents }
    }

    pub(super) fn code(&self, name: &str) -> Option<Code> {
        self.codes.binary_search(&name).ok().map(Code)
    }

    /// Whether a flow of this scope runs between systems of these sites. A system without a code is in every site.
    pub(super) fn admit(&self, scope: Scope, a: Option<Code>, b: Option<Code>) -> bool {
        let same = a.is_none() || b.is_none() || a == b;
        match scope {
            Scope::Anywhere => true,
            Scope::SameSite => same,
            Scope::ParentAndChild => same || self.parent(a) == b || self.parent(b) == a,
            Scope::TopSite => same && self.parent(a).is_none() && self.parent(b).is_none(),
        }
    }

    fn parent(&self, code: Option<Code>) -> Option<Code> {
        code.and_then(|Code(place)| self.parents[place])
    }
}
