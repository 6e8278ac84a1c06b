//! A real browser: that it does what it is told, and what it makes of numbers.

use std::time::Duration;

use e2e::browser::Browser;
use e2e::wait::eventually;
use serde_json::{Value, json};

use crate::stand::shared;

/// A browser with a page of the shop's own origin.
pub(crate) async fn at(base: &str) -> Browser {
    Browser::open(&format!("{base}/api/products/p-1")).await
}

#[tokio::test]
async fn a_page_reads_wide_numbers_whole_only_because_they_are_text() {
    let bed = shared().await;
    let browser = at(bed.shop().base()).await;
    let seen = browser
        .run(
            "const answer = await fetch('/api/products/p-1');
             const product = await answer.json();
             return {
                 status: answer.status,
                 kind: answer.headers.get('content-type'),
                 stock: typeof product.stock,
                 number: String(JSON.parse('{\"units\": 9007199254740993}').units),
                 text: String(BigInt(JSON.parse('{\"units\": \"9007199254740993\"}').units)),
             };",
            Value::Null,
        )
        .await;
    let meant = json!({
        "status": 200, "kind": "application/json", "stock": "string",
        "number": "9007199254740992", "text": "9007199254740993",
    });
    assert_eq!(seen, meant);
}

#[tokio::test]
async fn a_script_that_throws_is_a_failed_test() {
    let bed = shared().await;
    let browser = at(bed.shop().base()).await;
    let run = tokio::spawn(async move {
        browser
            .run("if (given === 1) throw new Error('no ' + given); return given;", json!(1))
            .await
    });
    let panic = run.await.unwrap_err().into_panic();
    let said = panic.downcast_ref::<String>().unwrap();
    assert!(said.contains("the page failed") && said.contains("Error: no 1"), "{said}");
}

/// The processes of a group that still run; those that nobody has asked after yet (zombies) do not.
fn alive(group: u32) -> Vec<String> {
    let stat = |entry: std::io::Result<std::fs::DirEntry>| {
        std::fs::read_to_string(entry.ok()?.path().join("stat")).ok()
    };
    let of_group = |stat: &String| {
        // After the name in brackets: state, parent, group.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let state = fields.next();
        fields.nth(1) == Some(&group.to_string()) && state != Some("Z")
    };
    std::fs::read_dir("/proc").unwrap().filter_map(stat).filter(of_group).collect()
}

#[tokio::test]
async fn nothing_of_a_browser_outlives_it() {
    let bed = shared().await;
    let browser = at(bed.shop().base()).await;
    let group = browser.group().unwrap();
    assert!(alive(group).len() > 2, "the leash, the driver, the browser: {:?}", alive(group));
    drop(browser);
    eventually("every process is gone", Duration::from_secs(10), async || {
        alive(group).is_empty().then_some(())
    })
    .await;
}
