//! Open-loop traffic.
