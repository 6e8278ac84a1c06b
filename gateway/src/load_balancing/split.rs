//! Splits the calls of one RPC between upstreams, so that a new version gets a few of a hundred (a canary).
//!
//! Calls are dealt out in turn and not by lot: of any hundred calls in a row each upstream gets exactly its part. They
//! are not tied to a client, who may meet both versions within a second: what must not be is no canary.

use super::smooth::Smooth;

/// Where the calls of an RPC go.
#[derive(Debug)]
pub(crate) struct Split<U> {
    home: U,
    parts: Vec<(U, u32)>,
    turns: Smooth,
}

impl<U> Split<U> {
    /// To each its part; to the home everything when there are no parts.
    pub(crate) fn new(home: U, parts: Vec<(U, u32)>) -> Self {
        let turns = Smooth::new(parts.len());
        Self { home, parts, turns }
    }

    /// Who takes the next call.
    pub(crate) fn next(&self) -> &U {
        if self.parts.is_empty() {
            return &self.home;
        }
        let weights = self.parts.iter().map(|(_, weight)| *weight).enumerate();
        let turn = self.turns.turn(weights.filter(|(_, weight)| *weight > 0));
        let part = turn.and_then(|turn| self.parts.get(turn));
        part.map_or(&self.home, |(upstream, _)| upstream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_hundred_calls_each_gets_its_part() {
        let split = Split::new("home", vec![("old", 95), ("new", 5), ("off", 0)]);
        let calls: Vec<&str> = (0..300).map(|_| *split.next()).collect();
        for hundred in calls.windows(100) {
            assert_eq!(hundred.iter().filter(|upstream| **upstream == "new").count(), 5);
        }
        assert!(!calls.contains(&"off"));
        assert!(!calls.contains(&"home"));
        assert_eq!(Split::new("home", Vec::new()).next(), &"home");
    }
}
