use std::time::Duration;

use tokio::time;

use super::*;

/// Writes an arrival down as a limiter would; answers what was there before.
fn arrive(kept: &Kept, key: Key, arrival: u64) -> Option<u64> {
    let visit = Visit { key, charge: true };
    let seen =
        |before: Option<Nanos>| Ok::<_, ()>((before.map(Nanos::as_u64), Nanos::from(arrival)));
    kept.measure_and_replace(&visit, seen).unwrap()
}

fn kept() -> Kept {
    Kept(Arc::new(Table::new()))
}

/// A key that falls into the first piece.
fn in_the_first_piece(number: u64) -> Key {
    Key([0, number])
}

const HOUR: u64 = 3_600_000_000_000;

#[test]
fn the_same_subject_has_one_key_and_another_table_another() {
    let (first, second) = (Table::new(), Table::new());
    assert_eq!(first.key(&"ada"), first.key(&"ada"));
    assert_ne!(first.key(&"ada"), first.key(&"bob"));
    assert_ne!(first.key(&"ada"), second.key(&"ada"), "nobody can work keys out beforehand");
}

#[tokio::test(start_paused = true)]
async fn a_full_piece_keeps_every_limited_key_and_new_ones_share_an_entry() {
    let kept = kept();
    let room = KEYS_PER_SHARD as u64;
    for number in 0..room {
        assert_eq!(arrive(&kept, in_the_first_piece(number), HOUR + number), None);
    }
    // What one new key leaves is what the next one finds.
    assert_eq!(arrive(&kept, in_the_first_piece(room), 7), None);
    assert_eq!(arrive(&kept, in_the_first_piece(room + 1), 8), Some(7));
    for number in 0..room {
        let found = arrive(&kept, in_the_first_piece(number), HOUR + number);
        assert_eq!(found, Some(HOUR + number), "a limited key was forgotten");
    }
    assert_eq!(kept.0.len(), KEYS_PER_SHARD);
    // Other pieces have room.
    assert_eq!(arrive(&kept, Key([1, 0]), HOUR), None);
    assert_eq!(arrive(&kept, Key([1, 0]), HOUR), Some(HOUR));
}

#[tokio::test(start_paused = true)]
async fn what_is_as_good_as_never_seen_makes_room() {
    let kept = kept();
    let room = KEYS_PER_SHARD as u64;
    for number in 0..room {
        arrive(&kept, in_the_first_piece(number), if number % 2 == 0 { HOUR } else { 2 * HOUR });
    }
    assert_eq!(arrive(&kept, in_the_first_piece(room), 3 * HOUR), None);
    assert_eq!(kept.0.len(), KEYS_PER_SHARD, "there was no room");
    time::advance(Duration::from_nanos(HOUR)).await;
    assert_eq!(arrive(&kept, in_the_first_piece(room), 3 * HOUR), None);
    assert_eq!(kept.0.len(), KEYS_PER_SHARD / 2 + 1);
    // Who is still limited is still there.
    assert_eq!(arrive(&kept, in_the_first_piece(1), 2 * HOUR), Some(2 * HOUR));
    assert_eq!(arrive(&kept, in_the_first_piece(2), 2 * HOUR), None);
}

#[tokio::test(start_paused = true)]
async fn keys_that_come_once_do_not_make_a_table_grow() {
    let kept = kept();
    for number in 0..100_000 {
        arrive(&kept, in_the_first_piece(number), 1);
        time::advance(Duration::from_nanos(2)).await;
    }
    assert!(kept.0.len() < 10, "{} keys", kept.0.len());
}

#[test]
fn a_million_keys_fit_into_a_hundred_megabytes() {
    const KEYS: usize = 1_000_000;
    let kept = kept();
    for number in 0..KEYS {
        let key = kept.0.key(&number);
        assert_eq!(arrive(&kept, key, HOUR + number as u64), None, "{number}");
    }
    assert_eq!(kept.0.len(), KEYS, "each has its own entry");
    // A table of the standard library has a byte of its own for each slot, and an eighth of its slots stay free.
    let slots = kept.0.shards.iter().map(|shard| lock(shard).arrivals.capacity() * 8 / 7 + 1);
    let bytes =
        slots.sum::<usize>() * (size_of::<(Key, u64)>() + 1) + SHARDS * size_of::<Mutex<Shard>>();
    assert!(bytes < 100_000_000, "{bytes} bytes");
    // Still everybody has what they had.
    assert_eq!(arrive(&kept, kept.0.key(&0_usize), 0), Some(HOUR));
}

#[test]
fn a_whole_table_is_as_large_as_it_can_be() {
    // However many come: so many entries, and one for the others.
    let kept = kept();
    for number in 0..3 * KEYS_PER_SHARD as u64 {
        arrive(&kept, in_the_first_piece(number), HOUR);
    }
    assert_eq!(kept.0.len(), KEYS_PER_SHARD);
    assert!(lock(&kept.0.shards[0]).arrivals.capacity() < 2 * KEYS_PER_SHARD);
}
