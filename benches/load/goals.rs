//! What is to be reached, and whether it was.

use std::{process::ExitCode, time::Duration};

/// Goals, and how many were missed.
#[derive(Default)]
pub struct Goals {
    missed: usize,
}

impl Goals {
    /// Something that is to be at most so much.
    pub fn at_most(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        self.line(what, figure, "≤", limit, unit, figure <= limit);
    }

    /// Something that is to be at least so much.
    pub fn at_least(&mut self, what: &str, figure: f64, limit: f64, unit: &str) {
        self.line(what, figure, "≥", limit, unit, figure >= limit);
    }

    fn line(&mut self, what: &str, figure: f64, than: &str, limit: f64, unit: &str, is_met: bool) {
        // What is no number meets nothing.
        self.missed += usize::from(!is_met);
        let verdict = if is_met { "ok" } else { "MISSED" };
        println!("  {verdict:<6}  {what}: {figure:.2}{unit} (goal {than} {limit}{unit})");
    }

    pub fn exit_code(&self) -> ExitCode {
        if self.missed > 0 {
            println!("{} missed", self.missed);
            return ExitCode::FAILURE;
        }
        ExitCode::SUCCESS
    }
}

/// A figure that is no goal.
pub fn note(text: impl std::fmt::Display) {
    println!("          {text}");
}

/// The value that so many thousandths are not above, in milliseconds; of nothing it is no number.
pub fn at(times: &mut [Duration], thousandths: usize) -> f64 {
    if times.is_empty() {
        return f64::NAN;
    }
    times.sort_unstable();
    times[(times.len() - 1) * thousandths / 1000].as_secs_f64() * 1000.0
}
