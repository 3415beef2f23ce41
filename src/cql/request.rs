//! Requests: made and checked on the caller's thread, run on the runtime thread.
use scylla::client::session::Session;
use scylla::response::{PagingState, PagingStateResponse};
use scylla::serialize::row::RowSerializationContext;
use scylla::statement::batch::{Batch, BatchStatement, BatchType};
use scylla::statement::bound::BoundStatement;
use scylla::statement::prepared::PreparedStatement;
use scylla::statement::unprepared::Statement;
use scylla_cql_core::serialize::row::SerializedValues;
use std::ffi::c_void;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::error::{Code, Failure, Retry};
use crate::options::consistency;
use crate::result::{CqlResult, page_after};
use crate::value::{Parameters, Row, Value};

/// `struct cql_statement`.
pub struct CqlStatement {
    pub prepared: PreparedStatement,
}

impl CqlStatement {
    pub fn parameters(&self) -> usize {
        self.prepared.get_variable_col_specs().len()
    }
}

/// `struct cql_execute`.
#[repr(C)]
pub struct Execute {
    statements: *const *const CqlStatement,
    values: *const *const Value,
    count: usize,
    timestamp_us: i64,
    page_state: *const u8,
    page_state_size: usize,
    page_size: u32,
    consistency: u32,
    timeout_ms: u32,
    tracing: bool,
    pub data: *mut c_void,
}

const NO_TIMESTAMP: i64 = i64::MIN;
const MAX_BATCH: usize = u16::MAX as usize; // the protocol's

pub enum Work {
    Execute(BoundStatement, Option<PagingState>),
    Batch(Batch, Vec<Row>),
    Query(Statement, Duration),
    Prepare(String, Duration, Arc<OnceLock<PreparedStatement>>),
    PanicInDispatch, // for tests
    PanicInRequest,
}

/// # Safety
/// `pointer` has `count` elements that live as long as the answer is used.
unsafe fn slice<'a, T>(pointer: *const T, count: usize, what: &str) -> Result<&'a [T], Failure> {
    match count {
        0 => Ok(&[]),
        _ if pointer.is_null() => Err(Failure::bad_argument(format!("{what} is NULL"))),
        _ => Ok(unsafe { std::slice::from_raw_parts(pointer, count) }),
    }
}

/// A statement and a batch have the same setters, but no trait in common.
macro_rules! set_options {
    ($target:expr, $execute:expr) => {
        if let Some(consistency) = consistency($execute.consistency, None)? {
            $target.set_consistency(consistency);
        }
        if $execute.timestamp_us != NO_TIMESTAMP {
            $target.set_timestamp(Some($execute.timestamp_us));
        }
        if $execute.timeout_ms != 0 {
            $target.set_request_timeout(Some(Duration::from_millis($execute.timeout_ms.into())));
        }
        $target.set_tracing($execute.tracing);
    };
}

impl Execute {
    /// # Safety
    /// All pointers are as cql.h says.
    pub unsafe fn to_work(&self) -> Result<Work, Failure> {
        if self.count == 0 || self.count > MAX_BATCH {
            return Err(Failure::bad_argument(format!("{} statements: 1 to {MAX_BATCH} are allowed", self.count)));
        }
        let statements = unsafe { slice(self.statements, self.count, "statements")? };
        let values = unsafe { slice(self.values, self.count, "values")? };
        let mut requests = Vec::with_capacity(self.count);
        for (&statement, &values) in statements.iter().zip(values) {
            let Some(statement) = (unsafe { statement.as_ref() }) else {
                return Err(Failure::bad_argument("a statement is NULL"));
            };
            requests.push((statement, Parameters(unsafe { slice(values, statement.parameters(), "values[]")? })));
        }
        match &requests[..] {
            [(statement, parameters)] => unsafe { self.to_single(statement, parameters) },
            _ => self.to_batch(&requests),
        }
    }

    unsafe fn to_single(&self, statement: &CqlStatement, parameters: &Parameters) -> Result<Work, Failure> {
        let mut bound = statement.prepared.clone().bind(parameters).map_err(Failure::bad_argument)?;
        set_options!(bound, self);
        if self.page_size == 0 {
            return Ok(Work::Execute(bound, None));
        }
        let page_size =
            i32::try_from(self.page_size).map_err(|_| Failure::bad_argument("page_size is above 2^31 - 1"))?;
        bound.set_page_size(page_size);
        let state = unsafe { slice(self.page_state, self.page_state_size, "page_state")? };
        Ok(Work::Execute(bound, Some(page_after(state))))
    }

    fn to_batch(&self, requests: &[(&CqlStatement, Parameters)]) -> Result<Work, Failure> {
        let mut statements = Vec::with_capacity(requests.len());
        let mut rows = Vec::with_capacity(requests.len());
        for (statement, parameters) in requests {
            let context = RowSerializationContext::from_specs(statement.prepared.get_variable_col_specs().as_slice());
            rows.push(Row(SerializedValues::from_serializable(&context, parameters).map_err(Failure::bad_argument)?));
            statements.push(BatchStatement::PreparedStatement(statement.prepared.clone()));
        }
        let mut batch = Batch::new_with_statements(BatchType::Unlogged, statements);
        set_options!(batch, self);
        Ok(Work::Batch(batch, rows))
    }
}

impl Work {
    /// Runtime thread.
    pub async fn run(self, driver: &Session) -> Result<Option<Box<CqlResult>>, Failure> {
        let whole = |answer| (answer, PagingStateResponse::NoMorePages);
        let (answer, paging) = match self {
            Work::Execute(bound, None) => driver.execute_bound_unpaged(&bound).await.map(whole)?,
            Work::Execute(bound, Some(page)) => driver.execute_bound_single_page(&bound, page).await?,
            Work::Batch(batch, rows) => driver.batch(&batch, rows).await.map(whole)?,
            Work::Query(statement, timeout) => within(timeout, driver.query_unpaged(statement, ())).await.map(whole)?,
            Work::Prepare(cql, timeout, slot) => {
                let mut prepared = within(timeout, driver.prepare(cql)).await?;
                // An ALTER TABLE would leave the cached description of the columns wrong.
                prepared.set_use_cached_result_metadata(false);
                let _ = slot.set(prepared);
                return Ok(None);
            }
            Work::PanicInDispatch | Work::PanicInRequest => panic!("asked for by a test"),
        };
        CqlResult::of_answer(answer, paging)
    }
}

/// The driver's own limit covers neither a preparation nor the wait for the schema's agreement.
async fn within<T, E: Into<Failure>>(
    timeout: Duration,
    work: impl Future<Output = Result<T, E>>,
) -> Result<T, Failure> {
    match tokio::time::timeout(timeout, work).await {
        Ok(answer) => answer.map_err(Into::into),
        Err(_) => Err(Failure::no_answer(Code::ClientTimeout, Retry::Idempotent, timeout)),
    }
}
