//! Doors that may be locked at first: the gate stands without them, the operator is told, and they are tried again.

use std::time::Duration;

use super::agent::Board;

/// Nothing tells when a port becomes free, or a directory writable.
const RETRY: Duration = Duration::from_secs(5);

/// Tries until it succeeds. What is in the way stands among the warnings about `about`, and once in the log.
pub(super) async fn get<T, F>(about: &str, board: &Board, attempt: impl Fn() -> F) -> T
where
    F: Future<Output = anyhow::Result<T>>,
{
    let mut said = String::new();
    loop {
        let error = match attempt().await {
            Ok(got) => {
                board.warn(about, None);
                return got;
            }
            Err(error) => format!("{error:#}; tried again every {} s", RETRY.as_secs()),
        };
        if error != said {
            tracing::warn!("{about}: {error}");
            board.warn(about, [error.clone()]);
            said = error;
        }
        tokio::time::sleep(RETRY).await;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn what_is_in_the_way_is_told_until_it_is_gone() {
        let board = Board::new("/x".into());
        let tries = Cell::new(0);
        let seen = Cell::new(0);
        let got = get("metrics", &board, async || {
            tries.set(tries.get() + 1);
            seen.set(board.read().warnings.get("metrics").map_or(0, Vec::len));
            anyhow::ensure!(tries.get() > 2, "taken");
            Ok(tries.get())
        })
        .await;
        assert_eq!((got, seen.get()), (3, 1));
        assert!(board.read().warnings.is_empty());
    }
}
