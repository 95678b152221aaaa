//! Roles and features that exist in some editions alone.

use super::wrong_site;
use crate::catalogue::{Catalogue, Edition, Role};

fn names(editions: &[Edition]) -> String {
    editions.iter().map(|edition| edition.name()).collect::<Vec<_>>().join(", ")
}

/// Every role in every edition that does not have it: the error names those that do, and who does its work, or that nobody
/// does.
#[test]
fn a_role_of_another_edition_is_told_with_what_does_its_work() {
    let mut told = 0;
    for role in Role::all() {
        for edition in Edition::ALL.into_iter().filter(|edition| !role.is_in(*edition)) {
            let site = format!(
                "edition = \"{edition}\"\n[[system]]\nname = \"a\"\nroles = [\"{role}\"]\naddresses = [\"10.1.1.1\"]"
            );
            let error = wrong_site(&site, &[]);
            assert!(error.contains(&format!("edition {edition} has no role \"{role}\"")), "{error}");
            assert!(error.contains(&format!("it is of edition {}; ", names(role.editions()))), "{error}");
            let gone = role.editions().last() < Some(&edition);
            let instead = match role.stand_in(edition) {
                Some(other) => format!("write \"{other}\", which does its work "),
                None if gone => "no role took its place, ".to_owned(),
                None => "write that edition if the site is that".to_owned(),
            };
            assert!(error.contains(&instead), "{error}");
            told += 1;
        }
    }
    assert_eq!(told, 66, "pairs of a role and an edition without it");
}

/// What took over, by the names that the documents print: "PXE Service Point" (2007) and "Distribution point configured for PXE"
/// (2017), "Reporting Point" (2007) and "Reporting Services point" (2017). Server locator points have left the client
/// documents between 2007 and current, Application Catalog points the lists between 2017 and current.
#[test]
fn these_took_over() {
    let stands_in = |role: &str, edition| Role::named(role).stand_in(edition).map(Role::name);
    for (role, edition, other) in [
        ("pxe-service-point", Edition::V2017, "distribution-point-pxe"),
        ("pxe-service-point", Edition::Current, "distribution-point-pxe"),
        ("distribution-point-pxe", Edition::V2007, "pxe-service-point"),
        ("server-locator-point", Edition::Current, "management-point"),
        ("reporting-point", Edition::V2017, "reporting-services-point"),
        ("branch-distribution-point", Edition::V2017, "distribution-point"),
        ("application-catalog-website-point", Edition::Current, "management-point"),
    ] {
        assert_eq!(stands_in(role, edition), Some(other), "{role} {edition}");
    }
    for role in ["system-health-validator", "amt-management-controller", "microsoft-intune"] {
        assert_eq!(stands_in(role, Edition::Current), None, "{role}");
    }
}

#[test]
fn a_feature_of_another_edition_is_told_with_those_that_have_it() {
    let mut told = 0;
    for feature in Catalogue::embedded().features() {
        for edition in Edition::ALL.into_iter().filter(|edition| !feature.editions.contains(edition)) {
            // Off is an error, too: somebody thinks that the edition has it.
            for on in [true, false] {
                let error =
                    wrong_site(&format!("edition = \"{edition}\"\n[features]\n{} = {on}", feature.name), &[]);
                assert!(
                    error.contains(&format!("edition {edition} has no feature \"{}\"", feature.name)),
                    "{error}"
                );
                let having: Vec<_> = feature.editions.iter().map(|has| format!("\"{has}\"")).collect();
                assert!(error.contains(&format!("write edition = {}", having.join(" or "))), "{error}");
                told += 1;
            }
        }
    }
    assert!(told > 40, "{told}");
}
