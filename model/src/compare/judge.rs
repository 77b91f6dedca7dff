//! What the spec says about one run: its monitor reads the log, and the pool's own numbers and answers must fit.

use copool_spec::monitor::{Monitor, at_rest};
use copool_spec::script::{Numbers, Observation, Script};
use copool_spec::{Event, Params, PoolState, State};

use super::Run;

/// Up to so many events a log is also asked for S1–S9, at each event.
const SHORT: usize = 400;

/// Asks the spec about the run of a script of one thread, and whether its invariants hold on the way.
///
/// # Errors
/// What is wrong, in words.
pub fn judge(script: &Script, run: &Run) -> Result<(), String> {
    judge_log(params(script), &run.log, &looks(run))?;
    told_its_end(run)
}

/// The same without the invariants, at a tenth of the time: that the rules keep them, the exploration shows.
///
/// # Errors
/// What is wrong, in words.
pub fn follows(script: &Script, run: &Run) -> Result<(), String> {
    read(Monitor::new(params(script)), &run.log, &looks(run))?;
    told_its_end(run)
}

fn params(script: &Script) -> Params {
    Params { lifo: script.build.lifo, ..Params::default() }
}

/// The pool's numbers, each with how many events had been told by then.
#[must_use]
pub fn looks(run: &Run) -> Vec<(usize, Numbers)> {
    run.ops.iter().filter_map(|answer| answer.numbers.map(|numbers| (answer.told, numbers))).collect()
}

/// Asks the monitor about the complete log of a pool that was dropped, and whether the pool's numbers, each with how many
/// events had been told by then, were those that the spec makes of the log.
///
/// # Errors
/// What is wrong, in words.
pub fn judge_log(params: Params, log: &[Event], looks: &[(usize, Numbers)]) -> Result<(), String> {
    let monitor = Monitor::new(params);
    read(if log.len() <= SHORT { monitor.with_invariants() } else { monitor }, log, looks)
}

fn read(mut monitor: Monitor, log: &[Event], looks: &[(usize, Numbers)]) -> Result<(), String> {
    let mut looks = looks.iter().peekable();
    for (at, event) in log.iter().enumerate() {
        while let Some((_, numbers)) = looks.next_if(|(told, _)| *told == at) {
            agrees(numbers, monitor.state())?;
        }
        monitor.accept(*event).map_err(|report| report.to_string())?;
    }
    looks.try_for_each(|(_, numbers)| agrees(numbers, monitor.state()))?;
    over(monitor.state())
}

/// Nothing is left of a pool that was dropped.
pub(super) fn over(state: &State) -> Result<(), String> {
    at_rest(state)?;
    if state.phase == PoolState::Stopped && state.seats.is_empty() {
        Ok(())
    } else {
        Err(format!("the pool was dropped, but is {:?} with the seats {:?}", state.phase, state.seats))
    }
}

fn agrees(numbers: &Numbers, state: &State) -> Result<(), String> {
    let expected = Numbers {
        state: state.phase,
        size: state.queues.values().flatten().count(),
        outstanding: state.outstanding,
        running: state.running,
        min: state.min,
        max: state.max,
    };
    if *numbers == expected { Ok(()) } else { Err(format!("the pool says {numbers:?}, the spec {expected:?}")) }
}

/// A drive came back with the end that it told.
fn told_its_end(run: &Run) -> Result<(), String> {
    let mut before = 0;
    for answer in &run.ops {
        let events = &run.log[std::mem::replace(&mut before, answer.told)..answer.told];
        if let Some(Event::ScheduleEnded { end, .. }) = events.iter().rfind(|event| event.name() == "schedule_ended")
            && let Observation::Drove(said) = &answer.observation
            && said != end
        {
            return Err(format!("a drive told {end:?} and came back with {said:?}"));
        }
    }
    Ok(())
}
