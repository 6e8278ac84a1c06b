use crate::mistakes::check_text;

/// What is said of these options of streams, from the line on which they stand.
async fn said(options: &str) -> String {
    let text = format!(
        r#"schema: {{ file: schema.binpb }}
listener: {{ address: "127.0.0.1:0" }}
admin: {{ address: "127.0.0.1:0" }}
upstreams: {{ cellar: {{ services: [kitchen.v1.Cellar], endpoints: ["http://127.0.0.1:1"] }} }}
authorization: {{ access: {{ kitchen.v1.Cellar/GetWine: public, kitchen.v1.Cellar/WatchWines: public }} }}
transcoding:
  rules: [{{ selector: kitchen.v1.Cellar.WatchWines, get: "/wines/{{page_token}}" }}]
{options}
"#
    );
    let exit = check_text(&text).await;
    assert_eq!(exit.code, Some(if exit.errors.is_empty() { 0 } else { 78 }), "{}", exit.errors);
    exit.errors
}

#[tokio::test]
async fn a_field_that_can_not_do_it_is_refused_where_it_stands() {
    for (options, complaint) in [
        ("event_id: price", ""),
        ("event_id: chef.name", ""),
        ("last_event_id: pageSize", ""),
        (
            "event_id: prize",
            ":8:53: transcoding.event_id (kitchen.v1.Cellar/WatchWines): `prize`: kitchen.v1.Dish has no field `prize` (did you mean `price`?)",
        ),
        (
            "event_id: tags",
            ":8:53: transcoding.event_id (kitchen.v1.Cellar/WatchWines): `tags` can't be the id of an event: it must be one string or integer",
        ),
        (
            "event_id: taste",
            ":8:53: transcoding.event_id (kitchen.v1.Cellar/WatchWines): `taste` can't be the id of an event: it must be one string or integer",
        ),
        (
            "event_id: chef",
            ":8:53: transcoding.event_id (kitchen.v1.Cellar/WatchWines): `chef` can't be the id of an event: it must be one string or integer",
        ),
        (
            "last_event_id: ids",
            ":8:58: transcoding.last_event_id (kitchen.v1.Cellar/WatchWines): `ids` can't take an id: it is a repeated field",
        ),
        (
            "last_event_id: filter",
            ":8:58: transcoding.last_event_id (kitchen.v1.Cellar/WatchWines): `filter`: it can't be given as text: it is a message, kitchen.v1.Filter",
        ),
    ] {
        let said =
            said(&format!("  rpcs: {{ kitchen.v1.Cellar/WatchWines: {{ {options} }} }}")).await;
        let expected =
            if complaint.is_empty() { String::new() } else { format!("gateway.yaml{complaint}\n") };
        assert_eq!(said, expected, "{options}");
    }
}

#[tokio::test]
async fn a_field_of_the_path_can_not_take_an_id() {
    let said = said("  rpcs: { kitchen.v1.Cellar/WatchWines: { last_event_id: pageToken } }").await;
    let complaint = "last_event_id can't be `pageToken`, which is in the path\n";
    assert!(said.lines().count() == 1 && said.ends_with(complaint), "{said}");
}

#[tokio::test]
async fn an_rpc_with_one_answer_has_no_events() {
    let said =
        said("  rpcs: { kitchen.v1.Cellar/GetWine: { event_id: price, last_event_id: id } }").await;
    let places: Vec<&str> = said.lines().collect();
    let complaint =
        "(kitchen.v1.Cellar/GetWine): it answers with one message, and this is for streams";
    assert_eq!(places.len(), 2, "{said}");
    assert!(places.iter().all(|place| place.ends_with(complaint)), "{said}");
}

#[tokio::test]
async fn what_is_wrong_for_all_is_told_where_it_is_said_for_all() {
    let said = said("  event_id: prize").await;
    let place = "gateway.yaml:8:13: transcoding.event_id (kitchen.v1.Cellar/WatchWines): ";
    assert!(said.starts_with(place), "{said}");
}
