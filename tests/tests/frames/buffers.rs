//! Frames in several buffers, split at every byte: the programs read headers wherever they lie.

use anyhow::{Context, Result, ensure};
use cmgate::datapath::Hook;
use cmgate_tests::frames::Extension::{AtomicFragment, Destination, HopByHop};
use cmgate_tests::frames::{Frame, echo_request, solicitation, tcp, udp, unreachable};
use cmgate_tests::gate::{Backend, InMemory, Kernel, ROW};
use cmgate_tests::world::HOST;

/// The least a first buffer holds: an Ethernet header.
const LEAST: usize = 14;

/// Headers of every length, and packets that are dropped for what stands in them.
fn frames() -> Vec<Frame> {
    let client = || tcp("10.20.0.10:40000 > 10.1.1.20:443").syn();
    let client6 = || tcp("[2001:db8:20::10]:40000 > [2001:db8:1::20]:443").syn();
    let monitor = || udp("10.0.9.5:40000 > 10.1.1.20:5000").payload(&[7; 96]);
    vec![
        client().vlan(7),
        client().options(&[1; 40]),
        client().options(&[1, 131, 3, 4]),
        client6().service_tag(7).vlan(9),
        client6().extension(HopByHop).extension(Destination).extension(AtomicFragment),
        client6().extension(Destination).extension(HopByHop),
        monitor(),
        monitor().piece(7, 0, 40),
        monitor().piece(7, 40, None),
        echo_request("10.0.9.5 > 10.1.1.20", 7),
        solicitation("fe80::5 > fe80::20"),
        unreachable("192.0.2.1 > 10.1.1.20").about(&tcp("10.1.1.20:50000 > 10.1.1.40:389").syn()),
        tcp("172.16.9.9:40000 > 10.1.1.20:443").syn(),
    ]
}

/// As in one buffer, byte for byte of every counter.
pub fn agree(kernel: &mut Kernel) -> Result<()> {
    let compiled = HOST.compile()?;
    let mut memory = InMemory::new();
    memory.publish(&compiled)?;
    kernel.publish(&compiled)?;
    let began = kernel.counts()?;
    for frame in frames() {
        let bytes = frame.bytes();
        for linear in LEAST..bytes.len() {
            let goes_on = memory.run(Hook::Ingress, ROW, &bytes)?;
            let went_on = kernel.run_in_buffers(ROW, &bytes, linear);
            let went_on = went_on.with_context(|| format!("{frame:?} split at {linear}"))?;
            ensure!(goes_on == went_on, "{frame:?} split at {linear} goes on: {went_on}");
        }
    }
    let (counted, grown) = (memory.counts()?, kernel.counts()?.since(&began));
    ensure!(counted == grown, "the counters differ: the programs'\n{}", counted.differences(&grown));
    Ok(())
}
