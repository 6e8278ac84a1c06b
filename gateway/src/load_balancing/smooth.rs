//! Turns by weight, spread evenly: 5, 1, 1 gives a a b a c a a and not a a a a a b c (nginx calls it smooth).
//!
//! Everybody who may be chosen is paid its weight. The richest is chosen, and pays what all were paid together.

use std::sync::{Mutex, PoisonError};

/// What each has saved, in the order of the set.
#[derive(Debug)]
pub(super) struct Smooth {
    saved: Mutex<Vec<i64>>,
}

impl Smooth {
    /// Turns among so many.
    pub(super) fn new(count: usize) -> Self {
        Self { saved: Mutex::new(vec![0; count]) }
    }

    /// Whose turn it is among these, each with its weight. Those left out neither gain nor lose.
    pub(super) fn turn(&self, of: impl Iterator<Item = (usize, u32)>) -> Option<usize> {
        let mut saved = self.saved.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all = 0;
        let mut richest: Option<(usize, i64)> = None;
        for (index, weight) in of {
            let own = saved.get_mut(index)?;
            *own += i64::from(weight);
            all += i64::from(weight);
            // Among equals the first.
            if richest.is_none_or(|(_, most)| *own > most) {
                richest = Some((index, *own));
            }
        }
        let (chosen, _) = richest?;
        *saved.get_mut(chosen)? -= all;
        Some(chosen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn turns(smooth: &Smooth, weights: &[(usize, u32)], count: usize) -> Vec<usize> {
        (0..count).map(|_| smooth.turn(weights.iter().copied()).unwrap()).collect()
    }

    #[test]
    fn the_heavy_one_does_not_come_in_a_row() {
        let smooth = Smooth::new(3);
        assert_eq!(turns(&smooth, &[(0, 5), (1, 1), (2, 1)], 7), [0, 0, 1, 0, 2, 0, 0]);
    }

    #[test]
    fn who_is_left_out_for_a_while_does_not_catch_up() {
        let smooth = Smooth::new(3);
        assert_eq!(turns(&smooth, &[(0, 1), (2, 1)], 4), [0, 2, 0, 2]);
        assert_eq!(turns(&smooth, &[(0, 1), (1, 1), (2, 1)], 3), [0, 1, 2]);
        assert_eq!(smooth.turn(std::iter::empty()), None);
    }
}
