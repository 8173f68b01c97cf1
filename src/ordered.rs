//! Rows in the order of their keys, packed: for tables with a row for each user, or each member of
//! a channel.
//!
//! A tree's nodes have room for nearly twice as many rows as are put in at the end, which is where
//! nearly all come: who has a
//! new session has the greatest number. Here the rows stand in runs, one after another, each full
//! before the next begins; only
//! one into the middle of which somebody comes back is cut in two. A row moves past those of its
//! own run alone, so its cost is
//! that of a search, and does not grow with the table.
//!
//! Not here: tables without an order (`tables`).

/// Rows of a run. Longer ones would be moved about for longer; of shorter ones there would be more
/// to be searched.
const RUN: usize = 64;

/// Rows in the order of their keys.
#[derive(Debug)]
pub(crate) struct Ordered<K, V> {
    /// None is empty.
    runs: Vec<Vec<(K, V)>>,
    rows: usize,
}

impl<K: Copy + Ord, V> Ordered<K, V> {
    pub(crate) const fn new() -> Self {
        Self {
            runs: Vec::new(),
            rows: 0,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    pub(crate) fn get(&self, key: K) -> Option<&V> {
        let (run, place) = self.find(key);
        place.ok().map(|place| &self.runs[run][place].1)
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut V> {
        let (run, place) = self.find(key);
        place.ok().map(|place| &mut self.runs[run][place].1)
    }

    pub(crate) fn contains(&self, key: K) -> bool {
        self.get(key).is_some()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (K, &V)> {
        self.runs.iter().flatten().map(|(key, value)| (*key, value))
    }

    /// Returns what stood there.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Option<V> {
        let (mut run, place) = self.find(key);
        let mut place = match place {
            Ok(place) => return Some(std::mem::replace(&mut self.runs[run][place].1, value)),
            Err(place) => place,
        };
        self.rows += 1;
        match self.runs.get_mut(run) {
            Some(full) if full.len() == RUN => {
                // At the end of all, where most come, a new one begins; in the middle there is to
                // be room on both sides.
                let kept = if place == RUN { RUN } else { RUN / 2 };
                let behind = full.split_off(kept);
                full.shrink_to_fit();
                self.runs.insert(run + 1, behind);
                if place >= kept {
                    (run, place) = (run + 1, place - kept);
                }
            }
            Some(_) => {}
            None => self.runs.push(Vec::new()),
        }
        self.runs[run].insert(place, (key, value));
        None
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<V> {
        let (run, place) = self.find(key);
        let (_, value) = self.runs[run..].first_mut()?.remove(place.ok()?);
        self.rows -= 1;
        let left = &mut self.runs[run];
        if left.is_empty() {
            self.runs.remove(run);
            if self.runs.len() < self.runs.capacity() / 4 {
                self.runs.shrink_to(self.runs.len() * 2);
            }
        } else if left.len() < left.capacity() / 4 {
            left.shrink_to(left.len() * 2);
        }
        Some(value)
    }

    /// The run that a key belongs to, and where it stands or would stand in it. Without rows there
    /// is no run.
    fn find(&self, key: K) -> (usize, Result<usize, usize>) {
        let run = self
            .runs
            .partition_point(|run| run[0].0 <= key)
            .saturating_sub(1);
        let rows = self.runs.get(run).map_or(&[][..], Vec::as_slice);
        (run, rows.binary_search_by_key(&key, |(key, _)| *key))
    }
}

impl<K: Copy + Ord, V> Default for Ordered<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn it_is_a_map_whatever_the_order() {
        let (mut ordered, mut map, mut random) = (Ordered::new(), BTreeMap::new(), 1_u64);
        for step in 0..60_000_u64 {
            random = random
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            // It grows to thousands, by keys from everywhere and at the end, and shrinks to
            // nothing, twice.
            let (grows, key) = (
                step % 30_000 < 15_000,
                if step % 3 == 0 { step } else { random >> 50 },
            );
            match grows || random % 8 == 0 {
                true => assert_eq!(
                    ordered.insert(key, step),
                    map.insert(key, step),
                    "step {step}"
                ),
                false => {
                    let key = map
                        .range(key..)
                        .next()
                        .or(map.iter().next())
                        .map_or(key, |(key, _)| *key);
                    assert_eq!(ordered.remove(key), map.remove(&key), "step {step}");
                }
            }
            assert_eq!(
                (ordered.get(key), ordered.len()),
                (map.get(&key), map.len()),
                "step {step}"
            );
            if step % 1_000 == 0 {
                assert!(
                    ordered
                        .iter()
                        .eq(map.iter().map(|(key, value)| (*key, value))),
                    "step {step}"
                );
                assert!(
                    ordered
                        .runs
                        .iter()
                        .all(|run| !run.is_empty() && run.len() <= RUN)
                );
            }
        }
        for key in map.keys() {
            assert!(ordered.contains(*key));
            *ordered.get_mut(*key).expect("it is there") = 7;
            assert_eq!(ordered.remove(*key), Some(7));
        }
        assert!(ordered.is_empty() && ordered.remove(0).is_none() && ordered.runs.capacity() <= 4);
    }

    #[test]
    fn who_comes_at_the_end_leaves_no_gaps() {
        let mut ordered = Ordered::new();
        for key in 0..10_000_u64 {
            ordered.insert(key, ());
        }
        assert_eq!(ordered.runs.len(), 10_000_usize.div_ceil(RUN));
        assert!(ordered.runs.iter().all(|run| run.capacity() <= RUN));
    }
}
