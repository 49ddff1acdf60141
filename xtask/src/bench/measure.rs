//! Time and memory of processes.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use zoea_tests::{Finished, Zoea};

/// What a run answers: how long it took, if it knows better than the clock around it.
pub(super) trait Lasted {
    /// Returns its own time.
    fn lasted(&self) -> Option<Duration>;
}

impl Lasted for Finished {
    fn lasted(&self) -> Option<Duration> {
        None
    }
}

impl Lasted for Duration {
    fn lasted(&self) -> Option<Duration> {
        Some(*self)
    }
}

/// How long one measurement goes on; a slow builder is measured once.
const PATIENCE: Duration = Duration::from_secs(20);

/// Returns the seconds that the fastest of `runs` runs took.
pub(super) fn best<T: Lasted>(runs: usize, mut run: impl FnMut() -> Result<T>) -> Result<f64> {
    let mut best = f64::INFINITY;
    let begin = Instant::now();
    for run_number in 0..runs {
        if run_number > 0 && begin.elapsed() > PATIENCE {
            break;
        }
        let start = Instant::now();
        let outcome = run()?;
        best = best.min(outcome.lasted().unwrap_or_else(|| start.elapsed()).as_secs_f64());
    }
    Ok(best)
}

/// Runs zoea below GNU time; returns seconds and the peak of resident memory in MiB.
pub(super) fn memory(zoea: &Zoea, arguments: &[&str]) -> Result<(f64, f64)> {
    let start = Instant::now();
    let finished = zoea.peak_memory(arguments)?;
    let seconds = start.elapsed().as_secs_f64();
    let kibibytes: u32 = finished.try_into().context("More memory than a machine has")?;
    Ok((seconds, f64::from(kibibytes) / 1024.0))
}
