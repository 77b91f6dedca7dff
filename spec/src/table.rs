//! A map as one sorted vector: what a [`State`](crate::State) keeps its seats, workers and tasks in.
//!
//! An exploration copies, hashes and compares states all the time, and small ones: a vector does that several times
//! faster than a tree. Ids are handed out in ascending order, so that a new one goes to the end, or nearly so, and the
//! table of a log's hundred thousands of tasks grows as fast as a vector does.

use core::fmt;
use core::ops::Index;

/// A key that has a word for it.
pub trait Id: Ord {
    /// That there is no such thing.
    const UNKNOWN: &'static str;
}

/// Values by their keys, in the order of the keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table<K, V>(Vec<(K, V)>);

impl<K: Ord, V> Table<K, V> {
    fn place(&self, key: &K) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| other.cmp(key))
    }

    /// The value of a key.
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|at| &self.0[at].1)
    }

    /// The value of a key, to change it.
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        self.place(key).ok().map(|at| &mut self.0[at].1)
    }

    /// Whether the key has a value.
    pub fn contains_key(&self, key: &K) -> bool {
        self.place(key).is_ok()
    }

    /// Gives a key its value; gives back the one that it had.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(core::mem::replace(&mut self.0[at].1, value)),
            Err(at) => {
                self.0.insert(at, (key, value));
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
            self.0.insert(at, (key, V::default()));
            at
        });
        &mut self.0[at].1
    }

    /// Takes a key and its value out.
    pub fn remove(&mut self, key: &K) -> Option<V> {
        self.place(key).ok().map(|at| self.0.remove(at).1)
    }

    /// Takes everything out.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// How many keys have a value.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none has.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The keys, in order.
    pub fn keys(&self) -> impl DoubleEndedIterator<Item = &K> {
        self.0.iter().map(|(key, _)| key)
    }

    /// The values, in the order of their keys.
    pub fn values(&self) -> impl DoubleEndedIterator<Item = &V> {
        self.0.iter().map(|(_, value)| value)
    }

    /// The values, to change them.
    pub fn values_mut(&mut self) -> impl DoubleEndedIterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| value)
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
        Table(Vec::new())
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
    type IntoIter = core::iter::Map<core::slice::Iter<'a, (K, V)>, fn(&'a (K, V)) -> (&'a K, &'a V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter().map(|(key, value)| (key, value))
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
