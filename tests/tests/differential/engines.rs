//! The same frames to the engine in memory and to the programs in the kernel.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use cmgate::datapath::{Hook, IdleTimes};
use cmgate_common::reason::{Decision, Reason};
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::Dump;
use cmgate_tests::gate::{Backend, Compiled, InMemory, Kernel, Written};
use cmgate_tests::world::{
    AUDIT, CLIENT, CLOSED, HOST, OPEN_RELAY, PXE_CLOSED, RELAY, RELAY_IN_AUDIT, SITE_IN_AUDIT,
    SITE_WITHOUT_MP,
};

use crate::traffic::Traffic;

/// Frames in each of the worlds.
const FRAMES: usize = 18_000;

/// Frames under one policy, before another comes in force.
const FRAMES_OF_GENERATION: usize = 3_000;

/// Entries of each flow table: so many more than flows that no place is fought for, because whose loses there hangs on
/// the hash's secret.
pub const ROOM: usize = 1 << 18;

/// Whether the kernel runs the program of a hook on a frame. Of one that leaves it wants more than an Ethernet header,
/// and the IP header whole; the engine makes no flow of what is shorter.
fn is_run(hook: Hook, frame: &[u8]) -> bool {
    let least = match (hook, frame.get(12..14)) {
        (_, None) => return false,
        (Hook::Ingress, _) => 14,
        (Hook::Egress, Some([0x08, 0x00])) => 14 + 20,
        (Hook::Egress, Some([0x86, 0xdd])) => 14 + 40,
        (Hook::Egress, Some(_)) => 14 + 1,
    };
    frame.len() >= least
}

/// Hosts of all kinds.
pub const WORLDS: [(&str, Written<'static>); 9] = [
    ("a host", HOST),
    ("a host in audit mode", AUDIT),
    ("a host that lets out its own alone", CLOSED),
    ("a PXE server that lets out its own alone", PXE_CLOSED),
    ("a client", CLIENT),
    ("a relay", RELAY),
    ("a host with parts in audit", Written { site: SITE_IN_AUDIT, ..CLOSED }),
    ("a relay with parts in audit", RELAY_IN_AUDIT),
    ("a relay that anybody may come by", OPEN_RELAY),
];

/// Judges random frames twice; every decision, every counter and every reason reached.
pub fn agree(seed: u64) -> Result<()> {
    let mut kernel = Kernel::load(u32::try_from(ROOM)?)?;
    let mut reached = BTreeMap::<Reason, u64>::new();
    for (number, (name, written)) in (0..).zip(&WORLDS) {
        kernel.forget()?;
        let mut world = World::new(&mut kernel, written, Dice::new(seed.wrapping_add(number)))?;
        let judged = world.run(&mut reached);
        judged.map_err(|error| error.context(format!("{name}, CMGATE_SEED={seed}")))?;
    }
    let missing: Vec<_> = Reason::ALL.iter().filter(|reason| !reached.contains_key(reason)).collect();
    ensure!(
        missing.is_empty(),
        "CMGATE_SEED={seed}: no frame was judged {missing:?}, so nothing was compared"
    );
    println!("{} frames of seed {seed}: {reached:?}", WORLDS.len() * FRAMES);
    Ok(())
}

struct World<'a> {
    kernel: &'a mut Kernel,
    memory: InMemory,
    generations: [Compiled; 2],
    traffic: Traffic,
    dice: Dice,
}

impl<'a> World<'a> {
    fn new(kernel: &'a mut Kernel, written: &Written<'_>, mut dice: Dice) -> Result<Self> {
        let mut generations =
            [written.compile()?, Written { site: SITE_WITHOUT_MP, ..written.clone() }.compile()?];
        for generation in &mut generations {
            // Two clocks that do not tick alike: nothing may expire on either.
            generation.parameters.idle = for_hours();
        }
        let policies = generations.iter().map(|generation| generation.policy.clone());
        let traffic = Traffic::about(policies.collect(), Dice::new(dice.next()));
        Ok(Self { kernel, memory: InMemory::with_capacity(ROOM), generations, traffic, dice })
    }

    fn run(&mut self, reached: &mut BTreeMap<Reason, u64>) -> Result<()> {
        let before = self.kernel.counts()?;
        for number in 0..FRAMES {
            if number % FRAMES_OF_GENERATION == 0 {
                // The first policy rules twice as long, so that flows begin.
                let generation = &self.generations[usize::from(number / FRAMES_OF_GENERATION % 3 == 2)];
                self.memory.publish(generation)?;
                self.kernel.publish(generation)?;
            }
            let (hook, frame) = self.traffic.frame();
            let row = self.dice.below(4) as u32;
            if let Some(reason) = self.judge(hook, row, &frame).map_err(|error| {
                error.context(format!("frame {number}, {hook:?} row {row}:\n{}", Dump(&frame)))
            })? {
                *reached.entry(reason).or_default() += 1;
            }
        }
        let counted = self.memory.counts()?;
        let grown = self.kernel.counts()?.since(&before);
        ensure!(counted == grown, "the counters differ: the programs'\n{}", counted.differences(&grown));
        Ok(())
    }

    /// Judges a frame by the probe, by the engine in memory and by the program itself, in this order: the probe leaves
    /// no trace.
    fn judge(&mut self, hook: Hook, row: u32, frame: &[u8]) -> Result<Option<Reason>> {
        let probed = self.kernel.judge(hook, row, frame)?;
        let decision = self.memory.decide(hook, row, frame);
        let said = decision.map(|decision| {
            (decision.reason(), self.memory.flow(decision).map(str::to_owned), decision.audited())
        });
        let probed = probed.map(|judgement| (judgement.reason, judgement.flow, judgement.audited));
        ensure!(said == probed, "the engine in memory says {said:?}, the probe {probed:?}");
        if is_run(hook, frame) {
            let goes_on = self.memory.count(hook, row, frame, decision);
            let went_on = self.kernel.run(hook, row, frame)?;
            ensure!(goes_on == went_on, "{said:?} lets it go on: {goes_on}; the program: {went_on}");
        }
        Ok(decision.map(Decision::reason))
    }
}

fn for_hours() -> IdleTimes {
    let long = Duration::from_secs(36_000);
    IdleTimes {
        tcp_established: long,
        tcp_closing: long,
        udp: long,
        unanswered: long,
        fragment: long,
        expectation: long,
        broadcast: long,
    }
}
