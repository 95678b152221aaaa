//! How long a program takes for packets: for benchmarks, on a pin root of their own.
//!
//! What is timed stands behind a shaker, a program that gives each packet other addresses and ports and then calls it:
//! one packet over and over would find all it needs in the cache. A yardstick stands behind a shaker of its own.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use aya::maps::{MapError, ProgramArray};
use aya::programs::{ProgramFd, loaded_programs};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};
use cmgate_common::draw::Kind;
use nix::net::if_::if_nametoindex;
use nix::time::{ClockId, clock_gettime};

use super::{Datapath, Error, load, sys};

/// The shaker and the yardsticks. Empty where the build script was told to skip them.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/cmgate-shaker"));

const SHAKER: &str = "cmgate_shaker";
const UNDER_TEST: &str = "UNDER_TEST";

/// What is timed.
#[derive(Clone, Copy)]
pub enum Timed<'a> {
    /// The program that stands on interfaces, under the generation that rules: it counts, and it remembers flows.
    Ingress(&'a Datapath),
    /// The program of this id, which is another process's: an agent's on an interface.
    Foreign(u32),
    /// A program that drops every packet at once: the yardstick of what is dropped.
    Drop,
    /// A program that admits every packet at once: the yardstick of what is admitted.
    Pass,
}

/// Which packets the shaker makes of the one it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Draw {
    /// From where.
    pub kind: Kind,
    /// The client is the destination: what is sent is an answer.
    pub to_client: bool,
    /// Where addresses are random, the other end's is drawn from the blocks of prefixes, too.
    pub both_ends: bool,
    /// The first network to draw; where addresses are random, the first of those in blocks of prefixes: in IPv6, the second
    /// 32 bits of it.
    pub first: u32,
    /// How many to draw from, from the first on.
    pub networks: u32,
    /// How many flows to draw from.
    pub flows: u32,
    /// The server's port is one of the services, at random; else it stays as it is.
    pub service: bool,
}

/// A program behind a shaker.
pub struct Stopwatch {
    program: OwnedFd,
    /// See [`Self::keep_ready`].
    link: Option<OwnedFd>,
    /// Holds the map by which the shaker calls: the kernel empties one that no process has.
    _object: Ebpf,
}

impl Stopwatch {
    /// Loads a shaker and puts what is timed behind it.
    ///
    /// # Errors
    ///
    /// [`Error::NoPrograms`]; [`Error::Program`] and [`Error::Map`] where the kernel refuses one.
    pub fn new(timed: Timed<'_>, draw: Draw) -> Result<Self, Error> {
        if OBJECT.is_empty() {
            return Err(Error::NoPrograms);
        }
        let kind = draw.kind as u32;
        let [to_client, both_ends, service] = [draw.to_client, draw.both_ends, draw.service].map(u32::from);
        let mut object = EbpfLoader::new()
            .override_global("KIND", &kind, true)
            .override_global("TO_CLIENT", &to_client, true)
            .override_global("BOTH_ENDS", &both_ends, true)
            .override_global("FIRST", &draw.first, true)
            .override_global("NETWORKS", &draw.networks, true)
            .override_global("FLOWS", &draw.flows, true)
            .override_global("SERVICE", &service, true)
            .load(OBJECT)
            .map_err(|error| Error::object(&error))?;
        match timed {
            Timed::Ingress(datapath) => call(&mut object, datapath.programs.ingress()?)?,
            Timed::Foreign(id) => call(&mut object, &foreign(id)?)?,
            Timed::Drop => call_own(&mut object, "cmgate_drop")?,
            Timed::Pass => call_own(&mut object, "cmgate_pass")?,
        }
        let program = own(&mut object, SHAKER)?;
        let program = program.as_fd().try_clone_to_owned().map_err(|error| Error::program(SHAKER, &error))?;
        Ok(Self { program, link: None, _object: object })
    }

