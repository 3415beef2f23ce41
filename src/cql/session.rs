//! A session: the driver, and the one thread on which it does all its I/O.
use scylla::client::session::Session;
use scylla::statement::unprepared::Statement;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::error::{Code, Failure, Retry};
use crate::lock::Lock;
use crate::options::Options;
use crate::queue::{Job, Outcome, Queue};
use crate::request::{CqlStatement, Work};

/// For what cannot be cancelled: a name resolution under way.
const RUNTIME_END_TIMEOUT: Duration = Duration::from_millis(500);

/// `struct cql_session`.
pub struct CqlSession {
    pub queue: Arc<Queue>,
    driver: Arc<Session>,
    request_timeout: Duration,
    thread: Lock<Option<JoinHandle<()>>>,
}

impl CqlSession {
    pub fn connect(options: Options) -> Result<Box<CqlSession>, Failure> {
        let other = |error: std::io::Error| Failure::new(Code::Other, Retry::Safe, error);
        let queue = Arc::new(Queue::new(options.max_in_flight).map_err(other)?);
        let runtime = Builder::new_current_thread().enable_all().build().map_err(other)?;
        let request_timeout = options.request_timeout;
        let (sender, receiver) = oneshot::channel();
        let thread_queue = queue.clone();
        let thread = spawn_without_signals(move || {
            // A panic drops the sender, which the caller sees.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let driver = runtime.block_on(connect_driver(options));
                let connected = driver.as_ref().ok().cloned();
                let _ = sender.send(driver);
                if let Some(driver) = connected {
                    serve(&runtime, &thread_queue, &driver);
                }
                runtime.shutdown_timeout(RUNTIME_END_TIMEOUT); // drops the tasks that are left
            }));
        })
        .map_err(other)?;
        match receiver.blocking_recv() {
            Ok(Ok(driver)) => {
                Ok(Box::new(CqlSession { queue, driver, request_timeout, thread: Lock::new(Some(thread)) }))
            }
            failed => {
                let _ = thread.join();
                let panic = || Failure::new(Code::Panic, Retry::No, "a panic inside the library");
                Err(failed.map_or_else(|_| panic(), |answer| answer.err().unwrap_or_else(panic)))
            }
        }
    }

    pub fn prepare(&self, cql: &str) -> Result<Box<CqlStatement>, Failure> {
        let slot = Arc::new(OnceLock::new());
        succeeded(self.queue.run(Work::Prepare(cql.to_string(), self.request_timeout, slot.clone()))?)?;
        let prepared = slot.get().cloned();
        let prepared = prepared.ok_or_else(|| Failure::new(Code::Other, Retry::Safe, "no statement"))?;
        Ok(Box::new(CqlStatement { prepared }))
    }

    pub fn run(&self, cql: &str, timeout_ms: u32) -> Result<Outcome, Failure> {
        let timeout = match timeout_ms {
            0 => self.request_timeout,
            _ => Duration::from_millis(timeout_ms.into()),
        };
        let mut statement = Statement::new(cql);
        statement.set_request_timeout(Some(timeout));
        succeeded(self.queue.run(Work::Query(statement, timeout))?)
    }

    /// How many nodes are known, and how many of them are connected.
    pub fn nodes(&self) -> (u32, u32) {
        let cluster = self.driver.get_cluster_state();
        let nodes = cluster.get_nodes_info();
        (nodes.len() as u32, nodes.iter().filter(|node| node.is_connected()).count() as u32)
    }

    pub fn shutdown(&self, grace: Duration) {
        self.queue.close(Instant::now() + grace);
        let thread = self.thread.lock().take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

fn succeeded(outcome: Outcome) -> Result<Outcome, Failure> {
    match outcome.code {
        Code::Ok => Ok(outcome),
        code => {
            let text = outcome.result.map(|result| result.error.to_string_lossy().into_owned());
            Err(Failure::new(code, outcome.retry, text.unwrap_or_default()))
        }
    }
}

/// All signals are for the program's own threads; blocked by the parent, so that there is no moment in between.
fn spawn_without_signals(run: impl FnOnce() + Send + 'static) -> std::io::Result<JoinHandle<()>> {
    unsafe {
        let (mut all, mut before): (libc::sigset_t, libc::sigset_t) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &all, &mut before);
        let thread = std::thread::Builder::new().name("cql".into()).spawn(run);
        libc::pthread_sigmask(libc::SIG_SETMASK, &before, std::ptr::null_mut());
        thread
    }
}

/// Tries all contact points at once and keeps the first that answers: the driver alone would try one after the other, and a
/// frozen one holds it up for longer than the time allowed.
async fn connect_driver(options: Options) -> Result<Arc<Session>, Failure> {
    let limit = options.connect_timeout;
    let mut attempts = JoinSet::new();
    for node in options.nodes {
        let builder = options.builder.clone().known_node(&node);
        attempts.spawn(async move {
            match timeout(limit, builder.build()).await {
                Ok(Ok(driver)) => Ok(Arc::new(driver)),
                Ok(Err(error)) => Err((node, Failure::from(error))),
                Err(_) => Err((node, Failure::no_answer(Code::NoHost, Retry::Safe, limit))),
            }
        });
    }
    let (mut code, mut retry, mut reasons) = (Code::Panic, Retry::Safe, Vec::new());
    while let Some(attempt) = attempts.join_next().await {
        match attempt {
            Ok(Ok(driver)) => return Ok(driver),
            Ok(Err((node, failure))) => {
                if code == Code::Panic || failure.retry == Retry::No {
                    (code, retry) = (failure.code, failure.retry); // what will not pass by itself says more
                }
                reasons.push(format!("{node}: {}", failure.text));
            }
            Err(_) => reasons.push("a panic inside the library".into()),
        }
    }
    Err(Failure::new(code, retry, format!("cannot connect to Cassandra at {}", reasons.join("; at "))))
}

/// Runs jobs until shutdown. A panic while one is started ends what was taken with it, and the next ones go on.
fn serve(runtime: &Runtime, queue: &Arc<Queue>, driver: &Arc<Session>) {
    while catch_unwind(AssertUnwindSafe(|| runtime.block_on(dispatch(queue, driver)))).is_err() {}
}

async fn dispatch(queue: &Queue, driver: &Arc<Session>) {
    let mut jobs = Vec::new();
    while queue.next_jobs(&mut jobs).await {
        for Job { work, completer } in jobs.drain(..) {
            if let Work::PanicInDispatch = work {
                panic!("asked for by a test");
            }
            let driver = driver.clone();
            tokio::spawn(async move { completer.finish(work.run(&driver).await) });
        }
    }
}
