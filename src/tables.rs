//! Tables that follow the number of their rows: they grow by small steps, and give back what a crowd took.
//!
//! A vector that doubles is half empty on the average after it did, and stays what it was at its fullest. Where there is a row
//! for each connection that is most of what a connection costs. A step of a sixteenth moves each row sixteen times in
//! its life instead of once, which is little beside an opening handshake.
//!
//! Not here: what the rows are.

use slab::Slab;
use std::ops::{Index, IndexMut};

/// Room for so many rows is kept: a table that is filled and emptied in every turn is not to be made anew each time.
const SMALL: usize = 64;

/// How many rows more a full table takes room for.
pub(crate) fn more(rows: usize) -> usize {
    (rows / 16).max(4)
}

/// For how many rows a table keeps room of which most is empty. Between this and the next time half of what is left has to go,
/// or as much to come: so the moving costs each row that came or went a few times its own, whatever the order.
pub(crate) fn fewer(rows: usize, room: usize) -> Option<usize> {
    (room > SMALL && rows < room / 4).then_some(rows * 2)
}

/// Rows that keep their number. The next one gets a number that is free: the last one given back, or the next.
pub(crate) struct Slots<T> {
    rows: Slab<T>,
    /// With fewer rows than this, empty ones are looked for to be given back.
    looked_for_at: usize,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self { rows: Slab::new(), looked_for_at: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The number that the next row gets.
    pub(crate) fn vacant(&self) -> usize {
        self.rows.vacant_key()
    }

    pub(crate) fn get(&self, number: usize) -> Option<&T> {
        self.rows.get(number)
    }

    pub(crate) fn get_mut(&mut self, number: usize) -> Option<&mut T> {
        self.rows.get_mut(number)
    }

    /// All rows, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.rows.iter().map(|(_, row)| row)
    }

    /// Returns the row's number.
    pub(crate) fn insert(&mut self, row: T) -> usize {
        if self.rows.len() == self.rows.capacity() {
            self.rows.reserve_exact(more(self.rows.len()));
        }
        let number = self.rows.insert(row);
        self.looked_for_at = self.looked_for_at.max(self.rows.len());
        number
    }

    pub(crate) fn remove(&mut self, number: usize) -> Option<T> {
        let row = self.rows.try_remove(number);
        self.give_back();
        row
    }

    /// After a crowd the rows behind the last one taken are given back. Who is left far behind may hold many; so they are looked
    /// for again only when half of the rest has left too.
    fn give_back(&mut self) {
        if self.rows.len() < self.looked_for_at && fewer(self.rows.len(), self.rows.capacity()).is_some() {
            self.rows.shrink_to_fit();
            self.looked_for_at = self.rows.len() / 2;
        }
    }
}

impl<T> Index<usize> for Slots<T> {
    type Output = T;

    fn index(&self, number: usize) -> &T {
        &self.rows[number]
    }
}

impl<T> IndexMut<usize> for Slots<T> {
    fn index_mut(&mut self, number: usize) -> &mut T {
        &mut self.rows[number]
    }
}
