//! The benchmark's own programs: the shaker, which gives each packet other addresses and ports and hands it to the
//! program under test, and the yardsticks. None is ever attached to anything that carries traffic, nor shipped loaded.
#![no_std]
#![no_main]
#![expect(
    missing_docs,
    clippy::needless_pass_by_value,
    reason = "the program macros ask for it, and leave out the docs"
)]
#![expect(unsafe_code, reason = "packet memory is raw pointers here")]

use aya_ebpf::Global;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::macros::{map, xdp};
use aya_ebpf::maps::ProgramArray;
use aya_ebpf::programs::XdpContext;
use cmgate_common::draw::{self, End, Kind, SERVICES};

/// A [`Kind`].
#[unsafe(no_mangle)]
pub static KIND: Global<u32> = Global::new(0);
/// Whether the client's end is the destination.
#[unsafe(no_mangle)]
pub static TO_CLIENT: Global<u32> = Global::new(0);
/// Whether the other end is drawn from the blocks of prefixes, too, where addresses are random.
#[unsafe(no_mangle)]
pub static BOTH_ENDS: Global<u32> = Global::new(0);
/// The first network to draw; of random addresses, the first in a block: in IPv6 its second 32 bits.
#[unsafe(no_mangle)]
pub static FIRST: Global<u32> = Global::new(0);
/// How many to draw from.
#[unsafe(no_mangle)]
pub static NETWORKS: Global<u32> = Global::new(1);
/// How many flows to draw from.
#[unsafe(no_mangle)]
pub static FLOWS: Global<u32> = Global::new(1);
/// Whether the server's port is one of the services, at random.
#[unsafe(no_mangle)]
pub static SERVICE: Global<u32> = Global::new(0);

/// The program under test, in place 0.
#[map]
static UNDER_TEST: ProgramArray = ProgramArray::with_max_entries(1, 0);

/// The state of the generator of random numbers. Not an atomic one: the linker's code generator has no atomic store.
static mut RANDOM: u64 = 0x9e37_79b9_7f4a_7c15;

/// Redraws a packet of Ethernet and IPv4 without options or IPv6, and hands it on.
#[xdp(frags)]
pub fn cmgate_shaker(ctx: XdpContext) -> u32 {
    let redrawn = match KIND.load() {
        kind if kind == Kind::Same as u32 => Some(()),
        kind if kind == Kind::Anywhere as u32 => from_anywhere(&ctx),
        _ => redraw(&ctx),
    };
    if redrawn.is_none() {
        return xdp_action::XDP_ABORTED;
    }
    // SAFETY: nothing here waits to be dropped.
    unsafe { UNDER_TEST.tail_call(&ctx, 0) };
    xdp_action::XDP_ABORTED
}

/// Drops every packet at once.
#[xdp(frags)]
pub fn cmgate_drop(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_DROP
}

/// Admits every packet at once.
#[xdp(frags)]
pub fn cmgate_pass(_ctx: XdpContext) -> u32 {
    xdp_action::XDP_PASS
}

#[inline(always)]
fn redraw(ctx: &XdpContext) -> Option<()> {
    let (end, service) = drawn();
    if is_ipv4(ctx)? {
        let address = draw::network4(end.network) | u32::from(end.host);
        if TO_CLIENT.load() != 0 {
            readdress::<30>(ctx, address)?;
        } else {
            readdress::<26>(ctx, address)?;
        }
        redraw_ports::<34>(ctx, end.port, service)
    } else {
        let (network, host) = (draw::network6(end.network), end.host.into());
        if TO_CLIENT.load() != 0 {
            replace_lower::<38>(ctx, network)?;
            replace_lower::<46>(ctx, host)?;
        } else {
            replace_lower::<22>(ctx, network)?;
            replace_lower::<30>(ctx, host)?;
        }
        redraw_ports::<54>(ctx, end.port, service)
    }
}

/// Gives a packet a random address to come from, and where that is asked for another to go to.
#[inline(always)]
fn from_anywhere(ctx: &XdpContext) -> Option<()> {
    let (one, other) = (random(), random());
    let in_blocks = |bits: u64| FIRST.load() + below(bits >> 32, NETWORKS.load());
    // A bit that hardly depends on those that the addresses are made of.
    let from_blocks = other & 1 << 30 != 0;
    let port = 1024 + below(other >> 12, 60_000) as u16;
    if is_ipv4(ctx)? {
        // 1.0.0.0 to 223.255.255.255.
        let source = if from_blocks { in_blocks(one) } else { 0x0100_0000 + below(one >> 32, 0xdf00_0000) };
        readdress::<26>(ctx, source)?;
        if BOTH_ENDS.load() != 0 {
            readdress::<30>(ctx, in_blocks(other))?;
        }
        redraw_ports::<34>(ctx, port, service(one))
    } else {
        // 2001::/16, in which all blocks are 2001:db8::/32's.
        let (place, segment) = if from_blocks {
            (0x2001_0db8, in_blocks(one))
        } else {
            (0x2001_0000 | (one >> 12) as u32 & 0xffff, (one >> 32) as u32)
        };
        replace::<u64, 22>(ctx, (u64::from(place) << 32 | u64::from(segment)).to_be())?;
        replace_lower::<30>(ctx, (other >> 24) as u32 & 0xff)?;
        if BOTH_ENDS.load() != 0 {
            replace_lower::<38>(ctx, in_blocks(other))?;
        }
        redraw_ports::<54>(ctx, port, service(one))
    }
}

