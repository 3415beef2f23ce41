//! A mutex of the C library's. Rust's own would do, but ThreadSanitizer knows only this one: through it, what a C thread
//! wrote before a request is in order with what another one reads after its completion.
use std::cell::UnsafeCell;
use std::ops::{Deref, DerefMut};

pub struct Lock<T> {
    mutex: Box<UnsafeCell<libc::pthread_mutex_t>>, // boxed: it must not move
    value: UnsafeCell<T>,
}
// SAFETY: the value is reached only with the mutex held.
unsafe impl<T: Send> Sync for Lock<T> {}

pub struct Guard<'lock, T>(&'lock Lock<T>);

impl<T: Default> Default for Lock<T> {
    fn default() -> Lock<T> {
        Lock::new(T::default())
    }
}

impl<T> Lock<T> {
    pub fn new(value: T) -> Lock<T> {
        Lock { mutex: Box::new(UnsafeCell::new(libc::PTHREAD_MUTEX_INITIALIZER)), value: UnsafeCell::new(value) }
    }
    pub fn lock(&self) -> Guard<'_, T> {
        unsafe { libc::pthread_mutex_lock(self.mutex.get()) };
        Guard(self)
    }
}

impl<T> Drop for Lock<T> {
    fn drop(&mut self) {
        unsafe { libc::pthread_mutex_destroy(self.mutex.get()) };
    }
}

impl<T> Drop for Guard<'_, T> {
    fn drop(&mut self) {
        unsafe { libc::pthread_mutex_unlock(self.0.mutex.get()) };
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        unsafe { &*self.0.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        unsafe { &mut *self.0.value.get() }
    }
}
