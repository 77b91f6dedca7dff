//! What all stacks promise, wherever their memory comes from.

use std::ops::Range;

use corosensei::Coroutine;
use corosensei::stack::Stack as _;
use quickcheck::{TestResult, quickcheck};

use super::*;

#[test]
fn sizes_below_the_least_are_too_small() {
    for size in [0, 1, LEAST - 1] {
        assert_eq!(usable_size(size), Err(SizeError::TooSmall { size, least: LEAST }));
    }
}

#[test]
fn sizes_above_the_most_are_too_large() {
    for size in [MOST + 1, isize::MAX as usize, usize::MAX] {
        assert_eq!(usable_size(size), Err(SizeError::TooLarge { size, most: MOST }));
    }
    assert!(usable_size(MOST).is_ok());
}

#[test]
fn sizes_in_between_are_rounded_up_to_pages() {
    let page = page_size();
    let least = LEAST.next_multiple_of(page);
    assert_eq!(usable_size(LEAST), Ok(least));
    assert_eq!(usable_size(least), Ok(least));
    assert_eq!(usable_size(least + 1), Ok(least + page));
    assert_eq!(usable_size(DEFAULT), Ok(DEFAULT.next_multiple_of(page)));
}

quickcheck! {
    fn a_usable_size_is_whole_pages_and_at_most_a_page_more_than_wished(wished: usize) -> TestResult {
        let wished = wished % (MOST + 1);
        match usable_size(wished) {
            Ok(size) => {
                let close = size >= wished && size - wished < page_size();
                TestResult::from_bool(close && size.is_multiple_of(page_size()) && usable_size(size) == Ok(size))
            }
            Err(_) => TestResult::from_bool(wished < LEAST),
        }
    }

    fn live_stacks_never_overlap_and_the_last_given_back_is_taken_first(moves: Vec<(u8, u8)>) -> bool {
        plays_like_a_list(&moves)
    }
}

/// Takes and gives as `moves` say, and compares with what a list would do.
fn plays_like_a_list(moves: &[(u8, u8)]) -> bool {
    // A size that no other test uses: under a checker's features, stacks are shared by the whole process.
    let sizes = [5, 6, 7].map(|n| usable_size(n * LEAST).expect("not too small"));
    let stacks = Stacks::with_limit(40);
    let (mut held, mut last, mut peak) = (Vec::<Stack>::new(), None, 0);
    for &(choice, which) in moves {
        if choice % 3 > 0 {
            let size = sizes[usize::from(which) % sizes.len()];
            match stacks.take(size, || ()) {
                Ok(stack) => {
                    let reused = last.take_if(|(free, _)| *free == size).is_none_or(|(_, base)| stack.base() == base);
                    let apart = held.iter().all(|other| !overlap(&whole(other), &whole(&stack)));
                    if !reused || !apart || stack.size() != size || held.len() >= 40 {
                        return false;
                    }
                    held.push(stack);
                }
                Err(Exhausted) if held.len() == 40 => {}
                Err(Exhausted) => return false,
            }
            peak = peak.max(held.len());
        } else if !held.is_empty() {
            let stack = held.swap_remove(usize::from(which) % held.len());
            last = Some((stack.size(), stack.base()));
            stacks.give(stack);
        }
        if choice == 0 && last.is_some() {
            stacks.trim();
            last = None;
        }
        if stacks.live() != held.len() || stacks.peak() != peak {
            return false;
        }
    }
    held.into_iter().for_each(|stack| stacks.give(stack));
    stacks.live() == 0
}

fn whole(stack: &Stack) -> Range<usize> {
    stack.limit().get()..stack.base().get()
}

fn overlap(a: &Range<usize>, b: &Range<usize>) -> bool {
    a.start < b.end && b.start < a.end
}

fn size() -> usize {
    usable_size(LEAST).expect("the least is enough")
}

#[test]
fn a_stack_is_its_guard_and_its_usable_bytes() {
    let stacks = Stacks::new();
    let stack = stacks.take(size(), || ()).expect("a stack can be had");
    assert_eq!(stack.size(), size());
    assert_eq!(stack.guard().start, stack.limit().get());
    assert!(stack.guard().end + stack.size() <= stack.base().get());
    assert!(stack.guard().len() >= page_size());
    stacks.give(stack);
}

#[test]
fn a_coroutine_runs_on_it_and_leaves_it_fit_for_the_next() {
    let stacks = Stacks::new();
    for round in 0..3_usize {
        let stack = stacks.take(size(), || ()).expect("a stack can be had");
        let range = whole(&stack);
        let mut coroutine = Coroutine::<usize, usize, bool, _>::with_stack(stack, move |yielder, input| {
            let local = input;
            yielder.suspend(local + 1) == round && range.contains(&(&raw const local).addr())
        });
        assert_eq!(coroutine.resume(41).as_yield(), Some(42));
        assert_eq!(coroutine.resume(round).as_return(), Some(true));
        stacks.give(coroutine.into_stack());
    }
    assert_eq!((stacks.live(), stacks.peak()), (0, 1));
}

#[test]
fn beyond_the_limit_stacks_are_exhausted_until_one_is_given_back() {
    let stacks = Stacks::with_limit(2);
    let first = stacks.take(size(), || ()).expect("the first of two");
    let second = stacks.take(size(), || ()).expect("the second of two");
    assert_eq!(stacks.take(size(), || ()).expect_err("the third"), Exhausted);
    assert_eq!((stacks.live(), stacks.peak()), (2, 2));
    stacks.give(second);
    let again = stacks.take(size(), || ()).expect("the second of two, again");
    stacks.give(first);
    stacks.give(again);
    assert_eq!(Stacks::with_limit(0).take(size(), || ()).expect_err("the first of none"), Exhausted);
}

#[test]
fn a_stack_that_is_never_given_back_outlives_its_pool() {
    let stack = Stacks::new().take(size(), || ()).expect("a stack can be had");
    // The pool of the stack is gone already.
    let mut coroutine = Coroutine::<(), u8, (), _>::with_stack(stack, |yielder, ()| {
        let mut byte = 7;
        loop {
            byte = std::hint::black_box(byte);
            yielder.suspend(byte);
        }
    });
    assert_eq!(coroutine.resume(()).as_yield(), Some(7));
    assert_eq!(coroutine.resume(()).as_yield(), Some(7));
}

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
#[test]
fn threads_share_the_stacks() {
    use crate::sync::{Arc, thread};

    let stacks = Arc::new(Stacks::new());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let stacks = Arc::clone(&stacks);
            thread::spawn("stacks".to_owned(), move || {
                for round in 0..200 {
                    let held: Vec<_> = (0..5).map_while(|_| stacks.take(size(), || ()).ok()).collect();
                    assert_eq!(held.len(), 5);
                    held.into_iter().for_each(|stack| stacks.give(stack));
                    if round % 50 == 0 {
                        stacks.trim();
                    }
                }
            })
            .expect("a thread can be had")
        })
        .collect();
    threads.into_iter().for_each(thread::Thread::join);
    assert_eq!(stacks.live(), 0);
    assert!((5..=20).contains(&stacks.peak()), "{}", stacks.peak());
}

#[test]
fn stacks_may_be_shared_and_sent() {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Stacks>();
    sent::<Stack>();
}
