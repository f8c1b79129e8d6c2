//! Conversions of the discovery service's resources.
