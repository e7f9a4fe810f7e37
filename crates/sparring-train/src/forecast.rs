//! How long a run still takes, from what it has to do and how fast that went so far.

use crate::{Estimate, Speed};
use sparring_core::{Event, Phase, Stage, Work};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// The least share of a trial's time that a run is expected to take: most completions end before their limit.
const SHORTEST: f64 = 0.25;
/// The share of a run that a trial counts as, beside what the run has measured.
const TRIAL: f64 = 0.05;
/// Margins of the time that follows from a trial of whole completions, and of one that was measured in the run itself.
const TRIED: (f64, f64) = (0.7, 1.5);
const MEASURED: (f64, f64) = (0.8, 1.25);

/// Follows the events of a run, and tells the time that is left.
///
/// A phase of a kind that the run has met takes as long for each unit as it took before. For other phases the time
/// follows from their [`Work`] and a [`Speed`], times the ratio of actual to expected time so far; there, a trial
/// counts as a twentieth of the run that took as long as expected.
#[derive(Debug, Default)]
pub struct Forecast {
    speed: Option<Speed>,
    /// Seconds that the speed makes of the whole run.
    planned: f64,
    /// From the current or next one on.
    stages: VecDeque<Stage>,
    current: Option<Current>,
    measured: BTreeMap<Phase, Measured>,
}

#[derive(Debug)]
struct Current {
    began: Instant,
    /// Units when it began, and now.
    from: usize,
    done: usize,
    /// When the newest unit was done.
    newest: Instant,
}

#[derive(Debug, Clone, Copy, Default)]
struct Measured {
    seconds: f64,
    units: f64,
    /// Seconds that the [`Speed`] makes of it.
    expected: f64,
}

impl Forecast {
    /// A forecast that knows the model's speed; [`Forecast::default`] learns it from the run.
    pub fn new(speed: Option<Speed>) -> Self {
        Self { speed, ..Self::default() }
    }

    /// Sets the speed that a trial measured.
    pub fn set_speed(&mut self, speed: Speed) {
        self.speed = Some(speed);
        self.plan();
    }

    fn plan(&mut self) {
        let units = |stage: &Stage| stage.steps.saturating_sub(stage.done) as f64;
        self.planned = self.stages.iter().map(|stage| units(stage) * self.expected(stage)).sum();
    }

    /// Follows an event that happened now.
    pub fn on(&mut self, event: &Event<'_>) {
        self.at(event, Instant::now());
    }

    fn at(&mut self, event: &Event<'_>, now: Instant) {
        match *event {
            Event::Planned { stages } => {
                (self.stages, self.current) = (stages.iter().cloned().collect(), None);
                self.plan();
            }
            Event::PhaseStarted { iteration, phase, .. } => {
                let same = |stage: &Stage| stage.iteration == iteration && stage.phase == phase;
                if let Some(i) = self.stages.iter().position(same) {
                    self.stages.drain(..i);
                    let from = self.stages[0].done;
                    self.current = Some(Current { began: now, from, done: from, newest: now });
                }
            }
            Event::Progress { done, .. } => {
                if let Some(current) = self.current.as_mut().filter(|current| done > current.done) {
                    (current.done, current.newest) = (done, now);
                }
            }
            Event::PhaseEnded { .. } => {
                if let (Some(current), Some(stage)) = (self.current.take(), self.stages.pop_front()) {
                    let seconds = now.duration_since(current.began).as_secs_f64();
                    let units = (stage.steps - current.from.min(stage.steps)) as f64;
                    let expected = self.expected(&stage);
                    self.measured.entry(stage.phase).or_default().add(units, seconds, expected);
                }
            }
            _ => {}
        }
    }

    /// Seconds that a unit of a stage is expected to take.
    fn expected(&self, stage: &Stage) -> f64 {
        self.speed.unwrap_or_default().seconds(&stage.work)
    }

    /// What was measured, the phase under way included.
    fn measured(&self) -> BTreeMap<Phase, Measured> {
        let mut measured = self.measured.clone();
        if let (Some(current), Some(stage)) = (&self.current, self.stages.front()) {
            // The candidates of a pool are counted once they are written, and verified afterwards.
            if current.done > current.from && stage.phase != Phase::BuildPool {
                let seconds = current.newest.duration_since(current.began).as_secs_f64();
                let units = (current.done - current.from) as f64;
                measured.entry(stage.phase).or_default().add(units, seconds, self.expected(stage));
            }
        }
        measured
    }

    /// The time that the run still takes; `None` as long as nothing is known about its speed.
    pub fn left(&self) -> Option<Duration> {
        self.left_at(Instant::now())
    }

    fn left_at(&self, now: Instant) -> Option<Duration> {
        let measured = self.measured();
        let sum = |f: fn(&Measured) -> f64| measured.values().map(f).sum::<f64>();
        // A trial counts as much as some of the run: a small evaluation says little about the speed of updates.
        let trial = if self.speed.is_some() { TRIAL * self.planned } else { 0.0 };
        let (seconds, expected) = (sum(|m| m.seconds) + trial, sum(|m| m.expected) + trial);
        let factor = (expected > 0.0).then(|| seconds / expected);
        let mut left = 0.0;
        for (i, stage) in self.stages.iter().enumerate() {
            let unit = match measured.get(&stage.phase).filter(|m| m.units > 0.0) {
                Some(known) => known.seconds / known.units,
                None => factor? * self.expected(stage),
            };
            let current = self.current.as_ref().filter(|_| i == 0);
            let (done, since) = match current {
                Some(current) if stage.phase == Phase::BuildPool => (current.from, current.began),
                Some(current) => (current.done, current.newest),
                None => (stage.done, now),
            };
            let units = stage.steps.saturating_sub(done) as f64;
            left += (unit * units - now.duration_since(since).as_secs_f64()).max(0.0);
        }
        // A time beyond what a `Duration` holds is not known.
        Duration::try_from_secs_f64(left).ok()
    }

