//! What is particular to stacks in chunks: mappings, guards, and what becomes of them.

use super::*;
use crate::stack::LEAST;
use crate::stack::alone::alone;
use crate::stack::guard::{map, pointer};

pub(super) fn size() -> usize {
    crate::stack::usable_size(LEAST).expect("the least is enough")
}

pub(super) fn take(store: &mut Store) -> Option<Stack> {
    let reserved = store.reserve(size()).ok()?;
    reserved.finish().or_else(|rest| store.settle(rest)).ok()
}

pub(super) fn class(store: &mut Store) -> &mut Class {
    store.classes.get_mut(&size()).expect("stacks of this size were taken")
}

/// How many mappings the process has.
fn mappings() -> usize {
    std::fs::read_to_string("/proc/self/maps").expect("Linux tells").lines().count()
}

/// Whether the address is mapped in this process.
fn mapped(address: usize) -> bool {
    let mut resident = 0;
    // SAFETY: mincore looks at an address without touching it, and writes one byte for one page.
    unsafe { libc::mincore(pointer(address), 1, &raw mut resident) == 0 }
}

/// Whether a read of the address would fault: a system call that reads it says so without dying.
pub(super) fn guarded(address: usize) -> bool {
    let mut pipe = [0; 2];
    // SAFETY: pipe writes two descriptors to an array of two.
    assert_eq!(unsafe { libc::pipe(pipe.as_mut_ptr()) }, 0);
    // SAFETY: the kernel reads one byte, and says so if it cannot.
    let written = unsafe { libc::write(pipe[1], pointer(address), 1) };
    let error = io::Error::last_os_error().raw_os_error();
    // SAFETY: both are ours.
    unsafe { (libc::close(pipe[0]), libc::close(pipe[1])) };
    written < 0 && error == Some(libc::EFAULT)
}

/// Whether the guard, all of it and nothing else of the stack, is closed.
pub(super) fn is_whole(stack: &Stack) -> bool {
    let guard = stack.guard();
    guarded(guard.start) && guarded(guard.end - 1) && !guarded(guard.end) && !guarded(stack.base.get() - 1)
}

#[test]
fn a_guard_of_either_kind_is_closed_and_nothing_else_is() {
    for kind in [Guard::Many, Guard::Light, Guard::Split] {
        let mut store = Store::new();
        let first = take(&mut store).expect("a stack can be had");
        if kind != Guard::Many {
            class(&mut store).chunks[0].guard = kind;
        }
        let second = take(&mut store).expect("a stack can be had");
        assert!(is_whole(&first) && is_whole(&second), "{kind:?}");
        store.give(first);
        store.give(second);
    }
}

#[test]
fn trim_empties_the_stacks_and_keeps_their_guards() {
    for kind in [Guard::Many, Guard::Light, Guard::Split] {
        let mut store = Store::new();
        let stack = take(&mut store).expect("a stack can be had");
        store.give(stack);
        if kind != Guard::Many {
            class(&mut store).chunks[0].guard = kind;
        }
        let stacks: Vec<_> = (0..3).map_while(|_| take(&mut store)).collect();
        for stack in &stacks {
            // SAFETY: the usable bytes of a stack that only this test holds.
            unsafe { pointer(stack.usable().start).cast::<u8>().write_bytes(1, stack.size()) };
        }
        stacks.into_iter().for_each(|stack| store.give(stack));
        let idle = store.take_idle();
        assert_eq!(idle.len(), 3);
        for stack in Store::trim(idle) {
            // SAFETY: as above.
            let bytes = unsafe { std::slice::from_raw_parts(pointer(stack.usable().start).cast::<u8>(), stack.size()) };
            assert!(bytes.iter().all(|&byte| byte == 0), "{kind:?}");
            assert!(is_whole(&stack), "{kind:?}");
            store.put_idle(vec![stack]);
        }
        assert!(take(&mut store).is_some());
    }
}

#[test]
fn all_chunks_are_unmapped_once_all_stacks_were_given_back() {
    alone(module_path!(), "all_chunks_are_unmapped_once_all_stacks_were_given_back", || {
        let mut store = Store::new();
        let stacks: Vec<_> = (0..3 * FIRST_CHUNK).map_while(|_| take(&mut store)).collect();
        let inside: Vec<_> = stacks.iter().map(|stack| stack.usable().start).collect();
        assert_eq!(inside.len(), 3 * FIRST_CHUNK);
        assert_eq!(class(&mut store).chunks.len(), 2);
        stacks.into_iter().for_each(|stack| store.give(stack));
        assert!(inside.iter().all(|&address| mapped(address)));
        drop(store);
        assert!(!inside.iter().any(|&address| mapped(address)));
    });
}

