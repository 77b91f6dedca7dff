//! Queues by their keys: a map that shows no queue that is empty.
//!
//! One that becomes empty is put aside until one is needed again, since a pool's queues are empty most of the time; what is
//! put aside is no part of the value. Whoever takes from a queue nearly always takes what stands first or last, and nearly
//! every queue is sorted, since ids only ascend: there is no need to look at all that waits.

use core::{cmp, fmt, hash, ops::Deref};
use std::collections::VecDeque;

use crate::table::{Key, Table};

/// Queues by their keys, in the order of the keys.
pub struct Queues<K, V> {
    queues: Table<K, VecDeque<V>>,
    aside: Vec<VecDeque<V>>,
}

impl<K: Key + Copy, V: Ord> Queues<K, V> {
    /// Puts a value at the end of a queue.
    pub fn push(&mut self, key: K, value: V) {
        if let Some(queue) = self.queues.get_mut(&key) {
            return queue.push_back(value);
        }
        let mut queue = self.aside.pop().unwrap_or_default();
        queue.push_back(value);
        self.queues.insert(key, queue);
    }

    /// Takes a value out of its queue, and says which that was.
    pub fn take(&mut self, value: &V) -> Option<K> {
        let ways: [Way<V>; 3] = [at_an_end, in_order, anywhere];
        let found = |way: Way<V>| self.queues.iter().find_map(|(key, queue)| Some((*key, way(queue, value)?)));
        let (key, at) = ways.into_iter().find_map(found)?;
        let queue = self.queues.get_mut(&key)?;
        if at == 0 {
            queue.pop_front()
        } else {
            queue.remove(at)
        };
        if queue.is_empty() {
            self.aside.extend(self.queues.remove(&key));
        }
        Some(key)
    }

    /// Puts all of one queue at the end of another.
    pub fn pour(&mut self, from: &K, to: K) {
        for value in self.queues.remove(from).unwrap_or_default() {
            self.push(to, value);
        }
    }
}

/// How to find a value in a queue.
type Way<V> = fn(&VecDeque<V>, &V) -> Option<usize>;

fn at_an_end<V: PartialEq>(queue: &VecDeque<V>, value: &V) -> Option<usize> {
    let last = queue.len().checked_sub(1)?;
    if queue[0] == *value { Some(0) } else { Some(last).filter(|last| queue[*last] == *value) }
}

/// Of a queue that is not sorted it may miss the value.
fn in_order<V: Ord>(queue: &VecDeque<V>, value: &V) -> Option<usize> {
    queue.binary_search(value).ok()
}

fn anywhere<V: PartialEq>(queue: &VecDeque<V>, value: &V) -> Option<usize> {
    queue.iter().position(|other| other == value)
}

impl<K, V> Deref for Queues<K, V> {
    type Target = Table<K, VecDeque<V>>;

    fn deref(&self) -> &Table<K, VecDeque<V>> {
        &self.queues
    }
}

impl<K, V> Default for Queues<K, V> {
    fn default() -> Queues<K, V> {
        Queues { queues: Table::default(), aside: Vec::new() }
    }
}

impl<K: Clone, V: Clone> Clone for Queues<K, V> {
    fn clone(&self) -> Queues<K, V> {
        Queues { queues: self.queues.clone(), aside: Vec::new() }
    }
}

impl<K: Eq, V: Eq> Eq for Queues<K, V> {}

impl<K: PartialEq, V: PartialEq> PartialEq for Queues<K, V> {
    fn eq(&self, other: &Queues<K, V>) -> bool {
        self.queues == other.queues
    }
}

impl<K: Ord, V: Ord> Ord for Queues<K, V> {
    fn cmp(&self, other: &Queues<K, V>) -> cmp::Ordering {
        self.queues.cmp(&other.queues)
    }
}

impl<K: Ord, V: Ord> PartialOrd for Queues<K, V> {
    fn partial_cmp(&self, other: &Queues<K, V>) -> Option<cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<K: hash::Hash, V: hash::Hash> hash::Hash for Queues<K, V> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.queues.hash(state);
    }
}

impl<K: fmt::Debug, V: fmt::Debug> fmt::Debug for Queues<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.queues.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::Queues;

    #[test]
    fn what_is_taken_is_gone_and_a_queue_that_is_empty_is_none() {
        let mut queues = Queues::default();
        for (key, value) in [(1_usize, 5), (2, 7), (1, 6), (1, 4), (1, 3), (2, 8)] {
            queues.push(key, value);
        }
        let shown = |queues: &Queues<usize, i32>| format!("{queues:?}");
        assert_eq!(shown(&queues), "{1: [5, 6, 4, 3], 2: [7, 8]}");
        assert_eq!([4, 8, 5, 9].map(|value| queues.take(&value)), [Some(1), Some(2), Some(1), None]);
        assert_eq!(shown(&queues), "{1: [6, 3], 2: [7]}");
        let before = queues.clone();
        assert_eq!((queues.take(&7), shown(&queues)), (Some(2), "{1: [6, 3]}".to_owned()));
        assert!(queues != before && !queues.contains_key(&2));
        queues.push(2, 7);
        assert!(queues == before, "what is put aside is no part of it");
        queues.pour(&1, 2);
        queues.pour(&1, 2);
        assert_eq!(shown(&queues), "{2: [7, 6, 3]}");
    }
}
