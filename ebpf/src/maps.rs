//! The maps. What stands in them is `cmgate_common::layout`'s to say; how many entries they have is the loader's.

use aya_ebpf::Global;
use aya_ebpf::btf_maps::{Array, PerCpuArray, ProgramArray, RingBuf};
use aya_ebpf::macros::btf_map;
use cmgate_common::engine::flows::Question;
use cmgate_common::layout::counters::{
    self, FLOW_COUNTERS, FlowCount, FlowName, HOOKS, INTERFACES, RowCounts, Tally,
};
use cmgate_common::layout::entry::Set;
use cmgate_common::layout::image::Page;
use cmgate_common::layout::shadow::{self, Disagreement, Handed};
use cmgate_common::packet::Found;

use crate::flows::Asker;
use crate::frame::SPARE;

/// `BPF_F_MMAPABLE` (Linux 5.5): user space writes the map as memory.
const MMAPABLE: usize = 1 << 10;

/// Where the last word of an image in [`TABLES`] starts, in bytes from the image's start; its length is a power of two.
#[unsafe(no_mangle)]
pub static LAST_WORD: Global<u64> = Global::new(size_of::<Page>() as u64 - 4);
/// Where the last tags in [`RECENT`] start, in bytes from the first; their number is a power of two.
#[unsafe(no_mangle)]
pub static LAST_TAGS: Global<u64> = Global::new(0);
/// Entries of [`PENDING`] less one.
#[unsafe(no_mangle)]
pub static PENDING_MASK: Global<u32> = Global::new(3);
/// Entries of [`ANSWERED`] less one.
#[unsafe(no_mangle)]
pub static ANSWERED_MASK: Global<u32> = Global::new(3);
/// Entries of [`FRAGMENTS`] less one.
#[unsafe(no_mangle)]
pub static FRAGMENTS_MASK: Global<u32> = Global::new(3);

/// Which generation rules: a [`Control`](cmgate_common::layout::control::Control).
///
/// This, [`TABLES`] and [`RECENT`] are the one value each of a map that the agent makes, and whose address the kernel writes into
/// the programs: it costs no look-up. The agent knows which map by the section's name. Nothing stands here but a name for that
/// address, which [`crate::tables`] takes without looking.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.CONTROL")]
pub static mut CONTROL: u64 = 0;
/// The images, one behind the other, each up to the end of its [`LAST_WORD`].
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.TABLES")]
pub static mut TABLES: u64 = 0;
/// What was found of flows a moment ago: a [`Tags`](cmgate_common::layout::tag::Tags) for each place.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".bss.RECENT")]
pub static mut RECENT: u64 = 0;
/// Flows nobody has answered.
#[btf_map]
pub static PENDING: Array<Set, 2, MMAPABLE> = Array::new();
/// Flows with an answer.
#[btf_map]
pub static ANSWERED: Array<Set, 2, MMAPABLE> = Array::new();
/// Ports of first fragments.
#[btf_map]
pub static FRAGMENTS: Array<Set, 2, MMAPABLE> = Array::new();
/// Frames and bytes by outcome, of each hook and interface row.
#[btf_map]
pub static OUTCOMES: PerCpuArray<RowCounts, { (HOOKS * INTERFACES) as usize }> = PerCpuArray::new();
/// Frames and bytes by flow.
#[btf_map]
pub static FLOWS: PerCpuArray<FlowCount, { FLOW_COUNTERS as usize }> = PerCpuArray::new();
/// The flow id each counter of [`FLOWS`] belongs to. The programs do not read it.
#[btf_map]
pub static NAMES: Array<FlowName, { FLOW_COUNTERS as usize }> = Array::new();
/// What a program asks of the flow tables; see [`crate::flows`].
#[btf_map]
pub static QUESTIONS: PerCpuArray<Question, { Asker::COUNT }> = PerCpuArray::new();
/// A packet that was read in general, by [`Asker`], too; see [`crate::general`].
#[btf_map]
pub static PACKETS: PerCpuArray<Found, { Asker::COUNT }> = PerCpuArray::new();
/// A header that does not lie in its frame's first buffer, by [`Asker`], too.
#[btf_map]
pub static SPARES: PerCpuArray<[u8; SPARE], { Asker::COUNT }> = PerCpuArray::new();
/// What happens beside the verdicts.
#[btf_map]
pub static TALLIES: PerCpuArray<Tally, { counters::TALLIES as usize }> = PerCpuArray::new();
/// By hook: what was decided, for the shadow's program.
#[btf_map]
pub static HANDED: PerCpuArray<Handed, { HOOKS as usize }> = PerCpuArray::new();
/// Where a shadow would do otherwise, by flow.
#[btf_map]
pub static DISAGREEMENTS: PerCpuArray<Disagreement, { shadow::DISAGREEMENTS as usize }> = PerCpuArray::new();
/// The shadow's program for what comes in.
#[btf_map]
pub static SHADOW_INGRESS: ProgramArray<1> = ProgramArray::new();
/// The shadow's program for what leaves.
#[btf_map]
pub static SHADOW_EGRESS: ProgramArray<1> = ProgramArray::new();
/// Sampled drops, each a `cmgate_common::layout::counters::Event`. The map itself has no value type: libbpf refuses one.
#[btf_map]
pub static EVENTS: RingBuf<(), { 1 << 20 }> = RingBuf::new();
