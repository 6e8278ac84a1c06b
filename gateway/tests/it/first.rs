use serde_json::json;
use crate::stand::*;

#[tokio::test]
async fn smoke() {
    let kitchen = Upstream::answering(|_| Answer::dish(&json!({"id": "soup", "price": "7"}))).await;
    let gate = Gate::before(&kitchen).await;
    let reply = gate.get("/v1/dishes/soup").await.is(200);
    println!("{reply}");
    println!("{:#}", gate.line(&reply).await);
    println!("{:#?}", kitchen.only_call());
}
