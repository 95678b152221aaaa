//! Whether the kernel still holds what was put there: the generation's words as they were written, and the programs on the
//! interfaces.

use std::sync::atomic::{AtomicU32, Ordering};

use cmgate_common::layout::control::Slot;
use zerocopy::IntoBytes;

use super::device::Device;
use super::images::Images;
use super::pins::LinkKind;
use super::{Datapath, Error, Nic, links, load};

/// A generation as it was written: its sum, and its number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Written {
    generation: u32,
    sum: u64,
}

impl Datapath {
    /// Whether the tables and parameters of the slot that rules are what this agent wrote; `None` where it did not.
    ///
    /// # Errors
    ///
    /// Where the maps cannot be read.
    pub fn is_intact(&self) -> Result<Option<bool>, Error> {
        let slot = self.control.ruling(|| self.now().map(|now| now.ticks))?;
        let Some(written) = self.written[slot as usize] else { return Ok(None) };
        if written.generation != self.control.slot(slot).generation {
            return Ok(Some(false));
        }
        Ok(Some(self.found_in(slot)? == written))
    }

    /// What stands in a slot.
    pub(super) fn found_in(&self, slot: u32) -> Result<Written, Error> {
        let parameters = self.control.slot(slot);
        let sum = sum(Images::open(&self.pins)?.slot(slot), &parameters);
        Ok(Written { generation: parameters.generation, sum })
    }

    /// What is wrong with how the programs stand on these interfaces, by name. Interfaces that are gone are no matter: they are
    /// guarded when they come back. An egress program that is a filter (before Linux 6.6) is not looked at.
    ///
    /// # Errors
    ///
    /// Where the kernel does not tell.
    pub fn astray<'n>(
        &self,
        nics: impl IntoIterator<Item = &'n Nic>,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut found = Vec::new();
        for nic in nics {
            let Some(device) = Device::by_name(&nic.name)?.filter(|device| device.index == nic.index) else {
                continue;
            };
            if let Some(why) = self.ingress_astray(nic, &device)?.or(self.egress_astray(nic)?) {
                found.push((nic.name.clone(), why));
            }
        }
        Ok(found)
    }

    fn ingress_astray(&self, nic: &Nic, device: &Device) -> Result<Option<String>, Error> {
        let ours = self.programs.id(LinkKind::Ingress)?;
        let link = links::read(&self.pins.link(&nic.name, LinkKind::Ingress))?;
        let on_link = link.filter(|link| link.ifindex == nic.index).map(|link| link.program);
        let runs = device.xdp.map(|(_, program)| program);
        Ok(match (on_link, runs) {
            (Some(link), Some(runs)) if link == ours && runs == ours => None,
            (_, Some(runs)) if runs != ours => Some(format!("XDP runs {}", other(runs))),
            (Some(link), _) if link != ours => Some(format!("its XDP link holds {}", other(link))),
            (_, Some(_)) => Some("the XDP link is no longer pinned, and the program goes with it".to_owned()),
            (_, None) => Some("no XDP program is on it any more".to_owned()),
        })
    }

    fn egress_astray(&self, nic: &Nic) -> Result<Option<String>, Error> {
        if self.filters.contains(&nic.name) {
            return Ok(None);
        }
        let ours = self.programs.id(LinkKind::Egress)?;
        let link = links::read(&self.pins.link(&nic.name, LinkKind::Egress))?;
        Ok(match link.filter(|link| link.ifindex == nic.index) {
            Some(link) if link.program == ours => None,
            Some(link) => Some(format!("TC egress runs {}", other(link.program))),
            None => Some(
                "no program is on its TC egress any more: answers are not told from intruders".to_owned(),
            ),
        })
    }
}

fn other(program: u32) -> String {
    let name = load::program_info(program).map_or_else(String::new, |info| format!(" ({})", info.name));
    format!("program {program}{name}, which is not this gate's")
}

/// A sum that any one changed word changes, and to which words that are 0 add nothing: a slot that has grown has the same.
fn sum(words: &[AtomicU32], parameters: &Slot) -> u64 {
    let parameters = parameters.as_bytes().chunks(4).map(|bytes| {
        let mut word = [0; 4];
        word[..bytes.len()].copy_from_slice(bytes);
        u32::from_ne_bytes(word)
    });
    let words = words.iter().map(|word| word.load(Ordering::Relaxed));
    let weighed = |places: std::ops::RangeFrom<u64>, words: &mut dyn Iterator<Item = u32>| {
        // Odd weights: a difference in one place cannot come to nothing.
        let weight = |place: u64| place.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        words
            .zip(places)
            .fold(0_u64, |sum, (word, place)| sum.wrapping_add(u64::from(word).wrapping_mul(weight(place))))
    };
    let of_words = weighed(1.., &mut { words });
    of_words.wrapping_add(weighed(1 << 40.., &mut { parameters }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[u32]) -> Vec<AtomicU32> {
        words.iter().map(|word| AtomicU32::new(*word)).collect()
    }

    #[test]
    fn every_word_and_every_parameter_counts_and_zeros_behind_do_not() {
        let slot = Slot { generation: 3, ..Slot::default() };
        let image = [7, 0, 9, u32::MAX];
        let whole = sum(&words(&image), &slot);
        assert_eq!(sum(&words(&[7, 0, 9, u32::MAX, 0, 0]), &slot), whole, "zeros behind");
        for place in 0..image.len() {
            for bit in 0..32 {
                let mut other = image;
                other[place] ^= 1 << bit;
                assert_ne!(sum(&words(&other), &slot), whole, "bit {bit} of word {place}");
            }
        }
        assert_ne!(sum(&words(&[0, 7, 9, u32::MAX]), &slot), whole, "two that changed places");
        let flags = cmgate_common::layout::control::Flags::AUDIT;
        assert_ne!(sum(&words(&image), &Slot { flags, ..slot }), whole, "audit");
        let timeouts = cmgate_common::layout::control::Timeouts { udp: 1, ..slot.timeouts };
        assert_ne!(sum(&words(&image), &Slot { timeouts, ..slot }), whole, "a time-out");
    }
}
