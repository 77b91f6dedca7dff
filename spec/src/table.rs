//! A map as one sorted vector: what a [`State`](crate::State) keeps its seats, workers and tasks in.
//!
//! An exploration copies, hashes and compares states all the time, and small ones: a vector does that several times
//! faster than a tree. Ids are handed out in ascending order, so that a new one goes to the end, or nearly so, and the
//! table of a log's hundred thousands of tasks grows as fast as a vector does. The same one is nearly always looked for
//! several times; and another one stands as far from the first as their numbers say, by a measure that is learned by searching.

use core::cmp::Ordering;
use core::fmt;
use core::hash::{Hash, Hasher};
use core::ops::Index;
use std::collections::{VecDeque, vec_deque};

/// What a table is sorted by.
pub trait Key: Ord {
    /// How much larger this key is than another one: any number, if it is not, or if nobody can tell.
    fn distance(&self, from: &Self) -> usize;
}

/// A key that has a word for it.
pub trait Id: Key {
    /// That there is no such thing.
    const UNKNOWN: &'static str;
}

/// Values by their keys, in the order of the keys.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Table<K, V> {
    entries: VecDeque<(K, V)>,
    found: Found,
}

/// What the search before found: no part of the value.
#[derive(Clone, Copy, Default)]
struct Found {
    /// Where the key stood.
    at: usize,
    /// How many bits more its distance from the first key had than its place.
    shift: u32,
}

impl PartialEq for Found {
    fn eq(&self, _: &Found) -> bool {
        true
    }
}

impl Eq for Found {}

impl Ord for Found {
    fn cmp(&self, _: &Found) -> Ordering {
        Ordering::Equal
    }
}

impl PartialOrd for Found {
    fn partial_cmp(&self, other: &Found) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Found {
    fn hash<H: Hasher>(&self, _: &mut H) {}
}

impl<K: Key, V> Table<K, V> {
    /// Whether a key stands here.
    #[inline]
    fn stands(&self, at: usize, key: &K) -> bool {
        self.entries.get(at).is_some_and(|(other, _)| other == key)
    }

    /// Where a key stands, or would stand.
    #[inline]
    fn place(&self, key: &K) -> Result<usize, usize> {
        if self.stands(self.found.at, key) { Ok(self.found.at) } else { self.search(key) }
    }

    #[inline(never)]
    fn search(&self, key: &K) -> Result<usize, usize> {
        let (Some((first, _)), Some((last, _))) = (self.entries.front(), self.entries.back()) else { return Err(0) };
        let guess = key.distance(first) >> self.found.shift;
        match guess {
            guess if self.stands(guess, key) => Ok(guess),
            _ if last < key => Err(self.entries.len()),
            _ => self.entries.binary_search_by(|(other, _)| other.cmp(key)),
        }
    }

    /// Turns to a key that is not where one was found last.
    #[inline(never)]
    fn turn_to(&mut self, key: &K) -> Option<()> {
        let at = self.search(key).ok()?;
        self.found.at = at;
        let distance = key.distance(&self.entries[0].0);
        if at > 0 && distance >> self.found.shift != at {
            self.found.shift = (distance / at).max(1).ilog2();
        }
        Some(())
    }

    /// The value of a key.
    #[inline]
    pub fn get(&self, key: &K) -> Option<&V> {
        self.place(key).ok().map(|at| &self.entries[at].1)
    }

    /// The value of a key, to change it.
    #[inline]
    pub fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        if !self.stands(self.found.at, key) {
            self.turn_to(key)?;
        }
        self.entries.get_mut(self.found.at).map(|(_, value)| value)
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
                self.enter(at, key, value);
                None
            }
        }
    }

    fn enter(&mut self, at: usize, key: K, value: V) {
        if at == self.entries.len() {
            self.entries.push_back((key, value));
        } else {
            self.entries.insert(at, (key, value));
        }
    }

    /// The value of a key, to change it: a new one if there was none.
    pub fn get_or_default(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        let at = self.place(&key).unwrap_or_else(|at| {
            self.enter(at, key, V::default());
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
    #[inline]
    pub fn find(&mut self, id: K) -> Result<&mut V, &'static str> {
        self.get_mut(&id).ok_or(K::UNKNOWN)
    }
}

impl<K, V> Default for Table<K, V> {
    fn default() -> Table<K, V> {
        Table { entries: VecDeque::new(), found: Found::default() }
    }
}

impl<K: Key, V> Index<&K> for Table<K, V> {
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
    use super::{Key, Table};

    impl Key for usize {
        fn distance(&self, from: &usize) -> usize {
            self.wrapping_sub(*from)
        }
    }

    #[test]
    fn a_key_is_found_whether_others_are_gone_or_not() {
        for (gone, stride) in (0..1_usize << 7).flat_map(|gone| (1..5).map(move |stride| (gone, stride))) {
            let (mut table, keys) = (Table::default(), 3 * stride..10 * stride);
            let all = || keys.clone().step_by(stride);
            all().for_each(|key| assert_eq!(table.insert(key, key), None));
            let is_gone = |key: usize| gone >> (key / stride - 3) & 1 == 1;
            all().filter(|key| is_gone(*key)).for_each(|key| assert_eq!(table.remove(&key), Some(key)));
            for key in (0..13 * stride).chain((0..13 * stride).rev()) {
                let expected = Some(key).filter(|key| keys.contains(key) && key % stride == 0 && !is_gone(*key));
                assert_eq!(table.get(&key).copied(), expected, "{key} of {table:?}");
                assert_eq!(table.get_mut(&key).copied(), expected, "{key} of {table:?}");
            }
            (0..13 * stride).for_each(|key| *table.get_or_default(key) = key);
            assert!(table.keys().copied().eq(0..13 * stride), "{table:?}");
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
