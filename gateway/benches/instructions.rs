//! How many instructions each translation takes, counted by callgrind: `make bench-instructions`.
//!
//! Each is counted in a process of its own. `instructions.py` makes a table of what this prints, and a judgement.
#![expect(clippy::unwrap_used, reason = "a shape that can't be translated is no benchmark")]
#![expect(
    missing_docs,
    unused_qualifications,
    clippy::exit,
    reason = "the macros write for the compiler"
)]

mod shapes;

use std::hint::black_box;

use gungraun::prelude::*;

use shapes::Shape;

/// How often each is done while it is counted. Once would count what the preparations left for the allocator to tidy.
/// `instructions.py` divides by it.
const TIMES: u32 = 10;

/// A benchmark for each way of translating, with each shape.
macro_rules! count {
    ($($way:ident)*) => {
        $(
            #[library_benchmark(setup = Shape::of)]
            #[bench::small("small")]
            #[bench::order("order")]
            #[bench::list("list")]
            #[bench::bytes("bytes")]
            #[bench::numbers("numbers")]
            #[bench::escapes("escapes")]
            fn $way(shape: Shape) -> Shape {
                for _ in 0..TIMES {
                    black_box(black_box(&shape).$way());
                }
                shape
            }
        )*

        library_benchmark_group!(name = translation, benchmarks = [$($way),*]);
    };
}

count! {
    wire_to_json
    wire_to_json_by_reflection
    json_to_wire
    json_to_wire_by_reflection
}

main!(library_benchmark_groups = translation);
