//! What every RPC of the contract must do, walked off the descriptor set, and the answers to bad input.

mod access;
mod bad_input;
mod fuzz;
mod messages;
mod tokens;
