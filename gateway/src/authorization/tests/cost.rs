//! What a rule costs, by the clock. Only a release says something; elsewhere it only has to run.

use std::hint::black_box;
use std::time::Instant;

use super::*;

#[test]
fn measure() {
    let request = all(
        r#"{"tree": {"name": "123"}, "scalars": {"aString": "019a0b3c-7f3a-7c51-8e2d-84b06a1d44c3"}}"#,
    );
    for text in [
        "claims.sub == request.scalars.a_string || 'admin' in claims.roles",
        "claims.sub == request.tree.name || 'admin' in claims.roles",
        "claims.sub == response.tree.name || 'admin' in claims.roles",
    ] {
        let rule = compile(text).unwrap();
        let principal = known("123", &["staff", "admin"]);
        let rounds = 200_000_u32;
        let begun = Instant::now();
        for _ in 0..rounds {
            black_box(judge(&rule, black_box(&principal), &request, &request).is_ok());
        }
        println!("COST {text}: {:?}", begun.elapsed() / rounds);
    }
}
