//! Measure: metrics, predictions and outcomes.