#[test]
fn a_chunk_stays_mapped_for_a_stack_that_was_not_given_back() {
    alone(module_path!(), "a_chunk_stays_mapped_for_a_stack_that_was_not_given_back", || {
        let mut store = Store::new();
        let mut stacks: Vec<_> = (0..3 * FIRST_CHUNK).map_while(|_| take(&mut store)).collect();
        let kept = stacks.remove(0);
        let other_chunk = stacks[2 * FIRST_CHUNK].usable().start;
        stacks.into_iter().for_each(|stack| store.give(stack));
        drop(store);
        assert!(mapped(kept.usable().start) && is_whole(&kept));
        assert!(!mapped(other_chunk));
    });
}

#[test]
fn thousands_of_stacks_take_few_mappings() {
    alone(module_path!(), "thousands_of_stacks_take_few_mappings", || {
        let mut store = Store::new();
        assert!(take(&mut store).is_some());
        if class(&mut store).chunks[0].guard == Guard::Split {
            // This kernel has no light guards, and this promise is theirs.
            return;
        }
        let before = mappings();
        let stacks: Vec<_> = (0..50_000).map_while(|_| take(&mut store)).collect();
        assert_eq!(stacks.len(), 50_000);
        assert!(mappings() - before < 30, "{before} mappings became {}", mappings());
    });
}

#[test]
fn chunks_double_up_to_a_bound() {
    let mut class = Class::new(size());
    for (index, slots) in [64, 128, 256, 512].into_iter().enumerate() {
        class.fresh().expect("a slot can be had");
        assert_eq!((class.chunks.len(), class.chunks[index].slots), (index + 1, slots));
        class.chunks[index].fresh = slots;
    }
    class.chunks[3].slots = MOST_SLOTS;
    class.chunks[3].fresh = MOST_SLOTS;
    class.fresh().expect("a slot can be had");
    assert_eq!(class.chunks[4].slots, MOST_SLOTS);
}

#[test]
fn a_stack_greater_than_a_chunk_has_a_chunk_of_its_own() {
    let mut class = Class::new(MOST_BYTES);
    class.fresh().expect("reserving is all that mapping does");
    assert_eq!(class.chunks[0].slots, 1);
}

/// Lets the process map so many bytes more.
fn limit_addresses(more: libc::rlim_t) {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages: libc::rlim_t = statm.split(' ').next().and_then(|pages| pages.parse().ok()).expect("a number");
    let room = pages * page_size() as libc::rlim_t + more;
    let limit = libc::rlimit { rlim_cur: room, rlim_max: room };
    // SAFETY: setrlimit reads a structure that lives across the call.
    assert_eq!(unsafe { libc::setrlimit(libc::RLIMIT_AS, &raw const limit) }, 0);
}

#[test]
fn with_little_address_space_chunks_shrink_until_not_one_stack_can_be_had() {
    alone(module_path!(), "with_little_address_space_chunks_shrink_until_not_one_stack_can_be_had", || {
        let mut store = Store::new();
        let mut stacks = Vec::with_capacity(10_000);
        stacks.extend(take(&mut store));
        limit_addresses(16 << 20_u8);
        stacks.extend(std::iter::from_fn(|| take(&mut store)));
        // The first chunk was there before; chunks that only double would leave half of the room unused.
        let most = (16 << 20_u8) / (page_size() + size());
        assert!((most * 3 / 4..=most + FIRST_CHUNK).contains(&stacks.len()), "{} of {most}", stacks.len());
        store.give(stacks.pop().expect("hundreds"));
        assert!(take(&mut store).is_some(), "what was given back can be had again");
    });
}