/// Writes an IPv4 address `AT` bytes into the packet, and the header's checksum.
#[inline(always)]
fn readdress<const AT: usize>(ctx: &XdpContext, address: u32) -> Option<()> {
    let address = address.to_be();
    let former = replace::<u32, AT>(ctx, address)?;
    let sum = field::<u16, 24>(ctx)?;
    replace::<u16, 24>(ctx, updated(sum, former, address)).map(drop)
}

#[inline(always)]
fn is_ipv4(ctx: &XdpContext) -> Option<bool> {
    Some(u16::from_be(field::<u16, 12>(ctx)?) == 0x0800)
}

/// Writes the client's port, and the server's where that is asked for. Both at once, as address halves are: of what was
/// written in pieces a read as a whole waits until they are in the cache, which it does for no packet that a NIC wrote.
#[inline(always)]
fn redraw_ports<const AT: usize>(ctx: &XdpContext, client: u16, service: u16) -> Option<()> {
    let (client, service) = (u32::from(client), u32::from(service));
    let ports = u32::from_be(field::<u32, AT>(ctx)?);
    let (source, destination) = (ports >> 16, ports & 0xffff);
    let (source, destination) = match (TO_CLIENT.load() != 0, SERVICE.load() != 0) {
        (true, true) => (service, client),
        (true, false) => (source, client),
        (false, true) => (client, service),
        (false, false) => (client, destination),
    };
    replace::<u32, AT>(ctx, (source << 16 | destination).to_be()).map(drop)
}

/// Writes the lower half of the word that stands `AT` bytes into the packet.
#[inline(always)]
fn replace_lower<const AT: usize>(ctx: &XdpContext, lower: u32) -> Option<()> {
    let former = u64::from_be(field::<u64, AT>(ctx)?);
    replace::<u64, AT>(ctx, (former >> 32 << 32 | u64::from(lower)).to_be()).map(drop)
}

/// The client's end, and a service.
#[inline(always)]
fn drawn() -> (End, u16) {
    let state = random();
    let end = if KIND.load() == Kind::Flows as u32 {
        draw::flow(below(state >> 32, FLOWS.load()), NETWORKS.load())
    } else {
        End {
            network: FIRST.load() + below(state >> 32, NETWORKS.load()),
            host: (state >> 24) as u8,
            port: 1024 + below(state >> 12, 60_000) as u16,
        }
    };
    (end, service(state))
}

#[inline(always)]
fn service(bits: u64) -> u16 {
    draw::service(below(bits >> 20, SERVICES))
}

/// The last 32 of these bits as a number below `bound`.
#[inline(always)]
fn below(bits: u64, bound: u32) -> u32 {
    (((bits & 0xffff_ffff) * u64::from(bound)) >> 32) as u32
}

/// The next random bits, by Knuth's MMIX generator, of which the high ones are good.
#[inline(always)]
fn random() -> u64 {
    // SAFETY: a shaker runs on one processor, and a packet in the place of another there ends first; a value lost would be
    // as random.
    unsafe {
        let state = RANDOM.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        RANDOM = state;
        state
    }
}

/// A header's checksum after four bytes of it have changed (RFC 1624, equation 3).
#[inline(always)]
fn updated(sum: u16, former: u32, new: u32) -> u16 {
    let halves = |word: u32| (word >> 16) + (word & 0xffff);
    let sum = u32::from(!sum) + halves(!former) + halves(new);
    let folded = (sum >> 16) + (sum & 0xffff);
    !((folded >> 16) + (folded & 0xffff)) as u16
}

/// What stands `AT` bytes into the packet.
#[inline(always)]
fn field<T: Copy, const AT: usize>(ctx: &XdpContext) -> Option<T> {
    // SAFETY: all of it lies in the packet, says `place`, and its callers read numbers.
    place::<T, AT>(ctx).map(|place| unsafe { place.read_unaligned() })
}

/// Writes what stands `AT` bytes into the packet from now on, and returns what stood there.
#[inline(always)]
fn replace<T: Copy, const AT: usize>(ctx: &XdpContext, new: T) -> Option<T> {
    let place = place::<T, AT>(ctx)?;
    // SAFETY: all of it lies in the packet, says `place`, and its callers read and write numbers.
    unsafe {
        let former = place.read_unaligned();
        place.write_unaligned(new);
        Some(former)
    }
}

/// The place of a `T` that lies in the packet as a whole.
#[inline(always)]
fn place<T, const AT: usize>(ctx: &XdpContext) -> Option<*mut T> {
    let at = ctx.data() + AT;
    (at + size_of::<T>() <= ctx.data_end()).then_some(at as *mut T)
}

/// The licence the kernel sees.
#[unsafe(no_mangle)]
#[unsafe(link_section = "license")]
pub static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
