//! Pending events, handed out by time and then by the order they were put in.
