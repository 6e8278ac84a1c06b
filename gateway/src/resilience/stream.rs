//! How long a stream may live. The deadline covers its beginning only; after that these limits hold.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use tokio::task::JoinSet;
use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::Limits;
use crate::context::{Cut, Failure, Messages, Reply};

/// Passes the messages of a stream on until it ends, or a limit is reached, or the gateway drains: whatever comes first.
///
/// Nothing is read ahead: while nobody asks for a message the service is not asked either.
pub(crate) fn supervise(reply: Reply, limits: Limits, draining: &CancellationToken) -> Reply {
    let Reply::Stream { messages, metadata } = reply else { return reply };
    Reply::Stream { messages: limited(messages, limits, draining.clone()), metadata }
}

fn limited(messages: Messages, limits: Limits, draining: CancellationToken) -> Messages {
    let oldest = Instant::now() + limits.age;
    let call = OpenCall::begin(messages, oldest, draining.clone());
    let next = move |call: Option<OpenCall>| {
        let draining = draining.clone();
        async move {
            let call = call?;
            let cut = tokio::select! {
                biased;
                () = draining.cancelled() => Cut::Draining,
                () = time::sleep_until(oldest) => Cut::Age,
                next = time::timeout(limits.idle, poll_fn(|cx| call.poll_next(cx))) => match next {
                    Ok(next) => {
                        let next = next?;
                        let rest = next.is_ok().then_some(call);
                        return Some((next, rest));
                    }
                    Err(_silence) => Cut::Idle,
                },
            };
            Some((Err(cut.into()), None))
        }
    };
    stream::unfold(Some(call), next).boxed()
}

/// The call that the messages come from. It ends in time even if nobody asks for a message any more: a client that does
/// not read is told of the end when it reads again, but does not hold the service until then.
struct OpenCall {
    messages: Arc<Mutex<Option<Messages>>>,
    /// Ended with the call.
    _end: JoinSet<()>,
}

impl OpenCall {
    fn begin(messages: Messages, oldest: Instant, draining: CancellationToken) -> Self {
        let messages = Arc::new(Mutex::new(Some(messages)));
        let call = Arc::downgrade(&messages);
        let mut end = JoinSet::new();
        end.spawn(async move {
            let _drained = time::timeout_at(oldest, draining.cancelled()).await;
            if let Some(messages) = call.upgrade() {
                drop(messages.lock().unwrap_or_else(PoisonError::into_inner).take());
            }
        });
        Self { messages, _end: end }
    }

    fn poll_next(&self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        // Without messages the time is over, which whoever polls this is about to find out too.
        messages.as_mut().map_or(Poll::Pending, |messages| messages.poll_next_unpin(cx))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const LIMITS: Limits = Limits {
        deadline: Duration::from_secs(5),
        idle: Duration::from_secs(10),
        age: Duration::from_mins(1),
    };

    /// A message every so many milliseconds, for ever.
    fn every(millis: u64) -> Messages {
        let tick = move |()| async move {
            time::sleep(Duration::from_millis(millis)).await;
            Some((Ok(Bytes::from_static(b"m")), ()))
        };
        stream::unfold((), tick).boxed()
    }

    /// How many messages pass, and what ends them.
    async fn passed(mut messages: Messages) -> (usize, Option<Cut>) {
        let mut count = 0;
        while let Some(message) = messages.next().await {
            match message {
                Ok(_) => count += 1,
                Err(Failure::Cut(cut)) => {
                    assert!(messages.next().await.is_none(), "nothing comes behind a failure");
                    return (count, Some(cut));
                }
                Err(other) => panic!("{other}"),
            }
        }
        (count, None)
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_lives_as_long_as_it_speaks_but_not_for_ever() {
        let never = CancellationToken::new();
        assert_eq!(passed(limited(every(9_000), LIMITS, never.clone())).await, (6, Some(Cut::Age)));
        assert_eq!(
            passed(limited(every(11_000), LIMITS, never.clone())).await,
            (0, Some(Cut::Idle))
        );
        let two = every(9_000).take(2).boxed();
        assert_eq!(passed(limited(two, LIMITS, never)).await, (2, None));
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_is_not_the_service_s_silence() {
        let mut messages = limited(every(1_000), LIMITS, CancellationToken::new());
        assert!(messages.next().await.unwrap().is_ok());
        time::advance(Duration::from_secs(30)).await;
        assert!(messages.next().await.unwrap().is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn draining_ends_it_at_once_while_it_waits_and_while_it_speaks() {
        for pause in [1, 9_000] {
            let draining = CancellationToken::new();
            let mut messages = limited(every(pause), LIMITS, draining.clone());
            assert!(messages.next().await.unwrap().is_ok());
            let began = Instant::now();
            let cancel = async {
                time::sleep(Duration::from_millis(5)).await;
                draining.cancel();
            };
            let (cut, ()) = tokio::join!(
                async {
                    loop {
                        if let Err(failure) = messages.next().await.unwrap() {
                            break failure;
                        }
                        tokio::task::yield_now().await;
                    }
                },
                cancel
            );
            assert!(matches!(cut, Failure::Cut(Cut::Draining)), "{cut}");
            assert!(began.elapsed() < Duration::from_millis(10));
        }
    }
}
