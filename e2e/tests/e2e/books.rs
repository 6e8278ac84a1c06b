//! The auditor: reads the databases of a shop and says whether they agree with each other.
//!
//! It knows the tables and the promises of the shop, and shares no code with the services.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use e2e::bed::Bed;
use e2e::wait::until;
use rusqlite::{Connection, OpenFlags};

/// Within this time every order that was left pending has ended.
pub(crate) const SETTLED_WITHIN: Duration = Duration::from_secs(30);

/// Status and step of an order, from its database; `None` when it is not there.
pub(crate) fn order(bed: &Bed, id: &str) -> Option<(String, String)> {
    let orders = open(bed.folder(), "order");
    let row = orders.query_row("SELECT status, step FROM orders WHERE id = ?1", [id], |row| {
        Ok((row.get(0)?, row.get(1)?))
    });
    row.ok()
}

/// The ids of a user's orders.
pub(crate) fn orders_of(bed: &Bed, user: &str) -> Vec<String> {
    let orders = open(bed.folder(), "order");
    let mut ask = orders.prepare("SELECT id FROM orders WHERE user_id = ?1 ORDER BY id").unwrap();
    ask.query_map([user], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// Pieces of a product: those that can be ordered, those set aside, those sold.
pub(crate) fn stock(bed: &Bed, product: &str) -> (i64, i64, i64) {
    let sql = "SELECT available, reserved, sold FROM products WHERE id = ?1";
    let row = open(bed.folder(), "product")
        .query_row(sql, [product], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
    row.unwrap()
}

/// Whether a service is at work on a request of a user with an idempotency key.
pub(crate) fn is_at_work(bed: &Bed, service: &str, user: &str) -> bool {
    let sql = "SELECT count(*) FROM idempotency WHERE principal = ?1 AND code IS NULL";
    let count: i64 = open(bed.folder(), service).query_row(sql, [user], |row| row.get(0)).unwrap();
    count > 0
}

/// Waits until nothing is under way any more, then audits. Panics with everything that is wrong.
pub(crate) async fn settle(bed: &Bed) {
    let idle = "SELECT count(*) FROM orders WHERE step NOT IN ('WAIT', 'DONE')";
    let done = until(SETTLED_WITHIN, async || {
        (number(&open(bed.folder(), "order"), idle) == 0).then_some(())
    })
    .await;
    let unfinished = rows(
        &open(bed.folder(), "order"),
        "SELECT id, status || ' ' || step FROM orders WHERE step NOT IN ('WAIT', 'DONE')",
    );
    assert!(done.is_some(), "unfinished after {SETTLED_WITHIN:?}: {unfinished:#?}");
    let wrong = audit(bed.folder());
    assert!(wrong.is_empty(), "the books are wrong:\n{}", wrong.join("\n"));
}

/// Everything in the books of `folder` that contradicts the promises of the shop.
fn audit(folder: &Path) -> Vec<String> {
    let (orders, products, payments) =
        (open(folder, "order"), open(folder, "product"), open(folder, "payment"));
    let mut wrong = stock_mistakes(&products);

    let reservations = rows(&products, "SELECT order_id, status FROM reservations");
    let intents = rows(&payments, "SELECT order_id, status FROM intents");
    let captures =
        rows(&payments, "SELECT order_id, payment_id FROM ledger WHERE kind = 'CAPTURE'");
    let charges = "SELECT order_id, count(*) FROM payments WHERE status <> 'DECLINED' GROUP BY order_id HAVING count(*) > 1";
    wrong.extend(
        rows(&payments, charges).into_keys().map(|id| format!("order {id} was charged twice")),
    );

    let confirmed = rows(&orders, "SELECT id, payment_id FROM orders WHERE status = 'CONFIRMED'");
    let all = rows(&orders, "SELECT id, status FROM orders");
    for (id, status) in &all {
        let reservation = reservations.get(id).map(String::as_str);
        let intent = intents.get(id).map(String::as_str);
        let capture = captures.get(id);
        let right = match status.as_str() {
            "AWAITING_PAYMENT" => {
                reservation == Some("RESERVED") && intent == Some("OPEN") && capture.is_none()
            }
            "CONFIRMED" => {
                reservation == Some("SOLD")
                    && intent == Some("CAPTURED")
                    && capture == confirmed.get(id)
            }
            "CANCELLED" => {
                matches!(reservation, None | Some("RELEASED"))
                    && !matches!(intent, Some("OPEN" | "CAPTURED"))
                    && capture.is_none()
            }
            _ => false,
        };
        if !right {
            wrong.push(format!("order {id} is {status}; reservation {reservation:?}, intent {intent:?}, capture {capture:?}"));
        }
    }
    let orphans = reservations.keys().chain(captures.keys()).filter(|id| !all.contains_key(*id));
    wrong.extend(orphans.map(|id| format!("there is no order {id}, but stock or money of it")));
    wrong
}

fn stock_mistakes(products: &Connection) -> Vec<String> {
    let held = |status: &str| {
        rows(
            products,
            &format!(
                "SELECT product_id, sum(quantity) FROM reservation_items JOIN reservations USING (order_id)
                 WHERE status = '{status}' GROUP BY product_id"
            ),
        )
    };
    let (reserved, sold) = (held("RESERVED"), held("SOLD"));
    let adjusted =
        rows(products, "SELECT product_id, sum(delta) FROM adjustments GROUP BY product_id");
    let mut wrong = Vec::new();
    let mut ask = products.prepare("SELECT id, available, reserved, sold FROM products").unwrap();
    let counts = ask
        .query_map([], |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?, row.get(3)?])))
        .unwrap();
    for count in counts {
        let (id, pieces): (String, [i64; 3]) = count.unwrap();
        let of =
            |table: &BTreeMap<String, String>| table.get(&id).map_or(0, |sum| sum.parse().unwrap());
        let [_, in_reserve, gone] = pieces;
        if pieces.iter().any(|count| *count < 0) {
            wrong.push(format!("product {id} has less than nothing: {pieces:?}"));
        }
        if pieces.iter().sum::<i64>() != of(&adjusted) {
            wrong.push(format!(
                "product {id}: {pieces:?} is not the sum of its adjustments, {}",
                of(&adjusted)
            ));
        }
        if in_reserve != of(&reserved) || gone != of(&sold) {
            wrong.push(format!(
                "product {id}: {pieces:?}, but reservations hold {} and took {}",
                of(&reserved),
                of(&sold)
            ));
        }
    }
    wrong
}

