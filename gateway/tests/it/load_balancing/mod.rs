//! Responsibility 5: which endpoint takes a call, as clients and services see it.

mod health;
mod names;
mod split;

use crate::stand::Gate;

/// Asks so many times, one after the other, and expects good answers.
async fn ask(gate: &Gate, times: usize) {
    for _ in 0..times {
        gate.get("/v1/dishes/soup").await.is(200);
    }
}
