//! How many megabytes of JSON text per second: `make bench-throughput`.
#![expect(clippy::unwrap_used, reason = "a shape that can't be translated is no benchmark")]
#![expect(clippy::print_stdout, reason = "what is measured is said to whoever measures")]

mod shapes;

use std::hint::black_box;
use std::time::Duration;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};

use shapes::{NAMES, Shape};

type Way = fn(&Shape) -> Vec<u8>;

fn throughput(criterion: &mut Criterion) {
    for name in NAMES {
        let shape = Shape::of(name);
        let (json, wire) = (shape.json.len(), shape.wire.len());
        println!("\n{name}: {json} B of JSON, {wire} B on the wire; throughput is of JSON");
        let ways: [(&str, Way); 4] = [
            ("wire_to_json/gateway", Shape::wire_to_json),
            ("wire_to_json/prost-reflect", Shape::wire_to_json_by_reflection),
            ("json_to_wire/gateway", Shape::json_to_wire),
            ("json_to_wire/prost-reflect", Shape::json_to_wire_by_reflection),
        ];
        let mut group = criterion.benchmark_group(name);
        group.throughput(Throughput::BytesDecimal(json as u64));
        for (way, translate) in ways {
            group.bench_function(way, |bencher| bencher.iter(|| translate(black_box(&shape))));
        }
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .without_plots();
    targets = throughput
}
criterion_main!(benches);
