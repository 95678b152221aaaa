//! The egress program as a filter of the clsact queueing discipline: for kernels before 6.6, which have no tcx.

use std::io;

use aya::programs::tc::{
    NlOptions, SchedClassifierLink, TcAttachOptions, TcError, TcHandle, qdisc_add_clsact,
    qdisc_detach_program,
};
use aya::programs::{ProgramError, SchedClassifier, TcAttachType};

use super::Error;
use super::error::{cause, chain};
use super::load::EGRESS;

/// Our filter's place: before all others, so that none of them can hide a packet from it.
const PRIORITY: u16 = 1;
const HANDLE: TcHandle = TcHandle::new(0, 1);

/// Attaches the program, or puts it in its predecessor's place. The filter stays when the agent ends.
pub fn attach(program: &mut SchedClassifier, interface: &str) -> Result<(), Error> {
    let fail =
        |reason| Error::Attach { interface: interface.to_owned(), what: "a TC filter".to_owned(), reason };
    match qdisc_add_clsact(interface) {
        Err(error) if !exists(&error) => return Err(fail(chain(&error))),
        _ => {}
    }
    let options = NlOptions { priority: PRIORITY, handle: HANDLE, classid: None };
    let attached =
        match program.attach_with_options(interface, TcAttachType::Egress, TcAttachOptions::Netlink(options))
        {
            Err(error) if exists(&error) => replace(program, interface),
            result => result.and_then(|id| program.take_link(id)),
        };
    let link = attached.map_err(|error| fail(chain(&error)))?;
    // Dropped, it would be detached.
    std::mem::forget(link);
    Ok(())
}

fn replace(program: &mut SchedClassifier, interface: &str) -> Result<SchedClassifierLink, ProgramError> {
    let former = SchedClassifierLink::attached(interface, TcAttachType::Egress, PRIORITY, HANDLE, None)?;
    let id = program.attach_to_link(former)?;
    program.take_link(id)
}

/// Removes the filter; that there is none is no error.
pub fn detach(interface: &str) -> Result<(), Error> {
    match qdisc_detach_program(interface, TcAttachType::Egress, EGRESS) {
        Err(TcError::IoError(error)) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Error::Attach {
            interface: interface.to_owned(),
            what: "the removal of its TC filter".to_owned(),
            reason: chain(&error),
        }),
        Ok(()) => Ok(()),
    }
}

fn exists(error: &(dyn std::error::Error + 'static)) -> bool {
    cause(error).is_some_and(|cause| cause.raw_os_error() == Some(libc::EEXIST))
}
