//! The metrics page (OpenMetrics). Counters are the kernel's own, read when somebody asks: the agent keeps no copy.

use std::collections::BTreeMap;
use std::fmt;

use cmgate_common::layout::counters::{Count, Stat};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

use crate::datapath::{Live, MapUse};

use super::agent::{AgentStatus, ReloadResult};

/// The page.
///
/// # Errors
///
/// None that these values can cause; the encoder's are passed on.
pub fn page(agent: AgentStatus, live: Option<Live>) -> Result<String, fmt::Error> {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Moment { agent, live }));
    let mut page = String::new();
    text::encode(&mut page, &registry)?;
    Ok(page)
}

/// What is true when the page is asked for.
#[derive(Debug)]
struct Moment {
    agent: AgentStatus,
    live: Option<Live>,
}

impl Collector for Moment {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut page = Page(&mut encoder);
        self.agent_metrics(&mut page)?;
        self.live.as_ref().map_or(Ok(()), |live| live_metrics(live, &mut page))
    }
}

impl Moment {
    fn agent_metrics(&self, page: &mut Page<'_, '_>) -> fmt::Result {
        let agent = &self.agent;
        page.info("cmgate_build", "The agent", &[("version", &agent.version)])?;
        page.counters(
            "cmgate_policy_reloads",
            "Attempts to put a policy in force, the start among them",
            ReloadResult::ALL.map(|result| (labels([("result", result.name())]), agent.reloads.of(result))),
        )?;
        page.gauges(
            "cmgate_policy_reload_seconds",
            "How long the last attempt took, from reading the files to the store that made the policy rule",
            agent.last_reload.iter().map(|reload| (Labels::new(), reload.seconds.total)),
        )?;
        page.gauges(
            "cmgate_selector_matches",
            "Prefixes behind a role that the site uses; a role with none is a mistake",
            agent.selectors.iter().map(|(role, matches)| (labels([("role", role)]), number(*matches))),
        )?;
        page.gauges(
            "cmgate_selftest_ok",
            "Whether the kernel judged the last generation's canaries as the engine in memory does",
            agent.selftest.iter().map(|agreed| (Labels::new(), f64::from(u8::from(*agreed)))),
        )
    }
}

fn live_metrics(live: &Live, page: &mut Page<'_, '_>) -> fmt::Result {
    let generation = [(Labels::new(), f64::from(live.generation))];
    page.gauges("cmgate_policy_generation", "The generation that rules", generation)?;
    let on_trial = live.trial.is_some_and(|trial| !trial.left.is_zero());
    page.gauges(
        "cmgate_policy_on_trial",
        "Whether it waits to be confirmed",
        [(Labels::new(), f64::from(u8::from(on_trial)))],
    )?;
    let outcomes = outcomes(live);
    let judged = |pick: fn(&Count) -> u64| {
        outcomes.iter().map(move |((interface, verdict, reason), count)| {
            (labels([("interface", interface), ("verdict", verdict), ("reason", reason)]), pick(count))
        })
    };
    page.counters("cmgate_packets", "Frames judged, as XDP and TC see them", judged(|count| count.packets))?;
    page.counters("cmgate_bytes", "Their bytes, from the Ethernet header on", judged(|count| count.bytes))?;
    let flows = |pick: fn(&Count) -> u64| {
        live.flows.iter().map(move |flow| (flow_labels(&flow.id), pick(&flow.count)))
    };
    page.counters("cmgate_flow_packets", "Frames admitted by a flow", flows(|count| count.packets))?;
    page.counters(
        "cmgate_flow_bytes",
        "Their bytes, from the Ethernet header on",
        flows(|count| count.bytes),
    )?;
    let shadow = live.disagreements.iter().flat_map(|found| {
        let flow = found.flow.as_deref().unwrap_or_default();
        let of = |disagreement, packets| (labels([("flow", flow), ("disagreement", disagreement)]), packets);
        [of("would-admit", found.admitted), of("would-drop", found.dropped)]
    });
    page.counters(
        "cmgate_shadow_packets",
        "Frames that a shadow would treat otherwise, since it began",
        shadow,
    )?;
    let maps = |pick: fn(&MapUse) -> u64| {
        live.maps.iter().map(move |map| (labels([("map", map.map)]), number(pick(map))))
    };
    page.gauges("cmgate_map_entries", "Entries in use", maps(|map| map.entries))?;
    page.gauges("cmgate_map_capacity", "Entries there is room for", maps(|map| map.capacity))?;
    let evicted = live.maps.iter().filter_map(|map| Some((labels([("map", map.map)]), map.evicted?)));
    page.counters("cmgate_map_evicted", "Entries that gave way to others before their time", evicted)?;
    let refused = [(Labels::new(), live.stats[Stat::Refused as usize])];
    page.counters("cmgate_map_refused", "Flows not remembered for want of a place they may have", refused)?;
    let lost = [(Labels::new(), live.stats[Stat::EventsLost as usize])];
    page.counters("cmgate_events_lost", "Drops that were counted and could not be sampled", lost)
}

