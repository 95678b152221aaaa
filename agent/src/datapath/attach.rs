//! Attaching to an interface: egress first, so that no answer is dropped because its question was not seen.

use std::io;

use cmgate_common::layout::counters::{INTERFACE_PLACES, INTERFACES};

use super::device::Device;
use super::nic::{Attached, Egress, Mode, Nic, Note, Xdp};
use super::pins::{self, LinkKind};
use super::sys::{Hook, LinkInfo};
use super::{Datapath, Error, clsact, counters, links, load};

impl Datapath {
    /// Attaches the programs to an interface, or replaces those of a former agent there without a gap.
    ///
    /// # Errors
    ///
    /// [`Error::Occupied`], [`Error::Attach`], [`Error::NoInterface`], [`Error::SharedPlace`], [`Error::NoSuchRow`],
    /// [`Error::Unpublished`]. What was not attached before is not attached then.
    pub fn attach(&mut self, nic: &Nic, xdp: Xdp) -> Result<Attached, Error> {
        if self.generation()? == 0 {
            return Err(Error::Unpublished);
        }
        let device = Device::by_name(&nic.name)?
            .filter(|device| device.index == nic.index)
            .ok_or_else(|| Error::NoInterface { name: nic.name.clone() })?;
        let path = self.pins.link(&nic.name, LinkKind::Ingress);
        let former = links::live(&path, nic.index)?;
        refuse_foreign(nic, &device, former)?;
        self.give_row(nic, former.is_none())?;
        let (egress, egress_is_new) = self.attach_egress(nic)?;
        let mut notes = if device.up { Vec::new() } else { vec![Note::Down] };
        let mode = match former {
            Some(_) => {
                links::replace(&path, self.programs.fd(LinkKind::Ingress)?)?;
                let mode = device.xdp.map_or(Mode::Native, |(mode, _)| mode);
                if xdp.refuses(mode) {
                    notes.push(Note::ModeKept { mode });
                }
                mode
            }
            None => match self.attach_ingress(nic, xdp, &mut notes) {
                Ok(mode) => mode,
                Err(error) => {
                    if egress_is_new {
                        self.detach_egress(nic)?;
                    }
                    return Err(error);
                }
            },
        };
        match egress {
            Egress::Tcx => self.filters.remove(&nic.name),
            Egress::Clsact => self.filters.insert(nic.name.clone()),
        };
        Ok(Attached { mode, egress, replaced: former.is_some(), notes })
    }

    fn attach_ingress(&mut self, nic: &Nic, xdp: Xdp, notes: &mut Vec<Note>) -> Result<Mode, Error> {
        let path = self.pins.link(&nic.name, LinkKind::Ingress);
        let program = self.programs.fd(LinkKind::Ingress)?;
        let create = |hook| links::create(program, nic.index, hook, &path);
        let fail = |mode: Mode, error: io::Error| Error::Attach {
            interface: nic.name.clone(),
            what: format!("{mode} XDP"),
            reason: error.to_string(),
        };
        match xdp {
            Xdp::Native => {
                create(Hook::XdpNative).map_err(|error| fail(Mode::Native, error))?;
                Ok(Mode::Native)
            }
            Xdp::Generic => {
                create(Hook::XdpGeneric).map_err(|error| fail(Mode::Generic, error))?;
                Ok(Mode::Generic)
            }
            Xdp::Auto => match create(Hook::XdpNative) {
                Ok(()) => Ok(Mode::Native),
                Err(refusal) => {
                    create(Hook::XdpGeneric).map_err(|error| fail(Mode::Generic, error))?;
                    notes.push(Note::FellBack { reason: refusal.to_string() });
                    Ok(Mode::Generic)
                }
            },
        }
    }

