//! An answer as the C side sees it: cells that point into the response frame, the place of the next page, an error's text.
use scylla::deserialize::row::ColumnIterator;
use scylla::response::query_result::{IntoRowsResultError, QueryResult, QueryRowsResult};
use scylla::response::{PagingState, PagingStateResponse};
use std::ffi::CString;
use std::sync::Arc;

use crate::error::{Code, Failure, Retry};

/// `struct cql_result`.
#[derive(Default)]
pub struct CqlResult {
    _frame: Option<QueryRowsResult>, // the cells point into it
    pub rows: usize,
    pub columns: usize,
    cells: Vec<Option<Cell>>,
    pub next_page: Option<Arc<[u8]>>,
    pub trace_id: Option<[u8; 16]>,
    pub error: CString,
}

/// Bytes of the frame, which lives as long as the result and does not move.
#[derive(Clone, Copy)]
struct Cell {
    data: *const u8,
    size: usize,
}
// SAFETY: the bytes are immutable and owned by the same result.
unsafe impl Send for Cell {}

impl CqlResult {
    pub fn of_failure(failure: &Failure) -> Box<CqlResult> {
        let error = CString::new(failure.text.replace('\0', " ")).unwrap_or_default();
        Box::new(CqlResult { error, ..CqlResult::default() })
    }

    /// None: it has neither rows nor a trace.
    pub fn of_answer(answer: QueryResult, paging: PagingStateResponse) -> Result<Option<Box<CqlResult>>, Failure> {
        let unreadable = |error: &dyn std::error::Error| Failure::new(Code::Protocol, Retry::Idempotent, error);
        let trace_id = answer.tracing_id().map(|id| *id.as_bytes());
        let frame = match answer.into_rows_result() {
            Ok(frame) => frame,
            Err(IntoRowsResultError::ResultNotRows(_)) => {
                return Ok(trace_id.map(|_| Box::new(CqlResult { trace_id, ..CqlResult::default() })));
            }
            Err(error) => return Err(unreadable(&error)),
        };
        let (rows, columns) = (frame.rows_num(), frame.column_specs().len());
        let mut cells = Vec::with_capacity(rows * columns);
        for row in frame.rows::<ColumnIterator>().map_err(|error| unreadable(&error))? {
            for column in row.map_err(|error| unreadable(&error))? {
                let slice = column.map_err(|error| unreadable(&error))?.slice;
                cells.push(slice.map(|slice| Cell { data: slice.as_slice().as_ptr(), size: slice.as_slice().len() }));
            }
        }
        let next_page = match paging {
            PagingStateResponse::HasMorePages { state } => state.as_bytes_slice().cloned(),
            PagingStateResponse::NoMorePages => None,
        };
        let error = CString::default();
        Ok(Some(Box::new(CqlResult { _frame: Some(frame), rows, columns, cells, next_page, trace_id, error })))
    }

    /// NULL if null; an empty cell has a pointer.
    pub fn cell(&self, row: usize, column: usize) -> (*const u8, usize) {
        if row >= self.rows || column >= self.columns {
            return (std::ptr::null(), 0);
        }
        self.cells[row * self.columns + column].map_or((std::ptr::null(), 0), |cell| (cell.data, cell.size))
    }
}

pub fn page_after(state: &[u8]) -> PagingState {
    if state.is_empty() { PagingState::start() } else { PagingState::new_from_raw_bytes(state) }
}
