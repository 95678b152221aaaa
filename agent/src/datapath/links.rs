//! Pinned links: they keep the programs on their interfaces when no agent runs.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;

use super::device::Device;
use super::load::Programs;
use super::pins::{self, LinkKind, Pins};
use super::sys::{self, Hook, LinkInfo};
use super::{Error, clsact};

/// What the kernel says of the link pinned at `path`; `None` where none is.
pub fn read(path: &Path) -> Result<Option<LinkInfo>, Error> {
    match sys::open_pin(path) {
        Ok(link) => {
            let info = sys::link_info(link.as_fd());
            info.map(Some).map_err(|source| Error::pin("cannot read the link", path, source))
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::pin("cannot open the link", path, source)),
    }
}

/// The link pinned at `path` if it is on the interface of this index; one of an interface that is gone is removed.
pub fn live(path: &Path, ifindex: u32) -> Result<Option<LinkInfo>, Error> {
    match read(path)? {
        Some(info) if info.ifindex == ifindex => Ok(Some(info)),
        Some(_) => remove(path).map(|()| None),
        None => Ok(None),
    }
}

/// Attaches a program and pins the link.
pub fn create(program: BorrowedFd<'_>, ifindex: u32, hook: Hook, path: &Path) -> io::Result<()> {
    let link = sys::create_link(program, ifindex, hook)?;
    // Dropped without a pin, the link is detached.
    sys::pin(link.as_fd(), path)
}

/// Puts a program in the place of the one on the pinned link.
pub fn replace(path: &Path, program: BorrowedFd<'_>) -> Result<(), Error> {
    let fail = |source| Error::pin("cannot replace the program of the link", path, source);
    let link = sys::open_pin(path).map_err(fail)?;
    sys::update_link(link.as_fd(), program).map_err(fail)
}

/// Takes the program off at once, and removes the pin.
pub fn remove(path: &Path) -> Result<(), Error> {
    match sys::open_pin(path).and_then(|link| sys::detach_link(link.as_fd())) {
        // Whatever the link has become, without its pin nothing holds it.
        Ok(()) | Err(_) => pins::unpin(path),
    }
}

/// Puts these programs on every interface where former ones are. Between two replacements both are in force, over
/// maps that say the same.
pub fn replace_all(pins: &Pins, programs: &mut Programs) -> Result<(), Error> {
    for kind in [LinkKind::Egress, LinkKind::Ingress] {
        for interface in pins.linked(kind)? {
            let path = pins.link(&interface, kind);
            if read(&path)?.is_some_and(|info| info.ifindex != 0) {
                replace(&path, programs.fd(kind)?)?;
            }
        }
    }
    for interface in by_filter(pins)? {
        clsact::attach(programs.egress()?, &interface)?;
    }
    Ok(())
}

/// The interfaces in this network namespace whose egress program is a filter: those with the one link alone.
pub fn by_filter(pins: &Pins) -> Result<Vec<String>, Error> {
    let links = pins.linked(LinkKind::Egress)?;
    let mut found = Vec::new();
    for interface in pins.linked(LinkKind::Ingress)? {
        let info = read(&pins.link(&interface, LinkKind::Ingress))?;
        let device = Device::by_name(&interface)?;
        let here = info.zip(device).is_some_and(|(info, device)| info.ifindex == device.index);
        if here && !links.contains(&interface) {
            found.push(interface);
        }
    }
    Ok(found)
}
