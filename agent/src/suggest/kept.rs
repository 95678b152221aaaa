//! What was seen as it is kept in the state directory: an audit run takes days, and the agent may be started anew.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::observation::kept;
use crate::observation::time::as_text;

use super::seen::{ROWS, Row, SCANS, Scan, Seen, Sums};

impl kept::Kept for Sums {
    const NAME: &'static str = "seen.json";
    const FORM: u32 = 1;
    const WHAT: &'static str = "what was dropped (`cmgate suggest`)";
}

/// [`Sums`] as lists: JSON's keys are texts.
#[derive(Serialize, Deserialize)]
pub(super) struct Lists {
    #[serde(with = "as_text")]
    begun: SystemTime,
    rows: Vec<OneRow>,
    scans: Vec<OneScan>,
    beside: BTreeMap<String, u64>,
    forgotten: u64,
}

#[derive(Serialize, Deserialize)]
struct OneRow {
    #[serde(flatten)]
    row: Row,
    #[serde(flatten)]
    seen: Seen,
}

#[derive(Serialize, Deserialize)]
struct OneScan {
    source: IpAddr,
    #[serde(flatten)]
    scan: Scan,
}

impl From<Sums> for Lists {
    fn from(sums: Sums) -> Self {
        Self {
            begun: sums.begun,
            rows: sums.rows.into_iter().map(|(row, seen)| OneRow { row, seen }).collect(),
            scans: sums.scans.into_iter().map(|(source, scan)| OneScan { source, scan }).collect(),
            beside: sums.beside,
            forgotten: sums.forgotten,
        }
    }
}

impl From<Lists> for Sums {
    fn from(lists: Lists) -> Self {
        // Whatever the file says, there is an end to what is remembered.
        let rows = lists.rows.into_iter().take(ROWS).map(|OneRow { row, seen }| (row, seen));
        let scans = lists.scans.into_iter().take(SCANS).map(|OneScan { source, scan }| (source, scan));
        Self {
            begun: lists.begun,
            rows: rows.collect(),
            scans: scans.collect(),
            beside: lists.beside,
            forgotten: lists.forgotten,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use cmgate_common::reason::Reason;

    use super::super::asked::{Asked, Ends};
    use super::*;

    #[test]
    fn it_comes_back_as_it_was_kept() {
        let at = |second| UNIX_EPOCH + Duration::from_secs(second);
        let mut sums = Sums { begun: at(1), ..Sums::default() };
        let to = |source: &str| Ends { source: source.parse().unwrap(), destination: [10, 1, 1, 20].into() };
        let asked = [Asked::Tcp(443), Asked::Udp(53), Asked::Icmp(8, 0), Asked::Icmpv6(3, 1), Asked::Ip(112)];
        for (number, asked) in (2..).zip(asked) {
            sums.add(to("10.30.1.4"), asked, Reason::UnknownSource, at(number));
        }
        // A network, and a scan.
        for host in 1..=20 {
            sums.add(to(&format!("10.31.1.{host}")), Asked::Tcp(443), Reason::UnknownSource, at(7));
        }
        for port in 1..=40 {
            sums.add(to("10.66.0.9"), Asked::Tcp(port), Reason::Service, at(u64::from(port)));
        }
        sums.add_beside("spoofed");
        sums.forgotten = 3;
        assert_eq!((sums.rows.len(), sums.scans.len()), (6, 1));
        let state = tempfile::tempdir().unwrap();
        kept::write(&sums, state.path()).unwrap();
        assert_eq!(kept::read::<Sums>(state.path()).unwrap(), sums);
    }

    #[test]
    fn no_more_is_read_than_may_be_remembered() {
        let seen = r#""packets":1,"first":"2026-11-21T00:00:00.000Z","last":"2026-11-21T00:00:00.000Z""#;
        let row = |number: usize| {
            let source = std::net::Ipv4Addr::from(0x0b00_0000 + number as u32);
            format!(
                r#"{{"source":"{source}/32","destination":"10.1.1.20","asked":{{"tcp":443}},{seen},"reasons":{{}}}}"#
            )
        };
        let rows: Vec<String> = (0..ROWS + 5).map(row).collect();
        let text = format!(
            r#"{{"begun":"2026-11-21T00:00:00.000Z","rows":[{}],"scans":[],"beside":{{}},"forgotten":0}}"#,
            rows.join(",")
        );
        assert_eq!(serde_json::from_str::<Sums>(&text).unwrap().rows.len(), ROWS);
    }
}
