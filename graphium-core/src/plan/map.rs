//! The maps of the planner: in the order of insertion, so that no order of hashes shows.

/// A map by a fast hash whose seed differs from process to process, so that no document can aim at it.
pub(super) type Map<K, V> = indexmap::IndexMap<K, V, foldhash::fast::RandomState>;

/// An empty map with room.
pub(super) fn with_capacity<K, V>(entries: usize) -> Map<K, V> {
    Map::with_capacity_and_hasher(entries, foldhash::fast::RandomState::default())
}
