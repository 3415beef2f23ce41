//! The two queues between the C threads and the runtime thread: jobs in, completions out. Exactly one completion comes for
//! each accepted job, whatever happens to the task that holds it.
use std::collections::VecDeque;
use std::ffi::c_void;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::*};
use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;

use crate::error::{Code, Failure, Retry};
use crate::lock::Lock;
use crate::request::Work;
use crate::result::CqlResult;

pub struct Job {
    pub work: Work,
    pub completer: Completer,
}

#[derive(Default)]
struct Inbox {
    jobs: Vec<Job>,
    closing_at: Option<Instant>, // shutdown has begun; then what is left is cancelled
}

pub struct Queue {
    inbox: Lock<Inbox>,
    wake: Notify, // the runtime thread: jobs came, the last one ended, or shutdown has begun
    outcomes: Lock<VecDeque<Outcome>>,
    event: File,
    max_in_flight: u32,
    in_flight: AtomicU32,  // accepted for the queue and not yet taken
    unfinished: AtomicU32, // accepted and not yet completed, those that block included
    pub submitted: AtomicU64,
    pub completed: AtomicU64,
    pub failed: AtomicU64,
    pub busy: AtomicU64,
}

pub struct Outcome {
    pub data: *mut c_void,
    pub code: Code,
    pub retry: Retry,
    pub result: Option<Box<CqlResult>>,
}
// SAFETY: `data` is only carried from the caller back to the caller.
unsafe impl Send for Outcome {}

/// Who waits for the completion.
enum Waiter {
    Queue(*mut c_void),
    Caller(oneshot::Sender<Outcome>),
}
// SAFETY: as Outcome.
unsafe impl Send for Waiter {}

/// Completes its job when dropped: as it was told, else (the task panicked or was cancelled) with that.
pub struct Completer {
    queue: Arc<Queue>,
    waiter: Option<Waiter>,
    answer: Option<Result<Option<Box<CqlResult>>, Failure>>,
}

impl Queue {
    pub fn new(max_in_flight: u32) -> std::io::Result<Queue> {
        let descriptor = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if descriptor < 0 {
            return Err(std::io::Error::last_os_error());
        }
        Ok(Queue {
            inbox: Lock::default(),
            wake: Notify::new(),
            outcomes: Lock::default(),
            event: unsafe { File::from_raw_fd(descriptor) },
            max_in_flight,
            in_flight: AtomicU32::new(0),
            unfinished: AtomicU32::new(0),
            submitted: AtomicU64::new(0),
            completed: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            busy: AtomicU64::new(0),
        })
    }

    pub fn eventfd(&self) -> i32 {
        self.event.as_raw_fd()
    }

    pub fn in_flight(&self) -> u32 {
        self.in_flight.load(Acquire)
    }

    /// Accepts work whose completion goes into the queue.
    pub fn submit(self: &Arc<Queue>, work: Work, data: *mut c_void) -> Result<(), Failure> {
        self.accept(work, Waiter::Queue(data))
    }

    /// Accepts work and blocks until it is done.
    pub fn run(self: &Arc<Queue>, work: Work) -> Result<Outcome, Failure> {
        let (sender, receiver) = oneshot::channel();
        self.accept(work, Waiter::Caller(sender))?;
        let outcome = receiver.blocking_recv();
        drop(self.outcomes.lock()); // in order with the sender, see lock.rs
        outcome.map_err(|_| Failure::new(Code::Cancelled, Retry::Idempotent, "cancelled"))
    }

