//! From windows to a table: medians, and ratios that are taken within a round before they are compared.

use std::fmt::Write as _;

use super::Window;
use super::contestant::{Contestant, Kind};
use super::shape::Shape;

/// A contestant and what it did in each round.
pub(super) struct Measured {
    pub(super) contestant: Contestant,
    pub(super) windows: Vec<Window>,
}

impl Measured {
    pub(super) fn new(contestant: &Contestant) -> Self {
        Self { contestant: contestant.clone(), windows: Vec::new() }
    }
}

impl Window {
    /// Microseconds of processor time for one request.
    fn cost(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / count(self.requests)
    }

    fn per_second(&self) -> f64 {
        count(self.requests) / self.took.as_secs_f64()
    }
}

#[expect(clippy::cast_precision_loss, reason = "nobody makes 2^53 requests here")]
fn count(requests: u64) -> f64 {
    requests as f64
}

/// The table of one shape, the gateway first.
pub(super) fn of(shape: &Shape, mut measured: Vec<Measured>) -> String {
    measured.sort_by_key(|one| Kind::ALL.iter().position(|kind| *kind == one.contestant.kind));
    let gateway: Vec<f64> = measured
        .first()
        .map(|gateway| gateway.windows.iter().map(Window::cost).collect())
        .unwrap_or_default();
    let mut text = format!(
        "\n{}: {}\n\n  {:<15}{:>16}  {:>22}{:>14}\n",
        shape.name, shape.about, "", "CPU per request", "times the gateway's", "requests/s"
    );
    for one in &measured {
        let costs: Vec<f64> = one.windows.iter().map(Window::cost).collect();
        let ratios: Vec<f64> =
            costs.iter().zip(&gateway).map(|(cost, gateway)| cost / gateway).collect();
        let speeds = one.windows.iter().map(Window::per_second).collect();
        let (low, high) = ends(&ratios);
        let ratio = format!("{:.2} ({low:.2}..{high:.2})", median(ratios));
        // Writing to a string can't fail.
        let _ = writeln!(
            text,
            "  {:<15}{:>13.1} µs  {ratio:>22}{:>14.0}",
            one.contestant.kind.name(),
            median(costs),
            median(speeds)
        );
    }
    text
}

fn ends(values: &[f64]) -> (f64, f64) {
    let fold = |pick: fn(f64, f64) -> f64| values.iter().copied().reduce(pick).unwrap_or(f64::NAN);
    (fold(f64::min), fold(f64::max))
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match (values.get(half), values.len() % 2) {
        (Some(upper), 0) => f64::midpoint(*upper, values.get(half - 1).copied().unwrap_or(*upper)),
        (Some(middle), _) => *middle,
        (None, _) => f64::NAN,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn measured(kind: Kind, microseconds: &[u64]) -> Measured {
        let windows = microseconds.iter().map(|cost| Window {
            requests: 1000,
            cpu: Duration::from_micros(cost * 1000),
            took: Duration::from_millis(500),
        });
        let address = ([127, 0, 0, 1], 1).into();
        Measured {
            contestant: Contestant { kind, address, process: 1 },
            windows: windows.collect(),
        }
    }

    #[test]
    fn ratios_are_taken_round_by_round() {
        let shape = Shape::all().unwrap().swap_remove(0);
        // The machine is four times slower in the third round, for both.
        let both =
            vec![measured(Kind::Envoy, &[120, 90, 400]), measured(Kind::Gateway, &[40, 30, 100])];
        let text = of(&shape, both);
        let rows: Vec<Vec<&str>> =
            text.lines().skip(4).map(|row| row.split_whitespace().collect()).collect();
        let gateway = "gateway, REST 40.0 µs 1.00 (1.00..1.00) 2000";
        let envoy = "Envoy, REST 120.0 µs 3.00 (3.00..4.00) 2000";
        assert_eq!(rows.iter().map(|row| row.join(" ")).collect::<Vec<_>>(), [gateway, envoy]);
    }

    #[test]
    fn the_middle_of_an_even_number_is_between_two() {
        assert_eq!(median(vec![4.0, 1.0, 3.0, 2.0]).to_string(), "2.5");
    }
}
