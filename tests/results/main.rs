//! From observations to what people see, on made-up observations.

mod judging;
mod made_up;
mod showing;
