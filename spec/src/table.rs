//! A map as one sorted vector: what a [`State`](crate::State) keeps its seats, workers and tasks in.
//!
//! An exploration copies, hashes and compares states all the time, and small ones: a vector does that several times
//! faster than a tree. Ids are handed out in ascending order, so that a new one goes to the end, or nearly so, and the
//! table of a log's hundred thousands of tasks grows as fast as a vector does; and an event is nearly always about the same
//! worker and task as the one before it, or about the next.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Index;
use std::collections::{VecDeque, vec_deque};

/// A key that has a word for it.
pub trait Id: Ord {
    /// That there is no such thing.
    const UNKNOWN: &'static str;
}

/// Values by their keys, in the order of the keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table<K, V> {
    entries: VecDeque<(K, V)>,
    last: Last,
}

/// Where a key was found last: no part of the value.
#[derive(Clone, Copy, Default)]
struct Last(usize);

impl PartialEq for Last {
    fn eq(&self, _: &Last) -> bool {
        true
    }
}

impl Eq for Last {}

impl Ord for Last {
    fn cmp(&self, _: &Last) -> Ordering {
        Ordering::Equal
    }
}

impl PartialOrd for Last {
    fn partial_cmp(&self, other: &Last) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Last {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<K: Ord, V> Table<K, V> {
    /// Where a key stands, or would stand.
    #[inline]
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.place_near(self.last.0, key)
    }

    /// As [`place`](Self::place), and quick if that is here, or the next place.
    #[inline]
    fn place_near(&self, here: usize, key: &K) -> Result<usize, usize> {
        for at in [here, here + 1] {
            if self.entries.get(at).is_some_and(|(other, _)| other == key) {
                return Ok(at);
            }
        }
        self.search(key)
    }

    #[inline(never)]
    fn search(&self, key: &K) -> Result<usize, usize> {
        match self.entries.back() {
            Some((last, _)) if last >= key => self.entries.binary_search_by(|(other, _)| other.cmp(key)),
            _ => Err(self.entries.len()),
        }
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|at| &self.entries[at].1)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let at = self.place(key).ok()?;
        self.last.0 = at;
        Some(&mut self.entries[at].1)
    }

    /// The values of those keys that have one: quick if the keys ascend.
    pub fn get_all(&self, keys: impl Iterator<Item = K>) -> impl Iterator<Item = &V> {
        let mut last = 0;
        keys.filter_map(move |key| {
            last = self.place_near(last, &key).ok()?;
            Some(&self.entries[last].1)
        })
    }

    /// Whether the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// Gives a key its value; gives back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(core::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (key, value));
                None
            }
        }
    }

    /// The value of a key, to change it: a new one if there was none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.place(&key).unwrap_or_else(|at| {
            self.entries.insert(at, (key, V::default()));
            at
        });
        &mut self.entries[at].1
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        let at = self.place(key).ok()?;
        self.entries.remove(at).map(|(_, value)| value)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.entries.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.entries.iter_mut().map(|(_, value)| value)
    }

    /// The keys and their values, in order.
    pub fn iter(&self) -> <&Table<K, V> as IntoIterator>::IntoIter {
        self.into_iter()
    }
}

impl<K: Id, V> Table<K, V> {
    /// The value of an id, to change it; or, in words, that there is none.
    pub fn find(&mut self, id: K) -> Result<&mut V, &'static str> {
        self.get_mut(&id).ok_or(K::UNKNOWN)
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { entries: VecDeque::new(), last: Last(0) }
    }
}

impl<K: Ord, V> Index<&K> for Table<K, V> {
    type Output = V;

    /// The value of a key that is known to have one.
    fn index(&self, key: &K) -> &V {
        self.get(key).expect("the key has a value")
    }
}

impl<'a, K, V> IntoIterator for &'a Table<K, V> {
    type Item = (&'a K, &'a V);
    type IntoIter = core::iter::Map<vec_deque::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.iter().map(|(key, value)| (key, value))
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Table<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::Table;

    #[test]
    fn a_key_is_found_whether_others_are_gone_or_not() {
        for gone in 0..1_usize << 7 {
            let mut table = Table::default();
            (3..10).for_each(|key| assert_eq!(table.insert(key, key), None));
            let is_gone = |key: usize| (3..10).contains(&key) && gone >> (key - 3) & 1 == 1;
            (3..10).filter(|key| is_gone(*key)).for_each(|key| assert_eq!(table.remove(&key), Some(key)));
            for key in 0..13 {
                let expected = Some(key).filter(|key| (3..10).contains(key) && !is_gone(*key));
                assert_eq!(table.get(&key).copied(), expected, "{key} of {table:?}");
            }
            (0..13).for_each(|key| *table.get_or_default(key) = key);
            assert!(table.keys().copied().eq(0..13), "{table:?}");
        }
    }

    #[test]
    fn a_table_is_a_map() {
        let mut table = Table::default();
        assert_eq!([3, 1, 2, 1].map(|key| table.insert(key, key * 10)), [None, None, None, Some(10)]);
        assert_eq!(table.iter().map(|(key, value)| (*key, *value)).collect::<Vec<_>>(), [(1, 10), (2, 20), (3, 30)]);
        assert_eq!((table.get(&2), table.get(&4), table.len()), (Some(&20), None, 3));
        assert_eq!((table.remove(&2), table.remove(&2), table[&3]), (Some(20), None, 30));
        assert_eq!(format!("{table:?}"), "{1: 10, 3: 30}");
        *table.get_or_default(3) += 1;
        *table.get_or_default(2) += 1;
        assert_eq!(format!("{table:?}"), "{1: 10, 2: 1, 3: 31}");
        table.clear();
        assert!(table.is_empty() && !table.contains_key(&1));
    }
}
