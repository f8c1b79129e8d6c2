//! A map whose bytes are bounded: two generations, of which the older is dropped when the younger is full, and what is
//! used moves to the younger.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::mem;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Shards, so that callers seldom wait for one another.
const SHARDS: usize = 16;

/// What was kept last, within a bound of bytes.
#[derive(Debug)]
pub(crate) struct Generations<K, V> {
    shards: [Mutex<Shard<K, V>>; SHARDS],
    hashing: RandomState,
    /// Most bytes of a generation of a shard.
    most_bytes: usize,
}

struct Shard<K, V> {
    /// Values, and the bytes that each takes.
    young: HashMap<K, (V, usize)>,
    old: HashMap<K, (V, usize)>,
    young_bytes: usize,
}

impl<K, V> std::fmt::Debug for Shard<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("young", &self.young.len()).field("old", &self.old.len()).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    /// One that keeps `most_bytes` at most.
    pub(crate) fn new(most_bytes: usize) -> Self {
        let shard = || Shard { young: HashMap::new(), old: HashMap::new(), young_bytes: 0 };
        Self {
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            hashing: RandomState::new(),
            most_bytes: most_bytes / SHARDS / 2,
        }
    }

    /// What was kept under `key`, where it still holds.
    pub(crate) fn get(&self, key: &K, holds: impl Fn(&V) -> bool) -> Option<V> {
        let mut shard = self.shard(key);
        if let Some((value, _)) = shard.young.get(key) {
            return holds(value).then(|| value.clone());
        }
        let (key, (value, bytes)) = shard.old.remove_entry(key).filter(|(_, (value, _))| holds(value))?;
        shard.keep(key, value.clone(), bytes, self.most_bytes);
        Some(value)
    }

    /// Keeps a value that takes about so many bytes.
    pub(crate) fn keep(&self, key: K, value: V, bytes: usize) {
        self.shard(&key).keep(key, value, bytes, self.most_bytes);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap());
        shards.map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, Shard<K, V>> {
        let at = self.hashing.hash_one(key) % SHARDS as u64;
        self.shards[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    fn keep(&mut self, key: K, value: V, bytes: usize, most_bytes: usize) {
        if self.young_bytes + bytes > most_bytes {
            self.old = mem::take(&mut self.young);
            self.young_bytes = 0;
        }
        if let Some((_, before)) = self.young.insert(key, (value, bytes)) {
            self.young_bytes -= before;
        }
        self.young_bytes += bytes;
    }
}
