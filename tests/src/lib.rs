//! Rig for tests against the real kernel.
