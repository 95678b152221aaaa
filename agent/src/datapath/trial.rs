//! A generation on trial: it rules until a deadline that the programs themselves keep, and unless it is confirmed before,
//! the former one rules again, whether an agent lives or not.

use std::time::{Duration, Instant, SystemTime};

use super::control::ControlBlock;
use super::ticks::Moment;
use super::{Datapath, Error, inspect};

/// How long a generation is to rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Term {
    /// Until another one does. The one before is what [`Datapath::rollback`] returns to.
    Open,
    /// As long as the one whose place it takes: its deadline stays, if it has one, and what it is rolled back to.
    InPlace,
    /// For this long (at most 49 days, which is what the ticks of a time-out hold), unless it is confirmed.
    Until(Duration),
}

/// A generation on trial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Its number.
    pub generation: u32,
    /// The number of the one that rules again when time is up.
    pub former: u32,
    /// When that is, or was.
    pub until: SystemTime,
    /// How long until then; nothing where the former one rules again already.
    pub left: Duration,
}

impl Trial {
    pub(super) fn of(
        control: &ControlBlock,
        now: impl FnOnce() -> Result<Moment, Error>,
    ) -> Result<Option<Self>, Error> {
        let deadline = control.deadline();
        if deadline == 0 {
            return Ok(None);
        }
        let now = now()?;
        let number = |slot| control.slot(slot).generation;
        Ok(Some(Self {
            generation: number(control.enforced()),
            former: number(control.fallback()),
            until: now.at(deadline),
            left: now.until(deadline),
        }))
    }
}

impl Datapath {
    /// The generation on trial, if one is, until it is confirmed or rolled back: also after its time.
    ///
    /// # Errors
    ///
    /// Where the programs' clock cannot be read.
    pub fn trial(&self) -> Result<Option<Trial>, Error> {
        Trial::of(&self.control, || self.now())
    }

    /// The number of the generation that [`Self::rollback`] returns to; `None` where there is none.
    #[must_use]
    pub fn former(&self) -> Option<u32> {
        let (enforced, fallback) = (self.control.enforced(), self.control.fallback());
        Some(self.control.slot(fallback).generation).filter(|number| enforced != fallback && *number != 0)
    }

    /// The number that the next generation gets.
    #[must_use]
    pub fn next_generation(&self) -> u32 {
        self.control.last_generation() + 1
    }

    /// Ends the trial for good: what is on trial rules from here on, and no packet since it came was judged by anything
    /// else. Gives its number.
    ///
    /// # Errors
    ///
    /// [`Error::NoTrial`]; [`Error::TooLate`] where its time was up: the former one rules then, and goes on to.
    pub fn confirm(&mut self) -> Result<u32, Error> {
        let deadline = self.control.deadline();
        if deadline == 0 {
            return Err(Error::NoTrial);
        }
        let generation = self.control.slot(self.control.enforced()).generation;
        let in_time = |datapath: &Self| datapath.now().is_ok_and(|now| now.ticks < deadline);
        if in_time(self) {
            self.control.forget_deadline(deadline);
            // The clock may have reached the deadline before that store did. If it has not reached it by now, no program has
            // seen it pass; else some packet may have been judged by the former one, and so are all from here on.
            if in_time(self) {
                return Ok(generation);
            }
        }
        self.rollback()?;
        Err(Error::TooLate { generation })
    }

    /// Makes the former generation rule again, by one store, and gives its number. What ruled is not returned to.
    ///
    /// # Errors
    ///
    /// [`Error::NoFormer`] where there is none.
    pub fn rollback(&mut self) -> Result<u32, Error> {
        let (enforced, former, deadline) =
            (self.control.enforced(), self.control.fallback(), self.control.deadline());
        let number = self.control.slot(former).generation;
        if number == 0 || enforced == former && deadline == 0 {
            return Err(Error::NoFormer);
        }
        if enforced != former {
            self.may_be_read[enforced as usize] = Some(Instant::now());
            self.control.rule_instead(former);
        }
        // A packet that has read which slot rules, and not yet until when, must find a deadline that has passed, and not that
        // there is none.
        self.wait_until_unread(enforced);
        self.control.forget_deadline(deadline);
        Ok(number)
    }

    pub(super) fn now(&self) -> Result<Moment, Error> {
        inspect::now(&self.pins)
    }
}
