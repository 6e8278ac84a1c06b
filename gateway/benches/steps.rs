//! How long the steps before and behind a call take: `make bench-steps`.
#![expect(clippy::unwrap_used, reason = "a step that can't be taken is no benchmark")]

mod access;

use std::time::Duration;

use criterion::{Criterion, criterion_group, criterion_main};

use access::Access;

fn steps(criterion: &mut Criterion) {
    let access = Access::prepared();
    let mut group = criterion.benchmark_group("access");
    group.bench_function("token", |bencher| bencher.iter(|| access.token()));
    group.bench_function("limit", |bencher| bencher.iter(|| access.limit()));
    group.bench_function("rule", |bencher| bencher.iter(|| access.rule()));
    group.bench_function("together", |bencher| bencher.iter(|| access.together()));
    group.finish();
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots();
    targets = steps
}
criterion_main!(benches);
