//! Blocking calls off the schedule threads: [`syscall`] and the pool's helper threads.
//!
//! The closure stays on its task's stack and may borrow from it; a helper runs it there through a pointer. That is
//! sound because nothing resumes or drops the coroutine until the call has reported: the task's wait is deaf to
//! interrupts, a leaving seat waits for the note, and a forgotten coroutine keeps its stack for ever.
//!
//! Helpers are started as calls come, up to a limit; beyond it calls queue, first in, first out. A helper counts as free
//! before it wakes the task of its call, so that the task's next call finds it: whoever is counted looks at the queue,
//! under its lock, before it waits or goes. One that stays free for a while goes. If none can be started, the call runs
//! in place. On a virtual clock there are none: the seat itself runs the calls, one each time it looks around.
//!
//! A seat that has nothing else to do looks for the end of a call for a moment before it sleeps, and a helper for the next call:
//! a short call ends sooner than either could sleep and be woken. Tested in `syscall/tests.rs`, `tests/scenarios.rs` and `tests/misuse.rs`.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use copool_spec::{Interruption, Tell};

use crate::here::{Here, here, with_identity};
use crate::schedule::Seat;
use crate::sync::thread::{self, Thread};
use crate::sync::{Arc, AtomicBool, Condvar, Mutex, Ordering, catch, now, throw};
use crate::task::{self, Frame, Generation, Task, Wait};

/// For so long a free helper stays.
const HELPER_IDLES: Duration = Duration::from_secs(10);

/// How often a seat looks for the end of a call before it sleeps: for some ten microseconds, about as long as it takes to sleep and be
/// woken. Under a checker, where each look is one more state that tells nothing, not at all.
const LOOKS: u32 = if cfg!(any(feature = "loom", feature = "shuttle")) { 0 } else { 400 };

/// How often a helper looks for the next call before it waits; under a checker once, for what may come in between.
const HELPER_LOOKS: u32 = if LOOKS == 0 { 1 } else { LOOKS };

/// Runs a blocking `f` on a helper thread, while other tasks run on this one.
///
/// The task is suspended in state Syscall until `f` has returned, so `f` may borrow from the task. A cancel takes effect
/// before `f` or after it, never in between. A panic in `f` goes on in the task. `name` says what is called, to
/// listeners. On a plain thread, in a destructor during unwinding, or if no helper thread can be had, `f`
/// runs right here. While all [`max_syscall_threads`](crate::Builder::max_syscall_threads) helpers are busy, further calls
/// wait for one in turn. On a [`VirtualClock`](crate::VirtualClock) there are none: the seat itself runs `f`, between two tasks.
///
/// On a helper [`current`](crate::current()) is the task, but `suspend`, `delay` and `park` act on the helper's thread, and
/// coroutine-local values are out of reach.
///
/// ```
/// let mut pool = copool::CoroutinePool::default();
/// let text = String::from("borrowed by the call");
/// let task = pool.spawn(move || copool::syscall("count", || text.len())).unwrap();
/// pool.drain(None).unwrap();
/// assert_eq!(task.join().unwrap(), 20);
/// ```
///
/// # Panics
/// With the payload with which `f` panics.
pub fn syscall<R: Send>(name: &'static str, f: impl FnOnce() -> R + Send) -> R {
    here(|here| match here {
        Here::Task(seat, frame) if frame.point(seat) => in_task(seat, frame, name, f),
        _ => f(),
    })
}

