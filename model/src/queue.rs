//! The queues, and the order in which a poll looks at them (S6).

use copool_spec::{Event, SeatId, TaskId};

use crate::shared::Core;

/// Where a poll looks.
#[derive(Clone, Copy)]
enum Source {
    /// The lane's soonest, if its priority is below 0.
    Urgent,
    /// The own deque: its oldest, or, if it is LIFO, its youngest.
    Own,
    /// The injector.
    Injector,
    /// The oldest of another seat's deque.
    Others,
    /// The lane's soonest.
    Lane,
    /// The lane's oldest, whatever its priority.
    LaneOldest,
    /// The own deque's oldest.
    OwnOldest,
}

use Source::{Injector, Lane, LaneOldest, Others, Own, OwnOldest, Urgent};

impl Core {
    /// Takes the next task.
    pub(crate) fn poll(&mut self, seat: SeatId) -> Option<TaskId> {
        let it = self.seat(seat);
        it.polls += 1;
        let polls = it.polls;
        let every = |period: u32| period != 0 && polls.is_multiple_of(u64::from(period));
        if every(self.params.age_every) {
            let mut sources = [LaneOldest, Injector, OwnOldest, Others];
            // The polls of this kind begin with each of the sources in turn.
            let nth = polls / u64::from(self.params.age_every) - 1;
            sources.rotate_left((nth % 4) as usize);
            return self.first_of(seat, &sources);
        }
        let first = if every(self.params.injector_every) { Injector } else { Urgent };
        self.first_of(seat, &[first, Urgent, Own, Injector, Others, Lane])
    }

    fn first_of(&mut self, seat: SeatId, sources: &[Source]) -> Option<TaskId> {
        sources.iter().find_map(|source| self.take(seat, *source))
    }

    fn take(&mut self, seat: SeatId, source: Source) -> Option<TaskId> {
        // Of equals the first is the minimum.
        let soonest = || self.lane.iter().enumerate().min_by_key(|(_, (priority, _))| *priority);
        match source {
            Urgent => {
                let (at, _) = soonest().filter(|(_, (priority, _))| *priority < 0)?;
                Some(self.lane.remove(at).1)
            }
            Lane => {
                let (at, _) = soonest()?;
                Some(self.lane.remove(at).1)
            }
            LaneOldest => (!self.lane.is_empty()).then(|| self.lane.remove(0).1),
            Injector => self.injector.pop_front(),
            Own if self.params.lifo => self.seat(seat).deque.pop_back(),
            Own | OwnOldest => self.seat(seat).deque.pop_front(),
            Others => self.rob(seat),
        }
    }

    fn rob(&mut self, seat: SeatId) -> Option<TaskId> {
        let others: Vec<SeatId> = self.seats.keys().copied().filter(|other| *other != seat).collect();
        // Whoever was robbed last is robbed first.
        let first = self.seat(seat).victim;
        let at = (first..first + others.len()).find(|at| !self.seat(others[at % others.len()]).deque.is_empty())?;
        let from = others[at % others.len()];
        let task = self.seat(from).deque.pop_front()?;
        self.seat(seat).victim = at % others.len();
        self.tell(Event::TaskStolen { seat, from, task });
        Some(task)
    }

    /// How many tasks wait in queues: they were accepted and never started.
    pub(crate) fn size(&self) -> usize {
        self.seats.values().map(|seat| seat.deque.len()).sum::<usize>() + self.injector.len() + self.lane.len()
    }

    /// Whether a task waits on the seat's own deque, or where all look.
    pub(crate) fn is_near(&self, seat: SeatId) -> bool {
        !self.seats[&seat].deque.is_empty() || !self.injector.is_empty() || !self.lane.is_empty()
    }

    /// Takes a task out of whatever queue it is in.
    pub(crate) fn withdraw(&mut self, task: TaskId) {
        self.lane.retain(|(_, other)| *other != task);
        self.injector.retain(|other| *other != task);
        self.seats.values_mut().for_each(|seat| seat.deque.retain(|other| *other != task));
    }

    /// Takes everything out of all queues.
    pub(crate) fn drain_queues(&mut self) -> Vec<TaskId> {
        let mut tasks: Vec<TaskId> = self.injector.drain(..).collect();
        self.lane.sort_by_key(|(priority, _)| *priority);
        tasks.extend(self.lane.drain(..).map(|(_, task)| task));
        self.seats.values_mut().for_each(|seat| tasks.extend(seat.deque.drain(..)));
        tasks
    }
}
