//! What a search costs, counted in nodes of the tree.

use http::Method;

use super::super::{Route, RouteTable};
use super::{route, table};

/// The visits of one search.
fn visits(table: &RouteTable<String>, path: &str) -> usize {
    table.find_counting(&Method::GET, path).1
}

fn many(count: usize) -> RouteTable<String> {
    let routes = (0..count).map(|number| match number % 5 {
        0 => format!("GET /api/things{number}/{{id}}"),
        1 => format!("POST /api/things{number}/{{id}}:act{number}"),
        2 => format!("GET /api/{{kind}}/of/things{number}"),
        3 => format!("GET /things{number}/{{name=**}}"),
        _ => format!("PUT /api/v{number}/things/{{a}}/parts/{{b}}/{{c}}"),
    });
    RouteTable::new(routes.map(|text| route(&text))).unwrap()
}

#[test]
fn needs_no_more_steps_for_ten_thousand_routes_than_for_ten() {
    let (few, lots) = (many(10), many(10_000));
    for path in [
        "/api/things5/1",
        "/api/things6/1:act6",
        "/api/any/of/things7",
        "/things8/a/b/c",
        "/api/v9/things/1/parts/2/3",
        "/api/nothing/here",
        "/nothing",
        "/",
    ] {
        assert_eq!(visits(&few, path), visits(&lots, path), "{path}");
        assert!(visits(&lots, path) <= 2 * path.split('/').count(), "{path}");
    }
}

#[test]
fn visits_no_node_twice_whatever_the_templates() {
    let depth = 12;
    let routes: Vec<Route<String>> = (0..1_u32 << depth)
        .map(|mask| {
            let segments = (0..depth).map(|level| if mask >> level & 1 == 0 { "/a" } else { "/*" });
            route(&format!("GET {}/end", segments.collect::<String>()))
        })
        .collect();
    let nodes = (0..=depth).map(|level| 1 << level).sum::<usize>();
    let table = RouteTable::new(routes).unwrap();
    let path = "/a".repeat(depth);
    assert!(visits(&table, &format!("{path}/other")) <= nodes);
    assert!(visits(&table, &format!("{path}{path}{path}")) <= nodes);
    let endless = "/a".repeat(30_000);
    assert!(visits(&table, &endless) <= nodes);
    let deepest = table_of_depth(64);
    assert_eq!(visits(&deepest, &"/a".repeat(64)), 64 + 1);
    assert!(visits(&deepest, &endless) <= 64 + 1);
}

fn table_of_depth(depth: usize) -> RouteTable<String> {
    table(&[&format!("GET {}", "/*".repeat(depth))])
}
