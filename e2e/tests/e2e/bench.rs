//! The bench measures what it says: one short round of the gateway alone, and what it refuses.

use std::process::Output;

use tokio::process::Command;

async fn bench(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_bench")).args(arguments).output().await.unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test]
async fn measures_the_gateway_in_every_way_with_every_shape() {
    let output = bench(&["--smoke"]).await;
    let (said, complained) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{said}{complained}");

    let rows: Vec<Vec<&str>> = said
        .lines()
        .filter(|line| line.contains(" µs "))
        .map(|line| line.split_whitespace().collect())
        .collect();
    // Two shapes, and for each the gateway in REST, without access control, and in gRPC.
    assert_eq!(rows.len(), 6, "{said}");
    for row in rows {
        let [_, dialect, cost, _, ratio, _, speed] = row.as_slice() else { panic!("{row:?}") };
        assert!(["REST", "open", "gRPC"].contains(dialect), "{row:?}");
        for number in [cost, ratio, speed] {
            assert!(number.parse::<f64>().unwrap() > 0.0, "{row:?}");
        }
        if *dialect == "REST" {
            assert_eq!(*ratio, "1.00", "a contestant costs as much as itself");
        }
    }
    assert!(
        said.contains("a build for debugging"),
        "figures of this build must not be believed: {said}"
    );
}

#[tokio::test]
async fn refuses_a_shape_that_nobody_knows_and_names_those_there_are() {
    let output = bench(&["--only", "huge"]).await;
    assert_eq!(output.status.code(), Some(64));
    let complained = text(&output.stderr);
    assert!(complained.contains("huge") && complained.contains("small, order"), "{complained}");
}
