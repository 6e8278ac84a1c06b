//! The tables, and the users the shop opens with. Times are microseconds since 1970.

use rusqlite::{Transaction, params};
use service_kit::{Timestamp, store::Migration};

/// In the order in which a database has seen them.
pub(crate) const MIGRATIONS: &[Migration] = &[first];

/// `users.position` is the order of the list; `roles` are separated by commas; `password_hash` is a PHC string.
/// The latest row of `signing_keys` that is a minute old signs; `private_key` is PKCS#8.
const TABLES: &str = "
    CREATE TABLE users (
        position      INTEGER PRIMARY KEY AUTOINCREMENT,
        id            TEXT    NOT NULL UNIQUE,
        email         TEXT    NOT NULL UNIQUE CHECK (email = lower(email)),
        name          TEXT    NOT NULL,
        roles         TEXT    NOT NULL DEFAULT '',
        password_hash TEXT    NOT NULL,
        create_time   INTEGER NOT NULL,
        update_time   INTEGER NOT NULL
    ) STRICT;

    CREATE TABLE signing_keys (
        sequence      INTEGER PRIMARY KEY AUTOINCREMENT,
        kid           TEXT    NOT NULL UNIQUE,
        private_key   BLOB    NOT NULL,
        create_time   INTEGER NOT NULL
    ) STRICT;
";

/// Id, email, name, roles, and the hash of `correct-horse`, stored at the cost that [`crate::password`] asks for.
const SEEDS: [(&str, &str, &str, &str, &str); 3] = [
    (
        "1",
        "root@example.com",
        "Root",
        "admin",
        "$argon2id$v=19$m=19456,t=2,p=1$Kmhm1ml+kG92W7SzMQUsTw$AS5pgUTAtmQ00AHyZsRQ8nNxJ+QgCziggLd/m7ICyss",
    ),
    (
        "123",
        "ada@example.com",
        "Ada Lovelace",
        "",
        "$argon2id$v=19$m=19456,t=2,p=1$O+tkkXt+++DvtUF4Vgr6NQ$70SODLRmKKlL7ZP9o0NZfPnxoRzJ9zyDsZcpZ3WJiwI",
    ),
    (
        "124",
        "bob@example.com",
        "Bob Kahn",
        "",
        "$argon2id$v=19$m=19456,t=2,p=1$s5700GlCA0e/A9wYeS+u/g$WeO18wlz6HvJVzFhC20saOkHVYDGcJ//u2z++DvtNu4",
    ),
];

fn first(transaction: &Transaction<'_>, now: Timestamp) -> rusqlite::Result<()> {
    transaction.execute_batch(TABLES)?;
    for (id, email, name, roles, hash) in SEEDS {
        transaction.execute(
            "INSERT INTO users (id, email, name, roles, password_hash, create_time, update_time)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)",
            params![id, email, name, roles, hash, now.as_microsecond()],
        )?;
    }
    Ok(())
}
