//! What is asked of Redis, and what counts as an answer.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult, Script};
use thiserror::Error;

use crate::context::{Allowance, Standing};
use crate::rate_limiting::bucket::Decision;

static DECIDE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("decide.lua")));
static BEAT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("beat.lua")));

/// Where the gateways say that they live.
const GATEWAYS: &str = "gateway:limits:gateways";

/// One limit of a request that is to be decided.
#[derive(Debug)]
pub(in crate::rate_limiting) struct Question {
    pub(in crate::rate_limiting) allowance: Arc<Allowance>,
    /// The subject's name, the same in every gateway.
    pub(in crate::rate_limiting) subject: String,
    pub(in crate::rate_limiting) dry_run: bool,
}

/// Why there is no answer.
#[derive(Debug, Error)]
pub(super) enum Failure {
    #[error("there was no answer in {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("the answer is not one to the question")]
    Malformed,
}

/// A question that is about nobody: it takes a key of its own, for a millisecond.
pub(super) fn probe(id: &str) -> Question {
    let interval = Duration::from_millis(1);
    let allowance = Arc::new(Allowance { name: "probe".into(), burst: 1, interval });
    Question { allowance, subject: id.to_owned(), dry_run: false }
}

/// Decides all questions at once, and says how many gateways live. A script that the server has forgotten is given to it again.
pub(super) async fn decide(
    connection: &mut MultiplexedConnection,
    questions: &[Question],
) -> Result<(Vec<Decision>, u32), Failure> {
    let mut asked = DECIDE.key(GATEWAYS);
    for Question { allowance, subject, dry_run } in questions {
        let nanos = allowance.interval.as_nanos();
        asked.key(format!("gateway:limit:{}:{subject}", allowance.name));
        asked.arg(format!("{}.{:03}", nanos / 1000, nanos % 1000));
        asked.arg(allowance.burst).arg(u8::from(*dry_run));
    }
    let answer: RedisResult<Vec<i64>> = asked.invoke_async(connection).await;
    read(&answer?, questions).ok_or(Failure::Malformed)
}

/// Says that this gateway lives, and answers how many do.
pub(super) async fn beat(
    connection: &mut MultiplexedConnection,
    id: &str,
    life: Duration,
) -> Result<u32, Failure> {
    let mut beat = BEAT.key(GATEWAYS);
    beat.arg(id).arg(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    let count: i64 = beat.invoke_async(connection).await?;
    gateways(count).ok_or(Failure::Malformed)
}

/// Whoever asks lives, so there is one at least.
fn gateways(count: i64) -> Option<u32> {
    u32::try_from(count).ok().filter(|count| *count > 0)
}

/// Nothing but a whole answer to every question is one: whatever else the server says must never let anybody pass.
fn read(answer: &[i64], questions: &[Question]) -> Option<(Vec<Decision>, u32)> {
    let (count, pairs) = answer.split_first()?;
    let (pairs, []) = pairs.as_chunks::<2>() else { return None };
    if pairs.len() != questions.len() {
        return None;
    }
    let decision = |(&[passes, number], question): (&[i64; 2], &Question)| {
        let allowance = Arc::clone(&question.allowance);
        let window = allowance.interval.saturating_mul(allowance.burst);
        match passes {
            1 => {
                let remaining = u32::try_from(number).ok()?;
                let next = allowance.interval;
                (remaining < allowance.burst).then_some(Decision::Pass(Standing {
                    allowance,
                    remaining,
                    next,
                }))
            }
            0 => {
                let next = Duration::from_micros(u64::try_from(number).ok()?);
                (!next.is_zero() && next <= window + Duration::from_micros(1))
                    .then_some(Decision::Refuse(Standing { allowance, remaining: 0, next }))
            }
            _ => None,
        }
    };
    let decisions: Option<_> = pairs.iter().zip(questions).map(decision).collect();
    Some((decisions?, gateways(*count)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn questions(count: usize) -> Vec<Question> {
        let interval = Duration::from_millis(100);
        let allowance = Arc::new(Allowance { name: "a".into(), burst: 10, interval });
        let question = || Question {
            allowance: Arc::clone(&allowance),
            subject: "s".to_owned(),
            dry_run: false,
        };
        std::iter::repeat_with(question).take(count).collect()
    }

    #[test]
    fn reads_one_decision_for_each_question() {
        let (decisions, gateways) = read(&[3, 1, 9, 0, 100_000], &questions(2)).unwrap();
        assert_eq!(gateways, 3);
        assert!(!decisions[0].refuses() && decisions[1].refuses());
        assert_eq!(decisions[0].clone().standing().remaining, 9);
        assert_eq!(decisions[1].clone().standing().next, Duration::from_millis(100));
    }

    #[test]
    fn nothing_else_is_an_answer() {
        for answer in [
            &[][..],
            &[1],
            &[1, 1],
            &[1, 9],
            &[1, 1, 9, 1],
            &[1, 1, 9, 1, 9],
            &[0, 1, 9],
            &[-1, 1, 9],
            &[i64::MAX, 1, 9],
            &[1, 2, 9],
            &[1, -1, 9],
            &[1, 1, 10],
            &[1, 1, -1],
            &[1, 1, i64::MAX],
            &[1, 0, 0],
            &[1, 0, -5],
            &[1, 0, 1_000_002],
            &[1, 0, i64::MAX],
        ] {
            assert_eq!(read(answer, &questions(1)), None, "{answer:?}");
        }
    }
}
