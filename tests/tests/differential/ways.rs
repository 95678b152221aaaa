//! A VLAN tag changes nothing but the way that a frame takes: the engine judges untagged, plain frames on a short one, where it
//! remembers for a moment what was found of their flows, and tagged ones in general.

use std::time::Duration;

use anyhow::{Result, ensure};
use cmgate::datapath::Hook;
use cmgate_common::reason::{Decision, Reason};
use cmgate_tests::dice::Dice;
use cmgate_tests::frames::Dump;
use cmgate_tests::gate::{Backend, Compiled, InMemory, Written};
use cmgate_tests::world::SITE_WITHOUT_MP;

use crate::engines::{ROOM, WORLDS};
use crate::traffic::Traffic;

/// Frames in each of the worlds.
const FRAMES: usize = 60_000;

/// Frames under one policy, before another comes in force.
const FRAMES_OF_GENERATION: usize = 5_000;

/// Judges random frames with and without a tag; what is decided, and by which flow.
pub fn agree(seed: u64) -> Result<()> {
    let mut by_flow = 0_u32;
    for (number, (name, written)) in (0..).zip(&WORLDS) {
        let mut dice = Dice::new(seed.wrapping_add(number));
        let generations =
            [written.compile()?, Written { site: SITE_WITHOUT_MP, ..written.clone() }.compile()?];
        let policies = generations.iter().map(|generation| generation.policy.clone()).collect();
        let mut traffic = Traffic::about(policies, Dice::new(dice.next()));
        let mut gates = [InMemory::with_capacity(ROOM), InMemory::with_capacity(ROOM)];
        for frame in 0..FRAMES {
            if frame % FRAMES_OF_GENERATION == 0 {
                publish(&mut gates, &generations[frame / FRAMES_OF_GENERATION % 2])?;
            }
            // Now and then a window ends, and flows with it.
            let passes = if dice.chance(2) { dice.below(40_000) } else { dice.below(20) };
            gates.iter_mut().for_each(|gate| gate.pass(Duration::from_millis(passes as u64)));
            let (hook, bytes) = traffic.frame();
            let row = dice.below(4) as u32;
            let said = decide(&gates[0], hook, row, &bytes);
            let in_general = decide(&gates[1], hook, row, &tagged(hook, &bytes));
            ensure!(
                said == in_general,
                "CMGATE_SEED={seed}: {name}, frame {frame}, {hook:?} row {row}: {said:?}, but with a tag \
                 {in_general:?}:\n{}",
                Dump(&bytes)
            );
            by_flow += u32::from(said.is_some_and(|(reason, ..)| reason == Reason::Return));
        }
    }
    println!("{} frames of seed {seed}, {by_flow} admitted by their flow", WORLDS.len() * FRAMES);
    ensure!(by_flow > 1_000, "CMGATE_SEED={seed}: {by_flow} frames of known flows are too few to tell");
    Ok(())
}

fn publish(gates: &mut [InMemory], generation: &Compiled) -> Result<()> {
    gates.iter_mut().try_for_each(|gate| gate.publish(generation))
}

/// What is decided, by which flow, and whether audit lets it pass.
fn decide(gate: &InMemory, hook: Hook, row: u32, frame: &[u8]) -> Option<(Reason, Option<String>, bool)> {
    gate.decide(hook, row, frame).map(|decision: Decision| {
        (decision.reason(), gate.flow(decision).map(str::to_owned), decision.audited())
    })
}

/// The frame with a tag (IEEE 802.1Q) behind its addresses, if it comes in and carries IP.
fn tagged(hook: Hook, frame: &[u8]) -> Vec<u8> {
    const TAG: [u8; 4] = [0x81, 0, 0, 7];
    let carries_ip = matches!(frame.get(12..14), Some([0x08, 0x00] | [0x86, 0xdd]));
    if hook != Hook::Ingress || !carries_ip {
        return frame.to_vec();
    }
    let (addresses, rest) = frame.split_at(12);
    [addresses, &TAG, rest].concat()
}
