//! Stacks that are made ready before they are taken: each has its guard, few have memory, and none is lost.

use super::tests::{class, guarded, is_whole, size, take};
use super::*;
use crate::stack::alone::alone;
use crate::stack::guard::{map, pointer};

/// Whether the address, which is mapped, has memory.
fn resident(address: usize) -> bool {
    let mut resident = 0;
    // SAFETY: mincore looks at an address without touching it, and writes one byte for one page.
    assert_eq!(unsafe { libc::mincore(pointer(address), 1, &raw mut resident) }, 0);
    resident & 1 == 1
}

/// Has this thread refused a system call from here on, as a sandbox would.
fn refuse(call: libc::c_long) {
    let step = |code: u32, jt, jf, k| libc::sock_filter { code: u16::try_from(code).expect("small"), jt, jf, k };
    let mut steps = [
        // The number of the call is the first field of what a filter sees.
        step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, 0, 0),
        step(libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, 0, 1, u32::try_from(call).expect("a call")),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs()),
        step(libc::BPF_RET | libc::BPF_K, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog { len: 4, filter: steps.as_mut_ptr() };
    // SAFETY: prctl reads a filter of four steps that lives across the call; the other arguments are numbers.
    unsafe {
        assert_eq!(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64), 0);
        let mode = libc::c_ulong::from(libc::SECCOMP_MODE_FILTER);
        assert_eq!(libc::prctl(libc::PR_SET_SECCOMP, mode, &raw const filter), 0);
    }
}

/// Takes and gives nothing back; says how guards are made.
fn take_all(store: &mut Store, count: usize) -> (Vec<Stack>, Guard) {
    let stacks: Vec<_> = (0..count).map_while(|_| take(store)).collect();
    assert_eq!(stacks.len(), count);
    let guard = class(store).chunks[0].guard;
    (stacks, guard)
}

/// That no slot is lost: each that was come to is handed out or lies somewhere.
fn assert_complete(store: &mut Store, handed_out: usize) {
    let class = class(store);
    let out: usize = class.chunks.iter().map(|chunk| chunk.out).sum();
    let come_to: usize = class.chunks.iter().map(|chunk| chunk.fresh).sum();
    assert_eq!(out, handed_out);
    assert_eq!(out + class.ready.len() + class.cold.len() + class.bare.len(), come_to);
}

#[test]
fn every_stack_has_its_guard_however_many_were_made_at_once() {
    let (mut store, mut stacks, mut most) = (Store::new(), Vec::new(), 0);
    // Up to the middle of the third chunk, over the last slots of two.
    for taken in 0..5 * FIRST_CHUNK {
        stacks.push(take(&mut store).expect("a stack can be had"));
        let class = class(&mut store);
        let ahead: Vec<_> = class.ready.iter().chain(&class.cold).collect();
        assert!(ahead.len() <= taken, "{} made ahead of {taken}", ahead.len());
        assert!(ahead.iter().all(|stack| is_whole(stack)), "among those made ahead of {taken}");
        most = most.max(ahead.len());
        assert_complete(&mut store, taken + 1);
    }
    assert!(stacks.iter().all(is_whole));
    assert!(stacks.is_sorted_by_key(|stack| (stack.chunk, stack.base.get())), "the lowest first");
    let many = class(&mut store).chunks[0].guard == Guard::Many;
    assert_eq!(most, if many { AT_ONCE - 1 } else { 0 });
    stacks.into_iter().for_each(|stack| store.give(stack));
}

#[test]
fn of_the_stacks_that_nobody_has_taken_yet_few_hold_memory_and_those_can_be_emptied() {
    let (mut store, mut stacks, mut most) = (Store::new(), Vec::new(), 0);
    for taken in 0..20 * FIRST_CHUNK {
        stacks.push(take(&mut store).expect("a stack can be had"));
        let class = class(&mut store);
        assert!(!class.cold.iter().any(|stack| resident(stack.top().start)), "after {taken}");
        assert!(class.ready.iter().all(|stack| resident(stack.top().start)), "after {taken}");
        assert!(class.ready.len() <= taken / POPULATED_SHARE, "after {taken}");
        most = most.max(class.ready.len());
    }
    let many = class(&mut store).chunks[0].guard == Guard::Many;
    assert_eq!(most, if many { AT_ONCE - 1 } else { 0 });
    let emptied = Store::trim(store.take_idle());
    assert!(!emptied.iter().any(|stack| resident(stack.top().start)));
    store.put_idle(emptied);
    stacks.into_iter().for_each(|stack| store.give(stack));
}

