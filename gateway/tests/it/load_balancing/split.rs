//! One RPC, several upstreams.

use serde_json::json;

use super::ask;
use crate::stand::{Answer, Gate, Upstream};

#[tokio::test]
async fn a_new_version_gets_its_part_of_the_calls_of_one_rpc() {
    let old = Upstream::content().await;
    let new = Upstream::answering(|_| Answer::dish(&json!({ "id": "new" }))).await;
    let gate = Gate::start(|config| {
        config
            .kitchen(&old)
            .entry("canary", &format!("{{ endpoints: [\"{}\"] }}", new.url()))
            .section(
                "load_balancing",
                "{ split: { kitchen.v1.Kitchen/GetDish: { kitchen: 80, canary: 20 } } }",
            )
    })
    .await;
    ask(&gate, 20).await;
    assert_eq!((old.seen().len(), new.seen().len()), (16, 4));
    assert!(new.seen().iter().all(|seen| seen.rpc == "kitchen.v1.Kitchen/GetDish"));
    for _ in 0..10 {
        gate.post("/v1/dishes", &json!({})).await.is(200);
    }
    assert_eq!((old.seen().len(), new.seen().len()), (26, 4), "other RPCs are not split");
}
