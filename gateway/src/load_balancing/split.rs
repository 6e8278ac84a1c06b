//! Splits the calls of one RPC between upstreams, so that a new version gets a few of a hundred (a canary).
//!
//! Calls are dealt out in turn and not by lot: of any hundred calls in a row each upstream gets exactly its part. They
//! are not tied to a client, who may meet both versions within a second: what must not be is no canary.

use super::smooth::Smooth;

/// Where the calls of an RPC go.
#[derive(Debug)]
pub(crate) struct Split<U> {
    parts: Vec<(U, u32)>,
    turns: Smooth,
}

impl<U> Split<U> {
    /// Everything to one.
    pub(crate) fn whole(upstream: U) -> Self {
        Self::between(vec![(upstream, 1)])
    }

    /// To each its part.
    pub(crate) fn between(parts: Vec<(U, u32)>) -> Self {
        let turns = Smooth::new(parts.len());
        Self { parts, turns }
    }

    /// Who takes the next call; none when there is nobody.
    pub(crate) fn next(&self) -> Option<&U> {
        if let [(only, _)] = &self.parts[..] {
            return Some(only);
        }
        let weights = self.parts.iter().map(|(_, weight)| *weight).enumerate();
        let turn = self.turns.turn(weights.filter(|(_, weight)| *weight > 0))?;
        self.parts.get(turn).map(|(upstream, _)| upstream)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_any_hundred_calls_each_gets_its_part() {
        let split = Split::between(vec![("old", 95), ("new", 5), ("off", 0)]);
        let calls: Vec<&str> = (0..300).map(|_| *split.next().unwrap()).collect();
        for hundred in calls.windows(100) {
            assert_eq!(hundred.iter().filter(|upstream| **upstream == "new").count(), 5);
        }
        assert!(!calls.contains(&"off"));
        assert_eq!(Split::whole("one").next(), Some(&"one"));
    }
}
