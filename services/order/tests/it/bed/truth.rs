//! What must always be true, read from the three databases.

use rusqlite::Connection;

use super::{Bed, until};

/// Each query finds what contradicts one rule.
const NEVER: [(&str, &str); 7] = [
    (
        "stock is what was put in",
        "SELECT id FROM product.products WHERE available < 0 OR reserved < 0 OR sold < 0 OR available + reserved + sold
            <> (SELECT sum(delta) FROM product.adjustments WHERE product_id = products.id)",
    ),
    (
        "an order is charged once",
        "SELECT order_id FROM payment.ledger GROUP BY order_id, kind HAVING count(*) > 1",
    ),
    (
        "a confirmed order is paid, by the payment it names",
        "SELECT id FROM orders WHERE status = 'CONFIRMED' AND NOT EXISTS (SELECT 1 FROM payment.ledger
            WHERE order_id = orders.id AND kind = 'CAPTURE' AND ledger.payment_id = orders.payment_id
                AND amount_cents = total_cents)",
    ),
    (
        "a cancelled order is not paid, and can't be",
        "SELECT id FROM orders JOIN payment.intents ON order_id = id
            WHERE orders.status = 'CANCELLED' AND intents.status IN ('OPEN', 'CAPTURED')",
    ),
    (
        "the total is the sum of the lines",
        "SELECT id FROM orders JOIN order_items ON order_id = id WHERE orders.total_cents IS NOT NULL
            GROUP BY id HAVING total_cents <> sum(quantity * price_cents)",
    ),
    (
        "what is charged is what was quoted",
        "SELECT id FROM orders JOIN payment.intents ON order_id = id WHERE amount_cents <> total_cents",
    ),
    (
        "an order has one key and a key one order",
        "SELECT subject FROM idempotency GROUP BY subject HAVING count(*) <> 1
            UNION SELECT id FROM orders WHERE id NOT IN (SELECT subject FROM idempotency)",
    ),
];

/// And these must be true when the shop has come to rest.
const AT_REST: [(&str, &str); 5] = [
    (
        "every end of an intent was heard, and written down as heard",
        "SELECT subject FROM payment.events JOIN payment.intents ON order_id = subject WHERE status <> 'OPEN'
            GROUP BY subject HAVING max(sequence) > (SELECT coalesce(max(sequence), 0) FROM followed)",
    ),
    ("no order is unfinished", "SELECT id FROM orders WHERE step NOT IN ('WAIT', 'DONE')"),
    (
        "a confirmed order's stock is sold",
        "SELECT id FROM orders LEFT JOIN product.reservations ON order_id = id
            WHERE orders.status = 'CONFIRMED' AND reservations.status IS NOT 'SOLD'",
    ),
    (
        "a cancelled order's stock is given back",
        "SELECT id FROM orders LEFT JOIN product.reservations ON order_id = id
            WHERE orders.status = 'CANCELLED' AND reservations.status IS NOT 'RELEASED'",
    ),
    (
        "an order that waits for payment can be paid and supplied",
        "SELECT id FROM orders LEFT JOIN product.reservations ON order_id = id LEFT JOIN payment.intents USING (order_id)
            WHERE orders.status = 'AWAITING_PAYMENT'
                AND (reservations.status IS NOT 'RESERVED' OR intents.status IS NOT 'OPEN')",
    ),
];

impl Bed {
    /// Waits until the shop has come to rest, and then checks that everything adds up.
    pub(crate) async fn adds_up(&self) {
        let database = self.databases();
        for (rule, sql) in AT_REST {
            until(rule, || found(&database, sql).is_empty()).await;
        }
        for (rule, sql) in NEVER {
            assert_eq!(found(&database, sql), Vec::<String>::new(), "never: {rule}");
        }
    }

    /// The single number that a query answers.
    pub(crate) fn count(&self, sql: &str) -> i64 {
        self.databases().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// Pieces of the keyboard: available, reserved, sold.
    pub(crate) fn stock(&self) -> (i64, i64, i64) {
        let sql = "SELECT available, reserved, sold FROM product.products WHERE id = 'p-1'";
        self.databases()
            .query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
            .unwrap()
    }

    pub(crate) fn databases(&self) -> Connection {
        let at = |name: &str| self.folder.path().join(name);
        let database = Connection::open(at("order.db")).unwrap();
        database.busy_timeout(std::time::Duration::from_secs(5)).unwrap();
        for peer in ["product", "payment"] {
            let path = at(&format!("{peer}.db"));
            database.execute(&format!("ATTACH ?1 AS {peer}"), [path.to_str().unwrap()]).unwrap();
        }
        database
    }
}

fn found(database: &Connection, sql: &str) -> Vec<String> {
    let mut statement = database.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}
