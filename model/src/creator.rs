//! The coroutine creator: it makes workers where tasks wait, within `max_size`, hears of each that suspends or fails
//! (arrows 4, 9 to 11, 14 to 17), and lets them go (arrows 21 to 25).
//!
//! `running` counts the live workers, idle ones included: it is raised where one is made and lowered where one goes.

use copool_spec::{Event, SeatId, TaskId, WorkerId, WorkerState};

use crate::shared::Core;
use crate::worker::{At, Exit, Worker};

/// Every so many turns a seat looks for work everywhere, not only at home.
const LOOK_FAR_EVERY: u64 = 64;

/// How many stacks a seat keeps for the time of one drive.
const STACKS_KEPT: u32 = 256;

/// A worker that idles: a count and a stack, for any seat to take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Idle {
    pub(crate) worker: WorkerId,
    pub(crate) since: u64,
    /// Whose drive idled it: the seat, and the drive's number.
    pub(crate) by: (SeatId, u64),
}

/// For which arrow a worker is made.
type Making = fn(SeatId, WorkerId) -> Event;

const CREATED: Making = |seat, worker| Event::WorkerCreated { seat, worker };
const ADDED: Making = |seat, worker| Event::WorkerAdded { seat, worker };
const RECREATED: Making = |seat, worker| Event::WorkerRecreated { seat, worker };

impl Core {
    /// Gets the seat a worker, if a task waits for one. Says whether it did.
    pub(crate) fn obtain(&mut self, seat: SeatId) -> bool {
        self.seat(seat).exhausted = false;
        self.size() > 0 && self.make(seat, CREATED)
    }

    /// Takes the worker that idled last, or else makes one.
    fn make(&mut self, seat: SeatId, making: Making) -> bool {
        while let Some(idle) = self.idle.pop_back() {
            if self.running > self.max {
                self.leave_surplus(seat, idle.worker);
                self.give_stack(seat);
            } else {
                self.seat(seat).ready.push_back(Worker { id: idle.worker, at: At::Polls, turn: 0 });
                return true;
            }
        }
        self.running < self.max && !self.stopped && self.make_new(seat, making)
    }

    fn make_new(&mut self, seat: SeatId, making: Making) -> bool {
        if !self.take_stack(seat) {
            self.seat(seat).exhausted = true;
            self.refused = true;
            self.tell(Event::StackExhausted { seat });
            return false;
        }
        self.seat(seat).exhausted = false;
        let worker = WorkerId(self.workers_made);
        self.workers_made += 1;
        self.running += 1;
        self.tell(making(seat, worker));
        self.seat(seat).ready.push_back(Worker { id: worker, at: At::Polls, turn: 0 });
        true
    }

    /// Makes workers up to `min_size`.
    pub(crate) fn create_minimum(&mut self, seat: SeatId) {
        while !self.closed && self.running < self.min && self.make_new(seat, CREATED) {}
    }

    /// Whether nobody on this seat would poll next.
    fn wants_poller(&mut self, seat: SeatId) -> bool {
        let it = self.seat(seat);
        !it.leaving && !it.retiring && !it.ready.iter().any(Worker::is_poller)
    }

    /// Arrows 9, 10 and 11: tasks that wait behind the suspended one get a worker.
    pub(crate) fn hear_suspension(&mut self, seat: SeatId, worker: WorkerId, state: WorkerState) {
        self.tell(Event::WorkerSuspended { seat, worker, state });
        self.tell(Event::SuspensionHeard { seat, worker });
        let could = self.running < self.max || !self.idle.is_empty();
        if could && self.is_near(seat) && self.wants_poller(seat) {
            self.make(seat, ADDED);
        }
    }

    /// A worker has given the processor back. Tasks on the deques of seats that nobody drives wait for the others.
    pub(crate) fn turn_over(&mut self, seat: SeatId) {
        self.seat(seat).turns += 1;
        if self.seat(seat).turns.is_multiple_of(LOOK_FAR_EVERY) && self.wants_poller(seat) && self.size() > 0 {
            // Those that this turn has woken were ready before the new one.
            self.revive(seat);
            self.make(seat, CREATED);
        }
    }

    /// A worker gives up its frames.
    pub(crate) fn returned(&mut self, seat: SeatId, worker: WorkerId, exit: Exit) {
        match exit {
            Exit::PollFailed => self.go_idle(seat, worker, self.keep_alive),
            Exit::TimeOver => self.go_idle(seat, worker, 0),
            Exit::Errored => {
                self.err(seat, worker);
                self.give_stack(seat);
                if self.wants_poller(seat) && self.size() > 0 {
                    self.make(seat, RECREATED);
                }
                self.settle();
            }
        }
        self.seat(seat).exhausted = false;
    }

