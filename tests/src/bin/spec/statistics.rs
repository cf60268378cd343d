//! From many measured times to one number.

use std::time::Duration;

/// Rounds of which the best median counts: what is measured is the program, not who else uses the processor.
pub(crate) const ROUNDS: usize = 5;

/// The median of times in nanoseconds; not a number if there are none.
pub(crate) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The least and the greatest.
pub(crate) fn range(times: &[f64]) -> (f64, f64) {
    times
        .iter()
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), &t| (low.min(t), high.max(t)))
}

/// The least median of [`ROUNDS`] rounds, and the range of them.
pub(crate) fn best(mut round: impl FnMut() -> Vec<f64>) -> (f64, (f64, f64)) {
    let medians: Vec<f64> = (0..ROUNDS).map(|_| median(round())).collect();
    let (low, high) = range(&medians);
    (low, (low, high))
}

pub(crate) fn nanoseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e9
}

/// With three digits or so.
pub(crate) fn rounded(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_median_counts() {
        let mut rounds =
            [[9.0, 1.0, 5.0], [2.0, 3.0, 4.0], [7.0; 3], [8.0; 3], [6.0; 3]].into_iter();
        assert_eq!(best(|| rounds.next().unwrap().to_vec()), (3.0, (3.0, 8.0)));
        assert!(median(Vec::new()).is_nan());
    }
}
