//! Graphium.
