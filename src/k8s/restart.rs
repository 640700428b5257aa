//! Container restart back-off.