    /// Puts the shaker on an interface of the caller's network namespace, which no traffic may come by, as long as this lives.
    /// The kernel makes a run of any other program wait until all runs that are under way have ended: two processors would
    /// take turns.
    ///
    /// # Errors
    ///
    /// [`Error::NoInterface`]; [`Error::Program`] where the kernel does not attach it.
    pub fn keep_ready(&mut self, interface: &str) -> Result<(), Error> {
        let ifindex =
            if_nametoindex(interface).map_err(|_| Error::NoInterface { name: interface.to_owned() })?;
        let link = sys::create_link(self.program.as_fd(), ifindex, sys::Hook::XdpGeneric);
        self.link = Some(link.map_err(|error| Error::program(SHAKER, &error))?);
        Ok(())
    }

    /// Runs `repeat` packets made of this one, of 15 to about 3,500 bytes, through the program, as if over `lo` of the
    /// caller's network namespace; says how much processor time that took. The kernel's own figure for a run is in
    /// whole nanoseconds, and the time on the wall has in it whatever else the processor did meanwhile.
    ///
    /// # Errors
    ///
    /// [`Error::Program`] where the kernel does not run it; [`Error::Clock`].
    pub fn time(&self, packet: &[u8], repeat: u32) -> Result<Duration, Error> {
        let started = processor_time()?;
        sys::test_runs(self.program.as_fd(), packet, repeat)
            .map_err(|error| refused(packet, &error.to_string()))?;
        Ok(processor_time()?.saturating_sub(started))
    }

    /// Has `repeat` packets made of this one received over an interface of the caller's network namespace, as its
    /// driver would; says how much processor time that took. What is admitted goes up the stack, and its way there is
    /// in the time.
    ///
    /// # Errors
    ///
    /// [`Error::NoInterface`]; [`Error::Program`] where the kernel does not run it: a veth receives so only with GRO
    /// on; [`Error::Clock`].
    pub fn receive(&self, packet: &[u8], repeat: u32, interface: &str) -> Result<Duration, Error> {
        let ifindex =
            if_nametoindex(interface).map_err(|_| Error::NoInterface { name: interface.to_owned() })?;
        let started = processor_time()?;
        sys::receive(self.program.as_fd(), packet, repeat, ifindex)
            .map_err(|error| refused(packet, &error.to_string()))?;
        Ok(processor_time()?.saturating_sub(started))
    }
}

/// Puts a program of the object itself behind the shaker.
fn call_own(object: &mut Ebpf, name: &str) -> Result<(), Error> {
    let program = own(object, name)?.try_clone().map_err(|error| Error::program(name, &error))?;
    call(object, &program)
}

/// A program that this process did not load.
fn foreign(id: u32) -> Result<ProgramFd, Error> {
    let name = format!("of id {id}");
    let found = loaded_programs().filter_map(Result::ok).find(|info| info.id() == id);
    let gone = || Error::Program { program: name.clone(), reason: "it is gone".to_owned(), is_final: true };
    found.ok_or_else(gone)?.fd().map_err(|error| Error::program(&name, &error))
}

/// Loads a program of the object.
fn own<'a>(object: &'a mut Ebpf, name: &str) -> Result<&'a ProgramFd, Error> {
    let program = load::xdp(object, name)?;
    program.load().map_err(|error| Error::program(name, &error))?;
    program.fd().map_err(|error| Error::program(name, &error))
}

/// Puts a program behind the shaker.
fn call(object: &mut Ebpf, program: &ProgramFd) -> Result<(), Error> {
    let wrong = |error: &MapError| Error::map(UNDER_TEST, error);
    let map = object.map_mut(UNDER_TEST).ok_or_else(|| Error::missing(UNDER_TEST))?;
    let mut places = ProgramArray::try_from(map).map_err(|error| wrong(&error))?;
    places.set(0, program, 0).map_err(|error| wrong(&error))
}

fn refused(packet: &[u8], reason: &str) -> Error {
    Error::Program {
        program: "being timed".to_owned(),
        reason: format!("it cannot be run on a packet of {} bytes: {reason}", packet.len()),
        is_final: true,
    }
}

/// What this thread has used of processors.
fn processor_time() -> Result<Duration, Error> {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)
        .map(Duration::from)
        .map_err(|errno| Error::Clock { source: errno.into() })
}
