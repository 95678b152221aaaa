//! A role is taken out of the site while transfers run: what it forbids ends, what it leaves goes on without a loss.

use std::{net::IpAddr, time::Duration};

use anyhow::{Result, bail};
use comfy_table::{Cell, Table};

use super::{
    say,
    scene::{LARGE, NOTIFICATION, STREAM, STREAM_FLOW, Scene},
    summary::{self, Summary},
};
use crate::{
    client,
    explain::{Answer, Question},
    install::SITE_FILE,
    metrics::Page,
    stream::{Report, Stream},
    topology::{CLIENT, SERVER},
    transfer::Transfer,
};

const LIMIT: Duration = Duration::from_secs(30);
/// Every transfer has brought this much before the role goes.
const WARM_UP: u64 = 1 << 20;
/// What a transfer that stays brings after the swap before the ones that end are looked at: several seconds' worth.
const PROOF: u64 = 8 << 20;
const PACE: Duration = Duration::from_millis(1);

/// `mp01` as the example site has it, and without the role whose flows end.
const ROLES: [&str; 2] =
    [r#"roles = ["management-point", "distribution-point"]"#, r#"roles = ["distribution-point"]"#];

/// A transfer before and after.
struct Row {
    name: &'static str,
    question: Question,
    before: Answer,
    after: Answer,
    /// Bytes when the swap was over.
    at_swap: u64,
    /// Bytes at the end.
    at_end: u64,
    /// It ended by itself and brought everything.
    complete: bool,
}

/// What the reload did.
pub struct Reload {
    rows: Vec<Row>,
    /// The numbered datagrams, what the site says of them before and after, and what became of them.
    numbered: [Answer; 2],
    stream: Report,
    /// Frames of the stream that the gate admitted.
    stream_admitted: f64,
    drops: Vec<(String, f64)>,
    /// From the file's change until the new generation ruled.
    took: Duration,
    generations: [f64; 2],
    seconds: f64,
}

/// Starts the transfers, takes the role away, and watches.
///
/// # Errors
/// When a transfer that may run does not, or the agent does not reload.
pub fn play(scene: &Scene) -> Result<Reload> {
    let relay = &scene.lab.relay;
    say(
        "starting transfers from mp01 to the client, and a stream of numbered datagrams with their echoes ...",
    );
    let cast = cast();
    let [client, server] = [IpAddr::from(CLIENT.v4), SERVER.v4.into()];
    let datagram =
        Question { source: client, destination: server, protocol: "udp", port: STREAM.to_string() };
    let questions: Vec<Question> =
        cast.iter().map(|(_, question, _)| question.clone()).chain([datagram]).collect();
    let before = scene.install.explain(relay, &questions)?;
    let first = Page::read(relay)?;
    let mut transfers = Vec::new();
    for (_, _, url) in &cast {
        transfers.push(Transfer::start(&scene.lab.client, url)?);
    }
    let stream = Stream::start((&scene.lab.client, client), (&scene.lab.server, server), STREAM, PACE)?;
    for transfer in &mut transfers {
        transfer.wait_for(WARM_UP, LIMIT)?;
    }
    stream.wait_until(LIMIT, |stream| stream.returned() > 100)?;

    say("taking the role management-point from mp01 in site.toml, by renaming a new file over the old ...");
    let [from, to] = ROLES;
    let took = scene.agent.after(|| scene.install.edit(SITE_FILE, from, to))?;
    let after = scene.install.explain(relay, &questions)?;
    let stays = |index: usize| after[index].admit;
    let Some(steady) = (0..transfers.len()).find(|index| stays(*index)) else {
        bail!("no transfer is to stay: the example site and the demo do not fit")
    };
    // What was behind the gate when the swap came has arrived long before these bytes have.
    let mark = transfers[steady].bytes();
    transfers[steady].wait_for(mark + WARM_UP, LIMIT)?;
    let at_swap: Vec<u64> = transfers.iter().map(Transfer::bytes).collect();
    transfers[steady].wait_for(mark + PROOF, LIMIT)?;

    let mut rows = Vec::new();
    for (index, ((name, question, _), transfer)) in cast.into_iter().zip(transfers).enumerate() {
        let (at_end, complete) = if stays(index) {
            let bytes = transfer.finish(LIMIT)?;
            (bytes, bytes == LARGE)
        } else {
            (transfer.bytes(), false)
        };
        let (before, after, at_swap) = (before[index].clone(), after[index].clone(), at_swap[index]);
        rows.push(Row { name, question, before, after, at_swap, at_end, complete });
    }
    let numbered = [&before, &after].map(|answers| answers[rows.len()].clone());
    let stream = stream.stop()?;
    let last = Page::read(relay)?;
    Ok(Reload {
        rows,
        numbered,
        stream,
        stream_admitted: last.since(&first, "cmgate_flow_packets_total", &[("flow", STREAM_FLOW)]),
        drops: drops(&first, &last),
        took,
        generations: [&first, &last].map(|page| page.sum("cmgate_policy_generation", &[])),
        seconds: last.sum("cmgate_policy_reload_seconds", &[]),
    })
}

/// Name, packet and URL of each transfer.
fn cast() -> Vec<(&'static str, Question, String)> {
    let mut cast = Vec::new();
    for (name, scheme, port) in [("HTTPS", "https", 443), ("notification", "http", NOTIFICATION)] {
        for (source, destination) in CLIENT.each().into_iter().zip(SERVER.each()) {
            let url = format!("{scheme}://{}:{port}/content/large", client::url_host(destination));
            cast.push((name, Question { source, destination, protocol: "tcp", port: port.to_string() }, url));
        }
    }
    cast
}

/// What was dropped in between, by reason.
fn drops(first: &Page, last: &Page) -> Vec<(String, f64)> {
    const NAME: &str = "cmgate_packets_total";
    last.values_of("reason", NAME, &[("verdict", "drop")])
        .into_iter()
        .map(|reason| {
            (reason.to_owned(), last.since(first, NAME, &[("verdict", "drop"), ("reason", reason)]))
        })
        .filter(|(_, packets)| *packets > 0.0)
        .collect()
}

impl Row {
    /// Whether it ended or went on as the new site says.
    fn agrees(&self) -> bool {
        if self.after.admit { self.complete } else { self.at_end == self.at_swap }
    }
}

impl Reload {
    /// The transfers before, at and after the swap.
    pub fn table(&self) -> Table {
        let mut table =
            summary::table(&["transfer", "", "the site said", "the site says now", "what happened", "agree"]);
        for row in &self.rows {
            let happened = match (row.complete, row.at_end - row.at_swap) {
                (true, _) => format!("went on: all {} arrived", mebibytes(row.at_end)),
                (false, 0) => format!("cut at {}", mebibytes(row.at_swap)),
                (false, more) => format!("{} more after the swap, then no end", mebibytes(more)),
            };
            table.add_row([
                row.name.into(),
                summary::family(row.question.source).into(),
                row.before.words().into(),
                row.after.words().into(),
                Cell::new(happened),
                summary::mark(row.agrees()),
            ]);
        }
        let [before, after] = &self.numbered;
        let lost = self.stream.lost_out.len() + self.stream.lost_back.len();
        table.add_row([
            "datagrams".into(),
            "IPv4".into(),
            before.words().into(),
            after.words().into(),
            Cell::new(format!("{} and as many echoes, {lost} lost", self.stream.sent)),
            summary::mark(self.lossless()),
        ]);
        table
    }

    /// Whether every datagram and every echo arrived, and the gate counted each of them once under its flow.
    fn lossless(&self) -> bool {
        #[expect(clippy::cast_precision_loss, reason = "metrics are floating-point; the stream is short")]
        let frames = (self.stream.sent + self.stream.returned) as f64;
        self.stream.lossless() && self.stream_admitted == frames
    }

    /// Whether what had to end ended, what may stay stayed, and none of its packets was lost.
    pub fn verdict(&self) -> Summary {
        let agree = self.rows.iter().all(Row::agrees);
        let both_kinds = self.rows.iter().any(|row| row.after.admit)
            && self.rows.iter().any(|row| row.before.admit && !row.after.admit);
        let drops: Vec<String> =
            self.drops.iter().map(|(reason, packets)| format!("{packets} {reason}")).collect();
        let words = format!(
            "generation {} -> {}: swapped in {:.1} ms, {:.0} ms after the file changed\n    \
             dropped meanwhile: {}\n    \
             of {} datagrams and {} echoes the gate admitted {}",
            self.generations[0],
            self.generations[1],
            self.seconds * 1e3,
            self.took.as_secs_f64() * 1e3,
            drops.join(", "),
            self.stream.sent,
            self.stream.returned,
            self.stream_admitted,
        );
        let swapped = self.generations[1] > self.generations[0];
        Summary { good: agree && both_kinds && swapped && self.lossless(), words }
    }
}

fn mebibytes(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "one decimal is shown")]
    let mebibytes = bytes as f64 / f64::from(1 << 20);
    format!("{mebibytes:.1} MiB")
}