    /// How the egress program stands, and whether it did not before.
    fn attach_egress(&mut self, nic: &Nic) -> Result<(Egress, bool), Error> {
        let path = self.pins.link(&nic.name, LinkKind::Egress);
        if links::live(&path, nic.index)?.is_some() {
            links::replace(&path, self.programs.fd(LinkKind::Egress)?)?;
            return Ok((Egress::Tcx, false));
        }
        match links::create(self.programs.fd(LinkKind::Egress)?, nic.index, Hook::TcxEgress, &path) {
            Ok(()) => Ok((Egress::Tcx, true)),
            // A kernel without tcx does not know the hook.
            Err(error) if error.raw_os_error() == Some(libc::EINVAL) => {
                clsact::attach(self.programs.egress()?, &nic.name)?;
                Ok((Egress::Clsact, true))
            }
            Err(error) => Err(Error::Attach {
                interface: nic.name.clone(),
                what: "a program on TC egress".to_owned(),
                reason: error.to_string(),
            }),
        }
    }

    fn detach_egress(&self, nic: &Nic) -> Result<(), Error> {
        let path = self.pins.link(&nic.name, LinkKind::Egress);
        if links::read(&path)?.is_some() { links::remove(&path) } else { clsact::detach(&nic.name) }
    }

    /// Takes the programs off an interface. One that is not attached is no error.
    ///
    /// # Errors
    ///
    /// Where a pin cannot be removed.
    pub fn detach_interface(&mut self, name: &str) -> Result<(), Error> {
        let ingress = self.pins.link(name, LinkKind::Ingress);
        let Some(info) = links::read(&ingress)? else { return pins::unpin(&ingress) };
        let by_filter = links::by_filter(&self.pins)?.iter().any(|interface| interface == name);
        links::remove(&ingress)?;
        links::remove(&self.pins.link(name, LinkKind::Egress))?;
        if by_filter {
            clsact::detach(name)?;
        }
        if info.ifindex != 0 {
            self.control.set_row(info.ifindex, 0);
        }
        Ok(())
    }

    /// The interfaces that have a pinned link, by this agent or a former one: `row` is the one they count in; index
    /// and row are 0 where the interface is gone.
    ///
    /// # Errors
    ///
    /// Where the pins cannot be read.
    pub fn attached(&self) -> Result<Vec<Nic>, Error> {
        let mut nics = Vec::new();
        for name in self.pins.linked(LinkKind::Ingress)? {
            if let Some(info) = links::read(&self.pins.link(&name, LinkKind::Ingress))? {
                let row = if info.ifindex == 0 { 0 } else { self.control.row(info.ifindex) };
                nics.push(Nic { name, index: info.ifindex, row });
            }
        }
        Ok(nics)
    }

    /// Lets the programs count the interface in its row; `fresh`: it was not attached before.
    fn give_row(&mut self, nic: &Nic, fresh: bool) -> Result<(), Error> {
        if nic.row == 0 || nic.row >= INTERFACES {
            return Err(Error::NoSuchRow { row: nic.row, last: INTERFACES - 1 });
        }
        let others = self.attached()?;
        let mut others = others.iter().filter(|other| other.name != nic.name && other.index != 0);
        if let Some(other) =
            others.clone().find(|other| other.index % INTERFACE_PLACES == nic.index % INTERFACE_PLACES)
        {
            return Err(Error::SharedPlace { one: other.name.clone(), other: nic.name.clone() });
        }
        if fresh && others.all(|other| other.row != nic.row) {
            // What another interface counted there is not this one's.
            counters::clear_outcomes(&self.pins, nic.row)?;
        }
        self.control.set_row(nic.index, nic.row);
        Ok(())
    }
}

impl Xdp {
    /// Whether this asks for another mode.
    const fn refuses(self, mode: Mode) -> bool {
        matches!((self, mode), (Self::Native, Mode::Generic) | (Self::Generic, Mode::Native))
    }
}

/// Refuses an interface that runs somebody else's XDP program.
fn refuse_foreign(nic: &Nic, device: &Device, former: Option<LinkInfo>) -> Result<(), Error> {
    match device.xdp {
        Some((_, id)) if former.is_none_or(|link| link.program != id) => Err(Error::Occupied {
            interface: nic.name.clone(),
            id,
            program: load::program_info(id).map_or_else(|| "unknown".to_owned(), |program| program.name),
        }),
        _ => Ok(()),
    }
}