/// By interface, verdict and reason, both hooks together: rows that an interface of the same name had before are one
/// sum with it.
fn outcomes(live: &Live) -> BTreeMap<(&str, &'static str, &'static str), Count> {
    let mut sums: BTreeMap<_, Count> = BTreeMap::new();
    for counted in &live.outcomes {
        let interface = counted.interface.as_deref().unwrap_or("other");
        let sum =
            sums.entry((interface, counted.outcome.verdict(), counted.outcome.reason().name())).or_default();
        sum.packets += counted.count.packets;
        sum.bytes += counted.count.bytes;
    }
    sums
}

/// What a flow id holds: `initiator:responder/service/protocol`. Allows and failsafe have no roles.
fn flow_labels(id: &str) -> Labels {
    let parts = || {
        let (initiator, rest) = id.split_once(':')?;
        let (responder, rest) = rest.split_once('/')?;
        let (service, _protocol) = rest.rsplit_once('/')?;
        Some([initiator, responder, service])
    };
    // An allow's name may hold a colon.
    let catalogued = !id.starts_with("allow/");
    let [initiator, responder, service] = catalogued.then(parts).flatten().unwrap_or_default();
    labels([("flow", id), ("initiator", initiator), ("responder", responder), ("service", service)])
}

type Labels = Vec<(&'static str, String)>;

fn labels<const N: usize>(pairs: [(&'static str, &str); N]) -> Labels {
    pairs.map(|(name, value)| (name, value.to_owned())).into()
}

#[expect(clippy::cast_precision_loss, reason = "no map and no site has 2^52 of anything")]
fn number(count: u64) -> f64 {
    count as f64
}

/// Families of samples, one after the other; one without samples is left out, and a sample without labels is its
/// family's only one.
struct Page<'e, 'd>(&'e mut DescriptorEncoder<'d>);

impl Page<'_, '_> {
    fn info(&mut self, name: &str, help: &str, labels: &[(&str, &str)]) -> fmt::Result {
        self.0.encode_descriptor(name, help, None, MetricType::Info)?.encode_info(&labels)
    }

    fn counters(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, u64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstCounter::new(value)));
        self.family(name, help, MetricType::Counter, samples)
    }

    fn gauges(
        &mut self,
        name: &str,
        help: &str,
        samples: impl IntoIterator<Item = (Labels, f64)>,
    ) -> fmt::Result {
        let samples = samples.into_iter().map(|(labels, value)| (labels, ConstGauge::new(value)));
        self.family(name, help, MetricType::Gauge, samples)
    }

    fn family(
        &mut self,
        name: &str,
        help: &str,
        metric_type: MetricType,
        samples: impl Iterator<Item = (Labels, impl EncodeMetric)>,
    ) -> fmt::Result {
        let mut samples = samples.peekable();
        if samples.peek().is_none() {
            return Ok(());
        }
        let mut family = self.0.encode_descriptor(name, help, None, metric_type)?;
        for (labels, value) in samples {
            if labels.is_empty() {
                return value.encode(family);
            }
            value.encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use cmgate_common::layout::control::Flags;
    use cmgate_common::reason::{Decision, Reason, settle};

    use super::*;
    use crate::datapath::{FlowCounters, Hook, OutcomeCount};
    use crate::observation::agent::{Board, Reload, Seconds};

    fn count(packets: u64) -> Count {
        Count { packets, bytes: packets * 60 }
    }

    fn live() -> Live {
        let outcome = |hook, interface: Option<&str>, reason, packets| OutcomeCount {
            row: 1,
            interface: interface.map(str::to_owned),
            hook,
            outcome: settle(Decision::of(reason), Flags::NONE).1,
            count: count(packets),
        };
        let flow = |id: &str, packets| FlowCounters {
            id: id.to_owned(),
            count: count(packets),
            first: Some(UNIX_EPOCH),
            last: None,
        };
        Live {
            layout: 1,
            generation: 3,
            flags: Flags::NONE,
            trial: None,
            interfaces: Vec::new(),
            outcomes: vec![
                outcome(Hook::Ingress, Some("eth1"), Reason::Policy, 5),
                outcome(Hook::Egress, Some("eth1"), Reason::Policy, 2),
                outcome(Hook::Ingress, None, Reason::Service, 1),
            ],
            flows: vec![flow("client:management-point/https/tcp", 5), flow("allow/odd:name/x", 0)],
            stats: [9, 0, 0, 0, 0, 0],
            disagreements: vec![crate::datapath::Disagreement {
                flow: Some("allow/backup".to_owned()),
                admitted: 3,
                dropped: 0,
            }],
            maps: vec![MapUse { map: "answered", entries: 4, capacity: 65_536, evicted: Some(2) }],
            programs: Vec::new(),
        }
    }

    #[test]
    fn the_page_has_the_documented_names() {
        let board = Board::new("/x".into());
        board.update(|status| {
            status.version = "0.1.0".to_owned();
            status.selectors.insert("client".to_owned(), 2);
            status.selftest = Some(true);
        });
        let seconds = Seconds { total: 0.0125, ..Seconds::default() };
        let cause = "start".to_owned();
        board.reloaded(Reload { result: ReloadResult::Done, cause, at: String::new(), seconds, error: None });
        insta::assert_snapshot!(page(board.read(), Some(live())).unwrap(), @r#"
        # HELP cmgate_build The agent
        # TYPE cmgate_build info
        cmgate_build_info{version="0.1.0"} 1
        # HELP cmgate_policy_reloads Attempts to put a policy in force, the start among them
        # TYPE cmgate_policy_reloads counter
        cmgate_policy_reloads_total{result="done"} 1
        cmgate_policy_reloads_total{result="unchanged"} 0
        cmgate_policy_reloads_total{result="failed"} 0
        # HELP cmgate_policy_reload_seconds How long the last attempt took, from reading the files to the store that made the policy rule
        # TYPE cmgate_policy_reload_seconds gauge
        cmgate_policy_reload_seconds 0.0125
        # HELP cmgate_selector_matches Prefixes behind a role that the site uses; a role with none is a mistake
        # TYPE cmgate_selector_matches gauge
        cmgate_selector_matches{role="client"} 2.0
        # HELP cmgate_selftest_ok Whether the kernel judged the last generation's canaries as the engine in memory does
        # TYPE cmgate_selftest_ok gauge
        cmgate_selftest_ok 1.0
        # HELP cmgate_policy_generation The generation that rules
        # TYPE cmgate_policy_generation gauge
        cmgate_policy_generation 3.0
        # HELP cmgate_policy_on_trial Whether it waits to be confirmed
        # TYPE cmgate_policy_on_trial gauge
        cmgate_policy_on_trial 0.0
        # HELP cmgate_packets Frames judged, as XDP and TC see them
        # TYPE cmgate_packets counter
        cmgate_packets_total{interface="eth1",verdict="admit",reason="policy"} 7
        cmgate_packets_total{interface="other",verdict="drop",reason="service"} 1
        # HELP cmgate_bytes Their bytes, from the Ethernet header on
        # TYPE cmgate_bytes counter
        cmgate_bytes_total{interface="eth1",verdict="admit",reason="policy"} 420
        cmgate_bytes_total{interface="other",verdict="drop",reason="service"} 60
        # HELP cmgate_flow_packets Frames admitted by a flow
        # TYPE cmgate_flow_packets counter
        cmgate_flow_packets_total{flow="client:management-point/https/tcp",initiator="client",responder="management-point",service="https"} 5
        cmgate_flow_packets_total{flow="allow/odd:name/x",initiator="",responder="",service=""} 0
        # HELP cmgate_flow_bytes Their bytes, from the Ethernet header on
        # TYPE cmgate_flow_bytes counter
        cmgate_flow_bytes_total{flow="client:management-point/https/tcp",initiator="client",responder="management-point",service="https"} 300
        cmgate_flow_bytes_total{flow="allow/odd:name/x",initiator="",responder="",service=""} 0
        # HELP cmgate_shadow_packets Frames that a shadow would treat otherwise, since it began
        # TYPE cmgate_shadow_packets counter
        cmgate_shadow_packets_total{flow="allow/backup",disagreement="would-admit"} 3
        cmgate_shadow_packets_total{flow="allow/backup",disagreement="would-drop"} 0
        # HELP cmgate_map_entries Entries in use
        # TYPE cmgate_map_entries gauge
        cmgate_map_entries{map="answered"} 4.0
        # HELP cmgate_map_capacity Entries there is room for
        # TYPE cmgate_map_capacity gauge
        cmgate_map_capacity{map="answered"} 65536.0
        # HELP cmgate_map_evicted Entries that gave way to others before their time
        # TYPE cmgate_map_evicted counter
        cmgate_map_evicted_total{map="answered"} 2
        # HELP cmgate_map_refused Flows not remembered for want of a place they may have
        # TYPE cmgate_map_refused counter
        cmgate_map_refused_total 0
        # HELP cmgate_events_lost Drops that were counted and could not be sampled
        # TYPE cmgate_events_lost counter
        cmgate_events_lost_total 9
        # EOF
        "#);
    }

    #[test]
    fn an_agent_without_a_gate_still_answers() {
        let page = page(Board::new("/x".into()).read(), None).unwrap();
        assert!(page.contains("cmgate_policy_reloads_total{result=\"failed\"} 0"), "{page}");
        assert!(!page.contains("cmgate_policy_generation"));
    }
}
