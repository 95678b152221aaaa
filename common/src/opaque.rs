//! Values the verifier must not know.

/// Hides what a value is. What the verifier knows of a value on one path it carries along, and verifies what comes
/// behind once for every such path; a loop or a parser multiplies them past its limit.
pub trait Opaque {
    /// `value` itself. In the programs it passes through an operation whose result the verifier cannot know.
    #[inline(always)]
    fn forget(&self, value: u64) -> u64 {
        value
    }

    /// The same of half a word.
    #[inline(always)]
    fn forget_half(&self, value: u32) -> u32 {
        value
    }
}
