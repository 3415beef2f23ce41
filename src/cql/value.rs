//! The C side's values, checked against the types of the statement's parameters and written in CQL's binary form.
use scylla::errors::SerializationError;
use scylla::frame::response::result::{ColumnType, NativeType};
use scylla::serialize::row::{RowSerializationContext, SerializeRow};
use scylla::serialize::writers::{CellWriter, RowWriter, WrittenCellProof};
use scylla_cql_core::serialize::row::SerializedValues;
use std::fmt;

/// `enum cql_type`.
const NULL: u32 = 0;
const BOOLEAN: u32 = 1;
const INT: u32 = 2;
const BIGINT: u32 = 3;
const TIMESTAMP: u32 = 4;
const UUID: u32 = 5;
const TEXT: u32 = 6;
const BLOB: u32 = 7;

/// `struct cql_value`.
#[repr(C)]
pub struct Value {
    kind: u32,
    integer: i64,
    data: *const u8,
    size: usize,
}

#[derive(Debug)]
struct Wrong(String);
impl fmt::Display for Wrong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}
impl std::error::Error for Wrong {}

fn wrong(text: impl Into<String>) -> SerializationError {
    SerializationError::new(Wrong(text.into()))
}

impl Value {
    /// # Safety
    /// `data` is NULL or has `size` bytes for as long as the answer is used.
    unsafe fn bytes(&self, size: usize) -> Result<&[u8], SerializationError> {
        match size {
            0 => Ok(&[]),
            _ if self.data.is_null() => Err(wrong("its data is NULL")),
            _ => Ok(unsafe { std::slice::from_raw_parts(self.data, size) }),
        }
    }

    /// # Safety
    /// As `bytes`; the data of a UUID has 16.
    unsafe fn write<'cell>(
        &self,
        column: &ColumnType,
        cell: CellWriter<'cell>,
    ) -> Result<WrittenCellProof<'cell>, SerializationError> {
        use NativeType as Native;
        let ColumnType::Native(native) = column else {
            return Err(wrong(format!("a column of type {column:?} is not supported")));
        };
        let bytes: &[u8] = match (self.kind, native) {
            (NULL, _) => return Ok(cell.set_null()),
            (BOOLEAN, Native::Boolean) => &[(self.integer != 0) as u8],
            (INT, Native::Int) => {
                &i32::try_from(self.integer).map_err(|_| wrong(format!("{} is no int", self.integer)))?.to_be_bytes()
            }
            (BIGINT, Native::BigInt) | (TIMESTAMP, Native::Timestamp) => &self.integer.to_be_bytes(),
            (UUID, Native::Uuid | Native::Timeuuid) => unsafe { self.bytes(16)? },
            (TEXT, Native::Text | Native::Ascii) => {
                let text = unsafe { self.bytes(self.size)? };
                std::str::from_utf8(text).map_err(|error| wrong(format!("not UTF-8: {error}")))?;
                text
            }
            (BLOB, Native::Blob) => unsafe { self.bytes(self.size)? },
            (kind, _) => {
                return Err(wrong(format!("a value of type {kind} does not fit a column of type {native:?}")));
            }
        };
        cell.set_value(bytes).map_err(|_| wrong("longer than 2^31 - 1 bytes"))
    }
}

/// The parameters of one statement, as the caller gave them.
///
/// # Safety
/// Whoever makes one vouches for the pointers in the values.
pub struct Parameters<'call>(pub &'call [Value]);

impl SerializeRow for Parameters<'_> {
    fn serialize(&self, context: &RowSerializationContext<'_>, row: &mut RowWriter) -> Result<(), SerializationError> {
        for (number, (column, value)) in context.columns().iter().zip(self.0).enumerate() {
            unsafe { value.write(column.typ(), row.make_cell_writer()) }
                .map_err(|error| wrong(format!("parameter {} ({}): {error}", number + 1, column.name())))?;
        }
        Ok(())
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

/// The parameters of one statement of a batch, serialized already.
pub struct Row(pub SerializedValues);

impl SerializeRow for Row {
    fn serialize(&self, _: &RowSerializationContext<'_>, row: &mut RowWriter) -> Result<(), SerializationError> {
        row.append_serialize_row(&self.0);
        Ok(())
    }
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
