//! How long a message may be, in one place for every service. The generated servers allow 4 MiB, which they reserve as
//! soon as a message is announced, and each has to be told by itself.

use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tonic::{Status, body::Body};

/// Longer than any request of the shop: a hundred lines of an order, a description of two thousand characters.
const LONGEST_MESSAGE: usize = 64 * 1024;
/// A flag and the length of the message (gRPC over HTTP/2, Length-Prefixed-Message).
const PREFIX: usize = 5;

/// A request's body that ends with `INVALID_ARGUMENT` where a message is announced that is too long. It is not
/// `RESOURCE_EXHAUSTED`: the same request never succeeds later.
pub(super) struct Bounded {
    body: Body,
    /// What has come of the next message's prefix.
    prefix: [u8; PREFIX],
    filled: usize,
    /// What is missing of the message that has begun.
    missing: usize,
}

impl Bounded {
    pub(super) fn body(body: Body) -> Body {
        Body::new(Self { body, prefix: [0; PREFIX], filled: 0, missing: 0 })
    }

    /// Follows the messages through the next bytes.
    fn check(&mut self, mut bytes: &[u8]) -> Result<(), Status> {
        while !bytes.is_empty() {
            let skipped = self.missing.min(bytes.len());
            self.missing -= skipped;
            bytes = bytes.get(skipped..).unwrap_or_default();
            let Some((first, rest)) = bytes.split_first() else { break };
            if let Some(place) = self.prefix.get_mut(self.filled) {
                *place = *first;
            }
            self.filled += 1;
            bytes = rest;
            if self.filled == PREFIX {
                let [_, length @ ..] = self.prefix;
                self.filled = 0;
                self.missing = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.missing > LONGEST_MESSAGE {
                    let (long, most) = (self.missing, LONGEST_MESSAGE);
                    let message = format!("the message has {long} bytes, the most is {most}");
                    return Err(Status::invalid_argument(message));
                }
            }
        }
        Ok(())
    }
}

impl http_body::Body for Bounded {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if let Some(Ok(frame)) = &frame
            && let Some(data) = frame.data_ref()
            && let Err(status) = self.check(data)
        {
            return Poll::Ready(Some(Err(status)));
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(PREFIX + usize::try_from(length).unwrap(), b'x');
        bytes
    }

    /// Feeds the bytes in pieces of every size.
    fn check(bytes: &[u8], passes: bool) {
        for size in [1, 4, 5, 6, 1000, bytes.len()] {
            let mut bounded =
                Bounded { body: Body::empty(), prefix: [0; 5], filled: 0, missing: 0 };
            let checked = bytes.chunks(size).try_for_each(|piece| bounded.check(piece));
            assert_eq!(checked.is_ok(), passes, "in pieces of {size}");
        }
    }

    #[test]
    fn refuses_the_announcement_of_a_message_that_is_too_long() {
        check(&message(64 * 1024), true);
        check(&message(64 * 1024 + 1)[..PREFIX], false);
        check(&[message(0), message(64 * 1024), message(7)].concat(), true);
        check(&[message(0), message(3), message(u32::from(u16::MAX) * 2)].concat(), false);
    }
}
