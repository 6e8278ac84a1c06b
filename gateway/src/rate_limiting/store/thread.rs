//! Where a store is talked to: on a thread of its own.
//!
//! A gateway with a hundred requests at once would take its store for a slow one, because it reads the answers late. This
//! thread does nothing but ask and read, so what it waits for is the store, or a processor.

use std::sync::Weak;
use std::thread;

use tokio::runtime::Builder;

use super::{Store, pulse};

/// Keeps a store on a thread that ends with it; beside everything else, if there can be no more threads.
pub(super) fn run(store: Weak<Store>) {
    let alone = Builder::new_current_thread().enable_all().build().and_then(|runtime| {
        let store = Weak::clone(&store);
        let thread = thread::Builder::new().name("limits-store".to_owned());
        thread.spawn(move || runtime.block_on(pulse::keep(store)))
    });
    if alone.is_err() {
        tokio::spawn(pulse::keep(store));
    }
}
