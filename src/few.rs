//! A list of few: up to two stand in it, and only more take memory elsewhere.
//!
//! Most clients are in one channel, most users have one client, most connections get what two
//! topics say. A vector's block for
//! each of those would be a fifth of what an idle member takes.

use std::ops::{Deref, DerefMut};

/// A list in its order.
#[derive(Debug, Default)]
pub(crate) enum Few<T> {
    #[default]
    None,
    One(T),
    Two([T; 2]),
    Many(Box<Many<T>>),
}

/// Boxed: so that the list is no larger than two stand in it.
#[derive(Debug)]
pub(crate) struct Many<T>(Vec<T>);

impl<T: Copy> Few<T> {
    pub(crate) fn push(&mut self, last: T) {
        *self = match std::mem::take(self) {
            Self::None => Self::One(last),
            Self::One(first) => Self::Two([first, last]),
            Self::Two([first, second]) => Self::Many(Box::new(Many(vec![first, second, last]))),
            Self::Many(mut many) => {
                many.0.push(last);
                Self::Many(many)
            }
        };
    }

    /// Takes one out; those behind it move up.
    pub(crate) fn remove(&mut self, position: usize) -> Option<T> {
        let removed = self.get(position).copied()?;
        *self = match std::mem::take(self) {
            Self::None | Self::One(_) => Self::None,
            Self::Two([first, second]) => Self::One(if position == 0 { second } else { first }),
            Self::Many(mut many) => {
                many.0.remove(position);
                match many.0[..] {
                    [first, second] => Self::Two([first, second]),
                    _ => Self::Many(many),
                }
            }
        };
        Some(removed)
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Two(two) => two,
            Self::Many(many) => &many.0,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::None => &mut [],
            Self::One(one) => std::slice::from_mut(one),
            Self::Two(two) => two,
            Self::Many(many) => &mut many.0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_a_list_whatever_its_length() {
        let (mut few, mut list) = (Few::default(), Vec::new());
        // Every length up to five is reached from both sides, and every position is taken out.
        for step in 0..200_u32 {
            if step % 7 < 4 && list.len() < 5 {
                few.push(step);
                list.push(step);
            } else if !list.is_empty() {
                let position = step as usize % list.len();
                assert_eq!(
                    few.remove(position),
                    Some(list.remove(position)),
                    "step {step}"
                );
            }
            assert_eq!(*few, *list, "step {step}");
            assert_eq!(few.remove(list.len()), None, "step {step}");
        }
        assert_eq!(
            size_of::<Few<[u32; 2]>>(),
            size_of::<Vec<u8>>(),
            "two of eight bytes stand where a vector's words would"
        );
        assert_eq!(size_of::<Few<u32>>(), 16);
    }
}