    fn accept(self: &Arc<Queue>, work: Work, waiter: Waiter) -> Result<(), Failure> {
        let queued = matches!(waiter, Waiter::Queue(_));
        let mut inbox = self.inbox.lock();
        if inbox.closing_at.is_some() {
            return Err(Failure::new(Code::Closed, Retry::No, "the session is closed"));
        }
        if queued {
            // Only this place adds, under the lock.
            if self.in_flight() >= self.max_in_flight {
                self.busy.fetch_add(1, Relaxed);
                return Err(Failure::new(Code::Busy, Retry::Safe, "too many requests are under way"));
            }
            self.in_flight.fetch_add(1, AcqRel);
            self.submitted.fetch_add(1, Relaxed);
        }
        self.unfinished.fetch_add(1, AcqRel);
        let completer = Completer { queue: self.clone(), waiter: Some(waiter), answer: None };
        inbox.jobs.push(Job { work, completer });
        let first = inbox.jobs.len() == 1;
        drop(inbox);
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// Refuses new work from now on.
    pub fn close(&self, cancel_at: Instant) {
        self.inbox.lock().closing_at.get_or_insert(cancel_at);
        self.wake.notify_one();
    }

    /// Runtime thread: what was accepted since the last time, into `jobs`; false: all is done, or its time is up.
    pub async fn next_jobs(&self, jobs: &mut Vec<Job>) -> bool {
        loop {
            let closing_at = {
                let mut inbox = self.inbox.lock();
                std::mem::swap(jobs, &mut inbox.jobs);
                inbox.closing_at
            };
            if !jobs.is_empty() {
                return true;
            }
            match closing_at {
                None => self.wake.notified().await,
                Some(_) if self.unfinished.load(Acquire) == 0 => return false,
                Some(moment) => {
                    if tokio::time::timeout_at(moment, self.wake.notified()).await.is_err() {
                        return false;
                    }
                }
            }
        }
    }

    fn complete(&self, outcome: Outcome) {
        self.completed.fetch_add(1, Relaxed);
        if outcome.code != Code::Ok {
            self.failed.fetch_add(1, Relaxed);
        }
        let first = {
            let mut outcomes = self.outcomes.lock();
            outcomes.push_back(outcome);
            outcomes.len() == 1
        };
        // After unlocking: the thread that it wakes takes that lock at once. A take that overtakes this write leaves one
        // wake-up too many, never one too few.
        if first {
            let _ = (&self.event).write(&1u64.to_ne_bytes());
        }
    }

    /// Calls `each` for up to `max` completions; returns how many.
    pub fn take(&self, max: usize, mut each: impl FnMut(usize, Outcome)) -> usize {
        let mut outcomes = self.outcomes.lock();
        let count = outcomes.len().min(max);
        for (index, outcome) in outcomes.drain(..count).enumerate() {
            each(index, outcome);
        }
        if outcomes.is_empty() {
            let _ = (&self.event).read(&mut [0; 8]);
        }
        drop(outcomes);
        self.in_flight.fetch_sub(count as u32, AcqRel);
        count
    }
}

impl Completer {
    pub fn finish(mut self, answer: Result<Option<Box<CqlResult>>, Failure>) {
        self.answer = Some(answer);
    }
}

impl Drop for Completer {
    fn drop(&mut self) {
        let answer = self.answer.take().unwrap_or_else(|| {
            let (code, text) = match std::thread::panicking() {
                true => (Code::Panic, "a panic inside the library"),
                false => (Code::Cancelled, "cut off by shutdown"),
            };
            Err(Failure::new(code, Retry::Idempotent, text))
        });
        let (code, retry, result) = match answer {
            Ok(result) => (Code::Ok, Retry::No, result),
            Err(failure) => (failure.code, failure.retry, Some(CqlResult::of_failure(&failure))),
        };
        let outcome = |data| Outcome { data, code, retry, result };
        match self.waiter.take() {
            Some(Waiter::Queue(data)) => self.queue.complete(outcome(data)),
            Some(Waiter::Caller(sender)) => {
                let _in_order = self.queue.outcomes.lock();
                let _ = sender.send(outcome(std::ptr::null_mut()));
            }
            None => {}
        }
        if self.queue.unfinished.fetch_sub(1, AcqRel) == 1 {
            self.queue.wake.notify_one(); // shutdown may wait for the last one
        }
    }
}
