//! Calls that a signal may end early. A socket with a time-out is not restarted after a handler ran (signal(7)), and
//! the rig's children make signals as they end.

use std::io;

/// Makes a call until no signal ends it.
///
/// # Errors
/// Whatever else the call fails with.
pub fn retried<T>(mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_signals_are_passed_over() {
        let mut ends =
            vec![Ok(7), Err(io::ErrorKind::Interrupted.into()), Err(io::ErrorKind::Interrupted.into())];
        assert_eq!(retried(|| ends.pop().unwrap()).unwrap(), 7);
        let failed = retried(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        assert_eq!(failed.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