    /// What is known now, for the record `estimate`; `None` as long as nothing is.
    pub fn estimate(&self, memory: Option<u64>) -> Option<Estimate> {
        let seconds = self.left()?.as_secs_f64();
        let measured = self.measured().values().any(|m| m.units > 0.0);
        let speed = self.speed.unwrap_or_default();
        let (from, to) = match speed.length {
            _ if measured => MEASURED,
            Some(_) => TRIED,
            None => (SHORTEST, 1.0),
        };
        let mut left = Work::default();
        for (i, stage) in self.stages.iter().enumerate() {
            let done = self.current.as_ref().filter(|_| i == 0).map_or(stage.done, |current| current.done);
            left = left.plus(stage.work.times(stage.steps.saturating_sub(done) as f64));
        }
        Some(Estimate {
            seconds_from: from * seconds,
            seconds_to: to * seconds,
            left,
            memory,
            speed,
            measured,
        })
    }
}

impl Measured {
    fn add(&mut self, units: f64, seconds: f64, expected_of_one: f64) {
        self.units += units;
        self.seconds += seconds;
        self.expected += units * expected_of_one;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stages() -> Vec<Stage> {
        let answer = Work::sampling(1, 1, 10);
        let update = Work::sampling(2, 4, 10).and_learning(1);
        vec![
            Stage::new(0, Phase::Evaluate, 20, answer),
            Stage::new(1, Phase::TrainGenerator, 5, update),
            Stage::new(1, Phase::BuildPool, 30, answer),
            Stage::new(1, Phase::TrainSolver, 5, update),
            Stage::new(1, Phase::Evaluate, 20, answer),
        ]
    }

    fn seconds(left: Option<Duration>) -> Option<f64> {
        left.map(|left| (left.as_secs_f64() * 1e3).round() / 1e3)
    }

    #[test]
    fn the_run_itself_corrects_the_trial() {
        // A tenth of a second for a token, sampled or learned: 1 for an answer, 16 for an update.
        let speed = Speed { token: 0.1, learned_token: 0.1, ..Speed::default() };
        let (mut known, mut unknown) = (Forecast::new(Some(speed)), Forecast::default());
        let start = Instant::now();
        let mut both = |event: Event<'_>, second: f64| {
            let now = start + Duration::from_secs_f64(second);
            [&mut known, &mut unknown].map(|forecast| {
                forecast.at(&event, now);
                seconds(forecast.left_at(now))
            })
        };
        let total = 20.0 + 80.0 + 30.0 + 80.0 + 20.0;
        assert_eq!(both(Event::Planned { stages: &stages() }, 0.0), [Some(total), None]);
        let begin = |iteration, phase, steps| Event::PhaseStarted { iteration, phase, steps };
        assert_eq!(both(begin(0, Phase::Evaluate, 20), 0.0), [Some(total), None]);
        // Answers take half as long as expected. Without a trial, so does everything else.
        let trial = 0.05 * total;
        let left = both(Event::Progress { done: 10, note: "" }, 5.0);
        let others = 190.0 * (5.0 + trial) / (10.0 + trial);
        assert!((left[0].unwrap() - (others + 15.0)).abs() < 1e-2, "{left:?}");
        assert_eq!(left[1], Some(total / 2.0 - 5.0));
        let end = |iteration, phase| Event::PhaseEnded { iteration, phase, seconds: 0.0 };
        assert_eq!(both(end(0, Phase::Evaluate), 10.0)[1], Some(105.0));
        both(begin(1, Phase::TrainGenerator, 5), 10.0);
        // Updates do not: 20 seconds each. Those of the Solver follow the mean of all so far, 30 of 36 expected.
        for (left, trial) in both(Event::Progress { done: 1, note: "" }, 30.0).into_iter().zip([trial, 0.0]) {
            let factor = (30.0 + trial) / (36.0 + trial);
            assert!((left.unwrap() - (4.0 * 20.0 + (30.0 + 80.0) * factor + 10.0)).abs() < 1e-2, "{left:?}");
        }
        both(end(1, Phase::TrainGenerator), 110.0);
        // A resumed run starts in the middle.
        let rest = [stages().swap_remove(3).after(3), stages().swap_remove(4)];
        let [_, left] = both(Event::Planned { stages: &rest }, 120.0);
        assert!((left.unwrap() - (2.0 * 16.0 * 110.0 / 100.0 + 10.0)).abs() < 1e-2, "{left:?}");
    }

    #[test]
    fn an_estimate_is_a_sentence() {
        let mut forecast = Forecast::new(Some(Speed { token: 0.5, learned_token: 0.5, ..Speed::default() }));
        forecast.on(&Event::Planned { stages: &stages() });
        let text = forecast.estimate(Some(3 << 29)).unwrap().to_string();
        let wanted = "about 4 to 20 minutes: at most 150 completions with 1500 tokens to sample, 800 tokens to learn \
                      from; memory about 1.5 GiB";
        assert_eq!(text, wanted);
    }
}