fn in_task<R: Send>(seat: &Seat, frame: &Frame, name: &'static str, f: impl FnOnce() -> R + Send) -> R {
    let shared = &seat.post.shared;
    let id = frame.task.core().id;
    let mut result = None;
    let mut f = Some(f);
    let mut job = || {
        if let Some(f) = f.take() {
            result = Some(catch(f));
        }
    };
    let job: &mut (dyn FnMut() + Send) = &mut job;
    // SAFETY: only the lifetime changes. `frame.wait` below returns only after the call has run, or has not been made:
    // the wait is deaf, so nothing but the end of the call ends it, and until it ends the coroutine, on whose stack the
    // closure is, is neither resumed nor dropped.
    let job: *mut (dyn FnMut() + Send + 'static) = unsafe { std::mem::transmute(job) };
    shared.syscall_entered(id, name);
    seat.calls_out.set(seat.calls_out.get() + 1);
    frame.wait(seat, (Wait::Syscall, Interruption::Syscall), None, |generation| {
        // SAFETY: as above, the task waits for the call from here on.
        let call = unsafe { Call::new(job, Task::clone(&frame.task), generation) };
        if shared.clock.is_virtual() {
            seat.queue_call(call);
            return true;
        }
        match shared.helpers.push(call) {
            Ok(()) => true,
            Err(call) => {
                call.run_job();
                false
            }
        }
    });
    seat.calls_out.set(seat.calls_out.get() - 1);
    // A cancelled task drops the result and unwinds here.
    frame.point(seat);
    match result {
        Some(Ok(value)) => value,
        Some(Err(payload)) => throw(payload),
        None => unreachable!("the wait ends after the call"),
    }
}

impl Seat {
    /// Whether, with a call out, something comes now that makes a task of this seat ready: the end of the call, as a rule.
    pub(crate) fn call_ends_soon(&self) -> bool {
        let ends = || {
            std::hint::spin_loop();
            self.has_news()
        };
        self.calls_out.get() > 0 && (0..LOOKS).any(|_| ends())
    }
}

/// A system call on its way.
pub(crate) struct Call {
    job: *mut (dyn FnMut() + Send),
    task: Task,
    generation: Generation,
}

// SAFETY: the closure behind the pointer is Send, and one thread at a time has the call; see `in_task` for its life.
unsafe impl Send for Call {}

impl Call {
    /// A call of `job` for a task that waits for it.
    ///
    /// # Safety
    /// Until the call has run or is dropped, what is behind the pointer stays, and is used by nobody else.
    pub(crate) unsafe fn new(job: *mut (dyn FnMut() + Send), task: Task, generation: Generation) -> Self {
        Self { job, task, generation }
    }

    /// Runs the call and wakes its task.
    pub(crate) fn run(self) {
        self.run_job();
        self.wake();
    }

    fn wake(self) {
        task::wake(self.task, self.generation);
    }

    fn run_job(&self) {
        with_identity(&self.task, || {
            // SAFETY: by the contract of `new`. The task waits for this call, so its stack, and the closure on it, stay as they
            // are.
            unsafe { (*self.job)() }
        });
        let core = self.task.core();
        core.shared().syscall_left(core.id);
    }
}

/// The helper threads of a pool.
pub(crate) struct Helpers(Arc<Inner>);

struct Inner {
    most: u32,
    thread_name: String,
    state: Mutex<State>,
    changed: Condvar,
    /// Whether there is a call in the queue: a hint for a helper that looks for one before it waits.
    queued: AtomicBool,
}

#[derive(Default)]
struct State {
    queue: VecDeque<Call>,
    /// How many helpers wait for a call, or are about to look for one.
    free: usize,
    live: u32,
    /// How many of them are being started: their threads are not in the list yet.
    starting: u32,
    /// One of the free ones looks for a call, and sees one that is queued without being told.
    looks: bool,
    closed: bool,
    threads: Vec<Thread>,
    /// The next thread cannot be started, for scripts.
    #[cfg(feature = "script")]
    fails: bool,
}

impl Helpers {
    pub(crate) fn new(most: u32, pool: &str) -> Self {
        let thread_name = format!("{pool}-syscall");
        let (state, changed, queued) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Self(Arc::new(Inner { most, thread_name, state, changed, queued }))
    }

    /// How many threads there are.
    pub(crate) fn threads(&self) -> usize {
        self.0.state.lock().live as usize
    }

    /// Hands the call to a helper, or back if there is none and none can be had.
    pub(crate) fn push(&self, call: Call) -> Result<(), Call> {
        self.push_or_start(call, |inner| {
            #[cfg(feature = "script")]
            if std::mem::take(&mut inner.state.lock().fails) {
                return Err(io::ErrorKind::WouldBlock.into());
            }
            thread::spawn(inner.thread_name.clone(), move || inner.work())
        })
    }

    /// Lets the next start of a thread fail.
    #[cfg(feature = "script")]
    pub(crate) fn fail_next(&self) {
        self.0.state.lock().fails = true;
    }

    fn push_or_start(&self, call: Call, start: impl FnOnce(Arc<Inner>) -> io::Result<Thread>) -> Result<(), Call> {
        let inner = &self.0;
        let mut state = inner.state.lock();
        if state.closed || inner.most == 0 {
            return Err(call);
        }
        let (task, generation) = (Task::clone(&call.task), call.generation);
        state.queue.push_back(call);
        inner.note(true);
        if state.free >= state.queue.len() {
            let seen = state.looks && state.queue.len() == 1;
            drop(state);
            if !seen {
                inner.changed.notify_one();
            }
            return Ok(());
        }
        if state.live == inner.most {
            return Ok(());
        }
        state.live += 1;
        state.starting += 1;
        drop(state);
        self.started(start(Arc::clone(inner)), &task, generation)
    }

    /// A helper that was counted has been started, or not. If not, and there is no other, the call comes back.
    fn started(&self, started: io::Result<Thread>, task: &Task, generation: Generation) -> Result<(), Call> {
        let mut state = self.0.state.lock();
        state.starting -= 1;
        if state.closed {
            // Somebody may wait for the list to be whole.
            self.0.changed.notify_all();
        }
        if let Ok(thread) = started {
            state.threads.push(thread);
            return Ok(());
        }
        state.live -= 1;
        if state.live > 0 {
            return Ok(());
        }
        // Nobody is left to run what is queued, this call and perhaps those of others who relied on this thread.
        let calls = std::mem::take(&mut state.queue);
        self.0.note(false);
        drop(state);
        let own = |call: &Call| call.task.is(task) && call.generation == generation;
        let (own, others): (Vec<_>, Vec<_>) = calls.into_iter().partition(own);
        others.into_iter().for_each(Call::run);
        own.into_iter().next().map_or(Ok(()), Err)
    }

    /// Lets the helpers go once their queue is empty. Calls that come later run in place.
    pub(crate) fn close(&self) {
        self.0.state.lock().closed = true;
        self.0.changed.notify_all();
    }

    /// Closes, and waits for the calls in flight.
    pub(crate) fn join(&self) {
        self.close();
        let threads = {
            let mut state = self.0.state.lock();
            while state.starting > 0 {
                state = self.0.changed.wait(state);
            }
            std::mem::take(&mut state.threads)
        };
        for thread in threads {
            if !thread.is_current() {
                thread.join();
            }
        }
    }
}

impl Inner {
    /// The body of a helper thread.
    fn work(&self) {
        self.state.lock().free += 1;
        while let Some(call) = self.next() {
            call.run_job();
            // First, as the woken task may make its next call at once. Between this and the look at the queue no code of the
            // user's runs but listeners, so whoever relies on this helper does not wait for long.
            self.state.lock().free += 1;
            call.wake();
        }
    }

    /// Says, under the lock, whether a call is queued.
    fn note(&self, queued: bool) {
        // Ordering: Relaxed; a hint, the queue is looked at under its lock.
        self.queued.store(queued, Ordering::Relaxed);
    }

    /// Whether a call comes now: whoever makes short ones makes the next as soon as one has ended.
    fn call_comes_soon(&self) -> bool {
        let comes = || {
            std::hint::spin_loop();
            // Ordering: Relaxed, see `note`.
            self.queued.load(Ordering::Relaxed)
        };
        (0..HELPER_LOOKS).any(|_| comes())
    }

    /// The next call for the calling helper, which is counted as free.
    fn next(&self) -> Option<Call> {
        let mut state = self.state.lock();
        // One at a time, and while no other works: to look would take time from those.
        if !state.looks && state.free == state.live as usize && state.queue.is_empty() {
            state.looks = true;
            drop(state);
            self.call_comes_soon();
            state = self.state.lock();
            state.looks = false;
        }
        let mut until = None;
        loop {
            if let Some(call) = state.queue.pop_front() {
                self.note(!state.queue.is_empty());
                state.free -= 1;
                return Some(call);
            }
            let left = until.get_or_insert_with(|| now() + HELPER_IDLES).saturating_duration_since(now());
            if state.closed || left.is_zero() {
                state.free -= 1;
                state.live -= 1;
                if !state.closed {
                    state.threads.retain(|thread| !thread.is_current());
                }
                return None;
            }
            state = self.changed.wait_timeout(state, left);
        }
    }
}

#[cfg(test)]
mod tests;
