//! A map as memory: what user space writes, the programs see, and the other way round.
#![expect(unsafe_code, reason = "the memory is the kernel's, mapped into this process")]

use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr::NonNull;
use std::slice;
use std::sync::atomic::{AtomicU32, AtomicU64};

/// A word shared with the programs.
///
/// # Safety
///
/// Every bit pattern is a value, and shared references allow writes by others.
pub unsafe trait Word {}

// SAFETY: an atomic of plain bits.
unsafe impl Word for AtomicU32 {}
// SAFETY: an atomic of plain bits.
unsafe impl Word for AtomicU64 {}

/// An array map in this process's memory, as words. Each value starts at a multiple of eight bytes.
pub struct Shared<W> {
    start: NonNull<W>,
    bytes: usize,
    words: usize,
    _words: PhantomData<W>,
}

// SAFETY: the mapping belongs to the process, and its words are atomics.
unsafe impl<W: Word + Send> Send for Shared<W> {}
// SAFETY: as above.
unsafe impl<W: Word + Sync> Sync for Shared<W> {}

impl<W: Word> Shared<W> {
    /// Maps an array map of `entries` values of `value` bytes. It must have been made with `BPF_F_MMAPABLE`.
    pub fn map(fd: impl AsFd, value: u32, entries: u32) -> io::Result<Self> {
        let bytes = (value as usize).next_multiple_of(8) * entries as usize;
        // SAFETY: the kernel chooses the address, so nothing of ours is mapped over; a length beyond the map's is
        // refused (array_map_mmap).
        let start = unsafe {
            libc::mmap(
                std::ptr::null_mut(),
                bytes,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                fd.as_fd().as_raw_fd(),
                0,
            )
        };
        match NonNull::new(start.cast()) {
            Some(start) if start.as_ptr() != libc::MAP_FAILED.cast() => {
                Ok(Self { start, bytes, words: bytes / size_of::<W>(), _words: PhantomData })
            }
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// The words.
    pub fn words(&self) -> &[W] {
        // SAFETY: the mapping is page-aligned, has room for this many words and lives as long as `self`; the words
        // are atomics, so that others may write them meanwhile.
        unsafe { slice::from_raw_parts(self.start.as_ptr(), self.words) }
    }
}

impl<W> Drop for Shared<W> {
    fn drop(&mut self) {
        // SAFETY: this is the mapping `map` made, and nothing borrows it any more.
        unsafe { libc::munmap(self.start.as_ptr().cast(), self.bytes) };
    }
}
