//! What holds when processes die, connections break and input is bad.
