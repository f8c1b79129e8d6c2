//! What every RPC of the contract must do, walked off the descriptor set.
