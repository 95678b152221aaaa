//! Maps whose one value the programs know by its address, so that no packet looks it up.
//!
//! A program refers to such a map by a static in a section `.bss.NAME` (`ebpf/src/maps.rs`). For each section aya makes a map
//! of its own and writes its descriptor into the instructions; the kernel puts the value's address in its place when it
//! loads a program. aya's map cannot be memory of this process, nor can it be longer than the static, and aya would write
//! zeros over a pinned one. So between the two steps the pinned map takes the place of aya's behind the same descriptor:
//! what the kernel finds there when it loads the programs is that one, and aya's ends unused.

use std::os::fd::AsFd;

use aya::Ebpf;
use aya::maps::{Map, MapData};

use super::{Error, sys};

/// Puts `map` where the programs, which are not loaded yet, know one by this name.
pub fn stand_in(ebpf: &Ebpf, name: &str, map: &MapData) -> Result<(), Error> {
    let section = format!(".bss.{name}");
    let Some(Map::Array(of_aya)) = ebpf.map(&section) else { return Err(Error::missing(&section)) };
    sys::replace_descriptor(of_aya.fd().as_fd(), map.fd().as_fd()).map_err(|error| Error::map(name, &error))
}
