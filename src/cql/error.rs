//! What can go wrong, as the C side sees it: a code, whether the request may be sent again, and a text.
use scylla::errors::{
    ConnectionError, ConnectionPoolError, ConnectionSetupRequestErrorKind, DbError, ExecutionError, MetadataError,
    NewSessionError, PrepareError, RequestAttemptError,
};
use std::ffi::{CStr, c_char};
use std::time::Duration;

/// The numbers are `enum cql_code` of cql.h.
macro_rules! codes {
    ($($variant:ident = $number:literal $name:literal,)*) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        #[repr(i32)]
        pub enum Code { $($variant = $number,)* }

        pub fn code_name(number: i32) -> &'static CStr {
            match number {
                $($number => $name,)*
                _ => c"unknown",
            }
        }
    };
}
codes! {
    Ok = 0 c"ok",
    Busy = 1 c"busy",
    Closed = 2 c"closed",
    BadArgument = 3 c"bad_argument",
    Panic = 4 c"panic",
    Cancelled = 5 c"cancelled",
    NoHost = 10 c"no_host",
    ConnectionBroken = 11 c"connection_broken",
    ClientTimeout = 12 c"client_timeout",
    Protocol = 13 c"protocol",
    Tls = 14 c"tls",
    Unavailable = 20 c"unavailable",
    WriteTimeout = 21 c"write_timeout",
    ReadTimeout = 22 c"read_timeout",
    WriteFailure = 23 c"write_failure",
    ReadFailure = 24 c"read_failure",
    Overloaded = 25 c"overloaded",
    Bootstrapping = 26 c"bootstrapping",
    TruncateError = 27 c"truncate_error",
    ServerError = 28 c"server_error",
    SchemaDisagreement = 29 c"schema_disagreement",
    SyntaxError = 40 c"syntax_error",
    Invalid = 41 c"invalid",
    AlreadyExists = 42 c"already_exists",
    ConfigError = 43 c"config_error",
    Unauthorized = 44 c"unauthorized",
    BadCredentials = 45 c"bad_credentials",
    FunctionFailure = 46 c"function_failure",
    Other = 99 c"other",
}

/// `enum cql_retry`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(i32)]
pub enum Retry {
    No = 0,
    Safe = 1,
    Idempotent = 2,
}

#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub retry: Retry,
    pub text: String,
}

impl Failure {
    pub fn new(code: Code, retry: Retry, text: impl ToString) -> Failure {
        Failure { code, retry, text: text.to_string() }
    }
    pub fn bad_argument(text: impl ToString) -> Failure {
        Failure::new(Code::BadArgument, Retry::No, text)
    }
    pub fn no_answer(code: Code, retry: Retry, limit: Duration) -> Failure {
        Failure::new(code, retry, format!("no answer within {} ms", limit.as_millis()))
    }

    /// Writes the text into the caller's buffer of CQL_ERROR_SIZE bytes, cut at a character.
    ///
    /// # Safety
    /// `buffer` is NULL or has that size.
    pub unsafe fn write_text(&self, buffer: *mut c_char) {
        const ERROR_SIZE: usize = 512;
        if buffer.is_null() {
            return;
        }
        let mut size = self.text.len().min(ERROR_SIZE - 1);
        while !self.text.is_char_boundary(size) {
            size -= 1;
        }
        unsafe {
            std::ptr::copy_nonoverlapping(self.text.as_ptr(), buffer.cast(), size);
            *buffer.add(size) = 0;
        }
    }
}

fn classify_answer(error: &DbError) -> (Code, Retry) {
    match error {
        DbError::Unavailable { .. } => (Code::Unavailable, Retry::Safe),
        DbError::WriteTimeout { .. } => (Code::WriteTimeout, Retry::Idempotent),
        DbError::ReadTimeout { .. } => (Code::ReadTimeout, Retry::Idempotent),
        DbError::WriteFailure { .. } => (Code::WriteFailure, Retry::Idempotent),
        DbError::ReadFailure { .. } => (Code::ReadFailure, Retry::Idempotent),
        DbError::Overloaded => (Code::Overloaded, Retry::Idempotent),
        DbError::IsBootstrapping => (Code::Bootstrapping, Retry::Safe),
        DbError::TruncateError => (Code::TruncateError, Retry::Idempotent),
        DbError::ServerError => (Code::ServerError, Retry::Idempotent),
        DbError::Unprepared { .. } => (Code::ServerError, Retry::Safe),
        DbError::SyntaxError => (Code::SyntaxError, Retry::No),
        DbError::Invalid => (Code::Invalid, Retry::No),
        DbError::AlreadyExists { .. } => (Code::AlreadyExists, Retry::No),
        DbError::ConfigError => (Code::ConfigError, Retry::No),
        DbError::Unauthorized => (Code::Unauthorized, Retry::No),
        DbError::AuthenticationError => (Code::BadCredentials, Retry::No),
        DbError::FunctionFailure { .. } => (Code::FunctionFailure, Retry::No),
        DbError::ProtocolError => (Code::Protocol, Retry::No), // the server refused what we sent
        _ => (Code::Other, Retry::Idempotent),                 // a newer server's: nothing is known of it
    }
}

