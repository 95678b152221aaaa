//! What the kernel and the host share: the frame parser, the decision engine, and the layout of the maps.
#![no_std]
