//! The system calls aya has no function for, or none that can be reached from outside.
#![expect(unsafe_code, reason = "system calls take raw pointers")]

use std::ffi::CString;
use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

// Commands of bpf(2), from the kernel's include/uapi/linux/bpf.h.
const MAP_CREATE: libc::c_long = 0;
const OBJ_PIN: libc::c_long = 6;
const OBJ_GET: libc::c_long = 7;
const PROG_TEST_RUN: libc::c_long = 10;
const OBJ_GET_INFO_BY_FD: libc::c_long = 15;
const MAP_LOOKUP_BATCH: libc::c_long = 24;
const LINK_CREATE: libc::c_long = 28;
const LINK_UPDATE: libc::c_long = 29;
const LINK_DETACH: libc::c_long = 34;

/// What a command of bpf(2) takes: a prefix of `union bpf_attr` without padding.
///
/// # Safety
///
/// The kernel reads and writes what the command's fields point to: they must hold for the time of the call.
unsafe trait Attributes {}

/// `BPF_OBJ_GET` and `BPF_OBJ_PIN`.
#[repr(C)]
struct Pin {
    pathname: u64,
    fd: u32,
    flags: u32,
}

/// `BPF_MAP_CREATE`.
#[repr(C)]
#[derive(Default)]
struct NewMap {
    kind: u32,
    key: u32,
    value: u32,
    entries: u32,
    flags: u32,
    inner_map: u32,
    numa_node: u32,
    name: [u8; 16],
}

/// `BPF_MAP_LOOKUP_BATCH`.
#[repr(C)]
struct Batch {
    /// The key before the first, or 0.
    after: u64,
    /// Where the last key goes.
    last: u64,
    keys: u64,
    values: u64,
    count: u32,
    fd: u32,
    entry_flags: u64,
    flags: u64,
}

/// `BPF_OBJ_GET_INFO_BY_FD`.
#[repr(C)]
struct Info {
    fd: u32,
    length: u32,
    info: u64,
}

/// `BPF_LINK_CREATE` for XDP and tcx.
#[repr(C)]
struct NewLink {
    program: u32,
    ifindex: u32,
    hook: u32,
    flags: u32,
    /// tcx: the program to stand before or after; 0 is all of them.
    relative: u32,
    padding: u32,
    expected_revision: u64,
}

/// `BPF_LINK_UPDATE`.
#[repr(C)]
struct Update {
    fd: u32,
    program: u32,
    flags: u32,
    former_program: u32,
}

/// `BPF_LINK_DETACH`.
#[repr(C)]
struct Link {
    fd: u32,
}

/// `BPF_PROG_TEST_RUN`.
#[repr(C)]
#[derive(Default)]
struct TestRun {
    fd: u32,
    result: u32,
    data_in_length: u32,
    data_out_length: u32,
    data_in: u64,
    data_out: u64,
    repeat: u32,
    duration: u32,
    context_in_length: u32,
    context_out_length: u32,
    context_in: u64,
    context_out: u64,
    flags: u32,
    cpu: u32,
    batch: u32,
    padding: u32,
}

/// `struct xdp_md`: where a frame comes in.
#[repr(C)]
#[derive(Default)]
struct XdpContext {
    data: u32,
    data_end: u32,
    data_meta: u32,
    ingress_ifindex: u32,
    rx_queue_index: u32,
    egress_ifindex: u32,
}

// SAFETY: `pathname` points to a C string that its maker keeps.
unsafe impl Attributes for Pin {}
// SAFETY: it points nowhere.
unsafe impl Attributes for NewMap {}
// SAFETY: its maker keeps two keys, `count` more, and as many values.
unsafe impl Attributes for Batch {}
// SAFETY: `info` points to `length` bytes that its maker keeps.
unsafe impl Attributes for Info {}
// SAFETY: it points nowhere.
unsafe impl Attributes for NewLink {}
// SAFETY: it points nowhere.
unsafe impl Attributes for Update {}
// SAFETY: it points nowhere.
unsafe impl Attributes for Link {}
// SAFETY: `data_in` and `context_in` point to as many bytes as their lengths say, which their maker keeps; nothing is
// written out.
unsafe impl Attributes for TestRun {}

