//! The tables, and what the shop opens with.
//!
//! Always true, and checked by the tables where one row can say it: nothing is negative, and for every product
//! `available + reserved + sold` is the sum of its adjustments. Money is in cents, times are microseconds since 1970.

use rusqlite::{Transaction, params};
use service_kit::{Timestamp, events, store::Migration};

/// In the order in which a database has seen them.
pub(crate) const MIGRATIONS: &[Migration] = &[first];

/// `products.position` is the order of the list. `reservations` has one row per order that ever asked: `RESERVED`
/// becomes `SOLD` or `RELEASED`, and an order that was released before it reserved has a row without items, so that
/// its late reservation is refused. `reservation_items` keep the quote.
const TABLES: &str = "
    CREATE TABLE products (
        position    INTEGER PRIMARY KEY,
        id          TEXT    NOT NULL UNIQUE,
        name        TEXT    NOT NULL,
        description TEXT    NOT NULL,
        price       INTEGER NOT NULL CHECK (price >= 0),
        available   INTEGER NOT NULL DEFAULT 0 CHECK (available >= 0),
        reserved    INTEGER NOT NULL DEFAULT 0 CHECK (reserved >= 0),
        sold        INTEGER NOT NULL DEFAULT 0 CHECK (sold >= 0),
        create_time INTEGER NOT NULL,
        update_time INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE adjustments (
        sequence    INTEGER PRIMARY KEY AUTOINCREMENT,
        product_id  TEXT    NOT NULL REFERENCES products (id),
        delta       INTEGER NOT NULL CHECK (delta <> 0),
        principal   TEXT    NOT NULL,
        create_time INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX adjustments_by_product ON adjustments (product_id);

    CREATE TABLE reservations (
        order_id    TEXT    PRIMARY KEY,
        status      TEXT    NOT NULL CHECK (status IN ('RESERVED', 'SOLD', 'RELEASED')),
        create_time INTEGER NOT NULL,
        update_time INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE reservation_items (
        order_id    TEXT    NOT NULL REFERENCES reservations (order_id),
        line        INTEGER NOT NULL,
        product_id  TEXT    NOT NULL REFERENCES products (id),
        name        TEXT    NOT NULL,
        quantity    INTEGER NOT NULL CHECK (quantity > 0),
        unit_price  INTEGER NOT NULL CHECK (unit_price >= 0),
        PRIMARY KEY (order_id, line)
    ) STRICT, WITHOUT ROWID;
";

/// Name, description, price in cents, stock. Their ids are `p-1` and so on.
const SEEDS: [(&str, &str, i64, i64); 24] = [
    (
        "Mechanical keyboard",
        "Eighty-seven keys, brown switches, a cable that comes off.",
        8_900,
        120,
    ),
    ("Wireless mouse", "Three buttons, one wheel, a battery that lasts a year.", 2_950, 300),
    ("USB-C hub", "Seven ports in a bar of aluminium.", 4_500, 80),
    ("27-inch monitor", "2560 by 1440 pixels, and a stand that turns.", 32_900, 25),
    ("Laptop stand", "Folds flat, holds five kilograms.", 3_900, 60),
    ("Desk lamp", "Warm or cold light, dimmed by a touch.", 5_490, 45),
    ("Noise-cancelling headphones", "Thirty hours of quiet between two charges.", 24_900, 40),
    ("Webcam", "1080p, with a shutter for the rest of the day.", 6_900, 70),
    ("Notebook", "192 dotted pages that lie flat.", 1_490, 500),
    ("Fountain pen", "Steel nib, medium, with a converter.", 3_200, 90),
    ("Espresso cup", "Stoneware, 90 ml, keeps its warmth.", 1_250, 200),
    ("Coffee grinder", "Conical burrs and forty settings.", 12_900, 30),
    ("Electric kettle", "0.9 litres, stops at the degree you choose.", 7_900, 35),
    ("Water bottle", "Steel, 750 ml, cold for a day.", 2_490, 150),
    ("Backpack", "22 litres, with a pocket that holds a laptop.", 9_900, 55),
    ("Umbrella", "Opens by itself and survives a storm.", 3_490, 110),
    ("Bicycle lights", "A white one, a red one, one cable for both.", 4_290, 75),
    ("Yoga mat", "Natural rubber, 5 mm, does not slip.", 5_900, 65),
    ("Running socks", "Two pairs, left and right.", 1_690, 240),
    ("Chess set", "Walnut and maple, weighted pieces.", 8_490, 20),
    ("Jigsaw puzzle", "One thousand pieces of a harbour at night.", 2_190, 85),
    ("House plant", "A rubber fig in a clay pot, hard to kill.", 2_790, 28),
    ("Candle", "Beeswax, burns for forty hours.", 1_890, 130),
    ("Gift card", "Worth exactly what it costs.", 5_000, 1_000),
];

fn first(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    transaction.execute_batch(events::TABLE)?;
    let now = now.as_microsecond();
    for (number, (name, description, price, stock)) in (1..).zip(SEEDS) {
        let id = format!("p-{number}");
        transaction.execute(
            "INSERT INTO products (position, id, name, description, price, available, create_time, update_time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)",
            params![number, id, name, description, price, stock, now],
        )?;
        transaction.execute(
            "INSERT INTO adjustments (product_id, delta, principal, create_time) VALUES (?1, ?2, 'seed', ?3)",
            params![id, stock, now],
        )?;
    }
    Ok(())
}
