//! Tables that follow the number of their rows: they grow by small steps, and give back what a
//! crowd took.
//!
//! A vector that doubles is half empty after it did, and stays what it was at its fullest. Where
//! there is a row for each
//! connection that is most of what a connection costs. A step of a sixteenth moves each row sixteen
//! times in its life instead of
//! once, which is little beside an opening handshake; and a large block the system moves without
//! touching it.
//!
//! Not here: what the rows are.

use slab::Slab;
use std::ops::{Index, IndexMut};

/// Room for so many rows is kept: a table that is filled and emptied in every turn is not to be
/// made anew each time.
const SMALL: usize = 64;

/// Smaller steps leave holes in the memory of the process, which those that follow do not fit into.
const STEP_BYTES: usize = 64 << 10;

/// How many rows more a full table takes room for: as many again while it is small.
pub(crate) fn more<T>(rows: usize) -> usize {
    rows.min(STEP_BYTES / size_of::<T>()).max(rows / 16).max(4)
}

/// For how many rows a table keeps room of which most is empty. Between this and the next time half
/// of what is left has to go,
/// or as much to come: so the moving costs each row that came or went a few times its own, whatever
/// the order.
pub(crate) fn fewer(rows: usize, room: usize) -> Option<usize> {
    (room > SMALL && rows < room / 4).then_some(rows * 2)
}

/// Gives back the room of a list of which most is empty.
pub(crate) fn cut<T>(rows: &mut Vec<T>) {
    if let Some(room) = fewer(rows.len(), rows.capacity()) {
        rows.shrink_to(room);
    }
}

/// Rows that keep their number. The next one gets a number that is free.
pub(crate) struct Slots<T> {
    rows: Slab<T>,
    /// The last eighth of the table, as it was when it was full or cut, begins here, …
    boundary: usize,
    /// … and so many rows stand there or behind. When the last of them goes, all of that is given
    /// back: so what a row costs that
    /// comes and goes does not grow with the table, and one that stays far behind keeps the room
    /// before it.
    behind: usize,
}

impl<T> Slots<T> {
    pub(crate) fn new() -> Self {
        Self {
            rows: Slab::new(),
            boundary: 0,
            behind: 0,
        }
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
            self.look_behind();
            self.rows.reserve_exact(more::<T>(self.rows.len()));
        }
        let number = self.rows.insert(row);
        self.behind += usize::from(number >= self.boundary);
        number
    }

    pub(crate) fn remove(&mut self, number: usize) -> Option<T> {
        let row = self.rows.try_remove(number)?;
        if number >= self.boundary {
            self.behind -= 1;
            if self.behind == 0 && self.rows.capacity() > SMALL {
                // Those that come next get the lowest of the numbers that are free, too.
                self.rows.shrink_to_fit();
                self.look_behind();
            }
        }
        Some(row)
    }

    fn look_behind(&mut self) {
        let room = self.rows.capacity();
        self.boundary = room - room / 8;
        self.behind = (self.boundary..room)
            .filter(|number| self.rows.contains(*number))
            .count();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy)]
    enum Step {
        Comes,
        LastGoes,
        FirstGoes,
    }
    use Step::*;

    /// How many rows are moved for each that comes or goes, on the average; and for how many there
    /// is room in the end.
    fn cost(steps: &[(usize, &[Step])]) -> (usize, usize) {
        let (mut slots, mut here, mut moved, mut count) =
            (Slots::new(), std::collections::VecDeque::new(), 0, 0);
        for step in steps
            .iter()
            .flat_map(|(times, steps)| std::iter::repeat_n(*steps, *times).flatten())
        {
            let room = slots.rows.capacity();
            count += 1;
            let gone = match step {
                Comes => {
                    here.push_back(slots.insert([count; 16]));
                    None
                }
                LastGoes => here.pop_back(),
                FirstGoes => here.pop_front(),
            };
            assert_eq!(
                gone.is_some(),
                gone.and_then(|number| slots.remove(number)).is_some()
            );
            if slots.rows.capacity() != room {
                moved += room.max(slots.rows.capacity());
            }
            assert_eq!(slots.len(), here.len());
        }
        (moved / count, slots.rows.capacity())
    }

    #[test]
    fn a_crowd_leaves_no_room_behind() {
        let (moved, room) = cost(&[(100, &[Comes]), (5_000, &[Comes]), (5_000, &[LastGoes])]);
        assert!(
            room <= 128 && moved <= 20,
            "room for {room}, {moved} rows moved for each"
        );
        // Those who stay are far behind, and keep their numbers.
        let (moved, room) = cost(&[(5_100, &[Comes]), (5_000, &[FirstGoes])]);
        assert!(
            room >= 5_100 && moved <= 20,
            "room for {room}, {moved} rows moved for each"
        );
        let (moved, room) = cost(&[(5_100, &[Comes]), (5_100, &[FirstGoes])]);
        assert!(
            room <= 128 && moved <= 20,
            "room for {room}, {moved} rows moved for each"
        );
    }

    #[test]
    fn a_few_who_come_and_go_move_nobody() {
        let (moved, room) = cost(&[
            (10_000, &[Comes]),
            (50_000, &[Comes, LastGoes]),
            (50_000, &[FirstGoes, Comes]),
        ]);
        assert!(
            moved <= 2 && room < 11_000,
            "room for {room}, {moved} rows moved for each"
        );
    }

    #[test]
    fn a_table_that_is_mostly_empty_keeps_room_for_twice_as_many() {
        assert_eq!(
            [fewer(0, 64), fewer(0, 65), fewer(15, 65), fewer(16, 65)],
            [None, Some(0), Some(30), None]
        );
    }
}
