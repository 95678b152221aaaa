//! What the operator's words about this machine are to the datapath.

use std::collections::BTreeSet;

use cmgate_common::layout::control::Flags;
use cmgate_common::layout::counters::INTERFACES;

use crate::config::{self, Egress, Host, Mode};
use crate::datapath::{IdleTimes, Nic, Parameters, Sizes, Xdp};

/// How decisions are carried out.
#[must_use]
pub fn flags(host: &Host) -> Flags {
    let when = |set, flag| if set { flag } else { Flags::NONE };
    when(host.mode == Mode::Audit, Flags::AUDIT)
        .with(when(host.transit, Flags::TRANSIT))
        .with(when(host.egress == Egress::Enforce, Flags::EGRESS))
}

/// A generation's parameters.
#[must_use]
pub fn of(host: &Host) -> Parameters {
    let table = host.flow_table;
    let idle = IdleTimes {
        tcp_established: table.tcp_established,
        tcp_closing: table.closing,
        udp: table.udp,
        unanswered: table.unanswered,
        ..IdleTimes::default()
    };
    Parameters { flags: flags(host), idle, ..Parameters::default() }
}

/// How much room the maps need.
#[must_use]
pub fn sizes(host: &Host) -> Sizes {
    Sizes { flow_capacity: host.flow_table.capacity, ..Sizes::default() }
}

/// How XDP shall run.
#[must_use]
pub fn xdp(host: &Host) -> Xdp {
    match host.xdp {
        config::Xdp::Auto => Xdp::Auto,
        config::Xdp::Native => Xdp::Native,
        config::Xdp::Generic => Xdp::Generic,
    }
}

/// A row of the counters for each of these interfaces. One that is attached keeps its row, whatever order the file
/// has by now, and so its counters; the others get free ones. Interfaces past the last row get none.
#[must_use]
pub fn rows<'a>(names: impl IntoIterator<Item = &'a str>, attached: &[Nic]) -> Vec<(u32, String)> {
    let names: Vec<&str> = names.into_iter().collect();
    let mut free: BTreeSet<u32> = (1..INTERFACES).collect();
    for nic in attached {
        free.remove(&nic.row);
    }
    names
        .into_iter()
        .filter_map(|name| {
            let kept = attached.iter().find(|nic| nic.name == name && nic.row != 0).map(|nic| nic.row);
            kept.or_else(|| free.pop_first()).map(|row| (row, name.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attached_interface_keeps_its_row() {
        let nic = |name: &str, row| Nic { name: name.to_owned(), index: 9, row };
        let row = |row, name: &str| (row, name.to_owned());
        assert_eq!(rows(["eth1", "eth2"], &[]), [row(1, "eth1"), row(2, "eth2")]);
        let attached = [nic("eth2", 2), nic("eth3", 1)];
        assert_eq!(rows(["eth1", "eth2"], &attached), [row(3, "eth1"), row(2, "eth2")]);
        let names: Vec<_> = (0..70).map(|number| format!("eth{number}")).collect();
        assert_eq!(rows(names.iter().map(String::as_str), &[]).len(), 63);
    }
}
