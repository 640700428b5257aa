//! From changes to files: what is written says what it should, and nothing else
//! of the user's texts is touched.

mod charts;
mod export;
mod overlays;
mod patches;
mod random;
mod real;
mod support;
