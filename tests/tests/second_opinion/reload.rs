//! Another policy in place of the first, under flows that go on: the gate reloads, the ruleset is exported again and loaded
//! over the old one.

use anyhow::{Context, Result, ensure};
use cmgate_tests::frames::{Frame, tcp, udp};
use cmgate_tests::world::{CLIENTS, SERVERS, SITE_WITHOUT_MP};

use crate::stage::Pair;
use crate::step::{Step, Way};
use crate::worlds::WORLDS;

/// What clients ask of the management point, and what it asks of the domain controller, before and after it lost its
/// roles. What answers a flow that began before is left out: conntrack admits it until the flow expires, the gate does
/// not (docs/export.md).
pub fn ends_what_it_forbids() -> Result<()> {
    let pair = pair_of("a relay")?;
    let notification = tcp("10.20.0.10:40000 > 10.1.1.20:10123");
    let ldap = tcp("[2001:db8:1::20]:40001 > [2001:db8:1::40]:389");
    let monitoring = tcp("10.0.9.5:40002 > 10.1.1.20:9100");
    let tftp = udp("10.20.0.10:40003 > 10.1.1.30:69").payload(b"\0\x01boot.img\0octet\0");
    let from_clients = |frame: &Frame, about: &str| Step::new(Way::Arrives(CLIENTS), frame, about);
    let from_servers = |frame: &Frame, about: &str| Step::new(Way::Arrives(SERVERS), frame, about);
    let from_others = |frame: &Frame, about: &str| Step::new(Way::Arrives(3), frame, about);
    let mut begin = vec![
        from_clients(&notification.clone().syn(), "begins"),
        from_servers(&notification.clone().syn().answer(), "is answered"),
        from_clients(&notification, "goes on"),
        from_others(&monitoring.clone().syn(), "begins"),
        from_servers(&monitoring.clone().syn().answer(), "is answered"),
        from_clients(&tftp, "asks for a file"),
    ];
    let begun = pair.compare(&mut begin)?;
    ensure!(begun.dropped == 0, "{begun:?}: all of it is admitted while the roles are there");

    pair.reload(SITE_WITHOUT_MP)?;
    let mut after = vec![
        from_clients(&notification, "goes on, forbidden by now"),
        from_clients(&notification.clone().syn(), "begins again"),
        from_servers(&ldap.syn(), "begins, forbidden by now"),
        from_clients(&tftp, "asks again"),
        from_others(&monitoring, "goes on"),
        from_servers(&monitoring.answer(), "is answered"),
    ];
    let went_on = pair.compare(&mut after)?;
    ensure!(
        (went_on.admitted, went_on.dropped) == (2, 4),
        "{went_on:?}: two of the allow, and nothing else, goes on"
    );
    Ok(())
}

/// What this host has begun to ask of the domain controller leaves no longer once it has lost the role that asks.
pub fn ends_what_may_not_leave() -> Result<()> {
    let pair = pair_of("a host that lets out its own alone")?;
    let ldap = tcp("10.1.1.20:40000 > 10.1.1.40:389");
    let leaves = |frame: &Frame, about: &str| Step::new(Way::Leaves, frame, about);
    let mut begin = vec![
        leaves(&ldap.clone().syn(), "begins"),
        Step::new(Way::Arrives(1), &ldap.clone().syn().answer(), "is answered"),
        leaves(&ldap, "goes on"),
    ];
    let begun = pair.compare(&mut begin)?;
    ensure!(begun.dropped == 0, "{begun:?}: all of it is admitted while the role is there");

    pair.reload(SITE_WITHOUT_MP)?;
    let mut after = vec![leaves(&ldap, "goes on, forbidden by now"), leaves(&ldap.syn(), "begins again")];
    let went_on = pair.compare(&mut after)?;
    ensure!((went_on.admitted, went_on.dropped) == (0, 2), "{went_on:?}: nothing goes on");
    Ok(())
}

fn pair_of(name: &str) -> Result<Pair> {
    let world = WORLDS.iter().find(|world| world.name == name).with_context(|| format!("there is {name}"))?;
    Pair::new(world, true)
}
