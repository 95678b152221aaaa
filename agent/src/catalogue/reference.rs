//! The reference page of what a site may name: port keys, features and roles, as Markdown.

use super::Catalogue;
use super::edition::Edition;
use super::markdown::{header, line, row};
use super::ports::Takes;
use super::role::{Place, Role};

/// The text of `docs/catalogue-keys.md`.
pub fn keys_page(catalogue: &Catalogue) -> String {
    let mut page = String::from(
        "# Ports, features and roles\n\nWhat `site.toml` may name, by edition. This page is generated from the \
         catalogue; a test keeps it so.\n",
    );
    ports(&mut page, catalogue);
    features(&mut page, catalogue);
    roles(&mut page);
    page
}

fn ports(page: &mut String, catalogue: &Catalogue) {
    page.push_str(
        "\n## `[ports]`\n\nA key replaces the default, for the site or, in a system's `ports`, for what that system \
         answers; it never adds to it. A value is a number, a range `\"a-b\"` or a list of them, where the table \
         says nothing narrower. \"fixed\" is a port that this edition does not let one change, \"-\" a key that it does \
         not have.\n\n",
    );
    header(page, &["key", "2007", "2017", "current", "takes", "what listens there"]);
    for key in catalogue.port_keys() {
        let default = |edition| match (key.default_in(edition), key.fixed_in(edition)) {
            (Some(ports), _) => format!("`{ports}`"),
            (None, Some(_)) => "fixed".to_owned(),
            (None, None) => "-".to_owned(),
        };
        let takes = match key.takes {
            Takes::Port => "one port",
            Takes::Ports => "ports",
            Takes::Instances => "one port for each instance",
            Takes::Printed => "one of those printed",
        };
        let [v2007, v2017, current] = Edition::ALL.map(default);
        row(page, &[&format!("`{}`", key.name), &v2007, &v2017, &current, takes, &key.description]);
    }
    page.push_str(
        "\nThe WSUS ports are a pair: 80 and 443, or any port and the next one. The default is the pair that the \
         table shows.\n\nWhat cannot be changed in any edition:\n\n",
    );
    for entry in catalogue.all_unchangeable() {
        let names: Vec<_> = entry.names.iter().map(|name| format!("`{name}`")).collect();
        line(page, &format!("- {}: {}.", names.join(", "), entry.reason));
    }
}

fn features(page: &mut String, catalogue: &Catalogue) {
    page.push_str(
        "\n## `[features]`\n\nTraffic that exists only where a feature is in use. Every one is off by default.\n\n",
    );
    header(page, &["key", "editions", "what it opens"]);
    for feature in catalogue.features() {
        row(page, &[&format!("`{}`", feature.name), &editions(&feature.editions), &feature.description]);
    }
}

fn roles(page: &mut String) {
    page.push_str(
        "\n## Roles\n\nA system has the roles it names, and those that come with them. `site-system` stands for every \
         role that a site server installs: those that it comes with below. Nothing comes with `client`.\n\n",
    );
    header(page, &["role", "editions", "comes with", "addresses", "in the documents"]);
    for role in Role::all() {
        let implied: Vec<_> = role.implies().iter().map(|implied| format!("`{implied}`")).collect();
        let place = match role.place() {
            Place::Machine => "its systems",
            Place::Cloud => "its systems, or the internet where there are none",
            Place::Internet => "every globally routable address that is in no system",
            Place::Any => "every address",
        };
        let name = match (role.successor(), role.retired()) {
            (Some(successor), _) => format!("`{role}` (later: `{successor}`)"),
            (None, Some(retired)) => format!("`{role}` (later: none; {retired})"),
            (None, None) => format!("`{role}`"),
        };
        row(
            page,
            &[&name, &editions(role.editions()), &implied.join(", "), place, &role.printed().join("; ")],
        );
    }
}

fn editions(editions: &[Edition]) -> String {
    editions.iter().map(|edition| edition.name()).collect::<Vec<_>>().join(", ")
}