fn classify_attempt(error: &RequestAttemptError) -> (Code, Retry) {
    match error {
        RequestAttemptError::DbError(answer, _) => classify_answer(answer),
        RequestAttemptError::BrokenConnectionError(_) => (Code::ConnectionBroken, Retry::Idempotent),
        // Every stream of the connection is taken: not sent.
        RequestAttemptError::UnableToAllocStreamId => (Code::NoHost, Retry::Safe),
        RequestAttemptError::SerializationError(_) | RequestAttemptError::CqlRequestSerialization(_) => {
            (Code::BadArgument, Retry::No)
        }
        _ => (Code::Protocol, Retry::Idempotent),
    }
}

impl From<ExecutionError> for Failure {
    fn from(error: ExecutionError) -> Failure {
        let (code, retry) = match &error {
            ExecutionError::BadQuery(_) => (Code::BadArgument, Retry::No),
            ExecutionError::EmptyPlan | ExecutionError::ConnectionPoolError(_) => (Code::NoHost, Retry::Safe),
            ExecutionError::LastAttemptError(attempt) => classify_attempt(attempt),
            ExecutionError::RequestTimeout(_) => (Code::ClientTimeout, Retry::Idempotent),
            ExecutionError::SchemaAgreementError(_) | ExecutionError::MetadataError(_) => {
                (Code::SchemaDisagreement, Retry::Idempotent)
            }
            _ => (Code::Other, Retry::Idempotent),
        };
        Failure::new(code, retry, error)
    }
}

impl From<PrepareError> for Failure {
    fn from(error: PrepareError) -> Failure {
        let (code, retry) = match &error {
            PrepareError::ConnectionPoolError(_) => (Code::NoHost, Retry::Safe),
            PrepareError::AllAttemptsFailed { first_attempt } => classify_attempt(first_attempt),
            _ => (Code::Protocol, Retry::Idempotent),
        };
        Failure::new(code, retry, error)
    }
}

impl From<NewSessionError> for Failure {
    fn from(error: NewSessionError) -> Failure {
        match &error {
            NewSessionError::EmptyKnownNodesList | NewSessionError::IllegalConfig(_) => Failure::bad_argument(error),
            NewSessionError::FailedToResolveAnyHostname(_) => {
                Failure::new(Code::NoHost, Retry::Safe, "the name cannot be resolved")
            }
            NewSessionError::MetadataError(MetadataError::ConnectionPoolError(ConnectionPoolError::Broken {
                last_connection_error,
            })) => last_connection_error.into(),
            NewSessionError::MetadataError(_) => Failure::new(Code::NoHost, Retry::Safe, error),
            _ => Failure::new(Code::Other, Retry::Idempotent, error),
        }
    }
}

impl From<&ConnectionError> for Failure {
    fn from(error: &ConnectionError) -> Failure {
        use ConnectionSetupRequestErrorKind as Setup;
        let (code, retry) = match error {
            ConnectionError::ConnectionSetupRequestError(setup) => match setup.get_error() {
                Setup::DbError(answer, text) => {
                    let (code, retry) = classify_answer(answer);
                    return Failure::new(code, retry, text);
                }
                Setup::MissingAuthentication => {
                    return Failure::new(Code::BadCredentials, Retry::No, "it asks for a user and a password");
                }
                Setup::BrokenConnection(_) => (Code::NoHost, Retry::Safe),
                _ => (Code::Protocol, Retry::No),
            },
            // OpenSSL's errors come wrapped in this kind; those of a socket have kinds of their own.
            ConnectionError::IoError(io) if io.kind() == std::io::ErrorKind::Other => (Code::Tls, Retry::No),
            _ => (Code::NoHost, Retry::Safe),
        };
        Failure::new(code, retry, error)
    }
}
