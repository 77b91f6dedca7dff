//! A virtual clock under background threads: they block, and whoever moves the clock has to reach them.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use copool::spec::Event;
use copool::{CoroutinePool, Listener, VirtualClock, delay};

use crate::SECOND;
use crate::common::within;

/// So long, by the system's clock, a wake-up may take before it counts as lost.
const LOST: Duration = Duration::from_secs(10);

struct On<F>(F);

impl<F: Fn(&Event) + Send + Sync + 'static> Listener for On<F> {
    fn on_event(&self, event: &Event) {
        (self.0)(event);
    }
}

/// Sends a word at each event of this name.
fn tell(name: &'static str, to: Sender<()>) -> impl Listener {
    let to = Mutex::new(to);
    On(move |event: &Event| {
        if event.name() == name {
            let to = to.lock().unwrap_or_else(PoisonError::into_inner);
            // Nobody listens any more when the pool is being dropped.
            let _ = to.send(());
        }
    })
}

/// Runs `f` on a thread without a seat, which may block on the pool's tasks.
fn outside<R: Send>(f: impl FnOnce() -> R + Send) -> R {
    thread::scope(|scope| scope.spawn(f).join().unwrap())
}

#[test]
fn an_advance_reaches_a_blocked_background_thread() {
    within("advance", || {
        let (clock, (told, blocked)) = (VirtualClock::new(), channel());
        let builder = CoroutinePool::builder().clock(clock.clone()).threads(1);
        let pool = builder.listener(tell("seat_blocked", told)).build().unwrap();
        blocked.recv().unwrap();
        for _ in 0..100 {
            let mut sleeper = pool.spawn(|| delay(SECOND)).unwrap();
            blocked.recv().unwrap();
            clock.advance(SECOND);
            assert!(outside(|| sleeper.join_timeout(LOST)).is_ok());
            blocked.recv().unwrap();
        }
    });
}

#[test]
fn an_advance_is_not_lost_on_a_seat_that_is_about_to_block() {
    within("advance in the window", || {
        let clock = VirtualClock::new();
        let (told, blocked) = channel();
        let advances = clock.clone();
        // An idle worker goes after the seat has looked at its timers, and before it says that it will sleep.
        let in_the_window = On(move |event: &Event| {
            if event.name() == "time_over" {
                advances.advance(SECOND);
            }
        });
        let builder = CoroutinePool::builder().clock(clock.clone()).keep_alive(SECOND).threads(1);
        let pool = builder.listener(in_the_window).listener(tell("seat_blocked", told)).build().unwrap();
        blocked.recv().unwrap();
        // One submission, and so one time to block: the sleeper, beside a worker that idles.
        let handle = pool.handle();
        let (send, receive) = channel();
        let both = move || {
            send.send(handle.spawn(|| delay(SECOND * 2)).unwrap()).unwrap();
        };
        pool.spawn(both).unwrap();
        let mut sleeper = receive.recv().unwrap();
        pool.spawn(|| ()).unwrap();
        while pool.size() > 0 || pool.outstanding() > 1 {
            blocked.recv().unwrap();
        }
        clock.advance(SECOND);
        let joined = outside(|| sleeper.join_timeout(LOST));
        assert!(joined.is_ok(), "{joined:?}: the timer is due, and its seat sleeps");
    });
}

#[test]
fn no_advance_is_lost_however_it_falls() {
    within("advances", || {
        let (clock, (told, suspended)) = (VirtualClock::new(), channel());
        let builder = CoroutinePool::builder().clock(clock.clone()).threads(1);
        let pool = builder.listener(tell("suspension_heard", told)).build().unwrap();
        for round in 0..10_000 {
            let mut sleeper = pool.spawn(|| delay(SECOND)).unwrap();
            suspended.recv().unwrap();
            (0..round % 300).for_each(|_| std::hint::spin_loop());
            clock.advance(SECOND);
            let joined = outside(|| sleeper.join_timeout(LOST));
            assert!(joined.is_ok(), "{joined:?} in round {round}: the timer is due, and its seat sleeps");
        }
    });
}

#[test]
fn an_automatic_clock_jumps_for_a_background_thread_too() {
    within("auto in the background", || {
        let pool = CoroutinePool::builder().clock(VirtualClock::auto()).threads(1).build().unwrap();
        let mut sleeper = pool.spawn(|| delay(SECOND * 3600)).unwrap();
        let joined = outside(|| sleeper.join_timeout(LOST));
        assert!(joined.is_ok(), "{joined:?}: a drive blocks for a timer, and the clock does not jump to it");
    });
}
