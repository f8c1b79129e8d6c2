//! A map whose bytes are bounded: two generations, of which the older is dropped when the younger is full, and what is
//! used moves to the younger.

use std::collections::HashMap;
use std::hash::{BuildHasher as _, BuildHasherDefault, Hash, Hasher, RandomState};
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

/// A key with its hash, which is made once: a key may be long.
#[derive(Debug)]
pub(crate) struct Keyed<K> {
    hash: u64,
    key: K,
}

/// What was kept of a generation: values, and the bytes that each takes.
type Kept<K, V> = HashMap<Keyed<K>, (V, usize), BuildHasherDefault<AsIs>>;

struct Shard<K, V> {
    young: Kept<K, V>,
    old: Kept<K, V>,
    young_bytes: usize,
}

/// Takes the hash of a [`Keyed`] for its own.
#[derive(Default)]
struct AsIs(u64);

impl Hasher for AsIs {
    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn write(&mut self, bytes: &[u8]) {
        // Nothing but hashes is written.
        self.0 = bytes.iter().fold(self.0, |hash, byte| hash.rotate_left(8) ^ u64::from(*byte));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl<K> Hash for Keyed<K> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

impl<K: PartialEq> PartialEq for Keyed<K> {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl<K: Eq> Eq for Keyed<K> {}

impl<K, V> std::fmt::Debug for Shard<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shard").field("young", &self.young.len()).field("old", &self.old.len()).finish_non_exhaustive()
    }
}

impl<K: Hash + Eq, V: Clone> Generations<K, V> {
    /// One that keeps `most_bytes` at most.
    pub(crate) fn new(most_bytes: usize) -> Self {
        let shard = || Shard { young: Kept::default(), old: Kept::default(), young_bytes: 0 };
        Self {
            shards: std::array::from_fn(|_| Mutex::new(shard())),
            hashing: RandomState::new(),
            most_bytes: most_bytes / SHARDS / 2,
        }
    }

    /// A key as it is asked for and kept under.
    pub(crate) fn keyed(&self, key: K) -> Keyed<K> {
        Keyed { hash: self.hashing.hash_one(&key), key }
    }

    /// What was kept under `key`, where it still holds.
    pub(crate) fn get(&self, key: &Keyed<K>, holds: impl Fn(&V) -> bool) -> Option<V> {
        let mut shard = self.shard(key);
        if let Some((value, _)) = shard.young.get(key) {
            return holds(value).then(|| value.clone());
        }
        let (key, (value, bytes)) = shard.old.remove_entry(key).filter(|(_, (value, _))| holds(value))?;
        shard.keep(key, value.clone(), bytes, self.most_bytes);
        Some(value)
    }

    /// Keeps a value that takes about so many bytes.
    pub(crate) fn keep(&self, key: Keyed<K>, value: V, bytes: usize) {
        self.shard(&key).keep(key, value, bytes, self.most_bytes);
    }

    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        let shards = self.shards.iter().map(|shard| shard.lock().unwrap());
        shards.map(|shard| shard.young.len() + shard.old.len()).sum()
    }

    fn shard(&self, key: &Keyed<K>) -> MutexGuard<'_, Shard<K, V>> {
        // By bits that maps look at last.
        let at = (key.hash >> 40) % SHARDS as u64;
        self.shards[at as usize].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Hash + Eq, V> Shard<K, V> {
    fn keep(&mut self, key: Keyed<K>, value: V, bytes: usize, most_bytes: usize) {
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
