//! The object with the programs, and its way into the kernel.

use std::os::fd::{AsFd, BorrowedFd};
use std::path::{Path, PathBuf};

use aya::maps::{Map, ProgramArray};
use aya::programs::{ProgramFd, ProgramInfo, SchedClassifier, Xdp, loaded_programs};
use aya::{Ebpf, EbpfLoader, include_bytes_aligned};

use super::maps::{self, Room, Spec};
use super::pins::{LinkKind, Pins};
use super::{Error, ProgramUse, direct, logs};

/// The programs, as the build script made them. Empty where it was told to skip them.
static OBJECT: &[u8] = include_bytes_aligned!(concat!(env!("OUT_DIR"), "/cmgate-bpf"));

/// The program on XDP.
pub const INGRESS: &str = "cmgate_ingress";
/// The program on TC egress.
pub const EGRESS: &str = "cmgate_egress";
/// The program that judges without a trace.
pub const PROBE: &str = "cmgate_probe";
/// The program that judges without effect what came in.
pub const SHADOW_INGRESS: &str = "cmgate_shadow_ingress";
/// The program that judges without effect what leaves.
pub const SHADOW_EGRESS: &str = "cmgate_shadow_egress";
/// The program that tells the time.
pub const CLOCK: &str = "cmgate_clock";

/// The programs, verified and in the kernel, over maps that are all pinned.
pub struct Programs(Ebpf);

impl Programs {
    /// Loads the programs over the maps at `pin_of` their names; what is not pinned there is made in this room.
    pub fn load(room: &Room, pin_of: impl Fn(&Spec) -> PathBuf) -> Result<Self, Error> {
        if OBJECT.is_empty() {
            return Err(Error::NoPrograms);
        }
        let (last_word, last_tags) = (room.last_word(), room.last_tags());
        let masks = (room.pending - 1, room.answered - 1, room.fragments - 1);
        let log_level = logs::level();
        let mut loader = EbpfLoader::new();
        loader
            .override_global("LAST_WORD", &last_word, true)
            .override_global("LAST_TAGS", &last_tags, true)
            .override_global("PENDING_MASK", &masks.0, true)
            .override_global("ANSWERED_MASK", &masks.1, true)
            .override_global("FRAGMENTS_MASK", &masks.2, true)
            .override_global(aya_log::LEVEL, &log_level, true);
        let declared = |spec: &&Spec| maps::DIRECT.iter().all(|direct| direct.name != spec.name);
        for spec in maps::ALL.into_iter().filter(declared) {
            loader.map_max_entries(spec.name, room.entries(spec)).map_pin_path(spec.name, pin_of(spec));
        }
        let mut ebpf = loader.load(OBJECT).map_err(|error| Error::object(&error))?;
        for spec in maps::DIRECT {
            direct::stand_in(&ebpf, spec.name, &spec.open_or_make(&pin_of(spec), room)?)?;
        }
        for spec in maps::ALL {
            // What the object declares and what this agent expects must be one.
            spec.open(&pin_of(spec))?;
        }
        for name in [INGRESS, PROBE, CLOCK, SHADOW_INGRESS] {
            xdp(&mut ebpf, name)?.load().map_err(|error| Error::program(name, &error))?;
        }
        for name in [EGRESS, SHADOW_EGRESS] {
            classifier(&mut ebpf, name)?.load().map_err(|error| Error::program(name, &error))?;
        }
        let programs = Self(ebpf);
        // The array that the kernel holds by its pin, not one of this process.
        programs.follow(&maps::SHADOW_INGRESS, &pin_of(&maps::SHADOW_INGRESS), SHADOW_INGRESS)?;
        programs.follow(&maps::SHADOW_EGRESS, &pin_of(&maps::SHADOW_EGRESS), SHADOW_EGRESS)?;
        Ok(programs)
    }

    /// Puts a program where another one goes on to it.
    fn follow(&self, spec: &Spec, pin: &Path, name: &str) -> Result<(), Error> {
        let program = self.0.program(name).ok_or_else(|| Error::missing(name))?;
        let program = program.fd().map_err(|error| Error::program(name, &error))?;
        let mut array = ProgramArray::try_from(Map::ProgramArray(spec.open(pin)?))
            .map_err(|error| Error::map(spec.name, &error))?;
        array.set(0, program, 0).map_err(|error| Error::map(spec.name, &error))
    }

    /// Pins the programs that are called rather than attached, in the place of former ones.
    pub fn pin(&mut self, pins: &Pins) -> Result<(), Error> {
        for name in [PROBE, CLOCK] {
            let program = xdp(&mut self.0, name)?;
            pins.replace_program(name, |path: &Path| {
                program.pin(path).map_err(|error| Error::program(name, &error))
            })?;
        }
        Ok(())
    }

    /// The whole object.
    pub fn object(&mut self) -> &mut Ebpf {
        &mut self.0
    }

    /// The program for one kind of link.
    pub fn fd(&self, kind: LinkKind) -> Result<BorrowedFd<'_>, Error> {
        let name = kind.program();
        let program = self.0.program(name).ok_or_else(|| Error::missing(name))?;
        program.fd().map(AsFd::as_fd).map_err(|error| Error::program(name, &error))
    }

    /// The id of the program for one kind of link.
    pub fn id(&self, kind: LinkKind) -> Result<u32, Error> {
        let name = kind.program();
        let program = self.0.program(name).ok_or_else(|| Error::missing(name))?;
        program.info().map(|info| info.id()).map_err(|error| Error::program(name, &error))
    }

    /// The program on XDP, for another one to call.
    pub fn ingress(&self) -> Result<&ProgramFd, Error> {
        let program = self.0.program(INGRESS).ok_or_else(|| Error::missing(INGRESS))?;
        program.fd().map_err(|error| Error::program(INGRESS, &error))
    }

    /// What the kernel says of the programs that judge.
    pub fn uses(&self) -> Result<Vec<ProgramUse>, Error> {
        let of = |name| {
            let program = self.0.program(name).ok_or_else(|| Error::missing(name))?;
            let info = program.info().map_err(|error| Error::program(name, &error))?;
            Ok(program_use(&info))
        };
        [INGRESS, EGRESS, PROBE, SHADOW_INGRESS, SHADOW_EGRESS].into_iter().map(of).collect()
    }

    /// The program on TC egress.
    pub fn egress(&mut self) -> Result<&mut SchedClassifier, Error> {
        classifier(&mut self.0, EGRESS)
    }
}

pub fn xdp<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut Xdp, Error> {
    let program = ebpf.program_mut(name).ok_or_else(|| Error::missing(name))?;
    program.try_into().map_err(|error| Error::program(name, &error))
}

fn classifier<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut SchedClassifier, Error> {
    let program = ebpf.program_mut(name).ok_or_else(|| Error::missing(name))?;
    program.try_into().map_err(|error| Error::program(name, &error))
}

/// What the kernel says of a program in it; `None` where there is none of this id, or the caller may not know.
pub fn program_info(id: u32) -> Option<ProgramUse> {
    loaded_programs().filter_map(Result::ok).find(|info| info.id() == id).map(|info| program_use(&info))
}

/// What is told of a program.
pub fn program_use(info: &ProgramInfo) -> ProgramUse {
    ProgramUse {
        name: info.name_as_str().unwrap_or("unnamed").to_owned(),
        id: info.id(),
        verified_instructions: info.verified_instruction_count(),
    }
}
