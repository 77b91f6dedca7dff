//! The third opinion: the pool that copool started from, asked what it makes of the scripts on which it can be relied.
//!
//! Each script is played here by copool, and in a process of its own by open-coroutine-core. Both must tell the same: which
//! task starts, goes on and ends, in which order and in which drive, and each result.

use std::collections::HashMap;
use std::error::Error;
use std::sync::{Arc, Mutex};

use copool::{CoroutinePool, JoinHandle};
use copool_peers::script::{Body, DRIVEN, Inside, SEVERAL_POLL, Script, Side, play};

use crate::contained;
use crate::contestant::Programs;

struct Ours {
    pool: CoroutinePool,
    handles: Arc<Handles>,
}

type Handles = Mutex<HashMap<String, JoinHandle<usize>>>;

fn submit(pool: &copool::PoolHandle, handles: &Handles, name: String, priority: Option<i64>, body: Body) {
    let task = pool.task().name(name.clone()).priority(priority.unwrap_or(0)).spawn(body).expect("the pool runs");
    handles.lock().expect("nobody panics with it").insert(name, task);
}

impl Side for Ours {
    fn inside(&self) -> Inside {
        let (pool, handles) = (self.pool.handle(), Arc::clone(&self.handles));
        Inside {
            suspend: |_| copool::suspend(),
            submit: Arc::new(move |name, priority, body| submit(&pool, &handles, name, priority, body)),
        }
    }

    fn submit(&mut self, name: String, priority: Option<i64>, body: Body) {
        submit(&self.pool, &self.handles, name, priority, body);
    }

    fn drive(&mut self) {
        self.pool.try_schedule_task().expect("the drive is not refused");
    }

    fn take(&mut self, name: &str) -> Option<usize> {
        let task = self.handles.lock().expect("nobody panics with it").remove(name);
        task.and_then(|mut task| task.try_join()).map(|result| result.expect("returned"))
    }
}

fn ours(script: &Script) -> String {
    let pool = CoroutinePool::builder().build().expect("a pool");
    play(script, &mut Ours { pool, handles: Arc::default() })
}

/// Asks both about so many scripts, and says where they differ.
pub(crate) fn ask(scripts: u64) -> Result<(), Box<dyn Error>> {
    let programs = Programs::build()?;
    let (mut exact, mut loose, mut observations) = (0, 0, 0);
    for number in 0..scripts {
        let script = Script::draw(number);
        let ours = ours(&script);
        let theirs = contained::output(programs.third_opinion(number))?;
        let theirs = theirs.trim_end();
        let same = match theirs.strip_prefix(SEVERAL_POLL) {
            None => {
                exact += 1;
                theirs == ours
            }
            Some(theirs) => {
                loose += 1;
                drives(theirs.trim_start()) == drives(&ours)
            }
        };
        if !same {
            return Err(format!("script {number}: {script:?}\n\n{}", side_by_side(&ours, theirs)).into());
        }
        observations += ours.lines().count();
    }
    if exact == 0 {
        return Err("no script was compared in order".into());
    }
    println!(
        "third-opinion: {exact} scripts the same in order, {loose} the same in each drive (several workers poll at once in \
         open-coroutine-core); {observations} observations"
    );
    Ok(())
}

/// What happened in each drive, and the results, regardless of the order within.
fn drives(log: &str) -> Vec<Vec<&str>> {
    let lines: Vec<_> = log.lines().collect();
    let mut drives: Vec<_> = lines.split(|line| *line == DRIVEN).map(<[&str]>::to_vec).collect();
    drives.iter_mut().for_each(|drive| drive.sort_unstable());
    drives
}

/// Both logs, and a mark where they differ.
fn side_by_side(ours: &str, theirs: &str) -> String {
    let (mut ours, mut theirs) = (ours.lines(), theirs.lines());
    let mut text = format!("  {:25}open-coroutine-core\n", "copool");
    loop {
        let pair = (ours.next(), theirs.next());
        if pair == (None, None) {
            return text;
        }
        let mark = if pair.0 == pair.1 { ' ' } else { '!' };
        text += &format!("{mark} {:25}{}\n", pair.0.unwrap_or_default(), pair.1.unwrap_or_default());
    }
}