    /// Arrows 14 to 16.
    fn err(&mut self, seat: SeatId, worker: WorkerId) {
        self.tell(Event::WorkerErrored { seat, worker });
        self.tell(Event::ErrorHeard { seat, worker });
        self.running -= 1;
        self.tell(Event::CountReduced { seat, worker });
    }

    /// Gives up a task that cannot be got rid of, with its worker's stack.
    pub(crate) fn leak(&mut self, seat: SeatId, worker: Worker, task: TaskId) {
        let it = self.task(task);
        (it.in_stop, it.machine, it.leaked) = (false, None, true);
        if it.outcome.is_none() {
            self.abandon(task);
            self.completed();
        }
        self.err(seat, worker.id);
        self.settle();
    }

    // --- idle workers --------------------------------------------------------------------------------------------

    /// A worker without a task: it leaves if its time is over and it is surplus, and idles otherwise.
    fn go_idle(&mut self, seat: SeatId, worker: WorkerId, keep_alive: u64) {
        let over = keep_alive == 0 && (self.seat(seat).retiring || !self.is_near(seat));
        if (self.running > self.max || over) && self.leave_surplus(seat, worker) {
            self.give_stack(seat);
            return self.settle();
        }
        self.tell(Event::WorkerReturned { seat, worker });
        let since = if keep_alive == 0 { 0 } else { self.clock.now };
        let by = (seat, self.seat(seat).drives);
        self.put_idle(Idle { worker, since, by });
        self.settle();
    }

    /// In the order in which they idle out.
    fn put_idle(&mut self, idle: Idle) {
        let at = self.idle.partition_point(|other| other.since <= idle.since);
        self.idle.insert(at, idle);
    }

    /// Arrows 21 to 24: whether the worker was surplus, and has left.
    fn leave_surplus(&mut self, seat: SeatId, worker: WorkerId) -> bool {
        self.tell(Event::TimeOver { seat, worker });
        self.tell(Event::SurplusAsked { seat, worker });
        let surplus = self.running > self.min;
        if surplus {
            self.running -= 1;
            self.tell(Event::SurplusGranted { seat, worker });
            self.tell(Event::WorkerExited { seat, worker });
        }
        surplus
    }

    /// Lets the idle workers go that this drive idled: its time is over, and with it theirs.
    pub(crate) fn dismiss_idle(&mut self, seat: SeatId) {
        let by = (seat, self.seat(seat).drives);
        while let Some(at) = self.idle.iter().position(|idle| idle.by == by) {
            let Some(idle) = self.idle.remove(at) else { return };
            if self.leave_surplus(seat, idle.worker) {
                self.give_stack(seat);
                self.settle();
            } else {
                self.tell(Event::WorkerReturned { seat, worker: idle.worker });
                // It is nobody's any more.
                self.put_idle(Idle { by: (SeatId(u32::MAX), 0), ..idle });
            }
        }
    }

    /// Lets an idle worker go whose keep-alive is over. Says whether there was one.
    pub(crate) fn expire_idle(&mut self, seat: SeatId) -> bool {
        let expired = self.next_expiry().is_some_and(|at| at <= self.clock.now);
        if expired && let Some(idle) = self.idle.pop_front() {
            self.leave_surplus(seat, idle.worker);
            self.give_stack(seat);
            self.settle();
        }
        expired
    }

    /// When the keep-alive of the next surplus worker is over.
    pub(crate) fn next_expiry(&self) -> Option<u64> {
        let surplus = self.running > self.min;
        self.idle.front().filter(|_| surplus).and_then(|idle| idle.since.checked_add(self.keep_alive))
    }

    // --- stacks --------------------------------------------------------------------------------------------------

    /// A stack that the seat has kept, or one of the pool's store, where the next may be made to fail.
    fn take_stack(&mut self, seat: SeatId) -> bool {
        let it = self.seat(seat);
        if it.stacks > 0 {
            it.stacks -= 1;
            return true;
        }
        !std::mem::take(&mut self.fail_stack)
    }

    /// The seat keeps the stack, until somebody was refused one.
    fn give_stack(&mut self, seat: SeatId) {
        let refused = self.refused;
        let it = self.seat(seat);
        it.stacks = if refused { 0 } else { STACKS_KEPT.min(it.stacks + 1) };
    }
}
