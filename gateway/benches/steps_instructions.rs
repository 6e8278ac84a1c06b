//! How many instructions the steps before and behind a call take, counted by callgrind: `make bench-steps`.
#![expect(clippy::unwrap_used, reason = "a step that can't be taken is no benchmark")]
#![expect(
    missing_docs,
    unused_qualifications,
    clippy::exit,
    reason = "the macros write for the compiler"
)]

mod access;

use std::hint::black_box;

use gungraun::prelude::*;

use access::Access;

/// How often each is done while it is counted, after it was done once.
const TIMES: u32 = 10;

/// A benchmark for each step.
macro_rules! count {
    ($($step:ident)*) => {
        $(
            #[library_benchmark]
            #[bench::order(Access::prepared())]
            fn $step(access: Access) -> Access {
                for _ in 0..TIMES {
                    black_box(black_box(&access).$step());
                }
                access
            }
        )*

        library_benchmark_group!(name = access_to_an_order, benchmarks = [$($step),*]);
    };
}

count! {
    token
    limit
    rule
    together
}

main!(library_benchmark_groups = access_to_an_order);