fn bpf<A: Attributes>(command: libc::c_long, attributes: &mut A) -> io::Result<libc::c_long> {
    // SAFETY: the pointer and the size are those of `attributes`, and what it points to holds, says its trait.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command, std::ptr::from_mut(attributes), size_of::<A>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// Makes an array map. `name` has 15 bytes at most; a value 2 GiB (4 MiB before Linux 6.0).
pub fn create_array(name: &str, value: u32, entries: u32, flags: u32) -> io::Result<OwnedFd> {
    const ARRAY: u32 = 2;
    let mut map = NewMap { kind: ARRAY, key: 4, value, entries, flags, ..NewMap::default() };
    map.name.iter_mut().zip(name.bytes().take(15)).for_each(|(to, byte)| *to = byte);
    bpf(MAP_CREATE, &mut map).map(own)
}

/// Puts what is behind `by` behind `descriptor`, too, whose owner has it from then on and closes it. What was there is closed.
pub fn replace_descriptor(descriptor: BorrowedFd<'_>, by: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: the call takes no pointers. Both descriptors are open, so that none comes to be or is lost, and whoever owns
    // `descriptor` still owns an open one.
    let result = unsafe { libc::dup3(by.as_raw_fd(), descriptor.as_raw_fd(), libc::O_CLOEXEC) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Reads `number` entries, not 0, of a per-CPU array of `[u64; N]` from the entry `first` on, each for all of `cpus` CPUs,
/// which is how many the kernel could have (5.13 and later).
pub fn read_per_cpu<const N: usize>(
    map: BorrowedFd<'_>,
    first: u32,
    number: u32,
    cpus: usize,
) -> io::Result<Vec<[u64; N]>> {
    let mut keys = vec![0_u32; number as usize];
    let mut values = vec![[0; N]; number as usize * cpus];
    let (before, mut last) = (first.wrapping_sub(1), 0_u32);
    let mut batch = Batch {
        after: if first == 0 { 0 } else { &raw const before as u64 },
        last: &raw mut last as u64,
        keys: keys.as_mut_ptr() as u64,
        values: values.as_mut_ptr() as u64,
        count: number,
        fd: descriptor(map),
        entry_flags: 0,
        flags: 0,
    };
    bpf(MAP_LOOKUP_BATCH, &mut batch)?;
    Ok(values)
}

/// Opens what is pinned at `path`.
pub fn open_pin(path: &Path) -> io::Result<OwnedFd> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    bpf(OBJ_GET, &mut Pin { pathname: name.as_ptr() as u64, fd: 0, flags: 0 }).map(own)
}

/// Pins what is behind a descriptor.
pub fn pin(fd: BorrowedFd<'_>, path: &Path) -> io::Result<()> {
    let name = CString::new(path.as_os_str().as_bytes())?;
    bpf(OBJ_PIN, &mut Pin { pathname: name.as_ptr() as u64, fd: descriptor(fd), flags: 0 }).map(drop)
}

/// Where on an interface a program goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// XDP in the driver.
    XdpNative,
    /// XDP in the stack.
    XdpGeneric,
    /// tcx egress (6.6 and later), before every other program there: one that passes a packet on for good would
    /// else hide it from us.
    TcxEgress,
}

impl Hook {
    /// `enum bpf_attach_type`, and the flags of the link: `XDP_FLAGS_*` or `BPF_F_BEFORE`.
    const fn numbers(self) -> (u32, u32) {
        match self {
            Self::XdpNative => (37, 1 << 2),
            Self::XdpGeneric => (37, 1 << 1),
            Self::TcxEgress => (47, 1 << 3),
        }
    }
}

/// Attaches a program to an interface, by a link. aya's own attachment would fall back to netlink without a word,
/// and such an attachment cannot be pinned.
pub fn create_link(program: BorrowedFd<'_>, ifindex: u32, hook: Hook) -> io::Result<OwnedFd> {
    let (hook, flags) = hook.numbers();
    let program = descriptor(program);
    let mut link = NewLink { program, ifindex, hook, flags, relative: 0, padding: 0, expected_revision: 0 };
    bpf(LINK_CREATE, &mut link).map(own)
}

/// Puts another program in the place of a link's, between two packets.
pub fn update_link(link: BorrowedFd<'_>, program: BorrowedFd<'_>) -> io::Result<()> {
    let (fd, program) = (descriptor(link), descriptor(program));
    bpf(LINK_UPDATE, &mut Update { fd, program, flags: 0, former_program: 0 }).map(drop)
}

/// What the kernel says of a link on an interface.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkInfo {
    kind: u32,
    id: u32,
    /// The program's id.
    pub program: u32,
    padding: u32,
    /// The interface's index, for XDP and tcx alike; 0 once it is gone.
    pub ifindex: u32,
    attach_type: u32,
}