#[test]
fn a_call_that_is_refused_leaves_each_guard_to_a_call_of_its_own() {
    alone(module_path!(), "a_call_that_is_refused_leaves_each_guard_to_a_call_of_its_own", || {
        let mut store = Store::new();
        let (mut stacks, guard) = take_all(&mut store, 20);
        if guard != Guard::Many {
            println!("not tested: this kernel has no call for many guards");
            return;
        }
        refuse(libc::SYS_process_madvise);
        let mut refused = 0;
        while stacks.len() < 3 * FIRST_CHUNK {
            stacks.push(take(&mut store).expect("a stack can be had"));
            assert!(stacks.last().is_some_and(is_whole));
            refused = refused.max(class(&mut store).bare.len());
            assert_complete(&mut store, stacks.len());
        }
        assert!(refused > 0 && class(&mut store).chunks[1].guard == Guard::Light);
        assert!(stacks.iter().all(is_whole));
    });
}

#[test]
fn a_call_that_comes_halfway_leaves_the_rest_for_later() {
    alone(module_path!(), "a_call_that_comes_halfway_leaves_the_rest_for_later", || {
        let mut store = Store::new();
        let (mut stacks, guard) = take_all(&mut store, 16);
        if guard != Guard::Many {
            println!("not tested: this kernel has no call for many guards");
            return;
        }
        // Where the sixth guard of the next sixteen is to be, there is no memory for a while.
        let lowest = stacks[15].guard().start + stride(page_size(), size());
        let (hole, flags) =
            (lowest + 5 * stride(page_size(), size()), libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED);
        // SAFETY: a page of a slot that was never taken.
        assert_eq!(unsafe { libc::munmap(pointer(hole), page_size()) }, 0);
        stacks.push(take(&mut store).expect("the first of the call"));
        assert_eq!((class(&mut store).cold.len(), class(&mut store).bare.len()), (4, 11));
        assert!(class(&mut store).cold.iter().all(is_whole));
        stacks.extend(std::iter::from_fn(|| take(&mut store)));
        assert!(stacks.iter().all(is_whole) && stacks.iter().all(|stack| stack.guard().start != hole));
        assert_complete(&mut store, stacks.len());
        // SAFETY: the same page, which nobody has mapped since: this process has one thread that does anything.
        unsafe { libc::mmap(pointer(hole), page_size(), libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        stacks.extend((stacks.len()..2 * FIRST_CHUNK).map_while(|_| take(&mut store)));
        assert_eq!(stacks.len(), 2 * FIRST_CHUNK);
        assert!(stacks.iter().all(is_whole) && stacks.iter().any(|stack| stack.guard().start == hole));
        assert_complete(&mut store, stacks.len());
    });
}

#[test]
fn the_cheapest_guards_that_work_are_chosen() {
    alone(module_path!(), "the_cheapest_guards_that_work_are_chosen", || {
        let start = map(2 * page_size()).expect("a mapping can be had");
        let pages = [start..start + page_size(), start + page_size()..start + 2 * page_size()];
        // SAFETY: the mapping is new.
        let many = unsafe { advise_each(pages.clone(), GUARD_INSTALL) } == 2 && guarded(start + page_size());
        // SAFETY: the mapping is new.
        let works = unsafe { advise(pages[0].clone(), GUARD_INSTALL) }.is_ok() && guarded(start);
        let mut store = Store::new();
        assert!(take(&mut store).is_some());
        let best = if many { Guard::Many } else { Guard::Light };
        assert_eq!(class(&mut store).chunks[0].guard, if works { best } else { Guard::Split });
        if works {
            refuse(libc::SYS_process_madvise);
            assert!(take(&mut Store::new()).is_some_and(|stack| is_whole(&stack)));
            let mut store = Store::new();
            assert!(take(&mut store).is_some());
            assert_eq!(class(&mut store).chunks[0].guard, Guard::Light);
        }
    });
}
