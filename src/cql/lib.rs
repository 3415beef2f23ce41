//! The functions of cql.h. No panic goes through them: it becomes CQL_PANIC.
#![allow(clippy::missing_safety_doc)] // cql.h says what the caller promises
mod error;
mod lock;
mod options;
mod queue;
mod request;
mod result;
mod session;
mod value;

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use error::{Code, Failure, code_name};
use options::{COptions, Options};
use queue::Outcome;
use request::{CqlStatement, Execute, Work};
use result::CqlResult;
use session::CqlSession;

/// `struct cql_completion`.
#[repr(C)]
pub struct Completion {
    data: *mut c_void,
    code: i32,
    retry: i32,
    result: *mut CqlResult,
}

/// `struct cql_stats`.
#[repr(C)]
pub struct Stats {
    submitted: u64,
    completed: u64,
    failed: u64,
    busy: u64,
    in_flight: u32,
    nodes: u32,
    nodes_up: u32,
}

/// Runs `call`; its failure, or its panic, becomes the code and the caller's text.
unsafe fn guard(error: *mut c_char, call: impl FnOnce() -> Result<(), Failure>) -> i32 {
    let answer = catch_unwind(AssertUnwindSafe(call));
    let failure = match answer {
        Ok(Ok(())) => return Code::Ok as i32,
        Ok(Err(failure)) => failure,
        Err(_) => Failure::new(Code::Panic, error::Retry::Idempotent, "a panic inside the library"),
    };
    unsafe { failure.write_text(error) };
    failure.code as i32
}

/// For calls that cannot fail.
fn quietly<T>(otherwise: T, call: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(call)).unwrap_or(otherwise)
}

unsafe fn required<'a>(pointer: *const c_char, what: &str) -> Result<&'a str, Failure> {
    unsafe { options::text(pointer, what)? }.ok_or_else(|| Failure::bad_argument(format!("{what} is NULL")))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_connect(
    options: *const COptions,
    session_out: *mut *mut CqlSession,
    error: *mut c_char,
) -> i32 {
    unsafe {
        guard(error, || {
            *session_out = Box::into_raw(CqlSession::connect(Options::from_c(&*options)?)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_eventfd(session: *const CqlSession) -> c_int {
    unsafe { &*session }.queue.eventfd()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_take(session: *mut CqlSession, completions: *mut Completion, max: usize) -> usize {
    let session = unsafe { &*session };
    quietly(0, || {
        session.queue.take(max, |index, Outcome { data, code, retry, result }| {
            let result = result.map_or(std::ptr::null_mut(), Box::into_raw);
            let completion = Completion { data, code: code as i32, retry: retry as i32, result };
            unsafe { completions.add(index).write(completion) };
        })
    })
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_shutdown(session: *mut CqlSession, grace_ms: u32) {
    let session = unsafe { &*session };
    quietly((), || session.shutdown(Duration::from_millis(grace_ms.into())))
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_free(session: *mut CqlSession) {
    if !session.is_null() {
        unsafe { cql_shutdown(session, 0) };
        quietly((), || drop(unsafe { Box::from_raw(session) }))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_stats(session: *const CqlSession, stats_out: *mut Stats) {
    let session = unsafe { &*session };
    let (nodes, nodes_up) = quietly((0, 0), || session.nodes());
    let queue = &session.queue;
    let stats = Stats {
        submitted: queue.submitted.load(Relaxed),
        completed: queue.completed.load(Relaxed),
        failed: queue.failed.load(Relaxed),
        busy: queue.busy.load(Relaxed),
        in_flight: queue.in_flight(),
        nodes,
        nodes_up,
    };
    unsafe { stats_out.write(stats) };
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_prepare(
    session: *mut CqlSession,
    cql: *const c_char,
    statement_out: *mut *mut CqlStatement,
    error: *mut c_char,
) -> i32 {
    unsafe {
        guard(error, || {
            *statement_out = Box::into_raw((*session).prepare(required(cql, "cql")?)?);
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_statement_parameters(statement: *const CqlStatement) -> usize {
    unsafe { &*statement }.parameters()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_statement_free(statement: *mut CqlStatement) {
    if !statement.is_null() {
        quietly((), || drop(unsafe { Box::from_raw(statement) }))
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_submit(session: *mut CqlSession, execute: *const Execute, error: *mut c_char) -> i32 {
    unsafe { guard(error, || (*session).queue.submit((*execute).to_work()?, (*execute).data)) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_run(
    session: *mut CqlSession,
    cql: *const c_char,
    timeout_ms: u32,
    result_out: *mut *mut CqlResult,
    error: *mut c_char,
) -> i32 {
    unsafe {
        guard(error, || {
            let outcome = (*session).run(required(cql, "cql")?, timeout_ms)?;
            if let (Some(result), false) = (outcome.result, result_out.is_null()) {
                *result_out = Box::into_raw(result);
            }
            Ok(())
        })
    }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_rows(result: *const CqlResult) -> usize {
    unsafe { result.as_ref() }.map_or(0, |result| result.rows)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_columns(result: *const CqlResult) -> usize {
    unsafe { result.as_ref() }.map_or(0, |result| result.columns)
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_cell(
    result: *const CqlResult,
    row: usize,
    column: usize,
    size_out: *mut usize,
) -> *const u8 {
    let none = (std::ptr::null(), 0);
    unsafe { give(result.as_ref().map_or(none, |result| result.cell(row, column)), size_out) }
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_page_state(result: *const CqlResult, size_out: *mut usize) -> *const u8 {
    let state = unsafe { result.as_ref() }.and_then(|result| result.next_page.as_ref());
    unsafe { give(state.map_or((std::ptr::null(), 0), |state| (state.as_ptr(), state.len())), size_out) }
}

unsafe fn give((data, size): (*const u8, usize), size_out: *mut usize) -> *const u8 {
    if let Some(size_out) = unsafe { size_out.as_mut() } {
        *size_out = size;
    }
    data
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_trace_id(result: *const CqlResult, id_out: *mut [u8; 16]) -> bool {
    let id = unsafe { result.as_ref() }.and_then(|result| result.trace_id);
    id.inspect(|&id| unsafe { id_out.write(id) }).is_some()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_error(result: *const CqlResult) -> *const c_char {
    unsafe { result.as_ref() }.map_or(c"".as_ptr(), |result| result.error.as_ptr())
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_result_free(result: *mut CqlResult) {
    if !result.is_null() {
        quietly((), || drop(unsafe { Box::from_raw(result) }))
    }
}

#[unsafe(no_mangle)]
pub extern "C" fn cql_code_name(code: i32) -> *const c_char {
    code_name(code).as_ptr()
}

#[unsafe(no_mangle)]
pub unsafe extern "C" fn cql_test_panic(session: *mut CqlSession, place: c_int) -> i32 {
    unsafe {
        guard(std::ptr::null_mut(), || {
            let work = match place {
                0 => panic!("asked for by a test"),
                1 => Work::PanicInDispatch,
                _ => Work::PanicInRequest,
            };
            let outcome = (*session).queue.run(work)?;
            Err(Failure::new(outcome.code, outcome.retry, ""))
        })
    }
}