/// Reads without ever writing: the services may be at work.
fn open(folder: &Path, service: &str) -> Connection {
    let connection = Connection::open_with_flags(
        folder.join(format!("{service}.db")),
        OpenFlags::SQLITE_OPEN_READ_WRITE,
    )
    .unwrap();
    connection.busy_timeout(Duration::from_secs(5)).unwrap();
    connection.pragma_update(None, "query_only", true).unwrap();
    connection
}

fn number(connection: &Connection, sql: &str) -> i64 {
    connection.query_row(sql, [], |row| row.get(0)).unwrap()
}

/// A query of two columns as a map of texts.
fn rows(connection: &Connection, sql: &str) -> BTreeMap<String, String> {
    let mut ask = connection.prepare(sql).unwrap();
    let text = |row: &rusqlite::Row<'_>, at: usize| {
        Ok::<_, rusqlite::Error>(match row.get_ref(at)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str().unwrap_or_default().to_owned(),
        })
    };
    ask.query_map([], |row| Ok((text(row, 0)?, text(row, 1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

/// A test that trusts the auditor is worth what the auditor notices.
#[tokio::test]
async fn the_auditor_notices_every_kind_of_wrong_book() {
    use serde_json::json;

    let bed = crate::stand::setup().start().await;
    let shop = bed.shop();
    let ada = shop.newcomer().await;
    let body = json!({"items": [{"productId": "p-1", "quantity": 2}]});
    for key in ["paid", "open"] {
        let order = shop
            .post("/api/orders")
            .token(&ada.token)
            .key(key)
            .json(&body)
            .await
            .expect_status(200);
        if key == "paid" {
            let pay = json!({"orderId": order.json["id"], "method": "tok_visa"});
            let _ = shop
                .post("/api/payments")
                .token(&ada.token)
                .key("p")
                .json(&pay)
                .await
                .expect_status(200);
        }
    }
    settle(&bed).await;
    for role in e2e::role::Role::ALL {
        bed.part(role).kill_9();
    }

    for (service, lie, word) in [
        (
            "product",
            "UPDATE products SET available = available + 1 WHERE id = 'p-1'",
            "sum of its adjustments",
        ),
        (
            "product",
            "UPDATE products SET reserved = reserved - 1, sold = sold + 1 WHERE id = 'p-1'",
            "reservations hold",
        ),
        ("product", "DELETE FROM reservations WHERE status = 'RESERVED'", "AWAITING_PAYMENT"),
        (
            "product",
            "UPDATE reservations SET status = 'RELEASED' WHERE status = 'SOLD'",
            "CONFIRMED",
        ),
        ("order", "DELETE FROM orders WHERE status = 'CONFIRMED'", "there is no order"),
        (
            "payment",
            "UPDATE intents SET status = 'EXPIRED' WHERE status = 'OPEN'",
            "AWAITING_PAYMENT",
        ),
        ("payment", "DROP TRIGGER ledger_lines_are_kept; DELETE FROM ledger", "CONFIRMED"),
    ] {
        let copy = bed.folder().join("copy");
        std::fs::create_dir(&copy).unwrap();
        for file in ["order.db", "product.db", "payment.db"] {
            // VACUUM INTO takes what is in the write-ahead log along.
            let into = copy.join(file);
            let original = Connection::open(bed.folder().join(file)).unwrap();
            original.execute("VACUUM INTO ?1", [into.to_str().unwrap()]).unwrap();
        }
        let forged = Connection::open(copy.join(format!("{service}.db"))).unwrap();
        assert_eq!(audit(&copy), [""; 0], "the copy is right before the lie");
        forged.pragma_update(None, "foreign_keys", false).unwrap();
        forged.execute_batch(lie).unwrap();
        let wrong = audit(&copy);
        assert!(wrong.iter().any(|line| line.contains(word)), "{lie}: {wrong:#?}");
        drop(forged);
        std::fs::remove_dir_all(copy).unwrap();
    }
}
