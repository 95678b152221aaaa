//! A shadow: a generation judged in the same pass as the one that rules, without effect; what the two would do otherwise is
//! counted by flow.

use std::time::Instant;

use aya::maps::PerCpuValues;
use aya::util::nr_cpus;
use cmgate_common::layout::SLOTS;
use cmgate_common::layout::shadow::{self, GENERATION};

use super::names::Names;
use super::pins::Pins;
use super::{Datapath, Error, Generation, Probe, counters, maps};

/// Where a shadow would do otherwise, since it began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disagreement {
    /// The flow: of what the shadow would admit its own, of what it would drop the ruling one's; `None` where there is none.
    pub flow: Option<String>,
    /// Packets that are dropped, and that the shadow would admit.
    pub admitted: u64,
    /// Packets that pass, and that the shadow would drop.
    pub dropped: u64,
}

impl Datapath {
    /// Writes a generation into the slot that neither rules nor is fallen back to, lets `prove` judge frames under it, and has
    /// it judge every packet from here on, without effect. A shadow before it ends; what was counted stays.
    ///
    /// # Errors
    ///
    /// As [`Self::publish`]. There is no shadow then.
    pub fn cast_shadow(
        &mut self,
        generation: &Generation<'_>,
        prove: impl FnOnce(&Probe, u32) -> anyhow::Result<()>,
    ) -> Result<(), Error> {
        self.end_shadow();
        self.make_room(generation)?;
        let slot = self.free_slot();
        let number = self.control.last_generation() | GENERATION;
        let probe = self.write_generation(slot, number, generation)?;
        prove(&probe, slot).map_err(Error::Refused)?;
        self.control.cast_shadow(Some(slot));
        Ok(())
    }

    /// Ends the shadow, if there is one.
    pub fn end_shadow(&mut self) {
        if let Some(slot) = self.control.shadow() {
            self.control.cast_shadow(None);
            self.may_be_read[slot as usize % SLOTS as usize] = Some(Instant::now());
        }
    }

    /// Whether there is one.
    #[must_use]
    pub fn has_shadow(&self) -> bool {
        self.control.shadow().is_some()
    }

    /// Forgets what was counted of shadows.
    ///
    /// # Errors
    ///
    /// [`Error::Map`] where the counters cannot be written.
    pub fn forget_disagreements(&self) -> Result<(), Error> {
        let spec = &maps::DISAGREEMENTS;
        let mut map = spec.per_cpu::<[u64; 2]>(&self.pins)?;
        let cpus = nr_cpus().map_err(|(_, error)| Error::map(spec.name, &error))?;
        let counted = counters::disagreements(&self.pins, shadow::DISAGREEMENTS)?;
        for (place, _) in (0..).zip(counted).filter(|(_, counts)| *counts != [0; 2]) {
            let zeros =
                PerCpuValues::try_from(vec![[0; 2]; cpus]).map_err(|error| Error::map(spec.name, &error))?;
            map.set(place, zeros, 0).map_err(|error| Error::map(spec.name, &error))?;
        }
        Ok(())
    }
}

/// What was counted of shadows: those of no flow first, then by counter; zeros are left out.
pub(super) fn disagreements(pins: &Pins, names: &Names) -> Result<Vec<Disagreement>, Error> {
    let counts = counters::disagreements(pins, names.ids().len() as u32 + 1)?;
    let flows = std::iter::once(None).chain(names.ids().iter().cloned().map(Some));
    let all = flows.zip(counts).map(|(flow, [admitted, dropped])| Disagreement { flow, admitted, dropped });
    Ok(all.filter(|one| one.admitted != 0 || one.dropped != 0).collect())
}
