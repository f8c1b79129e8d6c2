//! Discover: research and the opportunity tree.
