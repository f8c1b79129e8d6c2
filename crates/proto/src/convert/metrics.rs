//! Conversions of the metrics service's resources.