#[test]
fn with_no_mapping_left_for_a_guard_the_slot_stays_for_a_later_try() {
    alone(module_path!(), "with_no_mapping_left_for_a_guard_the_slot_stays_for_a_later_try", || {
        let text = std::fs::read_to_string("/proc/sys/vm/max_map_count").expect("Linux tells");
        let most: usize = text.trim().parse().expect("a number");
        if most > 2_000_000 {
            // To spend them all would take too long.
            return;
        }
        // Mappings to be given up later, so that there is room for one more guard: every second page is closed.
        let spare = map(16 * page_size()).expect("a mapping can be had");
        for page in (1..16).step_by(2) {
            // SAFETY: a page of a new mapping.
            unsafe { libc::mprotect(pointer(spare + page * page_size()), page_size(), libc::PROT_NONE) };
        }
        let mut stacks = Vec::with_capacity(most);
        let mut store = Store::new();
        stacks.extend(take(&mut store));
        // The next chunk is a large one, so that guards, not chunks, run out of mappings.
        (class(&mut store).chunks[0].slots, class(&mut store).chunks[0].fresh) = (MOST_SLOTS, MOST_SLOTS);
        loop {
            class(&mut store).chunks.iter_mut().for_each(|chunk| chunk.guard = Guard::Split);
            let Some(stack) = take(&mut store) else { break };
            stacks.push(stack);
        }
        assert!(most / 2 - 500 < stacks.len() && stacks.len() <= most, "{} of {most}", stacks.len());
        assert_eq!(class(&mut store).bare.len(), 1);
        let out: usize = class(&mut store).chunks.iter().map(|chunk| chunk.out).sum();
        assert_eq!(out, stacks.len());
        assert!(take(&mut store).is_none(), "nothing has changed");
        // SAFETY: the mapping from above.
        unsafe { libc::munmap(pointer(spare), 16 * page_size()) };
        let late = take(&mut store).expect("there are mappings again");
        assert!(class(&mut store).bare.is_empty());
        assert!(is_whole(&late));
        stacks.into_iter().chain([late]).for_each(|stack| store.give(stack));
    });
}

#[test]
fn whoever_found_no_slot_is_told_of_those_that_others_had_in_hand() {
    alone(module_path!(), "whoever_found_no_slot_is_told_of_those_that_others_had_in_hand", || {
        let stacks = crate::stack::Stacks::new();
        let mut held: Vec<Stack> = Vec::with_capacity(10_000);
        held.extend((0..FIRST_CHUNK / 2).map(|_| stacks.take(size(), || ()).expect("a stack can be had")));
        if class(&mut stacks.state.lock().store).chunks[0].guard != Guard::Many {
            println!("not tested: this kernel has no call for many guards, so nothing is made ahead");
            return;
        }
        // With all that are left of the chunk.
        let in_hand = stacks.state.lock().reserve(size(), usize::MAX).expect("a slot");
        limit_addresses(0);
        held.extend(std::iter::from_fn(|| stacks.take(size(), || panic!("nobody was refused yet")).ok()));
        let mut told = 0;
        held.push(stacks.finish(in_hand, || told += 1).expect("a guard"));
        assert_eq!(told, 1);
        assert!(held.len() > FIRST_CHUNK / 2 && stacks.take(size(), || ()).is_ok());
    });
}

#[cfg(not(any(feature = "loom", feature = "shuttle")))]
#[test]
fn a_stack_whose_guard_cannot_be_made_does_not_count() {
    alone(module_path!(), "a_stack_whose_guard_cannot_be_made_does_not_count", || {
        let stacks = crate::stack::Stacks::new();
        let first = stacks.take(size(), || ()).expect("a stack can be had");
        // Where the next guard is to be, there is no memory for a while.
        let (next, flags) = (
            first.guard().start + super::stride(page_size(), first.size()),
            libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED,
        );
        // SAFETY: a page of a slot that was never taken.
        assert_eq!(unsafe { libc::munmap(pointer(next), page_size()) }, 0);
        assert_eq!(stacks.take(size(), || ()).expect_err("no guard"), Exhausted);
        assert_eq!(stacks.live(), 1);
        // SAFETY: the same page, which nobody has mapped since: this process has one thread that does anything.
        unsafe { libc::mmap(pointer(next), page_size(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        let second = stacks.take(size(), || ()).expect("there is memory again");
        assert!(second.guard().start == next && is_whole(&second));
        assert_eq!(stacks.live(), 2);
    });
}

#[test]
#[should_panic = "not a usable size"]
fn a_size_that_is_not_whole_pages_is_refused() {
    drop(Store::new().reserve(size() + 1));
}

#[test]
#[should_panic = "given back to the store that it is from"]
fn a_stack_of_another_store_is_refused() {
    let (mut store, mut other) = (Store::new(), Store::new());
    let stack = take(&mut store).expect("a stack can be had");
    assert!(take(&mut other).is_some());
    other.give(stack);
}
