//! What a new order must look like.

use std::collections::HashSet;

use proto::order::v1::{CreateOrderRequest, OrderItem};
use service_kit::Violations;
use tonic::Status;

use crate::orders::Item;

const MOST_LINES: usize = 50;
const MOST_PIECES: i32 = 1000;

/// Reads the lines of a new order; what is wrong with them is told at once.
pub(crate) fn items(request: CreateOrderRequest) -> Result<Vec<Item>, Status> {
    let mut violations = Violations::new();
    match request.items.len() {
        0 => violations.add("items", "is required: 1 to 50 lines"),
        1..=MOST_LINES => {}
        _ => violations.add("items", "must have at most 50 lines"),
    }
    let mut products = HashSet::new();
    for (line, item) in request.items.iter().enumerate().take(MOST_LINES) {
        check(item, line, &mut violations);
        if !item.product_id.is_empty() && !products.insert(item.product_id.as_str()) {
            violations.add(format!("items[{line}].product_id"), "stands in another line already");
        }
    }
    violations.check()?;
    let items = request.items.into_iter();
    Ok(items
        .map(|item| Item { product_id: item.product_id, quantity: item.quantity, quoted: None })
        .collect())
}

fn check(item: &OrderItem, line: usize, violations: &mut Violations) {
    violations.text(&format!("items[{line}].product_id"), &item.product_id, 1, 100);
    if !(1..=MOST_PIECES).contains(&item.quantity) {
        violations.add(format!("items[{line}].quantity"), "must be 1 to 1000");
    }
    violations.output_only(&format!("items[{line}].name"), !item.name.is_empty());
    violations.output_only(&format!("items[{line}].unit_price"), item.unit_price.is_some());
}

#[cfg(test)]
mod tests {
    use proto::google::r#type::Money;
    use tonic_types::StatusExt as _;

    use super::*;

    fn item(product_id: &str, quantity: i32) -> OrderItem {
        OrderItem { product_id: product_id.to_owned(), quantity, ..OrderItem::default() }
    }

    #[track_caller]
    fn refuses(items: Vec<OrderItem>, expected: &[&str]) {
        let status = super::items(CreateOrderRequest { items }).unwrap_err();
        let details = status.get_error_details();
        let told = &details.bad_request().unwrap().field_violations;
        assert_eq!(
            told.iter().map(|violation| violation.field.as_str()).collect::<Vec<_>>(),
            expected
        );
    }

    #[test]
    fn takes_one_to_fifty_lines_of_one_to_a_thousand_pieces() {
        let lines: Vec<_> = (0..50).map(|number| item(&format!("p-{number}"), 1000)).collect();
        assert_eq!(items(CreateOrderRequest { items: lines }).unwrap().len(), 50);
        assert_eq!(items(CreateOrderRequest { items: vec![item("p-1", 1)] }).unwrap().len(), 1);
    }

    #[test]
    fn refuses_what_is_no_order() {
        refuses(vec![], &["items"]);
        refuses((0..51).map(|number| item(&format!("p-{number}"), 1)).collect(), &["items"]);
        refuses(vec![item("", 1)], &["items[0].product_id"]);
        refuses(vec![item("p-1", 1), item("p-2", 0)], &["items[1].quantity"]);
        refuses(vec![item("p-1", -1)], &["items[0].quantity"]);
        refuses(vec![item("p-1", 1001)], &["items[0].quantity"]);
        refuses(vec![item("p-1", 1), item("p-1", 2)], &["items[1].product_id"]);
        refuses(vec![item("", 1), item("", 1)], &["items[0].product_id", "items[1].product_id"]);
    }

    #[test]
    fn refuses_a_price_or_name_that_the_customer_made_up() {
        let price = Some(Money::default());
        refuses(vec![OrderItem { unit_price: price, ..item("p-1", 1) }], &["items[0].unit_price"]);
        refuses(vec![OrderItem { name: "gold".to_owned(), ..item("p-1", 1) }], &["items[0].name"]);
    }
}