/// Asks for a link's info.
pub fn link_info(link: BorrowedFd<'_>) -> io::Result<LinkInfo> {
    let mut info = LinkInfo::default();
    bpf(
        OBJ_GET_INFO_BY_FD,
        &mut Info { fd: descriptor(link), length: size_of::<LinkInfo>() as u32, info: &raw mut info as u64 },
    )?;
    Ok(info)
}

/// Takes a link off its interface at once, pinned or not.
pub fn detach_link(link: BorrowedFd<'_>) -> io::Result<()> {
    bpf(LINK_DETACH, &mut Link { fd: descriptor(link) }).map(drop)
}

/// Runs a program once over `data` and returns what it returned.
pub fn test_run(program: impl AsFd, data: &[u8]) -> io::Result<u32> {
    test_runs(program, data, 1)
}

/// Runs an XDP program once over `data`, of which only the first `linear` bytes stand in the frame's first buffer, and
/// returns what it returned (Linux 6.18; EINVAL before).
pub fn test_run_in_buffers(program: impl AsFd, data: &[u8], linear: u32) -> io::Result<u32> {
    // `struct xdp_md`: data, data_end, data_meta, and the device's three numbers.
    let context = [0, linear, 0, 0, 0, 0u32];
    let length = u32::try_from(data.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut run = TestRun {
        fd: descriptor(program.as_fd()),
        data_in_length: length,
        data_in: data.as_ptr() as u64,
        repeat: 1,
        context_in_length: size_of_val(&context) as u32,
        context_in: context.as_ptr() as u64,
        ..TestRun::default()
    };
    bpf(PROG_TEST_RUN, &mut run)?;
    Ok(run.result)
}

/// Runs a program `repeat` times over `data` and returns what it returned last.
pub fn test_runs(program: impl AsFd, data: &[u8], repeat: u32) -> io::Result<u32> {
    let length = u32::try_from(data.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut run = TestRun {
        fd: descriptor(program.as_fd()),
        data_in_length: length,
        data_in: data.as_ptr() as u64,
        repeat,
        ..TestRun::default()
    };
    bpf(PROG_TEST_RUN, &mut run)?;
    Ok(run.result)
}

/// Has `repeat` copies of a frame received over an interface, as if its driver ran the program on them: what the
/// program drops is freed, what it passes goes the stack's whole way. Linux 5.18.
pub fn receive(program: impl AsFd, frame: &[u8], repeat: u32, ifindex: u32) -> io::Result<()> {
    const LIVE_FRAMES: u32 = 1 << 1;
    /// Frames between two looks at other work, as drivers have it.
    const BATCH: u32 = 64;
    let length = u32::try_from(frame.len()).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let context = XdpContext { data_end: length, ingress_ifindex: ifindex, ..XdpContext::default() };
    let mut run = TestRun {
        fd: descriptor(program.as_fd()),
        data_in_length: length,
        data_in: frame.as_ptr() as u64,
        repeat,
        context_in_length: size_of::<XdpContext>() as u32,
        context_in: &raw const context as u64,
        flags: LIVE_FRAMES,
        batch: BATCH,
        ..TestRun::default()
    };
    bpf(PROG_TEST_RUN, &mut run).map(drop)
}

/// Returns once every packet that was being judged when it was called has been judged: one RCU period of the
/// kernel, which membarrier(2) waits for.
///
/// # Errors
///
/// Where the kernel does not offer it (with `nohz_full`), or a sandbox forbids it.
pub fn wait_for_packets_in_flight() -> io::Result<()> {
    // SAFETY: the call takes no pointers.
    let result = unsafe { libc::syscall(libc::SYS_membarrier, libc::MEMBARRIER_CMD_GLOBAL, 0, 0) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Gives the kernel back the memory that was freed. glibc keeps up to twice the largest piece it ever gave back, for a
/// next time: after a large site, tens of MiB that nobody needs again.
pub fn give_back_freed_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: the call takes no pointers, and only touches memory that is free.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn own(fd: libc::c_long) -> OwnedFd {
    // SAFETY: the kernel made this descriptor for us, and nobody else has it; descriptors fit `c_int`.
    unsafe { OwnedFd::from_raw_fd(fd as libc::c_int) }
}

fn descriptor(fd: BorrowedFd<'_>) -> u32 {
    fd.as_raw_fd().cast_unsigned()
}
