//! Files in, one scenario out, or every problem found, each at its place.
